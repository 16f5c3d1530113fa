"""What a live view has sent of each tool call, artifact and run, and the messages that bring it up to date.

Between the reducer's nodes and the wire (docs/wire.md); texts are in ``_texts.py``. ``read`` takes
what is new from a node, under the registry's lock and without rendering; ``ops`` renders it, outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._forms.wording import args_text, is_table, output_text, preview
from ..parts import ArtifactPart, ToolPart
from ._text_diffs import Field, Follower, Op

if TYPE_CHECKING:
    from .._reducer.part_builders import ArtifactBuilder, ToolBuilder
    from .._reducer.run import RunLog

__all__ = ["ArtifactShown", "RunShown", "Shown", "ToolShown"]


# A part as the browser has it: what every kind has in common.
#
# Below ``_parts.py`` and ``_texts.py``.

_NOTHING = object()


class Shown:
    """A part as the browser has it. ``ops`` of the base only sets what changed in ``props``."""

    kind = ""

    def __init__(self, key: int) -> None:
        self.key = key
        self.parent = ""
        self.version = -1  # of the node when it was read
        self.props: dict[str, Any] = {}
        self.fields: dict[str, Field] = {}
        self._new: dict[str, Any] = {}

    def read(self, node: Any) -> None:
        """Under the lock: take what is new."""

    def ops(self) -> list[Op]:
        """Outside of the lock: what brings the browser up to date."""
        changed = {k: v for k, v in self._new.items() if self.props.get(k, _NOTHING) != v}
        self.props.update(changed)
        self._new = {}
        return [["set", self.key, changed]] if changed else []

    def sent_whole(self) -> None:
        """The browser has what the snapshot says."""

    def snapshot(self) -> dict[str, Any]:
        """The part as a whole."""
        return {
            "key": self.key,
            "kind": self.kind,
            "props": dict(self.props),
            "fields": {name: text for name, field in self.fields.items() if (text := field.read())},
            "blocks": [],
            "open": "",
            "tail": "",
            "parts": [],
        }

    def _append(self, name: str, text: str) -> list[Op]:
        if not text:
            return []
        return [self.fields.setdefault(name, Field()).append(self.key, name, text)]

    def _replace(self, name: str, text: str) -> list[Op]:
        return self.fields.setdefault(name, Field()).replace(self.key, name, text)


PREVIEW_SOURCE = 4096
"""Characters of streaming arguments beyond which their one-line preview is not made anew."""
OUTPUT_LIMIT = 100_000
"""Characters of a running tool's output that are shown live; the transcript keeps it all."""


class ToolShown(Shown):
    """A tool call. Arguments and output stream as text; what is complete is shown as a whole."""

    kind = "tool"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._args, self._output = Follower(), Follower()
        self._pending: list[tuple[str, bool, str]] = []
        self._whole: ToolPart | None = None
        self._seen: object = None

    def read(self, node: ToolBuilder) -> None:
        state = node.state()
        self._new |= {"name": node.tool_name(), "state": state}
        if state == "preparing":
            self._pending.append(("args", *self._args.read(node.args)))
            if node.args.size <= PREVIEW_SOURCE:
                self._new["preview"] = preview(node.args.read())
            return
        # A long output comes line by line: the whole part is read only when more than that is new.
        calls = [node, *node.followers]
        for call in calls:
            call.args.refresh()
        seen = state, [(call.news, call.args.epoch, call.args.size, call.run.shifts) for call in calls]
        if seen == self._seen and not node.output.wholes and len(calls) == 1:
            if node.output.size <= OUTPUT_LIMIT:
                self._pending.append(("output", *self._output.read(node.output)))
            return
        part = node.part()
        if isinstance(part, ToolPart):
            self._whole, self._seen, self._pending = part, seen, []
            self._output.read(node.output)

    def ops(self) -> list[Op]:
        ops: list[Op] = []
        part, self._whole = self._whole, None
        if part is not None:
            self._new |= {
                "preview": preview(part.args_text if part.args is None else part.args),
                "t0": part.started_at,
                "t1": part.finished_at,
                "error": part.error,
            }
            if is_table(part.output) != self.props.get("wide", False):
                self._new["wide"] = is_table(part.output)
            if part.progress is not None:
                self._new |= part.progress.model_dump()
            ops += self._replace("args", args_text(part))
            ops += self._replace("output", output_text(part))
        for name, replaces, text in self._pending:
            ops += self._replace(name, text) if replaces else self._append(name, text)
        self._pending = []
        return ops + super().ops()


class ArtifactShown(Shown):
    """A file, image or document."""

    kind = "artifact"

    def read(self, node: ArtifactBuilder) -> None:
        part = node.part()
        if isinstance(part, ArtifactPart):
            self._new |= artifact_props(part)


def artifact_props(part: ArtifactPart) -> dict[str, Any]:
    """Only a raster image's data goes to the browser as such; an url is a link there, never fetched."""
    raster = part.media_type in ("image/png", "image/jpeg", "image/gif", "image/webp")
    return {
        "name": part.name or part.artifact_id,
        "action": part.action,
        "media_type": part.media_type,
        "url": part.url,
        "src": f"data:{part.media_type};base64,{part.data}" if raster and part.data else None,
        "size": len(part.data) * 3 // 4 if part.data else None,
    }


class RunShown(Shown):
    """A subagent that no tool call claims, or another agent of the same view."""

    kind = "run"

    def read(self, node: RunLog) -> None:
        final = node.final
        self._new |= {"name": node.agent_name or node.run_id, "state": final.outcome if final else "running"}

"""Make the ops that update each tool call, artifact and run of a live view in the browser.

Between the reducer's part builders and the wire (docs/wire.md); texts are in ``_texts.py``. ``read`` copies the news of
a part builder under the registry's lock, and renders nothing. ``ops`` renders the news outside of the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._forms.excerpt import LiveOutput
from .._forms.html import wait_html
from .._forms.wording import (
    OPEN_STATES,
    PREVIEW,
    LiveText,
    args_text,
    byte_size,
    call_preview,
    in_line,
    is_table,
    name_in_line,
    output_text,
    preview,
    whole_message,
)
from .._markdown.images import pixels_of
from .._markdown.sanitize import is_link, is_raster
from ..parts import ArtifactPart, ToolPart
from ._text_diffs import Field, Op, TextReader

if TYPE_CHECKING:
    from .._reducer.growing_text import GrowingText
    from .._reducer.part_builders import ArtifactBuilder, ToolBuilder
    from .._reducer.run import RunLog

__all__ = ["SentArtifact", "SentPart", "SentRun", "SentTool"]


_NOTHING = object()


class SentPart:
    """Hold the state of one part as the browser has it, and make the ops that update the browser."""

    kind = ""

    def __init__(self, key: int) -> None:
        self.key = key
        self.parent = ""
        self.version = -1  # of the part builder when it was read
        self.props: dict[str, Any] = {}
        self.fields: dict[str, Field] = {}
        self._new: dict[str, Any] = {}

    def read(self, builder: Any) -> None:
        """Copy the news of the part builder *builder*. The caller holds the registry's lock."""

    def ops(self) -> list[Op]:
        """Return the ops for the news, outside of the lock; for every kind, the changes of ``props``."""
        changed = {k: v for k, v in self._new.items() if self.props.get(k, _NOTHING) != v}
        self.props.update(changed)
        self._new = {}
        return [["set", self.key, changed]] if changed else []

    def record_full(self) -> None:
        """Record that the browser has the part's current snapshot."""

    def snapshot(self) -> dict[str, Any]:
        """Return the whole part, as docs/wire.md describes it."""
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


PREVIEW_END = 40
"""Characters of the argument text that the row shows while the text is written: its end, so that the row moves."""


class SentTool(SentPart):
    """Show a tool call: arguments and output stream as text, and are sent whole once complete."""

    kind = "tool"

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self._args, self._output = TextReader(), TextReader()
        self._live_args, self._live_output = LiveText(), LiveOutput()
        self._pending: list[tuple[str, bool, str]] = []
        self._whole: ToolPart | None = None
        self._seen: object = None

    def read(self, builder: ToolBuilder) -> None:
        state = builder.state()
        self._new |= {"name": name_in_line(builder.tool_name()), "state": state}
        if state == "preparing":
            self._pending.append(("args", *self._args.read(builder.args)))
            self._new["preview"] = _end_of(builder.args)
            return
        # A long output grows line by line: the whole part is read only if the output is not the only news.
        calls = [builder, *builder.followers]
        for call in calls:
            call.args.refresh()
        requests = [one.version for one in builder.requests()]
        seen = (
            state,
            requests,
            [(call.news, call.args.epoch, call.args.size, call.run.shifts) for call in calls],
        )
        only_output = seen == self._seen and not builder.output.wholes and len(calls) == 1
        if only_output and state == "running":
            self._pending.append(("output", *self._output.read(builder.output)))
            return
        part = builder.part()
        if isinstance(part, ToolPart):
            self._whole, self._seen, self._pending = part, seen, []
            self._output.read(builder.output)

    def ops(self) -> list[Op]:
        ops: list[Op] = []
        part, self._whole = self._whole, None
        if part is not None:
            self._new |= {
                "preview": call_preview(part),
                "t0": part.executed_at,
                "t1": part.finished_at if part.state not in OPEN_STATES else None,
                "error": whole_message(part.error) if part.error else part.error,
            }
            if is_table(part.output) != self.props.get("wide", False):
                self._new["wide"] = is_table(part.output)
            if part.request is not None:
                self._new["request"] = wait_html(part.request)
            if part.progress is not None:
                self._new |= part.progress.model_dump()
                self._new["message"] = name_in_line(part.progress.message) or None
            self._live_args = LiveText()
            ops += self._replace("args", args_text(part))
            ops += self._show_output(part)
        for name, replaces, text in self._pending:
            ops += (
                self._grow_args(text, replaces=replaces)
                if name == "args"
                else self._grow_output(text, replaces=replaces)
            )
        self._pending = []
        return ops + super().ops()

    def _show_output(self, part: ToolPart) -> list[Op]:
        self._live_output = LiveOutput()
        if part.state != "running" or not isinstance(part.output, str):
            return self._replace("output", output_text(part))
        # More may follow: the text is shown as it grows, also where the text so far is JSON.
        return self._grow_output(part.output, replaces=True)

    def _grow_args(self, text: str, *, replaces: bool) -> list[Op]:
        if replaces:
            self._live_args = LiveText()
        shown = self._live_args.feed(text)
        return self._replace("args", shown) if replaces else self._append("args", shown)

    def _grow_output(self, text: str, *, replaces: bool) -> list[Op]:
        if replaces:
            self._live_output = LiveOutput()
        self._live_output.feed(text)
        keep, news = self._live_output.changes()
        return self.fields.setdefault("output", Field()).splice(self.key, "output", keep, news)


def _end_of(text: GrowingText) -> str:
    """Return the end of a growing text on one line; all of a short one."""
    if text.size <= PREVIEW:
        return preview(text.read())
    return f"…{in_line(text.tail(text.size - PREVIEW_END), PREVIEW_END)}"


class SentArtifact(SentPart):
    """Show a file, image or document."""

    kind = "artifact"

    def read(self, builder: ArtifactBuilder) -> None:
        part = builder.part()
        if isinstance(part, ArtifactPart):
            self._new |= artifact_props(part)


def artifact_props(part: ArtifactPart) -> dict[str, Any]:
    """Return an artifact's props. Only raster images are sent as data; a URL is a link, never fetched."""
    source = f"data:{part.media_type};base64,{part.data}" if part.data else ""
    is_image = bool(source) and is_raster(source)
    pixels = pixels_of(part.data) if part.data and source.startswith("data:image/") else ""
    return {
        "name": name_in_line(part.name) or name_in_line(part.artifact_id),
        "action": name_in_line(part.action),
        "media_type": " · ".join(filter(None, (name_in_line(part.media_type), pixels))) or None,
        "url": part.url if part.url and is_link(part.url) else None,
        "src": source if is_image else None,
        "size": byte_size(part.data) if part.data else None,
    }


class SentRun(SentPart):
    """Show a subagent that no tool call claims, or a further agent of the view."""

    kind = "run"

    def read(self, builder: RunLog) -> None:
        final = builder.final
        self._new |= {
            "name": name_in_line(builder.agent_name) or name_in_line(builder.run_id),
            "state": final.outcome if final else "running",
        }

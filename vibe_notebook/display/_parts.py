"""Make the ops that update each tool call, artifact and run of a live view in the browser.

Between the reducer's part builders and the wire (docs/wire.md); texts are in ``_texts.py``. ``read`` copies the news of
a part builder under the registry's lock, and renders nothing. ``ops`` renders the news outside of the lock.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from .._foreign_words import clean_logger
from .._forms.colours import has_colours
from .._forms.displays import beside_display, display_html, has_picture
from .._forms.excerpt import LiveOutput, excerpt
from .._forms.html import output_blocks, wait_html
from .._forms.shapes import call_shape, exit_words
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
    name_of,
    output_text,
    preview,
    whole_message,
)
from .._markdown.images import image_problem
from .._markdown.sanitize import is_link, is_raster
from ..parts import ArtifactPart, ToolPart
from ._text_diffs import Field, Op, TextReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._forms.shapes import CallShape
    from .._reducer.growing_text import GrowingText
    from .._reducer.part_builders import ArtifactBuilder, ToolBuilder
    from .._reducer.run import RunLog
    from ..parts import RequestValue
    from ._blobs import Blobs

__all__ = ["SentArtifact", "SentPart", "SentRun", "SentTool"]

log = clean_logger("vibe_notebook")

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
        self.forms: Mapping[str, dict[str, Any]] = {}
        """By request, the form that offers an answer."""
        self.late: set[RichHtml] = set()
        """HTML that waits for its time."""
        self._new: dict[str, Any] = {}

    def offer(self, request: RequestValue | None) -> None:
        """Offer an answer to an open request, if somebody waits for it in this process."""
        form = self.forms.get(request.request_id) if request is not None and request.is_open else None
        if form is not None or self.props.get("ask") is not None:
            self._new["ask"] = form

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


class RichHtml:
    """Show HTML of a part that may be heavy: a blob, which the part's property *name* names.

    Changes of an unfinished display are shown twice a second at most.
    """

    def __init__(self, part: SentPart, name: str, blobs: Blobs) -> None:
        self._part, self._name, self._blobs = part, name, blobs
        self._source: object = None
        self._make: Callable[[], Sequence[str]] | None = None
        self._due = -math.inf

    def want(self, source: object, make: Callable[[], Sequence[str]] | None) -> None:
        """Show what *make* returns, if *source*, from which it makes it, is another one; ``None``: nothing."""
        if source != self._source:
            self._source, self._make = source, make
            self._part.late.add(self)

    def show(self, run: str, *, is_final: bool) -> dict[str, int | None]:
        """Return the property for the browser, if it changed; nothing before its time."""
        now = self._blobs.now
        if self not in self._part.late or (not is_final and now < self._due):
            return {}
        self._part.late.discard(self)
        self._due = now + DISPLAY_SECONDS
        owner = (self._part.key, self._name)
        if self._make is None:
            self._blobs.remove(owner)
            return {self._name: None}
        make, self._make = self._make, None
        try:
            blocks = make()
        except Exception as error:
            # One result that cannot be shown must not take the view with it.
            log.exception("A display could not be rendered")
            words = whole_message(f"The display could not be rendered: {type(error).__name__}: {error}")
            blocks = [f"<pre>{escape(words)}</pre>"]
        return {self._name: self._blobs.put(owner, blocks, run)}


class _Shortener:
    """Shorten texts as all forms do, and count the characters of the whole ones."""

    def __init__(self) -> None:
        self._whole = 0
        self._is_cut = False

    def __call__(self, text: str) -> str:
        shown = excerpt(text)
        self._whole += len(text)
        self._is_cut |= shown is not text
        return shown

    @property
    def whole(self) -> int | None:
        """Return the characters of the whole texts, if one of them was shortened."""
        return self._whole if self._is_cut else None


PREVIEW_END = 40
"""Characters of the argument text that the row shows while the text is written: its end, so that the row moves."""
DISPLAY_SECONDS = 0.5
"""Seconds between two changes of an unfinished display: each may be a megabyte."""
_BUSY = ("preparing", "running", "awaiting_approval")


class SentTool(SentPart):
    """Show a tool call: arguments and output stream as text, and are sent whole once complete.

    A complete call may have a form of its own (``_forms/shapes.py``), and its result a display.
    """

    kind = "tool"

    def __init__(self, key: int, blobs: Blobs) -> None:
        super().__init__(key)
        self._args, self._output = TextReader(), TextReader()
        self._live_args, self._live_output = LiveText(), LiveOutput()
        self._pending: list[tuple[str, bool, str]] = []
        self._whole: ToolPart | None = None
        self._seen: object = None
        self._run = ""
        self._is_final = False
        self._shaped: object = None
        self._shape: CallShape | None = None
        self._args_html: str | None = None
        self._rich_args = RichHtml(self, "rich_args", blobs)
        self._rich_output = RichHtml(self, "rich_output", blobs)

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
                "t0": part.executed_at,
                "t1": part.finished_at if part.state not in OPEN_STATES else None,
                "error": whole_message(part.error) if part.error else part.error,
            }
            self.offer(part.request)
            if part.request is not None:
                self._new["request"] = wait_html(part.request)
            if part.progress is not None:
                self._new |= part.progress.model_dump()
                self._new["message"] = name_in_line(part.progress.message) or None
            ops += self._show_whole(part)
        for name, replaces, text in self._pending:
            ops += (
                self._grow_args(text, replaces=replaces)
                if name == "args"
                else self._grow_output(text, replaces=replaces)
            )
        self._pending = []
        for rich in (self._rich_args, self._rich_output):
            self._new |= rich.show(self._run, is_final=self._is_final or rich is self._rich_args)
        return ops + super().ops()

    def _show_whole(self, part: ToolPart) -> list[Op]:
        self._run, self._is_final = part.run_id, part.state not in _BUSY
        part = beside_display(part) if self._is_final else part
        if (exited := exit_words(part) if self._is_final else "") != self.props.get("exit", ""):
            self._new["exit"] = exited
        if (opens := part.state == "ok" and has_picture(part.display)) != self.props.get("opens", False):
            self._new["opens"] = opens
        self._shape_anew(part)
        self._new["preview"] = call_preview(part)
        self._live_args = LiveText()
        args, output, html = _Shortener(), _Shortener(), self._args_html
        self._rich_args.want(html, None if html is None else lambda: [html])
        text = args_text(part, args)
        ops = self._replace("args", text if html is None else "")
        ops += self._show_output(part, output)
        # A text that still grows is not offered whole.
        whole = {"whole_args": args.whole, "whole_output": output.whole if self._is_final else None}
        self._new |= {name: size for name, size in whole.items() if size != self.props.get(name)}
        return ops

    def _shape_anew(self, part: ToolPart) -> None:
        """Find the call's shape, and the HTML of its arguments; both stay the same while the call does."""
        args = part.args_text if part.args is None else part.args
        shaped = (part.tool_name, part.state, args, part.output if self._is_final else None, part.error)
        if shaped != self._shaped:
            self._shaped, self._shape = shaped, call_shape(part)
            self._args_html = None if self._shape is None else self._shape.arguments_html

    def _show_output(self, part: ToolPart, shorten: _Shortener) -> list[Op]:
        """Show the output as the saved form does once it is complete; before that, the text grows above a display."""
        self._live_output = LiveOutput()
        display, shape = part.display, self._shape
        if not self._is_final:
            self._rich_output.want(
                display, None if not display else lambda: [display_html(display, name=name_of(part))]
            )
            if part.state == "running" and isinstance(part.output, str):
                # More may follow: the text is shown as it grows, also where the text so far is JSON.
                return self._grow_output(part.output, replaces=True)
        text = output_text(part, shorten)
        is_rich = (
            bool(display) or has_colours(part.written) or (shape is not None and shape.output is not None)
        )
        if self._is_final:
            source = (display, part.output, part.written, part.tool_name) if is_rich else None
            self._rich_output.want(source, None if not is_rich else lambda: output_blocks(part, shape))
            text = "" if is_rich else text
        if is_table(part.output) != self.props.get("wide", False):
            self._new["wide"] = is_table(part.output)
        return self._replace("output", text)

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
    """Show a file, an image, a document or a display."""

    kind = "artifact"

    def __init__(self, key: int, blobs: Blobs) -> None:
        super().__init__(key)
        self._part: ArtifactPart | None = None
        self._run = ""
        self._image, self._display = RichHtml(self, "src", blobs), RichHtml(self, "rich", blobs)

    def read(self, builder: ArtifactBuilder) -> None:
        part = builder.part()
        if isinstance(part, ArtifactPart):
            self._part = part

    def ops(self) -> list[Op]:
        part, self._part = self._part, None
        if part is not None:
            self._run, display = part.run_id, part.display
            props = artifact_props(part)
            source = None if display else props["src"]
            self._new |= {**props, "src": self.props.get("src")}
            self._image.want(source, None if source is None else lambda: [source])
            name = name_in_line(part.name)
            self._display.want(display, None if not display else lambda: [display_html(display, name=name)])
        for rich in (self._image, self._display):
            self._new |= rich.show(self._run, is_final=False)
        return super().ops()


def artifact_props(part: ArtifactPart) -> dict[str, Any]:
    """Return an artifact's props. Only raster images are shown, each from its own data; a URL is a link, never fetched."""
    source = f"data:{part.media_type};base64,{part.data}" if part.data else ""
    problem = image_problem(part.media_type, part.data) if part.data else ""
    is_image = bool(source) and is_raster(source) and not problem
    is_display = bool(part.display) and not (part.name or part.data or part.url)
    return {
        "name": "" if is_display else name_in_line(part.name) or name_in_line(part.artifact_id),
        "action": name_in_line(part.action),
        "media_type": " · ".join(filter(None, (name_in_line(part.media_type), problem))) or None,
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

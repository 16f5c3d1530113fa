"""Read Cohere's SDK, version 2 of the API: ``chat_stream(…)``.

An event names its kind in ``type``, and each content, call and citation by ``index``. The plan of the calls, before
they begin, is thinking. The application runs its own tools, and may feed in their results: as the API's ``role: tool``
messages, as the reports of ``_tool_results``, or as our events. Source: ``cohere.v2.types``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import MessageFinished, Usage

from ._base import Adapter
from ._citations import cohere_citations
from ._fields import get, ident, integer, items, json_text, number, text
from ._tool_results import message_result, read_report

__all__ = ["CohereAdapter", "matches"]

_KINDS: Final = frozenset(
    (
        *("message-start", "message-end", "content-start", "content-delta", "content-end", "tool-plan-delta"),
        *("tool-call-start", "tool-call-delta", "tool-call-end", "citation-start", "citation-end"),
    )
)
_QUIET: Final = frozenset(("content-end", "tool-call-end", "citation-end", "debug"))
_PLAN: Final = "plan"
"""The part of the plan of the calls."""


def matches(native: object) -> bool:
    """Return whether *native* is an event of the stream."""
    return text(get(native, "type")) in _KINDS


class CohereAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "cohere"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._count = 0
        self._used: set[str] = set()
        self._calls: dict[int, tuple[str, str]] = {}
        """The id and the name of the message's calls, by their index."""

    def _read(self, native: object) -> None:
        kind, body = text(get(native, "type")), get(native, "delta", "message")
        index = integer(get(native, "index")) or 0
        match kind:
            case "message-start":
                self._start(ident(get(native, "id")))
            case "content-start" | "content-delta":
                self._content(index, get(body, "content"))
            case "tool-plan-delta":
                self._open()
                self.emit_text("thinking", _PLAN, text(get(body, "tool_plan")))
            case "tool-call-start" | "tool-call-delta":
                self._call(index, get(body, "tool_calls"), is_new=kind == "tool-call-start")
            case "citation-start":
                self._open()
                self._cite(get(body, "citations"))
            case "message-end":
                self._end(get(native, "delta"))
            case _ if kind not in _QUIET:
                self._app(native, kind)

    # Messages.

    def _start(self, native_id: str | None) -> None:
        self._close()
        made = f"{self.run_id}:{self._count}"
        self._count += 1
        self._message = native_id if native_id and native_id not in self._used else made
        self._used.add(self._message)
        self.begin_message(self._message)

    def _open(self) -> str:
        if self._message is None:  # a watch may start in the middle of a message
            self._start(None)
        self._envelope = {"message_id": self._message}
        return self._message or ""

    def _close(self, **fields: Any) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message}
            self._finish_calls()
            self.emit(MessageFinished, **fields)
            self.streamed.forget(message)
        self._calls = {}
        self._envelope = {}

    def _end(self, delta: object) -> None:
        self._open()
        reason = ident(get(delta, "finish_reason"))
        if problem := text(get(delta, "error")):
            self.end("error", problem, reason)
        self._close(finish_reason=reason, usage=_usage(get(delta, "usage")))

    def _content(self, index: int, content: object) -> None:
        self._open()
        self.emit_text("thinking", str(index), text(get(content, "thinking")))
        self.emit_text("text", str(index), text(get(content, "text")))

    def _cite(self, citations: object) -> None:
        for citation in items(citations) or [citations]:
            is_plan = text(get(citation, "type")) == "PLAN"
            part_id = _PLAN if is_plan else str(integer(get(citation, "content_index")) or 0)
            for fields in cohere_citations([citation]):
                self.emit_citation(part_id, fields)

    # Tool calls.

    def _call(self, index: int, native: object, *, is_new: bool) -> None:
        message = self._open()
        name = text(get(native, "function", "name"))
        if is_new or index not in self._calls:
            call_id = ident(get(native, "id")) or f"{message}:{index}"
            self._calls[index] = call_id, name
            self.announce_call(call_id, name)
        call_id, name = self._calls[index]
        if delta := json_text(get(native, "function", "arguments")):
            self.emit_args(call_id, name, delta)

    def _finish_calls(self) -> None:
        for call_id, name in self._calls.values():
            written = self.streamed.read((self._envelope["message_id"], "args", call_id))
            self.emit_rest_of_args(call_id, name, written)  # for the plan of a todo tool

    def _app(self, native: object, kind: str) -> None:
        report, call_id = read_report(native), ident(get(native, "tool_call_id"))
        is_answer = not kind and call_id is not None and text(get(native, "role")) == "tool"
        if report is None and not is_answer:
            self.emit_unknown(native, kind)
            return
        self._close()
        if report is not None:
            self.emit_report(report)
            return
        result, fields = message_result(call_id or "", native, is_error=False)
        self.emit_result(result, **fields)


def _usage(native: object) -> Usage | None:
    """Return the counts, which the SDK has as floats; the billed ones where the server sends no others."""
    tokens = get(native, "tokens") or get(native, "billed_units")
    counts = {
        "input_tokens": _count(get(tokens, "input_tokens")),
        "output_tokens": _count(get(tokens, "output_tokens")),
        "cached_input_tokens": _count(get(native, "cached_tokens")),
    }
    fields: dict[str, Any] = {name: count for name, count in counts.items() if count is not None}
    return Usage(**fields) if fields else None


def _count(value: object) -> int | None:
    found = number(value)
    return integer(int(found)) if found is not None else None

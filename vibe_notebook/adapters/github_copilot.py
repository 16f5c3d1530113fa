"""Read GitHub Copilot's SDK: the events of a session, which it pushes to ``session.on(…)``, as objects or as JSON.

Deltas of a message precede the whole message. The work of a subagent names the call that it works for. Source:
``copilot.generated.session_events``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import MessageFinished, MessageStarted, ToolProgress, ToolStarted, Usage

from ._base import Adapter
from ._fields import camel, fields_of, get, ident, integer, parsed, text
from ._result_blocks import read_content
from ._subagents import Subagents

__all__ = ["GitHubCopilotAdapter", "matches"]

_PREFIXES: Final = ("assistant.", "permission.", "session.", "subagent.", "tool.", "user.")
_FIELDS: Final = {"type", "data", "id", "timestamp"}
_LINES: Final = frozenset(("session.info", "session.warning"))


def matches(native: object) -> bool:
    """Return whether *native* is an event of a session."""
    return fields_of(native).keys() >= _FIELDS and _kind(native).startswith(_PREFIXES)


def _kind(native: object) -> str:
    kind = get(native, "type")
    return text(kind) or text(get(kind, "value"))


class GitHubCopilotAdapter(Adapter):
    """Read one session, or the part of it that answers one message."""

    name = "github_copilot"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._children: Subagents[GitHubCopilotAdapter] = Subagents(self, GitHubCopilotAdapter)

    def _read(self, native: object) -> None:
        if not matches(native):
            self.emit_unknown(native, _kind(native) or None)
            return
        kind, data = _kind(native), get(native, "data")
        parent = ident(camel(data, "parentToolCallId"))
        if parent is not None and parent != self.parent_tool_call_id:
            self.add_events(self._children.feed(parent, native, parent_tool_call_id=parent))
            return
        match kind:
            case "user.message":
                self._end_message()
                self.emit_turn(text(get(data, "content")), message_id=ident(get(native, "id")))
            case "assistant.message_delta" | "assistant.reasoning_delta":
                self._piece(kind, data)
            case "assistant.reasoning":
                self._whole("thinking", camel(data, "reasoningId"), text(get(data, "content")))
            case "assistant.message":
                self._whole("text", camel(data, "messageId"), text(get(data, "content")))
            case "assistant.usage":
                self._count(data)
            case "session.error":
                self.end("error", text(get(data, "message")) or "error", ident(camel(data, "errorType")))
            case _ if kind in _LINES:
                self.emit_unknown(text(get(data, "message")), kind, shown=True)
            case _ if kind.startswith("tool."):
                self._tool(kind, native, data)
            case "subagent.completed" | "subagent.failed":
                self.add_events(self._children.end(text(camel(data, "toolCallId"))))
            case _:
                self.emit_unknown(native, kind)

    def _close(self) -> None:
        self.add_events(self._children.end_all())
        self._end_message()

    def _open(self, message: str) -> None:
        if self._message != message:
            self._end_message()
            self._message = message
            self._envelope = {"message_id": message}
            self.emit(MessageStarted)
        self._envelope = {"message_id": message}

    def _end_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message}
            self.emit(MessageFinished)
        self._envelope = {}

    def _piece(self, kind: str, data: object) -> None:
        is_text = kind == "assistant.message_delta"
        message = ident(camel(data, "messageId" if is_text else "reasoningId"))
        if message is not None:
            self._open(message)
            self.emit_text("text" if is_text else "thinking", "0", text(camel(data, "deltaContent")))

    def _whole(self, kind: str, about: object, words: str) -> None:
        message = ident(about)
        if message is not None and words:
            self._open(message)
            self.emit_whole(kind, "0", words)
            self._end_message()

    def _tool(self, kind: str, native: object, data: object) -> None:
        call_id = ident(camel(data, "toolCallId"))
        if call_id is None:
            self.emit_unknown(native, kind)
        elif kind == "tool.execution_start":
            self._end_message()
            name = text(camel(data, "toolName")) or None
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=parsed(get(data, "arguments")))
        elif kind == "tool.execution_partial_result":
            self.emit(ToolProgress, tool_call_id=call_id, delta=text(camel(data, "partialOutput")) or None)
        elif kind == "tool.execution_progress":
            words = text(camel(data, "progressMessage")) or None
            self.emit(ToolProgress, tool_call_id=call_id, message=words)
        elif kind == "tool.execution_complete":
            self._answer(call_id, data)
        else:
            self.emit_unknown(native, kind)

    def _answer(self, call_id: str, data: object) -> None:
        self.add_events(self._children.end(call_id))
        result, error = get(data, "result"), get(data, "error")
        fields: dict[str, Any] = {"tool_call_id": call_id}
        value = get(result, "content")
        if get(data, "success") is False or error is not None:
            words = text(get(error, "message")) or text(value) or "error"
            fields |= {"status": "error", "error": words}
            value = words if value is None else value
        self.emit_result(read_content(value, get(result, "contents")), **fields)

    def _count(self, data: object) -> None:
        """Add the counts of one request to those of the run."""
        before, counts = self._usage, dict[str, Any]()
        for ours, theirs in (("input_tokens", "inputTokens"), ("output_tokens", "outputTokens")):
            count, earlier = integer(camel(data, theirs)), getattr(before, ours, None)
            counts[ours] = earlier if count is None else count + (earlier or 0)
        if any(count is not None for count in counts.values()):
            self._usage = Usage(**counts, model=text(get(data, "model")) or None)

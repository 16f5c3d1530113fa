"""Read GitHub Copilot's SDK: the events of a session, which it pushes to ``session.on(…)``, as objects or as JSON.

Deltas of a message precede the whole message. The work of a subagent names the call that it works for. Source:
``copilot.generated.session_events``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import (
    InputAnswered,
    InputRequested,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import camel, fields_of, get, ident, integer, items, parsed, plain, text
from ._result_blocks import read_content
from ._subagents import Subagents

__all__ = ["GitHubCopilotAdapter", "matches"]

_PREFIXES: Final = (
    *("assistant.", "elicitation.", "permission.", "session.", "subagent.", "tool.", "user.", "user_input."),
)
_FIELDS: Final = {"type", "data", "id", "timestamp"}
_REQUESTS: Final = ("elicitation.requested", "permission.requested", "user_input.requested")
_ANSWERS: Final = ("elicitation.completed", "permission.completed", "user_input.completed")
_ASKED: Final = ("fullCommandText", "fileName", "path", "url", "toolTitle", "toolName", "fact")
"""The fields of a request for permission that name the thing asked for, one for each kind."""
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
    keeps_texts = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._children: Subagents[GitHubCopilotAdapter] = Subagents(self, GitHubCopilotAdapter)
        self._requests: dict[str, str | None] = {}
        """The open requests, each with its call."""

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
                self._request(kind, native, data)

    def _close(self) -> None:
        self.add_events(self._children.end_all())
        self._end_message()

    def _open(self, message: str) -> None:
        if self._message != message:
            self._end_message()
            self._message = message
            self.begin_message(message)
        self._envelope = {"message_id": message}

    def _end_message(self) -> None:
        message, self._message = self._message, None
        self.end_message(message)

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

    def _request(self, kind: str, native: object, data: object) -> None:
        """Read a request or its answer; a request that a hook has answered already waits for nobody."""
        request = ident(camel(data, "requestId"))
        if request is not None and kind in _REQUESTS and camel(data, "resolvedByHook") is not True:
            self._ask(kind, request, data)
        elif request in self._requests and kind in _ANSWERS:
            self._answered(kind, request, data)
        else:
            self.emit_unknown(native, kind)

    def _ask(self, kind: str, request: str, data: object) -> None:
        asked = camel(data, "permissionRequest")
        if kind == "permission.requested":
            thing = next((words for name in _ASKED if (words := text(camel(asked, name)))), "")
            why = (
                text(get(asked, "intention"))
                or text(get(asked, "reason"))
                or text(camel(asked, "hookMessage"))
            )
            call_id = ident(camel(asked, "toolCallId"))
            message = "\n\n".join(filter(None, (why, f"`{thing}`" if thing else text(get(asked, "kind")))))
            fields: dict[str, Any] = {"kind": "approval", "message": message or None}
        else:
            call_id = ident(camel(data, "toolCallId"))
            parts = text(get(data, "question")) or text(get(data, "message")), text(get(data, "url"))
            fields = {"message": "\n\n".join(filter(None, parts)) or None}
            fields["answer_schema"] = _schema(data)
        self._requests[request] = call_id
        if call_id is not None and kind == "permission.requested":
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        self.emit(InputRequested, request_id=request, tool_call_id=call_id, **fields)

    def _answered(self, kind: str, request: str, data: object) -> None:
        call_id, result = self._requests.pop(request), get(data, "result")
        fields: dict[str, Any] = {}
        if kind == "permission.completed":
            said = text(get(result, "kind"))
            action = "accept" if said.startswith("approved") else "decline"
            action = "cancel" if said == "cancelled" else action
            words = text(get(result, "feedback")) or text(get(result, "message"))
            if action != "accept":
                fields["reason"] = words or said.replace("-", " ") or None
        elif kind == "user_input.completed":
            answer = text(get(data, "answer"))
            action, fields["value"] = ("accept", {"answer": answer}) if answer else ("cancel", None)
        else:
            found = get(data, "action")
            action = text(found) or text(get(found, "value"))
            action = action if action in ("accept", "decline") else "cancel"
            fields["value"] = plain(get(data, "content"))
        self.emit(InputAnswered, request_id=request, action=action, **fields)
        if call_id is not None and kind == "permission.completed" and action == "accept":
            self.emit(ToolProgress, tool_call_id=call_id, state="running")

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


def _schema(data: object) -> Any:
    """Return the JSON Schema of an answer: a form's own, or one text, with the choices that the question has."""
    if (given := plain(camel(data, "requestedSchema"))) is not None or get(data, "question") is None:
        return given
    field: dict[str, Any] = {"type": "string"}
    choices = [words for one in items(get(data, "choices")) if (words := text(one))]
    if choices and camel(data, "allowFreeform") is False:
        field["enum"] = choices
    elif choices:
        field["examples"] = choices
    return {"type": "object", "properties": {"answer": field}, "required": ["answer"]}

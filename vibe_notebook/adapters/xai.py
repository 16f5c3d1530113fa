"""Read xAI's SDK: ``chat.stream()``, whose natives are pairs of the response so far and a chunk.

Only the chunk is read. A chunk is a message of protobuf, or its JSON; numbers stand for the names of its enumerations. A
call of a function comes whole. xAI's own tools report their state, and perhaps their result as an output of the role
"tool". Source: ``xai_sdk.proto.chat_pb2``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import MessageFinished, ToolStarted, Usage

from ._base import Adapter
from ._fields import camel, get, ident, integer, parsed, text
from ._result_blocks import read_result
from ._tool_results import message_result, read_report

__all__ = ["XAIAdapter", "matches"]

_PAIR: Final = 2
_ROLES: Final = {2: "ROLE_ASSISTANT", 5: "ROLE_TOOL"}
_STATES: Final = {1: "COMPLETED", 2: "INCOMPLETE", 3: "FAILED"}
_REASONS: Final = {
    1: "max_length",
    2: "model_context_window_exceeded",
    3: "stop",
    4: "tool_calls",
    5: "timeout",
    "REASON_MAX_CONTEXT": "model_context_window_exceeded",
    "REASON_MAX_LEN": "max_length",
    "REASON_STOP": "stop",
    "REASON_TIME_LIMIT": "timeout",
    "REASON_TOOL_CALLS": "tool_calls",
}
_NO_REASONS: Final = (0, "0", "REASON_INVALID", "")
_APPS: Final = (0, 1, "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL", "TOOL_CALL_TYPE_INVALID", None)
"""The types of the calls that the application runs."""
_SOURCES: Final = ("webCitation", "xCitation", "collectionsCitation")
_WRAPPED: Final = ("type", "event", "event_kind", "object", "choices")


def matches(native: object) -> bool:
    """Return whether *native* is a pair of a response and a chunk, or a chunk."""
    chunk = _chunk_in(native)
    if chunk is None or any(get(chunk, name) is not None for name in _WRAPPED):
        return False
    outputs = _many(get(chunk, "outputs"))
    return bool(outputs) and all(_is_output(one) for one in outputs)


def _is_output(native: object) -> bool:
    delta = get(native, "delta")
    has_role = _role_of(delta) in _ROLES.values()
    return delta is not None and (has_role or get(native, "index") is not None)


def _chunk_in(native: object) -> object | None:
    """Return the chunk of a native, without the SDK's wrapper; ``None`` for other pairs."""
    if isinstance(native, list | tuple):
        if len(native) != _PAIR or (get(native[0], "outputs") is None and get(native[0], "proto") is None):
            return None
        native = native[1]
    proto = get(native, "proto")
    return native if proto is None else proto


def _many(value: object) -> list[Any]:
    """Return the elements of a list; protobuf has a class of its own for lists."""
    if value is None or isinstance(value, str | bytes | dict):
        return []
    try:
        return list(value)  # type: ignore[call-overload, no-any-return]
    except Exception:  # noqa: BLE001 - a foreign class may raise anything
        return []


def _role_of(delta: object) -> str:
    role = get(delta, "role")
    return _ROLES.get(role, "") if isinstance(role, int) else text(role)


class XAIAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "xai"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._native_id: str | None = None
        self._count = 0
        self._used: set[str] = set()
        self._reason: str | None = None
        self._message_usage: Usage | None = None
        self._started: set[str] = set()
        self._finished: set[str] = set()
        """The calls of xAI's own tools that have a result."""
        self._place = "0"

    def _read(self, native: object) -> None:
        chunk = _chunk_in(native)
        if chunk is not None and matches(native):
            self._chunk(chunk)
        elif chunk is not None and get(chunk, "usage") is not None and ident(get(chunk, "id")):
            self._chunk(chunk)  # the last chunk may have only the counts
        elif (report := read_report(native)) is not None:
            self._finish_message()
            self.emit_report(report)
        elif text(get(native, "role")) == "tool" and (call_id := ident(get(native, "tool_call_id"))):
            self._finish_message()
            result, fields = message_result(call_id, native, is_error=False)
            self.emit_result(result, **fields)
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    # Messages.

    def _chunk(self, chunk: object) -> None:
        self._open(ident(get(chunk, "id")))
        for output in _many(get(chunk, "outputs")):
            delta = get(output, "delta")
            if _role_of(delta) == "ROLE_TOOL":
                self._tool_output(delta)
            else:
                self._output(output, delta)
        self._envelope = {"message_id": self._message}
        self._count_tokens(get(chunk, "usage"), ident(get(chunk, "model")))
        for url in _many(get(chunk, "citations")):
            if text(url):
                self.emit_citation(self._place, {"url": text(url)})

    def _open(self, native_id: str | None) -> None:
        if self._message is None or (native_id is not None and native_id != self._native_id):
            self._finish_message()
            made = f"{self.run_id}:{self._count}"
            self._count += 1
            self._message = native_id if native_id and native_id not in self._used else made
            self._native_id = native_id
            self._used.add(self._message)
            self.begin_message(self._message)
        self._envelope = {"message_id": self._message}

    def _finish_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message}
            self.emit(MessageFinished, finish_reason=self._reason, usage=self._message_usage)
            if self._reason is not None and self._reason not in _REASONS.values():
                words = f"The server ended the message: {self._reason}."
                self._last_problem = {"outcome": "error", "error": words, "code": self._reason}
            self.streamed.forget(message)
        self._reason = self._message_usage = None
        self._started.clear()
        self._finished.clear()
        self._envelope = {}

    def _close(self) -> None:
        self._finish_message()

    def _output(self, output: object, delta: object) -> None:
        place = ident(get(output, "index")) or "0"
        self.emit_text("thinking", place, text(camel(delta, "reasoningContent")))
        if words := text(get(delta, "content")):
            self._place = place
            self.emit_text("text", place, words)
        for call in _many(camel(delta, "toolCalls")):
            self._call(call)
        for citation in _many(get(delta, "citations")):
            self._cite(place, citation)
        found: Any = camel(output, "finishReason")
        found = found if isinstance(found, int) else text(found)
        if found not in _NO_REASONS:
            self._reason = _REASONS.get(found) or str(found)

    def _cite(self, place: str, citation: object) -> None:
        """Show a source at its mark in the text."""
        bodies = [camel(citation, name) for name in _SOURCES]
        url = next((found for body in bodies if (found := text(get(body, "url")))), "")
        source = next((one for body in bodies if (one := ident(camel(body, "fileId")))), None)
        fields: dict[str, Any] = {"url": url} if url else {"source": source} if source else {}
        end = integer(camel(citation, "endIndex"))
        if fields and end:
            fields |= {"start": integer(camel(citation, "startIndex")) or 0, "end": end}
        self.emit_citation(place, fields or None)

    def _count_tokens(self, used: object, model: str | None) -> None:
        names = ("promptTokens", "completionTokens", "reasoningTokens", "cachedPromptTextTokens")
        inputs, answer, thinking, cached = (integer(camel(used, name)) for name in names)
        if not inputs and not answer:
            return
        # The API counts thinking beside the answer.
        outputs = (answer or 0) + (thinking or 0)
        self._message_usage = Usage(
            input_tokens=inputs,
            output_tokens=outputs,
            cached_input_tokens=cached or None,
            reasoning_tokens=thinking or None,
            model=model or None,
        )

    # Tool calls.

    def _call(self, call: object) -> None:
        call_id, function = ident(get(call, "id")), get(call, "function")
        if call_id is None:
            self.emit_unknown(call, "tool_call")
            return
        name, args = text(get(function, "name")) or None, text(get(function, "arguments"))
        kind = get(call, "type")
        if not self.emit_rest_of_args(call_id, name, args):
            self.emit_args(call_id, name, args)
        if kind in _APPS:
            return
        if call_id not in self._started:
            self._started.add(call_id)
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=parsed(args))
        found = get(call, "status")
        state = _STATES.get(found, "") if isinstance(found, int) else text(found).rpartition("_")[2]
        if state in _STATES.values():
            self._ended(call, call_id, name, state, None)

    def _ended(self, call: object, call_id: str, name: str | None, state: str, output: Any) -> None:
        if call_id in self._finished and output is None:
            return
        self._finished.add(call_id)
        why = text(camel(call, "errorMessage")) or f"The call is {state.lower()}."
        fields = {"status": "error", "error": why} if state != "COMPLETED" else {}
        value = why if fields and output is None else output
        self.emit_result(read_result(value), tool_call_id=call_id, tool_name=name, **fields)

    def _tool_output(self, delta: object) -> None:
        """Show the result of a tool of xAI's; its output names its call."""
        for call in _many(camel(delta, "toolCalls")):
            call_id = ident(get(call, "id"))
            name = text(get(call, "function", "name")) or None
            if call_id is not None:
                if call_id not in self._started:
                    self._call(call)
                found = get(call, "status")
                state = _STATES.get(found, "") if isinstance(found, int) else text(found).rpartition("_")[2]
                self._ended(call, call_id, name, state or "COMPLETED", parsed(get(delta, "content")))

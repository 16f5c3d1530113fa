"""Read Google's Gen AI SDK: ``generate_content_stream``, ``send_message_stream``, and whole responses.

A chunk has parts of one message; the chunks of a message share a ``response_id``. Some servers send a finish reason
with every chunk, so a message ends where another begins, or a tool's result comes. The adapter shows only the first
candidate. The SDK's automatic function calling reports results in the history of a later chunk. Other results the
application feeds in: as ``Content`` or ``Part`` with a ``function_response``, as the reports of ``_tool_results``, or
as our events. Field names are in snake_case, or in camelCase from the API. Source: ``google.genai.types``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import Artifact, MessageFinished, ToolFinished, ToolStarted, Usage

from ._base import Adapter
from ._citations import grounding_citations
from ._fields import camel, get, ident, integer, items, json_text, number, plain, reason, text
from ._gemini_parts import cited_works, code_of, file_in, kind_of, usage_in
from ._result_blocks import read_result
from ._tool_results import read_report

__all__ = ["GoogleGenAIAdapter", "matches"]

_OTHERS: Final = ("type", "event", "event_kind", "object", "author", "choices")
"""The fields that other SDKs' natives have, and these never."""
_COUNTS: Final = ("totalTokenCount", "promptTokenCount")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")
_STEPS: Final = 32
"""Levels of a path in streamed arguments."""


def matches(native: object) -> bool:
    """Return whether *native* is a response, its chunk, or a content with a function's response."""
    if any(get(native, name) is not None for name in _OTHERS):
        return False
    return _is_response(native) or any(kind_of(part) == "function_response" for part in _parts_of(native))


def _is_response(native: object) -> bool:
    for candidate in items(get(native, "candidates"))[:1]:
        content = get(candidate, "content")
        has_parts = isinstance(get(content, "parts"), list) or text(get(content, "role")) == "model"
        return has_parts or bool(_finish_of(candidate))
    if get(native, "content") is not None:
        return False
    usage, feedback = camel(native, "usageMetadata"), camel(native, "promptFeedback")
    is_counted = any(integer(camel(usage, name)) is not None for name in _COUNTS)
    return is_counted or bool(_word(camel(feedback, "blockReason")))


def _parts_of(native: object) -> list[Any]:
    """Return the parts of a content, or a part that stands alone."""
    parts = items(get(native, "parts"))
    return parts or ([native] if text(get(camel(native, "functionResponse"), "name")) else [])


def _word(value: object) -> str:
    return text(getattr(value, "value", value))


def _finish_of(candidate: object) -> str:
    return _word(camel(candidate, "finishReason"))


@dataclass
class _Message:
    id: str
    native_id: str | None
    parts: list[tuple[str, str]] = field(default_factory=list)
    """The kind and the number of each part; the next delta of the same kind continues the last part."""
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass
class _Call:
    id: str
    name: str
    args: dict[str, Any] = field(default_factory=dict)


class GoogleGenAIAdapter(Adapter):
    """Read one run: one request, or a loop of requests and tool calls."""

    name = "google_genai"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0
        self._used: set[str] = set()
        self._nameless: dict[str, list[str]] = {}
        """The calls without an id that wait for their result, by the function's name."""
        self._unanswered: set[str] = set()
        self._growing: _Call | None = None
        """The call whose arguments are coming."""
        self._ran = ""
        """The newest call that the provider runs itself."""

    def _read(self, native: object) -> None:
        if not get(native, "type") and _is_response(native):
            self._response(native)
        elif (error := get(native, "error")) is not None and ident(get(native, "call_id")) is None:
            code = ident(get(error, "status")) or ident(get(error, "code"))
            self.end("error", text(get(error, "message")) or text(error) or code or "error", code)
        elif (report := read_report(native)) is not None:
            self._close()
            self.emit_report(report)
        elif any(kind_of(part) == "function_response" for part in _parts_of(native)):
            self._answers(native)
        elif _word(get(native, "role")) == "user" and items(get(native, "parts")):
            self._turn(get(native, "parts"))
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    def _response(self, native: object) -> None:
        self._history(items(camel(native, "automaticFunctionCallingHistory")))
        found = items(get(native, "candidates"))
        candidate = next((one for one in found if (integer(get(one, "index")) or 0) == 0), None)
        usage = usage_in(native)
        if candidate is not None and text(get(candidate, "content", "role")) in ("user", "function", "tool"):
            self._answers(get(candidate, "content"))
        elif candidate is not None or usage is not None:
            message = self._open(ident(camel(native, "responseId")))
            message.usage = usage or message.usage
            self._candidate(message, candidate)
        feedback = camel(native, "promptFeedback")
        if code := _word(camel(feedback, "blockReason")):
            words = text(camel(feedback, "blockReasonMessage"))
            self.end("error", words or f"The prompt is blocked: {code}.", code)

    def _open(self, native_id: str | None) -> _Message:
        message = self._message
        if message is None or (native_id is not None and message.native_id not in (None, native_id)):
            self._close()
            is_used = native_id is None or native_id in self._used
            made = f"{self.run_id}:{self._count}"
            message = _Message(native_id if native_id and not is_used else made, native_id)
            self._used.add(message.id)
            self._count += 1
            self._message = message
            self.begin_message(message.id)
        message.native_id = message.native_id or native_id
        self._envelope = {"message_id": message.id}
        return message

    def _close(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message.id}
            self._finish_call()
            self.emit(MessageFinished, finish_reason=message.finish_reason, usage=message.usage)
            self.streamed.forget(message.id)
        self._envelope = {}

    # Parts.

    def _candidate(self, message: _Message, candidate: object) -> None:
        message.finish_reason = _finish_of(candidate) or message.finish_reason
        for part in items(get(candidate, "content", "parts")):
            self._part(message, part)
        texts = [name for kind, name in message.parts if kind == "text"]
        self._cite(message, texts, candidate)

    def _part(self, message: _Message, part: object) -> None:
        kind = kind_of(part)
        if not kind:  # a signature alone
            return
        delta = text(get(part, "text"))
        if kind in ("text", "thinking") and not delta:
            return
        is_same = bool(message.parts) and message.parts[-1][0] == kind and kind in ("text", "thinking")
        if not is_same:
            message.parts.append((kind, str(len(message.parts))))
        place = message.parts[-1][1]
        made_id = f"{message.id}:{place}"
        match kind:
            case "text" | "thinking":
                self.emit_text(kind, place, delta)
            case "function_call":
                self._function_call(camel(part, "functionCall"), made_id)
            case "function_response":
                self._function_response(camel(part, "functionResponse"))
            case "executable_code" | "code_execution_result":
                self._ran_by_provider("code_execution", code_of(part), made_id)
            case "server_call" | "server_result":
                self._server_tool(part, made_id)
            case "file":
                self.emit(Artifact, artifact_id=made_id, part_id=place, **file_in(part))
            case _:
                self.emit_unknown(part, "part")

    def _cite(self, message: _Message, texts: list[str], candidate: object) -> None:
        """Show the sources of the message's text; their places count in the text of all parts."""
        wholes = [self.streamed.read((message.id, "text", name)) for name in texts] or [""]
        whole, names = "".join(wholes), texts or ["0"]
        found = [
            *grounding_citations(camel(candidate, "groundingMetadata"), whole),
            *cited_works(camel(candidate, "citationMetadata")),
        ]
        fetched = items(camel(camel(candidate, "urlContextMetadata"), "urlMetadata"))
        found += [{"url": url} for one in fetched if (url := text(camel(one, "retrievedUrl")))]
        for fields in found:
            at, before = 0, 0
            while at + 1 < len(names) and fields.get("start", 0) >= before + len(wholes[at]):
                before += len(wholes[at])
                at += 1
            places: dict[str, Any] = {
                name: fields[name] - before for name in ("start", "end") if name in fields
            }
            self.emit_citation(names[at] if places else names[0], {**fields, **places})

    # Tool calls.

    def _function_call(self, native: object, made_id: str) -> None:
        call_id, name = ident(get(native, "id")), text(get(native, "name"))
        call, goes_on = self._growing, camel(native, "willContinue") is True
        if call is None or (name and (call_id or call.id) != call.id):
            self._finish_call()
            call = _Call(call_id or made_id, name)
            if call_id is None:
                self._nameless.setdefault(name, []).append(call.id)
            self._unanswered.add(call.id)
            self.announce_call(call.id, name)
        args = plain(get(native, "args"))
        call.args |= args if isinstance(args, dict) else {}
        for piece in items(camel(native, "partialArgs")):
            _assign(call.args, text(camel(piece, "jsonPath")), piece)
        self._growing = call
        if not goes_on:
            self._finish_call()

    def _finish_call(self) -> None:
        call, self._growing = self._growing, None
        if call is not None:
            self.emit_rest_of_args(call.id, call.name, json_text(call.args))

    def _ran_by_provider(self, name: str, fields: dict[str, Any], made_id: str) -> None:
        call_id = fields.pop("id")
        if "args" in fields:
            self._ran = call_id or made_id
            self.emit(ToolStarted, tool_call_id=self._ran, tool_name=name, **fields)
        else:
            self.emit(ToolFinished, tool_call_id=call_id or self._ran or made_id, tool_name=name, **fields)

    def _server_tool(self, part: object, made_id: str) -> None:
        call, result = camel(part, "toolCall"), camel(part, "toolResponse")
        native = result if call is None else call
        name = _word(camel(native, "toolType")).lower() or "tool"
        values = (
            {"output": plain(get(result, "response"))} if call is None else {"args": plain(get(call, "args"))}
        )
        self._ran_by_provider(name, {"id": ident(get(native, "id")), **values}, made_id)

    # Results.

    def _history(self, contents: list[Any]) -> None:
        """Show the results in the history of automatic calls; the history repeats older ones in every chunk."""
        parts = [part for content in contents for part in items(get(content, "parts"))]
        responses = [
            camel(part, "functionResponse") for part in parts if kind_of(part) == "function_response"
        ]
        waiting = [name for name, calls in self._nameless.items() if calls]
        for name in waiting:
            own = [
                one for one in responses if ident(get(one, "id")) is None and text(get(one, "name")) == name
            ]
            for response in own[-len(self._nameless[name]) :]:
                self._close()
                self._function_response(response)
        for response in responses:
            if ident(get(response, "id")) in self._unanswered:
                self._close()
                self._function_response(response)

    def _answers(self, content: object) -> None:
        self._close()
        parts = _parts_of(content)
        for part in parts:
            if kind_of(part) == "function_response":
                self._function_response(camel(part, "functionResponse"))
        self._turn([part for part in parts if kind_of(part) != "function_response"])

    def _turn(self, parts: list[Any]) -> None:
        self._close()
        words = [text(get(part, "text")) for part in parts if kind_of(part) == "text"]
        self.emit_turn("\n".join(words), [file_in(part) for part in parts if kind_of(part) == "file"])

    def _function_response(self, response: object) -> None:
        name, call_id = text(get(response, "name")), ident(get(response, "id"))
        if call_id is None and self._nameless.get(name):
            call_id = self._nameless[name].pop(0)
        if call_id is None:
            self.emit_unknown(response, name or "function_response")
            return
        self._unanswered.discard(call_id)
        result = read_result(get(response, "response"), get(response, "parts"))
        problem = get(result.output, "error")  # the API's word for a failed function
        fields = {"status": "error", "error": reason(problem)} if problem else {}
        self._envelope = {}
        self.emit_result(result, tool_call_id=call_id, tool_name=name or None, **fields)


def _assign(args: dict[str, Any], path: str, piece: object) -> None:
    """Write a piece of streamed arguments to its place; the pieces of a text follow each other."""
    steps: list[str | int] = [
        int(found[2]) if found[2] else found[1] or found[3] or "" for found in _STEP.finditer(path[1:])
    ]
    if not steps or len(steps) > _STEPS:
        return
    place: Any = args
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        fresh: Any = None if following is None else [] if isinstance(following, int) else {}
        key: Any = step if isinstance(place, list) else str(step)
        if isinstance(place, list):
            if not isinstance(step, int) or step > len(place):
                return
            if step == len(place):
                place.append(fresh)
        elif isinstance(place, dict):
            place.setdefault(key, fresh)
        else:
            return
        if following is None:
            place[key] = _piece_value(piece, place[key])
        place = place[key]


def _piece_value(piece: object, before: object) -> Any:
    if isinstance(words := camel(piece, "stringValue"), str):
        return (before if isinstance(before, str) else "") + text(words)
    if isinstance(flag := camel(piece, "boolValue"), bool):
        return flag
    count = number(camel(piece, "numberValue"))
    return int(count) if count is not None and count.is_integer() else count

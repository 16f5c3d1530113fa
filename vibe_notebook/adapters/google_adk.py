"""Read Google's Agent Development Kit: ``runner.run_async(…)``.

An event with ``partial=True`` is a delta; an event without it repeats the whole message. Calls and their
results come whole, in events of their own. Only conventions mark a failed call. Each agent of a workflow
is the ``author`` of its messages. Field names are in snake_case, or in camelCase from the ADK's server.
Source: ``google.adk.events``, ``google.genai.types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    MessageFinished,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._citations import grounding_citations
from ._fields import camel, get, ident, items, json_text, plain, reason, text
from ._gemini_parts import cited_works, code_of, file_in, kind_of, usage_in
from ._result_blocks import read_result

__all__ = ["GoogleADKAdapter", "matches"]

_TEXTS: Final = ("thinking", "text")

_ASKS: Final = frozenset(("adk_request_confirmation", "adk_request_credential", "adk_request_input"))
"""The calls by which the SDK asks the user: to approve another call, for a login, for an input."""


def matches(native: object) -> bool:
    """Return whether *native* is an event of the ADK; only these have an author and an invocation."""
    return ident(camel(native, "invocationId")) is not None and bool(text(get(native, "author")))


@dataclass
class _Message:
    id: str
    parts: list[tuple[str, str]] = field(default_factory=list)
    """The kind and id of each text part; the next delta of the same kind continues the last part."""
    usage: Usage | None = None
    finish_reason: str | None = None


class GoogleADKAdapter(Adapter):
    """Read one invocation, with all of its agents."""

    name = "google_adk"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._open: dict[tuple[str, str], _Message] = {}
        self._known: dict[str, _Message] = {}
        self._nameless: dict[str, list[str]] = {}
        self._awaiting: dict[str, str] = {}
        self._code = ""
        self._files = 0

    def _read(self, native: object) -> None:
        parts, author = items(get(native, "content", "parts")), text(get(native, "author"))
        if not matches(native):
            self.emit_unknown(native, ident(get(native, "type")))
            return
        is_user = author == "user" or (not author and text(get(native, "content", "role")) == "user")
        key = author, text(get(native, "branch"))
        speaks = any(kind_of(part) not in ("", "function_response") for part in parts)
        usage = usage_in(native)
        if not is_user and (speaks or (usage is not None and key in self._open)):
            self._message_event(native, key, parts, usage)
        if is_user:
            self._turn(native, parts)
        for part in parts:
            if kind_of(part) == "function_response":
                self._function_response(camel(part, "functionResponse"))
        self._envelope = {}
        saved = plain(camel(get(native, "actions"), "artifactDelta"))
        for name, version in saved.items() if isinstance(saved, dict) else ():
            action = "created" if version in (0, None) else "updated"
            self.emit(Artifact, artifact_id=name, name=name, action=action)
        code, message = ident(camel(native, "errorCode")), text(camel(native, "errorMessage"))
        if code or message:
            self.end("error", message or code, code)

    def _close(self) -> None:
        for key in list(self._open):
            self._message_over(key)
        if self._awaiting:
            self.end("interrupted")

    def resume(self) -> None:
        """Forget the confirmations that the run waited for: its source goes on after their answers."""
        super().resume()
        self._awaiting.clear()

    # Messages.

    def _turn(self, native: object, parts: list[Any]) -> None:
        kinds = [kind_of(part) for part in parts]
        if "function_response" not in kinds:
            words = [
                text(get(part, "text")) for part, kind in zip(parts, kinds, strict=True) if kind == "text"
            ]
            files = [file_in(part) for part, kind in zip(parts, kinds, strict=True) if kind == "file"]
            self.emit_turn("\n".join(words), files, message_id=ident(get(native, "id")))

    def _message_event(
        self, native: object, key: tuple[str, str], parts: list[Any], usage: Usage | None
    ) -> None:
        message = self._message_of(native, key)
        message.usage = usage or message.usage
        reason = get(native, "finish_reason") or get(native, "finishReason")
        message.finish_reason = text(getattr(reason, "value", reason)) or message.finish_reason
        is_whole = get(native, "partial") is not True
        texts = [(kind, text(get(part, "text"))) for part in parts if (kind := kind_of(part)) in _TEXTS]
        if not is_whole or not message.parts:
            for kind, delta in texts:
                self._text_delta(message, kind, delta)
        if not is_whole:
            return
        for kind in _TEXTS:
            self._whole(message, kind, "".join(body for of, body in texts if of == kind))
        for i, part in enumerate(parts):
            self._part(message, part, i)
        self._cite(native, message)
        self._message_over(key)

    def _cite(self, native: object, message: _Message) -> None:
        """Show the sources of the message's text; the grounding counts the bytes of the text of all parts."""
        part_id = next((name for of, name in message.parts if of == "text"), "0")
        whole = self.streamed.read((message.id, "text", part_id))
        for fields in grounding_citations(camel(native, "groundingMetadata"), whole):
            self.emit_citation(part_id, fields)
        for fields in cited_works(camel(native, "citationMetadata")):
            self.emit_citation(part_id, fields)

    def _message_of(self, native: object, key: tuple[str, str]) -> _Message:
        native_id = ident(get(native, "id"))
        message = self._open.get(key) or self._known.get(native_id or "")
        if message is None:
            message = _Message(native_id or f"{self.run_id}:{len(self._known)}")
            self._known[message.id] = self._open[key] = message
            self.begin_message(message.id, agent_name=key[0] or None)
        self._envelope = {"message_id": message.id}
        return message

    def _message_over(self, key: tuple[str, str]) -> None:
        message = self._open.pop(key, None)
        if message is not None:
            self._envelope = {"message_id": message.id}
            self.emit(MessageFinished, finish_reason=message.finish_reason, usage=message.usage)

    def _text_delta(self, message: _Message, kind: str, delta: str) -> None:
        if not message.parts or message.parts[-1][0] != kind:
            message.parts.append((kind, str(len(message.parts))))
        self.emit_text(kind, message.parts[-1][1], delta)

    def _whole(self, message: _Message, kind: str, whole: str) -> None:
        names = [name for of, name in message.parts if of == kind]
        streamed = "".join(self.streamed.read((message.id, kind, name)) for name in names)
        if whole and not names:
            self._text_delta(message, kind, whole)
        elif whole and whole != streamed:  # deltas are missing: the first part takes the whole text
            self.emit_whole(kind, names[0], whole)
            for name in names[1:]:
                self.emit_whole(kind, name, "")

    def _part(self, message: _Message, part: object, index: int) -> None:
        match kind_of(part):
            case "function_call":
                self._call(camel(part, "functionCall"), f"{message.id}:{index}")
            case "executable_code" | "code_execution_result":
                self._code_part(message, part, index)
            case "file":
                self._files += 1
                artifact_id = f"{message.id}:{self._files}"
                self.emit(Artifact, artifact_id=artifact_id, part_id=str(index), **file_in(part))
            case "server_call" | "server_result" | "unknown":
                self.emit_unknown(part, "part")

    # Tool calls.

    def _call(self, call: object, made_id: str) -> None:
        call_id, name, args = ident(get(call, "id")), text(get(call, "name")), plain(get(call, "args"))
        if name in _ASKS:
            about = ident(get(args, "originalFunctionCall", "id")) or call_id or made_id
            self._awaiting[call_id or made_id] = about
            if about == call_id:
                self.emit_args(about, name, json_text(args))
            self.emit(ToolProgress, tool_call_id=about, state="awaiting_approval")
            return
        if call_id is None:
            call_id = made_id
            self._nameless.setdefault(name, []).append(call_id)
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name or None, args=args)

    def _function_response(self, response: object) -> None:
        name, call_id = text(get(response, "name")), ident(get(response, "id"))
        if call_id is None and self._nameless.get(name):
            call_id = self._nameless[name].pop(0)
        result = read_result(get(response, "response"), get(response, "parts"))
        error = _failure_in(result.output)
        if call_id is None:
            self.emit_unknown(response, name or "function_response")
        elif call_id in self._awaiting:
            about = self._awaiting.pop(call_id)
            if about != call_id:
                return
            self.emit_result(result, tool_call_id=call_id, tool_name=name or None)
        elif call_id in self._awaiting.values() and error is not None:
            pass  # the SDK tells the model that the call needs a confirmation
        else:
            status = "ok" if error is None else "error"
            fields = {"tool_call_id": call_id, "tool_name": name or None, "status": status}
            self._envelope = {}
            self.emit_result(result, **fields, error=error)

    def _code_part(self, message: _Message, part: object, index: int) -> None:
        fields = code_of(part)
        if "args" in fields:
            self._code = fields.pop("id") or f"{message.id}:{index}"
            self.emit(ToolStarted, tool_call_id=self._code, tool_name="code_execution", **fields)
        else:
            call_id = fields.pop("id") or self._code or f"{message.id}:{index}"
            self.emit(ToolFinished, tool_call_id=call_id, tool_name="code_execution", **fields)


def _failure_in(response: object) -> str | None:
    """Return the reason of a failed call, if its result follows a convention of the SDK."""
    if not isinstance(response, Mapping):
        return None
    if response.get("error"):
        return reason(response["error"])
    if text(response.get("status")) == "error":
        return reason(response.get("error_message") or response.get("message") or dict(response))
    return reason(dict(response)) if response.get("isError") is True else None

"""Read AutoGen: ``run_stream`` of agents and teams, ``on_messages_stream``.

The chunks of a model's message name the id of the whole message, which comes after them: as a text, or as a thought
where the model also calls tools. The events of calls have ids of their own, and belong to the model's message before.
Source: ``autogen_agentchat.messages``, ``autogen_agentchat.base``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    InputAnswered,
    InputRequested,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, json_text, parsed, plain, text
from ._files import said
from ._result_blocks import read_result

__all__ = ["AutoGenAdapter", "matches"]

_FIELDS: Final = {"type", "source", "models_usage", "content"}
_CODE_FIELDS: Final = {"type", "source", "models_usage", "result", "retry_attempt"}
_RESULT: Final = {"messages", "stop_reason"}
_RESPONSE: Final = {"chat_message", "inner_messages"}


def matches(native: object) -> bool:
    """Return whether *native* is a message or event of an agent, a task's result, or an agent's response."""
    names = fields_of(native).keys()
    if names >= _FIELDS or names >= _CODE_FIELDS:
        return bool(text(get(native, "type"))) and isinstance(get(native, "source"), str)
    if names == _RESULT:
        # Early versions write of these messages only the fields that all have.
        found = items(get(native, "messages"))
        return bool(found) and all(fields_of(one).keys() >= {"source", "models_usage"} for one in found)
    return names == _RESPONSE and matches(get(native, "chat_message"))


@dataclass
class _Message:
    id: str
    source: str
    native_id: str | None


class AutoGenAdapter(Adapter):
    """Read one run of an agent or of a team."""

    name = "autogen"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0
        self._source = ""
        self._results: list[str] = []
        """The texts of the newest results, which a summary repeats."""
        self._codes: dict[str, str] = {}
        """The call of the newest code of each agent."""
        self._requests: dict[str, str] = {}
        """The open request for input of each agent."""

    def _read(self, native: object) -> None:
        names = fields_of(native).keys()
        if names == _RESULT and matches(native):
            self._end_message()
            if reason := text(get(native, "stop_reason")):
                self._envelope = {}
                self.emit_unknown(reason, "stop_reason", shown=True)
        elif names == _RESPONSE and matches(native):
            self._one(get(native, "chat_message"))
        elif matches(native):
            self._one(native)
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    def _close(self) -> None:
        self._end_message()

    def _one(self, native: object) -> None:
        kind, content = text(get(native, "type")), get(native, "content")
        self._envelope = {"message_id": self._message.id} if self._message is not None else {}
        match kind:
            case "ModelClientStreamingChunkEvent":
                self._open(native, ident(get(native, "full_message_id")))
                self.emit_text("text", "0", text(content))
            case "ThoughtEvent":
                self._thought(native, text(content))
            case "ToolCallRequestEvent":
                self._calls(native, items(content))
            case "ToolCallExecutionEvent":
                self._answers(items(content))
            case "CodeGenerationEvent":
                self._code(native)
            case "CodeExecutionEvent":
                self._executed(native)
            case "UserInputRequestedEvent":
                self._request(native)
            case "SelectSpeakerEvent" | "HandoffMessage" | "StopMessage":
                self._end_message()
                words = text(content) or ", ".join(map(text, items(content)))
                self.emit_unknown(words, kind, shown=True)
            case "ToolCallSummaryMessage":
                self._summary(native, text(content))
            case "MemoryQueryEvent" | "SelectorEvent":
                self.emit_unknown(native, kind)
            case _:
                self._said(native, content)

    # Messages.

    def _open(self, native: object, native_id: str | None) -> None:
        source = text(get(native, "source"))
        now = self._message
        if now is not None and (source != now.source or native_id != now.native_id):
            self._end_message()
        if self._message is None:
            if self._source not in ("", source):
                self._envelope = {}
                self.emit_unknown(source, "agent", shown=True)
            self._source = source
            self._message = _Message(f"{self.run_id}:{self._count}", source, native_id)
            self._count += 1
            self.begin_message(self._message.id)
        self._envelope = {"message_id": self._message.id}

    def _end_message(self, usage: Usage | None = None) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message.id, usage=usage)
        self._envelope = {}

    def _said(self, native: object, content: object) -> None:
        """Read a whole message: what the user said, or what an agent has said, perhaps in chunks before."""
        source, native_id = text(get(native, "source")), ident(get(native, "id"))
        if (request := self._requests.pop(source, None)) is not None:
            value = text(content) or plain(content)
            self.emit(InputAnswered, request_id=request, action="accept", value=value)
        if source == "user" or request is not None:
            self._end_message()
            self.emit_turn(*_words(content), message_id=native_id)
            return
        words, files = _words(content)
        if not self._is_streamed(source, words):
            self._open(native, native_id)
            self.emit_whole("text", "0", words)
        self._show_files(files)
        self._end_message(_usage(native))

    def _show_files(self, files: list[dict[str, Any]]) -> None:
        for i, file in enumerate(files):
            self.emit(
                Artifact, artifact_id=f"{self._envelope['message_id']}:{i}", part_id=f"file:{i}", **file
            )

    def _thought(self, native: object, words: str) -> None:
        if not self._is_streamed(text(get(native, "source")), words):
            self._open(native, ident(get(native, "id")))
            self.emit_text("thinking", "0", words)

    def _is_streamed(self, source: str, words: str) -> bool:
        """Return whether the chunks of an agent's open message end with *words*; before them may be its thinking."""
        if self._message is None or self._message.source != source:
            return False
        written = self.streamed.read(self._key("text", "0")).strip()
        return bool(written) and written.endswith(words.strip())

    # Tools.

    def _calls(self, native: object, calls: list[Any]) -> None:
        source = text(get(native, "source"))
        if self._message is None or self._message.source != source:
            self._open(native, ident(get(native, "id")))
        for i, call in enumerate(calls):
            name, args = text(get(call, "name")) or None, parsed(get(call, "arguments"))
            call_id = ident(get(call, "id")) or f"{self._envelope['message_id']}:{i}"
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)
        self._end_message(_usage(native))

    def _answers(self, results: list[Any]) -> None:
        self._end_message()
        self._results = [text(get(one, "content")) for one in results]
        for result in results:
            call_id, name = ident(get(result, "call_id")), text(get(result, "name")) or None
            if call_id is None:
                self.emit_unknown(result, name)
                continue
            fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name}
            if get(result, "is_error") is True:
                fields |= {"status": "error", "error": text(get(result, "content"))}
            self.emit_result(read_result(get(result, "content")), **fields)

    def _summary(self, native: object, words: str) -> None:
        """Show a summary of results, unless it only repeats them."""
        if words.strip() != "\n".join(self._results).strip():
            self._said(native, words)

    def _code(self, native: object) -> None:
        self._said(native, get(native, "content"))
        source, call_id = text(get(native, "source")), f"{self.run_id}:code:{self._count}"
        blocks = items(get(native, "code_blocks"))
        self._codes[source] = call_id
        code = "\n\n".join(text(get(block, "code")) for block in blocks)
        language = text(get(blocks[0], "language")) if blocks else ""
        args = {"language": language, "code": code}
        self.emit(ToolStarted, tool_call_id=call_id, tool_name="code", args=args)

    def _executed(self, native: object) -> None:
        call_id = self._codes.pop(text(get(native, "source")), f"{self.run_id}:code:{self._count}")
        output, status = text(get(native, "result", "output")), integer(get(native, "result", "exit_code"))
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": "code"}
        if status != 0:
            fields |= {"status": "error", "error": output}
        self.emit_result(read_result(output), **fields)

    def _request(self, native: object) -> None:
        request, source = ident(get(native, "request_id")), text(get(native, "source"))
        self._end_message()
        if request is None:
            self.emit_unknown(native, "UserInputRequestedEvent")
            return
        self._requests[source] = request
        self.emit(InputRequested, request_id=request, message=f"{source} asks for your words.")


def _words(content: object) -> tuple[str, list[dict[str, Any]]]:
    if isinstance(content, str):
        return text(content), []
    if isinstance(content, list):
        words = "\n\n".join(text(one) for one in content if isinstance(one, str))
        return words, said([_image(one) for one in content if not isinstance(one, str)])[1]
    return json_text(plain(content)), []


def _image(image: object) -> dict[str, Any]:
    """Return an image of AutoGen, an object with a picture of PIL or its JSON, as a block that others have too."""
    data = get(image, "data")
    if data is None and callable(encode := getattr(image, "to_base64", None)):
        data = encode()
    return {"type": "image", "data": data, "mime_type": "image/png"}


def _usage(native: object) -> Usage | None:
    used = get(native, "models_usage")
    counts = integer(get(used, "prompt_tokens")), integer(get(used, "completion_tokens"))
    return None if counts == (None, None) else Usage(input_tokens=counts[0], output_tokens=counts[1])

"""Read Semantic Kernel: ``invoke_stream`` of agents and kernels, and the streams of its chat services.

The stream of an agent has the text alone. Its calls and results are whole messages, which the agent gives to
``on_intermediate_message``; such a message repeats the streamed text. A service's own stream has the pieces of calls.
Source: ``semantic_kernel.contents``, ``semantic_kernel.agents``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import Artifact, Usage

from ._base import Adapter
from ._citations import citation_fields
from ._fields import get, ident, integer, items, json_text, plain, text
from ._files import file_in
from ._result_blocks import read_result

__all__ = ["SemanticKernelAdapter", "matches"]

_FAILED: Final = "An error occurred while invoking the function"
"""The words with which the kernel tells a model that a function has failed."""


def matches(native: object) -> bool:
    """Return whether *native* is a message, an agent's item with one, or a list of messages."""
    if isinstance(native, list):
        return bool(native) and all(map(_is_message, native))
    return _is_message(_message_of(native))


def _message_of(native: object) -> object:
    inner = get(native, "message")
    return native if inner is None or get(native, "content_type") is not None else inner


def _is_message(native: object) -> bool:
    is_chat = text(get(native, "content_type")) == "message" and isinstance(get(native, "items"), list)
    return is_chat and bool(text(get(native, "role")))


@dataclass
class _Message:
    id: str
    native_id: str | None
    calls: dict[int, str] = field(default_factory=dict)
    usage: Usage | None = None
    finish_reason: str | None = None


class SemanticKernelAdapter(Adapter):
    """Read one run of an agent, or of a chat service."""

    name = "semantic_kernel"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0
        self._agent = ""
        self._names: dict[str, str] = {}

    def _read(self, native: object) -> None:
        if not matches(native):
            self.emit_unknown(native, ident(get(native, "content_type")) or ident(get(native, "type")))
            return
        for one in native if isinstance(native, list) else [_message_of(native)]:
            self._one(one)

    def _close(self) -> None:
        self._end_message()

    def _one(self, native: object) -> None:
        role, contents = text(get(native, "role")), items(get(native, "items"))
        if role in ("user", "system", "developer"):
            self._end_message()
            words = "".join(text(get(one, "text")) for one in contents)
            self.emit_turn(words, role="user" if role == "user" else "system")
            return
        if role == "tool":
            self._end_message()
            for content in contents:
                self._content(content, is_repeat=False)
            return
        if contents:
            message = self._open(native)
            words = "".join(text(get(one, "text")) for one in contents if _kind(one) == "text")
            is_whole = integer(get(native, "choice_index")) is None
            # A message between, which has the calls too, repeats the streamed text; an equal delta does not.
            has_calls = any(_kind(one) == "function_call" for one in contents)
            is_repeat = is_whole or (has_calls and words == self.streamed.read(self._key("text", "0")))
            for content in contents:
                self._content(content, is_repeat=is_repeat)
        elif self._message is not None and _native_id(native) in (None, self._message.native_id):
            message = self._message
        else:
            return
        message.usage = _usage(native) or message.usage
        message.finish_reason = ident(get(native, "finish_reason")) or message.finish_reason

    # Messages.

    def _open(self, native: object) -> _Message:
        native_id, agent = _native_id(native), text(get(native, "name"))
        now = self._message
        is_other = now is not None and None not in (native_id, now.native_id) and native_id != now.native_id
        if is_other or (agent and self._agent not in ("", agent)):
            self._end_message()
        if agent and self._agent not in ("", agent):
            self._envelope = {}
            self.emit_unknown(agent, "agent", shown=True)
        self._agent = agent or self._agent
        if self._message is None:
            self._message = _Message(f"{self.run_id}:{self._count}", native_id)
            self._count += 1
            self.begin_message(self._message.id)
        self._envelope = {"message_id": self._message.id}
        return self._message

    def _end_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message.id, usage=message.usage, finish_reason=message.finish_reason)
        self._envelope = {}

    # Contents.

    def _content(self, content: object, *, is_repeat: bool) -> None:
        kind = _kind(content)
        if kind == "text" and is_repeat:
            self.emit_whole("text", "0", text(get(content, "text")))
        elif kind in ("text", "reasoning", "streaming_text", "streaming_reasoning"):
            self.emit_text("thinking" if "reasoning" in kind else "text", "0", text(get(content, "text")))
        elif kind == "function_call":
            self._call(content)
        elif kind == "function_result":
            self._answer(content)
        elif kind.endswith("annotation"):
            self.emit_citation("0", citation_fields(content))
        elif (file := file_in(_as_block(content))) is not None:
            self._count += 1
            self.emit(Artifact, artifact_id=f"{self.run_id}:file:{self._count}", **file)
        else:
            self.emit_unknown(content, kind or None)

    def _call(self, content: object) -> None:
        message = self._message
        if message is None:
            self.emit_unknown(content, "function_call")
            return
        index = integer(get(content, "index")) or 0
        native_id = ident(get(content, "id")) or ident(get(content, "call_id"))
        name = text(get(content, "function_name")) or text(get(content, "name"))
        call_id = native_id or message.calls.get(index) or f"{message.id}:{index}"
        if call_id not in message.calls.values():
            message.calls[index] = call_id
            self._names[call_id] = name
            self.announce_call(call_id, name)
        args = get(content, "arguments")
        written = self.streamed.read(self._key("args", call_id))
        whole = json_text(plain(args))
        if not isinstance(args, str) or (written and whole.startswith(written)):
            self.emit_rest_of_args(call_id, name or None, whole)
        elif whole:
            self.emit_args(call_id, name or None, whole)

    def _answer(self, content: object) -> None:
        call_id = ident(get(content, "id")) or ident(get(content, "call_id"))
        if call_id is None:
            self.emit_unknown(content, "function_result")
            return
        name = text(get(content, "function_name")) or self._names.get(call_id)
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name or None}
        value = get(content, "result")
        if isinstance(value, str) and value.startswith(_FAILED):
            fields |= {"status": "error", "error": text(value)}
        self.emit_result(read_result(value), **fields)


def _kind(content: object) -> str:
    return text(get(content, "content_type"))


def _native_id(native: object) -> str | None:
    return ident(get(native, "metadata", "id"))


def _as_block(content: object) -> dict[str, Any]:
    """Return an image, a sound or a file in the form in which others' blocks hold one."""
    uri = get(content, "data_uri") or get(content, "uri")
    url = uri if isinstance(uri, str) else ""
    return {"type": "file", "url": url, "media_type": text(get(content, "mime_type")) or None}


def _usage(native: object) -> Usage | None:
    used = get(native, "metadata", "usage")
    counts = integer(get(used, "prompt_tokens")), integer(get(used, "completion_tokens"))
    if counts == (None, None):
        return None
    return Usage(
        input_tokens=counts[0], output_tokens=counts[1], model=text(get(native, "ai_model_id")) or None
    )

"""Read lists of messages in the form of OpenAI, Anthropic or LangChain: a conversation that is whole already.

The messages are the stream's items, or one item is a list of them. A list that repeats the list before shows only its new
messages. Source: the requests of Chat Completions, Responses and Anthropic Messages, ``langchain_core.messages``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from vibe_notebook.events import Artifact, MessageFinished, ToolStarted

from ._base import Adapter
from ._fields import get, ident, items, parsed, plain, text
from ._files import block_file, said
from ._tool_results import message_result
from .langgraph import matches as is_langgraph

__all__ = ["Conversation", "MessagesAdapter", "is_message", "matches"]

_ROLES: Final = {
    "ai": "assistant",
    "assistant": "assistant",
    "developer": "system",
    "function": "tool",
    "human": "user",
    "system": "system",
    "tool": "tool",
    "user": "user",
}
_FIELDS: Final = frozenset(
    (
        *("role", "content", "name", "id", "status", "refusal", "audio", "annotations", "cache_control"),
        *("tool_calls", "tool_call_id", "function_call", "reasoning", "reasoning_content"),
    )
)
_CALLS: Final = ("tool_use", "server_tool_use", "mcp_tool_use", "tool_call")
_ITEMS: Final = ("function_call", "function_call_output")
_THINKING: Final = ("thinking", "reasoning", "reasoning_content")


def matches(native: object) -> bool:
    """Return whether *native* is a message without a type, or a list of messages."""
    if isinstance(native, list):
        return bool(native) and all(map(is_message, native)) and not is_langgraph(native)
    is_answer = text(get(native, "role")) == "tool" and ident(get(native, "tool_call_id")) is not None
    if get(native, "additional_kwargs") is not None:  # LangChain's
        return is_message(native) and not is_langgraph(native)
    blocks = items(get(native, "content"))
    is_answer = is_answer or any(
        text(get(block, "type")) == "tool_result" or get(block, "toolResult") is not None for block in blocks
    )
    return not is_answer and _is_plain(native)  # an answer alone belongs to a stream of a model's API


def _is_plain(native: object) -> bool:
    if isinstance(native, Mapping):
        names = set(native)
    elif isinstance(native, BaseModel):
        names = set(type(native).model_fields)
    else:
        return False
    if not names <= _FIELDS or text(get(native, "role")) not in _ROLES:
        return False
    has_calls = bool(items(get(native, "tool_calls"))) or get(native, "function_call") is not None
    return isinstance(get(native, "content"), str | list) or has_calls


def is_message(native: object) -> bool:
    """Return whether *native* is a message of a conversation."""
    if text(get(native, "type")) in _ITEMS:
        return ident(get(native, "call_id")) is not None
    has_role = text(get(native, "role")) in _ROLES or text(get(native, "type")) in _ROLES
    return _is_plain(native) or (has_role and isinstance(get(native, "content"), str | list))


class MessagesAdapter(Adapter):
    """Read one conversation."""

    name = "messages"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._listed: list[Any] = []
        self._count = 0

    def _read(self, native: object) -> None:
        if not isinstance(native, list):
            self._one(native)
            return
        known, self._listed = self._listed, [plain(message) for message in native]
        same = 0
        while same < min(len(known), len(native)) and known[same] == self._listed[same]:
            same += 1
        for message in native[same:]:
            self._envelope = {}
            self._one(message)

    def _one(self, native: object) -> None:
        if not is_message(native):
            self.emit_unknown(native, ident(get(native, "type")))
            return
        role = _ROLES.get(text(get(native, "role"))) or _ROLES.get(text(get(native, "type")))
        if role == "assistant":
            self._assistant(native)
        elif role == "tool":
            names = (get(native, name) for name in ("tool_call_id", "name", "tool_name"))
            self._answer(native, next((name for name in names if name), None))
        elif role is not None:
            self._turn(native, role)
        elif text(get(native, "type")) == "function_call":
            self._call(get(native, "call_id"), get(native, "name"), get(native, "arguments"))
        else:
            self._answer({"content": get(native, "output")}, get(native, "call_id"))

    def _turn(self, native: object, role: str) -> None:
        content = get(native, "content")
        for block in items(content):
            if text(get(block, "type")) == "tool_result":
                self._answer(block, get(block, "tool_use_id"))
        words, files = said(content)
        self.emit_turn(words, files, role=role, message_id=ident(get(native, "id")))

    def _answer(self, native: object, about: object) -> None:
        call_id = ident(about)
        if call_id is None:
            self.emit_unknown(native, "tool_result")
            return
        is_error = get(native, "is_error") is True or text(get(native, "status")) == "error"
        result, fields = message_result(call_id, native, is_error=is_error)
        self.emit_result(result, **fields)

    # The assistant's messages.

    def _assistant(self, native: object) -> None:
        message = ident(get(native, "id")) or f"{self.run_id}:message:{self._count}"
        self._count += 1
        self.begin_message(message)
        beside = get(native, "reasoning_content") or get(native, "additional_kwargs", "reasoning_content")
        self.emit_text("thinking", "beside", text(beside or get(native, "reasoning")))
        content, written = get(native, "content"), set[str]()
        if isinstance(content, str):
            self.emit_text("text", "0", text(content))
        for i, block in enumerate(items(content)):
            self._block(str(i), block, written)
        self.emit_text("text", "refusal", text(get(native, "refusal")))
        calls = items(get(native, "tool_calls"))
        if (legacy := get(native, "function_call")) is not None:
            calls = [*calls, {"id": get(legacy, "name"), "function": legacy}]
        for call in calls:
            # LangChain repeats the calls of the content's blocks.
            if (call_id := ident(get(call, "id"))) not in written:
                function = get(call, "function") or get(call, "custom") or call
                args = next(
                    (v for f in ("arguments", "args", "input") if (v := get(function, f)) is not None), None
                )
                self._call(call_id, get(function, "name"), args)
        self.emit(MessageFinished)

    def _block(self, part_id: str, block: object, written: set[str]) -> None:
        kind = text(get(block, "type"))
        if isinstance(block, str) or kind in ("text", "output_text", "input_text"):
            self.emit_text("text", part_id, text(block) or text(get(block, "text")))
        elif kind in _THINKING:
            self.emit_text("thinking", part_id, text(get(block, kind)) or text(get(block, "text")))
        elif kind == "refusal":
            self.emit_text("text", part_id, text(get(block, "refusal")))
        elif kind in _CALLS:
            args = get(block, "input") if get(block, "args") is None else get(block, "args")
            written.add(ident(get(block, "id")) or "")
            self._call(get(block, "id"), get(block, "name"), args)
        elif kind.endswith("tool_result"):
            self._answer(block, get(block, "tool_use_id"))
        elif (file := block_file(block)) is not None:
            self.emit(
                Artifact, artifact_id=f"{self._envelope['message_id']}:{part_id}", part_id=part_id, **file
            )
        elif kind != "redacted_thinking":
            self.emit_unknown(block, kind)

    def _call(self, about: object, name: object, args: object) -> None:
        call_id = ident(about)
        if call_id is None:
            self.emit_unknown({"name": plain(name), "args": plain(args)}, "tool_call")
        else:
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=text(name) or None, args=parsed(args))


class Conversation:
    """Read a list of messages for *adapter*, the forced adapter of a model's API, which has no event for them."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._reader: MessagesAdapter | None = None

    def read(self, native: object) -> bool:
        """Emit the events of a message of the assistant or of a tool; return False for every other native."""
        role = _ROLES.get(text(get(native, "role")))
        if role not in ("assistant", "tool") or not is_message(native):
            return False
        if self._reader is None:
            self._reader = MessagesAdapter(agent_id=self._adapter.agent_id, run_id=self._adapter.run_id)
        self._adapter.add_events(event for event in self._reader.feed(native) if event.type != "run_started")
        return True

"""Read Haystack: the chunks that an agent, a pipeline or a generator pushes to its ``streaming_callback``.

A message ends with a chunk that has its finish reason; a chunk with the counts may follow. Results of tools come as
chunks too, each with its call. Source: ``haystack.dataclasses.streaming_chunk``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import Usage

from ._base import Adapter
from ._fields import fields_of, get, ident, integer, items, text
from ._result_blocks import read_content

__all__ = ["HaystackAdapter", "matches"]

_FIELDS: Final = {"content", "meta", "component_info"}


def matches(native: object) -> bool:
    """Return whether *native* is a chunk."""
    return fields_of(native).keys() >= _FIELDS and isinstance(get(native, "content"), str)


@dataclass
class _Message:
    id: str
    calls: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    """The id and the name of each call, by its index."""
    finish_reason: str | None = None
    usage: Usage | None = None


class HaystackAdapter(Adapter):
    """Read one run of an agent, a pipeline or a generator."""

    name = "haystack"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0

    def _read(self, native: object) -> None:
        if not matches(native):
            self.emit_unknown(native, ident(get(native, "type")))
            return
        result = get(native, "tool_call_result")
        if result is not None:
            self._answer(result)
            return
        words, calls = text(get(native, "content")), items(get(native, "tool_calls"))
        thought = text(get(native, "reasoning", "reasoning_text"))
        if words or calls or thought:
            message = self._open()
            self.emit_text("thinking", "0", thought)
            self.emit_text("text", "0", words)
            for call in calls:
                self._call(message, call)
        if self._message is not None:
            self._message.finish_reason = ident(get(native, "finish_reason")) or self._message.finish_reason
            self._message.usage = _usage(native) or self._message.usage

    def _close(self) -> None:
        self._end_message()

    def _open(self) -> _Message:
        if self._message is not None and self._message.finish_reason is not None:
            self._end_message()
        if self._message is None:
            self._message = _Message(f"{self.run_id}:{self._count}")
            self._count += 1
            self.begin_message(self._message.id)
        self._envelope = {"message_id": self._message.id}
        return self._message

    def _end_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message.id, usage=message.usage, finish_reason=message.finish_reason)
        self._envelope = {}

    def _call(self, message: _Message, call: object) -> None:
        index, native_id = integer(get(call, "index")) or 0, ident(get(call, "id"))
        name = text(get(call, "tool_name")) or None
        known = message.calls.get(index)
        if known is None or (native_id is not None and native_id != known[0]):
            known = message.calls[index] = native_id or f"{message.id}:{index}", name
            self.announce_call(*known)
        if args := text(get(call, "arguments")):
            self.emit_args(known[0], known[1], args)

    def _answer(self, result: object) -> None:
        self._end_message()
        origin = get(result, "origin")
        call_id, name = ident(get(origin, "id")), text(get(origin, "tool_name")) or None
        if call_id is None:
            call_id = f"{self.run_id}:result:{self._count}"
            self._count += 1
        value = get(result, "result")
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name}
        if get(result, "error") is True:
            fields |= {"status": "error", "error": text(value) or "error"}
        self.emit_result(read_content(value), **fields)


def _usage(native: object) -> Usage | None:
    meta = get(native, "meta")
    used = get(meta, "usage")
    counts: dict[str, Any] = {
        "input_tokens": integer(get(used, "prompt_tokens")),
        "output_tokens": integer(get(used, "completion_tokens")),
        "cached_input_tokens": integer(get(used, "prompt_tokens_details", "cached_tokens")),
        "reasoning_tokens": integer(get(used, "completion_tokens_details", "reasoning_tokens")),
    }
    if counts["input_tokens"] is None and counts["output_tokens"] is None:
        return None
    return Usage(**counts, model=text(get(meta, "model")) or None)

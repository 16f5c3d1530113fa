"""LangChain's messages: what a message or a piece of one says, whichever provider wrote it.

Pure; used by ``langgraph``. Content is text or blocks, and a block's shape is its provider's own
(Anthropic's ``thinking``, OpenAI's ``reasoning`` with a ``summary``, LangChain's standard ones).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from vibe_notebook.events import Usage

from .._fields import get, ident, integer, items, text
from .._files import block_file

__all__ = [
    "Said",
    "blocks_of",
    "finish_reason_in",
    "is_message",
    "kind_of",
    "messages_in",
    "said_in",
    "usage_in",
    "whole_texts",
]

_KINDS: Final = {
    "AIMessageChunk": "piece",
    "ai": "ai",
    "tool": "tool",
    "ToolMessageChunk": "tool",
    "human": "other",
    "HumanMessageChunk": "other",
    "system": "other",
    "SystemMessageChunk": "other",
    "remove": "other",
    "function": "other",
}
_CALLS: Final = frozenset(
    ("tool_use", "input_json_delta", "function_call", "tool_call", "tool_call_chunk", "custom_tool_call")
)
"""Blocks that a message's ``tool_calls`` or ``tool_call_chunks`` repeat."""

_QUIET: Final = _CALLS | {"redacted_thinking", "invalid_tool_call"}


class Said(NamedTuple):
    """One thing that a content block says: a piece of text or thinking, a file, or what is not known."""

    kind: str
    part_id: str
    value: Any


def kind_of(message: object) -> str:
    """Return "piece", "ai", "tool" or "other"; "" for what is no message."""
    return _KINDS.get(text(get(message, "type")), "")


def is_message(value: object) -> bool:
    """Whether *value* is a message: only those have a role as their type and a content."""
    return kind_of(value) != "" and isinstance(get(value, "content"), str | list | tuple)


def blocks_of(message: object) -> Iterator[Said]:
    """Read the content of a message, and what its provider says beside it."""
    beside = text(get(message, "additional_kwargs", "reasoning_content"))  # DeepSeek, xAI, …
    if beside:
        yield Said("thinking", "beside", beside)
    content = get(message, "content")
    if isinstance(content, str):
        yield Said("text", "0", text(content))
    for block in items(content):
        if isinstance(block, str):
            yield Said("text", "0", text(block))
        else:
            yield from said_in(block)


def whole_texts(message: object) -> dict[tuple[str, str], str]:
    """Return the text of each part of a message, by kind and part id."""
    whole: dict[tuple[str, str], str] = {}
    for said in blocks_of(message):
        if said.kind in ("text", "thinking"):
            whole[said.kind, said.part_id] = whole.get((said.kind, said.part_id), "") + said.value
    return whole


def usage_in(message: object, before: Usage | None) -> Usage | None:
    """Add what a piece says was used to what the pieces before it said."""
    native = get(message, "usage_metadata")
    if native is None:
        return before
    counts = {
        "input_tokens": get(native, "input_tokens"),
        "output_tokens": get(native, "output_tokens"),
        "cached_input_tokens": get(native, "input_token_details", "cache_read"),
        "reasoning_tokens": get(native, "output_token_details", "reasoning"),
    }
    fields: dict[str, Any] = {}
    for name, value in counts.items():
        old, new = getattr(before, name, None), integer(value)
        fields[name] = old if new is None else new + (old or 0)
    model = ident(get(message, "response_metadata", "model_name"))
    fields["model"] = model or getattr(before, "model", None)
    return Usage(**fields)


def finish_reason_in(message: object) -> str | None:
    """Return why the message ended, in its provider's words."""
    names = ("stop_reason", "finish_reason")
    return next((r for name in names if (r := ident(get(message, "response_metadata", name)))), None)


def messages_in(value: object, depth: int = 3) -> list[Any]:
    """Find the messages in what a node returned: a message, a list of them, or a state with such."""
    if is_message(value):
        return [value]
    if depth == 0:
        return []
    found = get(value, "messages")
    inner = items(value) if found is None else items(found) or [found]
    return [message for item in inner for message in messages_in(item, depth - 1)]


def said_in(block: object) -> Iterator[Said]:
    """Read one content block."""
    kind = text(get(block, "type"))
    index = ident(get(block, "index")) or "0"
    if kind in ("text", "output_text"):
        yield Said("text", index, text(get(block, "text")))
    elif kind == "refusal":
        yield Said("text", f"{index}:refusal", text(get(block, "refusal")))
    elif kind in ("thinking", "reasoning", "reasoning_content"):
        yield from _thinking(block, kind, index)
    elif (fields := block_file(block)) is not None:
        yield Said("file", ident(get(block, "id")) or index, fields)
    elif kind not in _QUIET:
        yield Said("unknown", index, block)


def _thinking(block: object, kind: str, index: str) -> Iterator[Said]:
    said = get(block, kind)
    inner = text(said) or text(get(said, "text")) or text(get(block, "text"))
    yield Said("thinking", index, inner)
    for i, piece in enumerate(items(get(block, "summary"))):
        place = ident(get(piece, "index")) or str(i)
        yield Said("thinking", f"{index}:{place}", text(get(piece, "text")))

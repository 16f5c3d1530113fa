"""Read LangChain's messages and chunks of messages, of every provider.

All parts of the ``langgraph`` adapter use these functions. The content is text or a list of blocks. The
shape of a block depends on its provider (Anthropic's ``thinking``, OpenAI's ``reasoning`` with a
``summary``, LangChain's standard blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from vibe_notebook.events import Usage

from .._citations import block_citations, citation_fields, cohere_citations, grounding_citations
from .._fields import get, ident, integer, items, parsed, text
from .._files import block_file

__all__ = [
    "TURNS",
    "ContentPart",
    "ShortMessage",
    "citations_of",
    "finish_reason_in",
    "is_message",
    "kind_of",
    "messages_in",
    "parts_in_block",
    "parts_of",
    "request_start",
    "short_message",
    "usage_in",
    "whole_texts",
]

_KINDS: Final = {
    "AIMessageChunk": "chunk",
    "ai": "ai",
    "tool": "tool",
    "ToolMessageChunk": "tool",
    "human": "user",
    "HumanMessageChunk": "user",
    "system": "system",
    "SystemMessageChunk": "system",
    "remove": "other",
    "function": "other",
}
TURNS: Final = ("user", "system")
"""The kinds of messages that no agent has written."""
_CALLS: Final = frozenset(
    ("tool_use", "input_json_delta", "function_call", "tool_call", "tool_call_chunk", "custom_tool_call")
)
"""The blocks that a message's ``tool_calls`` or ``tool_call_chunks`` repeat."""

_ROLES: Final = {
    "ai": "ai",
    "assistant": "ai",
    "developer": "system",
    "function": "tool",
    "human": "human",
    "system": "system",
    "tool": "tool",
    "user": "human",
}
"""The kinds of messages by the roles that a node may write instead of a message."""

_QUIET: Final = _CALLS | {"redacted_thinking", "invalid_tool_call"}


class ContentPart(NamedTuple):
    """Hold a part of a content block: a text, thinking, a file, or a block of an unknown kind."""

    kind: str
    part_id: str
    value: Any


def kind_of(message: object) -> str:
    """Return "chunk", "ai", "tool", "user", "system" or "other"; "" for other values than messages."""
    return _KINDS.get(text(get(message, "type")), "")


def is_message(value: object) -> bool:
    """Return whether *value* is a message; only these have a role as their type, and a content."""
    return kind_of(value) != "" and isinstance(get(value, "content"), str | list | tuple)


def request_start(messages: list[Any]) -> int:
    """Return the place of the newest request in a conversation: of the user's last words, or of what heads them."""
    kinds = [kind_of(message) for message in messages]
    start = max((i for i, kind in enumerate(kinds) if kind == "user"), default=0)
    while start > 0 and kinds[start - 1] in TURNS:
        start -= 1
    return start


def parts_of(message: object) -> Iterator[ContentPart]:
    """Yield the parts of a message's content, and the thinking that a provider stores beside it."""
    beside = text(get(message, "additional_kwargs", "reasoning_content"))  # DeepSeek, xAI, …
    if beside:
        yield ContentPart("thinking", "beside", beside)
    content = get(message, "content")
    if isinstance(content, str):
        yield ContentPart("text", "0", text(content))
    for block in items(content):
        if isinstance(block, str):
            yield ContentPart("text", "0", text(block))
        else:
            yield from parts_in_block(block)


def whole_texts(message: object) -> dict[tuple[str, str], str]:
    """Return the texts of a message's parts, by kind and part id."""
    whole: dict[tuple[str, str], str] = {}
    for part in parts_of(message):
        if part.kind in ("text", "thinking"):
            whole[part.kind, part.part_id] = whole.get((part.kind, part.part_id), "") + part.value
    return whole


def usage_in(message: object, before: Usage | None) -> Usage | None:
    """Return the usage of a chunk, added to the usage *before* of the earlier chunks."""
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
    """Return the reason of the message's end, in its provider's words."""
    names = ("stop_reason", "finish_reason")
    return next((r for name in names if (r := ident(get(message, "response_metadata", name)))), None)


class ShortMessage(dict[str, Any]):
    """Hold a message in LangChain's shape that a node wrote in short."""


def short_message(value: object) -> ShortMessage | None:
    """Return the message that *value* is short for: ``("assistant", "Hi")`` or ``{"role": "assistant", …}``.

    LangGraph's reducer takes both, and a node's update repeats them as the node wrote them.
    """
    if isinstance(value, Mapping):
        role, content = get(value, "role"), get(value, "content")
        fields = {name: get(value, name) for name in ("id", "name", "tool_call_id", "status")}
        calls = [_short_call(call) for call in items(get(value, "tool_calls"))]
    else:
        pair = items(value)
        role, content = pair if len(pair) == len(("role", "content")) else (None, None)
        fields, calls = {}, []
    kind = _ROLES.get(role) if isinstance(role, str) else None
    content = "" if content is None and calls else content
    if kind is None or not isinstance(content, str | list | tuple):
        return None
    return ShortMessage(type=kind, content=content, tool_calls=calls, **fields)


def _short_call(call: object) -> dict[str, Any]:
    """Return a call in LangChain's shape, or in that of Chat Completions, in LangChain's."""
    function = get(call, "function")
    if function is None:
        return {"id": get(call, "id"), "name": get(call, "name"), "args": get(call, "args")}
    return {
        "id": get(call, "id"),
        "name": get(function, "name"),
        "args": parsed(text(get(function, "arguments"))),
    }


def messages_in(value: object, depth: int = 3) -> list[Any]:
    """Return the messages in a node's result: a message, a list of messages, or a state with messages."""
    if is_message(value):
        return [value]
    if depth == 0:
        return []
    found = get(value, "messages")
    if found is None:
        return [message for item in items(value) for message in messages_in(item, depth - 1)]
    if (only := short_message(found)) is not None:
        return [only]
    inner = [short_message(item) or item for item in items(found) or [found]]
    return [message for item in inner for message in messages_in(item, depth - 1)]


def citations_of(message: object, written: Callable[[], str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the part and the fields of each citation in a message; blocks without an index are one text.

    *written* returns the text so far: a chunk with sources that a provider stores beside the text has only its end.
    """
    lengths: dict[str, int] = {}
    for block in items(get(message, "content")):
        index, body = ident(get(block, "index")) or "0", text(block) or text(get(block, "text"))
        offset = lengths.get(index, 0)
        lengths[index] = offset + len(body)
        if text(get(block, "type")) in ("text", "output_text"):
            yield from ((index, fields) for fields in block_citations(block, offset, len(body)))
    first = next(iter(lengths), "0")
    yield from ((first, fields) for fields in _citations_beside(message, written))


def _citations_beside(message: object, written: Callable[[], str]) -> Iterator[dict[str, Any]]:
    """Yield the citations beside the text: Cohere's, Gemini's, and those of a model that searches."""
    metadata = get(message, "response_metadata")
    if (grounding := get(metadata, "grounding_metadata")) is not None:
        yield from grounding_citations(grounding, written())
    for place in (get(message, "additional_kwargs"), metadata):
        cited, found = get(place, "citations"), items(get(place, "search_results"))
        yield from cohere_citations(cited)
        for one in found or [{"url": one} for one in items(cited) if isinstance(one, str)]:
            if (fields := citation_fields(one)) is not None:
                yield fields


def parts_in_block(block: object) -> Iterator[ContentPart]:
    """Yield the parts of one content block."""
    kind = text(get(block, "type"))
    index = ident(get(block, "index")) or "0"
    if kind in ("text", "output_text"):
        yield ContentPart("text", index, text(get(block, "text")))
    elif kind == "refusal":
        yield ContentPart("text", f"{index}:refusal", text(get(block, "refusal")))
    elif kind in ("thinking", "reasoning", "reasoning_content"):
        yield from _thinking(block, kind, index)
    elif (fields := block_file(block)) is not None:
        yield ContentPart("file", ident(get(block, "id")) or index, fields)
    elif kind not in _QUIET:
        yield ContentPart("unknown", index, block)


def _thinking(block: object, kind: str, index: str) -> Iterator[ContentPart]:
    body = get(block, kind)
    inner = text(body) or text(get(body, "text")) or text(get(block, "text"))
    yield ContentPart("thinking", index, inner)
    for i, summary in enumerate(items(get(block, "summary"))):
        place = ident(get(summary, "index")) or str(i)
        yield ContentPart("thinking", f"{index}:{place}", text(get(summary, "text")))

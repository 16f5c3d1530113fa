"""The shapes of Strands' events and of Bedrock's content blocks, which it uses for every model.

Pure; used by ``strands``. An event is a dict, known by the keys that it has; a block has one key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Usage

from ._fields import get, ident, integer, items, plain, text

__all__ = ["RAW", "blocks_in", "is_stream", "result_in", "usage_in"]

RAW: Final = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "redactContent",
)
"""The events of a model."""

_TYPES: Final = frozenset(
    (
        "tool_stream",
        "tool_use_stream",
        "multiagent_node_start",
        "multiagent_node_stream",
        "multiagent_node_stop",
        "multiagent_handoff",
        "multiagent_result",
    )
)
_FILES: Final = {"image": "image", "video": "video", "document": "application"}


def is_stream(native: object) -> bool:
    """Whether *native* is an event of an agent, or of several."""
    if not isinstance(native, Mapping):
        return False
    if kind := text(native.get("type")):
        return kind in _TYPES
    if native.get("init_event_loop") is True or native.get("start_event_loop") is True:
        return True
    raw = native.get("event")
    if isinstance(raw, Mapping):
        return len(raw) == 1 and next(iter(raw)) in RAW
    is_piece = isinstance(native.get("delta"), Mapping)
    return is_piece and any(isinstance(native.get(name), str) for name in ("data", "reasoningText"))


def blocks_in(message: object) -> list[tuple[str, Any]]:
    """Return the blocks of a message: "text" and "thinking" with their text, others with their body."""
    found: list[tuple[str, Any]] = []
    for block in items(get(message, "content")):
        thought = text(get(block, "reasoningContent", "reasoningText", "text"))
        if said := text(get(block, "text")):
            found.append(("text", said))
        elif thought:
            found.append(("thinking", thought))
        else:
            found += [(kind, body) for kind in ("toolUse", "toolResult") if (body := get(block, kind))]
    return found


def result_in(content: object) -> tuple[Any, list[dict[str, Any]]]:
    """Return what a tool returned, and its files, as artifact fields."""
    values: list[Any] = []
    files: list[dict[str, Any]] = []
    for block in items(content):
        file = next((fields for kind in _FILES if (fields := _file(kind, get(block, kind)))), None)
        if file is not None:
            files.append(file)
            values.append(f"[{file['media_type'] or 'file'}]")
        elif isinstance(said := get(block, "text"), str):
            values.append(text(said))
        else:
            data = get(block, "json")
            values.append(plain(block if data is None else data))
    if len(values) == 1:
        return values[0], files
    return "\n".join(values) if all(isinstance(value, str) for value in values) else values, files


def usage_in(native: object) -> Usage | None:
    """Return what was used; what was read from a cache, or written there, is part of the input."""
    counts = {
        name: integer(get(native, name))
        for name in ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    }
    if counts["inputTokens"] is None and counts["outputTokens"] is None:
        return None
    inputs = [value for name, value in counts.items() if name != "outputTokens" and value is not None]
    return Usage(
        input_tokens=sum(inputs) if inputs else None,
        output_tokens=counts["outputTokens"],
        cached_input_tokens=counts["cacheReadInputTokens"],
    )


def _file(kind: str, body: object) -> dict[str, Any] | None:
    if body is None:
        return None
    form, data = ident(get(body, "format")), get(body, "source", "bytes")
    media = f"{_FILES[kind]}/{form}" if form else None
    url = ident(get(body, "source", "location", "uri")) or ident(get(body, "source", "s3Location", "uri"))
    fields = {"name": ident(get(body, "name")), "media_type": media}
    if isinstance(data, bytes):
        return {**fields, "data": base64.b64encode(data).decode()}
    return {**fields, "data": text(data)} if data is not None else {**fields, "url": url}

"""Read the shapes of Bedrock's Converse API, which Strands uses for every model.

A message is a list of blocks, each with one key. Source: the service model ``bedrock-runtime`` of botocore.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import Usage

from ._fields import get, integer, items, text
from ._result_blocks import Result, read_result

__all__ = ["RAW", "block_text", "blocks_in", "counts_in", "result_in", "usage_in"]

RAW: Final = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "redactContent",
)
"""The kinds of the model's own events; the last one is Strands' own."""
_COUNTS: Final = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheReadInputTokens": "cache_read_input_tokens",
    "cacheWriteInputTokens": "cache_creation_input_tokens",
}


def blocks_in(message: object) -> list[tuple[str, Any]]:
    """Return the blocks of a message: "text" and "thinking" with their text, others with their body."""
    found: list[tuple[str, Any]] = []
    for block in items(get(message, "content")):
        thinking = text(get(block, "reasoningContent", "reasoningText", "text"))
        if body := block_text(block):
            found.append(("text", body))
        elif thinking:
            found.append(("thinking", thinking))
        else:
            found += [(kind, inner) for kind in ("toolUse", "toolResult") if (inner := get(block, kind))]
    return found


def block_text(block: object) -> str:
    """Return the text of a block, which a block with sources has in pieces; "" for other blocks."""
    pieces = items(get(block, "citationsContent", "content"))
    return text(get(block, "text")) or "".join(text(get(piece, "text")) for piece in pieces)


def result_in(content: object) -> Result:
    """Return a tool's result: a single block alone, one text if all blocks are text."""
    values = [_value(block) for block in items(content)]
    is_text = len(values) > 1 and all(isinstance(value, str) for value in values)
    result = read_result("\n".join(values) if is_text else values)
    only = items(result.output) if len(values) == 1 else []
    return result._replace(output=only[0]) if only else result


def _value(block: object) -> Any:
    if isinstance(line := get(block, "text"), str):
        return text(line)
    data = get(block, "json")
    return block if data is None else data


def counts_in(native: object) -> dict[str, int]:
    """Return the token counts that *native* has, by the names that Anthropic's API gives them."""
    found = {ours: integer(get(native, theirs)) for theirs, ours in _COUNTS.items()}
    return {name: value for name, value in found.items() if value is not None}


def usage_in(native: object) -> Usage | None:
    """Return the usage; tokens read from a cache, or written to it, count as input."""
    found = counts_in(native)
    if "input_tokens" not in found and "output_tokens" not in found:
        return None
    inputs = [value for name, value in found.items() if name != "output_tokens"]
    return Usage(
        input_tokens=sum(inputs) if inputs else None,
        output_tokens=found.get("output_tokens"),
        cached_input_tokens=found.get("cache_read_input_tokens"),
    )

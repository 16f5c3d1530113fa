"""Read OpenAI's output items: their part, and the arguments and the result of a tool call.

``openai_responses`` and ``openai_agents`` share these functions. Each kind of item stores its arguments
and its result under field names of its own.
"""

from __future__ import annotations

from typing import Any, Final

from ._fields import get, ident, integer, items, json_text, plain, reason, text
from ._files import from_url
from ._result_blocks import Result, read_result

__all__ = [
    "SERVER_TOOLS",
    "args_of",
    "call_id_of",
    "images_of",
    "name_of",
    "outcome_of",
    "part_of",
    "picture",
]

SERVER_TOOLS: Final = frozenset(
    ("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"),
)
"""The items whose tool the provider runs. The application runs, and reports, all other tools."""

_ARGS: Final = ("arguments", "input", "code", "action", "actions", "operation")
_NAMED_ARGS: Final = ("queries", "revised_prompt")


def call_id_of(item: object) -> str | None:
    """Return the id that results refer to; an approved call keeps the id of its approval request."""
    fields = ("approval_request_id", "call_id", "id")
    return next((name for field in fields if (name := ident(get(item, field)))), None)


def name_of(item: object) -> str | None:
    """Return the tool's name, else the kind of the item."""
    return text(get(item, "name")) or text(get(item, "type")).removesuffix("_call") or None


def args_of(item: object) -> str:
    """Return the whole arguments as text; "" without arguments."""
    for field in _ARGS:
        value = get(item, field)
        if isinstance(value, str):
            return text(value)
        if value is not None:
            return json_text(_without_nulls(plain(value)))
    named = {field: plain(value) for field in _NAMED_ARGS if (value := get(item, field)) is not None}
    return json_text(named) if named else ""


def outcome_of(item: object) -> tuple[Result, dict[str, Any]]:
    """Return the result, and the fields ``status`` and ``error``, of a call that the provider ran."""
    result = read_result(_output(item), get(item, "outputs"))
    error = get(item, "error")
    status = text(get(item, "status"))
    if error is not None or status in ("failed", "incomplete"):
        message = (
            text(get(error, "message")) or reason(_without_nulls(plain(error))) or f"The call is {status}."
        )
        return result, {"status": "error", "error": message}
    return result, {}


def part_of(native: object, topic: str, item_id: str) -> tuple[str, str]:
    """Return the kind and the id of the part that an event belongs to."""
    if topic == "reasoning_summary_text":
        return "thinking", f"{item_id}:{integer(get(native, 'summary_index')) or 0}"
    index = integer(get(native, "content_index")) or 0
    if topic == "reasoning_text":  # the item's summary parts also count from 0
        return "thinking", f"{item_id}:raw:{index}"
    return "text", f"{item_id}:{index}"


def images_of(item: object) -> list[dict[str, Any]]:
    """Return the artifact fields of the images that a model made, and of the addresses of a call's images."""
    result = get(item, "result")
    if text(get(item, "type")) == "image_generation_call":
        return [picture(result, get(item, "output_format"))] if isinstance(result, str) and result else []
    urls = [ident(get(out, "url")) for out in items(get(item, "outputs")) if get(out, "type") == "image"]
    return [{"media_type": "image/png", "url": url} for url in urls if url and "data" not in from_url(url)]


def picture(data: object, output_format: object) -> dict[str, Any]:
    """Return the artifact fields of a base64 image."""
    kind = text(output_format) or "png"
    return {"media_type": "image/svg+xml" if kind == "svg" else f"image/{kind}", "data": text(data)}


def _output(item: object) -> Any:
    if text(get(item, "type")) == "image_generation_call":
        return None
    outputs = items(get(item, "outputs"))
    logs = [text(get(out, "logs")) for out in outputs if get(out, "type") == "logs"]
    if outputs:
        return "\n".join(logs) if logs else None
    found = next((v for f in ("output", "results", "result") if (v := get(item, f)) is not None), None)
    return _without_nulls(plain(found))


def _without_nulls(value: Any) -> Any:
    # Raw JSON omits fields that typed objects, and their dumps, have as null.
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value

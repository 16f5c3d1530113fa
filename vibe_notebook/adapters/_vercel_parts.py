"""The AI SDK's ``fullStream`` parts, as the chunks of a UI message stream that say the same.

Pure; used by ``vercel_ai_ui``. Both share most of their kinds, but not the fields. Source: the SDK's
type ``TextStreamPart``.
"""

from __future__ import annotations

from typing import Any, Final

from ._read import camel, fields_of, get, ident, reason, text

__all__ = ["PARTS", "as_chunk", "is_part"]

PARTS: Final = frozenset(
    ("tool-call", "tool-result", "tool-error", "tool-input-end", "source", "ping", "raw")
)
"""Kinds that a UI message stream does not have."""


def is_part(native: object) -> bool:
    """Whether *native* is a part, and no chunk."""
    kind = text(get(native, "type"))
    if kind in ("tool-call", "tool-result", "tool-error"):
        return ident(camel(native, "toolCallId")) is not None
    if kind in ("file", "reasoning-file"):
        return camel(get(native, "file"), "mediaType") is not None
    if kind == "source":
        return isinstance(camel(native, "sourceType"), str)
    return kind == "tool-input-end" and ident(get(native, "id")) is not None


def as_chunk(native: object) -> object:
    """Return the chunk for a part; what is no part, and what is the same in both, as it is."""
    match text(get(native, "type")):
        case "text-delta" | "reasoning-delta" if isinstance(get(native, "text"), str):
            return {**fields_of(native), "delta": get(native, "text")}
        case "tool-input-start" | "tool-input-delta" if camel(native, "toolCallId") is None:
            ids = {"toolCallId": get(native, "id"), "toolName": camel(native, "toolName")}
            return {**fields_of(native), **ids, "inputTextDelta": get(native, "delta")}
        case "tool-call":
            is_invalid = get(native, "invalid") is True
            return _tool(native, "tool-input-error" if is_invalid else "tool-input-available")
        case "tool-result":
            return _tool(native, "tool-output-available")
        case "tool-error":
            return _tool(native, "tool-output-error")
        case "tool-approval-request" if (call := camel(native, "toolCall")) is not None:
            return {**fields_of(native), "toolCallId": camel(call, "toolCallId")}
        case "error" if camel(native, "errorText") is None:
            return {"type": "error", "errorText": _why(get(native, "error"))}
        case "source":
            kind = text(camel(native, "sourceType"))
            return {**fields_of(native), "type": f"source-{kind}", "sourceId": get(native, "id")}
        case "file" | "reasoning-file" if (file := get(native, "file")) is not None:
            return {"type": get(native, "type"), **_file(file)}
        case _:
            return native


def _tool(native: object, kind: str) -> dict[str, Any]:
    fields = {**fields_of(native), "type": kind}
    # The SDK's fourth version had other names.
    fields.setdefault("input", get(native, "args"))
    fields.setdefault("output", get(native, "result"))
    return fields | {"errorText": _why(get(native, "error"))}


def _why(error: object) -> str:
    # An Error that went through JSON.stringify has lost all it said.
    return text(error) or text(get(error, "message")) or reason(error or None) or "error"


def _file(file: object) -> dict[str, Any]:
    media = ident(camel(file, "mediaType"))
    data = text(get(file, "base64")) or text(get(file, "base64Data"))
    url = f"data:{media or ''};base64,{data}" if data else ident(get(file, "url"))
    return {"url": url, "mediaType": media}

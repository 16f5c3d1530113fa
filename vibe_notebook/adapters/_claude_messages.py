"""The messages of Claude's Agent SDK, told apart by their fields: objects, their fields, the CLI's lines.

Pure; used by ``claude_agent_sdk``. Objects, and what is made of them, have no ``type``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._read import get, ident, integer, items, text

__all__ = ["blocks_in", "body_of", "has", "kind_of"]

_LINES: Final = frozenset(("assistant", "user", "system", "result", "stream_event", "rate_limit_event"))


def has(native: object, name: str) -> bool:
    """Whether there is such a field, whatever its value."""
    try:
        return name in native if isinstance(native, Mapping) else hasattr(native, name)
    except Exception:  # noqa: BLE001 - a foreign property may raise anything
        return False


def kind_of(native: object) -> str:
    """Return the kind of a message, in the CLI's words; "" for what is none."""
    kind = text(get(native, "type"))
    if kind:
        is_line = kind in _LINES and ident(get(native, "session_id")) is not None
        return kind if is_line and (kind not in ("assistant", "user") or _is_message(native)) else ""
    if has(native, "parent_tool_use_id"):
        if text(get(native, "event", "type")):
            return "stream_event"
        if isinstance(get(native, "content"), str | list | tuple):
            return "assistant" if text(get(native, "model")) else "user"
    if text(get(native, "subtype")):
        if integer(get(native, "num_turns")) is not None and has(native, "duration_ms"):
            return "result"
        if text(get(native, "data", "type")) == "system":
            return "system"
    return "rate_limit_event" if text(get(native, "rate_limit_info", "status")) else ""


def body_of(native: object) -> object:
    """Return what has the content: the message itself, or what the CLI's line holds."""
    inner = get(native, "message")
    return native if inner is None else inner


def blocks_in(body: object) -> list[tuple[str, Any]]:
    """Return the blocks of a message, with their kinds in the API's words."""
    content = get(body, "content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
    return [(_block_kind(block), block) for block in blocks]


def _block_kind(block: object) -> str:
    if kind := text(get(block, "type")):
        return kind
    if has(block, "tool_use_id"):
        # Those that the provider answers have no flag of their own.
        return "tool_result" if has(block, "is_error") else "server_tool_result"
    if has(block, "input") and has(block, "id"):
        return "server_tool_use" if text(get(block, "name")) in _SERVER_TOOLS else "tool_use"
    return next((kind for kind in ("thinking", "text") if has(block, kind)), "")


def _is_message(native: object) -> bool:
    return isinstance(get(native, "message", "content"), str | list | tuple)


_SERVER_TOOLS: Final = frozenset(
    (
        "advisor",
        "web_search",
        "web_fetch",
        "code_execution",
        "bash_code_execution",
        "text_editor_code_execution",
    )
)

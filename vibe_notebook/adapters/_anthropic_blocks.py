"""Anthropic's content blocks: which are tool calls, and what came of those that the provider ran.

Pure; used by ``anthropic``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import Usage

from ._read import get, ident, integer, plain, reason

__all__ = ["CALLS", "SERVER_CALLS", "counts", "is_result", "server_result", "used"]

SERVER_CALLS: Final = frozenset(("server_tool_use", "mcp_tool_use"))
"""Calls that the provider runs, as soon as their input is complete."""

CALLS: Final = SERVER_CALLS | {"tool_use"}

_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def is_result(kind: str) -> bool:
    """Whether a block of this kind is what a tool of the provider returned."""
    return kind.endswith("_tool_result")


def server_result(block: object) -> dict[str, Any]:
    """Return ``status``, ``output`` and ``error`` of a call that the provider ran."""
    output = _readable(plain(get(block, "content")))
    code = ident(get(output, "error_code"))
    if code is None and get(block, "is_error") is not True:
        return {"output": output}
    return {"status": "error", "output": output, "error": code or reason(output)}


def counts(native: object) -> dict[str, int]:
    """Return the counts that are there: later ones replace those of the same name."""
    return {name: value for name in _COUNTS if (value := integer(get(native, name))) is not None}


def used(found: dict[str, int], model: str | None) -> Usage | None:
    """Return what a message used.

    The API counts what it read from its cache, and wrote there, beside the input; here, as for
    the other SDKs, they are part of it.
    """
    inputs = [value for name, value in found.items() if name != "output_tokens"]
    fields: dict[str, Any] = {
        "input_tokens": sum(inputs) if inputs else None,
        "output_tokens": found.get("output_tokens"),
        "cached_input_tokens": found.get("cache_read_input_tokens"),
        "model": model,
    }
    return Usage(**fields) if found else None


def _readable(value: Any) -> Any:
    # Typed objects have null where JSON has nothing; what is encrypted is for the next request only.
    if isinstance(value, dict):
        return {
            name: _readable(item)
            for name, item in value.items()
            if item is not None and not name.startswith("encrypted_")
        }
    return [_readable(item) for item in value] if isinstance(value, list) else value

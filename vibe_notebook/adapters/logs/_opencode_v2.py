"""Turn a message of OpenCode 2 into the shape that its messages had before: facts, and a list of parts.

Beside ``_opencode``, which reads both. The second version keeps a whole message in one row: its kind, and for the agent's
its text, thinking and calls in one list. Source: ``packages/schema/src/session-message.ts``.
"""

from __future__ import annotations

from typing import Any

from .._fields import get, items, text

__all__ = ["is_message", "with_parts"]


def is_message(native: object) -> bool:
    """Return whether an entry is a message of the second version."""
    return isinstance(get(native, "type"), str) and get(native, "info") is None


def with_parts(native: object) -> dict[str, Any]:
    """Return a user's or the agent's message as facts with a list of parts."""
    kind = text(get(native, "type"))
    facts = {name: get(native, name) for name in ("id", "time", "finish", "tokens", "cost")}
    if kind == "user":
        parts = [{"type": "text", "text": get(native, "text")}, *map(_file, items(get(native, "files")))]
        return {"info": {**facts, "role": "user"}, "parts": parts}
    model = {"modelID": get(native, "model", "id"), "providerID": get(native, "model", "providerID")}
    problem = get(native, "error")
    if problem is not None:
        model["error"] = {"name": get(problem, "type"), "data": {"message": get(problem, "message")}}
    parts = [_part(number, block) for number, block in enumerate(items(get(native, "content")))]
    return {"info": {**facts, **model, "role": "assistant"}, "parts": parts}


def _part(number: int, block: object) -> dict[str, Any]:
    kind = text(get(block, "type"))
    began, ended = get(block, "time", "created"), get(block, "time", "completed")
    if kind != "tool":
        return {"id": str(number), "type": kind, "text": get(block, "text"), "time": {"start": began}}
    status = text(get(block, "state", "status"))
    state = {
        "status": "pending" if status == "streaming" else status,
        "input": get(block, "state", "input"),
        "output": _output(get(block, "state")),
        "error": text(get(block, "state", "error", "message")) or get(block, "state", "error"),
        "metadata": get(block, "state", "metadata") or get(block, "state", "structured"),
        "time": {"start": began, "end": ended},
    }
    return {
        "id": str(number),
        "type": "tool",
        "tool": get(block, "name"),
        "callID": get(block, "id"),
        "state": state,
    }


def _output(state: object) -> Any:
    """Return the words of a call's result; its blocks, if it has files too."""
    content = items(get(state, "content"))
    if not content:
        return get(state, "output")
    if all(get(block, "type") == "text" for block in content):
        return "\n".join(text(get(block, "text")) for block in content)
    return [block if get(block, "type") == "text" else _file(block, "mediaType") for block in content]


def _file(block: object, media_type: str = "mime") -> dict[str, Any]:
    names = {media_type: "mime", "url": "uri", "filename": "name"}
    return {"type": "file", **{name: get(block, given) for name, given in names.items()}}

"""Read the value of LangGraph's ``interrupt(…)`` as requests to the user.

The value is any value of the application's own. LangChain's middleware for approvals has a list of calls in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from .._fields import bounded, get, ident, items, json_text, plain, text

__all__ = ["key_of", "question_fields"]

_QUESTIONS: Final = ("question", "message", "prompt", "description")
_OPTIONS: Final = ("options", "choices")


def key_of(interrupt: object) -> str:
    """Return the interrupt's id; of one without an id, a digest of its value, so that a repeat is known."""
    digest = hashlib.sha256(json_text(plain(get(interrupt, "value"))).encode("utf-8", "replace"))
    return ident(get(interrupt, "id")) or f"interrupt:{digest.hexdigest()[:16]}"


def question_fields(value: object) -> dict[str, Any]:
    """Return the fields ``message`` and ``options`` of a request that asks by *value*."""
    if value is None or isinstance(value, str):
        return {"message": text(value) or None}
    if not isinstance(value, Mapping):
        return {"message": _as_json(value)}
    name = next((name for name in _QUESTIONS if text(get(value, name))), None)
    if name is None:
        return {"message": _as_json(value)}
    offered = next((one for one in _OPTIONS if _are_plain(get(value, one))), None)
    rest = {key: item for key, item in value.items() if key not in (name, offered)}
    words = [text(get(value, name)), *([_as_json(rest)] if rest else [])]
    options = items(get(value, offered)) if offered else []
    return {"message": "\n\n".join(words), "options": options}


def _are_plain(value: object) -> bool:
    return bool(items(value)) and all(isinstance(one, str | int | float) for one in items(value))


def _as_json(value: object) -> str:
    return f"~~~~json\n{json_text(bounded(value))}\n~~~~"

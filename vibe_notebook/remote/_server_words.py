"""Find a server's own words in an error, whatever fields they are in.

``_http`` reads a refused request's body with it, ``_dialects`` an error inside of a stream.
"""

from __future__ import annotations

import json
from typing import Any, Final

from .._foreign_words import on_one_line

__all__ = ["LIMIT", "words_in", "words_of"]

LIMIT: Final = 16 * 1024
"""Bytes of a refusal's body that are read: an explanation is shorter."""

WORDS: Final = 1_000
"""Characters of a server's message in a status, which is one line."""

_WORDS: Final = ("message", "text", "detail", "msg", "error_description", "title", "reason")
_JSON: Final = ("application/json", "+json")


def words_of(data: Any) -> tuple[str, str | None]:
    """Return the message and the code of a server's error: parsed JSON, or text."""
    problem = (data.get("error") or data) if isinstance(data, dict) else data
    if not isinstance(problem, dict):
        return on_one_line(
            problem if isinstance(problem, str) else json.dumps(problem), WORDS
        ) or "error", None
    code = next((str(problem[name]) for name in ("code", "type") if problem.get(name)), None)
    found = (problem.get(name) for name in _WORDS)
    words = next((value for value in found if isinstance(value, str) and value), None)
    return on_one_line(words or json.dumps(problem), WORDS), code


def words_in(body: bytes, content_type: str) -> tuple[str, bool]:
    """Return the message in the JSON *body* of a refusal, "" without one, and whether it is for good."""
    if not any(name in content_type.lower() for name in _JSON):
        return "", False
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return "", False
    error = data.get("error", data) if isinstance(data, dict) else None
    if not error or not isinstance(error, dict | str):
        return "", False
    return words_of(data)[0].rstrip("."), isinstance(error, str) and data.get("permanent") is True

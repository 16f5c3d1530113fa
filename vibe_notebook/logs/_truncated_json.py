"""Read the beginning of a JSON value whose end is missing.

The head of a log may end within a line, and an agent that was killed may leave a file that ends within a value.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["read_beginning"]

_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},]|"', re.DOTALL)
_CLOSERS: Final = {"{": "}", "[": "]"}
_DEPTH: Final = 200
"""Levels of a value: a deeper one is no log."""


def read_beginning(words: str) -> Any:
    """Return the whole values at the beginning of *words*; ``None`` if there are none, or *words* is no JSON."""
    open_marks: list[str] = []
    cut, closers = 0, ""
    for found in _MARKS.finditer(words):
        mark = found[0]
        if mark in _CLOSERS:
            open_marks.append(_CLOSERS[mark])
            cut, closers = found.end(), "".join(reversed(open_marks))
        elif mark in ("}", "]"):
            if not open_marks or open_marks.pop() != mark:
                break
            cut, closers = found.end(), "".join(reversed(open_marks))
        elif mark == ",":
            cut, closers = found.start(), "".join(reversed(open_marks))
        elif mark == '"':
            break  # a string without an end
        if len(open_marks) > _DEPTH or not open_marks:
            break
    try:
        return json.loads(words[:cut] + closers)
    except (ValueError, RecursionError):
        return None

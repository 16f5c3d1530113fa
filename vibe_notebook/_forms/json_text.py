"""Lay out JSON text by white space alone: numbers, keys and escapes stay as their writer has written them.

Pure, and linear in the text. To parse and write JSON anew would change ``1.0``, ``1e400``, long decimals, escapes and
keys that repeat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from .._json_values import bounded_repr

__all__ = [
    "brief_members",
    "compact_json",
    "is_object",
    "members",
    "pretty",
    "pretty_json",
    "reindent",
    "tokens",
]

LIMIT: Final = 1_000_000
"""Characters beyond which JSON text stays on its lines: a form shows 100,000 characters of it."""
_INDENTS: Final = tuple("\n" + "  " * depth for depth in range(65))
"""Line breaks with their indentation; deeper levels are not indented further, so that the form stays linear."""
_TOKEN: Final = re.compile(r'"(?>[^"\\]+|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_SPACED: Final = {",": ", ", ":": ": "}


def reindent(text: str) -> str | None:
    """Return the object or array *text* indented by two spaces a level; ``None`` if the text is no JSON."""
    if not _is_container(text) or not _is_json(text):
        return None
    out: list[str] = []
    depth, is_empty = 0, False
    for piece in _TOKEN.findall(text):
        if piece in ("}", "]"):
            depth -= 1
            if not is_empty:
                out.append(_indent(depth))
            is_empty = False
        elif is_empty:
            out.append(_indent(depth))
            is_empty = False
        out.append(": " if piece == ":" else piece)
        if piece in ("{", "["):
            depth += 1
            is_empty = True
        elif piece == ",":
            out.append(_indent(depth))
    return "".join(out)


def pretty(value: Any) -> str:
    """Return *value* as indented JSON; text stays text, unless the text is JSON: then only its white space changes."""
    return reindent(value) or value if isinstance(value, str) else pretty_json(value)


def pretty_json(value: Any) -> str:
    """Return *value* as indented JSON; a text is JSON too."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=bounded_repr)
    except Exception:  # noqa: BLE001 - a cycle, nesting beyond Python's own limit, or a mapping that raises
        return bounded_repr(value)


def compact_json(value: Any) -> str:
    """Return *value* as JSON on one line."""
    try:
        return json.dumps(value, ensure_ascii=False, default=bounded_repr)
    except Exception:  # noqa: BLE001 - as above
        return bounded_repr(value)


def tokens(text: str) -> list[str] | None:
    """Return the tokens of the object or array *text*; ``None`` if the text is no JSON."""
    return _TOKEN.findall(text) if _is_container(text) and _is_json(text) else None


def members(text: str) -> list[tuple[str, str]] | None:
    """Return the members of an object as (key, JSON text of the value); ``None`` if *text* is no object.

    Keys that repeat stay.
    """
    if not is_object(text):
        return None
    return [(json.loads(key), text[start:end].strip()) for key, start, end in _spans(text)]


def _spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the key, and the start and end of the value, of each member of the valid object *text*."""
    depth, key, start, end, is_value = 0, "", 0, 0, False
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece in ("}", "]"):
            depth -= 1
        if depth == 0 and piece == "}" and not is_value:
            return  # an empty object
        if (depth == 1 and piece == ",") or (depth == 0 and piece == "}"):
            yield key, start, end
            is_value = False
        elif depth == 1 and not is_value and piece == ":":
            is_value, start = True, match.end()
        elif depth == 1 and not is_value and piece not in ("}", "]"):
            key = piece
        end = match.end()
        if piece in ("{", "["):
            depth += 1


def brief_members(text: str, limit: int) -> str:
    """Return the start of an object as a call's arguments: ``query="x", limit=3``.

    *text* is valid; not much more than *limit* characters of it are read.
    """
    out: list[str] = []
    depth, size, is_key = 0, 0, False
    for match in _TOKEN.finditer(text):
        piece = match[0][: limit + 1]
        if piece in ("}", "]"):
            depth -= 1
        if depth >= 1 or piece not in "{}":
            if depth == 1 and is_key and piece[0] == '"':
                piece, is_key = piece[1:].removesuffix('"'), False
            elif depth == 1 and piece == ":":
                piece = "="
            elif piece in _SPACED:
                is_key = depth == 1
                piece = _SPACED[piece]
            out.append(piece)
            size += len(piece)
        else:
            is_key = True
        if match[0] in ("{", "["):
            depth += 1
        if size > limit:
            break
    return "".join(out)


def is_object(text: str) -> bool:
    """Return whether *text* is a JSON object, and not too long to be laid out."""
    return len(text) <= LIMIT and text.lstrip().startswith("{") and _is_json(text)


def _is_container(text: str) -> bool:
    return len(text) <= LIMIT and text.lstrip()[:1] in ("{", "[")


def _indent(depth: int) -> str:
    return _INDENTS[min(depth, len(_INDENTS) - 1)]


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=_nothing, parse_float=_nothing)
    except (ValueError, RecursionError):
        return False
    return True


def _nothing(number: str) -> Any:
    """Read no number: Python refuses those of more than 4,300 digits."""
    del number

"""Colour a closed code fence: Pygments' short classes, on text that stays exactly what it was.

For the saved form as HTML; for the live one as runs, which are a quarter of the bytes: the browser
has the text already.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from itertools import groupby
from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from ._fields import utf16

__all__ = ["highlight", "runs"]

LIMIT = 256 * 1024
"""Characters beyond which code stays plain: colouring 1 MB took 2.6 s of CPU."""

LIVE_LIMIT = 16 * 1024
"""Characters beyond which code is coloured in the saved form only."""

_PLAIN = frozenset({"", "n", "p", "w", "x", "esc", "g"})
"""Classes that no stylesheet colours; leaving them out halves the bytes."""


def highlight(code: str, language: str) -> str:
    """Return *code* as escaped HTML with ``<span class=…>`` of Pygments' short names.

    An unknown language, or a lexer that would change the text, gives it plain.
    """
    return "".join(
        f'<span class="{name}">{escape(text)}</span>' if name else escape(text)
        for name, text in _coloured(code, language)
    )


def runs(code: str, language: str) -> str:
    """Return the same colours as runs over the text: each a class ("": none), then a length.

    A length is in UTF-16 units: a dot for each 26, and a letter from A for what is left. All of it
    is plain if there are none.
    """
    if len(code) > LIVE_LIMIT:
        return ""
    coloured = _coloured(code, language)
    if coloured and not coloured[-1][0]:
        coloured = coloured[:-1]  # what is left at the end is plain anyway
    return "".join(name + _length(utf16(text)) for name, text in coloured)


@lru_cache(maxsize=64)
def _coloured(code: str, language: str) -> tuple[tuple[str, str], ...]:
    lexer = _lexer(language) if len(code) <= LIMIT else None
    pieces = [] if lexer is None else [(_css_class(kind), value) for kind, value in lexer.get_tokens(code)]
    if "".join(value for _, value in pieces) != code:
        return (("", code),)
    return tuple(
        (name, "".join(value for _, value in group))
        for name, group in groupby(pieces, key=lambda piece: piece[0])
    )


def _length(units: int) -> str:
    return "." * (units // 26) + chr(ord("A") + units % 26)


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=256)
def _css_class(kind: Any) -> str:
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = str(STANDARD_TYPES[kind])
    return "" if name in _PLAIN else name

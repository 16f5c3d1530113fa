"""Colour a closed code fence: Pygments' short classes, on text that stays exactly what it was."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from itertools import groupby
from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

__all__ = ["highlight"]

LIMIT = 256 * 1024
"""Characters beyond which code stays plain: colouring 1 MB took 2.6 s of CPU."""

_PLAIN = frozenset({"", "n", "p", "w", "x", "esc", "g"})
"""Classes that no stylesheet colours; leaving them out halves the bytes."""


@lru_cache(maxsize=64)
def highlight(code: str, language: str) -> str:
    """Return *code* as escaped HTML with ``<span class=…>`` of Pygments' short names.

    An unknown language, or a lexer that would change the text, gives it plain.
    """
    lexer = _lexer(language) if len(code) <= LIMIT else None
    if lexer is None:
        return escape(code)
    pieces = [(_css_class(kind), value) for kind, value in lexer.get_tokens(code)]
    if "".join(value for _, value in pieces) != code:
        return escape(code)
    html = []
    for name, group in groupby(pieces, key=lambda piece: piece[0]):
        text = escape("".join(value for _, value in group))
        html.append(text if name in _PLAIN else f'<span class="{name}">{text}</span>')
    return "".join(html)


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
    return str(STANDARD_TYPES[kind])

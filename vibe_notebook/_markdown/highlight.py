"""Colour a closed code fence: Pygments' short classes, on text that stays exactly what it was.

For the saved form as HTML; for the live one as runs, which are a quarter of the bytes: the browser
has the text already. The work is bounded by count, whatever the code: a language of the list, and limits
on size, lines, runs and errors, under which its lexer was measured. So it may be done under a view's lock.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any

from pygments.token import STANDARD_TYPES, Error

from .languages import CODE_LIMIT, lexer_of
from .units import utf16

__all__ = [
    "ERROR_LIMIT",
    "LINE_LIMIT",
    "OPENER_LIMIT",
    "RUN_LIMIT",
    "SPACE_LIMIT",
    "highlight",
    "is_regular",
    "language_of",
    "pieces",
    "runs",
]

LINE_LIMIT = 2_000
"""Characters of a line beyond which its code stays plain."""

RUN_LIMIT = 200
"""Characters of a run of one character beyond which code stays plain."""

SPACE_LIMIT = 64
"""Characters of white space in a row beyond which code stays plain: for some lexers they cost their cube."""

ERROR_LIMIT = 20
"""GrowingText that are no part of the language beyond which code stays plain: for each, a lexer may have read all."""

OPENER_LIMIT = 20
"""Comments opened and never closed beyond which code stays plain: a lexer reads to the end for each."""

_COMMENTS = (("/*", "*/"), ("<!--", "-->"), ("(*", "*)"), ("{-", "-}"), ("<![CDATA[", "]]>"))
_RUN = re.compile(rf"\s{{{SPACE_LIMIT}}}|(.)\1{{{RUN_LIMIT - 1}}}")
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")

_PLAIN = frozenset({"", "n", "p", "w", "x", "esc", "g"})
"""Classes that no stylesheet colours; leaving them out halves the bytes."""


def highlight(code: str, language: str) -> str:
    """Return *code* as escaped HTML with ``<span class=…>`` of Pygments' short names.

    A language that is not of the list, code beyond a limit, or a lexer that would change the text, gives it plain.
    """
    return "".join(
        f'<span class="{name}">{escape(text)}</span>' if name else escape(text)
        for name, text in _coloured(code, language)
    )


def language_of(info: str) -> str:
    """Return the language that a fence's opening line names, or ""."""
    match = _LANGUAGE.match(info.strip().lstrip("{."))
    return match[0].lower() if match else ""


def is_regular(code: str) -> bool:
    """Tell whether *code* is within the limits that the lexers were measured in."""
    return (
        max(map(len, code.split("\n"))) <= LINE_LIMIT
        and _RUN.search(code) is None
        and all(code.count(opener, code.rfind(closer) + 1) <= OPENER_LIMIT for opener, closer in _COMMENTS)
    )


def runs(code: str, language: str) -> str:
    """Return the same colours as runs over the text: each a class ("": none), then a length.

    A length is in UTF-16 units: a dot for each 26, and a letter from A for what is left. All of it
    is plain if there are none.
    """
    coloured = _coloured(code, language)
    if coloured and not coloured[-1][0]:
        coloured = coloured[:-1]  # what is left at the end is plain anyway
    return "".join(name + _length(utf16(text)) for name, text in coloured)


@lru_cache(maxsize=64)
def _coloured(code: str, language: str) -> tuple[tuple[str, str], ...]:
    lexer = lexer_of(language) if len(code) <= CODE_LIMIT else None
    found = pieces(lexer, code) if lexer else []
    if "".join(value for _, value in found) != code:
        return (("", code),)
    return tuple(
        (name, "".join(value for _, value in group))
        for name, group in groupby(((_css_class(kind), value) for kind, value in found), key=itemgetter(0))
    )


def _length(units: int) -> str:
    return "." * (units // 26) + chr(ord("A") + units % 26)


def pieces(lexer: Any, code: str) -> list[tuple[Any, str]]:
    """Return the tokens of *code*; none if it is beyond a limit."""
    found: list[tuple[Any, str]] = []
    errors = 0
    for token in lexer.get_tokens(code) if is_regular(code) else ():
        errors += token[0] is Error
        if errors > ERROR_LIMIT:
            return []
        found.append(token)
    return found


@lru_cache(maxsize=256)
def _css_class(kind: Any) -> str:
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = str(STANDARD_TYPES[kind])
    return "" if name in _PLAIN else name

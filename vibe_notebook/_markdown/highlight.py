"""Colour a closed code fence with Pygments' short classes, without changing its text.

``renderer.py`` uses HTML (``highlight``) for the saved form, and runs (``runs``) for the live form: the browser has
the text already, and runs are a quarter of the bytes. Counts bound the work for any code: only languages of
``languages.py`` are coloured, within the limits of size, lines, runs and errors under which their lexers were
measured. So a view may colour code while it holds its lock.
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
"""Characters of a line beyond which code stays plain."""

RUN_LIMIT = 200
"""Repetitions of one character beyond which code stays plain."""

SPACE_LIMIT = 64
"""White space characters in a row beyond which code stays plain: some lexers need the cube of their number."""

ERROR_LIMIT = 20
"""Error tokens beyond which code stays plain: for each, a lexer may have read to the end."""

OPENER_LIMIT = 20
"""Unclosed comments beyond which code stays plain: for each, a lexer reads to the end."""

_COMMENTS = (("/*", "*/"), ("<!--", "-->"), ("(*", "*)"), ("{-", "-}"), ("<![CDATA[", "]]>"))
_RUN = re.compile(rf"\s{{{SPACE_LIMIT}}}|(.)\1{{{RUN_LIMIT - 1}}}")
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")

_PLAIN = frozenset({"", "n", "p", "w", "x", "esc", "g"})
"""Classes that no stylesheet colours. Without them the output has half the bytes."""


def highlight(code: str, language: str) -> str:
    """Return *code* as escaped HTML with ``<span class=…>`` of Pygments' short names.

    Code stays plain if its language is not on the list, if it is beyond a limit, or if its lexer would change it.
    """
    return "".join(
        f'<span class="{name}">{escape(text)}</span>' if name else escape(text)
        for name, text in _coloured(code, language)
    )


def language_of(info: str) -> str:
    """Return the language that *info*, the rest of a fence's opening line, names, or ""."""
    match = _LANGUAGE.match(info.strip().lstrip("{."))
    return match[0].lower() if match else ""


def is_regular(code: str) -> bool:
    """Return whether *code* is within the limits under which the lexers were measured."""
    return (
        max(map(len, code.split("\n"))) <= LINE_LIMIT
        and _RUN.search(code) is None
        and all(code.count(opener, code.rfind(closer) + 1) <= OPENER_LIMIT for opener, closer in _COMMENTS)
    )


def runs(code: str, language: str) -> str:
    """Return the colours of *code* as runs, each a class ("" for plain) and a length in UTF-16 units.

    A length has a dot for each 26 units, then a letter for the rest (A: 0). "" means that all of *code* is plain.
    """
    coloured = _coloured(code, language)
    if coloured and not coloured[-1][0]:
        coloured = coloured[:-1]  # the browser leaves the rest plain anyway
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
    """Return the tokens of *code*, or an empty list if *code* is beyond a limit."""
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

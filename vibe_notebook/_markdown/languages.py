"""List the languages whose code is coloured: their lexers were measured over texts made to slow them down.

``highlight.py`` asks for lexers here. ``python -m tools.lexers`` measures the list anew: each lexer, within the
limits of ``highlight.py``, in a process of its own under a limit on CPU seconds. The tool generates texts of 1 KiB,
then measures the slowest of them at 4 and 16 KiB, and reports the growth of the time per character. Pygments has
500 more languages; some of their lexers keep the interpreter for hours over a page of spaces. So no name from
an agent is ever looked up in Pygments.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, words
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

__all__ = ["CODE_LIMIT", "LANGUAGES", "lexer_of"]

CODE_LIMIT = 16 * 1024
"""Characters beyond which code stays plain: about 400 lines."""

_NAMES = """
    python: py py3 python3 sage; pycon: python-console; javascript: js jsx mjs cjs node; typescript: ts tsx
    json: json5 jsonc jsonl ndjson geojson; bash: sh shell zsh ksh; console: shell-session sh-session; html: htm xhtml
    css; scss; sql; yaml: yml; toml; rust: rs; go: golang; java; c: h; cpp: c++ cc cxx hpp; csharp: cs c#; ruby: rb
    php; kotlin: kt kts; swift; r: rlang s splus; julia: jl; scala; lua; perl: pl; haskell: hs; diff: patch udiff
    xml: xsd xslt svg; ini: cfg conf; docker: dockerfile; make: makefile mk; powershell: ps1 pwsh
"""
LANGUAGES = {
    name: entry.partition(":")[0].strip()
    for entry in _NAMES.replace("\n", ";").split(";")
    for name in entry.replace(":", " ").split()
}
"""Pygments' name of the lexer, by each name that a fence may use."""


_WORDS = """
    abstract alignas alignof as assert async auto await base break case catch class const constexpr consteval continue
    co_await co_return co_yield concept decltype default delete do dynamic_cast else enum event explicit export extends
    extern final finally fixed for foreach friend get goto if implements import in inline instanceof interface internal
    is lock mutable namespace native new noexcept nullptr null operator out override package params partial permits
    private protected public readonly record ref register reinterpret_cast requires restrict return sealed set sizeof
    static static_assert static_cast stackalloc strictfp struct super switch synchronized template this thread_local
    throw throws transient try typedef typeid typename typeof union unsafe using var virtual volatile when where while
    with yield true false
"""
_TYPES = """
    bool boolean byte char char8_t char16_t char32_t decimal double dynamic float int int8_t int16_t int32_t int64_t
    long object sbyte short signed size_t string uint uint8_t uint16_t uint32_t uint64_t ulong unsigned ushort void
    wchar_t
"""


_BRACES = frozenset(["c", "cpp", "csharp", "java"])


class _BracesLexer(RegexLexer):
    """Read C, C++, C# and Java. Pygments' own lexers search functions from each line to the end of the code."""

    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"\s++", Whitespace),
            (r"//[^\n]*+", Comment.Single),
            (r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?", Comment.Multiline),
            (r'"(?:[^"\\\n]|\\.)*+"?', String),
            (r"'(?:[^'\\\n]|\\.)*+'?", String.Char),
            (r"#[ \t]*+[a-z]++", Comment.Preproc),
            (r"@[A-Za-z]\w*+", Name.Decorator),
            (r"\d[\w.]*+", Number),
            (words(_TYPES.split(), prefix=r"\b", suffix=r"\b"), Keyword.Type),
            (words(_WORDS.split(), prefix=r"\b", suffix=r"\b"), Keyword),
            (r"[^\W\d]\w*+", Name),
            (r"[-+*/%&|^!<>=~?:]", Operator),
            (r".", Punctuation),
        ]
    }


@cache
def lexer_of(language: str) -> Any:
    """Return the lexer of *language*, or ``None`` if the list does not have it."""
    name = LANGUAGES.get(language)
    if name is None:
        return None
    if name in _BRACES:
        return _BracesLexer(stripnl=False, ensurenl=False)
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)

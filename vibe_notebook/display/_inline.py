"""Inline text to tokens: what is simple, most cells and items, is not read by every rule of the parser.

A long table has ten thousand cells; the parser's rules take three times as long for them. Without this
module the live drawing of 300 KB took 1.2 (mixed) to 1.4 times (one paragraph) the kernel's processor time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from markdown_it.token import Token

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore

__all__ = ["inline_plugin", "simple_tokens"]

_MARKS = re.compile(r"[\n&<\[\\$_~*`]")
"""What a rule of ours begins with (and "!", which needs a bracket)."""

_SPAN = re.compile(
    r"(?P<mark>\*\*?)(?P<words>[^\W_]+(?: [^\W_]+)*)(?P=mark)(?=[\s,.;:]|\Z)"
    r"|`(?P<code>[^`\s](?:[^`\n]*[^`\s])?)`(?!`)"
)
_BEFORE = frozenset(" (,;:")


def inline_plugin(md: MarkdownIt) -> None:
    """Let *md* take the short way where it gives the same tokens."""
    md.core.ruler.at("inline", _inline)
    # Its own set has what extensions might use: every hyphen and colon would be a text of its own.
    md.inline.terminator_re = re.compile(r"[\n!&<\[\]\\$_~*`]")


def _inline(state: StateCore) -> None:
    leaf = state.env.get("leaf")
    for token in state.tokens:
        if token.type == "inline":
            children = None if token is leaf else simple_tokens(token.content)
            if children is None:
                token.children = children = [] if token.children is None else token.children
                state.md.inline.parse(token.content, state.md, state.env, children)
            token.children = children


def simple_tokens(text: str) -> list[Token] | None:
    """Return the tokens of plain text with bold or slanted words and code; ``None`` for what needs the parser."""
    if _MARKS.search(text) is None:
        return [_text(text)] if text else []
    tokens: list[Token] = []
    end = 0
    for match in _SPAN.finditer(text):
        plain = text[end : match.start()]
        if _MARKS.search(plain) or (match.start() and text[match.start() - 1] not in _BEFORE):
            return None
        if plain:
            tokens.append(_text(plain))
        tokens += _code(match["code"]) if match["code"] else _emphasis(match["mark"], match["words"])
        end = match.end()
    rest = text[end:]
    if _MARKS.search(rest):
        return None
    if rest:
        tokens.append(_text(rest))
    return tokens


def _text(content: str, level: int = 0) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _code(content: str) -> Iterator[Token]:
    yield Token("code_inline", "code", 0, content=content, markup="`")


def _emphasis(mark: str, words: str) -> Iterator[Token]:
    tag = "strong" if mark == "**" else "em"
    yield Token(f"{tag}_open", tag, 1, markup=mark)
    yield _text(words, 1)
    yield Token(f"{tag}_close", tag, -1, markup=mark)

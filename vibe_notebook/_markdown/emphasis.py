"""Find where emphasis begins and ends, also beside the punctuation of scripts that write no spaces.

Rules for the parsers of ``renderer.py`` and of the Markdown form. CommonMark decides by the characters beside a mark,
and reads a mark between punctuation and a letter as part of a word. Chinese, Japanese and Korean put no space there:
a bold sentence ends in its full stop, and the next word follows. Here a letter of these scripts ends the word, and so does the end of a sentence or a quotation
before the second of two double stars: agents write ``**Note:**text``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from unicodedata import category, east_asian_width

from markdown_it.rules_inline.state_inline import Delimiter

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

__all__ = ["emphasis_plugin", "is_inside_a_word"]

_ENDS = frozenset(":.,;!?)]}\"'%\u201d\u2019\u00bb\u203a\u2026")
_ASCII_WORD_FROM = 0x80


def emphasis_plugin(md: MarkdownIt) -> None:
    """Let *md* read the marks of emphasis and of struck text as readers of all scripts do."""
    md.inline.ruler.at("emphasis", _emphasis)
    md.inline.ruler.at("strikethrough", _strikethrough)


def is_inside_a_word(outer: str, inner: str) -> bool:
    """Return whether CommonMark reads a mark between *outer* and *inner*, the character in the emphasis, as text."""
    return _is_punctuation(inner) and not (_is_space(outer) or _is_punctuation(outer))


class _Run(NamedTuple):
    length: int
    can_open: bool
    can_close: bool


def _emphasis(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    mark = state.src[state.pos]
    if silent or mark not in "*_":
        return False
    run = _scan(state, mark)
    for _ in range(run.length):
        _push(state, mark, run, run.length)
    state.pos += run.length
    return True


def _strikethrough(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if silent or not state.src.startswith("~~", state.pos):
        return False
    run = _scan(state, "~")
    if run.length % 2:
        state.push("text", "", 0).content = "~"
    for _ in range(run.length // 2):
        _push(state, "~~", run, 0)
    state.pos += run.length
    return True


def _push(state: StateInline, mark: str, run: _Run, length: int) -> None:
    state.push("text", "", 0).content = mark
    place = len(state.tokens) - 1
    state.delimiters.append(
        Delimiter(ord(mark[0]), length, place, -1, open=run.can_open, close=run.can_close)
    )


def _scan(state: StateInline, mark: str) -> _Run:
    source, start, end = state.src, state.pos, state.pos
    while end < state.posMax and source[end] == mark:
        end += 1
    before = source[start - 1] if start else " "
    after = source[end] if end < state.posMax else " "
    is_after_point, is_before_point = _is_punctuation(before), _is_punctuation(after)
    begins = not _is_space(after) and (
        not is_before_point or _is_space(before) or is_after_point or _is_wide(before) or _is_wide(after)
    )
    ends = not _is_space(before) and (
        not is_after_point or _is_space(after) or is_before_point or _is_wide(after) or _is_wide(before)
    )
    if mark == "_":
        can_open = begins and (not ends or is_after_point or (is_before_point and _is_wide(before)))
        can_close = ends and (not begins or is_before_point or (is_after_point and _is_wide(after)))
        # The next letter would make these marks a part of a word.
        is_undecided = end == len(source) and state.env.get("open") is state.tokens
        return _Run(end - start, can_open, can_close and not is_undecided)
    ends = ends or (mark == "*" and end - start > 1 and before in _ENDS)
    return _Run(end - start, begins, ends)


def _is_space(character: str) -> bool:
    return character.isspace()


def _is_punctuation(character: str) -> bool:
    if ord(character) < _ASCII_WORD_FROM:
        return character.isprintable() and not (character.isalnum() or character.isspace())
    return category(character)[0] in "PS"


def _is_wide(character: str) -> bool:
    """Return whether *character* belongs to a script that writes no spaces around punctuation."""
    return ord(character) >= _ASCII_WORD_FROM and east_asian_width(character) in "WFH"

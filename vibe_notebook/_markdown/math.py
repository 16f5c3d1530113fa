r"""Parse formulas in agent text (``$…$``, ``$$…$$``, ``\(…\)``, ``\[…\]``), and render them as MathML or TeX.

Rules for the parser in ``renderer.py``. A formula at the beginning of a line is one block up to its closing mark,
a blank line or the end of the text, closed or not: its closing mark can never change the blocks before it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from .._symbols import show_hidden
from .tex import is_safe_tex

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["is_formula", "isolate", "math_plugin", "mathml", "tex"]

INLINE_LIMIT = 2_000
"""Characters in which the parser searches a closing mark: with many unclosed marks the work stays linear."""

_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}
_ENVIRONMENT = re.compile(r"(?<=\{)(?:aligned|gather(?:ed|\*)?)(?=\})")
_LINE_SPACE = re.compile(r"\\\\\[[^\]]*\]")
_DELIMITER = re.compile(r"[$\\]")


def isolate(html: str) -> str:
    r"""Return escaped text in which the page's MathJax finds no formula.

    MathJax joins no text across elements. Every mark that could open a formula, an environment, an escape or
    a reference (``$``, ``\(``, ``\[``, ``\begin``, ``\ref``, ``\\``) begins with a dollar or a backslash, and
    each of these gets an element of its own.
    """
    return _DELIMITER.sub(r"<span>\g<0></span>", html)


def tex(source: str, *, display: bool) -> str:
    """Return a formula as TeX for the page's MathJax; an unsafe formula as code."""
    if not is_safe_tex(source):
        return _code(source, display=display)
    left, right = ("$$", "$$") if display else ("$", "$")
    if "$" in source:
        left, right = ("\\[", "\\]") if display else ("\\(", "\\)")
    return f"{left}{escape(source)}{right}"


@lru_cache(maxsize=512)
def mathml(source: str, *, display: bool) -> str:
    """Return a formula as MathML; a formula that is unsafe or cannot be converted as code."""
    if not is_safe_tex(source):
        return _code(source, display=display)
    # Loaded with the first formula: it brings the XML parser and http.client with it.
    from latex2mathml.converter import convert  # noqa: PLC0415

    # The converter does not escape < and > in text, so private characters stand for them.
    safe = _LINE_SPACE.sub(r"\\\\", _ENVIRONMENT.sub(_supported, source))
    safe = safe.replace("<", "\ue000").replace(">", "\ue001")
    try:
        html = convert(safe, display="block" if display else "inline")
    except Exception:  # noqa: BLE001 - the converter raises any error of its parser, RecursionError too
        return _code(source, display=display)
    html = re.sub("<mi>([\ue000\ue001])</mi>", r"<mo>\1</mo>", html)
    return html.replace("\ue000", "&lt;").replace("\ue001", "&gt;")


def _supported(environment: re.Match[str]) -> str:
    """Return the environment of the same columns that the converter supports."""
    return "align*" if environment[0] == "aligned" else "matrix"


def _code(source: str, *, display: bool) -> str:
    marks = "$$" if display else "$"
    return f"<code>{escape(show_hidden(f'{marks}{source}{marks}'))}</code>"


def math_plugin(md: MarkdownIt) -> None:
    """Add to *md* the tokens ``math_inline``, ``math_display`` (in a paragraph) and ``math_block``."""
    md.block.ruler.before(
        "fence", "math_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    md.inline.ruler.before("escape", "math_inline", _inline)


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    source, start = state.src, state.pos
    if source[start] not in "$\\":
        return False
    opener = source[start : start + 2]
    if opener not in _CLOSERS:
        opener = source[start]
    if opener not in _CLOSERS:
        return False
    begin = start + len(opener)
    end = _find(source, _CLOSERS[opener], begin, min(state.posMax, begin + INLINE_LIMIT))
    content = source[begin:end] if end >= 0 else ""
    if not content.strip() or (opener == "$" and not is_formula(source, start, end)):
        return False
    if not silent:
        kind = "math_display" if opener in ("$$", "\\[") else "math_inline"
        token = state.push(kind, "math", 0)
        token.content = content.strip()
    state.pos = end + len(_CLOSERS[opener])
    return True


def _find(source: str, closer: str, begin: int, limit: int) -> int:
    end = source.find(closer, begin, limit)
    while end > 0 and closer[0] == "$" and _backslashes(source, end) % 2:
        end = source.find(closer, end + 1, limit)
    return end


def _backslashes(source: str, end: int) -> int:
    before = source[max(0, end - 64) : end]
    return len(before) - len(before.rstrip("\\"))


def is_formula(source: str, start: int, end: int) -> bool:
    """Return whether *source* from *start* to *end* is a formula, not money or a shell variable.

    The characters beside the two dollars decide.
    """
    before = source[start - 1] if start else " "
    after = source[end + 1] if end + 1 < len(source) else " "
    inside = source[start + 1] + source[end - 1]
    return not (before.isalnum() or before == "$" or after.isalnum() or any(map(str.isspace, inside)))


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    opener = first[:2]
    if opener not in ("$$", "\\["):
        return False
    closer = _CLOSERS[opener]
    rest = first[2:].rstrip()
    whole = len(rest) > len(closer) and rest.endswith(closer)
    if (rest and silent and not whole) or (not whole and closer in rest):
        return False
    if silent:
        return True
    line, closed = start + 1, whole
    while not closed and line < end:
        text = _line(state, line).strip()
        if not text or state.sCount[line] < state.blkIndent:
            break
        line += 1
        closed = text.endswith(closer)
    content = "\n".join(_line(state, number).rstrip() for number in range(start, line))
    formula = content[2 : -len(closer)].strip() if closed else ""
    state.line = line
    if formula:
        token = state.push("math_block", "math", 0)
        token.block = True
        token.map = [start, line]
        token.content = formula
        return True
    opening = state.push("paragraph_open", "p", 1)
    opening.map = [start, line]
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = content, [start, line], []
    state.push("paragraph_close", "p", -1)
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]

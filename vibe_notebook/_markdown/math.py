r"""Parse formulas in agent text, and render them as MathML or TeX.

A formula is ``$…$``, ``$$…$$``, ``\(…\)``, ``\[…\]`` or a known environment. Rules for the parser in ``renderer.py``.
A formula at the beginning of a line is one block up to its closing mark, a blank line or the end of the text, closed
or not: its closing mark can never change the blocks before it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from .._symbols import show_hidden
from .tex import TEXT_COMMANDS, environment_at, is_safe_tex, plain_tex

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["ENVIRONMENT", "environment_end", "is_formula", "isolate", "math_plugin", "mathml", "tex"]

INLINE_LIMIT = 2_000
"""Characters in which the parser searches a closing mark: with many unclosed marks the work stays linear."""

ENVIRONMENT = "environment"
"""Markup of a formula's token that has an environment in the place of marks."""

_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}
_ENVIRONMENT = re.compile(r"(?<=\{)(?:align(?:ed)?|gather(?:ed|\*)?)(?=\})")
_LINE_SPACE = re.compile(r"\\\\\[[^\]]*\]")
_UNKNOWN = re.compile(r"\\(?:(?P<arg>arg(?![A-Za-z]))|(?P<space>>)|(?:nonumber|notag)(?![A-Za-z])|\\)")
_SIZED_FENCE = re.compile(r"(?<=>)\\([A-Za-z]+|[{}|])(?=</mo>)")
_FENCES = dict(
    zip(
        [
            "langle",
            "rangle",
            "lbrace",
            "rbrace",
            "lceil",
            "rceil",
            "lfloor",
            "rfloor",
            "lvert",
            "rvert",
            "vert",
            "lVert",
            "rVert",
            "Vert",
            "backslash",
            "uparrow",
            "downarrow",
            "updownarrow",
            "lgroup",
            "rgroup",
            "lmoustache",
            "rmoustache",
            "{",
            "}",
            "|",
        ],
        "⟨⟩{}⌈⌉⌊⌋|||‖‖‖\\↑↓↕⟮⟯⎰⎱{}‖",
        strict=True,
    )
)
"""Fences whose name the converter leaves in the place of their character, behind a command of size."""
_UNCONVERTED = re.compile(r">(?:\\[A-Za-z>]|&<)")
"""A command that the converter shows by its name, or a column's mark that it shows as a character."""
_TEXT = re.compile(rf"\\(?:{'|'.join(sorted(TEXT_COMMANDS))})\*?[ \n]*\{{[^{{}}]*\}}")
_ESCAPED = re.compile(r"\\([$%#&_])")
_STAND_INS = str.maketrans("<>$%#&_", "\ue000\ue001\ue002\ue003\ue004\ue005\ue006")
_ORIGINALS = {ord("\ue000") + i: escape(mark) for i, mark in enumerate("<>$%#&_")}
_DELIMITER = re.compile(r"[$\\]")


def isolate(html: str) -> str:
    r"""Return escaped text in which the page's MathJax finds no formula.

    MathJax joins no text across elements. Every mark that could open a formula, an environment, an escape or
    a reference (``$``, ``\(``, ``\[``, ``\begin``, ``\ref``, ``\\``) begins with a dollar or a backslash, and
    each of these gets an element of its own.
    """
    return _DELIMITER.sub(r"<span>\g<0></span>", html)


def tex(source: str, *, display: bool, is_bare: bool = False) -> str:
    """Return a formula as TeX for the page's MathJax; an unsafe formula as code.

    A formula *is_bare* if the agent wrote no marks around it.
    """
    plain = plain_tex(source)
    if not is_safe_tex(plain):
        return _code(source, display=display, is_bare=is_bare)
    source = plain
    left, right = ("$$", "$$") if display else ("$", "$")
    if "$" in source:
        left, right = ("\\[", "\\]") if display else ("\\(", "\\)")
    return f"{left}{escape(source)}{right}"


@lru_cache(maxsize=512)
def mathml(source: str, *, display: bool, is_bare: bool = False) -> str:
    """Return a formula as MathML; a formula that is unsafe or cannot be converted as code."""
    plain = plain_tex(source)
    if not is_safe_tex(plain):
        return _code(source, display=display, is_bare=is_bare)
    # Loaded with the first formula: it brings the XML parser and http.client with it.
    from latex2mathml.converter import convert  # noqa: PLC0415

    try:
        html = convert(_convertible(plain), display="block" if display else "inline")
    except Exception:  # noqa: BLE001 - the converter raises any error of its parser, RecursionError too
        return _code(source, display=display, is_bare=is_bare)
    html = _SIZED_FENCE.sub(lambda fence: _FENCES.get(fence[1], fence[0]), html)
    if _UNCONVERTED.search(html):
        return _code(source, display=display, is_bare=is_bare)
    html = re.sub("<mi>([\ue000\ue001])</mi>", r"<mo>\1</mo>", html)
    return html.translate(_ORIGINALS)


def _convertible(source: str) -> str:
    """Return *source* with the same meaning in words that the converter knows.

    Private characters stand for the characters that the converter does not escape in text.
    """
    source = _TEXT.sub(lambda text: _ESCAPED.sub(lambda mark: mark[1].translate(_STAND_INS), text[0]), source)
    source = _UNKNOWN.sub(_known, _LINE_SPACE.sub(r"\\\\", _ENVIRONMENT.sub(_supported, source)))
    return source.replace("<", "\ue000").replace(">", "\ue001")


def _known(command: re.Match[str]) -> str:
    """Return the command that the converter knows; nothing for a command about the number of a line."""
    if command[0] == "\\\\":
        return command[0]
    return "\\operatorname{arg}" if command["arg"] else "\\:" if command["space"] else " "


def _supported(environment: re.Match[str]) -> str:
    """Return the environment of the same columns that the converter supports, without numbers as in the page."""
    return "align*" if environment[0].startswith("align") else "matrix"


def _code(source: str, *, display: bool, is_bare: bool) -> str:
    marks = "" if is_bare else "$$" if display else "$"
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
    if environment := environment_at(source, start):
        return _inline_environment(state, environment, silent)
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


def _inline_environment(state: StateInline, name: str, silent: bool) -> bool:  # noqa: FBT001
    """Parse an environment within a paragraph as a display formula."""
    start = state.pos
    end = environment_end(state.src, name, start, min(state.posMax, start + INLINE_LIMIT))
    if end < 0:
        return False
    if not silent:
        token = state.push("math_display", "math", 0)
        token.content, token.markup = state.src[start:end], ENVIRONMENT
    state.pos = end
    return True


def environment_end(source: str, name: str, start: int, limit: int) -> int:
    """Return the position after the end of the environment *name* that begins at *start*, or -1."""
    depth = 0
    for match in re.finditer(rf"\\(begin|end)\{{{re.escape(name)}\}}", source[start:limit]):
        depth += 1 if match[1] == "begin" else -1
        if not depth:
            return start + match.end()
    return -1


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
    environment = environment_at(first, 0)
    opener = f"\\begin{{{environment}}}" if environment else first[:2]
    if not environment and opener not in ("$$", "\\["):
        return False
    closer = f"\\end{{{environment}}}" if environment else _CLOSERS[opener]
    rest = first[len(opener) :].rstrip()
    whole = len(rest) > len(closer) and rest.endswith(closer)
    if (rest and silent and not whole and not environment) or (not whole and closer in rest):
        return False
    if silent:
        return True
    depth = 1 + rest.count(opener) - rest.count(closer) if environment else int(not whole)
    line = start + 1
    while depth > 0 and line < end:
        text = _line(state, line).strip()
        if not text or state.sCount[line] < state.blkIndent:
            break
        line += 1
        depth += text.count(opener) - text.count(closer) if environment else -text.endswith(closer)
    content = "\n".join(_line(state, number).rstrip() for number in range(start, line)).strip()
    is_formula = depth <= 0 and content.endswith(closer)
    formula = content if environment else content[2 : -len(closer)].strip()
    state.line = line
    if is_formula and formula:
        token = state.push("math_block", "math", 0)
        token.block = True
        token.map = [start, line]
        token.content, token.markup = formula, ENVIRONMENT if environment else ""
        return True
    opening = state.push("paragraph_open", "p", 1)
    opening.map = [start, line]
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = content, [start, line], []
    state.push("paragraph_close", "p", -1)
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]

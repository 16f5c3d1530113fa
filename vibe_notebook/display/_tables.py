"""Rows of a table to HTML at once, where they are simple: a long table has a hundred thousand cells.

markdown-it's own rule reads the header; four tokens for every cell are what took most of the time.
A row that needs the parser gets its tokens, and so does the last one, which may still be written.
Without this module a live table took 1.2 (80 KB) to 1.4 times (300 KB) the kernel's processor time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from markdown_it.rules_block import table

from ._inline import simple_tokens

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

__all__ = ["tables_plugin"]

_PIPE = re.compile(r"(?<!\\)\|")
_ALIGNED = re.compile(r"text-align:(left|right|center)")
_TAGS = {"strong_open": "<strong>", "strong_close": "</strong>", "em_open": "<em>", "em_close": "</em>"}

EMPTY_LIMIT = 0x10000
"""Cells that rows may lack in all, as in markdown-it: each is made up for one byte."""


def tables_plugin(md: MarkdownIt) -> None:
    """Let *md* take the short way through a table's rows."""
    md.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    md.add_render_rule("table_rows", _render_rows)
    md.add_render_rule("td_open", _render_cell)
    md.add_render_rule("th_open", _render_cell)


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's signature
    if not table(state, start, min(end, start + 2), silent):
        return False
    if silent:
        return True
    first = len(state.tokens) - 1
    while state.tokens[first].type != "table_open":
        first -= 1
    styles = [_style(token) for token in state.tokens[first:] if token.type == "th_open"]
    closing = state.tokens.pop()
    state.level += 1
    state.parentType, outer = "table", state.parentType
    rows = _rows(state, start + 2, end, len(styles))
    if rows:
        last = start + 2 + len(rows)
        state.push("tbody_open", "tbody", 1).map = [start + 2, last]
        _push_rows(state, start + 2, rows, styles)
        state.push("tbody_close", "tbody", -1)
        (state.tokens[first].map or [0, 0])[1] = state.line = last
    state.parentType = outer
    state.level -= 1
    state.tokens.append(closing)
    return True


def _rows(state: StateBlock, line: int, end: int, width: int) -> list[list[str]]:
    """Read the rows of *width* cells from *line* on, by markdown-it's conditions."""
    terminators = state.md.block.ruler.getRules("blockquote")
    rows: list[list[str]] = []
    missing = 0
    while line < end and state.sCount[line] >= state.blkIndent:
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()
        if not text or state.is_code_block(line) or any(rule(state, line, end, True) for rule in terminators):
            break
        cells = _PIPE.split(text)
        cells = cells[cells[0] == "" :]
        if cells and cells[-1] == "":
            cells.pop()
        missing += width - len(cells)
        if missing > EMPTY_LIMIT:
            break
        cells = [cell.strip().replace("\\|", "|") for cell in cells[:width]]
        rows.append(cells + [""] * (width - len(cells)))
        line += 1
    return rows


def _push_rows(state: StateBlock, line: int, rows: list[list[str]], styles: list[str]) -> None:
    simple: list[str] = []
    for number, cells in enumerate(rows):
        html = [_simple_html(cell) for cell in cells]
        if None not in html and number < len(rows) - 1:
            made = [f'<td style="{style}">{cell}</td>\n' for style, cell in zip(styles, html, strict=True)]
            simple += ["<tr>\n", *made, "</tr>\n"]
            continue
        _push_simple(state, simple)
        state.push("tr_open", "tr", 1)
        for style, cell in zip(styles, cells, strict=True):
            state.push("td_open", "td", 1).attrs = {"style": style}
            token = state.push("inline", "", 0)
            token.content, token.map, token.children = cell, [line + number, line + number + 1], []
            state.push("td_close", "td", -1)
        state.push("tr_close", "tr", -1)
    _push_simple(state, simple)


def _push_simple(state: StateBlock, simple: list[str]) -> None:
    """Put rows that need no parser into one token, and forget them."""
    if simple:
        state.push("table_rows", "", 0).content = "".join(simple)
        simple.clear()


def _simple_html(text: str) -> str | None:
    """Return the HTML of a text that is simple and holds no address that becomes a link."""
    tokens = simple_tokens(text) if "://" not in text else None
    return None if tokens is None else "".join(map(_html, tokens))


def _html(token: Token) -> str:
    html = _TAGS.get(token.type) or escape(token.content)
    return f"<code>{html}</code>" if token.type == "code_inline" else html


def _style(token: Token) -> str:
    # JupyterLab sets the cells of HTML outputs flush right unless they say otherwise themselves.
    style = str(token.attrs.get("style", ""))
    return style if _ALIGNED.fullmatch(style) else "text-align:left"


def _render_rows(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    """Render rows that needed no parser."""
    return tokens[index].content


def _render_cell(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return f'<{tokens[index].tag} style="{_style(tokens[index])}">'

"""Where a block that is still being written goes on: its last leaf, or a table's header.

Rules for markdown-it, which act on a parse with ``env["is_open"]`` and on nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._healing import is_delimiter
from ._open_marks import open_marks_plugin

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore

__all__ = ["healing_plugin"]


def healing_plugin(md: MarkdownIt) -> None:
    """Teach *md* to heal what is open; the rules of formulas and footnotes must be known already."""
    md.block.ruler.after("table", "open_table", _table, {"alt": ["paragraph", "reference"]})
    md.core.ruler.before("inline", "open_leaf", _leaf)
    md.use(open_marks_plugin)


def _leaf(state: StateCore) -> None:
    """Find the inline text that may go on, if any does."""
    if not state.env.get("is_open"):
        return
    is_line_over = state.src.endswith("\n")
    lines = state.src.count("\n") + (not is_line_over)
    leaf = None
    for index in range(len(state.tokens) - 1, 0, -1):
        token = state.tokens[index]
        if token.type == "inline":
            parent = state.tokens[index - 1].type
            # Cells that a short row lacks are empty: what goes on is the last one that is not.
            if parent in ("td_open", "th_open") and not token.content:
                continue
            is_over = is_line_over if parent != "paragraph_open" else (token.map or [0, 0])[1] < lines
            leaf = None if is_over else token
            break
        if token.nesting == 0 or (token.nesting == 1 and token.type not in ("td_open", "th_open")):
            break
    if leaf is not None:
        leaf.children = []
        state.env.update({"open": leaf.children, "leaf": leaf})


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """Show a table's header as one before the row under it has come."""
    line = _line(state, start).strip()
    if not state.env.get("is_open") or "|" not in line or state.is_code_block(start):
        return False
    last = start + 1
    if last < end and state.sCount[last] >= state.blkIndent and is_delimiter(_line(state, last)):
        is_header = not state.src.endswith("\n")
    else:
        last = start
        is_header = line[0] == "|"
    if not is_header or state.eMarks[last] < len(state.src.rstrip("\n")):
        return False
    if silent:
        return True
    table = state.push("table_open", "table", 1)
    table.map = [start, last + 1]
    state.push("thead_open", "thead", 1)
    state.push("tr_open", "tr", 1)
    for cell in re.split(r"(?<!\\)\|", line.strip("|")):
        state.push("th_open", "th", 1)
        token = state.push("inline", "", 0)
        token.content, token.map, token.children = cell.strip().replace("\\|", "|"), [start, start + 1], []
        state.push("th_close", "th", -1)
    state.push("tr_close", "tr", -1)
    state.push("thead_close", "thead", -1)
    state.push("table_close", "table", -1)
    state.line = last + 1
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]

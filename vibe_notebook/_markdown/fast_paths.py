"""Parse simple inline text and simple table rows without the full parser: a long table has 100,000 cells.

Rules for the parser in ``renderer.py``; text that is not simple goes to markdown-it's own rules.

Inline text: plain words, bold or slanted words and code need not pass every rule of the parser, which takes
three times as long for them. Without it the live drawing of 300 KB took 1.2 (mixed) to 1.4 times (one paragraph)
the kernel's processor time.

Table rows: markdown-it's rule reads the header; a simple row becomes HTML at once, because four tokens for every
cell took most of the time. A row that needs the parser still gets tokens, and so does the last row, which the
agent may still be writing. Without it a live table took 1.2 (80 KB) to 1.4 times (300 KB) the kernel's processor
time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import table
from markdown_it.token import Token

from .._symbols import show_controls, show_hidden

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline

__all__ = ["dispatch_plugin", "inline_plugin", "simple_tokens", "tables_plugin"]

_MARKS = re.compile(r"[\n&<\[\\$_~*`]")
"""First characters of all inline rules, but for "!", which needs a bracket."""
_SPAN = re.compile(
    r"(?P<mark>\*\*?)(?P<words>[^\W_]+(?: [^\W_]+)*)(?P=mark)(?=[\s,.;:]|\Z)"
    r"|`(?P<code>[^`\s](?:[^`\n]*[^`\s])?)`(?!`)"
)
_BEFORE = frozenset(" (,;:")


_FIRST: Final = {
    **dict.fromkeys(("math_inline", "open_formula"), "$\\"),
    **dict.fromkeys(("backticks", "open_code"), "`"),
    **dict.fromkeys(("link", "open_link", "footnote_ref"), "["),
    **dict.fromkeys(("image", "open_image"), "!"),
    **dict.fromkeys(("break", "html_tags", "autolink"), "<"),
    "newline": "\n",
    "escape": "\\",
    "strikethrough": "~",
    "emphasis": "*_",
    "entity": "&",
    "open_end": "<&~",
    "html_inline": "",
    "linkify": "",
}
"""First characters of the text that each rule reads; a rule that is missing here is asked for each character."""


class _Dispatcher(ParserInline):
    """Ask only the rules that read the next character: twenty questions a mark took most of the time."""

    def __init__(self, rules: ParserInline) -> None:
        super().__init__()
        self.__dict__.update(rules.__dict__)
        names = self.ruler.get_active_rules()
        found = dict(zip(names, self.ruler.getRules(""), strict=True))
        marks = set("".join(_FIRST.values()))
        self._rules = {
            mark: [rule for name, rule in found.items() if mark in _FIRST.get(name, mark)] for mark in marks
        }
        self._others = [rule for name, rule in found.items() if name not in _FIRST]

    def tokenize(self, state: StateInline) -> None:
        """Generate the tokens of the input, as ``ParserInline`` does."""
        rules_of, others, source = self._rules, self._others, state.src
        end, nesting = state.posMax, state.md.options["maxNesting"]
        while state.pos < end:
            rules = rules_of.get(source[state.pos], others) if state.level < nesting else ()
            if any(rule(state, False) for rule in rules):
                continue
            state.append_pending(source[state.pos])
            state.pos += 1
        if state.pending:
            state.pushPending()


def dispatch_plugin(md: MarkdownIt) -> None:
    """Let *md*, which has all of its rules, ask fewer of them."""
    md.inline = _Dispatcher(md.inline)


def inline_plugin(md: MarkdownIt) -> None:
    """Let *md* use the fast path for inline text that gives the same tokens."""
    md.core.ruler.at("inline", _inline)
    # markdown-it's own set serves any extension: every hyphen and colon would be a token of its own.
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
    """Return the tokens of plain text with bold or slanted words and code; ``None`` if *text* needs the parser."""
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


_PIPE = re.compile(r"(?<!\\)\|")
_ALIGNED = re.compile(r"text-align:(left|right|center)")
_TAGS = {"strong_open": "<strong>", "strong_close": "</strong>", "em_open": "<em>", "em_close": "</em>"}
EMPTY_LIMIT = 0x10000
"""Cells that a table's rows may lack in all, as in markdown-it: the parser adds each for one byte of source."""


def tables_plugin(md: MarkdownIt) -> None:
    """Let *md* use the fast path for a table's rows."""
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
    """Return the rows from *line* on, of *width* cells each, by markdown-it's conditions."""
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
    """Push the collected *simple* rows as one token, and empty the list."""
    if simple:
        state.push("table_rows", "", 0).content = "".join(simple)
        simple.clear()


def _simple_html(text: str) -> str | None:
    """Return the HTML of a simple text; ``None`` if *text* needs the parser or has a bare address."""
    tokens = simple_tokens(text) if "://" not in text else None
    return None if tokens is None else "".join(map(_html, tokens))


def _html(token: Token) -> str:
    if token.type == "code_inline":
        return f"<code>{escape(show_hidden(token.content))}</code>"
    return _TAGS.get(token.type) or escape(show_controls(token.content))


def _style(token: Token) -> str:
    # JupyterLab aligns the cells of HTML outputs to the right unless their own style says otherwise.
    style = str(token.attrs.get("style", ""))
    return style if _ALIGNED.fullmatch(style) else "text-align:left"


def _render_rows(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    """Return the HTML of rows that needed no parser."""
    return tokens[index].content


def _render_cell(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return f'<{tokens[index].tag} style="{_style(tokens[index])}">'

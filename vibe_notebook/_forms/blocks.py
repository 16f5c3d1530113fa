"""Write the blocks of which rich results consist: a diff, a terminal, code, a table, a tree, a list of hits or of steps.

Each block has its form in HTML, in Markdown and in text, and escapes whatever a stranger wrote. ``displays.py`` and
``shapes.py`` choose the blocks. As in ``html.py`` there is no stylesheet: the order of the words alone reads well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from .._markdown.highlight import highlight
from .._markdown.languages import LANGUAGES
from .._markdown.math import isolate
from .._markdown.sanitize import href_of
from .._symbols import show_hidden
from ..events import PlanEntry
from ..parts import PlanPart
from .colours import BAD, GOOD, WAIT, coloured_html
from .conversation import PLAN_MARKS, plan_summary
from .diffs import DiffLine, counts
from .excerpt import CHARACTERS, excerpt
from .html_conversation import plan_html
from .neutral import escape_text, fence, link
from .terminal_text import terminal_text
from .trees import tree_html
from .wording import (
    clean,
    clean_code,
    in_line,
    label_count,
    numeric_columns,
    preview,
    shown_table,
    table_text,
)

__all__ = [
    "LABEL",
    "PRE",
    "SMALL",
    "Block",
    "CodeBlock",
    "DiffBlock",
    "Hit",
    "HitsBlock",
    "Joined",
    "RestBlock",
    "StepsBlock",
    "TableBlock",
    "TerminalBlock",
    "TextBlock",
    "TreeBlock",
    "host_of",
    "pre_html",
    "table_html",
]

SMALL: Final = "opacity:.65;font-size:86%"
LABEL: Final = "margin:.5em 0 .1em;opacity:.65;font-size:86%"
PRE: Final = (
    "margin:0;padding:.4em .6em;max-height:24em;overflow:auto;border-radius:4px;background:rgba(128,128,128,.13);"
    "font-size:90%;white-space:pre-wrap;overflow-wrap:break-word"
)
_PLAIN: Final = "background:none"
_WIDE: Final = "overflow-x:auto"
_TALL: Final = "overflow:auto;max-height:24em"
# JupyterLab's sanitiser keeps these; one grey suits both themes, and the rows must not shine through.
_STICKY: Final = "position:sticky;top:0;background:#6e6e6e;color:#fff"
_TALL_ROWS: Final = 10
_ROW: Final = "display:block"
_TINTS: Final = {"+": (GOOD, "rgba(30,140,60,.16)"), "-": (BAD, "rgba(226,60,50,.16)")}
DIFF_LINES: Final = 1_000
"""Lines of one diff that a form shows; each needs an element of its own."""
MARKDOWN_ROWS: Final = 100
"""Rows of a table in the Markdown form."""
_CELL: Final = 200


class Block(Protocol):
    """Describe a block of a form."""

    def html(self) -> str:
        """Return the block as safe HTML."""

    def markdown(self) -> str:
        """Return the block as Markdown."""

    def text(self) -> str:
        """Return the block as plain text."""


def pre_html(html: str) -> str:
    """Return escaped *html* in a box that scrolls."""
    # Without <code>, nbconvert uses the font of the text.
    return f'<pre dir="auto" style="{PRE}"><code style="{_PLAIN}">{html}</code></pre>'


def _text(text: str) -> str:
    """Return plain text escaped for HTML and for MathJax."""
    return isolate(escape(clean(text)))


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Show plain text, as a terminal shows it; with *language*, the Markdown form names it."""

    content: str
    language: str = ""

    def html(self) -> str:
        return pre_html(coloured_html(self.content))

    def markdown(self) -> str:
        return fence(self.text(), self.language)

    def text(self) -> str:
        return excerpt(terminal_text(self.content))


@dataclass(frozen=True, slots=True)
class RestBlock:
    """Show the arguments that the block above does not: a short one in a small line."""

    content: str

    def html(self) -> str:
        if "\n" in self.content or len(self.content) > _CELL:
            return pre_html(escape(self.content))
        return f'<div style="{SMALL}" dir="auto">{_text(self.content)}</div>'

    def markdown(self) -> str:
        return fence(self.content)

    def text(self) -> str:
        return self.content


@dataclass(frozen=True, slots=True)
class Joined:
    """Show blocks below each other."""

    blocks: tuple[Block, ...]

    def html(self) -> str:
        return "\n".join(block.html() for block in self.blocks)

    def markdown(self) -> str:
        return "\n\n".join(block.markdown() for block in self.blocks)

    def text(self) -> str:
        return "\n".join(block.text() for block in self.blocks)


@dataclass(frozen=True, slots=True)
class DiffBlock:
    """Show the lines of a diff with their numbers and signs."""

    lines: tuple[DiffLine, ...]
    path: str = ""

    def _shown(self) -> tuple[Sequence[DiffLine], int]:
        room, count = CHARACTERS, 0
        for line in self.lines[:DIFF_LINES]:
            room -= len(line.text)
            if room < 0 and count:
                break
            count += 1
        return [_without_returns(line) for line in self.lines[:count]], len(self.lines) - count

    def _note(self, omitted: int) -> str:
        return f"{omitted:,} lines are left out here"

    def html(self) -> str:
        shown, omitted = self._shown()
        width = len(str(max((line.number or 0 for line in shown), default=0)))
        has_numbers = any(line.number is not None for line in shown)
        rows = "".join(_diff_row(line, width if has_numbers else 0) for line in shown)
        rows += f'<span style="opacity:.65">[{self._note(omitted)}]</span>' if omitted else ""
        path = f"<bdi>{_text(in_line(self.path, 300))}</bdi> · " if self.path else ""
        return f'<div style="{SMALL}">{path}{counts(self.lines)}</div>\n{pre_html(rows)}'

    def markdown(self) -> str:
        path = f"{escape_text(in_line(self.path, 300))} · {counts(self.lines)}\n\n" if self.path else ""
        return f"{path}{fence(self._signed(), 'diff')}"

    def text(self) -> str:
        head = " · ".join(filter(None, (in_line(self.path, 300), counts(self.lines))))
        return f"{head}\n{self._signed()}"

    def _signed(self) -> str:
        shown, omitted = self._shown()
        lines = [
            f"{line.sign}{clean_code(_cut(line.text))}" if line.text else line.sign.strip() for line in shown
        ]
        return "\n".join([*lines, *([f"[{self._note(omitted)}]"] if omitted else [])])


def _without_returns(line: DiffLine) -> DiffLine:
    """Return a line whose carriage returns are symbols: they would begin a line that the file does not have."""
    if "\r" not in line.text:
        return line
    return line._replace(text=line.text.removesuffix("\r").replace("\r", "\N{SYMBOL FOR CARRIAGE RETURN}"))


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}…"


def _diff_row(line: DiffLine, width: int) -> str:
    text = escape(clean_code(_cut(line.text)), quote=False)
    if not line.sign:
        return f'<span style="opacity:.65">{text}</span>\n'
    number = "" if line.number is None else str(line.number)
    gutter = f'<span style="opacity:.65">{number:>{width}}</span> ' if width else ""
    if line.sign not in _TINTS:
        return f"{gutter}  {text}\n"
    tint, ground = _TINTS[line.sign]
    sign = f'<strong style="color:{tint}">{line.sign}</strong>'
    return f'<span style="{_ROW};background:{ground}">{gutter}{sign} {text}\n</span>'


@dataclass(frozen=True, slots=True)
class TerminalBlock:
    """Show a command, what it wrote, and its exit code."""

    command: str = ""
    output: str = ""
    errors: str = ""
    code: int | None = None

    def html(self) -> str:
        pieces = [f"<strong>$</strong> {escape(self._command())}"] if self.command else []
        pieces += [coloured_html(self.output.rstrip("\n"))] if self.output.strip("\n") else []
        if self.errors.strip("\n"):
            if self.output.strip("\n"):
                pieces.append(f'<span style="color:{WAIT}">stderr:</span>')
            pieces.append(coloured_html(self.errors.rstrip("\n")))
        if self.code is not None:
            word = f"exit {self.code}"
            pieces.append(
                f'<strong style="color:{BAD}">{word}</strong>'
                if self.code
                else f'<span style="opacity:.65">{word}</span>'
            )
        return pre_html("\n".join(pieces))

    def _command(self) -> str:
        return excerpt(clean_code(self.command)).rstrip("\n")

    def markdown(self) -> str:
        return fence(self.text(), "console" if self.command else "")

    def text(self) -> str:
        lines = [f"$ {self._command()}"] if self.command else []
        output, errors = (excerpt(terminal_text(text)).strip("\n") for text in (self.output, self.errors))
        lines += [output] if output else []
        lines += ["stderr:"] if output and errors else []
        lines += [errors] if errors else []
        lines += [f"exit {self.code}"] if self.code is not None else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Show code in the colours of its language."""

    code: str
    language: str = ""

    def html(self) -> str:
        code = excerpt(show_hidden(self.code))
        name = f' class="language-{self.language}"' if self.language in LANGUAGES else ""
        colours = highlight(code, self.language) if name else escape(code)
        return (
            f'<div class="highlight"><pre dir="auto" style="{PRE}"><code{name} style="{_PLAIN}">{colours}'
            "</code></pre></div>"
        )

    def markdown(self) -> str:
        return fence(self.text(), self.language if self.language in LANGUAGES else "")

    def text(self) -> str:
        return excerpt(show_hidden(self.code))


class Hit(NamedTuple):
    """Hold a hit of a search; ``url`` is "" unless it may be a link."""

    title: str
    url: str
    snippet: str


@dataclass(frozen=True, slots=True)
class HitsBlock:
    """Show the hits of a search as links."""

    hits: tuple[Hit, ...]
    omitted: int = 0

    def html(self) -> str:
        rows = "".join(f'<li style="margin:.2em 0">{_hit_html(hit)}</li>\n' for hit in self.hits)
        rest = f'<div style="{SMALL}">{self._rest()}</div>' if self.omitted else ""
        return f'<ul style="margin:.2em 0;padding:0;list-style-type:none">\n{rows}</ul>{rest}'

    def markdown(self) -> str:
        lines = []
        for hit in self.hits:
            title = escape_text(hit.title, is_link_text=True)
            words = [link({"href": hit.url}, title) if hit.url else title, escape_text(host_of(hit.url))]
            lines.append(f"- {' · '.join(filter(None, [*words, escape_text(hit.snippet)]))}")
        return "\n".join([*lines, *([f"- {self._rest()}"] if self.omitted else [])])

    def text(self) -> str:
        lines = [
            "\n  ".join(
                filter(None, (" · ".join(filter(None, (hit.title, in_line(hit.url, 500)))), hit.snippet))
            )
            for hit in self.hits
        ]
        return "\n".join([*lines, *([self._rest()] if self.omitted else [])])

    def _rest(self) -> str:
        return f"… {self.omitted:,} more"


def _hit_html(hit: Hit) -> str:
    title = f'<span dir="auto">{_text(hit.title)}</span>'
    if hit.url:
        title = f'<a href="{href_of(hit.url)}" target="_blank" rel="noopener noreferrer">{title}</a>'
    host = host_of(hit.url)
    host = f' <span style="{SMALL}">· {_text(host)}</span>' if host else ""
    snippet = f'<br><span dir="auto" style="{SMALL}">{_text(hit.snippet)}</span>' if hit.snippet else ""
    return f"{title}{host}{snippet}"


def host_of(url: str) -> str:
    """Return the host of an address; "" without one."""
    try:
        return in_line(urlsplit(url).hostname or "", 100)
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class TableBlock:
    """Show the summary of a table: ``{columns, rows, total}``."""

    table: Mapping[str, Any]

    def html(self) -> str:
        return table_html(self.table)

    def markdown(self) -> str:
        columns, rows, note = shown_table({**self.table, "rows": self.table["rows"][:MARKDOWN_ROWS]})
        if not columns:
            return fence(self.text())
        lines = [_markdown_row(row, len(columns)) for row in (columns, *rows)]
        lines.insert(1, "|" + " --- |" * len(columns))
        return "\n".join(lines) + (f"\n\n{note}" if note else "")

    def text(self) -> str:
        return table_text(self.table)


def _markdown_row(row: Sequence[Any], width: int) -> str:
    cells = [escape_text(_cell(cell)) or " " for cell in [*row, *[None] * width][:width]]
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    return preview(value, _CELL) if value is not None else ""


def table_html(table: Mapping[str, Any]) -> str:
    """Return a table's summary: it scrolls, keeps its header, and says how many of its rows it shows."""
    columns, rows, note = shown_table(table)
    labels, is_numeric = label_count(table), numeric_columns(rows)
    sides = ["right" if numeric else "left" for numeric in is_numeric] or ["left"] * len(columns)
    head = "".join(
        f'<th dir="auto" style="text-align:{side}">{_text(_cell(name))}</th>'
        for name, side in zip_longest(columns, sides[: len(columns)], fillvalue="left")
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row" dir="auto" style="text-align:{side};white-space:nowrap">{_text(_cell(cell))}</th>'
            if at < labels
            else f'<td dir="auto" style="text-align:{side}">{_text(_cell(cell))}</td>'
            for at, (side, cell) in enumerate(zip(sides, row, strict=False))
        )
        + "</tr>\n"
        for row in rows
    )
    note = note or f"showing {len(rows):,} of {len(rows):,} rows"
    thead = f'<thead style="{_STICKY}">' if len(rows) > _TALL_ROWS else "<thead>"
    return (
        f'<div style="{_TALL if len(rows) > _TALL_ROWS else _WIDE}"><table style="margin:0">\n{thead}<tr>{head}</tr>'
        f'</thead>\n<tbody>\n{body}</tbody>\n</table></div>\n<div style="{SMALL}">{note}</div>'
    )


@dataclass(frozen=True, slots=True)
class TreeBlock:
    """Show JSON text as a tree that folds."""

    json: str
    """Text that is an object or an array."""
    plain: str
    """The same, laid out."""

    def html(self) -> str:
        tree = tree_html(self.json)
        return pre_html(escape(self.plain) if tree is None else tree)

    def markdown(self) -> str:
        return fence(self.plain, "json")

    def text(self) -> str:
        return self.plain


@dataclass(frozen=True, slots=True)
class StepsBlock:
    """Show a todo list."""

    entries: tuple[PlanEntry, ...]

    def _plan(self) -> PlanPart:
        return PlanPart(entries=self.entries)

    def html(self) -> str:
        return plan_html(self._plan())

    def markdown(self) -> str:
        steps = [f"- {PLAN_MARKS[one.status]} {escape_text(in_line(one.text, 500))}" for one in self.entries]
        return "\n".join([escape_text(plan_summary(self._plan())), "", *steps])

    def text(self) -> str:
        steps = [f"{PLAN_MARKS[one.status]} {in_line(one.text, 500)}" for one in self.entries]
        return "\n".join([plan_summary(self._plan()), *steps])

"""Write the list of sessions as a table: for a file of any width, or for a terminal as wide as it is.

Above ``_sessions``; the command line prints it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from .._forms.terminal_text import char_width
from .._forms.wording import in_line
from ._homes import HOMES, session_id
from ._sessions import WORDS, Session

__all__ = ["session_lines"]

_HEAD: Final = ("LOG", "CHANGED", "PROJECT", "TURNS", "COST", "WORDS")
_TO_THE_RIGHT: Final = ("TURNS", "COST")
_PROJECT: Final = 30
"""Columns of a project's path: its end."""
_LEAST_PROJECT: Final = 12
_LEAST_WORDS: Final = 30
"""Columns of the words, for which a narrow terminal shows less of the project, and no time of day."""
_GAP: Final = "  "
_CENT: Final = 0.01
_BOLD, _DIM, _YELLOW = "1", "2", "33"


def session_lines(
    found: Iterable[Session], *, width: int | None = None, has_colours: bool = False
) -> Iterator[str]:
    """Yield a table of sessions, one line each, with nothing in it that a terminal would obey.

    *width* is that of the terminal: no line is wider. ``None`` cuts nothing. With *has_colours* the head is bold, the
    times are dim, and problems are yellow.
    """
    listed = list(found)
    names = _names([each.path for each in listed])
    rows = [_HEAD, *(_row(each, names[each.path]) for each in listed)]
    cells = [[in_line(cell, WORDS) for cell in row] for row in rows]
    _fit(cells, width)
    widths = [max(_width(row[i]) for row in cells) for i in range(len(_HEAD))]
    for number, row in enumerate(cells):
        last = len(row) - 1
        room = None if width is None else width - sum(widths[:last]) - len(_GAP) * last
        words = row[last] if room is None else _cut(row[last], room)
        parts = [_aligned(cell, widths[i], _HEAD[i]) for i, cell in enumerate(row[:last])]
        if has_colours and number:
            parts[1] = _tinted(parts[1], _DIM)
            words = _tinted(words, _YELLOW) if listed[number - 1].problem else words
        line = _GAP.join([*parts, words]).rstrip()
        yield _tinted(line, _BOLD) if has_colours and not number else line


def _row(each: Session, name: str) -> tuple[str, ...]:
    turns = f"{each.turns}{'+' if each.is_partial else ''}" if each.turns or not each.problem else ""
    when = datetime.datetime.fromtimestamp(each.changed_at).astimezone()
    words = each.title or each.first_words or each.problem or each.agent
    return name, f"{when:%Y-%m-%d %H:%M}", _end_of(each.project, _PROJECT), turns, _cost(each), words


def _cost(each: Session) -> str:
    if each.cost is None:
        return ""
    shown = f"${each.cost:,.2f}" if each.cost >= _CENT or not each.cost else "<$0.01"
    return f"{shown}{'+' if each.is_partial else ''}"


def _fit(cells: list[list[str]], width: int | None) -> None:
    """Shorten the projects, then the times, until the words have their room; at last leave the projects out."""
    if width is None:
        return

    def room() -> int:
        columns = list(zip(*cells, strict=True))[:-1]
        return width - sum(max(map(_width, column)) for column in columns) - len(_GAP) * len(columns)

    for limit in range(_PROJECT, _LEAST_PROJECT - 1, -1):
        if room() >= _LEAST_WORDS:
            return
        for row in cells[1:]:
            row[2] = _end_of(row[2], limit)
    if room() < _LEAST_WORDS:
        for row in cells[1:]:
            row[1] = row[1].partition(" ")[0]
    if room() < _LEAST_WORDS // 2:
        for row in cells:
            row[2] = ""


def _names(paths: list[Path]) -> dict[Path, str]:
    """Return the shortest name that opens each log and no other of the list: its scheme and its id's beginning, or its path."""
    schemes = {path: next((home for home in HOMES if home.holds(path)), None) for path in paths}
    ids = [session_id(path) for path in paths]
    found: dict[Path, str] = {}
    for path, home in schemes.items():
        if home is None:
            found[path] = str(path)
            continue
        whole, short = session_id(path), home.session_of(path)
        while short != whole and sum(each.startswith(short) for each in ids) > 1:
            short = whole[: len(short) + 1]
        found[path] = f"{home.scheme}:{short}"
    return found


def _aligned(cell: str, width: int, head: str) -> str:
    gap = " " * (width - _width(cell))
    return f"{gap}{cell}" if head in _TO_THE_RIGHT else f"{cell}{gap}"


def _width(words: str) -> int:
    return sum(map(char_width, words))


def _cut(words: str, width: int) -> str:
    """Return the beginning of *words* that fits into some columns."""
    if _width(words) <= width:
        return words
    shown, used = "", 1
    for char in words:
        used += char_width(char)
        if used > width:
            break
        shown += char
    return f"{shown.rstrip()}…" if width > 0 else ""


def _end_of(words: str, width: int) -> str:
    return words if _width(words) <= width else f"…{_cut(words[::-1], width)[:-1][::-1]}"


def _tinted(words: str, tint: str) -> str:
    return f"\x1b[{tint}m{words}\x1b[0m" if words.strip() else words

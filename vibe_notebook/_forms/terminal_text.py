"""Read the output of programs as their terminal would show it in the end: a progress bar is its last state.

Pure, incremental and linear in the text: the result does not depend on where a text was cut into pieces. Colours are
dropped here; ``colours.py`` keeps them.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from .._symbols import show_hidden
from .sequences import SPECIAL, Sequences

__all__ = ["MARK", "STYLES", "TerminalText", "char_width", "terminal_text"]

STYLES: Final = "".join(map(chr, range(0xFDD0, 0xFDF0)))
"""Characters that no text has: each of them is the style of the character before it. They need no column."""


_WINDOW: Final = 100
"""Lines, from the last one, to which a program may go back: terminals are seldom higher."""
MARK: Final = 500
"""Lines from one known place of a text to the next."""
_FAR: Final = 10_000
"""The greatest count or column of a control sequence."""


class _Row:
    """Hold a line: its pieces while it only grows, its columns once the cursor went back in it.

    A wide character or a tab stands in its first column, with "" in the others.
    """

    __slots__ = ("_pieces", "_size", "columns")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self.columns: list[str] | None = None

    @property
    def size(self) -> int:
        """Return the characters of the line."""
        return self._size if self.columns is None else sum(map(len, self.columns))

    @property
    def is_long(self) -> bool:
        """Return whether the line is beyond all terminals: the cursor stays at its end."""
        return self.columns is None and self._size > _FAR

    def append(self, text: str) -> None:
        """Append to a line without columns."""
        self._pieces.append(text)
        self._size += len(text)

    def read(self, start: int = 0) -> str:
        """Return the line from the character *start* on."""
        if self.columns is not None:
            return "".join(self.columns)[start:]
        found, left = [], self._size - start
        for piece in reversed(self._pieces):
            if left <= 0:
                break
            found.append(piece[-left:])
            left -= len(piece)
        return "".join(reversed(found))

    def divide(self) -> list[str]:
        """Divide the line into columns; return them."""
        if self.columns is None:
            self.columns = []
            self.put(0, "".join(self._pieces))
            self._pieces = []
        return self.columns

    def settle(self) -> None:
        """Leave the columns of a line that only grows again."""
        text = self.read()
        self.columns, self._pieces, self._size = None, [text], len(text)

    def put(self, column: int, text: str) -> int:
        """Write over the columns from *column* on; return the column behind the text."""
        columns = self.divide()
        if text.isascii() and "\t" not in text:
            self.free(column)
            self.free(column + len(text))
            columns[column : column + len(text)] = text
            return column + len(text)
        for char in text:
            if char == "\t":
                end = (column // 8 + 1) * 8
                if column >= len(columns):
                    columns += ["\t", *[""] * (end - column - 1)]
                columns += " " * (end - len(columns))
                column = end  # a tab moves over text and keeps it
                continue
            width = char_width(char)
            if not width and column:
                start = column - 1
                while start and start < len(columns) and not columns[start]:
                    start -= 1
                if start < len(columns):
                    columns[start] += char
                    continue
            self.free(column)
            self.free(column + max(width, 1))
            columns[column : column + max(width, 1)] = [char, *[""] * (width - 1)]
            column += max(width, 1)
        return column

    def free(self, column: int) -> None:
        """Replace the wide character or tab that *column* cuts in two by spaces."""
        columns = self.divide()
        if column >= len(columns) or columns[column]:
            return
        start = column
        while start and not columns[start]:
            start -= 1
        while column < len(columns) and not columns[column]:
            column += 1
        columns[start:column] = " " * (column - start)


def char_width(char: str) -> int:
    """Return the columns of a character."""
    if char in STYLES:
        return 0
    if unicodedata.east_asian_width(char) in ("W", "F"):
        return 2
    return 0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1


class TerminalText(Sequences):
    """Hold the text that a terminal without a right margin shows for a growing output.

    The last ``_WINDOW`` lines may still change. ``changes`` returns the news, for a display. The cursor is not put back
    to a saved place: programs save it to write into a corner of the screen, and a text has none.
    """

    def __init__(self) -> None:
        super().__init__()
        self._done: list[str] = []  # the lines above the window, each with its line feed
        self._done_size = 0
        self._done_lines = 0
        self._marks = [0]  # the character at which each MARK-th line begins
        self._rows = [_Row()]
        self._row = 0
        self._column: int | None = None  # None: behind the line's last character
        self._screen: int | None = None  # the line at which a program's own screen begins
        self._room = 200  # columns and lines that moves of the cursor may still fill: some, and as many as there was text
        self._changed: tuple[int, int] | None = None  # line of the window and character of the first change
        self._unsent: list[str] = []  # changed text that has left the window
        self._unsent_at = 0

    # Reading

    @property
    def size(self) -> int:
        """Return the characters of the text."""
        return self._done_size + sum(row.size for row in self._rows) + len(self._rows) - 1

    @property
    def lines(self) -> int:
        """Return the lines of the text."""
        return self._done_lines + len(self._rows)

    def start_of(self, line: int) -> int:
        """Return the character at which a line begins: a multiple of ``MARK`` above the window."""
        return self._marks[line // MARK]

    def read(self, start: int = 0, end: int | None = None) -> str:
        """Return the text from the character *start* to *end*."""
        if start >= self._done_size:
            return self._window()[start - self._done_size :][: None if end is None else max(0, end - start)]
        found, left = [], self._done_size - start
        for piece in reversed(self._done):
            if left <= 0:
                break
            found.append(piece[-left:])
            left -= len(piece)
        text = "".join((*reversed(found), self._window()))
        return text if end is None else text[: max(0, end - start)]

    def changes(self) -> tuple[int, str]:
        """Return the news since the last call: how many characters stay, and the text behind them."""
        if self._unsent:
            news = self._unsent_at, "".join((*self._unsent, self._window()))
        elif self._changed is not None:
            row, at = self._changed
            news = self._offset(row) + at, self._window(row, at)
        else:
            news = self.size, ""
        self._unsent, self._changed = [], None
        return news

    def _window(self, row: int = 0, at: int = 0) -> str:
        first, *others = self._rows[row:]
        return "\n".join([first.read(at), *(other.read() for other in others)])

    def _offset(self, row: int) -> int:
        return self._done_size + sum(each.size for each in self._rows[:row]) + row

    def _touch(self, row: int, at: int = 0) -> None:
        if self._changed is None or (row, at) < self._changed:
            self._changed = row, at

    # Text

    def plain(self, text: str) -> None:
        self._write(show_hidden(text))
        self._room += len(text)  # afterwards: a gap before the text must not depend on where it is cut

    def control(self, control: str) -> None:
        match control:
            case "\n" | "\x85":
                self._to_row(self._row + 1, 0, may_grow=True)
            case "\r":
                self._to_column(0)
            case "\b":
                self._to_column(self._present_column() - 1)
            case "\x84":
                self._to_row(self._row + 1, self._present_column(), may_grow=True)
            case "\x8d":
                self._to_row(self._row - 1, self._present_column())
            case "\x07" | "\x0e" | "\x0f":
                pass  # the bell and the change of alphabets show nothing
            case _:
                self._write(show_hidden(control))

    def escape(self, final: str) -> None:
        match final:
            case "D" | "E" | "M":
                self.control(chr(ord(final) + 0x40))

    def sequence(self, parameters: str, final: str) -> None:
        numbers = [int(word) if word.isdecimal() else 0 for word in parameters.split(";")]
        count, column = min(max(numbers[0], 1), _FAR), self._present_column()
        match final:
            case "A":
                self._to_row(self._row - count, column)
            case "B":
                self._to_row(self._row + count, column)
            case "C" | "a":
                self._to_column(column + count)
            case "D":
                self._to_column(column - count)
            case "E":
                self._to_row(self._row + count, 0)
            case "F":
                self._to_row(self._row - count, 0)
            case "G" | "`":
                self._to_column(count - 1)
            case "H" | "f":
                self._to_place(count, min(max([*numbers, 1][1], 1), _FAR))
            case "J":
                self._erase_screen(numbers[0])
            case "K":
                self._erase_line(numbers[0], column)
            case "P" | "X" | "@":
                self._edit_line(final, count, column)

    def _write(self, text: str) -> None:
        row = self._rows[self._row]
        if row.columns is None and not row.size and not self._column:
            self._column = None
        if self._column is None and row.columns is None:
            self._touch(self._row, row.size)
            row.append(text)
            return
        columns = row.divide()
        column = len(columns) if self._column is None else self._column
        if column > len(columns):
            gap = min(column - len(columns), self._room)
            self._room -= gap
            columns += " " * gap
            column = len(columns)
        self._touch(self._row)
        self._column = row.put(column, text)
        if len(columns) > _FAR and self._column >= len(columns):
            row.settle()
            self._column = None

    # The cursor

    def _present_column(self) -> int:
        row = self._rows[self._row]
        if self._column is None:
            if row.is_long:
                return row.size
            self._column = len(row.divide())
        return self._column

    def _to_column(self, column: int) -> None:
        if self._rows[self._row].is_long:
            # Terminals would have divided this line long ago: the cursor returns in its last part only.
            self._to_row(self._row + 1, 0, may_grow=True)
        else:
            self._column = min(max(column, 0), _FAR)

    def _to_row(self, row: int, column: int, *, may_grow: bool = False) -> None:
        if row == len(self._rows) and may_grow:
            self._touch(row - 1, self._rows[-1].size)
            self._rows.append(_Row())
            if len(self._rows) >= 2 * _WINDOW:
                self._leave_window(_WINDOW)
                row -= _WINDOW
        self._row = min(max(row, len(self._rows) - _WINDOW, 0), len(self._rows) - 1)
        self._column = None if self._rows[self._row].is_long else column

    def _leave_window(self, count: int) -> None:
        """Fix the first *count* lines of the window."""
        text = [f"{row.read()}\n" for row in self._rows[:count]]
        if self._unsent:
            self._unsent += text
            self._changed = 0, 0
        elif self._changed is not None and self._changed[0] < count:
            row, at = self._changed
            self._unsent_at = self._offset(row) + at
            self._unsent = [text[row][at:], *text[row + 1 :]]
            self._changed = 0, 0
        elif self._changed is not None:
            self._changed = self._changed[0] - count, self._changed[1]
        for line in text:
            self._done_size += len(line)
            self._done_lines += 1
            if self._done_lines % MARK == 0:
                self._marks.append(self._done_size)
        self._done.append("".join(text))
        del self._rows[:count]

    def _to_place(self, line: int, column: int) -> None:
        """Move to a place of the program's own screen. Its first screen begins below the text before it."""
        if self._screen is None:
            if line > 1:
                self._to_column(column - 1)
                return
            self._new_screen()
        row = (self._screen or 0) - self._done_lines + line - 1
        while row >= len(self._rows) and self._room > 0 and line <= _WINDOW:
            self._room -= 1
            self._to_row(len(self._rows), 0, may_grow=True)
            row = (self._screen or 0) - self._done_lines + line - 1
        self._to_row(row, column - 1)

    def _new_screen(self) -> None:
        if self._rows[-1].size:
            self._to_row(len(self._rows), 0, may_grow=True)
        self._row, self._column = len(self._rows) - 1, 0
        self._screen = self._done_lines + self._row

    # Erasing

    def _erase_screen(self, how: int) -> None:
        if how == 0:
            self._erase_line(0, self._present_column())
            self._cut_rows(self._row + 1)
        elif how in (2, 3) and self._screen is None:
            self._new_screen()
        elif how in (2, 3):
            self._row = max((self._screen or 0) - self._done_lines, 0)
            self._cut_rows(self._row + 1)
            self._rows[self._row] = _Row()
            self._touch(self._row)
            self._column = 0

    def _cut_rows(self, start: int) -> None:
        if start < len(self._rows):
            self._touch(start - 1)
            del self._rows[start:]

    def _erase_line(self, how: int, column: int) -> None:
        row = self._rows[self._row]
        if row.is_long or how > 2:  # noqa: PLR2004 - 0: to the end, 1: from the start, 2: all
            return
        columns = row.divide()
        if how == 0:
            row.free(column)
            del columns[column:]
        elif how == 1:
            row.free(column + 1)
            columns[: column + 1] = " " * min(column + 1, len(columns))
        else:
            columns.clear()
        self._touch(self._row)
        self._column = column

    def _edit_line(self, final: str, count: int, column: int) -> None:
        row = self._rows[self._row]
        columns = row.divide() if not row.is_long else []
        if column >= len(columns):
            return
        row.free(column)
        row.free(column + count)
        if final == "P":
            del columns[column : column + count]
        elif final == "X":
            columns[column : column + count] = " " * min(count, len(columns) - column)
        else:
            count = min(count, self._room)
            self._room -= count
            columns[column:column] = " " * count
        self._touch(self._row)


def terminal_text(text: str) -> str:
    """Return *text* as its terminal would show it in the end."""
    if not SPECIAL.search(text.replace("\n", "")):
        return show_hidden(text)
    found = TerminalText()
    found.feed(text)
    return found.read()

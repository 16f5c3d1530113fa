"""Read the colours of a terminal's output: runs of text, each with a hue and a weight.

Above ``terminal_text.py``, and with the same text. The hues are few, and each is readable on white and on near black;
a background is shown as its hue in bold. So the words read well in both themes, and without colours too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from .._symbols import show_hidden
from .excerpt import cut_of, excerpt
from .terminal_text import STYLES, TerminalText, terminal_text

__all__ = ["BAD", "GOOD", "WAIT", "coloured_html", "has_colours"]

GOOD: Final = "#1e8c3c"
BAD: Final = "#e23c32"
WAIT: Final = "#aa6e00"
_HUES: Final = ("", BAD, GOOD, WAIT, "#3579dd", "#c23fc2", "#0b8793")
"""No hue, red, green, yellow, blue, magenta, cyan: by WCAG each has a contrast above 4 to white and to #111."""
_OF_ANSI: Final = (0, 1, 2, 3, 4, 5, 6, 0)
_COLOUR: Final = re.compile("(?:\x1b\\[|\x9b)[0-9;:]*m")
_STYLE: Final = re.compile(f"[{STYLES[0]}-{STYLES[-1]}]")
_GREY: Final = 40
"""Difference of a colour's channels below which it is a grey."""
RUNS: Final = 5_000
"""Runs of one output; the text behind them has no colours."""


class Run(NamedTuple):
    """Hold a piece of text in one style."""

    text: str
    hue: int
    is_bold: bool
    is_dim: bool


class _Coloured(TerminalText):
    """Hold the text of a terminal with a character of ``STYLES`` behind each coloured character."""

    def __init__(self) -> None:
        super().__init__()
        self._reset()

    def _reset(self) -> None:
        self._hue, self._ground = 0, 0
        self._is_bold = self._is_dim = self._is_grey = self._is_inverse = False

    def plain(self, text: str) -> None:
        self._room += len(text)
        text = show_hidden(_STYLE.sub("\ufffd", text))
        style = _STYLE_OF[
            self._ground or self._hue, self._is_bold or self._ground > 0, self._is_dim or self._is_grey
        ]
        if self._is_inverse:
            style = _STYLE_OF[self._hue or self._ground, True, False]
        self._write("".join(char if char.isspace() else char + style for char in text) if style else text)

    def sequence(self, parameters: str, final: str) -> None:
        if final == "m":
            self._select(parameters)
        else:
            super().sequence(parameters, final)

    def _select(self, parameters: str) -> None:
        numbers = [int(word[:6]) if word.isdecimal() else 0 for word in re.split("[;:]", parameters)]
        while numbers:
            number = numbers.pop(0)
            match number:
                case 0:
                    self._reset()
                case 1:
                    self._is_bold = True
                case 2:
                    self._is_dim = True
                case 7:
                    self._is_inverse = True
                case 22:
                    self._is_bold = self._is_dim = False
                case 27:
                    self._is_inverse = False
                case 38 | 48:
                    hue = _extended(numbers)
                    if number == 38:  # noqa: PLR2004 - ECMA-48's number of the foreground
                        self._hue = hue
                    else:
                        self._ground = hue
                case 39:
                    self._hue, self._is_grey = 0, False
                case 49:
                    self._ground = 0
                case _:
                    self._basic(number)

    def _basic(self, number: int) -> None:
        tens, ones = divmod(number, 10)
        if ones < len(_OF_ANSI):
            if tens in (3, 9):
                self._hue, self._is_grey = _OF_ANSI[ones], number == 90  # noqa: PLR2004 - bright black
            elif tens in (4, 10):
                self._ground = _OF_ANSI[ones]


_STYLES: Final = [(hue, bold, dim) for dim in (False, True) for bold in (False, True) for hue in range(7)]
_STYLE_OF: Final = {
    style: STYLES[index] if any(style) else "" for index, style in enumerate(_STYLES)
}  # of 28 styles
_BY_MARK: Final = {mark: style for style, mark in _STYLE_OF.items() if mark}


def _extended(numbers: list[int]) -> int:
    """Return the hue of a colour by index or by its channels; remove its numbers."""
    kind = numbers.pop(0) if numbers else 0
    if kind == 5 and numbers:  # noqa: PLR2004 - one of 256 colours
        index = numbers.pop(0)
        if index < 16:  # noqa: PLR2004 - the basic ones
            return _OF_ANSI[index % 8]
        if index >= 232:  # noqa: PLR2004 - greys
            return 0
        index -= 16
        return _hue_of([index // 36 * 51, index // 6 % 6 * 51, index % 6 * 51])
    if kind == 2:  # noqa: PLR2004 - red, green, blue
        channels = numbers[:3]
        del numbers[:3]
        return _hue_of(channels) if len(channels) == 3 else 0  # noqa: PLR2004
    return 0


def _hue_of(channels: Sequence[int]) -> int:
    low, high = min(channels), max(channels)
    if high - low < _GREY:
        return 0
    bits = [channel > (low + high) / 2 for channel in channels]
    return {
        (True, False, False): 1,
        (False, True, False): 2,
        (True, True, False): 3,
        (False, False, True): 4,
        (True, False, True): 5,
        (False, True, True): 6,
    }[bits[0], bits[1], bits[2]]


def has_colours(text: str) -> bool:
    """Return whether a terminal would show some of the text in colours."""
    return _COLOUR.search(text) is not None


def coloured_html(text: str) -> str:
    """Return the excerpt of a terminal's output as escaped HTML, with its colours as inline styles."""
    if not has_colours(text):
        return escape(excerpt(terminal_text(text)))
    runs = list(_runs(text))
    plain = "".join(run.text for run in runs)
    cut = cut_of(plain)
    if cut is None:
        return "".join(map(_html, _within(runs, 0, len(plain))))
    head, tail, note = cut
    shown = [
        *_within(runs, 0, head),
        Run(note, 0, is_bold=False, is_dim=False),
        *_within(runs, tail, len(plain)),
    ]
    return "".join(map(_html, shown))


def _runs(text: str) -> Iterator[Run]:
    terminal = _Coloured()
    terminal.feed(text)
    shown = terminal.read()
    pieces: list[str] = []
    style, count = (0, False, False), 0
    # A style stands behind its character, and white space has the style of its neighbours.
    for match in re.finditer(f"([^{STYLES[0]}-{STYLES[-1]}])([{STYLES[0]}-{STYLES[-1]}]*)", shown):
        found = _BY_MARK[match[2][-1]] if match[2] else (0, False, False)
        if found != style and not (match[1].isspace() and match[1] != "\n" and not match[2]) and count < RUNS:
            if pieces:
                yield Run("".join(pieces), *style)
            pieces, style, count = [], found, count + 1
        pieces.append(match[1])
    if pieces:
        yield Run("".join(pieces), *(style if count < RUNS else (0, False, False)))


def _within(runs: Sequence[Run], start: int, end: int) -> Iterator[Run]:
    at = 0
    for run in runs:
        piece = run.text[max(0, start - at) : max(0, end - at)]
        if piece:
            yield run._replace(text=piece)
        at += len(run.text)


def _html(run: Run) -> str:
    styles = [f"color:{_HUES[run.hue]}"] if run.hue else []
    styles += ["font-weight:600"] if run.is_bold else []
    styles += ["opacity:.65"] if run.is_dim else []
    text = escape(run.text)
    return f'<span style="{";".join(styles)}">{text}</span>' if styles else text

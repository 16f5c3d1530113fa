"""Show a long text by its start and its end, with the count of what is left out between.

Pure. The same function of the text in every form: a live view, which shows a growing text, moves the place where the
end begins in steps, so that it sends each character about twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .terminal_text import MARK, TerminalText

__all__ = ["CHARACTERS", "LINES", "LiveOutput", "cut_of", "excerpt"]

LINES: Final = 2_000
"""Lines of one text that a form shows at most; the transcript has all of them."""
CHARACTERS: Final = 100_000
"""Characters of one text that a form shows at most; the transcript has all of them."""

_HEAD_LINES: Final = 1_000
_TAIL_LINES: Final = 500
"""Lines that stay at the end at least; the end begins at a multiple of ``MARK``."""
_HEAD: Final = 60_000
_TAIL: Final = 20_000
_STEP: Final = 20_000
"""Characters: the end has ``_TAIL`` at least and begins at a multiple of ``_STEP``."""

_Cut = tuple[int, int, str]
"""The characters between which the text is left out, and the note in their place."""


def excerpt(text: str) -> str:
    """Return the text, or its start, a note and its end."""
    cut = cut_of(text)
    return text if cut is None else f"{text[: cut[0]]}{cut[2]}{text[cut[1] :]}"


def cut_of(text: str) -> _Cut | None:
    """Return which characters of the text its excerpt leaves out, and the note in their place; ``None`` for none."""
    return _cut(len(text), text.count("\n") + 1, _starts(text))


def _starts(text: str) -> Callable[[int], int]:
    """Return a function that finds the first character of a line."""

    def start_of(line: int) -> int:
        at = 0
        for _ in range(line):
            at = text.index("\n", at) + 1
        return at

    return start_of


def _cut(size: int, lines: int, start_of: Callable[[int], int]) -> _Cut | None:
    if size <= CHARACTERS and lines <= LINES:
        return None
    head, tail = size, size
    omitted = 0
    if lines > LINES:
        last = MARK * ((lines - _TAIL_LINES) // MARK)
        head, tail = start_of(_HEAD_LINES) - 1, start_of(last)
        omitted = last - _HEAD_LINES
    if head + size - tail <= CHARACTERS:
        return head, tail, f"\n[{omitted:,} lines are left out here]\n"
    head = min(head, _HEAD)
    tail = max(tail if omitted else 0, _STEP * ((size - _TAIL) // _STEP))
    return head, tail, f"\n[{tail - head:,} characters are left out here]\n"


class LiveOutput:
    """Follow the growing output of a program, and return the changes of its excerpt."""

    def __init__(self) -> None:
        self._text = TerminalText()
        self._cut: _Cut | None = None

    def feed(self, text: str) -> None:
        """Read the next piece of the output."""
        self._text.feed(text)

    def changes(self) -> tuple[int, str]:
        """Return how many characters of the shown text stay, and the text behind them."""
        text, before = self._text, self._cut
        keep, news = text.changes()
        cut = self._cut = _cut(text.size, text.lines, text.start_of)
        if cut is None:
            return (keep, news) if before is None else (0, text.read())
        head, tail, note = cut
        if cut == before and keep >= tail:
            return head + len(note) + keep - tail, news
        start = min(keep, head) if before is None or before[0] == head else 0
        return start, f"{text.read(start, head)}{note}{text.read(tail)}"

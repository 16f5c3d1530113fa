"""Growing texts as the browser has them, and what is new of them.

Below ``_parts.py``: the one place that counts as JavaScript does, and that compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._markdown.units import utf16

if TYPE_CHECKING:
    from .._reducer.growing_text import GrowingText

__all__ = ["Field", "Follower", "Op", "common", "splice"]

Op = list[Any]
"""One op of docs/wire.md: its name, then what it needs."""


def common(old: str, new: str) -> int:
    """How many characters the two begin with in common, by bisection: slices compare fast."""
    if new.startswith(old):
        return len(old)
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def splice(old: str, new: str) -> tuple[int, int, str, int]:
    """How *new* comes from *old*: (characters kept, characters dropped, text put there, characters kept)."""
    start = common(old, new)
    left = min(len(old), len(new)) - start
    end = common(old[len(old) - left :][::-1], new[len(new) - left :][::-1])
    return start, len(old) - start - end, new[start : len(new) - end], end


class Field:
    """A plain text as the browser has it."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.units = 0

    def append(self, key: int, name: str, text: str) -> Op:
        op = ["txt", key, name, self.units, text]
        self.pieces.append(text)
        self.units += utf16(text)
        return op

    def replace(self, key: int, name: str, text: str) -> list[Op]:
        old = self.read()
        if text == old:
            return []
        kept = text[: common(old, text)]
        self.pieces = [kept]
        self.units = utf16(kept)
        return [self.append(key, name, text[len(kept) :])]

    def read(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


class Follower:
    """Reads what a growing text has gained since the last look."""

    def __init__(self) -> None:
        self.epoch = -1
        self.size = 0

    def read(self, text: GrowingText) -> tuple[bool, str]:
        """(whether it replaces all, the text)."""
        text.refresh()
        if text.epoch == self.epoch:
            new = text.tail(self.size)
            self.size = text.size
            return False, new
        first = self.epoch == -1
        self.epoch, self.size = text.epoch, text.size
        return not first, text.read()

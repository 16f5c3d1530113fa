"""Compare growing texts with the text that the browser has.

Below ``_parts.py`` and ``_texts.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._markdown.units import utf16

if TYPE_CHECKING:
    from .._reducer.growing_text import GrowingText

__all__ = ["Field", "Op", "TextReader", "common_prefix", "splice"]

Op = list[Any]
"""Op of docs/wire.md: its name, then its arguments."""


def common_prefix(old: str, new: str) -> int:
    """Return the length of the common prefix of *old* and *new*, by bisection: slices compare fast."""
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
    """Return the change from *old* to *new*.

    (characters kept at the start, characters dropped, text inserted there, characters kept at the end)
    """
    start = common_prefix(old, new)
    left = min(len(old), len(new)) - start
    end = common_prefix(old[len(old) - left :][::-1], new[len(new) - left :][::-1])
    return start, len(old) - start - end, new[start : len(new) - end], end


class Field:
    """Hold a plain text as the browser has it, and make the ops that change it."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.size = 0
        self.units = 0

    def append(self, key: int, name: str, text: str) -> Op:
        """Append *text*; return the op for the field *name* of the part *key*."""
        op = ["txt", key, name, self.units, text]
        self.pieces.append(text)
        self.size += len(text)
        self.units += utf16(text)
        return op

    def splice(self, key: int, name: str, keep: int, text: str) -> list[Op]:
        """Replace the text behind its first *keep* characters; return the ops."""
        size = self.size
        old: list[str] = []
        while size > keep:
            old.append(self.pieces.pop())
            size -= len(old[-1])
        before = "".join(reversed(old))
        same = common_prefix(before[keep - size :], text) + keep - size
        if old:
            self.units -= utf16(before[same:])
            self.size -= len(before) - same
            self.pieces.append(before[:same])
        rest = text[same - (keep - size) :]
        return [self.append(key, name, rest)] if rest or len(before) > same else []

    def replace(self, key: int, name: str, text: str) -> list[Op]:
        """Replace the text, keeping the common prefix; return the ops."""
        old = self.read()
        if text == old:
            return []
        kept = text[: common_prefix(old, text)]
        self.pieces, self.size = [kept], len(kept)
        self.units = utf16(kept)
        return [self.append(key, name, text[len(kept) :])]

    def read(self) -> str:
        """Return the whole text."""
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


class TextReader:
    """Read the new text of a growing text since the last read."""

    def __init__(self) -> None:
        self.epoch = -1
        self.size = 0

    def read(self, text: GrowingText) -> tuple[bool, str]:
        """Return (True if the text replaces all earlier text, the new text)."""
        text.refresh()
        if text.epoch == self.epoch:
            new = text.tail(self.size)
            self.size = text.size
            return False, new
        first = self.epoch == -1
        self.epoch, self.size = text.epoch, text.size
        return not first, text.read()

"""Stretches of a streamed text: what ``_pieces.py`` is made of.

A block keeps, beside its pieces, only where their numbers are not contiguous and how long each
is, so that a late piece can still be put between any two of them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._track import Place, Track

__all__ = ["SEAL", "Block"]

SEAL = 512
"""Pieces after which a block is joined: a str object costs 50 bytes before its first character."""

_NONE: Final[array[int]] = array("B")


class Block:
    """Pieces of one track, in order; a *whole* one replaces all before it.

    A piece's number is (seq, sub), or (arrival, 0) for unsequenced ones.
    """

    __slots__ = (
        "arrival",
        "derived",
        "hi",
        "lengths",
        "lo",
        "pieces",
        "runs",
        "text",
        "track",
        "value",
        "whole",
    )

    def __init__(
        self, place: Place, text: str, *, whole: bool, value: Any, derived: tuple[str | None] | None
    ) -> None:
        self.track: Track | None = place[0]
        self.arrival = place[3]  # the first piece's; -1: not known
        self.lo = self.hi = (place[3], 0) if place[0] is None else (place[1], place[2])
        # (index, seq, sub): from this piece on numbers are contiguous and of the same sub.
        self.runs: list[tuple[int, int, int]] = [(0, *self.lo)]
        self.whole = whole
        self.value = value
        self.derived = derived  # (message_id,) of a second-hand delta
        self.pieces: list[str] | None = [text]
        self.text = ""
        self.lengths = _NONE

    def append(self, seq: int, sub: int, text: str) -> bool:
        """Add a piece at the end of an unsealed block, if that is where it belongs."""
        pieces, hi = self.pieces, self.hi
        if pieces is None or (seq, sub) <= hi:
            return False
        if seq != hi[0] + 1 or sub != hi[1]:
            self.runs.append((len(pieces), seq, sub))
        pieces.append(text)
        self.hi = (seq, sub)
        if len(pieces) >= SEAL:
            self.seal()
        return True

    def read(self) -> str:
        """Its text."""
        return self.text if self.pieces is None else "".join(self.pieces)

    def clear(self) -> None:
        """Keep only where it began: its text is replaced for good."""
        self.hi = self.lo
        self.runs = [(0, *self.lo)]
        self.pieces, self.text, self.lengths, self.value = [""], "", _NONE, None

    def seal(self) -> None:
        """Join the pieces; only their lengths are kept."""
        if self.pieces is not None:
            self.text = "".join(self.pieces)
            self.lengths = _small([len(piece) for piece in self.pieces])
            self.pieces = None

    def takes(self, after: Block) -> bool:
        """Whether *after*, the next block in order, can become part of this one."""
        is_alike = self.track is after.track and self.derived == after.derived
        return is_alike and not (self.whole or after.whole)

    def absorb(self, later: list[Block]) -> None:
        """Append the blocks that follow."""
        blocks = [self, *later]
        for block in blocks:
            block.seal()
        count = len(self.lengths)
        for block in later:
            joins = block.lo == (self.hi[0] + 1, self.hi[1])
            self.runs += [(count + index, seq, sub) for index, seq, sub in block.runs[joins:]]
            count += len(block.lengths)
            self.hi = block.hi
        self.lengths = _small([length for block in blocks for length in block.lengths])
        self.text = "".join([block.text for block in blocks])

    def find(self, seq: int, sub: int) -> int:
        """How many of its pieces come before (seq, sub)."""
        at = bisect_right(self.runs, (seq, sub), key=_number) - 1
        if at < 0:
            return 0
        index, first, own = self.runs[at]
        before = seq - first + (own < sub)
        end = self.runs[at + 1][0] if at + 1 < len(self.runs) else self.count
        return index + min(before, end - index)

    def split(self, index: int) -> Block:
        """Cut off and return what follows the first *index* pieces."""
        pieces = self._open()
        rest = Block((self.track, 0, 0, -1), "", whole=False, value=None, derived=self.derived)
        rest.pieces, self.pieces = pieces[index:], pieces[:index]
        at = bisect_right(self.runs, index, key=_index) - 1
        start, seq, sub = self.runs[at]
        later = [(i - index, a, b) for i, a, b in self.runs[at + 1 :]]
        rest.lo, rest.hi = (seq + index - start, sub), self.hi
        rest.runs = [(0, *rest.lo), *later]
        if rest.track is None:
            rest.arrival = rest.lo[0]
        del self.runs[at + (start < index) :]
        start, seq, sub = self.runs[-1]
        self.hi = (seq + index - 1 - start, sub)
        return rest

    def singles(self) -> Iterable[Block]:
        """Its pieces as blocks of their own."""
        if self.whole or self.count == 1:
            return [self]
        made = []
        pieces = self._open()
        ends = [*(run[0] for run in self.runs[1:]), len(pieces)]
        for (start, seq, sub), end in zip(self.runs, ends, strict=True):
            for i in range(start, end):
                number = seq + i - start
                arrival = self.arrival if i == 0 else number if self.track is None else -1
                place: Place = (self.track, number, sub, arrival)
                made.append(Block(place, pieces[i], whole=False, value=None, derived=self.derived))
        return made

    def place(self) -> Place:
        """Where its first piece is."""
        return (None, 0, 0, self.lo[0]) if self.track is None else (self.track, *self.lo, self.arrival)

    def start(self) -> int:
        """The position of its first piece."""
        return self.lo[0] if self.track is None else self.track.position(*self.lo, self.arrival)

    def end(self) -> int:
        """The position of its last piece."""
        return self.hi[0] if self.track is None else self.track.position(*self.hi, -1)

    @property
    def count(self) -> int:
        """How many pieces it has."""
        return len(self.lengths) if self.pieces is None else len(self.pieces)

    def _open(self) -> list[str]:
        if self.pieces is None:
            ends = list(accumulate(self.lengths))
            text = self.text
            self.pieces = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
            self.text, self.lengths = "", _NONE
        return self.pieces


def _small(lengths: list[int]) -> array[int]:
    """A piece is seldom longer than 255 characters: a byte is enough for its length."""
    top = max(lengths)
    return array("B" if top < 1 << 8 else "H" if top < 1 << 16 else "Q", lengths)


def _number(run: tuple[int, int, int]) -> tuple[int, int]:
    return run[1], run[2]


def _index(run: tuple[int, int, int]) -> int:
    return run[0]

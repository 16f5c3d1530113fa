"""Text that grows at its end, and now and then in its middle, at a flat cost.

Used by the reducer for every text that is streamed. Pieces are kept as they came and joined
when read. Each block is a stretch of pieces between which nothing can come any more, or of
contiguous numbers; a late piece splits the block that it belongs into.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any

from .ordering import Place

__all__ = ["Pieces"]

SEAL = 512
"""Pieces after which a block is joined: a str object costs 50 bytes before its first character."""


class _Block:
    """Pieces of one track with contiguous numbers, or unsequenced ones with contiguous arrivals."""

    __slots__ = ("arrival", "derived", "ends", "hi", "last", "lo", "pieces", "text", "track", "value", "whole")

    def __init__(self, place: Place, text: str, *, whole: bool, value: Any, derived: tuple[str | None] | None) -> None:
        self.track, seq, sub, self.arrival = place
        self.lo = self.hi = (seq, sub)
        self.last = self.arrival  # the arrival of an unsequenced block's last piece
        self.whole = whole
        self.value = value
        self.derived = derived  # (message_id,) of a second-hand delta
        self.pieces: list[str] | None = [text]
        self.text = ""
        self.ends: array[int] | None = None

    def read(self) -> str:
        return self.text if self.pieces is None else "".join(self.pieces)

    def seal(self) -> None:
        if self.pieces is not None:
            self.text = "".join(self.pieces)
            if self.track is not None:
                self.ends = array("Q", accumulate(map(len, self.pieces)))
            self.pieces = None

    def split(self, index: int) -> _Block:
        """Cut off and return what follows the first *index* pieces of a sequenced block."""
        if self.pieces is None:
            ends, text = list(self.ends or ()), self.text
            self.pieces = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
            self.ends, self.text = None, ""
        seq, sub = self.lo[0] + index, self.lo[1]
        rest = _Block((self.track, seq, sub, -1), "", whole=False, value=None, derived=self.derived)
        rest.pieces, self.pieces = self.pieces[index:], self.pieces[:index]
        rest.hi, self.hi = self.hi, (seq - 1, sub)
        return rest

    def place(self, at: tuple[int, int]) -> int:
        track = self.track
        return self.arrival if track is None else track.position(*at, self.arrival)


    def end(self) -> int:
        return self.last if self.track is None else self.track.position(*self.hi, -1)


class Pieces:
    """One text. ``epoch`` changes when anything but its end did; ``size`` is its length.

    A display that has shown ``size`` characters at an epoch needs only ``tail(size)`` as long
    as the epoch is the same.
    """

    __slots__ = ("blocks", "epoch", "mixed", "shifts", "size", "wholes")

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.size = 0
        self.epoch = 0
        self.mixed = False
        self.wholes = 0
        self.shifts = 0

    def add(
        self, place: Place, text: str, *, whole: bool = False, value: Any = None, derived: tuple[str | None] | None = None
    ) -> None:
        """Put *text* at its place; a *whole* one replaces all that is before it in the order."""
        blocks = self.blocks
        if not blocks:
            blocks.append(_Block(place, text, whole=whole, value=value, derived=derived))
            self.size = len(text)
            self.wholes += whole
            return
        last = blocks[-1]
        track, seq, sub, arrival = place
        if track is last.track and not whole and not last.whole and derived == last.derived and last.pieces is not None:
            # The streaming path: the next number of the same track, or the next arrival.
            joins = (
                arrival == last.last + 1
                if track is None
                else (seq == last.hi[0] + 1 and sub == last.lo[1] == last.hi[1])
            )
            if joins:
                last.pieces.append(text)
                last.hi = (seq, sub)
                last.last = arrival
                self.size += len(text)
                if len(last.pieces) >= SEAL:
                    last.seal()
                return
        if track is not last.track:
            self.mixed = True
        block = _Block(place, text, whole=whole, value=value, derived=derived)
        at = self._where(block)
        blocks.insert(at, block)
        self.wholes += whole
        if self.mixed and at and blocks[at - 1].end() > block.place(block.lo):
            self._resort()  # it falls between the pieces of another track's block
            self.changed()
        elif at < len(blocks) - 1:
            self.changed()
        elif not whole:
            self.size += len(text)
        elif self.size != len(text) or self._fold(len(blocks) - 1)[0] != text:
            self.changed()

    def drop_derived(self, message_id: str | None) -> None:
        """Forget what second-hand deltas of the message built."""
        self.blocks = [block for block in self.blocks if block.derived != (message_id,)]
        self.wholes = sum(block.whole for block in self.blocks)
        self.changed()

    def changed(self) -> None:
        """Say that more than the end changed."""
        self.epoch += 1
        self.size = len(self.read())

    def refresh(self) -> None:
        """Take notice of positions that moved since the last look, where that can matter."""
        if self.mixed:
            shifts = sum(track.shifts for track in {b.track for b in self.blocks if b.track is not None})
            if shifts != self.shifts:
                self.shifts = shifts
                self._resort()
                self.changed()

    def read(self) -> str:
        """The whole text."""
        return self._fold(len(self.blocks))[0]

    def value(self) -> tuple[bool, Any]:
        """(True, the value that replaced the text) if nothing was appended to it since."""
        return self._fold(len(self.blocks))[1:]

    def tail(self, offset: int) -> str:
        """What follows the first *offset* characters."""
        missing = self.size - offset
        taken: list[str] = []
        for block in reversed(self.blocks):
            pieces = [block.text] if block.pieces is None else block.pieces
            for piece in reversed(pieces):
                if missing <= 0:
                    break
                taken.append(piece if len(piece) <= missing else piece[len(piece) - missing :])
                missing -= len(piece)
            if missing <= 0 or block.whole:
                break
        return "".join(reversed(taken))

    def compact(self) -> None:
        """Merge what nothing can come between any more: only the edges of known gaps are kept."""
        if self.mixed or self.wholes > 1:
            return
        groups: list[list[_Block]] = []
        for block in self.blocks:
            before = groups[-1][-1] if groups else None
            if (
                before is None
                or before.track is not block.track
                or before.whole
                or block.whole
                or before.derived != block.derived
                or (block.track is not None and block.track.has_hole(before.hi[0], block.lo[0]))
            ):
                groups.append([])
            groups[-1].append(block)
        self.blocks = [group[0] for group in groups]
        for group in groups:
            first, last = group[0], group[-1]
            first.text = "".join([block.read() for block in group])
            first.pieces, first.ends, first.hi, first.last = None, None, last.hi, last.last

    def first(self) -> int | None:
        """The position of its first piece."""
        return min((block.place(block.lo) for block in self.blocks), default=None)

    def _fold(self, end: int) -> tuple[str, bool, Any]:
        start = 0
        if self.wholes:
            start = next((i for i in range(end - 1, -1, -1) if self.blocks[i].whole), 0)
        text = "".join([block.read() for block in self.blocks[start:end]])
        last = self.blocks[start] if end else None
        return text, last is not None and last.whole and start == end - 1, last.value if last else None

    def _where(self, new: _Block) -> int:
        """The index for *new*, splitting the block that it falls into."""
        blocks = self.blocks
        for i in range(len(blocks) - 1, -1, -1):
            block = blocks[i]
            if block.track is new.track and new.track is not None:
                if new.lo > block.hi:
                    return i + 1
                if new.lo > block.lo:
                    if block.pieces is not None or block.ends is not None:
                        seq, sub = new.lo
                        blocks.insert(i + 1, block.split(seq - block.lo[0] + (sub > block.lo[1])))
                    return i + 1
            elif new.place(new.lo) > block.place(block.lo):
                return i + 1
        return 0

    def _resort(self) -> None:
        """Order by position, piece by piece where blocks of several tracks meet."""
        single: list[_Block] = []
        for block in self.blocks:
            rest = block
            while rest.track is not None and not rest.whole and rest.hi > rest.lo:
                if rest.pieces is None and rest.ends is None:
                    break
                single.append(rest)
                rest = rest.split(1)
            single.append(rest)
        self.blocks = sorted(single, key=lambda block: block.place(block.lo))

"""Text that grows at its end, and now and then in its middle, at a flat cost.

Used by the reducer for every text that is streamed. Pieces are kept as they came and joined
when read. A block is a stretch of pieces of one track in order; a late piece splits the block
that it belongs into.
"""

from __future__ import annotations

from typing import Any

from ._blocks import Block
from ._track import Place, Track

__all__ = ["Pieces"]


class Pieces:
    """One text. ``epoch`` changes when anything but its end did; ``size`` is its length.

    A display that has shown ``size`` characters at an epoch needs only ``tail(size)`` as long
    as the epoch is the same.
    """

    __slots__ = ("blocks", "epoch", "mixed", "shifts", "size", "wholes")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.size = 0
        self.epoch = 0
        self.mixed = False  # fed by more than one track: places are compared by position
        self.wholes = 0
        self.shifts = 0  # of all its tracks when it was last in order; -1: look anew

    def add(
        self,
        place: Place,
        text: str,
        *,
        whole: bool = False,
        value: Any = None,
        derived: tuple[str | None] | None = None,
    ) -> None:
        """Put *text* at its place; a *whole* one replaces all that is before it in the order."""
        blocks = self.blocks
        if blocks and not whole:
            last = blocks[-1]
            if (
                last.pieces is not None
                and last.track is place[0]
                and last.derived == derived
                and not last.whole
            ):
                seq = place[3] if place[0] is None else place[1]
                if last.append(seq, place[2], text):
                    self.size += len(text)
                    return
        self._insert(Block(place, text, whole=whole, value=value, derived=derived), text)

    def _insert(self, block: Block, text: str) -> None:
        blocks = self.blocks
        self.mixed = self.mixed or bool(blocks and blocks[-1].track is not block.track)
        at = self._where(block)
        blocks.insert(at, block)
        self.wholes += block.whole
        self.shifts = -1
        if self.mixed and at and blocks[at - 1].end() > block.start() and self._resort():
            self.changed()  # it falls between the pieces of another track's block
        elif at < len(blocks) - 1:
            self.changed()
        elif not block.whole:
            self.size += len(text)
        elif self.size != len(text) or self._fold(len(blocks) - 1)[0] != text:
            self.changed()
        if self.wholes and len(self.blocks) > 1:
            self._prune()

    def _prune(self) -> None:
        """Forget text that nothing can bring back: what a whole of its own track replaces for good.

        Of each track the first block stays, without its text: it says where the part began.
        """
        # By number: blocks of several tracks are put in order only when they are read.
        last: dict[Track | None, tuple[int, int]] = {}
        for block in self.blocks:
            if block.whole and block.derived is None:
                last[block.track] = max(block.lo, last.get(block.track, block.lo))
        first: dict[Track | None, Block] = {}
        gone: set[Block] = set()
        for block in self.blocks:
            if block.derived is None and block.track in last and block.hi < last[block.track]:
                block.clear()
                gone.add(block)
                first[block.track] = min(block, first.get(block.track, block), key=_number)
        gone.difference_update(first.values())
        if gone:
            self.blocks = [block for block in self.blocks if block not in gone]
            self.wholes = sum(block.whole for block in self.blocks)

    def drop_derived(self, message_id: str | None) -> None:
        """Forget what second-hand deltas of the message built."""
        self.blocks = [block for block in self.blocks if block.derived != (message_id,)]
        self.wholes = sum(block.whole for block in self.blocks)
        if self.mixed:
            self._resort()
        self.mixed = len({block.track for block in self.blocks}) > 1
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
                if self._resort():
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
        """Free what only a growing text needs: neighbours become one string and their edges."""
        groups: list[list[Block]] = []
        for block in self.blocks:
            if groups and not self.mixed and groups[-1][0].takes(block):
                groups[-1].append(block)
            else:
                groups.append([block])
        for first, *later in groups:
            first.absorb(later)
        self.blocks = [group[0] for group in groups]

    def first(self) -> int | None:
        """The position of its first piece."""
        return min((block.start() for block in self.blocks), default=None)

    def _fold(self, end: int) -> tuple[str, bool, Any]:
        start = 0
        if self.wholes:
            start = next((i for i in range(end - 1, -1, -1) if self.blocks[i].whole), 0)
        text = "".join([block.read() for block in self.blocks[start:end]])
        last = self.blocks[start] if end else None
        return text, last is not None and last.whole and start == end - 1, last.value if last else None

    def _where(self, new: Block) -> int:
        """The index for *new*, splitting the block that it falls into."""
        blocks = self.blocks
        for i in range(len(blocks) - 1, -1, -1):
            block = blocks[i]
            if block.track is not new.track:
                if new.start() > block.start():
                    return i + 1
            elif new.lo > block.lo:
                if new.lo < block.hi:
                    blocks.insert(i + 1, block.split(block.find(*new.lo)))
                return i + 1
        return 0

    def _resort(self) -> bool:
        """Order by position, piece by piece: blocks of several tracks meet. Whether anything moved."""
        single = [piece for block in self.blocks for piece in block.singles()]
        ordered = sorted(single, key=Block.start)
        if ordered == single:
            return False
        self.blocks = ordered
        return True


def _number(block: Block) -> tuple[int, int]:
    return block.lo

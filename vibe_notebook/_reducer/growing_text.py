"""Text that grows at its end, and now and then in its middle, at a flat cost.

Used by the reducer for every text that is streamed. Pieces are kept as they came and joined
when read. A block is a stretch of pieces of one track in order; a late piece splits the block
that it belongs into.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final

from .._ordering.counter import Counter, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._ordering.counter import Counter, Place

__all__ = ["SEAL", "Block", "GrowingText"]


# Stretches of a streamed text: what ``_reducer/growing_text.py`` is made of.
#
# A block keeps, beside its pieces, only where their numbers are not contiguous and how long each
# is, so that a late piece can still be put between any two of them.

SEAL = 512
"""GrowingText after which a block is joined: a str object costs 50 bytes before its first character."""
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
        self.track: Counter | None = place[0]
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
        at = bisect_right(self.runs, (seq, sub), key=_block_number) - 1
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


def _block_number(run: tuple[int, int, int]) -> tuple[int, int]:
    return run[1], run[2]


def _index(run: tuple[int, int, int]) -> int:
    return run[0]


SMALL: Final = 8
"""Blocks among which text that is replaced is looked for each time."""
EAGER: Final = 64
"""Late pieces that may wait, however short the text is; blocks that are looked at for each piece."""


class GrowingText:
    """One text. ``epoch`` changes when anything but its end did; ``size`` is its length.

    A display that has shown ``size`` characters at an epoch needs only ``tail(size)`` as long
    as the epoch is the same. Pieces that come late wait in a list until the text is read, or until
    they are as many as the others: to put each in its place at once would cost the square.
    """

    __slots__ = (
        "_compacted",
        "_gone",
        "_kept",
        "_late",
        "_newest",
        "_settled",
        "_size",
        "blocks",
        "epoch",
        "mixed",
        "shifts",
        "wholes",
    )

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.epoch = 0
        self.mixed = False  # fed by more than one track: places are compared by position
        self.wholes = 0
        self.shifts = 0  # of all its tracks when it was last in order; -1: look anew
        self._size = 0
        self._newest = -1  # the greatest arrival
        self._late: list[Block] = []
        self._gone: set[tuple[str | None]] = set()  # whose second-hand pieces are to be forgotten
        self._settled = 0  # blocks when it was last put in order
        self._compacted = 0  # pieces when it was compacted last
        self._kept = 0  # blocks after the last look for text that is replaced

    @property
    def size(self) -> int:
        """Its length."""
        self._settle()
        return self._size

    @property
    def count(self) -> int:
        """How many pieces it had when it was put in order last, those since that came in order left out."""
        return self._settled

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said of it, or nothing is left."""
        if self._gone:
            self._settle()
        return not (self.blocks or self._late)

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
        track, arrival = place[0], place[3]
        if blocks and not whole:
            last = blocks[-1]
            if (
                last.pieces is not None
                and last.track is track
                and last.derived == derived
                and not last.whole
                and not self.mixed
            ):
                seq = arrival if track is None else place[1]
                if last.append(seq, place[2], text):
                    self._size += len(text)
                    self._newest = max(self._newest, arrival)
                    return
        block = Block(place, text, whole=whole, value=value, derived=derived)
        follows = self._follows(block, arrival)
        self._newest = max(self._newest, arrival)
        if not self.mixed and blocks and blocks[-1].track is not track:
            self.mixed, self.shifts = True, -1
        if follows:
            self._append(block, text)
        else:
            self.epoch += 1
            self._late.append(block)
            if len(self._late) > max(EAGER, self._settled):
                self._settle()

    def _follows(self, block: Block, arrival: int) -> bool:
        """Tell whether *block* surely stands behind all others."""
        if not self.blocks:
            return not self._late
        last = self.blocks[-1]
        if not self.mixed and last.track is block.track:
            return block.lo > last.hi
        if self._late:
            return False
        # While no number of theirs came out of order, a position is an arrival.
        if arrival > self._newest and not (_shifts(last) or _shifts(block)):
            return True
        return len(self.blocks) <= EAGER and self._is_greatest(block)

    def _is_greatest(self, block: Block) -> bool:
        """Tell whether its track's greatest number stands behind all numbers of the other tracks."""
        track = block.track
        if track is not None and not track.is_greatest(*block.lo):
            return False
        at = block.lo[0] if track is None else track.newest
        for other in self.blocks:
            if other.track is None or other.track is not track:
                end = other.hi[0] if other.track is None else other.track.newest
                if end >= at:
                    return False
        return True

    def _append(self, block: Block, text: str) -> None:
        last = self.blocks[-1] if self.blocks else None
        if not block.whole:
            if not (last is not None and last.takes(block) and last.append(*block.lo, text)):
                self.blocks.append(block)
            self._size += len(text)
            return
        is_same = not (self._late or self._gone) and self._size == len(text) and self.read() == text
        self.blocks.append(block)
        self.wholes += 1
        self._size = len(text)
        self.epoch += not is_same
        if len(self.blocks) > (2 * self._kept if self._kept > SMALL else 1):
            self._prune()

    def _prune(self) -> None:
        """Forget text that nothing can bring back: what a whole of its own track replaces for good.

        Of each track the first block stays, without its text: it says where the part began.
        """
        # By number: blocks of several tracks are put in order only when they are read.
        last: dict[Counter | None, tuple[int, int]] = {}
        for block in self.blocks:
            if block.whole and block.derived is None:
                last[block.track] = max(block.lo, last.get(block.track, block.lo))
        first: dict[Counter | None, Block] = {}
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
        self._kept = len(self.blocks)

    def drop_derived(self, message_id: str | None) -> None:
        """Forget what second-hand deltas of the message built."""
        self._gone.add((message_id,))
        self.epoch += 1

    def refresh(self) -> None:
        """Take notice of positions that moved since the last look, where that can matter."""
        self._settle()

    def read(self) -> str:
        """The whole text."""
        self._settle()
        return self._fold(len(self.blocks))[0]

    def value(self) -> tuple[bool, Any]:
        """(True, the value that replaced the text) if nothing was appended to it since."""
        self._settle()
        return self._fold(len(self.blocks))[1:]

    def tail(self, offset: int) -> str:
        """What follows the first *offset* characters."""
        missing = self.size - offset  # in order from here on
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
        self._settle()
        count = sum(block.count for block in self.blocks)
        if 4 * (count - self._compacted) < self._compacted:
            return  # to join it again for a few pieces more, each time, would cost the square
        self._compacted = count
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
        self._settle()
        return min((block.start() for block in self.blocks), default=None)

    def _fold(self, end: int) -> tuple[str, bool, Any]:
        start = 0
        if self.wholes:
            start = next((i for i in range(end - 1, -1, -1) if self.blocks[i].whole), 0)
        text = "".join([block.read() for block in self.blocks[start:end]])
        last = self.blocks[start] if end else None
        return text, last is not None and last.whole and start == end - 1, last.value if last else None

    def _settle(self) -> None:
        """Put late pieces, and those whose positions moved, in their places; forget what is gone."""
        if not (self._late or self._gone or self.mixed):
            return
        gone, late, was = self._gone, self._late, self.blocks
        if gone:
            late = [block for block in late if block.derived not in gone]
            self.blocks = [block for block in was if block.derived not in gone]
            self.mixed = len({block.track for block in (*self.blocks, *late)}) > 1
            self._gone, self.shifts = set(), -1
        shifts = next((_shifts(b) for b in chain(self.blocks, late) if b.track is not None), 0)
        if self.mixed and (late or shifts != self.shifts):
            singles = [piece for block in (*self.blocks, *late) for piece in block.singles()]
            ordered = sorted(singles, key=Block.start)
            self.epoch += ordered != singles
            self.blocks = _joined(ordered)
            self.shifts = shifts
        elif late:
            self.blocks = _joined(_merged(self.blocks, sorted(late, key=_number)))
        elif self.blocks is was:
            return
        self._late = []
        self.wholes = sum(block.whole for block in self.blocks)
        if self.wholes and len(self.blocks) > 1:
            self._prune()
        self._settled = sum(block.count for block in self.blocks)
        self._size = len(self._fold(len(self.blocks))[0])


def _shifts(block: Block) -> int:
    """How often a number of the block's agent came out of order."""
    return 0 if block.track is None else block.track.all_shifts[0]


def _merged(blocks: list[Block], late: list[Block]) -> Iterator[Block]:
    """Give blocks of one track and late pieces of it in order; blocks that pieces fall into are cut up."""
    at = 0
    for block in blocks:
        is_hit = at < len(late) and late[at].lo < block.hi
        for piece in block.singles() if is_hit else (block,):
            while at < len(late) and late[at].lo < piece.lo:
                yield late[at]
                at += 1
            yield piece
    yield from late[at:]


def _joined(blocks: Iterable[Block]) -> list[Block]:
    """Join single pieces that follow each other."""
    made: list[Block] = []
    for block in blocks:
        if block.count == 1 and made and made[-1].takes(block) and made[-1].append(*block.lo, block.read()):
            continue
        made.append(block)
    return made


def _number(block: Block) -> tuple[int, int]:
    return block.lo

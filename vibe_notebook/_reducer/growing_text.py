"""Hold a text that grows at its end, and now and then in its middle, at a flat cost.

The part builders keep one ``GrowingText`` for each streamed text. A *fragment* is the text of one event; a
*block* is a stretch of fragments of one counter, in order. A block stores fragments as they arrived and joins
them when they are read. A late fragment splits the block that it belongs into.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
from typing import Any, Final

from .._ordering.counter import Counter, Place

__all__ = ["SEAL", "Block", "GrowingText"]


SEAL = 512
"""Fragments after which a block joins them: a str object costs 50 bytes before its first character."""
_NONE: Final[array[int]] = array("B")
CREDIT: Final = 100_000
"""Characters that a text may deliver as repeated whole texts before its new events must earn more."""
SMALL: Final = 8
"""Blocks up to which each whole text starts a search for replaced text."""
EAGER: Final = 64
"""Late fragments that may wait in a short text; also the blocks that each new fragment is compared with."""


class GrowingText:
    """Hold one text; ``epoch`` changes whenever anything but its end changes, ``size`` is its length.

    A display that has shown ``size`` characters at an epoch needs only ``tail(size)`` while the epoch stays
    the same. Late fragments wait in a list until a caller reads the text, or until they are as many as the
    others: to place each of them immediately would cost the square.
    """

    __slots__ = (
        "_compacted",
        "_late",
        "_newest",
        "_ordered_count",
        "_retained",
        "_retracted",
        "_size",
        "blocks",
        "credit",
        "delivered_epoch",
        "epoch",
        "mixed",
        "shifts",
        "wholes",
    )

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.epoch = 0
        self.mixed = False  # several counters write the text: blocks are compared by position
        self.wholes = 0
        self.shifts = 0  # of all its counters when the blocks were last ordered; -1: order them again
        self.credit = CREDIT
        self.delivered_epoch = 0  # the epoch of the text that callbacks have got
        self._size = 0
        self._newest = -1  # the greatest arrival
        self._late: list[Block] = []
        self._retracted: set[tuple[str | None]] = set()  # messages whose derived fragments must go
        self._ordered_count = 0  # fragments when the blocks were last ordered
        self._compacted = 0  # fragments at the last compact()
        self._retained = 0  # blocks that the last search for replaced text has retained

    @property
    def size(self) -> int:
        """Return the text's length in characters."""
        self._reorder()
        return self._size

    @property
    def count(self) -> int:
        """Return the count of fragments when the blocks were last ordered; later ones in order do not count."""
        return self._ordered_count

    @property
    def is_empty(self) -> bool:
        """Return whether the text has no fragment, or none is left."""
        if self._retracted:
            self._reorder()
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
        """Add *text* at its place; a *whole* one replaces all text before it in the order."""
        blocks = self.blocks
        counter, arrival = place[0], place[3]
        if blocks and not whole:
            last = blocks[-1]
            if (
                last.fragments is not None
                and last.counter is counter
                and last.derived == derived
                and not last.whole
                and not self.mixed
            ):
                seq = arrival if counter is None else place[1]
                if last.append(seq, place[2], text):
                    self._size += len(text)
                    self._newest = max(self._newest, arrival)
                    return
        block = Block(place, text, whole=whole, value=value, derived=derived)
        follows = self._follows(block, arrival)
        self._newest = max(self._newest, arrival)
        if not self.mixed and blocks and blocks[-1].counter is not counter:
            self.mixed, self.shifts = True, -1
        if follows:
            self._append(block, text)
        else:
            self.epoch += 1
            self._late.append(block)
            if len(self._late) > max(EAGER, self._ordered_count):
                self._reorder()

    def _follows(self, block: Block, arrival: int) -> bool:
        """Return whether *block* certainly stands behind all others."""
        if not self.blocks:
            return not self._late
        last = self.blocks[-1]
        if not self.mixed and last.counter is block.counter:
            return block.lo > last.hi
        if self._late:
            return False
        # While no number of the two counters came out of order, a position is an arrival.
        if arrival > self._newest and not (_shifts(last) or _shifts(block)):
            return True
        return len(self.blocks) <= EAGER and self._is_greatest(block)

    def _is_greatest(self, block: Block) -> bool:
        """Return whether the block's counter has its greatest number behind all numbers of the others."""
        counter = block.counter
        if counter is not None and not counter.is_greatest(*block.lo):
            return False
        at = block.lo[0] if counter is None else counter.newest
        for other in self.blocks:
            if other.counter is None or other.counter is not counter:
                end = other.hi[0] if other.counter is None else other.counter.newest
                if end >= at:
                    return False
        return True

    def _append(self, block: Block, text: str) -> None:
        last = self.blocks[-1] if self.blocks else None
        if not block.whole:
            if not (last is not None and last.can_join(block) and last.append(*block.lo, text)):
                self.blocks.append(block)
            self._size += len(text)
            return
        is_same = not (self._late or self._retracted) and self._size == len(text) and self.read() == text
        self.blocks.append(block)
        self.wholes += 1
        self._size = len(text)
        self.epoch += not is_same
        if len(self.blocks) > (2 * self._retained if self._retained > SMALL else 1):
            self._prune()

    def _prune(self) -> None:
        """Drop text that a whole text of its own counter replaces for good.

        The first block of each counter stays, without its text: it holds the place where the part began.
        """
        # By number: blocks of several counters are ordered only when they are read.
        last: dict[Counter | None, tuple[int, int]] = {}
        for block in self.blocks:
            if block.whole and block.derived is None:
                last[block.counter] = max(block.lo, last.get(block.counter, block.lo))
        first: dict[Counter | None, Block] = {}
        removed: set[Block] = set()
        for block in self.blocks:
            if block.derived is None and block.counter in last and block.hi < last[block.counter]:
                block.clear()
                removed.add(block)
                first[block.counter] = min(block, first.get(block.counter, block), key=_number)
        removed.difference_update(first.values())
        if removed:
            self.blocks = [block for block in self.blocks if block not in removed]
            self.wholes = sum(block.whole for block in self.blocks)
        self._retained = len(self.blocks)

    def drop_derived(self, message_id: str | None) -> None:
        """Drop the text that derived deltas of the message built."""
        self._retracted.add((message_id,))
        self.epoch += 1

    def refresh(self) -> None:
        """Order the blocks again if positions may have moved since they were ordered."""
        self._reorder()

    def read(self) -> str:
        """Return the whole text."""
        self._reorder()
        return self._fold(len(self.blocks))[0]

    def value(self) -> tuple[bool, Any]:
        """Return (whether one value is the whole text, that value); a later fragment makes it False."""
        self._reorder()
        return self._fold(len(self.blocks))[1:]

    def ends_with_whole(self, value: Any) -> bool:
        """Return whether the newest fragment is *value* itself, and replaced all text before it."""
        last = self.blocks[-1] if self.blocks else None
        return last is not None and last.whole and last.value is value

    def tail(self, offset: int) -> str:
        """Return the text after its first *offset* characters."""
        missing = self.size - offset  # in order from here on
        fragments = (fragment for block in reversed(self.blocks) for fragment in block.newest_first())
        tail: list[str] = []
        while missing > 0:
            tail.append(next(fragments))
            missing -= len(tail[-1])
        return "".join(reversed(tail))[-missing:]

    def compact(self) -> None:
        """Free the memory that only a growing text needs: join neighbouring blocks."""
        self._reorder()
        count = sum(block.count for block in self.blocks)
        if 4 * (count - self._compacted) < self._compacted:
            return  # to join the blocks again for each few fragments more would cost the square
        self._compacted = count
        groups: list[list[Block]] = []
        for block in self.blocks:
            if groups and not self.mixed and groups[-1][0].can_join(block):
                groups[-1].append(block)
            else:
                groups.append([block])
        for first, *later in groups:
            first.absorb(later)
        self.blocks = [group[0] for group in groups]

    def first(self) -> int | None:
        """Return the position of the first fragment."""
        self._reorder()
        return min((block.start() for block in self.blocks), default=None)

    def _fold(self, end: int) -> tuple[str, bool, Any]:
        start = 0
        if self.wholes:
            start = next((i for i in range(end - 1, -1, -1) if self.blocks[i].whole), 0)
        text = "".join([block.read() for block in self.blocks[start:end]])
        last = self.blocks[start] if end else None
        return text, last is not None and last.whole and start == end - 1, last.value if last else None

    def _reorder(self) -> None:
        """Place late fragments, and those whose positions moved; drop retracted ones."""
        if not (self._late or self._retracted or self.mixed):
            return
        retracted, late, before = self._retracted, self._late, self.blocks
        if retracted:
            late = [block for block in late if block.derived not in retracted]
            self.blocks = [block for block in before if block.derived not in retracted]
            self.mixed = len({block.counter for block in (*self.blocks, *late)}) > 1
            self._retracted, self.shifts = set(), -1
        shifts = next((_shifts(b) for b in chain(self.blocks, late) if b.counter is not None), 0)
        if self.mixed and (late or shifts != self.shifts):
            singles = [fragment for block in (*self.blocks, *late) for fragment in block.singles()]
            ordered = sorted(singles, key=Block.start)
            self.epoch += ordered != singles
            self.blocks = _joined(ordered)
            self.shifts = shifts
        elif late:
            self.blocks = _joined(_merged(self.blocks, sorted(late, key=_number)))
        elif self.blocks is before:
            return
        self._late = []
        self.wholes = sum(block.whole for block in self.blocks)
        if self.wholes and len(self.blocks) > 1:
            self._prune()
        self._ordered_count = sum(block.count for block in self.blocks)
        self._size = len(self._fold(len(self.blocks))[0])


class Block:
    """Hold fragments of one counter, in order; a *whole* block replaces all text before it.

    A fragment's number is (seq, sub), or (arrival, 0) for an event without a number. Beside the fragments, a
    block stores only where their numbers are not contiguous, and each fragment's length: enough to place a late
    fragment between any two of them.
    """

    __slots__ = (
        "arrival",
        "counter",
        "derived",
        "fragments",
        "hi",
        "lengths",
        "lo",
        "stretches",
        "text",
        "value",
        "whole",
    )

    def __init__(
        self, place: Place, text: str, *, whole: bool, value: Any, derived: tuple[str | None] | None
    ) -> None:
        self.counter: Counter | None = place[0]
        self.arrival = place[3]  # the first fragment's; -1: not known
        self.lo = self.hi = (place[3], 0) if place[0] is None else (place[1], place[2])
        # (index, seq, sub): from this fragment on, numbers are contiguous and have the same sub.
        self.stretches: list[tuple[int, int, int]] = [(0, *self.lo)]
        self.whole = whole
        self.value = value
        self.derived = derived  # (message_id,) of a derived delta
        self.fragments: list[str] | None = [text]
        self.text = ""
        self.lengths = _NONE

    def append(self, seq: int, sub: int, text: str) -> bool:
        """Append a fragment to an unsealed block; return False if it belongs elsewhere."""
        fragments, hi = self.fragments, self.hi
        if fragments is None or (seq, sub) <= hi:
            return False
        if seq != hi[0] + 1 or sub != hi[1]:
            self.stretches.append((len(fragments), seq, sub))
        fragments.append(text)
        self.hi = (seq, sub)
        if len(fragments) >= SEAL:
            self.seal()
        return True

    def read(self) -> str:
        """Return the block's text."""
        return self.text if self.fragments is None else "".join(self.fragments)

    def newest_first(self) -> Iterable[str]:
        """Return the fragments, the last one first; a sealed block has one."""
        return reversed([self.text] if self.fragments is None else self.fragments)

    def clear(self) -> None:
        """Drop the text, which is replaced for good; retain only the place where the block began."""
        self.hi = self.lo
        self.stretches = [(0, *self.lo)]
        self.fragments, self.text, self.lengths, self.value = [""], "", _NONE, None

    def seal(self) -> None:
        """Join the fragments; retain only their lengths."""
        if self.fragments is not None:
            self.text = "".join(self.fragments)
            self.lengths = _packed([len(fragment) for fragment in self.fragments])
            self.fragments = None

    def can_join(self, after: Block) -> bool:
        """Return whether *after*, the next block in order, can become part of this one."""
        is_alike = self.counter is after.counter and self.derived == after.derived
        return is_alike and not (self.whole or after.whole)

    def absorb(self, later: list[Block]) -> None:
        """Append the blocks that follow."""
        blocks = [self, *later]
        for block in blocks:
            block.seal()
        count = len(self.lengths)
        for block in later:
            joins = block.lo == (self.hi[0] + 1, self.hi[1])
            self.stretches += [(count + index, seq, sub) for index, seq, sub in block.stretches[joins:]]
            count += len(block.lengths)
            self.hi = block.hi
        self.lengths = _packed([length for block in blocks for length in block.lengths])
        self.text = "".join([block.text for block in blocks])

    def singles(self) -> Iterable[Block]:
        """Return the fragments as blocks of their own."""
        if self.whole or self.count == 1:
            return [self]
        made = []
        fragments = self._open()
        ends = [*(stretch[0] for stretch in self.stretches[1:]), len(fragments)]
        for (start, seq, sub), end in zip(self.stretches, ends, strict=True):
            for i in range(start, end):
                number = seq + i - start
                arrival = self.arrival if i == 0 else number if self.counter is None else -1
                place: Place = (self.counter, number, sub, arrival)
                made.append(Block(place, fragments[i], whole=False, value=None, derived=self.derived))
        return made

    def place(self) -> Place:
        """Return the place of the first fragment."""
        return (None, 0, 0, self.lo[0]) if self.counter is None else (self.counter, *self.lo, self.arrival)

    def start(self) -> int:
        """Return the position of the first fragment."""
        return self.lo[0] if self.counter is None else self.counter.position(*self.lo, self.arrival)

    @property
    def count(self) -> int:
        """Return the count of fragments."""
        return len(self.lengths) if self.fragments is None else len(self.fragments)

    def _open(self) -> list[str]:
        if self.fragments is None:
            ends = list(accumulate(self.lengths))
            text = self.text
            self.fragments = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
            self.text, self.lengths = "", _NONE
        return self.fragments


def _packed(lengths: list[int]) -> array[int]:
    """Return the lengths in the smallest array: a byte is enough for most fragments (255 characters)."""
    top = max(lengths)
    return array("B" if top < 1 << 8 else "H" if top < 1 << 16 else "Q", lengths)


def _shifts(block: Block) -> int:
    """Return the count of numbers that came out of order, over all counters of the block's agent."""
    return 0 if block.counter is None else block.counter.all_shifts[0]


def _merged(blocks: list[Block], late: list[Block]) -> Iterator[Block]:
    """Yield a counter's blocks and its late fragments in order; cut up each block that a fragment falls into."""
    at = 0
    for block in blocks:
        is_hit = at < len(late) and late[at].lo < block.hi
        for fragment in block.singles() if is_hit else (block,):
            while at < len(late) and late[at].lo < fragment.lo:
                yield late[at]
                at += 1
            yield fragment
    yield from late[at:]


def _joined(blocks: Iterable[Block]) -> list[Block]:
    """Join single fragments that follow each other; return the blocks."""
    made: list[Block] = []
    for block in blocks:
        if (
            block.count == 1
            and made
            and made[-1].can_join(block)
            and made[-1].append(*block.lo, block.read())
        ):
            continue
        made.append(block)
    return made


def _number(block: Block) -> tuple[int, int]:
    return block.lo

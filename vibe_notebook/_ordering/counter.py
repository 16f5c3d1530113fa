"""Hold one counter's state: the numbers that it has seen, its held events, and their positions.

The sequencer keeps one ``Counter`` for each ordering key: run, counter name, direct or derived. A counter
stores seen numbers as intervals: a stream in order costs two numbers, however long it is, and the counter
still detects a late duplicate.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from .seen_numbers import Intervals, Keys

if TYPE_CHECKING:
    from ..events import Event

__all__ = ["Counter", "Place"]

Place = tuple["Counter | None", int, int, int]
"""An event's place: (counter, seq, sub, arrival). An event without a number has no counter."""


class Counter:
    """Hold the state of one counter: seen numbers, held events, and arrivals."""

    __slots__ = (
        "all_shifts",
        "arrivals",
        "closed",
        "count",
        "held",
        "holding",
        "index",
        "last",
        "message_id",
        "next",
        "ranks",
        "seen",
        "shifts",
        "subs",
    )

    def __init__(self, message_id: str | None, index: int = 0, all_shifts: list[int] | None = None) -> None:
        self.message_id = message_id
        self.all_shifts = [0] if all_shifts is None else all_shifts
        """The sum of ``shifts`` over all counters of the agent, in a list that they share."""
        self.index = index  # among the counters of its run, oldest first
        self.next: int | None = None  # None until the base is known
        self.last: tuple[float, int] = (-math.inf, 0)  # the greatest (seq, sub) delivered
        self.closed = False
        self.held: dict[int, tuple[float, list[tuple[Event, Place]]]] = {}
        self.holding = 0  # events in ``held``
        self.shifts = 0  # arrivals out of order; 0: every event's position is its arrival
        self.seen = Intervals()  # the seqs with sub 0
        self.subs: Keys | None = None  # the (seq, sub) with another sub
        # The k-th arrival of this counter was arrivals[i] + k - ranks[i], i the last with ranks[i] <= k.
        self.count = 0  # accepted events
        self.ranks: list[int] = []
        self.arrivals: list[int] = []

    def accept(self, seq: int, sub: int, arrival: int) -> bool:
        """Accept (seq, sub) as the event that arrived as number *arrival*; return False for a duplicate."""
        top = self.seen.top
        if sub == 0 and top is not None and seq == top + 1 and not self._subs_after(seq):
            self.seen.extend(1)
        elif not self._insert(seq, sub):
            return False
        rank = self.count
        self.count += 1
        if not self.ranks or arrival != self.arrivals[-1] + rank - self.ranks[-1]:
            self.ranks.append(rank)
            self.arrivals.append(arrival)
        return True

    def accept_next(self, seq: int, arrival: int) -> bool:
        """Accept *seq* (sub 0) if it is the next number and no event is held.

        Otherwise return False and change nothing.
        """
        seen = self.seen
        if seq != self.next or self.held or seen.top != seq - 1:
            return False
        if self.subs and self._subs_after(seq):
            return False
        seen.extend(1)
        rank = self.count
        self.count = rank + 1
        if arrival != self.arrivals[-1] + rank - self.ranks[-1]:
            self.ranks.append(rank)
            self.arrivals.append(arrival)
        self.last = (seq, 0)
        self.next = seq + 1
        return True

    def hold(self, seq: int, slot: list[tuple[Event, Place]], now: float) -> None:
        """Hold a slot until its turn comes."""
        self.holding += len(slot)
        if seq in self.held:
            self.held[seq][1].extend(slot)
        else:
            self.held[seq] = (now, slot)

    def release(self, seq: int) -> list[tuple[Event, Place]]:
        """Release the held slot of *seq* and return it."""
        slot = self.held.pop(seq)[1]
        self.holding -= len(slot)
        return slot

    def deliver(self, seq: int, sub: int) -> bool:
        """Record that (seq, sub) is delivered; return whether a greater number was delivered before."""
        if (seq, sub) < self.last:
            return True
        self.last = (seq, sub)
        self.next = seq + 1 if self.next is None else max(self.next, seq + 1)
        return False

    def is_greatest(self, seq: int, sub: int) -> bool:
        """Return whether the counter has seen no greater (seq, sub)."""
        top = self.seen.top
        return not ((top is not None and (seq, sub) < (top, 0)) or self._subs_after_key((seq, sub)))

    @property
    def newest(self) -> int:
        """Return the last arrival, which is the position of the greatest number."""
        return self.arrivals[-1] + self.count - 1 - self.ranks[-1]

    def _subs_after_key(self, key: tuple[int, int]) -> bool:
        subs = self.subs
        return subs is not None and subs.top is not None and subs.top > key

    def _subs_after(self, seq: int) -> bool:
        return self.subs is not None and self._subs_after_key((seq, 0))

    def _insert(self, seq: int, sub: int) -> bool:
        is_late = not self.is_greatest(seq, sub)
        if sub:
            if self.subs is None:
                self.subs = Keys()
            is_new = self.subs.add((seq, sub))
        else:
            is_new = self.seen.add(seq)
        if is_new and is_late:
            self.shifts += 1
            self.all_shifts[0] += 1
        return is_new

    def position(self, seq: int, sub: int, arrival: int) -> int:
        """Return the event's position among all arrivals of its agent once its counter is sorted.

        Pass -1 for *arrival* if the event's arrival is not known (merged text).
        """
        if not self.shifts and arrival >= 0:
            return arrival
        rank = self.subs.below((seq, sub)) if self.subs is not None else 0
        rank += self.seen.below(seq + 1 if sub > 0 else seq)  # seqs whose sub 0 comes before (seq, sub)
        i = bisect_right(self.ranks, rank) - 1
        return self.arrivals[i] + rank - self.ranks[i]

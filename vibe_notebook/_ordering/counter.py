"""One count of events: which numbers were seen, what is held, and what order makes of it.

Part of ordering. What is seen is kept as intervals, so a stream in order costs two numbers
however long it is, and a late duplicate is still told.
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
"""(track, seq, sub, arrival); an unsequenced event has no track."""


class Counter:
    """One count: which numbers were seen, what is held, and which arrivals it has had."""

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
        """The sum of ``shifts`` of all the agent's tracks, in a list that they share."""
        self.index = index  # among the tracks of its run, in the order of their making
        self.next: int | None = None  # None until a base is known
        self.last: tuple[float, int] = (-math.inf, 0)  # the greatest (seq, sub) delivered
        self.closed = False
        self.held: dict[int, tuple[float, list[tuple[Event, Place]]]] = {}
        self.holding = 0  # events in ``held``
        self.shifts = 0  # arrivals out of order; 0: every position is its own arrival
        # Seen: seqs with sub 0, and the (seq, sub) with another sub.
        self.seen = Intervals()
        self.subs: Keys | None = None
        # The k-th arrival of this track was arrivals[i] + k - ranks[i], i the last with ranks[i] <= k.
        self.count = 0
        self.ranks: list[int] = []
        self.arrivals: list[int] = []

    def see(self, seq: int, sub: int, arrival: int) -> bool:
        """Accept (seq, sub) as the event that arrived as number *arrival*; False: a duplicate."""
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

    def step(self, seq: int, arrival: int) -> bool:
        """Accept *seq* (sub 0) if it is just what comes next and nothing is held; else change nothing."""
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

    def keep(self, seq: int, slot: list[tuple[Event, Place]], now: float) -> None:
        """Hold a slot until its turn."""
        self.holding += len(slot)
        if seq in self.held:
            self.held[seq][1].extend(slot)
        else:
            self.held[seq] = (now, slot)

    def take(self, seq: int) -> list[tuple[Event, Place]]:
        """What was held of *seq*."""
        slot = self.held.pop(seq)[1]
        self.holding -= len(slot)
        return slot

    def passed(self, seq: int, sub: int) -> bool:
        """Note that (seq, sub) is delivered; whether it comes after what should follow it."""
        if (seq, sub) < self.last:
            return True
        self.last = (seq, sub)
        self.next = seq + 1 if self.next is None else max(self.next, seq + 1)
        return False

    def is_greatest(self, seq: int, sub: int) -> bool:
        """Tell whether no greater (seq, sub) was seen."""
        top = self.seen.top
        return not ((top is not None and (seq, sub) < (top, 0)) or self._subs_after_key((seq, sub)))

    @property
    def newest(self) -> int:
        """The last arrival, which is the position of the greatest number."""
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
        """Where among all arrivals the event stands once its track is sorted.

        Where its own arrival was not kept (merged text), pass -1.
        """
        if not self.shifts and arrival >= 0:
            return arrival
        rank = self.subs.below((seq, sub)) if self.subs is not None else 0
        rank += self.seen.below(seq + 1 if sub > 0 else seq)  # whose sub 0 comes before (seq, sub)
        i = bisect_right(self.ranks, rank) - 1
        return self.arrivals[i] + rank - self.ranks[i]

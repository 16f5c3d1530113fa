"""One count of events: which numbers were seen, what is held, and what order makes of it.

Part of ordering. What is seen is kept as intervals, so a stream in order costs two numbers
however long it is, and a late duplicate is still told.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import Event

__all__ = ["Place", "Track"]

Place = tuple["Track | None", int, int, int]
"""(track, seq, sub, arrival); an unsequenced event has no track."""


class Track:
    """One count: which numbers were seen, what is held, and which arrivals it has had."""

    __slots__ = (
        "arrivals",
        "closed",
        "count",
        "ends",
        "held",
        "holding",
        "last",
        "message_id",
        "next",
        "ranks",
        "shifts",
        "starts",
        "subs",
    )

    def __init__(self, message_id: str | None) -> None:
        self.message_id = message_id
        self.next: int | None = None  # None until a base is known
        self.last: tuple[float, int] = (-math.inf, 0)  # the greatest (seq, sub) delivered
        self.closed = False
        self.held: dict[int, tuple[float, list[tuple[Event, Place]]]] = {}
        self.holding = 0  # events in ``held``
        self.shifts = 0  # arrivals out of order; 0: every position is its own arrival
        # Seen: closed intervals of seqs with sub 0, and the (seq, sub) with another sub.
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.subs: list[tuple[int, int]] | tuple[()] = ()
        # The k-th arrival of this track was arrivals[i] + k - ranks[i], i the last with ranks[i] <= k.
        self.count = 0
        self.ranks: list[int] = []
        self.arrivals: list[int] = []

    def see(self, seq: int, sub: int, arrival: int) -> bool:
        """Accept (seq, sub) as the event that arrived as number *arrival*; False: a duplicate."""
        ends = self.ends
        if sub == 0 and ends and seq == ends[-1] + 1 and not self._subs_after(seq):
            ends[-1] = seq
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
        ends = self.ends
        if seq != self.next or self.held or not ends or ends[-1] != seq - 1:
            return False
        if self.subs and self._subs_after(seq):
            return False
        ends[-1] = seq
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

    def _subs_after(self, seq: int) -> bool:
        subs = self.subs
        return isinstance(subs, list) and subs[-1] > (seq, 0)

    def _insert(self, seq: int, sub: int) -> bool:
        top = max((self.ends[-1], 0) if self.ends else (seq, sub), self.subs[-1] if self.subs else (seq, sub))
        if sub:
            at = bisect_left(self.subs, (seq, sub))
            if at < len(self.subs) and self.subs[at] == (seq, sub):
                return False
            if isinstance(self.subs, list):
                self.subs.insert(at, (seq, sub))
            else:
                self.subs = [(seq, sub)]
        else:
            at = bisect_right(self.starts, seq)
            if at and seq <= self.ends[at - 1]:
                return False
            after = at < len(self.starts) and self.starts[at] == seq + 1
            if at and self.ends[at - 1] == seq - 1:
                self.ends[at - 1] = seq
                if after:
                    self.ends[at - 1] = self.ends.pop(at)
                    del self.starts[at]
            elif after:
                self.starts[at] = seq
            else:
                self.starts.insert(at, seq)
                self.ends.insert(at, seq)
        if (seq, sub) < top:
            self.shifts += 1
        return True

    def position(self, seq: int, sub: int, arrival: int) -> int:
        """Where among all arrivals the event stands once its track is sorted.

        Where its own arrival was not kept (merged text), pass -1.
        """
        if not self.shifts and arrival >= 0:
            return arrival
        rank = bisect_left(self.subs, (seq, sub)) if self.subs else 0
        below = seq + 1 if sub > 0 else seq  # numbers whose sub 0 comes before (seq, sub)
        at = bisect_left(self.starts, below)
        rank += sum(self.ends[i] - self.starts[i] + 1 for i in range(at))
        if at and self.ends[at - 1] >= below:
            rank -= self.ends[at - 1] - below + 1
        i = bisect_right(self.ranks, rank) - 1
        return self.arrivals[i] + rank - self.ranks[i]

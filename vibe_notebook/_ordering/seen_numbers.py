"""Hold the numbers that one counter has seen, as intervals.

``Counter`` asks these sets whether a number is new, and how many seen numbers are lower. Each set is a list of
short lists: an insertion moves few elements.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import accumulate, chain
from typing import Final

__all__ = ["LIST_LIMIT", "Intervals", "Keys"]

LIST_LIMIT: Final = 512
"""Elements of one list: an insertion moves every element behind it."""

_Key = tuple[int, int]


class Intervals:
    """Hold a set of whole numbers as closed intervals; ``top`` is the largest, ``None`` in an empty set."""

    __slots__ = ("_counted", "_ends", "_flat", "_lows", "_starts", "_totals", "count", "top")

    def __init__(self) -> None:
        self.count = 0
        self.top: int | None = None
        # The lowest number of each list; lists of at most LIST_LIMIT intervals each.
        self._lows: list[int] = []
        self._starts: list[list[int]] = []
        self._ends: list[list[int]] = []
        # For below(), which makes them: all starts and ends, and the count of numbers before each start.
        self._counted = 0
        self._flat: tuple[list[int], list[int]] = ([], [])
        self._totals = [0]

    def __len__(self) -> int:
        """Return the count of intervals."""
        return sum(map(len, self._starts))

    def extend(self, count: int) -> None:
        """Add the next *count* numbers after ``top``; the set must not be empty."""
        self._ends[-1][-1] = self.top = self._ends[-1][-1] + count
        self.count += count

    def add(self, number: int) -> bool:
        """Add a number; return False if the set has it already."""
        top = self.top
        if top is not None and number == top + 1:
            self._ends[-1][-1] = self.top = number
            self.count += 1
            return True
        if top is None or number > top + 1:
            self._append(number)
            return True
        place = max(bisect_right(self._lows, number) - 1, 0)
        starts, ends = self._starts[place], self._ends[place]
        at = bisect_right(starts, number)
        if at and number <= ends[at - 1]:
            return False
        self.count += 1
        self._put(place, at, number)
        self._lows[place] = starts[0]
        if len(starts) > LIST_LIMIT:
            half = len(starts) // 2
            self._lows.insert(place + 1, starts[half])
            self._starts.insert(place + 1, starts[half:])
            self._ends.insert(place + 1, ends[half:])
            del starts[half:], ends[half:]
        return True

    def below(self, number: int) -> int:
        """Return the count of numbers lower than *number*."""
        if self._counted != self.count:
            self._counted = self.count
            starts, ends = list(chain(*self._starts)), list(chain(*self._ends))
            self._flat = starts, ends
            self._totals = list(accumulate((b - a + 1 for a, b in zip(starts, ends, strict=True)), initial=0))
        starts, ends = self._flat
        at = bisect_left(starts, number)
        return self._totals[at] - (max(0, ends[at - 1] - number + 1) if at else 0)

    def _put(self, place: int, at: int, number: int) -> None:
        """Add *number*, which is below the top, before interval *at* of list *place*; join neighbours."""
        starts, ends = self._starts[place], self._ends[place]
        near, index = (place, at) if at < len(starts) else (place + 1, 0)
        behind = self._starts[near]
        follows, leads = at > 0 and ends[at - 1] == number - 1, behind[index] == number + 1
        if follows and leads:
            ends[at - 1] = self._ends[near].pop(index)
            del behind[index]
            if behind:
                self._lows[near] = behind[0]
            else:
                del self._lows[near], self._starts[near], self._ends[near]
        elif follows:
            ends[at - 1] = number
        elif leads:
            behind[index] = number
            self._lows[near] = behind[0]
        else:
            starts.insert(at, number)
            ends.insert(at, number)

    def _append(self, number: int) -> None:
        if not self._starts or len(self._starts[-1]) >= LIST_LIMIT:
            self._lows.append(number)
            self._starts.append([])
            self._ends.append([])
        self._starts[-1].append(number)
        self._ends[-1].append(number)
        self.top = number
        self.count += 1


class Keys:
    """Hold a sorted set of (number, sub) pairs; ``top`` is the largest, ``None`` in an empty set."""

    __slots__ = ("_counted", "_flat", "_lists", "_lows", "count", "top")

    def __init__(self) -> None:
        self.count = 0
        self.top: _Key | None = None
        self._lists: list[list[_Key]] = []
        self._lows: list[_Key] = []
        self._counted = 0
        self._flat: list[_Key] = []

    def add(self, key: _Key) -> bool:
        """Add a key; return False if the set has it already."""
        if self.top is None or key > self.top:
            if not self._lists or len(self._lists[-1]) >= LIST_LIMIT:
                self._lists.append([])
                self._lows.append(key)
            self._lists[-1].append(key)
            self.top = key
            self.count += 1
            return True
        place = max(bisect_right(self._lows, key) - 1, 0)
        keys = self._lists[place]
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            return False
        insort(keys, key)
        self.count += 1
        self._lows[place] = keys[0]
        if len(keys) > LIST_LIMIT:
            half = len(keys) // 2
            self._lows.insert(place + 1, keys[half])
            self._lists.insert(place + 1, keys[half:])
            del keys[half:]
        return True

    def below(self, key: _Key) -> int:
        """Return the count of keys lower than *key*."""
        if self._counted != self.count:
            self._counted = self.count
            self._flat = list(chain(*self._lists))
        return bisect_left(self._flat, key)

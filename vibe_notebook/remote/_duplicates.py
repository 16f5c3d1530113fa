"""Recognise the events that a server repeats after a reconnect, for ``_follow``. Pure."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from ._decoder import ServerSentEvent

__all__ = ["DuplicateFilter", "parse_position"]

WINDOW: Final = 16_384
"""Events without an order that the filter remembers, to recognise their repetition."""
_ORDERED: Final = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


def parse_position(event_id: str) -> tuple[int, int] | None:
    """Return an id such as ``17`` or ``1763720000000-17`` as comparable numbers; ``None`` without order."""
    found = _ORDERED.fullmatch(event_id)
    return (int(found[1]), int(found[2] or 0)) if found else None


class DuplicateFilter:
    """Distinguish repeated events from new ones.

    A project's ids grow, so the highest one suffices. Elsewhere an id may mean anything, and an
    event without an id bears the id before it. There, a repeated event is one of a row that arrived
    before the reconnect and arrives again, in the same order, after the reconnect.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self._highest = parse_position(last_event_id)
        self._recent: deque[int] = deque(maxlen=WINDOW)
        self._expected: list[int] | None = None
        """The hashes of the row that the server may repeat; ``None``: nothing is to be repeated."""
        self._next = 0
        """The index of the next hash in ``_expected``; negative: the repetition has not begun."""

    def reconnected(self) -> None:
        """Expect a repetition from here on."""
        self._expected, self._next = list(self._recent), -1

    def reset(self, event_id: str = "") -> None:
        """Forget the events so far: the server's ids begin anew, after *event_id*."""
        self._highest = parse_position(event_id)
        self._recent.clear()
        self._expected = None

    def is_duplicate(self, event: ServerSentEvent, *, grows: bool) -> bool:
        """Return True for a repeated event; remember a new one. ``grows``: the stream's ids have an order."""
        position = parse_position(event.id) if grows else None
        if position is not None:
            if self._highest is not None and position <= self._highest:
                return True
            self._highest = position
            return False
        mark = hash(event)
        if self._expected is not None and event.id:
            if self._next < 0 and mark in self._expected:
                self._next = self._expected.index(mark)
            if 0 <= self._next < len(self._expected) and self._expected[self._next] == mark:
                self._next += 1
                return True
            self._expected = None
        self._recent.append(mark)
        return False

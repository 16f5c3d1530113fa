"""What was handed over already: a server that resumes may say some of it again. Pure."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from ._decoder import ServerSentEvent

__all__ = ["Seen", "ordered"]

WINDOW: Final = 16_384
"""Events without an order that are remembered, to be told from those that come anew."""
_ORDERED: Final = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


def ordered(event_id: str) -> tuple[int, int] | None:
    """An id as a number that can be compared: ``17`` or ``1763720000000-17``; ``None``: it has no order."""
    found = _ORDERED.fullmatch(event_id)
    return (int(found[1]), int(found[2] or 0)) if found else None


class Seen:
    """Tells what comes again from what is new.

    A project's ids grow, so one number suffices. Elsewhere an id may mean anything, and an event
    without one bears the last: so only what stood in a row before a reconnect, and comes in that
    very row after it, is the same.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self._mark = ordered(last_event_id)
        self._row: deque[int] = deque(maxlen=WINDOW)
        self._again: list[int] | None = None
        self._at = 0

    def reconnected(self) -> None:
        """From now on the server may repeat itself."""
        self._again, self._at = list(self._row), -1

    def reset(self, event_id: str = "") -> None:
        """The ids begin anew, after *event_id*."""
        self._mark = ordered(event_id)
        self._row.clear()
        self._again = None

    def is_old(self, event: ServerSentEvent, *, grows: bool) -> bool:
        """Whether it was handed over already; if not, it is from now on. ``grows``: ids have an order."""
        place = ordered(event.id) if grows else None
        if place is not None:
            if self._mark is not None and place <= self._mark:
                return True
            self._mark = place
            return False
        mark = hash(event)
        if self._again is not None and event.id:
            if self._at < 0 and mark in self._again:
                self._at = self._again.index(mark)
            if 0 <= self._at < len(self._again) and self._again[self._at] == mark:
                self._at += 1
                return True
            self._again = None
        self._row.append(mark)
        return False

"""Hold the last events that a registry delivered, for subscriptions to read and replay.

Part of the registry. One bound holds for all agents together; a reader gets a gap for events that have left
the ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from ..events import Artifact, Event, ToolFinished, ToolProgress, ToolStarted

__all__ = ["Cursor", "RingBuffer", "Tally"]


@dataclass(slots=True, weakref_slot=True)
class Tally:
    """Count one agent's events that have left the ring."""

    gone: int = 0  # events that have left
    gone_id: int = 0  # the id of the last one


@dataclass(slots=True)
class Cursor:
    """Hold a reader's position; ``known`` counts the agent's events up to it, ``None``: unknown."""

    agent_id: str | None
    tally: Tally | None
    after: int
    known: int | None


HEAVY: Final = 64_000_000
"""Characters of displays and files that the events of a ring hold; beyond them a reader gets a gap sooner."""


class RingBuffer:
    """Hold at least the last *size* events, with consecutive ids. The caller holds the registry's lock.

    It holds fewer where their displays and files are larger than HEAVY together.
    The ring counts older events, for their agents, only when a caller asks, and drops them by quarters of the
    ring. To count at each event would touch another agent's tally each time: with many agents, the processor's
    caches do not hold them.
    """

    def __init__(self, size: int) -> None:
        self._size = max(size, 1)
        self._room = self._size + self._size // 4
        self._events: list[Event] = []
        self._owners: list[Tally] = []
        self._tallies: WeakValueDictionary[str, Tally] = WeakValueDictionary()
        self._counted = 0  # the last id that is in its tally
        self.last_id = 0
        self._weight = 0  # characters of the displays and files of all events here
        self._floor = 0  # the last id that has left because of its weight, or of a heavier one

    def tally(self, agent_id: str) -> Tally:
        """Return the agent's tally, even if the agent was forgotten while the ring holds events of it."""
        tally = self._tallies.get(agent_id)
        if tally is None:
            tally = self._tallies[agent_id] = Tally()
        return tally

    def append(self, event: Event, owner: Tally) -> int:
        """Append an event of the agent whose tally is *owner*; return the event's id."""
        self.last_id = number = self.last_id + 1
        events = self._events
        events.append(event)
        self._owners.append(owner)
        if isinstance(event, _HEAVY):
            self._weight += _weight(event)
            if self._weight > HEAVY:
                self._drop_heavy()
        if len(events) > self._room:
            self._drop(len(events) - self._size)
        return number

    def _drop(self, count: int) -> None:
        """Drop the oldest *count* events; no reader can read them any more."""
        self._count()
        if self._weight:
            self._weight -= sum(map(_weight, self._events[:count]))
        del self._events[:count], self._owners[:count]

    def _drop_heavy(self) -> None:
        """Drop the oldest events until the others weigh half of what they may, but never the newest."""
        left, count = self._weight, 0
        while left > HEAVY // 2 and count < len(self._events) - 1:
            left -= _weight(self._events[count])
            count += 1
        self._floor = max(self._floor, self.last_id - len(self._events) + count)
        self._drop(count)

    def delivered(self, owner: Tally) -> int:
        """Return the count of all delivered events of the agent whose tally is *owner*."""
        self._count()
        return owner.gone + sum(each is owner for each in self._owners[self._first - self.last_id - 1 :])

    def cursor(self, agent_id: str | None, after: int | None) -> Cursor:
        """Return a cursor that starts after an id; ``None``: from now on."""
        self._count()
        at = self.last_id if after is None else max(after, 0)
        if at > self.last_id:
            # The id is of an earlier process: the count of missed events is unknown.
            return Cursor(agent_id, None, 0, None)
        if agent_id is None:
            return Cursor(None, None, at, 0)
        tally = self.tally(agent_id)
        if tally.gone_id <= at:
            ringed = sum(self._owner(number) is tally for number in range(self._first, at + 1))
            return Cursor(agent_id, tally, at, tally.gone + ringed)
        return Cursor(agent_id, tally, at, 0 if at == 0 else None)

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """Return (the count of missed events, ``None`` for an unknown one; the next rows)."""
        self._count()
        missed = self._missed(cursor)
        rows: list[tuple[int, Event]] = []
        for number in range(max(cursor.after + 1, self._first), self.last_id + 1):
            cursor.after = number
            if cursor.agent_id is None or self._owner(number) is cursor.tally:
                rows.append((number, self._events[number - self.last_id - 1]))
                if len(rows) >= limit:
                    break
        if cursor.known is not None:
            cursor.known += len(rows)
        return missed, rows

    @property
    def _first(self) -> int:
        """Return the lowest id that a reader can read."""
        return max(self.last_id - self._size, self._floor) + 1

    def _owner(self, number: int) -> Tally:
        return self._owners[number - self.last_id - 1]

    def _count(self) -> None:
        """Count, in their agents' tallies, the events that no reader can read any more."""
        for number in range(self._counted + 1, self._first):
            tally = self._owner(number)
            tally.gone += 1
            tally.gone_id = self._counted = number

    def _missed(self, cursor: Cursor) -> int | None:
        tally = cursor.tally
        if cursor.known is None:
            # The reader gets one gap of unknown size; from here on the count is known again.
            if tally is None and cursor.agent_id is not None:
                tally = cursor.tally = self.tally(cursor.agent_id)
            cursor.known = tally.gone if tally is not None else 0
            cursor.after = max(cursor.after, self._first - 1)
            return None
        if tally is None:
            missed = max(0, self._first - 1 - cursor.after)
            cursor.after += missed
            return missed
        if tally.gone_id <= cursor.after:
            return 0
        missed = tally.gone - cursor.known
        cursor.known = tally.gone
        return missed


_HEAVY: Final = (Artifact, ToolFinished, ToolProgress, ToolStarted)
"""The events that carry displays or files."""


def _weight(event: Any) -> int:
    """Return the characters of an event's display and file."""
    display = getattr(event, "display", None) or {}
    texts = [*display.values(), getattr(event, "data", None)]
    return sum(len(text) for text in texts if isinstance(text, str))

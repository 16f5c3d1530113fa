"""The last events that a registry delivered, for subscriptions to read and replay.

Bounded for all agents together; what has left it is told to a reader as a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakValueDictionary

from ..events import Event

__all__ = ["Cursor", "RingBuffer", "Tally"]


@dataclass(slots=True, weakref_slot=True)
class Tally:
    """What of one agent has left the ring."""

    gone: int = 0  # how many of its events
    gone_id: int = 0  # the id of the last of them


@dataclass(slots=True)
class Cursor:
    """How far a reader is. ``known``: how many of the agent's events that is, if that can be told."""

    agent_id: str | None
    tally: Tally | None
    after: int
    known: int | None


class RingBuffer:
    """At least the last *size* events, with consecutive ids. Not thread-safe: the registry's lock is.

    What is older is counted, for its agent, only when somebody asks, and dropped by quarters of
    the ring: to do so for each event would touch another agent's tally each time, which is out of
    the processor's caches where there are many.
    """

    def __init__(self, size: int) -> None:
        self._size = max(size, 1)
        self._room = self._size + self._size // 4
        self._events: list[Event] = []
        self._owners: list[Tally] = []
        self._tallies: WeakValueDictionary[str, Tally] = WeakValueDictionary()
        self._counted = 0  # the last id that is in its tally
        self.last_id = 0

    def tally(self, agent_id: str) -> Tally:
        """The agent's, also of one that was forgotten while some of its events are here."""
        tally = self._tallies.get(agent_id)
        if tally is None:
            tally = self._tallies[agent_id] = Tally()
        return tally

    def append(self, event: Event, owner: Tally) -> int:
        """Add the event of the agent that *owner* is the tally of, and return its id."""
        self.last_id = number = self.last_id + 1
        events = self._events
        events.append(event)
        self._owners.append(owner)
        if len(events) > self._room:
            self._count()
            del events[: -self._size], self._owners[: -self._size]
        return number

    def delivered(self, owner: Tally) -> int:
        """How many events there have been of the agent that *owner* is the tally of."""
        self._count()
        return owner.gone + sum(each is owner for each in self._owners[-self._size :])

    def cursor(self, agent_id: str | None, after: int | None) -> Cursor:
        """Start reading after an id; ``None``: from now on."""
        self._count()
        at = self.last_id if after is None else max(after, 0)
        if at > self.last_id:
            # An id of another life of this registry: nobody can tell what was missed since.
            return Cursor(agent_id, None, 0, None)
        if agent_id is None:
            return Cursor(None, None, at, 0)
        tally = self.tally(agent_id)
        if tally.gone_id <= at:
            ringed = sum(self._owner(number) is tally for number in range(self._first, at + 1))
            return Cursor(agent_id, tally, at, tally.gone + ringed)
        return Cursor(agent_id, tally, at, 0 if at == 0 else None)

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """(how many events were missed, ``None`` if some but unknown; the next rows)."""
        self._count()
        missed = self._missed(cursor)
        taken: list[tuple[int, Event]] = []
        for number in range(max(cursor.after + 1, self._first), self.last_id + 1):
            cursor.after = number
            if cursor.agent_id is None or self._owner(number) is cursor.tally:
                taken.append((number, self._events[number - self.last_id - 1]))
                if len(taken) >= limit:
                    break
        if cursor.known is not None:
            cursor.known += len(taken)
        return missed, taken

    @property
    def _first(self) -> int:
        """The lowest id that can be read."""
        return max(self.last_id - self._size, 0) + 1

    def _owner(self, number: int) -> Tally:
        return self._owners[number - self.last_id - 1]

    def _count(self) -> None:
        """Put into their tallies what can no longer be read."""
        for number in range(self._counted + 1, self._first):
            tally = self._owner(number)
            tally.gone += 1
            tally.gone_id = self._counted = number

    def _missed(self, cursor: Cursor) -> int | None:
        tally = cursor.tally
        if cursor.known is None:
            # Told once; from here on the count is known again.
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

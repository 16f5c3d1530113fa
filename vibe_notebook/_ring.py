"""The last events that a registry delivered, for subscriptions to read and replay.

Bounded for all agents together; what has left it is told to a reader as a gap.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from .events import Event

__all__ = ["Cursor", "Ring"]


@dataclass(slots=True)
class _Tally:
    delivered: int = 0
    gone: int = 0  # how many of the agent's events have left the ring
    gone_id: int = 0  # the id of the last of them


@dataclass(slots=True)
class Cursor:
    """How far a reader is. ``known``: how many of the agent's events that is, if that can be told."""

    agent_id: str | None
    after: int
    known: int | None


class Ring:
    """At most *size* events with consecutive ids. Not thread-safe: the registry's lock is."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: deque[tuple[int, Event]] = deque()
        self._tallies: dict[str, _Tally] = {}
        self.last_id = 0

    def append(self, event: Event) -> int:
        """Add the event and return its id."""
        self.last_id = number = self.last_id + 1
        tally = self._tallies.get(event.agent_id)
        if tally is None:
            tally = self._tallies[event.agent_id] = _Tally()
        tally.delivered += 1
        rows = self._rows
        rows.append((number, event))
        if len(rows) > self._size:
            old_id, old = rows.popleft()
            tally = self._tallies[old.agent_id]
            tally.gone += 1
            tally.gone_id = old_id
        return number

    def delivered(self, agent_id: str) -> int:
        """How many of the agent's events there have been."""
        tally = self._tallies.get(agent_id)
        return tally.delivered if tally is not None else 0

    def cursor(self, agent_id: str | None, after: int | None) -> Cursor:
        """Start reading after an id; ``None``: from now on."""
        at = self.last_id if after is None else max(after, 0)
        if at > self.last_id:
            # An id of another life of this registry: nobody can tell what was missed since.
            return Cursor(agent_id, 0, None)
        tally = self._tallies.get(agent_id) if agent_id is not None else None
        if tally is None:
            return Cursor(agent_id, at, 0)
        if tally.gone_id <= at:
            ringed = sum(1 for number, event in self._rows if number <= at and event.agent_id == agent_id)
            return Cursor(agent_id, at, tally.gone + ringed)
        return Cursor(agent_id, at, 0 if at == 0 else None)

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """(how many events were missed, ``None`` if some but unknown; the next rows)."""
        rows = self._rows
        first = self.last_id - len(rows) + 1
        missed = self._missed(cursor, first)
        pending = min(self.last_id - cursor.after, len(rows))
        taken: list[tuple[int, Event]] = []
        # From the near end: a reader that keeps up must not walk through the whole ring.
        for row in reversed(list(islice(reversed(rows), pending))):
            cursor.after = row[0]
            if cursor.agent_id is None or row[1].agent_id == cursor.agent_id:
                taken.append(row)
                if len(taken) >= limit:
                    break
        if cursor.known is not None:
            cursor.known += len(taken)
        return missed, taken

    def _missed(self, cursor: Cursor, first: int) -> int | None:
        if cursor.known is None:
            # Told once; from here on the count is known again.
            tally = self._tallies.get(cursor.agent_id) if cursor.agent_id is not None else None
            cursor.known = tally.gone if tally is not None else 0
            cursor.after = max(cursor.after, first - 1)
            return None
        if cursor.agent_id is None:
            missed = max(0, first - 1 - cursor.after)
            cursor.after += missed
            return missed
        tally = self._tallies.get(cursor.agent_id)
        if tally is None or tally.gone_id <= cursor.after:
            return 0
        missed = tally.gone - cursor.known
        cursor.known = tally.gone
        return missed

"""Which agents hold events that must be released in time, the next one first.

Part of the registry, whose lock every method expects to be held. To look through all agents
each time that one is due took seconds where there were 10,000.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._agent import Agent

__all__ = ["Dues"]


class Dues:
    """At most a few entries an agent: one that is not due any more goes when its time has come."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Agent]] = []
        self._numbers = itertools.count()  # agents cannot be compared

    @property
    def soonest(self) -> float | None:
        """When ``take`` may have something, on the registry's clock."""
        return self._heap[0][0] if self._heap else None

    def add(self, agent: Agent, due: float) -> None:
        """The agent has to be looked at by then."""
        if agent.due is None or due < agent.due:
            agent.due = due
            heapq.heappush(self._heap, (due, next(self._numbers), agent))

    def take(self, now: float) -> list[Agent]:
        """Those whose time has come."""
        taken: dict[Agent, None] = {}
        while self._heap and self._heap[0][0] <= now:
            agent = heapq.heappop(self._heap)[2]
            agent.due = None
            taken[agent] = None
        return list(taken)

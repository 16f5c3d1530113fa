"""Which ended runs a registry keeps: the newest, of all agents together.

Part of the registry, whose lock every method expects to be held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._agent import Agent

__all__ = ["Retention"]


class Retention:
    """At most *limit* ended requests, each with its subagents; ``empty`` is told who has none left."""

    def __init__(self, limit: int, empty: Callable[[Agent], None]) -> None:
        self._limit = limit
        self._empty = empty
        self._ended: dict[tuple[Agent, str], None] = {}  # oldest first

    def add(self, agent: Agent, run_id: str) -> None:
        """A request has ended; the oldest beyond the limit are evicted."""
        self._ended.setdefault((agent, run_id))
        while len(self._ended) > self._limit:
            oldest, name = next(iter(self._ended))
            oldest.evicted += self.drop(oldest, name)
            if not oldest.log.runs:
                self._empty(oldest)

    def drop(self, agent: Agent, run_id: str) -> int:
        """Forget a run and its subagents; return how many that were."""
        dropped = agent.log.drop(run_id)
        for name in {run_id, *dropped}:
            agent.sequencer.forget(name)
            self._ended.pop((agent, name), None)
        agent.touch(None)
        return len(dropped)

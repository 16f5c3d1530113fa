"""Evict the oldest finished runs, over all agents, beyond ``keep_runs``.

Part of the registry: the caller of every method here must hold the registry's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._agent import Agent

__all__ = ["Retention"]


class Retention:
    """Retain at most *limit* finished requests, each with its subagents.

    ``on_empty`` gets each agent whose last run was evicted.
    """

    def __init__(self, limit: int, on_empty: Callable[[Agent], None]) -> None:
        self._limit = limit
        self._on_empty = on_empty
        self._ended: dict[tuple[Agent, str], None] = {}  # oldest first

    def add(self, agent: Agent, run_id: str) -> None:
        """Add a finished request, and evict the oldest ones beyond the limit."""
        self._ended.setdefault((agent, run_id))
        while len(self._ended) > self._limit:
            oldest, name = next(iter(self._ended))
            oldest.evicted += self.drop(oldest, name)
            if not oldest.log.runs:
                self._on_empty(oldest)

    def drop(self, agent: Agent, run_id: str) -> int:
        """Drop a run and its subagents; return the count of dropped runs."""
        dropped = agent.log.drop(run_id)
        for name in {run_id, *dropped}:
            agent.sequencer.forget(name)
            self._ended.pop((agent, name), None)
        agent.touch(None)
        return len(dropped)

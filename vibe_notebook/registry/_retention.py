"""Evict the oldest finished runs, over all agents, beyond ``keep_runs``.

Part of the registry: the caller of every method here must hold the registry's lock.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ._agent import Hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._agent import Agent, Ends

__all__ = ["Retention"]


class Retention:
    """Retain at most *limit* finished requests, each with its subagents, and as many paused ones.

    A paused request has its own count: finished ones do not evict it before its answer comes. An open request,
    and one with a ``Hold``, counts nowhere. ``on_empty`` gets each agent whose last run was evicted.
    """

    def __init__(self, limit: int, on_empty: Callable[[Agent], None]) -> None:
        self._limit = limit
        self._on_empty = on_empty
        self._finished: Ends = {}
        self._paused: Ends = {}
        self._numbers = itertools.count()

    def update(self, agent: Agent, run_id: str) -> None:
        """Count a run that has ended, or no longer count one that has started again; evict the oldest ones."""
        run = agent.log.runs[run_id]
        if run.ended and agent.log.is_part(run):
            return  # its parent counts
        ends = self._ends_of(agent, run_id) if run.ended else None
        for other in self._all_ends(agent):
            if other is not ends:
                other.pop((agent, run_id), None)
        if ends is not None:
            ends.setdefault((agent, run_id), next(self._numbers))
            self._evict()

    def hold(self, agent: Agent, since: int, release: Callable[[Hold], None]) -> Hold:
        """Hold the agent's runs from arrival number *since* on."""
        hold = Hold(agent, since, release)
        agent.holds = (*agent.holds, hold)
        if since < agent.sequencer.arrivals:
            for run_id in agent.log.runs:
                ends = self._ends_of(agent, run_id)
                for other in (self._finished, self._paused):
                    if ends is not other and (agent, run_id) in other:
                        ends[agent, run_id] = other.pop((agent, run_id))
        return hold

    def release(self, hold: Hold) -> None:
        """Count the hold's runs from now on, by the order of their ends."""
        agent, ends = hold.agent, hold.ends
        if hold not in agent.holds:
            return
        agent.holds = tuple(other for other in agent.holds if other is not hold)
        hold.ends = {}
        for (_, run_id), number in ends.items():
            self._ends_of(agent, run_id)[agent, run_id] = number
        if ends:
            self._finished, self._paused = _sorted(self._finished), _sorted(self._paused)
            self._evict()
        if not agent.log.runs:
            self._on_empty(agent)

    def drop(self, agent: Agent, run_id: str) -> int:
        """Drop a run and its subagents; return the count of dropped runs."""
        dropped = agent.log.drop(run_id)
        for name in {run_id, *dropped}:
            agent.sequencer.forget(name)
            for ends in self._all_ends(agent):
                ends.pop((agent, name), None)
        agent.touch(None)
        return len(dropped)

    def _all_ends(self, agent: Agent) -> tuple[Ends, ...]:
        return (self._finished, self._paused, *(hold.ends for hold in agent.holds))

    def _ends_of(self, agent: Agent, run_id: str) -> Ends:
        """Return the ends among which a finished run counts."""
        run = agent.log.runs[run_id]
        for hold in agent.holds:
            if run.arrival >= hold.since:
                return hold.ends
        return self._paused if run.is_paused else self._finished

    def _evict(self) -> None:
        for ends in (self._finished, self._paused):
            while len(ends) > self._limit:
                agent, run_id = next(iter(ends))
                agent.evicted += self.drop(agent, run_id)
                if not agent.log.runs:
                    self._on_empty(agent)


def _sorted(ends: Ends) -> Ends:
    return dict(sorted(ends.items(), key=lambda item: item[1]))

"""Evict the oldest finished runs, over all agents, beyond ``keep_runs``; drop the events that come for them later.

Part of the registry: the caller of every method here must hold the registry's lock.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from ._agent import Hold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..events import Event
    from ._agent import Agent, Ends

__all__ = ["PAST_RUNS", "Retention"]

PAST_RUNS: Final = 10_000
"""Evicted runs whose ids a registry retains: a later event of such a run opens no new one."""


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
        self._evicted: dict[tuple[str, str], None] = {}  # the (agent id, run id) evicted last, oldest first

    def is_evicted(self, agent_id: str, run_id: str) -> bool:
        """Return whether the run was evicted, as far as the registry still knows its id."""
        return (agent_id, run_id) in self._evicted

    def without_late(self, agent_id: str, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events without those of evicted runs; a ``RunStarted`` opens such a run again."""
        if not any((agent_id, event.run_id) in self._evicted for event in events):
            return events
        kept = []
        for event in events:
            if event.type == "run_started":
                self.revive(agent_id, event.run_id)
            if not self.is_evicted(agent_id, event.run_id):
                kept.append(event)
        return kept

    def revive(self, agent_id: str, run_id: str | None) -> None:
        """Forget that a run was evicted, or for ``None`` that any run of the agent was."""
        if run_id is not None:
            self._evicted.pop((agent_id, run_id), None)
            return
        for key in [key for key in self._evicted if key[0] == agent_id]:
            del self._evicted[key]

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

    def drop(self, agent: Agent, run_id: str) -> list[str]:
        """Drop a run and its subagents; return the ids of the dropped runs."""
        dropped = agent.log.drop(run_id)
        for name in {run_id, *dropped}:
            agent.sequencer.forget(name)
            for ends in self._all_ends(agent):
                ends.pop((agent, name), None)
        agent.touch(None)
        return dropped

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
                dropped = self.drop(agent, run_id)
                agent.evicted += len(dropped)
                self._record_evicted(agent.log.agent_id, dropped)
                if not agent.log.runs:
                    self._on_empty(agent)

    def _record_evicted(self, agent_id: str, run_ids: list[str]) -> None:
        for run_id in run_ids:
            self._evicted[agent_id, run_id] = None
        while len(self._evicted) > PAST_RUNS:
            del self._evicted[next(iter(self._evicted))]


def _sorted(ends: Ends) -> Ends:
    return dict(sorted(ends.items(), key=lambda item: item[1]))

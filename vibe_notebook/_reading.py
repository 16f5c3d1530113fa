"""What can be asked of a registry, from any thread, without changing it.

Part of the registry.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ._agent import Agent, Known, Stats, stats_of
from ._ring import Ring
from .reducer import AgentLog
from .transcript import Transcript

__all__ = ["Reading"]


class Reading:
    """The registry's agents, seen from outside."""

    def __init__(self, ring: int) -> None:
        self._lock = threading.RLock()
        self._agents: dict[str, Agent] = {}
        self._gone: dict[str, Known] = {}  # of agents that no run is left of
        self._ring = Ring(ring)

    def transcript(self, agent_id: str, run_id: str | None = None) -> Transcript:
        """All of an agent's runs in order, or one; empty for one that has said nothing."""
        with self.reading(agent_id) as found:
            return found.snapshot(run_id) if found is not None else Transcript(agent_id=agent_id)

    @contextmanager
    def reading(self, agent_id: str) -> Iterator[AgentLog | None]:
        """Hold the lock while reading an agent's log; ``None`` for an unknown agent."""
        with self._lock:
            agent = self._agents.get(agent_id)
            yield agent.log if agent is not None else None

    def arrivals(self, agent_id: str) -> int:
        """How many events of the agent have come so far: where a new view of it begins."""
        with self._lock:
            agent = self._agents.get(agent_id)
            return agent.sequencer.arrivals if agent is not None else 0

    def agents(self) -> list[str]:
        """The agents that have said something or are registered, oldest first."""
        with self._lock:
            return list(self._agents)

    def open_run(self, agent_id: str) -> str | None:
        """The agent's newest request that has not ended."""
        with self._lock:
            agent = self._agents.get(agent_id)
            runs = agent.log.ordered() if agent is not None else []
            return next((r.run_id for r in reversed(runs) if not r.ended and r.parent == (None, None)), None)

    def run_of(self, agent_id: str, message_id: str) -> str | None:
        """The agent's newest run that knows a message or a count of that name."""
        with self._lock:
            agent = self._agents.get(agent_id)
            return agent.sequencer.run_of(message_id) if agent is not None else None

    def stats(self, agent_id: str) -> Stats:
        """What became of an agent's events; all zero for an unknown one."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                return agent.stats()
            known = self._gone.get(agent_id)
            return stats_of(known, self._ring) if known is not None else Stats()

"""How callbacks, recordings and views come to an agent, and how they leave it.

Part of the registry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from ._agent import Agent, Shared, Watcher
from ._reading import Reading
from .exceptions import ClosedError
from .ordering import Sequencer
from .registration import Callback, Registration

__all__ = ["Following"]


GONE: Final = 1000
"""Agents without a run left whose counts can still be asked for."""


class Following(Reading):
    """The registry's agents, and those who follow them."""

    def __init__(self, new_order: Callable[[], Sequencer], ring: int) -> None:
        super().__init__(ring)
        self._new_order = new_order
        self.changed = threading.Condition(self._lock)
        self._shared = Shared(self._ring)
        self.closed = False

    def register(
        self,
        agent_id: str,
        *,
        on_result: Callback | None = None,
        on_thinking: Callback | None = None,
        on_tool_preparing: Callback | None = None,
        on_tool_started: Callback | None = None,
        on_tool_finished: Callback | None = None,
        on_event: Callback | None = None,
        on_finished: Callback | None = None,
    ) -> Registration:
        """Call back for an agent's events, each with one event, serially, in order.

        A callback that raises is reported once, in the log and in the agent's views. Raises
        ``TypeError`` for what cannot be called, or would have to be awaited.
        """
        registration = Registration(
            agent_id,
            {
                "on_result": on_result,
                "on_thinking": on_thinking,
                "on_tool_preparing": on_tool_preparing,
                "on_tool_started": on_tool_started,
                "on_tool_finished": on_tool_finished,
                "on_event": on_event,
                "on_finished": on_finished,
            },
            self._remove,
        )
        if registration.callbacks:
            self._add(registration)
        return registration

    def tap(self, agent_id: str | None, callback: Callback) -> Registration:
        """Like ``on_event``, for those who keep or send events: skips come too; ``None``: all agents'."""
        registration = Registration(agent_id or "", {"tap": callback}, self._remove)
        if agent_id is None:
            with self._lock:
                self._check_open()
                self._shared.taps = (*self._shared.taps, registration)
        else:
            self._add(registration)
        return registration

    def attach(self, agent_id: str, watcher: Watcher) -> None:
        """Let a live display take note of what changes."""
        with self._lock:
            agent = self._make(agent_id)
            agent.watchers = (*agent.watchers, watcher)

    def detach(self, agent_id: str, watcher: Watcher) -> None:
        """Undo ``attach``."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                agent.watchers = tuple(w for w in agent.watchers if w is not watcher)

    def _make(self, agent_id: str) -> Agent:
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = Agent(agent_id, self._new_order(), self._shared)
            before = self._gone.pop(agent_id, None)
            if before is not None:
                agent.go_on(before)
        return agent

    def _let_go(self, agent: Agent) -> None:
        """Keep nothing but the counts of an agent that nobody follows and no run is left of."""
        if agent.is_idle:
            agent_id = agent.log.agent_id
            if self._agents.get(agent_id) is agent:
                del self._agents[agent_id]
            self._gone[agent_id] = agent.known
            while len(self._gone) > GONE:
                del self._gone[next(iter(self._gone))]

    def _agent(self, agent_id: str) -> Agent:
        self._check_open()
        return self._make(agent_id)

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("This registry is closed; make a new one, or use get_registry().")

    def _add(self, registration: Registration) -> None:
        with self._lock:
            agent = self._agent(registration.agent_id)
            # Taps first: a callback that closes a recording finds the event that it was called with in it.
            others = (*agent.registrations, registration)
            agent.registrations = tuple(sorted(others, key=lambda each: "tap" not in each.callbacks))

    def _remove(self, registration: Registration) -> None:
        with self._lock:
            agents = [agent for agent in (self._agents.get(registration.agent_id),) if agent is not None]
            if registration in self._shared.taps:
                self._shared.taps = tuple(tap for tap in self._shared.taps if tap is not registration)
                agents = list(self._agents.values())
            for agent in agents:
                agent.registrations = tuple(r for r in agent.registrations if r is not registration)
        if "tap" in registration.callbacks:
            for agent in agents:
                if agent.outbox is not None:
                    agent.outbox.flush(registration, self.changed)
        registration.callbacks = {}

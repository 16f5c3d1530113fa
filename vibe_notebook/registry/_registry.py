"""Where events meet those who want them: ordered, reduced, and handed on, from any thread.

Below ordering and the reducer, above display, recording and projects. State changes happen
under one lock; callbacks run outside of it, serially per agent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, cast

from .._ordering.sequencer import Delivery, Retraction, Sequencer
from .._reducer.agent_log import AgentLog
from ..events import EVENT_CLASSES, Event, parse_event
from ..exceptions import ClosedError
from ..transcript import Transcript
from ._agent import Agent, Known, Shared, Stats, Watcher, stats_of
from ._callbacks import Callback, Registration
from ._deadlines import Alarm, Deadlines
from ._retention import Retention
from ._ring_buffer import RingBuffer
from ._subscriptions import Subscription, Subscriptions

__all__ = ["Registry", "get_registry"]


# How callbacks, recordings and views come to an agent, and how they leave it.
#
# Part of the registry.

GONE: Final = 1000
"""Agents without a run left whose counts can still be asked for."""


class Registry:
    """Orders, keeps and hands on the events of any number of agents.

    ``hold`` (s) is how long the first events of a count without a known base wait for lower
    ones; ``max_held`` (events) and ``max_wait`` (s) bound what waits for a missing one;
    ``keep_runs`` bounds the ended requests that are kept, ``ring`` the events that a
    subscription can replay. With a ``clock`` of your own, call ``tick()`` when it moves.
    """

    def __init__(
        self,
        *,
        hold: float = 0.05,
        max_held: int = 256,
        max_wait: float = 1.0,
        keep_runs: int = 100,
        ring: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (
            ("hold", hold),
            ("max_held", max_held),
            ("max_wait", max_wait),
            ("keep_runs", keep_runs),
        ):
            if not value >= 0:  # nor is NaN
                msg = f"{name}={value}: must not be negative."
                raise ValueError(msg)
        self._lock = threading.RLock()
        self._agents: dict[str, Agent] = {}
        self._gone: dict[str, Known] = {}  # of agents that no run is left of
        self._ring = RingBuffer(ring)
        self._new_order = partial(Sequencer, hold=hold, max_held=max_held, max_wait=max_wait, clock=clock)
        self.changed = threading.Condition(self._lock)
        self._shared = Shared(self._ring)
        self.closed = False
        self._clock = clock
        self._readers = Subscriptions(self.changed, self._ring, self._missed)
        self._kept = Retention(keep_runs, self._let_go)
        self._dues = Deadlines()
        self._alarm = Alarm(self._on_alarm) if clock is time.monotonic else None

    # Sources

    def dispatch(
        self, event: Event | dict[str, Any] | str | bytes | Iterable[Event | dict[str, Any]]
    ) -> None:
        """Take one event, or the list made from one native event.

        Raises ``ProtocolError`` for what is not an event (nothing of the list is taken then),
        ``ClosedError`` after ``close()``.
        """
        if type(event) is list and len(event) == 1:
            event = event[0]  # what adapters make of most natives
        if type(event) not in EVENT_CLASSES:
            self._dispatch_slot(event)
            return
        one = cast("Event", event)
        with self._lock:
            agent = self._agents.get(one.agent_id)
            if agent is None or self.closed:
                agent = self._agent(one.agent_id)
            place = agent.sequencer.step(one)
            if place is None:
                self._take(agent, agent.sequencer.push((one,)))
            else:
                agent.deliver(one, place)
                if agent.owed_due is not None:
                    self._take(agent, [])
        if agent.outbox is not None or agent.watchers or self._readers.open:
            self._hand_on(agent)

    def _dispatch_slot(self, given: Any) -> None:
        is_one = isinstance(given, (dict, str, bytes, bytearray)) or not isinstance(given, Iterable)
        slots: dict[str, list[Event]] = {}
        for item in [given] if is_one or hasattr(given, "agent_id") else given:
            event = parse_event(item)
            slots.setdefault(event.agent_id, []).append(event)
        for agent_id, events in slots.items():
            with self._lock:
                agent = self._agent(agent_id)
                self._take(agent, agent.sequencer.push(events))
            self._hand_on(agent)

    def finish(self, agent_id: str, run_id: str | None = None, message_id: str | None = None) -> None:
        """Flush, in order, what a message, a run or (with neither) all of the agent's runs hold."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is None:
                return
            self._take(agent, agent.sequencer.finish(run_id, message_id))
            agent.tell()
            if message_id is None:
                for name in [run_id] if run_id is not None else list(agent.log.runs):
                    run = agent.log.runs.get(name)
                    if run is not None and not run.ended:
                        run.closed_at = agent.sequencer.arrivals
                        self._end_run(agent, name)
        self._hand_on(agent)

    def tick(self) -> None:
        """Release what was held long enough; only needed with a clock of your own."""
        with self._lock:
            now = self._clock()
            agents = self._dues.take(now)
            for agent in agents:
                agent.tell(now=now)
                self._take(agent, agent.sequencer.tick())
            soonest = self._dues.soonest
            if soonest is not None and self._alarm is not None and not self.closed:
                self._alarm.set(soonest)  # now: a callback may end the thread that would ring
        self._hand_on(*agents)

    # Consumers

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

    def unregister(self, agent_id: str) -> None:
        """Drop an agent's callbacks and ordering state; its transcript stays. Unknown is fine."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                for registration in agent.registrations:
                    registration.callbacks = {}
                agent.registrations = ()
                self._take(agent, agent.sequencer.finish())
                agent.tell()
                agent.sequencer.forget()
            self._readers.end(agent_id)
        if agent is not None:
            self._hand_on(agent)
        self._readers.wake()

    def subscribe(self, agent_id: str | None = None, *, after: int | None = None) -> Subscription:
        """Iterate over what is delivered, of one agent or of all, after id *after*; ``None``: from now on."""
        with self._lock:
            self._check_open()
            return self._readers.add(agent_id, after)

    # Readers

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

    # Life

    def forget(self, agent_id: str, run_id: str | None = None) -> None:
        """Drop a run's transcript and what detects its duplicates, or all of an agent's."""
        with self._lock:
            if run_id is None:
                self._gone.pop(agent_id, None)
            agent = self._agents.get(agent_id)
            if agent is None:
                return
            for name in [run_id] if run_id is not None else list(agent.log.runs):
                self._kept.drop(agent, name)
            if run_id is None:
                agent.sequencer.forget()
                if not (agent.registrations or agent.watchers):
                    del self._agents[agent_id]

    def close(self) -> None:
        """Flush what is held, end every subscription, stop the timer. Idempotent."""
        with self._lock:
            if self.closed:
                return
            agents = list(self._agents.values())
            for agent in agents:
                self._take(agent, agent.sequencer.finish())
                agent.tell()
            self.closed = True
            if self._alarm is not None:
                self._alarm.cancel()
            self._readers.end(None)
        self._hand_on(*agents)
        self._readers.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The mechanism

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

    def _take(self, agent: Agent, results: list[Delivery | Retraction]) -> None:
        """Under the lock: reduce what the sequencer let go, and see to what it holds."""
        for run_id in agent.take(results):
            self._end_run(agent, run_id)
        due = agent.soonest
        if due is None:
            return
        self._dues.add(agent, due)
        alarm = self._alarm
        if alarm is None:
            return
        if alarm.due is None or due < alarm.due:
            alarm.set(due)
        if not alarm.works and due <= self._clock():
            for run_id in agent.take(agent.sequencer.tick()):
                self._end_run(agent, run_id)

    def _hand_on(self, *agents: Agent) -> None:
        """Outside of the lock: call back, show, and wake those who wait, whatever a callback raises."""
        calls: list[Callable[[], None]] = []
        if self._readers.open:
            calls.append(self._readers.wake)
        for agent in reversed(agents):  # the last of the list is called first
            for watcher in agent.watchers:
                calls.append(watcher.wake)  # noqa: PERF401 - a comprehension is one call more for each delta
            if agent.outbox is not None and agent.outbox.waiting:
                calls.append(partial(agent.outbox.drain, self.changed))
        _call_each(calls)

    def _end_run(self, agent: Agent, run_id: str) -> None:
        run = agent.log.runs.get(run_id)
        if run is None:
            return
        run.version += 1
        run.compact()
        agent.touch(None)
        if not agent.log.is_part(run):
            self._kept.add(agent, run_id)

    def _missed(self, agent_id: str, count: int) -> None:
        agent = self._agents.get(agent_id)
        known = self._gone.get(agent_id)
        if agent is not None:
            agent.dropped += count
        elif known is not None:
            tally, counts, dropped, evicted = known
            self._gone[agent_id] = tally, counts, dropped + count, evicted

    def _on_alarm(self) -> float | None:
        self.tick()
        with self._lock:
            return self._dues.soonest


def _call_each(calls: list[Callable[[], None]]) -> None:
    """Call each, the last first; one that raises does not keep the others from being called."""
    try:
        while calls:
            calls.pop()()
    finally:
        if calls:
            _call_each(calls)


_default: Registry | None = None
_default_lock = threading.Lock()


def get_registry() -> Registry:
    """The process-wide registry that the magic and the widget use; a closed one is replaced."""
    global _default  # noqa: PLW0603 - the one global of the package, by design
    with _default_lock:
        if _default is None or _default.closed:
            _default = Registry()
        return _default

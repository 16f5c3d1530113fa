"""Dispatch events to agents, and deliver them in order to callbacks, subscriptions and views, from any thread.

Between ordering and the reducer on one side, and display, recording and projects on the other. State changes
happen under one lock. Callbacks run outside of it, serially for each agent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from .._forks import hold_during_fork
from .._ordering.sequencer import Delivery, Retraction, Sequencer
from .._reducer.agent_log import AgentLog
from ..events import Event
from ..exceptions import ClosedError
from ..transcript import Transcript
from ._agent import Agent, Hold, Shared, Stats, Totals, Watcher, stats_of
from ._callbacks import Callback, Registration, call_each
from ._deadlines import Alarm, Deadlines
from ._intake import UNCHECKED, Intake, parse_all
from ._retention import Retention
from ._ring_buffer import RingBuffer
from ._subscriptions import Subscription, Subscriptions

__all__ = ["Registry"]


PAST_AGENTS: Final = 1000
"""Evicted agents whose statistics a registry can still return."""


class Registry:
    """Order, retain and deliver the events of any number of agents.

    ``hold`` (s): the wait of a counter's first events for lower ones while its base is unknown. ``max_held``
    (events) and ``max_wait`` (s): the bounds on events that wait for a missing one. ``keep_runs``: the finished
    requests to retain, and as many that are paused for an answer; open ones and those of a live watch do not count.
    ``ring``: the events that a subscription can replay. With a ``clock`` of your own, call ``tick()`` when the
    clock moves. Raises ``ValueError`` for a negative bound.
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
            if not value >= 0:  # NaN fails too
                msg = f"{name}={value}: must not be negative."
                raise ValueError(msg)
        self._lock = threading.RLock()
        self._agents: dict[str, Agent] = {}
        self._past_totals: dict[str, Totals] = {}  # of evicted agents
        self._ring = RingBuffer(ring)
        self._new_order = partial(Sequencer, hold=hold, max_held=max_held, max_wait=max_wait, clock=clock)
        self.changed = threading.Condition(self._lock)
        self._shared = Shared(self._ring)
        self.closed = False
        self._clock = clock
        self._subscriptions = Subscriptions(self.changed, self._ring, self._count_missed)
        self._retention = Retention(keep_runs, self._evict_agent)
        self._deadlines = Deadlines()
        self._intake = Intake()
        self.answers = self._intake.answers
        self._alarm = Alarm(self._on_alarm) if clock is time.monotonic else None
        hold_during_fork(self)

    @property
    def lock(self) -> threading.RLock:
        """Return the lock of all state: a fork holds it."""
        return self._lock

    def renew(self) -> None:
        """Continue in the child of a fork: the parent's views and taps are not the child's."""
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self._subscriptions.renew(self.changed)
        self._shared.taps = ()
        for agent in self._agents.values():
            agent.renew()
        if self._alarm is not None:
            self._alarm.renew()

    # Sources

    def dispatch(
        self, event: Event | dict[str, Any] | str | bytes | Iterable[Event | dict[str, Any]]
    ) -> None:
        """Dispatch one event, or the list made from one native event, from any thread.

        An event is a model, a dict or JSON text. The registry drops the events of an evicted run, until a
        ``RunStarted`` opens that run again. Raises ``ProtocolError`` if one of them is no event (then the
        registry dispatches none of the list), ``ClosedError`` after ``close()``.
        """
        if type(event) is list and len(event) == 1:
            event = event[0]  # adapters make one event of most natives
        if type(event) not in UNCHECKED:
            self._dispatch_slot(event)
            return
        one: Event = event  # type: ignore[assignment]  # a cast would be one more call for each event
        with self._lock:
            agent = self._agents.get(one.agent_id)
            place = agent.sequencer.step(one) if agent is not None and not self.closed else None
            if agent is None or place is None:
                agent = self._push(one.agent_id, (one,))
                if agent is None:
                    return
            else:
                agent.deliver(one, place)
                if agent.postponed_deadline is not None:
                    self._apply(agent, [])
        if agent.outbox is not None or agent.watchers or self._subscriptions.open:
            self._notify(agent)

    def _dispatch_slot(self, given: Any) -> None:
        parsed = parse_all(given)
        with self._lock:
            slots = self._intake.slots(parsed)
        for agent_id, events in slots.items():
            with self._lock:
                agent = self._push(agent_id, events)
            if agent is not None:
                self._notify(agent)

    def _push(self, agent_id: str, events: Sequence[Event]) -> Agent | None:
        """Order and deliver events; drop those of evicted runs. ``None``: all are dropped. The caller holds the lock."""
        self._check_open()
        kept = self._retention.without_late(agent_id, events)
        if len(kept) < len(events):
            self._count_missed(agent_id, len(events) - len(kept))
        if not kept:
            return None
        agent = self._find_or_make(agent_id)
        self._apply(agent, agent.sequencer.push(kept))
        return agent

    def finish(self, agent_id: str, run_id: str | None = None, message_id: str | None = None) -> None:
        """Finish a message, a run or (with neither) all runs of an agent: release their events in order.

        An unknown agent is no error.
        """
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is None or (run_id is not None and self._retention.is_evicted(agent_id, run_id)):
                return
            self._finish(agent, run_id, message_id)
            if message_id is None:
                for name in [run_id] if run_id is not None else list(agent.log.runs):
                    run = agent.log.runs.get(name)
                    if run is not None and not run.ended:
                        run.closed_at = agent.sequencer.arrivals
                        self._update_run(agent, name)
        self._notify(agent)

    def tick(self) -> None:
        """Release the events whose deadline has passed; only needed with a clock of your own."""
        with self._lock:
            now = self._clock()
            agents = self._deadlines.pop_passed(now)
            for agent in agents:
                agent.deliver_postponed_texts(now=now)
                self._apply(agent, agent.sequencer.tick())
            earliest = self._deadlines.earliest
            if earliest is not None and self._alarm is not None and not self.closed:
                self._alarm.set(earliest)  # now: a callback may end the thread that would ring
        self._notify(*agents)

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
        """Register callbacks on an agent's events; each call gets one event, serially, in order.

        The registry reports a callback that raises once, in the log and in the agent's views, and continues. Raises
        ``TypeError`` for a callback that is not callable or is async, ``ClosedError`` after ``close()``.
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

    def tap(self, agent_id: str | None, callback: Callback, *, placed: bool = False) -> Registration:
        """Register a callback that also gets skips, for a recorder or a sender; ``None``: all agents.

        With *placed*, an event that comes after a later arrival has that event's id as its field ``overtaken_by``.
        """
        registration = Registration(agent_id or "", {"tap": callback}, self._remove)
        registration.is_placed = placed
        if agent_id is None:
            with self._lock:
                self._check_open()
                self._shared.taps = (*self._shared.taps, registration)
        else:
            self._add(registration)
        return registration

    def attach(self, agent_id: str, watcher: Watcher) -> None:
        """Attach a live display to an agent."""
        with self._lock:
            agent = self._find_or_make(agent_id)
            agent.watchers = (*agent.watchers, watcher)

    def detach(self, agent_id: str, watcher: Watcher) -> None:
        """Detach a live display from an agent."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                agent.watchers = tuple(w for w in agent.watchers if w is not watcher)

    def hold(self, agent_id: str, since: int | None = None) -> Hold:
        """Keep an agent's runs from arrival number *since* on; ``None``: those that begin from now on."""
        with self._lock:
            agent = self._find_or_make(agent_id)
            at = agent.sequencer.arrivals if since is None else since
            return self._retention.hold(agent, at, self._release)

    def unregister(self, agent_id: str) -> None:
        """Drop an agent's callbacks and ordering state; its transcript stays.

        The agent's subscriptions end. An unknown agent is no error.
        """
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                for registration in agent.registrations:
                    registration.callbacks = {}
                agent.registrations = ()
                self._finish(agent)
                agent.sequencer.forget()
            self._subscriptions.end(agent_id)
        if agent is not None:
            self._notify(agent)
        self._subscriptions.wake()

    def subscribe(self, agent_id: str | None = None, *, after: int | None = None) -> Subscription:
        """Subscribe to the events of one agent or of all, after the id *after*; ``None``: from now on.

        A reader that is too slow, or resumes from an id older than the ring, gets a gap event. Raises
        ``ClosedError`` after ``close()``.
        """
        with self._lock:
            self._check_open()
            return self._subscriptions.add(agent_id, after)

    # Readers

    def transcript(self, agent_id: str, run_id: str | None = None) -> Transcript:
        """Return all runs of an agent in order, or one run; an empty transcript for an unknown agent."""
        with self.reading(agent_id) as found:
            return found.snapshot(run_id) if found is not None else Transcript(agent_id=agent_id)

    @contextmanager
    def reading(self, agent_id: str) -> Iterator[AgentLog | None]:
        """Hold the lock while the caller reads an agent's log; ``None`` for an unknown agent."""
        with self._lock:
            agent = self._agents.get(agent_id)
            yield agent.log if agent is not None else None

    def arrivals(self, agent_id: str) -> int:
        """Return the count of events that the agent has accepted: a new view begins there."""
        with self._lock:
            agent = self._agents.get(agent_id)
            return agent.sequencer.arrivals if agent is not None else 0

    def agents(self) -> list[str]:
        """Return the ids of all agents with an event, a callback or a view, oldest first."""
        with self._lock:
            return list(self._agents)

    def open_run(self, agent_id: str) -> str | None:
        """Return the id of the agent's newest open request; ``None`` if all have ended."""
        with self._lock:
            agent = self._agents.get(agent_id)
            runs = agent.log.ordered() if agent is not None else []
            return next((r.run_id for r in reversed(runs) if not r.ended and r.parent == (None, None)), None)

    def revive(self, agent_id: str, run_id: str) -> None:
        """Let any event, not only a ``RunStarted``, open an evicted run again."""
        with self._lock:
            self._retention.revive(agent_id, run_id)

    def run_of(self, agent_id: str, message_id: str) -> str | None:
        """Return the id of the agent's newest run with a message or a counter of that name."""
        with self._lock:
            agent = self._agents.get(agent_id)
            return agent.sequencer.run_of(message_id) if agent is not None else None

    def stats(self, agent_id: str) -> Stats:
        """Return an agent's statistics; all zero for an unknown agent."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                return agent.stats()
            totals = self._past_totals.get(agent_id)
            return stats_of(totals, self._ring) if totals is not None else Stats()

    # Life

    def forget(self, agent_id: str, run_id: str | None = None) -> None:
        """Forget a run, or all runs of an agent: their transcripts, and the state that detects duplicates."""
        with self._lock:
            if run_id is None:
                self._past_totals.pop(agent_id, None)
            self._retention.revive(agent_id, run_id)
            self._intake.release(agent_id, run_id)
            agent = self._agents.get(agent_id)
            if agent is None:
                return
            for name in [run_id] if run_id is not None else list(agent.log.runs):
                self._retention.drop(agent, name)
            if run_id is None:
                agent.sequencer.forget()
                if not (agent.registrations or agent.watchers or agent.holds):
                    del self._agents[agent_id]

    def close(self) -> None:
        """Release all held events, end every subscription, stop the timer; idempotent."""
        with self._lock:
            if self.closed:
                return
            agents = list(self._agents.values())
            for agent in agents:
                self._finish(agent)
            self.closed = True
            if self._alarm is not None:
                self._alarm.cancel()
            self._subscriptions.end(None)
        self._notify(*agents)
        self._subscriptions.wake()

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

    # Internals

    def _find_or_make(self, agent_id: str) -> Agent:
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = Agent(agent_id, self._new_order(), self._shared)
            before = self._past_totals.pop(agent_id, None)
            if before is not None:
                agent.restore(before)
        return agent

    def _evict_agent(self, agent: Agent) -> None:
        """Evict an agent without a run if it is idle; retain only its totals."""
        if agent.is_idle:
            agent_id = agent.log.agent_id
            if self._agents.get(agent_id) is agent:
                del self._agents[agent_id]
            self._past_totals[agent_id] = agent.totals
            while len(self._past_totals) > PAST_AGENTS:
                del self._past_totals[next(iter(self._past_totals))]

    def _agent_of(self, agent_id: str) -> Agent:
        self._check_open()
        return self._find_or_make(agent_id)

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("This registry is closed; make a new one, or use get_registry().")

    def _add(self, registration: Registration) -> None:
        with self._lock:
            agent = self._agent_of(registration.agent_id)
            # Taps first: a callback may close a recording, which must contain the callback's own event.
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

    def _finish(self, agent: Agent, run_id: str | None = None, message_id: str | None = None) -> None:
        """Release the events and halves that wait. The caller holds the lock."""
        agent_id = agent.log.agent_id
        for half in self._intake.release(agent_id, run_id) if message_id is None else ():
            self._apply(agent, agent.sequencer.push(self._retention.without_late(agent_id, [half])))
        self._apply(agent, agent.sequencer.finish(run_id, message_id))
        agent.deliver_postponed_texts()

    def _apply(self, agent: Agent, results: list[Delivery | Retraction]) -> None:
        """Apply the sequencer's results, and set the agent's deadline. The caller holds the lock."""
        self._apply_results(agent, results)
        alarm, deadline = self._alarm, agent.earliest_deadline
        if alarm is not None and deadline is not None and deadline <= self._clock():
            # The alarm is late, or no thread can start (WebAssembly).
            self._apply_results(agent, agent.sequencer.tick())
            deadline = agent.earliest_deadline
        if deadline is None:
            return
        self._deadlines.add(agent, deadline)
        if alarm is not None and (alarm.deadline is None or deadline < alarm.deadline):
            alarm.set(deadline)

    def _apply_results(self, agent: Agent, results: list[Delivery | Retraction]) -> None:
        for run_id in agent.apply(results):
            self._update_run(agent, run_id)

    def _notify(self, *agents: Agent) -> None:
        """Wake views and readers, and call back, whatever a callback raises. Not under the lock."""
        calls: list[Callable[[], None]] = []
        if self._subscriptions.open:
            calls.append(self._subscriptions.wake)
        for agent in reversed(agents):  # the last of the list is called first
            for watcher in agent.watchers:
                calls.append(watcher.wake)  # noqa: PERF401 - a comprehension costs each delta one call more
            if agent.outbox is not None and agent.outbox.waiting:
                calls.append(partial(agent.outbox.drain, self.changed))
        call_each(calls)

    def _update_run(self, agent: Agent, run_id: str) -> None:
        """Count a run that has ended, or has started again. The caller holds the lock."""
        run = agent.log.runs.get(run_id)
        if run is None:
            return
        if run.ended:
            run.version += 1
            run.compact()
            agent.touch(None)
        self._retention.update(agent, run_id)

    def _release(self, hold: Hold) -> None:
        with self._lock:
            self._retention.release(hold)

    def _count_missed(self, agent_id: str, count: int) -> None:
        agent = self._agents.get(agent_id)
        totals = self._past_totals.get(agent_id)
        if agent is not None:
            agent.dropped += count
        elif totals is not None:
            tally, counts, dropped, evicted = totals
            self._past_totals[agent_id] = tally, counts, dropped + count, evicted

    def _on_alarm(self) -> float | None:
        self.tick()
        with self._lock:
            return self._deadlines.earliest

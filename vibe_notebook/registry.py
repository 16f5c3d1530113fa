"""Where events meet those who want them: ordered, reduced, and handed on, from any thread.

Below ordering and the reducer, above display, recording and projects. State changes happen
under one lock; callbacks run outside of it, serially per agent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

from ._agent import Agent, Stats, Watcher
from ._alarm import Alarm
from ._dues import Dues
from ._following import Following
from ._kept import Kept
from ._readers import Readers
from .events import EVENT_CLASSES, Event, parse_event
from .ordering import Delivery, Retraction, Sequencer
from .registration import Registration
from .subscription import Subscription

__all__ = ["Registration", "Registry", "Stats", "Subscription", "Watcher", "get_registry"]


class Registry(Following):
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
        super().__init__(
            partial(Sequencer, hold=hold, max_held=max_held, max_wait=max_wait, clock=clock), ring
        )
        self._clock = clock
        self._readers = Readers(self.changed, self._ring, self._missed)
        self._kept = Kept(keep_runs, self._let_go)
        self._dues = Dues()
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

    # Life

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

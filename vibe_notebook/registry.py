"""Where events meet those who want them: ordered, reduced, and handed on, from any thread.

Below ordering and the reducer, above display, recording and projects. State changes happen
under one lock; callbacks run outside of it, serially per agent.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from ._alarm import Alarm
from ._nodes import Node, TextNode
from ._ring import Cursor, Ring
from .events import Event, PartCompleted, is_skip, parse_event
from .exceptions import ClosedError
from .ordering import Delivery, Retraction, Sequencer
from .reducer import AgentLog
from .registration import Callback, Outbox, Registration
from .subscription import Subscription
from .transcript import Transcript

__all__ = ["Registration", "Registry", "Stats", "Subscription", "Watcher", "get_registry"]


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of one agent's events, in numbers of events (``gaps``: of gaps, ``evicted``: of runs)."""

    delivered: int = 0
    held: int = 0
    duplicates: int = 0
    gaps: int = 0
    late: int = 0
    derived_suppressed: int = 0
    dropped: int = 0
    evicted: int = 0


class Watcher(Protocol):
    """A live display of an agent."""

    def touch(self, node: Node | None) -> None:
        """Something changed (``None``: of a run as a whole). Called under the lock: only take note."""

    def wake(self) -> None:
        """There is something to show. Called outside of the lock."""

    def note(self, text: str) -> None:
        """A failure in the background that the user should see."""


class _Agent:
    def __init__(self, sequencer: Sequencer, agent_id: str) -> None:
        self.log = AgentLog(agent_id, sequencer.began)
        self.sequencer = sequencer
        self.registrations: tuple[Registration, ...] = ()
        self.watchers: tuple[Watcher, ...] = ()
        self.outbox = Outbox(self.note)
        self.dropped = 0
        self.evicted = 0

    def note(self, text: str) -> None:
        for watcher in self.watchers:
            watcher.note(text)


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
        self._order = {"hold": hold, "max_held": max_held, "max_wait": max_wait, "clock": clock}
        self._keep_runs = keep_runs
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self._agents: dict[str, _Agent] = {}
        self._ring = Ring(ring)
        self._taps: tuple[Registration, ...] = ()
        self._subscriptions: dict[Subscription, None] = {}
        self._ended: deque[tuple[_Agent, str]] = deque()
        self._alarm = Alarm(self._on_alarm) if clock is time.monotonic else None
        self.closed = False

    # Sources

    def dispatch(self, event: Event | dict[str, Any] | Iterable[Event | dict[str, Any]]) -> None:
        """Take one event, or the list made from one native event.

        Raises ``ProtocolError`` for what is not an event, ``ClosedError`` after ``close()``.
        """
        if not isinstance(event, list):
            event = [event] if isinstance(event, dict) or hasattr(event, "agent_id") else list(event)  # type: ignore[list-item]
        events: list[Event] = [e if hasattr(e, "agent_id") else parse_event(e) for e in event]  # type: ignore[misc]
        while events:
            agent_id = events[0].agent_id
            own = [e for e in events if e.agent_id == agent_id] if len(events) > 1 else events
            events = [e for e in events if e.agent_id != agent_id] if len(own) < len(events) else []
            with self._lock:
                self._check_open()
                agent = self._agent(agent_id)
                self._take(agent, agent.sequencer.push(own))
            self._hand_on(agent)

    def finish(self, agent_id: str, run_id: str | None = None, message_id: str | None = None) -> None:
        """Flush, in order, what a message, a run or (with neither) all of the agent's runs hold."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is None:
                return
            self._take(agent, agent.sequencer.finish(run_id, message_id))
            if message_id is None:
                for run in [run_id] if run_id is not None else list(agent.log.runs):
                    self._end_run(agent, run)
        self._hand_on(agent)

    def tick(self) -> None:
        """Release what was held long enough; only needed with a clock of your own."""
        with self._lock:
            agents = [agent for agent in self._agents.values() if agent.sequencer.deadline is not None]
            for agent in agents:
                self._take(agent, agent.sequencer.tick())
        for agent in agents:
            self._hand_on(agent)

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

        A callback that raises is reported once, in the log and in the agent's views.
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
                self._taps = (*self._taps, registration)
        else:
            self._add(registration)
        return registration

    def unregister(self, agent_id: str) -> None:
        """Drop an agent's callbacks and ordering state; its transcript stays. Unknown is fine."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is None:
                return
            agent.registrations = ()
            agent.outbox.clear()
            self._take(agent, agent.sequencer.finish())
            agent.sequencer.forget()
            for subscription in self._subscriptions:
                if subscription.agent_id == agent_id:
                    subscription.ended = True
        self._hand_on(agent)

    def subscribe(self, agent_id: str | None = None, *, after: int | None = None) -> Subscription:
        """Iterate over what is delivered, of one agent or of all, after id *after* (``None``: from now on)."""
        with self._lock:
            self._check_open()
            subscription = Subscription(self, self._ring.cursor(agent_id, after))
            self._subscriptions[subscription] = None
            return subscription

    def attach(self, agent_id: str, watcher: Watcher) -> None:
        """Let a live display take note of what changes."""
        with self._lock:
            agent = self._agent(agent_id)
            agent.watchers = (*agent.watchers, watcher)

    def detach(self, agent_id: str, watcher: Watcher) -> None:
        """Undo ``attach``."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is not None:
                agent.watchers = tuple(w for w in agent.watchers if w is not watcher)

    # Reading

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

    def stats(self, agent_id: str) -> Stats:
        """What became of an agent's events; all zero for an unknown one."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is None:
                return Stats()
            counts = agent.sequencer.counts
            return Stats(
                delivered=self._ring.delivered(agent_id),
                held=agent.sequencer.held,
                duplicates=counts.duplicates,
                gaps=counts.gaps,
                late=counts.late,
                derived_suppressed=counts.derived_suppressed,
                dropped=agent.dropped,
                evicted=agent.evicted,
            )

    def forget(self, agent_id: str, run_id: str | None = None) -> None:
        """Drop a run's transcript and what detects its duplicates, or all of an agent's."""
        with self._lock:
            agent = self._agents.get(agent_id)
            if agent is None:
                return
            for name in [run_id] if run_id is not None else list(agent.log.runs):
                self._drop_run(agent, name)
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
            self.closed = True
            if self._alarm is not None:
                self._alarm.cancel()
            for subscription in self._subscriptions:
                subscription.ended = True
        for agent in agents:
            self._hand_on(agent)

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

    # For subscriptions

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """The next rows for a subscription."""
        with self._lock:
            missed, rows = self._ring.read(cursor, limit)
            agent = self._agents.get(cursor.agent_id) if cursor.agent_id is not None else None
            if agent is not None:
                agent.dropped += missed or 0
            return missed, rows

    def drop(self, subscription: Subscription) -> None:
        """A subscription is closed."""
        with self.changed:
            subscription.ended = True
            self._subscriptions.pop(subscription, None)
            waker = subscription.take_waker()
            self.changed.notify_all()
        if waker is not None:
            waker()

    # The mechanism

    def _agent(self, agent_id: str) -> _Agent:
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = _Agent(Sequencer(**self._order), agent_id)  # type: ignore[arg-type]
        return agent

    def _check_open(self) -> None:
        if self.closed:
            msg = "This registry is closed; make a new one, or use get_registry()."
            raise ClosedError(msg)

    def _take(self, agent: _Agent, results: list[Delivery | Retraction]) -> None:
        """Under the lock: reduce and number what the sequencer let go."""
        for result in results:
            if isinstance(result, Retraction):
                for node in agent.log.retract(result):
                    self._touch(agent, node)
                    if isinstance(node, TextNode):
                        self._emit(agent, _whole(agent, result.run_id, node, derived=True))
                continue
            event, place, late = result
            if is_skip(event):
                self._emit(agent, event)
                continue
            changed = agent.log.apply(event, place)
            self._touch(agent, changed)
            if late and isinstance(changed, TextNode):
                event = _whole(agent, event.run_id, changed, derived=event.derived)
            self._emit(agent, event)
            if event.type == "run_finished":
                self._end_run(agent, event.run_id)
        due = agent.sequencer.deadline
        if due is not None and self._alarm is not None:
            self._alarm.set(due)

    def _touch(self, agent: _Agent, node: Node | None) -> None:
        for watcher in agent.watchers:
            watcher.touch(node)

    def _emit(self, agent: _Agent, event: Event) -> None:
        number = self._ring.append(event)
        if agent.registrations or self._taps:
            agent.outbox.put(number, event, agent.registrations + self._taps)

    def _hand_on(self, agent: _Agent) -> None:
        """Outside of the lock: call back, show, and wake those who wait."""
        if agent.registrations or self._taps:
            with self._lock:
                mine = agent.outbox.claim()
            if mine:
                agent.outbox.drain(self._lock)
        for watcher in agent.watchers:
            watcher.wake()
        if self._subscriptions:
            with self._lock:
                wakers = [waker for s in self._subscriptions if (waker := s.take_waker()) is not None]
                self.changed.notify_all()
            for waker in wakers:
                waker()

    def _end_run(self, agent: _Agent, run_id: str) -> None:
        run = agent.log.runs.get(run_id)
        if run is None:
            return
        run.closed = True
        run.version += 1
        run.compact()
        self._touch(agent, None)
        if run.parent != (None, None) or (agent, run_id) in self._ended:
            return
        self._ended.append((agent, run_id))
        while len(self._ended) > self._keep_runs:
            oldest, name = self._ended.popleft()
            self._drop_run(oldest, name)
            oldest.evicted += 1

    def _drop_run(self, agent: _Agent, run_id: str) -> None:
        for name, run in list(agent.log.runs.items()):
            if run.parent[0] == run_id and name != run_id:
                self._drop_run(agent, name)
        agent.log.runs.pop(run_id, None)
        agent.sequencer.forget(run_id)

    def _add(self, registration: Registration) -> None:
        with self._lock:
            self._check_open()
            agent = self._agent(registration.agent_id)
            agent.registrations = (*agent.registrations, registration)

    def _remove(self, registration: Registration) -> None:
        with self._lock:
            self._taps = tuple(tap for tap in self._taps if tap is not registration)
            agent = self._agents.get(registration.agent_id)
            if agent is not None:
                agent.registrations = tuple(r for r in agent.registrations if r is not registration)

    def _on_alarm(self) -> float | None:
        self.tick()
        with self._lock:
            dues = [agent.sequencer.deadline for agent in self._agents.values()]
        return min((due for due in dues if due is not None), default=None)


def _whole(agent: _Agent, run_id: str, node: TextNode, *, derived: bool) -> PartCompleted:
    """The part as it is now, for those who cannot put a late delta in its place."""
    return PartCompleted(
        agent_id=agent.log.agent_id,
        run_id=run_id,
        message_id=node.message_id,
        derived=derived,
        part_id=node.name,
        kind="thinking" if node.kind == "thinking" else "text",
        text=node.text.read(),
    )


_default: Registry | None = None
_default_lock = threading.Lock()


def get_registry() -> Registry:
    """The process-wide registry that the magic and the widget use; a closed one is replaced."""
    global _default  # noqa: PLW0603 - the one global of the package, by design
    with _default_lock:
        if _default is None or _default.closed:
            _default = Registry()
        return _default

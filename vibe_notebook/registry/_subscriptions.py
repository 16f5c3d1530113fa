"""Read a registry's events from any thread or event loop, at the reader's own pace.

Part of the registry, over its ring. A subscription holds only its position in the ring: a slow reader costs
nothing, and gets a gap event for the events that it missed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from .._event_loops import waker
from ..events import Custom, Event, with_id
from ._ring_buffer import Cursor

if TYPE_CHECKING:
    from ._ring_buffer import Cursor, RingBuffer

__all__ = ["Source", "Subscription", "Subscriptions", "gap"]

_BATCH = 256


def gap(agent_id: str, missed: int | None) -> Custom:
    """Return the event that reports *missed* lost events. It has no id: no reader can resume from it."""
    return Custom(agent_id=agent_id, run_id="", name="gap", value={"missed": missed})


class Source(Protocol):
    """Describe the parts of a registry that a subscription uses."""

    changed: threading.Condition

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """Return the next rows. The caller holds the lock of ``changed``."""

    def drop(self, subscription: Subscription) -> None:
        """Drop the subscription."""


class Subscription(Iterator[Event], AsyncIterator[Event]):
    """Iterate, sync or async, over the events that a registry delivers; ``Registry.subscribe`` makes it.

    The iteration ends after the caller closes the subscription, unregisters the agent or closes the registry. The
    reader still gets the events delivered before the agent or the registry ended.
    """

    def __init__(self, source: Source, cursor: Cursor) -> None:
        self.agent_id = cursor.agent_id
        self.closed = False
        self.ended = False
        """True once the subscription has read its last event from the ring; read only."""
        self._source = source
        self._cursor = cursor
        self._ready: deque[Event] = deque()
        self._wakers: list[Callable[[], None]] = []

    def close(self) -> None:
        """End the iteration; idempotent, from any thread."""
        with self._source.changed:
            self.closed = True
            self._ready.clear()
        self._source.drop(self)

    def finish(self) -> None:
        """End the iteration after the last event delivered until now; idempotent, from any thread."""
        self._source.drop(self)

    def end(self) -> None:
        """End after the newest event, and read the rest now. The caller holds the lock.

        Later events would push the rest out of the ring, where they would count as missed.
        """
        if not self.ended:
            self.ended = True
            while not self.closed and self._read():
                pass

    def pop_wakers(self) -> list[Callable[[], None]]:
        """Remove and return the wakers of the waiting async readers. The caller holds the lock."""
        wakers, self._wakers = self._wakers, []
        return wakers

    async def aclose(self) -> None:
        """Close the subscription, as ``close`` does."""
        self.close()

    def __next__(self) -> Event:
        with self._source.changed:
            event = self._next_event()
            while event is None and not self.ended:
                self._source.changed.wait()
                event = self._next_event()
        if event is None:
            self._source.drop(self)
            raise StopIteration
        return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            ready: Callable[[], Awaitable[object]] | None = None
            with self._source.changed:
                event = self._next_event()
                if event is None and not self.ended:
                    ready, wake = waker()
                    self._wakers.append(wake)
            if event is not None:
                return event
            if ready is None:
                self._source.drop(self)
                raise StopAsyncIteration
            await ready()

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

    def _next_event(self) -> Event | None:
        if not (self._ready or self.closed or self.ended):
            self._read()
        return self._ready.popleft() if self._ready else None

    def _read(self) -> bool:
        """Read the next rows from the ring; return whether there were any."""
        missed, rows = self._source.read(self._cursor, _BATCH)
        if missed != 0:
            self._ready.append(gap(self.agent_id or "", missed))
        self._ready.extend(with_id(event, number) for number, event in rows)
        return bool(rows)


class Subscriptions:
    """Hold the open subscriptions on one ring, and wake their readers.

    ``changed`` is a condition on the registry's lock. ``on_missed`` gets, under that lock, the agent's id and the
    count of events that a reader missed.
    """

    def __init__(
        self, changed: threading.Condition, ring: RingBuffer, on_missed: Callable[[str, int], None]
    ) -> None:
        self.changed = changed
        self._ring = ring
        self._on_missed = on_missed
        self.open: dict[Subscription, None] = {}
        """Subscriptions that have not ended; read only."""

    def renew(self, changed: threading.Condition) -> None:
        """Continue with a new condition, in the child of a fork: the parent's event loops are not the child's."""
        self.changed = changed
        for subscription in self.open:
            subscription.pop_wakers()

    def add(self, agent_id: str | None, after: int | None) -> Subscription:
        """Add a subscription. The caller holds the lock."""
        subscription = Subscription(self, self._ring.cursor(agent_id, after))
        self.open[subscription] = None
        return subscription

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """Return the next rows, and report missed events. The caller holds the lock."""
        missed, rows = self._ring.read(cursor, limit)
        if missed and cursor.agent_id is not None:
            self._on_missed(cursor.agent_id, missed)
        return missed, rows

    def drop(self, subscription: Subscription) -> None:
        """Drop a subscription that is closed or has ended, and wake its readers."""
        with self.changed:
            subscription.end()
            self.open.pop(subscription, None)
            wakers = subscription.pop_wakers()
            self.changed.notify_all()
        for wake in wakers:
            wake()

    def end(self, agent_id: str | None) -> None:
        """End the subscriptions of an agent, or all, after the newest event.

        The caller holds the lock, and calls ``wake`` after it has released the lock.
        """
        for subscription in self.open:
            if agent_id is None or subscription.agent_id == agent_id:
                subscription.end()

    def wake(self) -> None:
        """Wake every waiting reader. The caller does not hold the lock."""
        with self.changed:
            wakers = [wake for subscription in self.open for wake in subscription.pop_wakers()]
            self.changed.notify_all()
        for wake in wakers:
            wake()

"""Reading a registry's events, from any thread or event loop, at the reader's own pace.

Beside the registry. A subscription holds nothing but its place in the registry's ring: a slow
reader costs nothing, and is told by a gap event what it missed.
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
    """Say that *missed* events are gone. It carries no id: nothing can resume from it."""
    return Custom(agent_id=agent_id, run_id="", name="gap", value={"missed": missed})


class Source(Protocol):
    """What a subscription needs of its registry."""

    changed: threading.Condition

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """The next rows; under the lock of ``changed``."""

    def drop(self, subscription: Subscription) -> None:
        """Forget the subscription."""


class Subscription(Iterator[Event], AsyncIterator[Event]):
    """An iterator, sync and async, over what a registry delivers; made by ``Registry.subscribe``.

    It ends when it, its agent or the registry is closed, after what was already there.
    """

    def __init__(self, source: Source, cursor: Cursor) -> None:
        self.agent_id = cursor.agent_id
        self.closed = False
        self.ended = False
        """Nothing will come beyond what is already read; to be read only."""
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
        """End the iteration after what was delivered until now; idempotent, from any thread."""
        self._source.drop(self)

    def end(self) -> None:
        """Under the lock: end after the newest event; read the rest now.

        Later events would push it out of the ring, and count as missed.
        """
        if not self.ended:
            self.ended = True
            while not self.closed and self._read():
                pass

    def take_wakers(self) -> list[Callable[[], None]]:
        """Under the lock: what wakes the async readers that wait."""
        wakers, self._wakers = self._wakers, []
        return wakers

    async def aclose(self) -> None:
        """As ``close``."""
        self.close()

    def __next__(self) -> Event:
        with self._source.changed:
            event = self._take()
            while event is None and not self.ended:
                self._source.changed.wait()
                event = self._take()
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
                event = self._take()
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

    def _take(self) -> Event | None:
        if not (self._ready or self.closed or self.ended):
            self._read()
        return self._ready.popleft() if self._ready else None

    def _read(self) -> bool:
        """Take the next rows from the ring; return whether there were any."""
        missed, rows = self._source.read(self._cursor, _BATCH)
        if missed != 0:
            self._ready.append(gap(self.agent_id or "", missed))
        self._ready.extend(with_id(event, number) for number, event in rows)
        return bool(rows)


# A registry's subscriptions: what they read from, and how they are woken.
#
# Part of the registry; ``changed`` is a condition on the registry's lock.


class Subscriptions:
    """All that read from one ring. ``missed`` is told, under the lock, how many events a reader lost."""

    def __init__(
        self, changed: threading.Condition, ring: RingBuffer, missed: Callable[[str, int], None]
    ) -> None:
        self.changed = changed
        self._ring = ring
        self._missed = missed
        self.open: dict[Subscription, None] = {}
        """Those that have not come to their end; to be read only."""

    def add(self, agent_id: str | None, after: int | None) -> Subscription:
        """Under the lock: a new reader."""
        subscription = Subscription(self, self._ring.cursor(agent_id, after))
        self.open[subscription] = None
        return subscription

    def read(self, cursor: Cursor, limit: int) -> tuple[int | None, list[tuple[int, Event]]]:
        """Under the lock: the next rows."""
        missed, rows = self._ring.read(cursor, limit)
        if missed and cursor.agent_id is not None:
            self._missed(cursor.agent_id, missed)
        return missed, rows

    def drop(self, subscription: Subscription) -> None:
        """Forget one that is closed or has come to its end."""
        with self.changed:
            subscription.end()
            self.open.pop(subscription, None)
            wakers = subscription.take_wakers()
            self.changed.notify_all()
        for wake in wakers:
            wake()

    def end(self, agent_id: str | None) -> None:
        """Under the lock: let an agent's readers, or all, end after what is there; ``wake`` them after."""
        for subscription in self.open:
            if agent_id is None or subscription.agent_id == agent_id:
                subscription.end()

    def wake(self) -> None:
        """Outside of the lock: there is something to read."""
        with self.changed:
            wakers = [wake for subscription in self.open for wake in subscription.take_wakers()]
            self.changed.notify_all()
        for wake in wakers:
            wake()

"""A project's newest entries in this process, shared by all who listen to it.

A listener is a place in here: it costs no queue and no task, and a slow one holds nobody back.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence

from .._event_loops import waker
from ._entry import END, Entry, Id, parse_id

__all__ = ["Tail"]


Waiting = asyncio.Future[None] | tuple[Callable[[], Awaitable[object]], Callable[[], None]]
"""A future of asyncio's, or, elsewhere, (what to await, what wakes it)."""


class Tail:
    """Entries after ``anchor`` without a gap, the oldest dropped beyond *limit* entries or *room* characters.

    ``lock`` guards all of it. Entries are counted from 0; ``first`` is the number of the oldest kept.
    ``anchor`` is None until the log has said where the tail begins; ``origin`` is where it began.
    """

    def __init__(self, limit: int, room: int, anchor: Id | None = None) -> None:
        self.lock = threading.Lock()
        self.limit = limit
        self.room = room
        # Dropping the oldest moves all the others: only when it is worth it.
        self.most, self.full = limit + (limit >> 3), room + (room >> 3)
        self.anchor = self.origin = anchor
        self.entries: list[Entry] = []
        self.first = 0
        self.size = 0
        self.error: Exception | None = None
        self.marks = 0
        self.awaited = False
        self._futures: dict[asyncio.AbstractEventLoop, set[asyncio.Future[None]]] = {}
        self._wakers: set[Callable[[], None]] = set()

    @property
    def end(self) -> int:
        """The number that the next entry gets."""
        return self.first + len(self.entries)

    @property
    def ended(self) -> bool:
        """Whether the newest entry is the mark of a closed stream."""
        return bool(self.entries) and self.entries[-1].event == END

    def start(self, anchor: Id) -> None:
        """The log has found where the tail begins."""
        with self.lock:
            self.anchor = self.origin = anchor
        self.wake()

    def extend(self, entries: Sequence[Entry]) -> None:
        """Add what is new, and wake who waits."""
        with self.lock:
            self.add(entries)
        self.wake()

    def add(self, entries: Sequence[Entry]) -> None:
        """Under the lock: add what is new."""
        self.entries.extend(entries)
        for entry in entries:
            self.size += len(entry.data)
            if entry.event == END:
                self.marks += 1
        if len(self.entries) > self.most or self.size > self.full:
            self.drop(self.limit, self.room)

    def restart(self, anchor: Id) -> None:
        """The log went on without this tail: all who listen must read there what came up to *anchor*."""
        with self.lock:
            self.first = self.end + 1
            self.entries.clear()
            self.anchor, self.size, self.marks = anchor, 0, 0
        self.wake()

    def trim(self, limit: int) -> int:
        """Keep so many; how many went."""
        with self.lock:
            return self.drop(limit, self.room)

    def drop(self, limit: int, room: int) -> int:
        """Under the lock: drop the oldest beyond so many entries or characters; how many went."""
        count = max(0, len(self.entries) - limit)
        size = self.size - sum(len(entry.data) for entry in self.entries[:count])
        while size > room and count < len(self.entries) - 1:
            size -= len(self.entries[count].data)
            count += 1
        if count:
            self.anchor = parse_id(self.entries[count - 1].id)
            self.marks -= sum(entry.event == END for entry in self.entries[:count])
            del self.entries[:count]
            self.first += count
            self.size = size
        return count

    def fail(self, error: Exception) -> None:
        """The log cannot be read: say so to all who listen."""
        with self.lock:
            self.error = error
        self.wake()

    def number_after(self, place: Id) -> int | None:
        """Under the lock: the number of the first entry after *place*, or None if the tail may lack it."""
        if self.anchor is None or place < self.anchor:
            return None
        return self.first + bisect_right(self.entries, place, key=_place)

    def before(self, number: int) -> Id | None:
        """Under the lock: the place just before the entry of that number."""
        if number > self.first:
            return parse_id(self.entries[number - 1 - self.first].id)
        return self.origin if number == 0 else self.anchor

    def waiting(self) -> Waiting:
        """Under the lock: what to give to ``until``, to wait for something new."""
        self.awaited = True
        loop = _running_loop()
        if loop is None:
            ready, wake = waker()
            self._wakers.add(wake)
            return ready, wake
        future = loop.create_future()
        found = self._futures.get(loop)
        if found is None:
            found = self._futures[loop] = set()
        found.add(future)
        return future

    async def until(self, waiting: Waiting) -> None:
        """Wait; who gives up is woken no more."""
        try:
            await (waiting if isinstance(waiting, asyncio.Future) else waiting[0]())
        except BaseException:
            with self.lock:
                if isinstance(waiting, asyncio.Future):
                    self._futures.get(waiting.get_loop(), set()).discard(waiting)
                else:
                    self._wakers.discard(waiting[1])
            raise

    def wake(self) -> None:
        """Wake all who wait, without the lock held."""
        if not self.awaited:
            return
        with self.lock:
            self.awaited = False
            futures, self._futures = self._futures, {}
            wakers, self._wakers = self._wakers, set()
        here = _running_loop()
        for loop, waiting in futures.items():
            if loop is here:
                _set(waiting)
            else:
                with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(_set, waiting)
        for wake in wakers:
            wake()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    return asyncio._get_running_loop()  # noqa: SLF001 - documented, and the one form that does not raise


def _set(futures: set[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _place(entry: Entry) -> Id:
    ms, _, count = entry.id.partition("-")
    return int(ms), int(count or 0)

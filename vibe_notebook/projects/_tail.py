"""The tail of a log: a project's newest entries in this process, shared by all its listeners.

Between the log and its listeners. A listener is a position in the tail: a listener needs no queue and no task, and a
slow listener does not delay the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence

from .._event_loops import waker
from .._limits import WINDOW_BYTES
from ..exceptions import LogError
from ._entry import END, Entry, Id, fill_window, parse_id, size_of

__all__ = ["Tail"]


Waiting = asyncio.Future[None] | tuple[Callable[[], Awaitable[object]], Callable[[], None]]
"""A future of asyncio's loop; on other loops the pair (function to await, function that wakes it)."""


class Tail:
    """Hold the entries after ``anchor`` without a gap; drop the oldest beyond *limit* entries or *room* bytes.

    ``lock`` guards every attribute. Entries have numbers from 0 on; ``first`` is the number of the oldest one held.
    ``anchor`` is the id before the oldest entry, and None until the log has started the tail; ``origin`` is the first
    value of ``anchor``.
    """

    def __init__(self, limit: int, room: int, anchor: Id | None = None) -> None:
        self.lock = threading.Lock()
        self.limit = limit
        self.room = room
        # To drop the oldest entries moves all others in the list: so drop an eighth at a time.
        self.drop_above_entries, self.drop_above_size = limit + (limit >> 3), room + (room >> 3)
        self.anchor = self.origin = anchor
        self.entries: list[Entry] = []
        self.first = 0
        self.size = 0
        self.restarts = 0
        self.largest = 0  # the size of the largest entry so far
        self.error: Exception | None = None
        self.marks = 0
        self.awaited = False
        self._futures: dict[asyncio.AbstractEventLoop, set[asyncio.Future[None]]] = {}
        self._wakers: set[Callable[[], None]] = set()

    def leave(self) -> None:
        """End for the listeners of the parent, in the child of a fork: their event loops are not the child's."""
        self.lock = threading.Lock()
        self._futures, self._wakers, self.awaited = {}, set(), False
        self.error = LogError(
            "this listener belongs to the process that has forked; listen again in the child"
        )

    @property
    def end(self) -> int:
        """Return the number of the next entry."""
        return self.first + len(self.entries)

    @property
    def ended(self) -> bool:
        """Return True if the newest entry is the mark of a closed stream."""
        return bool(self.entries) and self.entries[-1].event == END

    def start(self, anchor: Id) -> None:
        """Start the tail after the id *anchor*."""
        with self.lock:
            self.anchor = self.origin = anchor
        self.wake()

    def extend(self, entries: Sequence[Entry]) -> None:
        """Add new entries, and wake the waiting listeners."""
        with self.lock:
            self.add(entries)
        self.wake()

    def add(self, entries: Sequence[Entry]) -> None:
        """Add new entries. The caller holds the lock."""
        self.entries.extend(entries)
        for entry in entries:
            size = size_of(entry.data)
            self.size += size
            self.largest = max(self.largest, size)
            if entry.event == END:
                self.marks += 1
        if len(self.entries) > self.drop_above_entries or self.size > self.drop_above_size:
            self.drop(self.limit, self.room)

    def restart(self, anchor: Id) -> None:
        """Restart the tail after *anchor*: listeners must read the entries up to *anchor* from the log."""
        with self.lock:
            self.restarts += 1
            self.first = self.end + 1
            self.entries.clear()
            self.anchor, self.size, self.marks = anchor, 0, 0
        self.wake()

    def trim(self, limit: int) -> int:
        """Drop all but the newest *limit* entries; return the number dropped."""
        with self.lock:
            return self.drop(limit, self.room)

    def drop(self, limit: int, room: int) -> int:
        """Drop the oldest beyond *limit* entries or *room* bytes; return the number dropped.

        The caller holds the lock.
        """
        count = max(0, len(self.entries) - limit)
        size = self.size - sum(entry.size for entry in self.entries[:count])
        while size > room and count < len(self.entries) - 1:
            size -= self.entries[count].size
            count += 1
        if count:
            self.anchor = parse_id(self.entries[count - 1].id)
            self.marks -= sum(entry.event == END for entry in self.entries[:count])
            del self.entries[:count]
            self.first += count
            self.size = size
        return count

    def window(self, number: int, limit: int) -> list[Entry]:
        """Return the next entries from a number on: at most *limit*, and a window of bytes or one entry.

        The caller holds the lock.
        """
        start = number - self.first
        entries = self.entries[start : start + limit]
        return entries if len(entries) * self.largest <= WINDOW_BYTES else fill_window(entries)

    def fail(self, error: Exception) -> None:
        """Report to all listeners that the log cannot be read."""
        with self.lock:
            self.error = error
        self.wake()

    def number_after(self, place: Id) -> int | None:
        """Return the number of the first entry after *place*, or None if the tail may lack this entry.

        The caller holds the lock.
        """
        if self.anchor is None or place < self.anchor:
            return None
        return self.first + bisect_right(self.entries, place, key=_id_of)

    def knows(self, place: Id) -> bool:
        """Return True if the tail has held the entry *place*: only then do its next entries follow this entry.

        A log that has lost the entry has other entries around its id. The caller holds the lock.
        """
        index = bisect_right(self.entries, place, key=_id_of)
        return place == (_id_of(self.entries[index - 1]) if index else self.anchor)

    def id_before(self, number: int) -> Id | None:
        """Return the id just before the entry with this number. The caller holds the lock."""
        if number > self.first:
            return parse_id(self.entries[number - 1 - self.first].id)
        return self.origin if number == 0 else self.anchor

    def prepare_wait(self) -> Waiting:
        """Return the argument for ``wait``, which waits for news. The caller holds the lock."""
        self.awaited = True
        loop = _running_loop()
        if loop is None:
            ready, wake = waker()
            self._wakers.add(wake)
            return ready, wake
        future = loop.create_future()
        futures = self._futures.get(loop)
        if futures is None:
            futures = self._futures[loop] = set()
        futures.add(future)
        return future

    async def wait(self, waiting: Waiting) -> None:
        """Wait for news; a cancelled listener is removed from the waiting ones."""
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
        """Wake all waiting listeners. The caller does not hold the lock."""
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
                with contextlib.suppress(RuntimeError):  # the loop is closed: no listener waits in it
                    loop.call_soon_threadsafe(_set, waiting)
        for wake in wakers:
            wake()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    return asyncio._get_running_loop()  # noqa: SLF001 - documented; the public form raises without a loop


def _set(futures: set[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _id_of(entry: Entry) -> Id:
    ms, _, count = entry.id.partition("-")
    return int(ms), int(count or 0)

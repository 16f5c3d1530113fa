"""A listener of a project: a position in the project's tail, or further back in the log.

Between a log with its tails and the code that awaits events: the server's streams and the callers of ``get``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Final, Self

from ..exceptions import ClosedError
from ._entry import BEGINNING, END, Entry, Gap, Id, parse_id
from ._log import EventLog
from ._tail import Tail

__all__ = ["Listener"]

BATCH: Final = 256


class Listener(AsyncIterator[dict[str, str]]):
    """Receive the events of a project at the listener's own pace, independent of other listeners.

    A listener holds at most one batch: a window of bytes, or one larger entry. If the tail has dropped entries that a slow listener still needs, the listener
    reads them from the log; a gap stands for entries that the log has dropped too (``missed`` counts them). The
    listener ends at ``close_stream``, after all events sent before, or at ``close``. One consumer at a time.
    """

    def __init__(self, log: EventLog, project_id: str, after: Id | None) -> None:
        self.project_id = project_id
        self.missed = 0
        self._log = log
        self._tail: Tail | None = log.attach(project_id)
        self._number: int | None = None  # the next entry's number in the tail; None while it reads the log
        self._place = after  # the id of the last entry received, unless `_newest` holds a later one
        self._newest: str | None = (
            None  # an id, not its entry: a listener must not hold an entry it has passed on
        )
        self._is_ahead = False  # the listener has read further in the log than the tail has grown
        self._must_read_log = after is not None
        self._is_first_read = after is not None  # the next read of the log is the one from the given id
        self._start: Id | None = None  # the last id of the stream when the listener began
        self._is_at_mark = False  # the last entry was the mark of a closed stream
        self._ended = False
        self._ready: deque[dict[str, str]] = deque()
        with self._tail.lock:
            self._restarts = self._tail.restarts
            self._start = self._tail.id_before(self._tail.end)
            if after is None:
                self._number, self._place = self._tail.end, self._start

    @property
    def closed(self) -> bool:
        """Return True if the listener will receive no more events."""
        return self._tail is None or (self._ended and not self._ready)

    async def batch(self, max_events: int = BATCH) -> list[Entry | Gap]:
        """Wait for the next entries and return them; an empty list is the end of the stream.

        Raises:
            LogError: the log cannot be read. The caller may listen again after the last id.
        """
        drained = -1  # the tail's end at the last read of the log that found nothing
        while True:
            tail = self._tail
            if tail is None or self._ended:
                return []
            waiting = None
            with tail.lock:
                batch = self._read_tail(tail, max_events)
                end = tail.end
                if (end == drained if batch is None else not batch) and not self._ended:
                    waiting = tail.prepare_wait()
            if waiting is not None:
                if self._tail is None:  # another thread closed the listener, perhaps before `waiting` existed
                    tail.wake()
                await tail.wait(waiting)
                continue
            if batch is None:
                place = self._last_id()
                batch = await self._read_log(max_events)
                if not batch and self._last_id() == place:
                    drained = end
            if batch:
                return batch if self._tail is not None else []

    async def get(self) -> dict[str, str]:
        """Wait for the next event and return it as ``{"id", "event", "data"}``.

        *data* is a JSON string. A gap has no id.

        Raises:
            ClosedError: the stream has ended.
        """
        while not self._ready:
            batch = await self.batch()
            if not batch:
                raise ClosedError(f"the stream of project {self.project_id!r} has ended")
            self._ready.extend(row.as_dict() for row in batch)
        return self._ready.popleft()

    def get_nowait(self) -> dict[str, str]:
        """Return the next event from memory. A listener with history to read must use ``get``.

        Raises:
            asyncio.QueueEmpty: ``get`` would wait.
        """
        tail = self._tail
        if not self._ready and tail is not None:
            with tail.lock:
                batch = self._read_tail(tail, BATCH)
            self._ready.extend(row.as_dict() for row in batch or ())
        if not self._ready:
            raise asyncio.QueueEmpty
        return self._ready.popleft()

    def qsize(self) -> int:
        """Return the number of events (at least) that ``get_nowait`` can return."""
        tail = self._tail
        if tail is None:
            return 0
        with tail.lock:
            behind = 0 if self._number is None else tail.end - max(self._number, tail.first)
        return len(self._ready) + behind

    def empty(self) -> bool:
        """Return True if ``get`` would wait."""
        return self.qsize() == 0

    def close(self) -> None:
        """Stop listening, and wake a waiting ``get``. Any thread may call it, also twice."""
        tail, self._tail = self._tail, None
        self._ready.clear()
        if tail is not None:
            tail.wake()
            self._log.release(self.project_id, tail)

    async def aclose(self) -> None:
        """Stop listening, as ``close`` does."""
        self.close()

    def _read_tail(self, tail: Tail, limit: int) -> list[Entry | Gap] | None:
        """Return the next entries of the tail, perhaps none yet; return None if the listener must read the log.

        The caller holds the tail's lock.
        """
        number = self._number
        if number is None or number < tail.first or self._start is None or tail.error is not None:
            number = self._locate(tail)
            if number is None:
                return [] if self._is_ahead else None
        entries = tail.window(number, limit)
        if not entries:
            self._ended = self._is_at_mark
            return []
        self._number = number + len(entries)
        if tail.marks:
            return self._without_marks(entries)
        self._newest, self._is_at_mark = entries[-1].id, False
        return list[Entry | Gap](entries)

    def _locate(self, tail: Tail) -> int | None:
        """Return the next entry's number in the tail, or None if the tail lacks it.

        The caller holds the tail's lock.
        """
        if tail.error is not None:
            raise tail.error
        if self._start is None:
            self._start = tail.origin
        if self._newest is None and self._place is None:
            self._place = self._start
        if self._number is not None and self._number < tail.first:
            self._number = None  # the tail has dropped the entry
        if tail.restarts != self._restarts:
            self._restarts, self._must_read_log = tail.restarts, True
        self._is_ahead = tail.anchor is None
        place = self._last_id()
        if self._number is None and not self._must_read_log and place is not None:
            newest = tail.id_before(tail.end)
            # The log may have entries that have not reached the tail yet.
            self._is_ahead = newest is not None and newest < place
            # Where the tail never held the last entry received, the log tells whether it has lost this entry.
            if not self._is_ahead and tail.knows(place):
                self._number = tail.number_after(place)
        return self._number

    def _last_id(self) -> Id | None:
        """Return the id of the last entry received."""
        return self._place if self._newest is None else parse_id(self._newest)

    async def _read_log(self, limit: int) -> list[Entry | Gap]:
        page = await self._log.read(self.project_id, self._last_id() or BEGINNING, limit)
        is_slow, self._is_first_read, self._must_read_log = not self._is_first_read, False, False
        entries = self._without_marks(page.entries)
        self._place, self._newest = page.place, None
        gap = page.gap
        if gap is not None:
            if is_slow and gap.reason == "trimmed":
                gap = Gap("slow", gap.after, gap.first, gap.last, gap.missed)
            self.missed += gap.missed or 0
            return [gap, *entries]
        return entries

    def _without_marks(self, entries: Sequence[Entry]) -> list[Entry | Gap]:
        """Store the listener's position, and return the entries without the marks of closed streams.

        A mark ends the listener if the log appended it after the listener began, or if no entry follows it. Any
        other mark is history: the stream was closed and opened again before the listener began.
        """
        if not entries:
            return []
        self._newest = entries[-1].id
        self._is_at_mark = entries[-1].event == END
        events: list[Entry | Gap] = []
        for entry in entries:
            if entry.event != END:
                events.append(entry)
            elif self._start is not None and parse_id(entry.id) > self._start:
                self._ended = True
                break
        return events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, str]:
        try:
            return await self.get()
        except ClosedError:
            raise StopAsyncIteration from None

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

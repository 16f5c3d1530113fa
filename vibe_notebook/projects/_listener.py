"""One who listens to a project: a place in its tail, or further back in the log."""

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
    """What a project says, at the listener's own pace; independent of every other listener.

    It holds at most one batch. One that is so slow that the tail has moved on reads what it missed
    from the log; what the log has dropped too is told by a gap (``missed`` counts them). It ends at
    ``close_stream``, after all that was sent before, or at ``close``. One consumer at a time.
    """

    def __init__(self, log: EventLog, project_id: str, after: Id | None) -> None:
        self.project_id = project_id
        self.missed = 0
        self._log = log
        self._tail: Tail | None = log.attach(project_id)
        self._at: int | None = None  # its place in the tail, or None while it reads the log
        self._place = after  # where it stands, unless …
        self._newest: Entry | None = None  # … it had this since
        self._early = False  # the tail has not come so far
        self._checked = after is None
        self._horizon: Id | None = None  # the last id when it began to listen
        self._marked = False  # the last entry was the mark of a closed stream
        self._ended = False
        self._ready: deque[dict[str, str]] = deque()
        with self._tail.lock:
            self._horizon = self._tail.before(self._tail.end)
            if after is None:
                self._at, self._place = self._tail.end, self._horizon

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._tail is None or (self._ended and not self._ready)

    async def batch(self, max_events: int = BATCH) -> list[Entry | Gap]:
        """What comes next, as soon as there is anything; empty: the stream has ended.

        Raises:
            LogError: the log cannot be read; listen again after the last id.
        """
        while True:
            tail = self._tail
            if tail is None or self._ended:
                return []
            waiting = None
            with tail.lock:
                found = self._from_tail(tail, max_events)
                if found is not None and not found and not self._ended:
                    waiting = tail.waiting()
            if waiting is not None:
                if self._tail is None:  # closed meanwhile, maybe before this could be woken
                    tail.wake()
                await tail.until(waiting)
                continue
            if found is None:
                found = await self._from_log(max_events)
            if found:
                return found if self._tail is not None else []

    async def get(self) -> dict[str, str]:
        """The next event as ``{"id", "event", "data"}``, *data* a JSON string; a gap has no id.

        Raises:
            ClosedError: the stream has ended.
        """
        while not self._ready:
            batch = await self.batch()
            if not batch:
                raise ClosedError(f"the stream of project {self.project_id!r} has ended")
            self._ready.extend(found.as_dict() for found in batch)
        return self._ready.popleft()

    def get_nowait(self) -> dict[str, str]:
        """As ``get``, of what is in memory already; a listener that has history to read must ``get`` it.

        Raises:
            asyncio.QueueEmpty: ``get`` would wait.
        """
        tail = self._tail
        if not self._ready and tail is not None:
            with tail.lock:
                found = self._from_tail(tail, BATCH)
            self._ready.extend(one.as_dict() for one in found or ())
        if not self._ready:
            raise asyncio.QueueEmpty
        return self._ready.popleft()

    def qsize(self) -> int:
        """How many events are there to be had without waiting (at least)."""
        tail = self._tail
        if tail is None:
            return 0
        with tail.lock:
            behind = 0 if self._at is None else tail.end - max(self._at, tail.first)
        return len(self._ready) + behind

    def empty(self) -> bool:
        """Whether ``get`` would wait."""
        return self.qsize() == 0

    def close(self) -> None:
        """Listen no more; idempotent, from any thread. Who waits in ``get`` is woken."""
        tail, self._tail = self._tail, None
        self._ready.clear()
        if tail is not None:
            tail.wake()
            self._log.release(self.project_id, tail)

    async def aclose(self) -> None:
        """As ``close``."""
        self.close()

    def _from_tail(self, tail: Tail, limit: int) -> list[Entry | Gap] | None:
        """Under the tail's lock: what it has, which may be nothing yet. None: read the log."""
        at = self._at
        if at is None or at < tail.first or self._horizon is None or tail.error is not None:
            at = self._find(tail)
            if at is None:
                return [] if self._early else None
        start = at - tail.first
        entries = tail.entries[start : start + limit]
        if not entries:
            self._ended = self._marked
            return []
        self._at = at + len(entries)
        if tail.marks:
            return self._taken(entries)
        self._newest, self._marked = entries[-1], False
        return list[Entry | Gap](entries)

    def _find(self, tail: Tail) -> int | None:
        """Under the tail's lock: the number of what comes next; None if it is not there."""
        if tail.error is not None:
            raise tail.error
        if self._horizon is None:
            self._horizon = tail.origin
        if self._newest is None and self._place is None:
            self._place = self._horizon
        if self._at is not None and self._at < tail.first:
            self._at = None  # too slow
        self._early = tail.anchor is None
        place = self._where()
        if self._at is None and self._checked and place is not None:
            newest = tail.before(tail.end)
            # The log may have been read further than the tail has come.
            self._early = newest is not None and newest < place
            if not self._early:
                self._at = tail.number_after(place)
        return self._at

    def _where(self) -> Id | None:
        """The id of what came last."""
        return self._place if self._newest is None else parse_id(self._newest.id)

    async def _from_log(self, limit: int) -> list[Entry | Gap]:
        page = await self._log.read(self.project_id, self._where() or BEGINNING, limit)
        slow, self._checked = self._checked, True
        found = self._taken(page.entries)
        self._place, self._newest = page.place, None
        gap = page.gap
        if gap is not None:
            if slow:
                gap = Gap("slow", gap.after, gap.first, gap.last, gap.missed)
            self.missed += gap.missed or 0
            return [gap, *found]
        return found

    def _taken(self, entries: Sequence[Entry]) -> list[Entry | Gap]:
        """Note the place, and leave out the marks of closed streams.

        One that came after listening began ends it there, and so does one with nothing after it; what was
        closed and opened again before that is history.
        """
        if not entries:
            return []
        self._newest = entries[-1]
        self._marked = entries[-1].event == END
        found: list[Entry | Gap] = []
        for entry in entries:
            if entry.event != END:
                found.append(entry)
            elif self._horizon is not None and parse_id(entry.id) > self._horizon:
                self._ended = True
                break
        return found

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

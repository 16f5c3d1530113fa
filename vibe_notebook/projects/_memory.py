"""The event log in memory: bounded, and gone with the process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from ..exceptions import ClosedError
from ._entry import BEGINNING, END, Entry, Gap, Id, parse_id
from ._log import EventLog, Item, Page, Project
from ._tail import Tail

__all__ = ["MemoryLog", "gap_before"]

KEYS = 1_000
"""Idempotency keys that are remembered, for each project."""


class _Stream:
    """One project. Its ids are ``<epoch>-<count>``: an id of an earlier stream of that name is told by it."""

    __slots__ = ("count", "epoch", "gone", "keys", "listeners", "prefix", "tail")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self.epoch = time.time_ns() // 1_000_000
        self.prefix = f"{self.epoch}-"
        self.count = 0
        self.listeners = 0
        self.gone = False
        self.keys: OrderedDict[str, list[str]] = OrderedDict()
        self.tail = Tail(max_events, max_bytes, (self.epoch, 0))

    def append(self, items: Sequence[Item], key: str | None) -> list[str]:
        """Under the tail's lock."""
        if key is not None and key in self.keys:
            return list(self.keys[key])
        prefix, count = self.prefix, self.count
        if key is None and len(items) == 1:  # most are, so they have a way of their own
            self.count = count = count + 1
            found = prefix + str(count)
            self.tail.add_one(Entry(found, *items[0]))
            return [found]
        entries = [Entry(prefix + str(n), event, data) for n, (event, data) in enumerate(items, count + 1)]
        self.count = count + len(entries)
        self.tail.add(entries)
        ids = [entry.id for entry in entries]
        if key is not None:
            self.keys[key] = list(ids)
            if len(self.keys) > KEYS:
                self.keys.popitem(last=False)
        return ids


class MemoryLog(EventLog):
    """Each project's newest events, at most *max_events* and *max_bytes* of them."""

    def __init__(self, max_events: int = 10_000, max_bytes: int = 64 << 20) -> None:
        if max_events < 1 or max_bytes < 1:
            raise ValueError("max_events and max_bytes are 1 or more")
        self._limits = max_events, max_bytes
        self._streams: dict[str, _Stream] = {}
        self._lock = threading.Lock()
        self._closed = False

    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        return self.append_now(project_id, items, key)

    def append_now(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        """As ``append``, which never waits here."""
        if self._closed:
            raise ClosedError("the event log is closed")
        while True:
            stream = self._streams.get(project_id) or self._stream(project_id)
            with stream.tail.lock:
                if not stream.gone:
                    ids = stream.append(items, key)
                    break
        stream.tail.wake()
        return ids

    async def close(self, project_id: str) -> None:
        self.close_soon(project_id)

    def close_soon(self, project_id: str) -> None:
        stream = self._streams.get(project_id)
        if stream is None:
            return
        with stream.tail.lock:
            if not stream.tail.ended:
                stream.append([(END, "")], None)
        stream.tail.wake()

    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        stream = self._streams.get(project_id)
        if stream is None:
            return Page([], gap_before(after, 0, BEGINNING), BEGINNING)
        tail = stream.tail
        with tail.lock:
            newest = (stream.epoch, stream.count)
            gap = gap_before(after, stream.count - len(tail.entries) + 1, newest)
            number = tail.number_after(after)
            at = 0 if number is None else number - tail.first
            entries = tail.entries[at : at + limit]
            return Page(entries, gap, parse_id(entries[-1].id) if entries else newest)

    def attach(self, project_id: str) -> Tail:
        with self._lock:
            stream = self._streams.setdefault(project_id, _Stream(*self._limits))
            stream.listeners += 1
            return stream.tail

    def release(self, project_id: str, tail: Tail) -> None:
        """Names that were only asked for are forgotten with their last listener."""
        with self._lock:
            stream = self._streams.get(project_id)
            if stream is None or stream.tail is not tail:
                return
            stream.listeners -= 1
            with tail.lock:
                if not stream.listeners and not stream.count:
                    stream.gone = True
                    del self._streams[project_id]

    async def trim(self, project_id: str, keep: int) -> int:
        stream = self._streams.get(project_id)
        return stream.tail.trim(keep) if stream else 0

    async def projects(self) -> list[Project]:
        return [_said(name, stream) for name, stream in sorted(self._streams.items()) if stream.count]

    async def project(self, project_id: str) -> Project | None:
        stream = self._streams.get(project_id)
        return _said(project_id, stream) if stream and stream.count else None

    def knows(self, project_id: str) -> bool:
        stream = self._streams.get(project_id)
        return stream is not None and stream.count > 0 and not stream.tail.ended

    async def aclose(self) -> None:
        with self._lock:
            self._closed = True
            streams = list(self._streams.values())
        for stream in streams:
            stream.tail.fail(ClosedError("the event log is closed"))

    def _stream(self, project_id: str) -> _Stream:
        with self._lock:
            return self._streams.setdefault(project_id, _Stream(*self._limits))


def _said(name: str, stream: _Stream) -> Project:
    tail = stream.tail
    with tail.lock:
        return Project(name, len(tail.entries) - tail.marks, f"{stream.epoch}-{stream.count}", tail.ended)


def gap_before(after: Id, oldest: int, newest: Id) -> Gap | None:
    """What is missing after *after* in a stream whose ids are ``<epoch>-<count>``, without holes.

    *oldest* is the count of the oldest entry that is kept, *newest* the id of the last that was made; its
    count is 0 if there is none.
    """
    epoch, count = newest
    if count == 0:
        return None if after == BEGINNING else Gap("gone", _text(after))
    first, last = f"{epoch}-{oldest}", _text(newest)
    if after == BEGINNING:
        return Gap("trimmed", "0-0", first, last, oldest - 1) if oldest > 1 else None
    if after[0] != epoch:
        return Gap("gone", _text(after), first, last)
    if after[1] > count:
        return Gap("ahead", _text(after), first, last)
    if after[1] + 1 < oldest:
        return Gap("trimmed", _text(after), first, last, oldest - after[1] - 1)
    return None


def _text(place: Id) -> str:
    return f"{place[0]}-{place[1]}"

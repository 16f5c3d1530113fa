"""The event log in a SQLite file: durable, and shared by the processes of one machine.

One thread for each log does all of its work: it appends what has gathered in one transaction, and
looks for what other processes have appended while anybody listens.
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from .._wake import wait_for
from ..exceptions import ClosedError, LogError
from ._entry import Id
from ._log import EventLog, Item, Page, Project
from ._sqlite_tables import Tables
from ._tail import Tail

__all__ = ["SqliteLog"]

log = logging.getLogger("vibe_notebook.projects")

T = TypeVar("T")

POLL: Final = 0.01
"""Seconds between looks for what other processes appended."""

IDLE: Final = 5.0
"""Seconds without work or listeners after which the thread ends; the next call starts another."""

GROUP: Final = 1_000
"""Appends that share a transaction, at most."""

TAIL: Final = (4_096, 16 << 20)
"""Entries and characters of each project that listeners share in memory."""


@dataclass(slots=True)
class _Append:
    """Something to append, and who waits for its ids."""

    project_id: str
    items: Sequence[Item]
    key: str | None
    done: Future[list[str]] = field(default_factory=Future)


@dataclass(slots=True)
class _Job:
    """Something else to do, and who waits for it."""

    work: Callable[[Tables], Any]
    done: Future[Any] = field(default_factory=Future)


class SqliteLog(EventLog):
    """All projects in one file, in WAL mode. *synchronous* is "full" (survives a power cut) or "normal"."""

    durable = True

    def __init__(self, path: str | Path, synchronous: str = "full") -> None:
        if synchronous not in ("full", "normal"):
            raise ValueError(f"synchronous is full or normal, not {synchronous!r}")
        if not str(path):
            raise ValueError("name its file: sqlite:///events.db")
        self._path = Path(path)
        self._synchronous = synchronous
        self._changed = threading.Condition()
        self._queue: deque[_Append | _Job] = deque()
        self._tails: dict[str, tuple[Tail, int]] = {}
        self._thread: threading.Thread | None = None
        self._closing = False

    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        return await wait_for(self._put(_Append(project_id, items, key)))

    async def close(self, project_id: str) -> None:
        await wait_for(self._do(lambda tables: tables.close(project_id)))

    def close_soon(self, project_id: str) -> None:
        self._do(lambda tables: tables.close(project_id)).add_done_callback(_say)

    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        return await wait_for(self._do(lambda tables: tables.read(project_id, after, limit)))

    async def trim(self, project_id: str, keep: int) -> int:
        return await wait_for(self._do(lambda tables: tables.trim(project_id, keep)))

    async def projects(self) -> list[Project]:
        return await wait_for(self._do(Tables.projects))

    async def project(self, project_id: str) -> Project | None:
        return await wait_for(self._do(lambda tables: tables.project(project_id)))

    def knows(self, project_id: str) -> bool:
        found = self._do(lambda tables: tables.project(project_id)).result()
        return found is not None and not found.closed

    def attach(self, project_id: str) -> Tail:
        with self._changed:
            tail, count = self._tails.get(project_id) or (Tail(*TAIL), 0)
            self._tails[project_id] = tail, count + 1
        if count == 0:
            self._do(lambda tables: tail.start(tables.place(project_id))).add_done_callback(
                lambda done: _fail(tail, done)
            )
        return tail

    def release(self, project_id: str, tail: Tail) -> None:
        with self._changed:
            found, count = self._tails.get(project_id, (None, 0))
            if found is tail:
                if count > 1:
                    self._tails[project_id] = tail, count - 1
                else:
                    del self._tails[project_id]

    async def aclose(self) -> None:
        with self._changed:
            self._closing = True
            tails, self._tails = list(self._tails.values()), {}
            thread = self._thread
            self._changed.notify()
        for tail, _ in tails:
            tail.fail(ClosedError(f"the event log {self._path} is closed"))
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _do(self, work: Callable[[Tables], T]) -> Future[T]:
        job = _Job(work)
        self._put(job)
        return job.done

    def _put(self, job: Any) -> Future[Any]:
        with self._changed:
            if self._closing:
                raise ClosedError(f"the event log {self._path} is closed")
            self._queue.append(job)
            if self._thread is None:
                # A daemon: nobody who waits for an acknowledgement is left when the interpreter goes.
                self._thread = threading.Thread(target=self._work, name="vibe event log", daemon=True)
                self._thread.start()
            self._changed.notify()
        found: Future[Any] = job.done
        return found

    def _work(self) -> None:
        """Until there is nothing to do for a while."""
        try:
            tables = Tables(self._path, self._synchronous)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            return
        try:
            while (jobs := self._next()) is not None:
                self._run(tables, jobs)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        finally:
            tables.shut()

    def _next(self) -> list[_Append | _Job] | None:
        """What to do now: at most GROUP jobs, none if it is time to look for others' appends, or None: end."""
        until = time.monotonic() + IDLE
        with self._changed:
            while not self._queue:
                left = until - time.monotonic()
                if self._closing or (left <= 0 and not self._tails):
                    self._thread = None
                    return None
                if self._changed.wait(POLL if self._tails else left) or not self._tails:
                    continue
                return []
            return [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]

    def _run(self, tables: Tables, jobs: list[_Append | _Job]) -> None:
        """In their order: who listens and then sends gets what was sent."""
        for kind, group in itertools.groupby(jobs, type):
            if kind is _Append:
                self._append(tables, [job for job in group if isinstance(job, _Append)])
            else:
                for job in group:
                    if isinstance(job, _Job):
                        self._do_one(tables, job)
        if tables.changed():
            self._follow(tables)

    def _append(self, tables: Tables, jobs: list[_Append]) -> None:
        try:
            made = tables.append([(job.project_id, job.items, job.key) for job in jobs])
        except (sqlite3.Error, OSError) as error:
            said = self._error(error)
            for job in jobs:
                job.done.set_exception(said)
            return
        # Listeners first: who has an acknowledgement may look at once.
        self._follow(tables)
        for job, ids in zip(jobs, made, strict=True):
            job.done.set_result(ids)

    def _do_one(self, tables: Tables, job: _Job) -> None:
        try:
            job.done.set_result(job.work(tables))
        except (sqlite3.Error, OSError) as error:
            job.done.set_exception(self._error(error))
        if tables.dirty:
            self._follow(tables)

    def _follow(self, tables: Tables) -> None:
        """Give the tails what is new."""
        tables.dirty = False
        with self._changed:
            tails = [(name, tail) for name, (tail, _) in self._tails.items()]
        for name, tail in tails:
            while tail.anchor is not None:
                with tail.lock:
                    place = tail.before(tail.end) or tail.anchor
                entries = tables.read(name, place, GROUP).entries
                if not entries:
                    break
                tail.extend(entries)

    def _error(self, error: Exception) -> LogError:
        return LogError(f"the event log {self._path}: {error}")

    def _give_up(self, error: Exception) -> None:
        """Tell all who wait, sender or listener; whoever comes next tries anew."""
        said = self._error(error)
        log.error("%s", said)
        with self._changed:
            jobs, self._queue = list(self._queue), deque()
            tails, self._tails = list(self._tails.values()), {}
            self._thread = None
        for job in jobs:
            job.done.set_exception(said)
        for tail, _ in tails:
            tail.fail(said)


def _say(done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        log.error("A stream could not be closed: %s", error)


def _fail(tail: Tail, done: Future[Any]) -> None:
    error = done.exception()
    if isinstance(error, Exception):
        tail.fail(error)

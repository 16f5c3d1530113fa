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

from .._event_loops import wait_for
from ..exceptions import ClosedError, LogError
from ._entry import Id
from ._log import EventLog, Item, Page, Project
from ._sqlite_store import Tables
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
        self._taken: list[_Append | _Job] = []
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
                lambda done: self._fail_tail(project_id, tail, done)
            )
        return tail

    def _fail_tail(self, project_id: str, tail: Tail, done: Future[None]) -> None:
        """Where a tail could not begin, tell its listeners; the next listener tries anew."""
        error = done.exception()
        if isinstance(error, Exception):
            with self._changed:
                if self._tails.get(project_id, (None,))[0] is tail:
                    del self._tails[project_id]
            tail.fail(error)

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
            if self._thread is None:
                # A daemon: nobody who waits for an acknowledgement is left when the interpreter goes.
                thread = threading.Thread(target=self._work, name="vibe event log", daemon=True)
                try:
                    thread.start()  # it waits for the lock that is held here
                except RuntimeError as error:
                    raise self._error(error) from error
                self._thread = thread
            self._queue.append(job)
            self._changed.notify()
        found: Future[Any] = job.done
        return found

    def _work(self) -> None:
        """Until there is nothing to do for a while."""
        tables: Tables | None = None
        try:
            tables = Tables(self._path, self._synchronous)
            while (jobs := self._next()) is not None:
                self._run(tables, jobs)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: senders and listeners are told
            self._give_up(error)
        finally:
            if tables is not None:
                try:
                    tables.shut()
                except sqlite3.Error as error:
                    log.error("%s", self._error(error))  # noqa: TRY400 - the message says all

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
            self._taken = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            return self._taken

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
        except Exception as error:  # noqa: BLE001 - logged and raised where it is waited for
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return
            # Nothing of the transaction is in the file: one batch that no table takes must not fail the others.
            for job in jobs:
                self._append(tables, [job])
            return
        try:
            # Listeners first: who has an acknowledgement may look at once.
            self._follow(tables)
        finally:
            for job, ids in zip(jobs, made, strict=True):
                job.done.set_result(ids)

    def _do_one(self, tables: Tables, job: _Job) -> None:
        try:
            job.done.set_result(job.work(tables))
        except (sqlite3.Error, OSError) as error:
            job.done.set_exception(self._error(error))
        except Exception as error:  # noqa: BLE001 - logged and raised where it is waited for
            self._fail(job, error)
        if tables.dirty:
            self._follow(tables)

    def _fail(self, job: _Append | _Job, error: Exception) -> None:
        """Tell one who waits; a fault of the work, not of the file, leaves the thread as it is."""
        said = self._error(error)
        said.__cause__ = error
        try:
            log.error("%s", said, exc_info=error)
        finally:
            job.done.set_exception(said)

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

    def _error(self, error: BaseException) -> LogError:
        is_said = isinstance(error, sqlite3.Error | OSError)
        return LogError(f"the event log {self._path}: {error if is_said else repr(error)}")

    def _give_up(self, error: BaseException) -> None:
        """Fail every job and listener with the cause; the next call starts another thread."""
        said = self._error(error)
        said.__cause__ = error
        try:
            log.error("%s", said, exc_info=None if isinstance(error, sqlite3.Error | OSError) else error)
        finally:  # a log handler may fail too
            with self._changed:
                jobs, self._queue = [*self._taken, *self._queue], deque()
                tails, self._tails = list(self._tails.values()), {}
                self._taken, self._thread = [], None
            for job in jobs:
                if not job.done.done():
                    job.done.set_exception(said)
            for tail, _ in tails:
                tail.fail(said)


def _say(done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        log.error("A stream could not be closed: %s", error)

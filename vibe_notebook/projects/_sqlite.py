"""The event log in a SQLite file: durable, and shared by the processes of one machine.

``_open_log`` opens it for the URL ``sqlite:``. One thread for each log does all of its work: the thread appends all
waiting batches in one transaction, and checks for appends of other processes while the log has listeners.
"""

from __future__ import annotations

import itertools
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
from .._foreign_words import clean_logger
from ..exceptions import ClosedError, LogError
from ._entry import Id
from ._log import EventLog, Item, Page, Project
from ._sqlite_store import Tables
from ._tail import Tail

__all__ = ["SqliteLog"]

log = clean_logger("vibe_notebook.projects")

T = TypeVar("T")

POLL: Final = 0.01
"""Seconds between two checks for appends of other processes."""

IDLE: Final = 5.0
"""Seconds without jobs and listeners before the thread ends; the next call starts another thread."""

GROUP: Final = 1_000
"""Appends that share a transaction, at most."""

TAIL: Final = (4_096, 16 << 20)
"""Entries and characters in the tail of each project: listeners share them in memory."""


@dataclass(slots=True)
class _Append:
    """Hold a batch to append, and the future of its ids."""

    project_id: str
    items: Sequence[Item]
    key: str | None
    done: Future[list[str]] = field(default_factory=Future)


@dataclass(slots=True)
class _Job:
    """Hold a function to call in the thread, and the future of its result."""

    work: Callable[[Tables], Any]
    done: Future[Any] = field(default_factory=Future)


class SqliteLog(EventLog):
    """Store all projects in one file, in WAL mode.

    *synchronous* is "full" (acknowledged events survive a power cut) or "normal".
    """

    durable = True

    def __init__(self, path: str | Path, synchronous: str = "full") -> None:
        if synchronous not in ("full", "normal"):
            raise ValueError(f"synchronous must be full or normal, not {synchronous!r}")
        if not str(path):
            raise ValueError("the URL names no file; use sqlite:///events.db")
        self._path = Path(path)
        self._synchronous = synchronous
        self._changed = threading.Condition()
        self._queue: deque[_Append | _Job] = deque()
        self._running: list[_Append | _Job] = []
        self._tails: dict[str, tuple[Tail, int]] = {}
        self._thread: threading.Thread | None = None
        self._closing = False

    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        return await wait_for(self._enqueue(_Append(project_id, items, key)))

    async def close(self, project_id: str) -> None:
        await wait_for(self._submit(lambda tables: tables.close(project_id)))

    def close_soon(self, project_id: str) -> None:
        self._submit(lambda tables: tables.close(project_id)).add_done_callback(_report_failure)

    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        return await wait_for(self._submit(lambda tables: tables.read(project_id, after, limit)))

    async def trim(self, project_id: str, keep: int) -> int:
        return await wait_for(self._submit(lambda tables: tables.trim(project_id, keep)))

    async def projects(self) -> list[Project]:
        return await wait_for(self._submit(Tables.projects))

    async def project(self, project_id: str) -> Project | None:
        return await wait_for(self._submit(lambda tables: tables.project(project_id)))

    def knows(self, project_id: str) -> bool:
        found = self._submit(lambda tables: tables.project(project_id)).result()
        return found is not None and not found.closed

    def attach(self, project_id: str) -> Tail:
        with self._changed:
            tail, count = self._tails.get(project_id) or (Tail(*TAIL), 0)
            self._tails[project_id] = tail, count + 1
        if count == 0:
            self._submit(lambda tables: tail.start(tables.place(project_id))).add_done_callback(
                lambda done: self._fail_tail(project_id, tail, done)
            )
        return tail

    def _fail_tail(self, project_id: str, tail: Tail, done: Future[None]) -> None:
        """Report a failed start of a tail to its listeners. The next listener starts a new tail."""
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

    def _submit(self, work: Callable[[Tables], T]) -> Future[T]:
        job = _Job(work)
        self._enqueue(job)
        return job.done

    def _enqueue(self, job: Any) -> Future[Any]:
        with self._changed:
            if self._closing:
                raise ClosedError(f"the event log {self._path} is closed")
            if self._thread is None:
                # A daemon: at the end of the interpreter no caller waits for an acknowledgement any more.
                thread = threading.Thread(target=self._work, name="vibe event log", daemon=True)
                try:
                    thread.start()  # the new thread waits for the lock that this one holds
                except RuntimeError as error:
                    raise self._error(error) from error
                self._thread = thread
            self._queue.append(job)
            self._changed.notify()
        done: Future[Any] = job.done
        return done

    def _work(self) -> None:
        """Run jobs until the log is closed or idle."""
        tables: Tables | None = None
        try:
            tables = Tables(self._path, self._synchronous)
            while (jobs := self._next()) is not None:
                self._run(tables, jobs)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: senders and listeners get the error
            self._fail_all(error)
        finally:
            if tables is not None:
                try:
                    tables.close_file()
                except sqlite3.Error as error:
                    log.error("%s", self._error(error))  # noqa: TRY400 - a traceback adds nothing

    def _next(self) -> list[_Append | _Job] | None:
        """Wait for work, and return at most GROUP jobs.

        An empty list means: check for appends of other processes. None means: end the thread.
        """
        deadline = time.monotonic() + IDLE
        with self._changed:
            while not self._queue:
                left = deadline - time.monotonic()
                if self._closing or (left <= 0 and not self._tails):
                    self._thread = None
                    return None
                if self._changed.wait(POLL if self._tails else left) or not self._tails:
                    continue
                return []
            self._running = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            return self._running

    def _run(self, tables: Tables, jobs: list[_Append | _Job]) -> None:
        """Run the jobs in their order: a caller who listens and then sends receives the event."""
        for kind, group in itertools.groupby(jobs, type):
            if kind is _Append:
                self._append(tables, [job for job in group if isinstance(job, _Append)])
            else:
                for job in group:
                    if isinstance(job, _Job):
                        self._run_job(tables, job)
        if tables.changed():
            self._follow(tables)

    def _append(self, tables: Tables, jobs: list[_Append]) -> None:
        try:
            made = tables.append([(job.project_id, job.items, job.key) for job in jobs])
        except (sqlite3.Error, OSError) as error:
            failure = self._error(error)
            for job in jobs:
                job.done.set_exception(failure)
            return
        except Exception as error:  # noqa: BLE001 - logged, and raised in the caller
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return
            # The transaction was rolled back. Append each batch alone: a batch that no table accepts fails alone.
            for job in jobs:
                self._append(tables, [job])
            return
        try:
            # Listeners first: a sender may check a listener right after the acknowledgement.
            self._follow(tables)
        finally:
            for job, ids in zip(jobs, made, strict=True):
                job.done.set_result(ids)

    def _run_job(self, tables: Tables, job: _Job) -> None:
        try:
            job.done.set_result(job.work(tables))
        except (sqlite3.Error, OSError) as error:
            job.done.set_exception(self._error(error))
        except Exception as error:  # noqa: BLE001 - logged, and raised in the caller
            self._fail(job, error)
        if tables.dirty:
            self._follow(tables)

    def _fail(self, job: _Append | _Job, error: Exception) -> None:
        """Report an unexpected error to the job's caller. The file works: the thread goes on."""
        failure = self._error(error)
        failure.__cause__ = error
        try:
            log.error("%s", failure, exc_info=error)
        finally:
            job.done.set_exception(failure)

    def _follow(self, tables: Tables) -> None:
        """Extend the tails by new entries."""
        tables.dirty = False
        with self._changed:
            tails = [(name, tail) for name, (tail, _) in self._tails.items()]
        for name, tail in tails:
            while tail.anchor is not None:
                with tail.lock:
                    place = tail.id_before(tail.end) or tail.anchor
                entries = tables.read(name, place, GROUP).entries
                if not entries:
                    break
                tail.extend(entries)

    def _error(self, error: BaseException) -> LogError:
        has_message = isinstance(error, sqlite3.Error | OSError)
        return LogError(f"the event log {self._path}: {error if has_message else repr(error)}")

    def _fail_all(self, error: BaseException) -> None:
        """Fail every job and every listener with the cause. The next call starts another thread."""
        failure = self._error(error)
        failure.__cause__ = error
        try:
            log.error("%s", failure, exc_info=None if isinstance(error, sqlite3.Error | OSError) else error)
        finally:  # a handler of the logger may fail too
            with self._changed:
                jobs, self._queue = [*self._running, *self._queue], deque()
                tails, self._tails = list(self._tails.values()), {}
                self._running, self._thread = [], None
            for job in jobs:
                if not job.done.done():
                    job.done.set_exception(failure)
            for tail, _ in tails:
                tail.fail(failure)


def _report_failure(done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        log.error("A stream could not be closed: %s", error)

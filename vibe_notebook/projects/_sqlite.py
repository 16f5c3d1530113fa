"""The event log in a SQLite file: durable, and shared by the processes of one machine.

``_open_log`` opens it for the URL ``sqlite:``. Two workers do all of its work. The writer appends all waiting batches
in one transaction. The reader reads, also while the writer waits for a lock, and checks for appends of other processes
while the log has listeners.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Final, TypeVar

from .._event_loops import wait_for
from .._foreign_words import clean_logger
from .._forks import renew_in_child
from .._limits import TAIL_BYTES, TAIL_EVENTS
from ..exceptions import ClosedError, LogError
from . import _sqlite_store
from ._entry import Id
from ._log import EventLog, Item, Page, Project
from ._sqlite_store import Identity, Tables, is_locked, log_error
from ._sqlite_worker import Append, Call, Job, Worker
from ._tail import Tail

__all__ = ["SqliteLog"]

log = clean_logger("vibe_notebook.projects")

T = TypeVar("T")

PAGE: Final = 1_000
"""Entries that a tail gets at once, at most."""


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
        if str(path) == ":memory:":
            raise ValueError(":memory: is no file; use memory: for a log in memory")
        if "\0" in str(path):
            raise ValueError("the name of a file has no NUL character")
        self._path = Path(path)
        self._synchronous = synchronous
        self._lock = threading.Lock()
        self._tails: dict[str, tuple[Tail, int]] = {}
        self._starts: set[Future[None]] = set()
        self._closes: Counter[str] = Counter()
        self._identity: Identity | None = None
        self._is_closed = False
        self._is_parents = False
        self._opening = threading.Lock()
        self._following = threading.Lock()
        self._writer = Worker(
            open_file=lambda: self._open(_sqlite_store.WRITE_SECONDS),
            run=self._write,
            polls=lambda: False,
            to_error=self._error,
            failed=lambda _: None,
        )
        self._reader = Worker(
            open_file=lambda: self._open(_sqlite_store.READ_SECONDS),
            run=self._read,
            polls=lambda: bool(self._tails),
            to_error=self._error,
            failed=self._fail_tails,
        )
        renew_in_child(self)

    def renew(self) -> None:
        """Start anew in the child of a fork; a log that was open in the parent refuses to work there.

        SQLite stores the locks of a file once for each process: a child would take the parent's for its own.
        """
        self._lock, self._opening, self._following = threading.Lock(), threading.Lock(), threading.Lock()
        for tail, _ in self._tails.values():
            tail.leave()
        self._tails, self._starts, self._closes = {}, set(), Counter()
        self._is_parents = self._writer.is_open or self._reader.is_open
        self._writer.renew()
        self._reader.renew()

    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        with self._lock:
            starts = tuple(self._starts)
        return await wait_for(self._enqueue(self._writer, Append(project_id, items, key, starts)))

    async def close(self, project_id: str) -> None:
        await wait_for(self._close(project_id))

    def close_soon(self, project_id: str) -> None:
        self._close(project_id).add_done_callback(_report_failure)

    def _close(self, project_id: str) -> Future[None]:
        with self._lock:
            self._closes[project_id] += 1
        try:
            done = self._enqueue(self._writer, Call(lambda tables: tables.close(project_id)))
        except BaseException:
            self._end_close(project_id)
            raise
        done.add_done_callback(lambda _: self._end_close(project_id))
        return done

    def _end_close(self, project_id: str) -> None:
        with self._lock:
            self._closes[project_id] -= 1
            if not self._closes[project_id]:
                del self._closes[project_id]

    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        return await wait_for(self._submit(lambda tables: tables.read(project_id, after, limit)))

    async def trim(self, project_id: str, keep: int) -> int:
        trimmed: int = await wait_for(
            self._enqueue(self._writer, Call(lambda tables: tables.trim(project_id, keep)))
        )
        return trimmed

    async def projects(self) -> list[Project]:
        return await wait_for(self._submit(Tables.projects))

    async def project(self, project_id: str) -> Project | None:
        return await wait_for(self._submit(lambda tables: tables.project(project_id)))

    async def check(self) -> None:
        await wait_for(self._submit(Tables.check))

    def knows(self, project_id: str) -> bool:
        found = self._submit(lambda tables: tables.project(project_id)).result()
        return found is not None and not found.closed and project_id not in self._closes

    def attach(self, project_id: str) -> Tail:
        with self._lock:
            tail, count = self._tails.get(project_id) or (Tail(TAIL_EVENTS, TAIL_BYTES), 0)
            self._tails[project_id] = tail, count + 1
        if count == 0:
            job = Call(lambda tables: tail.start(tables.place(project_id)))
            with self._lock:
                self._starts.add(job.done)
            try:
                self._enqueue(self._reader, job)
            except BaseException:
                self._starts.discard(job.done)
                self.release(project_id, tail)
                raise
            job.done.add_done_callback(lambda done: self._end_start(project_id, tail, done))
        return tail

    def _end_start(self, project_id: str, tail: Tail, done: Future[None]) -> None:
        """Report a failed start of a tail to its listeners. The next listener starts a new tail."""
        error = done.exception()
        with self._lock:
            self._starts.discard(done)
            if error is not None and self._tails.get(project_id, (None,))[0] is tail:
                del self._tails[project_id]
        if isinstance(error, Exception):
            tail.fail(error)

    def release(self, project_id: str, tail: Tail) -> None:
        with self._lock:
            found, count = self._tails.get(project_id, (None, 0))
            if found is tail:
                if count > 1:
                    self._tails[project_id] = tail, count - 1
                else:
                    del self._tails[project_id]

    async def aclose(self) -> None:
        with self._lock:
            self._is_closed = True
        threads = [self._writer.close(), self._reader.close()]
        self._fail_tails(ClosedError(f"the event log {self._path} is closed"))
        for thread in threads:
            if thread is not None and thread is not threading.current_thread():
                thread.join()

    def _submit(self, work: Callable[[Tables], T]) -> Future[T]:
        """Enqueue a read."""
        return self._enqueue(self._reader, Call(work))

    def _enqueue(self, worker: Worker, job: Job) -> Future[Any]:
        with self._lock:
            if self._is_closed:
                raise ClosedError(f"the event log {self._path} is closed")
            if self._is_parents:
                raise LogError(
                    f"the event log {self._path} was open when this process was forked, and SQLite allows no use of it "
                    "here: fork before the log's first use, or start the process with the method spawn",
                    is_permanent=True,
                )
            return worker.enqueue(job)

    def _open(self, seconds: float) -> Tables:
        with self._opening:  # a new file is made by one thread
            tables = Tables(self._path, self._synchronous, seconds, self._identity)
            self._identity = tables.identity
            return tables

    def _read(self, tables: Tables, jobs: list[Job]) -> None:
        """Run the reads, then extend the tails by the entries that other connections have appended."""
        tables.check_file()
        for job in jobs:
            self._run_job(self._reader, tables, job)
        if self._tails and tables.changed():
            self._follow(tables)

    def _write(self, tables: Tables, jobs: list[Job]) -> None:
        """Run the writes in their order."""
        tables.check_file()
        for kind, group in itertools.groupby(jobs, type):
            if kind is Append:
                self._append(tables, [job for job in group if isinstance(job, Append)])
            else:
                for job in group:
                    self._run_job(self._writer, tables, job)
                self._follow(tables)

    def _append(self, tables: Tables, jobs: list[Append]) -> None:
        # A caller who listens and then sends receives the event: the reader must have started the tail before.
        wait([start for job in jobs for start in job.starts], _sqlite_store.READ_SECONDS)
        try:
            made = tables.append([(job.project_id, job.items, job.key) for job in jobs])
        except (sqlite3.Error, OSError) as error:
            self._fail_jobs(self._writer, jobs, error)
            return
        except Exception as error:  # noqa: BLE001 - logged, and raised in the caller
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return
            # The transaction was rolled back. Append each batch alone: a batch that no table accepts fails alone.
            for job in jobs:
                self._append(tables, [job])
            return
        for job, ids in zip(jobs, made, strict=True):
            job.made = ids
        # Listeners first: a sender may check a listener right after the acknowledgement.
        self._follow(tables, {job.project_id for job in jobs})
        for job, ids in zip(jobs, made, strict=True):
            job.made = None
            job.done.set_result(ids)

    def _run_job(self, worker: Worker, tables: Tables, job: Job) -> None:
        assert isinstance(job, Call)  # noqa: S101 - the reader has no appends, and the writer splits them off
        try:
            job.done.set_result(job.work(tables))
        except (sqlite3.Error, OSError) as error:
            self._fail_jobs(worker, [job], error)
        except Exception as error:  # noqa: BLE001 - logged, and raised in the caller
            self._fail(job, error)

    def _follow(self, tables: Tables, projects: Iterable[str] | None = None) -> None:
        """Extend the tails of *projects*, or all tails, by new entries. Either worker may call it."""
        with self._lock:
            names = (
                list(self._tails) if projects is None else [name for name in projects if name in self._tails]
            )
            tails = [(name, self._tails[name][0]) for name in names]
        for name, tail in tails:
            with self._following:
                while tail.anchor is not None:
                    with tail.lock:
                        place = tail.id_before(tail.end) or tail.anchor
                    page = tables.read(name, place, PAGE)
                    if page.gap is not None:
                        tail.restart(page.place)
                    elif page.entries:
                        tail.extend(page.entries)
                    else:
                        break

    def _fail_jobs(self, worker: Worker, jobs: Sequence[Job], cause: Exception) -> None:
        """Fail jobs with an error of the file. The connection works: the thread goes on."""
        error = self._error(cause)
        if is_locked(cause):
            worker.fail_queued(error)  # these jobs have waited for the same lock already
        for job in jobs:
            job.done.set_exception(error)
        if error.is_permanent:
            self._fail_tails(error)

    def _fail(self, job: Job, error: Exception) -> None:
        """Report an unexpected error to the job's caller. The file works: the thread goes on."""
        failure = self._error(error)
        failure.__cause__ = error
        try:
            log.error("%s", failure, exc_info=error)
        finally:
            job.done.set_exception(failure)

    def _fail_tails(self, error: Exception) -> None:
        """Report an error to every listener. The next listener starts a new tail."""
        with self._lock:
            tails, self._tails = list(self._tails.values()), {}
        for tail, _ in tails:
            tail.fail(error)

    def _error(self, error: BaseException) -> LogError:
        return log_error(self._path, error)


def _report_failure(done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        log.error("A stream could not be closed: %s", error)

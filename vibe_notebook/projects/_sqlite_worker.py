"""A thread with one connection to the SQLite file: it runs the jobs of a log, one group after the other.

Between ``_sqlite`` and ``_sqlite_store``. A log has two workers, so that a write that waits for a lock delays no read.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from ..exceptions import LogError
from ._log import Item
from ._sqlite_store import Tables

__all__ = ["Append", "Call", "Job", "Worker"]

log = logging.getLogger("vibe_notebook.projects")

POLL: Final = 0.01
"""Seconds between two checks for appends of other processes."""

IDLE: Final = 5.0
"""Seconds without jobs and listeners before a thread ends; the next call starts another thread."""

GROUP: Final = 1_000
"""Jobs of one group, at most: its appends share a transaction."""


@dataclass(slots=True)
class Append:
    """Hold a batch to append, and the future of its ids.

    ``starts`` are the tails that the worker must let start first: their listeners are to receive the batch. ``made``
    are the ids, once the batch is stored: then the future gets them, even if the thread fails.
    """

    project_id: str
    items: Sequence[Item]
    key: str | None
    starts: Sequence[Future[Any]] = ()
    made: list[str] | None = None
    done: Future[list[str]] = field(default_factory=Future)


@dataclass(slots=True)
class Call:
    """Hold a function to call in the thread, and the future of its result."""

    work: Callable[[Tables], Any]
    done: Future[Any] = field(default_factory=Future)


Job = Append | Call


class Worker:
    """Run jobs in a thread, which starts with a job and ends when it is idle.

    *open_file* opens the thread's connection, *run* runs one group of jobs; while *polls* returns True, *run* gets an
    empty group every ``POLL`` seconds. *to_error* makes a ``LogError`` of any error. An error that ends the thread
    fails all of its jobs; the worker passes this error to *failed*, and starts another thread with the next job.
    """

    def __init__(
        self,
        *,
        open_file: Callable[[], Tables],
        run: Callable[[Tables, list[Job]], None],
        polls: Callable[[], bool],
        to_error: Callable[[BaseException], LogError],
        failed: Callable[[LogError], None],
    ) -> None:
        self._open_file = open_file
        self._run = run
        self._polls = polls
        self._to_error = to_error
        self._failed = failed
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._running: list[Job] = []
        self._thread: threading.Thread | None = None
        self._closing = False

    def enqueue(self, job: Job) -> Future[Any]:
        """Enqueue a job, and return its future.

        Raises:
            LogError: no thread can start.
        """
        with self._changed:
            if self._thread is None:
                # A daemon: at the end of the interpreter no caller waits for an acknowledgement any more.
                thread = threading.Thread(target=self._work, name="vibe event log", daemon=True)
                try:
                    thread.start()  # the new thread waits for the lock that this one holds
                except RuntimeError as error:
                    raise self._to_error(error) from error
                self._thread = thread
            self._queue.append(job)
            self._changed.notify()
        done: Future[Any] = job.done
        return done

    @property
    def is_open(self) -> bool:
        """Return whether the thread has the file open, or is about to."""
        return self._thread is not None

    def renew(self) -> None:
        """Forget the thread and the jobs of the parent, in the child of a fork."""
        self._changed = threading.Condition()
        self._queue, self._running, self._thread = deque(), [], None

    def fail_queued(self, error: LogError) -> None:
        """Fail the jobs that wait in the queue."""
        with self._changed:
            jobs, self._queue = list(self._queue), deque()
        for job in jobs:
            job.done.set_exception(error)

    def close(self) -> threading.Thread | None:
        """Let the thread finish its jobs and end; return the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            return self._thread

    def _work(self) -> None:
        tables: Tables | None = None
        try:
            tables = self._open_file()
            while (jobs := self._next()) is not None:
                self._run(tables, jobs)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: senders and listeners get the error
            self._fail_all(error)
        finally:
            if tables is not None:
                try:
                    tables.close_file()
                except sqlite3.Error as error:
                    log.error("%s", self._to_error(error))  # noqa: TRY400 - a traceback adds nothing

    def _next(self) -> list[Job] | None:
        """Wait for work, and return at most GROUP jobs; none: it is time to poll. None: end the thread."""
        deadline = time.monotonic() + IDLE
        with self._changed:
            self._running = []
            while not self._queue:
                left = deadline - time.monotonic()
                polls = self._polls()
                if self._closing or (left <= 0 and not polls):
                    self._thread = None
                    return None
                if not self._changed.wait(POLL if polls else left) and self._polls():
                    return []
            self._running = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            return self._running

    def _fail_all(self, cause: BaseException) -> None:
        error = self._to_error(cause)
        if error is not cause:
            error.__cause__ = cause
        try:
            # The callers get an error of the file: only an unexpected one, or one without a caller, is logged.
            if not isinstance(cause, sqlite3.Error | OSError):
                log.error("%s", error, exc_info=cause)
            elif not self._running and not self._queue:
                log.error("%s", error)
        finally:  # a handler of the logger may fail too
            # Listeners first: a caller that goes on after its error may listen again, on the next thread.
            self._failed(error)
            with self._changed:
                jobs, self._queue = [*self._running, *self._queue], deque()
                self._running, self._thread = [], None
            for job in jobs:
                if isinstance(job, Append) and job.made is not None:
                    job.done.set_result(job.made)
                elif not job.done.done():
                    job.done.set_exception(error)

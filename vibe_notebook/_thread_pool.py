"""Run jobs at their times on a bounded number of threads, which end when no job is left.

Near the bottom of the package: the registry's alarms and the final forms share a pool each. A thread for each of
them meant hundreds of threads where many streams ended together.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from ._forks import renew_in_child

__all__ = ["Job", "ThreadPool"]

log = logging.getLogger("vibe_notebook")
LONGEST_WAIT: Final = 3_600.0
"""Seconds of one wait: a lock refuses a timeout beyond its own limit."""


class Job:
    """Hold one job of a pool: its function, its time, and the function that the pool calls after it."""

    __slots__ = ("after", "call", "is_waiting")

    def __init__(self, call: Callable[[], object], after: Callable[[bool], object] | None) -> None:
        self.call = call
        self.after = after
        self.is_waiting = True
        """True until a thread takes the job, or its owner withdraws it."""


class ThreadPool:
    """Run jobs on *limit* daemon threads at most, all with the name *name*. A thread ends when no job waits."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self.limit = limit
        self._changed = threading.Condition()
        self._jobs: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()  # jobs cannot be compared
        self._waiting = 0  # jobs in the heap that no owner has withdrawn
        self._threads = 0
        self._has_idle = False  # one thread waits for the next job's time
        self._is_starting = False  # a new thread will look for a job
        renew_in_child(self)

    def renew(self) -> None:
        """Forget the threads and the jobs of the parent, in the child of a fork."""
        self._changed = threading.Condition()
        self._jobs, self._waiting = [], 0
        self._threads, self._has_idle, self._is_starting = 0, False, False

    def submit(
        self,
        call: Callable[[], object],
        *,
        at: float | None = None,
        after: Callable[[bool], object] | None = None,
    ) -> Job:
        """Run *call* at the time *at* (by ``time.monotonic``), or at once.

        Then *after* gets whether the thread ends now. Raises ``RuntimeError`` where no thread can start.
        """
        job = Job(call, after)
        with self._changed:
            heapq.heappush(self._jobs, (time.monotonic() if at is None else at, next(self._numbers), job))
            self._waiting += 1
            try:
                self._ensure_thread()
            except RuntimeError:
                if not self._threads:
                    self._withdraw(job)
                    raise
        return job

    def withdraw(self, job: Job | None) -> None:
        """Drop a job that no thread has taken yet."""
        with self._changed:
            if job is not None and job.is_waiting:
                self._withdraw(job)
                self._changed.notify()

    def _withdraw(self, job: Job) -> None:
        job.is_waiting = False
        self._waiting -= 1
        if len(self._jobs) > 2 * self._waiting + 8:  # the withdrawn jobs must not pile up
            self._jobs = [item for item in self._jobs if item[2].is_waiting]
            heapq.heapify(self._jobs)

    def _ensure_thread(self) -> None:
        """Make sure that a thread waits for the next job. The caller holds the lock."""
        if self._has_idle:
            self._changed.notify()
        elif self._waiting and self._threads < self.limit and not self._is_starting:
            # Daemon threads: a program that ends waits for no deadline.
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads += 1
            self._is_starting = True
            try:
                thread.start()
            except BaseException:
                self._threads -= 1
                self._is_starting = False
                raise

    def _work(self) -> None:
        job = self._next(is_new=True)
        while job is not None:
            try:
                job.call()
            except BaseException:
                # SystemExit too: the other jobs of the pool need their threads.
                log.exception("A job of the thread pool %s failed", self._name)
            ended, job = job, self._next()
            if ended.after is not None:
                ended.after(job is None)

    def _next(self, *, is_new: bool = False) -> Job | None:
        """Wait for the next job and return it; ``None``: the thread must end."""
        with self._changed:
            if is_new:
                self._is_starting = False
            while self._waiting and not self._has_idle:
                moment, _, job = self._jobs[0]
                left = moment - time.monotonic()
                if not job.is_waiting:
                    heapq.heappop(self._jobs)
                elif left <= 0:
                    heapq.heappop(self._jobs)
                    job.is_waiting = False
                    self._waiting -= 1
                    self._ensure_others()
                    return job
                else:
                    self._has_idle = True
                    self._changed.wait(min(left, LONGEST_WAIT))
                    self._has_idle = False
            self._threads -= 1
            return None

    def _ensure_others(self) -> None:
        try:
            self._ensure_thread()
        except RuntimeError:
            log.debug("The thread pool %s has only %d threads", self._name, self._threads)

"""Release held events at their deadline, even if no thread dispatches.

At the registry's edge: the only place of the core that needs threads. All registries share a few, and these live
only while a deadline is set, so a finished stream leaves no thread behind.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .._foreign_words import clean_logger
from .._thread_pool import Job, ThreadPool

if TYPE_CHECKING:
    from ._agent import Agent

__all__ = ["Alarm", "Deadlines"]

log = clean_logger("vibe_notebook")
RETRY_PAUSE: Final = 0.1, 60.0
"""Seconds between a failed ring and the next one: after the first failure, and at most."""
POOL: Final = ThreadPool("vibe-alarm", limit=8)
"""Threads that ring, for all registries: more than one, as a callback may block its thread."""


class Alarm:
    """Call ``ring`` at the deadline, on a thread of the pool; ``ring`` returns the next deadline or ``None``."""

    def __init__(self, ring: Callable[[], float | None]) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._is_ringing = False
        self.deadline: float | None = None
        """The time of the next ring, in ``time.monotonic`` seconds. Safe to read without the lock."""
        self._faults = 0

    def set(self, deadline: float) -> None:
        """Ring at *deadline*, or at an earlier deadline that is already set."""
        with self._lock:
            if self.deadline is not None and self.deadline <= deadline:
                return
            self.deadline = deadline
            if not self._is_ringing:
                self._submit()

    def cancel(self) -> None:
        """Drop the deadline."""
        with self._lock:
            self.deadline = None
            POOL.withdraw(self._job)

    def renew(self) -> None:
        """Forget the deadline, in the child of a fork."""
        self._lock = threading.Lock()
        self._job, self._is_ringing, self.deadline = None, False, None

    def _submit(self) -> None:
        """Let the pool ring at the deadline. The caller holds the lock."""
        POOL.withdraw(self._job)
        try:
            self._job = POOL.submit(self._run, at=self.deadline)
        except RuntimeError:
            self._job = None  # no thread can start: dispatches check the deadline

    def _run(self) -> None:
        """Ring, and never twice at once."""
        with self._lock:
            if self.deadline is None or self._is_ringing:
                return
            self.deadline, self._is_ringing = None, True
        after = self._ring_or_log()
        with self._lock:
            self._is_ringing = False
            if after is not None and (self.deadline is None or after < self.deadline):
                self.deadline = after
            if self.deadline is not None:
                self._submit()

    def _ring_or_log(self) -> float | None:
        """Ring; log a failure, SystemExit included, and ring again later."""
        try:
            after = self._ring()
        except BaseException:
            log.exception("Held events could not be released; the registry tries again")
            first, longest = RETRY_PAUSE
            pause = min(longest, first * 2.0 ** min(self._faults, 30))
            self._faults += 1
            return time.monotonic() + pause
        self._faults = 0
        return after


class Deadlines:
    """Order the agents by the deadlines of their held events. The caller holds the registry's lock.

    An agent has a few entries at most; ``pop_passed`` removes an outdated entry at its deadline. A search through all agents
    at each deadline took seconds with 10,000 agents.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Agent]] = []
        self._numbers = itertools.count()  # agents cannot be compared

    @property
    def earliest(self) -> float | None:
        """Return the time, on the registry's clock, from which ``pop_passed`` may return an agent."""
        return self._heap[0][0] if self._heap else None

    def add(self, agent: Agent, deadline: float) -> None:
        """Set the agent's deadline, unless an earlier one is set."""
        if agent.deadline is None or deadline < agent.deadline:
            agent.deadline = deadline
            heapq.heappush(self._heap, (deadline, next(self._numbers), agent))

    def pop_passed(self, now: float) -> list[Agent]:
        """Remove and return the agents whose deadline has passed."""
        passed: dict[Agent, None] = {}
        while self._heap and self._heap[0][0] <= now:
            agent = heapq.heappop(self._heap)[2]
            agent.deadline = None
            passed[agent] = None
        return list(passed)

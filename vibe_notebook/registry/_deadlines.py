"""Release held events at their deadline, even if no thread dispatches.

At the registry's edge: the only place of the core that starts a thread. The thread lives only while a deadline
is set, so a finished stream leaves no thread behind.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._agent import Agent

__all__ = ["Alarm", "Deadlines"]

log = logging.getLogger("vibe_notebook")
RETRY_PAUSE: Final = 0.1, 60.0
"""Seconds between a failed ring and the next one: after the first failure, and at most."""
LONGEST_WAIT: Final = 3_600.0
"""Seconds of one wait: a lock refuses a timeout beyond its own limit."""


class Alarm:
    """Call ``ring`` at the deadline, on a thread of its own; ``ring`` returns the next deadline or ``None``."""

    def __init__(self, ring: Callable[[], float | None]) -> None:
        self._ring = ring
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.deadline: float | None = None
        """The time of the next ring, in ``time.monotonic`` seconds. Safe to read without the lock."""
        self.works = True
        """False where no thread can start (WebAssembly): there each dispatch must check the deadlines."""
        self._faults = 0

    def set(self, deadline: float) -> None:
        """Ring at *deadline*, or at an earlier deadline that is already set."""
        with self._changed:
            if self.deadline is not None and self.deadline <= deadline:
                return
            self.deadline = deadline
            if self._thread is None:
                self._start()
            else:
                self._changed.notify()

    def cancel(self) -> None:
        """Drop the deadline."""
        with self._changed:
            self.deadline = None
            self._changed.notify()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="vibe-alarm", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread, self.works = None, False

    def _run(self) -> None:
        try:
            while self._wait():
                after = self._ring_or_log()
                if after is not None:
                    with self._changed:
                        self.deadline = after if self.deadline is None else min(self.deadline, after)
        finally:
            with self._changed:
                self._thread = None
                # A callback may have ended this thread (SystemExit): a new one serves the deadline.
                if self.deadline is not None:
                    self._start()

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

    def _wait(self) -> bool:
        """Wait for the deadline; return False once no deadline is set."""
        with self._changed:
            while self.deadline is not None:
                left = self.deadline - time.monotonic()
                if left <= 0:
                    self.deadline = None
                    return True
                self._changed.wait(min(left, LONGEST_WAIT))
            return False


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

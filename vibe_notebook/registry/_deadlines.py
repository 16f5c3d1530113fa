"""Wakes the registry when something has been held long enough, also when nobody dispatches.

At the registry's edge: the one place of the core that starts a thread. It lives only while
something is due, so a finished stream leaves none behind.
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
AGAIN: Final = 0.1, 60.0
"""Seconds after which it rings again where ringing failed: the first time, and at most."""
LONGEST: Final = 3_600.0
"""Seconds of one wait: a lock takes no time that is beyond its own limit."""


class Alarm:
    """Calls ``ring`` at the time set, on a thread of its own; it returns the next time or ``None``."""

    def __init__(self, ring: Callable[[], float | None]) -> None:
        self._ring = ring
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.due: float | None = None
        """When it rings, in ``time.monotonic`` seconds. Free to read: it is never late."""
        self.works = True
        """False where no thread can be started (WebAssembly): whoever dispatches has to look."""
        self._faults = 0

    def set(self, due: float) -> None:
        """RingBuffer at *due* or earlier if already set so."""
        with self._changed:
            if self.due is not None and self.due <= due:
                return
            self.due = due
            if self._thread is None:
                self._start()
            else:
                self._changed.notify()

    def cancel(self) -> None:
        """Forget what was set."""
        with self._changed:
            self.due = None
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
                after = self._rung()
                if after is not None:
                    with self._changed:
                        self.due = after if self.due is None else min(self.due, after)
        finally:
            with self._changed:
                self._thread = None
                # A callback may have ended this thread (SystemExit): what is due stays due.
                if self.due is not None:
                    self._start()

    def _rung(self) -> float | None:
        """Ring; where that fails, SystemExit included, log it and ring again later."""
        try:
            after = self._ring()
        except BaseException:
            log.exception("What was held could not be released; it is tried again")
            first, longest = AGAIN
            pause = min(longest, first * 2.0 ** min(self._faults, 30))
            self._faults += 1
            return time.monotonic() + pause
        self._faults = 0
        return after

    def _wait(self) -> bool:
        """Until it is time; False: nothing is due any more."""
        with self._changed:
            while self.due is not None:
                left = self.due - time.monotonic()
                if left <= 0:
                    self.due = None
                    return True
                self._changed.wait(min(left, LONGEST))
            return False


# Which agents hold events that must be released in time, the next one first.
#
# Part of the registry, whose lock every method expects to be held. To look through all agents
# each time that one is due took seconds where there were 10,000.


class Deadlines:
    """At most a few entries an agent: one that is not due any more goes when its time has come."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Agent]] = []
        self._numbers = itertools.count()  # agents cannot be compared

    @property
    def soonest(self) -> float | None:
        """When ``take`` may have something, on the registry's clock."""
        return self._heap[0][0] if self._heap else None

    def add(self, agent: Agent, due: float) -> None:
        """The agent has to be looked at by then."""
        if agent.due is None or due < agent.due:
            agent.due = due
            heapq.heappush(self._heap, (due, next(self._numbers), agent))

    def take(self, now: float) -> list[Agent]:
        """Those whose time has come."""
        taken: dict[Agent, None] = {}
        while self._heap and self._heap[0][0] <= now:
            agent = heapq.heappop(self._heap)[2]
            agent.due = None
            taken[agent] = None
        return list(taken)

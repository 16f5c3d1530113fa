"""Wakes the registry when something has been held long enough, also when nobody dispatches.

At the registry's edge: the one place of the core that starts a thread. It lives only while
something is due, so a finished stream leaves none behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Alarm"]


class Alarm:
    """Calls ``ring`` at the time set, on a thread of its own; it returns the next time or ``None``."""

    def __init__(self, ring: Callable[[], float | None]) -> None:
        self._ring = ring
        self._changed = threading.Condition()
        self._due: float | None = None
        self._thread: threading.Thread | None = None

    def set(self, due: float) -> None:
        """Ring at *due* (``time.monotonic`` seconds) or earlier if already set so."""
        with self._changed:
            if self._due is not None and self._due <= due:
                return
            self._due = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="vibe-alarm", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no threads here (WebAssembly): the next dispatch looks instead
                    self._thread = None
            else:
                self._changed.notify()

    def cancel(self) -> None:
        """Forget what was set."""
        with self._changed:
            self._due = None
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._due is not None and (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                if self._due is None:
                    self._thread = None
                    return
                self._due = None
            after = self._ring()
            if after is not None:
                with self._changed:
                    self._due = after if self._due is None else min(self._due, after)

"""Decide when live views save their form of the moment: one saver for all views of a kernel.

A notebook that is saved, closed or sent on while an agent works, and a kernel that dies, would else leave a title and
a dead widget. Between the pacer, which only draws, and ``_widget_output.py``, which makes the form.
"""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from .._foreign_words import clean_logger
from .._forks import renew_in_child

__all__ = ["SAVER", "Savable", "Saver"]

log = clean_logger("vibe_notebook")

FIRST: Final = 1.0
"""Seconds from a view's opening to its first form: many views end earlier, and need none."""

LONGEST: Final = 8.0
"""Seconds between two forms of a small view: the notebook lacks at most ten seconds of what the reader has seen."""

BYTES_A_SECOND: Final = 1_000_000 / 60
"""Bytes of forms a second, of all views together: the notebook's server and page handle each form."""

SHARE: Final = 12
"""Factor of a form's cost that the saver waits after the form: forms use less than a tenth of the time."""


class Savable(Protocol):
    """Describe a view, as the saver knows it."""

    def save(self) -> int | None:
        """Show the form of this moment; return its bytes, or ``None`` if the last form holds all news."""


class _Slot:
    """Hold the timing of one view: seconds by the saver's clock."""

    __slots__ = ("due", "interval")

    def __init__(self, due: float) -> None:
        self.due = due
        self.interval = FIRST


class Saver:
    """Call ``save`` of the live views, one at a time. Without *threads*, only ``run_due`` saves."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        cpu: Callable[[], float] | None = None,
        threads: bool = True,
    ) -> None:
        self._clock = clock
        self._cpu = cpu or clock
        self._threads = threads
        self._changed = threading.Condition()
        self._slots: dict[Savable, _Slot] = {}
        self._free_at = -math.inf  # no form before it
        self._thread: threading.Thread | None = None
        renew_in_child(self)

    def renew(self) -> None:
        """Forget the views and the thread of the parent, in the child of a fork."""
        self._changed = threading.Condition()
        self._slots, self._thread = {}, None

    def add(self, view: Savable) -> None:
        """Add a view: it is saved from now on."""
        with self._changed:
            self._slots[view] = _Slot(self._clock() + FIRST)
            self._ensure_thread()

    def remove(self, view: Savable) -> None:
        """Remove a view: the saver never saves it again."""
        with self._changed:
            self._slots.pop(view, None)
            self._changed.notify()

    def run_due(self) -> float | None:
        """Save the views that are due; return the seconds to the next one, ``None`` without a view."""
        while True:
            with self._changed:
                if not self._slots:
                    return None
                view = min(self._slots, key=lambda view: self._slots[view].due)
                slot = self._slots[view]
                left = max(slot.due, self._free_at) - self._clock()
                if left > 1e-9:  # noqa: PLR2004 - the rounding error of sums of floats
                    return left
            self._save(view, slot)

    def _save(self, view: Savable, slot: _Slot) -> None:
        spent = self._cpu()
        size: int | None = None
        try:
            size = view.save()
        except BaseException:
            # All errors, SystemExit too: the fault of one view must not leave the others unsaved.
            log.exception("The form of a live view could not be saved")
        finally:
            spent, ended = self._cpu() - spent, self._clock()
            with self._changed:
                if size is not None:
                    slot.interval = min(slot.interval * 2, LONGEST)
                    self._free_at = ended + max(size / BYTES_A_SECOND, spent * SHARE)
                slot.due = ended + slot.interval

    def _ensure_thread(self) -> None:
        """Make sure that a thread saves. The caller holds the lock."""
        if not self._threads:
            return
        if self._thread is not None:
            self._changed.notify()
            return
        # A fresh context: the thread outlives the cell in which it starts.
        run = contextvars.Context().run
        thread = threading.Thread(target=run, args=(self._run_thread,), name="vibe-saver", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # no threads (WebAssembly): the notebook has the transcript at the end only
            self._thread = None

    def _run_thread(self) -> None:
        while True:
            left = self.run_due()
            with self._changed:
                if not self._slots:
                    self._thread = None
                    return
                self._changed.wait(left or 0.0)


SAVER = Saver(cpu=getattr(time, "thread_time", None))
"""Saver of all views of the kernel: they share the notebook."""

"""Decide when views draw: one pacer for all views of a kernel.

Between the registry's ``wake`` and a view's ``flush``. A view sends at most 30 messages a second, all views together
200, shared fairly: Jupyter Server silently drops messages beyond 1,000 a second. The first change is drawn at once,
in the thread that made it. A thread of the pacer draws only the changes that are left when no further event arrives.
"""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

from .._foreign_words import clean_logger
from .._forks import renew_in_child

__all__ = ["PACER", "PAUSE", "Drawable", "Pacer"]

log = clean_logger("vibe_notebook")

VIEW_INTERVAL = 1 / 29
"""Seconds between two messages of one view: 30 in any second, the first message included. An interval of 16 ms
looked the same and needed more CPU time."""

ALL_INTERVAL = 1 / 190
"""Seconds between two messages of all views together: 200 a second, with room for late messages."""

SHARE = 5
"""Factor of a draw's cost that the pacer waits after the draw: drawing uses at most a fifth of the time."""


LULL = 0.05
"""Seconds without a draw of any view that count as a lull."""

PATIENCE = 0.15
"""Seconds that a view waits for a lull at most."""

PAUSE = 0.25
"""Seconds without news after which a view shows the words that it holds back."""


class Drawable(Protocol):
    """Describe a view, as the pacer draws it."""

    def flush(self) -> bool | None:
        """Draw the news; return True to be drawn again after ``PAUSE`` seconds without news.

        ``None``: the view had no news, so its next news need not wait.
        """


class _Slot:
    """Hold the timing of one view: seconds by the pacer's clock."""

    __slots__ = ("busy", "cost", "deadline", "dirty", "pause_at")

    def __init__(self) -> None:
        self.deadline = 0.0  # no draw before it
        self.pause_at: float | None = None  # the draw that shows held back words
        self.cost = 0.0  # of one draw, a moving average
        self.dirty = False  # news waits for the deadline
        self.busy = False  # the view is being drawn

    @property
    def next(self) -> float | None:
        """Return the time of the view's next draw if no further news arrives; ``None`` without such a draw."""
        if self.busy:
            return None
        return self.deadline if self.dirty else self.pause_at


class Pacer:
    """Call ``flush`` of the views with news, never twice at once for one view.

    *clock* gives the time in seconds. *cpu* gives the processor time that measures a draw's cost. Without *threads*,
    only ``wake`` and ``run_due`` draw.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        cpu: Callable[[], float] | None = None,
        threads: bool = True,
    ) -> None:
        self.clock = clock
        self._cpu = cpu or clock
        self._threads = threads
        self._changed = threading.Condition()
        self._slots: dict[Drawable, _Slot] = {}
        self._thread: threading.Thread | None = None
        self._drawn = -math.inf
        renew_in_child(self)

    def renew(self) -> None:
        """Forget the parent's views and thread, in the child of a fork."""
        self._changed = threading.Condition()
        self._slots = {}
        self._thread = None

    def add(self, view: Drawable) -> None:
        """Add a view, to be drawn from now on."""
        with self._changed:
            self._slots[view] = _Slot()

    def remove(self, view: Drawable) -> None:
        """Remove a view: the pacer never draws it again."""
        with self._changed:
            self._slots.pop(view, None)
            self._changed.notify()

    @property
    def interval(self) -> float:
        """Return the seconds between two messages of a view."""
        return max(VIEW_INTERVAL, ALL_INTERVAL * len(self._slots))

    @property
    def pause(self) -> float:
        """Return the seconds that a view waits after a draw at least: drawing must leave time for other work."""
        return SHARE * sum(slot.cost for slot in self._slots.values())

    def wake(self, view: Drawable) -> None:
        """Draw a view with news: now if its deadline is past, else at its deadline."""
        slot = self._slots.get(view)
        if slot is None or slot.dirty:
            return  # removed, or already waiting for its deadline
        with self._changed:
            if slot.busy or self.clock() < slot.deadline:
                slot.dirty = True
                if not slot.busy:
                    self._ensure_thread()
                return
            slot.busy = True
        self._draw(view, slot)

    def draw_last(self, view: Drawable) -> None:
        """Draw the last news of a view at once, before its deadline too."""
        view.flush()
        with self._changed:
            self._drawn = self.clock()

    def is_alone(self, view: Drawable) -> bool:
        """Return whether there is no other view that would have to wait."""
        return not self._slots.keys() - {view}

    def lull_in(self, view: Drawable, since: float) -> float:
        """Return the seconds until heavy work of *view* may start.

        0 if no other view was drawn for ``LULL`` seconds, or if the work has waited for ``PATIENCE`` seconds, from
        *since* on.
        """
        if self.is_alone(view):
            return 0.0
        return max(0.0, min(self._drawn + LULL, since + PATIENCE) - self.clock())

    def wait_for_lull(self, view: Drawable, since: float | None = None) -> None:
        """Wait for a lull, but not in the main thread: its event loop may draw the other views.

        *since* is the time from which the view waits, if not from now on.
        """
        since = self.clock() if since is None else since
        while threading.current_thread() is not threading.main_thread():
            left = self.lull_in(view, since)
            if not left:
                return
            time.sleep(left)

    def run_due(self) -> float | None:
        """Draw the views whose deadline is past; return the seconds to the next deadline, ``None`` without one."""
        while True:
            with self._changed:
                waiting = [(s.next, v, s) for v, s in self._slots.items() if s.next is not None]
                if not waiting:
                    return None
                deadline, view, slot = min(waiting, key=lambda item: item[0] or 0.0)
                left = (deadline or 0.0) - self.clock()
                if left > 1e-9:  # noqa: PLR2004 - the rounding error of sums of floats
                    return left
                slot.busy = True
                slot.dirty = False
            self._draw(view, slot)

    def _draw(self, view: Drawable, slot: _Slot) -> None:
        began, spent = self.clock(), self._cpu()
        again: bool | None = False
        try:
            again = view.flush()
        finally:
            ended, spent = self.clock(), self._cpu() - spent
            with self._changed:
                slot.pause_at = ended + PAUSE if again else None
                if again is not None:
                    self._drawn = ended
                slot.cost = 0.7 * slot.cost + 0.3 * spent
                # A late draw does not delay the next one: else a second would have fewer draws.
                interval = self.interval
                previous = slot.deadline if began - slot.deadline < interval else began
                # A draw without news has a cost too, but only a message keeps its distance from the next message.
                slot.deadline = ended + self.pause
                if again is not None:
                    slot.deadline = max(previous + interval, ended + interval / 2, slot.deadline)
                slot.busy = False
                if slot.dirty or again:
                    self._ensure_thread()

    def _ensure_thread(self) -> None:
        """Make sure that a thread draws the waiting views. The caller holds the lock."""
        if not self._threads:
            return
        if self._thread is not None:
            self._changed.notify()
            return
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(self._run_thread,), name="vibe-pacer", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # no threads (WebAssembly): the next event or the end of the stream draws
            self._thread = None

    def _run_thread(self) -> None:
        try:
            while True:
                try:
                    left = self.run_due()
                except BaseException:
                    # All errors, SystemExit too: the fault of one view must not leave the others undrawn.
                    log.exception("A view could not be drawn")
                    continue
                with self._changed:
                    if left is None:
                        # A view may have got news between ``run_due`` and this lock.
                        if all(slot.next is None for slot in self._slots.values()):
                            return
                        continue
                    self._changed.wait(left)
        finally:
            with self._changed:
                self._thread = None
                if any(slot.next is not None for slot in self._slots.values()):
                    self._ensure_thread()


PACER = Pacer(cpu=getattr(time, "thread_time", None))
"""Pacer of all views of the kernel: they share the server's limits. The cost of a draw is its processor time: on a
busy machine a draw lasts longer, but costs the same, and must not become rarer."""

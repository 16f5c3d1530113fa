"""When to draw: one pacer for all views of a kernel.

Between the registry's ``wake`` and a view's ``flush``. At most 30 messages a second for a view
and 200 for all together, shared fairly: Jupyter Server drops what exceeds 1,000 a second and
tells nobody. The first change is drawn at once, in the thread that made it; one thread covers
only what is left over when nothing more comes.
"""

from __future__ import annotations

import contextvars
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["PACER", "SETTLE", "Drawable", "Pacer"]

log = logging.getLogger("vibe_notebook")

VIEW_INTERVAL = 1 / 29
"""Seconds between two messages of one view: 30 in any second, the first of it included. At 16 ms nobody
saw a difference but the CPU did."""

ALL_INTERVAL = 1 / 190
"""Seconds between two messages of all views together: 200 a second, less what arrives late."""

SHARE = 5
"""Drawing waits at least this many times its own cost, so it never takes more than a fifth."""


LULL, PATIENCE = 0.05, 0.15
"""Seconds without a draw of any view that are a lull, and how long one is waited for."""

SETTLE = 0.25
"""Seconds without news after which a view shows what it holds back until more comes."""


class Drawable(Protocol):
    """What a pacer draws."""

    def flush(self) -> bool | None:
        """Draw what is new; return whether to draw again in ``SETTLE`` seconds even if nothing comes.

        ``None``: there was nothing to draw, so what comes next need not wait.
        """


class _Slot:
    __slots__ = ("busy", "cost", "dirty", "due", "settles")

    def __init__(self) -> None:
        self.due = 0.0
        self.settles: float | None = None
        self.cost = 0.0
        self.dirty = False
        self.busy = False

    @property
    def next(self) -> float | None:
        """When it is to be drawn, if nothing more comes."""
        if self.busy:
            return None
        return self.due if self.dirty else self.settles


class Pacer:
    """Calls ``flush`` of the views that asked for it, never two at once for one view."""

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

    def add(self, view: Drawable) -> None:
        """Begin to draw a view."""
        with self._changed:
            self._slots[view] = _Slot()

    def remove(self, view: Drawable) -> None:
        """Stop drawing it."""
        with self._changed:
            self._slots.pop(view, None)
            self._changed.notify()

    @property
    def interval(self) -> float:
        """Seconds from one message of a view to its next."""
        return max(VIEW_INTERVAL, ALL_INTERVAL * len(self._slots))

    @property
    def pause(self) -> float:
        """Seconds that a view waits at least after a message, so that drawing does not take all the time."""
        return SHARE * sum(slot.cost for slot in self._slots.values())

    def wake(self, view: Drawable) -> None:
        """The view has something new: draw it now if it is due, else soon."""
        slot = self._slots.get(view)
        if slot is None or slot.dirty:
            return  # gone, or already waiting for its turn
        with self._changed:
            if slot.busy or self.clock() < slot.due:
                slot.dirty = True
                if not slot.busy:
                    self._cover()
                return
            slot.busy = True
        self._draw(view, slot)

    def draw_last(self, view: Drawable) -> None:
        """Draw what a view's stream said last, due or not."""
        view.flush()
        with self._changed:
            self._drawn = self.clock()

    def is_alone(self, view: Drawable) -> bool:
        """Whether there is no other view to be kept waiting."""
        return not self._slots.keys() - {view}

    def lull_in(self, view: Drawable, since: float) -> float:
        """Seconds until what is heavy and can wait may be done.

        0 if the other views have said nothing for ``LULL`` seconds, or if it has waited since ``PATIENCE``.
        """
        if self.is_alone(view):
            return 0.0
        return max(0.0, min(self._drawn + LULL, since + PATIENCE) - self.clock())

    def wait_for_lull(self, view: Drawable) -> None:
        """Wait for it; not in the main thread, whose loop the others may be drawn in."""
        since = self.clock()
        while threading.current_thread() is not threading.main_thread():
            left = self.lull_in(view, since)
            if not left:
                return
            time.sleep(left)

    def run_due(self) -> float | None:
        """Draw what is due; return seconds until the next is, ``None`` if nothing waits."""
        while True:
            with self._changed:
                waiting = [(s.next, v, s) for v, s in self._slots.items() if s.next is not None]
                if not waiting:
                    return None
                due, view, slot = min(waiting, key=lambda item: item[0] or 0.0)
                left = (due or 0.0) - self.clock()
                if left > 1e-9:  # noqa: PLR2004 - what is left of adding up floats
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
                slot.settles = ended + SETTLE if again else None
                if again is not None:
                    self._drawn = ended
                slot.cost = 0.7 * slot.cost + 0.3 * spent
                # One that was drawn late does not put off the next: a second would hold fewer then.
                interval = self.interval
                was_due = slot.due if began - slot.due < interval else began
                # To find nothing new costs too; only what was sent has to keep its distance from the next.
                slot.due = ended + self.pause
                if again is not None:
                    slot.due = max(was_due + interval, ended + interval / 2, slot.due)
                slot.busy = False
                if slot.dirty or again:
                    self._cover()

    def _cover(self) -> None:
        """Under the lock: see that somebody draws what waits."""
        if not self._threads:
            return
        if self._thread is not None:
            self._changed.notify()
            return
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(self._tail,), name="vibe-pacer", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # no threads here (WebAssembly): the next event or the end draws
            self._thread = None

    def _tail(self) -> None:
        try:
            while True:
                try:
                    left = self.run_due()
                except BaseException:
                    # Any of it, SystemExit too: one view's fault must not leave the others undrawn.
                    log.exception("A view could not be drawn")
                    continue
                with self._changed:
                    if left is None:
                        # Somebody may have come between the look and this lock.
                        if all(slot.next is None for slot in self._slots.values()):
                            return
                        continue
                    self._changed.wait(left)
        finally:
            with self._changed:
                self._thread = None
                if any(slot.next is not None for slot in self._slots.values()):
                    self._cover()


PACER = Pacer(cpu=getattr(time, "thread_time", None))
"""The kernel's one pacer: the limits are the server's, so they are shared by all views. What drawing costs
is processor time: on a busy machine a draw takes long and costs the same, and it must not fall behind there."""

"""Render the final form in a thread: one megabyte takes seconds.

Below ``_watching/pipeline.py``. Each waiting thread or task gets the whole final form, also if it is stopped
meanwhile: a cancellation or an interrupt is raised after the final form.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import partial
from types import FrameType
from typing import Final

import anyio

from .._event_loops import waker
from .._host import host
from .._thread_pool import ThreadPool

__all__ = ["Finalizer", "defer_interrupt", "shield_interrupts"]

POOL: Final = ThreadPool("vibe-final", limit=4)
"""Threads that render final forms: hundreds of streams may end at once, and Python renders one form at a time."""
STEP = 0.1
"""Seconds between two checks for signals where a wait cannot be interrupted (Windows)."""


@contextlib.contextmanager
def defer_interrupt() -> Iterator[None]:
    """Defer the user's interrupt to the end of the block; a second interrupt takes effect at once."""
    in_main = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if in_main else None
    if not callable(previous):
        yield
        return
    handle = previous
    signals: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) > 1:
            handle(number, frame)

    signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if signals:
        handle(signals[0], None)


class Shield:
    """Defer the user's interrupts; while ``is_open``, pass the next one on, and close."""

    def __init__(self, handle: Callable[[int, FrameType | None], object] | None = None) -> None:
        self.is_open = False
        self.deferred: list[int] = []
        self._handle = handle

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.is_open and self._handle is not None:
            self.is_open = False
            self._handle(number, frame)
        else:
            self.deferred.append(number)


@contextlib.contextmanager
def shield_interrupts() -> Iterator[Shield]:
    """Defer every interrupt to the end of the block: for short work that other threads wait for."""
    in_main = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if in_main else None
    if not callable(previous):
        yield Shield()
        return
    shield = Shield(previous)
    signal.signal(signal.SIGINT, shield)
    try:
        yield shield
    finally:
        signal.signal(signal.SIGINT, previous)
        for number in shield.deferred:
            previous(number, None)


class Finalizer:
    """Run one function once, in another thread, and let any thread or event loop wait for its end."""

    def __init__(self) -> None:
        self._done: Future[None] = Future()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.finishing_thread: int | None = None
        """The thread that ends the stream's runs."""
        self.may_wait_for_lull = True
        """With the final form, until other views have drawn."""
        self.deferred = False
        """True if the final form comes by the end of the cell."""

    @classmethod
    def ended(cls) -> Finalizer:
        """Return a finalizer that has nothing left to do."""
        made = cls()
        made._done.set_result(None)
        return made

    def start(self, work: Callable[[], None], *, in_this_thread: bool) -> None:
        """Run *work*: at once if *in_this_thread*, else in a thread that shows in the present cell."""
        if not in_this_thread:
            # The static renderer's one display has no id: the context decides in which cell it lands.
            context = contextvars.copy_context()
            try:
                POOL.submit(partial(context.run, self._run, work), after=self._release)
            except RuntimeError:  # no threads here (WebAssembly): the loop waits instead
                pass
            else:
                return
        self._run(work)
        self._release(is_last=False)

    def wait(self) -> None:
        """Wait for the end. The caller is in a ``defer_interrupt`` block, as an interrupt can come at any line."""
        while not self._is_done():
            wait_for((self._done,), timeout=STEP)
        self._join(None)

    def leave_to_cell(self) -> bool:
        """Let the notebook's cell wait at its end; return False without a notebook."""
        here = host()
        return here.is_notebook and here.at_cell_end(self._wait_at_cell_end)

    async def wait_async(self) -> None:
        """Wait for the end on asyncio or trio, with the loop free. A cancellation is raised after the end."""
        cancelled: asyncio.CancelledError | None = None
        if not self._is_done():
            ready, wake = waker()
            self._done.add_done_callback(lambda _: wake())
            with anyio.CancelScope(shield=True):
                while not self._is_done():
                    try:
                        await ready()
                    except (
                        asyncio.CancelledError
                    ) as error:  # of the task itself: anyio's shield does not stop that
                        cancelled = error
        self._join(cancelled)

    async def wait_passively(self) -> None:
        """Wait for the end on asyncio. A cancellation of this wait leaves the work alone."""
        await asyncio.shield(asyncio.wrap_future(self._done))

    def _wait_at_cell_end(self, _: BaseException | None) -> None:
        with defer_interrupt():
            self.wait()

    def _is_done(self) -> bool:
        return self._done.done() or self._thread is threading.current_thread()

    def _join(self, interrupted: BaseException | None) -> None:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()  # its work is done: this leaves no thread behind
            self._thread = None  # even an ended thread takes two kilobytes
        if interrupted is not None:
            raise interrupted
        if self._done.done():
            self._done.result()

    def _run(self, work: Callable[[], None]) -> None:
        self._thread = threading.current_thread()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in each waiting thread
            self._failure = error

    def _release(self, is_last: bool) -> None:  # noqa: FBT001 - the pool calls this
        """Release the waiting threads and tasks; they wait for the thread too, if this work is its last."""
        if not is_last:
            self._thread = None
        if self._failure is not None:
            self.fail(self._failure)
        elif not self._done.done():
            self._done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Release the waiting threads and tasks with an error, where the end cannot come. Idempotent."""
        if not self._done.done():
            self._done.set_exception(error)

"""The last of a watch, done in a thread of its own: to render a megabyte anew takes seconds.

Below ``_watching/pipeline.py``. Whoever waits gets the end whole, also where it is told to stop meanwhile:
a cancellation or an interrupt is raised once the end is there.
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
from types import FrameType

import anyio

from .._event_loops import waker
from .._host import host

__all__ = ["Finalizer", "patient", "shielded"]

STEP = 0.1
"""Seconds between looks at the signals where a wait cannot be interrupted (Windows)."""


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Put off the user's interrupt until the block is over; a second one does not wait."""
    in_main = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if in_main else None
    if not callable(previous):
        yield
        return
    handle = previous
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            handle(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if came:
        handle(came[0], None)


class Shield:
    """Puts off the user's interrupts; while ``is_open`` the next one passes, and closes it."""

    def __init__(self, handle: Callable[[int, FrameType | None], object] | None = None) -> None:
        self.is_open = False
        self.came: list[int] = []
        self._handle = handle

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.is_open and self._handle is not None:
            self.is_open = False
            self._handle(number, frame)
        else:
            self.came.append(number)


@contextlib.contextmanager
def shielded() -> Iterator[Shield]:
    """Put off every interrupt until the block is over: for short work that others wait for."""
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
        for number in shield.came:
            previous(number, None)


class Finalizer:
    """Something that is done once, elsewhere, and waited for from any thread or event loop."""

    def __init__(self) -> None:
        self._done: Future[None] = Future()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None], *, here: bool) -> None:
        """Do *work*: at once if *here*, else in a thread that shows in the present cell."""
        if not here:
            # What is shown without an id, the static renderer's one display, goes by the context.
            context = contextvars.copy_context()
            self._thread = threading.Thread(
                target=context.run, args=(self._run, work), name="vibe-final", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError:  # no threads here (WebAssembly): the loop waits instead
                self._thread = None
            else:
                return
        self._run(work)

    def wait(self) -> None:
        """Until it is done; in a ``patient`` block, as an interrupt can come anywhere."""
        while not self._is_over():
            wait_for((self._done,), timeout=STEP)
        self._leave(None)

    def leave_to_cell(self) -> bool:
        """Let the notebook's cell wait for it where that ends; False: there is no notebook."""
        here = host()
        return here.is_notebook and here.at_cell_end(self._wait_at_cell_end)

    async def wait_async(self) -> None:
        """Until it is done, on asyncio or trio, the loop free. A cancellation is raised then."""
        cancelled: asyncio.CancelledError | None = None
        if not self._is_over():
            ready, wake = waker()
            self._done.add_done_callback(lambda _: wake())
            with anyio.CancelScope(shield=True):
                while not self._is_over():
                    try:
                        await ready()
                    except asyncio.CancelledError as error:  # of the task itself: no shield keeps that off
                        cancelled = error
        self._leave(cancelled)

    async def over(self) -> None:
        """Until somebody else has done it, on asyncio."""
        await asyncio.shield(asyncio.wrap_future(self._done))

    def _wait_at_cell_end(self, _: BaseException | None) -> None:
        with patient():
            self.wait()

    def _is_over(self) -> bool:
        return self._done.done() or self._thread is threading.current_thread()

    def _leave(self, interrupted: BaseException | None) -> None:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()  # it has done its work: this leaves no thread behind
            self._thread = None  # and even one that has ended takes two kilobytes
        if interrupted is not None:
            raise interrupted
        if self._done.done():
            self._done.result()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self.fail(error)
        else:
            self._done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Free all who wait, where the end cannot come any more. Idempotent."""
        if not self._done.done():
            self._done.set_exception(error)

"""Step a source, one native event at a time, and interrupt the pending step on ``cancel()``.

Below ``_watching/watch.py``. Steps run in the consumer's own task or thread: SDK streams hold task groups,
which allow neither a task nor a cancel scope per item.
"""

from __future__ import annotations

# Not ``signal``: its conversion to and from enumerations made a step take half as long again.
import _signal  # type: ignore[import-not-found]
import asyncio
import contextlib
import contextvars
import ctypes
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from types import FrameType
from typing import Any, Final

import anyio
import anyio.to_thread

from .._event_loops import in_trio
from .._foreign_words import clean_logger
from .._forks import renew_in_child

__all__ = ["END", "Stepper", "Ticker", "close_when_dropped", "in_thread"]

log = clean_logger("vibe_notebook")
TICK = 0.1
"""Seconds between two wake-ups of the loop: an idle loop handles an interrupt only when it wakes."""
RESEND: Final = 0.05
"""Seconds until an unanswered signal is sent again."""
END: Final = object()
"""Returned by a step after the source's last event, or after ``cancel()``."""


class Stopped(BaseException):
    """Interrupt the pending step of a thread, by ``cancel()``; callers never see this exception."""


class Stepper:
    """Step a source until it ends or is cancelled. Any thread may cancel."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.cancelled = False
        self.ended = False
        self._pending: dict[object, Callable[[], object]] = {}
        renew_in_child(self)

    def renew(self) -> None:
        """Replace the lock in the child of a fork."""
        self.lock = threading.RLock()

    def cancel(self) -> bool:
        """Interrupt the pending step; return False if the source had ended or was cancelled before."""
        with self.lock:
            if self.ended or self.cancelled:
                return False
            self.cancelled = True
            for interrupt in list(self._pending.values()):
                interrupt()
        return True

    def end(self) -> bool:
        """Make later calls of ``cancel`` ineffective; return whether an earlier one took effect."""
        with self.lock:
            self.ended = True
            return self.cancelled

    def step(self, call: Callable[[], Any], close: Callable[[], object] | None = None) -> Any:
        """Return the result of *call*, or ``END``. On cancel, *close* may end the call from another thread."""
        interrupt = _Interrupt(close)
        with interrupt.handled():
            return self._step(call, interrupt)

    def _step(self, call: Callable[[], Any], interrupt: _Interrupt) -> Any:
        # At most one interrupt is sent, and Python may raise it at any line. So two handlers surround every
        # line between the moment when one can be sent and the moment when none can be under way.
        try:
            try:
                with self.lock:
                    if self.cancelled:
                        return END
                    self._pending[interrupt] = interrupt.send
                native = call()
                self._disarm(interrupt, arrived=False)
            except BaseException as error:
                self._disarm(interrupt, arrived=isinstance(error, interrupt.kind))
                raise
        except BaseException:
            with self.lock:
                self._pending.pop(interrupt, None)
            interrupt.end()
            if self.cancelled:
                return END  # our own interrupt, or the error that the source made of it
            raise
        return END if self.cancelled else native

    async def astep(self, step: Callable[[], Awaitable[Any]]) -> Any:
        """Return the result of *step*, awaited in the caller's task, or ``END``."""
        try:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
        except RuntimeError:
            task = None
        if task is None:  # trio has no cancel for a task: there, cancel() takes effect after the step
            return END if self.cancelled or (native := await step()) is END or self.cancelled else native
        before, was_sent, key = task.cancelling(), False, object()

        def cancel_task() -> None:
            nonlocal was_sent
            if key in self._pending and not was_sent:
                was_sent = True
                task.cancel()

        def send() -> None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: no step is pending there
                loop.call_soon_threadsafe(cancel_task)

        try:
            with self.lock:
                if self.cancelled:
                    return END
                self._pending[key] = send
            native = await step()
        except asyncio.CancelledError:
            if was_sent and task.cancelling() == before + 1:
                return END
            raise  # the caller cancels too
        except (Exception, BaseExceptionGroup):
            if was_sent:
                return END  # the source turned our interrupt into this error
            raise
        finally:
            with self.lock:
                self._pending.pop(key, None)
            if was_sent:
                task.uncancel()
        return END if self.cancelled else native

    def _disarm(self, interrupt: _Interrupt, *, arrived: bool) -> None:
        """Disarm the interrupt: on return, no exception of ours can be raised in this thread any more."""
        with self.lock:
            self._pending.pop(interrupt, None)
        interrupt.end()
        if interrupt.sent and not arrived:
            interrupt.consume()


class _Interrupt:
    """Interrupt a thread: the main thread by a signal, others by an exception raised in them."""

    def __init__(self, close: Callable[[], object] | None) -> None:
        self.ident = threading.get_ident()
        self.main = threading.current_thread() is threading.main_thread()
        self.kind: type[BaseException] = KeyboardInterrupt if self.main else Stopped
        self.sent = False
        self._close = close
        self._previous: Any = _signal.getsignal(signal.SIGINT) if self.main else None
        self._lock = threading.RLock()  # a signal handler may run while this thread holds the lock
        self._resending_ended: threading.Event | None = None
        self._ended = False
        self._signals = self._received = 0

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Let the signal raise at once: in an awaited cell the kernel only cancels a task, later."""
        if not self.main or not callable(self._previous):
            yield
            return
        _signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            if _signal.getsignal(signal.SIGINT) == self._on_signal:  # else the source has set another handler
                _signal.signal(signal.SIGINT, self._previous)

    def send(self) -> None:
        """Send the interrupt. The caller holds the stepper's lock, and the step is pending."""
        if threading.get_ident() == self.ident:
            return  # the source itself, or a signal handler: the step checks ``cancelled`` when it returns
        if not self.main:
            self.sent = True
            _raise_in(self.ident, Stopped)
            if self._close is not None:  # it may block, and cancel() must not
                threading.Thread(target=_call_close, args=(self._close,), daemon=True).start()
        elif callable(self._previous) and hasattr(signal, "pthread_kill"):
            self.sent = True
            self._resending_ended = threading.Event()
            self._signal()
            threading.Thread(
                target=self._resend, args=(self._resending_ended,), name="vibe-interrupt", daemon=True
            ).start()

    def consume(self) -> None:
        """Wait for an interrupt that was sent and has not arrived."""
        if not self.main:
            # Only withdrawn, it would leave the interpreter's flag set for ever: each call of each thread is slower
            # then, and a profiler never returns (CPython 3.11). So it is sent again, to arrive here.
            with contextlib.suppress(Stopped):
                _raise_in(self.ident, Stopped)
                while True:
                    pass
        elif not self._received:
            time.sleep(0.2)  # the arriving signal ends the sleep

    def end(self) -> None:
        """Send nothing from now on."""
        with self._lock:
            self._ended = True
        if self._resending_ended is not None:
            self._resending_ended.set()

    def _resend(self, over: threading.Event) -> None:
        # A signal that arrives just before a system call blocks does not end that call.
        while not over.wait(RESEND) and self._signal():
            pass

    def _signal(self) -> bool:
        with self._lock:
            if self._received or self._ended:
                return False
            self._signals += 1
            signal.pthread_kill(self.ident, signal.SIGINT)
            return True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        with self._lock:
            again = 0 < self._received < self._signals  # our second signal, sent before the first was handled
            self._received += self.sent
        if not again:
            raise KeyboardInterrupt


def _raise_in(ident: int, kind: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(kind))


def _call_close(close: Callable[[], object]) -> None:
    try:
        close()
    except Exception:
        log.debug("A cancelled source could not be closed from another thread", exc_info=True)


class Ticker:
    """Keep the running loop awake until it is stopped, so that it handles an interrupt soon."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the wake-ups, where an asyncio loop runs."""
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
            self._tick(self._loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            loop.call_later(TICK, self._tick, loop)

    def stop(self) -> None:
        """Stop the wake-ups. Any thread may call this."""
        self._loop = None


async def in_thread(function: Callable[[], Any]) -> Any:
    """Call *function* in a daemon thread: the end of the process does not wait for it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
    done: asyncio.Future[Any] = loop.create_future()

    def resolve(result: Any, error: BaseException | None) -> None:
        if done.done():
            return  # the awaiting task was cancelled meanwhile
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, raised = None, None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised in the awaiting task
            raised = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
            loop.call_soon_threadsafe(resolve, result, raised)

    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(run,), name="vibe-watch", daemon=True).start()
    except RuntimeError:
        run()  # no threads here (WebAssembly): the loop waits, but the view shows everything
    return await done


# Abandoned generators on trio. Trio closes a dropped async generator too, but already cancelled and with a
# ``ResourceWarning``. The warning is right for code that could have used ``aclosing``. It is wrong for a watch,
# which ends when its iterator is dropped.

CLOSE_TIMEOUT: Final = 10
"""Seconds that the end of trio's run waits for an abandoned generator to close."""


def close_when_dropped(steps: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    """Return an iterator that the loop closes when ``break`` drops it, without a ResourceWarning on trio."""
    trio = sys.modules.get("trio")
    return _OnTrio(steps, trio) if in_trio() else steps


class _OnTrio(AsyncIterator[Any]):
    def __init__(self, steps: AsyncGenerator[Any, None], trio: Any) -> None:
        self._steps = steps
        self._spawn = trio.lowlevel.spawn_system_task
        self._schedule = trio.lowlevel.current_trio_token().run_sync_soon

    def __anext__(self) -> Awaitable[Any]:
        return self._steps.__anext__()

    def aclose(self) -> Awaitable[None]:
        """Close the generator."""
        return self._steps.aclose()

    def __del__(self) -> None:
        if getattr(self._steps, "ag_frame", None) is None:
            return  # it has ended
        # The scheduled call holds the generator, so trio does not see the generator as dropped.
        with contextlib.suppress(Exception):  # trio's run is over, and trio has closed the generator
            self._schedule(self._spawn, _close, self._steps)


async def _close(steps: AsyncGenerator[Any, None]) -> None:
    try:
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await steps.aclose()
    except BaseException:  # an error in a system task would end all of trio
        log.debug("An abandoned watch failed to close", exc_info=True)

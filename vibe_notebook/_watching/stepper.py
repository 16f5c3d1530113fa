"""One step of a source at a time, and how ``cancel()`` interrupts the one that is pending.

Below ``_watching/watch.py``. Steps run in the consumer's own task or thread: SDK streams hold task groups,
which allow neither a task nor a cancel scope per item.
"""

from __future__ import annotations

# The public one converts to and from enumerations: with it a step took half as long again.
import _signal  # type: ignore[import-not-found]
import asyncio
import contextlib
import contextvars
import ctypes
import logging
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from types import FrameType
from typing import Any, Final

import anyio
import anyio.to_thread

__all__ = ["END", "Stepper", "Ticker", "closed_when_left", "in_thread"]

log = logging.getLogger("vibe_notebook")
TICK = 0.1
"""Seconds between looks at the signals: an idle loop takes an interrupt only when it next wakes."""
INSIST: Final = 0.05
"""Seconds until a signal that nobody has heard is sent again."""
END: Final = object()
"""What a step gives when there is nothing more, also because it was cancelled."""


class Stopped(BaseException):
    """Raised by ``cancel()`` in the pending step of a thread; never seen outside of it."""


class Stepper:
    """Steps a source until it ends or is cancelled, from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.cancelled = False
        self.ended = False
        self._pending: dict[object, Callable[[], object]] = {}

    def cancel(self) -> bool:
        """Interrupt what is pending; returns whether it had not ended or been cancelled before."""
        with self.lock:
            if self.ended or self.cancelled:
                return False
            self.cancelled = True
            for interrupt in list(self._pending.values()):
                interrupt()
        return True

    def end(self) -> bool:
        """No ``cancel`` has an effect from now on; returns whether one had."""
        with self.lock:
            self.ended = True
            return self.cancelled

    def step(self, call: Callable[[], Any], close: Callable[[], object] | None = None) -> Any:
        """What *call* gives, or ``END``. *close* may end it from another thread."""
        knock = _Knock(close)
        with knock.audible():
            return self._step(call, knock)

    def _step(self, call: Callable[[], Any], knock: _Knock) -> Any:
        # At most one interrupt is sent, and it may be raised wherever it likes. So from the moment
        # that one can be sent until none can be under way, there are two handlers around all we do.
        try:
            try:
                with self.lock:
                    if self.cancelled:
                        return END
                    self._pending[knock] = knock.send
                native = call()
                self._disarm(knock, arrived=False)
            except BaseException as error:
                self._disarm(knock, arrived=isinstance(error, knock.kind))
                raise
        except BaseException:
            with self.lock:
                self._pending.pop(knock, None)
            knock.end()
            if self.cancelled:
                return END  # our own interrupt, or what the source made of it
            raise
        return END if self.cancelled else native

    async def astep(self, step: Callable[[], Awaitable[Any]]) -> Any:
        """What *step* gives, awaited in this very task, or ``END``."""
        try:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
        except RuntimeError:
            task = None
        if task is None:  # trio has no such door: there, cancel() takes effect after the step
            return END if self.cancelled or (native := await step()) is END or self.cancelled else native
        before, knocked, key = task.cancelling(), False, object()

        def interrupt() -> None:
            nonlocal knocked
            if key in self._pending and not knocked:
                knocked = True
                task.cancel()

        def knock() -> None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: nothing is pending there
                loop.call_soon_threadsafe(interrupt)

        try:
            with self.lock:
                if self.cancelled:
                    return END
                self._pending[key] = knock
            native = await step()
        except asyncio.CancelledError:
            if knocked and task.cancelling() == before + 1:
                return END
            raise  # somebody outside cancels too
        except (Exception, BaseExceptionGroup):
            if knocked:
                return END  # what the source made of being interrupted
            raise
        finally:
            with self.lock:
                self._pending.pop(key, None)
            if knocked:
                task.uncancel()
        return END if self.cancelled else native

    def _disarm(self, knock: _Knock, *, arrived: bool) -> None:
        """When this returns nothing of ours can be raised in this thread any more."""
        with self.lock:
            self._pending.pop(knock, None)
        knock.end()
        if knock.sent and not arrived:
            knock.receive()


class _Knock:
    """Interrupts a thread: the main one by a signal, another by an exception raised in it."""

    def __init__(self, close: Callable[[], object] | None) -> None:
        self.ident = threading.get_ident()
        self.main = threading.current_thread() is threading.main_thread()
        self.kind: type[BaseException] = KeyboardInterrupt if self.main else Stopped
        self.sent = False
        self._close = close
        self._previous: Any = _signal.getsignal(signal.SIGINT) if self.main else None
        self._lock = threading.RLock()  # a handler runs in the middle of anything, also of what holds it
        self._over: threading.Event | None = None
        self._ended = False
        self._signals = self._heard = 0

    @contextlib.contextmanager
    def audible(self) -> Iterator[None]:
        """See that the signal raises: in an awaited cell the kernel only cancels a task, later."""
        if not self.main or not callable(self._previous):
            yield
            return
        _signal.signal(signal.SIGINT, self._hear)
        try:
            yield
        finally:
            if _signal.getsignal(signal.SIGINT) == self._hear:  # else the source has set one
                _signal.signal(signal.SIGINT, self._previous)

    def send(self) -> None:
        """Under the lock, while the step is pending."""
        if threading.get_ident() == self.ident:
            return  # the source itself, or a signal's handler: the step looks when it is back
        if not self.main:
            self.sent = True
            _raise_in(self.ident, Stopped)
            if self._close is not None:  # may block, and cancel() must not
                threading.Thread(target=_closing, args=(self._close,), daemon=True).start()
        elif callable(self._previous) and hasattr(signal, "pthread_kill"):
            self.sent = True
            self._over = threading.Event()
            self._signal()
            threading.Thread(target=self._insist, args=(self._over,), name="vibe-knock", daemon=True).start()

    def receive(self) -> None:
        """It was sent, but has not arrived: wait for it, or take it back."""
        if not self.main:
            _raise_in(self.ident, None)
        elif not self._heard:
            time.sleep(0.2)  # the signal ends it

    def end(self) -> None:
        """Nothing is sent from now on."""
        with self._lock:
            self._ended = True
        if self._over is not None:
            self._over.set()

    def _insist(self, over: threading.Event) -> None:
        # A signal that comes just before a system call blocks does not end that call.
        while not over.wait(INSIST) and self._signal():
            pass

    def _signal(self) -> bool:
        with self._lock:
            if self._heard or self._ended:
                return False
            self._signals += 1
            signal.pthread_kill(self.ident, signal.SIGINT)
            return True

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        with self._lock:
            again = 0 < self._heard < self._signals  # ours, sent before the first was heard
            self._heard += self.sent
        if not again:
            raise KeyboardInterrupt


def _raise_in(ident: int, kind: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(ident), ctypes.py_object(kind) if kind is not None else None
    )


def _closing(close: Callable[[], object]) -> None:
    try:
        close()
    except Exception:
        log.debug("A cancelled source could not be closed from another thread", exc_info=True)


class Ticker:
    """Keeps the running loop awake until it is stopped, so that an interrupt is seen soon."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Tick, where there is an asyncio loop to keep awake."""
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
            self._tick(self._loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            loop.call_later(TICK, self._tick, loop)

    def stop(self) -> None:
        """Let the loop sleep again; from any thread."""
        self._loop = None


async def in_thread(function: Callable[[], Any]) -> Any:
    """Call *function* in a thread that the end of the process does not wait for."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
    done: asyncio.Future[Any] = loop.create_future()

    def tell(result: Any, error: BaseException | None) -> None:
        if done.done():
            return  # abandoned meanwhile
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, raised = None, None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            raised = error
        with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result, raised)

    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(run,), name="vibe-watch", daemon=True).start()
    except RuntimeError:
        run()  # no threads here (WebAssembly): the loop waits, but all of it is shown
    return await done


# What ``break`` leaves of an ``async for`` under trio, closed as asyncio's loop closes it: at once, and in silence.
#
# Beside ``_watching/stepper.py``. Trio closes a generator that is dropped too, but cancelled from the first and with a
# ``ResourceWarning``, which is right for code that could have said ``aclosing`` and wrong for a watch: it
# settles when its iterator goes.

PATIENCE: Final = 10
"""Seconds that the end of trio's run waits for what was left."""


def closed_when_left(steps: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    """Return *steps*, which its loop closes when it is dropped, or under trio what sees to that."""
    trio = sys.modules.get("trio")
    return steps if trio is None or not trio.lowlevel.in_trio_run() else _OnTrio(steps, trio)


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
        # The scheduled call holds the generator, so trio does not see it dropped.
        with contextlib.suppress(Exception):  # the run is over, and trio has closed it
            self._schedule(self._spawn, _close, self._steps)


async def _close(steps: AsyncGenerator[Any, None]) -> None:
    try:
        with anyio.move_on_after(PATIENCE, shield=True):
            await steps.aclose()
    except BaseException:  # a system task that raises ends all of trio
        log.debug("What was left of a watch failed to close", exc_info=True)

"""Event loops: waking whoever waits in one, from any thread; asyncio or trio, whichever it is."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["in_loop", "wait_for", "waker"]

T = TypeVar("T")


def in_loop() -> bool:
    """Whether this thread runs an event loop: whatever else that does would wait too."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return trio is not None and bool(trio.lowlevel.in_trio_run())
    return True


def waker() -> tuple[Callable[[], Awaitable[object]], Callable[[], None]]:
    """(what to await, what wakes it from any thread), on asyncio or trio, whichever runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules["trio"]
        token, trio_event = trio.lowlevel.current_trio_token(), trio.Event()
        return trio_event.wait, lambda: _call(token.run_sync_soon, trio_event.set)
    event = asyncio.Event()
    return event.wait, lambda: _call(loop.call_soon_threadsafe, event.set)


async def wait_for(future: Future[T]) -> T:
    """The result of what another thread does. Waiting may be cancelled; what is waited for goes on."""
    if not future.done():
        ready, wake = waker()
        future.add_done_callback(lambda _: wake())
        await ready()
    return future.result()


def _call(soon: Callable[[Callable[[], object]], object], wake: Callable[[], object]) -> None:
    with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits any more
        soon(wake)

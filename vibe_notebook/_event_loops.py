"""Wake a coroutine that waits in an event loop, from any thread, on asyncio or trio.

At the bottom of the package: imports nothing of it. The registry's subscriptions, watches, projects and the host
use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["in_loop", "in_trio", "wait_for", "waker"]

T = TypeVar("T")


def in_loop() -> bool:
    """Return whether this thread runs an event loop: to block the thread would block the loop too."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return in_trio()
    return True


def in_trio() -> bool:
    """Return whether this thread runs trio's event loop, of any version of trio."""
    # Another thread may be importing trio: a module without its names runs no loop yet.
    lowlevel = getattr(sys.modules.get("trio"), "lowlevel", None)
    current_token = getattr(lowlevel, "current_trio_token", None)
    if current_token is None:
        return False
    try:
        current_token()
    except RuntimeError:
        return False
    return True


def waker() -> tuple[Callable[[], Awaitable[object]], Callable[[], None]]:
    """Return (a function to await, a function that wakes it from any thread), for asyncio or trio."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules["trio"]
        token, trio_event = trio.lowlevel.current_trio_token(), trio.Event()
        return trio_event.wait, lambda: _call(token.run_sync_soon, trio_event.set)
    event = asyncio.Event()
    return event.wait, lambda: _call(loop.call_soon_threadsafe, event.set)


async def wait_for(future: Future[T]) -> T:
    """Return the result of another thread's work; to cancel the wait does not cancel the work."""
    if not future.done():
        ready, wake = waker()
        future.add_done_callback(lambda _: wake())
        await ready()
    return future.result()


def _call(soon: Callable[[Callable[[], object]], object], wake: Callable[[], object]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: no coroutine waits any more
        soon(wake)

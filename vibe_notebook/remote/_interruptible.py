"""Waking one task out of its wait, from any thread, on asyncio and on trio."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel

__all__ = ["Interruptible"]


class Interruptible:
    """Waits that can be broken off. A cancel scope opens and closes within one wait, in the waiter's task."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scope: anyio.CancelScope | None = None
        self._schedule: Callable[[Callable[[], object]], object] | None = None
        self._asked = False

    async def wait(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Await *step*; returns whether it was broken off, also by an ``interrupt`` just before."""
        token: Any = anyio.lowlevel.current_token().native_token
        schedule = getattr(token, "call_soon_threadsafe", None) or token.run_sync_soon
        asked = False
        with anyio.CancelScope() as scope:
            with self._lock:
                if self._asked:
                    self._asked = False
                    return True
                self._scope, self._schedule = scope, schedule
            try:
                await step()
            finally:
                with self._lock:
                    self._scope = self._schedule = None
                    # Also if the step ended before it could be broken off: somebody wants the next.
                    asked, self._asked = self._asked, False
        return asked

    def interrupt(self) -> None:
        """Break off the present wait, or the next; from any thread."""
        with self._lock:
            self._asked = True
            scope, schedule = self._scope, self._schedule
        if scope is not None and schedule is not None:

            def cancel() -> None:
                with self._lock:
                    is_pending = self._scope is scope
                if is_pending:
                    scope.cancel()

            with contextlib.suppress(RuntimeError):  # its loop is closed: nobody waits there
                schedule(cancel)

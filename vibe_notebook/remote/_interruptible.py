"""Interrupt one task's wait from any thread, on asyncio and on trio, for ``_event_source``."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel

__all__ = ["Interruptible"]


class Interruptible:
    """Run waits that another thread can interrupt.

    Each cancel scope opens and closes within one wait, in the waiter's own task.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scope: anyio.CancelScope | None = None
        self._schedule: Callable[[Callable[[], object]], object] | None = None
        self._is_requested = False

    async def wait(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Await *step*. Return True after an interrupt, also one that came just before the call."""
        token: Any = anyio.lowlevel.current_token().native_token
        schedule = getattr(token, "call_soon_threadsafe", None) or token.run_sync_soon
        is_requested = False
        with anyio.CancelScope() as scope:
            with self._lock:
                if self._is_requested:
                    self._is_requested = False
                    return True
                self._scope, self._schedule = scope, schedule
            try:
                await step()
            finally:
                with self._lock:
                    self._scope = self._schedule = None
                    # An interrupt counts also if the step ended first: its caller wants a new step.
                    is_requested, self._is_requested = self._is_requested, False
        return is_requested

    def interrupt(self) -> None:
        """Interrupt the present wait, or else the next one; from any thread."""
        with self._lock:
            self._is_requested = True
            scope, schedule = self._scope, self._schedule
        if scope is not None and schedule is not None:

            def cancel() -> None:
                with self._lock:
                    is_pending = self._scope is scope
                if is_pending:
                    scope.cancel()

            with contextlib.suppress(RuntimeError):  # the waiter's event loop is closed: no task waits there
                schedule(cancel)

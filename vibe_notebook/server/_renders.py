"""Transcripts are made in threads: so many at once, for so long; the loop goes on meanwhile.

Between the routes and what makes a transcript.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from .._limits import RENDER_SECONDS, RENDERS
from ._errors import Refused

__all__ = ["Renders"]

T = TypeVar("T")
R = TypeVar("R")


class Renders:
    """Counts the transcripts under way. A thread cannot be ended: one that takes too long keeps its place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    async def run(self, read: Callable[[], Awaitable[T]], render: Callable[[T], R]) -> R:
        """Await what *read* gives, and *render* it in a thread.

        Raises ``Refused``: 503 where all places are taken, 504 where it takes too long.
        """
        place = self._place()
        try:
            with anyio.fail_after(RENDER_SECONDS):
                found = await read()
                work = place.keeping(lambda: render(found))
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=place.limiter)
        except TimeoutError:
            msg = f"This transcript takes longer than {RENDER_SECONDS:g} seconds to make; follow the stream."
            raise Refused(504, msg) from None
        finally:
            place.leave()

    def _place(self) -> _Place:
        with self._lock:
            if self._taken >= RENDERS:
                msg = "The server makes as many transcripts as it can at once; try again."
                raise Refused(503, msg, retry_after=2)
            self._taken += 1
        return _Place(self._free)

    def _free(self) -> None:
        with self._lock:
            self._taken -= 1


class _Place:
    """One transcript under way: free once its thread has ended, or has never begun."""

    def __init__(self, free: Callable[[], object]) -> None:
        self.limiter = anyio.CapacityLimiter(1)  # the places are counted already
        self._free = free
        self._lock = threading.Lock()
        self._is_working = self._is_left = False

    def keeping(self, work: Callable[[], R]) -> Callable[[], R]:
        """Return *work*, which keeps the place until it ends."""

        def kept() -> R:
            with self._lock:
                if self._is_left:
                    raise TimeoutError  # nobody waits for it any more
                self._is_working = True
            try:
                return work()
            finally:
                self._free()

        return kept

    def leave(self) -> None:
        """Free the place, unless a thread works."""
        with self._lock:
            self._is_left = True
            if self._is_working:
                return
        self._free()

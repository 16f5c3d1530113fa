"""The rendering of transcripts in threads: a bounded number at one time, each for a bounded time.

Between ``_routes`` and ``_formats``. The server's event loop runs on meanwhile.
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
    """Render transcripts in threads, and count them. A slow thread counts until its end: Python cannot stop it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active = 0

    async def run(self, read: Callable[[], Awaitable[T]], render: Callable[[T], R]) -> R:
        """Await *read*, and pass its result to *render* in a thread.

        Raises:
            Refused: 503 if too many transcripts are being rendered, 504 if this one takes too long.
        """
        place = self._place()
        try:
            with anyio.fail_after(RENDER_SECONDS):
                source = await read()
                work = place.hold(lambda: render(source))
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=place.limiter)
        except TimeoutError:
            msg = (
                f"This transcript takes longer than {RENDER_SECONDS:g} seconds to render; follow the stream."
            )
            raise Refused(504, msg) from None
        finally:
            place.release()

    def _place(self) -> _Place:
        with self._lock:
            if self._active >= RENDERS:
                msg = "The server renders as many transcripts as it can at one time; try again."
                raise Refused(503, msg, retry_after=2)
            self._active += 1
        return _Place(self._free)

    def _free(self) -> None:
        with self._lock:
            self._active -= 1


class _Place:
    """Hold the place of one transcript until its thread has ended, or until ``release`` if no thread began."""

    def __init__(self, free: Callable[[], object]) -> None:
        self.limiter = anyio.CapacityLimiter(
            1
        )  # `Renders` counts the threads: anyio's own limit must not apply
        self._free = free
        self._lock = threading.Lock()
        self._is_working = self._is_released = False

    def hold(self, work: Callable[[], R]) -> Callable[[], R]:
        """Return a function that runs *work*, and holds the place until its end."""

        def held() -> R:
            with self._lock:
                if self._is_released:
                    raise TimeoutError  # the request has ended
                self._is_working = True
            try:
                return work()
            finally:
                self._free()

        return held

    def release(self) -> None:
        """Release the place, unless its thread still works."""
        with self._lock:
            self._is_released = True
            if self._is_working:
                return
        self._free()

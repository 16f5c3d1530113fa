"""Merge several remote streams into one source, for the magic: one view shows several URLs.

Each stream keeps its own order; between streams, events come in the order of their arrival.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from ..events import Event
from ._follow import Follow

__all__ = ["Merged"]

_AHEAD: Final = 64
"""Events that may wait for the reader: beyond, a faster stream waits at its server."""


class Merged(AsyncIterator[Event]):
    """Iterate over the events of all *follows* until the last one ends; then raise the first error, if any.

    A task of its own (asyncio) reads each stream, until the stream ends or the reader calls ``aclose``.
    """

    def __init__(self, follows: Sequence[Follow]) -> None:
        self.connections = tuple(follows)
        self._tasks: list[asyncio.Task[None]] = []
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(_AHEAD)
        self._errors: list[Exception] = []
        self._open = len(follows)
        self._is_closed = False

    @property
    def title(self) -> str:
        """Return the title for a view: those of all streams."""
        return ", ".join(follow.title for follow in self.connections)

    def __aiter__(self) -> Merged:
        return self

    async def __anext__(self) -> Event:
        if not self._tasks and not self._is_closed:
            self._tasks = [asyncio.create_task(self._read(follow)) for follow in self.connections]
        while self._open and not self._is_closed:
            event = await self._events.get()
            if event is not None:
                return event
            self._open -= 1
        errors, self._errors = self._errors, []
        if errors and not self._is_closed:
            raise errors[0]
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End all streams."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for follow in self.connections:
            await follow.aclose()

    async def _read(self, follow: Follow) -> None:
        try:
            async with contextlib.aclosing(follow):
                async for event in follow:
                    await self._events.put(event)
        except Exception as error:  # noqa: BLE001 - __anext__ raises it after the other streams' ends
            self._errors.append(error)
        await self._events.put(None)

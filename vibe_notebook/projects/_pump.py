"""A publisher's work: read from a registry, batch, send, and try again.

Between ``_publish.py`` and ``_post.py``; runs on a loop of its own.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from ..events import to_json
from ..exceptions import RemoteError, VibeNotebookError
from ..subscription import Subscription
from ._post import DelayedError, Desk, RejectedError

__all__ = ["Pump"]

log = logging.getLogger("vibe_notebook.projects")

EVENTS: Final = 500
"""Events that are sent at once, at most."""

BYTES: Final = 1024 * 1024
"""Bytes of JSON that are sent at once, but for a single event that has more."""

LONGEST: Final = 10.0
"""Seconds between two tries, at most."""

TRIES: Final = 3
"""Times that a batch is tried on which the sending itself fails; then the event at fault is left out."""


class Pump:
    """``sent`` counts what was acknowledged; ``error`` is what went wrong for good."""

    def __init__(
        self,
        subscription: Subscription,
        desk: Desk,
        *,
        buffer: int,
        closes: bool,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.sent = 0
        self.error: Exception | None = None
        self._subscription = subscription
        self._desk = desk
        self._buffer = buffer
        self._closes = closes
        self._pause = pause
        self._waiting: deque[str] = deque()
        self._sending = 0
        self._trouble = "the time was over"
        self._name = uuid.uuid4().hex

    @property
    def pending(self) -> int:
        """How many events were read from the registry and are not acknowledged yet."""
        return len(self._waiting) + self._sending

    async def run(self) -> None:
        """Go on until the subscription ends and all is sent. A cancellation is the end, too."""
        self._changed, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        reader = asyncio.create_task(self._read())
        try:
            number = 0
            while batch := await self._batch(reader):
                await self._deliver(batch, f"{self._name}-{number}")
                number += 1
            if self._closes:
                await self._insist(self._desk.close_project)
        except asyncio.CancelledError:
            self.fail(RemoteError(f"{self.pending} events were not sent: {self._trouble}"))
        except (VibeNotebookError, OSError, ValueError) as error:
            self.fail(error)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it must not end in silence
            self.fail_of(error)
        finally:
            self._subscription.close()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await self._desk.aclose()

    def fail(self, error: Exception) -> None:
        """Keep the first error, and log every one."""
        self.error = self.error or error
        log.error("Publishing: %s", error, exc_info=error.__cause__)

    def fail_of(self, cause: BaseException) -> None:
        """Keep, and log, what no part of the publisher foresaw."""
        error = VibeNotebookError(f"{self.pending} events may not have been sent: {cause!r}")
        error.__cause__ = cause
        self.fail(error)

    async def _read(self) -> None:
        agent_id = ""
        async for event in self._subscription:
            told = event
            if event.type == "custom" and event.name == "gap" and event.id is None:
                lost = VibeNotebookError(f"Events came faster than they were sent; lost: {event.value}.")
                self.fail(lost)
                told = event.model_copy(update={"agent_id": event.agent_id or agent_id})
            agent_id = told.agent_id
            try:
                self._waiting.append(to_json(told))
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - one event must not end the reading of the others
                lost = VibeNotebookError(f"An event ({told.type}) was not sent: {error!r}")
                lost.__cause__ = error
                self.fail(lost)
                continue
            self._changed.set()
            # What is not read stays in the registry's ring, which is bounded and tells what it lost.
            if len(self._waiting) >= self._buffer:
                self._room.clear()
            await self._room.wait()

    async def _batch(self, reader: asyncio.Task[None]) -> list[str]:
        """What is there by now; nothing: that was all."""
        while not self._waiting and not reader.done():
            self._changed.clear()
            change = asyncio.create_task(self._changed.wait())
            await asyncio.wait((change, reader), return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
        if not self._waiting:
            reader.result()  # what it raised
        batch: list[str] = []
        size = 0
        while self._waiting and len(batch) < EVENTS and (not batch or size + len(self._waiting[0]) <= BYTES):
            batch.append(self._waiting.popleft())
            size += len(batch[-1])
        self._sending = len(batch)
        self._room.set()
        return batch

    async def _deliver(self, batch: list[str], key: str) -> None:
        try:
            await self._insist(partial(self._desk.send, batch, key))
        except RejectedError as error:
            if len(batch) == 1:
                self.fail(error)
                self._sending -= 1
                return
            # Some of it is too large, or newer than the server knows: the rest is not to be lost for it.
            half = len(batch) // 2
            await self._deliver(batch[:half], f"{key}-a")
            await self._deliver(batch[half:], f"{key}-b")
        else:
            self.sent += len(batch)
            self._sending -= len(batch)

    async def _insist(self, attempt: Callable[[], Awaitable[None]]) -> None:
        delay, faults = 0.1, 0
        while True:
            try:
                await attempt()
            except (asyncio.CancelledError, RejectedError):
                raise
            except DelayedError as error:
                if self._trouble != str(error):
                    log.warning("%s Trying again.", error)
                self._trouble = str(error)
                # Not all at the same moment: many kernels may wait for one server.
                wait = delay * random.uniform(0.5, 1.0) if error.seconds is None else error.seconds  # noqa: S311
                await self._pause(min(wait, LONGEST))
                delay = min(delay * 2, LONGEST)
            except (VibeNotebookError, OSError, ValueError):
                raise
            except BaseException as error:
                faults += 1
                self._trouble = repr(error)
                log.exception("Publishing: the sending failed")
                if faults == TRIES:
                    raise RejectedError(f"An event was not sent: {error!r}") from error
                await self._pause(delay)
            else:
                return

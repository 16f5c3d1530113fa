"""A publisher's work: read from a registry, batch, send, and try again.

Between ``_publish.py`` and ``_post.py``; runs on a loop of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import random
import threading
import uuid
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ..events import to_json
from ..exceptions import RemoteError, VibeNotebookError
from ..registry import Registry, Subscription
from ._delivery import DelayedError, Desk, RejectedError, desk_for

if TYPE_CHECKING:
    from . import ProjectEventStream

__all__ = ["Publisher", "Pump", "publish"]

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


# From a kernel to a project: what a registry's agents do, for others to follow.
#
# On top of the registry on one side, of a log or its server on the other.


class Publisher:
    """Sends what agents do until it is closed; made by ``publish``.

    It works in a thread of its own, and so goes on while a cell is busy.
    """

    def __init__(
        self, registry: Registry, desk: Desk, *, agent_id: str | None, buffer: int, closes: bool
    ) -> None:
        self._subscription = registry.subscribe(agent_id, after=0)
        self._pump = Pump(self._subscription, desk, buffer=buffer, closes=closes)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        # In a copy of the context: what the thread shows belongs to this cell.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="vibe-publish", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        state = "at work" if self._thread.is_alive() else "closed"
        trouble = f", {self.error}" if self.error is not None else ""
        return f"<publisher: {self.sent} events sent, {self.pending} pending, {state}{trouble}>"

    @property
    def sent(self) -> int:
        """How many events were acknowledged."""
        return self._pump.sent

    @property
    def pending(self) -> int:
        """How many events were taken from the registry and are not acknowledged yet."""
        return self._pump.pending

    @property
    def error(self) -> Exception | None:
        """What went wrong for good, if anything did: something was not, or will not be, sent."""
        return self._pump.error

    def close(self, timeout: float = 10.0) -> None:
        """Send what was delivered until now, for at most *timeout* seconds, and stop. Idempotent.

        Warns (``RuntimeWarning``) if anything was not sent.
        """
        self._subscription.finish()
        self._thread.join(timeout)
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has just come to its end
                self._loop.call_soon_threadsafe(self._cancel)
            self._thread.join(timeout)
        if self.error is not None:
            warnings.warn(f"Not all was published. {self.error}", RuntimeWarning, stacklevel=2)

    async def aclose(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as close()
        """As ``close``, while the loop goes on."""
        await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - told by close() and in ``error``
            self._pump.fail_of(error)

    async def _main(self) -> None:
        self._task = asyncio.current_task()
        await self._pump.run()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def publish(
    registry: Registry,
    project_id: str,
    url: str | ProjectEventStream,
    *,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    agent_id: str | None = None,
    buffer: int = 10_000,
    close_project: bool = False,
) -> Publisher:
    """Send what a registry's agents do to a project, until the returned publisher is closed.

    ::

        with publish(vibe.get_registry(), "trip", "http://localhost:8000"):
            await vibe.watch(agent.run_stream_events("…"))

    *url* is a server's, with the bearer *token* it wants; or a log's (``sqlite:///…``,
    ``redis://…``), or a ``ProjectEventStream``. It begins with what the registry still has. While the
    other side does not answer, up to *buffer* events wait here and as many as the registry keeps
    there; what is lost beyond is told in ``error``, and to those who follow. With *agent_id* only that
    agent's events are sent; with *close_project* the project is closed after the last.

    Raises ``MissingExtraError`` where *url* needs an extra that is missing, ``ClosedError`` for a closed
    registry, ``ValueError`` for a *url* that is none of these.
    """
    desk = desk_for(url, project_id, headers=headers, token=token)
    return Publisher(registry, desk, agent_id=agent_id, buffer=buffer, closes=close_project)

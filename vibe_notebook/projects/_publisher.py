"""The publisher: sends what a registry delivers to a project, in a thread with an event loop of its own.

On top of the registry on one side, and of ``_delivery`` (a log or its server) on the other.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import random
import threading
import uuid
import warnings
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit, urlunsplit

from .._credentials import Token
from .._foreign_words import clean_logger, on_one_line
from .._forks import renew_in_child
from ..events import Event, first_edition, parse_event, to_json
from ..exceptions import RemoteError, VibeNotebookError
from ..registry import Registry, Subscription
from ._delivery import DelayedError, Destination, RejectedError, destination_for
from ._entry import size_of

if TYPE_CHECKING:
    from ._stream import ProjectEventStream

__all__ = ["Publisher", "Pump", "publish"]

log = clean_logger("vibe_notebook.projects")
BATCH_EVENTS: Final = 500
"""Events in one batch, at most."""
BATCH_CHARACTERS: Final = 1024 * 1024
"""Characters of JSON in one batch, at most; a single larger event is a batch of its own."""
WAITING_BYTES: Final = 64 << 20
"""Bytes of JSON that wait in a publisher, about; further events wait in the registry's ring buffer."""
LONGEST_DELAY: Final = 10.0
"""Seconds between two tries, at most."""
AT_EXIT: Final = 1.0
"""Seconds that the end of the process waits for a publisher that was not closed."""
FAULT_TRIES: Final = 3
"""Tries of a batch whose sending raises an unexpected error; then the publisher leaves out the event at fault."""


def publish(
    registry: Registry,
    project_id: str,
    url: str | ProjectEventStream,
    *,
    headers: Mapping[str, str] | None = None,
    token: Token | None = None,
    agent_id: str | None = None,
    buffer: int = 10_000,
    close_project: bool = False,
) -> Publisher:
    """Send the events of a registry's agents to a project until the returned publisher is closed.

    ::

        with publish(vibe.get_registry(), "trip", "http://localhost:8000"):
            await vibe.watch(agent.run_stream_events("…"))

    *url* is the URL of a server, the URL of a log (``sqlite:///…``, ``redis://…``) or a ``ProjectEventStream``.
    *token* is the bearer token that the server requires, or a function, sync or async, that returns one: the
    publisher calls the function before the first request and after each refused token. A function that fails or
    hangs counts as a server that does not answer, except for a function that needs arguments. The publisher first
    sends the events that the registry still holds. While the destination does not answer, up to *buffer* events, or
    64 MiB of them, wait in the publisher, and further ones in the registry's ring buffer. If the ring buffer
    overflows, ``error`` names the lost events, and the project's followers see a gap. With *agent_id* the publisher
    sends only this agent's events; with *close_project*
    it closes the project after the last event.

    Raises:
        MissingExtraError: *url* needs an extra that is not installed.
        ClosedError: the registry is closed.
        ValueError: *url* names no server and no log with another reader, or *token* cannot be sent.
        TypeError: *token* is neither text nor a function without arguments.
    """
    destination = destination_for(url, project_id, headers=headers, token=token)
    made = Publisher(registry, destination, agent_id=agent_id, buffer=buffer, closes=close_project)
    made.label = _label(url)
    return made


def _label(url: str | ProjectEventStream) -> str:
    """Return the destination's name for a message: a URL without its user, password, query and fragment."""
    if not isinstance(url, str):
        return "a project's log"
    parts = urlsplit(url)
    return on_one_line(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")), 500)


class Publisher:
    """Send the events of a registry's agents to a project until ``close``. ``publish`` makes publishers.

    The publisher works in a thread of its own, and so also while a cell is busy.
    """

    def __init__(
        self, registry: Registry, destination: Destination, *, agent_id: str | None, buffer: int, closes: bool
    ) -> None:
        self.label = "its destination"
        self._subscription = registry.subscribe(agent_id, after=0)
        self._pump = Pump(self._subscription, destination, buffer=buffer, closes=closes)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        # In a copy of the context: the thread's output belongs to this cell.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="vibe-publish", daemon=True
        )
        self._thread.start()
        _open.add(self)
        renew_in_child(self)

    def renew(self) -> None:
        """Send nothing in the child of a fork: the thread and its connections are the parent's."""
        _open.discard(self)
        self._pump.error = VibeNotebookError(
            "This publisher belongs to the process that has forked; call publish() in the child too."
        )

    def __repr__(self) -> str:
        state = "at work" if self._thread.is_alive() else "closed"
        failure = f", {self.error}" if self.error is not None else ""
        return f"<publisher: {self.sent} events sent, {self.pending} pending, {state}{failure}>"

    @property
    def sent(self) -> int:
        """Return the number of acknowledged events."""
        return self._pump.sent

    @property
    def pending(self) -> int:
        """Return the number of events read from the registry and not acknowledged yet."""
        return self._pump.pending

    @property
    def error(self) -> Exception | None:
        """Return the first failure that lost an event, or None if there was none."""
        return self._pump.error

    def close(self, timeout: float = 10.0) -> None:
        """Send the events delivered until now, for at most *timeout* seconds, and stop. Idempotent.

        Warns:
            RuntimeWarning: an event was not sent.
        """
        self._subscription.finish()
        self._thread.join(timeout)
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the thread has just ended, and its loop is closed
                self._loop.call_soon_threadsafe(self._cancel)
            self._thread.join(timeout)
        if self.error is not None:
            warnings.warn(f"Some events were not published. {self.error}", RuntimeWarning, stacklevel=2)

    async def aclose(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as close()
        """Close the publisher as ``close`` does, without blocking the event loop."""
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

    def report_unsent(self) -> None:
        """Warn about the events that were not sent, at the end of the process. Send what takes no time."""
        self._subscription.finish()
        self._thread.join(AT_EXIT)
        if self._thread.is_alive() and self.pending:
            events = "event was" if self.pending == 1 else "events were"
            warnings.warn(
                f"A publisher was not closed: {self.pending:,} {events} not sent to {self.label}. Close it, "
                "or use it in a with block.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - `close` and `error` report it
            self._pump.fail_unexpectedly(error)

    async def _main(self) -> None:
        self._task = asyncio.current_task()
        await self._pump.run()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


_open: weakref.WeakSet[Publisher] = weakref.WeakSet()


@atexit.register
def _report_unsent() -> None:
    for publisher in list(_open):
        publisher.report_unsent()


class Pump:
    """Read events from a subscription, and send them in batches until the subscription ends.

    ``sent`` counts the acknowledged events; ``error`` is the first failure that lost an event, or None.
    """

    def __init__(
        self,
        subscription: Subscription,
        destination: Destination,
        *,
        buffer: int,
        closes: bool,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.sent = 0
        self.error: Exception | None = None
        self._subscription = subscription
        self._destination = destination
        self._buffer = buffer
        self._closes = closes
        self._pause = pause
        self._waiting: deque[str] = deque()
        self._waiting_size = 0
        self._agent_id = ""  # of the last event
        self._sending = 0
        self._reason = "the time for closing was over"
        self._name = uuid.uuid4().hex

    @property
    def pending(self) -> int:
        """Return the number of events read from the registry and not acknowledged yet."""
        return len(self._waiting) + self._sending

    async def run(self) -> None:
        """Send events until the subscription has ended and all are sent, or until a cancellation."""
        self._changed, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        reader = asyncio.create_task(self._read())
        try:
            number = 0
            while batch := await self._batch(reader):
                await self._send(batch, f"{self._name}-{number}")
                number += 1
            if self._closes:
                await self._retry(self._destination.close_project)
        except asyncio.CancelledError:
            self.fail(RemoteError(f"{self.pending} events were not sent: {self._reason}"))
        except (VibeNotebookError, OSError, ValueError) as error:
            self.fail(error)
        except BaseException as error:  # noqa: BLE001 - SystemExit too would end the thread without a report
            self.fail_unexpectedly(error)
        finally:
            self._subscription.close()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await self._destination.aclose()

    def fail(self, error: Exception) -> None:
        """Store the first error, and write every error to the logger."""
        self.error = self.error or error
        log.error("Publishing: %s", error, exc_info=error.__cause__)

    def fail_unexpectedly(self, cause: BaseException) -> None:
        """Store an unexpected error as ``fail`` does."""
        error = VibeNotebookError(f"{self.pending} events may not have been sent: {cause!r}")
        error.__cause__ = cause
        self.fail(error)

    async def _read(self) -> None:
        """Read until the subscription ends; after an unexpected error, begin anew."""
        faults = 0
        while True:
            try:
                async for event in self._subscription:
                    await self._accept(event)
                    faults = 0
            except (asyncio.CancelledError, VibeNotebookError):
                raise
            except BaseException as error:
                self.fail_unexpectedly(error)
                faults += 1
                if faults == FAULT_TRIES:
                    raise VibeNotebookError(f"No further event can be read: {error!r}") from error
                await self._pause(0.1)
            else:
                return

    async def _accept(self, event: Event) -> None:
        """Enqueue an event, then wait for room."""
        outgoing = event
        if event.type == "custom" and event.name == "gap" and event.id is None:
            lost = VibeNotebookError(
                f"The registry received events faster than they were sent; lost: {event.value}."
            )
            self.fail(lost)
            outgoing = event.model_copy(update={"agent_id": event.agent_id or self._agent_id})
        self._agent_id = outgoing.agent_id
        try:
            encoded = to_json(outgoing)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - one event must not end the reading of the others
            lost = VibeNotebookError(f"An event ({outgoing.type}) was not sent: {error!r}")
            lost.__cause__ = error
            self.fail(lost)
            return
        self._waiting.append(encoded)
        self._waiting_size += size_of(encoded)
        self._changed.set()
        # Unread events stay in the registry's ring buffer. It is bounded, and reports lost events as a gap.
        if len(self._waiting) >= self._buffer or self._waiting_size >= WAITING_BYTES:
            self._room.clear()
        await self._room.wait()

    async def _batch(self, reader: asyncio.Task[None]) -> list[str]:
        """Wait for events and return a batch; an empty batch is the end."""
        while not self._waiting and not reader.done():
            self._changed.clear()
            change = asyncio.create_task(self._changed.wait())
            await asyncio.wait((change, reader), return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
        if not self._waiting:
            reader.result()  # raises the reader's error
        batch: list[str] = []
        size = 0
        while (
            self._waiting
            and len(batch) < BATCH_EVENTS
            and (not batch or size + len(self._waiting[0]) <= BATCH_CHARACTERS)
        ):
            batch.append(self._waiting.popleft())
            self._waiting_size -= size_of(batch[-1])
            size += len(batch[-1])
        self._sending = len(batch)
        self._room.set()
        return batch

    async def _send(self, batch: list[str], key: str) -> None:
        try:
            await self._retry(partial(self._destination.send, batch, key))
        except RejectedError as error:
            if len(batch) == 1:
                older = first_edition(event := parse_event(batch[0]))
                if older is not event:  # an older server may know no such type
                    await self._send([to_json(older)], f"{key}-c")
                    return
                self.fail(error)
                self._sending -= 1
                return
            # One event is too large, or of a kind that an older server does not know: send the others.
            half = len(batch) // 2
            await self._send(batch[:half], f"{key}-a")
            await self._send(batch[half:], f"{key}-b")
        else:
            self.sent += len(batch)
            self._sending -= len(batch)

    async def _retry(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Repeat *attempt* until it succeeds or no further try can succeed."""
        delay, faults = 0.1, 0
        while True:
            try:
                await attempt()
            except (asyncio.CancelledError, RejectedError):
                raise
            except DelayedError as error:
                if self._reason != str(error):
                    log.warning("%s The publisher tries again.", error)
                self._reason = str(error)
                # A random share of the delay: many kernels may wait for one server, and must not try at once.
                wait = delay * random.uniform(0.5, 1.0) if error.seconds is None else error.seconds  # noqa: S311
                await self._pause(min(wait, LONGEST_DELAY))
                delay = min(delay * 2, LONGEST_DELAY)
            except (VibeNotebookError, OSError, ValueError):
                raise
            except BaseException as error:
                faults += 1
                self._reason = repr(error)
                log.exception("Publishing: the batch could not be sent")
                if faults == FAULT_TRIES:
                    raise RejectedError(f"An event was not sent: {error!r}") from error
                await self._pause(delay)
            else:
                return

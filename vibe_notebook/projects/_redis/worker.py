"""The thread of a Redis log: its event loop owns the connections.

Commands that have gathered go out as one pipeline, in their order; one reader waits for all who listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from ..._event_loops import wait_for
from ...exceptions import ClosedError, LogError, MissingExtraError
from .._entry import Id
from .._tail import Tail
from .commands import Command
from .reader import BLOCK, Reader

try:
    from redis.asyncio import Redis
    from redis.asyncio.connection import parse_url
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
except ImportError:
    raise MissingExtraError("an event log in Redis", "redis") from None

__all__ = ["Worker"]

log = logging.getLogger("vibe_notebook.projects")

T = TypeVar("T")

IDLE: Final = 5.0
"""Seconds without work or listeners after which the thread ends; the next call starts another."""

GROUP: Final = 1_000
"""Commands in a pipeline, at most."""

PATIENCE: Final = 10.0
"""Seconds that the server may take to answer, beyond what it is asked to wait."""

ERRORS: Final = (RedisError, OSError)


@dataclass(slots=True)
class _Job:
    """A command, what to make of its reply, and who waits for that."""

    command: Command
    parse: Callable[[Any], Any]
    done: Future[Any] = field(default_factory=Future)

    def settle(self, reply: Any) -> None:
        try:
            if isinstance(reply, Exception):
                raise reply  # noqa: TRY301 - one way for both kinds of failure
            self.done.set_result(self.parse(reply))
        except LogError as error:
            self.done.set_exception(error)
        except Exception as error:  # noqa: BLE001 - logged and raised where it is waited for
            said = LogError(f"the event log: {error!r}")
            said.__cause__ = error
            try:
                log.exception("A reply of the event log could not be read")
            finally:
                self.done.set_exception(said)


class Worker:
    """Asks the server at *url*. *busy* says whether anybody listens; *failed* is told when reading fails."""

    def __init__(
        self, url: str, max_events: int, busy: Callable[[], bool], failed: Callable[[Exception], None]
    ) -> None:
        where = parse_url(url)
        self._said = f"the event log at {where.get('host', 'localhost')}:{where.get('port', 6379)}"
        self._url = url
        self._max = max_events
        self._busy = busy
        self._failed = failed
        self._lock = threading.Lock()
        self._queue: deque[_Job] = deque()
        self._taken: list[_Job] = []
        self._closing = False
        self._ended: Future[None] | None = None  # of the thread that runs, if one does
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader: Reader | None = None
        self._something = asyncio.Event()
        self._told = False

    def ask(self, command: Command, parse: Callable[[Any], T]) -> Future[T]:
        """Send a command, after all that were asked before. *parse* runs in the thread."""
        job = _Job(command, parse)
        with self._lock:
            if self._closing:
                raise ClosedError(f"{self._said} is closed")
            if self._ended is None:
                ended: Future[None] = Future()
                # A daemon: nobody who waits for an acknowledgement is left when the interpreter goes.
                thread = threading.Thread(
                    target=self._work, args=(ended,), name="vibe event log", daemon=True
                )
                try:
                    thread.start()  # it waits for the lock that is held here
                except RuntimeError as error:
                    raise self._error(error) from error
                self._ended = ended
            self._queue.append(job)
            self._tell()
        return job.done

    def follow(self, stream: str, tail: Tail, place: Id) -> None:
        """In the thread: fill a tail with what comes after *place*."""
        if self._reader is not None:
            self._reader.follow(stream, tail, place)

    def leave(self, stream: str, tail: Tail) -> None:
        """Fill it no more."""
        with self._lock:
            if self._loop is not None and self._reader is not None:
                with contextlib.suppress(
                    RuntimeError
                ):  # the thread has just failed: nothing is filled any more
                    self._loop.call_soon_threadsafe(self._reader.leave, stream, tail)

    async def aclose(self) -> None:
        """Finish what was asked, and end the thread."""
        with self._lock:
            self._closing = True
            ended = self._ended
            self._tell()
        if ended is not None:
            await wait_for(ended)

    def _tell(self) -> None:
        """Under the lock: there is something to do."""
        if self._loop is not None and not self._told:
            self._told = True
            with contextlib.suppress(
                RuntimeError
            ):  # the thread has just failed: it is about to fail its jobs
                self._loop.call_soon_threadsafe(self._something.set)

    def _work(self, ended: Future[None]) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - SystemExit too: senders and listeners are told
            cause = _first(error)
            said = LogError(f"{self._said}: {cause!r}")
            said.__cause__ = cause
            try:
                log.exception("The thread of %s ended: %r", self._said, cause)
            finally:  # a log handler may fail too
                self._give_up(said)
        finally:
            ended.set_result(None)

    async def _main(self) -> None:
        client, reading = (
            self._connect(PATIENCE),
            self._connect(BLOCK + PATIENCE, single_connection_client=True),
        )
        reader = Reader(reading, self._max, lambda error: self._failed(self._error(error)))
        with self._lock:
            self._loop, self._reader, self._something = asyncio.get_running_loop(), reader, asyncio.Event()
            self._told = False
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(reader.run(ERRORS))
                try:
                    while jobs := await self._next():
                        await self._run(client, jobs)
                        with contextlib.suppress(
                            *ERRORS
                        ):  # the next command will tell; the reader notices by itself
                            await reader.refresh(client)
                finally:
                    while not task.done():
                        # Again: one cancel may be lost in Python 3.11's wait_for(), with which the client sends.
                        task.cancel()
                        await asyncio.wait([task], timeout=0.05)
        finally:
            await client.aclose()
            await reading.aclose()

    def _connect(self, patience: float, **options: Any) -> Redis:
        client = Redis.from_url(
            self._url,
            protocol=2,  # the replies' shape depends on it
            socket_timeout=patience,
            retry=Retry(NoBackoff(), 0),  # an append that is sent again might be there twice
            **options,
        )
        for command in ("XREAD", "SCAN"):
            client.set_response_callback(command, _raw)
        return client

    async def _next(self) -> list[_Job]:
        """What to do now; nothing: it is time to end."""
        while True:
            with self._lock:
                self._told = False
                self._something.clear()
                if self._queue:
                    self._taken = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
                    return self._taken
                if self._closing:
                    return self._end()
            try:
                async with asyncio.timeout(IDLE):
                    await self._something.wait()
            except TimeoutError:
                with self._lock:
                    if not self._queue and not self._busy():
                        return self._end()

    def _end(self) -> list[_Job]:
        """Under the lock: the next who asks starts another thread."""
        self._loop = self._reader = self._ended = None
        return []

    async def _run(self, client: Redis, jobs: list[_Job]) -> None:
        pipe = client.pipeline(transaction=False)
        for job in jobs:
            pipe.pipeline_execute_command(*job.command)
        try:
            replies = await pipe.execute(raise_on_error=False)
        except ERRORS as error:
            replies = [error] * len(jobs)
        for job, reply in zip(jobs, replies, strict=True):
            job.settle(self._error(reply) if isinstance(reply, Exception) else reply)

    def _error(self, error: Exception) -> LogError:
        return LogError(f"{self._said}: {error}")

    def _give_up(self, error: LogError) -> None:
        """Tell all who wait, sender or listener."""
        with self._lock:
            jobs, self._queue = [*self._taken, *self._queue], deque()
            self._end()
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(error)
        self._failed(error)


def _first(error: BaseException) -> BaseException:
    """Return the first error of a task group's group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _raw(response: Any, **_: Any) -> Any:
    return response

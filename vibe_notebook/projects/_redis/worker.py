"""The thread of a Redis log: its event loop owns the connections.

Below ``RedisLog``. The worker sends all waiting commands as one pipeline, in their order; one reader waits for the
entries of all projects with listeners.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from ..._event_loops import wait_for
from ..._foreign_words import clean_logger
from ...exceptions import ClosedError, LogError, MissingExtraError
from .._entry import Id
from .._tail import Tail
from .commands import Command
from .faults import log_error
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

log = clean_logger("vibe_notebook.projects")

T = TypeVar("T")

IDLE: Final = 5.0
"""Seconds without commands and listeners before the thread ends; the next call starts another thread."""

GROUP: Final = 1_000
"""Commands in a pipeline, at most."""

PATIENCE: Final = 10.0
"""Seconds in which the server must reply, beyond the time for which a command asks it to wait."""

ERRORS: Final = (RedisError, OSError)


@dataclass(slots=True)
class _Job:
    """Hold a command, the parser of its reply, and the future of the parsed reply."""

    command: Command
    parse: Callable[[Any], Any]
    done: Future[Any] = field(default_factory=Future)

    def finish(self, reply: Any, label: str) -> None:
        """Parse the reply and set the future."""
        if isinstance(reply, Exception):
            self.done.set_exception(log_error(label, reply))
            return
        try:
            self.done.set_result(self.parse(reply))
        except LogError as error:
            self.done.set_exception(error)
        except Exception as error:  # noqa: BLE001 - logged, and raised in the caller
            failure = LogError(f"the event log: {error!r}")
            failure.__cause__ = error
            try:
                log.exception("A reply of the event log could not be parsed")
            finally:
                self.done.set_exception(failure)


class Worker:
    """Send commands to the server at *url*, in a thread.

    *busy* returns True while the log has listeners. The worker passes an error of the reader to *failed*.
    """

    def __init__(self, url: str, busy: Callable[[], bool], failed: Callable[[Exception], None]) -> None:
        address = parse_url(url)
        self.label = f"the event log at {address.get('host', 'localhost')}:{address.get('port', 6379)}"
        self._url = url
        self._busy = busy
        self._failed = failed
        self._lock = threading.Lock()
        self._queue: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._closing = False
        self._ended: Future[None] | None = None  # of the running thread, or None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader: Reader | None = None
        self._has_work = asyncio.Event()
        self._notified = False

    def renew(self) -> None:
        """Forget the thread, its connections and its jobs, in the child of a fork; the next command starts another."""
        self._lock = threading.Lock()
        self._queue, self._running = deque(), []
        self._has_work, self._notified = asyncio.Event(), False
        self._end()

    def submit(self, command: Command, parse: Callable[[Any], T]) -> Future[T]:
        """Enqueue a command, and return the future of its parsed reply. *parse* runs in the thread."""
        job = _Job(command, parse)
        with self._lock:
            if self._closing:
                raise ClosedError(f"{self.label} is closed")
            if self._ended is None:
                ended: Future[None] = Future()
                # A daemon: at the end of the interpreter no caller waits for an acknowledgement any more.
                thread = threading.Thread(
                    target=self._work, args=(ended,), name="vibe event log", daemon=True
                )
                try:
                    thread.start()  # the new thread waits for the lock that this one holds
                except RuntimeError as error:
                    raise self._error(error) from error
                self._ended = ended
            self._queue.append(job)
            self._notify()
        return job.done

    def follow(self, stream: str, tail: Tail, place: Id) -> None:
        """Fill a tail with the entries after *place*. Runs in the thread."""
        if self._reader is not None:
            self._reader.follow(stream, tail, place)

    def unfollow(self, stream: str, tail: Tail) -> None:
        """Stop filling a tail."""
        with self._lock:
            if self._loop is not None and self._reader is not None:
                # A RuntimeError: the thread has just failed, and fills no tail any more.
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._reader.unfollow, stream, tail)

    async def aclose(self) -> None:
        """Finish the enqueued commands, and end the thread."""
        with self._lock:
            self._closing = True
            ended = self._ended
            self._notify()
        if ended is not None:
            await wait_for(ended)

    def _notify(self) -> None:
        """Notify the thread of a new job or of the end. The caller holds the lock."""
        if self._loop is not None and not self._notified:
            self._notified = True
            # A RuntimeError: the thread has just failed, and is about to fail its jobs.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._has_work.set)

    def _work(self, ended: Future[None]) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - SystemExit too: senders and listeners get the error
            cause = _first_error(error)
            failure = LogError(f"{self.label}: {cause!r}")
            failure.__cause__ = cause
            try:
                log.exception("The thread of %s ended: %r", self.label, cause)
            finally:  # a handler of the logger may fail too
                self._fail_all(failure)
        finally:
            ended.set_result(None)

    async def _main(self) -> None:
        client, reading = (
            self._connect(PATIENCE),
            self._connect(BLOCK + PATIENCE, single_connection_client=True),
        )
        reader = Reader(reading, lambda error: self._failed(self._error(error)))
        with self._lock:
            self._loop, self._reader, self._has_work = asyncio.get_running_loop(), reader, asyncio.Event()
            self._notified = False
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(reader.run(ERRORS))
                try:
                    while jobs := await self._next():
                        await self._run(client, jobs)
                        # The next command reports a lost connection, and the reader detects its own.
                        with contextlib.suppress(*ERRORS):
                            await reader.refresh(client)
                finally:
                    while not task.done():
                        # In a loop: Python 3.11's wait_for(), with which the client sends, may lose a cancellation.
                        task.cancel()
                        await asyncio.wait([task], timeout=0.05)
        finally:
            await client.aclose()
            await reading.aclose()

    def _connect(self, patience: float, **options: Any) -> Redis:
        client = Redis.from_url(
            self._url,
            protocol=2,  # `commands` parses replies of RESP2
            socket_timeout=patience,
            retry=Retry(NoBackoff(), 0),  # a repeated append could be in the log twice
            **options,
        )
        for command in ("XREAD", "SCAN", "HELLO"):
            client.set_response_callback(command, _raw)
        return client

    async def _next(self) -> list[_Job]:
        """Wait for jobs and return them; an empty list ends the thread."""
        while True:
            with self._lock:
                self._notified = False
                self._has_work.clear()
                if self._queue:
                    self._running = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
                    return self._running
                if self._closing:
                    return self._end()
            try:
                async with asyncio.timeout(IDLE):
                    await self._has_work.wait()
            except TimeoutError:
                with self._lock:
                    if not self._queue and not self._busy():
                        return self._end()

    def _end(self) -> list[_Job]:
        """Forget the thread, so that the next call starts another. The caller holds the lock."""
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
            job.finish(reply, self.label)

    def _error(self, error: Exception) -> LogError:
        return log_error(self.label, error)

    def _fail_all(self, error: LogError) -> None:
        """Report the error to all waiting senders and listeners."""
        with self._lock:
            jobs, self._queue = [*self._running, *self._queue], deque()
            self._end()
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(error)
        self._failed(error)


def _first_error(error: BaseException) -> BaseException:
    """Return the first error of a task group's exception group, or *error* itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _raw(response: Any, **_: Any) -> Any:
    return response

"""The event log in Redis Streams: shared by many processes and machines.

``_open_log`` opens it for the URLs ``redis:`` and ``rediss:``. ``commands`` holds the commands and parses the
replies; ``worker`` sends the commands in a thread; ``reader`` waits there for new entries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from ..._event_loops import wait_for
from ..._foreign_words import clean_logger
from ..._forks import renew_in_child
from ..._limits import TAIL_BYTES, TAIL_EVENTS
from ...exceptions import ClosedError
from .._entry import BEGINNING, Id
from .._log import EventLog, Item, Page, Project
from .._tail import Tail
from .commands import LAST, Keys, StreamState, append, check_server, close, page, parse_state, project, query
from .worker import Worker

__all__ = ["RedisLog"]

log = clean_logger("vibe_notebook.projects")

T = TypeVar("T")

PAGE: Final = 1_000
"""Keys that one SCAN of the server covers."""


class RedisLog(EventLog):
    """Store all projects in one Redis database, of Redis 7 or newer.

    Each project keeps about *max_events* events; every key begins with *prefix*. Acknowledged events are as durable
    as the server's ``appendonly`` makes them. Redis makes the ids.
    """

    durable = True

    def __init__(self, url: str, max_events: int = 100_000, prefix: str = "vibe:") -> None:
        if max_events < 1:
            raise ValueError("max_events must be 1 or more")
        self._max = max_events
        self._keys = Keys(prefix)
        self._lock = threading.Lock()
        self._tails: dict[str, tuple[Tail, int]] = {}
        self._worker = Worker(url, lambda: bool(self._tails), self._fail_all)
        renew_in_child(self)

    def renew(self) -> None:
        """Start anew in the child of a fork, with connections of its own."""
        self._lock = threading.Lock()
        for tail, _ in self._tails.values():
            tail.leave()
        self._tails = {}
        self._worker.renew()

    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        stream = self._keys.stream(project_id)
        full_key = None if key is None else self._keys.idempotency_key(project_id, key)
        return await wait_for(self._worker.submit(append(stream, items, self._max, full_key), _ids))

    async def close(self, project_id: str) -> None:
        await wait_for(self._close(project_id))

    def close_soon(self, project_id: str) -> None:
        self._close(project_id).add_done_callback(_report_failure)

    def _close(self, project_id: str) -> Future[None]:
        return self._worker.submit(close(self._keys.stream(project_id), self._max), lambda _: None)

    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        return await wait_for(self._query(project_id, lambda state: page(state, after), after, limit))

    async def trim(self, project_id: str, keep: int) -> int:
        return await wait_for(
            self._worker.submit(("XTRIM", self._keys.stream(project_id), "MAXLEN", keep), int)
        )

    async def projects(self) -> list[Project]:
        cursor, streams = 0, set[bytes]()
        while True:
            command = ("SCAN", cursor, "MATCH", self._keys.pattern(), "COUNT", PAGE, "TYPE", "stream")
            cursor, names = await wait_for(
                self._worker.submit(command, lambda reply: (int(reply[0]), reply[1]))
            )
            streams.update(names)
            if not cursor:
                break
        pending = [self._project(name) for name in sorted(self._keys.project(stream) for stream in streams)]
        projects = [await wait_for(future) for future in pending]
        return [project for project in projects if project is not None]

    async def project(self, project_id: str) -> Project | None:
        return await wait_for(self._project(project_id))

    def knows(self, project_id: str) -> bool:
        found = self._project(project_id).result()
        return found is not None and not found.closed

    async def check(self) -> None:
        await wait_for(self._worker.submit(("HELLO",), lambda reply: check_server(reply, self._worker.label)))
        await self.project("check")

    def _project(self, name: str) -> Future[Project | None]:
        return self._query(name, lambda state: project(name, state))

    def _query(
        self, project_id: str, parse: Callable[[StreamState | None], T], after: Id = LAST, limit: int = 0
    ) -> Future[T]:
        command = query({self._keys.stream(project_id): after}, limit)
        return self._worker.submit(command, lambda replies: parse(parse_state(replies[0])))

    def attach(self, project_id: str) -> Tail:
        with self._lock:
            tail, count = self._tails.get(project_id) or (Tail(TAIL_EVENTS, TAIL_BYTES), 0)
            self._tails[project_id] = tail, count + 1
        if count == 0:
            start = self._query(project_id, lambda state: self._start_tail(project_id, tail, state))
            start.add_done_callback(lambda done: self._fail_tail(project_id, tail, done))
        return tail

    def _start_tail(self, project_id: str, tail: Tail, state: StreamState | None) -> None:
        """Start the tail after the stream's last id. Runs in the worker's event loop."""
        place = BEGINNING if state is None else state.last
        with self._lock:
            wanted = self._tails.get(project_id, (None,))[0] is tail
        if wanted:
            tail.start(place)
            self._worker.follow(self._keys.stream(project_id), tail, place)

    def _fail_tail(self, project_id: str, tail: Tail, done: Future[None]) -> None:
        """Report a failed start of a tail to its listeners. The next listener starts a new tail."""
        error = done.exception()
        if isinstance(error, Exception):
            with self._lock:
                if self._tails.get(project_id, (None,))[0] is tail:
                    del self._tails[project_id]
            tail.fail(error)

    def _fail_all(self, error: Exception) -> None:
        with self._lock:
            tails, self._tails = list(self._tails.values()), {}
        for tail, _ in tails:
            tail.fail(error)

    def release(self, project_id: str, tail: Tail) -> None:
        with self._lock:
            found, count = self._tails.get(project_id, (None, 0))
            if found is not tail:
                return
            if count > 1:
                self._tails[project_id] = tail, count - 1
                return
            del self._tails[project_id]
        self._worker.unfollow(self._keys.stream(project_id), tail)

    async def aclose(self) -> None:
        self._fail_all(ClosedError("the event log is closed"))
        await self._worker.aclose()


def _ids(reply: bytes) -> list[str]:
    return reply.decode().split()


def _report_failure(done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        log.error("A stream could not be closed: %s", error)

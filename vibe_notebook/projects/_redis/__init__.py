"""The event log in Redis Streams: shared by many processes and machines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from ..._event_loops import wait_for
from ...exceptions import ClosedError
from .._entry import BEGINNING, Id
from .._log import EventLog, Item, Page, Project
from .._tail import Tail
from .commands import Names, add, close, look, page, project
from .worker import Worker

__all__ = ["RedisLog"]

log = logging.getLogger("vibe_notebook.projects")

T = TypeVar("T")

TAIL: Final = (4_096, 16 << 20)
"""Entries and characters of each project that listeners share in memory."""

PAGE: Final = 1_000
"""Keys that the server looks at in one go, when asked for all projects."""


class RedisLog(EventLog):
    """All projects in one Redis database, from Redis 7 on.

    *max_events* is about how many each project keeps; every key begins with *prefix*. What is acknowledged
    is as durable as the server's ``appendonly`` makes it; ids are Redis' own.
    """

    durable = True

    def __init__(self, url: str, max_events: int = 100_000, prefix: str = "vibe:") -> None:
        if max_events < 1:
            raise ValueError("max_events is 1 or more")
        self._max = max_events
        self._names = Names(prefix)
        self._lock = threading.Lock()
        self._tails: dict[str, tuple[Tail, int]] = {}
        self._worker = Worker(url, max_events, lambda: bool(self._tails), self._fail_all)

    async def append(self, project_id: str, items: Sequence[Item], key: str | None = None) -> list[str]:
        stream = self._names.stream(project_id)
        named = None if key is None else self._names.key(project_id, key)
        return await wait_for(self._worker.ask(add(stream, items, self._max, named), _ids))

    async def close(self, project_id: str) -> None:
        await wait_for(self._close(project_id))

    def close_soon(self, project_id: str) -> None:
        self._close(project_id).add_done_callback(_say)

    def _close(self, project_id: str) -> Future[None]:
        return self._worker.ask(close(self._names.stream(project_id), self._max), lambda _: None)

    async def read(self, project_id: str, after: Id, limit: int) -> Page:
        return await wait_for(self._look(project_id, lambda looked: page(looked, after), after, limit))

    async def trim(self, project_id: str, keep: int) -> int:
        return await wait_for(
            self._worker.ask(("XTRIM", self._names.stream(project_id), "MAXLEN", keep), int)
        )

    async def projects(self) -> list[Project]:
        cursor, streams = 0, set[bytes]()
        while True:
            command = ("SCAN", cursor, "MATCH", self._names.pattern(), "COUNT", PAGE, "TYPE", "stream")
            cursor, some = await wait_for(self._worker.ask(command, lambda reply: (int(reply[0]), reply[1])))
            streams.update(some)
            if not cursor:
                break
        asked = [self._project(name) for name in sorted(self._names.project(stream) for stream in streams)]
        found = [await wait_for(one) for one in asked]
        return [one for one in found if one is not None]

    async def project(self, project_id: str) -> Project | None:
        return await wait_for(self._project(project_id))

    def knows(self, project_id: str) -> bool:
        found = self._project(project_id).result()
        return found is not None and not found.closed

    def _project(self, name: str) -> Future[Project | None]:
        return self._look(name, lambda looked: project(name, looked))

    def _look(self, project_id: str, parse: Callable[[Any], T], *place: Any) -> Future[T]:
        return self._worker.ask(look(self._names.stream(project_id), *place), parse)

    def attach(self, project_id: str) -> Tail:
        with self._lock:
            tail, count = self._tails.get(project_id) or (Tail(*TAIL), 0)
            self._tails[project_id] = tail, count + 1
        if count == 0:
            begun = self._look(project_id, lambda looked: self._begin(project_id, tail, looked))
            begun.add_done_callback(lambda done: self._fail(project_id, tail, done))
        return tail

    def _begin(self, project_id: str, tail: Tail, looked: Any) -> None:
        """In the worker's loop: the tail begins at the stream's end of now."""
        place = page(looked, BEGINNING).place
        with self._lock:
            wanted = self._tails.get(project_id, (None,))[0] is tail
        if wanted:
            tail.start(place)
            self._worker.follow(self._names.stream(project_id), tail, place)

    def _fail(self, project_id: str, tail: Tail, done: Future[None]) -> None:
        """Where a tail could not begin: whoever listens is told, and who comes later tries anew."""
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
        self._worker.leave(self._names.stream(project_id), tail)

    async def aclose(self) -> None:
        self._fail_all(ClosedError("the event log is closed"))
        await self._worker.aclose()


def _ids(reply: bytes) -> list[str]:
    return reply.decode().split()


def _say(done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        log.error("A stream could not be closed: %s", error)

"""The one XREAD of a process: it waits for all projects that anybody here listens to, and fills their tails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .._entry import Id, parse_id
from .._tail import Tail
from .commands import gap, look, rows

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["BLOCK", "Reader"]

BLOCK: Final = 5.0
"""Seconds that one XREAD waits, at most."""

COUNT: Final = 1_000
"""Entries of each stream that one XREAD gives, at most."""

SUSPECT: Final = 64
"""So many at once, and the server may have trimmed some before they could be read: look."""

PATIENCE: Final = 100
"""Times to try to interrupt an XREAD; beyond that it ends by itself."""

NOTHING: Final = "\0"
"""A stream that never is: XREAD needs at least one."""


class Reader:
    """Runs in the log's own event loop. *client* keeps one connection; *failed* is told of an error."""

    def __init__(self, client: Redis, max_events: int, failed: Callable[[Exception], None]) -> None:
        self._client = client
        self._failed = failed
        self._suspect = min(SUSPECT, max_events)
        self._tails: dict[bytes, tuple[Tail, str]] = {}
        self._wanted = asyncio.Event()
        self._name: int | None = None  # the connection's, for CLIENT UNBLOCK
        self._reads = 0
        self._blocked = 0  # the number of the XREAD that waits; 0 while there is none
        self._stale = False  # the XREAD that waits does not know all tails

    def follow(self, stream: str, tail: Tail, place: Id) -> None:
        """Fill a tail with what comes after *place*."""
        self._tails[stream.encode()] = tail, f"{place[0]}-{place[1]}"
        self._stale = True
        self._wanted.set()

    def leave(self, stream: str, tail: Tail) -> None:
        """Nobody listens to it any more."""
        name = stream.encode()
        if name in self._tails and self._tails[name][0] is tail:
            del self._tails[name]

    async def refresh(self, client: Redis) -> None:
        """Let the XREAD that waits begin anew, if it does not know all tails; ask with another *client*."""
        if not self._stale:
            return
        self._stale = False
        reading = self._blocked
        for _ in range(PATIENCE):
            if self._blocked != reading or not reading:
                break
            if await client.execute_command("CLIENT", "UNBLOCK", self._name):
                break
            # It has not reached the server yet, or its answer has not come back.
            await asyncio.sleep(0.001)

    async def run(self, errors: tuple[type[Exception], ...]) -> None:
        """Read until cancelled. After an error, all tails have failed; new ones find a new connection."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                self._name = await self._client.execute_command("CLIENT", "ID")
                await self._read()
            except errors as error:
                self._tails.clear()
                self._failed(error)
                with contextlib.suppress(*errors):  # what is broken need not close well
                    await self._client.aclose()
            finally:
                self._blocked = 0

    async def _read(self) -> None:
        while True:
            self._reads += 1
            tails = self._tails
            names = [NOTHING.encode(), *tails]
            places = ["0-0", *(place for _, place in tails.values())]
            self._blocked, self._stale = self._reads, False
            reply = await self._client.execute_command(
                "XREAD", "COUNT", COUNT, "BLOCK", int(BLOCK * 1000), "STREAMS", *names, *places
            )
            self._blocked = 0
            for name, found in reply or ():
                await self._fill(name, found)

    async def _fill(self, name: bytes, found: Any) -> None:
        tail, place = self._tails.get(name, (None, ""))
        if tail is None:
            return
        newest = found[-1][0].decode()
        lost = False
        if len(found) >= self._suspect:
            lost = gap(await self._client.execute_command(*look(name.decode())), parse_id(place)) is not None
        if self._tails.get(name, (None,))[0] is not tail:
            return
        self._tails[name] = tail, newest
        if lost:
            # Who listens finds in the log what there still is, and what is missing.
            tail.restart(parse_id(newest))
        else:
            tail.extend(list(rows(found)))

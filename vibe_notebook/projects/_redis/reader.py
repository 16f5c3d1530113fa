"""The reader of a process: one XREAD waits for all projects with listeners here, and fills their tails.

``worker`` runs the reader in its event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .._entry import Id, parse_id
from .._tail import Tail
from .commands import entries, gap, query

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["BLOCK", "Reader"]

BLOCK: Final = 5.0
"""Seconds for which one XREAD waits, at most."""

COUNT: Final = 1_000
"""Entries of each stream in one reply to XREAD, at most."""

CHECK_FROM: Final = 64
"""Entries in one reply from which the reader checks for a gap: the server may have trimmed unread entries."""

UNBLOCK_TRIES: Final = 100
"""Tries to interrupt an XREAD; after them the XREAD ends by itself."""

NO_STREAM: Final = "\0"
"""The key of a stream that never exists: XREAD needs at least one stream."""


class Reader:
    """Read new entries into tails, in the log's own event loop.

    *client* has one connection, for the reader alone. The reader passes an error to *failed*.
    """

    def __init__(self, client: Redis, max_events: int, failed: Callable[[Exception], None]) -> None:
        self._client = client
        self._failed = failed
        self._check_from = min(CHECK_FROM, max_events)
        self._tails: dict[bytes, tuple[Tail, str]] = {}
        self._has_tails = asyncio.Event()
        self._client_id: int | None = None  # of the connection, for CLIENT UNBLOCK
        self._reads = 0
        self._waiting_read = 0  # the number of the waiting XREAD; 0 while none waits
        self._stale = False  # the waiting XREAD lacks the stream of a new tail

    def follow(self, stream: str, tail: Tail, place: Id) -> None:
        """Fill a tail with the entries after *place*."""
        self._tails[stream.encode()] = tail, f"{place[0]}-{place[1]}"
        self._stale = True
        self._has_tails.set()

    def unfollow(self, stream: str, tail: Tail) -> None:
        """Stop filling a tail: its last listener has ended."""
        name = stream.encode()
        if name in self._tails and self._tails[name][0] is tail:
            del self._tails[name]

    async def refresh(self, client: Redis) -> None:
        """Interrupt the waiting XREAD with another *client* if it lacks the stream of a new tail."""
        if not self._stale:
            return
        self._stale = False
        reading = self._waiting_read
        for _ in range(UNBLOCK_TRIES):
            if self._waiting_read != reading or not reading:
                break
            if await client.execute_command("CLIENT", "UNBLOCK", self._client_id):
                break
            # The XREAD has not reached the server yet, or its reply has not arrived.
            await asyncio.sleep(0.001)

    async def run(self, errors: tuple[type[Exception], ...]) -> None:
        """Read until a cancellation. After an error every tail has failed; the next tail gets a new connection."""
        while True:
            await self._has_tails.wait()
            self._has_tails.clear()
            try:
                self._client_id = await self._client.execute_command("CLIENT", "ID")
                await self._read()
            except errors as error:
                self._tails.clear()
                self._failed(error)
                with contextlib.suppress(*errors):  # a broken connection may fail to close
                    await self._client.aclose()
            finally:
                self._waiting_read = 0

    async def _read(self) -> None:
        while True:
            self._reads += 1
            tails = self._tails
            names = [NO_STREAM.encode(), *tails]
            places = ["0-0", *(place for _, place in tails.values())]
            self._waiting_read, self._stale = self._reads, False
            reply = await self._client.execute_command(
                "XREAD", "COUNT", COUNT, "BLOCK", int(BLOCK * 1000), "STREAMS", *names, *places
            )
            self._waiting_read = 0
            for name, rows in reply or ():
                await self._fill(name, rows)

    async def _fill(self, name: bytes, rows: Any) -> None:
        tail, place = self._tails.get(name, (None, ""))
        if tail is None:
            return
        newest = rows[-1][0].decode()
        lost = False
        if len(rows) >= self._check_from:
            lost = gap(await self._client.execute_command(*query(name.decode())), parse_id(place)) is not None
        if self._tails.get(name, (None,))[0] is not tail:
            return
        self._tails[name] = tail, newest
        if lost:
            # Listeners read the remaining entries, and the gap, from the log.
            tail.restart(parse_id(newest))
        else:
            tail.extend(list(entries(rows)))

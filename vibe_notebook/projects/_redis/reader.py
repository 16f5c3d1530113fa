"""The reader of a process: one XREAD waits for all projects with listeners here; then a query fills their tails.

``worker`` runs the reader in its event loop. The XREAD only tells which streams have new entries: its reply is not
bounded in bytes, and does not tell whether the last entry read is still there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from .._entry import Id, text_of
from .._tail import Tail
from .commands import page, parse_state, query

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["BLOCK", "Reader"]

BLOCK: Final = 5.0
"""Seconds for which one XREAD waits, at most."""

COUNT: Final = 1_000
"""Entries of each stream in one reply to a query, at most."""

STREAMS: Final = 16
"""Streams in one query, at most: a reply holds so many windows of bytes."""

UNBLOCK_TRIES: Final = 100
"""Tries to interrupt an XREAD; after them the XREAD ends by itself."""

NO_STREAM: Final = "\0"
"""The key of a stream that never exists: XREAD needs at least one stream."""


class Reader:
    """Read new entries into tails, in the log's own event loop.

    *client* has one connection, for the reader alone. The reader passes an error to *failed*.
    """

    def __init__(self, client: Redis, failed: Callable[[Exception], None]) -> None:
        self._client = client
        self._failed = failed
        self._tails: dict[str, tuple[Tail, Id]] = {}
        self._has_tails = asyncio.Event()
        self._client_id: int | None = None  # of the connection, for CLIENT UNBLOCK
        self._reads = 0
        self._waiting_read = 0  # the number of the waiting XREAD; 0 while none waits
        self._stale = False  # the waiting XREAD lacks the stream of a new tail

    def follow(self, stream: str, tail: Tail, place: Id) -> None:
        """Fill a tail with the entries after *place*."""
        self._tails[stream] = tail, place
        self._stale = True
        self._has_tails.set()

    def unfollow(self, stream: str, tail: Tail) -> None:
        """Stop filling a tail: its last listener has ended."""
        if self._tails.get(stream, (None,))[0] is tail:
            del self._tails[stream]

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
            names = [NO_STREAM, *self._tails]
            places = ["0-0", *(text_of(place) for _, place in self._tails.values())]
            self._waiting_read, self._stale = self._reads, False
            reply = await self._client.execute_command(
                "XREAD", "COUNT", 1, "BLOCK", int(BLOCK * 1000), "STREAMS", *names, *places
            )
            self._waiting_read = 0
            # After a silence the reader checks every stream: one that is gone sends nothing.
            found = [name.decode() for name, _ in reply] if reply else list(self._tails)
            for start in range(0, len(found), STREAMS):
                await self._fill(found[start : start + STREAMS])

    async def _fill(self, names: Sequence[str]) -> None:
        """Extend the tails of the streams *names* by their next entries."""
        tails = {name: self._tails[name] for name in names if name in self._tails}
        if not tails:
            return
        places = {name: place for name, (_, place) in tails.items()}
        replies = await self._client.execute_command(*query(places, COUNT))
        for (name, (tail, place)), reply in zip(tails.items(), replies, strict=True):
            if self._tails.get(name, (None,))[0] is not tail:
                continue
            new = page(parse_state(reply), place)
            self._tails[name] = tail, new.place
            if new.gap is not None:
                # Listeners read the remaining entries, and the gap, from the log.
                tail.restart(new.place)
            elif new.entries:
                tail.extend(new.entries)

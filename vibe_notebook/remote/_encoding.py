"""A body as it was before it was compressed: we ask for none, and some proxies do it all the same.

Below ``_http.py``. Our own, because the HTTP client reads one gzip member and drops those after it
without a word: a server that flushes each event as a member would lose all but the first.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

__all__ = ["Inflated", "Inflater", "is_compressed"]

_EITHER: Final = zlib.MAX_WBITS | 32
"""gzip or zlib, whichever its first bytes say."""
_PIECE: Final = 1 << 20
"""Bytes at a time, so that a small piece of the body cannot become all of the memory."""


def is_compressed(codings: str) -> bool | None:
    """Whether a ``Content-Encoding`` is one that is read here; ``None``: it is another."""
    named = [each for each in map(str.strip, codings.lower().split(",")) if each not in ("", "identity")]
    if not named:
        return False
    return True if named in (["gzip"], ["x-gzip"], ["deflate"]) else None


class Inflater:
    """One body, of any number of members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_EITHER)
        self.is_whole = True
        """Whether no member has begun and not ended."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what these bytes were. Raises ``zlib.error`` for what was never compressed."""
        is_more = False
        while data or is_more:
            piece = self._member.decompress(data, _PIECE)
            is_end = self._member.eof
            if is_end:
                data = self._member.unused_data
                self._member = zlib.decompressobj(_EITHER)
            else:
                data = self._member.unconsumed_tail
            self.is_whole, is_more = is_end, not is_end and len(piece) == _PIECE
            if piece:
                yield piece


class Inflated(AsyncIterator[bytes]):
    """What *body* was. Raises ``zlib.error``, also where it ends in the middle.

    No generator: one that raised would leave the body's behind, open.
    """

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._inflater = Inflater()
        self._pieces: Iterator[bytes] = iter(())

    async def __anext__(self) -> bytes:
        while (piece := next(self._pieces, None)) is None:
            data = await anext(self._body, None)
            if data is not None:
                self._pieces = self._inflater.feed(data)
            elif self._inflater.is_whole:
                raise StopAsyncIteration
            else:
                raise zlib.error("it ends in the middle")
        return piece

"""One listener's stream over HTTP: what the log has after an id, then what comes.

Each event's frame was encoded once, by the log; here frames are only put together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final, Protocol, cast

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from ..exceptions import VibeNotebookError
from ._limits import Limits, Seats

__all__ = ["Feed", "Framed", "Stream"]

log = logging.getLogger("vibe_notebook.server")

BATCH: Final = 1_024
"""Events that are sent at once, at most."""

PIECE: Final = 256 * 1024
"""Bytes that are sent at once, about: what a slow listener makes the server hold."""


class Framed(Protocol):
    """An event or a gap, as it goes over the wire."""

    @property
    def frame(self) -> bytes:
        """The SSE block."""


class Feed(Protocol):
    """A listener of a project."""

    async def batch(self, max_events: int = ...) -> Sequence[Framed]:
        """What comes next; nothing: the stream has ended."""

    def close(self) -> None:
        """Listen no more."""


_GRACE: Final = 2.0
"""Seconds that a stream gets to come to its end."""


class _Ending:
    """Stands for the event that sse-starlette sets at a shutdown."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def set(self) -> None:
        """End the stream."""
        self._feed.close()


class Stream(EventSourceResponse):
    """The response; it gives the listener's seat back however it ends."""

    def __init__(self, feed: Feed, seats: Seats, limits: Limits, *, heartbeat: float, retry: float) -> None:
        super().__init__(
            _frames(feed, limits.stream_seconds, retry, seats.pause),
            ping=heartbeat,
            ping_message_factory=_ping,
            send_timeout=limits.send_seconds,
            sep="\n",
            # Under another server than ours sse-starlette finds out that it ends; then the stream ends
            # as a stream does, and its client resumes, instead of being cut off.
            shutdown_event=cast("anyio.Event", _Ending(feed)),
            shutdown_grace_period=_GRACE,
        )
        self._feed = feed
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("A listener took nothing for too long; its connection is dropped.")
        finally:
            self._seats.free(self._feed)


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")


async def _frames(
    feed: Feed, seconds: float | None, retry: float, pause: Callable[[], float]
) -> AsyncIterator[bytes]:
    # Said at once, so that proxies and clients see that the stream is there.
    yield b"retry: %d\n\n" % (retry * 1000)
    ends_at = None if seconds is None else time.monotonic() + seconds
    try:
        while batch := await _next(feed, ends_at):
            for piece in _pieces(batch):
                yield piece
            # What comes meanwhile goes out together: a send costs the same for one event as for many.
            # It is a checkpoint too: a batch that was there already is none, nor is a send to somebody
            # who has left, and without one whoever leaves in the middle of a replay would stop the server.
            await anyio.sleep(0 if len(batch) == BATCH else pause())
    except (VibeNotebookError, OSError):
        # The headers are sent: all that can be said is the end. The client comes back and resumes.
        log.exception("A stream ends early: its log failed.")


async def _next(feed: Feed, ends_at: float | None) -> Sequence[Framed]:
    if ends_at is None:
        return await feed.batch(BATCH)
    with anyio.move_on_after(ends_at - time.monotonic()):
        return await feed.batch(BATCH)
    return []


def _pieces(batch: Sequence[Framed]) -> Iterator[bytes]:
    """Put frames together, but not into more than what is sent at once."""
    if len(batch) == 1:
        yield batch[0].frame
        return
    frames: list[bytes] = []
    size = 0
    for framed in batch:
        frames.append(framed.frame)
        size += len(framed.frame)
        if size >= PIECE:
            yield b"".join(frames)
            frames, size = [], 0
    if frames:
        yield b"".join(frames)

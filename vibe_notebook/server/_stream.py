"""The stream of one listener over HTTP: first the log's events after an id, then new events.

Between ``_routes`` and a ``Listener``. The log's entries encode each frame once; this module only joins frames.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final, Protocol, cast

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from .._foreign_words import clean_logger
from ..exceptions import VibeNotebookError
from ._limits import Limits, OpenStreams

__all__ = ["Feed", "Framed", "Stream"]

log = clean_logger("vibe_notebook.server")

BATCH: Final = 1_024
"""Events in one batch from the listener, at most."""

CHUNK: Final = 256 * 1024
"""Bytes in one send, at most; a single larger event passes alone. A send must not end inside of an event: the server
could send a heartbeat there."""

_GRACE: Final = 2.0
"""Seconds in which a stream must end at a shutdown."""


class Framed(Protocol):
    """Hold an event or a gap in the form of the wire."""

    @property
    def frame(self) -> bytes:
        """Return the bytes of the SSE block."""


class Feed(Protocol):
    """Receive the events of a project."""

    async def batch(self, max_events: int = ...) -> Sequence[Framed]:
        """Wait for the next events; an empty batch is the end of the stream."""

    def close(self) -> None:
        """Stop listening."""


class _ShutdownEvent:
    """Stand in for the event that sse-starlette sets at a shutdown."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def set(self) -> None:
        """End the stream."""
        self._feed.close()


class Stream(EventSourceResponse):
    """Send a listener's events as the response, and remove the listener at the end."""

    def __init__(
        self, feed: Feed, open_streams: OpenStreams, limits: Limits, *, heartbeat: float, retry: float
    ) -> None:
        super().__init__(
            _frames(feed, limits.stream_seconds, retry, open_streams.pause),
            ping=heartbeat,
            ping_message_factory=_ping,
            send_timeout=limits.send_seconds,
            sep="\n",
            # Under a server of the caller's own, sse-starlette detects the shutdown and sets the event. Then the
            # response ends completely, and its client resumes, instead of losing the connection.
            shutdown_event=cast("anyio.Event", _ShutdownEvent(feed)),
            shutdown_grace_period=_GRACE,
        )
        self._feed = feed
        self._open_streams = open_streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("A listener has read nothing for too long; the server drops its connection.")
        finally:
            self._open_streams.remove(self._feed)


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep="\n")


async def _frames(
    feed: Feed, seconds: float | None, retry: float, pause: Callable[[], float]
) -> AsyncIterator[bytes]:
    # Sent at once, so that proxies and clients see the start of the stream.
    yield b"retry: %d\n\n" % (retry * 1000)
    ends_at = None if seconds is None else time.monotonic() + seconds
    try:
        while waiting := deque(await _next(feed, ends_at)):
            is_full = len(waiting) == BATCH
            for chunk in _chunks(waiting):
                yield chunk
            # Events that arrive during the pause go out in one send, which costs the same for one event as for many.
            # The pause is a checkpoint too. Neither a batch from memory nor a send to a closed connection is one:
            # without the pause, a client that leaves in the middle of a replay would block the server.
            await anyio.sleep(0 if is_full else pause())
    except (VibeNotebookError, OSError):
        # The headers are sent already: the stream can only end. The client reconnects and resumes.
        log.exception("A stream ends early: the log failed.")


async def _next(feed: Feed, ends_at: float | None) -> Sequence[Framed]:
    if ends_at is None:
        return await feed.batch(BATCH)
    with anyio.move_on_after(ends_at - time.monotonic()):
        return await feed.batch(BATCH)
    return []


def _chunks(waiting: deque[Framed]) -> Iterator[bytes]:
    """Join frames into chunks of about ``CHUNK`` bytes. A larger frame is a chunk of its own.

    The function takes the events out of *waiting*: while a slow listener reads a chunk, the server holds this chunk and
    the events behind it, and no event that it has sent.
    """
    frames: list[bytes] = []
    size = 0
    while waiting:
        frame = waiting.popleft().frame
        if frames and size + len(frame) > CHUNK:
            chunk, frames, size = b"".join(frames), [], 0
            yield chunk
        if len(frame) >= CHUNK:
            yield frame
        else:
            frames.append(frame)
            size += len(frame)
    if frames:
        yield frames[0] if len(frames) == 1 else b"".join(frames)

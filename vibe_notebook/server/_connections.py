"""The connections of a server, bounded before the app sees a request.

Between uvicorn and the app. uvicorn bounds neither the size of a request's head nor the time for which a connection
may be silent, so that a client without a token could fill the server's memory. ``_serve`` calls ``sweep`` once a
second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ._limits import Limits
from ._security_headers import SECURITY_HEADERS

__all__ = ["Connection", "sweep"]

log = logging.getLogger("vibe_notebook.server")

ADDRESS_BYTES: Final = 8 * 1024
"""Bytes of a request's address, at most: a project's id of 200 emoji has 2.4 KB in it."""

HEADERS: Final = 100
"""Headers of a request, at most: browsers and proxies send fewer than 40."""

PIPELINED: Final = 8
"""Requests that a client may send before the answer to its first: only tests of servers send any."""

FRAMING: Final = 8
"""Bytes of a chunked body for each byte of its content, at most: a chunk of one byte has 6."""

LINGER: Final = 2.0
"""Seconds in which a client reads the answer to a request that is refused here; then the server closes."""

GRACE: Final = 1.0
"""Seconds in which the server closes no connection to make room: it may not have read the request yet."""

_MESSAGES: Final = {
    400: "This is no HTTP request.",
    408: "The request did not arrive in time; send it again.",
    414: f"The address is longer than {ADDRESS_BYTES:,} bytes.",
    431: "The request has too many headers, or too large ones.",
}


class Phase(Enum):
    """Name the part of a request that the server waits for."""

    IDLE = auto()
    """The server waits for a request, or answers one that has arrived as a whole."""
    HEAD = auto()
    BODY = auto()
    REFUSED = auto()
    """The answer is an error, and the server ignores all further bytes."""


class Connection(HttpToolsProtocol):
    """Serve one connection within the limits: refuse a request beyond them, before the app sees it."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._clock = clock
        self._phase = Phase.IDLE
        self._is_upgraded = False
        self._heads = 0
        self._head_bytes = 0
        self._header_count = 0
        self._body_bytes = 0
        self._framing_bytes = 0
        self._unread = 0
        self._unread_since = 0.0
        self.since = clock()
        """The time at which the present phase began."""

    @property
    def is_refused(self) -> bool:
        """Return True after an error answer of this class: the server ignores all further bytes."""
        return self._phase is Phase.REFUSED

    @property
    def is_waiting(self) -> bool:
        """Return True while the server waits for the client: no whole request is being answered."""
        return self._phase is not Phase.IDLE or self.cycle is None or self.cycle.response_complete

    def check(self, now: float) -> None:
        """End the connection if the client sends or reads too slowly."""
        buffered = self.transport.get_write_buffer_size()
        # Nothing is written then, so that the buffer only shrinks: by as much as the client reads.
        if buffered and (self.flow.write_paused or self.transport.is_closing() or self.is_waiting):
            if not self._unread or buffered < self._unread:
                self._unread_since = now
            elif now - self._unread_since > self._limits.send_seconds:
                self._drop("it reads nothing")
            self._unread = buffered
            if self._phase is Phase.IDLE:
                self.since = now  # the answer has not arrived yet
            return
        self._unread = 0
        limits = {
            Phase.IDLE: self._limits.head_seconds,
            Phase.HEAD: self._limits.head_seconds,
            Phase.BODY: self._limits.body_seconds,
            Phase.REFUSED: LINGER,
        }
        if not self.is_waiting or now - self.since <= limits[self._phase]:
            return
        if self._phase is Phase.BODY:
            self._refuse(408)
        else:  # without a whole head there is no request to answer
            self._drop("it sends no request")

    def make_room(self, now: float) -> None:
        """End this connection in favour of others, unless it is new."""
        if now - self.since > GRACE:
            self._drop("others need its place")

    def data_received(self, data: bytes) -> None:
        """Parse the client's bytes in slices, and count the bytes of each part of a request."""
        self._unset_keepalive_if_required()
        size = self._limits.head_bytes
        for start in range(0, len(data), size):
            if self.is_refused or self._is_upgraded or self.transport.is_closing():
                return
            self._parse(data[start : start + size])

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_bytes = self._header_count = 0
        self._enter(Phase.HEAD)

    def on_url(self, url: bytes) -> None:
        """Receive a piece of the address."""
        if len(self.url) + len(url) > ADDRESS_BYTES:
            raise _BeyondLimitError(414)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header, or a trailer of a chunked body."""
        self._header_count += 1
        if self._header_count > HEADERS:
            raise _BeyondLimitError(431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Pass the request on to the app; its body follows."""
        if len(self.pipeline) >= PIPELINED:
            raise _BeyondLimitError(400)
        super().on_headers_complete()
        self._heads += 1
        self._body_bytes = self._framing_bytes = 0
        self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """Receive a piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request: the app has all of it."""
        super().on_message_complete()
        self._enter(Phase.IDLE)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if self._phase is Phase.IDLE:
            self.since = self._clock()
        super().on_response_complete()

    def _enter(self, phase: Phase) -> None:
        self._phase, self.since = phase, self._clock()

    def _parse(self, piece: bytes) -> None:
        was, heads, body_bytes = self._phase, self._heads, self._body_bytes
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # The app answers the request as one without an upgrade. The bytes of the other protocol are dropped.
            self._is_upgraded = True
            self.cycle.keep_alive = False
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _BeyondLimitError) else 400)
            return
        if self._phase is Phase.HEAD:
            # The head that follows another request in this slice is counted from the next slice on.
            is_alone = heads == self._heads and was is not Phase.BODY
            self._head_bytes += len(piece) if is_alone else 0
            if self._head_bytes >= self._limits.head_bytes:
                self._refuse(431)
        elif self._phase is Phase.BODY and was is Phase.BODY and heads == self._heads:
            self._framing_bytes += len(piece) - (self._body_bytes - body_bytes)
            if self._framing_bytes > self._limits.head_bytes + FRAMING * self._body_bytes:
                self._refuse(400)

    def _refuse(self, status: int) -> None:
        """Answer the request in progress with an error, and close the connection after the client read it."""
        log.info("A request was refused before the app: %d %s", status, _MESSAGES[status])
        cycle = self.cycle
        is_its_own = self._phase is Phase.BODY and not self.pipeline
        if cycle is not None and not cycle.response_complete:
            if not is_its_own or cycle.response_started:
                # An answer here would mix with the one in progress.
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        elif is_its_own:  # the app has answered without the rest of the body
            self.transport.close()
            return
        self._enter(Phase.REFUSED)
        self.transport.write(_answer(status))
        # The client may still send. A close now would reset the connection, and the client would lose the answer.
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _drop(self, reason: str) -> None:
        log.info("The server closes a connection: %s.", reason)
        self.transport.abort()


class _BeyondLimitError(Exception):
    """Report a request beyond a limit to the parser's caller."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def sweep(connections: Iterable[asyncio.Protocol], room: int, now: float) -> None:
    """End the connections that are too slow, and the oldest waiting ones beyond *room*.

    A connection with an open stream, or with a request that the app answers, is not a waiting one.
    """
    ours = [each for each in connections if isinstance(each, Connection)]
    for each in ours:
        each.check(now)
    waiting = sorted((each for each in ours if each.is_waiting), key=lambda each: each.since)
    for each in waiting[: max(0, len(waiting) - room)]:
        each.make_room(now)


def _answer(status: int) -> bytes:
    body = json.dumps({"error": _MESSAGES[status]}).encode()
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *SECURITY_HEADERS,
    )
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])

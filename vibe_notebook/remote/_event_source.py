"""Iterate over one remote stream's server-sent events, over any number of connections.

``_http`` opens each connection, below; ``_follow`` makes the package's own events of the server-sent
ones, above. ``EventSource`` is a class, not a generator: each step enters and leaves its own scopes, so
the consumer's task holds none between two events.
"""

from __future__ import annotations

import math
import random
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping
from types import TracebackType
from typing import Any, Final, Self

import anyio

from ..exceptions import ConsumedError, RemoteError
from ._decoder import MAX_EVENT, ServerSentEvent, SSEDecoder
from ._http import Http
from ._interruptible import Interruptible
from ._request import RETRIED, Cursor, Settings, StreamRequest
from ._responses import Ended, Lost, Opened, Refused
from ._retry import Backoff
from ._secrets import Credentials, Params, Token, redact
from ._status import Status

__all__ = ["EventSource", "event_source"]

STATUS_TRIES: Final = 3
"""Tries again at a server that has never streamed and answers 429 or 5xx.

At a server that has streamed, the client tries again without end.
"""

EMPTY_ANSWERS: Final = 2
"""Whole answers in a row without an event, after which a hosted run has no more events.

One could be a proxy's, which ends its connections in silence.
"""


def event_source(  # noqa: PLR0913 - each is an option with a name of its own
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Params | None = None,
    token: Token | None = None,
    method: str | None = None,
    json: Any = None,
    content: bytes | str | None = None,
    resume: bool = False,
    last_event_id: str | None = None,
    reconnect_delay: float = 3.0,
    idle_timeout: float | None = 60.0,
    connect_timeout: float = 10.0,
    max_event: int = MAX_EVENT,
    retry_statuses: Container[int] = RETRIED,
    proxy: str | None = None,
    verify: ssl.SSLContext | bool = True,
    sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    jitter: Callable[[], float] = random.random,
) -> EventSource:
    """Read a remote stream of server-sent events, for hours, over any number of connections.

    ::

        async for event in event_source("https://host/stream"):
            print(event.event, event.data, event.id)

    The stream reconnects by itself and resumes after ``last_event_id``. The stream ends on the status
    204 and on ``close()``. Headers, parameters, body and token go to this URL's host alone; no message
    and no ``repr`` shows them.

    Args:
        url: The stream's address, http or https.
        headers: Headers for the URL's host.
        params: Parameters that are added to the URL's own.
        token: A bearer token, or a function, sync or async, that returns one for each connection.
            Default: ``VIBE_NOTEBOOK_TOKEN``, for loopback and the hosts in ``VIBE_NOTEBOOK_TOKEN_HOSTS``.
        method: The HTTP method. Default: POST with a body, else GET. A request with another method
            than GET goes out once: the end of its answer ends the stream, and a broken connection is an
            error.
        json: A body, sent as JSON.
        content: A body, sent as bytes or text.
        resume: True for servers that continue such an answer: the request goes out again, with
            ``Last-Event-ID``, once the stream has an id.
        last_event_id: The id after which the stream begins.
        reconnect_delay: Seconds before a reconnect, until the server sets its own.
        idle_timeout: Seconds without a byte, after which the connection counts as dead.
        connect_timeout: Seconds to wait for a connection.
        max_event: The bound of one event, in bytes.
        retry_statuses: The statuses after which the client tries again: by default 408, 425, 429 and
            5xx. The client tries without end if the server has streamed before, else three times. ``()``
            is the standard's rule: each of these statuses ends the stream at once.
        proxy: A proxy's URL. Default: that of the environment.
        verify: True, False, or an SSL context, for the server's certificate.
        sleep: The function that waits; for tests.
        jitter: The function that returns a random number from 0 to 1; for tests.

    Raises:
        RemoteError: Another try cannot mend the failure: a refused token, no such stream, another
            content type, an event that is too long.
        ValueError: No request can hold this body or header.

    Source: the HTML Standard, section 9.2.
    """
    settings = Settings(
        request=StreamRequest.of(method, json, content, resume=resume),
        reconnect_delay=reconnect_delay,
        idle_timeout=idle_timeout,
        connect_timeout=connect_timeout,
        max_event=max_event,
        retry_statuses=retry_statuses,
        proxy=proxy,
        verify=verify,
        sleep=sleep,
        jitter=jitter,
    )
    return EventSource(url, Credentials(headers, params, token), settings, last_event_id=last_event_id)


class EventSource(AsyncIterator[ServerSentEvent]):
    """Iterate over a remote stream of server-sent events; made by ``event_source``.

    ``headers`` are those of the latest answer. With ``resumable = False``, the end of a body ends the
    stream, and a broken connection is an error: for answers that no second request can continue.
    Methods other than GET have this default, unless ``resume=True``.
    """

    def __init__(
        self, url: str, credentials: Credentials, settings: Settings, *, last_event_id: str | None = None
    ) -> None:
        self.url = redact(url)
        self.idle_timeout = settings.idle_timeout
        self.resumable = settings.request.is_repeatable
        self.headers: Mapping[str, str] = {}
        self.status = Status()
        self._settings = settings
        self._http = Http(
            url,
            credentials,
            settings.request,
            proxy=settings.proxy,
            verify=settings.verify,
            connect_timeout=settings.connect_timeout,
            retry_statuses=settings.retry_statuses,
        )
        self.path = self._http.path
        self._decoder = SSEDecoder(last_event_id or "", max_event=settings.max_event)
        self._backoff = Backoff(settings.reconnect_delay, settings.jitter)
        self._waiting = Interruptible()
        self._listeners: list[Callable[[Status], object]] = []
        self._opened: Opened | None = None
        self._pending: deque[ServerSentEvent] = deque()
        self._start = self._delivered_id = last_event_id or ""
        self._place = ""
        self._delivered = 0
        self.streams = 0
        """The number of connections that have streamed."""
        self.cursor: Cursor | None = None
        """The name of a place in a hosted run's stream, which stands for the ids of the events."""
        self._has_news = False
        """True if the present connection has brought an event."""
        self._empty = 0
        """Whole answers in a row that brought no event."""
        self._delay: float | None = None
        self._was_requested = False
        self._is_busy = False
        self._is_over = False
        self._is_closed = False
        self._error: RemoteError | None = None

    def __repr__(self) -> str:
        return f"<event source {self.url}: {self.status}>"

    @property
    def last_event_id(self) -> str:
        """Return the id to resume from: that of the last event that the consumer has received."""
        return self._delivered_id if self._pending else self._resume_id

    @property
    def _resume_id(self) -> str:
        return self._decoder.last_event_id if self.cursor is None else self._place or self._start

    def hurry(self, reconnect_delay: float) -> None:
        """Shorten the delay before a reconnect, unless the server has set one."""
        self._backoff.base = min(self._backoff.base, reconnect_delay)

    def on_status(self, listener: Callable[[Status], object]) -> None:
        """Call *listener* with the present status and with each new one, in the consumer's task."""
        self._listeners.append(listener)
        listener(self.status)

    def close(self) -> None:
        """End the stream, from any thread: interrupt the pending step, and drop the undelivered events."""
        self._is_over = self._is_closed = True
        self._waiting.interrupt()

    def reconnect(self) -> None:
        """Connect again at once, from any thread, also out of a wait.

        Leave a stream alone that cannot resume: a new connection would only lose the present answer.
        """
        if not self._may_request():
            return
        self._backoff.reset()
        self._waiting.interrupt()

    async def fetch(self, path: str, params: Mapping[str, str]) -> bytes | None:
        """Fetch JSON from the stream's own host; ``None`` after a failure, a silence or an interrupt."""
        found: list[bytes | None] = []

        async def step() -> None:
            found.append(await self._http.fetch(path, params, self.idle_timeout))

        if await self._waiting.wait(step):
            await self._disconnect()
        return found[0] if found else None

    async def aclose(self) -> None:
        """End the stream and close the connection."""
        self.close()
        if not self._is_busy:
            await self._close_connections()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerSentEvent:
        if self._is_closed:
            self._pending.clear()
        if not self._pending:
            await self._fill_pending()
        return self._next_pending()

    def get_nowait(self) -> ServerSentEvent | None:
        """Return the next event if it has arrived already; cheaper than a step of the iterator."""
        return self._next_pending() if self._pending and not self._is_closed else None

    def _next_pending(self) -> ServerSentEvent:
        event = self._pending.popleft()
        self._delivered_id = event.id
        self._delivered += 1
        return event

    async def _fill_pending(self) -> None:
        if self._is_busy:
            raise ConsumedError("Another reader reads this stream already; make one for each reader.")
        self._is_busy = True
        try:
            while not (self._pending or self._is_over):
                if await self._waiting.wait(self._advance):
                    await self._disconnect()  # a caller asked for a new connection, or for the end
                    self._delay = None
        finally:
            self._is_busy = False
            if self._is_over:
                await self._close_connections()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if not self._pending:
            raise StopAsyncIteration

    async def _advance(self) -> None:
        """Wait, connect, or read once."""
        if self._delay is not None:
            await self._settings.sleep(self._delay)
            self._delay = None
        elif self._opened is None:
            await self._connect()
        else:
            await self._read(self._opened)

    def _may_request(self) -> bool:
        """Return True if a request may be sent now, and its answer would go on where the last one stopped."""
        if not self._was_requested:
            return True
        return self.resumable and (self._settings.request.is_safe or bool(self._resume_id))

    async def _connect(self) -> None:
        if not self._may_request():
            # The reader was cancelled, which closed the connection, and now reads again.
            self._handle_loss(Lost("the connection was given up"))
            return
        self._was_requested = True
        self._report(Status("connecting", attempt=self._backoff.tries))
        last_event_id = self._resume_id
        answer: Opened | Ended | Refused | Lost = Lost("the server does not answer")
        with anyio.move_on_after(_seconds(self.idle_timeout)):
            parameter = None if self.cursor is None else self.cursor.parameter
            answer = await self._http.open(last_event_id, parameter)
        match answer:
            case Opened() as opened:
                self._opened, self.headers = opened, opened.headers
                # Half a line, half an event and its id belonged to the connection before.
                retry, self._decoder = (
                    self._decoder.retry,
                    SSEDecoder(last_event_id, max_event=self._settings.max_event),
                )
                self._decoder.retry = retry
                self.streams += 1
                self._has_news = False
                self._report(Status("live", resumed=self._delivered if self.streams > 1 else None))
            case Ended():
                self._end(Status("ended"))
            case Refused(reason, status):
                self._refuse(reason, status)
            case Lost() as lost:
                self._handle_loss(lost)

    async def _read(self, opened: Opened) -> None:
        data, lost = None, None
        try:
            with anyio.move_on_after(_seconds(self.idle_timeout)) as patience:
                data = await anext(opened.body, None)
            if patience.cancelled_caught:
                lost = Lost("nothing came for too long")
        except self._http.broken as error:
            lost = self._http.lost(error)
        except BaseException:
            await self._disconnect()  # no reader can go on with a body after a cancellation
            raise
        if data is not None:
            self._feed(data)
            return
        await self._disconnect()
        if lost is None and self.cursor is not None:
            self._empty = 0 if self._has_news else self._empty + 1
            if self._empty == EMPTY_ANSWERS:
                self.resumable = False  # the service has no more events of this run
        if lost is None and not self.resumable:
            self._end(Status("ended"))
        else:
            self._handle_loss(lost or Lost("the server ended the connection"))

    def _feed(self, data: bytes) -> None:
        before = self._resume_id
        try:
            events = self._decoder.feed(data)
            self._pending.extend(events if self.cursor is None else map(self._placed, events))
        except RemoteError as error:
            self._refuse(str(error), None)
        if self._pending or self._resume_id != before:
            self._backoff.reset()

    def _placed(self, event: ServerSentEvent) -> ServerSentEvent:
        """Return an event with the place from which the next connection resumes; "" before the first place."""
        self._has_news = True
        place = None if self.cursor is None else self.cursor.of(event, self._start)
        self._place = place or self._place
        return event if event.id == self._place else event._replace(id=self._place)

    def _handle_loss(self, lost: Lost) -> None:
        if not self._may_request():
            self._refuse(
                f"{lost.reason}, and {self._settings.request.reason_not_repeated(self.resumable)}",
                lost.status,
            )
            return
        if lost.status is not None and not self.streams and self._backoff.tries >= STATUS_TRIES:
            self._refuse(f"{lost.reason}, {self._backoff.tries + 1} times", lost.status)
            return
        if self._decoder.retry is not None:
            self._backoff.base = self._decoder.retry / 1000
        self._delay = self._backoff.next(lost.after)
        self._report(Status("reconnecting", self._delay, self._backoff.tries, reason=lost.reason))

    def _refuse(self, reason: str, status: int | None) -> None:
        self._error = RemoteError(f"{self.url}: {reason}", status=status)
        self._end(Status("refused", reason=reason))

    def _end(self, status: Status) -> None:
        self._is_over = True
        self._report(status)

    def _report(self, status: Status) -> None:
        self.status = status
        for listener in self._listeners:
            listener(status)

    async def _disconnect(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _close_connections(self) -> None:
        await self._disconnect()
        await self._http.aclose()
        if self.status.state not in ("ended", "refused"):
            lost = self.status if self.status.state == "reconnecting" else None
            self._report(Status("ended", reason=f"stopped while {lost}" if lost else None))


def _seconds(limit: float | None) -> float:
    return math.inf if limit is None else limit

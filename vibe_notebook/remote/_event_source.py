"""``EventSource``: one remote stream as an async iterator that outlives its connections.

Between ``_http.py``, which opens one connection, and ``_open.py``, which makes it. A class, not a
generator: each step enters and leaves whatever it needs, so the consumer's task is free between two
events.
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
from ._request import RETRIED, Ask, Settings
from ._responses import Ended, Lost, Opened, Refused
from ._retry import Backoff
from ._secrets import Credentials, Params, Token, redact
from ._status import Status

__all__ = ["EventSource", "event_source"]

STATUS_TRIES: Final = 3
"""How often a server that never streamed may say 429 or 5xx; one that did is waited for without end."""


class EventSource(AsyncIterator[ServerSentEvent]):
    """A remote stream of server-sent events; made by ``event_source``.

    ``headers`` are those of the last answer; ``resumable = False`` makes the end of a body the
    end, and a broken connection an error: for answers that cannot be asked for again. So it is for
    what is not a GET, unless asked otherwise.
    """

    def __init__(
        self, url: str, credentials: Credentials, settings: Settings, *, last_event_id: str | None = None
    ) -> None:
        self.url = redact(url)
        self.idle_timeout = settings.idle_timeout
        self.resumable = settings.ask.repeats
        self.headers: Mapping[str, str] = {}
        self.status = Status()
        self._settings = settings
        self._http = Http(
            url,
            credentials,
            settings.ask,
            proxy=settings.proxy,
            verify=settings.verify,
            connect_timeout=settings.connect_timeout,
            retried=settings.retry_statuses,
        )
        self.path = self._http.path
        self._decoder = SSEDecoder(last_event_id or "", max_event=settings.max_event)
        self._backoff = Backoff(settings.reconnect_delay, settings.jitter)
        self._waiting = Interruptible()
        self._listeners: list[Callable[[Status], object]] = []
        self._opened: Opened | None = None
        self._pending: deque[ServerSentEvent] = deque()
        self._handed_id = last_event_id or ""
        self._count = 0
        self.streams = 0
        """How many connections have streamed."""
        self._delay: float | None = None
        self._was_asked = False
        self._is_busy = False
        self._is_over = False
        self._is_closed = False
        self._error: RemoteError | None = None

    def __repr__(self) -> str:
        return f"<event source {self.url}: {self.status}>"

    @property
    def last_event_id(self) -> str:
        """The id to resume from: that of the last event that was handed over."""
        return self._handed_id if self._pending else self._decoder.last_event_id

    def hurry(self, reconnect_delay: float) -> None:
        """Come back sooner, unless the server has said when."""
        self._backoff.base = min(self._backoff.base, reconnect_delay)

    def on_status(self, listener: Callable[[Status], object]) -> None:
        """Call *listener* with the present status, and whenever it changes, in the consumer's task."""
        self._listeners.append(listener)
        listener(self.status)

    def close(self) -> None:
        """End it, from any thread: the pending step ends, what has not been handed over is dropped."""
        self._is_over = self._is_closed = True
        self._waiting.interrupt()

    def reconnect(self) -> None:
        """Connect anew and at once, from any thread: also out of a wait.

        What cannot be resumed stays as it is: to ask again would only lose what is under way.
        """
        if not self._may_ask():
            return
        self._backoff.reset()
        self._waiting.interrupt()

    async def fetch(self, path: str, params: Mapping[str, str]) -> bytes | None:
        """Get JSON of the stream's own host; ``None``: it is not to be had, or no longer waited for."""
        found: list[bytes | None] = []

        async def step() -> None:
            found.append(await self._http.fetch(path, params, self.idle_timeout))

        if await self._waiting.wait(step):
            await self._drop()
        return found[0] if found else None

    async def aclose(self) -> None:
        """End it, and let go of the connection."""
        self.close()
        if not self._is_busy:
            await self._let_go()

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
            await self._until_something_comes()
        return self._hand_over()

    def get_nowait(self) -> ServerSentEvent | None:
        """Return the next event if it has come already: cheaper than a step of the iterator."""
        return self._hand_over() if self._pending and not self._is_closed else None

    def _hand_over(self) -> ServerSentEvent:
        event = self._pending.popleft()
        self._handed_id = event.id
        self._count += 1
        return event

    async def _until_something_comes(self) -> None:
        if self._is_busy:
            raise ConsumedError("This stream is being read already; each reader needs one of its own.")
        self._is_busy = True
        try:
            while not (self._pending or self._is_over):
                if await self._waiting.wait(self._advance):
                    await self._drop()  # somebody asked for a new connection, or for the end
                    self._delay = None
        finally:
            self._is_busy = False
            if self._is_over:
                await self._let_go()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if not self._pending:
            raise StopAsyncIteration

    async def _advance(self) -> None:
        """One step: wait, connect, or read once."""
        if self._delay is not None:
            await self._settings.sleep(self._delay)
            self._delay = None
        elif self._opened is None:
            await self._connect()
        else:
            await self._read(self._opened)

    def _may_ask(self) -> bool:
        """Whether (another) request may be sent, and would be answered by what is missing."""
        if not self._was_asked:
            return True
        return self.resumable and (self._settings.ask.is_safe or bool(self._decoder.last_event_id))

    async def _connect(self) -> None:
        if not self._may_ask():
            self._lost(Lost("the connection was given up"))  # its reader was cancelled, and reads on
            return
        self._was_asked = True
        self._say(Status("connecting", attempt=self._backoff.tries))
        last_event_id = self._decoder.last_event_id
        answer: Opened | Ended | Refused | Lost = Lost("the server does not answer")
        with anyio.move_on_after(_seconds(self.idle_timeout)):
            answer = await self._http.open(last_event_id)
        match answer:
            case Opened() as opened:
                self._opened, self.headers = opened, opened.headers
                # Half a line, half an event, its id: all of that went with the connection before.
                retry, self._decoder = (
                    self._decoder.retry,
                    SSEDecoder(last_event_id, max_event=self._settings.max_event),
                )
                self._decoder.retry = retry
                self.streams += 1
                self._say(Status("live", resumed=self._count if self.streams > 1 else None))
            case Ended():
                self._end(Status("ended"))
            case Refused(reason, status):
                self._refuse(reason, status)
            case Lost() as lost:
                self._lost(lost)

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
            await self._drop()  # the body cannot be read on after a cancellation
            raise
        if data is not None:
            self._feed(data)
            return
        await self._drop()
        if lost is None and not self.resumable:
            self._end(Status("ended"))
        else:
            self._lost(lost or Lost("the server ended the connection"))

    def _feed(self, data: bytes) -> None:
        before = self._decoder.last_event_id
        try:
            self._pending.extend(self._decoder.feed(data))
        except RemoteError as error:
            self._refuse(str(error), None)
        if self._pending or self._decoder.last_event_id != before:
            self._backoff.reset()

    def _lost(self, lost: Lost) -> None:
        if not self._may_ask():
            self._refuse(f"{lost.reason}, and {self._settings.ask.why_not(self.resumable)}", lost.status)
            return
        if lost.status is not None and not self.streams and self._backoff.tries >= STATUS_TRIES:
            self._refuse(f"{lost.reason}, {self._backoff.tries + 1} times", lost.status)
            return
        if self._decoder.retry is not None:
            self._backoff.base = self._decoder.retry / 1000
        self._delay = self._backoff.next(lost.after)
        self._say(Status("reconnecting", self._delay, self._backoff.tries, reason=lost.reason))

    def _refuse(self, reason: str, status: int | None) -> None:
        self._error = RemoteError(f"{self.url}: {reason}", status=status)
        self._end(Status("refused", reason=reason))

    def _end(self, status: Status) -> None:
        self._is_over = True
        self._say(status)

    def _say(self, status: Status) -> None:
        self.status = status
        for listener in self._listeners:
            listener(status)

    async def _drop(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _let_go(self) -> None:
        await self._drop()
        await self._http.aclose()
        if self.status.state not in ("ended", "refused"):
            lost = self.status if self.status.state == "reconnecting" else None
            self._say(Status("ended", reason=f"stopped while {lost}" if lost else None))


def _seconds(limit: float | None) -> float:
    return math.inf if limit is None else limit


# ``event_source``: what can be asked for, and the source made of it.


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

    It reconnects by itself and resumes after ``last_event_id``; it ends on the status 204 and on
    ``close()``. ``token`` is a bearer token or what gives one, asked for each connection (default:
    ``VIBE_NOTEBOOK_TOKEN``, for loopback and the hosts in ``VIBE_NOTEBOOK_TOKEN_HOSTS``). Headers,
    parameters, body and token go to this URL's host alone, and are shown nowhere. Seconds:
    ``reconnect_delay`` until the server says otherwise, ``idle_timeout`` without a byte until
    the connection counts as dead, ``connect_timeout``. ``max_event`` is bytes. ``proxy`` is a URL
    (default: the environment's). ``sleep`` and ``jitter`` (0 to 1) are there for tests.

    ``json`` or ``content`` is a body, sent by POST unless ``method`` says otherwise. What is not a
    GET is sent once: its answer's end is the end, and a broken connection an error. ``resume=True``
    sends it again with ``Last-Event-ID``, once there is one: for servers that go on from there.

    ``retry_statuses`` are those after which it is tried again (408, 425, 429 and 5xx): without end
    if it streamed before, else three times. ``()`` is the standard's rule: each ends it at once.

    Raises ``RemoteError`` for what trying again cannot mend: a refused token, no such stream, another
    content type, an event too long; ``ValueError`` for a body or header that cannot be sent. Source:
    the HTML Standard, section 9.2.
    """
    settings = Settings(
        ask=Ask.of(method, json, content, resume=resume),
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

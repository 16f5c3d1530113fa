"""``event_source``: what can be asked for, and the source made of it."""

from __future__ import annotations

import random
import ssl
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any

import anyio

from ._ask import Ask
from ._decoder import MAX_EVENT
from ._event_source import EventSource
from ._secrets import Credentials, Params, Token
from ._settings import RETRIED, Settings

__all__ = ["event_source"]


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

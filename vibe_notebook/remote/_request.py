"""Describe the request for a stream: method, body, repetition, redirects, and the caller's options. Pure.

``_http`` builds the HTTP client's request from these values. A body usually holds a prompt: no
``repr`` of this module shows a body.
"""

from __future__ import annotations

import json as jsons
import re
import ssl
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self, TypedDict

from ._decoder import ServerSentEvent
from ._secrets import Params, Token

__all__ = ["RETRIED", "Cursor", "Options", "Settings", "StreamRequest"]

RETRIED: Final = frozenset((408, 425, 429, *range(500, 600)))
"""Statuses after which the client tries again by default. The standard's own set is empty."""
_METHOD: Final = re.compile(r"[A-Z]+")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Name a place in a hosted run's stream, and the parameter by which a request resumes from there.

    ``field`` is a field of the event's JSON; ``None``: the id of the server-sent event. ``parameter`` is a parameter of
    the URL; ``None``: the header ``Last-Event-ID``.
    """

    field: str | None = None
    parameter: str | None = None

    def of(self, event: ServerSentEvent, start: str) -> str | None:
        """Return the place of an event; ``None`` without one. *start* is the place of no event, but of the request."""
        if self.field is None:
            return event.id if event.id != start else None
        if not event.data.startswith("{"):
            return None
        try:
            found = jsons.loads(event.data)
        except (ValueError, RecursionError):
            return None
        place = found.get(self.field)
        return str(place) if isinstance(place, int | str) and not isinstance(place, bool) else None


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Hold a request's method and body.

    ``is_repeatable``: the client may send the request again after a lost connection. ``media_type``
    is the body's.
    """

    method: str = "GET"
    content: bytes | None = field(default=None, repr=False)
    media_type: str | None = None
    is_repeatable: bool = True

    @classmethod
    def of(cls, method: str | None, json: Any, content: bytes | str | None, *, resume: bool) -> Self:
        """Return the request that the options of ``event_source`` describe.

        Raises ``ValueError`` for two bodies, or for a *method* that is no method's name.
        """
        if json is not None and content is not None:
            raise ValueError("json= and content= are both a body: pass one of them.")
        media_type = None
        if json is not None:
            content = jsons.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            media_type = "application/json"
        if isinstance(content, str):
            content, media_type = content.encode(), media_type or "text/plain; charset=utf-8"
        name = (method or ("GET" if content is None else "POST")).upper()
        if not _METHOD.fullmatch(name):
            raise ValueError("method: GET, POST, or another HTTP method's name.")
        return cls(name, content, media_type, is_repeatable=name == "GET" or resume)

    @property
    def is_safe(self) -> bool:
        """Return True if a second request has no effect of its own."""
        return self.method == "GET"

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Return the headers that describe the body."""
        return {} if self.media_type is None else {b"content-type": self.media_type.encode()}

    def reason_not_repeated(self, resumable: bool) -> str:  # noqa: FBT001 - its only argument
        """Return the reason why the client does not send the request again, for an error message."""
        if self.is_safe:
            return "this stream cannot be resumed"
        if resumable:
            return f"there is no id yet to resume from: the client does not send a {self.method} again as if it were the first"
        return f"this stream cannot be resumed: a {self.method} is not sent again by itself"

    def after_redirect(self, status: int) -> StreamRequest:
        """Return the request to send to a redirect's target.

        Statuses 307 and 308 keep method and body; the others change both to GET without a body.
        Source: the Fetch standard, HTTP-redirect fetch.
        """
        if self.is_safe or status in (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT):
            return self
        return StreamRequest(is_repeatable=self.is_repeatable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Hold the checked options of ``event_source``. ``proxy`` is hidden: its URL may hold a password."""

    request: StreamRequest
    reconnect_delay: float
    idle_timeout: float | None
    connect_timeout: float
    max_event: int
    retry_statuses: Container[int]
    proxy: str | None = field(repr=False)
    verify: ssl.SSLContext | bool
    sleep: Callable[[float], Awaitable[object]]
    jitter: Callable[[], float]


class Options(TypedDict, total=False):
    """Describe the options of ``event_source`` for its wrappers, without the URL and ``last_event_id``."""

    headers: Mapping[str, str] | None
    params: Params | None
    token: Token | None
    method: str | None
    json: Any
    content: bytes | str | None
    resume: bool
    reconnect_delay: float
    idle_timeout: float | None
    connect_timeout: float
    max_event: int
    retry_statuses: Container[int]
    proxy: str | None
    verify: ssl.SSLContext | bool
    sleep: Callable[[float], Awaitable[object]]
    jitter: Callable[[], float]

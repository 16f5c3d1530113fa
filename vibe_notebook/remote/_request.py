"""With what a stream is asked for: method and body; which of it may be sent again, and which goes elsewhere. Pure.

Beside ``_http.py``. What a body says is a prompt, as a rule: nothing here shows it.
"""

from __future__ import annotations

import json as jsons
import re
import ssl
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self, TypedDict

from ._secrets import Params, Token

__all__ = ["RETRIED", "Ask", "Options", "Settings"]

_METHOD: Final = re.compile(r"[A-Z]+")


@dataclass(frozen=True, slots=True)
class Ask:
    """``repeats``: it may be sent again when the connection was lost."""

    method: str = "GET"
    content: bytes | None = field(default=None, repr=False)
    kind: str | None = None
    repeats: bool = True

    @classmethod
    def of(cls, method: str | None, json: Any, content: bytes | str | None, *, resume: bool) -> Self:
        """As ``event_source`` is told. Raises ``ValueError`` for two bodies or what is no method."""
        if json is not None and content is not None:
            raise ValueError("json= and content= are both a body: pass one of them.")
        kind = None
        if json is not None:
            content = jsons.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            kind = "application/json"
        if isinstance(content, str):
            content, kind = content.encode(), kind or "text/plain; charset=utf-8"
        name = (method or ("GET" if content is None else "POST")).upper()
        if not _METHOD.fullmatch(name):
            raise ValueError("method: GET, POST, or another HTTP method's name.")
        return cls(name, content, kind, repeats=name == "GET" or resume)

    @property
    def is_safe(self) -> bool:
        """Whether to ask twice does nothing twice."""
        return self.method == "GET"

    @property
    def headers(self) -> dict[bytes, bytes]:
        """What goes with the body."""
        return {} if self.kind is None else {b"content-type": self.kind.encode()}

    def why_not(self, resumable: bool) -> str:  # noqa: FBT001 - its only argument
        """Say why it is not sent again."""
        if self.is_safe:
            return "this stream cannot be resumed"
        if resumable:
            return f"there is no id yet to resume from: a {self.method} is not sent again as if it were the first"
        return f"this stream cannot be resumed: a {self.method} is not sent again by itself"

    def redirected(self, status: int) -> Ask:
        """As it goes on after a redirect (Fetch, HTTP-redirect fetch): 307 and 308 keep it, others ask with GET."""
        if self.is_safe or status in (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT):
            return self
        return Ask(repeats=self.repeats)


# The options of a remote stream, for those who pass them on.

RETRIED: Final = frozenset((408, 425, 429, *range(500, 600)))
"""Statuses that say: not now. The standard has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What ``event_source`` says of its options. A proxy's URL may hold a password."""

    ask: Ask
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
    """What ``event_source`` takes beside the URL and ``last_event_id``."""

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

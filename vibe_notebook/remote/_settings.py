"""The options of a remote stream, for those who pass them on."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from ._secrets import Params, Token

__all__ = ["Options", "Settings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What ``event_source`` says of its options. A proxy's URL may hold a password."""

    reconnect_delay: float
    idle_timeout: float | None
    connect_timeout: float
    max_event: int
    proxy: str | None = field(repr=False)
    verify: ssl.SSLContext | bool
    sleep: Callable[[float], Awaitable[object]]
    jitter: Callable[[], float]


class Options(TypedDict, total=False):
    """What ``event_source`` takes beside the URL and ``last_event_id``."""

    headers: Mapping[str, str] | None
    params: Params | None
    token: Token | None
    reconnect_delay: float
    idle_timeout: float | None
    connect_timeout: float
    max_event: int
    proxy: str | None
    verify: ssl.SSLContext | bool
    sleep: Callable[[float], Awaitable[object]]
    jitter: Callable[[], float]

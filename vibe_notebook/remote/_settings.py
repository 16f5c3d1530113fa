"""The options of a remote stream, for those who pass them on."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from ._ask import Ask
from ._secrets import Params, Token

__all__ = ["RETRIED", "Options", "Settings"]

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

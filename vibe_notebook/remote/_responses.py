"""What a request for a stream came to, as values, and in words for a person.

Below ``_http.py``. Values, so that no traceback leads through the frames that hold a request.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio

from .._foreign_words import on_one_line

if TYPE_CHECKING:
    import httpx2

__all__ = ["Ended", "Lost", "Opened", "Refused", "name_of", "refusal", "root", "said"]

_WHY: Final = {
    401: "the token was refused, or none was sent: pass token=, or set VIBE_NOTEBOOK_TOKEN (and, for a host "
    "that is not this machine, VIBE_NOTEBOOK_TOKEN_HOSTS)",
    403: "whoever this token belongs to may not read the stream",
    404: "there is no such stream here: check the URL",
    405: "this is no stream to be read: check the URL",
    407: "the proxy wants a password: put it in proxy=",
    410: "the stream is gone for good",
}


@dataclass(slots=True)
class Opened:
    """It streams."""

    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    response: httpx2.Response

    async def aclose(self) -> None:
        """Let go of the connection, also where the task is being cancelled."""
        # Suppressed: what cannot be closed was broken before.
        with anyio.move_on_after(1, shield=True), contextlib.suppress(Exception):
            # The client's generators are nested: only what is raised in the innermost ends them all.
            with anyio.CancelScope() as scope:
                scope.cancel()
                while await anext(self.body, None) is not None:
                    pass
            await self.response.aclose()


@dataclass(frozen=True, slots=True)
class Ended:
    """The server says that there is no more."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Trying again cannot mend it."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """Trying again may mend it; ``after`` seconds, if the server said so."""

    reason: str
    status: int | None = None
    after: float | None = None


def refusal(status: int) -> Refused:
    """Say why a status ends it."""
    return Refused(f"{name_of(status)}: {_WHY.get(status, 'this is no answer with a stream in it')}", status)


def name_of(status: int) -> str:
    """Return a status with its name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def root(error: BaseException) -> BaseException:
    """What the client's error was made of, down to the system's own: it says more."""
    found, below = error, [error]
    while below:
        each = below.pop()
        if isinstance(each, ssl.SSLError) or (isinstance(each, OSError) and each.errno):
            found = each
        below += [at for at in (each.__cause__, each.__context__) if at is not None]
        below += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return found


def said(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return type(error).__name__ if not str(error) else on_one_line(str(error), 200)

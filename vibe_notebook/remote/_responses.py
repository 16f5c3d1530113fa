"""Describe the outcome of a request for a stream, as values and as words for a person.

``_http`` returns these values to ``_event_source``. Values, not exceptions: a traceback would lead
through frames that hold the request and its secrets.
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

__all__ = ["Ended", "Lost", "Opened", "Refused", "describe_error", "describe_status", "refusal", "root_cause"]

_REASONS: Final = {
    401: "the token was refused, or none was sent: pass token=, or set VIBE_NOTEBOOK_TOKEN (and, for a host "
    "that is not this machine, VIBE_NOTEBOOK_TOKEN_HOSTS)",
    403: "this token's owner may not read the stream: use a token that may",
    404: "there is no such stream here: check the URL",
    405: "the server does not stream at this address: check the URL",
    407: "the proxy wants a password: put it in proxy=",
    410: "the stream is gone for good",
}


@dataclass(slots=True)
class Opened:
    """Hold a response that streams: its headers and its body."""

    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    response: httpx2.Response

    async def aclose(self) -> None:
        """Close the connection, also inside of a cancelled task."""
        # Errors are suppressed: a connection that cannot be closed was broken before.
        with anyio.move_on_after(1, shield=True), contextlib.suppress(Exception):
            # The client's generators are nested: only an exception in the innermost one ends them all.
            with anyio.CancelScope() as scope:
                scope.cancel()
                while await anext(self.body, None) is not None:
                    pass
            await self.response.aclose()


@dataclass(frozen=True, slots=True)
class Ended:
    """Report that the server has nothing more to send."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Report a failure that another try cannot mend."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """Report a failure that another try may mend. ``after``: the server's own delay, in seconds."""

    reason: str
    status: int | None = None
    after: float | None = None


def refusal(status: int) -> Refused:
    """Return the refusal for *status*, with its reason."""
    reason = _REASONS.get(status, "this answer holds no stream: check the URL")
    return Refused(f"{describe_status(status)}: {reason}", status)


def describe_status(status: int) -> str:
    """Return a status with its standard name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def root_cause(error: BaseException) -> BaseException:
    """Return the system's own error below the client's: its message tells more."""
    found, below = error, [error]
    while below:
        each = below.pop()
        if isinstance(each, ssl.SSLError) or (isinstance(each, OSError) and each.errno):
            found = each
        below += [at for at in (each.__cause__, each.__context__) if at is not None]
        below += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return found


def describe_error(error: BaseException) -> str:
    """Return the error's message on one line, of 200 characters at most."""
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return type(error).__name__ if not str(error) else on_one_line(str(error), 200)

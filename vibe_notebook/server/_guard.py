"""Who may: the bearer token, and web pages that have no business here.

In front of the routes, as plain ASGI: nothing stands between a stream and its socket.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable, Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ._errors import Refused

__all__ = ["Auth", "Guard", "check_auth", "is_loopback", "loopback_hosts"]

Auth = str | Callable[[Request], bool | Awaitable[bool]] | None
"""``None``: anybody; a token; or your own check, sync or async, of a request."""

_OPEN: Final = frozenset(("/health", "/openapi.json"))
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def check_auth(auth: Auth) -> None:
    """Raise ``ValueError`` for a token that is none."""
    if isinstance(auth, str) and not auth.strip():
        raise ValueError("The token is empty; name one, or auth=None to let anybody in.")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is bound to *host*."""
    return host in _LOOPBACK or host.startswith("127.")


def loopback_hosts(host: str) -> list[str]:
    """What a browser on this machine calls a server that is bound to the loopback address *host*."""
    return [*_LOOPBACK, host]


class Guard:
    """Lets requests through to *app*, or answers 401 and 403 itself.

    A web page anywhere can make a browser send requests to a server on its user's machine.
    So *hosts*, where given, are the only names that the server answers to (a page whose own name
    is made to point here does not know them), and what changes something is refused if a page of
    another origin than *cors* names sends it.
    """

    def __init__(
        self, app: ASGIApp, *, auth: Auth, cors: Collection[str] = (), hosts: Collection[str] | None = None
    ) -> None:
        self._app = app
        self._auth = auth
        self._digest = _digest(auth) if isinstance(auth, str) else b""
        self._cors = frozenset(cors)
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._check(Request(scope))
            except Refused as refused:
                await refused.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check(self, request: Request) -> None:
        host = request.headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise Refused(403, "This server answers only to the names of its own machine, as localhost.")
        origin = request.headers.get("origin")
        if origin is not None and request.method not in _SAFE and not self._is_friend(origin, host):
            raise Refused(403, "A page of another origin may not send here; name it in cors=.")
        if request.scope["path"] not in _OPEN and not await self._may(request):
            raise Refused(401, "This server wants its token: send the header 'Authorization: Bearer …'.")

    def _is_friend(self, origin: str, host: str) -> bool:
        return bool(self._cors & {origin, "*"}) or urlsplit(origin).netloc.lower() == host.lower()

    async def _may(self, request: Request) -> bool:
        if self._auth is None:
            return True
        if isinstance(self._auth, str):
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            # Compared in constant time, and as digests: not even the length shows.
            is_same = hmac.compare_digest(_digest(token.strip()), self._digest)
            return scheme.lower() == "bearer" and is_same
        allowed = self._auth(request)
        return bool(await allowed if inspect.isawaitable(allowed) else allowed)


def _digest(token: str) -> bytes:
    # A header's bytes come as Latin-1.
    return hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()


def _name(host: str) -> str:
    return (urlsplit(f"//{host}").hostname or "") if "@" not in host else ""

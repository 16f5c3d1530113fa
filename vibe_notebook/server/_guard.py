"""The access checks: the bearer token, the names of the server and the origins of web pages.

In front of the routes, as plain ASGI middleware: a stream writes to its socket without a further layer.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .._credentials import check_token
from ._errors import Refused

__all__ = ["Auth", "Guard", "check_auth", "loopback_hosts"]

Auth = str | Callable[[Request], bool | Awaitable[bool]] | None
"""``None`` (no check), a bearer token, or a function, sync or async, that checks a request."""

_PATHS_WITHOUT_TOKEN: Final = frozenset(("/health", "/openapi.json"))
_SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_HOST: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z._~-]+))(?::(?P<port>[0-9]{0,5}))?"
)
_ORIGIN: Final = re.compile(r"[A-Za-z][0-9A-Za-z+.-]*://(?P<host>.+)")


def check_auth(auth: Auth) -> None:
    """Check that a client can send the token.

    Raises:
        ValueError: the token is empty, or has characters that no header holds.
    """
    if isinstance(auth, str):
        if not auth.strip():
            raise ValueError("The token is empty; give a token, or auth=None for access without a token.")
        check_token(auth)


def loopback_hosts(host: str) -> list[str]:
    """Return the names under which a browser of this machine reaches a server bound to *host*."""
    return [*_LOOPBACK, host]


class Guard:
    """Pass allowed requests on to *app*, and answer all others with 401 or 403.

    Any web page can make a browser send requests to a server on its user's machine. So the guard has two checks
    against pages. The server answers only to the names in *hosts*, if given: a page whose own name was made to
    resolve to this machine (DNS rebinding) sends another name. A request that changes something is refused if it
    comes from a page whose origin is neither the server's own nor in *cors*.
    """

    def __init__(
        self, app: ASGIApp, *, auth: Auth, cors: Collection[str] = (), hosts: Collection[str] | None = None
    ) -> None:
        self._app = app
        self._auth = auth
        self._digest = _digest(auth) if isinstance(auth, str) else b""
        self._cors = frozenset(cors)
        self._hosts = None if hosts is None else frozenset(map(_canonical, hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._check(Request(scope))
            except Refused as refused:
                await refused.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check(self, request: Request) -> None:
        host = _host(request.headers.getlist("host"))
        if self._hosts is not None and (host is None or host[0] not in self._hosts):
            raise Refused(403, "This server answers only to the names of its own machine; use localhost.")
        origins = request.headers.getlist("origin")
        if len(origins) > 1:
            raise Refused(403, "A request may have one Origin header only.")
        is_foreign = bool(origins) and not self._is_allowed_origin(origins[0], host)
        if is_foreign and request.method not in _SAFE_METHODS:
            raise Refused(403, "A page of this origin may not send events; add the origin to cors=.")
        if request.scope["path"] not in _PATHS_WITHOUT_TOKEN and not await self._is_authorized(request):
            raise Refused(401, "This server requires its token; send the header 'Authorization: Bearer …'.")

    def _is_allowed_origin(self, origin: str, host: tuple[str, str] | None) -> bool:
        """Return True for an origin in *cors*, and for the server's own. Raise ``Refused`` for a malformed one."""
        found = _ORIGIN.fullmatch(origin)
        own = None if found is None else _parsed_host(found["host"])
        if own is None and origin != "null":
            raise Refused(403, "The Origin header is malformed.")
        return bool(self._cors & {origin, "*"}) or (own is not None and own == host)

    async def _is_authorized(self, request: Request) -> bool:
        if self._auth is None:
            return True
        if isinstance(self._auth, str):
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            # A comparison of digests in constant time: its duration shows neither the token nor its length.
            is_same = hmac.compare_digest(_digest(token.strip()), self._digest)
            return scheme.lower() == "bearer" and is_same
        allowed = self._auth(request)
        return bool(await allowed if inspect.isawaitable(allowed) else allowed)


def _digest(token: str) -> bytes:
    # Starlette decodes a header's bytes as Latin-1.
    return hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()


def _host(headers: list[str]) -> tuple[str, str] | None:
    """Return the name and port of the Host header, None without one. Raise ``Refused`` for a malformed one."""
    if not headers:
        return None
    host = _parsed_host(headers[0]) if len(headers) == 1 else None
    if host is None:
        raise Refused(403, "The Host header is malformed, or there are several.")
    return host


def _parsed_host(host: str) -> tuple[str, str] | None:
    """Return the canonical name and the port ("" without one) of ``name[:port]``; None for a malformed host."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    if found["ipv6"] is None:
        return _canonical(found["name"]), found["port"] or ""
    try:
        ipaddress.IPv6Address(found["ipv6"])
    except ValueError:
        return None
    return _canonical(found["ipv6"]), found["port"] or ""


def _canonical(name: str) -> str:
    """Return the one spelling of a host's name or address."""
    name = name.strip("[]").lower().removesuffix(".")
    try:
        return str(ipaddress.IPv6Address(name))
    except ValueError:
        return name

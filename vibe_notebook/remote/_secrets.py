"""Hold the secrets of a request: headers, parameters, tokens, and the secrets in a URL.

``_http`` adds them to each request. No ``repr`` of this module shows more than their number.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from .._addresses import is_loopback

__all__ = ["Credentials", "Params", "Token", "redact"]

Token = str | Callable[[], str | None] | Callable[[], Awaitable[str | None]]
"""A bearer token, or a function that returns one: the client calls the function for every connection."""
Params = Mapping[str, Any] | Sequence[tuple[str, Any]]

HIDDEN: Final = "***"
_SECRET: Final = re.compile(
    r"token|key|secret|passw|pwd|auth|sig|credential|session|cookie|jwt|code|bearer", re.IGNORECASE
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def redact(url: str) -> str:
    """Return *url* without its secrets: user, password, fragment, and each query value with a secret's name."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "(a URL that is not valid)"
    query = "&".join(
        f"{quote(name)}={HIDDEN if _SECRET.search(name) else quote(value, safe='/:,')}"
        for name, value in pairs
    )
    netloc = f"{HIDDEN}@{host[2]}" if host[1] else host[2]
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


class Credentials:
    """Hold the headers, parameters and token for a stream's own host, and for no other host."""

    def __init__(self, headers: Mapping[str, str] | None, params: Params | None, token: Token | None) -> None:
        self._headers = [_checked_header(name, value) for name, value in (headers or {}).items()]
        self._params = list(params.items() if isinstance(params, Mapping) else params or ())
        self._token = token
        self._has_auth = any(name == b"authorization" for name, _ in self._headers)

    def __repr__(self) -> str:
        return f"<{len(self._headers)} headers, {len(self._params)} parameters>"

    @property
    def params(self) -> list[tuple[str, str]]:
        """Return the parameters that the client adds to the URL's own."""
        return [
            (str(name), str(each))
            for name, value in self._params
            if value is not None
            for each in (value if isinstance(value, list | tuple) else [value])
        ]

    async def headers(self, host: str, port: int | None) -> list[tuple[bytes, bytes]]:
        """Return the headers for this host, with the token as it is now.

        A caller's own Authorization header replaces the token. Raises ``ValueError`` for a token
        that no header can hold.
        """
        if self._has_auth:
            return self._headers
        token = self._token
        if token is None:
            token = _token_from_environment(host, port)
        elif not isinstance(token, str):
            result = token()
            token = await result if inspect.isawaitable(result) else result
        if not token:
            return self._headers
        return [*self._headers, _checked_header("Authorization", f"Bearer {token}")]


def _token_from_environment(host: str, port: int | None) -> str | None:
    named = re.split(r"[\s,]+", os.environ.get("VIBE_NOTEBOOK_TOKEN_HOSTS", "").lower())
    name = host.lower()
    if is_loopback(host) or (name and name in named) or f"{name}:{port}" in named:
        return os.environ.get("VIBE_NOTEBOOK_TOKEN")
    return None


def _checked_header(name: str, value: str) -> tuple[bytes, bytes]:
    """Return the header as bytes. The HTTP client's own check would repeat the value in its error."""
    if not _HEADER_NAME.fullmatch(name):
        msg = "headers: a header's name is letters, digits and hyphens."
        raise ValueError(msg)
    if not isinstance(value, str) or _NO_HEADER.search(value):
        msg = f"The value of the header {name} must be text without control characters."
        raise ValueError(msg)
    return name.lower().encode(), value.strip(" \t").encode()

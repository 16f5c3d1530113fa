"""Hold the secrets of a request: headers, parameters, tokens, and the secrets in a URL.

``_http`` adds them to each request. No ``repr`` of this module shows more than their number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from .._addresses import is_loopback
from .._credentials import Token, TokenError, TokenSource, checked_header, looks_secret

__all__ = ["Credentials", "Params", "Token", "redact"]

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]

HIDDEN: Final = "***"


def redact(url: str) -> str:
    """Return *url* without its secrets: user, password, fragment, and the value of each parameter."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")
        pairs = [pair.partition("=") for pair in parts.query.split("&")] if parts.query else []
    except ValueError:
        return "(a URL that is not valid)"
    # Text without "=" may be a value alone, and a name that looks like a key may be one.
    query = "&".join(
        f"{name}={HIDDEN}" if equals and not looks_secret(unquote_plus(name)) else HIDDEN
        for name, equals, _ in pairs
    )
    netloc = f"{HIDDEN}@{host[2]}" if host[1] else host[2]
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


class Credentials:
    """Hold the headers, parameters and token for a stream's own host, and for no other host."""

    def __init__(self, headers: Mapping[str, str] | None, params: Params | None, token: Token | None) -> None:
        self._headers = [_encoded(name, value) for name, value in (headers or {}).items()]
        self._params = list(params.items() if isinstance(params, Mapping) else params or ())
        self._token = None if token is None else TokenSource(token)
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

        A caller's own Authorization header replaces the token.

        Raises:
            TokenError: there is no token that can be sent.
        """
        if self._has_auth:
            return self._headers
        source = self._token or _token_from_environment(host, port)
        token = None if source is None else await source.ask()
        return [*self._headers, _encoded("Authorization", f"Bearer {token}")] if token else self._headers


def _token_from_environment(host: str, port: int | None) -> TokenSource | None:
    named = re.split(r"[\s,]+", os.environ.get("VIBE_NOTEBOOK_TOKEN_HOSTS", "").lower())
    name = host.lower()
    if not (is_loopback(host) or (name and name in named) or f"{name}:{port}" in named):
        return None
    token = os.environ.get("VIBE_NOTEBOOK_TOKEN", "")
    try:
        return TokenSource(token)
    except ValueError:
        message = "VIBE_NOTEBOOK_TOKEN has characters that no header holds"
    raise TokenError(message, is_lasting=True)


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    name, value = checked_header(name, value)
    return name.lower().encode(), value.encode()

"""Send one request for a stream: follow redirects, classify the answer, and read the body's bytes.

No other module knows the HTTP client. ``_event_source`` gets each outcome as a value: a traceback
would lead through the frames that hold the request and its secrets.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import urllib.request
import zlib
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio

from .._addresses import Reach, is_loopback, reach_of
from .._credentials import TokenError
from .._foreign_words import on_one_line
from .._json_values import scrub
from ..exceptions import MissingExtraError, RemoteError
from ._request import StreamRequest
from ._responses import (
    Ended,
    Lost,
    Opened,
    Refused,
    describe_error,
    describe_status,
    refusal,
    root_cause,
)
from ._retry import retry_after
from ._secrets import Credentials, redact
from ._server_words import LIMIT, words_in

if TYPE_CHECKING:
    import httpx2

__all__ = ["Http", "Inflated", "Inflater", "is_compressed"]

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 20
_LONGEST_ID: Final = 4096
"""Bytes: servers refuse a request with much longer headers, at every try."""
_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a transcript."""
_CONTROLS: Final = frozenset([*range(9), *range(10, 32), 127])
_HOST: Final = re.compile(r"[^\s%\[\]/?#@\\]+")
_LONGEST_LABEL: Final = 63
_LOST_WORDS: Final = 200
"""Characters of a server's message about a loss that the next try may mend: the header shows it on one line."""
_WORDS_SECONDS: Final = 5
"""Seconds for the body of a refusal: its status is known already."""
_LAST_PORT: Final = 65_535
_PRIVATE: Final = "the server redirects to a private address, where it may not send a reader"
_NO_CONTENT: Final = 204
_OK: Final = 200


class Http:
    """Open one stream's connections. Each call of ``open`` makes a new one."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        request: StreamRequest,
        *,
        proxy: str | None,
        verify: ssl.SSLContext | bool,
        connect_timeout: float,
        retry_statuses: Container[int],
    ) -> None:
        self._httpx = _client()
        self._credentials = credentials
        self._stream_request = request
        self._retry_statuses = retry_statuses
        self._proxy = proxy
        self._verify = verify
        self._connect_timeout = connect_timeout
        self._transports: dict[str | None, httpx2.AsyncHTTPTransport] = {}
        try:
            parsed = self._httpx.URL(url)
            self._user = parsed.userinfo
            self._url = parsed.copy_with(userinfo=b"", fragment=None)
            if params := credentials.params:
                self._url = self._url.copy_merge_params(params)
        except (self._httpx.InvalidURL, ValueError, TypeError):
            parsed = None
        if parsed is None or not _is_http(parsed):
            msg = f"{redact(url)} is no http(s) URL."
            raise RemoteError(msg)

    async def open(self, last_event_id: str, parameter: str | None = None) -> Opened | Ended | Refused | Lost:
        """Request the stream, from after *last_event_id* on if that is not empty. Never raise.

        The id goes into the URL's *parameter*; without one, into the header.
        """
        httpx = self._httpx
        try:
            return await self._open(last_event_id, parameter)
        except httpx.ConnectError as error:
            if isinstance(root_cause(error), ssl.SSLCertVerificationError):
                return Refused(f"the server's certificate cannot be trusted ({root_cause(error)})")
            return self.lost(error)
        except (httpx.TransportError, socket.gaierror) as error:
            return self.lost(error)

    async def fetch(self, path: str, params: Mapping[str, str], patience: float | None) -> bytes | None:
        """Fetch JSON from the stream's own host; ``None`` after a failure or *patience* seconds. Never raise."""
        url = self._url.copy_with(raw_path=path.encode())
        url = url.copy_merge_params([*self._url.params.multi_items(), *params.items()])
        request = await self._request(
            url, "", ours=True, wanted=StreamRequest(), accept=b"application/json", patience=patience
        )
        if isinstance(request, Refused | Lost):
            return None
        try:
            response = await self._transport(url).handle_async_request(request)
            opened, found = self._opened(response), bytearray()
            try:
                if response.status_code == _OK:
                    async for piece in opened.body:
                        found += piece
                        if len(found) > _LARGEST:
                            return None
            finally:
                await opened.aclose()
        except self.broken:
            return None
        return bytes(found) if response.status_code == _OK else None

    @property
    def path(self) -> str:
        """Return the URL's path as the request holds it."""
        return str(self._url.raw_path.partition(b"?")[0].decode())

    def lost(self, error: BaseException) -> Lost:
        """Return the cause of a lost connection, in words."""
        httpx = self._httpx
        match error:
            case httpx.ConnectTimeout():
                return Lost("the server does not answer")
            case httpx.ProxyError():
                return Lost("the proxy could not reach it")  # its text may hold the proxy's password
            case zlib.error():
                return Lost("its compressed body is broken")
            case httpx.ConnectError() | socket.gaierror():
                return Lost(f"no connection ({describe_error(root_cause(error))})")
            case _:
                below = root_cause(error)
                return Lost(
                    f"the connection broke ({describe_error(below)})"
                    if below is not error
                    else "the connection broke"
                )

    @property
    def broken(self) -> tuple[type[Exception], ...]:
        """Return the exceptions that a reader of the body gets from a broken connection."""
        return (self._httpx.TransportError, self._httpx.StreamError, zlib.error)

    async def aclose(self) -> None:
        """Close every connection."""
        transports, self._transports = self._transports, {}
        with anyio.move_on_after(1, shield=True):
            for transport in transports.values():
                await transport.aclose()

    async def _open(self, last_event_id: str, parameter: str | None) -> Opened | Ended | Refused | Lost:
        url, ours, wanted, source = self._url, True, self._stream_request, Reach.LOOPBACK
        if parameter is not None and last_event_id:
            url = url.copy_set_param(parameter, last_event_id)
            last_event_id = ""
        for _ in range(_MOST_REDIRECTS + 1):
            request = await self._request(url, last_event_id, ours=ours, wanted=wanted)
            if isinstance(request, Refused | Lost):
                return request
            hosts = [url.host]
            if _origin(url) != _origin(self._url):
                hosts = await self._allowed(url, source)
                if not hosts:
                    return Refused(_PRIVATE)
            response = await self._send(url, request, hosts)
            if response.status_code not in _REDIRECTS:
                return await self._answer(response)
            source = min(source, self._reach(url, response))
            await Opened({}, response.aiter_raw(), response).aclose()
            try:
                target = url.join(response.headers.get("location", "")).copy_with(userinfo=b"", fragment=None)
            except (self._httpx.InvalidURL, ValueError):
                target = None
            if target is None or "location" not in response.headers or not _is_http(target):
                return Refused("the server redirects to nowhere", response.status_code)
            # The secrets for one host go to no other host, nor to a host to which the other redirects.
            ours = ours and _origin(target) == _origin(url)
            url, wanted = target, wanted.after_redirect(response.status_code)
            if not ours and wanted.content is not None:
                return Refused(
                    "the server redirects to another host, which may not get the body that was sent here"
                )
        return Refused(f"the server redirected more than {_MOST_REDIRECTS} times")

    def _reach(self, url: httpx2.URL, response: httpx2.Response) -> Reach:
        """Return the reach of the server that has answered; behind a proxy, only its name tells."""
        if self._proxy_for(url) is not None:
            return reach_of(url.host) or Reach.PUBLIC
        try:
            peer = response.extensions["network_stream"].get_extra_info("server_addr")
            reach = reach_of(str(peer[0]))
        except (OSError, KeyError, TypeError):  # the server has closed the connection already
            reach = reach_of(url.host)
        return reach or Reach.PUBLIC

    async def _allowed(self, url: httpx2.URL, source: Reach) -> list[str]:
        """Return the addresses of a redirect's target, without those nearer to this machine than *source*.

        The name is resolved once, here: the connection goes to an address that was checked.
        """
        reach, addresses = reach_of(url.host), [url.host]
        if reach is None and self._proxy_for(url) is None:
            found = await anyio.getaddrinfo(url.host, url.port or 0, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        return [each for each in addresses if (reach_of(each) or Reach.PUBLIC) <= source]

    async def _send(self, url: httpx2.URL, request: httpx2.Request, hosts: Sequence[str]) -> httpx2.Response:
        """Send *request*, meant for *url*, to the first of *hosts* that accepts a connection."""
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        for host in hosts[:-1]:
            request.url = url.copy_with(host=host)
            try:
                return await self._transport(url).handle_async_request(request)
            except (self._httpx.ConnectError, self._httpx.ConnectTimeout):
                continue
        request.url = url.copy_with(host=hosts[-1])
        return await self._transport(url).handle_async_request(request)

    async def _request(
        self,
        url: httpx2.URL,
        last_event_id: str,
        *,
        ours: bool,
        wanted: StreamRequest,
        accept: bytes = b"text/event-stream",
        patience: float | None = None,
    ) -> httpx2.Request | Refused | Lost:
        headers = {
            b"host": url.netloc,
            b"accept": accept,
            b"accept-encoding": b"identity",
            b"cache-control": b"no-cache",
            b"user-agent": b"vibe_notebook",
            **wanted.headers,
        }
        if ours:
            if self._user:
                headers[b"authorization"] = _basic(self._user)
            try:
                headers |= await self._credentials.headers(url.host, url.port)
            except TokenError as error:
                reason = f"there is no token to send: {error}"
                return Refused(reason) if error.is_lasting else Lost(reason)
        resume = last_event_id.encode().strip(b" \t")
        if resume and len(resume) <= _LONGEST_ID and _CONTROLS.isdisjoint(resume):
            headers[b"last-event-id"] = resume
        # A stream has no read timeout here: EventSource bounds each silence of the body itself.
        timeout = self._httpx.Timeout(self._connect_timeout, read=patience)
        extensions = {"timeout": timeout.as_dict()}
        request: httpx2.Request = self._httpx.Request(
            wanted.method, url, headers=list(headers.items()), content=wanted.content, extensions=extensions
        )
        return request

    async def _answer(self, response: httpx2.Response) -> Opened | Ended | Refused | Lost:
        status = response.status_code
        opened = self._opened(response)
        kind = response.headers.get("content-type", "")
        coding = response.headers.get("content-encoding", "")
        is_stream = status == _OK and kind.partition(";")[0].strip().lower() == "text/event-stream"
        if is_stream and is_compressed(coding) is not None:
            return opened
        words, is_permanent = ("", False) if is_stream else await self._explanation(opened, kind)
        await opened.aclose()
        if is_stream:
            return Refused(
                f"its content encoding is {scrub(coding)[:80]!r}, and the client asked for none", status
            )
        if status == _NO_CONTENT:
            return Ended()
        if status == _OK:
            given = scrub(kind)[:80] or "nothing"
            reason = f"its content type is {given!r}, not text/event-stream: is this the stream's URL?"
            return Refused(f"{reason}; the server says: {words}" if words else reason, status)
        if status in self._retry_statuses:
            reason = describe_status(status) + (f": {on_one_line(words, _LOST_WORDS)}" if words else "")
            if is_permanent:
                return Refused(reason, status)
            return Lost(reason, status, retry_after(response.headers.get("retry-after")))
        refused = refusal(status)
        return Refused(f"{refused.reason}; the server says: {words}", status) if words else refused

    async def _explanation(self, opened: Opened, kind: str) -> tuple[str, bool]:
        """Return the words of an answer without a stream, and whether they say that another try cannot help."""
        body = bytearray()
        # Errors are suppressed: without its body the answer still has its status.
        with anyio.move_on_after(_WORDS_SECONDS), contextlib.suppress(*self.broken):
            async for piece in opened.body:
                body += piece[: LIMIT - len(body)]
                if len(body) >= LIMIT:
                    break
        return words_in(bytes(body), kind)

    @staticmethod
    def _opened(response: httpx2.Response) -> Opened:
        raw = response.aiter_raw()
        is_plain = not is_compressed(response.headers.get("content-encoding", ""))
        return Opened(response.headers, raw if is_plain else Inflated(raw), response)

    def _proxy_for(self, url: httpx2.URL) -> str | None:
        return self._proxy or _environment_proxy(url)

    def _transport(self, url: httpx2.URL) -> httpx2.AsyncHTTPTransport:
        proxy = self._proxy_for(url)
        if proxy not in self._transports:
            # No connection is kept alive: the client must not try a lost one again.
            limits = self._httpx.Limits(max_keepalive_connections=0)
            self._transports[proxy] = self._httpx.AsyncHTTPTransport(
                verify=self._verify, proxy=proxy, limits=limits
            )
        return self._transports[proxy]


def _client() -> Any:
    try:
        import httpx2  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("Following a remote stream", "remote") from None
    return httpx2


def _is_http(url: httpx2.URL) -> bool:
    """Return True for a URL with a valid scheme, host and port.

    Resolvers and sockets refuse the others too, but each event loop raises another error then.
    """
    if url.scheme not in ("http", "https") or _HOST.fullmatch(url.host) is None:
        return False
    labels = url.raw_host.removesuffix(b".").split(b".")
    return all(0 < len(label) <= _LONGEST_LABEL for label in labels) and 0 < (url.port or 1) <= _LAST_PORT


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _environment_proxy(url: httpx2.URL) -> str | None:
    if is_loopback(url.host):  # a secret of this machine must not leave it
        return None
    found = urllib.request.getproxies()
    proxy = found.get(url.scheme) or found.get("all")
    if not proxy or urllib.request.proxy_bypass(url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _basic(user: bytes) -> bytes:
    import base64  # noqa: PLC0415 - hardly ever needed
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415

    return b"Basic " + base64.b64encode(unquote_to_bytes(user))


# Compressed bodies. The client asks for none, but some proxies compress all the same. The HTTP client's
# own decoder reads one gzip member and silently drops the rest: that decoder would deliver only the first
# event of a server that flushes each event as a member.

_EITHER: Final = zlib.MAX_WBITS | 32
"""gzip or zlib, by the first bytes."""
_PIECE: Final = 1 << 20
"""Bytes at a time, so that a small compressed piece cannot fill the memory."""


def is_compressed(codings: str) -> bool | None:
    """Return True for a ``Content-Encoding`` that ``Inflater`` reads, False for none, ``None`` for another."""
    named = [each for each in map(str.strip, codings.lower().split(",")) if each not in ("", "identity")]
    if not named:
        return False
    return True if named in (["gzip"], ["x-gzip"], ["deflate"]) else None


class Inflater:
    """Decompress one body of any number of gzip or zlib members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_EITHER)
        self.is_whole = True
        """True between two members, False inside of one."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes. Raises ``zlib.error`` for bytes that no compressor has made."""
        is_more = False
        while data or is_more:
            piece = self._member.decompress(data, _PIECE)
            is_end = self._member.eof
            if is_end:
                data = self._member.unused_data
                self._member = zlib.decompressobj(_EITHER)
            else:
                data = self._member.unconsumed_tail
            self.is_whole, is_more = is_end, not is_end and len(piece) == _PIECE
            if piece:
                yield piece


class Inflated(AsyncIterator[bytes]):
    """Iterate over the decompressed *body*. Raises ``zlib.error``, also for a body that ends in a member.

    This is no generator: a generator that raised would leave the body's own generator open.
    """

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._inflater = Inflater()
        self._pieces: Iterator[bytes] = iter(())

    async def __anext__(self) -> bytes:
        while (piece := next(self._pieces, None)) is None:
            data = await anext(self._body, None)
            if data is not None:
                self._pieces = self._inflater.feed(data)
            elif self._inflater.is_whole:
                raise StopAsyncIteration
            else:
                raise zlib.error("it ends in the middle")
        return piece

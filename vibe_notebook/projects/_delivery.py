"""The destinations of a publisher: a server over HTTP, or an event log.

Below ``_publisher``. Both destinations accept a batch with a key, and append a batch with a known key only once.
So the publisher can send a batch again after it lost the acknowledgement.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from .._addresses import is_loopback
from .._credentials import Token, TokenError, TokenSource, checked_header
from .._foreign_words import on_one_line
from .._limits import ANSWER_BYTES
from ..exceptions import MissingExtraError, RemoteError, VibeNotebookError
from ._entry import valid_project
from ._stream import ProjectEventStream

if TYPE_CHECKING:
    import httpx2

__all__ = ["DelayedError", "Destination", "RejectedError", "destination_for"]

_TIMEOUT: Final = 30.0
_TOO_LARGE: Final = 413
_NO_EVENT: Final = 422
_NO_TOKEN: Final = 401
_TEMPORARY: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


class DelayedError(VibeNotebookError):
    """Report a batch that the destination did not accept yet; it may accept the batch after *seconds*."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class RejectedError(RemoteError):
    """Report a batch with at least one event that the destination never accepts."""


class Destination(Protocol):
    """Accept batches of events for one project."""

    async def send(self, events: Sequence[str], key: str) -> None:
        """Send events, each as JSON, and return after their acknowledgement.

        Raises:
            DelayedError: the destination may accept the batch later.
            RejectedError: the destination accepts a part of the batch at most.
            VibeNotebookError: no further try can succeed.
        """

    async def close_project(self) -> None:
        """Close the project's stream: its listeners end."""

    async def aclose(self) -> None:
        """Close the connections."""


def destination_for(
    target: str | ProjectEventStream,
    project_id: str,
    *,
    headers: Mapping[str, str] | None,
    token: Token | None,
) -> Destination:
    """Return the destination for *target*: a server's URL, a log's URL or a ``ProjectEventStream``.

    Raises:
        MissingExtraError: *target* needs an extra that is not installed.
        ProtocolError: *project_id* is no project's id.
        ValueError: *target* is none of the three.
    """
    valid_project(project_id)
    if isinstance(target, ProjectEventStream):
        return _LogDestination(target, project_id, owned=False)
    scheme = urlsplit(target).scheme
    if scheme in ("http", "https"):
        return _HttpDestination(target, project_id, headers=headers, token=token)
    if scheme == "memory":
        raise ValueError(
            "A new memory log has no reader: pass a server's URL or the ProjectEventStream that others read."
        )
    return _LogDestination(ProjectEventStream(target), project_id, owned=True)


class _LogDestination:
    def __init__(self, stream: ProjectEventStream, project_id: str, *, owned: bool) -> None:
        self._stream = stream
        self._project_id = project_id
        self._owned = owned

    async def send(self, events: Sequence[str], key: str) -> None:
        items = [("agent_event", _without_id(event)) for event in events]
        try:
            await self._stream.send_events(self._project_id, items, key=key)
        except OSError as error:
            raise DelayedError(f"The log does not answer: {error}.") from error

    async def close_project(self) -> None:
        await self._stream.aclose_stream(self._project_id)

    async def aclose(self) -> None:
        if self._owned:
            await self._stream.aclose()


class _HttpDestination:
    def __init__(
        self, url: str, project_id: str, *, headers: Mapping[str, str] | None, token: Token | None
    ) -> None:
        try:
            import httpx2  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise MissingExtraError("Publishing to a server", "remote") from error
        self._http = httpx2
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError(
                "The URL of a server has no query and no fragment; pass a secret by token= or headers=."
            )
        user, _, self._host = parts.netloc.rpartition("@")
        # The client would write a URL's password to the logger.
        base = SplitResult(parts.scheme, self._host, parts.path, "", "").geturl()
        self._path = f"{base.rstrip('/')}/projects/{quote(project_id, safe='')}"
        self._is_this_machine = is_loopback(parts.hostname or "")
        self._headers = dict(checked_header(name, value) for name, value in (headers or {}).items())
        if user:
            basic = base64.b64encode(unquote_to_bytes(user)).decode()
            self._headers = {"Authorization": f"Basic {basic}", **self._headers}
        self._tokens = None if token is None else TokenSource(token)
        self._token: str | None = None
        self._has_token = False
        self._client: httpx2.AsyncClient | None = None

    async def send(self, events: Sequence[str], key: str) -> None:
        body = f"[{','.join(events)}]".encode()
        await self._post("events", body, {"Idempotency-Key": key, "Content-Type": "application/json"})

    async def close_project(self) -> None:
        await self._post("close", b"", {})

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, to: str, body: bytes, headers: dict[str, str]) -> None:
        is_new = await self._ask_for_token()
        try:
            await self._post_once(to, body, headers)
        except RemoteError as error:
            if error.status != _NO_TOKEN or self._tokens is None or is_new:
                raise
            # The token may have expired since its function was called: the next try has a new one.
            self._has_token = False
            raise DelayedError(str(error), 0.0) from None

    async def _ask_for_token(self) -> bool:
        """Ask for a token unless one is there; return True if it is a new one."""
        if self._tokens is None or self._has_token:
            return False
        failure: VibeNotebookError | None = None
        try:
            self._token = await self._tokens.ask()
        except TokenError as error:
            message = f"There is no token for {self._host}: {error}."
            failure = RemoteError(message) if error.is_lasting else DelayedError(message)
        if failure is not None:
            raise failure
        self._has_token = True
        return True

    async def _post_once(self, to: str, body: bytes, headers: dict[str, str]) -> None:
        if self._client is None:
            # An explicit transport ignores the proxy settings: events for this machine must not leave it.
            transport = self._http.AsyncHTTPTransport() if self._is_this_machine else None
            self._client = self._http.AsyncClient(
                headers=self._headers, timeout=_TIMEOUT, transport=transport
            )
        if self._token is not None:
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        try:
            async with self._client.stream(
                "POST", f"{self._path}/{to}", content=body, headers=headers
            ) as answer:
                body_start = bytearray()
                async for chunk in answer.aiter_bytes():
                    body_start += chunk
                    if len(body_start) > ANSWER_BYTES:
                        break
        except self._http.TransportError as error:
            raise DelayedError(f"{self._host} does not answer ({type(error).__name__}).") from error
        status = answer.status_code
        if answer.is_success:
            return
        message = f"{self._host} answers {status}: {_error_of(body_start, answer.reason_phrase)}"
        if status in _TEMPORARY:
            raise DelayedError(message, _seconds(answer.headers.get("retry-after")))
        raise (RejectedError if status in (_TOO_LARGE, _NO_EVENT) else RemoteError)(message, status=status)


def _without_id(event: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(event)
    fields.pop("id", None)  # the log assigns its own ids
    return fields


def _error_of(body: bytes | bytearray, reason: str) -> str:
    """Return the error message of an answer as one line, fit for the logger."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        error = reason
    return on_one_line(str(error))


def _seconds(header: str | None) -> float | None:
    return (
        float(header) if header is not None and header.isdecimal() and len(header) < len("1000000") else None
    )

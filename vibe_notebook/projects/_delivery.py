"""Where a publisher's events go: a server over HTTP, or a log itself.

Below ``_publish.py``. Both take a batch under a key: the same key again adds nothing, so a batch
whose acknowledgement was lost can be sent again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote, urlsplit

from .._addresses import is_loopback
from .._foreign_words import on_one_line
from .._limits import ANSWER_BYTES
from ..exceptions import MissingExtraError, RemoteError, VibeNotebookError

if TYPE_CHECKING:
    import httpx2

    from . import ProjectEventStream

__all__ = ["DelayedError", "Desk", "RejectedError", "desk_for"]

_TIMEOUT: Final = 30.0
_TOO_LARGE: Final = 413
_NO_EVENT: Final = 422
_PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


class DelayedError(VibeNotebookError):
    """It was not taken now; it may be later, after *seconds* if the other side said so."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class RejectedError(RemoteError):
    """Some of a batch can never be taken; the rest may be."""


class Desk(Protocol):
    """Where batches are handed in."""

    async def send(self, events: Sequence[str], key: str) -> None:
        """Return once the events, each as JSON, are acknowledged. Raises ``DelayedError``, ``RejectedError``, or what ends it all."""

    async def close_project(self) -> None:
        """End the project's stream for its listeners."""

    async def aclose(self) -> None:
        """Let go of connections."""


def desk_for(
    target: str | ProjectEventStream,
    project_id: str,
    *,
    headers: Mapping[str, str] | None,
    token: str | None,
) -> Desk:
    """Choose by what *target* is. Raises ``MissingExtraError``, ``ValueError`` for no such target."""
    from . import ProjectEventStream  # noqa: PLC0415 - the package names this module too

    if isinstance(target, ProjectEventStream):
        return _LogDesk(target, project_id, owned=False)
    scheme = urlsplit(target).scheme
    if scheme in ("http", "https"):
        return _HttpDesk(target, project_id, headers=headers, token=token)
    if scheme == "memory":
        raise ValueError(
            "A memory log of its own has no reader: pass a server's URL or a ProjectEventStream."
        )
    return _LogDesk(ProjectEventStream(target), project_id, owned=True)


class _LogDesk:
    def __init__(self, stream: ProjectEventStream, project_id: str, *, owned: bool) -> None:
        self._stream = stream
        self._project_id = project_id
        self._owned = owned

    async def send(self, events: Sequence[str], key: str) -> None:
        items = [("agent_event", _plain(event)) for event in events]
        try:
            await self._stream.send_events(self._project_id, items, key=key)
        except OSError as error:
            raise DelayedError(f"The log does not answer: {error}.") from error

    async def close_project(self) -> None:
        await self._stream.aclose_stream(self._project_id)

    async def aclose(self) -> None:
        if self._owned:
            await self._stream.aclose()


class _HttpDesk:
    def __init__(
        self, url: str, project_id: str, *, headers: Mapping[str, str] | None, token: str | None
    ) -> None:
        try:
            import httpx2  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise MissingExtraError("Publishing to a server", "remote") from error
        self._http = httpx2
        self._path = f"{url.rstrip('/')}/projects/{quote(project_id, safe='')}"
        self._where = urlsplit(url).netloc.rpartition("@")[2]
        self._is_here = is_loopback(urlsplit(url).hostname or "")
        self._headers = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        self._made: httpx2.AsyncClient | None = None

    async def send(self, events: Sequence[str], key: str) -> None:
        body = f"[{','.join(events)}]".encode()
        await self._post("events", body, {"Idempotency-Key": key, "Content-Type": "application/json"})

    async def close_project(self) -> None:
        await self._post("close", b"", {})

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()

    async def _post(self, to: str, body: bytes, headers: dict[str, str]) -> None:
        if self._made is None:
            # A transport of its own knows no proxy: what is sent to this machine must not leave it.
            transport = self._http.AsyncHTTPTransport() if self._is_here else None
            self._made = self._http.AsyncClient(headers=self._headers, timeout=_TIMEOUT, transport=transport)
        try:
            async with self._made.stream(
                "POST", f"{self._path}/{to}", content=body, headers=headers
            ) as answer:
                found = bytearray()
                async for piece in answer.aiter_bytes():
                    found += piece
                    if len(found) > ANSWER_BYTES:
                        break
        except self._http.TransportError as error:
            raise DelayedError(f"{self._where} does not answer ({type(error).__name__}).") from error
        status = answer.status_code
        if answer.is_success:
            return
        said = f"{self._where} answers {status}: {_error_of(found, answer.reason_phrase)}"
        if status in _PASSING:
            raise DelayedError(said, _seconds(answer.headers.get("retry-after")))
        raise (RejectedError if status in (_TOO_LARGE, _NO_EVENT) else RemoteError)(said, status=status)


def _plain(event: str) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(event)
    plain.pop("id", None)  # the log gives its own
    return plain


def _error_of(body: bytes | bytearray, reason: str) -> str:
    """Return what the server says of it, fit for a log."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = reason
    return on_one_line(str(said))


def _seconds(given: str | None) -> float | None:
    return float(given) if given is not None and given.isdecimal() and len(given) < len("1000000") else None

"""Running the app: on which address, for whom, and how it ends without losing anybody's place.

On top of the app.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from typing import Any, Final

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette

from ..exceptions import VibeNotebookError
from ..projects import EventLog, ProjectEventStream
from ._app import create_app
from ._guard import is_loopback, loopback_hosts
from ._limits import Limits

__all__ = ["Runner", "serve"]

_GRACE: Final = 5
"""Seconds that requests get to come to their end at a shutdown."""

_OTHERS: Final = 200
"""Connections beside the streams."""


_FILES: Final = 65_536
_PORTS: Final = 65_535


class Runner(uvicorn.Server):
    """A server that ends its streams first when it shuts down, and says when it is ready."""

    def __init__(self, app: Starlette, limits: Limits, ready: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            # A connection whose reader stalls stays until the reader is gone: count these too.
            limit_concurrency=limits.listeners + _OTHERS,
        )
        super().__init__(config)
        self._seats = app.state.seats
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        # sse-starlette cuts every stream of a process in which any server was once stopped by a signal.
        AppStatus.should_exit = False
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, so that their clients resume elsewhere; then what else there is."""
        self._seats.end()
        await super().shutdown(sockets)


def bound(host: str, port: int, token: object) -> tuple[socket.socket, str]:
    """Bind an address and return it as a URL; port 0 is any free one.

    Raises ``VibeNotebookError`` for one that others than this machine reach, without a token,
    ``OSError`` for one that is not to be had, and ``ValueError`` for what is no port.
    """
    if token is None and not is_loopback(host):
        msg = (
            f"{host} can be reached from other machines: anybody could read and send. Give a token "
            "(--token, or VIBE_NOTEBOOK_TOKEN), or stay on 127.0.0.1."
        )
        raise VibeNotebookError(msg)
    if not 0 <= port <= _PORTS:
        msg = f"port={port}: a port is a number from 0 (any free one) to {_PORTS}."
        raise ValueError(msg)
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, proto)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.set_inheritable(False)
    except OSError:
        listening.close()
        raise
    name = f"[{host}]" if ":" in host else host
    return listening, f"http://{name}:{listening.getsockname()[1]}"


def raise_file_limit() -> None:
    """Each listener is an open file, and a shell allows 1,024 unless it is asked."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def app_for(host: str, token: Any, cors: Collection[str], **options: Any) -> Starlette:
    """Make the app for an address: without a token it answers only to the names of this machine."""
    hosts = loopback_hosts(host) if token is None else None
    return create_app(auth=token, cors=cors, hosts=hosts, **options)


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    log: str | EventLog | ProjectEventStream = "memory:",
    token: str | None = None,
    cors: Collection[str] = (),
    limits: Limits | None = None,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve until the process is told to end (SIGINT, SIGTERM).

    *ready* is called with the URL once it answers. Raises ``VibeNotebookError`` where *host* is not a
    loopback address and there is no *token*; ``OSError`` where the port is taken.
    """
    listening, url = bound(host, port, token)
    raise_file_limit()
    with listening:
        app = app_for(host, token, cors, log=log, limits=limits)
        Runner(app, limits or Limits(), lambda: ready(url) if ready is not None else None).run([listening])

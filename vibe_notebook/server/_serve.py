"""The run of the app by uvicorn: the address, the start, and a shutdown after which clients can resume.

On top of ``_app``. ``vibe-notebook serve`` and ``_background`` use it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, cast

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette

from .._addresses import is_loopback
from ..exceptions import VibeNotebookError
from ..projects import EventLog, ProjectEventStream
from ._app import create_app
from ._connections import Connection, sweep
from ._guard import loopback_hosts
from ._limits import Limits

__all__ = ["Runner", "serve"]

_GRACE: Final = 5
"""Seconds in which requests must end at a shutdown."""

_WAITING_SHARE: Final = 4
"""The connections without a stream have one of so many parts of the process's open files."""

_TICKS: Final = 10
"""Ticks of uvicorn's main loop in a second."""

_OPEN_FILES: Final = 65_536
"""Open files of the process, at most: each listener needs one."""

_LAST_PORT: Final = 65_535


class Runner(uvicorn.Server):
    """Run the app: call *ready* after the start, and end the streams first at a shutdown."""

    def __init__(self, app: Starlette, limits: Limits, ready: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            # uvicorn only calls it. `sweep` bounds the connections: uvicorn's own limit counts silent ones too.
            http=cast("type[asyncio.Protocol]", partial(Connection, limits=limits)),
            ws="none",
        )
        super().__init__(config)
        self._limits = limits
        self._check_log = app.state.check_log
        self._open_streams = app.state.open_streams
        self._ready = ready

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Check the log, then serve. uvicorn itself would only print the traceback of a failed start.

        Raises:
            LogError: the log cannot be used.
        """
        await self._check_log()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer requests."""
        # After a signal has stopped any server of the process, sse-starlette cuts every further stream.
        AppStatus.should_exit = False
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """End slow connections once a second; return True at a shutdown."""
        if counter % _TICKS == 0:
            room = min(self._limits.waiting_connections, open_files() // _WAITING_SHARE)
            sweep(self.server_state.connections, room, time.monotonic())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, so that their clients resume elsewhere; then end the server."""
        self._open_streams.close()
        await super().shutdown(sockets)


def bind(host: str, port: int, token: object) -> tuple[socket.socket, str]:
    """Bind an address, and return its socket and URL. Port 0 stands for any free port.

    Raises:
        VibeNotebookError: other machines can reach *host*, and *token* is None.
        OSError: the address is in use or unknown.
        ValueError: *port* is no port.
    """
    if token is None and not is_loopback(host):
        raise _reachable(host)
    if not 0 <= port <= _LAST_PORT:
        msg = f"port={port}: a port is a number from 0 (any free port) to {_LAST_PORT}."
        raise ValueError(msg)
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # The address that a client calls this machine by, 0.0.0.0, is at a server that of every network.
    if token is None and not ipaddress.ip_address(address[0]).is_loopback:
        raise _reachable(host)
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


def _reachable(host: str) -> VibeNotebookError:
    msg = (
        f"Other machines can reach {host}: without a token they could read and send. Give a token "
        "(--token, or VIBE_NOTEBOOK_TOKEN), or use 127.0.0.1."
    )
    return VibeNotebookError(msg)


def open_files() -> int:
    """Return the process's limit of open files."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return _OPEN_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def raise_file_limit() -> None:
    """Raise the process's limit of open files: each listener is one, and the usual limit is 1,024."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def app_for(host: str, token: Any, cors: Collection[str], **options: Any) -> Starlette:
    """Create the app for an address. Without a token the app answers only to the names of this machine."""
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
    """Serve projects until a signal ends the process (SIGINT, SIGTERM).

    The server calls *ready* with its URL when it starts to answer.

    Raises:
        VibeNotebookError: *host* is not a loopback address, and *token* is None.
        LogError: the log cannot be used.
        OSError: the port is in use.
        ValueError: *port* is no port, or *token* is empty.
    """
    listening, url = bind(host, port, token)
    raise_file_limit()
    with listening:
        app = app_for(host, token, cors, log=log, limits=limits)
        Runner(app, limits or Limits(), lambda: ready(url) if ready is not None else None).run([listening])

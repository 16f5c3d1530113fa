"""The ASGI app of the server: routes, access checks and error answers.

On top of ``_routes`` and ``_guard``. ``_serve`` and ``_background`` run the app; any other ASGI server can too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .._foreign_words import clean_logger
from ..exceptions import LogError, ProtocolError, VibeNotebookError
from ..projects import EventLog, ProjectEventStream
from ._errors import Refused
from ._guard import Auth, Guard, check_auth
from ._limits import Limits
from ._routes import Routes
from ._security_headers import protected

__all__ = ["create_app"]

logger = clean_logger("vibe_notebook.server")


def create_app(
    *,
    log: str | EventLog | ProjectEventStream = "memory:",
    auth: Auth = None,
    cors: Collection[str] = (),
    hosts: Collection[str] | None = None,
    limits: Limits | None = None,
    heartbeat: float = 15.0,
    retry: float = 2.0,
) -> Starlette:
    """Create the ASGI app that serves the projects of a log.

    *log* is the URL of a log (``memory:``, ``sqlite:///path``, ``redis://…``), or a ``ProjectEventStream``; the app
    does not close the caller's ``ProjectEventStream``. *auth* is a bearer token, or a function that checks requests.
    *cors* lists the origins whose pages may use the server. *hosts* lists the only names in the Host header that the
    server accepts. The server sends a comment on each stream every *heartbeat* seconds. A client waits *retry*
    seconds before it reconnects.

    Each server process needs an app of its own: the app counts the open streams. At its start (ASGI's lifespan) the
    app checks the log, and fails with a ``LogError`` if the log cannot be used.

    Raises:
        ValueError: *auth* is an empty token.
        ProtocolError: *log* names no log.
    """
    check_auth(auth)
    owned = not isinstance(log, ProjectEventStream)
    stream = log if isinstance(log, ProjectEventStream) else ProjectEventStream(log)
    routes = Routes(stream, limits or Limits(), heartbeat=heartbeat, retry=retry, has_auth=auth is not None)

    async def check_log() -> None:
        try:
            await stream.check()
        except BaseException:
            if owned:
                await stream.aclose()
            raise

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await check_log()
        try:
            yield
        finally:
            routes.open_streams.close()
            if owned:
                await stream.aclose()

    middleware = [Middleware(Guard, auth=auth, cors=cors, hosts=hosts)]
    if cors:
        # Outermost: a browser sends its preflight request without a token.
        middleware.insert(
            0,
            Middleware(
                CORSMiddleware,
                allow_origins=list(cors),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Idempotency-Key", "Last-Event-ID"],
                expose_headers=["Last-Event-ID", "Retry-After"],
            ),
        )
    app = _App(
        routes=routes.all(),
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={
            Refused: _refused,
            HTTPException: _http,
            VibeNotebookError: _log_failed,
            Exception: _unexpected,
        },
    )
    app.state.open_streams = routes.open_streams
    app.state.stream = stream
    app.state.check_log = check_log
    return app


class _App(Starlette):
    """Add the security headers to every response, also to that of Starlette's own error handling."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        started: list[bool] = []
        send_protected = protected(send, started)
        try:
            await super().__call__(scope, receive, send_protected)
        except asyncio.CancelledError:
            # uvicorn cancels the requests that outlive a shutdown's grace, and would answer 500.
            if not started:
                refused = Refused(503, "The server is shutting down; try again.", retry_after=1)
                with anyio.CancelScope(shield=True):
                    await refused.response()(scope, receive, send_protected)
            raise


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - Starlette calls the handler for this class alone
    return error.response()


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    messages = {
        404: "The server has no such address; see /openapi.json.",
        405: "This address does not accept the method; see /openapi.json.",
    }
    refused = Refused(error.status_code, messages.get(error.status_code, error.detail))
    refused.headers.update(error.headers or {})
    return refused.response()


async def _log_failed(_: Request, error: Exception) -> Response:
    if isinstance(error, ProtocolError):
        return Refused(422, str(error), field=error.field).response()
    # The logger gets the error's text; the client does not: the text may hold the name of a file or a host.
    is_known = isinstance(error, LogError)
    logger.error("The log failed: %s", error, exc_info=None if is_known else error)
    if not isinstance(error, LogError):
        return Refused(503, "The log does not answer; try again.", retry_after=2).response()
    sentence = error.reason[:1].upper() + error.reason[1:]
    if error.is_permanent:
        return Refused(503, f"{sentence}.", permanent=True).response()
    return Refused(503, f"{sentence}; try again.", retry_after=2).response()


async def _unexpected(_: Request, __: Exception) -> Response:
    # The ASGI server logs the error. The client does not read its text.
    return Refused(500, "The server failed; the server's log has the reason.").response()

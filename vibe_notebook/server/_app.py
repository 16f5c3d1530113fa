"""The ASGI app: routes, who may, and what is said when something goes wrong.

The public face of the server.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Collection

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from ..exceptions import ProtocolError, VibeNotebookError
from ..projects import EventLog, ProjectEventStream
from ._errors import Refused
from ._guard import Auth, Guard, check_auth
from ._limits import Limits
from ._routes import Routes

__all__ = ["create_app"]

logger = logging.getLogger("vibe_notebook.server")


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
    """Make the ASGI app that serves the projects of a log.

    *log* is a log's URL (``memory:``, ``sqlite:///path``, ``redis://…``), or a
    ``ProjectEventStream`` that you also use yourself, which stays open then. *auth* is a bearer
    token, or a check of your own; *cors* names the origins whose pages may use it; *hosts*, the
    only names in the Host header that it answers to. Every *heartbeat* seconds a comment is sent on a
    stream, whose client is told to wait *retry* seconds before it reconnects.

    One app for one server process: it keeps count of who listens.
    """
    check_auth(auth)
    owned = not isinstance(log, ProjectEventStream)
    stream = log if isinstance(log, ProjectEventStream) else ProjectEventStream(log)
    routes = Routes(stream, limits or Limits(), heartbeat=heartbeat, retry=retry, has_auth=auth is not None)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            routes.seats.end()
            if owned:
                await stream.aclose()

    middleware = [Middleware(Guard, auth=auth, cors=cors, hosts=hosts)]
    if cors:
        # Outermost: a browser asks what it may before it has a token to show.
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
    app = Starlette(
        routes=routes.all(),
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={
            Refused: _refused,
            HTTPException: _http,
            VibeNotebookError: _failed,
            Exception: _broken,
        },
    )
    app.state.seats = routes.seats
    app.state.stream = stream
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - what it is registered for
    return error.response()


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    said = {404: "There is nothing at this address; see /openapi.json.", 405: "Not with this method."}
    refused = Refused(error.status_code, said.get(error.status_code, error.detail))
    refused.headers.update(error.headers or {})
    return refused.response()


async def _failed(_: Request, error: Exception) -> Response:
    if isinstance(error, ProtocolError):
        return Refused(422, str(error), field=error.field).response()
    logger.error("The log failed: %s", error, exc_info=error)
    return Refused(503, "The log does not answer; try again.", retry_after=2).response()


async def _broken(_: Request, __: Exception) -> Response:
    # What went wrong is logged by the server; it is not the client's to read.
    return Refused(500, "The server failed; its log says why.").response()

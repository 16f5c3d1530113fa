"""What the server answers at each address. It decides nothing about events: the log does.

Between the HTTP framework and ``ProjectEventStream``.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..projects import ProjectEventStream
from ._errors import Refused
from ._formats import form_of, present
from ._limits import Limits, Names, Pace, Seats
from ._openapi import description
from ._renders import Renders
from ._stream import Stream
from ._transcripts import Transcripts
from ._validation import check_id, check_key, check_project, items_of

__all__ = ["Routes"]

_JSON: Final = "application/json"

FEW: Final = 8
"""Enough to see whether there is anything: some of what a log holds are marks that nobody is shown."""


class Routes:
    """The endpoints, over one stream of projects."""

    def __init__(
        self, stream: ProjectEventStream, limits: Limits, *, heartbeat: float, retry: float, has_auth: bool
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._heartbeat = heartbeat
        self._retry = retry
        self._names = Names(limits)
        self._pace = Pace(limits.events_per_second)
        self._transcripts = Transcripts(stream)
        self._renders = Renders()
        self._description = description(limits, has_auth=has_auth)
        self.seats = Seats(limits)

    def all(self) -> list[Route]:
        """Every route."""
        return [
            Route("/health", self.health),
            Route("/openapi.json", self.openapi),
            Route("/projects", self.projects),
            Route("/projects/{project_id}/stream", self.stream),
            Route("/xagents/{project_id}/stream", self.stream),
            Route("/projects/{project_id}/events", self.send, methods=["POST"]),
            Route("/projects/{project_id}/close", self.close, methods=["POST"]),
            Route("/projects/{project_id}/transcript", self.transcript),
        ]

    async def stream(self, request: Request) -> Response:
        """``GET /projects/{id}/stream``: server-sent events, after an id or from now on."""
        project_id = check_project(request.path_params["project_id"])
        # A client that reconnects says so in the header; its address still has what it began with.
        query = check_id(request.query_params.get("last_event_id"))
        after = check_id(request.headers.get("last-event-id")) or query
        self.seats.check(project_id)
        if await self._stream.closed(project_id) and (
            after is None or not await self._stream.read(project_id, after, FEW)
        ):
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        self.seats.check(project_id)  # others came while the log was asked
        feed = self._stream.listen(project_id, after=after)
        self.seats.take(project_id, feed)
        return Stream(feed, self.seats, self._limits, heartbeat=self._heartbeat, retry=self._retry)

    async def send(self, request: Request) -> Response:
        """``POST /projects/{id}/events``: one event, or a batch that is taken whole or not at all."""
        project_id = check_project(request.path_params["project_id"])
        self.seats.check_open()
        key = check_key(request.headers.get("idempotency-key"))
        media = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
        if media != _JSON and not media.endswith("+json"):
            raise Refused(415, f"Send the events as {_JSON}.")
        items = items_of(await self._body(request), self._limits.events_per_request)
        if not self._names.take(project_id) and not await self._exists(project_id):
            raise Refused(
                503, "The server has no room for more projects; send to one that it has.", retry_after=60
            )
        self._pace.take(project_id, len(items))
        ids = await self._stream.send_events(project_id, items, key=key)
        return JSONResponse({"ids": ids}, 201)

    async def close(self, request: Request) -> Response:
        """``POST /projects/{id}/close``: its listeners get what was sent, and end for good."""
        project_id = check_project(request.path_params["project_id"])
        self.seats.check_open()
        await self._known(project_id)
        await self._stream.aclose_stream(project_id)
        return JSONResponse({"closed": True})

    async def transcript(self, request: Request) -> Response:
        """``GET /projects/{id}/transcript``: all of it as one, and the id up to which it goes."""
        project_id = check_project(request.path_params["project_id"])
        form = form_of(request.query_params.get("format"), request.headers)
        await self._known(project_id)
        agent_id = request.query_params.get("agent_id")
        return await self._renders.run(
            lambda: self._transcripts.of(project_id),
            lambda found: present(form, found[0], found[1], agent_id),
        )

    async def projects(self, _: Request) -> Response:
        """``GET /projects``: which there are, and how far each is."""
        rows = [
            {
                "project_id": project_id,
                "events": count,
                "last_event_id": last_id or None,
                "closed": is_closed,
                "listeners": self.seats.of(project_id),
            }
            for project_id, count, last_id, is_closed in await self._stream.projects()
        ]
        return JSONResponse({"projects": rows}, headers={"Cache-Control": "no-store"})

    async def health(self, _: Request) -> Response:
        """``GET /health``: whether the log answers."""
        self.seats.check_open()
        await self._stream.closed("health")
        return JSONResponse({"status": "ok", "listeners": len(self.seats)})

    async def openapi(self, _: Request) -> Response:
        """``GET /openapi.json``: all this, for machines."""
        return JSONResponse(self._description)

    async def _known(self, project_id: str) -> None:
        """Raise ``Refused`` (404) for a project that nobody has sent anything to."""
        if not await self._exists(project_id):
            raise Refused(404, "There is no project of that name.")

    async def _exists(self, project_id: str) -> bool:
        return await self._stream.closed(project_id) or bool(await self._stream.read(project_id, "", FEW))

    async def _body(self, request: Request) -> bytes:
        most = self._limits.body_bytes
        too_large = Refused(413, f"The body is larger than {most:,} bytes: send it in parts.")
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > most:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
        except ClientDisconnect:
            raise Refused(400, "The body is not whole.") from None
        return b"".join(parts)

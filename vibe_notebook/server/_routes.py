"""The routes of the server: the answer at each address.

Between Starlette and ``ProjectEventStream``. The log, not a route, decides on ids and order of events.
"""

from __future__ import annotations

from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..exceptions import LogError
from ..projects import ProjectEventStream
from ._errors import Refused
from ._formats import requested_form, transcript_response
from ._limits import KnownProjects, Limits, OpenStreams, RateLimiter
from ._openapi import description
from ._renders import Renders
from ._stream import Stream
from ._transcripts import Transcripts
from ._validation import check_id, check_key, check_project, parse_items

__all__ = ["Routes"]

_JSON: Final = "application/json"

FEW: Final = 8
"""Events to read for the question whether a project has any."""


HEALTH_SECONDS: Final = 1.0
"""Seconds in which the log must answer a check of the server's health; monitors wait for a few seconds."""


class Routes:
    """Answer the requests of all addresses from one ``ProjectEventStream``."""

    def __init__(
        self, stream: ProjectEventStream, limits: Limits, *, heartbeat: float, retry: float, has_auth: bool
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._heartbeat = heartbeat
        self._retry = retry
        self._known_projects = KnownProjects(limits)
        self._rate = RateLimiter(limits.events_per_second)
        self._transcripts = Transcripts(stream)
        self._renders = Renders()
        self._description = description(limits, has_auth=has_auth)
        self._write_fault: str | None = None  # the cause of the last write's failure
        self.open_streams = OpenStreams(limits)

    def all(self) -> list[Route]:
        """Return every route."""
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
        """Answer ``GET /projects/{id}/stream`` with server-sent events, after an id or from now on."""
        project_id = check_project(request.path_params["project_id"])
        # The header wins: a client that reconnects sends its last id there, and the first id in the address.
        query = check_id(request.query_params.get("last_event_id"))
        after = check_id(request.headers.get("last-event-id")) or query
        self.open_streams.check(project_id)
        if await self._stream.closed(project_id) and (
            after is None or not await self._stream.read(project_id, after, FEW)
        ):
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        self.open_streams.check(project_id)  # again: other streams may have begun during the reads
        feed = self._stream.listen(project_id, after=after)
        self.open_streams.add(project_id, feed)
        return Stream(feed, self.open_streams, self._limits, heartbeat=self._heartbeat, retry=self._retry)

    async def send(self, request: Request) -> Response:
        """Answer ``POST /projects/{id}/events``: append one event, or a whole batch."""
        project_id = check_project(request.path_params["project_id"])
        self.open_streams.check_open()
        key = check_key(request.headers.get("idempotency-key"))
        media = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
        if media != _JSON and not media.endswith("+json"):
            raise Refused(415, f"Send the events as {_JSON}.")
        items = parse_items(await self._body(request), self._limits.events_per_request)
        if not self._known_projects.admit(project_id) and not await self._exists(project_id):
            raise Refused(
                503, "The server accepts no further projects; send to an existing project.", retry_after=60
            )
        self._rate.admit(project_id, len(items))
        try:
            ids = await self._stream.send_events(project_id, items, key=key)
        except LogError as error:
            self._write_fault = error.reason
            raise
        self._write_fault = None
        return JSONResponse({"ids": ids}, 201)

    async def close(self, request: Request) -> Response:
        """Answer ``POST /projects/{id}/close``: end the listeners after the events sent before."""
        project_id = check_project(request.path_params["project_id"])
        self.open_streams.check_open()
        await self._check_exists(project_id)
        await self._stream.aclose_stream(project_id)
        return JSONResponse({"closed": True})

    async def transcript(self, request: Request) -> Response:
        """Answer ``GET /projects/{id}/transcript`` with the transcript and the id of its last event."""
        project_id = check_project(request.path_params["project_id"])
        form = requested_form(request.query_params.get("format"), request.headers)
        await self._check_exists(project_id)
        agent_id = request.query_params.get("agent_id")
        return await self._renders.run(
            lambda: self._transcripts.read(project_id),
            lambda result: transcript_response(form, result[0], result[1], agent_id),
        )

    async def projects(self, _: Request) -> Response:
        """Answer ``GET /projects`` with all projects and the last id of each."""
        rows = [
            {
                "project_id": project_id,
                "events": count,
                "last_event_id": last_id or None,
                "closed": is_closed,
                "listeners": self.open_streams.count(project_id),
            }
            for project_id, count, last_id, is_closed in await self._stream.projects()
        ]
        return JSONResponse({"projects": rows}, headers={"Cache-Control": "no-store"})

    async def health(self, _: Request) -> Response:
        """Answer ``GET /health``; an error means that the log does not answer.

        ``log`` is the cause of the last write's failure, as long as the log answers reads.
        """
        self.open_streams.check_open()
        with anyio.move_on_after(HEALTH_SECONDS) as patience:
            await self._stream.check()
        if patience.cancelled_caught:
            raise Refused(503, "The event log does not answer; try again.", retry_after=2)
        facts = {"status": "ok", "listeners": len(self.open_streams)}
        if self._write_fault is not None:
            facts["log"] = self._write_fault
        return JSONResponse(facts)

    async def openapi(self, _: Request) -> Response:
        """Answer ``GET /openapi.json`` with the OpenAPI description of the server."""
        return JSONResponse(self._description)

    async def _check_exists(self, project_id: str) -> None:
        """Raise ``Refused`` (404) for a project without events."""
        if not await self._exists(project_id):
            raise Refused(404, "The server has no project of that name.")

    async def _exists(self, project_id: str) -> bool:
        return await self._stream.closed(project_id) or bool(await self._stream.read(project_id, "", FEW))

    async def _body(self, request: Request) -> bytes:
        limit = self._limits.body_bytes
        too_large = Refused(
            413, f"The body is larger than {limit:,} bytes; send the events in several requests."
        )
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large
                parts.append(part)
        except ClientDisconnect:
            raise Refused(400, "The body is incomplete; send the request again.") from None
        return b"".join(parts)

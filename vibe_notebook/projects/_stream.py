"""The public entry to a log's projects: send an event, listen, read, close.

On top of the log: checks and encodes each event, and leaves storage and distribution to the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from ._entry import Entry, Gap, parse_id, valid_event, valid_project
from ._listener import Listener
from ._log import EventLog, Project
from ._open_log import open_log
from ._payload import encode

__all__ = ["ProjectEventStream", "event_stream_manager"]


class ProjectEventStream:
    """Send each event of a project to every listener, and store it in a log for late listeners.

    *log* is an ``EventLog`` or its URL: ``memory:`` (the default; bounded), ``sqlite:///file.db`` (durable, for
    several processes of one machine) or ``redis://…`` (for many machines). Any thread and any event loop may call
    every method.
    """

    def __init__(self, log: str | EventLog = "memory:") -> None:
        self.log = open_log(log)
        self._created: set[str] = set()

    def create_stream(self, project_id: str) -> Listener:
        """Return a new listener to a project, from now on. The project need not exist yet."""
        listener = self.listen(project_id)
        self._created.add(project_id)
        return listener

    def get_stream(self, project_id: str) -> Listener | None:
        """Return a new listener to a known project, from now on; return None for an unknown or closed one.

        A project is known after its first event, or after ``create_stream``.
        """
        project_id = valid_project(project_id)
        if project_id not in self._created and not self.log.knows(project_id):
            return None
        return self.listen(project_id)

    def listen(self, project_id: str, *, after: str | None = None) -> Listener:
        """Return a new listener that starts after an id ("": from the beginning; None: from now on).

        Raises:
            ProtocolError: *after* is not an id.
        """
        project_id = valid_project(project_id)
        place = None if after is None else parse_id(after)
        return Listener(self.log, project_id, place)

    async def send_event(self, project_id: str, event_type: str, data: Any) -> str:
        """Send an event to all listeners of a project; return its id after the log's acknowledgement.

        Raises:
            ProtocolError: *data* holds a value without a JSON form; the message names the field.
            LogError: the log cannot be written.
        """
        item = valid_event(event_type), encode(data)
        return (await self.log.append(valid_project(project_id), [item]))[0]

    async def send_events(
        self, project_id: str, items: Sequence[tuple[str, Any]], *, key: str | None = None
    ) -> list[str]:
        """Send (type, data) pairs in their order, all or none; return their ids.

        With a *key* the caller can safely send the batch again: the log appends a batch with a known key only once.

        Raises:
            ProtocolError: a pair's data holds a value without a JSON form; the message names the field.
            LogError: the log cannot be written.
        """
        project_id = valid_project(project_id)
        encoded = [(valid_event(event), encode(data)) for event, data in items]
        if not encoded:
            return []
        return await self.log.append(project_id, encoded, key)

    def stream_events(
        self, project_id: str, *, last_event_id: str | None = None
    ) -> AsyncIterator[dict[str, str]]:
        """Yield events as ``{"id", "event", "data"}`` for an SSE response; *data* is a JSON string.

        With *last_event_id* the stream starts with the events after this id ("": with all). Without, it starts with
        the first event after this call. An event ``gap`` without an id stands for events that the log has dropped.
        """
        return _events(self.listen(project_id, after=last_event_id))

    async def read(self, project_id: str, after: str = "", limit: int = 1_000) -> list[Entry | Gap]:
        """Return the next events after an id, without waiting; an empty list is the end of the log.

        A list holds at most *limit* events, and at most a megabyte of them or one event.
        """
        place, gap = parse_id(after), None
        while True:
            page = await self.log.read(valid_project(project_id), place, limit)
            gap = gap or page.gap
            found: list[Entry | Gap] = [entry for entry in page.entries if entry.event]
            if found or not page.entries:
                return [gap, *found] if gap else found
            place = page.place  # the page has only marks of closed streams; events may follow them

    def close_stream(self, project_id: str) -> None:
        """Close the stream: its listeners end after the events sent before. A later event opens it again."""
        self._created.discard(valid_project(project_id))
        self.log.close_soon(project_id)

    async def aclose_stream(self, project_id: str) -> None:
        """Close the stream as ``close_stream`` does, and wait for the log's acknowledgement."""
        self._created.discard(valid_project(project_id))
        await self.log.close(project_id)

    async def closed(self, project_id: str) -> bool:
        """Return True if the stream was closed and no event has followed."""
        found = await self.log.project(valid_project(project_id))
        return found is not None and found.closed

    async def check(self) -> None:
        """Check that the log can be used: its file, or its server.

        Raises:
            LogError: the log cannot be used; the message names the cause.
        """
        await self.log.check()

    async def projects(self) -> list[Project]:
        """Return all projects of the log: name, number of events, last id, closed or not."""
        return await self.log.projects()

    async def aclose(self) -> None:
        """Close the log: its files, threads and connections."""
        await self.log.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _events(listener: Listener) -> AsyncIterator[dict[str, str]]:
    with listener:
        async for event in listener:
            yield event


event_stream_manager = ProjectEventStream()
"""The instance of the process. The functions ``send_…`` send to it."""

"""Projects: who sends, who listens. All distribution is the log's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from ..exceptions import ProtocolError
from ._entry import Entry, Gap, parse_id, valid_event
from ._listener import Listener
from ._log import EventLog, Project
from ._open_log import open_log
from ._payload import encode

__all__ = ["ProjectEventStream", "event_stream_manager"]

NAME_LIMIT = 200


class ProjectEventStream:
    """Events of projects, each to every listener, kept in a log so that late ones can catch up.

    *log* is an ``EventLog`` or its URL: ``memory:`` (default; bounded), ``sqlite:///file.db`` (durable,
    several processes of one machine) or ``redis://…`` (many machines). Every method may be called from
    any thread and event loop.
    """

    def __init__(self, log: str | EventLog = "memory:") -> None:
        self.log = open_log(log)
        self._created: set[str] = set()

    def create_stream(self, project_id: str) -> Listener:
        """Listen to a project from now on; it need not exist yet. Each call gives a listener of its own."""
        listener = self.listen(project_id)
        self._created.add(project_id)
        return listener

    def get_stream(self, project_id: str) -> Listener | None:
        """A new listener, from now on; None if nobody has created the project or sent to it, or it is closed."""
        project_id = _valid(project_id)
        if project_id not in self._created and not self.log.knows(project_id):
            return None
        return self.listen(project_id)

    def listen(self, project_id: str, *, after: str | None = None) -> Listener:
        """Listen after an id ("" is the beginning; None is from now on).

        Raises:
            ProtocolError: *after* is not an id.
        """
        project_id = _valid(project_id)
        place = None if after is None else parse_id(after)
        return Listener(self.log, project_id, place)

    async def send_event(self, project_id: str, event_type: str, data: Any) -> str:
        """Send an event to all listeners of a project; its id, once the log has it.

        Raises:
            ProtocolError: *data* holds what JSON cannot say; the message names the field.
            LogError: the log cannot be written.
        """
        item = valid_event(event_type), encode(data)
        return (await self.log.append(_valid(project_id), [item]))[0]

    async def send_events(
        self, project_id: str, items: Sequence[tuple[str, Any]], *, key: str | None = None
    ) -> list[str]:
        """Send (type, data) pairs, all or none, one after the other; their ids.

        *key* makes it safe to try again: a batch with a key that the log has seen is not appended again.

        Raises:
            ProtocolError, LogError: as ``send_event``.
        """
        project_id = _valid(project_id)
        encoded = [(valid_event(event), encode(data)) for event, data in items]
        if not encoded:
            return []
        return await self.log.append(project_id, encoded, key)

    def stream_events(
        self, project_id: str, *, last_event_id: str | None = None
    ) -> AsyncIterator[dict[str, str]]:
        """Events as ``{"id", "event", "data"}`` for an SSE response, *data* a JSON string.

        With *last_event_id* first those after it ("" is all); without, what is sent from this call on.
        What is no longer in the log is told by an event ``gap`` without an id.
        """
        return _events(self.listen(project_id, after=last_event_id))

    async def read(self, project_id: str, after: str = "", limit: int = 1_000) -> list[Entry | Gap]:
        """What the log has after an id, without waiting for more; nothing: that is all."""
        place, gap = parse_id(after), None
        while True:
            page = await self.log.read(_valid(project_id), place, limit)
            gap = gap or page.gap
            found: list[Entry | Gap] = [entry for entry in page.entries if entry.event]
            if found or not page.entries:
                return [gap, *found] if gap else found
            place = page.place  # only marks of closed streams: there may be more behind them

    def close_stream(self, project_id: str) -> None:
        """End the stream: its listeners end after what was sent. An event sent later opens it again."""
        self._created.discard(_valid(project_id))
        self.log.close_soon(project_id)

    async def aclose_stream(self, project_id: str) -> None:
        """As ``close_stream``, and wait until the log has it."""
        self._created.discard(_valid(project_id))
        await self.log.close(project_id)

    async def closed(self, project_id: str) -> bool:
        """Whether the stream was closed, and nothing sent since."""
        found = await self.log.project(_valid(project_id))
        return found is not None and found.closed

    async def projects(self) -> list[Project]:
        """All projects of the log: name, events, last id, closed."""
        return await self.log.projects()

    async def aclose(self) -> None:
        """Let go of the log's files, threads and connections."""
        await self.log.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _events(listener: Listener) -> AsyncIterator[dict[str, str]]:
    with listener:
        async for event in listener:
            yield event


def _valid(project_id: str) -> str:
    if (
        not isinstance(project_id, str)
        or not project_id
        or len(project_id) > NAME_LIMIT
        or not project_id.isprintable()
    ):
        raise ProtocolError(
            f"a project id is a printable, non-empty string of at most {NAME_LIMIT} characters",
            field="project_id",
        )
    return project_id


event_stream_manager = ProjectEventStream()
"""The process-wide instance that the module's functions send to."""

"""The transcripts of a project's events, extended as the log grows.

Between ``_routes`` and the registry. A project carries events of this package, events of vibex, or both. The first
kind goes to a registry unchanged. The second kind goes through vibex's adapter, as one agent with the project's name.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread

from ..adapters import Adapter, get
from ..events import Event, read_event, with_id
from ..exceptions import ProtocolError
from ..projects import Entry, Gap, ProjectEventStream
from ..registry import Registry
from ..transcript import Transcript
from ._validation import AGENT_EVENT

__all__ = ["ProjectReader", "Transcripts"]

READERS: Final = 32
"""Projects whose readers stay in memory; the server reads any other project from the beginning."""

BATCH: Final = 2_000
"""Events of one read of the log, at most."""

LONGER_THAN_ANY_HOLD: Final = 3_600.0
"""Seconds of the registry's clock for each batch, so that the registry releases every held event."""


@dataclass
class ProjectReader:
    """Hold the transcripts of one project from the first event read to the last."""

    project_id: str
    first_id: str = ""
    last_id: str = ""
    missed: bool = False
    """True if the log had dropped events before they were read."""
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self._now = 0.0
        self._registry = Registry(clock=lambda: self._now)
        self._origin: Adapter | None = None
        self._agents: dict[str, None] = {}

    def apply(self, rows: list[Entry | Gap]) -> None:
        """Apply rows of the log. The registry then releases held events: the log has no others to wait for."""
        for row in rows:
            if isinstance(row, Gap):
                self.missed = True
                continue
            for event in self._events(row):
                self._agents[event.agent_id] = None
                self._registry.dispatch(event)
            self.first_id = self.first_id or row.id
            self.last_id = row.id
        self._now += LONGER_THAN_ANY_HOLD
        self._registry.tick()

    def transcripts(self, *, is_over: bool) -> dict[str, Transcript]:
        """Return every agent's transcript, in the order of the agents' first events."""
        if is_over and self._origin is not None:
            self._registry.dispatch(self._origin.finish())
        return {agent_id: self._registry.transcript(agent_id) for agent_id in self._agents}

    def _events(self, row: Entry) -> list[Event]:
        if row.event == AGENT_EVENT:
            try:
                return [with_id(read_event(row.data), row.id)]
            except ProtocolError:
                pass  # another program wrote to the log: the adapter shows the event under its name
        if self._origin is None:
            self._origin = get("vibex", agent_id=self.project_id, run_id=self.project_id)
        native: dict[str, Any] = {"event": row.event, "data": json.loads(row.data)}
        return self._origin.feed(native)


class Transcripts:
    """Read transcripts, and hold the readers of the projects requested last."""

    def __init__(self, stream: ProjectEventStream) -> None:
        self._stream = stream
        self._readers: OrderedDict[str, ProjectReader] = OrderedDict()

    async def read(self, project_id: str) -> tuple[ProjectReader, dict[str, Transcript]]:
        """Read the new events of a project, and return the transcripts of all its events."""
        reader = self._readers.pop(project_id, None) or ProjectReader(project_id)
        self._readers[project_id] = reader
        if len(self._readers) > READERS:
            self._readers.popitem(last=False)
        async with reader.lock:
            is_over = await self._stream.closed(project_id)
            while rows := await self._stream.read(project_id, reader.last_id, BATCH):
                if reader.last_id and any(isinstance(row, Gap) for row in rows):
                    return await self._read_again(project_id)
                await anyio.to_thread.run_sync(reader.apply, rows)
            transcripts = await anyio.to_thread.run_sync(lambda: reader.transcripts(is_over=is_over))
        return reader, transcripts

    async def _read_again(self, project_id: str) -> tuple[ProjectReader, dict[str, Transcript]]:
        """Read the project from the beginning: the log dropped the last event read, or has a new stream."""
        self._readers.pop(project_id, None)
        return await self.read(project_id)

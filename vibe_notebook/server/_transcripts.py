"""What a project's events amount to: transcripts, kept up as the log grows.

A project carries our own events, the origin's, or both. Ours go into a registry as they are; the
origin's through its adapter, as one agent that is called like the project.
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

__all__ = ["Reading", "Transcripts"]

KEPT: Final = 32
"""Projects whose transcripts are kept up; of others they are made anew."""

BATCH: Final = 2_000
LONG: Final = 3_600.0


@dataclass
class Reading:
    """One project, as far as it was read."""

    project_id: str
    last_id: str = ""
    missed: bool = False
    """Whether the log had lost what was before."""
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self._now = 0.0
        self._registry = Registry(clock=lambda: self._now)
        self._origin: Adapter | None = None
        self._agents: dict[str, None] = {}

    def take(self, rows: list[Entry | Gap]) -> None:
        """Read on. What is held for something missing is let go: the log is all that there is."""
        for row in rows:
            if isinstance(row, Gap):
                self.missed = True
                continue
            for event in self._events(row):
                self._agents[event.agent_id] = None
                self._registry.dispatch(event)
            self.last_id = row.id
        self._now += LONG
        self._registry.tick()

    def transcripts(self, *, is_over: bool) -> dict[str, Transcript]:
        """Every agent's, in the order in which they came."""
        if is_over and self._origin is not None:
            self._registry.dispatch(self._origin.finish())
        return {agent_id: self._registry.transcript(agent_id) for agent_id in self._agents}

    def _events(self, row: Entry) -> list[Event]:
        if row.event == AGENT_EVENT:
            try:
                return [with_id(read_event(row.data), row.id)]
            except ProtocolError:
                pass  # written past this server: shown as what it is, by its name
        if self._origin is None:
            self._origin = get("vibex", agent_id=self.project_id, run_id=self.project_id)
        native: dict[str, Any] = {"event": row.event, "data": json.loads(row.data)}
        return self._origin.feed(native)


class Transcripts:
    """The projects that were asked for last."""

    def __init__(self, stream: ProjectEventStream) -> None:
        self._stream = stream
        self._kept: OrderedDict[str, Reading] = OrderedDict()

    async def of(self, project_id: str) -> tuple[Reading, dict[str, Transcript]]:
        """Read what is new of a project, and say what all of it amounts to."""
        reading = self._kept.pop(project_id, None) or Reading(project_id)
        self._kept[project_id] = reading
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        async with reading.lock:
            is_over = await self._stream.closed(project_id)
            while rows := await self._stream.read(project_id, reading.last_id, BATCH):
                if reading.last_id and any(isinstance(row, Gap) for row in rows):
                    return await self._anew(project_id)
                await anyio.to_thread.run_sync(reading.take, rows)
            made = await anyio.to_thread.run_sync(lambda: reading.transcripts(is_over=is_over))
        return reading, made

    async def _anew(self, project_id: str) -> tuple[Reading, dict[str, Transcript]]:
        """The stream that was read is gone, or was trimmed beyond what was read: begin again."""
        self._kept.pop(project_id, None)
        return await self.of(project_id)

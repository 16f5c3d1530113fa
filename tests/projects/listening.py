"""The helpers of the projects' tests: send numbered events, and receive them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import anyio

from vibe_notebook.projects import Entry, Gap, Listener, ProjectEventStream

SECONDS = 20


async def receive(listener: Listener, count: int) -> list[dict[str, str]]:
    """Receive *count* events."""
    with anyio.fail_after(SECONDS):
        return [await listener.get() for _ in range(count)]


async def receive_rest(listener: Listener) -> list[dict[str, str]]:
    """Receive all events until the end of the stream."""
    with anyio.fail_after(SECONDS):
        return [event async for event in listener]


async def send(stream: ProjectEventStream, *numbers: int, project: str = "p") -> list[str]:
    """Send one event for each number, in one batch; return the ids."""
    return await stream.send_events(project, [("note", {"n": number}) for number in numbers])


def numbers(events: Iterable[dict[str, str]]) -> list[Any]:
    """Return the numbers of events from ``send``; a gap becomes its reason."""
    return [_number(event["event"], event["data"]) for event in events]


def stored(rows: Iterable[Entry | Gap]) -> list[Any]:
    """Return the numbers of rows from ``read``; a gap becomes its reason."""
    return [_number("gap" if isinstance(row, Gap) else row.event, row.data) for row in rows]


def _number(event: str, data: str) -> Any:
    return json.loads(data)["reason" if event == "gap" else "n"]

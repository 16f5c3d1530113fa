"""What the tests of projects share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import anyio

from vibe_notebook.projects import Entry, Gap, Listener, ProjectEventStream

SECONDS = 20


async def take(listener: Listener, count: int) -> list[dict[str, str]]:
    """So many events."""
    with anyio.fail_after(SECONDS):
        return [await listener.get() for _ in range(count)]


async def rest(listener: Listener) -> list[dict[str, str]]:
    """All until the stream ends."""
    with anyio.fail_after(SECONDS):
        return [event async for event in listener]


async def send(stream: ProjectEventStream, *numbers: int, project: str = "p") -> list[str]:
    """One event each, in one batch."""
    return await stream.send_events(project, [("note", {"n": number}) for number in numbers])


def numbers(events: Iterable[dict[str, str]]) -> list[Any]:
    """What ``send`` was given; a gap is its reason."""
    return [_number(event["event"], event["data"]) for event in events]


def kept(found: Iterable[Entry | Gap]) -> list[Any]:
    """The same, of what ``read`` gives."""
    return [_number("gap" if isinstance(one, Gap) else one.event, one.data) for one in found]


def _number(event: str, data: str) -> Any:
    return json.loads(data)["reason" if event == "gap" else "n"]

"""Share among the tests of watching: a watch without a view, and a wait for other threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import vibe_notebook as vibe


def quiet(source: Any, **options: Any) -> vibe.Watch:
    """Return a watch with a registry of its own, and no view."""
    return vibe.watch(source, **{"registry": vibe.Registry(), "display": False, **options})


async def drained(watched: vibe.Watch) -> vibe.Transcript:
    return await watched


async def collect(watched: vibe.Watch) -> list[Any]:
    return [event async for event in watched]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until another thread has made the condition true."""
    while not condition():  # noqa: ASYNC110 - a thread sets it, not this loop
        await asyncio.sleep(0.0005)

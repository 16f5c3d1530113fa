"""``watch``: the whole user API in one word. Like tqdm, it passes the source's own objects through.

At the top of the path: makes the ``Watch`` of a stream.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import adapters
from ._connections import connections_of
from ._pipeline import Pipeline
from ._sources import check, until_it_ends
from ._watched import Watch, last, live_watches
from .recording import Recorder, Replay
from .registry import Registry, get_registry

if TYPE_CHECKING:
    from .adapters import Adapter

__all__ = ["Watch", "last", "live_watches", "watch", "watch_agent"]


def watch(
    source: Any,
    *,
    title: str | None = None,
    agent_id: str | None = None,
    adapter: str | Adapter = "auto",
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Watch:
    """Show an agent's work live while you consume its stream, which passes through unchanged.

    ::

        for event in vibe.watch(stream): ...
        async for event in vibe.watch(stream): ...
        transcript = await vibe.watch(stream)
        async with vibe.watch(stream) as run: ...

    ``source`` is a sync or async iterable of an SDK's events, an awaitable or (async) context
    manager that yields one, or an object with ``stream_events()``. Nothing is read or shown
    before it is iterated, awaited or entered. ``adapter`` names the SDK where it cannot be told
    from the first few events; ``record`` is a file to keep the run in; ``display=False`` shows
    nothing but still builds ``.transcript``.

    Raises ``TypeError`` for what is no stream, ``AdapterError`` for an unknown adapter.
    """
    check(source)
    if not isinstance(adapter, str) and agent_id not in (None, adapter.agent_id):
        msg = (
            f"agent_id={agent_id!r}, but the adapter says {adapter.agent_id!r}: give it to the adapter only."
        )
        raise ValueError(msg)
    if isinstance(adapter, str) and adapter != "auto":
        adapters.get(adapter)  # an unknown name is an error here, not in the middle of a stream
    connections = connections_of(source)
    if registry is None:
        # A recording has the ids of the run it is of, and a remote stream may be of runs in this very
        # kernel: shown beside them, it would be their duplicate.
        registry = Registry() if isinstance(source, Replay) or connections else get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title or ", ".join(connection.title for connection in connections) or None,
        adapter=adapter,
        renderer=None if display else "none",
        record=record,
    )
    pipeline.connections.show(connections)
    return _made(source, pipeline)


def watch_agent(
    agent_id: str,
    *,
    title: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Watch:
    """Show an agent of the registry: all it has said, and what it says until its open run ends.

    It only looks on: to cancel this watch does not end the agent's run.
    """
    registry = registry or get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title or agent_id,
        renderer=None if display else "none",
        record=record,
    )
    pipeline.passive = True
    return _made(until_it_ends(registry, agent_id), pipeline)


def _made(source: Any, pipeline: Pipeline) -> Watch:
    made = Watch(source, pipeline)
    pipeline.on_stop = made.cancel
    return made

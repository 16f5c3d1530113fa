"""Make the watch of a source: ``vibe.watch``, and of an agent of the registry.

Above ``watch.py``, which reads and shows it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .. import adapters
from ..logs import Log, meant_log, names_a_log
from ..recording import Recorder, Replay
from ..registry import Registry, get_registry
from .approvers.resumer import Resumed
from .budgets import Budget
from .claims import claim_source
from .connections import connections_of
from .pipeline import Pipeline
from .sources import check, events_until_run_ends, stream_in
from .steering import steering_of
from .watch import Watch

if TYPE_CHECKING:
    from ..adapters import Adapter

__all__ = ["watch", "watch_agent"]


def watch(  # noqa: PLR0913 - each is an option of its own
    source: Any,
    *,
    title: str | None = None,
    agent_id: str | None = None,
    adapter: str | Adapter = "auto",
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
    input: Any = None,  # noqa: A002 - the field's name
    budget: Budget | None = None,
    steer: Any = None,
) -> Watch:
    """Show an agent's work live while you consume its stream, which passes through unchanged.

    ::

        for event in vibe.watch(stream): ...
        async for event in vibe.watch(stream): ...
        transcript = await vibe.watch(stream)
        async with vibe.watch(stream) as run: ...

    ``source`` is a sync or async iterable of an SDK's events, an awaitable or (async) context
    manager that yields one, or an object with ``stream_events()``. A path of a file, or ``"claude:latest"``, means an
    agent's own log, or a recording, whose events the watch reads without waits. The watch reads and shows nothing before
    the caller iterates, awaits or enters it. ``adapter`` names the SDK where the first few events do not
    show it; ``record`` is the path of a recording to write; ``display=False`` shows nothing but still builds
    ``.transcript``. ``input`` is what the user asked, shown where the stream itself does not tell it. ``budget`` ends the
    run that uses more than it allows. ``steer`` says something to the agent while it works: a
    function of the text, or the SDK's own run, client or connection.

    Raises ``TypeError`` for an object that is no stream, ``AdapterError`` for an unknown adapter, ``OSError`` for a path
    that cannot be read, ``NotSupportedError`` for an object that cannot steer.
    """
    source = stream_in(source)
    if isinstance(source, Resumed) and adapter == "auto":
        adapter = source.adapter
    if isinstance(source, os.PathLike) or (isinstance(source, str) and names_a_log(source)):
        source = Log(source, agent_id=agent_id)
    if isinstance(source, str) and (meant := meant_log(source)) is not None:
        msg = f"{source!r} names no file, and no agent's log. Did you mean {meant!r}?"
        raise TypeError(msg)
    if budget is not None and not isinstance(budget, Budget):
        msg = f"budget={budget!r}: give vibe.Budget(tokens=…), for example."
        raise TypeError(msg)
    check(source)
    claim_source(source)
    if not isinstance(adapter, str) and agent_id not in (None, adapter.agent_id):
        msg = f"agent_id={agent_id!r}, but the adapter has {adapter.agent_id!r}: give it to the adapter only."
        raise ValueError(msg)
    if isinstance(adapter, str) and adapter != "auto":
        adapters.get(adapter)  # raises for an unknown name here, not in the middle of a stream
    connections = connections_of(source)
    if registry is None:
        # A recording has the ids of its run, and a remote stream may show runs of this very kernel. In the
        # default registry both would be duplicates.
        registry = Registry() if isinstance(source, Replay | Log) or connections else get_registry()
    pipeline = Pipeline(
        registry,
        agent_id=agent_id,
        title=title,
        adapter=adapter,
        renderer=None if display else "none",
        record=record,
        input=input,
        budget=budget,
    )
    if isinstance(source, Replay | Log) or connections:
        pipeline.run_ids = None  # the reader knows them by the ids of their log
        pipeline.displays.renders = False  # its own renderers made its displays
    if isinstance(source, Replay | Log):
        pipeline.find_title = lambda: source.title
    pipeline.has_times = isinstance(source, Log)
    if steer is not None:
        pipeline.steering = steering_of(steer)
    pipeline.title = title or ", ".join(connection.title for connection in connections) or None
    pipeline.connections.show(connections)
    return _new_watch(source, pipeline)


def watch_agent(
    agent_id: str,
    *,
    title: str | None = None,
    registry: Registry | None = None,
    display: bool = True,
    record: str | os.PathLike[str] | Recorder | None = None,
) -> Watch:
    """Show an agent of the registry: its events so far, and those until its open run ends.

    The watch only shows: its cancel does not end the agent's run.
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
    return _new_watch(events_until_run_ends(registry, agent_id), pipeline)


def _new_watch(source: Any, pipeline: Pipeline) -> Watch:
    made = Watch(source, pipeline)
    pipeline.on_stop = made.cancel
    return made

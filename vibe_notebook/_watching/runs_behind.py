"""End the run behind a stream by its SDK's own method, so that no tool call begins after the end of the watch.

Below ``sources``. Some SDKs run an agent in tasks of their own, and the stream only hands out the events: it ends, and the
agent goes on. The run is the source itself, or the user's generator holds it; the garbage collector knows which objects a
generator holds.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import CellType, CoroutineType, FrameType
from typing import Any, Final

import anyio

from .._foreign_words import clean_logger
from .source_names import source_name

__all__ = ["NativeRuns", "Report", "end_runs_behind", "ignore", "method_of", "stream_events_of"]

log = clean_logger("vibe_notebook")
_END_SECONDS = 5
"""Seconds that the end of a watch waits for its run's end: its tools may hold on to it."""
_LOOKED_AT: Final = 1_000
"""Objects in which a run is looked for: the variables of a few generators inside of one another."""
_IDS: Final = 1_000
"""Runs that are remembered by the ids in their events: those of a team's members too."""
Report = Callable[[str], object]
"""A function that shows a failure in the background to the user, beside the log."""


def ignore(text: str) -> None:
    """Report to nobody."""
    del text


def method_of(source: Any, name: str, report: Report) -> Callable[[], Any] | None:
    """Return the source's method, if it has one; a name that cannot be read is reported, and counts as none."""
    try:
        found = getattr(source, name, None)
    except Exception as error:
        log.exception("%r of %s could not be read; the watch goes on without it", name, source_name(source))
        report(f"{name!r} of {source_name(source)} could not be read: {error!r}. The agent may go on.")
        return None
    return found if callable(found) else None


def stream_events_of(source: Any) -> Callable[[], Any] | None:
    """Return the method that gives a run's events; ``None`` for a graph's, which needs an input."""
    events = getattr(source, "stream_events", None)
    if not callable(events):
        return None
    try:
        inspect.signature(events).bind()
    except TypeError:
        return None
    except ValueError:
        pass  # a method without a signature
    found: Callable[[], Any] = events
    return found


async def end_runs_behind(
    opened: Iterable[Any], is_over: Callable[[], bool], report: Report = ignore
) -> None:
    """End the runs behind a source: of *opened*, from the source to its iterator, and of what these hold."""
    if is_over():
        return
    for run in _runs_in(list(opened)):
        await _end(run, report)


async def _end(run: Any, report: Report) -> None:
    """End one run, and wait a few seconds at most."""
    end = _end_of(run, report)
    if end is None:
        return
    try:
        with anyio.move_on_after(_END_SECONDS, shield=True) as scope:
            done = end()
            if inspect.isawaitable(done):
                await done
        if scope.cancelled_caught:
            log.warning("The run of %s had not ended after %s seconds", source_name(run), _END_SECONDS)
            report(f"The run of {source_name(run)} had not ended after {_END_SECONDS} seconds.")
    except Exception as error:
        # The user's own error, or the watch's end, matters more; but the agent may go on.
        log.exception("The run of %s could not be ended", source_name(run))
        report(f"The run of {source_name(run)} could not be ended: {error!r}. The agent may go on.")


def _end_of(run: Any, report: Report) -> Callable[[], Any] | None:
    """Return the SDK's own method: llama-index has ``cancel_run``, openai-agents ``cancel``, LangGraph ``abort``."""
    if _is_team(run):
        return partial(_end_team, run)
    names = ("cancel_run", "cancel", "abort")
    return next((found for name in names if (found := method_of(run, name, report))), None)


async def _end_team(team: Any) -> None:
    """End a team of AutoGen that runs, and whose caller gave no ``CancellationToken``.

    The SDK has no public way then: closing its stream waits until the team has done all its work. Its own runtime stops
    after the present message, and the present message is a task.
    """
    runtime = getattr(team, "_runtime", None)
    stop = getattr(runtime, "stop", None)
    if (
        not callable(stop)
        or not getattr(team, "_embedded_runtime", False)
        or not getattr(team, "_is_running", False)
    ):
        return
    tasks = list(getattr(runtime, "_background_tasks", ()))
    await stop()
    for task in tasks:
        task.cancel()


def _runs_in(opened: list[Any]) -> list[Any]:
    """Return the runs among some objects, and those that generators, coroutines and tasks among them hold."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting = list(opened)
    while waiting and len(seen) < _LOOKED_AT:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if _is_run(one):
            found.append(one)
        else:
            waiting += _held_by(one)
    return found


def _is_run(one: Any) -> bool:
    if isinstance(one, type) or inspect.ismodule(one):
        return False
    if _has(one, "stream_events"):
        return _has(one, "cancel_run") or _has(one, "cancel")
    if _has(one, "abort") and _has(one, "__aiter__"):
        return True
    return _is_team(one) or (_comes_from(one, "autogen_core") and type(one).__name__ == "CancellationToken")


def _is_team(one: Any) -> bool:
    return _comes_from(one, "autogen_agentchat.teams") and _has(one, "run_stream")


def _comes_from(one: Any, module: str) -> bool:
    """Return whether an object's class, or a class that it extends, is of an SDK's module."""
    return any(f"{base.__module__}.".startswith((f"{module}.",)) for base in type(one).__mro__)


def _has(one: Any, name: str) -> bool:
    """Return whether the class of an object has a method, without running code of the object."""
    return inspect.getattr_static(type(one), name, None) is not None


def _held_by(one: Any) -> Iterator[Any]:
    """Yield the objects that a generator, a coroutine or a task holds: its variables, and what it waits for."""
    if isinstance(one, asyncio.Task):
        yield one.get_coro()
    elif (
        isinstance(one, CellType)
        or inspect.isasyncgen(one)
        or inspect.isgenerator(one)
        or isinstance(one, CoroutineType | FrameType)
    ):
        yield from gc.get_referents(one)


class NativeRuns:
    """Remember the runs that a stream's events name, for an SDK that ends a run by its id alone: agno."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def note(self, native: object) -> None:
        """Remember the run of one event."""
        if type(native).__module__.startswith("agno.run"):
            run_id = getattr(native, "run_id", None)
            if isinstance(run_id, str) and run_id not in self._ids and len(self._ids) < _IDS:
                self._ids[run_id] = None

    def end(self, report: Report = ignore) -> None:
        """End the runs."""
        module = sys.modules.get("agno.run.cancel")
        cancel, members = (getattr(module, name, None) for name in ("cancel_run", "get_member_run_ids"))
        if not callable(cancel):
            return
        if callable(members):  # of a team, which may have begun without an event so far
            self._ids |= dict.fromkeys(member for run_id in list(self._ids) for member in members(run_id))
        for run_id in self._ids:
            try:
                cancel(run_id)
            except Exception as error:
                log.exception("The run %s of agno could not be ended", run_id)
                report(f"The run of agno could not be ended: {error!r}. The agent may go on.")

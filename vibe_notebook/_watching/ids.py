"""Choose ids for a stream: of an agent without a name, and of runs whose own ids belong to earlier runs.

Between the adapter and the registry. A user runs a cell again, and its events bear the ids of the first time: the
registry would add them to the old run, which the new view does not show.
"""

from __future__ import annotations

import itertools
import threading
import uuid
import weakref
from itertools import islice
from typing import TYPE_CHECKING, Final

from .._event_copies import with_fields
from .._forks import in_child

if TYPE_CHECKING:
    from ..events import Event
    from ..registry import Registry

__all__ = ["RunIds", "fresh_agent_id"]

_NAMES: Final = ("run_id", "parent_run_id", "request_run_id")
"""Fields of an event that name a run."""
KEPT: Final = 10_000
"""Runs of one stream whose ids are known: 3 MB."""


class RunIds:
    """Hold the ids of one stream's runs: by (agent id, given id), the id to use.

    *begun* is (agent id, run id) of a run that began before the stream: the stream's first run is that run.
    """

    def __init__(self, registry: Registry, begun: tuple[str, str] | None = None) -> None:
        self._registry = registry
        self._begun = begun
        self._used: dict[tuple[str, str], str] = {} if begun is None else {begun: begun[1]}

    def renamed(self, event: Event) -> Event:
        """Return *event*, or a copy whose run ids belong to this stream's runs."""
        if event.type == "run_started" and event.parent_run_id is not None:
            self._look_up(event.agent_id, event.parent_run_id)  # the child may come first
        self._look_up(event.agent_id, event.run_id)
        changed = {}
        for name in _NAMES:
            given = getattr(event, name, None)
            used = self._used.get((event.agent_id, given), given) if given is not None else None
            if used != given:
                changed[name] = used
        return with_fields(event, changed) if changed else event

    def _look_up(self, agent_id: str, run_id: str) -> None:
        """Choose the id of a run at its first event: later ones may come when this stream has ended the run."""
        if (agent_id, run_id) in self._used:
            return
        if self._begun is not None and self._begun[0] == agent_id:
            self._used[agent_id, run_id], self._begun = self._begun[1], None
            return
        with self._registry.reading(agent_id) as found:
            run = found.runs.get(run_id) if found is not None else None
            has_settled = run is not None and run.has_settled  # not: it waits for an answer
        if len(self._used) >= KEPT:
            for key in list(islice(self._used, KEPT // 2)):
                del self._used[key]
        self._used[agent_id, run_id] = f"{run_id}-{uuid.uuid4().hex[:8]}" if has_settled else run_id


_lock: threading.Lock = threading.Lock()
_reserved: weakref.WeakKeyDictionary[Registry, set[str]] = weakref.WeakKeyDictionary()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - in the child of a fork
    _lock = threading.Lock()


in_child(_renew_lock)


def fresh_agent_id(registry: Registry) -> str:
    """Return an id that neither an agent of the registry has nor another watch has reserved."""
    with _lock:
        reserved = _reserved.setdefault(registry, set())
        used = reserved.union(registry.agents())
        name = next(name for n in itertools.count(1) if (name := f"agent-{n}") not in used)
        reserved.add(name)
        return name

"""Feed subagents: each run inside a run has an adapter of its own, with the ids of its parent.

The adapters use ``Subagents`` if their SDK names the tool call that a nested agent works for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vibe_notebook.events import Event, ToolCallDelta, ToolStarted

if TYPE_CHECKING:
    from ._base import Adapter

__all__ = ["Subagents"]

A = TypeVar("A", bound="Adapter")


class Subagents(Generic[A]):
    """Hold the adapters of the runs inside the run of *parent*.

    *make* is an adapter's class, or a function that returns an adapter for given ids.
    """

    def __init__(self, parent: Adapter, make: Callable[..., A]) -> None:
        self._parent = parent
        self._make = make
        self._adapters: dict[str, A] = {}
        self._ended: set[str] = set()
        self._callers: dict[str, Adapter] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._adapters

    def __iter__(self) -> Iterator[A]:
        """Yield the adapters of the runs that have not ended."""
        return (adapter for key, adapter in self._adapters.items() if key not in self._ended)

    def open(self, key: str, **ids: Any) -> A:
        """Return the adapter of the run *key*; a new adapter gets *ids* in addition.

        The run is a child of the run that made the tool call ``parent_tool_call_id``.
        """
        if key not in self._adapters:
            caller = self._callers.get(str(ids.get("parent_tool_call_id")), self._parent)
            ids = {"agent_id": self._parent.agent_id, "parent_run_id": caller.run_id, **ids}
            self._adapters[key] = self._make(run_id=f"{self._parent.run_id}/{key}", **ids)
        return self._adapters[key]

    def feed(self, key: str, native: object, **ids: Any) -> list[Event]:
        """Return the events of a native of the run *key*."""
        adapter = self.open(key, **ids)
        events = adapter.feed(native)
        self.record_calls(adapter, events)
        return events

    def record_calls(self, adapter: Adapter, events: list[Event]) -> None:
        """Record *adapter* as the caller of the tool calls in *events*."""
        for event in events:
            if isinstance(event, ToolCallDelta | ToolStarted):
                self._callers.setdefault(event.tool_call_id, adapter)

    def end(self, key: str, **outcome: Any) -> list[Event]:
        """Return the last events of the run *key*; nothing for an unknown or an ended run.

        *outcome* has the fields of ``Adapter.end``. Without it, the outcome is that of the run's own
        stream.
        """
        adapter = self._adapters.get(key)
        if adapter is None or key in self._ended:
            return []
        self._ended.add(key)
        if outcome.get("outcome", "success") != "success":
            adapter.end(**outcome)
        return adapter.finish()

    def end_all(self, **outcome: Any) -> list[Event]:
        """Return the last events of all open runs, the newest run first."""
        return [event for key in reversed(self._adapters) for event in self.end(key, **outcome)]

"""Subagents: each run inside a run is an adapter of its own, with its parent's ids.

Used by the adapters whose SDK says which tool call a nested agent works for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vibe_notebook.events import Event, ToolCallDelta, ToolStarted

if TYPE_CHECKING:
    from ._base import Adapter

__all__ = ["Children"]

A = TypeVar("A", bound="Adapter")


class Children(Generic[A]):
    """The runs inside *parent*'s. ``make`` is an adapter's class, or what makes one from its ids."""

    def __init__(self, parent: Adapter, make: Callable[..., A]) -> None:
        self._parent = parent
        self._make = make
        self._made: dict[str, A] = {}
        self._ended: set[str] = set()
        self._callers: dict[str, Adapter] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._made

    def __iter__(self) -> Iterator[A]:
        """Those that go on."""
        return (made for key, made in self._made.items() if key not in self._ended)

    def open(self, key: str, **ids: Any) -> A:
        """Return the adapter of the run *key*; *ids* say more of it when it is new.

        The run is a child of whichever run made the tool call ``parent_tool_call_id``.
        """
        if key not in self._made:
            caller = self._callers.get(str(ids.get("parent_tool_call_id")), self._parent)
            ids = {"agent_id": self._parent.agent_id, "parent_run_id": caller.run_id, **ids}
            self._made[key] = self._make(run_id=f"{self._parent.run_id}/{key}", **ids)
        return self._made[key]

    def feed(self, key: str, native: object, **ids: Any) -> list[Event]:
        """Return what a native of the run *key* gives."""
        made = self.open(key, **ids)
        events = made.feed(native)
        self.called(made, events)
        return events

    def called(self, adapter: Adapter, events: list[Event]) -> None:
        """Remember which run made the calls in *events*."""
        for event in events:
            if isinstance(event, ToolCallDelta | ToolStarted):
                self._callers.setdefault(event.tool_call_id, adapter)

    def end(self, key: str, **outcome: Any) -> list[Event]:
        """Return the end of a run, if there is such a run and it goes on.

        *outcome* has the fields of ``Adapter.end``; without one, what the run's own stream says.
        """
        made = self._made.get(key)
        if made is None or key in self._ended:
            return []
        self._ended.add(key)
        if outcome.get("outcome", "success") != "success":
            made.end(**outcome)
        return made.finish()

    def end_all(self, **outcome: Any) -> list[Event]:
        """Return the ends of all that go on, the newest first."""
        return [event for key in reversed(self._made) for event in self.end(key, **outcome)]

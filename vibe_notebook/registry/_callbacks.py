"""Callbacks on an agent's events, and how they are called: serially, in order, never under a lock."""

from __future__ import annotations

import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from .._json_values import bounded_repr
from ..events import Event, is_skip, with_id

__all__ = ["Callback", "Outbox", "Registration"]

log = logging.getLogger("vibe_notebook")

Callback = Callable[[Any], object]
"""Takes one event; ``Any``, as which of the thirteen it is depends on the slot."""

FLUSH_TIMEOUT: Final = 5.0
"""Seconds that closing a tap waits for a callback in another thread, which may itself wait for the closer."""

_SLOTS: Final = {
    "text_delta": "on_result",
    "thinking_delta": "on_thinking",
    "tool_call_delta": "on_tool_preparing",
    "tool_started": "on_tool_started",
    "tool_finished": "on_tool_finished",
    "run_finished": "on_finished",
}


class Registration:
    """Callbacks on one agent; ``close()`` (or leaving it as a context manager) removes them."""

    def __init__(
        self, agent_id: str, callbacks: Mapping[str, Callback | None], remove: Callable[[Registration], None]
    ) -> None:
        self.agent_id = agent_id
        self.callbacks = {name: _checked(name, call) for name, call in callbacks.items() if call is not None}
        self._remove = remove
        self.failed: set[str] = set()

    def close(self) -> None:
        """Remove the callbacks; idempotent. None of them is called any more once it returns.

        But for one that another thread is in the middle of.
        """
        self._remove(self)

    unregister = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def names(self, event: Event) -> list[str]:
        """Which of its callbacks the event is for, a tap aside."""
        if is_skip(event):
            return []
        if event.type == "part_completed":
            slot = "on_result" if event.kind == "text" else "on_thinking"
        else:
            slot = _SLOTS.get(event.type, "")
        return [name for name in (slot, "on_event") if name in self.callbacks]


def _checked(name: str, call: Callback) -> Callback:
    if not callable(call):
        msg = f"{name}={bounded_repr(call)}: a callback is a function of one event."
        raise TypeError(msg)
    if inspect.iscoroutinefunction(call):
        msg = f"{name} is async, and callbacks are called, not awaited: use `async for event in registry.subscribe(...)`."
        raise TypeError(msg)
    return call


_Item = tuple[int, Event, "Event | None", tuple[Registration, ...]]


class Outbox:
    """One agent's events on their way to its callbacks. ``put`` under the lock, ``drain`` outside.

    Whoever finds it idle drains it; who comes meanwhile, also a callback that dispatches, only
    adds to it. So calls are serial and in order whatever the threads do.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.waiting: deque[_Item] = deque()
        self._owner: int | None = None  # the thread that drains
        self._report = report

    def put(
        self, number: int, event: Event, kept: Event | None, registrations: tuple[Registration, ...]
    ) -> None:
        """Add an event for those that are registered now; *kept* is its form for taps."""
        self.waiting.append((number, event, kept, registrations))

    def drain(self, changed: threading.Condition) -> None:
        """Outside of the lock: call until nothing is left, unless another does so already."""
        with changed:
            if self._owner is not None or not self.waiting:
                return
            self._owner = threading.get_ident()
        try:
            while True:
                with changed:
                    if not self.waiting:
                        self._release(changed)
                        return
                    item = self.waiting.popleft()
                self._hand_over(item, item[3])
        except BaseException:
            with changed:
                self._release(changed)
            raise

    def flush(self, tap: Registration, changed: threading.Condition) -> None:
        """Before a tap is closed: hand it what was put out for it until now."""
        with changed:
            if self._owner is not None and self._owner != threading.get_ident():
                changed.wait_for(lambda: self._owner is None, timeout=FLUSH_TIMEOUT)
            items = [item for item in self.waiting if tap in item[3]]
        for item in items:
            self._hand_over(item, (tap,))

    def _release(self, changed: threading.Condition) -> None:
        self._owner = None
        changed.notify_all()

    def _hand_over(self, item: _Item, registrations: tuple[Registration, ...]) -> None:
        number, event, kept, _ = item
        event = with_id(event, number)
        for registration in registrations:
            if kept is not None and "tap" in registration.callbacks:
                self._call(registration, "tap", event if kept is item[1] else with_id(kept, number))
            for name in registration.names(event):
                self._call(registration, name, event)

    def _call(self, registration: Registration, name: str, event: Event) -> None:
        call = registration.callbacks.get(name)
        if call is None:
            return  # closed meanwhile
        try:
            call(event)
        except Exception as error:
            if name not in registration.failed:
                registration.failed.add(name)
                log.exception("The callback %s of agent %r raised; the stream goes on", name, event.agent_id)
                self._report(f"The callback {name} raised {bounded_repr(error)}")

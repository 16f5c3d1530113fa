"""Callbacks on an agent's events, and how they are called: serially, in order, never under a lock."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from .events import Event, is_skip, with_id

__all__ = ["Callback", "Outbox", "Registration"]

log = logging.getLogger("vibe_notebook")

Callback = Callable[[Event], object]

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
        self.callbacks = {name: call for name, call in callbacks.items() if call is not None}
        self._remove = remove
        self.failed: set[str] = set()

    def close(self) -> None:
        """Remove the callbacks; idempotent."""
        self._remove(self)

    unregister = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def names(self, event: Event) -> list[str]:
        """Which callbacks the event is for."""
        names = ["tap"]
        if not is_skip(event):
            if event.type == "part_completed":
                names.append("on_result" if event.kind == "text" else "on_thinking")
            elif event.type in _SLOTS:
                names.append(_SLOTS[event.type])
            names.append("on_event")
        return [name for name in names if name in self.callbacks]


class Outbox:
    """One agent's events on their way to its callbacks. ``put`` under the lock, ``drain`` outside.

    Whoever finds it idle drains it; who comes meanwhile, also a callback that dispatches, only
    adds to it. So calls are serial and in order whatever the threads do.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._waiting: deque[tuple[int, Event, tuple[Registration, ...]]] = deque()
        self._busy = False
        self._report = report

    def put(self, number: int, event: Event, registrations: tuple[Registration, ...]) -> None:
        """Add an event for those that are registered now."""
        self._waiting.append((number, event, registrations))

    def clear(self) -> None:
        """Forget what was not handed on yet."""
        self._waiting.clear()

    def claim(self) -> bool:
        """Under the lock: whether the caller is to drain."""
        if self._busy or not self._waiting:
            return False
        self._busy = True
        return True

    def drain(self, lock: Any) -> None:
        """Outside of the lock: call until nothing is left."""
        try:
            while True:
                with lock:
                    if not self._waiting:
                        self._busy = False
                        return
                    number, event, registrations = self._waiting.popleft()
                event = with_id(event, number)
                for registration in registrations:
                    for name in registration.names(event):
                        self._call(registration, name, event)
        except BaseException:
            with lock:
                self._busy = False
            raise

    def _call(self, registration: Registration, name: str, event: Event) -> None:
        try:
            registration.callbacks[name](event)
        except Exception as error:
            if name not in registration.failed:
                registration.failed.add(name)
                log.exception("The callback %s of agent %r raised; the stream goes on", name, event.agent_id)
                self._report(f"The callback {name} raised {type(error).__name__}: {error}")

"""Call an agent's callbacks: serially, in order, never under a lock.

At the end of an event's path through the registry: each agent enqueues delivered events in its outbox, and the
dispatching thread drains the outbox after it has released the registry's lock.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from .._foreign_words import clean_logger
from .._json_values import bounded_repr
from ..events import Event, is_skip, with_id

__all__ = ["Callback", "Outbox", "Registration", "call_each"]

log = clean_logger("vibe_notebook")

Callback = Callable[[Any], object]
"""A function of one event; ``Any``, because the callback's slot decides the event's class."""

FLUSH_TIMEOUT: Final = 5.0
"""Seconds that closing a tap waits for a callback of another thread, which may itself wait for the closer."""

_SLOTS: Final = {
    "text_delta": "on_result",
    "thinking_delta": "on_thinking",
    "tool_call_delta": "on_tool_preparing",
    "tool_started": "on_tool_started",
    "tool_finished": "on_tool_finished",
    "run_finished": "on_finished",
}
_DELTAS: Final = {"text": "text_delta", "thinking": "thinking_delta", "args": "tool_call_delta"}
"""By the kind of a whole text, the deltas that it replaces."""


class Registration:
    """Hold the callbacks on one agent; ``close()``, or the end of a ``with`` block, removes them."""

    def __init__(
        self, agent_id: str, callbacks: Mapping[str, Callback | None], remove: Callable[[Registration], None]
    ) -> None:
        self.agent_id = agent_id
        self.callbacks = {name: _checked(name, call) for name, call in callbacks.items() if call is not None}
        self._remove = remove
        self.is_placed = False
        """True for a tap whose events name their place where they come after a later arrival."""
        self.failed: set[str] = set()

    def close(self) -> None:
        """Remove the callbacks; idempotent.

        After the return the registry calls none of them any more. A call that another thread has already begun may
        still run.
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
        """Return the names of the callbacks that the event is for, without a tap."""
        if is_skip(event):
            return []
        slot = _SLOTS.get(_DELTAS[event.kind] if event.type == "part_completed" else event.type, "")
        return [name for name in (slot, "on_event") if name in self.callbacks]


def _checked(name: str, call: Callback) -> Callback:
    if not callable(call):
        msg = f"{name}={bounded_repr(call)}: a callback is a function of one event."
        raise TypeError(msg)
    if inspect.iscoroutinefunction(call):
        msg = f"{name} is async, and callbacks are called, not awaited: use `async for event in registry.subscribe(...)`."
        raise TypeError(msg)
    return call


OVERTAKEN: Final = "overtaken_by"
"""The field of a recorded event with the id of an event that arrived later and was delivered first."""
_Item = tuple[int, Event, "Event | None", tuple[Registration, ...], int | None]


class Outbox:
    """Hold one agent's events on their way to its callbacks.

    Call ``enqueue`` under the registry's lock, ``drain`` outside of it. The first thread to find the outbox idle
    drains it. Other threads, and callbacks that dispatch, only enqueue. So calls are serial and in order.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.waiting: deque[_Item] = deque()
        self._drainer: int | None = None  # the thread that drains
        self._report = report

    def enqueue(
        self,
        number: int,
        event: Event,
        recorded: Event | None,
        registrations: tuple[Registration, ...],
        before: int | None = None,
    ) -> None:
        """Enqueue an event for the present registrations; *recorded* is its form for taps.

        *before* is the id of an event that arrived after this one and was delivered before it.
        """
        self.waiting.append((number, event, recorded, registrations, before))

    def renew(self) -> None:
        """Drop the calls that the parent makes, in the child of a fork; a thread that drained is gone."""
        self.waiting.clear()
        if self._drainer != threading.get_ident():
            self._drainer = None

    def drain(self, changed: threading.Condition) -> None:
        """Call back for each waiting event, unless another thread drains already. Not under the lock."""
        with changed:
            if self._drainer is not None or not self.waiting:
                return
            self._drainer = threading.get_ident()
        try:
            while True:
                with changed:
                    if not self.waiting:
                        self._release(changed)
                        return
                    item = self.waiting.popleft()
                self._call_back(item, item[3])
        except BaseException:
            with changed:
                self._release(changed)
            raise

    def flush(self, tap: Registration, changed: threading.Condition) -> None:
        """Call a tap that is about to close with every event that is waiting for it."""
        with changed:
            if self._drainer is not None and self._drainer != threading.get_ident():
                changed.wait_for(lambda: self._drainer is None, timeout=FLUSH_TIMEOUT)
            items = [item for item in self.waiting if tap in item[3]]
        for item in items:
            self._call_back(item, (tap,))

    def _release(self, changed: threading.Condition) -> None:
        self._drainer = None
        changed.notify_all()

    def _call_back(self, item: _Item, registrations: tuple[Registration, ...]) -> None:
        number, event, recorded, _, before = item
        event = with_id(event, number)
        for registration in registrations:
            if recorded is not None and "tap" in registration.callbacks:
                made = event if recorded is item[1] else with_id(recorded, number)
                if before is not None and registration.is_placed:
                    made = made.model_copy(update={OVERTAKEN: before})
                self._call(registration, "tap", made)
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
                log.exception(
                    "The callback %s of agent %r raised; the stream continues", name, event.agent_id
                )
                self._report(f"The callback {name} raised {bounded_repr(error)}")


def call_each(calls: list[Callable[[], None]]) -> None:
    """Call all functions, the last one first, even if one raises."""
    try:
        while calls:
            calls.pop()()
    finally:
        if calls:
            call_each(calls)

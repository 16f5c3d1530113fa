"""Our own events, their dicts or JSON lines: a recording, a remote stream, another registry."""

from __future__ import annotations

import json
from typing import Any, Final

from vibe_notebook.events import Event, RunFinished, read_event
from vibe_notebook.exceptions import ProtocolError

from ._base import Adapter, is_event, is_event_line
from ._fields import get, ident

__all__ = ["EventsAdapter", "matches"]

_MOST_ENDED: Final = 512
"""Ended runs that are remembered, so that an event of one that comes late does not open it anew."""


def matches(native: object) -> bool:
    """Whether *native* is an event of ours, its dict, or its JSON text."""
    return is_event(native) or is_event_line(native)


class EventsAdapter(Adapter):
    """Passes events on as they are, and closes the runs that the stream left open.

    The adapter's own ids stand only for what is no event and has none, and for a stream
    that had nothing in it.
    """

    name = "events"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._open: dict[tuple[str, str], None] = {}
        self._ended: dict[tuple[str, str], None] = {}

    def feed(self, native: object) -> list[Event]:
        """Return the event, untouched. What is none becomes ``Custom``; an empty line nothing."""
        if isinstance(native, str | bytes):
            if not native.strip():
                return []
            native = _loaded(native)
        try:
            event = read_event(native)  # type: ignore[arg-type]  # anything else is an error that it raises
        except ProtocolError:
            self._envelope = {}
            self._read(native)
            return [self._seen(event) for event in self._flush()]
        return [self._seen(event)]

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        """End every run that is still open, the latest first."""
        if self._is_finished:
            return []
        if not (self._open or self._ended):
            return super().finish(exc)
        self._is_finished = True
        if exc is not None:
            self._raised(exc)
        return [
            RunFinished(agent_id=agent, run_id=run, **self._outcome) for agent, run in reversed(self._open)
        ]

    def _read(self, native: object) -> None:
        ids = {name: value for name in ("agent_id", "run_id") if (value := ident(get(native, name)))}
        self.say_unknown(native, ident(get(native, "type")), **ids)

    def _seen(self, event: Event) -> Event:
        ids = (event.agent_id, event.run_id)
        if isinstance(event, RunFinished):
            self._open.pop(ids, None)
            self._ended[ids] = None
            if len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]
        elif ids not in self._open and ids not in self._ended:
            self._open[ids] = None
        self._is_started = True
        return event


def _loaded(line: str | bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line if isinstance(line, str) else line.decode(errors="replace")

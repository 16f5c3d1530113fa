"""Read our own events, their dicts or JSON lines, of a recording, a remote stream or a registry.

This adapter passes events on unchanged.
"""

from __future__ import annotations

import json
from typing import Any, Final

from vibe_notebook.events import Event, Outcome, RunFinished, RunStarted, read_event
from vibe_notebook.exceptions import ProtocolError

from ._base import Adapter, is_event, is_event_line
from ._call_ids import drop_oldest
from ._fields import get, ident
from ._own_events import damage_in

__all__ = ["EventsAdapter", "matches"]

_ENDED_LIMIT: Final = 512
"""The adapter remembers this many ended runs, so that a late event does not open its run again."""


def matches(native: object) -> bool:
    """Return whether *native* is one of our own events, its dict, or its JSON text."""
    return is_event(native) or is_event_line(native)


class EventsAdapter(Adapter):
    """Pass events on unchanged, and end the runs that the stream left open.

    The adapter uses its own ids only for natives that are no events and have no ids, and for an empty
    stream.
    """

    name = "events"
    tells_usage = True
    tells_calls_apart = False

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._open: dict[tuple[str, str], None] = {}
        self._ended: dict[tuple[str, str], Outcome] = {}
        self._damaged: dict[tuple[str, str], dict[str, Any]] = {}
        """The outcomes of runs that lack an event."""

    def feed(self, native: object) -> list[Event]:
        """Return the event, unchanged; a ``Custom`` for another native, nothing for an empty line."""
        if isinstance(native, str | bytes):
            if not native.strip():
                return []
            native = _loaded(native)
        try:
            event = read_event(native)  # type: ignore[arg-type]  # read_event raises for every other type
        except ProtocolError:
            self._envelope = {}
            self._read(native)
            return [self._remember(event) for event in self._flush()]
        earlier: list[Event] = []
        if isinstance(native, dict):  # not before: a native that is no event leaves no half behind
            halves, joined = self._half_pairs.join(event.type, native)
            earlier = [read_event(half) for half in halves]
            event = event if joined is native else read_event(dict(joined))
        return [self._remember(event) for event in (*earlier, event)]

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        """Return the end of every open run, the latest run first."""
        if self._is_finished:
            return []
        if not (self._open or self._ended):
            return super().finish(exc)
        self._is_finished = True
        if exc is not None:
            self._end_by_exception(exc)
        ends = [
            RunFinished(agent_id=ids[0], run_id=ids[1], **self._outcome_of(ids))
            for ids in reversed(self._open)
        ]
        return [*map(read_event, self._half_pairs.release()), *ends]

    def _outcome_of(self, ids: tuple[str, str]) -> dict[str, Any]:
        return self._outcome or self._damaged.get(ids) or self._written_calls.outcome(ids)

    def _read(self, native: object) -> None:
        ids = {name: value for name in ("agent_id", "run_id") if (value := ident(get(native, name)))}
        if (damage := damage_in(native)) is not None:
            run = ids.get("agent_id", self.agent_id), ids.get("run_id", self.run_id)
            self._damaged.setdefault(run, self.emit_damaged(native, damage, **ids))
            drop_oldest(self._damaged, _ENDED_LIMIT)
            return
        self.emit_unknown(native, ident(get(native, "type")), **ids)

    def _remember(self, event: Event) -> Event:
        ids = (event.agent_id, event.run_id)
        if isinstance(event, RunFinished) and event.outcome == "success" and ids in self._damaged:
            event = event.model_copy(update=self._damaged[ids])
        if isinstance(event, RunFinished):
            self._open.pop(ids, None)
            self._ended[ids] = event.outcome
            if len(self._ended) > _ENDED_LIMIT:
                del self._ended[next(iter(self._ended))]
        elif ids not in self._open:
            if isinstance(event, RunStarted) and self._ended.get(ids) == "interrupted":
                del self._ended[ids]  # the run goes on after its pause
            if ids not in self._ended:
                self._open[ids] = None
        self._is_started = True
        self._written_calls.record(event)
        return event


def _loaded(line: str | bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line if isinstance(line, str) else line.decode(errors="replace")

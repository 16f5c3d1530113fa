"""Tell apart the tool calls of a run that have the same id.

Some models number their calls anew in each message ("call_0"), and some servers give all calls one id. An id names
one call of one message. In a later message, or once the call has its result, the id names another call, which gets an
id of its own ("call_0#2"). What follows belongs to the newest call of that id, results to the newest without one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from vibe_notebook.events import Artifact, Event, RunStarted, ToolCallDelta, ToolFinished, ToolStarted

__all__ = ["CALLS", "CallIds", "drop_oldest"]

_UNKNOWN: Final = object()
CALLS: Final = 1_000
"""Ids of calls that an adapter retains at most, and calls that one id names: the ones used last."""
SEEN: Final = 10_000
"""Numbers of a source's events that an adapter retains at most: of these it tells a repeat from a new call."""


@dataclass
class _Call:
    id: str
    message: str | None
    pieces: list[str] = field(default_factory=list)
    args: Any = _UNKNOWN
    finished_at: int | None = None
    """The number of the event that brought the result; -1 of a source without numbers."""
    homes: list[_Calls] = field(default_factory=list)
    """The lists that hold the call: of its own id, and of each other id of it."""

    def finish(self, number: int) -> None:
        """Record the result."""
        self.finished_at = number
        self.pieces, self.args = [], _UNKNOWN
        for home in self.homes:
            home.drop(self)
        self.homes = []

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    def has_args(self, args: Any) -> bool:
        """Return whether the call's arguments are *args*, as far as they are known."""
        if self.args is not _UNKNOWN:
            return bool(self.args == args)
        try:
            return bool(json.loads("".join(self.pieces)) == args)
        except (ValueError, RecursionError):
            return not self.pieces


class _Calls:
    """Hold the calls that have one id in the source."""

    def __init__(self) -> None:
        self.count = 0
        self.newest: _Call | None = None
        self.by_message: dict[str | None, _Call] = {}
        self._open: dict[str | None, dict[str, _Call]] = {}

    def add(self, call: _Call) -> None:
        """Add a call that begins."""
        self.count += 1
        self.newest = call
        self.by_message[call.message] = call
        drop_oldest(self.by_message, CALLS)
        self.expect_result(call)

    def expect_result(self, call: _Call) -> None:
        """Add a call of another id, whose result may come under this one."""
        self._open.setdefault(call.message, {})[call.id] = call
        drop_oldest(self._open, CALLS)
        call.homes.append(self)

    def name_message(self, call: _Call, message: str) -> None:
        """Record the message of a call, which an earlier event has left open."""
        before = self._open.get(call.message, {})
        if before.pop(call.id, None) is not None:
            self._open.setdefault(message, {})[call.id] = call
        if not before:
            self._open.pop(call.message, None)
        self.by_message[message] = call

    def drop(self, call: _Call) -> None:
        """Record that a call has its result."""
        of_message = self._open.get(call.message, {})
        of_message.pop(call.id, None)
        if not of_message:
            self._open.pop(call.message, None)

    @property
    def next_answered(self) -> _Call | None:
        """Return the call to which a result belongs: of the newest message's open calls the first."""
        if not self._open:
            return self.newest
        return next(iter(self._open[next(reversed(self._open))].values()))


class CallIds:
    """Hold the calls of an adapter's runs, by the ids that the source gave to them."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], _Calls] = {}
        self._newest: dict[str, _Calls] = {}
        """The calls of an id in the run that used it last."""
        self._given: dict[tuple[str, str], None] = {}
        """The ids that are none of the source's, by run."""
        self._seen: dict[tuple[str, str, int, int], None] = {}

    def rename(self, event: Event) -> Event:
        """Return *event* with the id of the call that it belongs to."""
        if isinstance(event, RunStarted):
            return self._rename_parent(event)
        raw = getattr(event, "tool_call_id", None)
        if raw is None:
            return event
        call: _Call | None
        if isinstance(event, ToolCallDelta | ToolStarted):
            call = self._begun(raw, event)
        else:
            # The answer to a call that an earlier run made, and paused for, comes in a later run.
            calls = self._calls.get((event.run_id, raw)) or self._newest.get(raw)
            call = calls.next_answered if calls is not None else None
            if call is not None and isinstance(event, ToolFinished):
                call.finish(-1 if event.seq is None else event.seq)
        if call is None or call.id == raw:
            return event
        changes: dict[str, Any] = {"tool_call_id": call.id}
        if isinstance(event, Artifact) and event.artifact_id.startswith(raw):
            changes["artifact_id"] = call.id + event.artifact_id.removeprefix(raw)
        return event.model_copy(update=changes)

    def share(self, run_id: str, call_id: str, other: str) -> None:
        """Let *other* name the call that events call *call_id* too: its results may come under that id."""
        known = self._calls.get((run_id, call_id))
        if known is not None and known.newest is not None:
            self._of(run_id, other).expect_result(known.newest)

    def is_open(self, run_id: str, call_id: str) -> bool:
        """Return whether the newest call of this id has begun, and has no result."""
        known = self._calls.get((run_id, call_id))
        return known is not None and known.newest is not None and not known.newest.is_finished

    def _of(self, run_id: str, raw: str) -> _Calls:
        calls = self._calls.pop((run_id, raw), None) or _Calls()
        self._calls[run_id, raw] = calls
        drop_oldest(self._calls, CALLS)
        self._newest.pop(raw, None)
        self._newest[raw] = calls
        drop_oldest(self._newest, CALLS)
        return calls

    def _rename_parent(self, event: RunStarted) -> Event:
        raw = event.parent_tool_call_id
        known = self._calls.get((event.parent_run_id or "", raw or ""))
        if known is None or known.newest is None or known.newest.id == raw:
            return event
        return event.model_copy(update={"parent_tool_call_id": known.newest.id})

    def _begun(self, raw: str, event: ToolCallDelta | ToolStarted) -> _Call:
        calls = self._of(event.run_id, raw)
        is_repeat = self._is_repeat(event)
        call = calls.by_message.get(event.message_id) or calls.newest
        if call is None or (not is_repeat and _is_another(call, event)):
            call = _Call(self._fresh(event.run_id, raw, calls.count), event.message_id)
            calls.add(call)
        elif call.message is None and event.message_id is not None:
            calls.name_message(call, event.message_id)
            call.message = event.message_id
        if call.is_finished:
            return call
        if isinstance(event, ToolCallDelta):
            if not event.derived and event.delta:
                call.pieces.append(event.delta)
        elif event.args is not None:
            call.args = event.args
        return call

    def _is_repeat(self, event: Event) -> bool:
        """Return whether a source that numbers its events has sent *event* before."""
        if event.seq is None:
            return False
        place = event.run_id, event.counter, event.seq, event.sub
        is_known = place in self._seen
        self._seen[place] = None
        drop_oldest(self._seen, SEEN)
        return is_known

    def _fresh(self, run_id: str, raw: str, count: int) -> str:
        """Return an id that no other call of the run has."""
        name = f"{raw}#{count + 1}" if count else raw
        while (run_id, name) in self._given or (count and (run_id, name) in self._calls):
            name += "'"
        if name != raw:
            self._given[run_id, name] = None
            drop_oldest(self._given, SEEN)
        return name


def drop_oldest(held: dict[Any, Any], limit: int) -> None:
    """Drop the older half of a dict's entries if it has more than *limit*."""
    if len(held) > limit:
        for key in list(islice(held, len(held) // 2)):
            del held[key]


def _is_another(call: _Call, event: ToolCallDelta | ToolStarted) -> bool:
    """Return whether *event* begins another call than *call*, which has the same id."""
    if event.derived:
        return False
    if event.seq is not None and call.finished_at is not None and event.seq <= call.finished_at:
        return False  # a duplicate, or late
    is_later = None not in (call.message, event.message_id) and call.message != event.message_id
    if isinstance(event, ToolStarted):
        # SDKs report a call's start after its arguments, some under another message's id or once more at the end.
        if event.args is None:
            return False
        return call.is_finished or (is_later and not call.has_args(event.args))
    return is_later or (call.is_finished and bool(event.delta or event.tool_name))

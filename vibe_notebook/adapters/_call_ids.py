"""Tell apart the tool calls of a run that have the same id.

Some models number their calls anew in each message ("call_0"), and some servers give all calls one id. An id names
one call of one message. In a later message, or once the call has its result, the id names another call, which gets an
id of its own ("call_0#2"). What follows belongs to the newest call of that id, results to the newest without one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook.events import Artifact, Event, RunStarted, ToolCallDelta, ToolFinished, ToolStarted

__all__ = ["CallIds"]

_UNKNOWN: Final = object()


@dataclass
class _Call:
    id: str
    message: str | None
    text: str = ""
    args: Any = _UNKNOWN
    finished_at: int | None = None
    """The number of the event that brought the result; -1 of a source without numbers."""

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    def has_args(self, args: Any) -> bool:
        """Return whether the call's arguments are *args*, as far as they are known."""
        if self.args is not _UNKNOWN:
            return bool(self.args == args)
        try:
            return bool(json.loads(self.text) == args)
        except ValueError:
            return not self.text


class CallIds:
    """Hold the calls of an adapter's runs, by the ids that the source gave to them."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], list[_Call]] = {}
        self._seen: set[tuple[str, str, int, int]] = set()

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
            call = self._latest(event.run_id, raw)
            if call is not None and isinstance(event, ToolFinished):
                call.finished_at = -1 if event.seq is None else event.seq
        if call is None or call.id == raw:
            return event
        changes: dict[str, Any] = {"tool_call_id": call.id}
        if isinstance(event, Artifact) and event.artifact_id.startswith(raw):
            changes["artifact_id"] = call.id + event.artifact_id.removeprefix(raw)
        return event.model_copy(update=changes)

    def share(self, run_id: str, call_id: str, other: str) -> None:
        """Let *other* name the call that events call *call_id* too: its results may come under that id."""
        known = self._calls.get((run_id, call_id))
        if known:
            self._calls.setdefault((run_id, other), []).append(known[-1])

    def is_open(self, run_id: str, call_id: str) -> bool:
        """Return whether the newest call of this id has begun, and has no result."""
        known = self._calls.get((run_id, call_id), [])
        return bool(known) and not known[-1].is_finished

    def _rename_parent(self, event: RunStarted) -> Event:
        raw = event.parent_tool_call_id
        known = self._calls.get((event.parent_run_id or "", raw or ""))
        if not known or known[-1].id == raw:
            return event
        return event.model_copy(update={"parent_tool_call_id": known[-1].id})

    def _begun(self, raw: str, event: ToolCallDelta | ToolStarted) -> _Call:
        calls = self._calls.setdefault((event.run_id, raw), [])
        is_repeat = self._is_repeat(event)
        own = [each for each in calls if each.message == event.message_id] or calls
        call = own[-1] if own else None
        if call is None or (not is_repeat and _is_another(call, event)):
            call = _Call(self._fresh(event.run_id, raw, len(calls)), event.message_id)
            calls.append(call)
        call.message = call.message or event.message_id
        if isinstance(event, ToolCallDelta):
            call.text += "" if event.derived else event.delta
        elif event.args is not None:
            call.args = event.args
        return call

    def _is_repeat(self, event: Event) -> bool:
        """Return whether a source that numbers its events has sent *event* before."""
        if event.seq is None:
            return False
        place = event.run_id, event.counter, event.seq, event.sub
        is_known = place in self._seen
        self._seen.add(place)
        return is_known

    def _fresh(self, run_id: str, raw: str, count: int) -> str:
        name = f"{raw}#{count + 1}" if count else raw
        while count and (run_id, name) in self._calls:
            name += "'"
        return name

    def _latest(self, run_id: str, raw: str) -> _Call | None:
        calls = self._calls.get((run_id, raw))
        if calls is None:
            # The answer to a call that an earlier run made, and paused for.
            others = [found for (_, name), found in self._calls.items() if name == raw]
            calls = others[-1] if others else []
        open_calls = [call for call in calls if not call.is_finished]
        if not open_calls:
            return calls[-1] if calls else None
        # Calls of one message are answered in their order.
        return next(call for call in open_calls if call.message == open_calls[-1].message)


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

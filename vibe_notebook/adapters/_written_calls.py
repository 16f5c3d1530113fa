"""Know the tool calls whose arguments are still being written.

``Adapter`` asks at the end of a stream: the house's one rule for a stream that stops within a call. A protocol with an end
of its own says by it whether the run is whole; others just stop. A call whose arguments are whole but that has no result
is no sign of a cut: many protocols never report results.
"""

from __future__ import annotations

import json
from typing import Any, Final

from vibe_notebook.events import Event, MessageFinished, RunFinished, ToolCallDelta, ToolFinished, ToolStarted

__all__ = ["CUT", "WrittenCalls"]

CUT: Final = "The stream ended within a tool call"
"""The error of a run whose stream stopped within a call's arguments."""
_Key = tuple[str, str, str]


class WrittenCalls:
    """Follow the events of one adapter, and of the runs inside of its run."""

    def __init__(self) -> None:
        self._pieces: dict[_Key, list[str]] = {}
        self._messages: dict[_Key, str | None] = {}

    def record(self, event: Event) -> None:
        """Follow one event."""
        if isinstance(event, ToolCallDelta):
            if not event.derived:
                key = _key(event)
                self._messages[key] = event.message_id
                self._pieces.setdefault(key, []).append(event.delta)
        elif not self._pieces:
            return
        elif isinstance(event, ToolStarted | ToolFinished):
            self._pieces.pop(_key(event), None)
        elif isinstance(event, MessageFinished | RunFinished):
            ids = event.agent_id, event.run_id
            message = None if isinstance(event, RunFinished) else event.message_id
            for key in [key for key in self._pieces if key[:2] == ids]:
                if message is None or self._messages[key] in (None, message):
                    del self._pieces[key]

    def outcome(self, ids: tuple[str, str] | None = None) -> dict[str, Any]:
        """Return the outcome of a stream that stops now: an error within a call's arguments, else no fields.

        *ids* are the agent and the id of one run; without them the calls of all runs count.
        """
        is_cut = any(
            ids in (None, key[:2]) and not _is_whole("".join(pieces)) for key, pieces in self._pieces.items()
        )
        return {"outcome": "error", "error": CUT} if is_cut else {}


def _key(event: ToolCallDelta | ToolStarted | ToolFinished) -> _Key:
    return event.agent_id, event.run_id, event.tool_call_id


def _is_whole(words: str) -> bool:
    """Return whether a call's arguments are a whole JSON object: text before its end is none."""
    try:
        return isinstance(json.loads(words), dict)
    except (ValueError, RecursionError):
        return False

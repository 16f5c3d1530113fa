"""Read Anthropic's Managed Agents: ``client.beta.sessions.events.stream(session_id)``, and its lists of events.

Each event has an id. With ``event_deltas`` an event comes in pieces first, at best effort; the whole event replaces them.
The service runs its tools; the application runs custom ones, and sends their results as ``user.custom_tool_result``.
A session has no end: its stream ends where the application stops to read. Source: ``anthropic.types.beta.sessions``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import (
    Custom,
    InputAnswered,
    InputRequested,
    ToolProgress,
    ToolStarted,
)

from ._base import Adapter
from ._call_ids import drop_oldest
from ._fields import get, ident, items, json_text, plain, text
from ._files import said
from ._tool_results import message_result
from .anthropic import token_counts, usage_from

__all__ = ["AnthropicManagedAgentsAdapter", "matches"]

_CALLS: Final = frozenset(("agent.custom_tool_use", "agent.mcp_tool_use", "agent.tool_use"))
_RESULTS: Final = {
    "agent.mcp_tool_result": "mcp_tool_use_id",
    "agent.tool_result": "tool_use_id",
    "user.custom_tool_result": "custom_tool_use_id",
    "user.tool_result": "tool_use_id",
}
"""The field that names the call, by the kind of the result."""
_TURNS: Final = {"system.message": "system", "user.message": "user"}
_LINES: Final = {
    "agent.thread_context_compacted": (),
    "agent.thread_message_received": ("from_agent_name",),
    "agent.thread_message_sent": ("to_agent_name",),
    "session.thread_created": ("agent_name",),
    "span.outcome_evaluation_end": ("result", "explanation"),
    "user.define_outcome": ("description",),
    "user.interrupt": (),
    "workflow_run.created": ("name", "description"),
    "workflow_run.error": (),
    "workflow_run.status_ended": (),
}
"""The events that are lines, and the fields that a line says."""
_QUIET: Final = frozenset(
    (
        "agent.thinking",
        "session.deleted",
        "session.status_rescheduled",
        "session.thread_status_idle",
        "session.thread_status_rescheduled",
        "session.thread_status_running",
        "session.thread_status_terminated",
        "session.updated",
        "session.usage",
        "span.model_request_start",
        "span.outcome_evaluation_ongoing",
        "span.outcome_evaluation_start",
        "workflow_run.phase_ended",
        "workflow_run.phase_started",
        "workflow_run.status_idle",
        "workflow_run.status_running",
    )
)
_OWN: Final = frozenset(
    (
        "agent.message",
        "session.error",
        "session.status_idle",
        "session.status_running",
        "session.status_terminated",
        "span.model_request_end",
        "user.tool_confirmation",
    )
)
_KINDS: Final = _OWN | _QUIET | _CALLS | {*_LINES} | {*_RESULTS} | {*_TURNS}
_GOOD: Final = ("", "end_turn", "requires_action")
_IDS: Final = 10_000
"""Ids of events that are known: the newest ones, of a list and the stream that repeat each other."""


def matches(native: object) -> bool:
    """Return whether *native* is an event of a session."""
    kind = text(get(native, "type"))
    if kind == "event_start":
        return text(get(native, "event", "type")) in _KINDS
    if kind == "event_delta":
        return ident(get(native, "event_id")) is not None and get(native, "delta") is not None
    is_other = get(native, "data") is not None  # other agents have events of these names, with data
    return kind in _KINDS and ident(get(native, "id")) is not None and not is_other


class AnthropicManagedAgentsAdapter(Adapter):
    """Read one run: the events of a session."""

    name = "anthropic_managed_agents"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._known: dict[str, None] = {}
        self._message: str | None = None
        """The message that comes in pieces."""
        self._counts: dict[str, int] = {}
        self._is_waiting = False
        self._asked: set[str] = set()
        """The calls that wait for a confirmation."""

    def _read(self, native: object) -> None:
        kind, event_id = text(get(native, "type")), ident(get(native, "id"))
        if kind == "event_start":
            self._preview(get(native, "event"))
            return
        if kind == "event_delta":
            self._delta(ident(get(native, "event_id")), get(native, "delta"))
            return
        if event_id is not None and kind in _KINDS:
            if event_id in self._known:
                return  # a list of events and the stream overlap
            self._known[event_id] = None
            drop_oldest(self._known, _IDS)
        self._event(native, kind, event_id or "")

    def _event(self, native: object, kind: str, event_id: str) -> None:
        if kind == "agent.message":
            self._whole(event_id, items(get(native, "content")))
        elif kind in _CALLS:
            self._call(native, kind, event_id)
        elif kind in _RESULTS:
            self._result_of(native, ident(get(native, _RESULTS[kind])), kind)
        elif kind in _TURNS:
            self._finish_message()
            words, files = said(get(native, "content"))
            self.emit_turn(words, files, role=_TURNS[kind], message_id=event_id or None)
        elif kind == "user.tool_confirmation":
            self._confirmed(native)
        elif kind == "span.model_request_end":
            self._count(get(native, "model_usage"))
            self._finish_message()  # a request that ends early has no whole event
        elif kind == "session.error":
            self._failed(get(native, "error"))
        elif kind == "session.status_idle":
            self._idle(native)
        elif kind == "session.status_running":
            self._is_waiting = False
            self.start()
        elif kind == "session.status_terminated":
            self.end("error", "The session was terminated.", "terminated")
        elif kind in _LINES:
            self._line(native, kind)
        elif kind not in _QUIET:
            self.emit_unknown(native, kind)

    def _close(self) -> None:
        self._finish_message()
        self._usage = usage_from(self._counts, None)
        if self._is_waiting:
            self.end("interrupted")

    # Messages: pieces at best effort, then the whole.

    def _open(self, message: str) -> None:
        if self._message != message:
            self._finish_message()
            self._message = message
            self.begin_message(message)
        self._envelope = {"message_id": message}

    def _finish_message(self) -> None:
        message, self._message = self._message, None
        self.end_message(message)

    def _preview(self, event: object) -> None:
        event_id = ident(get(event, "id"))
        if (
            event_id is not None
            and event_id not in self._known
            and text(get(event, "type")) == "agent.message"
        ):
            self._open(event_id)

    def _delta(self, event_id: str | None, delta: object) -> None:
        if event_id is None or event_id in self._known:
            return  # the whole event came before its last pieces
        self._open(event_id)
        self.emit_text("text", ident(get(delta, "index")) or "0", text(get(delta, "content", "text")))

    def _whole(self, message: str, blocks: list[Any]) -> None:
        self._open(message)
        for i, block in enumerate(blocks):
            if text(get(block, "type")) == "text":
                self.emit_whole("text", str(i), text(get(block, "text")))
            elif text(get(block, "type")) != "redacted":
                self.emit_unknown(block, text(get(block, "type")) or "content")
        self._finish_message()

    # Calls.

    def _call(self, native: object, kind: str, call_id: str) -> None:
        name, args = text(get(native, "name")) or None, plain(get(native, "input"))
        self.emit_rest_of_args(call_id, name, json_text(args))
        if text(get(native, "evaluated_permission")) == "ask":
            self._asked.add(call_id)
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
            self.emit(InputRequested, request_id=call_id, kind="approval", tool_call_id=call_id)
        elif kind != "agent.custom_tool_use":
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)

    def _confirmed(self, native: object) -> None:
        call_id = ident(get(native, "tool_use_id"))
        if call_id is None or call_id not in self._asked:
            self.emit_unknown(native, "user.tool_confirmation")
            return
        is_allowed = text(get(native, "result")) == "allow"
        why = text(get(native, "deny_message")) or None
        action = "accept" if is_allowed else "decline"
        self.emit(InputAnswered, request_id=call_id, action=action, reason=why)
        if is_allowed:
            self.emit(ToolProgress, tool_call_id=call_id, state="running")

    def _result_of(self, native: object, call_id: str | None, kind: str) -> None:
        if call_id is None:
            self.emit_unknown(native, kind)
            return
        result, fields = message_result(call_id, native, is_error=get(native, "is_error") is True)
        self.emit_result(result, **fields)

    # The session.

    def _count(self, used: object) -> None:
        for name, value in token_counts(used).items():
            self._counts[name] = self._counts.get(name, 0) + value

    def _idle(self, native: object) -> None:
        self._finish_message()
        why = ident(get(native, "stop_reason", "type")) or ""
        self._is_waiting = why == "requires_action"
        if why not in _GOOD:
            details = get(native, "stop_details")
            words = text(get(details, "explanation")) or text(get(details, "message"))
            self.end("error", words or f"The session stopped: {why}.", why)

    def _failed(self, problem: object) -> None:
        code = ident(get(problem, "type"))
        words = text(get(problem, "message")) or text(problem) or code or "error"
        if text(get(problem, "retry_status", "type")) == "retrying":
            self.emit(Custom, name="session.error", value=f"{words} (the service tries again)", shown=True)
        else:
            self.end("error", words, code)

    def _line(self, native: object, kind: str) -> None:
        found = [text(get(native, name)) for name in _LINES[kind]]
        found += [
            said(get(native, "content"))[0],
            text(get(native, "error", "message") or get(native, "error")),
        ]
        found += [text(get(native, "result", "type")), text(get(native, "result", "error", "message"))]
        line = ": ".join(dict.fromkeys(filter(None, found)))
        self.emit(Custom, name=kind, value=line or None, shown=True)
        if kind == "workflow_run.error":
            self._failed(get(native, "error") or native)

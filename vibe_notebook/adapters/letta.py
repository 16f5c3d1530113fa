"""Read Letta: ``client.agents.messages.stream(agent_id, …)``, its steps and its tokens, and whole responses.

Every native has a ``message_type``. With ``stream_tokens`` the pieces of one message share its id, and the pieces of one
call its id. Letta runs the tools; a call that waits for an approval interrupts the run. Source: ``letta_client.types``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import MessageFinished, ToolProgress, ToolStarted, Usage

from ._base import Adapter
from ._fields import get, ident, integer, items, parsed, text
from ._files import said
from ._tool_results import message_result

__all__ = ["LettaAdapter", "matches"]

_KINDS: Final = frozenset(
    (
        "approval_request_message",
        "approval_response_message",
        "assistant_message",
        "error_message",
        "hidden_reasoning_message",
        "ping",
        "reasoning_message",
        "stop_reason",
        "system_message",
        "tool_call_message",
        "tool_return_message",
        "usage_statistics",
        "user_message",
    )
)
_TURNS: Final = {"system_message": "system", "user_message": "user"}
_GOOD: Final = frozenset(("end_turn", "tool_rule"))
_STOPS: Final = {"cancelled": "cancelled", "requires_approval": "interrupted"}


def matches(native: object) -> bool:
    """Return whether *native* is a message of Letta's stream, or a whole response."""
    if isinstance(messages := get(native, "messages"), list):
        return bool(messages) and text(get(messages[0], "message_type")) in _KINDS
    return text(get(native, "message_type")) in _KINDS and get(native, "jsonrpc") is None


class LettaAdapter(Adapter):
    """Read one run: the steps of one request."""

    name = "letta"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._open_calls: dict[str, tuple[str | None, bool]] = {}
        """The name of each call that has not started, and whether it waits for an approval."""
        self._newest = ""

    def _read(self, native: object) -> None:
        if isinstance(messages := get(native, "messages"), list):  # of a request without a stream
            for message in messages:
                self._envelope = {}
                self._one(message)
            self._envelope = {}
            self._stopped(get(native, "stop_reason"))
            self._counted(get(native, "usage"))
        else:
            self._one(native)

    def _one(self, native: object) -> None:
        kind = text(get(native, "message_type"))
        match kind:
            case "assistant_message":
                self._open(native)
                self.emit_text("text", "0", said(get(native, "content"))[0])
            case "reasoning_message" | "hidden_reasoning_message":
                self._open(native)
                self.emit_text(
                    "thinking", "thinking", text(get(native, "reasoning") or get(native, "hidden_reasoning"))
                )
            case "tool_call_message" | "approval_request_message":
                self._called(native, waits=kind == "approval_request_message")
            case "tool_return_message":
                self._returned(native)
            case "approval_response_message":
                for answer in items(get(native, "approvals")):
                    if text(get(answer, "type")) == "tool":
                        self._answer(answer)
            case "system_message" | "user_message":
                self._finish_message()
                words, files = said(get(native, "content"))
                self.emit_turn(words, files, role=_TURNS[kind], message_id=ident(get(native, "id")))
            case "stop_reason":
                self._stopped(native)
            case "usage_statistics":
                self._counted(native)
            case "error_message":
                code = ident(get(native, "error_type"))
                self.end("error", text(get(native, "message")) or code or "error", code)
            case "ping":
                pass
            case _:
                self.emit_unknown(native, kind or ident(get(native, "type")))

    # Messages.

    def _open(self, native: object) -> None:
        """Begin the message of *native*: the pieces of one step share its id."""
        found = ident(get(native, "id")) or self._message or f"{self.run_id}:0"
        if found != self._message:
            self._finish_message()
            self._message = found
            self.begin_message(found)
        self._envelope = {"message_id": found}

    def _finish_message(self) -> None:
        message, self._message = self._message, None
        if message is None:
            return
        self._envelope = {"message_id": message}
        self._start_calls()
        self.emit(MessageFinished)
        self._envelope = {}

    def _close(self) -> None:
        self._finish_message()

    # Calls and results.

    def _called(self, native: object, *, waits: bool) -> None:
        self._open(native)
        several = get(native, "tool_calls")
        calls = items(several) or [get(native, "tool_call") if several is None else several]
        for call in calls:
            call_id = ident(get(call, "tool_call_id")) or self._newest
            if not call_id:
                self.emit_unknown(native, text(get(native, "message_type")))
                continue
            self._newest = call_id
            known = self._open_calls.get(call_id, (None, False))[0]
            # With the tokens the name comes whole, in the first piece.
            name = known or text(get(call, "name")) or None
            self._open_calls[call_id] = name, waits
            self.emit_args(call_id, name, text(get(call, "arguments")))

    def _start_calls(self) -> None:
        calls, self._open_calls = self._open_calls, {}
        for call_id, (name, waits) in calls.items():
            args = parsed(self.streamed.read_args(self._args_keys.get(call_id), call_id))
            if waits:
                self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
            else:
                self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)

    def _returned(self, native: object) -> None:
        self._finish_message()
        for one in items(get(native, "tool_returns")) or [native]:
            self._answer(one)

    def _answer(self, native: object) -> None:
        call_id = ident(get(native, "tool_call_id"))
        if call_id is None:
            self.emit_unknown(native, "tool_return_message")
            return
        is_error = text(get(native, "status")) == "error"
        value = {"content": get(native, "tool_return"), "name": None}
        result, fields = message_result(call_id, value, is_error=is_error)
        self.emit_result(result, **fields)

    # The end.

    def _stopped(self, native: object) -> None:
        reason = ident(get(native, "stop_reason"))
        self._finish_message()
        if reason is None or reason in _GOOD:
            return
        outcome = _STOPS.get(reason, "error")
        self.end(outcome, f"The run stopped: {reason}" if outcome == "error" else None, reason)

    def _counted(self, native: object) -> None:
        if native is None:
            return
        self._usage = Usage(
            input_tokens=integer(get(native, "prompt_tokens")),
            output_tokens=integer(get(native, "completion_tokens")),
            cached_input_tokens=integer(get(native, "cached_input_tokens")),
            reasoning_tokens=integer(get(native, "reasoning_tokens")),
        )

"""Read OpenHands' software-agent SDK: the events that a conversation gives to its callbacks.

Deltas of the model precede the event that repeats them: a message, or an action with its thought and its call. An
observation, an error or a rejection answers a call. Source: ``openhands.sdk.event``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import ToolStarted

from ._base import Adapter
from ._fields import get, ident, items, parsed, plain, text
from ._files import said
from ._result_blocks import read_content

__all__ = ["OpenHandsAdapter", "matches"]

_SHOWN: Final = frozenset(
    (
        *("ActionEvent", "AgentErrorEvent", "ConversationErrorEvent", "InterruptEvent", "MessageEvent"),
        *("ObservationEvent", "PauseEvent", "StreamingDeltaEvent", "UserRejectObservation"),
    )
)
_SILENT: Final = frozenset(
    (
        *("ConversationStateUpdateEvent", "LLMCompletionLogEvent", "SystemPromptEvent", "TokenEvent"),
        *("Condensation", "CondensationRequest", "CondensationSummaryEvent"),
    )
)
_SOURCES: Final = ("agent", "environment", "hook", "user")


def matches(native: object) -> bool:
    """Return whether *native* is an event of a conversation."""
    is_known = text(get(native, "kind")) in _SHOWN | _SILENT
    return is_known and text(get(native, "source")) in _SOURCES and ident(get(native, "id")) is not None


class OpenHandsAdapter(Adapter):
    """Read one conversation, or a part of it."""

    name = "openhands"
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._response: str | None = None
        """The id of the model's response that the open message shows."""
        self._count = 0

    def _read(self, native: object) -> None:
        kind = text(get(native, "kind")) if matches(native) else ""
        match kind:
            case "StreamingDeltaEvent":
                self._open(None)
                self.emit_text("thinking", "0", text(get(native, "reasoning_content")))
                self.emit_text("text", "0", text(get(native, "content")))
            case "MessageEvent":
                self._said(native)
            case "ActionEvent":
                self._action(native)
            case "ObservationEvent":
                observation = get(native, "observation")
                self._answer(
                    native, get(observation, "content"), is_error=get(observation, "is_error") is True
                )
            case "AgentErrorEvent":
                self._answer(native, get(native, "error"), is_error=True)
            case "UserRejectObservation":
                self._answer(native, get(native, "rejection_reason"), is_error=True)
            case "ConversationErrorEvent":
                self.end("error", text(get(native, "detail")) or "error", ident(get(native, "code")))
            case "PauseEvent" | "InterruptEvent":
                self._end_message()
                self.end("interrupted")
            case _ if kind not in _SILENT:
                self.emit_unknown(native, ident(get(native, "kind")) or ident(get(native, "type")))

    def _close(self) -> None:
        self._end_message()

    def _open(self, response: str | None) -> None:
        if response is not None and self._response not in (None, response):
            self._end_message()
        if self._message is None:
            self._message = f"{self.run_id}:{self._count}"
            self._count += 1
            self.begin_message(self._message)
        self._response = response or self._response
        self._envelope = {"message_id": self._message}

    def _end_message(self) -> None:
        message, self._message, self._response = self._message, None, None
        self.end_message(message)

    def _said(self, native: object) -> None:
        message = get(native, "llm_message")
        words, files = said([plain(block) for block in items(get(message, "content"))])
        if text(get(native, "source")) == "user" or text(get(message, "role")) == "user":
            self._end_message()
            self.emit_turn(words, files, message_id=ident(get(native, "id")))
            return
        self._open(ident(get(native, "llm_response_id")))
        self._whole("thinking", text(get(message, "reasoning_content")))
        self._whole("text", words)
        self._end_message()

    def _whole(self, kind: str, words: str) -> None:
        if words:
            self.emit_whole(kind, "0", words)

    def _action(self, native: object) -> None:
        self._open(ident(get(native, "llm_response_id")))
        self._whole("thinking", text(get(native, "reasoning_content")))
        self._whole("text", said([plain(block) for block in items(get(native, "thought"))])[0])
        call_id, name = ident(get(native, "tool_call_id")), text(get(native, "tool_name")) or None
        if call_id is None:
            self.emit_unknown(native, "ActionEvent")
            return
        args = parsed(get(native, "tool_call", "arguments"))
        if args is None:
            args = plain(get(native, "action"))
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)

    def _answer(self, native: object, content: object, *, is_error: bool) -> None:
        self._end_message()
        call_id, name = ident(get(native, "tool_call_id")), text(get(native, "tool_name")) or None
        if call_id is None:
            self.emit_unknown(native, ident(get(native, "kind")))
            return
        result = read_content(content)
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name}
        if is_error:
            fields |= {"status": "error", "error": text(result.output) or "error"}
        self.emit_result(result, **fields)

"""Read vibex's project stream: the dicts that its server queues, ``{"id", "event", "data"}``, or SSE events.

The ids of vibex are timestamps, so arrival is the order. Its server loses tool results. In a whole
message, the server matches results to calls by the tool's NAME: there the adapter accepts a result only
if the message has one call of that name. The texts of a whole message have other indexes than their
deltas, so the adapter matches them in their order. ``data`` may be JSON text. Source: the events that a
real server queued.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Custom,
    MessageFinished,
    MessageStarted,
    ToolStarted,
)

from ._base import Adapter
from ._fields import bounded, get, ident, integer, items, json_text, plain, reason, text
from ._files import from_url
from ._result_blocks import read_result

__all__ = ["VibexAdapter", "matches"]

_STATES: Final = frozenset(("agent_status", "project_update", "task_update"))
_KINDS: Final = _STATES | {
    "artifact_update",
    "complete_message",
    "message",
    "message_chunk",
    "message_complete",
    "message_part",
    "message_start",
    "part_complete",
    "part_delta",
    "stream_chunk",
    "tool_call",
    "tool_call_delta",
    "tool_call_result",
    "tool_call_start",
}
_SHOWN: Final = ("", "assistant", "user", "system")
"""The roles of the messages that the view shows."""
_TEXTS: Final = {"text": "text", "reasoning": "thinking", "thinking": "thinking"}


def matches(native: object) -> bool:
    """Return whether *native* is an event of vibex: a known name, with a dict of data."""
    if text(get(native, "event")) not in _KINDS or isinstance(get(native, "type"), str):
        return False
    return isinstance(_loaded(get(native, "data")), Mapping)


@dataclass
class _Message:
    parts: dict[tuple[str, str], None] = field(default_factory=dict)
    is_finished: bool = False


class VibexAdapter(Adapter):
    """Read the stream of one project."""

    name = "vibex"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._messages: dict[str, _Message] = {}
        self._early: dict[str, str] = {}
        self._calls: dict[str, None] = {}
        self._answered: set[str] = set()

    def _read(self, native: object) -> None:
        kind, data = text(get(native, "event")), _loaded(get(native, "data"))
        match kind:
            case "message_start" if text(get(data, "role")) in _SHOWN:
                self._open(data)
            case "message_start":
                pass  # results come in events of their own
            case "part_delta" | "stream_chunk" | "message_chunk":
                self._delta(data, kind)
            case "part_complete" | "message_part":
                self._open(data)
                self._part(get(data, "part"), _place(data))
            case "message_complete":
                self._whole(get(data, "message"))
            case "complete_message" | "message":
                self._whole(data)
            case "tool_call_start":
                self._tool_started(data)
            case "tool_call_delta":
                self._args_delta(data)
            case "tool_call_result":
                self._tool_result(data, get(data, "tool_call_id"), is_error=get(data, "is_error") is True)
            case "artifact_update":
                self._artifact(data)
            case _ if kind in _STATES:
                self.emit(Custom, name=kind, value=bounded(data))
                if kind != "agent_status":
                    self._ended(data)
            case _:
                name = kind or ident(get(native, "type"))
                given = get(native, "data")
                self.emit_unknown(native if given is None else given if data is None else data, name)

    # Messages.

    def _open(self, data: object, native_id: object = None) -> _Message:
        names = (native_id, get(data, "message_id"), get(data, "step_id"), get(data, "id"))
        message_id = next((found for name in names if (found := ident(name))), self.run_id)
        self._envelope = {"message_id": message_id}
        if message_id not in self._messages:
            self._messages[message_id] = _Message()
            agent, role = ident(get(data, "agent_name")), text(get(data, "role")) or "assistant"
            self.emit(MessageStarted, agent_name=agent, role=role)
        return self._messages[message_id]

    def _delta(self, data: object, kind: str) -> None:
        message = self._open(data)
        field_name = {"part_delta": "delta", "stream_chunk": "chunk", "message_chunk": "text"}[kind]
        part = _TEXTS.get(text(get(data, "type")), "text"), _place(data)
        message.parts[part] = None
        self.emit_text(*part, text(get(data, field_name)))
        if (error := text(get(data, "error"))) != "":
            self.end("error", error)
        if get(data, "is_final") is True:
            self._finish(message)

    def _finish(self, message: _Message) -> None:
        if not message.is_finished:
            message.is_finished = True
            self.emit(MessageFinished)

    def _whole(self, body: object) -> None:
        if text(get(body, "role")) not in _SHOWN:
            return
        message = self._open(body, get(body, "id"))
        parts = items(get(body, "parts")) or [{"type": "text", "text": get(body, "content")}]
        for topic in ("text", "reasoning"):
            kind = _TEXTS[topic]
            streamed = [place for of, place in message.parts if of == kind]
            whole = [_text_of(part) for part in parts if text(get(part, "type")) == topic]
            for i, body_text in enumerate(whole):
                place = streamed[i] if i < len(streamed) else f"whole:{i}"
                message.parts[kind, place] = None
                if body_text:
                    self.emit_whole(kind, place, body_text)
        calls = Counter(
            text(get(part, "toolName")) for part in parts if text(get(part, "type")) == "tool-call"
        )
        for i, part in enumerate(parts):
            is_sure = text(get(part, "type")) != "tool-result" or calls[text(get(part, "toolName"))] == 1
            if is_sure and text(get(part, "type")) not in _TEXTS:
                self._part(part, str(i))
        self._finish(message)

    def _part(self, part: object, place: str) -> None:
        kind = text(get(part, "type"))
        call_id = ident(get(part, "toolCallId"))
        if kind in _TEXTS:
            message = self._messages[self._envelope["message_id"]]
            message.parts[_TEXTS[kind], place] = None
            self.emit_whole(_TEXTS[kind], place, _text_of(part))
        elif kind == "tool-call" and call_id is not None:
            if call_id not in self._calls:  # the server sends each call twice
                self._calls[call_id] = None
                self.emit_args(call_id, text(get(part, "toolName")) or None, json_text(get(part, "args")))
        elif kind == "tool-result" and call_id is not None:
            result = {"tool_name": get(part, "toolName"), "result": get(part, "result")}
            self._tool_result(result, call_id, is_error=get(part, "isError") is True)
        elif kind == "error":
            self.end("error", text(get(part, "error")) or "error", ident(get(part, "errorCode")))
        elif kind in ("artifact", "image", "file") and (url := ident(get(part, "url"))) is not None:
            name = text(get(part, "name")) or text(get(part, "filename")) or None
            artifact_id = f"{self._envelope.get('message_id')}:{place}"
            self.emit(Artifact, artifact_id=artifact_id, name=name, **from_url(url))
        else:
            self.emit_unknown(part, kind or "part")

    # Tools.

    def _tool_started(self, data: object) -> None:
        call_id = ident(get(data, "tool_call_id"))
        if call_id is None:
            self.emit_unknown(data, "tool_call_start")
            return
        name, args = text(get(data, "tool_name")) or None, plain(get(data, "args")) or None
        early = self._early.pop(call_id, "")
        if args is None and early:
            self.emit_args(call_id, name, early)
        self._calls[call_id] = None
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)

    def _args_delta(self, data: object) -> None:
        # The tool's name is unknown before the call's start, and the call may never start.
        call_id, delta = ident(get(data, "tool_call_id")), text(get(data, "args_delta"))
        if call_id is not None and call_id not in self._calls:
            self._early[call_id] = self._early.get(call_id, "") + delta

    def _tool_result(self, data: object, native_id: object, *, is_error: bool) -> None:
        call_id = ident(native_id)
        if call_id is None:
            self.emit_unknown(data, "tool_call_result")
        elif call_id not in self._answered:
            self._answered.add(call_id)
            result = read_result(get(data, "result"))
            self.emit_result(
                result,
                tool_call_id=call_id,
                tool_name=text(get(data, "tool_name")) or None,
                status="error" if is_error else "ok",
                error=reason(result.output) if is_error else None,
            )

    # The project.

    def _artifact(self, data: object) -> None:
        name = ident(get(data, "artifact_name"))
        if name is None:
            self.emit_unknown(data, "artifact_update")
            return
        media = ident(get(data, "metadata", "media_type")) or ident(get(data, "metadata", "mime_type"))
        action = text(get(data, "action")) or "created"
        self.emit(Artifact, artifact_id=name, name=name, action=action, media_type=media)

    def _ended(self, data: object) -> None:
        status, result = text(get(data, "status")), get(data, "result")
        if status in ("failed", "error"):
            why = text(result) or text(get(result, "error"))
            self.end("error", why or f"The project's status is {status}.", status)
        elif status in ("cancelled", "canceled"):
            self.end("cancelled")


def _place(data: object) -> str:
    return str(integer(get(data, "part_index")) or 0)


def _text_of(part: object) -> str:
    return text(get(part, "text")) or text(get(part, "content"))


def _loaded(data: object) -> object:
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None

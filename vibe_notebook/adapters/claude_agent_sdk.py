"""Read Claude's Agent SDK: ``query(…)`` and ``ClaudeSDKClient``, also with ``include_partial_messages``.

A ``StreamEvent`` carries an event of the Messages API. Assistant messages repeat the streamed blocks,
one block a message. User messages carry the results. The messages of a subagent name the tool call that
the subagent works for. The adapter reads the SDK's objects, their fields as JSON, and the lines that the
CLI writes. Source: ``claude_agent_sdk.types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Event, ToolFinished, ToolProgress, ToolStarted, Usage

from ._fields import get, ident, integer, items, number, plain, text
from ._files import said
from ._subagents import Subagents
from ._tool_results import message_result
from .anthropic import AnthropicAdapter, token_counts, usage_from

__all__ = ["ClaudeAgentSDKAdapter", "matches"]

_LINES: Final = frozenset(("assistant", "user", "system", "result", "stream_event", "rate_limit_event"))
_FIELDS: Final = (
    "id",
    "name",
    "input",
    "text",
    "thinking",
    "tool_use_id",
    "content",
    "is_error",
    "citations",
)
_MESSAGE_FIELDS: Final = (
    "event",
    "content",
    "model",
    "error",
    "usage",
    "message_id",
    "stop_reason",
    "tool_use_result",
)
_SERVER_TOOLS: Final = frozenset(
    (
        "advisor",
        "web_search",
        "web_fetch",
        "code_execution",
        "bash_code_execution",
        "text_editor_code_execution",
    )
)
_QUIET: Final = frozenset(("init", "hook_started", "hook_response", "status", "session_state_changed"))
_ENDED: Final = {"failed": "error", "stopped": "cancelled", "killed": "cancelled"}


def matches(native: object) -> bool:
    """Return whether *native* is a message of the SDK, or a line of the CLI."""
    return _kind_of(native) != ""


class ClaudeAgentSDKAdapter(AnthropicAdapter):
    """Read one run, including its subagents."""

    name = "claude_agent_sdk"
    tells_usage = True
    cancellations = frozenset(("AbortError",))

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._seen: set[str | None] = set()
        self._whole_id: str | None = None
        self._blocks = 0
        self._model: str | None = None
        self._results: dict[str, dict[str, Any]] = {}
        self._agent_names: dict[str, str] = {}
        self._subagents: Subagents[ClaudeAgentSDKAdapter] = Subagents(self, ClaudeAgentSDKAdapter)

    def feed(self, native: object) -> list[Event]:
        """Return the events of one native, perhaps none. Never raises."""
        events = super().feed(native)
        self._subagents.record_calls(self, [event for event in events if event.run_id == self.run_id])
        return events

    def _read(self, native: object) -> None:
        kind = _kind_of(native)
        parent = ident(get(native, "parent_tool_use_id"))
        if parent is not None and kind in ("stream_event", "assistant", "user"):
            self._subagent_message(parent, native, kind)
            return
        match kind:
            case "stream_event":
                self._stream_event(get(native, "event"))
            case "assistant":
                self._assistant(native, _body_of(native))
            case "user":
                self._user_message(native)
            case "system":
                self._system(native, text(get(native, "subtype")))
            case "result":
                self._ended(native)
            case "rate_limit_event":
                if text(get(native, "rate_limit_info", "status")) != "allowed":
                    self.emit_unknown(get(native, "rate_limit_info"), kind)
            case _:
                self.emit_unknown(native, ident(get(native, "type")))

    def _close(self) -> None:
        super()._close()
        self._out += self._subagents.end_all(**self._outcome)

    # Messages: streamed, then repeated whole; or only whole, one block a message.

    def _stream_event(self, event: object) -> None:
        if text(get(event, "type")) == "message_start":
            self._whole_id = None
            self._seen.add(ident(get(event, "message", "id")))
        super()._read(event)

    def _assistant(self, native: object, body: object) -> None:
        message_id = ident(get(body, "id")) or ident(get(native, "message_id"))
        is_repeat = message_id in self._seen if message_id is not None else bool(self._seen)
        self._model = ident(get(body, "model")) or self._model
        if not is_repeat:
            self._whole_blocks(message_id, body)
        for kind, block in _blocks_in(body):
            call_id = ident(get(block, "id"))
            if kind == "tool_use" and call_id is not None:
                args = plain(get(block, "input"))
                names = (ident(get(args, name)) for name in ("subagent_type", "description"))
                self._agent_names[call_id] = next((name for name in names if name), "") or text(
                    get(block, "name")
                )
                self._envelope = {}
                name = text(get(block, "name")) or None
                self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)
        code = ident(get(native, "error"))
        if code is not None:
            message = " ".join(text(get(block, "text")) for _, block in _blocks_in(body)).strip()
            self.end("error", message or code, code)

    def _whole_blocks(self, message_id: str | None, body: object) -> None:
        if self._message is None or message_id is None or message_id != self._whole_id:
            self._message_start({"id": message_id, "model": get(body, "model")})
            self._whole_id, self._blocks = message_id, 0
        message = self._open()
        message.counts |= token_counts(get(body, "usage"))
        for kind, block in _blocks_in(body):
            shown = {"type": kind, **{name: get(block, name) for name in _FIELDS if _has(block, name)}}
            self._block_start(self._blocks, shown)
            self._block_stop(self._blocks, shown)
            self._blocks += 1
        message.stop_reason = ident(get(body, "stop_reason")) or message.stop_reason

    # Tool results and subagents.

    def _user_message(self, native: object) -> None:
        """Show what the user said; a message with results is the SDK's own, and is no turn."""
        self._tool_results_of(native)
        body = _body_of(native)
        if any(kind == "tool_result" for kind, _ in _blocks_in(body)):
            return
        words, files = said(get(body, "content"))
        is_users = not any(get(native, name) is True for name in ("isSynthetic", "isMeta"))
        if is_users:  # else the CLI's own words for the model
            self._message_over()
            self._envelope = {}
            self.emit_turn(words, files, message_id=ident(get(native, "uuid")))

    def _tool_results_of(self, native: object) -> None:
        for kind, block in _blocks_in(_body_of(native)):
            call_id = ident(get(block, "tool_use_id"))
            if kind == "tool_result" and call_id is not None:
                result, fields = message_result(call_id, block, is_error=get(block, "is_error") is True)
                self._results[call_id] = {**fields, **result.fields}
                self._envelope = {}
                self.emit_result(result, **fields)
                self._end_subagent(call_id, fields)

    def _end_subagent(self, call_id: str, fields: dict[str, Any]) -> None:
        outcome = "error" if fields.get("status") == "error" else "success"
        self._out += self._subagents.end(call_id, outcome=outcome, error=fields.get("error"))

    def _subagent_message(self, call_id: str, native: object, kind: str) -> None:
        fields = {
            name: get(native, name)
            for name in (*_MESSAGE_FIELDS, "type", "message", "session_id", "uuid")
            if _has(native, name)
        }
        if call_id not in self._subagents:
            self.start()
        names = {"parent_tool_call_id": call_id, "agent_name": self._agent_names.get(call_id)}
        self._out += self._subagents.feed(call_id, {**fields, "parent_tool_use_id": None}, **names)
        for block_kind, block in _blocks_in(_body_of(native)) if kind == "assistant" else ():
            if block_kind == "tool_use" and (inner := ident(get(block, "id"))) is not None:
                asked = get(block, "input")
                self._agent_names[inner] = text(get(asked, "subagent_type")) or text(
                    get(asked, "description")
                )
        for block_kind, block in _blocks_in(_body_of(native)) if kind == "user" else ():
            if block_kind == "tool_result" and (inner := ident(get(block, "tool_use_id"))) is not None:
                self._end_subagent(inner, {"status": "error" if get(block, "is_error") is True else "ok"})

    # Tasks, and the end of the run.

    def _system(self, native: object, kind: str) -> None:
        call_id = ident(get(native, "tool_use_id")) or ident(get(native, "data", "tool_use_id"))
        description = text(get(native, "description")) or text(get(native, "data", "description"))
        status = text(get(native, "status")) or text(get(native, "data", "status"))
        if kind in ("task_started", "task_progress") and call_id is not None:
            if description:
                self.emit(ToolProgress, tool_call_id=call_id, message=description)
        elif kind in ("task_notification", "task_updated") and call_id is not None:
            if status in ("completed", *_ENDED):
                self._out += self._subagents.end(call_id, outcome=_ENDED.get(status, "success"))
        elif kind not in _QUIET:
            data = get(native, "data")
            self.emit_unknown(native if data is None else data, kind or "system")

    def _ended(self, native: object) -> None:
        self._message_over()
        self._envelope = {}
        for denial in items(get(native, "permission_denials")):
            fields = self._results.get(ident(get(denial, "tool_use_id")) or "")
            if fields is not None and fields["status"] != "denied":
                fields["status"] = "denied"
                self.emit(ToolFinished, **fields)
        kind, reason = text(get(native, "subtype")), text(get(native, "terminal_reason"))
        whole, structured = get(native, "result"), get(native, "structured_output")
        if reason.startswith("aborted"):
            self.end("cancelled")
        elif get(native, "is_error") is True or kind.startswith("error"):
            errors = "\n".join(text(error) for error in items(get(native, "errors")) if text(error))
            self.end("error", text(whole) or errors or kind or "error", kind or None)
        elif kind == "success":
            self.settle()
        if structured is not None or whole is not None:
            self._result = plain(whole if structured is None else structured)
        self._usage = _usage(native, self._model) or self._usage


def _usage(native: object, model: str | None) -> Usage | None:
    models = get(native, "model_usage") or get(native, "modelUsage")
    if isinstance(models, Mapping) and len(models) == 1:
        model = ident(next(iter(models)))
    found = usage_from(token_counts(get(native, "usage")), model)
    cost = number(get(native, "total_cost_usd"))
    if cost is None:
        return found
    return (found or Usage(model=model)).model_copy(update={"cost": cost})


# The SDK's messages. Neither the objects nor their fields as JSON have a ``type``.


def _has(native: object, name: str) -> bool:
    """Return whether *native* has the field *name*, with any value."""
    try:
        return name in native if isinstance(native, Mapping) else hasattr(native, name)
    except Exception:  # noqa: BLE001 - a foreign property may raise anything
        return False


def _kind_of(native: object) -> str:
    """Return the kind of a message, in the CLI's words; "" for other natives."""
    kind = text(get(native, "type"))
    if kind:
        is_line = kind in _LINES and ident(get(native, "session_id")) is not None
        return kind if is_line and (kind not in ("assistant", "user") or _is_message(native)) else ""
    if _has(native, "parent_tool_use_id"):
        if text(get(native, "event", "type")):
            return "stream_event"
        if isinstance(get(native, "content"), str | list | tuple):
            return "assistant" if text(get(native, "model")) else "user"
    if text(get(native, "subtype")):
        if integer(get(native, "num_turns")) is not None and _has(native, "duration_ms"):
            return "result"
        if text(get(native, "data", "type")) == "system":
            return "system"
    return "rate_limit_event" if text(get(native, "rate_limit_info", "status")) else ""


def _body_of(native: object) -> object:
    """Return the object with the content: the message, or the message inside the CLI's line."""
    inner = get(native, "message")
    return native if inner is None else inner


def _blocks_in(body: object) -> list[tuple[str, Any]]:
    """Return the blocks of a message, each with its kind in the API's words."""
    content = get(body, "content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
    return [(_block_kind(block), block) for block in blocks]


def _block_kind(block: object) -> str:
    if kind := text(get(block, "type")):
        return kind
    if _has(block, "tool_use_id"):
        # The result of a provider's tool has no ``is_error`` field.
        return "tool_result" if _has(block, "is_error") else "server_tool_result"
    if _has(block, "input") and _has(block, "id"):
        return "server_tool_use" if text(get(block, "name")) in _SERVER_TOOLS else "tool_use"
    return next((kind for kind in ("thinking", "text") if _has(block, kind)), "")


def _is_message(native: object) -> bool:
    return isinstance(get(native, "message", "content"), str | list | tuple)

"""Claude's Agent SDK: ``query(…)`` and ``ClaudeSDKClient``, with ``include_partial_messages`` or without.

A ``StreamEvent`` carries an event of the Messages API; assistant messages repeat what was streamed, one
block each. Results come in user messages. What belongs to a subagent names the tool call that it works
for. Read as the SDK's objects, as their fields, or as the lines that the CLI writes.
Source: ``claude_agent_sdk.types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Artifact, Event, ToolFinished, ToolProgress, ToolStarted, Usage

from ._fields import get, ident, integer, items, number, plain, text
from ._subagents import Children
from ._tool_results import message_result
from .anthropic import AnthropicAdapter, counts, used

__all__ = ["ClaudeAgentSDKAdapter", "blocks_in", "body_of", "has", "kind_of", "matches"]


# The messages of Claude's Agent SDK, told apart by their fields: objects, their fields, the CLI's lines.
#
# Pure; used by ``claude_agent_sdk``. Objects, and what is made of them, have no ``type``.

_LINES: Final = frozenset(("assistant", "user", "system", "result", "stream_event", "rate_limit_event"))


def has(native: object, name: str) -> bool:
    """Whether there is such a field, whatever its value."""
    try:
        return name in native if isinstance(native, Mapping) else hasattr(native, name)
    except Exception:  # noqa: BLE001 - a foreign property may raise anything
        return False


def kind_of(native: object) -> str:
    """Return the kind of a message, in the CLI's words; "" for what is none."""
    kind = text(get(native, "type"))
    if kind:
        is_line = kind in _LINES and ident(get(native, "session_id")) is not None
        return kind if is_line and (kind not in ("assistant", "user") or _is_message(native)) else ""
    if has(native, "parent_tool_use_id"):
        if text(get(native, "event", "type")):
            return "stream_event"
        if isinstance(get(native, "content"), str | list | tuple):
            return "assistant" if text(get(native, "model")) else "user"
    if text(get(native, "subtype")):
        if integer(get(native, "num_turns")) is not None and has(native, "duration_ms"):
            return "result"
        if text(get(native, "data", "type")) == "system":
            return "system"
    return "rate_limit_event" if text(get(native, "rate_limit_info", "status")) else ""


def body_of(native: object) -> object:
    """Return what has the content: the message itself, or what the CLI's line holds."""
    inner = get(native, "message")
    return native if inner is None else inner


def blocks_in(body: object) -> list[tuple[str, Any]]:
    """Return the blocks of a message, with their kinds in the API's words."""
    content = get(body, "content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
    return [(_block_kind(block), block) for block in blocks]


def _block_kind(block: object) -> str:
    if kind := text(get(block, "type")):
        return kind
    if has(block, "tool_use_id"):
        # Those that the provider answers have no flag of their own.
        return "tool_result" if has(block, "is_error") else "server_tool_result"
    if has(block, "input") and has(block, "id"):
        return "server_tool_use" if text(get(block, "name")) in _SERVER_TOOLS else "tool_use"
    return next((kind for kind in ("thinking", "text") if has(block, kind)), "")


def _is_message(native: object) -> bool:
    return isinstance(get(native, "message", "content"), str | list | tuple)


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
    """Whether *native* is a message of the SDK, or a line of the CLI."""
    return kind_of(native) != ""


class ClaudeAgentSDKAdapter(AnthropicAdapter):
    """One run, its subagents included."""

    name = "claude_agent_sdk"
    cancellations = frozenset(("AbortError",))

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._seen: set[str | None] = set()
        self._whole_id: str | None = None
        self._blocks = 0
        self._model: str | None = None
        self._results: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, str] = {}
        self._children: Children[ClaudeAgentSDKAdapter] = Children(self, ClaudeAgentSDKAdapter)

    def feed(self, native: object) -> list[Event]:
        """Return the events made from one native, perhaps none. Never raises."""
        events = super().feed(native)
        self._children.called(self, [event for event in events if event.run_id == self.run_id])
        return events

    def _read(self, native: object) -> None:
        kind = kind_of(native)
        parent = ident(get(native, "parent_tool_use_id"))
        if parent is not None and kind in ("stream_event", "assistant", "user"):
            self._inside(parent, native, kind)
            return
        match kind:
            case "stream_event":
                self._stream_event(get(native, "event"))
            case "assistant":
                self._assistant(native, body_of(native))
            case "user":
                self._answers(native)
            case "system":
                self._system(native, text(get(native, "subtype")))
            case "result":
                self._ended(native)
            case "rate_limit_event":
                if text(get(native, "rate_limit_info", "status")) != "allowed":
                    self.say_unknown(get(native, "rate_limit_info"), kind)
            case _:
                self.say_unknown(native, ident(get(native, "type")))

    def _close(self) -> None:
        super()._close()
        self._out += self._children.end_all(**self._outcome)

    # Messages: streamed, and then once more; or only whole, one block each.

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
        for kind, block in blocks_in(body):
            call_id = ident(get(block, "id"))
            if kind == "tool_use" and call_id is not None:
                args = plain(get(block, "input"))
                names = (ident(get(args, name)) for name in ("subagent_type", "description"))
                self._asked[call_id] = next((name for name in names if name), "") or text(get(block, "name"))
                self._envelope = {}
                name = text(get(block, "name")) or None
                self.say(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)
        code = ident(get(native, "error"))
        if code is not None:
            said = " ".join(text(get(block, "text")) for _, block in blocks_in(body)).strip()
            self.end("error", said or code, code)

    def _whole_blocks(self, message_id: str | None, body: object) -> None:
        if self._message is None or message_id is None or message_id != self._whole_id:
            self._message_start({"id": message_id, "model": get(body, "model")})
            self._whole_id, self._blocks = message_id, 0
        message = self._open()
        message.counts |= counts(get(body, "usage"))
        for kind, block in blocks_in(body):
            shown = {"type": kind, **{name: get(block, name) for name in _FIELDS if has(block, name)}}
            self._block_start(self._blocks, shown)
            self._block_stop(self._blocks, shown)
            self._blocks += 1
        message.stop_reason = ident(get(body, "stop_reason")) or message.stop_reason

    # Results, and those for whom they are.

    def _answers(self, native: object) -> None:
        for kind, block in blocks_in(body_of(native)):
            call_id = ident(get(block, "tool_use_id"))
            if kind == "tool_result" and call_id is not None:
                fields, files = message_result(call_id, block, is_error=get(block, "is_error") is True)
                self._results[call_id] = fields
                self._envelope = {}
                self.say(ToolFinished, **fields)
                for i, file in enumerate(files):
                    self.say(Artifact, artifact_id=f"{call_id}:{i}", tool_call_id=call_id, **file)
                self._end_inside(call_id, fields)

    def _end_inside(self, call_id: str, fields: dict[str, Any]) -> None:
        outcome = "error" if fields.get("status") == "error" else "success"
        self._out += self._children.end(call_id, outcome=outcome, error=fields.get("error"))

    def _inside(self, call_id: str, native: object, kind: str) -> None:
        fields = {
            name: get(native, name)
            for name in (*_MESSAGE_FIELDS, "type", "message", "session_id", "uuid")
            if has(native, name)
        }
        if call_id not in self._children:
            self.start()
        names = {"parent_tool_call_id": call_id, "agent_name": self._asked.get(call_id)}
        self._out += self._children.feed(call_id, {**fields, "parent_tool_use_id": None}, **names)
        for block_kind, block in blocks_in(body_of(native)) if kind == "assistant" else ():
            if block_kind == "tool_use" and (inner := ident(get(block, "id"))) is not None:
                asked = get(block, "input")
                self._asked[inner] = text(get(asked, "subagent_type")) or text(get(asked, "description"))
        for block_kind, block in blocks_in(body_of(native)) if kind == "user" else ():
            if block_kind == "tool_result" and (inner := ident(get(block, "tool_use_id"))) is not None:
                self._end_inside(inner, {"status": "error" if get(block, "is_error") is True else "ok"})

    # The rest.

    def _system(self, native: object, kind: str) -> None:
        call_id = ident(get(native, "tool_use_id")) or ident(get(native, "data", "tool_use_id"))
        said = text(get(native, "description")) or text(get(native, "data", "description"))
        status = text(get(native, "status")) or text(get(native, "data", "status"))
        if kind in ("task_started", "task_progress") and call_id is not None:
            if said:
                self.say(ToolProgress, tool_call_id=call_id, message=said)
        elif kind in ("task_notification", "task_updated") and call_id is not None:
            if status in ("completed", *_ENDED):
                self._out += self._children.end(call_id, outcome=_ENDED.get(status, "success"))
        elif kind not in _QUIET:
            data = get(native, "data")
            self.say_unknown(native if data is None else data, kind or "system")

    def _ended(self, native: object) -> None:
        self._message_over()
        self._envelope = {}
        for denial in items(get(native, "permission_denials")):
            fields = self._results.get(ident(get(denial, "tool_use_id")) or "")
            if fields is not None and fields["status"] != "denied":
                fields["status"] = "denied"
                self.say(ToolFinished, **fields)
        kind, reason = text(get(native, "subtype")), text(get(native, "terminal_reason"))
        whole, structured = get(native, "result"), get(native, "structured_output")
        if reason.startswith("aborted"):
            self.end("cancelled")
        elif get(native, "is_error") is True or kind.startswith("error"):
            errors = "\n".join(text(error) for error in items(get(native, "errors")) if text(error))
            self.end("error", text(whole) or errors or kind or "error", kind or None)
        if structured is not None or whole is not None:
            self._result = plain(whole if structured is None else structured)
        self._usage = _usage(native, self._model) or self._usage


_FIELDS: Final = ("id", "name", "input", "text", "thinking", "tool_use_id", "content", "is_error")
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


def _usage(native: object, model: str | None) -> Usage | None:
    models = get(native, "model_usage") or get(native, "modelUsage")
    if isinstance(models, Mapping) and len(models) == 1:
        model = ident(next(iter(models)))
    found = used(counts(get(native, "usage")), model)
    cost = number(get(native, "total_cost_usd"))
    if cost is None:
        return found
    return (found or Usage(model=model)).model_copy(update={"cost": cost})

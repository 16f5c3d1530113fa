"""Read ACP, the agent client protocol: the ``session/update`` notifications and the response of a prompt.

The adapter reads bare updates, their notifications, and whole JSON-RPC messages. ACP has no text parts:
after another kind of update, text continues in a new part. Without message ids, a tool call ends the
message. Each field in an update of a call replaces the earlier value. A call has a title for people
instead of a name, and arguments only if the agent sends them (``rawInput``). Source:
agentclientprotocol.com, ``acp.schema``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Plan,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import camel, get, ident, integer, items, json_text, number, plain, reason, text
from ._files import from_url
from ._plans import read_steps
from ._result_blocks import Result, read_result

__all__ = ["ACPAdapter", "matches"]

_CHUNKS: Final = {"agent_message_chunk": "text", "agent_thought_chunk": "thinking"}
_KINDS: Final = frozenset(
    (
        *_CHUNKS,
        *("user_message_chunk", "tool_call", "tool_call_update", "plan", "available_commands_update"),
        *("current_mode_update", "config_option_update", "session_info_update", "usage_update"),
    )
)
_STOPS: Final = ("end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled")
_NOT_OURS: Final = (
    *("type", "event", "event_kind", "role", "object"),
    *("content", "message", "message_type", "messages", "metrics", "session_id", "subtype"),
)


def matches(native: object) -> bool:
    """Return whether *native* is, or contains, an update, a permission request or a prompt's response."""
    if get(native, "jsonrpc") is not None and text(get(native, "method")).startswith("session/"):
        return True
    if get(native, "jsonrpc") is None and get(native, "method") is not None:
        return False
    if camel(_update(native), "sessionUpdate") is not None:
        return text(camel(_update(native), "sessionUpdate")) in _KINDS
    if camel(camel(_update(native), "toolCall"), "toolCallId") and isinstance(get(native, "options"), list):
        return True
    # A bare response has few fields of its own: a native with a content or a session is another SDK's.
    answer = native if get(native, "jsonrpc") is None else get(native, "result")
    return text(camel(answer, "stopReason")) in _STOPS and not any(
        get(answer, name) is not None for name in _NOT_OURS
    )


@dataclass
class _Call:
    name: str | None = None
    status: str = ""
    is_started: bool = False
    args: Any = None
    content: Any = None
    raw_output: Any = None


class ACPAdapter(Adapter):
    """Read one prompt: the agent's updates until its response."""

    name = "acp"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._messages = 0
        self._is_over = False
        self._part = ("", 0)
        self._calls: dict[str, _Call] = {}
        self._awaiting: set[str] = set()
        self._files = 0
        self._turn: tuple[str | None, list[str], list[dict[str, Any]]] | None = None
        """The id, the words and the files of the user's message that is open."""

    def _read(self, native: object) -> None:
        self._envelope = {"message_id": self._message} if self._message else {}
        update = _update(native)
        kind = text(camel(update, "sessionUpdate"))
        if kind == "user_message_chunk":
            self._user_chunk(update)
            return
        self._turn_end()
        if kind in _CHUNKS:
            self._chunk(update, _CHUNKS[kind])
        elif kind in ("tool_call", "tool_call_update"):
            self._tool(update)
        elif kind == "usage_update":
            self._cost(update)
        elif kind == "plan" and isinstance(entries := get(update, "entries"), list | tuple):
            self._plan(entries)
        elif (call := camel(update, "toolCall")) is not None:
            self._permission_requested(call)
        elif kind:
            self.emit_unknown(update, kind)
        else:
            self._answer(native)

    def _plan(self, entries: object) -> None:
        steps, others = read_steps(entries)
        self._envelope = {}
        if steps or not others:
            self.emit(Plan, entries=steps)
        if others:
            self.emit_unknown(others, "plan", shown=True)

    def _answer(self, native: object) -> None:
        body = get(native, "result") or native
        problem, stop = get(native, "error"), text(camel(body, "stopReason"))
        if problem is not None:
            self.end("error", text(get(problem, "message")) or reason(problem), _code(get(problem, "code")))
        elif stop:
            self._usage = _usage(get(body, "usage"), self._usage)
            self._message_end(stop)
            if stop == "cancelled":
                self.end("cancelled")
            elif stop != "end_turn":
                self.end("error", f"The answer is incomplete: {stop}.", stop)
        else:
            self.emit_unknown(native, text(get(native, "method")) or None)

    def _close(self) -> None:
        self._turn_end()
        self._message_end(None)
        if self._awaiting:
            self.end("interrupted")

    # Messages.

    def _user_chunk(self, update: object) -> None:
        """Hold a piece of what the user said until another update comes: nothing else marks its end."""
        named, content = ident(camel(update, "messageId")), get(update, "content")
        if self._turn is not None and named not in (None, self._turn[0]):
            self._turn_end()
        if self._turn is None:
            self._message_end(None)
            self._turn = named, [], []
        if delta := _content_text(content):
            self._turn[1].append(delta)
        elif (file := _content_file(content)) is not None:
            self._turn[2].append(file)

    def _turn_end(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            envelope, self._envelope = self._envelope, {}
            self.emit_turn("".join(turn[1]), turn[2], message_id=turn[0])
            self._envelope = envelope

    def _open(self, named: str | None) -> None:
        if self._message is not None and (named in (None, self._message) and not self._is_over):
            return
        self._message_end(None)
        self._message = named or f"{self.run_id}:{self._messages}"
        self._messages += 1
        self.begin_message(self._message)

    def _message_end(self, reason: str | None) -> None:
        message, self._message = self._message, None
        self._is_over, self._part = False, ("", 0)
        self.end_message(message, finish_reason=reason)

    def _chunk(self, update: object, kind: str) -> None:
        content = get(update, "content")
        self._open(ident(camel(update, "messageId")))
        if delta := _content_text(content):
            if self._part[0] != kind:
                self._part = kind, self._part[1] + 1
            self.emit_text(kind, str(self._part[1] - 1), delta)
        elif (file := _content_file(content)) is not None:
            self._part = "file", self._part[1]
            self._files += 1
            self.emit(Artifact, artifact_id=f"file:{self._files}", **file)
        elif content is not None:
            self.emit_unknown(content, text(get(content, "type")))

    # Tools.

    def _tool(self, update: object) -> None:
        call_id = ident(camel(update, "toolCallId"))
        if call_id is None:
            self.emit_unknown(update, text(camel(update, "sessionUpdate")))
            return
        self._is_over, self._part = True, ("tool", self._part[1])
        self._envelope = {}
        call = self._calls.get(call_id)
        is_done = call is not None and call.status in ("completed", "failed")
        is_new = call is None or (is_done and text(camel(update, "sessionUpdate")) == "tool_call")
        if call is None or is_new:
            call = self._calls[call_id] = _Call()
        call.name = text(get(update, "title")) or call.name or text(get(update, "kind")) or None
        changed = self._changed(call, update)
        before, call.status = call.status, text(get(update, "status")) or call.status or "pending"
        fields = {"tool_call_id": call_id, "tool_name": call.name}
        if call.status != "pending" and (not call.is_started or "args" in changed):
            call.is_started = True
            self.emit(ToolStarted, **fields, args=call.args)
        elif is_new or "args" in changed:
            self._pending(fields, call, is_changed="args" in changed)
        if call.status in ("completed", "failed"):
            if call.status != before or changed & {"content", "raw_output"}:
                self._finished(fields, call)
        elif call.status == "in_progress":
            self._running(call_id, call, changed, before)
        for i, block in enumerate(items(get(update, "content"))):
            if "url" in (file := _content_file(get(block, "content")) or {}):
                self.emit(Artifact, artifact_id=f"{call_id}:link:{i}", tool_call_id=call_id, **file)

    def _changed(self, call: _Call, update: object) -> set[str]:
        new = {
            "args": plain(camel(update, "rawInput")),
            "content": plain(get(update, "content")),
            "raw_output": plain(camel(update, "rawOutput")),
        }
        changed = {name for name, value in new.items() if value is not None and value != getattr(call, name)}
        for name in changed:
            setattr(call, name, new[name])
        return changed

    def _pending(self, fields: dict[str, Any], call: _Call, *, is_changed: bool) -> None:
        written = json_text(call.args) if call.args not in (None, {}) else ""
        if is_changed and not self.emit_rest_of_args(fields["tool_call_id"], call.name, written):
            call.is_started = True  # only ToolStarted replaces arguments
            self.emit(ToolStarted, **fields, args=call.args)
        elif not written:
            self.emit_args(fields["tool_call_id"], call.name, "")

    def _running(self, call_id: str, call: _Call, changed: set[str], before: str) -> None:
        if call_id in self._awaiting:
            self._awaiting.discard(call_id)
            self.emit(ToolProgress, tool_call_id=call_id, state="running")
        if changed & {"content", "raw_output"} or (before == "pending" and call.content):
            result = _result_of(call.raw_output, call.content)
            if result.output not in (None, [], ""):
                self.emit(ToolProgress, tool_call_id=call_id, **result.fields)

    def _finished(self, fields: dict[str, Any], call: _Call) -> None:
        self._awaiting.discard(fields["tool_call_id"])
        result = _result_of(call.raw_output, call.content)
        if call.status == "failed":
            why = _result_of(None, call.content).output or result.output
            fields = {**fields, "status": "error", "error": reason(why) or None}
        self.emit_result(result, **fields)

    def _permission_requested(self, call: object) -> None:
        """Read a request for permission, which repeats its tool call."""
        if get(call, "toolCallId") is not None or get(call, "tool_call_id") is not None:
            self._tool(call)
            call_id = ident(camel(call, "toolCallId")) or ""
            self._awaiting.add(call_id)
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        else:
            self.emit_unknown(call, "session/request_permission")

    # Usage.

    def _cost(self, update: object) -> None:
        cost = number(get(update, "cost", "amount"))
        if cost is not None:
            self._usage = (self._usage or Usage()).model_copy(update={"cost": cost})


def _code(code: object) -> str | None:
    return str(code) if isinstance(code, int) else ident(code)


def _usage(native: object, known: Usage | None) -> Usage | None:
    if native is None:
        return known
    fields: dict[str, Any] = {
        "input_tokens": integer(camel(native, "inputTokens")),
        "output_tokens": integer(camel(native, "outputTokens")),
        "cached_input_tokens": integer(camel(native, "cachedReadTokens")),
        "reasoning_tokens": integer(camel(native, "thoughtTokens")),
        "cost": known.cost if known else None,
    }
    return Usage(**fields)


def _update(native: object) -> object:
    """Return the update in a notification or JSON-RPC message; a bare update as it is."""
    params = get(native, "params") or native
    return get(params, "update") or params


# Content blocks.


def _content_text(block: object) -> str:
    """Return the text of a block; "" without text."""
    return text(get(block, "text")) or text(get(block, "resource", "text"))


def _content_file(block: object) -> dict[str, Any] | None:
    """Return the artifact fields of an image, a sound or a link; ``None`` for other blocks."""
    kind = text(get(block, "type"))
    source = get(block, "resource") if kind == "resource" else block
    media = ident(camel(source, "mimeType"))
    data = ident(get(source, "data")) or ident(get(source, "blob"))
    url = ident(get(source, "uri"))
    if kind not in ("image", "audio", "resource_link", "resource") or not (data or url):
        return None
    fields = {"media_type": media, "data": data} if data else {"media_type": media, **from_url(url or "")}
    return {**fields, "name": ident(get(block, "title")) or ident(get(block, "name"))}


def _result_of(raw: object, content: object) -> Result:
    """Return the result of a call: its raw output, else its content; text if all of that is text."""
    blocks = items(content)
    bodies = [get(one, "content") if get(one, "type") == "content" else _block_fields(one) for one in blocks]
    if raw is not None:
        return read_result(raw, bodies)
    is_link = [not _content_text(body) and "url" in (_content_file(body) or {}) for body in bodies]
    found = read_result([body for body, link in zip(bodies, is_link, strict=True) if not link] or None)
    lines = [_content_text(one) for one in items(found.output)]
    return found._replace(output="\n".join(lines)) if lines and all(lines) else found


def _block_fields(block: object) -> Any:
    # The SDK's field names differ from those on the wire, and its objects have null for absent fields.
    found = {name: camel(block, name) for name in ("type", "path", "oldText", "newText", "terminalId")}
    strings = {name: value for name, value in found.items() if isinstance(value, str)}
    return strings if len(strings) > 1 else plain(get(block, "content") or block)

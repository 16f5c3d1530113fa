"""Read langchain-protocol: the events of ``astream_events(version="v3")``, and of a server.

``LangGraphAdapter`` builds on ``ProtocolAdapter``. The protocol numbers its events over the whole run,
including subagents, and a server may repeat events. So each open run emits an event for every number: a
shown event, or a skip. Source: ``langchain_protocol.protocol``.
"""

from __future__ import annotations

from typing import Any

from vibe_notebook.events import Event, ToolProgress, skip

from .._citations import block_citations
from .._fields import get, ident, integer, items, json_text, plain, text
from .._files import block_file
from .._result_blocks import Result, read_result
from ._langchain_messages import is_message, messages_in, parts_in_block, usage_in
from ._messages import Message, MessagesAdapter

__all__ = ["ProtocolAdapter"]

_QUIET = frozenset(("checkpoints", "debug"))
_SHOWING = frozenset(("messages", "tools", "custom", "input.requested"))
_OUTCOMES = {"failed": "error", "interrupted": "interrupted"}


class ProtocolAdapter(MessagesAdapter):
    """Read the protocol's events; messages and tool calls are those of all streams of a graph."""

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._heard: dict[str, dict[str, Any]] = {}
        """The open messages that no agent has written."""

    def _protocol(self, native: object) -> None:
        params = get(native, "params")
        seq, namespace = integer(get(native, "seq")), items(get(params, "namespace"))
        self._number = {} if seq is None else {"seq": seq}
        self.start_here()
        method = text(get(native, "method"))
        key: str | None = None
        if namespace and (key := self._subagent_at(text(namespace[0]), method)) is not None:
            inner = {"namespace": namespace[1:], "data": get(params, "data")}
            inner["interrupts"] = get(params, "interrupts")
            inner_native = {"type": "event", "seq": seq, "method": method, "params": inner}
            inner_events = self._subagents.feed(key, inner_native)
        else:
            inner_events = []
            self._method(method, params, get(params, "data"))
        self._out += inner_events
        if seq is not None:
            self._emit_skips(seq)
        self._number = {}

    def _subagent_at(self, namespace: str, method: str) -> str | None:
        # The protocol names the call of a subgraph right after its first event, which shows nothing.
        return self._subagent_of(namespace) if namespace in self._subagents or method in _SHOWING else None

    def _emit_skips(self, seq: int) -> None:
        """Emit a skip in each open run without an event of this number."""
        shown = {event.run_id for event in self._out if event.seq == seq}
        if self.run_id not in shown:
            self._out.append(skip(self.agent_id, self.run_id, seq))
        for child in self._subagents:
            if child.run_id not in shown:
                self._out += child.skip_number(seq)

    def skip_number(self, seq: int) -> list[Event]:
        """Return the skips of a number for this run and the runs inside it."""
        self._emit_skips(seq)
        return self._flush()

    def _method(self, method: str, params: object, data: Any) -> None:
        if method == "messages":
            payload, metadata = (*items(data), None, None)[:2] if items(data) else (data, None)
            self._message_event(payload, metadata, params)
        elif method == "tools":
            self._tool_event(data, text(get(data, "event")), ident(get(data, "tool_call_id")))
        elif method == "lifecycle":
            self._lifecycle(data, text(get(data, "event")))
        elif method == "input.requested":
            self._interrupted([{"id": get(data, "interrupt_id"), "value": get(data, "payload")}])
        elif method == "custom" or method.startswith("custom:"):
            payload = get(data, "payload")
            self._custom(text(get(data, "name")) or method, data if payload is None else payload)
        elif method in ("values", "updates", "tasks"):
            self._interrupted(get(params, "interrupts"))
            self._mode(method, data)
        elif method not in _QUIET:
            self.emit_unknown(data, method)

    def _mode(self, mode: str, data: Any) -> None:
        raise NotImplementedError  # LangGraphAdapter reads the modes, whose data equals the protocol's

    # Messages.

    def _message_event(self, payload: object, metadata: object, params: object) -> None:
        if is_message(payload):
            self._any_message(payload, metadata)
            return
        kind, index = text(get(payload, "event")), ident(get(payload, "index")) or "0"
        key = ident(get(metadata, "langgraph_checkpoint_ns")) or "|".join(
            [*map(text, items(get(params, "namespace"))), text(get(params, "node"))]
        )
        if self._is_heard(key, kind, payload):
            return
        message = self._message_of(key, payload if kind == "message-start" else None, metadata)
        match kind:
            case "content-block-start":
                self._block_event(message, index, get(payload, "content"), is_whole=False)
            case "content-block-delta":
                self._delta(message, index, get(payload, "delta"))
            case "content-block-finish":
                self._block_event(message, index, get(payload, "content"), is_whole=True)
            case "message-finish":
                message.usage = usage_in({"usage_metadata": get(payload, "usage")}, None) or message.usage
                message.finish_reason = ident(get(payload, "reason")) or message.finish_reason
                self._finish(message)
                self._open.pop(key, None)
            case "error":
                code = ident(get(payload, "code"))
                self.end("error", text(get(payload, "message")) or code or "error", code)
            case _ if kind != "message-start":
                self.emit_unknown(payload, kind)

    def _is_heard(self, key: str, kind: str, payload: object) -> bool:
        """Return whether an event belongs to a message that no agent has written; show that message at its end."""
        if kind == "message-start":
            role = text(get(payload, "role"))
            self._heard.pop(key, None)
            if role not in ("", "ai", "assistant"):
                turn = "user" if role in ("human", "user") else "system" if role == "system" else ""
                self._heard[key] = {"id": get(payload, "id"), "role": turn, "content": []}
        heard = self._heard.get(key)
        if heard is None:
            return False
        if kind == "content-block-finish":
            heard["content"].append(get(payload, "content"))
        elif kind == "message-finish":
            del self._heard[key]
            if heard["role"]:
                self._turn(heard, heard["role"])
        return True

    def _delta(self, message: Message, index: str, delta: object) -> None:
        match text(get(delta, "type")):
            case "text-delta":
                self._text(message, "text", index, text(get(delta, "text")))
            case "reasoning-delta":
                self._text(message, "thinking", index, text(get(delta, "reasoning")))
            case "tool-call-delta":
                self._call_chunk(message, {"index": index, "args": get(delta, "args")})

    def _block_event(self, message: Message, index: str, block: object, *, is_whole: bool) -> None:
        kind = text(get(block, "type"))
        if kind == "non_standard":
            block = get(block, "value")
            kind = text(get(block, "type"))
        if kind in ("tool_call_chunk", "server_tool_call_chunk"):
            chunk = {name: get(block, name) for name in ("id", "name", "args")}
            self._call_chunk(message, {**chunk, "index": index})
        elif kind in ("tool_call", "invalid_tool_call"):
            self._whole_call(message, block)
        elif kind == "server_tool_call":
            self._whole_call(message, block)
            if is_whole and (call_id := ident(get(block, "id"))) is not None:
                self._calls.start(call_id)
                self.emit(ToolProgress, tool_call_id=call_id, state="running")
        elif kind == "server_tool_result":
            status = "error" if text(get(block, "status")) == "error" else "ok"
            result = read_result(get(block, "output"))
            if (call_id := ident(get(block, "tool_call_id"))) is not None:
                self._answer(call_id, result, status=status)
        elif is_whole and block_file(block) is not None:
            self._block(message, "file", index, block_file(block))
        else:
            for of, _, body in parts_in_block(block):
                if of in ("text", "thinking"):
                    self._text(message, of, index, body, is_whole=is_whole)
            for fields in block_citations(block, 0, len(text(get(block, "text")))) if is_whole else ():
                self.emit_citation(index, fields)

    def _text(self, message: Message, kind: str, index: str, body: str, *, is_whole: bool = False) -> None:
        if body:
            message.parts[kind, index] = None
            (self.emit_whole if is_whole else self.emit_text)(kind, index, body)

    # Tools and subagents.

    def _tool_event(self, data: object, kind: str, call_id: str | None) -> None:
        if call_id is None:
            self.emit_unknown(data, kind)
        elif kind == "tool-started":
            args, name = plain(get(data, "input")), text(get(data, "tool_name")) or None
            self._tool_started(call_id, {"tool_call_id": call_id, "tool_name": name, "args": args})
        elif kind == "tool-output-delta":
            self.emit(ToolProgress, tool_call_id=call_id, delta=json_text(get(data, "delta")))
        elif kind == "tool-finished":
            output = get(data, "output")
            found = messages_in(output) or messages_in(get(output, "update"))
            for message in found:
                self._any_message(message, None)
            if not found:
                self._answer(call_id, read_result(output))
        elif kind == "tool-error":
            why = text(get(data, "message")) or ident(get(data, "code")) or "error"
            self._answer(call_id, Result(why), status="error", error=why)
        else:
            self.emit_unknown(data, kind, tool_call_id=call_id)

    def _answer(self, call_id: str, result: Result, **fields: Any) -> None:
        fields["tool_call_id"] = call_id
        if self._calls.answer(call_id, {**fields, **result.fields}):
            failed = fields.get("status") == "error"
            self._end_subagent(call_id, outcome="error" if failed else "success", error=fields.get("error"))
            self.emit_result(result, **fields)

    def _lifecycle(self, data: object, kind: str) -> None:
        path = items(get(data, "namespace"))
        key = text(path[0]) if path else ""
        call_id = ident(get(data, "cause", "tool_call_id"))
        if kind == "started" and key and call_id is not None:
            self._link(key, call_id, text(get(data, "graph_name")) or None)
        elif kind in ("completed", "failed", "interrupted"):
            outcome, error = _OUTCOMES.get(kind, "success"), text(get(data, "error")) or None
            if key in self._subagents:
                self._out += self._subagents.end(key, outcome=outcome, error=error)
            elif not path and outcome != "success":
                self.end(outcome, error)

"""Read Strands Agents: ``agent.stream_async(…)``, a ``callback_handler``, graphs and swarms of agents.

Strands sends the model's own events under ``event``, repeats them in parts (``data``, ``reasoningText``,
``tool_use_stream``), and then sends the whole ``message``. The next message has the results. Only some
models number their blocks. The events of a subagent come in the stream of its tool, or under its node.
An event is a dict, known by its keys. Source: ``strands.types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Custom,
    Event,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._citations import bedrock_citation
from ._converse import RAW, block_text, blocks_in, result_in, usage_in
from ._fields import get, ident, items, json_text, number, plain, reason, text
from ._files import block_file
from ._result_blocks import read_result
from ._subagents import Subagents

__all__ = ["StrandsAdapter", "matches"]

_TYPES: Final = frozenset(
    (
        "tool_stream",
        "tool_use_stream",
        "multiagent_node_start",
        "multiagent_node_stream",
        "multiagent_node_stop",
        "multiagent_handoff",
        "multiagent_result",
    )
)
_QUIET: Final = (
    "init_event_loop",
    "start",
    "start_event_loop",
    "structured_output",
    "citation",
    "reasoning_signature",
    "reasoningRedactedContent",
    "delta",
)
_INCOMPLETE: Final = frozenset(
    ("max_tokens", "model_context_window_exceeded", "content_filtered", "guardrail_intervened")
)
_FAILED: Final = {"failed": "error", "interrupted": "interrupted"}


def matches(native: object) -> bool:
    """Return whether *native* is an event of an agent, or of a group of agents."""
    if not isinstance(native, Mapping):
        return False
    if kind := text(native.get("type")):
        return kind in _TYPES
    if native.get("init_event_loop") is True or native.get("start_event_loop") is True:
        return True
    raw = native.get("event")
    if isinstance(raw, Mapping):
        return len(raw) == 1 and next(iter(raw)) in RAW
    is_delta = isinstance(native.get("delta"), Mapping)
    return is_delta and any(isinstance(native.get(name), str) for name in ("data", "reasoningText"))


@dataclass
class _Message:
    id: str
    index: int = 0
    calls: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    parts: list[tuple[str, str]] = field(default_factory=list)
    usage: Usage | None = None
    stop_reason: str | None = None


class StrandsAdapter(Adapter):
    """Read one run of an agent, or of agents that work together."""

    name = "strands"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._messages = 0
        self._has_raw = False
        self._cancelled: set[str] = set()
        self._nodes: dict[str, int] = {}
        self._subagents: Subagents[StrandsAdapter] = Subagents(self, StrandsAdapter)

    def feed(self, native: object) -> list[Event]:
        """Return the events of one native, perhaps none. Never raises."""
        events = super().feed(native)
        self._subagents.record_calls(self, [event for event in events if event.run_id == self.run_id])
        return events

    def _read(self, native: object) -> None:  # noqa: C901 - one flat table of the keys of an event
        kind = text(get(native, "type"))
        if kind.startswith("multiagent_"):
            self._node(native, kind.removeprefix("multiagent_"))
        elif isinstance(raw := get(native, "event"), Mapping):
            self._has_raw = True
            for name, body in raw.items():
                self._raw(str(name), body)
        elif (streamed := get(native, "tool_stream_event")) is not None:
            self._tool_stream(get(streamed, "tool_use"), get(streamed, "data"))
        elif (message := get(native, "message")) is not None:
            self._whole_message(message)
        elif isinstance(delta := get(native, "data"), str):
            self._twin("text", delta)
        elif isinstance(delta := get(native, "reasoningText"), str):
            self._twin("thinking", delta)
        elif kind == "tool_use_stream":
            self._args_twin(get(native, "current_tool_use"))
        elif (cancelled := get(native, "tool_cancel_event")) is not None:
            self._tool_cancelled(cancelled)
        elif (interrupt := get(native, "tool_interrupt_event")) is not None:
            self._interrupted(interrupt)
        elif (result := get(native, "result")) is not None:
            self._ended(result)
        elif get(native, "force_stop") is not None:
            self.end("error", text(get(native, "force_stop_reason")) or "The agent was stopped.")
        elif not any(get(native, name) is not None for name in _QUIET):
            first = next(iter(native), None) if isinstance(native, Mapping) else None
            self.emit_unknown(native, kind or ident(first))

    def _close(self) -> None:
        self._message_over()
        self._out += self._subagents.end_all(**self._outcome)

    # The model's own events.

    def _raw(self, name: str, body: Any) -> None:
        if name == "messageStart":
            self._message_over()
        if name not in RAW:
            self.emit_unknown(body, name)
            return
        message = self._open()
        index = ident(get(body, "contentBlockIndex")) or str(message.index)
        match name:
            case "contentBlockStart":
                call = get(body, "start", "toolUse")
                if (call_id := ident(get(call, "toolUseId"))) is not None:
                    message.calls[index] = call_id, text(get(call, "name")) or None
                    self.emit_args(*message.calls[index], "")
            case "contentBlockDelta":
                self._delta(message, index, get(body, "delta"))
            case "contentBlockStop":
                message.index += 1
            case "messageStop":
                message.stop_reason = ident(get(body, "stopReason")) or message.stop_reason
            case "metadata":
                message.usage = usage_in(get(body, "usage")) or message.usage
            case "redactContent":
                instead = text(get(body, "redactAssistantContentMessage"))
                for kind, part in message.parts if instead else ():
                    self.emit_whole(kind, part, instead if kind == "text" else "")

    def _delta(self, message: _Message, index: str, delta: object) -> None:
        self._text_delta(message, "text", index, text(get(delta, "text")))
        self._text_delta(message, "thinking", index, text(get(delta, "reasoningContent", "text")))
        self.emit_citation(index, bedrock_citation(get(delta, "citation")))
        args = text(get(delta, "toolUse", "input"))
        if args and index in message.calls:
            self.emit_args(*message.calls[index], args)

    def _text_delta(self, message: _Message, kind: str, index: str, delta: str) -> None:
        if delta:
            if (kind, index) not in message.parts:
                message.parts.append((kind, index))
            self.emit_text(kind, index, delta)

    def _twin(self, kind: str, delta: str) -> None:
        if not self._has_raw:  # the application filters the model's own events
            message = self._open()
            if message.parts and message.parts[-1][0] != kind:
                message.index += 1
            self._text_delta(message, kind, str(message.index), delta)

    def _args_twin(self, call: object) -> None:
        call_id = ident(get(call, "toolUseId"))
        if not self._has_raw and call_id is not None:
            self._open()
            self.emit_rest_of_args(call_id, text(get(call, "name")) or None, json_text(get(call, "input")))

    # Whole messages, which repeat the streamed text or have results.

    def _open(self) -> _Message:
        if self._message is None:
            self._message = _Message(f"{self.run_id}:{self._messages}")
            self._messages += 1
            self.begin_message(self._message.id)
        self._envelope = {"message_id": self._message.id}
        return self._message

    def _message_over(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message.id, finish_reason=message.stop_reason, usage=message.usage)
        self._envelope = {}

    def _whole_message(self, whole: object) -> None:
        blocks = blocks_in(whole)
        if text(get(whole, "role")) != "assistant":
            for kind, body in blocks:
                if kind == "toolResult":
                    self._tool_result(body)
            if not any(kind == "toolResult" for kind, _ in blocks):
                self._turn(whole)
            return
        message = self._open()
        for of in ("thinking", "text"):
            wholes = [body for kind, body in blocks if kind == of]
            names = [name for kind, name in message.parts if kind == of]
            streamed = [self.streamed.read((message.id, of, name)) for name in names]
            if "".join(wholes) == "".join(streamed):
                continue
            for i, whole_text in enumerate(wholes):
                name = names[i] if i < len(names) else f"{of}:{i}"
                message.parts += [] if i < len(names) else [(of, name)]
                self.emit_whole(of, name, whole_text)
        self._cite(message, whole)
        self._message_over()
        for kind, body in blocks:
            call_id = ident(get(body, "toolUseId")) if kind == "toolUse" else None
            if call_id is not None:
                called, args = text(get(body, "name")) or None, plain(get(body, "input"))
                self.emit(ToolStarted, tool_call_id=call_id, tool_name=called, args=args)

    def _cite(self, message: _Message, whole: object) -> None:
        """Show the sources of a whole message: each covers the text of its block."""
        names = [name for kind, name in message.parts if kind == "text"]
        texts = [one for one in items(get(whole, "content")) if block_text(one)]
        for name, block in zip(names, texts, strict=False):
            for citation in items(get(block, "citationsContent", "citations")):
                fields = bedrock_citation(citation)
                place = {"start": 0, "end": len(block_text(block))}
                self.emit_citation(name, fields and {**fields, **place})

    def _turn(self, whole: object) -> None:
        self._message_over()
        blocks = items(get(whole, "content"))
        files = [file for one in blocks if (file := block_file(one)) is not None]
        role = "system" if text(get(whole, "role")) == "system" else "user"
        words = "\n".join(body for kind, body in blocks_in(whole) if kind == "text")
        self.emit_turn(words, files, role=role)

    # Tools.

    def _tool_result(self, body: object) -> None:
        call_id = ident(get(body, "toolUseId"))
        if call_id is None:
            self.emit_unknown(body, "toolResult")
            return
        result = result_in(get(body, "content"))
        failed = text(get(body, "status")) == "error"
        status = "cancelled" if call_id in self._cancelled else "error" if failed else "ok"
        error = reason(result.output) if failed else None
        outcome = "error" if failed else "success"
        self._out += self._subagents.end(call_id, outcome=outcome, error=error)
        self._envelope = {}
        self.emit_result(result, tool_call_id=call_id, status=status, error=error)

    def _tool_stream(self, call: object, data: object) -> None:
        call_id = ident(get(call, "toolUseId"))
        if call_id is None:
            self.emit_unknown(data, "tool_stream")
        elif matches(data) or call_id in self._subagents:
            if call_id not in self._subagents:
                self.start()
            names = {"parent_tool_call_id": call_id, "agent_name": text(get(call, "name")) or None}
            self._out += self._subagents.feed(call_id, data, **names)
        elif isinstance(data, str):
            self.emit(ToolProgress, tool_call_id=call_id, message=text(data))
        elif (done := number(get(data, "progress"))) is not None:
            total, message = number(get(data, "total")), text(get(data, "message")) or None
            self.emit(ToolProgress, tool_call_id=call_id, progress=done, total=total, message=message)
        else:
            self.emit(ToolProgress, tool_call_id=call_id, **read_result(data).fields)

    def _tool_cancelled(self, native: object) -> None:
        call_id = ident(get(native, "tool_use", "toolUseId"))
        if call_id is not None:
            self._cancelled.add(call_id)
            why = text(get(native, "message")) or None
            self.emit(ToolFinished, tool_call_id=call_id, status="cancelled", output=why, error=why)

    def _interrupted(self, native: object) -> None:
        call_id = ident(get(native, "tool_use", "toolUseId"))
        if call_id is not None:
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        for interrupt in items(get(native, "interrupts")):
            self.emit(Custom, name="interrupt", value=plain(interrupt), tool_call_id=call_id)

    # The end of the run, and groups of agents.

    def _ended(self, result: object) -> None:
        self._message_over()
        why = ident(get(result, "stop_reason"))
        if why in _INCOMPLETE:
            self.end("error", f"The message is incomplete: {why}.", why)
        elif why in ("interrupt", "cancelled"):
            self.end("interrupted" if why == "interrupt" else "cancelled")
        used = get(result, "metrics", "accumulated_usage") or get(result, "accumulated_usage")
        self._usage = usage_in(used) or self._usage
        structured = plain(get(result, "structured_output"))
        answer = "".join(body for kind, body in blocks_in(get(result, "message")) if kind == "text")
        self._result = structured if structured is not None else answer or None

    def _node(self, native: object, kind: str) -> None:
        node = ident(get(native, "node_id")) or ""
        key = f"{node}:{self._nodes.get(node, 0)}"
        if kind == "node_start":
            self._nodes[node] = self._nodes.get(node, 0) + 1
            self.start()
            self._subagents.open(f"{node}:{self._nodes[node]}", agent_name=node)
        elif kind == "node_stream":
            self.start()
            self._out += self._subagents.feed(key, get(native, "event"), agent_name=node)
        elif kind == "node_stop":
            status = get(native, "node_result", "status")
            outcome = _FAILED.get(text(getattr(status, "value", status)).lower(), "success")
            self._out += self._subagents.end(key, outcome=outcome)
        elif kind == "result":
            self._ended(get(native, "result"))
        else:
            self.emit_unknown(native, f"multiagent_{kind}")

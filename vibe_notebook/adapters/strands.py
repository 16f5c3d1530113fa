"""Strands Agents: ``agent.stream_async(…)``, a ``callback_handler``, and graphs and swarms of agents.

The model's own events come under ``event``, then once more in parts (``data``, ``reasoningText``,
``tool_use_stream``), then whole as a ``message``; results are in the next one. Blocks have an index in
some models only. A subagent's events come as what its tool streams, or by the node that it is.
Source: ``strands.types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Custom,
    Event,
    MessageFinished,
    MessageStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import get, ident, items, json_text, number, plain, reason, text
from ._strands_shapes import RAW, blocks_in, is_stream, result_in, usage_in
from ._subagents import Children

__all__ = ["StrandsAdapter", "matches"]

matches = is_stream

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


@dataclass
class _Message:
    id: str
    index: int = 0
    calls: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    parts: list[tuple[str, str]] = field(default_factory=list)
    usage: Usage | None = None
    stop_reason: str | None = None


class StrandsAdapter(Adapter):
    """One run of an agent, or of several that work together."""

    name = "strands"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._messages = 0
        self._has_raw = False
        self._cancelled: set[str] = set()
        self._nodes: dict[str, int] = {}
        self._children: Children[StrandsAdapter] = Children(self, StrandsAdapter)

    def feed(self, native: object) -> list[Event]:
        """Return the events made from one native, perhaps none. Never raises."""
        events = super().feed(native)
        self._children.called(self, [event for event in events if event.run_id == self.run_id])
        return events

    def _read(self, native: object) -> None:  # noqa: C901 - one flat table of what an event can have
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
        elif isinstance(said := get(native, "data"), str):
            self._twin("text", said)
        elif isinstance(thought := get(native, "reasoningText"), str):
            self._twin("thinking", thought)
        elif kind == "tool_use_stream":
            self._args_twin(get(native, "current_tool_use"))
        elif (cancelled := get(native, "tool_cancel_event")) is not None:
            self._tool_cancelled(cancelled)
        elif (asked := get(native, "tool_interrupt_event")) is not None:
            self._interrupted(asked)
        elif (result := get(native, "result")) is not None:
            self._ended(result)
        elif get(native, "force_stop") is not None:
            self.end("error", text(get(native, "force_stop_reason")) or "The agent was stopped.")
        elif not any(get(native, name) is not None for name in _QUIET):
            first = next(iter(native), None) if isinstance(native, Mapping) else None
            self.say_unknown(native, kind or ident(first))

    def _close(self) -> None:
        self._message_over()
        self._out += self._children.end_all(**self._outcome)

    # The model's own events.

    def _raw(self, name: str, body: Any) -> None:
        if name == "messageStart":
            self._message_over()
        if name not in RAW:
            self.say_unknown(body, name)
            return
        message = self._open()
        index = ident(get(body, "contentBlockIndex")) or str(message.index)
        match name:
            case "contentBlockStart":
                call = get(body, "start", "toolUse")
                if (call_id := ident(get(call, "toolUseId"))) is not None:
                    message.calls[index] = call_id, text(get(call, "name")) or None
                    self.say_args(*message.calls[index], "")
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
                    self.say_whole(kind, part, instead if kind == "text" else "")

    def _delta(self, message: _Message, index: str, delta: object) -> None:
        self._said(message, "text", index, text(get(delta, "text")))
        self._said(message, "thinking", index, text(get(delta, "reasoningContent", "text")))
        piece = text(get(delta, "toolUse", "input"))
        if piece and index in message.calls:
            self.say_args(*message.calls[index], piece)

    def _said(self, message: _Message, kind: str, index: str, piece: str) -> None:
        if piece:
            if (kind, index) not in message.parts:
                message.parts.append((kind, index))
            self.say_text(kind, index, piece)

    def _twin(self, kind: str, said: str) -> None:
        if not self._has_raw:  # somebody took out what it repeats
            message = self._open()
            if message.parts and message.parts[-1][0] != kind:
                message.index += 1
            self._said(message, kind, str(message.index), said)

    def _args_twin(self, call: object) -> None:
        call_id = ident(get(call, "toolUseId"))
        if not self._has_raw and call_id is not None:
            self._open()
            self.say_rest_of_args(call_id, text(get(call, "name")) or None, json_text(get(call, "input")))

    # Messages: what was streamed, once more; or results.

    def _open(self) -> _Message:
        if self._message is None:
            self._message = _Message(f"{self.run_id}:{self._messages}")
            self._messages += 1
            self._envelope = {"message_id": self._message.id}
            self.say(MessageStarted)
        self._envelope = {"message_id": self._message.id}
        return self._message

    def _message_over(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._envelope = {"message_id": message.id}
            self.say(MessageFinished, finish_reason=message.stop_reason, usage=message.usage)
            self.streams.forget(message.id)
        self._envelope = {}

    def _whole_message(self, whole: object) -> None:
        blocks = blocks_in(whole)
        if text(get(whole, "role")) != "assistant":
            for kind, body in blocks:
                if kind == "toolResult":
                    self._tool_result(body)
            return
        message = self._open()
        for of in ("thinking", "text"):
            wholes = [said for kind, said in blocks if kind == of]
            names = [name for kind, name in message.parts if kind == of]
            streamed = [self.streams.read((message.id, of, name)) for name in names]
            if "".join(wholes) == "".join(streamed):
                continue
            for i, said in enumerate(wholes):
                name = names[i] if i < len(names) else f"{of}:{i}"
                message.parts += [] if i < len(names) else [(of, name)]
                self.say_whole(of, name, said)
        self._message_over()
        for kind, body in blocks:
            call_id = ident(get(body, "toolUseId")) if kind == "toolUse" else None
            if call_id is not None:
                called, args = text(get(body, "name")) or None, plain(get(body, "input"))
                self.say(ToolStarted, tool_call_id=call_id, tool_name=called, args=args)

    # Tools.

    def _tool_result(self, body: object) -> None:
        call_id = ident(get(body, "toolUseId"))
        if call_id is None:
            self.say_unknown(body, "toolResult")
            return
        output, files = result_in(get(body, "content"))
        failed = text(get(body, "status")) == "error"
        status = "cancelled" if call_id in self._cancelled else "error" if failed else "ok"
        error = reason(output) if failed else None
        outcome = "error" if failed else "success"
        self._out += self._children.end(call_id, outcome=outcome, error=error)
        self._envelope = {}
        self.say(ToolFinished, tool_call_id=call_id, status=status, output=output, error=error)
        for i, file in enumerate(files):
            self.say(Artifact, artifact_id=f"{call_id}:{i}", tool_call_id=call_id, **file)

    def _tool_stream(self, call: object, data: object) -> None:
        call_id = ident(get(call, "toolUseId"))
        if call_id is None:
            self.say_unknown(data, "tool_stream")
        elif is_stream(data) or call_id in self._children:
            if call_id not in self._children:
                self.start()
            names = {"parent_tool_call_id": call_id, "agent_name": text(get(call, "name")) or None}
            self._out += self._children.feed(call_id, data, **names)
        elif isinstance(data, str):
            self.say(ToolProgress, tool_call_id=call_id, message=text(data))
        elif (done := number(get(data, "progress"))) is not None:
            total, said = number(get(data, "total")), text(get(data, "message")) or None
            self.say(ToolProgress, tool_call_id=call_id, progress=done, total=total, message=said)
        else:
            self.say(ToolProgress, tool_call_id=call_id, output=plain(data))

    def _tool_cancelled(self, native: object) -> None:
        call_id = ident(get(native, "tool_use", "toolUseId"))
        if call_id is not None:
            self._cancelled.add(call_id)
            why = text(get(native, "message")) or None
            self.say(ToolFinished, tool_call_id=call_id, status="cancelled", output=why, error=why)

    def _interrupted(self, native: object) -> None:
        call_id = ident(get(native, "tool_use", "toolUseId"))
        if call_id is not None:
            self.say(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        for asked in items(get(native, "interrupts")):
            self.say(Custom, name="interrupt", value=plain(asked), tool_call_id=call_id)

    # Ends, and agents beside each other.

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
        said = "".join(body for kind, body in blocks_in(get(result, "message")) if kind == "text")
        self._result = structured if structured is not None else said or None

    def _node(self, native: object, kind: str) -> None:
        node = ident(get(native, "node_id")) or ""
        key = f"{node}:{self._nodes.get(node, 0)}"
        if kind == "node_start":
            self._nodes[node] = self._nodes.get(node, 0) + 1
            self.start()
            self._children.open(f"{node}:{self._nodes[node]}", agent_name=node)
        elif kind == "node_stream":
            self.start()
            self._out += self._children.feed(key, get(native, "event"), agent_name=node)
        elif kind == "node_stop":
            status = get(native, "node_result", "status")
            outcome = _FAILED.get(text(getattr(status, "value", status)).lower(), "success")
            self._out += self._children.end(key, outcome=outcome)
        elif kind == "result":
            self._ended(get(native, "result"))
        else:
            self.say_unknown(native, f"multiagent_{kind}")

"""What a graph's run says, whichever way it streams: its messages, their calls, results and questions.

Used by ``langgraph``. One thing is said several times: messages are known again by their ids, their
calls, or their text; tool results by their call.
"""

from __future__ import annotations

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

from .._base import Adapter
from .._fields import bounded, get, ident, items, json_text, number, parsed, plain, text
from .._streamed_text import Streams
from .._subagents import Children
from .._tool_results import message_result
from ._langchain_messages import blocks_of, finish_reason_in, is_message, kind_of, usage_in, whole_texts

__all__ = ["Call", "Calls", "Message", "MessagesAdapter"]


# The messages and tool calls of a graph's run, so that what is said again is known again.
#
# Used by ``langgraph``.


@dataclass
class Message:
    """One model call: pieces, then perhaps the whole of it, perhaps more than once."""

    id: str
    native_id: str | None = None
    parts: dict[tuple[str, str], None] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    """The ids of its calls: of a call's pieces only the first has it, the others its place."""
    slot: str = "0"
    usage: Usage | None = None
    finish_reason: str | None = None
    is_finished: bool = False
    is_whole: bool = False
    """All of it was said again."""


@dataclass
class Call:
    """A tool call, of the message that asked for it."""

    message: Message
    name: str | None
    args: Any = None
    is_started: bool = False


class Calls:
    """The tool calls of a run. ``streams`` has what was streamed of their arguments."""

    def __init__(self, streams: Streams) -> None:
        self.known: dict[str, Call] = {}
        self._streams = streams
        self._results: dict[str, dict[str, Any]] = {}

    def of_piece(self, message: Message, piece: object) -> tuple[str, Call]:
        """Return the call that a piece of arguments belongs to, and its id."""
        call_id, name = ident(get(piece, "id")), text(get(piece, "name")) or None
        slot = message.slot = ident(get(piece, "index")) or call_id or message.slot
        if slot not in message.slots or (call_id and name and call_id != message.slots[slot]):
            message.slots[slot] = call_id or f"{message.id}:{slot}"
        call_id = message.slots[slot]
        return call_id, self.known.setdefault(call_id, Call(message, name))

    def streamed(self, call_id: str) -> str:
        """Return the argument text of a known call as far as it was streamed."""
        return self._streams.read((self.known[call_id].message.id, "args", call_id))

    def said(self, message: Message, kind: str) -> str:
        """Return all text, or all thinking, of a message as far as it was said."""
        names = (name for of, name in message.parts if of == kind)
        return "".join(self._streams.read((message.id, kind, name)) for name in names)

    def repeated(self, native: object, messages: list[Message]) -> Message | None:
        """Return the message that *native* repeats under another id: its calls or its text say it."""
        owners = [self.known.get(ident(get(call, "id")) or "") for call in items(get(native, "tool_calls"))]
        if owners:
            return owners[0].message if owners[0] is not None and all(owners) else None
        whole = "".join(said for (kind, _), said in whole_texts(native).items() if kind == "text")
        alike = (one for one in reversed(messages) if not one.is_whole and self.said(one, "text") == whole)
        return next(alike, None) if whole else None

    def find(self, name: str, args: object) -> str | None:
        """Return the id of the call that a start without one means: its name and arguments say it.

        Of calls that are alike in both, it does not matter which one is said to run first.
        """
        for call_id, call in self.known.items():
            asked = parsed(self.streamed(call_id)) if call.args is None else call.args
            is_over = call.is_started or call_id in self._results
            if not is_over and call.name == name and asked == args:
                return call_id
        return None

    def unanswered(self) -> list[str]:
        """Return the ids of the calls that have no result yet."""
        return [call_id for call_id in self.known if call_id not in self._results]

    def start(self, call_id: str) -> None:
        """Remember that a call runs, or waits for leave to."""
        if call_id in self.known:
            self.known[call_id].is_started = True

    def answer(self, call_id: str, result: dict[str, Any]) -> bool:
        """Remember a result; False: it was said already."""
        is_new = self._results.get(call_id) != result
        self._results[call_id] = result
        return is_new


_RUN_IDS: Final = ("run-", "lc_run-")
"""How LangChain's own message ids begin; any other is the provider's."""


class MessagesAdapter(Adapter):
    """The common part of all streams of a graph."""

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._open: dict[str, Message] = {}
        self._messages: list[Message] = []
        self._by_id: dict[str, Message] = {}
        self._calls = Calls(self.streams)
        self._number: dict[str, Any] = {}
        """``seq`` of the native at hand, where the stream numbers them."""
        self._asked: set[str] = set()
        self._children: Children[Any] = Children(self, type(self))
        self._inside: dict[str, str] = {}
        """The subagent of each call that has one."""
        self._parts: set[str] = set()
        """Subgraphs that are no subagents."""

    def _at(self, message: Message | None = None) -> None:
        """What is said next is of this message, or of none."""
        self._envelope = {**self._number, **({} if message is None else {"message_id": message.id})}

    def _close(self) -> None:
        self._number = {}
        for message in self._open.values():
            self._finish(message)
        self._out += self._children.end_all(**self._outcome)

    # Messages.

    def _any_message(self, message: object, metadata: object, run: str | None = None) -> None:
        kind = kind_of(message) if is_message(message) else ""
        key = run or ident(get(metadata, "langgraph_checkpoint_ns")) or ""
        if kind == "piece":
            self._piece(self._message_of(key, message, metadata), message)
            if text(get(message, "chunk_position")) == "last":
                self._finish(self._open[key])
                if run is None:  # of a model's run, the end is said too
                    del self._open[key]
        elif kind == "ai":
            native_id = ident(get(message, "id"))
            known = self._by_id.get(native_id or "") or self._calls.repeated(message, self._messages)
            self._whole(known or self._new(message, metadata), message)
            self._finish(self._messages[-1] if known is None else known)
        elif kind == "tool":
            namespace = text(get(metadata, "langgraph_checkpoint_ns")).rpartition("|")[2]
            self._tool_result(message, namespace)
        elif not kind:
            self.say_unknown(message, ident(get(message, "type")))

    def _message_of(self, key: str, native: object, metadata: object) -> Message:
        message, native_id = self._open.get(key), ident(get(native, "id"))
        if message is not None and native_id and message.native_id:
            both = (native_id, message.native_id)
            if native_id != message.native_id and all(one.startswith(_RUN_IDS) for one in both):
                self._finish(message)  # older versions do not mark the last piece
                message = None
        if message is None:
            message = self._by_id.get(native_id or "") or self._new(native, metadata)
            self._open[key] = message
        message.native_id = message.native_id or native_id
        if native_id:
            self._by_id[native_id] = message
        self._at(message)
        return message

    def _new(self, native: object, metadata: object) -> Message:
        native_id = ident(get(native, "id"))
        message = Message(native_id or f"{self.run_id}:{len(self._messages)}", native_id)
        self._messages.append(message)
        if native_id:
            self._by_id[native_id] = message
        self._at(message)
        agent = ident(get(metadata, "lc_agent_name")) or ident(get(native, "name"))
        self.say(MessageStarted, agent_name=agent)
        return message

    def _piece(self, message: Message, native: object) -> None:
        for kind, part_id, value in blocks_of(native):
            if kind in ("text", "thinking"):
                message.parts[kind, part_id] = None
                self.say_text(kind, part_id, value)
            else:
                self._block(message, kind, part_id, value)
        for piece in items(get(native, "tool_call_chunks")):
            self._call_piece(message, piece)
        message.usage = usage_in(native, message.usage)
        message.finish_reason = finish_reason_in(native) or message.finish_reason

    def _whole(self, message: Message, native: object) -> None:
        self._at(message)
        whole = whole_texts(native)
        for kind in ("thinking", "text"):
            texts = {part: said for (of, part), said in whole.items() if of == kind and said}
            if "".join(texts.values()) != self._calls.said(message, kind):
                for part, said in texts.items():
                    message.parts[kind, part] = None
                    self.say_whole(kind, part, said)
        if not message.is_whole:
            for kind, part_id, value in blocks_of(native):
                self._block(message, kind, part_id, value)
        for call in [*items(get(native, "tool_calls")), *items(get(native, "invalid_tool_calls"))]:
            self._whole_call(message, call)
        if message.usage is None:
            message.usage = usage_in(native, None)
        message.finish_reason = message.finish_reason or finish_reason_in(native)
        message.is_whole = True

    def _block(self, message: Message, kind: str, part_id: str, value: Any) -> None:
        if kind == "file":
            self.say(Artifact, artifact_id=f"{message.id}:{part_id}", part_id=part_id, **value)
        elif kind == "unknown":
            self.say_unknown(value, ident(get(value, "type")))

    def _finish(self, message: Message) -> None:
        if not message.is_finished:
            message.is_finished = True
            self._at(message)
            self.say(MessageFinished, finish_reason=message.finish_reason, usage=message.usage)

    # Tool calls.

    def _call_piece(self, message: Message, piece: object) -> None:
        call_id, call = self._calls.of_piece(message, piece)
        name, delta = text(get(piece, "name")), text(get(piece, "args"))
        if delta or name:
            self.say_args(call_id, call.name, delta)

    def _whole_call(self, message: Message, native: object) -> None:
        call_id, name = ident(get(native, "id")), text(get(native, "name")) or None
        if call_id is None:
            return
        call = self._calls.known.setdefault(call_id, Call(message, name))
        call.args = plain(get(native, "args"))
        streamed = self._calls.streamed(call_id)
        is_said = streamed != "" and parsed(streamed) == parsed(call.args)
        if not is_said and not self.say_rest_of_args(call_id, name, json_text(call.args)):
            # Pieces are missing in the middle. Nothing but a start replaces what they built.
            self.say(ToolStarted, tool_call_id=call_id, tool_name=name, args=call.args)

    def _tool_started(self, call_id: str, fields: dict[str, Any]) -> None:
        self._calls.start(call_id)
        self._at()
        self.say(ToolStarted, **fields)

    def _tool_result(self, message: object, namespace: str = "") -> None:
        call_id = ident(get(message, "tool_call_id"))
        if call_id is None:
            self.say_unknown(message, "tool")
            return
        fields, files = message_result(call_id, message, is_error=text(get(message, "status")) == "error")
        if not self._calls.answer(call_id, fields):
            return
        if call_id in self._calls.known:
            self._finish(self._calls.known[call_id].message)
        if namespace in self._children:  # only now is it said whose subgraph that was
            self._link(namespace, call_id)
        self._end_inside(call_id)
        self.say(ToolFinished, **fields)
        for i, file in enumerate(files):
            self.say(Artifact, artifact_id=f"{call_id}:{i}", tool_call_id=call_id, **file)

    # Subagents: graphs that run inside of a tool call.

    def _inside_of(self, namespace: str) -> str | None:
        """Return the key of the subagent that a subgraph is; ``None``: it is part of this run.

        Which call it works for is said by tasks or by the protocol, else by its result; or there
        is but one that it can be.
        """
        if namespace in self._children:
            return namespace
        if namespace in self._parts:
            return None
        call_id = next((call for call, key in self._inside.items() if key == namespace), None)
        if call_id is None:
            if not namespace.startswith("tools:") or not (calls := self._calls.unanswered()):
                self._parts.add(namespace)
                return None
            free = [one for one in calls if one not in self._inside]
            call_id = free[0] if len(free) == 1 else None
        self._link(namespace, call_id)
        return namespace

    def _link(self, namespace: str, call_id: str | None, name: str | None = None) -> None:
        """Say that a subgraph is the subagent of a call."""
        self.start_here()
        if call_id is not None:
            self._inside[call_id] = namespace
        child = self._children.open(namespace)
        self._out += child.adopted(call_id, name, self._number)

    def _end_inside(self, call_id: str, **outcome: Any) -> None:
        key = self._inside.get(call_id)
        if key is not None:
            self._out += self._children.end(key, **outcome)
        self._at()

    def start_here(self) -> None:
        """Say that the run starts, if that was not said yet."""
        self._at()
        if self.parent_run_id is None and self._number.get("seq") != 1:
            self._envelope = {}  # watched from its middle on: the lowest number is not known yet
        self.start()
        self._at()

    def adopted(self, call_id: str | None, name: str | None, number: dict[str, Any]) -> list[Event]:
        """Return what says whose subagent this run is, as far as that is new."""
        before = self.parent_tool_call_id, self.agent_name
        self.parent_tool_call_id = self.parent_tool_call_id or call_id
        self.agent_name = self.agent_name or name
        if not self._is_started or before != (self.parent_tool_call_id, self.agent_name):
            self._is_started = False
            self._number = number
            self.start_here()
        return self._flush()

    # What is paused, and what an application says itself.

    def _interrupted(self, interrupts: object) -> None:
        for interrupt in items(interrupts):
            value, key = get(interrupt, "value"), ident(get(interrupt, "id"))
            if key in self._asked:
                continue
            self._asked.update([key] if key else [])
            self.end("interrupted")
            for request in items(get(value, "action_requests")):
                call_id = self._calls.find(text(get(request, "name")), plain(get(request, "args")))
                if call_id is not None:
                    self._calls.start(call_id)
                    self.say(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
            self.say(Custom, name="interrupt", value=bounded(value))

    def _custom(self, name: str, data: object) -> None:
        call_id = ident(get(data, "tool_call_id"))
        done, said = number(get(data, "progress")), text(get(data, "message")) or None
        if call_id is not None and (done is not None or said is not None):
            total = number(get(data, "total"))
            self.say(ToolProgress, tool_call_id=call_id, progress=done, total=total, message=said)
        else:
            self.say_unknown(data, name, tool_call_id=call_id)

"""Emit the messages, tool calls, results and interrupts of a graph's run, of all kinds of its streams.

``ProtocolAdapter`` and ``LangGraphAdapter`` build on ``MessagesAdapter``. LangGraph repeats messages and
results. ``MessagesAdapter`` recognises a repeated message by its id, its calls or its text, and a
repeated result by its call.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Custom,
    Event,
    InputRequested,
    MessageFinished,
    MessageStarted,
    ToolProgress,
    ToolStarted,
    Usage,
)

from .._base import Adapter
from .._fields import bounded, get, ident, items, json_text, number, parsed, plain, text
from .._files import said
from .._streamed_text import StreamedTexts
from .._subagents import Subagents
from .._tool_results import message_result
from ._interrupts import key_of, question_fields
from ._langchain_messages import (
    TURNS,
    citations_of,
    finish_reason_in,
    is_message,
    kind_of,
    parts_of,
    request_start,
    usage_in,
    whole_texts,
)

__all__ = ["Call", "Calls", "Message", "MessagesAdapter"]


@dataclass
class Message:
    """Hold one model call: its chunks, and perhaps its whole message, once or several times."""

    id: str
    native_id: str | None = None
    parts: dict[tuple[str, str], None] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    """The ids of the message's calls, by slot. Only a call's first chunk has the id; all have the slot."""
    slot: str = "0"
    usage: Usage | None = None
    finish_reason: str | None = None
    is_finished: bool = False
    is_whole: bool = False
    """The stream has repeated the whole message."""


@dataclass
class Call:
    """Hold a tool call, and the message that made the call."""

    message: Message
    name: str | None
    args: Any = None
    is_started: bool = False


class Calls:
    """Hold the tool calls of a run; *streamed* has the streamed text of their arguments."""

    def __init__(self, streamed: StreamedTexts) -> None:
        self.known: dict[str, Call] = {}
        """The newest call of each id: some models number their calls anew in each message."""
        self._all: dict[tuple[str, str], Call] = {}
        self._streamed = streamed
        self._results: dict[str, dict[str, Any]] = {}
        self._messages: dict[str, dict[str, Any]] = {}
        """The results by the ids of the messages that brought them: a state repeats all messages."""

    def of_chunk(self, message: Message, chunk: object) -> tuple[str, Call]:
        """Return the id and the call of a chunk of arguments."""
        call_id, name = ident(get(chunk, "id")), text(get(chunk, "name")) or None
        slot = message.slot = ident(get(chunk, "index")) or call_id or message.slot
        if slot not in message.slots or (call_id and name and call_id != message.slots[slot]):
            message.slots[slot] = call_id or f"{message.id}:{slot}"
        call_id = message.slots[slot]
        return call_id, self.of(message, call_id, name)

    def of(self, message: Message, call_id: str, name: str | None) -> Call:
        """Return the call of a message; an earlier message's call of the same id is another one."""
        call = self._all.get((message.id, call_id))
        if call is None:
            call = self._all[message.id, call_id] = self.known[call_id] = Call(message, name)
            self._results.pop(call_id, None)
        return call

    def streamed_args(self, call_id: str, call: Call) -> str:
        """Return the streamed argument text of a call."""
        return self._streamed.read((call.message.id, "args", call_id))

    def streamed_text(self, message: Message, kind: str) -> str:
        """Return the streamed text, or the streamed thinking, of a message."""
        names = (name for of, name in message.parts if of == kind)
        return "".join(self._streamed.read((message.id, kind, name)) for name in names)

    def repeated(self, native: object, messages: list[Message]) -> Message | None:
        """Return the message that *native* repeats under another id, by its calls or its text."""
        ids = [ident(get(call, "id")) or "" for call in items(get(native, "tool_calls"))]
        if ids:
            owner = self.known.get(ids[0])
            is_repeat = all(one in self.known and one not in self._results for one in ids)
            return owner.message if owner is not None and is_repeat else None
        whole = "".join(body for (kind, _), body in whole_texts(native).items() if kind == "text")
        has_id = ident(get(native, "id")) is not None
        alike = (
            one
            for one in reversed(messages)
            # A node may write a message without an id, and the state repeats the message with one.
            if (not one.is_whole or (has_id and one.native_id is None))
            and self.streamed_text(one, "text") == whole
        )
        return next(alike, None) if whole else None

    def find(self, name: str, args: object) -> str | None:
        """Return the id of the call with this name and these arguments, for a start without an id.

        The order of calls with equal names and arguments does not matter.
        """
        for call_id, call in self.known.items():
            call_args = parsed(self.streamed_args(call_id, call)) if call.args is None else call.args
            is_over = call.is_started or call_id in self._results
            if not is_over and call.name == name and call_args == args:
                return call_id
        return None

    def unanswered(self) -> list[str]:
        """Return the ids of the calls without a result."""
        return [call_id for call_id in self.known if call_id not in self._results]

    def start(self, call_id: str) -> None:
        """Mark a call as running, or as waiting for approval."""
        if call_id in self.known:
            self.known[call_id].is_started = True

    def answer(self, call_id: str, result: dict[str, Any], message_id: str | None = None) -> bool:
        """Store a result, and the id of the message that brought it; return False for a repeated result."""
        if message_id is not None and self._messages.get(message_id) == result:
            return False
        is_new = self._results.get(call_id) != result
        self._results[call_id] = result
        if message_id is not None:
            self._messages[message_id] = result
        return is_new


_RUN_IDS: Final = ("run-", "lc_run-")
"""The beginnings of LangChain's own message ids; all other ids are the provider's."""


class MessagesAdapter(Adapter):
    """Read the common part of all streams of a graph."""

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._open: dict[str, Message] = {}
        self._messages: list[Message] = []
        self._by_id: dict[str, Message] = {}
        self._calls = Calls(self.streamed)
        self._number: dict[str, Any] = {}
        """The ``seq`` of the current native, if the stream numbers its natives."""
        self._said: dict[str, set[str | None]] = {}
        """The ids of the messages of the user and the system, by what they say."""
        self.interrupt_ids: set[str] = set()
        self._subagents: Subagents[Any] = Subagents(self, type(self))
        self._keys_by_call: dict[str, str] = {}
        """The key of the subagent that works for a call, by the call's id."""
        self._parts: set[str] = set()
        """The subgraphs that belong to this run: they are no subagents."""

    def _set_place(self, message: Message | None = None) -> None:
        """Set the envelope of the next events: they belong to *message*, or to no message."""
        self._envelope = {**self._number, **({} if message is None else {"message_id": message.id})}

    def _close(self) -> None:
        self._number = {}
        for message in self._open.values():
            self._finish(message)
        self._out += self._subagents.end_all(**self._outcome)

    # Messages.

    def _without_repeats(self, state: list[Any]) -> list[Any]:
        """Return the messages of a whole state except those without an id that the stream has shown."""
        shown = Counter(self._calls.streamed_text(message, "text") for message in self._messages)
        new = []
        for message in state:
            body = "".join(one for (kind, _), one in whole_texts(message).items() if kind == "text")
            if kind_of(message) == "ai" and ident(get(message, "id")) is None and body and shown[body]:
                shown[body] -= 1
            else:
                new.append(message)
        return new

    def _any_message(self, message: object, metadata: object, run: str | None = None) -> None:
        kind = kind_of(message) if is_message(message) else ""
        key = run or ident(get(metadata, "langgraph_checkpoint_ns")) or ""
        if kind == "chunk":
            self._chunk(self._message_of(key, message, metadata), message)
            if text(get(message, "chunk_position")) == "last":
                self._finish(self._open[key])
                if run is None:  # a model's run has an event for its end
                    del self._open[key]
        elif kind == "ai":
            native_id = ident(get(message, "id"))
            known = self._by_id.get(native_id or "") or self._calls.repeated(message, self._messages)
            self._whole(known or self._new(message, metadata), message)
            found = self._messages[-1] if known is None else known
            if native_id:
                found.native_id = found.native_id or native_id
                self._by_id[native_id] = found
            self._finish(found)
        elif kind == "tool":
            namespace = text(get(metadata, "langgraph_checkpoint_ns")).rpartition("|")[2]
            self._tool_result(message, namespace)
        elif kind in TURNS:
            self._turn(message, kind)
        elif not kind:
            self.emit_unknown(message, ident(get(message, "type")))

    def _turn(self, message: object, role: str) -> None:
        """Show what the user or the system said, unless the stream has said it already."""
        message_id, content = ident(get(message, "id")), get(message, "content")
        ids = self._said.setdefault(json_text(plain(content)), set())
        # A node may write a message without an id, and the state repeats the message with one.
        is_repeat = message_id in ids or None in ids or (message_id is None and bool(ids))
        if message_id is not None:
            ids.discard(None)
        if message_id is not None or not ids:
            ids.add(message_id)
        if not is_repeat:
            self._set_place()
            words, files = said(content)
            self.emit_turn(words, files, role=role, message_id=message_id)

    def _newest(self, messages: list[Any], *, is_whole: bool) -> list[Any]:
        """Return the messages of a conversation without earlier turns; of a whole one, without earlier answers."""
        start = request_start(messages)
        known = [i for i, one in enumerate(messages) if self._is_shown(one)]
        turn = max([start, *known[-1:]])  # a turn before a shown answer would come behind that answer
        return [
            one
            for i, one in enumerate(messages)
            if (i >= turn if kind_of(one) in TURNS else not is_whole or i >= start)
        ]

    def _is_shown(self, message: object) -> bool:
        kind, known = kind_of(message), self._calls.known
        if kind == "tool":
            return ident(get(message, "tool_call_id")) in known
        calls = [ident(get(call, "id")) for call in items(get(message, "tool_calls"))]
        if kind != "ai" or ident(get(message, "id")) in self._by_id or any(call in known for call in calls):
            return kind == "ai"
        body = "".join(one for (kind, _), one in whole_texts(message).items() if kind == "text")
        return body != "" and any(self._calls.streamed_text(one, "text") == body for one in self._messages)

    def _message_of(self, key: str, native: object, metadata: object) -> Message:
        message, native_id = self._open.get(key), ident(get(native, "id"))
        if message is not None and native_id and message.native_id:
            both = (native_id, message.native_id)
            if native_id != message.native_id and all(one.startswith(_RUN_IDS) for one in both):
                self._finish(message)  # older versions do not mark the last chunk
                message = None
        if message is None:
            message = self._by_id.get(native_id or "") or self._new(native, metadata)
            self._open[key] = message
        message.native_id = message.native_id or native_id
        if native_id:
            self._by_id[native_id] = message
        self._set_place(message)
        return message

    def _new(self, native: object, metadata: object) -> Message:
        native_id = ident(get(native, "id"))
        message = Message(native_id or f"{self.run_id}:{len(self._messages)}", native_id)
        self._messages.append(message)
        if native_id:
            self._by_id[native_id] = message
        self._set_place(message)
        agent = ident(get(metadata, "lc_agent_name")) or ident(get(native, "name"))
        self.emit(MessageStarted, agent_name=agent)
        return message

    def _chunk(self, message: Message, native: object) -> None:
        for kind, part_id, value in parts_of(native):
            if kind in ("text", "thinking"):
                message.parts[kind, part_id] = None
                self.emit_text(kind, part_id, value)
            else:
                self._block(message, kind, part_id, value)
        self._cite(message, native)
        for chunk in items(get(native, "tool_call_chunks")):
            self._call_chunk(message, chunk)
        message.usage = usage_in(native, message.usage)
        message.finish_reason = finish_reason_in(native) or message.finish_reason

    def _whole(self, message: Message, native: object) -> None:
        self._set_place(message)
        whole = whole_texts(native)
        for kind in ("thinking", "text"):
            texts = {part: body for (of, part), body in whole.items() if of == kind and body}
            if "".join(texts.values()) != self._calls.streamed_text(message, kind):
                for part, body in texts.items():
                    message.parts[kind, part] = None
                    self.emit_whole(kind, part, body)
        if not message.is_whole:
            for kind, part_id, value in parts_of(native):
                self._block(message, kind, part_id, value)
            self._cite(message, native)
        for call in [*items(get(native, "tool_calls")), *items(get(native, "invalid_tool_calls"))]:
            self._whole_call(message, call)
        if message.usage is None:
            message.usage = usage_in(native, None)
        message.finish_reason = message.finish_reason or finish_reason_in(native)
        message.is_whole = True

    def _cite(self, message: Message, native: object) -> None:
        names = [name for kind, name in message.parts if kind == "text"]
        for part, fields in citations_of(native, lambda: self._calls.streamed_text(message, "text")):
            if part in names:
                self.emit_citation(part, fields)
            elif names:  # the blocks of a whole message may have lost the numbers of its chunks
                source = {name: value for name, value in fields.items() if name not in ("start", "end")}
                self.emit_citation(names[-1], source)

    def _block(self, message: Message, kind: str, part_id: str, value: Any) -> None:
        if kind == "file":
            self.emit(Artifact, artifact_id=f"{message.id}:{part_id}", part_id=part_id, **value)
        elif kind == "unknown":
            self.emit_unknown(value, ident(get(value, "type")))

    def _finish(self, message: Message) -> None:
        if not message.is_finished:
            message.is_finished = True
            self._set_place(message)
            self.emit(MessageFinished, finish_reason=message.finish_reason, usage=message.usage)

    # Tool calls.

    def _call_chunk(self, message: Message, chunk: object) -> None:
        call_id, call = self._calls.of_chunk(message, chunk)
        name, delta = text(get(chunk, "name")), text(get(chunk, "args"))
        if delta or name:
            self.emit_args(call_id, call.name, delta)

    def _whole_call(self, message: Message, native: object) -> None:
        call_id, name = ident(get(native, "id")), text(get(native, "name")) or None
        if call_id is None:
            return
        call = self._calls.of(message, call_id, name)
        call.args = plain(get(native, "args"))
        streamed = self._calls.streamed_args(call_id, call)
        is_repeat = streamed != "" and parsed(streamed) == parsed(call.args)
        if not is_repeat and not self.emit_rest_of_args(call_id, name, json_text(call.args)):
            # Chunks are missing in the middle. Only ToolStarted replaces streamed arguments.
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=call.args)

    def _tool_started(self, call_id: str, fields: dict[str, Any]) -> None:
        self._calls.start(call_id)
        self._set_place()
        self.emit(ToolStarted, **fields)

    def _tool_result(self, message: object, namespace: str = "") -> None:
        call_id = ident(get(message, "tool_call_id"))
        if call_id is None:
            self.emit_unknown(message, "tool")
            return
        is_error = text(get(message, "status")) == "error"
        result, fields = message_result(call_id, message, get(message, "artifact"), is_error=is_error)
        if not self._calls.answer(call_id, {**fields, **result.fields}, ident(get(message, "id"))):
            return
        if call_id in self._calls.known:
            self._finish(self._calls.known[call_id].message)
        if namespace in self._subagents:  # only the result names the call of that subgraph
            self._link(namespace, call_id)
        self._end_subagent(call_id)
        self.emit_result(result, **fields)

    # Subagents: graphs that run inside a tool call.

    def _subagent_of(self, namespace: str) -> str | None:
        """Return the key of a subgraph that is a subagent; ``None`` for a part of this run.

        Tasks or the protocol name the call of the subagent, else the call's result does. If only one
        call is open, the subagent works for that call.
        """
        if namespace in self._subagents:
            return namespace
        if namespace in self._parts:
            return None
        call_id = next((call for call, key in self._keys_by_call.items() if key == namespace), None)
        if call_id is None:
            if not namespace.startswith("tools:") or not (calls := self._calls.unanswered()):
                self._parts.add(namespace)
                return None
            free = [one for one in calls if one not in self._keys_by_call]
            call_id = free[0] if len(free) == 1 else None
        self._link(namespace, call_id)
        return namespace

    def _link(self, namespace: str, call_id: str | None, name: str | None = None) -> None:
        """Make a subgraph the subagent of a call, and emit its start."""
        self.start_here()
        if call_id is not None:
            self._keys_by_call[call_id] = namespace
        child = self._subagents.open(namespace)
        child.interrupt_ids = self.interrupt_ids  # the graph repeats an interrupt of a subgraph
        self._out += child.set_caller(call_id, name, self._number)

    def _end_subagent(self, call_id: str, **outcome: Any) -> None:
        key = self._keys_by_call.get(call_id)
        if key is not None:
            self._out += self._subagents.end(key, **outcome)
        self._set_place()

    def start_here(self) -> None:
        """Emit the run's start, once, with the number of the current native."""
        self._set_place()
        if self.parent_run_id is None and self._number.get("seq") != 1:
            self._envelope = {}  # the watch began in the middle: the lowest number is unknown
        self.start()
        self._set_place()

    def set_caller(self, call_id: str | None, name: str | None, number: dict[str, Any]) -> list[Event]:
        """Return the start of this subagent's run with its caller and name, if either is new."""
        before = self.parent_tool_call_id, self.agent_name
        self.parent_tool_call_id = self.parent_tool_call_id or call_id
        self.agent_name = self.agent_name or name
        if not self._is_started or before != (self.parent_tool_call_id, self.agent_name):
            self._is_started = False
            self._number = number
            self.start_here()
        return self._flush()

    # Interrupts, and the application's own events.

    def _interrupted(self, interrupts: object) -> None:
        for interrupt in items(interrupts):
            value, key = get(interrupt, "value"), key_of(interrupt)
            self.end("interrupted")
            if key in self.interrupt_ids:
                continue
            self.interrupt_ids.add(key)
            self._set_place()
            actions = items(get(value, "action_requests"))
            for i, action in enumerate(actions):
                self._approval_requested(action, key if len(actions) == 1 else f"{key}:{i}")
            if not actions:
                self.emit(InputRequested, request_id=key, **question_fields(value))
            self.emit(Custom, name="interrupt", value=bounded(value))

    def _approval_requested(self, action: object, request_id: str) -> None:
        name, args = text(get(action, "name")), plain(get(action, "args"))
        call_id = self._calls.find(name, args)
        words = text(get(action, "description")) or (
            None if call_id else f"`{name}` {json_text(args)}".strip()
        )
        asked = {"request_id": request_id, "kind": "approval", "tool_call_id": call_id, "message": words}
        if call_id is not None:
            self._calls.start(call_id)
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        self.emit(InputRequested, **asked)

    def _custom(self, name: str, data: object) -> None:
        call_id = ident(get(data, "tool_call_id"))
        done, message = number(get(data, "progress")), text(get(data, "message")) or None
        if call_id is not None and (done is not None or message is not None):
            total = number(get(data, "total"))
            self.emit(ToolProgress, tool_call_id=call_id, progress=done, total=total, message=message)
        else:
            self.emit_unknown(data, name, tool_call_id=call_id, shown=True)

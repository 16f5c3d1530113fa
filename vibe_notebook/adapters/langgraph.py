"""LangGraph and LangChain: ``stream(stream_mode=…)``, ``astream_events(version="v2")``, a model's stream.

One thing is said several times (``messages``, then ``updates``, then ``values``): messages are known
again by their ids, their calls, or their text; tool results by their call. Pieces belong to the
message of their checkpoint namespace or run, because some providers change the id in its middle.
A tool's start is said only in ``tasks`` and events. Source: the streaming guides of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Custom,
    MessageFinished,
    MessageStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)

from ._app import message_result
from ._base import Adapter
from ._langchain import (
    blocks_of,
    finish_reason_in,
    is_message,
    kind_of,
    messages_in,
    usage_in,
    whole_texts,
)
from ._langgraph_calls import Call, Calls, Message
from ._langgraph_shapes import called, is_event, is_known, mode_of, state_mode
from ._read import bounded, get, ident, items, json_text, number, parsed, plain, reason, text

__all__ = ["LangGraphAdapter", "matches"]

_RUN_IDS: Final = ("run-", "lc_run-")
"""How LangChain's own message ids begin; any other is the provider's."""

matches = is_known


class LangGraphAdapter(Adapter):
    """One run of a graph, its subgraphs included."""

    name = "langgraph"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._open: dict[str, Message] = {}
        self._messages: list[Message] = []
        self._by_id: dict[str, Message] = {}
        self._calls = Calls(self.streams)
        self._tool_runs: dict[str, str] = {}

    def _read(self, native: object) -> None:
        mode = mode_of(native)
        if mode is not None:
            self._mode(*mode)
        elif is_event(native):
            self._event(native, text(get(native, "event")))
        elif is_message(native):
            self._any_message(native, None)
        elif (state := state_mode(native)) is not None:
            self._mode(state, native)
        else:
            self.say_unknown(native, ident(get(native, "type")))

    def _mode(self, mode: str, data: Any) -> None:
        if mode == "messages":
            message, metadata = (*items(data), None, None)[:2]
            self._any_message(message, metadata)
        elif mode == "custom":
            self._custom("custom", data)
        elif mode in ("updates", "values"):
            self._state(data, is_whole=mode == "values")
        elif mode == "tasks":
            for start in called(get(data, "input")):
                self._tool_started(start["tool_call_id"], start)

    def _state(self, data: Any, *, is_whole: bool) -> None:
        self._interrupted(get(data, "__interrupt__"))
        if is_whole:  # with what was said in earlier runs: this one answers the last question
            found = messages_in(data)
            last = max((i for i, one in enumerate(found) if text(get(one, "type")) == "human"), default=-1)
            found = found[last + 1 :]
        else:
            updates = data.values() if isinstance(data, Mapping) else ()
            found = [message for update in updates for message in messages_in(update)]
        for message in found:
            self._any_message(message, None)

    def _event(self, native: object, kind: str) -> None:
        data, run = get(native, "data"), ident(get(native, "run_id")) or ""
        metadata, output = get(native, "metadata"), get(data, "output")
        match kind:
            case "on_chat_model_start" | "on_llm_start":
                self._message_of(run, None, metadata)
            case "on_chat_model_stream":
                self._any_message(get(data, "chunk"), metadata, run)
            case "on_llm_stream":
                self._message_of(run, None, metadata)
                self.say_text("text", "0", text(get(data, "chunk", "text")))
            case "on_chat_model_end" | "on_llm_end":
                message = self._message_of(run, None, metadata)
                if is_message(output):
                    self._whole(message, output)
                self._finish(message)
                self._open.pop(run, None)
            case "on_tool_start":
                self._tool_run_started(run, get(native, "name"), get(data, "input"))
            case "on_tool_end":
                self._tool_run_ended(run, output)
            case "on_tool_error":
                self._tool_run_failed(run, get(data, "error"))
            case "on_custom_event":
                self._custom(text(get(native, "name")) or kind, data)
            case "on_chain_stream":
                self._interrupted(get(data, "chunk", "__interrupt__"))

    # Messages.

    def _any_message(self, message: object, metadata: object, run: str | None = None) -> None:
        kind = kind_of(message) if is_message(message) else ""
        key = run or ident(get(metadata, "langgraph_checkpoint_ns")) or ""
        if kind == "piece":
            self._piece(self._message_of(key, message, metadata), message)
            if text(get(message, "chunk_position")) == "last":
                self._finish(self._open.pop(key))
        elif kind == "ai":
            native_id = ident(get(message, "id"))
            known = self._by_id.get(native_id or "") or self._calls.repeated(message, self._messages)
            self._whole(known or self._new(message, metadata), message)
            self._finish(self._messages[-1] if known is None else known)
        elif kind == "tool":
            self._tool_result(message)
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
        self._envelope = {"message_id": message.id}
        return message

    def _new(self, native: object, metadata: object) -> Message:
        native_id = ident(get(native, "id"))
        message = Message(native_id or f"{self.run_id}:{len(self._messages)}", native_id)
        self._messages.append(message)
        if native_id:
            self._by_id[native_id] = message
        self._envelope = {"message_id": message.id}
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
        self._envelope = {"message_id": message.id}
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
            self._envelope = {"message_id": message.id}
            self.say(MessageFinished, finish_reason=message.finish_reason, usage=message.usage)

    def _close(self) -> None:
        for message in self._open.values():
            self._finish(message)

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
        self._envelope = {}
        self.say(ToolStarted, **fields)

    def _tool_run_started(self, run: str, name: object, args: object) -> None:
        call_id = self._calls.find(text(name), plain(args))
        if call_id is not None:
            self._tool_runs[run] = call_id
            self._tool_started(call_id, {"tool_call_id": call_id, "tool_name": text(name)})

    def _tool_run_ended(self, run: str, output: object) -> None:
        found = messages_in(output) or messages_in(get(output, "update"))
        for message in found:
            self._any_message(message, None)
        if not found and run in self._tool_runs:
            self.say(ToolFinished, tool_call_id=self._tool_runs[run], output=plain(output))

    def _tool_run_failed(self, run: str, error: object) -> None:
        if run in self._tool_runs:
            why = reason(str(error) if isinstance(error, BaseException) else plain(error))
            self.say(ToolFinished, tool_call_id=self._tool_runs[run], status="error", output=why, error=why)

    def _tool_result(self, message: object) -> None:
        call_id = ident(get(message, "tool_call_id"))
        if call_id is None:
            self.say_unknown(message, "tool")
            return
        fields, files = message_result(call_id, message, is_error=text(get(message, "status")) == "error")
        if not self._calls.answer(call_id, fields):
            return
        if call_id in self._calls.known:
            self._finish(self._calls.known[call_id].message)
        self._envelope = {}
        self.say(ToolFinished, **fields)
        for i, file in enumerate(files):
            self.say(Artifact, artifact_id=f"{call_id}:{i}", tool_call_id=call_id, **file)

    # What is paused, and what an application says itself.

    def _interrupted(self, interrupts: object) -> None:
        for interrupt in items(interrupts):
            value = get(interrupt, "value")
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

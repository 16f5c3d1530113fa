"""Read LangGraph and LangChain: ``stream(stream_mode=…)``, ``astream_events`` v2 and v3, a model's stream, langgraph-sdk.

LangGraph repeats a message in several modes (``messages``, then ``updates``, then ``values``);
``_messages`` recognises the repeats. Chunks belong to the message of their checkpoint namespace or run,
because some providers change the id in the middle of a message. Only ``tasks`` and events report the
start of a tool. A graph inside a tool call is a subagent. Source: the streaming guides of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vibe_notebook.events import ToolFinished

from .._fields import get, ident, items, plain, reason, text
from ._langchain_messages import (
    TURNS,
    finish_reason_in,
    is_message,
    kind_of,
    messages_in,
    short_message,
    usage_in,
    whole_texts,
)
from ._modes import calls_in, is_event, is_known, is_protocol, mode_of, namespace_of, state_mode
from ._protocol import ProtocolAdapter
from ._server import ServerPart, is_server, part_of, whole_message

__all__ = ["LangGraphAdapter", "matches"]


def matches(native: object) -> bool:
    """Return whether *native* certainly comes from LangChain, LangGraph or its server."""
    return is_known(native) or is_server(native)


class LangGraphAdapter(ProtocolAdapter):
    """Read one run of a graph, including its subgraphs."""

    name = "langgraph"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._tool_runs: dict[str, str] = {}

    def _read(self, native: object) -> None:
        mode = mode_of(native)
        if is_protocol(native):
            self._protocol(native)
        elif mode is not None:
            namespace = namespace_of(native)
            key = self._subagent_of(namespace[0]) if namespace else None
            if key is not None:
                self._out += self._subagents.feed(key, (namespace[1:], *mode))
            else:
                self._interrupted(get(native, "interrupts"))
                self._mode(*mode)
        elif (part := part_of(native)) is not None:
            key = self._subagent_of(part.namespace[0]) if part.namespace else None
            if key is not None:
                self._out += self._subagents.feed(key, part.inner())
            else:
                self._server(part)
        elif is_event(native):
            key = next(
                (run for run in map(ident, items(get(native, "parent_ids"))) if run in self._tool_runs), None
            )
            if key is not None:
                self._subagent_event(key, native)
            else:
                self._event(native, text(get(native, "event")))
        elif is_message(native):
            self._any_message(native, None)
        elif (state := state_mode(native)) is not None:
            self._mode(state, native)
        else:
            self.emit_unknown(native, ident(get(native, "type")))

    def _mode(self, mode: str, data: Any) -> None:
        if mode == "messages":
            message, metadata = (*items(data), None, None)[:2]
            self._any_message(short_message(message) or message, metadata)
        elif mode == "custom":
            self._custom("custom", data)
        elif mode in ("updates", "values"):
            self._state(data, is_whole=mode == "values")
        elif mode == "tasks":
            starts, task = calls_in(get(data, "input")), ident(get(data, "id"))
            for start in starts:
                self._tool_started(start["tool_call_id"], start)
            if len(starts) == 1 and task is not None:
                self._keys_by_call[starts[0]["tool_call_id"]] = f"{text(get(data, 'name'))}:{task}"
            self._asked(get(data, "input"))
            for message in self._newest(messages_in(get(data, "result")), is_whole=False):
                self._any_message(message, None)
        elif mode == "debug" and text(get(data, "type")) in ("task", "task_result"):
            self._mode("tasks", get(data, "payload"))

    def _server(self, part: ServerPart) -> None:
        """Read a part of the server's stream."""
        match part.kind:
            case "messages/partial":
                for message in items(part.data):
                    self._so_far(message)
            case "messages/complete":
                for message in items(part.data):
                    self._any_message(whole_message(message), None)
            case "events":
                self._read(part.data)
            case "error":
                name, words = text(get(part.data, "error")), text(get(part.data, "message"))
                error = ": ".join(filter(None, (name, words))) or text(part.data) or "error"
                self.end("error", error, name or None)
            case "end" | "feedback" | "messages/metadata" | "metadata":
                pass
            case _:
                self._mode(part.kind, part.data)

    def _so_far(self, message: object) -> None:
        """Show the news of a message that comes whole so far, again and again."""
        if kind_of(message) not in ("ai", "chunk"):
            self._any_message(message, None)
            return
        found = self._by_id.get(ident(get(message, "id")) or "") or self._new(message, None)
        self._set_place(found)
        for (kind, part_id), body in whole_texts(message).items():
            found.parts[kind, part_id] = None
            written = self.streamed.read((found.id, kind, part_id))
            if body.startswith(written):
                self.emit_text(kind, part_id, body[len(written) :])
            else:
                self.emit_whole(kind, part_id, body)
        for chunk in items(get(message, "tool_call_chunks")):
            call_id, name = ident(get(chunk, "id")), text(get(chunk, "name")) or None
            if call_id is not None:
                self._calls.of(found, call_id, name)
                self.emit_rest_of_args(call_id, name, text(get(chunk, "args")))
        found.usage = usage_in(message, None) or found.usage
        found.finish_reason = finish_reason_in(message) or found.finish_reason

    def _state(self, data: Any, *, is_whole: bool) -> None:
        self._interrupted(get(data, "__interrupt__"))
        if is_whole:  # a whole state has the messages of earlier runs; this run answers the last question
            found = self._newest(messages_in(data), is_whole=True)
        else:
            updates = data.values() if isinstance(data, Mapping) else ()
            found = [one for update in updates for one in self._newest(messages_in(update), is_whole=False)]
        for message in self._without_repeats(found) if is_whole else found:
            self._any_message(message, None)

    def _asked(self, state: object) -> None:
        """Show the newest request in the input of a graph, of a node or of a model."""
        for message in self._newest(messages_in(state), is_whole=True):
            if kind_of(message) in TURNS:
                self._turn(message, kind_of(message))

    def _event(self, native: object, kind: str) -> None:
        data, run = get(native, "data"), ident(get(native, "run_id")) or ""
        metadata, output = get(native, "metadata"), get(data, "output")
        is_root = not items(get(native, "parent_ids"))
        is_node = kind == "on_chain_start" and get(native, "name") == get(metadata, "langgraph_node")
        is_first = self.parent_run_id is not None and not self._messages  # a subagent's input has no event
        if kind in ("on_chain_start", "on_chat_model_start") and (is_root or is_node or is_first):
            self._asked(get(data, "input"))
        match kind:
            case "on_chat_model_start" | "on_llm_start":
                self._message_of(run, None, metadata)
            case "on_chat_model_stream":
                self._any_message(get(data, "chunk"), metadata, run)
            case "on_llm_stream":
                self._message_of(run, None, metadata)
                self.emit_text("text", "0", text(get(data, "chunk", "text")))
            case "on_chat_model_end" | "on_llm_end":
                message = self._message_of(run, None, metadata)
                if is_message(output):
                    self._whole(message, output)
                self._finish(message)
                self._open.pop(run, None)
            case "on_tool_start":
                self._tool_run_started(run, get(native, "name"), data)
            case "on_tool_end":
                self._tool_run_ended(run, output)
            case "on_tool_error":
                self._tool_run_failed(run, data)
            case "on_custom_event":
                self._custom(text(get(native, "name")) or kind, data)
            case "on_chain_stream":
                self._interrupted(get(data, "chunk", "__interrupt__"))

    # Tools and subagents in events.

    def _tool_run_started(self, run: str, name: object, data: object) -> None:
        args = plain(get(data, "input"))
        call_id = ident(get(data, "tool_call_id")) or self._calls.find(text(name), args)
        if call_id is not None:
            self._tool_runs[run] = call_id
            self._tool_started(call_id, {"tool_call_id": call_id, "tool_name": text(name)})

    def _subagent_event(self, run: str, native: object) -> None:
        """Read an event of a model or graph that a tool's run started."""
        call_id = self._tool_runs[run]
        is_shown = text(get(native, "event")).startswith(("on_chat_model", "on_llm", "on_tool", "on_custom"))
        if run not in self._subagents and not is_shown:
            return
        if run not in self._subagents:
            self._link(run, call_id, ident(get(native, "metadata", "lc_agent_name")))
        self._out += self._subagents.feed(run, native)

    def _tool_run_ended(self, run: str, output: object) -> None:
        found = messages_in(output) or messages_in(get(output, "update"))
        for message in found:
            self._any_message(message, None)
        if not found and run in self._tool_runs:
            self._end_subagent(self._tool_runs[run])
            self.emit_result(output, tool_call_id=self._tool_runs[run])

    def _tool_run_failed(self, run: str, data: object) -> None:
        error, call_id = get(data, "error"), ident(get(data, "tool_call_id"))
        if call_id is not None:
            self._tool_runs.setdefault(run, call_id)
        if run in self._tool_runs:
            why = reason(str(error) if isinstance(error, BaseException) else plain(error))
            self._end_subagent(self._tool_runs[run], outcome="error", error=why)
            self.emit(ToolFinished, tool_call_id=self._tool_runs[run], status="error", output=why, error=why)

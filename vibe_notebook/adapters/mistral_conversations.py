"""Read Mistral's conversations and agents: ``beta.conversations.start_stream(…)``, ``append_stream`` and ``restart_stream``.

An event names its entry by ``id``: a message, a call of a function, or a tool that Mistral runs. The application runs
its functions, and may feed in their results: as ``function.result`` entries, as the reports of ``_tool_results``, or as
our events. Source: ``mistralai.client.models.ConversationEvents``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook.events import Artifact, Custom, ToolStarted, Usage

from ._base import Adapter
from ._fields import get, ident, integer, items, parsed, plain, text
from ._files import block_file
from ._tool_results import read_report

__all__ = ["MistralConversationsAdapter", "matches"]

_KINDS: Final = frozenset(
    (
        "agent.handoff.done",
        "agent.handoff.started",
        "conversation.response.done",
        "conversation.response.error",
        "conversation.response.started",
        "function.call.delta",
        "message.output.delta",
        "tool.execution.delta",
        "tool.execution.done",
        "tool.execution.started",
    )
)


def matches(native: object) -> bool:
    """Return whether *native* is an event of a conversation, its data, or a function's result."""
    body = _data_in(native)
    if text(get(body, "type")) == "function.result":
        return ident(get(body, "tool_call_id")) is not None
    return text(get(body, "type")) in _KINDS


def _data_in(native: object) -> object:
    """Return the data of an event; its ``type`` is the event's name."""
    data = get(native, "data")
    return data if text(get(data, "type")) and not text(get(native, "type")) else native


@dataclass
class _Message:
    id: str
    place: str | None = None
    """The newest text: a source stands behind it."""


class MistralConversationsAdapter(Adapter):
    """Read one run: one request, or a loop of requests and function calls."""

    name = "mistral_conversations"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._count = 0
        self._agents: dict[str, str] = {}
        """The names of agents, by their ids."""
        self._before: str | None = None
        """The name of the agent that hands the conversation over."""
        self._tools: set[str] = set()
        """The tools of Mistral that have started."""

    def _read(self, native: object) -> None:
        body = _data_in(native)
        kind = text(get(body, "type"))
        match kind:
            case "conversation.response.started":
                self._finish_message()
            case "message.output.delta":
                self._output(body)
            case "function.call.delta":
                self._function_call(body)
            case "function.result":
                self._answer(body)
            case "tool.execution.started" | "tool.execution.delta" | "tool.execution.done":
                self._tool(body, kind.rpartition(".")[2])
            case "agent.handoff.started":
                self._before = self._name_agent(body, "previous_agent")
            case "agent.handoff.done":
                after = self._name_agent(body, "next_agent")
                value = f"{self._before or '?'} → {after or '?'}"
                self.emit(Custom, name="handoff", value=value, shown=True)
            case "conversation.response.done":
                self._done(get(body, "usage"))
            case "conversation.response.error":
                code = ident(get(body, "code"))
                self.end("error", text(get(body, "message")) or code or "error", code)
            case _:
                self._app(native, body)

    def _app(self, native: object, body: object) -> None:
        if (report := read_report(native)) is not None:
            self._finish_message()
            self.emit_report(report)
        elif (raw := get(body, "raw")) is not None and get(body, "is_unknown") is True:
            self.emit_unknown(raw, text(get(raw, "type")) or text(get(native, "event")) or "UNKNOWN")
        else:
            self.emit_unknown(native, text(get(body, "type")) or ident(get(native, "event")))

    def _name_agent(self, body: object, field: str) -> str | None:
        name, key = ident(get(body, f"{field}_name")), ident(get(body, f"{field}_id"))
        if name and key:
            self._agents[key] = name
        return name or key

    # Messages.

    def _open(self, body: object, native_id: str | None) -> _Message:
        message = self._message
        if message is None or (native_id is not None and message.id != native_id):
            self._finish_message()
            message = self._message = _Message(native_id or f"{self.run_id}:{self._count}")
            self._count += 1
            self.begin_message(message.id, agent_name=self._agents.get(ident(get(body, "agent_id")) or ""))
        self._envelope = {"message_id": message.id}
        return message

    def _finish_message(self, usage: Usage | None = None) -> None:
        message, self._message = self._message, None
        if message is not None:
            self.end_message(message.id, usage=usage)
        self._envelope = {}

    def _close(self) -> None:
        self._finish_message()

    def _done(self, used: object) -> None:
        usage = Usage(
            input_tokens=integer(get(used, "prompt_tokens")),
            output_tokens=integer(get(used, "completion_tokens")),
        )
        self._open(None, None)
        self._finish_message(usage if used is not None else None)

    def _output(self, body: object) -> None:
        message = self._open(body, ident(get(body, "id")))
        content, place = get(body, "content"), ident(get(body, "content_index")) or "0"
        kind = "text" if isinstance(content, str) else text(get(content, "type"))
        if kind == "text":
            message.place = place
            self.emit_text("text", place, text(content) or text(get(content, "text")))
        elif kind == "thinking":
            inner = get(content, "thinking")
            words = text(inner) or "".join(text(get(one, "text")) for one in items(inner))
            self.emit_text("thinking", place, words)
        elif kind == "tool_reference":
            self._cite(message, place, content)
        elif (file := block_file(content)) is not None:
            self.emit(Artifact, artifact_id=f"{message.id}:{place}", part_id=place, **file)
        else:
            self.emit_unknown(content, kind or "content")

    def _cite(self, message: _Message, place: str, native: object) -> None:
        """Show a source: the reference stands behind its words, in a content of its own."""
        found = {"url": text(get(native, "url")), "title": text(get(native, "title"))}
        fields: dict[str, Any] = {name: value for name, value in found.items() if value}
        if not fields:
            return
        if message.place is None:
            self.emit_citation(place, fields)
        else:
            at = len(self.streamed.read((message.id, "text", message.place)))
            self.emit_citation(message.place, {**fields, "start": at, "end": at})

    # Tools.

    def _function_call(self, body: object) -> None:
        call_id = ident(get(body, "tool_call_id")) or ident(get(body, "id"))
        if call_id is None:
            self.emit_unknown(body, "function.call.delta")
            return
        self._open(body, None)
        self.emit_args(call_id, text(get(body, "name")) or None, text(get(body, "arguments")))

    def _answer(self, body: object) -> None:
        call_id = ident(get(body, "tool_call_id"))
        if call_id is None:
            self.emit_unknown(body, "function.result")
            return
        self._finish_message()
        self.emit_result(parsed(get(body, "result")), tool_call_id=call_id)

    def _tool(self, body: object, step: str) -> None:
        call_id = ident(get(body, "id"))
        if call_id is None:
            self.emit_unknown(body, f"tool.execution.{step}")
            return
        self._open(body, None)
        name, args = text(get(body, "name")) or None, text(get(body, "arguments"))
        self.emit_args(call_id, name, args)
        if step != "done" and call_id not in self._tools:
            self._tools.add(call_id)
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name)
        elif step == "done":
            written = parsed(self.streamed.read_args(self._args_keys.get(call_id), call_id))
            if written is not None:
                self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=written)
            self.emit_result(plain(get(body, "info")), tool_call_id=call_id, tool_name=name)

"""Read CrewAI: the chunks of ``Crew(stream=True)``, the events of its bus, and the frames of a streaming flow.

A frame is an event in another envelope. Events tell all: each model call is a message, each task of an agent a turn.
The tools' events do not name the model's call: its name and arguments find it. A chunk tells text and calls, never
results or ends of messages. A chunk's ``arguments`` are the text so far with some providers, and a delta with others.
Source: ``crewai.types.streaming``, ``crewai.events``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vibe_notebook._json_values import bounded_repr
from vibe_notebook.events import MessageFinished, MessageStarted, ToolStarted, Usage

from ._base import Adapter
from ._call_ids import CALLS, drop_oldest
from ._fields import fields_of, get, ident, integer, items, parsed, plain, reason, text
from ._result_blocks import read_result

__all__ = ["CrewAIAdapter", "matches"]

_CHUNK: Final = {"chunk_type", "content", "task_index", "agent_role"}
_EVENT: Final = {"type", "event_id", "emission_sequence", "source_fingerprint"}
_FRAME: Final = {"type", "channel", "namespace", "previous_id", "data"}
_TOLD_ELSEWHERE: Final = frozenset(
    (
        *("default_env", "crew_kickoff_completed", "task_started", "task_completed", "tool_failure_detected"),
        *("agent_execution_started", "agent_execution_completed", "agent_execution_error"),
        *("agent_logs_execution", "lite_agent_execution_completed", "lite_agent_execution_error"),
        *("flow_created", "flow_started", "flow_finished", "method_execution_finished"),
    )
)
"""Events that repeat others, or that only name a beginning or an end."""
_FAILURES: Final = frozenset(
    ("agent_execution_error", "lite_agent_execution_error", "method_execution_failed", "task_failed")
)
"""Failures of a part of the run, after which the part may be tried once more."""
_MENDED: Final = {
    "agent_execution_completed": ("agent_execution_error",),
    "lite_agent_execution_completed": ("lite_agent_execution_error",),
    "task_completed": ("agent_execution_error", "task_failed"),
    "method_execution_finished": ("method_execution_failed",),
    "flow_finished": tuple(_FAILURES),
}
"""The failures that an event shows to be mended."""


def matches(native: object) -> bool:
    """Return whether *native* is a chunk, an event or a frame, by fields that no other SDK has together."""
    names = fields_of(native).keys()
    if names >= _CHUNK:
        return bool(_kind_of_chunk(native))
    return (names >= _EVENT or names >= _FRAME) and bool(text(get(native, "type")))


def _kind_of_chunk(native: object) -> str:
    kind = get(native, "chunk_type")
    kind = kind if isinstance(kind, str) else get(kind, "value")
    return kind if kind in ("text", "tool_call") else ""


@dataclass
class _Call:
    id: str
    name: str
    event: str | None = None
    """The id of the event that started its tool."""
    args: Any = None
    is_finished: bool = False


class CrewAIAdapter(Adapter):
    """Read one run of a crew, of an agent or of a flow."""

    name = "crewai"
    tells_usage = True
    has_think_tags = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._calls: dict[str, _Call] = {}
        self._open: dict[str, None] = {}
        """The messages that have begun, of events by the id of the model call."""
        self._ended: dict[str, None] = {}
        """The messages that have come whole."""
        self._message: str | None = None
        self._count = 0
        self._place: tuple[Any, ...] = ()
        """The task and the agent of the last chunk."""
        self._has_calls = False
        self._agent: str | None = None
        self._depth = 0
        self._failures: dict[str, str] = {}
        """The words of the failures that nothing has mended, by the kind of their event."""

    def _read(self, native: object) -> None:
        names = fields_of(native).keys()
        if names >= _CHUNK and _kind_of_chunk(native):
            self._chunk(native)
            return
        kind = text(get(native, "type"))
        data = get(native, "data") if names >= _FRAME else native
        event_id = ident(get(native, "id" if names >= _FRAME else "event_id"))
        if not matches(native):
            self.emit_unknown(native, kind)
            return
        if kind in _FAILURES:
            self._failures.setdefault(kind, _reason(get(data, "error")) or kind)
        for mended in _MENDED.get(kind, ()):
            self._failures.pop(mended, None)
        if kind not in _TOLD_ELSEWHERE or kind == "crew_kickoff_completed":
            self._event(kind, data, event_id)

    def _close(self) -> None:
        for message in list(self._open):
            self._end_message(message)
        for words in self._failures.values():
            self.end("error", words)

    # Chunks.

    def _chunk(self, native: object) -> None:
        place = get(native, "task_index"), get(native, "task_id"), get(native, "agent_id")
        is_call = _kind_of_chunk(native) == "tool_call"
        if self._message is not None and (place != self._place or (self._has_calls and not is_call)):
            self._end_message(self._message)
            self._message = None
        self._place = place
        self._name_agent(text(get(native, "agent_role")))
        if self._message is None:
            self._message, self._has_calls = f"{self.run_id}:{self._count}", False
            self._count += 1
        self._begin_message(self._message)
        content = text(get(native, "content"))
        if not is_call:
            self.emit_text("text", "0", content)
            return
        self._has_calls = True
        call = get(native, "tool_call")
        index = integer(get(call, "index")) or 0
        self._written(
            ident(get(call, "tool_id")), index, get(call, "tool_name"), get(call, "arguments"), content
        )

    def _written(self, call_id: str | None, index: int, name: object, args: object, delta: str) -> None:
        """Emit what the model has written of a call; *args* may be all of it so far, *delta* is the newest piece."""
        message = self._envelope["message_id"]
        known = self._calls.get(f"{message}:{index}") if call_id is None else self._calls.get(call_id)
        if known is None or known.is_finished:  # some servers number the calls of each message anew
            known = _Call(call_id or f"{message}:{index}", text(name))
            self._calls.pop(known.id, None)
            self._calls[known.id] = known
            drop_oldest(self._calls, CALLS)
            self.announce_call(known.id, known.name)
        whole = text(args)
        written = self.streamed.read(self._key("args", known.id))
        if whole.startswith(written) and whole != delta:
            self.emit_rest_of_args(known.id, known.name, whole)
        elif whole or delta:
            self.emit_args(known.id, known.name, delta or whole)

    # Messages.

    def _begin_message(self, message: str) -> None:
        self._envelope = {"message_id": message}
        if message not in self._open:
            self._open[message] = None
            self.emit(MessageStarted)

    def _end_message(self, message: str, **fields: Any) -> None:
        self._envelope = {"message_id": message}
        self._open.pop(message, None)
        self.emit(MessageFinished, **fields)
        self.streamed.forget(message)

    def _name_agent(self, role: str) -> None:
        """Emit a line where another agent begins than the one before."""
        if role and self._agent not in (None, role):
            self._envelope = {}
            self.emit_unknown(role, "agent", shown=True)
        self._agent = role or self._agent

    # Events.

    def _event(self, kind: str, data: object, event_id: str | None) -> None:
        if kind.startswith(("llm_call_", "llm_stream_", "llm_thinking_")):
            self._model_event(kind, data)
            return
        match kind:
            case "crew_kickoff_started":
                self._depth += 1
                self.start(input=plain(get(data, "inputs")) or None)
            case "crew_kickoff_completed":
                self._depth -= 1
                if self._depth <= 0:
                    self._failures.clear()
                    self._result = _output(get(data, "output"))
            case "crew_kickoff_failed" | "flow_failed":
                self.end("error", _reason(get(data, "error")))
            case "agent_logs_started":
                self._name_agent(text(get(data, "agent_role")))
                self.emit_turn(text(get(data, "task_description")))
            case "tool_usage_started":
                self._tool_started(data, event_id)
            case "tool_usage_finished":
                self._tool_finished(data, event_id, get(data, "failure"))
            case "tool_usage_error" | "tool_validate_input_error" | "tool_selection_error":
                self._tool_finished(data, event_id, get(data, "error"))
            case "method_execution_started":
                self.emit_unknown(text(get(data, "method_name")), kind, shown=True)
            case "method_execution_failed" | "task_failed":
                self.emit_unknown(_reason(get(data, "error")), kind, shown=True)
            case _:
                self._unknown(kind, data)

    def _unknown(self, kind: str, data: object) -> None:
        # An event may hold the crew, its agents and their memory.
        fields = fields_of(data).items()
        own = {name: value for name, value in fields if isinstance(value, str | int | float | bool)}
        self.emit_unknown(own, kind)

    def _model_event(self, kind: str, data: object) -> None:
        message = ident(get(data, "call_id")) or f"{self.run_id}:call"
        self._begin_message(message)
        match kind:
            case "llm_call_started":
                pass
            case "llm_stream_chunk":
                self._model_chunk(data)
            case "llm_thinking_chunk":
                self.emit_text("thinking", "0", text(get(data, "chunk")))
            case "llm_call_completed":
                self._completed(data, message)
            case "llm_call_failed":
                self._end_message(message, finish_reason="error")
                self._last_problem["error"] = _reason(get(data, "error"))
            case _:
                self._unknown(kind, data)

    def _model_chunk(self, data: object) -> None:
        call, chunk = get(data, "tool_call"), text(get(data, "chunk"))
        if call is None:
            self.emit_text("text", "0", chunk)
            return
        index, body = integer(get(call, "index")) or 0, get(call, "function")
        self._written(ident(get(call, "id")), index, get(body, "name"), get(body, "arguments"), chunk)

    def _completed(self, data: object, message: str) -> None:
        response = get(data, "response")
        if isinstance(response, str) and response:
            self.emit_whole("text", "0", text(response))
        for call in items(response):
            call_id, name = ident(get(call, "id")), text(get(call, "function", "name"))
            known = self._calls.get(call_id or "")
            is_new = known is None or (known.is_finished and message not in self._ended)
            if call_id is not None and is_new and name.isidentifier():
                self._calls.pop(call_id, None)
                self._calls[call_id] = _Call(call_id, name)
                self.announce_call(call_id, name)
                self.emit_rest_of_args(call_id, name, text(get(call, "function", "arguments")))
        self._ended[message] = None
        drop_oldest(self._ended, CALLS)
        fields = {"usage": _usage(data), "finish_reason": ident(get(data, "finish_reason"))}
        self._end_message(message, **fields)

    # Tools.

    def _tool_started(self, data: object, event_id: str | None) -> None:
        name, args = text(get(data, "tool_name")), parsed(get(data, "tool_args"))
        call = self._of_model(name, args)
        if call is None:
            call = _Call(event_id or f"{self.run_id}:tool:{len(self._calls)}", name)
            self._calls[call.id] = call
            drop_oldest(self._calls, CALLS)
        call.event, call.args = event_id or call.id, args
        self.emit(ToolStarted, tool_call_id=call.id, tool_name=name or None, args=args)

    def _of_model(self, name: str, args: Any) -> _Call | None:
        """Return the model's call that has this name and these arguments, and has not started."""
        waiting = [
            call
            for call in self._calls.values()
            if call.name == name and call.event is None and not call.is_finished
        ]
        same = [
            call
            for call in waiting
            if plain(parsed(self.streamed.read_args(self._args_keys.get(call.id), call.id))) == plain(args)
        ]
        found = same or (waiting if len(waiting) == 1 else [])
        return found[0] if found else None

    def _tool_finished(self, data: object, event_id: str | None, failure: object) -> None:
        name, args = text(get(data, "tool_name")), parsed(get(data, "tool_args"))
        started = ident(get(data, "started_event_id"))
        running = [call for call in self._calls.values() if call.event is not None and not call.is_finished]
        found = [call for call in running if call.event == started] or [
            call for call in running if call.name == name and call.args == args
        ]
        call = found[0] if found else self._of_model(name, args)
        call_id = call.id if call is not None else (event_id or f"{self.run_id}:tool:{len(self._calls)}")
        if call is not None:
            call.is_finished = True
        fields: dict[str, Any] = {"tool_call_id": call_id, "tool_name": name or None}
        output = get(data, "output")
        if failure is not None:
            why = text(get(failure, "message")) or _reason(failure)
            fields |= {"status": "error", "error": why}
            output = why if output is None else output
        self.emit_result(read_result(output), **fields)


def _reason(error: object) -> str:
    return bounded_repr(error) if isinstance(error, BaseException) else reason(error)


def _output(output: object) -> Any:
    raw = get(output, "raw")
    return plain(get(output, "json_dict")) or (text(raw) if isinstance(raw, str) else plain(output))


def _usage(data: object) -> Usage | None:
    used = get(data, "usage")
    counts: dict[str, Any] = {}
    for name, others in (
        ("input_tokens", ("prompt_tokens", "input_tokens", "prompt_token_count")),
        ("output_tokens", ("completion_tokens", "output_tokens", "candidates_token_count")),
        ("cached_input_tokens", ("cached_prompt_tokens",)),
        ("reasoning_tokens", ("reasoning_tokens",)),
    ):
        counts[name] = next((found for one in others if (found := integer(get(used, one))) is not None), None)
    if counts["input_tokens"] is None and counts["output_tokens"] is None:
        return None
    return Usage(**counts, model=text(get(data, "model")) or None)

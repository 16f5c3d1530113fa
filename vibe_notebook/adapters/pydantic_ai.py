"""Read pydantic-ai 1.x and 2.x: ``Agent.run_stream_events``, and the events of ``event_stream_handler``.

The SDK has no message ids, so this adapter makes them. Arrival is the order. Source:
``pydantic_ai.messages``, whose kinds stand in ``event_kind``, ``part_kind`` and ``part_delta_kind``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vibe_notebook.events import (
    Artifact,
    Event,
    MessageFinished,
    ToolProgress,
    ToolStarted,
)

from ._base import Adapter
from ._citations import source_citations
from ._fields import get, ident, integer, items, json_text, number, parsed, plain, reason, text, usage_of
from ._files import said, split_files
from ._result_blocks import read_result

__all__ = ["PydanticAIAdapter", "matches"]

_TEXTS: Final = frozenset(("text", "thinking"))
_STATUS: Final = {"failed": "error", "retried": "error", "denied": "denied", "interrupted": "cancelled"}
_TURNS: Final = {"user-prompt": "user", "system-prompt": "system"}
_PROGRESS: Final = frozenset(("done", "progress", "total", "message"))
_CUSTOM_ENVELOPE: Final = frozenset(
    ("event_kind", "name", "kind", "tool_call_id", "tool_name", "capability_id"),
)


def matches(native: object) -> bool:
    """Return whether *native* is an event of pydantic-ai; only these have an ``event_kind``."""
    return isinstance(get(native, "event_kind"), str)


@dataclass
class _Part:
    kind: str
    has_delta: bool = False
    call_id: str = ""
    tool_name: str = ""
    merged: dict[str, Any] = field(default_factory=dict)
    """Arguments that the SDK sends as dicts; they have no text until they are complete."""


@dataclass
class _Message:
    id: str
    parts: dict[int, _Part] = field(default_factory=dict)
    is_complete: bool = False  # the last part has ended; only deltas may follow
    is_answered: bool = False  # the message's tools run, or have run


class PydanticAIAdapter(Adapter):
    """Read one agent run; the run of a nested agent has an adapter of its own."""

    name = "pydantic_ai"
    cancellations = frozenset(("RunCancelled",))

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: _Message | None = None
        self._messages = 0
        self._native_result: object = None
        """The SDK's own result, which has the messages of the run."""

    def exhausted(self, source: object) -> list[Event]:
        """Return the request of the run: only the SDK's own result has it, at the end."""
        del source
        self.emit_input(_prompt_of(self._native_result))
        return self._flush()

    def native_result(self, source: object, native: Any) -> Any:
        """Return the ``AgentRunResult``, which has all messages so far."""
        del source
        return get(native, "result") if get(native, "event_kind") == "agent_run_result" else native

    def _read(self, native: object) -> None:
        kind = ident(get(native, "event_kind"))
        if self._message is not None:
            self._envelope = {"message_id": self._message.id}
        match kind:
            case "part_start":
                self._part_start(native)
            case "part_delta":
                self._part_delta(native)
            case "part_end":
                self._part_end(native)
            case "function_tool_call" | "output_tool_call" | "builtin_tool_call":
                self._tool_call(native, kind)
            case "function_tool_result" | "output_tool_result" | "builtin_tool_result":
                self._tool_event_result(native, kind)
            case "deferred_tool_requests":
                self._awaiting(get(native, "requests"))
            case "custom" | "capability":
                self._custom(native, kind)
            case "agent_run_result":
                self._run_result(get(native, "result"))
            case "enqueued_messages":
                self._enqueued(native)
            case "final_result":
                pass  # names the part with the answer; the run's result has the answer itself
            case _:
                self.emit_unknown(native, kind)

    # Messages. The SDK marks no messages, but numbers the parts of each message from 0.

    def _open(self, *, anew: bool = False) -> _Message:
        if self._message is None or anew:
            self._close()
            self._message = _Message(f"{self.run_id}:{self._messages}")
            self._messages += 1
            self.begin_message(self._message.id)
        return self._message

    def _finish_answered(self) -> None:
        """Finish the message whose tools run: the next part belongs to another message."""
        if self._message is not None and not self._message.is_answered:
            self._message.is_answered = True
            self.emit(MessageFinished)

    def _close(self) -> None:
        if self._message is not None:
            self._envelope = {"message_id": self._message.id}
            self._finish_answered()
            self.streamed.forget(self._message.id)
            self._message = None

    def _starts_anew(self, index: int, native: object) -> bool:
        message = self._message
        if message is None or message.is_answered:
            return True
        # A part that replaces another part names the part before it. A message's first part cannot.
        if index or 0 not in message.parts or get(native, "previous_part_kind"):
            return False
        return message.is_complete or len(message.parts) > 1 or message.parts[0].has_delta

    # Parts of a model response.

    def _part_start(self, native: object) -> None:
        index, part = integer(get(native, "index")) or 0, get(native, "part")
        message = self._open(anew=self._starts_anew(index, native))
        old, new = message.parts.get(index), _Part(text(get(part, "part_kind")))
        message.parts[index] = new
        if old is not None and old.kind in _TEXTS and old.kind != new.kind:
            self.emit_whole(old.kind, str(index), "")
        match new.kind:
            case "text" | "thinking":
                emit = self.emit_text if old is None or old.kind not in _TEXTS else self.emit_whole
                emit(new.kind, str(index), text(get(part, "content")))
            case "tool-call" | "builtin-tool-call":
                self._name_call(message, index, new, part)
                if old is not None and old.call_id == new.call_id:
                    self.emit_rest_of_args(new.call_id, new.tool_name, json_text(get(part, "args")))
                else:
                    self._args_delta(new, get(part, "args"), is_shown=True)
            case "builtin-tool-return":
                self._tool_result(part, new.kind)
            case "file":
                files = split_files(get(part, "content"))
                self._files(files, f"{message.id}:{index}", part_id=str(index))
            case _:
                self.emit_unknown(part or native, new.kind or "part_start")

    def _part_delta(self, native: object) -> None:
        index, delta = integer(get(native, "index")) or 0, get(native, "delta")
        kind = text(get(delta, "part_delta_kind")).replace("tool_call", "tool-call")
        message = self._open()
        part = message.parts.setdefault(index, _Part(kind))
        part.has_delta = True
        if kind == "tool-call":
            name = text(get(delta, "tool_name_delta"))
            part.tool_name += name
            self._name_call(message, index, part, delta)
            self._args_delta(part, get(delta, "args_delta"), is_shown=bool(name))
        elif kind in _TEXTS:
            self.emit_text(kind, str(index), text(get(delta, "content_delta")))
        else:
            self.emit_unknown(native, "part_delta")

    def _part_end(self, native: object) -> None:
        index, whole = integer(get(native, "index")) or 0, get(native, "part")
        message, kind = self._open(), text(get(whole, "part_kind"))
        message.is_complete = message.is_complete or not get(native, "next_part_kind")
        part = message.parts.setdefault(index, _Part(kind))
        if kind in _TEXTS:
            self.emit_whole(kind, str(index), text(get(whole, "content")))
            for citation in items(get(whole, "citations")):
                for fields in source_citations(citation):
                    self.emit_citation(str(index), fields)
        elif kind in ("tool-call", "builtin-tool-call"):
            self._name_call(message, index, part, whole)
            args = get(whole, "args") or part.merged or None
            # Arguments that contradict the streamed text wait for ToolStarted, which replaces the text.
            self.emit_rest_of_args(part.call_id, part.tool_name, json_text(args))
            if (
                kind == "builtin-tool-call"
            ):  # the provider runs this tool; own tools have an event for their start
                self._emit_started(part.call_id, whole)

    # Tool calls.

    @staticmethod
    def _name_call(message: _Message, index: int, part: _Part, call: object) -> None:
        part.call_id = part.call_id or ident(get(call, "tool_call_id")) or f"{message.id}:{index}"
        part.tool_name = text(get(call, "tool_name")) or part.tool_name

    def _args_delta(self, part: _Part, args: object, *, is_shown: bool) -> None:
        if isinstance(args, Mapping):
            part.merged.update(plain(args))
        delta = text(args)
        if delta or is_shown:
            self.emit_args(part.call_id, part.tool_name or None, delta)

    def _tool_call(self, native: object, kind: str) -> None:
        call = get(native, "part")
        call_id = ident(get(call, "tool_call_id"))
        if call_id is None:
            self.emit_unknown(native, kind)
            return
        if kind != "builtin_tool_call":
            self._finish_answered()
        self._emit_started(call_id, call)

    def _emit_started(self, call_id: str, call: object) -> None:
        name = text(get(call, "tool_name")) or None
        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=parsed(get(call, "args")))

    def _tool_event_result(self, native: object, kind: str) -> None:
        if kind != "builtin_tool_result":
            self._finish_answered()
        part = get(native, "part")
        call_id = self._tool_result(get(native, "result") if part is None else part, kind)  # 1.x: result
        if call_id is not None:  # files that the tool adds for the model
            files = split_files(get(native, "content"))
            self._files(files, f"{call_id}:content", tool_call_id=call_id)

    def _tool_result(self, part: object, kind: str) -> str | None:
        call_id = ident(get(part, "tool_call_id"))
        if call_id is None:
            self.emit_unknown(part, kind)
            return None
        status = _STATUS.get(text(get(part, "outcome")), "ok")
        if text(get(part, "part_kind")) == "retry-prompt":
            status = "error"
        content = get(part, "content")
        self.emit_result(
            read_result(content, get(part, "metadata")),
            tool_call_id=call_id,
            tool_name=text(get(part, "tool_name")) or None,
            status=status,
            error=None if status == "ok" else reason(content),
        )
        return call_id

    def _files(self, files: list[dict[str, Any]], prefix: str, **of: str) -> None:
        for i, fields in enumerate(files):
            self.emit(Artifact, artifact_id=f"{prefix}:{i}", **fields, **of)

    def _awaiting(self, requests: object) -> bool:
        approvals = items(get(requests, "approvals"))
        for call in approvals:
            call_id = ident(get(call, "tool_call_id"))
            if call_id is not None:
                self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        return bool(approvals or items(get(requests, "calls")))

    def _custom(self, native: object, kind: str) -> None:
        """Emit a tool's progress, by its usual field names; emit all else under its own name."""
        fields = plain(native)
        if not isinstance(fields, dict):
            self.emit_unknown(native, kind)
            return
        name = text(fields.get("name")) or text(fields.get("kind")) or kind
        call_id = ident(fields.get("tool_call_id"))
        payload = {k: v for k, v in fields.items() if k not in _CUSTOM_ENVELOPE}
        if isinstance(
            payload.get("data", {}) or {}, dict
        ):  # the fields of a class that the SDK does not know
            payload |= payload.pop("data", None) or {}
        is_progress = call_id is not None and bool(_PROGRESS & payload.keys())
        if is_progress:
            done = payload.pop("done", None)
            done = payload.pop("progress", None) if done is None else done
            total, message = number(payload.pop("total", None)), text(payload.pop("message", None)) or None
            self.emit(ToolProgress, tool_call_id=call_id, progress=number(done), total=total, message=message)
            if not payload:
                return
        self.emit_unknown(payload, name, tool_call_id=call_id, shown=kind == "custom" and not is_progress)

    def _enqueued(self, native: object) -> None:
        """Show what the user, or the system, has said while the agent works."""
        key = ident(get(native, "enqueue_id"))
        for message in items(get(native, "messages")):
            for part in items(get(message, "parts")):
                if (role := _TURNS.get(text(get(part, "part_kind")))) is not None:
                    self._close()
                    self._envelope = {}
                    # The beginning of the id tells that the message does not replace the run's input.
                    message_id = f"steer-{key}:{self._turns}" if key else None
                    self.emit_turn(*said(get(part, "content")), role=role, message_id=message_id)

    def _run_result(self, result: object) -> None:
        self._native_result = result
        output, usage = get(result, "output"), get(result, "usage")
        if get(usage, "input_tokens") is None and callable(usage):  # 1.x: a method
            usage = usage()
        has_details = get(usage, "output_reasoning_tokens") is None  # 1.x
        reasoning = ("details", "reasoning_tokens") if has_details else ("output_reasoning_tokens",)
        self._result = plain(output)
        self._usage = usage_of(usage, cached=("cache_read_tokens",), reasoning=reasoning) or self._usage
        if self._awaiting(output):
            self.end("interrupted")


def _prompt_of(result: object) -> str:
    """Return the user's words that began the run; "" if the result does not tell them."""
    new_messages = get(result, "new_messages")
    try:
        messages = items(new_messages() if callable(new_messages) else None)
    except Exception:  # noqa: BLE001 - a foreign method may raise anything
        return ""
    parts = items(get(messages[0], "parts")) if messages else []
    prompts = [part for part in parts if text(get(part, "part_kind")) == "user-prompt"]
    return "\n".join(words for part in prompts if (words := said(get(part, "content"))[0]))

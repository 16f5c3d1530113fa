"""Read AG-UI, the events that an agent's server sends to a user interface, as objects or JSON.

Texts, thinking and tool calls have ids of their own, and arrival is the order. The protocol has no
field for a tool's failure: a late snapshot of the messages may report the failure, and pydantic-ai's
server hides the outcome in a value named "encrypted". The events of a subagent carry its run. Source:
the AG-UI 1.0 specification, ``ag_ui.core``. The adapter also reads the older ``THINKING_*`` events.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from vibe_notebook.events import (
    Custom,
    MessageFinished,
    MessageStarted,
    Plan,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import camel, get, ident, integer, items, parsed, plain, text
from ._files import from_url, said
from ._plans import others_in, patched, steps_in
from ._tool_results import message_result

__all__ = ["AGUIAdapter", "matches"]

_KINDS: Final = frozenset(
    [
        *(f"RUN_{verb}" for verb in ("STARTED", "FINISHED", "ERROR")),
        *(f"STEP_{verb}" for verb in ("STARTED", "FINISHED")),
        *(f"SUBAGENT_{verb}" for verb in ("STARTED", "FINISHED", "ERROR")),
        *(f"TEXT_MESSAGE_{verb}" for verb in ("START", "CONTENT", "END", "CHUNK")),
        *(f"TOOL_CALL_{verb}" for verb in ("START", "ARGS", "END", "RESULT", "CHUNK")),
        *(f"REASONING_MESSAGE_{verb}" for verb in ("START", "CONTENT", "END", "CHUNK")),
        *(f"THINKING_TEXT_MESSAGE_{verb}" for verb in ("START", "CONTENT", "END")),
        *("REASONING_START", "REASONING_END", "REASONING_ENCRYPTED_VALUE", "THINKING_START", "THINKING_END"),
        *("STATE_SNAPSHOT", "STATE_DELTA", "MESSAGES_SNAPSHOT", "ACTIVITY_SNAPSHOT", "ACTIVITY_DELTA"),
        *("RAW", "CUSTOM"),
    ]
)
_QUIET: Final = frozenset(
    (
        "REASONING_START",
        "REASONING_END",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_END",
        "THINKING_START",
        "THINKING_END",
        "THINKING_TEXT_MESSAGE_END",
    )
)
_TURNS: Final = {"user": "user", "system": "system", "developer": "system"}
"""The roles of messages that no agent has written."""
_STATUS: Final = {"failed": "error", "retried": "error", "denied": "denied", "interrupted": "cancelled"}


def matches(native: object) -> bool:
    """Return whether *native* is an event of AG-UI; only AG-UI writes its types in capitals."""
    return text(get(native, "type")) in _KINDS


class AGUIAdapter(Adapter):
    """Read one run, including its subagents."""

    name = "agui"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._text = self._thought = self._call = ""
        self._thoughts = 0
        self._open: dict[str, str] = {}
        self._hidden: set[str] = set()
        self._said: set[str] = set()
        """The shown messages that no agent has written."""
        self._runs: dict[str, str] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self._calls: dict[str, str | None] = {}
        """The message of each call."""
        self._texts: dict[str, int] = {}
        """The number of the present text part, by message: a message that starts again has another part."""
        self._history: set[str] | None = None
        """The messages of the first snapshot, if it came before everything else: earlier turns."""
        self._snapshots: list[Any] = []
        self._now: Any = None
        """The state of the application."""
        self._steps: list[dict[str, Any]] | None = None
        self._activities: dict[str, Any] = {}

    def _read(self, native: object) -> None:  # noqa: C901, PLR0912 - one flat table of the protocol's types
        kind = text(get(native, "type"))
        run = camel(native, "subagentRunId")
        self._envelope = {"run_id": self._run_of(run)} if ident(run) else {}
        delta = text(get(native, "delta"))
        match kind:
            case "RUN_STARTED":
                self._run_started(native)
            case "RUN_FINISHED":
                self._run_finished(native)
            case "RUN_ERROR":
                code = ident(get(native, "code"))
                self.end("error", text(get(native, "message")) or code or "error", code)
            case "SUBAGENT_STARTED" | "SUBAGENT_FINISHED" | "SUBAGENT_ERROR":
                self._subagent(native, kind)
            case "TEXT_MESSAGE_START":
                self._text_start(native)
            case "TEXT_MESSAGE_CONTENT" | "TEXT_MESSAGE_CHUNK":
                self._text_delta(native, delta)
            case "TEXT_MESSAGE_END":
                self._text_end(ident(camel(native, "messageId")) or self._text)
            case "REASONING_MESSAGE_CONTENT" | "REASONING_MESSAGE_CHUNK":
                self._thought = ident(camel(native, "messageId")) or self._thought
                self._thinking(self._thought, delta)
            case "THINKING_TEXT_MESSAGE_START":
                self._thoughts += 1
            case "THINKING_TEXT_MESSAGE_CONTENT":  # the older events have no ids
                self._thinking(f"thinking:{self._thoughts}", delta)
            case "TOOL_CALL_START" | "TOOL_CALL_ARGS" | "TOOL_CALL_CHUNK":
                self._args(native, delta, is_start=kind == "TOOL_CALL_START")
            case "TOOL_CALL_END":
                # The arguments are complete, so the tool can start. No other event reports its start.
                if (call_id := ident(camel(native, "toolCallId"))) is not None:
                    self.emit(ToolStarted, tool_call_id=call_id)
            case "TOOL_CALL_RESULT":
                self._tool_result(native)
            case "REASONING_ENCRYPTED_VALUE":
                self._hidden_outcome(native)
            case "MESSAGES_SNAPSHOT":
                self._snapshot(native)
            case "STATE_SNAPSHOT" | "STATE_DELTA":
                self._state(native, kind)
            case "ACTIVITY_SNAPSHOT" | "ACTIVITY_DELTA":
                self._activity(native, kind)
            case "CUSTOM":
                self.emit_unknown(get(native, "value"), text(get(native, "name")) or kind, shown=True)
            case _ if kind not in _QUIET:
                self.emit_unknown(native, ident(get(native, "type")))

    # Runs.

    def _run_started(self, native: object) -> None:
        """Start the run with the user's newest words, if its input holds the conversation."""
        given = get(native, "input")
        messages = items(get(given, "messages"))
        if not any(get(one, "role") == "user" for one in messages):
            self.start(input=plain(given))
        elif get(messages[-1], "role") == "user":
            self.start(input=_said(messages[-1])[0] or None)
            self._turn(messages[-1])
        else:  # the agent goes on with an earlier request
            self.start()

    def _turn(self, message: object) -> None:
        """Show a message of the user, once."""
        message_id = ident(get(message, "id"))
        if message_id is None or message_id not in self._said:
            self._said.update([message_id] if message_id else [])
            envelope, self._envelope = self._envelope, {}
            self.emit_turn(*_said(message), message_id=message_id)
            self._envelope = envelope

    def _run_of(self, native_id: object) -> str:
        key = ident(native_id) or ""
        return self._runs.setdefault(key, f"{self.run_id}/{key}")

    def _subagent(self, native: object, kind: str) -> None:
        if not self._envelope:
            self.emit_unknown(native, kind)
        elif kind == "SUBAGENT_STARTED":
            names = (camel(native, name) for name in ("subagentName", "agentName", "name"))
            name = next((one for one in map(ident, names) if one), None)
            call_id = ident(camel(native, "parentToolCallId"))
            parent = {"parent_run_id": self.run_id, "parent_tool_call_id": call_id}
            self.emit(RunStarted, agent_name=name, **parent)
        else:
            self._runs.pop(ident(camel(native, "subagentRunId")) or "", None)
            error = text(get(native, "message")) or None
            is_error = kind == "SUBAGENT_ERROR"
            run_id = self._envelope["run_id"]
            for message_id in [one for one, of in self._open.items() if of == run_id]:
                self._text_end(message_id)
            self._envelope = {"run_id": run_id}
            result = plain(get(native, "result"))
            outcome = "error" if is_error else "success"
            self.emit(RunFinished, outcome=outcome, error=error if is_error else None, result=result)

    def _run_finished(self, native: object) -> None:
        self._result = plain(get(native, "result"))
        self._usage = _usage(get(native, "usage")) or self._usage
        outcome = get(native, "outcome")
        name = text(get(outcome, "type")) or text(outcome)
        if name.startswith("cancel"):
            self.end("cancelled")
        elif name.startswith("interrupt"):
            self.end("interrupted")
            for interrupt in items(get(outcome, "interrupts")):
                self.emit(Custom, name="interrupt", value=plain(interrupt))

    def _close(self) -> None:
        if not self._has_shown():  # the run is only a snapshot
            newest = next((one for one in reversed(self._snapshots) if get(one, "role") == "user"), None)
            if newest is not None:
                self._turn(newest)
            self._show_unseen(self._snapshots)
        for message_id in list(self._open):
            self._text_end(message_id)
        for run_id in reversed(self._runs.values()):  # the stream did not end these subagents
            self._envelope = {"run_id": run_id}
            self.emit(RunFinished, **{"outcome": "success", **self._outcome})

    # Plans: a list of steps in the state, or in an activity.

    def _state(self, native: object, kind: str) -> None:
        if kind == "STATE_SNAPSHOT":
            self._now = plain(get(native, "snapshot"))
        else:
            self._now = patched(self._now, get(native, "delta"))
        if (steps := steps_in(self._now)) is not None and steps != self._steps:
            self._steps = steps
            self.emit(Plan, entries=steps)
        self.emit_unknown(native, kind)

    def _activity(self, native: object, kind: str) -> None:
        message_id = ident(camel(native, "messageId")) or "activity"
        if kind == "ACTIVITY_DELTA":
            now = patched(self._activities.get(message_id), get(native, "patch"))
        elif get(native, "replace") is False and message_id in self._activities:
            now = self._activities[message_id]
        else:
            now = plain(get(native, "content"))
        self._activities[message_id] = now
        if (steps := steps_in(now)) is not None:
            self.emit(Plan, plan_id=message_id, entries=steps)
            if others := others_in(now):
                self.emit_unknown(others, "plan", shown=True)
        else:
            self.emit_unknown(now, text(camel(native, "activityType")) or kind, shown=True)

    # Texts and thinking.

    def _text_start(self, native: object) -> None:
        self._text = ident(camel(native, "messageId")) or f"{self.run_id}:{len(self._texts)}"
        role = text(get(native, "role")) or "assistant"
        if role not in ("assistant", *_TURNS) or self._text in self._said:
            self._hidden.add(self._text)
            if role not in _TURNS:
                self.emit_unknown(native, "TEXT_MESSAGE_START")
        elif self._text not in self._open:
            self._open[self._text] = self._envelope.get("run_id", self.run_id)
            self._envelope["message_id"] = self._text
            if self._text in self._texts:
                self._texts[self._text] += 1
                return
            self._texts[self._text] = 0
            if role in _TURNS:
                self._said.add(self._text)
                self.emit(MessageStarted, role=_TURNS[role])
            else:
                self.emit(MessageStarted, agent_name=ident(get(native, "name")))

    def _text_delta(self, native: object, delta: str) -> None:
        message_id = ident(camel(native, "messageId")) or self._text
        if message_id not in self._texts and message_id not in self._hidden:
            self._text_start(native)  # a chunk also starts its message
            message_id = self._text
        if message_id not in self._hidden:
            self._text = self._envelope["message_id"] = message_id
            self.emit_text("text", str(self._texts[message_id]), delta)

    def _text_end(self, message_id: str) -> None:
        run_id = self._open.pop(message_id, None)
        if run_id is not None:
            self._envelope = {"run_id": run_id, "message_id": message_id}
            self.emit(MessageFinished)

    def _thinking(self, message_id: str, delta: str) -> None:
        self._envelope["message_id"] = message_id or None
        self.emit_text("thinking", "0", delta)

    # Tool calls.

    def _args(self, native: object, delta: str, *, is_start: bool) -> None:
        self._call = ident(camel(native, "toolCallId")) or self._call
        if not self._call:
            self.emit_unknown(native, text(get(native, "type")))
            return
        parent = ident(camel(native, "parentMessageId"))
        if parent is not None or is_start or self._call not in self._calls:
            self._calls[self._call] = parent
        self._envelope["message_id"] = self._calls[self._call]
        name = text(camel(native, "toolCallName")) or None
        if is_start:
            self.announce_call(self._call, name)
        if delta or not is_start:
            self.emit_args(self._call, name, delta)

    def _tool_result(self, native: object) -> None:
        call_id = ident(camel(native, "toolCallId"))
        if call_id is None:
            self.emit_unknown(native, "TOOL_CALL_RESULT")
            return
        result, fields = message_result(call_id, native, is_error=False)
        run = {"run_id": self._envelope.get("run_id")}
        self._results[ident(camel(native, "messageId")) or ""] = {**fields, **result.fields, **run}
        self.emit_result(result, **fields)

    def _hidden_outcome(self, native: object) -> None:
        fields = self._results.get(ident(camel(native, "entityId")) or "")
        try:
            value = json.loads(text(camel(native, "encryptedValue")))
        except (ValueError, RecursionError):
            return  # the value is really encrypted
        status = _STATUS.get(text(get(value, "pydantic_ai", "outcome")))
        if fields is not None and status is not None:
            self._correct(fields, status)

    def _correct(self, fields: dict[str, Any], status: str) -> None:
        self._envelope = {"run_id": fields.get("run_id") or self.run_id}
        output = fields["output"]
        error = output if isinstance(output, str) else json.dumps(output)
        self.emit(ToolFinished, **{**fields, **self._envelope, "status": status, "error": error})

    def _snapshot(self, native: object) -> None:
        """Correct known calls and texts by a snapshot of the messages; show no earlier history."""
        self._snapshots = items(get(native, "messages"))
        if self._history is None:
            is_first = not self._has_shown()
            self._history = {ident(get(one, "id")) or "" for one in self._snapshots} if is_first else set()
            if not is_first:
                self._show_unseen(self._snapshots)
            elif self._snapshots and get(self._snapshots[-1], "role") == "user":
                self._turn(self._snapshots[-1])
        else:
            self._show_unseen(self._snapshots, self._history)
        for message in self._snapshots:
            message_id, call_id = ident(get(message, "id")), ident(camel(message, "toolCallId"))
            error = text(get(message, "error"))
            if call_id in self._calls and error:
                output = plain(get(message, "content")) or error
                self.emit(ToolFinished, tool_call_id=call_id, status="error", output=output, error=error)
            elif message_id in self._texts and (whole := text(get(message, "content"))):
                self._envelope = {"message_id": message_id}
                if not self._texts[message_id]:  # of several parts nothing says where each ends
                    self.emit_whole("text", "0", whole)
                self._envelope = {}

    def _has_shown(self) -> bool:
        """Return whether an event has told what the agent says or does."""
        return bool(self._texts.keys() - self._said or self._calls or self._thought or self._thoughts)

    def _show_unseen(self, messages: list[Any], known: Collection[str] = ()) -> None:
        """Show what the assistant said and did since the user's last message, and no event has told."""
        start = max((i for i, one in enumerate(messages) if get(one, "role") == "user"), default=-1) + 1
        seen = [
            i for i, one in enumerate(messages) if ident(get(one, "id")) in {*self._texts, *self._results}
        ]
        for message in messages[max(start, seen[0] if seen else 0) :]:
            message_id, role = ident(get(message, "id")) or "", text(get(message, "role"))
            content = text(get(message, "content"))
            if message_id in known or (content and self.streamed.has("text", content)):
                continue  # some servers give a message another id in the snapshot
            if role == "assistant" and message_id not in self._texts:
                self._texts[message_id] = 0
                self.begin_message(message_id or None, agent_name=ident(get(message, "name")))
                self.emit_text("text", "0", content)
                for call in items(camel(message, "toolCalls")):
                    call_id, name = ident(get(call, "id")), text(get(call, "function", "name")) or None
                    if call_id is not None and call_id not in self._calls:
                        self._calls[call_id] = None
                        args = parsed(get(call, "function", "arguments"))
                        self.emit(ToolStarted, tool_call_id=call_id, tool_name=name, args=args)
                self.emit(MessageFinished)
                self._envelope = {}
            elif role == "tool" and message_id not in self._results:
                self._envelope = {}
                self._tool_result(message)


def _said(message: object) -> tuple[str, list[dict[str, Any]]]:
    """Return the words and the files of a message."""
    words, files = said(get(message, "content"))
    for block in items(get(message, "content")):
        source = get(block, "source")
        media = ident(camel(block, "mimeType")) or ident(camel(source, "mimeType"))
        data, url = ident(get(block, "data")), ident(get(block, "url"))
        if get(block, "type") == "binary" and (data or url):
            files.append({"media_type": media, **({"data": data} if data else from_url(url or ""))})
    return words, files


def _usage(native: object) -> Usage | None:
    """Return the sum of the usages of all models."""
    names = {
        "input_tokens": "inputTokens",
        "output_tokens": "outputTokens",
        "cached_input_tokens": "cachedInputTokens",
        "reasoning_tokens": "reasoningTokens",
    }
    each = items(native) or ([] if native is None else [native])
    found = {
        ours: [count for one in each if (count := integer(camel(one, theirs))) is not None]
        for ours, theirs in names.items()
    }
    fields: dict[str, Any] = {name: sum(counts) for name, counts in found.items() if counts}
    return Usage(**fields) if fields else None

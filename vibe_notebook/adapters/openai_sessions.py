"""Read OpenAI's Agents API: ``client.beta.agents.sessions.events.stream(session_id)``.

A turn is one message; its items are texts, thoughts and calls. The service runs all tools but functions: their results
come back as items. A turn of a subagent names the subagent, whose run belongs to the call that has created it. A
session has no end: its stream ends where the application stops to read. Source: ``openai.types.beta.AgentSessionEvent``.
"""

from __future__ import annotations

from typing import Any, Final

from vibe_notebook.events import (
    Custom,
    InputRequested,
    ToolProgress,
    ToolStarted,
    Usage,
)

from ._base import Adapter
from ._fields import get, ident, integer, items, json_text, parsed, plain, reason, text, usage_of
from ._files import said
from ._result_blocks import read_content
from ._subagents import Subagents

__all__ = ["OpenAISessionsAdapter", "matches"]

_OUTPUT: Final = "agent.output.command_execution_output.delta"
_STATES: Final = frozenset(("idle", "in_progress", "created"))
_ARGS: Final = {
    "command_execution": ("command", "cwd"),
    "computer_use_call": ("title",),
    "web_search_call": ("action",),
}
"""The fields that are a call's arguments, by the kind of its item."""
_MOVES: Final = ("recipient_agent_id", "recipient_agent_ids", "model", "reasoning_effort")
"""The fields that are the arguments of a call about subagents."""
_FAILED: Final = frozenset(("failed", "incomplete", "cancelled"))


def matches(native: object) -> bool:
    """Return whether *native* is an event of a session."""
    kind = text(get(native, "type"))
    if kind == "error":
        has_ids = ident(get(native, "session_id")) is not None and ident(get(native, "event_id")) is not None
        return has_ids and get(native, "error") is not None
    return kind.startswith("agent.session.") or kind == _OUTPUT


class OpenAISessionsAdapter(Adapter):
    """Read one run: the turns of a session."""

    name = "openai_sessions"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._message: str | None = None
        self._turns_of: dict[str, str] = {}
        """The subagents whose turns these are, by the ids of the turns."""
        self._callers: dict[str, str] = {}
        """The calls that have created subagents, by the ids of the subagents."""
        self._calls: set[str] = set()
        """The calls and the user's messages of the present turn that are shown."""
        self._waits_for: list[Any] = []
        """The actions without which the session does not go on."""
        self._subagents: Subagents[OpenAISessionsAdapter] = Subagents(self, OpenAISessionsAdapter)

    def _read(self, native: object) -> None:
        kind = text(get(native, "type"))
        if kind.startswith("agent.session.turn.") or kind == _OUTPUT:
            turn = ident(get(native, "turn_id")) or ident(get(native, "turn", "id"))
            if (subagent := ident(get(native, "turn", "subagent_id"))) and turn and not self.parent_run_id:
                self._turns_of[turn] = subagent
            if turn in self._turns_of and not self.parent_run_id:
                self.start()
                self._out += self._subagents.feed(self._turns_of[turn], native, **self._names(turn))
                return
            self._turn(native, kind.removeprefix("agent.session.turn."), turn)
        elif kind == "error":
            problem = get(native, "error")
            code = ident(get(problem, "code")) or ident(get(problem, "type"))
            self.end("error", text(get(problem, "message")) or code or "error", code)
        elif kind.startswith("agent.session."):
            self._session(native, kind.removeprefix("agent.session."), kind)
        else:
            self.emit_unknown(native, kind)

    def _names(self, turn: str) -> dict[str, Any]:
        caller = self._callers.get(self._turns_of[turn])
        return {"parent_tool_call_id": caller} if caller else {}

    def _close(self) -> None:
        self._finish_message()
        if self._waits_for:
            self.end("interrupted")
        self._out += self._subagents.end_all(**self._outcome)

    # The session.

    def _session(self, native: object, topic: str, kind: str) -> None:
        session = get(native, "session")
        if topic == "failed":
            self.end("error", text(get(session, "error")) or "The session failed.", topic)
        elif topic == "requires_action":
            self._waits_for = items(get(session, "required_actions"))
            for action in self._waits_for:
                self._required(action)
        elif topic in _STATES:
            self._waits_for = []
            self.start()
        elif topic.startswith("subagent."):
            self._subagent(get(native, "subagent"), topic.removeprefix("subagent."))
        elif topic == "environment.failed":
            self.emit_unknown(get(native, "environment"), "environment failed", shown=True)
        elif not topic.startswith("environment."):
            self.emit_unknown(native, kind)

    def _required(self, action: object) -> None:
        kind, request = text(get(action, "type")), get(action, "request")
        request_id = ident(get(action, "request_id"))
        if kind == "function_call":
            self._call(action, ident(get(action, "call_id")), text(get(action, "name")))
        elif request_id is not None:
            words = (
                text(get(request, "message")) or text(get(request, "reason")) or text(get(request, "type"))
            )
            named, args = text(get(request, "name")), plain(get(request, "arguments"))
            asked = f"`{named}` {json_text(args)}" if named else ""
            message = "\n\n".join(filter(None, (words, asked, text(get(request, "origin")))))
            self.emit(InputRequested, request_id=request_id, kind="approval", message=message or None)
        else:
            self.emit_unknown(action, kind or "required_action", shown=True)

    def _subagent(self, subagent: object, state: str) -> None:
        key = ident(get(subagent, "id"))
        if key is None:
            self.emit_unknown(subagent, f"subagent {state}")
        elif state == "closed":
            self._out += self._subagents.end(key)
        else:
            self.start()
            caller = self._callers.get(key)
            names = {"agent_name": ident(get(subagent, "name")), "parent_tool_call_id": caller}
            found = self._subagents.open(key, **names)
            found.agent_name = found.agent_name or names["agent_name"]

    # Turns: each is one message.

    def _turn(self, native: object, topic: str, turn: str | None) -> None:
        item_id = ident(get(native, "item_id")) or ""
        state, _, verb = topic.rpartition(".")
        if not state and verb in ("completed", "failed", "cancelled"):
            self._turn_over(native, verb)
            return
        if not state and verb in ("created", "in_progress", "queued", "waiting"):
            return
        if topic in ("item.added", "item.done"):
            self._item(get(native, "item"), turn, is_done=verb == "done")
            return
        self._open(turn)
        place = ident(get(native, "content_index")) or ident(get(native, "summary_index")) or "0"
        part_id = f"{item_id}:{place}"
        kind = "thinking" if state.startswith("reasoning") else "text"
        if state in ("output_text", "reasoning_summary_text", "reasoning_text") and verb == "delta":
            self.emit_text(kind, part_id, text(get(native, "delta")))
        elif state in ("output_text", "reasoning_summary_text", "reasoning_text") and verb == "done":
            self._whole(kind, part_id, get(native, "text"))
        elif state in ("content_part", "reasoning_summary_part"):
            self._whole(kind, part_id, get(native, "part", "text"))
        elif text(get(native, "type")) == _OUTPUT:
            if delta := text(get(native, "delta")):
                self.emit(ToolProgress, tool_call_id=item_id, delta=delta)
        else:
            self.emit_unknown(native, text(get(native, "type")))

    def _whole(self, kind: str, part_id: str, whole: object) -> None:
        if words := text(whole):
            self.emit_whole(kind, part_id, words)

    def _turn_over(self, native: object, verb: str) -> None:
        turn = get(native, "turn")
        usage = get(native, "usage") or get(turn, "usage")
        found = usage_of(
            usage,
            cached=("input_tokens_details", "cached_tokens"),
            reasoning=("output_tokens_details", "reasoning_tokens"),
        )
        self._open(ident(get(native, "turn_id")) or ident(get(turn, "id")))
        self._finish_message(found)
        self._calls.clear()
        if verb == "failed":
            problem = get(turn, "error")
            code = ident(get(problem, "code"))
            self.end("error", text(get(problem, "message")) or code or "The turn failed.", code)
        elif verb == "cancelled":
            self.end("cancelled")

    def _open(self, turn: str | None) -> str:
        message = turn or self._message or f"{self.run_id}:0"
        if self._message != message:
            self._finish_message()
            self._message = message
            self.begin_message(message)
        self._envelope = {"message_id": message}
        return message

    def _finish_message(self, usage: Usage | None = None) -> None:
        message, self._message = self._message, None
        self.end_message(message, usage=usage)

    # Items.

    def _item(self, item: object, turn: str | None, *, is_done: bool) -> None:
        kind, item_id = text(get(item, "type")), ident(get(item, "id")) or ""
        if kind == "message" and text(get(item, "role")) == "user":
            words, files = said(get(item, "content"))
            if item_id not in self._calls:
                self._calls.add(item_id)
                self.emit_turn(words, files, message_id=item_id or None)
            return
        self._open(turn or ident(get(item, "turn_id")))
        if kind == "message":
            for i, content in enumerate(items(get(item, "content"))):
                self._whole("text", f"{item_id}:{i}", get(content, "text"))
        elif kind == "reasoning":
            for i, content in enumerate(items(get(item, "summary"))):
                self._whole("thinking", f"{item_id}:{i}", get(content, "text"))
        elif kind == "function_call":
            self._call(item, ident(get(item, "call_id")), text(get(item, "name")))
        elif kind == "function_call_output":
            self._answer(item)
        elif kind == "agent_message":
            self._between_agents(item)
        elif item_id and (kind.endswith("_call") or kind == "command_execution"):
            self._service_call(item, kind, item_id, is_done=is_done)
        else:
            self.emit_unknown(item, kind or "item")

    def _between_agents(self, item: object) -> None:
        """Show what an agent says to another one, if it is not encrypted."""
        if words := said(get(item, "content"))[0]:
            names = (ident(get(item, name)) or "?" for name in ("sender_agent_id", "recipient_agent_id"))
            self.emit(Custom, name="agent_message", value=f"{' → '.join(names)}: {words}", shown=True)

    def _call(self, item: object, call_id: str | None, name: str) -> None:
        """Show the call of a function that the application runs."""
        if call_id is None:
            self.emit_unknown(item, "function_call")
        elif call_id not in self._calls:
            self._calls.add(call_id)
            self.announce_call(call_id, name or None)
            self.emit_rest_of_args(call_id, name or None, json_text(get(item, "arguments")))

    def _answer(self, item: object) -> None:
        call_id = ident(get(item, "call_id"))
        if call_id is None:
            self.emit_unknown(item, "function_call_output")
            return
        result, problem = read_content(get(item, "output")), get(item, "error")
        failed = bool(problem) or text(get(item, "status")) in _FAILED
        fields: dict[str, Any] = {"status": "error", "error": text(problem) or None} if failed else {}
        if failed and result.output is None:
            result = result._replace(output=fields["error"])
        self._envelope = {}
        self.emit_result(result, tool_call_id=call_id, **fields)

    def _service_call(self, item: object, kind: str, item_id: str, *, is_done: bool) -> None:
        """Show the call of a tool that the service runs: a command, a search, a subagent."""
        name = text(get(item, "name")) or kind.removesuffix("_call")
        if kind == "create_subagent_call" and (key := ident(get(item, "agent_id"))):
            self._callers[key] = item_id
        if item_id not in self._calls or is_done:
            self._calls.add(item_id)
            args = parsed(get(item, "arguments")) if kind == "mcp_call" else self._args_of(item, kind)
            self.emit(ToolStarted, tool_call_id=item_id, tool_name=name, args=args)
        status = text(get(item, "status"))
        if not is_done and status in ("", "in_progress"):
            return
        problem = get(item, "error")
        output = get(item, "output")
        code = integer(get(item, "exit_code"))
        failed = bool(problem) or status in _FAILED or bool(code)
        why = reason(plain(problem)) if problem else f"exit code {code}" if code else status
        fields: dict[str, Any] = {"status": "error", "error": why} if failed else {}
        value = output if output is not None or not problem else problem
        self.emit_result(read_content(value), tool_call_id=item_id, tool_name=name, **fields)

    def _args_of(self, item: object, kind: str) -> dict[str, Any] | None:
        names = _ARGS.get(kind, _MOVES)
        found = {name: plain(value) for name in names if (value := get(item, name)) is not None}
        if words := said(get(item, "content"))[0]:
            found["content"] = words
        return found or None

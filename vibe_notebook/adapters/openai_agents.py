"""Read OpenAI's Agents SDK: ``Runner.run_streamed(…).stream_events()``, and ``as_tool(on_stream=…)``.

``raw_response_event`` carries Responses events. The run items repeat them, except the items of finished
tools. The SDK converts the events of other models to the same form, with one invented id for all
responses and items: this adapter makes the ids unique. Arrival is the order. The events of a nested
agent come as ``{"event", "agent", "tool_call"}``. The output of a failed tool is a text for the model;
the adapter knows its beginning, unless the tool has a ``failure_error_function``. Source:
``agents.stream_events``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import (
    Custom,
    Event,
    MessageStarted,
    ToolProgress,
    ToolStarted,
)

from ._fields import fields_of, get, ident, integer, items, parsed, text
from ._files import said
from ._openai_items import SERVER_TOOLS, args_of, call_id_of, name_of
from ._result_blocks import Result, read_content, read_result
from ._subagents import Subagents
from .openai_responses import OpenAIResponsesAdapter

__all__ = ["OpenAIAgentsAdapter", "matches"]

_KINDS: Final = frozenset(("raw_response_event", "run_item_stream_event", "agent_updated_stream_event"))
_CALLED: Final = frozenset(("tool_called", "handoff_requested", "tool_search_called"))
_ANSWERED: Final = frozenset(("tool_output", "handoff_occured", "handoff_occurred"))
_REPEATS: Final = frozenset(
    (
        "message_output_created",
        "reasoning_item_created",
        "mcp_approval_requested",
        "mcp_list_tools",
        "tool_search_output_created",
    )
)
_FAILED: Final = (
    "An error occurred while running the tool.",
    "An error occurred while parsing tool arguments.",
)
_REJECTED: Final = "Tool execution was not approved."
_OVER: Final = frozenset(("completed", "failed", "incomplete", "cancelled"))


def matches(native: object) -> bool:
    """Return whether *native* is an event of the SDK, or the event of a nested agent."""
    nested = get(native, "event")
    return text(get(native, "type")) in _KINDS or (
        isinstance(native, Mapping) and "tool_call" in native and text(get(nested, "type")) in _KINDS
    )


class OpenAIAgentsAdapter(OpenAIResponsesAdapter):
    """Read one run, with all agents of its handoffs; an agent as a tool is a run inside the run."""

    name = "openai_agents"
    tells_usage = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._agent = self.agent_name
        self._has_raw = False
        self._started_calls: set[str] = set()
        self._responses_seen = 0
        self._current = ""
        self._owners: dict[str, tuple[str, int | None]] = {}
        self._subagents = Subagents(self, OpenAIAgentsAdapter)

    def _read(self, native: object) -> None:
        match text(get(native, "type")):
            case "raw_response_event":
                self._has_raw = True
                self._raw(get(native, "data"))
            case "run_item_stream_event":
                self._run_item(native, get(native, "item"), text(get(native, "name")))
            case "agent_updated_stream_event":
                self._agent_updated(_name(get(native, "new_agent")))
            case "tool_approval_item":
                self._approval_requested(native)
            case _ if get(native, "event") is not None:
                self._nested(native)
            case kind:
                self._app(native, kind)

    def emit(self, cls: type[Any], **fields: Any) -> None:
        """Emit one event; the start of a message gets the name of the current agent."""
        super().emit(cls, **({"agent_name": self._agent} | fields if cls is MessageStarted else fields))

    def exhausted(self, source: object) -> list[Event]:
        """Return the request that a streamed result holds, and the events of the calls whose approval it waits for."""
        asked = [event for one in items(get(source, "interruptions")) for event in self.feed(one)]
        given = get(source, "input")
        last = items(given)[-1:]
        words = text(given) or (
            said(get(last[0], "content"))[0] if last and get(last[0], "role") == "user" else ""
        )
        self.emit_input(words)
        return [*self._flush(), *asked]

    def native_result(self, source: object, native: Any) -> Any:
        """Return the streamed result, which has ``to_input_list()`` and ``last_response_id``."""
        return source if hasattr(source, "to_input_list") else native

    def _close(self) -> None:
        super()._close()
        self._out += self._subagents.end_all(**self._outcome)

    # The model's own events.

    def _raw(self, data: object) -> None:
        kind = text(get(data, "type"))
        if not kind.startswith("response."):
            super()._read(data)
            return
        verb = kind.removeprefix("response.")
        if verb == "created" or not self._current:
            self._responses_seen += 1
            self._current = self._fresh(ident(get(data, "response", "id")))
            if verb != "created":  # a model that does not stream sends only the end
                self._responses[self._current] = self._response_of({"response": {"id": self._current}}, None)
                self.begin_message(self._current)
        super()._read(self._with_unique_ids(data))
        if verb in _OVER:
            self._current = ""

    def _fresh(self, response_id: str | None) -> str:
        if response_id is None or response_id in self._responses:
            return f"{self.run_id}:{self._responses_seen}"
        return response_id

    def _with_unique_ids(self, data: object) -> dict[str, Any]:
        """Return the event with unique ids of its response and items, and without its number."""
        fields = {**fields_of(data), "sequence_number": None}
        if "response" in fields:
            fields["response"] = {**fields_of(fields["response"]), "id": self._current}
            for i, item in enumerate(items(get(fields["response"], "output"))):
                self._places.setdefault((self._current, i), self._unique_id(ident(get(item, "id")), i))
        index = integer(fields.get("output_index"))
        item_id = ident(fields.get("item_id")) or ident(get(fields.get("item"), "id"))
        if index is not None or item_id is not None:
            fields["item_id"] = self._unique_id(item_id, index)
        return fields

    def _unique_id(self, item_id: str | None, index: int | None) -> str:
        place = (self._current, index)
        if item_id is not None and self._owners.setdefault(item_id, place) == place:
            return item_id
        return f"{self._current}:{item_id if index is None else index}"

    # The SDK's own.

    def _agent_updated(self, name: str | None) -> None:
        before, self._agent = self._agent, name or self._agent
        if not self._is_started:
            self.agent_name = self.agent_name or name
            self.start()
        elif before != self._agent:
            self.emit(Custom, name="agent_updated", value={"from": before, "to": self._agent})
            self.emit(Custom, name="handoff", value=f"{before or '?'} → {self._agent}", shown=True)

    def _run_item(self, native: object, item: object, name: str) -> None:
        raw = get(item, "raw_item")
        if name in _CALLED:
            self._tool_called(raw)
        elif name in _ANSWERED:
            self._tool_answered(item, raw)
        elif name == "mcp_approval_response":
            self._app(raw, name)
        elif name not in _REPEATS:
            self.emit_unknown(native, name or None)
        elif not self._has_raw:  # the application filters the raw events
            self._show_whole(raw)

    def _tool_called(self, raw: object) -> None:
        call_id, kind = call_id_of(raw), text(get(raw, "type"))
        if kind in SERVER_TOOLS:  # the raw events have shown this call
            if not self._has_raw:
                self._show_whole(raw)
        elif call_id is not None:
            args = parsed(args_of(raw))
            self._started_calls.add(call_id)
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=name_of(raw), args=args)

    def _approval_requested(self, native: object) -> None:
        raw = get(native, "raw_item")
        call_id = call_id_of(raw)
        if call_id is None:
            self.emit_unknown(native, None)
            return
        if call_id not in self._started_calls:
            self._tool_called(raw)
        self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        self.end("interrupted")

    def _show_whole(self, raw: object) -> None:
        item_id = ident(get(raw, "id")) or call_id_of(raw) or str(len(self._items))
        response = self._response_of({"response": {"id": f"{self.run_id}:items"}}, None)
        self._envelope = {"message_id": response.key}
        self._item(raw, item_id, response, is_done=True)

    def _tool_answered(self, item: object, raw: object) -> None:
        call_id = call_id_of(raw)
        if call_id is None:
            self.emit_unknown(raw, text(get(item, "type")))
            return
        own, sent = get(item, "output"), get(raw, "output")
        result = _result_of(sent if own is None else own)
        failed = isinstance(sent, str) and sent.startswith(_FAILED)
        denied = isinstance(sent, str) and sent.startswith(_REJECTED)
        status = "error" if failed else "denied" if denied else "ok"
        error = text(sent) if status != "ok" else None
        self._out += self._subagents.end(call_id, outcome="error" if failed else "success", error=error)
        self.emit_result(result, tool_call_id=call_id, status=status, error=error)

    def _nested(self, native: object) -> None:
        call_id = ident(get(native, "tool_call", "call_id")) or ident(get(native, "tool_call", "id"))
        self.start()
        name = _name(get(native, "agent"))
        ids = {"parent_tool_call_id": call_id, "agent_name": name}
        self._out += self._subagents.feed(call_id or name or "agent", get(native, "event"), **ids)


def _name(agent: object) -> str | None:
    return text(get(agent, "name")) or text(agent) or None


def _result_of(value: object) -> Result:
    """Return a tool's result, of a value or of the SDK's text, image and file blocks."""
    is_blocks = all(text(get(block, "type")) in ("text", "input_text") for block in items(value) or [value])
    return read_content(items(value) or [value]) if is_blocks else read_result(value)

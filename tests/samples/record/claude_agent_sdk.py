"""Record Claude's Agent SDK: ``query`` over a transport with constructed lines of the CLI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
from claude_agent_sdk import ClaudeAgentOptions, Transport, query

from .recorder import Runs

Line = dict[str, Any]
USAGE = {"input_tokens": 100, "cache_read_input_tokens": 20, "output_tokens": 60}


class Cli(Transport):
    """Answer the SDK's first request, then yield the lines."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines
        self._request_ids: list[str] = []
        self._has_request = anyio.Event()

    async def connect(self) -> None:
        """Start nothing."""

    async def write(self, data: str) -> None:
        """Store the ids of the SDK's requests."""
        request = json.loads(data)
        if request.get("type") == "control_request":
            self._request_ids.append(request["request_id"])
            self._has_request.set()

    async def read_messages(self) -> AsyncIterator[Line]:
        """Yield the answers, then the lines."""
        await self._has_request.wait()
        for request_id in self._request_ids:
            answer = {"subtype": "success", "request_id": request_id, "response": {}}
            yield {"type": "control_response", "response": answer}
        for line in self._lines:
            yield line

    async def close(self) -> None:
        """Stop nothing."""

    def is_ready(self) -> bool:
        """Return True."""
        return True

    async def end_input(self) -> None:
        """Ignore the end of the input."""


def line(kind: str, parent: str | None = None, **fields: Any) -> Line:
    """Return one line of the CLI."""
    return {"type": kind, "uuid": "u", "session_id": "s", "parent_tool_use_id": parent, **fields}


def streamed(message_id: str, *blocks: Line, parent: str | None = None) -> list[Line]:
    """Return a streamed message; a repeat follows each block."""
    start = {
        "id": message_id,
        "model": "claude-test",
        "role": "assistant",
        "usage": USAGE | {"output_tokens": 1},
    }
    events: list[Line] = [{"type": "message_start", "message": start}]
    lines = [line("stream_event", parent, event=events[0])]

    def event(**fields: Any) -> None:
        lines.append(line("stream_event", parent, event=fields))

    for i, block in enumerate(blocks):
        kind = block["type"]
        field, delta = {
            "text": ("text", "text_delta"),
            "thinking": ("thinking", "thinking_delta"),
            "tool_use": ("partial_json", "input_json_delta"),
        }[kind]
        empty: Line = {"input": {}} if kind == "tool_use" else {field: ""}
        event(type="content_block_start", index=i, content_block={**block, **empty})
        whole = json.dumps(block["input"]) if kind == "tool_use" else block[field]
        for piece in (whole[: len(whole) // 2], whole[len(whole) // 2 :]):
            event(type="content_block_delta", index=i, delta={"type": delta, field: piece})
        lines.append(assistant(message_id, block, parent=parent))
        event(type="content_block_stop", index=i)
    reason = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
    event(type="message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 60})
    event(type="message_stop")
    return lines


def assistant(message_id: str, *blocks: Line, parent: str | None = None) -> Line:
    """Return an assistant's message."""
    body = {
        "id": message_id,
        "model": "claude-test",
        "role": "assistant",
        "content": list(blocks),
        "usage": USAGE,
    }
    return line("assistant", parent, message=body)


def tool_result(call_id: str, content: str, *, parent: str | None = None, is_error: bool = False) -> Line:
    """Return the result of a tool."""
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
    return line("user", parent, message={"role": "user", "content": [block]})


def text(value: str) -> Line:
    """Return a text block."""
    return {"type": "text", "text": value}


def thinking(value: str) -> Line:
    """Return a thinking block."""
    return {"type": "thinking", "thinking": value, "signature": "c2ln"}


def call(name: str, call_id: str, **args: Any) -> Line:
    """Return a block that calls a tool."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": args}


def first_line() -> Line:
    """Return the first line."""
    return line(
        "system", subtype="init", model="claude-test", cwd="/home/user", tools=["Bash"], mcp_servers=[]
    )


def last_line(**fields: Any) -> Line:
    """Return the last line."""
    usage = {"input_tokens": 200, "cache_read_input_tokens": 40, "output_tokens": 120}
    common = {
        "stop_reason": "end_turn",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "num_turns": 2,
        "usage": usage,
        "total_cost_usd": 0.01,
    }
    return line("result", **{"subtype": "success", "is_error": False, **common, **fields})


def weather(*, partial: bool) -> list[Line]:
    """Return thinking, text, two parallel calls with results in reverse order, and an answer."""
    first = (
        thinking("The user wants two cities. I should call get_weather once per city."),
        text("Let me check both cities."),
        call("get_weather", "call_paris", city="Paris", unit="C"),
        call("get_weather", "call_atlantis", city="Atlantis", unit="C"),
    )
    last = text("Paris is 18 °C and sunny; **Atlantis** could not be found.")
    make = streamed if partial else _one_each
    return [
        first_line(),
        *make("msg_1", *first),
        tool_result("call_atlantis", "no such city: Atlantis", is_error=True),
        tool_result("call_paris", "18 °C, sunny"),
        *make("msg_2", last),
        last_line(result=last["text"]),
    ]


def _one_each(message_id: str, *blocks: Line) -> list[Line]:
    return [assistant(message_id, block) for block in blocks]


def subagent() -> list[Line]:
    """Return a run with a subagent that has a tool and is not streamed."""
    task = call("Task", "call_1", subagent_type="researcher", description="Look", prompt="Paris?")
    return [
        first_line(),
        *streamed("msg_1", text("I ask."), task),
        line("system", subtype="task_started", task_id="t", description="Look", tool_use_id="call_1"),
        line("user", "call_1", message={"role": "user", "content": [text("Paris?")]}),
        assistant("msg_2", text("I look it up."), parent="call_1"),
        assistant("msg_2", call("get_weather", "call_2", city="Paris"), parent="call_1"),
        tool_result("call_2", "sunny", parent="call_1"),
        assistant("msg_3", text("Paris is sunny."), parent="call_1"),
        tool_result("call_1", "Paris is sunny."),
        *streamed("msg_4", text("Sunny, they say.")),
        last_line(result="Sunny, they say."),
    ]


def denied() -> list[Line]:
    """Return a run with a denied tool, which ends at the limit of turns."""
    denial = {"tool_name": "Bash", "tool_use_id": "call_1", "tool_input": {"command": "rm -r ."}}
    return [
        first_line(),
        assistant("msg_1", call("Bash", "call_1", command="rm -r .")),
        tool_result("call_1", "Permission denied", is_error=True),
        last_line(
            subtype="error_max_turns", is_error=True, permission_denials=[denial], errors=["Too many turns"]
        ),
    ]


def run(lines: list[Line]) -> AsyncIterator[Any]:
    """Yield the SDK's messages."""
    options = ClaudeAgentOptions(include_partial_messages=True)
    return query(prompt="Weather in Paris and Atlantis?", options=options, transport=Cli(lines))


PACKAGES = ("claude-agent-sdk",)
RUNS: Runs = {
    "claude_agent_sdk": (
        "query(include_partial_messages=True), its wire constructed",
        lambda: run(weather(partial=True)),
    ),
    "claude_agent_sdk_whole": ("query(), its wire constructed", lambda: run(weather(partial=False))),
    "claude_agent_sdk_subagent": (
        "query(include_partial_messages=True), its wire constructed",
        lambda: run(subagent()),
    ),
    "claude_agent_sdk_denied": ("query(), its wire constructed", lambda: run(denied())),
}

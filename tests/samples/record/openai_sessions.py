"""Record the sessions of OpenAI's Agents API over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from openai import AsyncOpenAI

from .recorder import Runs

SESSION = "sess_1"
ENVIRONMENT = {"type": "none"}


def session(status: str, *actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a session."""
    agent = {"id": "agent_1", "model": "gpt-5.2", "name": "weather", "tools": []}
    head = {"id": SESSION, "object": "agent.session", "agent": agent, "created_at": 1, "last_active_at": 1}
    rest = {"environment": ENVIRONMENT, "metadata": {}, "vault_ids": []}
    return {**head, **rest, "status": status, "required_actions": list(actions), **fields}


def state(topic: str, *actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an event of the session."""
    status = topic if topic in ("idle", "requires_action", "failed") else "in_progress"
    return {"type": f"agent.session.{topic}", "session": session(status, *actions, **fields)}


def turn(number: int, topic: str, **fields: Any) -> dict[str, Any]:
    """Return an event of a turn."""
    place = {"session_id": SESSION, "turn_id": f"turn_{number}"}
    return {"type": f"agent.session.turn.{topic}", **place, **fields}


def over(number: int, verb: str = "completed", **fields: Any) -> dict[str, Any]:
    """Return the beginning or the end of a turn."""
    own = {"id": f"turn_{number}", "object": "agent.session.turn", "agent_id": "agent_1", "created_at": 1}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    used = {"input_tokens": 120, "output_tokens": 60, "total_tokens": 180, **details}
    usage = {"usage": used} if verb == "completed" else {}
    return turn(number, verb, turn={**own, "session_id": SESSION, "status": verb, **fields}, **usage)


def item(number: int, verb: str, index: int, kind: str, **fields: Any) -> dict[str, Any]:
    """Return an item that begins or ends."""
    body = {"type": kind, "turn_id": f"turn_{number}", **fields}
    return turn(number, f"item.{verb}", output_index=index, item=body)


def texts(number: int, index: int, item_id: str, *pieces: str) -> list[dict[str, Any]]:
    """Return the events of a message."""
    place = {"item_id": item_id, "output_index": index, "content_index": 0}
    empty = {"id": item_id, "role": "assistant", "status": "in_progress"}
    part = {"type": "output_text", "text": "".join(pieces)}
    return [
        item(number, "added", index, "message", content=[], **empty),
        *(turn(number, "output_text.delta", delta=piece, **place) for piece in pieces),
        turn(number, "output_text.done", text="".join(pieces), **place),
        item(number, "done", index, "message", content=[part], **{**empty, "status": "completed"}),
    ]


def thoughts(number: int, index: int, item_id: str, *pieces: str) -> list[dict[str, Any]]:
    """Return the events of a thought."""
    place = {"item_id": item_id, "output_index": index, "summary_index": 0}
    return [
        item(number, "added", index, "reasoning", id=item_id, summary=[]),
        *(turn(number, "reasoning_summary_text.delta", delta=piece, **place) for piece in pieces),
        turn(number, "reasoning_summary_text.done", text="".join(pieces), **place),
    ]


def call(call_id: str, city: str) -> dict[str, Any]:
    """Return the fields of a call of a function."""
    return {"call_id": call_id, "name": "get_weather", "arguments": {"city": city, "unit": "C"}}


QUESTION = [{"type": "input_text", "text": "Weather in Paris and Atlantis?"}]
PARIS, ATLANTIS = call("call_paris", "Paris"), call("call_atlantis", "Atlantis")
CALL = {"type": "function_call", "turn_id": "turn_1"}
COMMAND = {"id": "cmd_1", "command": "echo 18", "cwd": "/work"}
HELPER = {"id": "sub_1", "name": "writer", "object": "agent.session.subagent", "session_id": SESSION}
OPENED = {**HELPER, "opened_at": 1, "parent_agent_id": "agent_1", "status": "active"}
CREATED = {"id": "create_1", "agent_id": "sub_1", "content": [{"type": "output_text", "text": "Write it."}]}
WEATHER = '{"city": "Paris", "temp_c": 18, "sky": "sunny ☀️ in °C"}'
ANSWER = ("Paris is 18 °C and sunny; ", "**Atlantis** could not be found.")
EVENTS = [
    state("created"),
    {"type": "agent.session.environment.ready", "session_id": SESSION, "environment": ENVIRONMENT},
    over(1, "created"),
    item(1, "added", 0, "message", id="user_1", role="user", status="completed", content=QUESTION),
    over(1, "in_progress"),
    *thoughts(1, 0, "rs_1", "The user wants two cities. ", "I should call get_weather once per city."),
    *texts(1, 1, "msg_1", "Let me ", "check both cities."),
    item(1, "added", 2, "function_call", id="fc_1", status="in_progress", **PARIS),
    item(1, "done", 2, "function_call", id="fc_1", status="completed", **PARIS),
    item(1, "done", 3, "function_call", id="fc_2", status="completed", **ATLANTIS),
    state("requires_action", {**CALL, **PARIS}, {**CALL, **ATLANTIS}),
    item(
        1,
        "added",
        4,
        "function_call_output",
        id="out_2",
        call_id="call_atlantis",
        status="incomplete",
        error="no such city: Atlantis",
        output=None,
    ),
    item(
        1,
        "added",
        5,
        "function_call_output",
        id="out_1",
        call_id="call_paris",
        status="completed",
        output=WEATHER,
    ),
    state("in_progress"),
    item(1, "added", 6, "command_execution", status="in_progress", **COMMAND),
    {
        "type": "agent.output.command_execution_output.delta",
        "session_id": SESSION,
        "turn_id": "turn_1",
        "item_id": "cmd_1",
        "output_index": 6,
        "delta": "18\n",
    },
    item(1, "done", 6, "command_execution", status="completed", exit_code=0, output="18\n", **COMMAND),
    item(1, "added", 7, "create_subagent_call", status="in_progress", **CREATED),
    {"type": "agent.session.subagent.created", "subagent": OPENED},
    over(2, "created", subagent_id="sub_1"),
    *texts(2, 0, "msg_2", "Written."),
    over(2, subagent_id="sub_1"),
    {"type": "agent.session.subagent.closed", "subagent": {**OPENED, "status": "closed"}},
    item(1, "done", 7, "create_subagent_call", status="completed", **CREATED),
    *texts(1, 8, "msg_3", *ANSWER),
    over(1),
    state("idle"),
]
FAILED = [
    state("created"),
    over(1, "created"),
    *texts(1, 0, "msg_1", "Let me "),
    over(1, "failed", error={"code": "server_error", "message": "The model is overloaded."}),
    state("idle"),
]


async def streamed(events: list[dict[str, Any]]) -> AsyncIterator[Any]:
    """Yield the events of a session."""
    lines = [
        f"event: {one['type']}\ndata: {json.dumps({'event_id': f'evt_{i}', **one}, ensure_ascii=False)}\n\n"
        for i, one in enumerate(events)
    ]
    headers = {"content-type": "text/event-stream"}

    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=headers, content="".join(lines).encode())

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    client = AsyncOpenAI(api_key="none", max_retries=0, http_client=http)
    async for event in await client.beta.agents.sessions.events.stream(SESSION):
        yield event


PACKAGES = ("openai",)
RUNS: Runs = {
    "openai_sessions": ("beta.agents.sessions.events.stream", lambda: streamed(EVENTS)),
    "openai_sessions_error": ("beta.agents.sessions.events.stream, a turn fails", lambda: streamed(FAILED)),
}

"""Record the sessions of Anthropic's Managed Agents over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from anthropic import AsyncAnthropic

from .recorder import Runs

AT = {"processed_at": "2026-11-30T00:00:00Z"}


def words(body: str) -> list[dict[str, Any]]:
    """Return a content of text."""
    return [{"type": "text", "text": body}]


def event(kind: str, event_id: str, **fields: Any) -> dict[str, Any]:
    """Return an event."""
    return {"type": kind, "id": event_id, **AT, **fields}


def message(event_id: str, *pieces: str, dropped: int = 0) -> list[dict[str, Any]]:
    """Return a message in pieces, of which the service drops the last ones, and as a whole."""
    shown = pieces[: len(pieces) - dropped]
    deltas = [{"type": "content_delta", "index": 0, "content": words(piece)[0]} for piece in shown]
    return [
        {"type": "event_start", "event": {"type": "agent.message", "id": event_id}},
        *({"type": "event_delta", "event_id": event_id, "delta": delta} for delta in deltas),
        event("agent.message", event_id, content=words("".join(pieces))),
    ]


def request(number: int, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one request to the model."""
    used = {
        "input_tokens": 100,
        "output_tokens": 60,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 20,
    }
    end = {"model_request_start_id": f"request_{number}", "model_usage": used, "is_error": False}
    return [
        event("span.model_request_start", f"request_{number}"),
        *events,
        event("span.model_request_end", f"request_{number}_end", **end),
    ]


def call(event_id: str, city: str, kind: str = "agent.tool_use", **fields: Any) -> dict[str, Any]:
    """Return a call."""
    return event(kind, event_id, name="get_weather", input={"city": city, "unit": "C"}, **fields)


def result(event_id: str, call_id: str, body: str, *, is_error: bool = False) -> dict[str, Any]:
    """Return the result of a call."""
    fields = {"tool_use_id": call_id, "content": words(body), "is_error": is_error}
    return event("agent.tool_result", event_id, **fields)


def idle(reason: str, event_id: str, **fields: Any) -> dict[str, Any]:
    """Return the end of a turn."""
    return event("session.status_idle", event_id, stop_reason={"type": reason, **fields})


WEATHER = '{"city": "Paris", "temp_c": 18, "sky": "sunny ☀️ in °C"}'
ANSWER = ("Paris is 18 °C and sunny; ", "**Atlantis** could not be found.")
EVENTS = [
    event("user.message", "user_1", content=words("Weather in Paris and Atlantis?")),
    event("session.status_running", "run_1"),
    *request(
        1,
        {"type": "event_start", "event": {"type": "agent.thinking", "id": "thinking_1"}},
        event("agent.thinking", "thinking_1"),
        *message("message_1", "Let me ", "check both cities.", dropped=1),
        call("call_paris", "Paris"),
        call("call_atlantis", "Atlantis", evaluated_permission="ask"),
    ),
    idle("requires_action", "idle_1", event_ids=["call_atlantis"]),
    event("user.tool_confirmation", "confirm_1", tool_use_id="call_atlantis", result="allow"),
    event("session.status_running", "run_2"),
    result("result_2", "call_atlantis", "no such city: Atlantis", is_error=True),
    result("result_1", "call_paris", WEATHER),
    event("agent.thread_message_sent", "sent_1", to_session_thread_id="t2", content=words("Write it.")),
    *request(2, *message("message_2", *ANSWER)),
    idle("end_turn", "idle_2"),
]
FAILED = [
    event("session.status_running", "run_1"),
    *message("message_1", "Let me ")[:2],
    event(
        "session.error",
        "error_1",
        error={
            "type": "model_overloaded_error",
            "message": "The model is overloaded.",
            "retry_status": {"type": "exhausted"},
        },
    ),
    idle("retries_exhausted", "idle_1"),
]


async def streamed(events: list[dict[str, Any]]) -> AsyncIterator[Any]:
    """Yield the events of a session."""
    lines = [f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n" for one in events]
    headers = {"content-type": "text/event-stream"}

    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=headers, content="".join(lines).encode())

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    client = AsyncAnthropic(api_key="none", max_retries=0, http_client=http)
    stream = client.beta.sessions.events.stream("sesn_1", event_deltas=["agent.message", "agent.thinking"])
    async for one in await stream:
        yield one


PACKAGES = ("anthropic",)
RUNS: Runs = {
    "anthropic_managed_agents": ("beta.sessions.events.stream, event_deltas", lambda: streamed(EVENTS)),
    "anthropic_managed_agents_error": ("beta.sessions.events.stream, an error", lambda: streamed(FAILED)),
}

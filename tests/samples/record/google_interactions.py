"""Record the Interactions of Google's Gen AI SDK over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from google import genai
from google.genai import types

from ._chat import weather
from ._http import httpx
from .recorder import Runs

MODEL = "gemini-3-flash"
QUESTION = "Weather in Paris and Atlantis?"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
USED = {
    "total_input_tokens": 120,
    "total_output_tokens": 50,
    "total_thought_tokens": 10,
    "total_cached_tokens": 20,
    "total_tokens": 180,
}
CITED = {
    "type": "url_citation",
    "url": "https://weather.example/paris",
    "title": "weather.example",
    "start_index": 0,
    "end_index": 26,
}


def step(index: int, kind: str, *deltas: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Return the events of a step."""
    return [
        {"event_type": "step.start", "index": index, "step": {"type": kind, **fields}},
        *({"event_type": "step.delta", "index": index, "delta": delta} for delta in deltas),
        {"event_type": "step.stop", "index": index},
    ]


def words(*pieces: str) -> list[dict[str, Any]]:
    """Return deltas of text."""
    return [{"type": "text", "text": piece} for piece in pieces]


def thought(piece: str) -> dict[str, Any]:
    """Return a delta of a thought."""
    return {"type": "thought_summary", "content": {"type": "text", "text": piece}}


def call(index: int, call_id: str, *pieces: str) -> list[dict[str, Any]]:
    """Return the events of a call of a function."""
    deltas = [{"type": "arguments_delta", "arguments": piece} for piece in pieces]
    return step(index, "function_call", *deltas, id=call_id, name="get_weather", arguments={})


def interaction(number: int, status: str, *steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of one interaction; each has an id from which the stream can be resumed."""
    fields = {"id": f"interaction_{number}", "object": "interaction", "model": MODEL}
    events = [
        {"event_type": "interaction.created", "interaction": {**fields, "status": "in_progress"}},
        *(event for one in steps for event in one),
        {"event_type": "interaction.completed", "interaction": {**fields, "status": status, "usage": USED}},
    ]
    return [{**event, "event_id": f"event_{number}_{i}"} for i, event in enumerate(events)]


FIRST = interaction(
    1,
    "requires_action",
    step(
        0,
        "thought",
        thought("The user wants two cities. "),
        thought("I should call get_weather once per city."),
        {"type": "thought_signature", "signature": "c2ln"},
    ),
    step(1, "model_output", *words("Let me ", "check both cities.")),
    call(2, "call_paris", '{"city": "Paris", ', '"unit": "C"}'),
    call(3, "call_atlantis", '{"city": "Atlantis", "unit": "C"}'),
)
RAN = {"language": "python", "code": "print(9 * 2)"}
SECOND = interaction(
    2,
    "completed",
    step(
        0,
        "code_execution_call",
        {"type": "code_execution_call", "arguments": RAN},
        id="ran_1",
        arguments={"code": ""},
    ),
    step(
        1,
        "code_execution_result",
        {"type": "code_execution_result", "result": "18\n", "is_error": False},
        call_id="ran_1",
        result="",
    ),
    step(
        2,
        "model_output",
        {"type": "image", "mime_type": "image/png", "data": PNG},
        *words("Paris is 18 °C and sunny; "),
        {"type": "text_annotation_delta", "annotations": [CITED]},
        *words("**Atlantis** could not be found."),
    ),
)
FAILED = [
    *FIRST[:6],
    {"event_type": "error", "error": {"code": "unavailable", "message": "The model is overloaded."}},
]


def client(*turns: list[dict[str, Any]]) -> genai.Client:
    """Return a client whose requests are answered with these turns."""
    answers = iter(turns)

    def respond(_: httpx.Request) -> httpx.Response:
        body = "".join(
            f"event: {event['event_type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
            for event in next(answers)
        )
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, content=f"{body}event: done\ndata: [DONE]\n\n".encode(), headers=headers)

    transport = httpx.MockTransport(respond)
    options = types.HttpOptions(
        httpx_client=httpx.Client(transport=transport),
        httpx_async_client=httpx.AsyncClient(transport=transport),
    )
    return genai.Client(api_key="none", http_options=options)


async def events(one: genai.Client) -> AsyncIterator[Any]:
    """Yield the events of one interaction."""
    async for event in await one.aio.interactions.create(model=MODEL, input=QUESTION, stream=True):
        yield event


async def run() -> AsyncIterator[Any]:
    """Yield the events of two interactions, and between them the results of the functions."""
    one = client(FIRST, SECOND)
    async for event in events(one):
        yield event
    for call_id, city in (("call_atlantis", "Atlantis"), ("call_paris", "Paris")):
        fields: dict[str, Any] = {"type": "function_result", "call_id": call_id, "name": "get_weather"}
        try:
            yield {**fields, "result": weather(city, "C")}
        except LookupError as error:
            yield {**fields, "result": str(error), "is_error": True}
    async for event in events(one):
        yield event


async def failing() -> AsyncIterator[Any]:
    """Yield the events of an interaction that fails in the middle."""
    async for event in events(client(FAILED)):
        yield event


PACKAGES = ("google-genai",)
RUNS: Runs = {
    "google_interactions": ("aio.interactions.create", run),
    "google_interactions_error": ("aio.interactions.create, an error in the stream", failing),
}

"""Record Google's Gen AI SDK over bytes in the API's documented format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from google import genai
from google.genai import types

from ._chat import weather
from ._http import httpx
from .recorder import Runs

MODEL = "gemini-2.5-flash"
QUESTION = "Weather in Paris and Atlantis?"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
ANSWER = ("Paris is 18 °C and sunny; ", "**Atlantis** could not be found.")
GROUNDING = {
    "webSearchQueries": ["weather paris"],
    "groundingChunks": [{"web": {"uri": "https://weather.example/paris", "title": "weather.example"}}],
    "groundingSupports": [
        {"segment": {"startIndex": 0, "endIndex": 26, "text": "Paris is"}, "groundingChunkIndices": [0]}
    ],
}


def part(text: str, **fields: Any) -> dict[str, Any]:
    """Return a part of text."""
    return {"text": text, **fields}


def call(call_id: str | None, city: str) -> dict[str, Any]:
    """Return a part that calls a function."""
    named = {"id": call_id} if call_id else {}
    return {"functionCall": {**named, "name": "get_weather", "args": {"city": city, "unit": "C"}}}


def answer(number: int, *parts: dict[str, Any], finish: str = "STOP", **last: Any) -> list[dict[str, Any]]:
    """Return the chunks of one message, a part each; the last has the finish reason and the counts."""
    chunks: list[dict[str, Any]] = [
        {"candidates": [{"content": {"role": "model", "parts": [one]}, "index": 0}]} for one in parts
    ]
    chunks[-1]["candidates"][0] |= {"finishReason": finish, **last}
    counts = {"promptTokenCount": 120, "candidatesTokenCount": 50, "thoughtsTokenCount": 10}
    used = {**counts, "totalTokenCount": 180, "cachedContentTokenCount": 20}
    return [
        {**chunk, "usageMetadata": used, "modelVersion": MODEL, "responseId": f"response_{number}"}
        for chunk in chunks
    ]


THOUGHTS = (
    part("The user wants two cities. ", thought=True),
    part("I should call get_weather once per city.", thought=True),
)
FIRST = (*THOUGHTS, part("Let me "), part("check both cities."))
SECOND = (
    {"executableCode": {"language": "PYTHON", "code": "print(9 * 2)"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "18\n"}},
    {"inlineData": {"mimeType": "image/png", "data": PNG}},
    *map(part, ANSWER),
)


def client(*turns: list[dict[str, Any]]) -> genai.Client:
    """Return a client whose requests are answered with these turns; with the server's error after the last."""
    answers = iter(turns)

    def respond(_: httpx.Request) -> httpx.Response:
        chunks = next(answers, None)
        if chunks is None:
            error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
            return httpx.Response(503, json={"error": error})
        body = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n" for chunk in chunks)
        return httpx.Response(200, content=body.encode(), headers={"content-type": "text/event-stream"})

    transport = httpx.MockTransport(respond)
    options = types.HttpOptions(
        httpx_client=httpx.Client(transport=transport),
        httpx_async_client=httpx.AsyncClient(transport=transport),
    )
    return genai.Client(api_key="none", http_options=options)


async def chunks(one: genai.Client) -> AsyncIterator[Any]:
    """Yield the chunks of one request."""
    async for chunk in await one.aio.models.generate_content_stream(model=MODEL, contents=QUESTION):
        yield chunk


async def run() -> AsyncIterator[Any]:
    """Yield the chunks of two requests, and between them the results of the functions."""
    one = client(
        answer(1, *FIRST, call("call_paris", "Paris"), call("call_atlantis", "Atlantis")),
        answer(2, *SECOND, groundingMetadata=GROUNDING),
    )
    calls: list[types.FunctionCall] = []
    async for chunk in chunks(one):
        calls += chunk.function_calls or []
        yield chunk
    responses = []
    for asked in reversed(calls):
        try:
            response = weather(**asked.args)
        except LookupError as error:
            response = {"error": str(error)}
        found = types.FunctionResponse(id=asked.id, name=asked.name, response=response)
        responses.append(types.Part(function_response=found))
    yield types.Content(role="user", parts=responses)
    async for chunk in chunks(one):
        yield chunk


async def automatic() -> AsyncIterator[Any]:
    """Yield the chunks of requests whose functions the SDK calls; calls have no id."""

    def get_weather(city: str, unit: str) -> dict[str, Any]:
        return weather(city, unit)

    one = client(
        answer(1, *FIRST, call(None, "Paris"), call(None, "Atlantis")), answer(2, *map(part, ANSWER))
    )
    config = types.GenerateContentConfig(tools=[get_weather])
    for chunk in one.models.generate_content_stream(model=MODEL, contents=QUESTION, config=config):
        yield chunk


async def failing() -> AsyncIterator[Any]:
    """Yield the chunks of a message, and raise the server's error for the next request."""
    one = client(answer(1, *FIRST))
    async for chunk in chunks(one):
        yield chunk
    async for chunk in chunks(one):
        yield chunk


PACKAGES = ("google-genai",)
RUNS: Runs = {
    "google_genai": ("aio.models.generate_content_stream", run),
    "google_genai_automatic": ("models.generate_content_stream, automatic function calling", automatic),
    "google_genai_error": ("aio.models.generate_content_stream, 503", failing),
}

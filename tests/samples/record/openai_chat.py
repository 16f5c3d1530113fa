"""Record OpenAI's client for Chat Completions: raw, with its helper, and with a dialect of thinking."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from openai import AsyncOpenAI

from ._chat import PARIS_AND_ATLANTIS, transport, weather
from .recorder import Runs

ASK: dict[str, Any] = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "Weather in Paris and Atlantis?"}],
    "stream_options": {"include_usage": True},
}
CALLS = {"call_paris": ("Paris", "C"), "call_atlantis": ("Atlantis", "C")}


def client() -> AsyncOpenAI:
    """Return a client whose requests get both turns."""
    http = httpx2.AsyncClient(transport=transport(*PARIS_AND_ATLANTIS))
    return AsyncOpenAI(api_key="none", max_retries=0, http_client=http)


def results() -> list[dict[str, Any]]:
    """Return the application's reports about its tools, the second first.

    A message of the API has no field for a failure.
    """
    reports: list[dict[str, Any]] = []
    for call_id, args in CALLS.items():
        try:
            output = json.dumps(weather(*args), ensure_ascii=False)
            reports.append({"role": "tool", "tool_call_id": call_id, "content": output})
        except LookupError as error:
            reports.append({"call_id": call_id, "error": str(error)})
    return reports[::-1]


async def raw() -> AsyncIterator[Any]:
    """Yield from ``chat.completions.create(stream=True)``."""
    made = client()
    async for chunk in await made.chat.completions.create(**ASK, stream=True):
        yield chunk
    for result in results():
        yield result
    async for chunk in await made.chat.completions.create(**ASK, stream=True):
        yield chunk


async def helper() -> AsyncIterator[Any]:
    """Yield from ``chat.completions.stream()``."""
    made = client()
    async with made.chat.completions.stream(**ASK) as stream:
        async for event in stream:
            yield event
    for result in results():
        yield result
    async with made.chat.completions.stream(**ASK) as stream:
        async for event in stream:
            yield event


PACKAGES = ("openai",)
RUNS: Runs = {
    "openai_chat_helper": ("chat.completions.stream(), with reasoning_content", helper),
    "openai_chat_raw": ("chat.completions.create(stream=True), with reasoning_content", raw),
}

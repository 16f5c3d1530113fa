"""Record LiteLLM, whose chunks are Chat Completions, over a loopback server."""

from __future__ import annotations

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices

from collections.abc import AsyncIterator
from typing import Any

import litellm

from ._chat import PARIS_AND_ATLANTIS, weather
from ._server import serving
from .recorder import Runs

QUESTION = {"role": "user", "content": "Weather in Paris and Atlantis?"}


async def run() -> AsyncIterator[Any]:
    """Yield the chunks of two requests, and between them the results of the tools."""
    with serving(*PARIS_AND_ATLANTIS) as url:
        chunks = []
        async for chunk in await _request(url):
            chunks.append(chunk)
            yield chunk
        asked = litellm.stream_chunk_builder(chunks)
        for call in asked.choices[0].message.tool_calls:
            try:
                content = json.dumps(weather(**json.loads(call.function.arguments)), ensure_ascii=False)
            except LookupError as error:
                content = str(error)
            yield {"role": "tool", "tool_call_id": call.id, "content": content}
        async for chunk in await _request(url):
            yield chunk


async def _request(url: str) -> Any:
    return await litellm.acompletion(
        model="openai/gpt-5-mini",
        api_base=url,
        api_key="none",
        messages=[QUESTION],
        stream=True,
        stream_options={"include_usage": True},
    )


PACKAGES = ("litellm",)
RUNS: Runs = {"openai_chat_litellm": ("litellm.acompletion(stream=True)", run)}

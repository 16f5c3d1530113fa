"""Record Google's ADK: ``runner.run_async`` over a scripted model."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from google.adk.agents import LlmAgent, RunConfig, run_config
    from google.adk.models.base_llm import BaseLlm
    from google.adk.models.llm_request import LlmRequest
    from google.adk.models.llm_response import LlmResponse
    from google.adk.runners import InMemoryRunner
    from google.genai import types

from .recorder import Runs

STREAMS, WHOLE = run_config.StreamingMode.SSE, run_config.StreamingMode.NONE  # type: ignore[attr-defined]
USED = types.GenerateContentResponseUsageMetadata(prompt_token_count=120, candidates_token_count=60)


class Model(BaseLlm):
    """Answer with scripted turns, each a list of parts; a stream sends texts as two deltas first."""

    turns: list[list[types.Part]]

    async def generate_content_async(
        self,
        llm_request: LlmRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the SDK's signature
    ) -> AsyncGenerator[LlmResponse, None]:
        """Yield the next turn."""
        del llm_request
        parts = self.turns.pop(0)
        for part in parts if stream else ():
            whole = part.text or ""
            for delta in (whole[: len(whole) // 2], whole[len(whole) // 2 :]) if whole else ():
                yield response([types.Part(text=delta, thought=part.thought)], partial=True)
        yield response(parts, partial=False if stream else None, usage_metadata=USED, finish_reason="STOP")


def response(parts: list[types.Part], **fields: Any) -> LlmResponse:
    """Return a response of the model."""
    content = types.Content(role="model", parts=parts)
    return LlmResponse(content=content, model_version="scripted-model", **fields)


def text(words: str, *, thought: bool | None = None) -> types.Part:
    """Return a part of text, or of thinking."""
    return types.Part(text=words, thought=thought)


def call(name: str, call_id: str, **args: Any) -> types.Part:
    """Return a part that calls a tool."""
    return types.Part(function_call=types.FunctionCall(id=call_id, name=name, args=args))


async def get_weather(city: str, unit: str) -> dict[str, Any]:
    """Return the weather, or the error as the result."""
    if city == "Atlantis":
        return {"error": f"no such city: {city}"}
    await asyncio.sleep(0.02)
    return {"city": city, "temp_c": 18, "sky": "sunny ☀️", "unit": unit}


def agent(name: str, *turns: list[types.Part], **options: Any) -> LlmAgent:
    """Return an agent whose model answers with these turns, one after the other."""
    return LlmAgent(name=name, model=Model(model="scripted", turns=list(turns)), **options)


def weather() -> LlmAgent:
    """Return an agent with thinking, text, two parallel calls (one fails) and an answer."""
    return agent(
        "weather",
        [
            text("The user wants two cities. I should call get_weather once per city.", thought=True),
            text("Let me check both cities."),
            call("get_weather", "call_paris", city="Paris", unit="C"),
            call("get_weather", "call_atlantis", city="Atlantis", unit="C"),
        ],
        [text("Paris is 18 °C and sunny; **Atlantis** could not be found.")],
        tools=[get_weather],
    )


def transfer() -> LlmAgent:
    """Return an agent that hands over to another agent."""
    expert = agent("expert", [text("It is 18 °C in Paris.")])
    first = [text("I know whom to ask."), call("transfer_to_agent", "call_1", agent_name="expert")]
    return agent("front_desk", first, sub_agents=[expert])


async def run(starting: LlmAgent, mode: Any) -> AsyncIterator[Any]:
    """Yield the events of one invocation."""
    runner = InMemoryRunner(agent=starting, app_name="record")
    session = await runner.session_service.create_session(app_name="record", user_id="u")
    question = types.Content(role="user", parts=[text("Weather in Paris and Atlantis?")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        async for event in runner.run_async(
            user_id="u",
            session_id=session.id,
            new_message=question,
            run_config=RunConfig(streaming_mode=mode),
        ):
            yield event


PACKAGES = ("google-adk", "google-genai")
RUNS: Runs = {
    "google_adk": ("Runner.run_async, StreamingMode.SSE", lambda: run(weather(), STREAMS)),
    "google_adk_whole": ("Runner.run_async, StreamingMode.NONE", lambda: run(weather(), WHOLE)),
    "google_adk_transfer": (
        "Runner.run_async, StreamingMode.SSE",
        lambda: run(transfer(), STREAMS),
    ),
}

"""Record the traces of openai-agents as a trace processor gets them: each trace when it begins, each span when it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_trace_processors
from openai import AsyncOpenAI

from .openai_agents import get_weather
from .recorder import Runs

USED = {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}


class Processor:
    """Keep what a processor gets."""

    def __init__(self) -> None:
        self.natives: list[Any] = []

    def on_trace_start(self, trace: Any) -> None:
        """Keep a trace."""
        self.natives.append(trace)

    def on_span_end(self, span: Any) -> None:
        """Keep a span."""
        self.natives.append(span)

    def ignore(self, *_: Any) -> None:
        """Keep nothing."""

    on_trace_end = on_span_start = shutdown = force_flush = ignore


def answering(*bodies: dict[str, Any]) -> AsyncOpenAI:
    """Return a client whose server gives these answers."""
    answers = iter(bodies)
    http = httpx2.AsyncClient(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=next(answers)))
    )
    return AsyncOpenAI(api_key="none", http_client=http)


def completion(text: str | None, **calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return an answer of Chat Completions; *calls* by their ids."""
    made = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
        for call_id, (name, args) in calls.items()
    ]
    message = {"role": "assistant", "content": text, "tool_calls": made or None}
    choice = {"index": 0, "finish_reason": "tool_calls" if made else "stop", "message": message}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "other-model"}
    return {**head, "choices": [choice], "usage": USED}


def response(number: int, *output: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of the Responses API."""
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    used = {"input_tokens": 120, "output_tokens": 60, "total_tokens": 180, **details}
    head = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": "gpt-x",
        "status": "completed",
    }
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return {**head, **rest, "output": list(output), "usage": used}


def said(text: str) -> dict[str, Any]:
    """Return a message of the Responses API."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def nested() -> Agent[None]:
    """Return an agent of Chat Completions whose tool is an agent with a failing call."""
    client = answering(
        completion(
            "Let me check both cities.",
            call_paris=("get_weather", {"city": "Paris", "unit": "C"}),
            call_atlantis=("get_weather", {"city": "Atlantis", "unit": "C"}),
        ),
        completion("Paris is sunny."),
    )
    inner = Agent(
        name="researcher", model=OpenAIChatCompletionsModel("other-model", client), tools=[get_weather]
    )
    tool = inner.as_tool("research", "Find it out")
    client = answering(
        completion("I ask.", call_1=("research", {"input": "Paris?"})), completion("Sunny, they say.")
    )
    return Agent(name="boss", model=OpenAIChatCompletionsModel("other-model", client), tools=[tool])


def handoff() -> Agent[None]:
    """Return an agent of the Responses API that hands over to another one."""
    reasoning = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Not my field."}],
    }
    transfer = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "transfer_to_expert"}
    client = answering(
        response(
            1, reasoning, said("I know whom to ask."), {**transfer, "arguments": "{}", "status": "completed"}
        ),
        response(2, said("It is 18 °C in Paris.")),
    )
    model = OpenAIResponsesModel("gpt-x", client)
    return Agent(name="front desk", model=model, handoffs=[Agent(name="expert", model=model)])


async def traced(agent: Agent[None]) -> AsyncIterator[Any]:
    """Yield what a processor gets of one run."""
    processor: Any = Processor()
    set_trace_processors([processor])
    try:
        await Runner.run(agent, "Weather in Paris and Atlantis?")
    finally:
        set_trace_processors([])
    for native in processor.natives:
        yield native


PACKAGES = ("openai-agents", "openai")
RUNS: Runs = {
    "openai_agents_traces": ("add_trace_processor, OpenAIChatCompletionsModel", lambda: traced(nested())),
    "openai_agents_traces_handoff": ("add_trace_processor, OpenAIResponsesModel", lambda: traced(handoff())),
}

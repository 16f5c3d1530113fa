"""Record deepagents, whose streams are LangGraph's, over the scripted model of LangGraph's recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from deepagents import create_deep_agent

from .langgraph import Model, call_chunk, get_weather, last_chunk, message_chunk
from .recorder import Runs

QUESTION = {"messages": [("user", "What is the weather in Paris?")]}
NOTE = '{"file_path": "/note.md", "content": "Ask the forecaster."}'
TASK = '{"description": "The weather in Paris?", "subagent_type": "forecaster"}'


def agent() -> Any:
    """Return an agent that writes a file, and asks a subagent with a tool."""
    inner = Model(
        messages=iter(
            [
                [call_chunk(0, '{"city": "Paris", "unit": "C"}', "get_weather", "call_paris"), last_chunk()],
                [message_chunk("Paris is "), message_chunk("sunny."), last_chunk()],
            ]
        )
    )
    outer = Model(
        messages=iter(
            [
                [call_chunk(0, NOTE, "write_file", "call_note"), last_chunk()],
                [
                    message_chunk("I ask the forecaster."),
                    call_chunk(0, TASK, "task", "call_task"),
                    last_chunk(),
                ],
                [message_chunk("It is "), message_chunk("sunny in Paris."), last_chunk()],
            ]
        )
    )
    forecaster = {
        "name": "forecaster",
        "description": "Knows the weather.",
        "system_prompt": "Tell it.",
        "tools": [get_weather],
        "model": inner,
    }
    return create_deep_agent(model=outer, tools=[], subagents=[forecaster])


def run() -> AsyncIterator[Any]:
    """Return the stream of messages and updates, with that of the subagent."""
    stream: AsyncIterator[Any] = agent().astream(
        QUESTION, stream_mode=["messages", "updates", "tasks"], subgraphs=True, version="v2"
    )
    return stream


PACKAGES = ("deepagents",)
RUNS: Runs = {"langgraph_deepagents": ("create_deep_agent(…).astream(subgraphs=True)", run)}

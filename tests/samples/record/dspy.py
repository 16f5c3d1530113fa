"""Record DSPy's ``streamify``, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices

from collections.abc import AsyncIterator
from typing import Any

import dspy
from dspy.streaming import StreamListener

from ._chat import weather
from ._server import serving
from .recorder import Runs

THOUGHT = (
    "[[ ## reasoning ## ]]\nThe user asks for a city.\n\n[[ ## city ## ]]\nParis\n\n[[ ## completed ## ]]"
)
ANSWER = "[[ ## answer ## ]]\nParis is 18 °C and sunny.\n\n[[ ## completed ## ]]"


def turn(words: str) -> list[dict[str, Any]]:
    """Return the deltas of an answer, a few characters each."""
    return [{"role": "assistant", "content": words[i : i + 6]} for i in range(0, len(words), 6)]


def get_weather(city: str, unit: str) -> str:
    """Return the weather."""
    return json.dumps(weather(city, unit), ensure_ascii=False)


class Forecast(dspy.Module):  # type: ignore[misc]
    """Think of a city, ask a tool, and answer."""

    def __init__(self) -> None:
        super().__init__()
        self.think = dspy.ChainOfThought("question -> city")
        self.tool = dspy.Tool(get_weather)
        self.answer = dspy.Predict("question, weather -> answer")

    def forward(self, question: str) -> Any:
        """Return the answer."""
        city = self.think(question=question).city
        return self.answer(question=question, weather=self.tool(city=city, unit="C"))


async def run() -> AsyncIterator[Any]:
    """Yield the outputs of a program, of which two fields are streamed."""
    with serving(turn(THOUGHT), turn(ANSWER)) as url:
        model = dspy.LM("openai/gpt-4o-mini", api_base=url, api_key="none", cache=False)
        listeners = [StreamListener(signature_field_name=name) for name in ("reasoning", "answer")]
        with dspy.context(lm=model, adapter=dspy.ChatAdapter(), track_usage=True):
            program = dspy.streamify(Forecast(), stream_listeners=listeners)
            async for output in program(question="Weather in Paris?"):
                yield output


PACKAGES = ("dspy",)
RUNS: Runs = {"dspy": ("streamify(program, stream_listeners=…)", run)}

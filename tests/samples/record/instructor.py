"""Record instructor's partial models, over a loopback server that speaks Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import instructor
from openai import AsyncOpenAI
from pydantic import BaseModel

from ._server import serving
from .recorder import Runs

ANSWER = '{"city": "Paris", "days": [{"day": "Mon", "temp": 18}, {"day": "Tue", "temp": 21}], "sunny": true}'


class Day(BaseModel):
    """Hold the weather of a day."""

    day: str
    temp: int


class Forecast(BaseModel):
    """Hold a forecast."""

    city: str
    days: list[Day]
    sunny: bool


async def run() -> AsyncIterator[Any]:
    """Yield the partial models of one answer."""
    turn = [{"role": "assistant", "content": ANSWER[i : i + 5]} for i in range(0, len(ANSWER), 5)]
    with serving(turn) as url:
        client = instructor.from_openai(AsyncOpenAI(api_key="none", base_url=url), mode=instructor.Mode.JSON)
        async for partial in client.create_partial(
            model="gpt-5-mini",
            response_model=Forecast,
            messages=[{"role": "user", "content": "Weather in Paris?"}],
        ):
            yield partial


PACKAGES = ("instructor",)
RUNS: Runs = {"instructor": ("client.create_partial(response_model=…)", run)}

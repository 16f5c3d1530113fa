"""llama-index's handler: it can be awaited, and it streams events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.adapters.support import run, said
from vibe_notebook import watch
from vibe_notebook.adapters.llama_index import matches

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]  # the SDK's own


def test_a_handler_is_read_event_by_event_though_it_can_be_awaited() -> None:
    core = pytest.importorskip("llama_index.core.agent.workflow")
    events = pytest.importorskip("workflows.events")
    from tests.samples.record import llama_index as record  # noqa: PLC0415 - needs the SDK

    class Progress(events.Event):  # type: ignore[name-defined,misc]
        n: int = 1

    async def main() -> Any:
        watched = watch(record.weatherman().run(user_msg="hi"), display=False)
        seen = [type(event) async for event in watched]
        return seen, watched.transcript

    seen, transcript = asyncio.run(main())
    assert core.AgentStream in seen
    assert [part.kind for part in transcript.parts] == ["thinking", "text", "tool", "tool", "text"]
    assert matches(Progress())
    assert said("llama_index", [Progress()], "custom")[0]["name"] == "Progress"
    assert run("llama_index", [events.WorkflowCancelledEvent()])[-1].outcome == "cancelled"  # type: ignore[union-attr]

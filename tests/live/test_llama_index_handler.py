"""Watch llama-index's handler, which is awaitable and streams events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.adapters.support import emitted, run
from vibe_notebook import watch
from vibe_notebook.adapters.llama_index import matches

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]  # the SDK's own warnings


def test_an_awaitable_handler_is_read_event_by_event() -> None:
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
    assert emitted("llama_index", [Progress()], "custom")[0]["name"] == "Progress"
    assert run("llama_index", [events.WorkflowCancelledEvent()])[-1].outcome == "cancelled"  # type: ignore[union-attr]

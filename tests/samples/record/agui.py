"""Construct AG-UI's events with its package, which has no agent of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ag_ui import core

from .recorder import Runs


async def made() -> AsyncIterator[Any]:
    """Yield text, two calls with interleaved arguments and results in reverse order, and an answer."""
    ids = {"thread_id": "t1", "run_id": "r1"}
    yield core.RunStartedEvent(**ids)
    yield core.TextMessageStartEvent(message_id="m1", role="assistant")
    yield core.TextMessageContentEvent(message_id="m1", delta="Let me ")
    yield core.TextMessageContentEvent(message_id="m1", delta="check both cities.")
    yield core.TextMessageEndEvent(message_id="m1")
    for call_id in ("call_paris", "call_oslo"):
        yield core.ToolCallStartEvent(tool_call_id=call_id, tool_call_name="get_weather")
    yield core.ToolCallArgsEvent(tool_call_id="call_paris", delta='{"city": ')
    yield core.ToolCallArgsEvent(tool_call_id="call_oslo", delta='{"city": "Oslo"}')
    yield core.ToolCallArgsEvent(tool_call_id="call_paris", delta='"Paris"}')
    for call_id in ("call_paris", "call_oslo"):
        yield core.ToolCallEndEvent(tool_call_id=call_id)
    for call_id, content in (("call_oslo", "4 °C"), ("call_paris", "18 °C")):
        yield core.ToolCallResultEvent(message_id=f"r_{call_id}", tool_call_id=call_id, content=content)
    yield core.TextMessageStartEvent(message_id="m2", role="assistant")
    yield core.TextMessageContentEvent(message_id="m2", delta="Paris is warmer.")
    yield core.TextMessageEndEvent(message_id="m2")
    yield core.RunFinishedEvent(**ids)


PACKAGES = ("ag-ui-protocol",)
RUNS: Runs = {"agui_events": ("ag_ui.core's event classes", made)}

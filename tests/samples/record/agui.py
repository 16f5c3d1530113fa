"""AG-UI's events, as its package has them; it has no agent of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ag_ui import core

from .recorder import Runs


async def made() -> AsyncIterator[Any]:
    """Text, two calls whose arguments interleave and whose results come in the other order, an answer."""
    ids = {"threadId": "t1", "runId": "r1"}  # names that every version takes
    yield core.RunStartedEvent(**ids)
    yield core.TextMessageStartEvent(messageId="m1", role="assistant")
    yield core.TextMessageContentEvent(messageId="m1", delta="Let me ")
    yield core.TextMessageContentEvent(messageId="m1", delta="check both cities.")
    yield core.TextMessageEndEvent(messageId="m1")
    for call_id in ("call_paris", "call_oslo"):
        yield core.ToolCallStartEvent(toolCallId=call_id, toolCallName="get_weather")
    yield core.ToolCallArgsEvent(toolCallId="call_paris", delta='{"city": ')
    yield core.ToolCallArgsEvent(toolCallId="call_oslo", delta='{"city": "Oslo"}')
    yield core.ToolCallArgsEvent(toolCallId="call_paris", delta='"Paris"}')
    for call_id in ("call_paris", "call_oslo"):
        yield core.ToolCallEndEvent(toolCallId=call_id)
    for call_id, content in (("call_oslo", "4 °C"), ("call_paris", "18 °C")):
        yield core.ToolCallResultEvent(messageId=f"r_{call_id}", toolCallId=call_id, content=content)
    yield core.TextMessageStartEvent(messageId="m2", role="assistant")
    yield core.TextMessageContentEvent(messageId="m2", delta="Paris is warmer.")
    yield core.TextMessageEndEvent(messageId="m2")
    yield core.RunFinishedEvent(**ids)


PACKAGES = ("ag-ui-protocol",)
RUNS: Runs = {"agui_events": ("ag_ui.core's event classes", made)}

"""Record a view's messages for fixed inputs, the measure of both doubles of the wire.

``python -m tests.golden_wire`` writes ``tests/golden_wire.json`` anew. The Python browser
(tests/display/browser_half.py) and the real front end (tests/js/golden.test.js) read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._packing import Packer
from vibe_notebook.display._view import View
from vibe_notebook.events import (
    Artifact,
    Citation,
    Event,
    MessageFinished,
    PartCompleted,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.registry import Registry

PATH = Path(__file__).with_suffix(".json")

AGENT = {"agent_id": "a", "run_id": "r"}
CALL = {**AGENT, "tool_call_id": "call-1"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DOTS = PIXEL + PIXEL.rstrip("=") * 15
"""An image that is worth a blob of its own: browsers ignore the bytes behind it."""


def _text(*pieces: str, **more: Any) -> list[Event]:
    return [TextDelta(**AGENT, **more, delta=piece) for piece in pieces]


STREAMS: dict[str, list[Event]] = {
    "paragraphs": _text("Hello ", "**wor", "ld** ", "and 😀", "\n\nAnother ", "`on", "e`.\n"),
    "a fence": _text("```python\n", "def f(x):\n", "    return x + 1", "  # ünï\n", "```\n", "after"),
    "a list and a table": _text(
        "- one\n- tw", "o\n- three\n\n", "| a | b |\n", "| - | - |\n", "| 1 | 2", " |\n| 3 | 4 |\n\n", "end"
    ),
    "a text replaced": [*_text("wrong wor", "ds"), PartCompleted(**AGENT, text="The right words.")],
    "a late piece": [*_text("a ", seq=0), *_text("c", seq=2), *_text("b ", seq=1)],
    "a tool call": [
        RunStarted(**AGENT, agent_name="worker", input="Find it"),
        ThinkingDelta(**AGENT, message_id="m", delta="Let me "),
        ThinkingDelta(**AGENT, message_id="m", delta="look."),
        ToolCallDelta(**CALL, tool_name="search", delta='{"q": '),
        ToolCallDelta(**CALL, tool_name="search", delta='"x"}'),
        ToolStarted(**CALL, tool_name="search", args={"q": "x"}),
        ToolProgress(**CALL, delta="one hit\n", progress=1, total=2),
        ToolProgress(**CALL, delta="two hits\n", progress=2, total=2),
        ToolFinished(**CALL, output=[{"title": "<b>hit</b>"}]),
        MessageFinished(**AGENT, message_id="m", finish_reason="stop"),
        RunFinished(**AGENT),
    ],
    "a subagent": [
        ToolStarted(**CALL, tool_name="delegate", args={"to": "helper"}),
        RunStarted(agent_id="a", run_id="s", parent_run_id="r", parent_tool_call_id="call-1"),
        TextDelta(agent_id="a", run_id="s", delta="I am "),
        TextDelta(agent_id="a", run_id="s", delta="inside."),
        ToolStarted(agent_id="a", run_id="s", tool_call_id="call-2", tool_name="rm", args={"path": "/"}),
        ToolFinished(agent_id="a", run_id="s", tool_call_id="call-2", status="denied", error="No."),
        RunFinished(agent_id="a", run_id="s"),
        ToolFinished(**CALL, output="done"),
    ],
    "an image": [
        Artifact(**AGENT, artifact_id="1", name="dot.png", media_type="image/png", data=PIXEL),
        *_text("see above"),
    ],
    "displays and sources": [
        ToolStarted(**CALL, tool_name="plot", args={"of": "x"}),
        ToolFinished(**CALL, output={"$display": "image/png"}, display={"image/png": DOTS}),
        Artifact(**AGENT, artifact_id="2", display={"image/png": DOTS}),
        Plan(
            **AGENT,
            entries=[{"text": "look", "status": "completed"}, {"text": "write", "status": "in_progress"}],
        ),
        *_text("Birds fly. ", "Fish swim.\n\n", "So.", message_id="m"),
        Citation(**AGENT, message_id="m", citation_id="c", url="https://example.org/birds", start=0, end=9),
        Citation(**AGENT, message_id="m", citation_id="d", title="Fish", start=11, end=20),
    ],
}


def record(events: list[Event]) -> dict[str, Any]:
    """Return the messages of one stream, drawn after each event, plain and packed, and the whole state."""
    sent: list[dict[str, Any]] = []
    registry = Registry(hold=0, max_held=0, clock=lambda: 0.0)
    view = View(registry, title="golden", send=sent.append, pacer=Pacer(lambda: 0.0, threads=False))
    view.watch("a")
    view.flush()
    for event in events:
        registry.dispatch(event)
        view.flush()
    packer = Packer()
    messages = _timeless(sent)
    return {
        "messages": messages,
        "packed": [packer.pack(message) for message in messages],
        "whole": _timeless(view.snapshot()),
    }


def _timeless(value: Any) -> Any:
    """Put 0 for the only values of a clock: ``now``, and when a run or a call began and ended."""
    if isinstance(value, dict):
        return {
            key: 0 if key in ("now", "t0", "t1") and item is not None else _timeless(item)
            for key, item in value.items()
        }
    return [_timeless(item) for item in value] if isinstance(value, list | tuple) else value


def main() -> None:
    """Write the recording anew, a message a line."""
    streams = []
    for name, events in STREAMS.items():
        fields = [f"  {json.dumps(key)}: {_lines(value)}" for key, value in record(events).items()]
        streams.append(f" {json.dumps(name)}: {{\n" + ",\n".join(fields) + "\n }")
    PATH.write_text("{\n" + ",\n".join(streams) + "\n}\n", encoding="utf-8")


def _lines(value: Any) -> str:
    if isinstance(value, list):
        rows = [f"   {json.dumps(row, ensure_ascii=False)}" for row in value]
        return "[\n" + ",\n".join(rows) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()

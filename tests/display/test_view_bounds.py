"""Check that the last whole state of a live view is bounded, and says where the rest is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.display import _view
from vibe_notebook.display._bounds import bounded_parts
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._view import View
from vibe_notebook.events import (
    Artifact,
    Event,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.registry import Registry

BASE: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
BIG = "word " * 12_000
SHAPES: dict[str, list[Event]] = {
    "one paragraph": [TextDelta(**BASE, delta=BIG)],
    "paragraphs": [TextDelta(**BASE, delta="some words\n\n" * 3_000)],
    "one list": [TextDelta(**BASE, delta="- item\n" * 4_000)],
    "one fence": [TextDelta(**BASE, delta="```python\n" + "x = 1\n" * 6_000)],
    "wide characters": [TextDelta(**BASE, delta="\U0001f600" * 12_000)],
    "thinking": [ThinkingDelta(**BASE, delta=BIG)],
    "many calls": [
        each
        for n in range(60)
        for each in (
            ToolStarted(**BASE, tool_call_id=f"c{n}", tool_name="f", args={"q": n}),
            ToolFinished(**BASE, tool_call_id=f"c{n}", output="found " * 200),
        )
    ],
    "one call": [
        ToolStarted(**BASE, tool_call_id="c", tool_name="f", args={"q": BIG}),
        ToolProgress(**BASE, tool_call_id="c", delta=BIG, message=BIG),
    ],
    "an image": [
        Artifact(**BASE, artifact_id="i", media_type="image/png", data="iVBORw0KGgo" + "A" * 60_000)
    ],
    "a subagent": [
        ToolStarted(**BASE, tool_call_id="c", tool_name="agent"),
        RunStarted(agent_id="a", run_id="s", parent_run_id="r", parent_tool_call_id="c"),
        *(
            TextDelta(agent_id="a", run_id="s", message_id=f"m{n}", delta="some words\n\n" * 90)
            for n in range(50)
        ),
        TextDelta(**BASE, delta="last"),
    ],
}


def states(events: list[Event]) -> list[Any]:
    sent: list[Any] = []
    with Registry() as registry:
        view = View(registry, title="a", send=sent.append, pacer=Pacer())
        view.watch("a")
        registry.dispatch(TextDelta(**BASE, message_id="first", delta="first words"))
        registry.dispatch(events)
        registry.dispatch([TextDelta(**BASE, message_id="last", delta="last words"), RunFinished(**BASE)])
        view.finish()
        view.resync(0)
    return [sent[-2]["ops"][0][1], sent[-1]["ops"][0][1], view.snapshot()]


def keys(parts: list[Any]) -> list[int]:
    return [key for part in parts for key in (part["key"], *keys(part["parts"]))]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_last_whole_state_is_bounded_and_says_where_the_rest_is(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_view, "FORM_BYTES", 30_000)
    for state in states(SHAPES[shape]):
        whole = json.dumps(state, ensure_ascii=False)
        assert len(whole.encode()) < 31_000
        assert ("first words" in whole, "last words" in whole) == (True, True)
        assert "vibe.last().transcript" in whole
        assert len(keys(state["parts"])) == len(set(keys(state["parts"])))
        for part in state["parts"]:
            blocks = [block if isinstance(block, str) else block[0] for block in part["blocks"]]
            assert sum(html.startswith("\0") and html != "\0" for html in blocks) == blocks.count("\0")


def test_a_state_within_the_limit_is_whole() -> None:
    first, again, snapshot = states(SHAPES["many calls"])
    assert first["parts"] == again["parts"] == snapshot["parts"]
    assert len(first["parts"]) == 62
    assert "left out" not in json.dumps(first)


@given(st.lists(st.integers(1, 3_000), max_size=12), st.integers(0, 12_000))
def test_a_limit_is_kept_by_all_lists_of_parts(sizes: list[int], limit: int) -> None:
    parts = [
        {"key": n, "kind": "text", "props": {}, "fields": {"text": "x" * size}, "blocks": ["y" * (size // 2)]}
        | {"open": "", "tail": "", "parts": []}
        for n, size in enumerate(sizes, 1)
    ]
    shown = bounded_parts(parts, limit)
    assert len(json.dumps(shown)) <= max(limit, 500) + 2 * len(shown)
    assert shown == parts or any(part["key"] < 0 or "left out" in json.dumps(part) for part in shown)

"""Read LangGraph's interrupts as requests to the user."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, run
from tests.adapters.test_langgraph import WEATHER, ai
from vibe_notebook.registry import Registry


def interrupt(value: Any, key: str | None = "i") -> Any:
    return {"__interrupt__": [{"value": value, **({"id": key} if key else {})}]}


def requests(*natives: Any) -> list[dict[str, Any]]:
    return emitted("langgraph", natives, "input_requested")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Which city?", "Which city?"),
        ({"question": "Which city?"}, "Which city?"),
        ({"prompt": "Which city?"}, "Which city?"),
        ({"message": "Send?", "draft": "*x*"}, 'Send?\n\n~~~~json\n{"draft": "*x*"}\n~~~~'),
        ({"draft": "x"}, '~~~~json\n{"draft": "x"}\n~~~~'),
        ([1, 2], "~~~~json\n[1, 2]\n~~~~"),
    ],
)
def test_the_value_of_an_interrupt_is_the_question(value: Any, words: str) -> None:
    assert requests(("updates", interrupt(value))) == [{"request_id": "i", "message": words}]
    assert [e["name"] for e in emitted("langgraph", [("updates", interrupt(value))], "custom")] == [
        "interrupt"
    ]


def test_plain_choices_of_an_interrupt_are_options() -> None:
    (asked,) = requests(("updates", interrupt({"question": "City?", "options": ["Lima", "Quito"]})))
    assert [one["label"] for one in asked["options"]] == ["Lima", "Quito"]
    assert asked["message"] == "City?"


def test_each_action_of_an_interrupt_asks_for_an_approval_of_its_call() -> None:
    other = {**WEATHER, "id": "c2", "args": {"city": "Lima"}}
    actions = [
        {"name": "get_weather", "args": one["args"], "description": "May it?"} for one in (WEATHER, other)
    ]
    natives = [ai("", "run-1", WEATHER, other), ("updates", interrupt({"action_requests": actions}))]
    assert requests(*natives) == [
        {"request_id": f"i:{n}", "kind": "approval", "tool_call_id": call, "message": "May it?"}
        for n, call in enumerate(("c1", "c2"))
    ]
    assert [
        one["request_id"]
        for one in requests(natives[0], ("updates", interrupt({"action_requests": actions[:1]})))
    ] == ["i"]


def test_an_interrupt_that_two_modes_repeat_asks_once() -> None:
    both = [("updates", interrupt("Sure?")), ("values", interrupt("Sure?"))]
    assert len(requests(*both)) == 1
    assert len(requests(("updates", interrupt("Sure?", None)), ("values", interrupt("Sure?", None)))) == 1


def test_a_subgraph_asks_once_although_the_graph_repeats_its_interrupt() -> None:
    natives = [
        ai("", "run-1", WEATHER),
        (["tools:1"], "updates", interrupt("Sure?")),
        ([], "updates", interrupt("Sure?")),
    ]
    assert len(requests(*natives)) == 1


def test_the_transcript_shows_the_question_of_an_interrupted_run() -> None:
    with Registry(hold=0) as registry:
        registry.dispatch(run("langgraph", [("updates", interrupt("Which city?"))]))
        (part,) = registry.transcript("a").parts
    assert part.kind == "input"
    assert part.request.message == "Which city?"
    assert part.request.is_open

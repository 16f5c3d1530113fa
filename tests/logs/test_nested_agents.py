"""Show the agents inside of an agent: in files that a trajectory names, and in the events of a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.logs.support import SAMPLES, Growing, notes
from vibe_notebook.logs import Log
from vibe_notebook.parts import Part, ToolPart
from vibe_notebook.transcript import Transcript


def words(parts: tuple[Part, ...]) -> list[Any]:
    """Return the texts of parts, and those inside of their calls."""
    return [
        [part.tool_name, *words(part.children)] if isinstance(part, ToolPart) else getattr(part, "text", "")
        for part in parts
    ]


# Trajectories.


def trajectory(path: Path, *steps: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "schema_version": "ATIF-v1.4",
        "session_id": path.stem,
        "agent": {"name": path.stem, "version": "1"},
    }
    numbered = [{"step_id": number, "source": "agent", **step} for number, step in enumerate(steps, 1)]
    path.write_text(json.dumps({**facts, "steps": numbered}))
    return path


def delegates(message: str, place: str | None, call_id: str = "c1", **ref: Any) -> dict[str, Any]:
    refs = [{"session_id": f"of {call_id}", "trajectory_path": place, **ref}]
    result = {"source_call_id": call_id, "content": "ok", "subagent_trajectory_ref": refs}
    call = {"tool_call_id": call_id, "function_name": "delegate", "arguments": {}}
    return {"message": message, "tool_calls": [call], "observation": {"results": [result]}}


def test_a_subagent_whose_trajectory_is_another_file_stands_under_its_call(tmp_path: Path) -> None:
    path = trajectory(tmp_path / "main.json", delegates("I ask.", "inner/one.json"), {"message": "Done."})
    trajectory(tmp_path / "inner" / "one.json", {"message": "I answer."})
    made = vibe.load(path)
    assert words(made.parts) == ["I ask.", ["delegate", "I answer."], "Done."]
    assert made.text == "I ask.Done."


def test_the_files_of_subagents_name_files_of_their_own(tmp_path: Path) -> None:
    path = trajectory(tmp_path / "main.json", delegates("I ask.", "one.json"))
    trajectory(tmp_path / "one.json", delegates("I ask too.", "two.json", "c2"))
    trajectory(tmp_path / "two.json", {"message": "I answer."})
    assert words(vibe.load(path).parts) == ["I ask.", ["delegate", "I ask too.", ["delegate", "I answer."]]]


def test_trajectories_that_name_each_other_end(tmp_path: Path) -> None:
    path = trajectory(tmp_path / "main.json", delegates("I ask.", "one.json"))
    trajectory(tmp_path / "one.json", delegates("I ask back.", "main.json", "c2"))
    assert words(vibe.load(path).parts) == ["I ask.", ["delegate", "I ask back.", ["delegate"]]]


@pytest.mark.parametrize("place", ["../out.json", "{}/out.json", "link.json"])
def test_a_file_elsewhere_is_left_out_and_a_line_says_so(place: str, tmp_path: Path) -> None:
    trajectory(tmp_path / "out.json", {"message": "secret"})
    path = trajectory(tmp_path / "runs" / "main.json", delegates("I ask.", place.format(tmp_path)))
    (tmp_path / "runs" / "link.json").symlink_to(tmp_path / "out.json")
    made = vibe.load(path)
    assert "secret" not in made.to_text()
    assert "does not stand below the trajectory's own folder" in made.to_text()


@pytest.mark.parametrize(
    "place", ["gone.json", "folder", "s3://bucket/x.json", "x\0.json", "y" * 5_000, "no.json"]
)
def test_a_file_that_cannot_be_read_is_a_line_and_the_rest_is_shown(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "no.json").write_text("no")
    path = trajectory(tmp_path / "main.json", delegates("I ask.", place), {"message": "Done."})
    assert vibe.load(path).text == "I ask.Done."
    assert [name for name, _ in notes(Log(path))] == ["log"]


def test_a_subagent_s_file_that_comes_later_is_shown_when_it_is_there(tmp_path: Path) -> None:
    path = trajectory(tmp_path / "main.json", delegates("I ask.", "one.json"))
    trajectory(tmp_path / "one.json", {"message": "I"})

    def grow() -> None:
        trajectory(tmp_path / "one.json", {"message": "I"}, {"message": "answer."})

    events = list(Growing(path, lambda: None, grow, lambda: None))
    assert [event.delta for event in events if event.type == "text_delta"] == ["I ask.", "I", "answer."]


# Samples of Inspect.


def span(name: str, kind: str, parent: str | None = None) -> dict[str, Any]:
    return {
        "event": "span_begin",
        "id": name,
        "name": name,
        "type": kind,
        "parent_id": parent,
        "span_id": name,
    }


def model(inside: str, said: list[dict[str, Any]], answer: dict[str, Any], **more: Any) -> dict[str, Any]:
    output = {"model": "m", "choices": [{"message": answer, "stop_reason": "stop"}]}
    return {"event": "model", "span_id": inside, "model": "m", "input": said, "output": output, **more}


def user(name: str, content: str) -> dict[str, Any]:
    return {"id": name, "role": "user", "content": content}


def says(name: str, content: str, *calls: str) -> dict[str, Any]:
    made = [{"id": call, "function": call, "arguments": {}} for call in calls]
    return {"id": name, "role": "assistant", "content": content, "tool_calls": made}


def answers(name: str, call_id: str, content: str) -> dict[str, Any]:
    return {"id": name, "role": "tool", "tool_call_id": call_id, "content": content}


TOP = [
    user("u", "Find it."),
    says("a", "I ask.", "search"),
    answers("r", "search", "found"),
    says("b", "Done."),
]
ASKED, LOOKS = user("iu", "Look."), says("ia", "I look.", "grep")
SEEN, FOUND = answers("ir", "grep", "line 3"), says("ib", "found")


def events_of_an_agent_that_is_a_tool() -> list[dict[str, Any]]:
    return [
        span("react", "agent"),
        model("react", TOP[:1], TOP[1]),
        span("search-span", "tool", "react"),
        span("searcher", "agent", "search-span"),
        model("searcher", [ASKED], LOOKS),
        model("searcher", [ASKED, LOOKS, SEEN], FOUND),
        {"event": "tool", "id": "search", "function": "search", "span_id": "search-span"},
        model("react", TOP[:3], TOP[3]),
    ]


def load(tmp_path: Path, events: list[dict[str, Any]], messages: list[Any] = TOP, **more: Any) -> Transcript:
    head = json.loads((SAMPLES / "inspect.json").read_text())
    sample = {"id": "one", "epoch": 1, "input": "Find it.", "messages": messages, "events": events, **more}
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**head, "samples": [sample]}))
    return vibe.load(path)


SHOWN = ["Find it.", "I ask.", ["search", "Look.", "I look.", ["grep"], "found"], "Done."]


def test_an_agent_that_is_a_tool_stands_under_its_call(tmp_path: Path) -> None:
    made = load(tmp_path, events_of_an_agent_that_is_a_tool())
    assert [one for one in words(made.parts) if one in SHOWN] == SHOWN
    assert {call.tool_name: call.state for call in made.tools} == {"search": "ok"}


def test_an_agent_whose_call_names_its_span_stands_under_it(tmp_path: Path) -> None:
    events = events_of_an_agent_that_is_a_tool()
    events[3]["parent_id"] = None
    events[6] = {"event": "tool", "id": "search", "function": "search", "agent_span_id": "searcher"}
    assert [one for one in words(load(tmp_path, events).parts) if one in SHOWN] == SHOWN


def test_the_messages_of_a_condensed_log_come_from_its_pool(tmp_path: Path) -> None:
    events = events_of_an_agent_that_is_a_tool()
    for event in events:
        if event["event"] == "model":
            event["input_refs"] = [[0, len(event["input"])]]
            event["input"] = []
    made = load(tmp_path, events, events_data={"messages": [ASKED, LOOKS, SEEN], "calls": []})
    assert [one for one in words(made.parts) if one in SHOWN] == SHOWN


def test_an_agent_that_got_the_conversation_is_not_shown_twice(tmp_path: Path) -> None:
    events = events_of_an_agent_that_is_a_tool()
    messages = [*TOP[:3], LOOKS, SEEN, FOUND, TOP[3]]
    made = load(tmp_path, events, messages)
    assert made.text == "I ask.I look.foundDone."


def test_words_that_the_agent_at_the_top_has_dropped_make_no_agent_inside(tmp_path: Path) -> None:
    events = [
        span("react", "agent"),
        model("react", TOP[:1], says("old", "dropped")),
        model("react", TOP[:3], TOP[3]),
    ]
    assert "dropped" not in load(tmp_path, events).to_text()


def test_an_agent_without_a_call_is_shown_behind_the_messages(tmp_path: Path) -> None:
    events = [span("critic", "agent"), model("critic", [ASKED], FOUND)]
    made = load(tmp_path, events)
    assert "found" in made.to_text()
    assert made.text == "I ask.Done."


def test_spans_in_a_circle_end(tmp_path: Path) -> None:
    events = [span("x", "solver", "y"), span("y", "solver", "x"), model("x", [ASKED], FOUND)]
    assert load(tmp_path, events).text == "I ask.Done."


def test_agents_inside_of_agents_stand_under_their_calls(tmp_path: Path) -> None:
    inner = [
        span("grep-span", "tool", "searcher"),
        span("grepper", "agent", "grep-span"),
        model("grepper", [user("du", "Deep?")], says("da", "deep")),
        {"event": "tool", "id": "grep", "function": "grep", "span_id": "grep-span"},
    ]
    events = events_of_an_agent_that_is_a_tool()
    made = load(tmp_path, [*events[:5], *inner, *events[5:]])
    shown = next(one for one in words(made.parts) if one[:1] == ["search"])
    assert ["grep", "Deep?", "deep"] in shown

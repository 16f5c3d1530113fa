"""Reduce events to parts, tool calls and runs, and link runs to each other."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from vibe_notebook._reducer.subagents import NESTING, STEPS, caller_of
from vibe_notebook.events import (
    Artifact,
    MessageFinished,
    PartCompleted,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript


def made(*events: Any, run_id: str | None = None) -> Transcript:
    registry = Registry(hold=0, keep_runs=10_000, clock=lambda: 0.0)
    for cls, fields in events:
        registry.dispatch(cls(**{"agent_id": "a", "run_id": "r", **fields}))
    return registry.transcript("a", run_id)


def tool(cls: type[Any], call: str = "t", **fields: Any) -> tuple[type[Any], dict[str, Any]]:
    return cls, {"tool_call_id": call, **fields}


def text(delta: str, **fields: Any) -> tuple[type[Any], dict[str, Any]]:
    return TextDelta, {"delta": delta, **fields}


def test_parts_stand_in_the_order_of_their_first_appearance() -> None:
    transcript = made(
        (ThinkingDelta, {"delta": "hm"}),
        text("1"),
        tool(ToolStarted),
        text("2"),
        (Artifact, {"artifact_id": "i"}),
    )
    assert [part.kind for part in transcript.parts] == ["thinking", "text", "tool", "artifact"]
    assert (transcript.text, transcript.thinking) == ("12", "hm")


def test_part_completed_replaces_the_text_of_its_deltas_and_later_deltas_append() -> None:
    assert made(text("a"), text("b"), (PartCompleted, {"text": "X"}), text("c")).text == "Xc"


def test_parts_differ_by_run_message_kind_and_part_id() -> None:
    transcript = made(
        text("1"), text("2", part_id="1"), text("3", message_id="m"), text("4", run_id="s"), text("5")
    )
    assert [part.text for part in transcript.parts] == ["15", "2", "3", "4"]  # type: ignore[union-attr]


def test_an_artifact_with_the_same_id_replaces_the_earlier_one() -> None:
    transcript = made(
        (Artifact, {"artifact_id": "i", "name": "1"}), (Artifact, {"artifact_id": "i", "name": "2"})
    )
    assert [part.name for part in transcript.parts] == ["2"]  # type: ignore[union-attr]


def test_an_artifact_part_has_all_fields_of_its_event() -> None:
    fields: dict[str, Any] = {
        "artifact_id": "i",
        "message_id": "m",
        "action": "updated",
        "name": "plot.png",
        "media_type": "image/png",
        "data": "AAAA",
        "url": "https://example.org/plot.png",
        "tool_call_id": "t",
    }
    (part,) = made((Artifact, fields)).parts
    assert part.model_dump(include=set(fields)) == fields
    assert part.run_id == "r"


@pytest.mark.parametrize("numbered_first", [True, False])
def test_the_last_artifact_in_order_counts_whichever_counter_it_belongs_to(*, numbered_first: bool) -> None:
    events: list[dict[str, Any]] = [
        {"name": "numbered", "seq": 0},
        {"name": "free"},
        {"name": "other", "seq": 0, "counter": "c"},
    ]
    if not numbered_first:
        events.reverse()
    (part,) = made(*((Artifact, {"artifact_id": "i", **fields}) for fields in events)).parts
    assert part.name == events[-1]["name"]  # type: ignore[union-attr]


def test_an_artifact_that_changes_often_retains_one_event_a_counter() -> None:
    registry = Registry(hold=0)
    for seq in range(100):
        registry.dispatch(Artifact(agent_id="a", run_id="r", artifact_id="i", seq=seq, name=str(seq)))
    with registry.reading("a") as log:
        assert log is not None
        (builder,) = log.runs["r"].ordered()
        assert len(builder.latest) == 1  # type: ignore[attr-defined]


def test_complete_arguments_are_parsed_and_tool_started_replaces_them() -> None:
    def args(*events: Any) -> Any:
        (call,) = made(*events).tools
        return call.args, call.args_text

    half, rest = tool(ToolCallDelta, delta='{"a"'), tool(ToolCallDelta, delta=":1}")
    assert args(half) == (None, '{"a"')
    assert args(half, rest) == ({"a": 1}, '{"a":1}')
    assert args(half, tool(ToolStarted, args={"b": 2})) == ({"b": 2}, '{"b": 2}')
    assert args(half, rest, tool(ToolStarted)) == ({"a": 1}, '{"a":1}')


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([tool(ToolCallDelta)], "preparing"),
        ([tool(ToolStarted)], "running"),
        ([tool(ToolProgress, delta="x")], "running"),
        ([tool(ToolStarted), tool(ToolProgress, state="awaiting_approval")], "awaiting_approval"),
        ([tool(ToolProgress, state="awaiting_approval"), tool(ToolStarted)], "running"),
        ([tool(ToolFinished)], "ok"),
        ([tool(ToolFinished, status="denied"), tool(ToolStarted)], "denied"),
        ([tool(ToolFinished, status="error"), tool(ToolFinished)], "ok"),
        ([tool(ToolStarted), (RunFinished, {})], "unfinished"),
        ([tool(ToolProgress, state="awaiting_approval"), (RunFinished, {})], "awaiting_approval"),
    ],
)
def test_a_tool_calls_state_follows_its_last_event_that_counts(events: list[Any], state: str) -> None:
    assert made(*events).tools[0].state == state


def test_progress_appends_or_replaces_and_the_result_replaces_it() -> None:
    def output(*events: Any) -> Any:
        return made(*events).tools[0].output

    one, two = tool(ToolProgress, delta="1"), tool(ToolProgress, delta="2")
    assert output(one, two) == "12"
    assert output(one, tool(ToolProgress, output={"n": 1})) == {"n": 1}
    assert output(one, tool(ToolProgress, output="n"), two) == "n2"
    assert output(one, tool(ToolFinished, output="done")) == "done"
    assert output(one, tool(ToolFinished)) == "1"


def test_progress_retains_fields_that_a_later_event_leaves_out() -> None:
    events = tool(ToolProgress, progress=1, total=3, message="go"), tool(ToolProgress, progress=2)
    progress = made(*events).tools[0].progress
    assert progress is not None
    assert progress.model_dump() == {"progress": 2, "total": 3, "message": "go"}


def test_the_last_tool_name_in_order_counts_even_if_another_arrived_last() -> None:
    events = [tool(ToolCallDelta, tool_name=name, seq=seq) for seq, name in [(0, "a"), (2, "a"), (1, "b")]]
    assert made(*events).tools[0].tool_name == "a"


# Across runs


ASKS = tool(ToolProgress, state="awaiting_approval")


def test_a_result_in_the_next_run_completes_the_call_that_awaits_approval() -> None:
    transcript = made(
        tool(ToolStarted, tool_name="pay", args={"n": 1}),
        ASKS,
        (RunFinished, {"outcome": "interrupted"}),
        tool(ToolStarted, run_id="s"),
        tool(ToolFinished, run_id="s", output="paid"),
        text("done", run_id="s"),
    )
    (call,) = transcript.tools
    assert (call.run_id, call.state, call.output, call.args) == ("r", "ok", "paid", {"n": 1})
    assert transcript.text == "done"


def test_a_result_also_completes_an_unfinished_call_and_only_the_newest_one() -> None:
    left = [
        tool(ToolStarted),
        (RunFinished, {}),
        tool(ToolCallDelta, run_id="q"),
        (RunFinished, {"run_id": "q"}),
    ]
    transcript = made(*left, tool(ToolFinished, run_id="s"))
    assert [(call.run_id, call.state) for call in transcript.tools] == [("r", "unfinished"), ("q", "ok")]


def test_a_call_that_the_model_writes_again_is_a_new_call() -> None:
    events = [
        tool(ToolStarted),
        (RunFinished, {}),
        tool(ToolCallDelta, run_id="s", delta="{}"),
        tool(ToolFinished, run_id="s"),
    ]
    assert [call.state for call in made(*events).tools] == ["unfinished", "ok"]


@pytest.mark.parametrize(
    "repeated",
    [
        [tool(ToolStarted, run_id="s", args={"n": 1}), tool(ToolFinished, run_id="s")],
        [tool(ToolFinished, run_id="s"), tool(ToolCallDelta, run_id="s", delta="{}")],
    ],
    ids=["whole arguments", "a late delta"],
)
def test_a_next_run_that_does_not_begin_to_write_a_call_completes_the_earlier_one(
    repeated: list[Any],
) -> None:
    (call,) = made(tool(ToolStarted), (RunFinished, {}), *repeated).tools
    assert (call.run_id, call.state) == ("r", "ok")


def test_the_event_right_after_finish_completes_a_call_that_the_finish_left_unfinished() -> None:
    registry = Registry(hold=0)
    registry.dispatch(ToolStarted(agent_id="a", run_id="r", tool_call_id="t"))
    registry.finish("a", "r")
    registry.dispatch(ToolFinished(agent_id="a", run_id="s", tool_call_id="t"))
    assert [(call.run_id, call.state) for call in registry.transcript("a").tools] == [("r", "ok")]


@pytest.mark.parametrize(("others", "runs"), [(STEPS - 1, "r"), (STEPS, "s")])
def test_a_result_is_compared_with_a_bounded_number_of_waiting_calls(others: int, runs: str) -> None:
    names = [f"q{i}" for i in range(others)]
    transcript = made(
        ASKS,
        *(tool(ToolCallDelta, run_id=name, delta="{}") for name in names),
        tool(ToolFinished, run_id="s"),
        *(tool(ToolProgress, run_id=name, state="awaiting_approval") for name in names),
    )
    assert [call.run_id for call in transcript.tools if call.state == "ok"] == [runs]


def test_a_call_is_called_elsewhere_if_a_run_other_than_its_own_has_a_call_with_its_id() -> None:
    registry = Registry(hold=0)
    for agent_id, run_id in [("a", "r"), ("b", "r"), ("a", "s"), ("b", "other")]:
        call = "u" if run_id == "other" else "t"
        registry.dispatch(ToolStarted(agent_id=agent_id, run_id=run_id, tool_call_id=call))
    with registry.reading("a") as log, registry.reading("b") as others:
        assert log is not None
        assert others is not None
        (one,) = log.runs["r"].ordered()
        (elsewhere,) = others.runs["r"].ordered()
        (alone,) = others.runs["other"].ordered()
        assert log.is_called_elsewhere(one)
        assert others.is_called_elsewhere(one)
        assert not others.is_called_elsewhere(elsewhere)
        assert not log.is_called_elsewhere(alone)


def test_another_run_does_not_complete_a_running_call() -> None:
    events = [tool(ToolStarted), tool(ToolFinished, run_id="s"), (RunFinished, {})]
    assert [call.state for call in made(*events).tools] == ["unfinished", "ok"]


def test_a_subagents_call_never_completes_its_parents_call_of_the_same_id() -> None:
    transcript = made(
        tool(ToolStarted),
        (RunStarted, {"run_id": "s", "parent_run_id": "r", "parent_tool_call_id": "t"}),
        tool(ToolStarted, run_id="s"),
        tool(ToolFinished, run_id="s"),
        (RunFinished, {"run_id": "s"}),
        (RunFinished, {}),
        tool(ToolFinished, run_id="s", output="late"),
    )
    (call,) = transcript.tools
    assert call.state == "unfinished"
    assert [(child.run_id, child.state) for child in call.children] == [("s", "ok")]  # type: ignore[union-attr]


@pytest.mark.parametrize("depth", [1, 2, STEPS])
def test_a_subagents_result_leaves_a_call_above_it_awaiting_approval(depth: int) -> None:
    above = ["r", *(f"s{i}" for i in range(depth))]
    subagents = [(RunStarted, {"run_id": run, "parent_run_id": parent}) for parent, run in pairwise(above)]
    transcript = made(
        tool(ToolStarted), ASKS, *subagents, tool(ToolFinished, run_id=above[-1], output="its own")
    )
    assert [(call.run_id, call.state) for call in transcript.tools] == [("r", "awaiting_approval")]


def test_a_result_of_the_run_above_leaves_a_subagents_call_awaiting_approval() -> None:
    transcript = made(
        (RunStarted, {"run_id": "s", "parent_run_id": "r"}),
        tool(ToolProgress, run_id="s", state="awaiting_approval"),
        tool(ToolFinished, run_id="r", output="its own"),
    )
    assert [(call.run_id, call.state) for call in transcript.tools] == [("r", "ok")]
    (subagent,) = [run for run in transcript.runs if run.run_id == "s"]
    assert [part.state for part in subagent.parts if part.kind == "tool"] == ["awaiting_approval"]


def test_a_call_awaits_approval_again_after_its_answering_run_is_forgotten() -> None:
    registry = Registry(clock=lambda: 0.0)
    for run, event in [("r", ToolProgress), ("s", ToolFinished)]:
        state = {"state": "awaiting_approval"} if event is ToolProgress else {}
        registry.dispatch(event(agent_id="a", run_id=run, tool_call_id="t", **state))
    assert registry.transcript("a").tools[0].state == "ok"
    registry.forget("a", "s")
    assert registry.transcript("a").tools[0].state == "awaiting_approval"


def test_an_answer_is_a_call_of_its_own_after_the_asking_run_is_forgotten() -> None:
    registry = Registry(clock=lambda: 0.0)
    registry.dispatch(ToolProgress(agent_id="a", run_id="r", tool_call_id="t", state="awaiting_approval"))
    registry.dispatch(ToolFinished(agent_id="a", run_id="s", tool_call_id="t"))
    registry.transcript("a")
    registry.forget("a", "r")
    assert [call.run_id for call in registry.transcript("a").tools] == ["s"]


# Subagents


def start(run: str, parent: str | None = None, call: str | None = None) -> tuple[type[Any], dict[str, Any]]:
    return RunStarted, {"run_id": run, "parent_run_id": parent, "parent_tool_call_id": call}


def test_a_subagents_parts_are_only_in_its_tools_children() -> None:
    transcript = made(tool(ToolStarted), start("s", "r", "t"), text("inner", run_id="s"), text("outer"))
    assert transcript.text == "outer"
    assert [part.text for part in transcript.tools[0].children] == ["inner"]  # type: ignore[union-attr]
    assert [run.parts for run in transcript.runs] == [(), ()]


def test_a_subagents_parent_run_is_found_by_the_call_alone() -> None:
    transcript = made(tool(ToolStarted), start("s", None, "t"), text("inner", run_id="s"))
    assert len(transcript.tools[0].children) == 1


def test_a_subagents_parts_without_a_known_parent_call_are_in_runs() -> None:
    transcript = made(
        text("outer"),
        start("s", "r"),
        text("inner", run_id="s"),
        start("q", "r", "unknown"),
        text("q", run_id="q"),
    )
    assert transcript.text == "outer"
    assert [[part.text for part in run.parts] for run in transcript.runs] == [[], ["inner"], ["q"]]  # type: ignore[union-attr]


def test_one_run_alone_shows_its_parts_even_if_it_is_a_subagent() -> None:
    transcript = made(tool(ToolStarted), start("s", "r", "t"), text("inner", run_id="s"), run_id="s")
    assert transcript.text == "inner"
    assert [run.run_id for run in transcript.runs] == ["s"]


@pytest.mark.parametrize(
    "events",
    [
        [start("r", "r", "t"), tool(ToolStarted)],
        [start("r", None, "t"), tool(ToolStarted)],
        [start("r", "s", "u"), start("s", "r", "t"), tool(ToolStarted), tool(ToolStarted, "u", run_id="s")],
        [start("r", None, "u"), start("s", None, "t"), tool(ToolStarted), tool(ToolStarted, "u", run_id="s")],
        [start("r", "s"), start("s", "q"), start("q", "r"), tool(ToolStarted)],
    ],
)
def test_parents_in_a_circle_lose_nothing(events: list[Any]) -> None:
    transcript = made(*events, text("kept"))
    everything = transcript.model_dump_json()
    assert everything.count("kept") == 1
    assert everything.count('"tool_call_id":"t"') == 1


def test_the_search_for_a_caller_visits_a_bounded_number_of_runs() -> None:
    visited: list[int] = []

    class Callers(list[Any]):
        def __reversed__(self) -> Any:
            for each in super().__reversed__():
                visited.append(each.arrival)
                yield each

    caller = caller_of(SimpleNamespace(arrival=1000), Callers(SimpleNamespace(arrival=i) for i in range(999)))
    assert caller is not None
    assert (caller.arrival, len(visited)) == (998, STEPS)


def test_subagents_beyond_the_nesting_limit_stand_beside_the_others() -> None:
    depth = 5000
    events = [tool(ToolStarted, f"t{0}", run_id="r0")]
    for i in range(1, depth):
        events += [start(f"r{i}", f"r{i - 1}", f"t{i - 1}"), tool(ToolStarted, f"t{i}", run_id=f"r{i}")]
    transcript = made(*events, (RunFinished, {"run_id": "r0"}))
    again = Transcript.model_validate_json(transcript.model_dump_json())
    assert again.model_dump_json().count('"unfinished"') == depth
    levels, part = 0, transcript.tools[0]
    while part.children:
        levels, part = levels + 1, part.children[0]  # type: ignore[assignment]
    assert levels == NESTING


# The run as a whole


def finish(outcome: str, **fields: Any) -> tuple[type[Any], dict[str, Any]]:
    return RunFinished, {"outcome": outcome, **fields}


@pytest.mark.parametrize(
    ("reported", "outcome"),
    [
        ([], None),
        (["success"], "success"),
        (["error", "success"], "error"),
        (["success", "cancelled"], "cancelled"),
        (["cancelled", "error"], "cancelled"),
        (["interrupted", "success"], "success"),
        (["success", "interrupted"], "interrupted"),
    ],
)
def test_the_first_failure_is_the_outcome_else_the_last_reported_one(
    reported: list[str], outcome: str | None
) -> None:
    assert made(text("x"), *(finish(each) for each in reported)).outcome == outcome


def test_the_transcripts_outcome_and_error_are_those_of_the_newest_request() -> None:
    transcript = made(
        finish("success"), finish("error", run_id="s", error="boom", code="E1", result={"x": 1})
    )
    assert (transcript.outcome, transcript.error) == ("error", "boom")
    assert (transcript.runs[1].code, transcript.runs[1].result) == ("E1", {"x": 1})
    assert made(finish("success"), text("x", run_id="s")).outcome is None


def test_usage_is_the_runs_own_report_else_the_sum_of_its_messages_and_adds_up_over_runs() -> None:
    def message(run: str, name: str, tokens: int, cost: float | None = None) -> Any:
        usage = Usage(input_tokens=tokens, cost=cost, model="m")
        return MessageFinished, {"run_id": run, "message_id": name, "usage": usage}

    transcript = made(
        message("r", "1", 1, 0.5),
        message("r", "2", 2),
        message("r", "2", 3),
        finish("success", run_id="s", usage=Usage(input_tokens=10)),
    )
    assert transcript.runs[0].usage == Usage(input_tokens=4, cost=0.5, model="m")
    assert transcript.usage == Usage(input_tokens=14, cost=0.5, model="m")


def test_the_usage_is_that_of_the_last_finish_in_order_even_if_another_arrived_last() -> None:
    ends = [finish("success", seq=seq, usage=Usage(input_tokens=seq)) for seq in (0, 2, 1)]
    assert made(*ends).usage == Usage(input_tokens=2)


def test_a_run_has_its_agents_name_and_its_input() -> None:
    (run,) = made(
        (RunStarted, {"agent_name": "n", "input": {"q": 1}}), (RunStarted, {"agent_name": "later"})
    ).runs
    assert (run.agent_name, run.input) == ("n", {"q": 1})


def test_a_transcript_reads_back_equal_with_any_value_and_a_newer_peers_usage() -> None:
    transcript = made(
        tool(ToolStarted, args={"n": [1, None, 2.5, {"x": "\ud800"}]}),
        tool(ToolFinished, output=float("nan"), ts=1.5),
        finish("success", usage=Usage(input_tokens=1, new_field=2), result=10**30),
    )
    assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript
    assert transcript.runs[0].usage.model_extra == {"new_field": 2}  # type: ignore[union-attr]


def test_a_retraction_drops_only_the_deltas_of_a_derived_call() -> None:
    ids: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": "m"}
    registry = Registry()
    registry.dispatch(ToolStarted(**ids, tool_call_id="one", tool_name="search", derived=True))
    registry.dispatch(ToolCallDelta(**ids, tool_call_id="one", delta="{", derived=True))
    registry.dispatch(ToolCallDelta(**ids, tool_call_id="two", tool_name="search", delta="{}"))
    calls = {part.tool_call_id: part for part in registry.transcript("a").parts if part.kind == "tool"}
    assert calls["one"].message_id == "m"
    assert calls["one"].tool_name == "search"

"""Check that logs of Claude Code are read whole: turns, calls, subagents, usage, times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.logs.support import (
    SAMPLES,
    call_block,
    claude_says,
    claude_user,
    notes,
    result_block,
    text_block,
    text_of,
)
from vibe_notebook.logs import Log
from vibe_notebook.parts import CustomPart
from vibe_notebook.transcript import Transcript

SAMPLE = SAMPLES / "claude_code.jsonl"


def loaded(folder: Path, *lines: dict[str, Any]) -> Transcript:
    path = folder / "session.jsonl"
    path.write_text(text_of(lines))
    return vibe.load(path)


def lines_of(transcript: Transcript) -> list[tuple[str, Any]]:
    return [(part.name, part.value) for part in transcript.parts if isinstance(part, CustomPart)]


@pytest.fixture(scope="module")
def sample() -> Transcript:
    return vibe.load(SAMPLE)


def test_the_user_s_turns_are_those_of_the_user(sample: Transcript) -> None:
    assert [turn.input for turn in sample.turns] == [
        "The forecast test fails since this morning. Find out why and fix it, please.",
        "/review forecast.py",
        "Do not push. Just summarise.",
    ]


def test_calls_have_their_arguments_and_results(sample: Transcript) -> None:
    calls = {call.tool_call_id: call for call in sample.tools}
    assert [call.tool_name for call in calls.values()] == [
        "TodoWrite",
        "Task",
        "Read",
        "Edit",
        "Bash",
        "TodoWrite",
        "Bash",
    ]
    assert calls["toolu_04"].args["new_string"].endswith("day or date.today())")
    assert "4 passed" in calls["toolu_05"].output
    assert (calls["toolu_07"].state, calls["toolu_03"].state) == ("denied", "ok")


def test_a_subagent_s_own_file_is_nested_under_the_call_that_began_it(sample: Transcript) -> None:
    task = next(call for call in sample.tools if call.tool_name == "Task")
    assert [part.kind for part in task.children] == ["text", "text", "tool", "text"]
    assert [run.agent_name for run in sample.runs] == ["Claude Code", "Explore"]
    assert [run.outcome for run in sample.runs] == ["success", "success"]


def test_a_message_s_usage_counts_once_though_each_of_its_lines_repeats_it(sample: Transcript) -> None:
    outputs = {m.message_id: m.usage.output_tokens for m in sample.messages if m.usage}
    assert outputs["msg_01A"] == 214
    assert outputs["msg_03C"] == 402
    assert sample.usage is not None
    assert sample.usage.output_tokens == sum(outputs.values()) == 1303
    models = {message.model for message in sample.messages if message.role == "assistant"}
    assert models == {"claude-opus-4-6", "claude-haiku-4-5-20251001"}


def test_the_todo_list_is_a_plan(sample: Transcript) -> None:
    plan = next(part for part in sample.parts if part.kind == "plan")
    assert [entry.status for entry in plan.entries] == ["completed"] * 3


def test_compaction_interruption_and_title_are_lines(sample: Transcript) -> None:
    assert lines_of(sample) == [
        ("compaction", "auto, 155,210 tokens before it"),
        ("interrupted", "Request interrupted by user for tool use"),
        ("title", "Fix the forecast test that depends on the date"),
    ]


def test_times_are_those_of_the_log(sample: Transcript) -> None:
    bash = next(call for call in sample.tools if call.tool_call_id == "toolu_05")
    assert bash.started_at is not None
    assert bash.finished_at is not None
    assert bash.finished_at - bash.started_at == pytest.approx(4.5)
    events = list(Log(SAMPLE))
    assert all(event.ts is not None and event.ts < 1_772_700_000 for event in events)


def test_a_watch_of_the_path_gives_the_transcript_that_load_gives() -> None:
    watch = vibe.watch(SAMPLE, display=False)
    events = list(watch)
    assert watch.transcript == vibe.load(SAMPLE)
    assert watch.title == "Fix the forecast test that depends on the date"
    assert {event.agent_id for event in events} == {"claude_code"}


def test_a_sidechain_in_the_log_itself_is_nested_by_its_prompt(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        claude_user("go", "u1"),
        claude_says(call_block("t1", "Task", prompt="Look at A", subagent_type="a"), "u2"),
        claude_says(call_block("t2", "Task", prompt="Look at B", subagent_type="b"), "u3"),
        claude_user("Look at B", "b1", isSidechain=True),
        claude_user("Look at A", "a1", isSidechain=True),
        claude_says(text_block("in B"), "b2", "mb", isSidechain=True, parentUuid="b1"),
        claude_says(text_block("in A"), "a2", "ma", isSidechain=True, parentUuid="a1"),
        claude_user([result_block("t1", "A done")], "u4"),
        claude_user([result_block("t2", "B done")], "u5"),
    )
    nested = {
        call.tool_call_id: [part.text for part in call.children if part.kind == "text"] for call in made.tools
    }
    assert nested == {"t1": ["Look at A", "in A"], "t2": ["Look at B", "in B"]}
    assert [run.agent_name for run in made.runs] == ["Claude Code", "b", "a"]


def test_a_sidechain_whose_prompt_no_call_has_is_linked_by_its_result(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        claude_says(call_block("t1", "Agent", prompt="p"), "u2"),
        claude_user("other words", "a1", isSidechain=True, agentId="x"),
        claude_user([result_block("t1", "done")], "u4", toolUseResult={"agentId": "x"}),
    )
    assert [part.text for part in made.tools[0].children if part.kind == "text"] == ["other words"]


def test_progress_lines_of_a_subagent_are_nested_and_not_doubled(tmp_path: Path) -> None:
    inner = claude_says(text_block("inside"), "a1", "ma")
    data = {"type": "agent_progress", "agentId": "x", "message": inner}
    progress = {"type": "progress", "parentToolUseID": "t1", "data": data, "sessionId": "s", "uuid": "p1"}
    side = tmp_path / "session" / "subagents"
    side.mkdir(parents=True)
    (side / "agent-x.jsonl").write_text(
        text_of([{**inner, "isSidechain": True, "agentId": "x", "uuid": "other"}])
    )
    made = loaded(tmp_path, claude_says(call_block("t1", "Agent", prompt="p"), "u2"), progress)
    assert [part.text for part in made.tools[0].children if part.kind == "text"] == ["inside"]


def test_a_subagent_s_own_log_is_read_as_a_session(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        claude_user("Look at A", "a1", isSidechain=True, agentId="x"),
        claude_says(text_block("in A"), "a2", isSidechain=True, agentId="x"),
    )
    assert [turn.input for turn in made.turns] == ["Look at A"]
    assert made.text == "in A"


def test_parents_in_a_circle_lose_no_line(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        claude_user("one", "a", parentUuid="b"),
        claude_says(text_block("two"), "b", parentUuid="a"),
        claude_user("three", "c", isSidechain=True, parentUuid="d"),
        claude_says(text_block("four"), "d", "m2", isSidechain=True, parentUuid="c"),
        claude_user("five", "e", isSidechain=True, parentUuid="e"),
    )
    assert made.text == "two"
    assert all(words in made.to_text() for words in ("one", "two", "three", "four", "five"))


def test_lines_that_a_resumed_session_repeats_count_once(tmp_path: Path) -> None:
    lines = [claude_user("go", "u1"), claude_says(text_block("yes"), "u2")]
    made = loaded(tmp_path, *lines, *lines)
    assert (len(made.turns), made.text) == (1, "yes")
    assert made.usage is not None
    assert made.usage.output_tokens == 5


def test_a_message_that_goes_on_after_another_one_is_not_billed_twice(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        claude_says(text_block("a"), "u1", "m1"),
        claude_says(text_block("b"), "u2", "m2"),
        claude_says(text_block("c"), "u3", "m1"),
    )
    assert made.text == "abc"
    assert made.usage is not None
    assert made.usage.output_tokens == 10


def test_costs_that_the_lines_tell_are_summed_by_message(tmp_path: Path) -> None:
    made = loaded(
        tmp_path,
        claude_says(text_block("a"), "u1", "m1", costUSD=0.25),
        claude_says(text_block("b"), "u2", "m1", costUSD=0.25),
        claude_says(text_block("c"), "u3", "m2", costUSD=0.5),
    )
    assert made.usage is not None
    assert made.usage.cost == 0.75


@pytest.mark.parametrize(
    ("content", "fields", "turns"),
    [
        ("plain", {}, ["plain"]),
        ([text_block("a block"), text_block("<system-reminder>x</system-reminder>")], {}, ["a block"]),
        ("<command-name>/clear</command-name><command-args></command-args>", {}, ["/clear"]),
        ("<bash-input>ls</bash-input>", {}, ["! ls"]),
        ("Caveat: words of the CLI", {"isMeta": True}, []),
        ("<local-command-stdout>done</local-command-stdout>", {}, []),
        ("[Request interrupted by user]", {}, []),
        ("the summary", {"isCompactSummary": True}, []),
    ],
)
def test_only_what_the_user_said_begins_a_turn(
    content: Any, fields: dict[str, Any], turns: list[str], tmp_path: Path
) -> None:
    made = loaded(tmp_path, claude_user(content, "u1", **fields), claude_says(text_block("ok"), "u2"))
    assert [turn.input for turn in made.turns if turn.input] == turns


def test_an_api_error_is_a_line_and_the_outcome_only_if_it_is_the_last_word(tmp_path: Path) -> None:
    failed = claude_says(
        text_block("API Error: 529"), "u2", model="<synthetic>", isApiErrorMessage=True, error="overloaded"
    )
    made = loaded(tmp_path, claude_user("go", "u1"), failed)
    assert (made.outcome, made.error, made.text) == ("error", "API Error: 529", "")
    made = loaded(tmp_path, claude_user("go", "u1"), failed, claude_says(text_block("ok"), "u3", "m2"))
    assert (made.outcome, lines_of(made)) == ("success", [("API error", "API Error: 529")])


def test_a_compaction_without_a_boundary_is_one_line_too(tmp_path: Path) -> None:
    made = loaded(tmp_path, claude_user("All that happened before.", "u1", isCompactSummary=True))
    assert lines_of(made) == [("compaction", "the conversation before was summarised")]


def test_a_newer_kind_of_line_is_kept_as_a_hidden_event(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    newer = {"type": "from-the-future", "sessionId": "s", "uuid": "n", "data": [1]}
    path.write_text(text_of([claude_user("go", "u1"), newer]))
    events = list(Log(path))
    assert [event.name for event in events if event.type == "custom"] == ["from-the-future"]
    assert notes(events) == []

"""Test turns, plans, sources, requests and shown lines in the transcript, in any order of arrival."""

from __future__ import annotations

from typing import Any

import pytest

from vibe_notebook.events import (
    Citation,
    Custom,
    Event,
    InputAnswered,
    InputRequested,
    MessageFinished,
    MessageStarted,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)
from vibe_notebook.registry import Registry
from vibe_notebook.testing import shuffled
from vibe_notebook.transcript import Transcript

IDS: dict[str, Any] = {"agent_id": "a", "run_id": "r"}


def read(*events: Event, agent_id: str = "a") -> Transcript:
    registry = Registry(hold=0)
    for event in events:
        registry.dispatch(event)
    return registry.transcript(agent_id)


def said(text: str, message_id: str, role: str = "user", **ids: Any) -> list[Event]:
    place = {**IDS, **ids, "message_id": message_id}
    return [MessageStarted(**place, role=role), TextDelta(**place, delta=text), MessageFinished(**place)]


def numbered(events: list[Event]) -> list[Event]:
    return [
        event.model_copy(update={"seq": number, "ts": 100.0 + number}) for number, event in enumerate(events)
    ]


CONVERSATION = numbered(
    [
        RunStarted(**IDS, input="ignored: the user's own words follow"),
        *said("You are brief.", "s", role="developer"),
        *said("What is it?", "u"),
        Plan(**IDS, entries=["Look", "Say"], tool_call_id="t0"),
        MessageStarted(**IDS, message_id="m"),
        Citation(**IDS, message_id="m", citation_id="c", url="https://a.example", start=0, end=2),
        TextDelta(**IDS, message_id="m", delta="It is."),
        Citation(**IDS, message_id="m", citation_id="c", url="https://b.example", start=0, end=5),
        Plan(**IDS, entries=[{"text": "Look", "status": "completed"}, "Say"]),
        ToolStarted(**IDS, message_id="m", tool_call_id="t", tool_name="rm", args={"p": 1}),
        InputRequested(**IDS, request_id="q", kind="approval", tool_call_id="t", message="Delete?"),
        InputAnswered(**IDS, request_id="q", action="accept", by="me"),
        ToolFinished(**IDS, tool_call_id="t", output="gone"),
        InputRequested(**IDS, request_id="q2", message="City?", options=["Lima", "Quito"]),
        InputAnswered(**IDS, request_id="q2", action="accept", value="Lima"),
        Custom(**IDS, name="note", value="half", shown=True),
        Custom(**IDS, name="hidden", value="never"),
        MessageFinished(
            **IDS, message_id="m", finish_reason="stop", usage=Usage(output_tokens=3, model="m1")
        ),
        *said("And then?", "u2"),
        *said("Nothing.", "m2", role="model"),
        RunFinished(**IDS),
    ]
)


@pytest.mark.parametrize("seed", range(40))
def test_any_arrival_of_a_conversation_ends_in_the_same_transcript(seed: int) -> None:
    whole = read(*CONVERSATION)
    again = read(*shuffled(CONVERSATION, seed=seed), *CONVERSATION[seed % 20 :: 3])
    assert again == whole
    assert Transcript.model_validate_json(whole.model_dump_json()) == whole


def display_of(*events: Event) -> Any:
    return read(*events).tools[0].display


@pytest.mark.parametrize("count", range(1, 9))
def test_the_last_display_of_a_call_stays_whatever_comes_without_one(count: int) -> None:
    call = {**IDS, "tool_call_id": "t"}
    one, two, three = ({"text/plain": text} for text in ("one", "two", "three"))
    events = numbered(
        [
            ToolStarted(**call, args={"p": 1}, display=one),
            ToolStarted(**call, args={"p": 2}),
            ToolProgress(**call, delta="x", display=two),
            ToolProgress(**call, message="working"),
            ToolProgress(**call, delta="y"),
            ToolFinished(**call, output=1, display=three),
            ToolFinished(**call, output=2),
            ToolProgress(**call, delta="late"),
        ]
    )[:count]
    expected = [one, one, two, two, two, three, three, three][count - 1]
    assert display_of(*events) == expected
    for seed in range(10):
        assert read(*shuffled(events, seed=seed)) == read(*events)


def test_what_the_user_and_the_system_said_is_no_text_of_the_agent_and_begins_turns() -> None:
    transcript = read(*CONVERSATION)
    assert transcript.text == "It is.Nothing."
    assert [turn.input for turn in transcript.turns] == [None, "What is it?", "And then?"]
    assert [part.role for part in transcript.turns[0].parts] == ["system"]
    assert [part.kind for part in transcript.turns[1].parts] == [
        "text", "plan", "text", "tool", "input", "custom"
    ]  # fmt: skip


def test_a_message_has_its_role_its_times_and_the_models_usage() -> None:
    messages = {message.message_id: message for message in read(*CONVERSATION).messages}
    assert [message.role for message in messages.values()] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    found = messages["m"]
    assert (found.model, found.finish_reason, found.usage) == (
        "m1",
        "stop",
        Usage(output_tokens=3, model="m1"),
    )
    assert found.started_at is not None
    assert found.first_at is not None
    assert found.finished_at is not None
    assert found.started_at < found.first_at < found.finished_at
    assert messages["u"].usage is None


def test_a_part_has_the_least_and_the_greatest_time_of_its_events() -> None:
    part = read(*(TextDelta(**IDS, delta="x", ts=ts) for ts in (5.0, 3.0, 9.0, 4.0))).parts[0]
    assert (part.started_at, part.finished_at) == (3.0, 9.0)
    assert read(TextDelta(**IDS, delta="x")).parts[0].started_at is None


def test_a_later_plan_replaces_the_first_in_its_place() -> None:
    plan = next(part for part in read(*CONVERSATION).parts if part.kind == "plan")
    assert [(entry.text, entry.status) for entry in plan.entries] == [
        ("Look", "completed"),
        ("Say", "pending"),
    ]


def test_a_citation_counts_by_its_last_event_and_only_within_the_text() -> None:
    def marks(start: int | None, end: int | None) -> Any:
        cited = Citation(**IDS, message_id="m", citation_id="c", title="T", start=start, end=end)
        text = read(cited, TextDelta(**IDS, message_id="m", delta="four")).parts[0]
        assert text.kind == "text"
        return [(one.title, one.start, one.end) for one in text.citations]

    assert marks(1, 4) == [("T", 1, 4)]
    assert marks(1, 5) == marks(3, 2) == marks(None, None) == [("T", None, None)]
    text = next(part for part in read(*CONVERSATION).parts if part.kind == "text" and part.message_id == "m")
    assert [one.url for one in text.citations] == ["https://b.example"]


def test_a_source_of_a_text_that_never_came_is_kept() -> None:
    transcript = read(Citation(**IDS, message_id="m", part_id="9", citation_id="c", title="Lost"))
    for form in (transcript.to_text(), transcript.to_markdown(), transcript.to_html()):
        assert "Lost" in form


ASKED = InputRequested(**IDS, request_id="q", kind="approval", tool_call_id="t")
CALL = ToolStarted(**IDS, tool_call_id="t", tool_name="rm", args={})


@pytest.mark.parametrize(
    ("events", "state", "is_open"),
    [
        ([], "awaiting_approval", True),
        ([InputAnswered(**IDS, request_id="q", action="accept")], "running", False),
        ([InputAnswered(**IDS, request_id="q", action="decline")], "denied", False),
        ([InputAnswered(**IDS, request_id="q", action="cancel")], "cancelled", False),
        (
            [InputAnswered(**IDS, request_id="q", action="decline"), ToolFinished(**IDS, tool_call_id="t")],
            "denied",
            False,
        ),
        (
            [InputAnswered(**IDS, request_id="q", action="accept"), ToolFinished(**IDS, tool_call_id="t")],
            "ok",
            False,
        ),
        ([InputAnswered(**IDS, request_id="other", action="accept")], "awaiting_approval", True),
        ([ASKED, InputAnswered(**IDS, request_id="q", action="decline"), ASKED], "denied", False),
        ([RunFinished(**IDS, outcome="interrupted")], "awaiting_approval", True),
        ([RunFinished(**IDS)], "cancelled", False),
        ([RunFinished(**IDS, outcome="error")], "cancelled", False),
        (
            [
                RunFinished(**IDS, outcome="interrupted"),
                InputAnswered(
                    agent_id="a", run_id="r2", request_id="q", request_run_id="r", action="decline"
                ),
            ],
            "denied",
            False,
        ),
    ],
)
def test_a_request_decides_the_state_of_its_call(events: list[Event], state: str, is_open: bool) -> None:  # noqa: FBT001
    (call, *_) = read(CALL, ASKED, *events).tools
    assert call.request is not None
    assert (call.state, call.request.is_open) == (state, is_open)


def test_an_answer_before_its_request_answers_nothing() -> None:
    answer = InputAnswered(**IDS, request_id="q", action="accept")
    request = read(answer, CALL, ASKED).tools[0].request
    assert request is not None
    assert request.answer is None
    assert request.is_open


def test_a_request_after_an_early_answer_is_shown_also_if_somebody_looked_between() -> None:
    registry = Registry()
    for event in (RunStarted(**IDS), InputAnswered(**IDS, request_id="p", action="accept")):
        registry.dispatch(event)
        assert registry.transcript("a").parts == ()
    registry.dispatch(InputRequested(**IDS, request_id="p", kind="approval"))
    assert [part.kind for part in registry.transcript("a").parts] == ["input"]


def test_a_run_with_an_input_and_no_message_of_the_user_begins_a_turn() -> None:
    transcript = read(
        TextDelta(**IDS, delta="before"),
        RunStarted(agent_id="a", run_id="r2", input={"q": 1}),
        TextDelta(agent_id="a", run_id="r2", delta="after"),
        TextDelta(agent_id="a", run_id="r3", delta="goes on"),
        RunStarted(agent_id="a", run_id="sub", input="inner", parent_run_id="r2"),
    )
    assert [(turn.input, turn.run_ids) for turn in transcript.turns] == [
        (None, ("r",)),
        ({"q": 1}, ("r2", "r3")),
    ]
    assert '"q": 1' in transcript.to_text()


def test_the_usage_of_subagents_is_added_unless_it_is_included() -> None:
    def total(*, included: bool) -> int | None:
        child: dict[str, Any] = {"agent_id": "a", "run_id": "sub"}
        usage = read(
            RunStarted(**IDS),
            CALL,
            RunStarted(**child, parent_run_id="r", parent_tool_call_id="t"),
            TextDelta(**child, delta="x"),
            RunFinished(**child, usage=Usage(output_tokens=5)),
            RunFinished(**IDS, usage=Usage(output_tokens=2, includes_children=included)),
        ).usage
        return usage.output_tokens if usage else None

    assert total(included=False) == 7
    assert total(included=True) == 2


def test_a_first_edition_server_carries_the_new_events() -> None:
    from vibe_notebook.events import first_edition, read_event, to_json  # noqa: PLC0415

    for event in CONVERSATION:
        read = read_event(to_json(first_edition(event)))
        if event.type in ("input_requested", "input_answered"):
            assert read == first_edition(event)
            assert read.type == "custom"
        else:
            assert read == event
    assert first_edition(CONVERSATION[0]) is CONVERSATION[0]
    broken = Custom(**IDS, name="vibe:citation", value={"start": 1}, edition=2)
    assert read_event(to_json(broken)) == broken

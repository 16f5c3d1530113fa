"""Read pydantic-ai's stream: a real agent's objects, their JSON, and cases without a recording."""

from __future__ import annotations

import asyncio
import base64
import datetime
import decimal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest
from pydantic_ai import (
    Agent,
    AgentRunResultEvent,
    BinaryContent,
    CustomEvent,
    ModelRetry,
    RunContext,
    ToolDenied,
)
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.messages import (
    AgentStreamEvent,
    FilePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults

import vibe_notebook as vibe
from tests.adapters.support import IDS, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import Event
from vibe_notebook.transcript import Transcript


@dataclass(kw_only=True)
class StepEvent(CustomEvent):
    done: int
    total: int
    message: str


@dataclass(kw_only=True)
class NoteEvent(CustomEvent):
    note: str


@dataclass
class Place:
    city: str
    id: uuid.UUID


class Weather(pydantic.BaseModel):
    place: Place
    seen: datetime.datetime


# A serialiser knows only the event classes that exist before the serialiser.
STREAM = pydantic.TypeAdapter[Any](AgentStreamEvent)
RESULT = pydantic.TypeAdapter[Any](AgentRunResultEvent[Any])


async def model(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
    del info
    if len(messages) > 1:
        yield "Paris is "
        yield "sunny."
        return
    yield {0: DeltaThinkingPart(content="Two ")}
    yield {0: DeltaThinkingPart(content="cities.")}
    yield "Let me "
    yield "check."
    yield {2: DeltaToolCall(name="weather", json_args='{"ci', tool_call_id="c1")}
    yield {2: DeltaToolCall(json_args='ty": "Paris"}')}
    yield {3: DeltaToolCall(name="weather", json_args='{"city": "Atlantis"}', tool_call_id="c2")}


def agent() -> Agent[object, str]:
    made = Agent(FunctionModel(stream_function=model), retries=2)
    answered = asyncio.Event()

    @made.tool
    async def weather(ctx: RunContext[object], city: str) -> dict[str, Any]:
        await ctx.emit(NoteEvent(note=city))
        if city == "Atlantis":
            answered.set()
            msg = "no such city"
            raise ModelRetry(msg)
        await answered.wait()  # so that the first call answers last
        await ctx.emit(StepEvent(done=1, total=2, message="asked"))
        seen = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
        place = Place(city, uuid.UUID(int=1))
        return {
            "now": Weather(place=place, seen=seen),
            "place": place,
            "seen": seen,
            "cost": decimal.Decimal("0.1"),
        }

    return made


async def live(made: Agent[Any, Any], prompt: str = "hi", **options: Any) -> list[Any]:
    async with made.run_stream_events(prompt, **options) as events:
        return [event async for event in events]


def recorded(natives: list[Any]) -> list[Any]:
    return [
        (RESULT if isinstance(native, AgentRunResultEvent) else STREAM).dump_python(native, mode="json")
        for native in natives
    ]


def deltas(*parts: tuple[int, str], kind: str = "text") -> list[dict[str, Any]]:
    return [
        {"event_kind": "part_delta", "index": i, "delta": {"part_delta_kind": kind, "content_delta": text}}
        for i, text in parts
    ]


def test_a_real_agent_is_shown_whole_and_its_calls_keep_their_own_results() -> None:
    parts = shown("pydantic_ai", asyncio.run(live(agent())))
    thinking, text, paris, atlantis, answer = (part for part in parts if part["kind"] != "custom")
    assert (thinking["kind"], thinking["text"]) == ("thinking", "Two cities.")
    assert (text["text"], answer["text"]) == ("Let me check.", "Paris is sunny.")
    assert (paris["id"], paris["args"], paris["status"]) == ("c1", {"city": "Paris"}, "ok")
    place = {"city": "Paris", "id": "00000000-0000-0000-0000-000000000001"}
    seen = "2026-11-21T00:00:00Z"
    assert paris["output"] == {
        "now": {"place": place, "seen": seen},
        "place": place,
        "seen": seen,
        "cost": "0.1",
    }
    assert (atlantis["id"], atlantis["args"], atlantis["status"]) == ("c2", {"city": "Atlantis"}, "error")
    assert "no such city" in atlantis["output"]


def test_live_objects_and_their_json_give_equal_events() -> None:
    natives = asyncio.run(live(agent()))
    assert run("pydantic_ai", natives) == run("pydantic_ai", recorded(natives))


def test_the_event_stream_handler_gives_the_same_events_up_to_the_result() -> None:
    adapter, events = adapters.get("pydantic_ai", **IDS), list[Event]()

    async def handler(ctx: RunContext[object], stream: Any) -> None:
        del ctx
        async for native in stream:
            events.extend(adapter.feed(native))

    asyncio.run(agent().run("hi", event_stream_handler=handler))
    iterated = run("pydantic_ai", asyncio.run(live(agent())))
    assert events + adapter.finish() == [
        event.model_copy(update={"result": None, "usage": None}) if event.type == "run_finished" else event
        for event in iterated
    ]


def test_a_watched_run_ends_with_the_prompt_that_its_result_holds() -> None:
    async def watched() -> Transcript:
        return await vibe.watch(agent().run_stream_events("Which city is warmer?"), display=False)

    transcript = asyncio.run(watched())
    assert [turn.input for turn in transcript.turns] == ["Which city is warmer?"]
    adapter = adapters.get("pydantic_ai", **IDS)
    assert adapter.exhausted(None) == []


def test_each_model_call_is_a_message_and_its_tools_end_it() -> None:
    events = run("pydantic_ai", asyncio.run(live(agent())))
    assert [(e.type, e.message_id) for e in events if e.type.startswith("message")] == [
        ("message_started", "r:0"),
        ("message_finished", "r:0"),
        ("message_started", "r:1"),
        ("message_finished", "r:1"),
    ]
    started = next(event for event in events if event.type == "tool_started")
    assert events.index(started) > next(i for i, e in enumerate(events) if e.type == "message_finished")


def test_custom_events_are_progress_or_keep_their_names() -> None:
    natives = asyncio.run(live(agent()))
    assert emitted("pydantic_ai", natives, "tool_progress") == [
        {"tool_call_id": "c1", "progress": 1.0, "total": 2.0, "message": "asked"}
    ]
    line = {"name": "note", "value": {"note": "Paris"}, "tool_call_id": "c1", "shown": True}
    assert line in emitted("pydantic_ai", natives, "custom")


def test_a_custom_event_of_an_unknown_class_is_read_the_same() -> None:
    native = {
        "event_kind": "custom",
        "name": "far",
        "tool_call_id": "c",
        "tool_name": "t",
        "done": 1,
        "extra": [2],
    }
    with pytest.warns(UserWarning, match="Unknown event name"):
        unknown = STREAM.validate_python(native)
    assert type(unknown).__name__ == "UnknownCustomEvent"
    assert run("pydantic_ai", [unknown]) == run("pydantic_ai", [native])
    assert emitted("pydantic_ai", [unknown], "custom", "tool_progress") == [
        {"tool_call_id": "c", "progress": 1.0},
        {"name": "far", "value": {"extra": [2]}, "tool_call_id": "c"},
    ]


def test_an_exception_in_a_tool_leaves_an_error_and_the_streamed_parts() -> None:
    made = Agent(FunctionModel(stream_function=model))

    @made.tool_plain
    def weather(city: str) -> str:
        raise LookupError(city)

    adapter, events = adapters.get("pydantic_ai", **IDS), list[Event]()

    async def drain() -> None:
        async with made.run_stream_events("hi") as stream:
            async for native in stream:
                events.extend(adapter.feed(native))

    with pytest.raises(LookupError) as caught:
        asyncio.run(drain())
    end = adapter.finish(caught.value)[-1]
    # Two calls at once: either may be the one that the SDK raises.
    assert (end.type, end.outcome, end.error) == ("run_finished", "error", f"LookupError: {caught.value}")  # type: ignore[union-attr]
    assert [event.tool_call_id for event in events if event.type == "tool_started"] == ["c1", "c2"]


def test_a_run_that_waits_for_approval_is_interrupted_and_the_next_run_continues() -> None:
    async def asks(messages: list[Any], info: AgentInfo) -> AsyncIterator[Any]:
        del info
        if len(messages) == 1:
            yield {0: DeltaToolCall(name="wipe", json_args='{"disk": "a"}', tool_call_id="c1")}
        else:
            yield "Left alone."

    made = Agent(FunctionModel(stream_function=asks), output_type=[str, DeferredToolRequests])

    @made.tool
    def wipe(ctx: RunContext[object], disk: str) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        return disk

    natives = asyncio.run(live(made))
    for form in (natives, recorded(natives)):
        events = run("pydantic_ai", form)
        assert events[-1].outcome == "interrupted"  # type: ignore[union-attr]
        assert {"tool_call_id": "c1", "state": "awaiting_approval"} in emitted(
            "pydantic_ai", form, "tool_progress"
        )
    history = natives[-1].result.all_messages()
    answer = DeferredToolResults(approvals={"c1": ToolDenied("hands off")})
    after = asyncio.run(live(made, None, message_history=history, deferred_tool_results=answer))
    call, text = shown("pydantic_ai", after)
    assert (call["id"], call["status"], call["output"]) == ("c1", "denied", "hands off")
    assert text["text"] == "Left alone."


def test_the_users_cancellation_is_the_outcome_cancelled() -> None:
    class RunCancelled(Exception):  # noqa: N818 - the SDK's name
        pass

    class RunTimedOut(RunCancelled):
        pass

    assert run("pydantic_ai", [], RunCancelled())[-1].outcome == "cancelled"  # type: ignore[union-attr]
    assert run("pydantic_ai", [], RunTimedOut("5 s"))[-1].error == "RunTimedOut: 5 s"  # type: ignore[union-attr]


# Parts.


def test_deltas_after_the_end_of_a_part_belong_to_the_part() -> None:
    natives = [
        PartStartEvent(index=0, part=TextPart("a")),
        PartEndEvent(index=0, part=TextPart("a"), next_part_kind="thinking"),
        PartStartEvent(index=1, part=ThinkingPart("t"), previous_part_kind="text"),
        PartDeltaEvent(index=0, delta=TextPartDelta("b")),
        PartEndEvent(index=1, part=ThinkingPart("t")),
        PartDeltaEvent(index=0, delta=TextPartDelta("c")),
    ]
    assert shown("pydantic_ai", natives) == [
        {"kind": "text", "text": "abc"},
        {"kind": "thinking", "text": "t"},
    ]
    assert emitted("pydantic_ai", natives, "part_completed") == []


def test_the_end_of_a_part_completes_the_streamed_text() -> None:
    natives = [
        PartStartEvent(index=0, part=TextPart("a")),
        PartEndEvent(index=0, part=TextPart("abc"), next_part_kind="thinking"),
        PartEndEvent(index=1, part=ThinkingPart("never streamed")),
    ]
    assert emitted("pydantic_ai", natives, "part_completed") == [
        {"text": "abc"},
        {"part_id": "1", "kind": "thinking", "text": "never streamed"},
    ]


def test_the_same_index_in_one_message_replaces_the_part() -> None:
    natives = [
        PartStartEvent(index=0, part=TextPart("first ")),
        PartStartEvent(index=1, part=TextPart("draft"), previous_part_kind="text"),
        PartStartEvent(index=1, part=TextPart("final"), previous_part_kind="text"),
        *deltas((1, ".")),
    ]
    assert [part["text"] for part in shown("pydantic_ai", natives)] == ["first ", "final."]


def test_a_part_that_changes_its_kind_leaves_nothing_behind() -> None:
    natives = [
        PartStartEvent(index=0, part=TextPart("<thi")),
        PartStartEvent(index=0, part=ThinkingPart("hm"), previous_part_kind="text"),
    ]
    assert shown("pydantic_ai", natives) == [{"kind": "thinking", "text": "hm"}]


def test_a_grown_first_part_is_replaced_by_a_part_that_names_it() -> None:
    natives = [
        PartStartEvent(index=0, part=TextPart("dra")),
        *deltas((0, "ft")),
        PartStartEvent(index=0, part=TextPart("final"), previous_part_kind="text"),
    ]
    assert shown("pydantic_ai", natives) == [{"kind": "text", "text": "final"}]


def test_the_first_part_after_a_tool_call_is_in_another_message() -> None:
    call = ToolCallPart("f", "{}", "c")
    natives: list[Any] = [
        PartStartEvent(index=0, part=call),
        {"event_kind": "function_tool_call", "part": {"tool_name": "f", "tool_call_id": "c"}},
        PartStartEvent(index=0, part=TextPart("a")),
    ]
    events = run("pydantic_ai", natives)
    assert next(event.message_id for event in events if event.type == "text_delta") == "r:1"


@pytest.mark.parametrize("ends", [True, False], ids=["2.x", "1.x without part ends"])
def test_an_index_that_starts_again_at_0_is_another_message(ends: bool) -> None:  # noqa: FBT001
    end = [PartEndEvent(index=0, part=TextPart("ab"))] if ends else []
    one = [
        PartStartEvent(index=0, part=TextPart("a")),
        PartDeltaEvent(index=0, delta=TextPartDelta("b")),
        *end,
    ]
    assert [part["text"] for part in shown("pydantic_ai", [*one, *one])] == ["ab", "ab"]


def test_dict_arguments_are_merged_and_shown_when_complete() -> None:
    natives: list[Any] = [
        PartStartEvent(index=0, part=ToolCallPart("f", {"a": 1}, "c")),
        PartDeltaEvent(index=0, delta=ToolCallPartDelta(args_delta={"b": "°"})),
        {
            "event_kind": "part_end",
            "index": 0,
            "part": {"part_kind": "tool-call", "tool_name": "f", "tool_call_id": "c"},
        },
    ]
    assert emitted("pydantic_ai", natives, "tool_call_delta") == [
        {"tool_call_id": "c", "tool_name": "f"},
        {"tool_call_id": "c", "tool_name": "f", "delta": '{"a": 1, "b": "°"}'},
    ]


def test_a_tool_name_may_arrive_in_deltas_and_a_part_without_a_start() -> None:
    natives = [
        PartDeltaEvent(index=4, delta=ToolCallPartDelta(tool_name_delta="get_", tool_call_id="c")),
        PartDeltaEvent(index=4, delta=ToolCallPartDelta(tool_name_delta="it", args_delta='{"x": 1}')),
        *deltas((5, "and so on")),
    ]
    call, text = shown("pydantic_ai", natives)
    assert (call["id"], call["name"], call["args"], call["status"]) == ("c", "get_it", {"x": 1}, "preparing")
    assert text["text"] == "and so on"


def test_a_tool_that_the_provider_runs_has_its_call_and_result_among_the_parts() -> None:
    call = NativeToolCallPart("web_search", '{"q": "x"}', "n1")
    natives = [
        PartStartEvent(index=0, part=call),
        PartEndEvent(index=0, part=call, next_part_kind="builtin-tool-return"),
        PartStartEvent(index=1, part=NativeToolReturnPart("web_search", {"hits": 3}, "n1")),
        PartStartEvent(index=2, part=TextPart("Three."), previous_part_kind="builtin-tool-return"),
    ]
    tool, text = shown("pydantic_ai", natives)
    assert (tool["name"], tool["args"], tool["status"], tool["output"]) == (
        "web_search",
        {"q": "x"},
        "ok",
        {"hits": 3},
    )
    assert text["text"] == "Three."
    assert len({event.message_id for event in run("pydantic_ai", natives) if event.message_id}) == 1


def test_a_file_and_its_better_version_are_one_artifact() -> None:
    drafts = [
        FilePart(BinaryContent(data, media_type="image/png")) for data in (b"\xfb\xff", b"\xfb\xff\xfe")
    ]
    natives = [PartStartEvent(index=0, part=draft) for draft in drafts]
    expected = {
        "kind": "artifact",
        "artifact_id": "r:0:0:0",
        "media_type": "image/png",
        "data": base64.b64encode(b"\xfb\xff\xfe").decode(),
    }
    assert shown("pydantic_ai", natives) == shown("pydantic_ai", recorded(natives)) == [expected]


# Results.


def result(**part: Any) -> dict[str, Any]:
    part = {"part_kind": "tool-return", "tool_name": "f", "tool_call_id": "c", **part}
    return {"event_kind": "function_tool_result", "part": part}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("success", "ok"),
        ("failed", "error"),
        ("retried", "error"),
        ("denied", "denied"),
        ("interrupted", "cancelled"),
    ],
)
def test_each_outcome_of_a_call_has_its_status(outcome: str, status: str) -> None:
    (finished,) = emitted("pydantic_ai", [result(outcome=outcome, content="why")], "tool_finished")
    assert finished.get("status", "ok") == status
    assert (finished["output"], finished.get("error")) == ("why", None if status == "ok" else "why")


def test_a_1x_result_and_its_retry_prompt_are_read() -> None:
    errors = [{"type": "missing", "loc": ["city", 0], "msg": "Field required", "input": {}}]
    retry = {"part_kind": "retry-prompt", "tool_name": "f", "tool_call_id": "c", "content": errors}
    natives = [
        {
            "event_kind": "function_tool_call",
            "part": {"tool_name": "f", "tool_call_id": "c", "args": '{"x": 1}'},
        },
        {"event_kind": "function_tool_result", "result": retry},
    ]
    assert emitted("pydantic_ai", natives, "tool_started", "tool_finished") == [
        {"tool_call_id": "c", "tool_name": "f", "args": {"x": 1}},
        {
            "tool_call_id": "c",
            "tool_name": "f",
            "status": "error",
            "output": errors,
            "error": "city.0: Field required",
        },
    ]


def test_1x_usage_is_a_method_and_its_reasoning_a_detail() -> None:
    class Result:
        output = "done"

        def usage(self) -> dict[str, Any]:
            return {"input_tokens": 3, "output_tokens": 2, "details": {"reasoning_tokens": 1}, "cost": "0.5"}

    end = run("pydantic_ai", [{"event_kind": "agent_run_result", "result": Result()}])[-1]
    assert end.type == "run_finished"
    assert end.result == "done"
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens, end.usage.reasoning_tokens, end.usage.cost) == (
        3,
        2,
        1,
        0.5,
    )


IMAGES = (b"\x89PNG\r\n\x1a\n\xfb\xef", b"\x89PNG\r\n\x1a\n\xfb\xff")


def test_the_first_image_in_a_result_is_the_calls_display_and_the_next_a_file_of_it() -> None:
    made = Agent(FunctionModel(stream_function=model))

    @made.tool_plain
    def weather(city: str) -> list[Any]:
        return [city, *(BinaryContent(data, media_type="image/png") for data in IMAGES)]

    natives = asyncio.run(live(made))
    assert run("pydantic_ai", natives) == run("pydantic_ai", recorded(natives))
    call, chart = (
        part for part in shown("pydantic_ai", natives) if "c1" in (part.get("id"), part.get("tool_call_id"))
    )
    assert call["output"] == ["Paris", *[{"$display": "image/png"}] * 2]
    first, second = (base64.b64encode(data).decode() for data in IMAGES)
    assert emitted("pydantic_ai", natives, "tool_finished")[0]["display"] == {"image/png": first}
    assert (chart["media_type"], chart["data"]) == ("image/png", second)


def test_a_call_or_result_without_an_id_is_a_custom_event() -> None:
    natives = [{"event_kind": "function_tool_call", "part": {"tool_name": "f"}}, result(tool_call_id=None)]
    names = [event["name"] for event in emitted("pydantic_ai", natives, "custom")]
    assert names == ["function_tool_call", "function_tool_result"]

"""Check the reader of OpenTelemetry's spans: each convention, batches in any order, traces that are damaged."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.support import IDS, fold, recording, run
from vibe_notebook import adapters, watch
from vibe_notebook.events import RunStarted
from vibe_notebook.registry import Registry

NAME = "otel_spans"


def span(
    number: int, above: int | None = None, at: tuple[float, float] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a span of OTLP's JSON; *at* is its time in seconds, and *more* its fields."""
    begin, end = at or (number, number + 0.5)
    made: dict[str, Any] = {
        "traceId": "a" * 32,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if above is None else f"{above:016x}",
        "name": more.pop("name", "span"),
        "startTimeUnixNano": str(int((1e9 + begin) * 1e9)),
        "endTimeUnixNano": str(int((1e9 + end) * 1e9)),
        "attributes": attributes(more.pop("attributes", {})),
    }
    return {**made, **more}


def attributes(found: dict[str, Any]) -> list[Any]:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": name, "value": {kinds[type(value)]: value}} for name, value in found.items()]


def agent(number: int, above: int | None = None, *, name: str = "A", **more: Any) -> dict[str, Any]:
    found = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    return span(number, above, attributes=found, **more)


def chat(number: int, above: int | None = None, text: str = "hi", **more: Any) -> dict[str, Any]:
    found = more.pop("attributes", {"gen_ai.output.messages": said(text)})
    return span(number, above, attributes={"gen_ai.operation.name": "chat", **found}, **more)


def tool(number: int, above: int | None = None, **more: Any) -> dict[str, Any]:
    found = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}
    return span(number, above, attributes={**found, **more.pop("attributes", {})}, **more)


def said(text: str, **message: Any) -> str:
    return json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}], **message}])


def texts(natives: list[Any]) -> list[str]:
    return [item["text"] for item in fold(run(NAME, natives))["items"] if item["kind"] == "text"]


def starts(natives: list[Any]) -> list[RunStarted]:
    found = [event for event in run(NAME, natives) if event.type == "run_started"]
    return list({event.run_id: event for event in found}.values())


# Messages in every form


@pytest.mark.parametrize(
    "found",
    [
        {
            "gen_ai.input.messages": json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": "Q"}]}]
            ),
            "gen_ai.output.messages": said("A"),
        },
        {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Q", "gen_ai.completion.0.content": "A"},
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "Q",
            "llm.output_messages.0.message.contents.0.message_content.type": "text",
            "llm.output_messages.0.message.contents.0.message_content.text": "A",
        },
        {
            "input.value": json.dumps({"messages": [{"role": "user", "content": "Q"}]}),
            "output.value": "A",
        },
        {
            "events": json.dumps(
                [
                    {"event.name": "gen_ai.user.message", "content": "Q", "role": "user"},
                    {
                        "event.name": "gen_ai.choice",
                        "index": 0,
                        "message": {"role": "assistant", "content": "A"},
                    },
                ]
            )
        },
    ],
    ids=["gen_ai", "numbered", "openinference", "values", "events as an attribute"],
)
def test_a_models_messages_are_read_in_each_form_of_attributes(found: dict[str, Any]) -> None:
    natives = [chat(2, 1, attributes=found), agent(1, at=(1, 9))]
    assert texts(natives) == ["A"]
    assert starts(natives)[0].input == "Q"


@pytest.mark.parametrize(
    "events",
    [
        [
            ("gen_ai.user.message", {"content": "Q"}),
            ("gen_ai.choice", {"finish_reason": "stop", "message": '{"role": "assistant", "content": "A"}'}),
        ],
        [
            ("gen_ai.user.message", {"gen_ai.event.content": '{"role": "user", "content": "Q"}'}),
            (
                "gen_ai.choice",
                {"gen_ai.event.content": '{"message": {"content": "A"}, "finish_reason": "stop"}'},
            ),
        ],
        [
            ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "Q"}]'}),
            ("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "A"}]'}),
        ],
        [
            (
                "gen_ai.client.inference.operation.details",
                {
                    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Q"}]}]',
                    "gen_ai.output.messages": said("A"),
                },
            )
        ],
    ],
    ids=["fields", "content", "prompt and completion", "details"],
)
def test_a_models_messages_are_read_in_each_form_of_events(events: list[tuple[str, dict[str, Any]]]) -> None:
    made = [{"name": name, "attributes": attributes(found)} for name, found in events]
    natives = [chat(2, 1, attributes={}, events=made), agent(1, at=(1, 9))]
    assert texts(natives) == ["A"]
    assert starts(natives)[0].input == "Q"


def test_thinking_calls_usage_and_the_finish_reason_are_read() -> None:
    parts = [
        {"type": "reasoning", "content": "hm"},
        {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"q": 1}},
    ]
    found = {
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": parts, "finish_reason": "length"}]
        ),
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.response.model": "m-1",
        "gen_ai.provider.name": "p",
    }
    events = run(NAME, [chat(2, 1, attributes=found), tool(3, 1), agent(1, at=(1, 9))])
    (finished,) = (event for event in events if event.type == "message_finished")
    assert finished.usage is not None
    assert finished.usage.model_dump(exclude_none=True, exclude={"includes_children"}) == {
        "input_tokens": 5,
        "output_tokens": 7,
        "cached_input_tokens": 3,
        "model": "m-1",
        "provider": "p",
    }
    assert finished.finish_reason == "length"
    items = fold(events)["items"]
    assert [item["kind"] for item in items] == ["thinking", "tool"]
    # The tool's span has no id of the call: its name tells the call.
    assert (items[1]["id"], items[1]["args"], items[1]["status"]) == ("c1", {"q": 1}, "ok")


def test_a_result_that_only_the_next_message_tells_is_shown() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": "{}"}
    answer = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "found"}]}
    first = chat(
        2, 1, attributes={"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [call]}])}
    )
    second = chat(
        3, 1, attributes={"gen_ai.input.messages": json.dumps([answer]), "gen_ai.output.messages": said("ok")}
    )
    items = fold(run(NAME, [first, second, agent(1, at=(1, 9))]))["items"]
    assert [(item["kind"], item.get("output")) for item in items] == [("tool", "found"), ("text", None)]


def test_a_lone_model_or_tool_is_a_run_and_spans_of_nothing_are_an_error() -> None:
    assert texts([chat(1)]) == ["hi"]
    assert [item["kind"] for item in fold(run(NAME, [tool(1)]))["items"]] == ["tool"]
    finished = run(NAME, [span(1, name="GET /")])[-1]
    assert finished.type == "run_finished"
    assert (finished.outcome, "None of the 1 spans" in str(finished.error)) == ("error", True)


def test_an_error_status_is_told_with_its_exception() -> None:
    failure = {"exception.type": "builtins.ValueError", "exception.message": "bad"}
    events = [{"name": "exception", "attributes": attributes(failure)}]
    natives = [
        tool(2, 1, status={"code": 2}, events=events),
        agent(1, at=(1, 9), status={"code": "STATUS_CODE_ERROR", "message": "gave up"}),
    ]
    result = fold(run(NAME, natives))
    assert (result["run"], result["error"], result["items"][0]["status"]) == ("error", "gave up", "error")
    stopped = agent(1, status={"code": 2})
    stopped["attributes"] += attributes({"error.type": "asyncio.exceptions.CancelledError"})
    assert fold(run(NAME, [stopped]))["run"] == "cancelled"


# Order


def everything() -> list[dict[str, Any]]:
    """Return the spans of an agent whose tool is an agent, and of a second trace."""
    other = {**agent(1, at=(30, 31), name="C"), "traceId": "b" * 32}
    return [
        chat(2, 1, "one", at=(1.1, 1.5)),
        chat(5, 4, "inner", at=(3.1, 3.5)),
        agent(4, 3, name="B", at=(3, 4)),
        tool(3, 1, at=(2, 5)),
        chat(6, 1, "two", at=(6, 7)),
        agent(1, at=(1, 9)),
        {**chat(2, 1, "far", at=(30.1, 30.2)), "traceId": "b" * 32},
        other,
    ]


@given(st.permutations(range(8)))
def test_a_batch_in_any_order_gives_the_same_transcript(order: list[int]) -> None:
    natives = everything()
    with Registry() as registry:
        adapter = adapters.get(NAME, **IDS)
        for i in order:
            registry.dispatch(adapter.feed(natives[i]))
        registry.dispatch(adapter.finish())
        transcript = registry.transcript("a")
    shown = {(part.kind, getattr(part, "text", None)) for part in transcript.parts}
    assert shown == {("text", "one"), ("tool", None), ("text", "two"), ("text", "far")}
    words = [part.text for part in transcript.parts if part.kind == "text"]
    assert words.index("one") < words.index("two")
    assert [child.text for child in transcript.tools[0].children if child.kind == "text"] == ["inner"]
    assert sorted(str(each.agent_name) for each in transcript.runs) == ["A", "B", "C"]
    assert {each.outcome for each in transcript.runs} == {"success"}


def test_a_span_that_begins_and_ends_is_shown_step_by_step() -> None:
    adapter = adapters.get(NAME, **IDS)
    kinds: list[list[str]] = []
    for native in (agent(1), tool(2, 1), tool(2, 1), agent(1)):
        is_begin = not kinds or len(kinds) == 1
        fed = {**native, "endTimeUnixNano": None} if is_begin else native
        kinds.append([event.type for event in adapter.feed(fed)])
    assert kinds == [["run_started"], ["tool_started"], ["tool_finished"], ["run_finished"]]
    assert adapter.finish() == []


def test_a_parent_that_never_comes_and_one_that_never_ends_end_right() -> None:
    orphans = [chat(2, 1, "a"), tool(3, 1), chat(4, 1, "b")]
    result = fold(run(NAME, orphans))
    assert (result["run"], [item["kind"] for item in result["items"]]) == (
        "success",
        ["text", "tool", "text"],
    )
    begun = {**agent(1), "endTimeUnixNano": "0"}
    result = fold(run(NAME, [begun, chat(2, 1)]))
    assert (result["run"], result["items"]) == ("cancelled", [{"kind": "text", "text": "hi"}])


def test_a_stream_without_an_end_shows_each_trace_after_a_while() -> None:
    adapter = adapters.get(NAME, **IDS)
    shown = []
    for number in range(400):
        natives = [
            {**native, "traceId": f"{number + 1:032x}"} for native in (chat(2, 1), agent(1, at=(1, 3)))
        ]
        shown += [event.type for native in natives for event in adapter.feed(native)]
    assert shown.count("run_finished") == 400 - 100  # of two spans each
    shown += [event.type for event in adapter.finish()]
    assert shown.count("run_finished") == 400


def test_a_circle_of_parents_and_a_deep_trace_end() -> None:
    circle = [agent(1, 2), agent(2, 3), agent(3, 1), chat(4, 1)]
    assert [event.type for event in run(NAME, circle)].count("run_finished") == 3
    deep = [span(number, number - 1) for number in range(2, 3_000)]
    deep = [*deep, chat(3_000, 2_999, "deep"), agent(1, at=(0, 9_000))]
    random.Random(1).shuffle(deep)
    assert len(run(NAME, deep)) > 3


def test_a_file_of_otlp_lines_and_a_list_of_spans_are_watched(tmp_path: Any) -> None:
    natives = recording("otel_spans_otlp").natives
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(f"{json.dumps(native)}\n" for native in natives))
    shown = []
    for source in (path, tuple(recording(NAME).natives)):
        run_of = watch(source, display=False, registry=Registry())
        for _ in run_of:
            pass
        shown.append(run_of.transcript.text)
    assert shown == ["I ask.Sunny, they say."] * 2


# Instrumentations that set attributes late


def fed(*natives: dict[str, Any]) -> list[Any]:
    """Return the events of spans that are seen when they begin, and again when they have ended, and of the finish."""
    adapter = adapters.get(NAME, **IDS)
    return [event for native in natives for event in adapter.feed(native)] + adapter.finish()


def begun(native: dict[str, Any]) -> dict[str, Any]:
    return {**native, "endTimeUnixNano": "0", "attributes": []}


def test_spans_without_attributes_at_their_beginning_are_known_by_their_names() -> None:
    root, look = agent(1, name="A"), tool(3, 1, name="execute_tool look")
    root["name"] = "invoke_agent A"
    events = fed(begun(root), begun(chat(2, 1)), chat(2, 1), begun(look), look, root)
    assert events[0].agent_name == "A"
    result = fold(events)
    assert [(item["kind"], item.get("status")) for item in result["items"]] == [
        ("text", None),
        ("tool", "ok"),
    ]
    assert result["run"] == "success"


def test_parallel_tools_that_lie_in_each_other_are_calls_side_by_side() -> None:
    calls = [{"type": "tool_call", "id": id_, "name": "look", "arguments": "{}"} for id_ in ("c1", "c2")]
    found = {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": calls}])}
    model = chat(2, 1, attributes=found)
    first = tool(3, 1, name="execute_tool look", attributes={"gen_ai.tool.call.id": "c1"})
    second = tool(4, 3, name="execute_tool look", attributes={"gen_ai.tool.call.id": "c2"})
    root = {**agent(1, at=(1, 9)), "name": "invoke_agent A"}
    live = (begun(root), begun(model), model, begun(first), begun(second), second, first, root)
    for events in (run(NAME, [model, second, first, root]), fed(*live)):
        items = fold(events)["items"]
        assert [(item["id"], item["status"]) for item in items] == [("c1", "ok"), ("c2", "ok")]


def test_the_agents_of_a_workflow_are_one_run_one_after_the_other() -> None:
    flow = span(
        1, at=(1, 9), attributes={"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "W"}
    )
    natives = [
        *(chat(3, 2, "a", at=(2, 3)), agent(2, 1, name="A", at=(2, 4))),
        *(chat(6, 5, "b", at=(5, 6)), agent(5, 1, name="B", at=(5, 7)), flow),
    ]
    assert texts(natives) == ["a", "b"]
    assert [start.agent_name for start in starts(natives)] == ["A"]

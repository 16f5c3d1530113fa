"""Read OpenAI's Responses: the real client's objects, any order, and the provider's own tools."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent

from tests.adapters.support import IDS, SAMPLES, emitted, fold, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.adapters import openai_responses
from vibe_notebook.events import Event, ToolFinished, ToolStarted, is_skip
from vibe_notebook.registry import Registry

NATIVES = recording("openai_responses").natives
TURN1 = NATIVES[:30]
SSE = (SAMPLES / "openai_responses.turn1.sse").read_bytes()
REQUEST: dict[str, Any] = {"model": "gpt-5.2", "input": "weather?"}


def transport() -> httpx2.MockTransport:
    headers = {"content-type": "text/event-stream"}
    return httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=SSE))


def numbered(*natives: dict[str, Any], status: str = "completed", **response: Any) -> list[dict[str, Any]]:
    """Return one whole response around these events."""
    body = {"id": "resp", "model": "m", "output": [], **response}
    whole = [
        {"type": "response.created", "response": {"id": "resp"}},
        *natives,
        {"type": f"response.{status}", "response": body},
    ]
    return [{"sequence_number": i, **native} for i, native in enumerate(whole)]


def item(verb: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.output_item.{verb}", "output_index": 0, "item": {"id": "i", **fields}}


def about(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "item_id": "i", "output_index": 0, **fields}


def ended(natives: list[Any], exc: BaseException | None = None) -> Any:
    return run("openai_responses", natives, exc)[-1]


def ordered(events: list[Event]) -> list[Event]:
    """Return each event once, in the order of the numbers, as the registry does."""
    by_place = {(event.seq, event.sub): event for event in reversed(events) if event.seq is not None}
    return [by_place[place] for place in sorted(by_place)]


# The real client.


def test_typed_events_and_their_json_give_equal_events() -> None:
    typed = pydantic.TypeAdapter[Any](ResponseStreamEvent)
    natives = [native for native in NATIVES if isinstance(native, dict) and "type" in native]
    objects = [typed.validate_python(native) for native in natives]
    assert type(objects[0]).__name__ == "ResponseCreatedEvent"
    assert run("openai_responses", objects) == run("openai_responses", natives)
    dumps = [native.model_dump(mode="json") for native in objects]
    assert run("openai_responses", objects) == run("openai_responses", dumps)


def test_the_real_clients_stream_is_the_recorded_one() -> None:
    with openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport())) as client:
        objects = list(client.responses.create(stream=True, **REQUEST))
    assert {adapters.detect(native) for native in objects} == {"openai_responses"}
    assert run("openai_responses", objects) == run("openai_responses", TURN1)


def test_the_async_clients_stream_is_the_same() -> None:
    async def drain() -> list[Any]:
        http = httpx2.AsyncClient(transport=transport())
        async with openai.AsyncOpenAI(api_key="k", http_client=http) as client:
            return [native async for native in await client.responses.create(stream=True, **REQUEST)]

    assert run("openai_responses", asyncio.run(drain())) == run("openai_responses", TURN1)


def test_the_stream_helper_gives_the_same_events() -> None:
    with (
        openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport())) as client,
        client.responses.stream(**REQUEST) as stream,
    ):
        objects = list(stream)
    assert any(hasattr(native, "snapshot") for native in objects)
    assert {adapters.detect(native) for native in objects} == {"openai_responses"}
    assert run("openai_responses", objects) == run("openai_responses", TURN1)


# Order.


def test_each_response_has_a_counter_of_its_own() -> None:
    numbers: dict[str, list[int | None]] = {}
    for event in recording("openai_responses").events():
        if event.counter:
            assert event.message_id == event.counter
            numbers.setdefault(event.counter, []).append(event.seq)
    assert {name: (seqs[0], seqs[-1]) for name, seqs in numbers.items()} == {
        "resp_1": (0, 29),
        "resp_2": (0, 10),
    }


def test_an_event_without_content_holds_its_place() -> None:
    skipped = [event.seq for event in run("openai_responses", TURN1) if is_skip(event)]
    assert skipped == [1, 2, 3, 6, 7, 8, 9, 10, 14, 15, 16, 21, 22, 27, 28]


@given(st.permutations(range(len(TURN1))), st.lists(st.sampled_from(range(len(TURN1)))))
def test_natives_in_any_order_and_repeated_give_the_same_transcript(
    order: list[int], again: list[int]
) -> None:
    events = run("openai_responses", [TURN1[i] for i in [*order, *again]])
    expected = fold(ordered(run("openai_responses", TURN1)))["items"]
    # A start replaces lost deltas, so a call that has not run yet may be preparing or running.
    assert [{**part, "status": ""} for part in fold(ordered(events))["items"]] == [
        {**part, "status": ""} for part in expected
    ]


@given(st.randoms(use_true_random=False))
def test_the_end_of_the_response_completes_lost_deltas(rolls: random.Random) -> None:
    natives = [native for native in TURN1[1:-1] if rolls.random() < 0.5]
    natives = [TURN1[0], *natives, TURN1[-1]]
    texts = [
        {k: part.get(k) for k in ("kind", "text", "id", "args")}
        for part in shown("openai_responses", natives)
    ]
    key = str
    whole = [
        {k: part.get(k) for k in ("kind", "text", "id", "args")} for part in shown("openai_responses", TURN1)
    ]
    assert sorted(texts, key=key) == sorted(whole, key=key)


def test_a_stream_resumed_in_the_middle_is_one_complete_message() -> None:
    events = run("openai_responses", TURN1[12:])
    assert {event.counter for event in events if event.seq is not None} == {"r:0"}
    text = next(part for part in fold(events)["items"] if part["kind"] == "text")
    assert text["text"] == "Let me check both cities."


def test_a_server_that_names_one_item_twice_shows_it_once() -> None:
    natives = numbered(
        {**item("added", type="message", content=[]), "output_index": 0},
        about("output_text.delta", item_id="other", content_index=0, delta="Hi"),
        about("output_text.done", item_id="third", content_index=0, text="Hi"),
        output=[{"id": "fourth", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
    )
    assert shown("openai_responses", natives) == [{"kind": "text", "text": "Hi"}]


# Text and thinking.


def test_a_summary_and_the_raw_thinking_of_one_item_are_two_parts() -> None:
    natives = numbered(
        about("reasoning_summary_text.delta", summary_index=0, delta="short"),
        about("reasoning_text.delta", content_index=0, delta="long"),
        about("reasoning_summary_text.delta", summary_index=1, delta="er"),
        item(
            "done",
            type="reasoning",
            summary=[{"type": "summary_text", "text": "short"}, {"type": "summary_text", "text": "er"}],
            content=[{"type": "reasoning_text", "text": "longest"}],
        ),
    )
    assert [(part["kind"], part["text"]) for part in shown("openai_responses", natives)] == [
        ("thinking", "short"),
        ("thinking", "longest"),
        ("thinking", "er"),
    ]


def test_a_refusal_is_text() -> None:
    natives = numbered(
        about("refusal.delta", content_index=0, delta="No"), about("refusal.done", refusal="No.")
    )
    assert shown("openai_responses", natives) == [{"kind": "text", "text": "No."}]


# Tools that the application runs.


def test_a_call_without_streamed_arguments_is_preparing_with_its_arguments() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"x": 1}'}
    (part,) = shown("openai_responses", numbered(item("done", **call)))
    assert (part["id"], part["name"], part["args"], part["status"]) == ("c", "f", {"x": 1}, "preparing")


def test_the_input_of_a_custom_tool_is_text() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "sql"}
    natives = numbered(
        item("added", input="", **call),
        about("custom_tool_call_input.delta", delta="SELECT "),
        about("custom_tool_call_input.done", input="SELECT 1"),
        item("done", input="SELECT 1", **call),
    )
    (part,) = shown("openai_responses", natives)
    assert (part["name"], part["args"], part["status"]) == ("sql", "SELECT 1", "preparing")


@pytest.mark.parametrize(
    "native",
    [
        {"type": "function_call_output", "call_id": "c", "output": "18"},
        {"call_id": "c", "output": "18"},
        ToolFinished(**IDS, tool_call_id="c", output="18"),
    ],
    ids=["the API's form", "without a type", "our event"],
)
def test_the_application_reports_its_tools_result(native: Any) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    started = ToolStarted(**IDS, tool_call_id="c")
    (part,) = shown("openai_responses", [*numbered(item("done", **call)), started, native])
    assert (part["name"], part["args"], part["status"], part["output"]) == ("f", {}, "ok", "18")


def test_the_application_reports_its_tools_failure() -> None:
    natives = [{"call_id": "c", "name": "f", "arguments": '{"x": 1}'}, {"call_id": "c", "error": "gone"}]
    assert emitted("openai_responses", natives, "tool_started", "tool_finished") == [
        {"tool_call_id": "c", "tool_name": "f", "args": {"x": 1}},
        {"tool_call_id": "c", "status": "error", "output": "gone", "error": "gone"},
    ]


def test_a_shells_output_is_shown_while_the_shell_runs() -> None:
    natives = numbered(
        item("added", type="shell_call", call_id="c", action={"commands": []}),
        about("shell_call_output_content.delta", delta={"stdout": "a\n"}),
        about("shell_call_output_content.delta", delta={"stderr": "b\n"}),
        item("done", type="shell_call", call_id="c", action={"commands": ["ls"]}),
        item("done", id="o", type="shell_call_output", call_id="c", output=[{"stdout": "a\n"}]),
    )
    assert emitted("openai_responses", natives, "tool_progress") == [
        {"tool_call_id": "c", "delta": "a\n"},
        {"tool_call_id": "c", "delta": "b\n"},
    ]
    (part,) = shown("openai_responses", natives)
    assert (part["name"], part["args"], part["status"]) == ("shell", {"commands": ["ls"]}, "ok")
    assert part["output"] == [{"stdout": "a\n"}]


# Tools that the provider runs.


def test_a_web_search_runs_from_its_first_event_to_its_done_item() -> None:
    natives = numbered(
        item("added", type="web_search_call", status="in_progress"),
        about("web_search_call.in_progress"),
        about("web_search_call.searching"),
        about("web_search_call.completed"),
        item(
            "done",
            type="web_search_call",
            status="completed",
            action={"type": "search", "query": "q", "queries": None},
        ),
    )
    kinds = [event.type for event in run("openai_responses", natives) if event.type.startswith("tool")]
    assert kinds == ["tool_started", "tool_call_delta", "tool_finished"]
    (part,) = shown("openai_responses", natives)
    assert (part["name"], part["args"], part["status"]) == (
        "web_search",
        {"type": "search", "query": "q"},
        "ok",
    )


def test_code_is_written_run_and_answered_with_logs_and_images() -> None:
    done = [{"type": "logs", "logs": "1"}, {"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="}]
    done.append({"type": "image", "url": "https://x.test/a.png"})
    natives = numbered(
        item("added", type="code_interpreter_call", status="in_progress", code=""),
        about("code_interpreter_call_code.delta", delta="print("),
        about("code_interpreter_call_code.delta", delta="1)"),
        about("code_interpreter_call_code.done", code="print(1)"),
        about("code_interpreter_call.interpreting"),
        item("done", type="code_interpreter_call", status="completed", code="print(1)", outputs=done),
    )
    part, link = shown("openai_responses", natives)
    assert (part["name"], part["args"], part["output"]) == ("code_interpreter", "print(1)", "1")
    (end,) = emitted("openai_responses", natives, "tool_finished")
    assert end["display"] == {"image/png": "iVBORw0KGgo="}
    assert (link["url"], link.get("data")) == ("https://x.test/a.png", None)


def test_an_image_gets_sharper_under_one_id() -> None:
    natives = numbered(
        item("added", type="image_generation_call", status="in_progress"),
        about("image_generation_call.generating"),
        about("image_generation_call.partial_image", partial_image_b64="AAAA", output_format="jpeg"),
        item("done", type="image_generation_call", status="completed", result="BBBB", output_format="jpeg"),
    )
    part, image = shown("openai_responses", natives)
    assert (part["name"], part["status"], part["output"]) == ("image_generation", "ok", None)
    assert (image["artifact_id"], image["data"], image["media_type"]) == ("i", "BBBB", "image/jpeg")


def test_a_failed_mcp_call_has_its_reason() -> None:
    call = {"type": "mcp_call", "name": "lookup", "server_label": "s"}
    natives = numbered(
        item("added", status="in_progress", arguments="", **call),
        about("mcp_call_arguments.delta", delta='{"k": '),
        about("mcp_call_arguments.delta", delta="2}"),
        about("mcp_call.failed"),
        item(
            "done",
            status="failed",
            arguments='{"k": 2}',
            error={"type": "http_error", "message": "no"},
            **call,
        ),
    )
    (finished,) = emitted("openai_responses", natives, "tool_finished")
    assert finished == {"tool_call_id": "i", "tool_name": "lookup", "status": "error", "error": "no"}
    (part,) = shown("openai_responses", natives)
    assert part["args"] == {"k": 2}


def asked(**response: Any) -> list[dict[str, Any]]:
    request = {"type": "mcp_approval_request", "name": "wipe", "arguments": "{}", "id": "ask"}
    return numbered(item("done", **request), **response)


def test_a_call_that_needs_approval_interrupts_the_run() -> None:
    assert emitted("openai_responses", asked(), "tool_progress") == [
        {"tool_call_id": "ask", "state": "awaiting_approval"}
    ]
    assert ended(asked()).outcome == "interrupted"


def test_an_approved_call_continues_as_the_same_call() -> None:
    approved = {"type": "mcp_approval_response", "approval_request_id": "ask", "approve": True}
    call = {
        "type": "mcp_call",
        "name": "wipe",
        "arguments": "{}",
        "approval_request_id": "ask",
        "output": "clean",
    }
    natives = [*asked(), approved, {**item("done", **call), "sequence_number": 9}]
    (part,) = shown("openai_responses", natives)
    assert (part["id"], part["status"], part["output"]) == ("ask", "ok", "clean")
    assert ended(natives).outcome == "success"


def test_a_denied_call_is_denied() -> None:
    denied = {"type": "mcp_approval_response", "approval_request_id": "ask", "approve": False, "reason": "no"}
    (part,) = shown("openai_responses", [*asked(), denied])
    assert part["status"] == "denied"
    assert ended([*asked(), denied]).outcome == "success"


# Ends.


def test_a_failed_response_is_the_runs_error_and_outweighs_a_later_exception() -> None:
    natives = numbered(status="failed", error={"code": "rate_limit_exceeded", "message": "Slow down."})
    end = ended(natives, RuntimeError("stream closed"))
    assert (end.outcome, end.error, end.code) == ("error", "Slow down.", "rate_limit_exceeded")


@pytest.mark.parametrize(
    "native",
    [
        {"type": "error", "sequence_number": 3, "code": "server_error", "message": "Oops."},
        {"type": "error", "error": {"code": "server_error", "message": "Oops."}},
    ],
)
def test_an_error_event_is_the_runs_error(native: dict[str, Any]) -> None:
    end = ended([native])
    assert (end.outcome, end.error, end.code) == ("error", "Oops.", "server_error")


def test_an_incomplete_response_has_its_reason() -> None:
    end = ended(numbered(status="incomplete", incomplete_details={"reason": "max_output_tokens"}))
    assert (end.outcome, end.code) == ("error", "max_output_tokens")
    assert end.error == "The response is incomplete: max_output_tokens."


def test_a_response_that_the_user_steers_is_no_error() -> None:
    assert ended(numbered(status="incomplete", incomplete_details={"reason": "steered"})).outcome == "success"


def test_each_response_reports_its_usage_once() -> None:
    events = recording("openai_responses").events()
    usages = [event.usage for event in events if event.type == "message_finished"]
    assert [(u.cached_input_tokens, u.reasoning_tokens, u.model) for u in usages if u] == [
        (20, 30, "gpt-5.2")
    ] * 2
    assert ended(list(NATIVES)).usage is None


def test_digests_and_items_of_old_responses_are_not_retained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_responses, "RESPONSES", 8)
    monkeypatch.setattr(openai_responses, "NUMBERS", 100)
    adapter = adapters.get("openai_responses")
    assert isinstance(adapter, openai_responses.OpenAIResponsesAdapter)
    shown = 0
    for turn in range(50):
        deltas = [about("output_text.delta", item_id=f"i{turn}", delta=f"{n} ") for n in range(150)]
        natives = numbered(*deltas)
        for native in natives:
            if "response" in native:
                native["response"] = {**native["response"], "id": f"resp{turn}"}
        natives = [*natives, *natives[-20:]]  # the newest events come twice
        shown += sum(each.type == "text_delta" for native in natives for each in adapter.feed(native))
        digests = [len(each.numbers or ()) for each in adapter._retained]
        assert max(digests) <= 100
        assert len(digests) <= 8
        assert len(adapter._responses) + len(adapter._items) + len(adapter._places) <= 3 * 8
    assert shown == 50 * (150 + 19)  # the registry drops the repeats by their numbers


STEERED = {"id": "steer_1", "previous_response_id": "resp_1"}
LINES = (
    ({"type": "response.steer.accepted", "steer": STEERED}, "accepted"),
    (
        {
            "type": "response.steer.pending",
            "steer": STEERED,
            "reason": "waiting_for_required_input",
            "required_input": [],
        },
        "pending: waiting_for_required_input",
    ),
    (
        {
            "type": "response.steer.failed",
            "steer": {**STEERED, "input": [{"role": "user", "content": "In °F."}]},
            "error": {"code": "response_not_active", "message": "It is over."},
        },
        "failed: It is over.: In °F.",
    ),
)


@pytest.mark.parametrize(("native", "line"), LINES)
@pytest.mark.parametrize("number", [None, 1, 3])
def test_what_becomes_of_steering_is_a_line_whatever_its_number(
    native: dict[str, Any], line: str, number: int | None
) -> None:
    numbered = {} if number is None else {"sequence_number": number}
    delta = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0}
    natives = [
        {"type": "response.created", "response": {"id": "resp_1"}, "sequence_number": 0},
        {**delta, "delta": "Hel", "sequence_number": 1},
        {**delta, "delta": "lo", "sequence_number": 2},
        {**native, **numbered},
        {"type": "response.completed", "response": {"id": "resp_1"}, "sequence_number": 3 + (number == 3)},
    ]
    assert adapters.detect(natives[3]) == "openai_responses"
    items = fold(run("openai_responses", natives), numbered=True)["items"]
    assert [item.get("text", item.get("value")) for item in items] == ["Hello", line]
    with Registry(hold=10.0) as registry:
        for one in run("openai_responses", natives):
            registry.dispatch(one)
        parts = registry.transcript("a").parts
    assert sorted(part.kind for part in parts) == ["custom", "text"]


def test_the_users_steering_is_a_turn() -> None:
    native = {"type": "response.steer", "previous_response_id": "r", "input": "In °F."}
    (item,) = shown("openai_responses", [native])
    assert (item["role"], item["text"]) == ("user", "In °F.")

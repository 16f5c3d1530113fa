"""Read the cases of ACP that its recording does not have."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.adapters.acp import matches
from vibe_notebook.events import RunFinished

ADAPTER = "acp"
TERMINAL = {"type": "terminal", "terminalId": "t"}


def chunk(text: str, kind: str = "agent_message_chunk", **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": kind, "content": {"type": "text", "text": text}, **fields}


def call(status: str | None = None, kind: str = "tool_call_update", **fields: Any) -> dict[str, Any]:
    state = {} if status is None else {"status": status}
    return {"sessionUpdate": kind, "toolCallId": "c1", **state, **fields}


def texts(*found: str) -> list[dict[str, Any]]:
    return [{"type": "content", "content": {"type": "text", "text": one}} for one in found]


def wire(value: Any) -> Any:
    """Return the protocol's own JSON: field names in camelCase, and no null fields."""
    if isinstance(value, dict):
        named = {re.sub("_(.)", lambda m: m[1].upper(), k): v for k, v in value.items() if v is not None}
        return {k: v if k in ("rawInput", "rawOutput") else wire(v) for k, v in named.items()}
    return [wire(item) for item in value] if isinstance(value, list) else value


def test_the_protocols_own_json_gives_the_same_events() -> None:
    natives = recording("acp").natives
    assert run(ADAPTER, [wire(native) for native in natives]) == recording("acp").events()
    bare = [native.get("update", native) for native in natives]
    assert run(ADAPTER, bare) == recording("acp").events()
    rpc = [{"jsonrpc": "2.0", "method": "session/update", "params": wire(n)} for n in natives[:-1]]
    answer = {"jsonrpc": "2.0", "id": 1, "result": wire(natives[-1])}
    assert run(ADAPTER, [*rpc, answer]) == recording("acp").events()
    for native in (*natives, *rpc, answer, bare[0]):
        assert adapters.detect(native) == ADAPTER


def test_interrupted_text_continues_in_a_new_part() -> None:
    natives = [chunk("a"), chunk("hm", "agent_thought_chunk"), chunk("b"), chunk("c")]
    assert [(part["kind"], part["text"]) for part in shown(ADAPTER, natives)] == [
        ("text", "a"),
        ("thinking", "hm"),
        ("text", "bc"),
    ]


def test_a_message_has_the_id_of_its_chunks() -> None:
    natives = [chunk("a", messageId="m1"), chunk("b", messageId="m1"), chunk("c", messageId="m2")]
    events = [e for e in run(ADAPTER, natives) if e.type == "text_delta"]
    assert [(e.message_id, e.delta) for e in events] == [("m1", "a"), ("m1", "b"), ("m2", "c")]


def test_without_ids_a_tool_ends_the_message() -> None:
    natives = [chunk("a"), call("pending", "tool_call"), chunk("b")]
    assert len({e.message_id for e in run(ADAPTER, natives) if e.type == "text_delta"}) == 2


@pytest.mark.parametrize(
    ("updates", "args", "state", "output"),
    [
        ([call("pending", "tool_call", rawInput={"a": 1})], {"a": 1}, "preparing", None),
        ([call("pending", "tool_call", rawInput={}), call(rawInput={"a": 1})], {"a": 1}, "preparing", None),
        ([call("pending", rawInput={"a": 1}), call(rawInput={"b": 2})], {"b": 2}, "running", None),
        ([call("in_progress", content=texts("so", "far"))], None, "running", None),
        ([call("completed", content=texts("a", "b"), rawInput=[1])], [1], "ok", "a\nb"),
        ([call("completed"), call(rawOutput={"late": 1})], None, "ok", {"late": 1}),
        ([call("failed", rawOutput={"why": "no"})], None, "error", {"why": "no"}),
        ([call("completed", content=[TERMINAL])], None, "ok", [TERMINAL]),
    ],
)
def test_every_update_of_a_call_shows_its_new_fields(
    updates: list[Any], args: Any, state: str, output: Any
) -> None:
    (part,) = shown(ADAPTER, updates)
    assert (part["args"], part["status"], part["output"]) == (args, state, output)


def test_the_content_of_a_running_call_is_its_progress() -> None:
    natives = [call("in_progress"), call(content=texts("1 of 3")), call(content=texts("1 of 3"))]
    assert emitted(ADAPTER, natives, "tool_progress") == [{"tool_call_id": "c1", "output": "1 of 3"}]


def test_a_prompt_that_ends_during_a_permission_request_is_interrupted() -> None:
    asked = {"sessionId": "s", "toolCall": {"toolCallId": "c1", "title": "rm"}, "options": []}
    natives = [{"jsonrpc": "2.0", "id": 3, "method": "session/request_permission", "params": asked}]
    (part,) = shown(ADAPTER, natives)
    assert (part["name"], part["status"]) == ("rm", "awaiting_approval")
    assert run(ADAPTER, natives)[-1].outcome == "interrupted"  # type: ignore[union-attr]


def test_files_are_artifacts_of_the_message_or_of_their_call() -> None:
    image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    link = {"type": "resource_link", "uri": "file:///x", "name": "x", "mimeType": "text/plain"}
    natives = [
        chunk("", content=image),
        call("completed", content=[{"type": "content", "content": link}]),
    ]
    artifacts = emitted(ADAPTER, natives, "artifact")
    assert [(a.get("data"), a.get("url"), a.get("tool_call_id")) for a in artifacts] == [
        ("AAAA", None, None),
        (None, "file:///x", "c1"),
    ]


@pytest.mark.parametrize(
    ("native", "outcome", "code"),
    [
        ({"stopReason": "end_turn"}, "success", None),
        ({"stopReason": "cancelled"}, "cancelled", None),
        ({"stopReason": "refusal"}, "error", "refusal"),
        ({"stopReason": "max_tokens"}, "error", "max_tokens"),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "Login"}}, "error", "-32000"),
    ],
)
def test_the_response_sets_the_outcome(native: dict[str, Any], outcome: str, code: str | None) -> None:
    finished = run(ADAPTER, [chunk("x"), native])[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.outcome, finished.code) == (outcome, code)


def test_the_last_update_sets_the_cost() -> None:
    costs = [
        {"sessionUpdate": "usage_update", "used": 1, "size": 9, "cost": {"amount": n, "currency": "USD"}}
        for n in (0.1, 0.2)
    ]
    finished = run(ADAPTER, [*costs, {"stopReason": "end_turn", "usage": {"inputTokens": 3}}])[-1]
    assert isinstance(finished, RunFinished)
    assert finished.usage is not None
    assert (finished.usage.cost, finished.usage.input_tokens) == (0.2, 3)


def test_an_unknown_update_becomes_a_custom_event_of_its_name() -> None:
    plan = {"sessionUpdate": "plan", "entries": [{"content": "look", "status": "pending"}]}
    assert [one["name"] for one in emitted(ADAPTER, [plan, {"sessionUpdate": "brand_new"}], "custom")] == [
        "brand_new"
    ]
    assert matches(plan)
    assert not matches({"sessionUpdate": "brand_new"})

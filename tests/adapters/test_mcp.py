"""Read the cases of MCP that its recording does not have, and accept a client's callbacks."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters.support import as_live, emitted, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "mcp"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def ask(native_id: int, **params: Any) -> dict[str, Any]:
    params = {"message": "Which city?", "requestedSchema": SCHEMA, **params}
    return {"jsonrpc": "2.0", "method": "elicitation/create", "id": native_id, "params": params}


def progress(token: int, done: float, **params: Any) -> dict[str, Any]:
    return {
        "method": "notifications/progress",
        "params": {"progressToken": token, "progress": done, **params},
    }


def quiet() -> Any:
    return vibe.handler("mcp", registry=vibe.Registry(), display=False)


def test_a_request_for_input_is_open_until_its_response() -> None:
    natives = [ask(1), ask(2), {"id": 2, "result": {"action": "accept", "content": {"city": "Paris"}}}]
    first, _ = emitted(ADAPTER, natives, "input_requested")
    assert first == {"request_id": "1", "message": "Which city?", "answer_schema": SCHEMA}
    assert emitted(ADAPTER, natives, "input_answered") == [
        {"request_id": "2", "action": "accept", "value": {"city": "Paris"}}
    ]


def test_progress_of_an_unseen_request_is_a_call_of_its_own() -> None:
    natives = [progress(1, 1, total=2, message="Half"), progress(2, 3)]
    assert [part["id"] for part in shown(ADAPTER, natives)] == ["1", "2"]
    assert emitted(ADAPTER, natives, "tool_progress") == [
        {"tool_call_id": "1", "progress": 1.0, "total": 2.0, "message": "Half"},
        {"tool_call_id": "2", "progress": 3.0},
    ]


CALL = {"method": "tools/call", "id": 1, "params": {"name": "f", "arguments": {"x": 1}}}
SAYS_NOTHING = "The response has neither a result nor an error."


@pytest.mark.parametrize(
    ("natives", "words"),
    [
        ([CALL, {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "no JSON"}}], "no JSON"),
        ([{"jsonrpc": "2.0", "id": 7, "error": {"code": 1, "message": "no"}}], "no"),
        ([CALL, {"id": 1}], SAYS_NOTHING),
        ([{"jsonrpc": "2.0", "id": 7}], SAYS_NOTHING),
        ([ask(1), {"id": 1}], SAYS_NOTHING),
    ],
)
def test_an_error_outside_of_a_call_and_an_empty_response_are_the_runs_error(
    natives: Any, words: str
) -> None:
    end = run(ADAPTER, natives)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", words)


def test_an_empty_response_is_a_failed_call() -> None:
    (part,) = shown(ADAPTER, [CALL, {"id": 1}])
    assert (part["status"], part["output"]) == ("error", SAYS_NOTHING)


@pytest.mark.parametrize("is_call_first", [True, False])
def test_the_servers_ids_and_the_clients_are_not_mixed_up(*, is_call_first: bool) -> None:
    results = [
        {"id": 1, "result": {"action": "accept", "content": {"city": "Paris"}}},
        {"id": 1, "result": {"content": [{"type": "text", "text": "Sunny"}]}},
    ]
    natives = [CALL, ask(1), *(results[::-1] if is_call_first else results)]
    assert emitted(ADAPTER, natives, "input_answered") == [
        {"request_id": "1", "action": "accept", "value": {"city": "Paris"}}
    ]
    (part,) = (part for part in shown(ADAPTER, natives) if part["kind"] == "tool")
    assert (part["status"], part["output"]) == ("ok", "Sunny")


def test_a_failed_request_is_a_failed_call() -> None:
    natives = [
        {"method": "tools/call", "id": "a", "params": {"name": "f", "arguments": {"x": 1}}},
        {"id": "a", "error": {"code": -32602, "message": "no such tool"}},
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["name"], part["status"], part["output"]) == ("f", "error", "no such tool")


def test_log_messages_are_lines_with_their_logger_and_level() -> None:
    def log(level: str, **params: Any) -> dict[str, Any]:
        return {"method": "notifications/message", "params": {"level": level, "data": "full", **params}}

    natives = [log("info"), log("warning", logger="disk")]
    assert [(e["name"], e["value"]) for e in emitted(ADAPTER, natives, "custom")] == [
        ("log", "full"),
        ("disk", "warning: full"),
    ]


def test_a_notification_object_is_read_through_its_root() -> None:
    native = as_live({"root": progress(1, 1)})
    assert adapters.detect(native) == ADAPTER
    assert [part["id"] for part in shown(ADAPTER, [native])] == ["1"]


@pytest.mark.parametrize("native", [{"method": "tools/list", "params": {}}, {"method": "tools/call"}])
def test_other_messages_are_not_detected(native: Any) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)


def test_progress_that_begins_anew_is_another_call() -> None:
    hook = quiet()

    async def main() -> None:
        async with hook:
            for done in (1, 2, 1, 5):
                await hook(done, 5, None)

    asyncio.run(main())
    assert [part.progress.progress for part in hook.transcript.tools] == [2, 5]


def test_a_called_tool_is_shown_with_its_result_or_its_error() -> None:
    class Session:
        async def call_tool(self, name: str, arguments: Any, *, progress_callback: Any) -> Any:
            await progress_callback(1, 2, f"Half of {arguments}")
            if name == "g":
                raise RuntimeError("closed")
            return {"content": [{"type": "text", "text": "1"}], "isError": False}

    hook = quiet()

    async def main() -> Any:
        async with hook:
            result = await hook.call_tool(Session(), "f", {"x": 1})
            with pytest.raises(RuntimeError, match="closed"):
                await hook.call_tool(Session(), "g")
        return result

    assert asyncio.run(main())["isError"] is False
    first, second = hook.transcript.tools
    assert (first.tool_name, first.args, first.state, first.output) == ("f", {"x": 1}, "ok", "1")
    assert (second.state, second.error) == ("error", "RuntimeError: closed")


def test_an_elicitation_is_open_or_has_the_answer_of_the_users_callback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds: Any = types.ModuleType("mcp.types")
    kinds.ElicitResult = lambda action: {"action": action}
    monkeypatch.setitem(sys.modules, "mcp", types.ModuleType("mcp"))
    monkeypatch.setitem(sys.modules, "mcp.types", kinds)
    hook = quiet()
    params = {"message": "Which city?", "requestedSchema": SCHEMA}
    answer = {"action": "accept", "content": {"city": "Paris"}}

    async def main() -> None:
        async with hook:
            assert await hook(object(), params) == {"action": "cancel"}
            assert await hook.elicitation(lambda *_: answer)(object(), params) == answer

    asyncio.run(main())
    still_open, answered = (part for part in hook.transcript.parts if part.kind == "input")
    assert (still_open.request.message, still_open.request.answer) == ("Which city?", None)
    assert answered.request.answer.value == {"city": "Paris"}


def test_a_log_callback_is_a_line() -> None:
    hook = quiet()

    async def main() -> None:
        async with hook:
            await hook({"level": "info", "logger": "disk", "data": "full"})

    asyncio.run(main())
    assert "full" in hook.transcript.to_text()

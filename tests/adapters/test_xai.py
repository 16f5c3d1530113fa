"""Read the cases of xAI that its recordings do not have."""

from __future__ import annotations

import json
import types
from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "xai"


def chunk(role: str = "ROLE_ASSISTANT", name: str = "r", **fields: Any) -> dict[str, Any]:
    finish = fields.pop("finish_reason", "REASON_INVALID")
    return {"id": name, "outputs": [{"index": 0, "delta": {"role": role, **fields}, "finish_reason": finish}]}


def call(status: str, **fields: Any) -> dict[str, Any]:
    function = {"name": "code_execution", "arguments": '{"code": "1"}'}
    kind = "TOOL_CALL_TYPE_CODE_EXECUTION_TOOL"
    return {"id": "c", "type": kind, "function": function, "status": f"TOOL_CALL_STATUS_{status}", **fields}


def camel(value: Any) -> Any:
    """Return the JSON with the names that protobuf gives it by default."""
    if isinstance(value, dict):
        names = {key: key.split("_")[0] + "".join(map(str.title, key.split("_")[1:])) for key in value}
        return {names[key]: camel(item) for key, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


class Repeated:
    """Stand for protobuf's class of lists."""

    def __init__(self, found: list[Any]) -> None:
        self._found = found

    def __iter__(self) -> Any:
        return iter(self._found)


def as_proto(value: Any) -> Any:
    if isinstance(value, dict):
        return types.SimpleNamespace(**{key: as_proto(item) for key, item in value.items()})
    return Repeated([as_proto(item) for item in value]) if isinstance(value, list) else value


def test_the_chunk_alone_and_json_in_camel_case_give_the_same_events() -> None:
    natives = recording(ADAPTER).natives
    expected = recording(ADAPTER).events()
    alone = [native[1] if isinstance(native, list) else native for native in natives]
    for form in (alone, [camel(one) if "outputs" in one else one for one in alone]):
        assert run(ADAPTER, form) == expected
        assert adapters.detect(*form[:3]) == ADAPTER


def test_messages_of_protobuf_in_the_sdks_wrapper_are_read() -> None:
    natives = [chunk(content="Hi", reasoning_content="Hm.")]
    wrapped = [types.SimpleNamespace(proto=as_proto(native)) for native in natives]
    pairs = [(types.SimpleNamespace(proto=as_proto({"outputs": []})), one) for one in wrapped]
    assert run(ADAPTER, pairs) == run(ADAPTER, wrapped) == run(ADAPTER, natives)
    assert adapters.detect(pairs[0]) == adapters.detect(wrapped[0]) == ADAPTER


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("REASON_STOP", "success"), (3, "success"), ("REASON_MAX_LEN", "error"), (5, "error"), (4, "success")],
)
def test_the_finish_reason_is_the_outcome(reason: Any, outcome: str) -> None:
    end = run(ADAPTER, [chunk(content="Hi", finish_reason=reason)])[-1]
    assert isinstance(end, RunFinished)
    assert end.outcome == outcome


def test_a_tool_of_xai_shows_its_state_and_its_result() -> None:
    natives = [
        chunk(tool_calls=[call("IN_PROGRESS")]),
        chunk("ROLE_TOOL", tool_calls=[call("COMPLETED")], content=json.dumps({"out": 1})),
        chunk(tool_calls=[call("COMPLETED")]),
    ]
    (part,) = shown(ADAPTER, natives)
    assert (part["args"], part["status"], part["output"]) == ({"code": "1"}, "ok", {"out": 1})
    assert len(emitted(ADAPTER, natives, "tool_started")) == 1


def test_a_failed_tool_of_xai_shows_why() -> None:
    (part,) = shown(ADAPTER, [chunk(tool_calls=[call("FAILED", error_message="no memory")])])
    assert (part["status"], part["output"]) == ("error", "no memory")


def test_counts_in_a_chunk_of_their_own_belong_to_its_message() -> None:
    last = {"id": "r", "outputs": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    (finished,) = emitted(ADAPTER, [chunk(content="Hi"), last], "message_finished")
    assert (finished["usage"]["input_tokens"], finished["usage"]["output_tokens"]) == (3, 4)


@pytest.mark.parametrize(
    "native",
    [
        {"outputs": [{"text": "Hi"}]},
        {"outputs": []},
        ["a", {"outputs": [{"delta": {}, "index": 0}]}],
        {"type": "x", "outputs": [{"delta": {}, "index": 0}]},
    ],
)
def test_outputs_of_another_service_are_not_taken(native: Any) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)


@pytest.mark.parametrize("reason", ["REASON_NEW", 99])
def test_a_finish_reason_that_is_not_known_is_no_success(reason: Any) -> None:
    end = run(ADAPTER, [chunk(content="Hi", finish_reason=reason)])[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.error) == ("error", f"The server ended the message: {reason}.")

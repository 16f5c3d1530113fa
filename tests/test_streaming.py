"""Check the origin's callback API on the default registry."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from vibe_notebook import streaming
from vibe_notebook.events import RunFinished, RunStarted, ToolStarted
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.registry import Registry


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with Registry(clock=lambda: 0.0) as registry:
        monkeypatch.setattr("vibe_notebook.registry._default._default", registry)
        yield registry


def chunk(text: str, seq: int | None = None, *, kind: str = "content", call: str = "c") -> dict[str, Any]:
    return {"type": kind, "text": text, "metadata": {"call_id": call, "runtime_seq": seq}}


def test_runtime_deltas_are_delivered_in_the_order_of_their_numbers(registry: Registry) -> None:
    got: list[str] = []
    streaming.register("a", on_result=lambda event: got.append(event.delta))
    for seq in (2, 0, 1, 1):
        streaming.dispatch_runtime_delta("a", "c", chunk(str(seq), seq))
    assert got == ["0", "1", "2"]
    assert registry.transcript("a").runs[0].run_id == "default"


def test_a_chunk_may_be_an_object_and_thinking() -> None:
    got: list[str] = []
    streaming.register("a", on_thinking=lambda event: got.append(event.delta))
    metadata = SimpleNamespace(call_id="c", runtime_seq=0)
    streaming.dispatch_runtime_delta("a", "c", SimpleNamespace(type="thinking", text="hm", metadata=metadata))
    assert got == ["hm"]


def test_without_a_number_a_delta_is_passed_on_at_once(registry: Registry) -> None:
    streaming.dispatch_runtime_delta("a", "c", chunk("1", 5))
    streaming.dispatch_runtime_delta("a", "c", {"type": "content", "text": "now"})
    assert registry.transcript("a").text == "now"


def test_finish_flushes_the_call_in_order_and_only_that_call(registry: Registry) -> None:
    for call in ("c", "d"):
        for seq in (3, 2):
            streaming.dispatch_runtime_delta("a", call, chunk(f"{call}{seq}", seq, call=call))
    streaming.finish_runtime_call("a", "c")
    assert registry.transcript("a").text == "c2c3"


def test_a_derived_delta_is_retracted_at_a_direct_one_and_dropped_after_it(registry: Registry) -> None:
    streaming.dispatch("a", chunk("derived"))
    streaming.dispatch_runtime_delta("a", "c", chunk("direct", 0))
    streaming.dispatch("a", chunk("again"))
    streaming.dispatch("a", chunk("other call", call="d"))
    assert [part.text for part in registry.transcript("a").parts] == ["direct", "other call"]  # type: ignore[union-attr]


def test_the_run_is_the_agents_open_one_and_a_repeat_after_its_end_is_a_duplicate(
    registry: Registry,
) -> None:
    registry.dispatch(RunStarted(agent_id="a", run_id="r"))
    streaming.dispatch_runtime_delta("a", "c", chunk("x", 0))
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    streaming.dispatch_runtime_delta("a", "c", chunk("x", 0))
    assert registry.transcript("a").text == "x"
    assert [run.run_id for run in registry.transcript("a").runs] == ["r"]


def test_a_call_id_that_the_next_run_uses_again_is_a_new_call(registry: Registry) -> None:
    for run in ("r", "s"):
        registry.dispatch(RunStarted(agent_id="a", run_id=run))
        streaming.dispatch_runtime_delta("a", "c", chunk(run, 0))
        registry.dispatch(RunFinished(agent_id="a", run_id=run))
    assert registry.transcript("a").text == "rs"


@pytest.mark.parametrize(
    ("event", "status", "output", "error"),
    [
        ({"result": 1}, "ok", 1, None),
        ({"result": ("ok", 1, [])}, "ok", 1, None),
        ({"result": ["error", "boom", []]}, "error", "boom", "boom"),
        ({"error": "boom"}, "error", None, "boom"),
        ({"error": {"code": 1}}, "error", None, "{'code': 1}"),
        ({"output": "x", "is_error": True}, "error", "x", "x"),
    ],
)
def test_a_tools_terminal_result_is_ok_or_an_error(
    registry: Registry, event: dict[str, Any], status: str, output: Any, error: str | None
) -> None:
    streaming.dispatch_tool_finished("a", {"tool_call_id": "t", "tool_name": "n", **event})
    (tool,) = registry.transcript("a").tools
    assert (tool.state, tool.output, tool.error) == (status, output, error)


def test_a_tool_is_prepared_started_and_finished_as_dicts_objects_or_events(registry: Registry) -> None:
    seen: list[str] = []
    for slot in ("on_tool_preparing", "on_tool_started", "on_tool_finished"):
        streaming.register("a", **{slot: lambda event: seen.append(event.type)})
    streaming.dispatch_tool_preparing("a", {"call_id": "t", "name": "n", "delta": '{"a":1}'})
    streaming.dispatch_tool_started("a", SimpleNamespace(id=7, tool_name="m", params={"b": 2}))
    streaming.dispatch_tool_started("a", ToolStarted(agent_id="a", run_id="default", tool_call_id="t"))
    streaming.dispatch_tool_finished("a", {"call_id": "t", "result": 1})
    assert [(t.tool_call_id, t.args, t.state) for t in registry.transcript("a").tools] == [
        ("t", {"a": 1}, "ok"),
        ("7", {"b": 2}, "running"),
    ]
    assert seen == ["tool_call_delta", "tool_started", "tool_started", "tool_finished"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "image", "text": "x"}, "type"),
        ({"type": "content"}, "text"),
        ({"type": "content", "text": 3}, "text"),
        ({"type": "content", "text": "x", "metadata": {"runtime_seq": "soon"}}, "seq"),
    ],
)
def test_an_invalid_chunk_is_an_error_that_names_its_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        streaming.dispatch_runtime_delta("a", "c", wrong)
    assert caught.value.field == field


def test_unregister_tolerates_an_agent_that_is_gone_and_an_unknown_callback_is_refused(
    registry: Registry,
) -> None:
    streaming.unregister("nobody")
    with pytest.raises(TypeError, match="on_everything"):
        streaming.register("a", on_everything=print)
    streaming.register("a")
    assert streaming.start_link() is registry
    with pytest.raises(ProtocolError):
        streaming.dispatch_tool_started("a", {"tool_name": "n"})


def test_the_default_run_is_opened_again_after_its_eviction(registry: Registry) -> None:
    streaming.dispatch("a", {"type": "content", "text": "old"})
    registry.finish("a")
    for i in range(100):
        registry.dispatch(RunFinished(agent_id="b", run_id=str(i)))
    assert registry.stats("a").evicted == 1
    streaming.dispatch("a", {"type": "content", "text": "new"})
    assert (registry.transcript("a").text, registry.stats("a").dropped) == ("new", 0)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_halves_of_a_character_are_joined_by_their_numbers(registry: Registry, order: list[int]) -> None:
    pieces = ["smile \ud83d", "\ude00", "!"]
    for seq in order:
        streaming.dispatch_runtime_delta("a", "c", chunk(pieces[seq], seq))
        streaming.dispatch("a", chunk(pieces[sorted(order)[seq]], call="derived"))
    streaming.dispatch_tool_preparing("a", {"tool_call_id": "t", "delta": '{"q": "\ud83d'})
    streaming.dispatch_tool_preparing("a", {"tool_call_id": "t", "delta": '\ude00"}'})
    streaming.finish_runtime_call("a", "c")
    texts = {part.message_id: part.text for part in registry.transcript("a").parts if part.kind == "text"}
    assert (texts["c"], registry.transcript("a").tools[0].args) == ("smile \U0001f600!", {"q": "\U0001f600"})


def test_a_half_that_stays_alone_is_shown_as_one(registry: Registry) -> None:
    streaming.dispatch_runtime_delta("a", "c", chunk("cut \ud83d", 0))
    streaming.finish_runtime_call("a", "c")
    registry.finish("a")
    assert registry.transcript("a").text == "cut \ufffd"

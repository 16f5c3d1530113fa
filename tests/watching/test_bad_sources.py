"""Check the errors for bad sources: they name the SDK and the fix, and keep earlier events."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from pydantic_ai import Agent

import vibe_notebook as vibe
from tests.adapters.support import recording
from tests.watching.streams import collect, drained, quiet
from vibe_notebook.exceptions import AdapterError

UNKNOWN = [{"hello": i} for i in range(9)]


async def stream() -> AsyncIterator[int]:
    yield 1


def of(module: str, function: Any) -> Any:
    """Return the same function as if an SDK had defined it."""
    return types.FunctionType(function.__code__, {"__name__": module}, function.__name__)


def iterate(source: Any) -> None:
    for _ in quiet(source):
        pass


@pytest.mark.parametrize(
    ("module", "sdk"),
    [
        ("strands.agent.agent", "strands"),
        ("agents.result", "openai-agents"),
        ("google.adk.runners", "google-adk"),
        ("langgraph.pregel.main", "langgraph"),
    ],
)
def test_a_sync_loop_over_an_async_sdk_names_the_sdk_and_async_for(module: str, sdk: str) -> None:
    with pytest.raises(TypeError, match=rf"stream\(\) \({sdk}\) is an async stream: use `async for`"):
        iterate(of(module, stream)())
    with pytest.raises(TypeError, match="async_generator is an async stream: use `async for`"):
        iterate(stream())


def test_a_call_that_was_forgotten_names_the_function_and_its_sdk() -> None:
    with pytest.raises(TypeError, match=r"Agent.run_stream_events \(pydantic-ai\) .*forget to call it\?"):
        quiet(Agent("test").run_stream_events)
    with pytest.raises(TypeError, match=r"^function is not a stream.*forget to call it\?$"):
        quiet(stream)


def test_a_whole_answer_instead_of_a_stream_names_the_sdk_and_the_call_that_streams() -> None:
    whole = ChatCompletion(id="c", choices=[], created=1, model="m", object="chat.completion")

    async def create() -> ChatCompletion:
        return whole

    wanted = r"ChatCompletion \(openai\) is not a stream.* stream=True\)"
    with pytest.raises(TypeError, match=wanted):
        quiet(whole)
    failed = quiet(create())
    with pytest.raises(TypeError, match=wanted):
        asyncio.run(drained(failed))
    assert "stream=True" in (failed.transcript.error or "")
    assert failed.transcript.outcome == "error"


def test_an_agent_instead_of_its_stream_names_the_sdk_and_the_call_that_streams() -> None:
    with pytest.raises(TypeError, match=r"Agent \(pydantic-ai\) is not a stream.*run_stream_events"):
        asyncio.run(drained(quiet(Agent("test"))))


def test_unawaited_calls_are_an_error_that_names_await() -> None:
    async def run() -> None:
        """Never awaited, and closed below."""

    calls = [run(), run()]
    with pytest.raises(AdapterError, match=r"yields coroutines\. Await them"):
        iterate(calls)
    for call in calls:
        call.close()


def test_a_stream_is_known_by_any_of_its_first_eight_natives() -> None:
    known = {"event": "RunContent", "run_id": "r", "content": "Hi"}
    seen: list[Any] = []

    def source() -> Iterator[Any]:
        for i, native in enumerate([*UNKNOWN[:7], known]):
            assert len(seen) == i  # the consumer has had those before: the watch delays none of them
            yield native

    watched = quiet(source())
    for native in watched:
        seen.append(native)  # noqa: PERF402 - one by one: the source reads the list
    assert seen == [*UNKNOWN[:7], known]
    assert watched.transcript.text == "Hi"


@pytest.mark.parametrize("count", [2, 9])
def test_unknown_natives_are_an_error_and_stay_in_the_recording(count: int, tmp_path: Path) -> None:
    watched = quiet(UNKNOWN[:count], record=tmp_path / "it.jsonl")
    with pytest.raises(AdapterError, match=r"no adapter knows it\. Pass adapter=, one of: .*openai_chat"):
        asyncio.run(collect(watched))
    assert watched.transcript.outcome == "error"
    assert "adapter=" in (watched.transcript.error or "")
    events = list(vibe.replay(tmp_path / "it.jsonl", speed=0))
    kept = [event.value for event in events if event.type == "custom"]
    assert kept == UNKNOWN[: min(count, 8)]


def test_unknown_natives_before_a_break_stay_in_the_transcript() -> None:
    registry = vibe.Registry()
    with registry.subscribe() as events:
        with quiet(iter(UNKNOWN), registry=registry) as watched:
            for _ in watched:
                break
        registry.close()
        assert [event.value for event in events if event.type == "custom"] == UNKNOWN[:1]
    assert watched.transcript.outcome == "cancelled"


@pytest.mark.parametrize("cut", [4, 9, 14])
def test_an_error_in_mid_stream_keeps_the_earlier_text_and_shows_the_error(cut: int) -> None:
    class APIConnectionError(Exception):
        pass

    def source() -> Iterator[Any]:
        yield from recording("openai_responses").natives[:cut]
        raise APIConnectionError("the line is dead")

    watched = quiet(source())
    with pytest.raises(APIConnectionError):
        list(watched)
    whole = recording("openai_responses").expected["items"]
    assert watched.transcript.error == "APIConnectionError: the line is dead"
    for part, wanted in zip(watched.transcript.parts, whole, strict=False):
        assert part.kind == wanted["kind"]
        if part.kind == "tool":
            assert part.state in ("ok", "error", "unfinished")


def test_calls_that_wait_for_approval_after_the_stream_come_from_its_source() -> None:
    class Result:
        interruptions: tuple[Any, ...] = (
            {"type": "tool_approval_item", "raw_item": {"call_id": "c1", "name": "erase", "arguments": "{}"}},
        )

        async def stream_events(self) -> AsyncIterator[Any]:
            yield {"type": "agent_updated_stream_event", "new_agent": {"name": "boss"}}

    watched = quiet(Result())
    asyncio.run(drained(watched))
    (call,) = watched.transcript.tools
    assert (call.tool_name, call.state) == ("erase", "awaiting_approval")
    assert watched.transcript.outcome == "interrupted"

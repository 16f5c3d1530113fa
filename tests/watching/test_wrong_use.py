"""Say in one error what to do, where a watch is used in a wrong way."""

from __future__ import annotations

import asyncio
import functools
import gc
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypedDict

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, StateGraph
from openai.types.chat import ChatCompletion
from pydantic_ai import Agent

import vibe_notebook as vibe
from tests.display.test_view import Stage
from tests.watching.streams import drained, quiet
from vibe_notebook import adapters
from vibe_notebook._magics.targets import TargetError, find
from vibe_notebook.adapters import Adapter
from vibe_notebook.events import RunStarted, ToolCallDelta
from vibe_notebook.exceptions import AdapterError, ConsumedError, VibeNotebookError
from vibe_notebook.remote import follow

CHUNK = {
    "id": "x",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}],
}
IDS = {"agent_id": "a", "run_id": "r"}


class State(TypedDict):
    text: str


def events() -> Iterator[str]:
    yield "one"


async def stream() -> AsyncIterator[str]:
    yield "one"


async def answer() -> str:
    return "one"


def ended() -> Iterator[str]:
    made = events()
    list(made)
    return made


async def ended_async() -> AsyncIterator[str]:
    made = stream()
    async for _ in made:
        pass
    return made


# A stream that was read already


def test_a_generator_that_was_read_is_no_empty_success() -> None:
    with pytest.raises(ConsumedError, match=r"generator was read to its end already.*Make a new one"):
        quiet(ended())
    with pytest.raises(ConsumedError, match="read to its end already"):
        quiet(asyncio.run(ended_async()))


def test_a_generator_that_is_read_between_the_watch_and_its_loop_is_an_error() -> None:
    made = events()
    watched = quiet(made)
    list(made)
    with pytest.raises(ConsumedError, match="read to its end already"):
        list(watched)
    assert watched.transcript.outcome == "error"


def test_a_coroutine_that_was_awaited_is_an_error() -> None:
    made = answer()
    asyncio.run(drained_of(made))
    with pytest.raises(ConsumedError, match="coroutine was read to its end already"):
        quiet(made)


async def drained_of(made: Any) -> Any:
    return await made


def test_a_stream_of_an_sdk_that_was_read_names_the_call_that_makes_a_new_one() -> None:
    class Stream:
        """An openai stream, which holds a generator."""

        def __init__(self) -> None:
            self._iterator = events()

        def __iter__(self) -> Iterator[str]:
            yield from self._iterator

    Stream.__module__ = "openai._streaming"
    made = Stream()
    list(made)
    with pytest.raises(ConsumedError, match=r"Stream \(openai\) was read.*client\.responses\.create"):
        quiet(made)


def test_an_iterator_without_events_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    used = iter(["one"])
    list(used)
    list(vibe.watch(used))
    assert "The stream gave no events. If it was read before, make a new one." in capsys.readouterr().err


# Something that is no stream


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (openai.OpenAI(api_key="x"), r"^OpenAI \(openai\) is not a stream.*responses\.create\(.*stream=True"),
        (openai.AsyncOpenAI(api_key="x"), r"^AsyncOpenAI \(openai\) is not a stream.*stream=True"),
        (Agent("test"), r"^Agent \(pydantic-ai\) is not a stream.*run_stream_events"),
        (
            ChatCompletion(id="c", choices=[], created=1, model="m", object="chat.completion"),
            r"It is one whole answer\. openai makes one with client\.chat\.completions\.create\(.*stream=True",
        ),
        ({"choices": []}, "^dict is not a stream.*stream=True"),
        (answer, r"^function is not a stream.*forget to call it\?"),
        (stream, r"forget to call it\?"),
        (functools.partial(events), r"forget to call it\?"),
        ("https://example.org/stream", r"^str is not a stream.*remote\.follow\(url\)"),
        ("run.jsonl", r"vibe\.replay\(path\)"),
        (None, "^NoneType is not a stream"),
    ],
)
def test_what_is_no_stream_names_the_call_that_makes_one(source: object, words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        quiet(source)
    assert len(str(caught.value)) < 400


def test_a_compiled_graph_names_its_astream() -> None:
    builder: Any = StateGraph(State)
    builder.add_node("n", lambda state: state)
    builder.add_edge(START, "n")
    with pytest.raises(
        TypeError, match=r"CompiledStateGraph \(langgraph\) is not a stream.*graph\.astream\("
    ):
        quiet(builder.compile())


CALLS = {
    "a2a.client": "client.send_message(",
    "agent_framework": "agent.run(prompt, stream=True)",
    "agents.result": "Runner.run_streamed(",
    "autogen_agentchat.base": "agent.run_stream(",
    "azure.ai.inference.models": "client.complete(..., stream=True)",
    "botocore.client": "client.converse_stream(",
    "chatlas._chat": "chat.stream(prompt",
    "cohere.client_v2": "client.chat_stream(",
    "crewai.crew": "Crew(..., stream=True)",
    "dspy.predict": "dspy.streamify(",
    "google.genai.client": "client.models.generate_content_stream(",
    "groq": "client.chat.completions.create(..., stream=True)",
    "huggingface_hub.inference": "client.chat_completion(messages, stream=True)",
    "instructor.client": "client.create_partial(",
    "langgraph_sdk.client": "client.runs.stream(",
    "letta_client.types": "client.agents.messages.stream(",
    "litellm.types": "litellm.completion(..., stream=True)",
    "mistralai.sdk": "client.chat.stream(",
    "ollama._client": "client.chat(model=..., messages=..., stream=True)",
    "pydantic_ai.run": "agent.run_stream_events(prompt)",
    "semantic_kernel.agents": "agent.invoke_stream(",
    "smolagents.agents": "agent.run(task, stream=True)",
    "strands.agent.agent_result": "agent.stream_async(prompt)",
    "vllm.v1.engine": "engine.generate(",
    "xai_sdk.chat": "chat.stream()",
}


def made_in(module: str) -> type[Any]:
    return type("Thing", (), {"__module__": module})


@pytest.mark.parametrize("module", CALLS)
def test_each_sdks_objects_and_results_name_its_call(module: str) -> None:
    kind = made_in(module)
    own = type("MyThing", (kind,), {"run": lambda self: self})

    async def result() -> Any:
        return kind()

    for source in (kind(), own(), functools.partial(own().run, 1)):
        with pytest.raises(TypeError, match=re.escape(CALLS[module])):
            quiet(source)
    with pytest.raises(TypeError, match=re.escape(CALLS[module])):
        asyncio.run(drained(quiet(result())))
    with pytest.raises(AdapterError, match=re.escape(CALLS[module])):
        list(quiet([kind()]))


@pytest.mark.parametrize(
    "make",
    [
        lambda agent: agent.run("q"),
        lambda agent: agent.run_stream("q"),
        lambda agent: agent.iter("q"),
        lambda agent: agent.run,
        lambda agent: functools.partial(agent.run, "q"),
        lambda agent: asyncio.run(agent.run("q")),
    ],
    ids=["run", "run_stream", "iter", "function", "partial", "result"],
)
def test_every_other_way_to_run_an_agent_names_the_one_that_streams(make: Any) -> None:
    async def main(source: Any) -> None:
        await quiet(source)

    source = make(Agent("test"))
    with pytest.raises((TypeError, AdapterError), match=r"agent\.run_stream_events\(prompt\)"):
        asyncio.run(main(source))


def test_a_graphs_finished_state_names_its_stream() -> None:
    with pytest.raises(TypeError, match=r"langchain makes one with model\.astream"):
        quiet({"messages": [HumanMessage("q"), AIMessage("a")]})


def test_a_finished_text_is_no_recording() -> None:
    with pytest.raises(TypeError, match=r"A whole text has nothing to stream.*stream=True"):
        quiet("The sum is 3.")


# A wrong adapter


def test_a_slip_in_the_name_of_an_adapter_is_named() -> None:
    with pytest.raises(AdapterError, match=r"no adapter 'antropic'; one of: .*Did you mean 'anthropic'"):
        vibe.watch([], adapter="antropic")


@pytest.mark.parametrize("name", ["anthropic", "agui", "google_adk", "langgraph", "openai_responses", "text"])
def test_an_adapter_that_understood_nothing_ends_as_an_error(name: str) -> None:
    watched = quiet([CHUNK, CHUNK, CHUNK], adapter=name)
    with pytest.raises(VibeNotebookError, match=r"did not understand any of the stream's 3 events") as caught:
        list(watched)
    assert 'adapter="openai_chat"' in str(caught.value)
    assert watched.transcript.outcome == "error"


def test_an_adapter_that_understood_something_ends_as_before() -> None:
    watched = quiet([{"type": "new"}, CHUNK, {"type": "new"}], adapter="openai_chat")
    assert len(list(watched)) == 3
    assert (watched.transcript.outcome, watched.transcript.text) == ("success", "hi")


def test_a_run_of_known_events_without_words_is_a_success() -> None:
    native = {"type": "CUSTOM", "name": "tick", "value": 1}
    watched = quiet([native], adapter="agui")
    list(watched)
    assert watched.transcript.outcome == "success"


class Deaf(Adapter):
    """Understand no native; another package's adapter."""

    name = "deaf"

    def _read(self, native: object) -> None: ...


class Broken(Adapter):
    """Fail at every native."""

    name = "broken"

    def _read(self, native: object) -> None:
        raise ValueError(native)


@pytest.mark.parametrize("adapter", [Deaf(), Broken(), adapters.get("anthropic")], ids=lambda one: one.name)
def test_an_adapter_object_that_understood_nothing_ends_as_an_error(adapter: Adapter) -> None:
    watched = quiet([CHUNK, CHUNK], adapter=adapter)
    with pytest.raises(AdapterError, match=f"{adapter.name} did not understand any of the stream's 2 events"):
        list(watched)
    assert watched.transcript.outcome == "error"


def test_a_detected_adapter_that_shows_nothing_of_a_stream_that_is_mostly_strange_ends_as_an_error() -> None:
    strange = [{"kind": "words", "words": "Hello"}] * 3
    watched = quiet([*strange, {"stopReason": "end_turn"}])
    with pytest.raises(
        AdapterError, match=r"The adapter acp did not understand any of the stream's 4 events"
    ):
        list(watched)
    assert watched.transcript.outcome == "error"


def test_lines_for_the_reader_are_understood() -> None:
    class Lines(Deaf):
        """Show each native as a line."""

        name = "text"

        def _read(self, native: object) -> None:
            self.emit_unknown(native, "line", shown=True)

    watched = quiet([{"kind": "x"}] * 3, adapter=Lines())
    list(watched)
    assert watched.transcript.outcome == "success"


def test_the_view_says_that_nothing_was_understood_of_a_stream_that_was_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    for _ in vibe.watch([CHUNK, CHUNK], adapter="anthropic"):
        break
    assert "The adapter anthropic did not understand the stream's only event" in capsys.readouterr().err


def test_a_handler_that_understood_nothing_ends_as_an_error_in_the_view() -> None:
    hook = vibe.handler("strands", registry=vibe.Registry(), display=False)
    with hook:
        for _ in range(3):
            hook(brand_new=1)
    assert hook.transcript.outcome == "error"
    assert "did not understand any of the stream's 3 events" in (hook.transcript.runs[0].error or "")


# An agent that nobody knows


def test_a_slip_in_the_id_of_an_agent_names_the_nearest() -> None:
    with pytest.raises(TargetError, match=r"no agent 'reseacher'\. Did you mean agent:researcher\?"):
        find("agent:reseacher", {}, ["researcher", "writer"])


@pytest.mark.parametrize("name", ["agent-2", "somebody-else"])
def test_an_agent_that_is_no_slip_may_come_later(name: str) -> None:
    assert find(f"agent:{name}", {}, ["agent-1", "researcher"]).value == name


# A watch that was never read


def drop(source: object, **options: Any) -> None:
    vibe.watch(source, **options)
    gc.collect()


def test_a_watch_that_is_never_read_warns_as_a_coroutine_does() -> None:
    with pytest.warns(RuntimeWarning, match=r"The watch 'eval' was never read: iterate it, or await it\."):
        drop(events(), title="eval")


def test_a_watch_of_a_coroutine_that_is_never_read_warns_once() -> None:
    with pytest.warns(RuntimeWarning) as caught:
        drop(answer())
    assert len(caught) == 1


def test_a_watch_that_was_read_or_cancelled_warns_of_nothing() -> None:
    list(quiet(events()))
    quiet(events()).cancel()
    with quiet(events()):
        pass
    asyncio.run(drained(quiet(stream())))
    gc.collect()


# A connection that never stood


def test_a_stream_of_a_dead_server_is_never_called_live() -> None:
    async def main() -> str:
        async with quiet(follow("http://127.0.0.1:9/projects/p/stream")) as run:
            return repr(run)

    assert asyncio.run(main()) == "<watch 'p': connecting>"


# Long arguments


def test_the_row_of_a_call_moves_while_its_arguments_are_written() -> None:
    stage = Stage()
    stage.registry.dispatch(RunStarted(**IDS))
    seen = []
    text = '{"path": "a.py", "text": "' + " ".join(f"word{n}" for n in range(3_000))
    for start in range(0, len(text), 500):
        delta = text[start : start + 500]
        stage.registry.dispatch(ToolCallDelta(**IDS, tool_call_id="c", tool_name="write", delta=delta))
        stage.view.flush()
        seen.append(stage.browser.tree()[0]["props"]["preview"])
        assert seen[-1].endswith(text[: start + 500].rstrip()[-20:])
        assert len(seen[-1]) <= 100
    assert len(set(seen)) == len(seen)

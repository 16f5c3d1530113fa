"""Check ``vibe.spans()``: the runs among the spans of a ``TracerProvider``, each in a view of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.auto.spans import Tracer, asked, said, words
from vibe_notebook._auto.span_views import SpanViews
from vibe_notebook._auto.views import Settings
from vibe_notebook.adapters._span_tree import Span


@pytest.fixture
def registry() -> Iterator[vibe.Registry]:
    with vibe.Registry() as made:
        yield made


def tracer(registry: vibe.Registry) -> Tracer:
    return Tracer(vibe.spans(registry=registry, display=False))


def transcripts(registry: vibe.Registry) -> list[vibe.Transcript]:
    return [registry.transcript(agent_id) for agent_id in registry.agents()]


def run_agent(made: Tracer, name: str, answer: str) -> None:
    with made.agent(name), made.chat(gen_ai__input__messages=asked("?")) as chat:
        chat.set(gen_ai__output__messages=said(answer))


def test_an_agents_steps_show_as_they_begin_and_end(registry: vibe.Registry) -> None:
    made = tracer(registry)
    with made.agent("A"):
        assert registry.agents() == []  # a watch of this run may begin it
        with made.chat() as chat:
            (transcript,) = transcripts(registry)
            assert transcript.outcome is None
            call = {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1}}
            chat.set(gen_ai__input__messages=asked("1 + 1?"), gen_ai__output__messages=said("I add.", call))
        (transcript,) = transcripts(registry)
        assert (transcript.turns[0].input, transcript.text, transcript.tools[0].state) == (
            "1 + 1?",
            "I add.",
            "preparing",
        )
        with made.tool("add", gen_ai__tool__call__id="c1") as tool:
            assert transcripts(registry)[0].tools[0].state == "running"
            tool.set(gen_ai__tool__call__result="2")
        assert transcripts(registry)[0].tools[0].output == 2
    (transcript,) = transcripts(registry)
    assert (transcript.outcome, len(transcript.tools), transcript.runs[0].agent_name) == ("success", 1, "A")


def test_two_runs_at_once_are_two_views_and_never_mixed(registry: vibe.Registry) -> None:
    made = tracer(registry)
    outer = made.start("request")
    agents = [
        made.start(
            f"invoke_agent {name}", outer, gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name
        )
        for name in "AB"
    ]
    chats = [made.start("chat", agent, gen_ai__operation__name="chat") for agent in agents]
    for chat, answer in zip(chats, "ab", strict=True):
        chat.set(gen_ai__output__messages=said(answer))
        made.end(chat)
    for span in (*agents, outer):
        made.end(span)
    assert [(each.runs[0].agent_name, each.text) for each in transcripts(registry)] == [
        ("A", "a"),
        ("B", "b"),
    ]


def test_an_agent_inside_of_a_tool_is_inside_of_the_call(registry: vibe.Registry) -> None:
    made = tracer(registry)
    with made.agent("outer"), made.tool("ask", gen_ai__tool__call__id="c1") as tool:
        with made.span("GET /"):
            run_agent(made, "inner", "hi")
        tool.set(gen_ai__tool__call__result="hi")
    (transcript,) = transcripts(registry)
    assert words(transcript.tools[0].children) == ["hi"]
    assert [run.agent_name for run in transcript.runs] == ["outer", "inner"]


def test_an_error_status_is_the_error_of_its_call_and_of_its_run(registry: vibe.Registry) -> None:
    made = tracer(registry)
    with pytest.raises(ValueError, match="no such city"), made.agent("A"), made.tool("look"):
        raise ValueError("no such city")
    (transcript,) = transcripts(registry)
    assert (transcript.outcome, transcript.error) == ("error", "ValueError: no such city")
    assert (transcript.tools[0].state, transcript.tools[0].error) == ("error", "ValueError: no such city")


def test_models_without_an_agent_share_the_view_of_the_span_around_them(registry: vibe.Registry) -> None:
    made = tracer(registry)
    with made.span("my loop"):
        for answer in ("one", "two"):
            with made.chat(gen_ai__output__messages=said(answer)):
                pass
    with made.chat(gen_ai__output__messages=said("alone")):
        pass
    with made.span("GET /"):
        pass
    assert [words(each.parts) for each in transcripts(registry)] == [
        ["one", "two"],
        ["alone"],
    ]
    assert [each.outcome for each in transcripts(registry)] == ["success", "success"]


def test_a_run_within_a_watch_is_not_shown_again(registry: vibe.Registry) -> None:
    made = tracer(registry)

    def source() -> Iterator[str]:
        run_agent(made, "A", "hi")
        yield "hi"

    for _ in vibe.watch(source(), registry=registry, display=False):
        pass
    assert [each.text for each in transcripts(registry)] == ["hi"]


def test_a_run_within_a_live_view_is_shown_for_the_view_shows_only_what_its_code_gives(
    registry: vibe.Registry,
) -> None:
    made = tracer(registry)
    with vibe.live("mine", registry=registry, display=False):
        run_agent(made, "A", "hi")
    assert sorted(each.text for each in transcripts(registry)) == ["", "hi"]


def test_a_run_whose_steps_a_watch_takes_is_not_shown_again(registry: vibe.Registry) -> None:
    made = tracer(registry)
    agent = made.start("invoke_agent A", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="A")

    def source() -> Iterator[str]:
        made.end(made.start("chat", agent, gen_ai__operation__name="chat"))
        yield "hi"

    for _ in vibe.watch(source(), registry=registry, display=False):
        pass
    made.end(agent)
    assert len(registry.agents()) == 1


def test_a_view_steps_back_when_a_watch_reads_the_stream_of_its_run(registry: vibe.Registry) -> None:
    made = tracer(registry)
    agent = made.start("invoke_agent A", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="A")
    chat = made.start("chat", agent, gen_ai__operation__name="chat")
    assert len(registry.agents()) == 1

    def source() -> Iterator[str]:
        yield "hi"
        made.end(chat)

    for _ in vibe.watch(source(), registry=registry, display=False):
        pass
    made.end(agent)
    assert [each.text for each in transcripts(registry)] == ["hi"]


def test_a_watch_inside_of_a_tool_leaves_the_outer_run_its_view(registry: vibe.Registry) -> None:
    made = tracer(registry)

    def source() -> Iterator[str]:
        run_agent(made, "inner", "hi")
        yield "hi"

    with made.agent("outer"), made.tool("ask") as tool:
        for _ in vibe.watch(source(), registry=registry, display=False):
            pass
        tool.set(gen_ai__tool__call__result="hi")
    outer, watched = transcripts(registry)
    assert ([run.agent_name for run in outer.runs], outer.tools[0].output) == (["outer"], "hi")
    assert watched.text == "hi"


def test_two_processors_of_one_provider_show_a_run_once(registry: vibe.Registry) -> None:
    made = Tracer(*(vibe.spans(registry=registry, display=False) for _ in range(2)))
    run_agent(made, "A", "hi")
    assert [each.text for each in transcripts(registry)] == ["hi"]


def test_a_run_that_never_ends_ends_with_its_provider(registry: vibe.Registry) -> None:
    made = tracer(registry)
    agent = made.start("invoke_agent A", gen_ai__operation__name="invoke_agent")
    made.start("execute_tool t", agent, gen_ai__operation__name="execute_tool", gen_ai__tool__name="t")
    made.processors[0].shutdown()
    (transcript,) = transcripts(registry)
    assert (transcript.outcome, transcript.tools[0].state) == ("cancelled", "unfinished")


def test_runs_in_threads_and_tasks_have_their_own_views(registry: vibe.Registry) -> None:
    made = [tracer(registry) for _ in range(3)]
    threads = [threading.Thread(target=run_agent, args=(one, "A", "t")) for one in made[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def main() -> None:
        run_agent(made[2], "A", "t")

    asyncio.run(main())
    assert [each.text for each in transcripts(registry)] == ["t", "t", "t"]


def test_a_failure_of_the_view_never_reaches_the_agent(
    registry: vibe.Registry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    made = tracer(registry)
    monkeypatch.setattr(SpanViews, "begin", broken)
    with caplog.at_level(logging.ERROR, "vibe_notebook"):
        run_agent(made, "A", "hi")
        run_agent(made, "A", "hi")
    assert [record.message for record in caplog.records] == [
        "vibe.auto() could not show an event of SpanProcessor"
    ]


def test_a_handler_shows_all_spans_of_its_block_in_one_view(registry: vibe.Registry) -> None:
    hook = vibe.handler("otel", registry=registry, display=False)
    made = Tracer(hook)
    with hook:
        run_agent(made, "A", "a")
        run_agent(made, "B", "b")
    run_agent(made, "C", "c")  # the provider keeps the processor
    assert [(run.agent_name, run.outcome) for run in hook.transcript.runs] == [
        ("A", "success"),
        ("B", "success"),
    ]
    assert made.processors[0].force_flush()


def test_a_span_whose_attributes_come_late_still_has_its_view(registry: vibe.Registry) -> None:
    made = tracer(registry)
    with made.span("invoke_agent A"):
        with made.span("call") as chat:
            chat.set(gen_ai__operation__name="chat", gen_ai__output__messages=said("hi"))
        assert len(registry.agents()) == 1
    with made.span("handle") as agent:
        agent.set(gen_ai__operation__name="invoke_agent", gen_ai__agent__name="B")
        with made.chat(gen_ai__output__messages=said("there")):
            pass
    with made.span("lone") as chat:
        chat.set(gen_ai__operation__name="chat", gen_ai__output__messages=said("alone"))
    assert [(each.runs[0].agent_name, each.text) for each in transcripts(registry)] == [
        ("A", "hi"),
        ("B", "there"),
        (None, "alone"),
    ]


def test_a_view_that_steps_back_shows_no_form_and_another_one_shows_one(
    registry: vibe.Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")
    made = Tracer(vibe.spans(registry=registry))
    agent = made.start("invoke_agent A", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="A")
    chat = made.start("chat", agent, gen_ai__operation__name="chat")

    def source() -> Iterator[str]:
        yield "hi"
        made.end(chat)

    for _ in vibe.watch(source(), registry=registry, display=False):
        pass
    made.end(agent)
    assert capsys.readouterr().out == ""
    run_agent(made, "B", "there")
    assert capsys.readouterr().out.count("B · ✓ success") == 1


def test_deeply_nested_spans_cost_no_square() -> None:
    reads = 0

    def read(span: Span) -> Span:
        nonlocal reads
        reads += 1
        return span

    views = SpanViews("otel_spans", read, Settings(display=False))
    for depth in range(400):
        views.begin(Span("t", str(depth), str(depth - 1) if depth else None, "group"))
    for depth in reversed(range(400)):
        views.end(Span("t", str(depth), str(depth - 1) if depth else None, "group"))
    assert reads <= 400 * 35

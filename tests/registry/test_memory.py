"""Bound the memory of a finished stream: its transcript, and next to nothing else."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook._host import host
from vibe_notebook.display import _output
from vibe_notebook.events import (
    PartCompleted,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.parts import Progress
from vibe_notebook.registry import Registry, Stats
from vibe_notebook.transcript import Transcript

MEGABYTE = 1_000_000


@contextmanager
def traced() -> Iterator[list[int]]:
    """Yield a list; append to it the bytes still allocated at the end."""
    gc.collect()
    tracemalloc.start()
    try:
        left: list[int] = []
        yield left
        gc.collect()
        left.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()


def run(agent: str, run_id: str, count: int, size: int = 100) -> Iterator[Any]:
    base: dict[str, Any] = {"agent_id": agent, "run_id": run_id}
    yield RunStarted(**base, seq=0)
    for i in range(1, count + 1):
        yield TextDelta(**base, seq=i, delta=f"{i:0{size}}")
    yield RunFinished(**base, seq=count + 1)


def test_hundreds_of_finished_streams_leave_no_thread_and_little_beyond_their_transcripts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[int] = []
    # A rendered form is shown, not retained: it does not count here.
    monkeypatch.setattr(_output, "bundle", lambda *_, **__: {"text/plain": ""})
    monkeypatch.setattr(type(host()), "show", lambda _, data: shown.append(len(data)))
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")

    def watched(number: int, registry: Registry) -> vibe.Watch:
        made = vibe.watch((f"word {number}, {i}. " for i in range(30)), registry=registry)
        for _ in made:
            pass
        return made

    watched(0, Registry())  # imports and caches cost their memory only once
    threads = set(threading.enumerate())
    with Registry() as registry:
        with traced() as all_of_it:
            ended = [watched(i, registry) for i in range(500)]
        texts = [made.transcript.model_dump_json() for made in ended]
        with traced() as of_the_transcripts:
            transcripts = [Transcript.model_validate_json(text) for text in texts]
        assert len(transcripts) == len(set(texts)) == 500
        assert (
            all_of_it[0] - of_the_transcripts[0] < 10 * MEGABYTE
        )  # 9.5 measured, the ring with it: a part has its times, a run its messages
        assert set(threading.enumerate()) <= threads  # other tests' threads may end meanwhile
        assert len(shown) == 501


def test_of_many_progress_updates_of_one_call_the_last_is_retained() -> None:
    registry = Registry(ring=1)
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r", "tool_call_id": "c"}
    with traced() as left:
        for number in range(2_000):
            registry.dispatch(
                ToolProgress(**base, output=f"{number} {'x' * 500}", progress=number, message=str(number))
            )
        call = registry.transcript("a").tools[0]
    assert call.output == f"1999 {'x' * 500}"
    assert call.progress == Progress(progress=1999, message="1999")
    assert left[0] < MEGABYTE / 20


def test_a_forgotten_agent_frees_its_memory() -> None:
    registry = Registry(ring=1)
    for event in run("b", "r", 10):  # caches cost their memory only once
        registry.dispatch(event)
    assert registry.transcript("b").text
    registry.forget("b")
    with traced() as left:
        for event in run("a", "r", 10_000):
            registry.dispatch(event)
        assert len(registry.transcript("a").text) == MEGABYTE
        registry.forget("a")
    assert left[0] < MEGABYTE / 100
    assert registry.agents() == []


def test_an_agent_whose_runs_were_all_evicted_leaves_only_its_statistics_and_their_ids() -> None:
    registry = Registry(keep_runs=10, ring=1)
    for event in run("a0", "r", 3):
        registry.dispatch(event)
    registry.dispatch(RunStarted(agent_id="a0", run_id="r", seq=0))
    with traced() as left:
        for i in range(1, 1000):
            for event in run(f"a{i}", "r", 3):
                registry.dispatch(event)
    assert registry.agents() == [f"a{i}" for i in range(990, 1000)]
    assert registry.transcript("a0").runs == ()
    assert registry.stats("a0") == Stats(delivered=5, duplicates=1, evicted=1)
    for event in run("a0", "s", 3):
        registry.dispatch(event)
    assert registry.stats("a0") == Stats(delivered=10, duplicates=1, evicted=1)
    assert left[0] < 0.65 * MEGABYTE
    registry.forget("a1")
    assert registry.stats("a1") == Stats()


def test_an_agent_with_a_callback_stays_although_its_runs_were_evicted() -> None:
    registry = Registry(keep_runs=0)
    heard: list[str] = []
    registry.register("a", on_finished=lambda event: heard.append(event.run_id))
    for run_id in ("r", "s"):
        for event in run("a", run_id, 3):
            registry.dispatch(event)
    assert heard == ["r", "s"]
    assert registry.agents() == ["a"]
    assert registry.stats("a").evicted == 2


@pytest.mark.parametrize("sequenced", [True, False])
def test_replaced_text_frees_its_memory(*, sequenced: bool) -> None:
    registry = Registry(ring=1)
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
    with traced() as left:
        for event in run("a", "r", 10_000):
            if event.type == "text_delta":
                registry.dispatch(event if sequenced else event.model_copy(update={"seq": None}))
        seq = 10_001 if sequenced else None
        registry.dispatch(PartCompleted(**base, seq=seq, text="short"))
    assert registry.transcript("a").text == "short"
    assert left[0] < MEGABYTE / 20


def test_replaced_arguments_and_progress_free_their_memory() -> None:
    registry = Registry(ring=1)
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r", "tool_call_id": "c"}
    with traced() as left:
        for i in range(5000):
            registry.dispatch(ToolCallDelta(**base, seq=i, delta="x" * 100))
        registry.dispatch(ToolStarted(**base, seq=5000, tool_name="t", args={"a": 1}))
        for i in range(5001, 10_000):
            registry.dispatch(ToolProgress(**base, seq=i, output=f"{i:0100}"))
    (call,) = registry.transcript("a").tools
    assert (call.args, call.output) == ({"a": 1}, f"{9999:0100}")
    assert left[0] < MEGABYTE / 20


def test_a_late_delta_of_replaced_text_is_neither_shown_nor_retained() -> None:
    registry = Registry(hold=0, max_held=0)
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
    for seq in (0, 1, 2, 5, 6):
        registry.dispatch(TextDelta(**base, seq=seq, delta=str(seq)))
    registry.dispatch(PartCompleted(**base, seq=7, text="whole"))
    registry.dispatch(TextDelta(**base, seq=8, delta=" and more"))
    registry.dispatch(TextDelta(**base, seq=4, delta="late"))
    assert registry.transcript("a").text == "whole and more"
    with registry.reading("a") as log:
        assert log is not None
        (builder,) = log.runs["r"].ordered()
        assert "late" not in [block.read() for block in builder.text.blocks]  # type: ignore[attr-defined]

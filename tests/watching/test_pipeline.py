"""Check the path of one watched stream: adapter, registry, output, recording."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

import vibe_notebook as vibe
from vibe_notebook._watching import pipeline as _pipeline
from vibe_notebook._watching.ids import fresh_agent_id
from vibe_notebook._watching.pipeline import Pipeline
from vibe_notebook.adapters import Adapter
from vibe_notebook.events import Event, RunFinished, RunStarted, TextDelta, ToolFinished, ToolStarted
from vibe_notebook.registry import Registry
from vibe_notebook.testing import scripted
from vibe_notebook.transcript import Transcript


class Recorded:
    """Record its calls; an output."""

    is_light = False
    is_alone = True

    def __init__(self, *, fails: bool = False) -> None:
        self.fails_always = False
        self.calls: list[Any] = []
        self.lulls = 0
        self.fails = fails

    def watch(self, agent_id: str, since: int) -> None:
        self.calls.append(("watch", agent_id, since))
        self.fail()

    def report(self, text: str) -> None:
        self.calls.append(("report", text))
        self.fail()

    def flush(self) -> None:
        self.fail()

    def fail(self) -> None:
        if self.fails_always:
            raise OSError("the channel is closed")

    def wait_for_lull(self) -> None:
        self.lulls += 1

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        self.calls.append(("finish", sorted(transcripts)))
        if self.fails:
            raise RuntimeError("cannot draw")


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    made = Recorded()
    monkeypatch.setattr(_pipeline, "make_output", lambda *_, **__: made)
    return made


def pipeline(**options: Any) -> Pipeline:
    return Pipeline(Registry(), **{"agent_id": None, "title": None, "renderer": "none", **options})


def test_an_agent_is_shown_from_its_first_event_on_and_all_end_in_one_final_form(output: Recorded) -> None:
    made = pipeline()
    made.begin()
    for event in [*scripted("a", agent_id="x"), *scripted("b", agent_id="y")]:
        made.accept(event)
    assert made.transcripts == {}
    made.finalize()
    assert output.calls == [("watch", "x", 0), ("watch", "y", 0), ("finish", ["x", "y"])]
    assert [t.text for t in made.transcripts.values()] == ["a", "b"]


def test_a_second_finalize_shows_nothing(output: Recorded) -> None:
    made = pipeline()
    made.begin()
    made.accept("a")
    made.finalize(asyncio.CancelledError())
    made.finalize(ValueError("late"))
    assert [call[0] for call in output.calls] == ["watch", "finish"]
    assert made.transcripts["agent-1"].outcome == "cancelled"


def test_a_pipeline_is_finalized_only_when_its_transcripts_are_final(output: Recorded) -> None:
    seen = []
    made = pipeline()
    made.begin()
    made.accept("a")
    made.registry.register("agent-1", on_finished=lambda _: seen.append(made.finalized))
    made.finalize()
    assert seen == [False]
    assert made.finalized


def test_an_output_that_cannot_draw_the_end_hides_neither_the_error_nor_the_recording(
    output: Recorded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output.fails = True
    made = pipeline(record=tmp_path / "x.jsonl")
    made.begin()
    made.accept("a")
    made.finalize()
    assert "could not be shown" in caplog.text
    assert made.finalized
    assert made._recorder is not None
    assert made._recorder._file is None


def test_an_error_after_all_runs_had_ended_is_reported(output: Recorded) -> None:
    made = pipeline()
    made.begin()
    for event in scripted("a"):
        made.accept(event)
    made.finalize(ValueError("line 7"))
    assert ("report", "ValueError: line 7") in output.calls
    assert made.transcripts["agent"].outcome == "success"


def test_a_fresh_id_is_never_given_twice() -> None:
    registry = Registry()
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(fresh_agent_id(registry))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == sorted(f"agent-{n}" for n in range(1, 21))


def test_events_with_a_duration_get_a_time_or_keep_their_sources_time() -> None:
    made = pipeline()
    made.begin()
    first, *rest = scripted("a", tools=[("search", {}, 1)])
    made.accept(first.model_copy(update={"ts": 5.0}))
    for event in rest:
        made.accept(event)
    made.finalize()
    (call,) = made.transcripts["agent"].tools
    assert call.started_at is not None
    assert call.finished_at is not None
    assert call.started_at <= call.finished_at


def test_the_final_form_waits_for_other_views_unless_that_would_block_an_event_loop(
    output: Recorded,
) -> None:
    async def leave(*, is_sync: bool) -> None:
        made = pipeline()
        made.begin()
        if is_sync:
            made.finalize()
        else:
            await made.finalize_async()

    asyncio.run(leave(is_sync=True))
    trio.run(lambda: leave(is_sync=True))
    assert output.lulls == 0
    asyncio.run(leave(is_sync=False))
    assert output.lulls == 1
    made = pipeline()
    made.begin()
    made.finalize()
    assert output.lulls == 2


@pytest.mark.parametrize("fault", [MemoryError("no room"), ValueError("broken"), SystemExit(1)], ids=repr)
@pytest.mark.parametrize("step", ["current", "flush", "finish", "close", "dispatch"])
def test_a_fault_at_the_end_frees_the_waiting_threads_and_is_raised_or_reported(
    output: Recorded,
    step: str,
    fault: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = pipeline(record=tmp_path / "x.jsonl")
    made.begin()
    made.accept("a")

    def broken(*_: object, **__: object) -> None:
        raise fault

    target: Any = {"current": made, "close": made._recorder, "dispatch": made.registry}.get(step, output)
    monkeypatch.setattr(target, step, broken)
    raised: BaseException | None = None
    try:
        made.finalize()
    except BaseException as error:  # noqa: BLE001 - compared below
        raised = error
    assert made.finalized
    waited = threading.Thread(target=lambda: asyncio.run(_over(made)), daemon=True)
    waited.start()
    waited.join(10)
    assert not waited.is_alive()
    if step == "finish" and isinstance(fault, Exception):
        assert raised is None  # the stream's own error matters more
        assert any(call[0] == "report" and type(fault).__name__ in call[1] for call in output.calls)
    elif step in ("flush", "close") and isinstance(fault, ValueError):
        assert raised is None  # the caller gets the value
    else:
        assert raised is fault
    if step in ("current", "close"):
        assert any(call[0] == "report" and type(fault).__name__ in call[1] for call in output.calls)
    assert type(fault).__name__ in caplog.text or step in ("finish", "dispatch")
    with contextlib.suppress(BaseException):
        monkeypatch.undo()
        if made._recorder is not None:
            made._recorder.close()


async def _over(made: Pipeline) -> None:
    with contextlib.suppress(BaseException):
        await made.wait_until_finalized()


def test_repeated_interrupts_do_not_keep_the_end_from_its_waiters(output: Recorded) -> None:
    made = pipeline()
    made.begin()
    made.accept("a")
    interrupts = 0

    def stopped() -> dict[str, Transcript]:
        nonlocal interrupts
        for _ in range(5):
            interrupts += 1
            signal.raise_signal(signal.SIGINT)
        return {}

    made.current = stopped  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        made.finalize()
    assert interrupts == 5
    assert made.finalized
    made._finalizer.wait()  # the second interrupt did not
    assert [call[0] for call in output.calls] == ["watch", "finish"]


class Unfinished(Adapter):
    """Fail to end the stream; an adapter."""

    name = "unfinished"

    def feed(self, native: Any) -> list[Event]:
        started = ToolStarted(agent_id=self.agent_id, run_id="r", tool_call_id="c", tool_name="f", args={})
        return [started, TextDelta(agent_id=self.agent_id, run_id="r", delta=str(native))]

    def _read(self, native: Any) -> None:
        raise NotImplementedError

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        del exc
        raise KeyError("no such run")


def test_an_adapter_that_fails_to_end_the_stream_costs_the_caller_nothing(output: Recorded) -> None:
    watch = vibe.watch(iter("ab"), adapter=Unfinished(agent_id="a"), registry=Registry())
    assert list(watch) == ["a", "b"]
    assert watch.transcript.text == "ab"
    assert [call.state for call in watch.transcript.tools] == ["unfinished"]
    assert (
        "report",
        "The adapter unfinished could not end the stream: KeyError: 'no such run'",
    ) in output.calls


def test_an_output_that_fails_at_every_step_costs_the_caller_nothing(
    output: Recorded, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    output.fails = output.fails_always = True
    watch = vibe.watch(iter("ab"), registry=Registry(), record=tmp_path / "run.jsonl")
    assert asyncio.run(awaited(watch)).text == "ab"
    assert watch.transcript.outcome == "success"
    assert "the channel is closed" in caplog.text


async def awaited(watch: vibe.Watch) -> Transcript:
    return await watch


class Choosy(Unfinished):
    """Fail to read two of the natives; an adapter."""

    name = "choosy"

    def feed(self, native: Any) -> list[Event]:
        if native in "bc":
            raise LookupError(f"no {native}")
        return [TextDelta(agent_id=self.agent_id, run_id="r", delta=str(native))]

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        del exc
        return []


def test_an_adapter_that_fails_to_read_events_leaves_them_out_and_is_reported_once(
    output: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    watch = vibe.watch(iter("abcd"), adapter=Choosy(agent_id="a"), registry=Registry())
    assert list(watch) == ["a", "b", "c", "d"]
    assert watch.transcript.text == "ad"
    reports = [call[1] for call in output.calls if call[0] == "report"]
    assert len(reports) == len(caplog.records) == 1
    assert "The adapter choosy could not read an event and left it out: LookupError: no b" in reports[0]


@pytest.mark.parametrize("order", ["parent first", "child first"])
@pytest.mark.parametrize("child_id", ["c", None])
def test_a_subagent_of_a_stream_that_runs_again_is_in_its_own_parents_call(
    order: str, child_id: str | None
) -> None:
    registry = Registry()

    def run(number: int) -> Transcript:
        parent = {"agent_id": "a", "run_id": "p"}
        child = {"agent_id": "a", "run_id": child_id or f"c{number}"}
        begin: list[Event] = [
            RunStarted(**parent),
            ToolStarted(**parent, tool_call_id="t", tool_name="ask", args={}),
        ]
        work: list[Event] = [
            RunStarted(**child, parent_run_id="p", parent_tool_call_id="t"),
            TextDelta(**child, delta=f"answer {number}"),
        ]
        ends: list[Event] = [
            RunFinished(**child),
            ToolFinished(**parent, tool_call_id="t", output=number),
            RunFinished(**parent),
        ]
        made = vibe.watch(
            [*(begin + work if order == "parent first" else work + begin), *ends],
            registry=registry,
            display=False,
        )
        list(made)
        return made.transcript

    for number in range(3):
        transcript = run(number)
        (call,) = transcript.tools
        assert [part.text for part in call.children if part.kind == "text"] == [f"answer {number}"]
        assert [part.kind for part in transcript.parts] == ["tool"]

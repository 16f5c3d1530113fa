"""Show values by hand: displays of tools and of the run, plans, notes, their pace and their limit."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook._thread_pool import Job
from vibe_notebook._watching.displays import Displays, PacedDisplays
from vibe_notebook.events import Artifact, RunFinished, RunStarted, ToolFinished
from vibe_notebook.exceptions import ClosedError
from vibe_notebook.registry import Registry

PNG = b"\x89PNG\r\n\x1a\n" + bytes(90)
IDS = {"agent_id": "a", "run_id": "r"}


class Html:
    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


def quiet(**options: Any) -> vibe.Live:
    return vibe.live("a", **{"registry": Registry(), "display": False, **options})


def test_a_result_keeps_its_json_beside_its_display() -> None:
    with quiet() as live:
        with live.tool("rows") as tool:
            tool.result(Html("<b>x</b>"))
        with live.tool("plot") as tool:
            tool.result(PNG)
        with live.tool("count") as tool:
            tool.result({"n": 1})
    rows, plot, count = live.transcript.tools
    assert rows.display == {"text/html": "<b>x</b>", "text/plain": rows.display["text/plain"]}  # type: ignore[index]
    assert plot.output == {"$display": "image/png"}
    assert base64.b64decode((plot.display or {})["image/png"]) == PNG
    assert (count.output, count.display) == ({"n": 1}, None)


def test_a_display_of_the_run_is_an_artifact_and_the_same_id_replaces_it_in_its_place() -> None:
    with quiet() as live:
        live.display(Html("<b>1</b>"), id="plot")
        live.text("Hello ")
        live.display(Html("<b>2</b>"), id="plot")
        live.text("world")
        live.display("plain *text*")
        live.display({"text/markdown": "**x**"})
    first, text, *others = live.transcript.parts
    assert first.kind == "artifact"
    assert text.kind == "text"
    assert ((first.display or {})["text/html"], text.text) == ("<b>2</b>", "Hello world")
    assert [part.display for part in others if part.kind == "artifact"] == [
        {"text/plain": "plain *text*"},
        {"text/markdown": "**x**"},
    ]


def test_a_tool_shows_a_value_while_it_runs_and_after_its_result() -> None:
    with quiet() as live, live.tool("train") as tool:
        tool.display(Html("<b>1</b>"))
        assert (live.transcript.tools[0].display or {})["text/html"] == "<b>1</b>"
        tool.error("no memory")
        assert (live.transcript.tools[0].display or {})["text/html"] == "<b>1</b>"
        tool.display(Html("<b>2</b>"))
    part = live.transcript.tools[0]
    assert (part.state, (part.display or {})["text/html"]) == ("error", "<b>2</b>")


def test_a_plan_is_replaced_in_its_first_place_and_a_note_is_a_line() -> None:
    with quiet() as live:
        live.plan(["read", {"text": "write", "status": "in_progress"}])
        live.text("So ")
        live.plan([{"text": "read", "status": "completed"}, "write"])
        live.text("far.")
        live.note("cache hit", {"key": 7})
    plan, text, note = live.transcript.parts
    assert plan.kind == "plan"
    assert [(entry.text, entry.status) for entry in plan.entries] == [
        ("read", "completed"),
        ("write", "pending"),
    ]
    assert text.kind == "text"
    assert text.text == "So far."
    assert note.kind == "custom"
    assert (note.name, note.value) == ("cache hit", {"key": 7})


def test_a_source_belongs_to_the_text_that_was_written_last() -> None:
    with quiet() as live:
        live.text("It is ")
        live.text("cold there. ")
        live.cite("https://a.example", title="A")
        with live.tool("t"):
            pass
        live.text("Yes.")
        live.cite(source="stations.csv", quote="Oslo,4.1")
    first, _, second = live.transcript.parts
    assert first.kind == second.kind == "text"
    (cited,) = first.citations
    assert (first.text[cited.start : cited.end], cited.url, cited.title) == (
        "cold there.",
        "https://a.example",
        "A",
    )
    (cited,) = second.citations
    assert (cited.start, cited.end, cited.source, cited.quote) == (0, 4, "stations.csv", "Oslo,4.1")


def test_an_error_with_notes_shows_them() -> None:
    error = ValueError("bad row")
    error.add_note("in stations.csv")
    with quiet() as live, live.tool("read") as tool:
        tool.error(error)
    assert live.transcript.tools[0].error == "ValueError: bad row\nin stations.csv"


def test_nothing_is_shown_outside_of_the_block() -> None:
    live = quiet()
    with pytest.raises(ClosedError):
        live.display(1)
    with pytest.raises(ClosedError):
        live.plan([])
    with pytest.raises(ClosedError):
        live.note("x")
    with live, live.tool("t") as tool:
        pass
    with pytest.raises(ClosedError):
        tool.display(1)


# The user's input


def test_the_users_input_heads_the_run_where_its_source_tells_none() -> None:
    def turns(*events: Any, **options: Any) -> list[Any]:
        run = vibe.watch(list(events), registry=Registry(), display=False, **options)
        list(run)
        return [turn.input for turn in run.transcript.turns]

    child = RunStarted(agent_id="a", run_id="c", parent_run_id="r")
    assert turns(child, RunStarted(**IDS), input="Which city?") == ["Which city?"]
    assert turns(RunStarted(**IDS, input="told"), input="given") == ["told"]
    assert turns("plain ", "text", input="given") == ["given"]
    assert turns(RunStarted(**IDS)) in ([], [None])
    with quiet(input="Hello?") as live:
        live.text("x")
    assert [turn.input for turn in live.transcript.turns] == ["Hello?"]


# The pace


class Pool:
    """A pool whose jobs run when the test says so."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.jobs: list[tuple[float, Callable[[], object], Job]] = []

    def submit(self, call: Callable[[], object], *, at: float) -> Job:
        self.jobs.append((at, call, Job(call, None)))
        return self.jobs[-1][2]

    def withdraw(self, job: Job | None) -> None:
        self.jobs = [each for each in self.jobs if each[2] is not job]

    def run_until(self, now: float) -> None:
        while due := [job for job in self.jobs if job[0] <= now]:
            at, call, _ = due[0]
            self.jobs.remove(due[0])
            self.clock[0] = at
            call()
        self.clock[0] = now


def paced(sent: list[Any]) -> tuple[PacedDisplays, Pool]:
    clock = [0.0]
    pool = Pool(clock)
    made = PacedDisplays(
        lambda key, bundle: sent.append((clock[0], key, bundle["text/plain"])),
        clock=lambda: clock[0],
        pool=pool,
    )
    return made, pool


def test_of_many_displays_a_second_two_are_sent_and_always_the_last() -> None:
    sent: list[Any] = []
    displays, pool = paced(sent)
    for i in range(100):
        pool.run_until(i / 100)
        displays.put("t", {"text/plain": i})
    pool.run_until(10)
    assert sent == [(0.0, "t", 0), (0.5, "t", 49), (1.0, "t", 99)]
    assert pool.jobs == []


def test_each_display_has_a_pace_of_its_own_and_the_end_sends_what_waits() -> None:
    sent: list[Any] = []
    displays, pool = paced(sent)
    for key in ("t", "u", "t", "u"):
        displays.put(key, {"text/plain": len(sent)})
    assert [key for _, key, _ in sent] == ["t", "u"]
    displays.take("t")
    displays.flush()
    assert [key for _, key, _ in sent] == ["t", "u", "u"]
    assert pool.jobs == []


def test_the_result_comes_after_the_display_that_another_thread_sends() -> None:
    sending, release = threading.Event(), threading.Event()
    order: list[str] = []

    def send(key: Any, bundle: Any) -> None:
        sending.set()
        assert release.wait(10)
        order.append("display")

    displays = PacedDisplays(send)
    thread = threading.Thread(target=displays.put, args=("t", {"text/plain": "x"}))
    thread.start()
    assert sending.wait(10)
    timer = threading.Thread(target=release.set)
    timer.start()
    displays.take("t")
    order.append("result")
    thread.join()
    timer.join()
    assert order == ["display", "result"]


def test_many_displays_of_a_tool_reach_callbacks_twice_and_the_last_is_in_the_transcript() -> None:
    registry = Registry()
    seen: list[str] = []
    registry.register(
        "a", on_event=lambda event: seen.append(event.type) if getattr(event, "display", None) else None
    )
    with quiet(registry=registry) as live, live.tool("train") as tool:
        for i in range(50):
            tool.display(Html(f"<b>{i}</b>"))
    assert (live.transcript.tools[0].display or {})["text/html"] == "<b>49</b>"
    assert seen[0] == "tool_progress"
    assert seen[-1] == "tool_finished"
    assert len(seen) < 10  # a slow machine may take a second


# The limit of a run


def shown(displays: Displays, *events: Any) -> list[Any]:
    return [sorted(getattr(event, "display", None) or ()) for event in displays.prepare(list(events))]


def test_beyond_the_limit_of_a_run_heavy_types_go_and_a_line_says_how_large() -> None:
    def artifact(name: str, run: str = "r") -> Artifact:
        return Artifact(agent_id="a", run_id=run, artifact_id=name, display={"text/html": "x" * 40_000})

    vibe.configure(displays_limit=100_000)
    try:
        displays = Displays(Registry(), print)
        assert shown(displays, *map(artifact, "xyxyxyxy")) == [["text/html"]] * 8  # the same ids replace
        (event,) = displays.prepare([artifact("z")])
        assert isinstance(event, Artifact)
        assert event.display == {"text/plain": "[text/html, 40 kB: larger than the rest of displays_limit]"}
        assert shown(displays, artifact("z", run="other")) == [["text/html"]]
        small = ToolFinished(**IDS, tool_call_id="t", display={"text/html": "y" * 9_000})
        assert shown(displays, small) == [["text/html"]]
        assert shown(displays, RunFinished(**IDS), artifact("z")) == [[], ["text/html"]]
    finally:
        vibe.configure(displays_limit=None)


LARGE = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de") + bytes(3_000)
NOTE = "[image/png, 4.0 kB: larger than display_limit]"


class Chart:
    """An image with words of its own."""

    def _repr_mimebundle_(self, **_: Any) -> Any:
        return {"image/png": base64.b64encode(LARGE).decode(), "text/html": "<b>chart</b>"}


def by_result(live: Any) -> None:
    with live.tool("plot") as tool:
        tool.result(LARGE)


def by_object(live: Any) -> None:
    with live.tool("plot") as tool:
        tool.result(Chart())


def by_display(live: Any) -> None:
    with live.tool("plot") as tool:
        tool.display(LARGE)
        tool.result("words " * 40)


def by_error(live: Any) -> None:
    with live.tool("plot") as tool:
        tool.display(LARGE)
        tool.error("failed")


def as_artifact(live: Any) -> None:
    live.display(Chart())


@pytest.mark.parametrize("show", [by_result, by_object, by_display, by_error, as_artifact])
def test_an_image_beyond_the_limit_is_named_with_its_size_in_every_form(
    show: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_DISPLAY_LIMIT", "2000")
    with vibe.live("a", registry=vibe.Registry()) as live:
        show(live)
    printed = capsys.readouterr().out
    assert printed.splitlines().count(f"  {NOTE}") == printed.count("larger than") == 1
    again = vibe.Transcript.model_validate_json(live.transcript.model_dump_json())
    for transcript in (live.transcript, again):
        for form in (transcript.to_text(), transcript.to_html(), transcript.to_markdown()):
            assert form.replace("\\", "").count(NOTE) == 1


def test_a_group_of_errors_shows_the_errors_in_it_with_their_notes() -> None:
    first = ValueError("bad row")
    first.add_note("row 7")
    group = ExceptionGroup("import", [first, ExceptionGroup("inner", [TypeError("x")])])
    group.add_note("in orders.csv")
    many = ExceptionGroup("many", [KeyError(n) for n in range(30)])

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with quiet() as live:
        for error in (group, many, MuteError()):
            live.tool("load").error(error)
    errors = [tool.error or "" for tool in live.transcript.tools]
    assert errors[0].splitlines() == [
        "ExceptionGroup: import (2 sub-exceptions)",
        "in orders.csv",
        "  ValueError: bad row",
        "  row 7",
        "  ExceptionGroup: inner (1 sub-exception)",
        "    TypeError: x",
    ]
    assert errors[1].splitlines()[-2:] == ["  KeyError: 19", "  … 10 more"]
    assert errors[2] == "MuteError: its text raised RuntimeError"


def test_a_plan_is_no_text() -> None:
    with vibe.live("a", display=False) as live, pytest.raises(TypeError, match="list of steps"):
        live.plan("abc")

"""Check a recording: written lines survive a crash, and a replay keeps their pace."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vibe_notebook import recording, watch
from vibe_notebook.events import (
    InputRequested,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolStarted,
    skip,
    to_json,
    with_id,
)
from vibe_notebook.exceptions import ClosedError, ProtocolError
from vibe_notebook.recording import Recorder, record, replay
from vibe_notebook.registry import Registry
from vibe_notebook.testing import FakeClock


def text(delta: str, seq: int | None = None, **more: Any) -> TextDelta:
    return TextDelta(**{"agent_id": "a", "run_id": "r", "message_id": "m", **more}, seq=seq, delta=delta)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def test_a_recording_is_json_lines_with_the_registrys_ids_each_on_the_disk_at_once(path: Path) -> None:
    registry = Registry()
    recorder = record(path, registry=registry)
    for seq in (1, 0):
        registry.dispatch(text("é\u2028", seq))
    lines = path.read_bytes().split(b"\n")
    assert [json.loads(line)["id"] for line in lines[:-1]] == [1, 2]
    assert [json.loads(line)["seq"] for line in lines[:-1]] == [0, 1]
    assert all(json.loads(line)["ts"] > 0 for line in lines[:-1])
    recorder.close()
    recorder.close()
    registry.dispatch(text("more"))
    assert path.read_bytes().split(b"\n") == lines


def test_one_agent_or_all_are_recorded_skips_too(tmp_path: Path) -> None:
    registry = Registry()
    with record(tmp_path / "all", registry=registry), record(tmp_path / "a", agent_id="a", registry=registry):
        registry.dispatch(skip("a", "r", 0))
        registry.dispatch(text("b", agent_id="b"))
    assert len(list(replay(tmp_path / "all", speed=None))) == 2
    assert [event.type for event in replay(tmp_path / "a", speed=None)] == ["custom"]


def test_a_replay_ends_in_the_transcript_that_was_recorded_with_gaps_late_parts_and_twins(path: Path) -> None:
    now = 0.0
    registry, again = Registry(clock=lambda: now), Registry(hold=0)
    with record(path, registry=registry):
        registry.dispatch(text("twin", derived=True))
        for seq in (0, 2, 3):
            registry.dispatch(text(f"<{seq}>", seq, part_id=str(seq)))
        now = 2.0
        registry.tick()
        registry.dispatch(text("<1>", 1, part_id="1"))
        registry.dispatch(text("<5>", 5, part_id="1"))
        registry.dispatch(RunFinished(agent_id="a", run_id="r"))
        registry.dispatch(text("<4>", 4, part_id="1"))
    for event in replay(path, speed=None):
        again.dispatch(event)
    want = registry.transcript("a")
    assert [part.text for part in want.parts] == ["<0>", "<1><4><5>", "<2>", "<3>"]  # type: ignore[union-attr]
    assert again.transcript("a") == want


OUT_OF_ORDER = st.lists(
    st.tuples(st.sampled_from(["x", "y", "", None]), st.integers(0, 6), st.sampled_from(["text", "tool"])),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=OUT_OF_ORDER, waits=st.sets(st.integers(0, 24)), max_held=st.sampled_from([0, 3, 256]))
def test_a_replay_ends_in_the_transcript_of_several_counters_that_came_out_of_order(
    path: Path, events: list[tuple[str | None, int, str]], waits: set[int], max_held: int
) -> None:
    clock = FakeClock()
    registry, again = Registry(clock=clock, max_held=max_held), Registry(hold=0, clock=clock)
    with record(path, registry=registry):
        for index, (counter, seq, kind) in enumerate(events):
            base: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": counter, "ts": 1.0}
            if counter is not None:
                base |= {"seq": seq, "counter": counter}
            name = f"{counter}{seq if counter is not None else index}"
            if kind == "text":
                registry.dispatch(TextDelta(**base, part_id=str(seq % 3), delta=f"{name} "))
            else:
                registry.dispatch(ToolStarted(**base, tool_call_id=name))
            if index in waits:
                clock.advance(0.6)
                registry.tick()
        registry.finish("a")
    played = list(replay(path, speed=None))
    for event in played:
        assert not event.__pydantic_extra__
        again.dispatch(event)
    again.finish("a")
    assert again.transcript("a") == registry.transcript("a")
    assert sorted(event.id for event in played) == list(range(1, len(played) + 1))  # type: ignore[type-var]


def test_a_recording_names_the_event_that_overtook_another_and_a_replay_keeps_the_arrivals(
    path: Path,
) -> None:
    clock = FakeClock()
    with Registry(clock=clock) as registry:
        registry.dispatch(text("held ", 1, counter="m"))
        registry.dispatch(text("not recorded ", message_id="n"))
        with record(path, registry=registry):
            registry.dispatch(text("free ", message_id="n"))
            registry.dispatch(text("first ", 0, counter="m"))
            registry.dispatch(text("last ", 2, counter="m"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["id"], line.get("overtaken_by")) for line in lines] == [
        (2, None),
        (3, None),
        (4, 2),
        (5, None),
    ]
    events: list[Any] = list(replay(path, speed=None))
    assert [event.delta for event in events] == ["held ", "free ", "first ", "last "]


def test_a_recording_of_another_program_loses_no_line_that_names_an_unknown_id(path: Path) -> None:
    lines = [to_json(with_id(text(name), n)) for n, name in ((5, "a"), (9, "b"), (8, "c"), (10, "d"))]
    for index, by in ((1, 7), (2, 6), (3, "5")):
        lines[index] = lines[index][:-1] + f',"overtaken_by":{json.dumps(by)}}}'
    path.write_text("\n".join(lines))
    assert [event.delta for event in replay(path, speed=None)] == ["a", "d", "b", "c"]  # type: ignore[union-attr]


def test_closing_waits_for_another_threads_pending_write(path: Path) -> None:
    registry = Registry()
    entered, leave = threading.Event(), threading.Event()

    def slow(event: Any) -> None:
        entered.set()
        leave.wait(5)

    registry.register("a", on_event=slow)
    recorder = record(path, registry=registry)
    thread = threading.Thread(target=registry.dispatch, args=(text("1"),))
    thread.start()
    assert entered.wait(5)
    registry.dispatch(text("2"))
    threading.Timer(0.02, leave.set).start()
    recorder.close()
    thread.join()
    assert [event.delta for event in replay(path, speed=None)] == ["1", "2"]  # type: ignore[union-attr]


def test_an_unwritable_path_is_an_error_at_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    registry = Registry()
    with pytest.raises(OSError, match="missing"):
        record(tmp_path / "missing" / "run.jsonl", registry=registry)
    registry.close()
    with pytest.raises(ClosedError):
        record(tmp_path / "x", registry=registry)
    assert not (tmp_path / "x").exists()


def test_a_crash_leaves_at_most_half_a_line_and_the_rest_is_read(path: Path) -> None:
    path.write_text(to_json(text("1")) + "\n\n" + to_json(text("2")) + "\n" + to_json(text("3"))[:20])
    got: list[Any] = []
    with pytest.raises(ProtocolError) as caught:
        got.extend(replay(path, speed=None))
    assert len(got) == 2
    assert caught.value.line == 4
    assert "line 4" in str(caught.value)
    read = replay(path, speed=None).events()
    assert [next(read).delta, next(read).delta] == ["1", "2"]  # type: ignore[union-attr]


def test_a_byte_order_mark_and_an_unknown_type_are_no_trouble(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"type":"new","agent_id":"a","run_id":"r","x":1}\r\n')
    (event,) = replay(path, speed=None)
    assert (event.type, event.name, event.value) == ("custom", "new", {"x": 1})  # type: ignore[union-attr]


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_replay_keeps_the_pace_divided_by_the_speed(
    path: Path, speed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, naps = [100.0], []

    def sleep(delay: float) -> None:
        naps.append(delay)
        now[0] += delay

    async def nap(delay: float) -> None:
        sleep(delay)

    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    monkeypatch.setattr(recording, "anyio", SimpleNamespace(sleep=nap))
    with Recorder(path) as recorder:
        for ts in (50.0, 52.0, 52.0, 51.0, 60.0):
            recorder.write(text("x", ts=ts))
    assert len(list(replay(path, speed=speed))) == 5
    assert sum(naps) == pytest.approx(10 / speed)

    async def play() -> int:
        return len([event async for event in replay(path, speed=speed)])

    naps.clear()
    assert asyncio.run(play()) == 5
    assert sum(naps) == pytest.approx(10 / speed)


def test_without_a_speed_nothing_waits_and_a_negative_one_is_refused(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder.write(text("x", ts=1.0))
        recorder.write(text("x", ts=1e300))
    assert len(list(replay(path, speed=0))) == 2
    assert [delay for delay, _ in replay(path, speed=1)._paced()][1] == recording.LONGEST_WAIT
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="speed"):
            replay(path, speed=wrong)


def test_a_recording_that_a_callback_closes_has_the_event_of_that_call(tmp_path: Path) -> None:
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
    with Registry() as registry:
        recorder = record(tmp_path / "run.jsonl", registry=registry)
        registry.register("a", on_finished=lambda _: recorder.close())
        one = record(tmp_path / "one.jsonl", agent_id="a", registry=registry)
        registry.register("a", on_finished=lambda _: one.close())
        registry.dispatch(
            [TextDelta(**base, delta="x"), RunFinished(**base), TextDelta(**base, delta="after")]
        )
    for name in ("run", "one"):
        types = [event.type for event in replay(tmp_path / f"{name}.jsonl", speed=None)]
        assert types[:2] == ["text_delta", "run_finished"]


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ([{"agent_name": "Bot", "title": "My title"}], "My title"),
        ([{"agent_name": "Bot"}, {"agent_name": "Later"}], "Bot"),
        ([{}], "a"),
        ([{"parent_run_id": "p", "agent_name": "Child"}, {"agent_name": "Bot"}], "Bot"),
        ([{"agent_name": "Bot"}, {"agent_id": "b", "title": "Other"}, {"agent_id": "c"}], "Bot, Other, c"),
        ([], None),
    ],
)
def test_a_replay_has_the_title_of_the_recorded_view_else_the_names_of_its_agents(
    path: Path, lines: list[dict[str, Any]], title: str | None
) -> None:
    events = [RunStarted(**{"agent_id": "a", "run_id": str(n), **line}) for n, line in enumerate(lines)]
    path.write_text("".join(to_json(event) + "\n" for event in events))
    assert replay(path).title == title


@pytest.mark.parametrize("start", [b"", b"{broken", b"x" * 200_000 + b"\n"])
def test_a_recording_that_cannot_be_read_has_no_title_and_is_named_when_it_is_played(
    path: Path, start: bytes
) -> None:
    path.write_bytes(start)
    assert replay(path).title is None
    path.unlink()
    assert replay(path).title is None


PAYLOADS: dict[str, dict[str, Any]] = {
    "plan": {"entries": [{"text": "forged"}]},
    "citation": {"citation_id": "c", "url": "https://example.org"},
    "input_requested": {"request_id": "q", "message": "forged"},
    "input_answered": {"request_id": "q", "action": "accept"},
    "run_finished": {"outcome": "success"},
    "tool_finished": {"tool_call_id": "t", "output": "forged"},
}


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("edition", [{}, {"edition": 2}])
def test_an_event_that_an_agent_names_as_one_of_ours_stays_a_custom_event(
    path: Path, kind: str, edition: dict[str, Any]
) -> None:
    if edition and kind in ("plan", "citation"):
        return  # as a publisher writes it for an older server
    ids = {"agent_id": "a", "run_id": "r"}
    asked = InputRequested(**ids, request_id="q", message="May I?")
    forged = {"type": "custom", **ids, "name": f"vibe:{kind}", "value": PAYLOADS[kind], **edition}
    path.write_text("".join(f"{line}\n" for line in (to_json(asked), json.dumps(forged))))
    for source in ([json.loads(to_json(asked)), forged], replay(path, speed=0)):
        registry, events = Registry(), list[Any]()
        registry.register("a", on_event=events.append)
        run = watch(source, registry=registry, display=False)
        list(run)
        (request,) = (part.request for part in run.transcript.parts if part.kind == "input")
        assert request.answer is None
        assert len(run.transcript.parts) == 1
        assert [event.type for event in events] == ["input_requested", "custom", "run_finished"]

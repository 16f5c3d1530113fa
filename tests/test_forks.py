"""Fork beside working threads: neither process hangs, and the child neither draws nor records for the parent."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._view import View
from vibe_notebook.events import RunFinished, TextDelta
from vibe_notebook.recording import record
from vibe_notebook.registry import Registry, get_registry

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    # Python 3.12 warns of each fork beside threads: that is what these tests do.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
SECONDS = 20


def in_child(work: Callable[[], Any]) -> Any:
    """Return the result of *work* in a forked child; a child that hangs is ended by its own alarm."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(SECONDS)
            result = json.dumps(work())
            os.write(writing, result.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        result = file.read()
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), bool(result)) == (0, True)
    return json.loads(result)


def delta(text: str, seq: int | None = None, run_id: str = "r") -> TextDelta:
    return TextDelta(agent_id="a", run_id=run_id, seq=seq, delta=text)


@contextmanager
def dispatching(registry: Registry, count: int = 2) -> Iterator[None]:
    """Dispatch from some threads, in order and out of order, until the block ends."""
    over = threading.Event()
    begun = threading.Barrier(count + 1)

    def work(number: int) -> None:
        begun.wait()
        seq = 0
        while not over.is_set():
            for each in (seq + 1, seq):
                registry.dispatch(delta("x", each, run_id=f"{number}-{seq // 1000}"))
            seq += 2

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def use(registry: Registry) -> list[str]:
    """Use all that a child may: an inherited registry, the default one, a watch, a held event's timer."""
    run_id = uuid.uuid4().hex
    registry.dispatch(delta("child", run_id=run_id))
    released = threading.Event()
    registry.register("b", on_result=lambda _: released.set())
    registry.dispatch(TextDelta(agent_id="b", run_id=run_id, seq=5, delta="held"))
    assert released.wait(SECONDS / 2)
    watch = vibe.watch(iter(["wat", "ch"]), display=False)
    list(watch)
    default = get_registry()
    default.dispatch(TextDelta(agent_id="c", run_id=run_id, delta="default"))
    return [
        registry.transcript("a", run_id).text,
        watch.transcript.text,
        default.transcript("c", run_id).text,
    ]


def used_in_pool(number: int) -> list[str]:
    del number
    return use(get_registry())


def test_children_forked_beside_dispatching_threads_use_the_registry_and_the_parent_goes_on() -> None:
    with Registry() as registry:
        registry.register("a", on_result=lambda _: None)
        with dispatching(registry):
            for _ in range(2):
                assert in_child(lambda: use(registry)) == ["child", "watch", "default"]
        assert registry.transcript("b").parts == ()
        registry.dispatch(delta("parent", run_id="parent"))
        assert registry.transcript("a", "parent").text == "parent"


def test_a_pool_of_forked_processes_works_beside_dispatching_threads() -> None:
    with dispatching(get_registry()):
        pool = multiprocessing.get_context("fork").Pool(2)
        try:
            made = pool.map_async(used_in_pool, range(3)).get(SECONDS * 2)
        finally:
            pool.terminate()
            pool.join()
    get_registry().forget("a")
    assert made == [["child", "watch", "default"]] * 3


def test_a_fork_inside_of_a_callback_leaves_two_registries_that_work() -> None:
    results: list[Any] = []
    with Registry() as registry:

        def call(event: Any) -> None:
            if event.delta == "fork":
                results.append(in_child(lambda: use(registry)))

        registry.register("a", on_result=call)
        registry.dispatch([delta("fork"), delta(" and on")])
        assert registry.transcript("a", "r").text == "fork and on"
    assert results == [["child", "watch", "default"]]


def test_a_child_never_waits_for_a_lock_of_a_thread_that_it_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vibe_notebook._forks.PATIENCE", 0.01)
    held, leave = threading.Event(), threading.Event()
    with Registry() as registry:

        def hold() -> None:
            with registry.reading("a"):
                held.set()
                leave.wait(SECONDS)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(SECONDS)
        try:
            assert in_child(lambda: use(registry)) == ["child", "watch", "default"]
        finally:
            leave.set()
            thread.join()


def test_the_child_draws_no_view_and_writes_no_recording_of_the_parent(tmp_path: Path) -> None:
    drawing, leave = threading.Event(), threading.Event()
    sent: list[Any] = []

    def send(message: Any) -> None:
        sent.append(message)
        drawing.set()
        leave.wait(SECONDS)

    with Registry() as registry, record(tmp_path / "run.jsonl", registry=registry) as recorder:
        view = View(registry, title="a", send=send, pacer=Pacer())
        view.watch("a")
        thread = threading.Thread(target=registry.dispatch, args=(delta("parent"),))
        thread.start()
        assert drawing.wait(SECONDS)  # the thread holds the view's lock

        def work() -> int:
            registry.dispatch([delta("child"), RunFinished(agent_id="a", run_id="r")])
            view.finish()
            recorder.write(delta("child"))
            registry.close()
            return len(sent)

        assert in_child(work) == 1
        leave.set()
        thread.join()
        registry.dispatch(delta(" goes on"))
        view.finish()
    assert len(sent) > 1
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert [json.loads(line)["delta"] for line in lines] == ["parent", " goes on"]


def test_a_child_that_leaves_the_parents_watch_neither_hangs_nor_shows_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    vibe.configure(renderer="text")
    with vibe.watch(
        iter(["one ", "two "]), title="a", record=tmp_path / "run.jsonl", registry=Registry()
    ) as run:
        steps = iter(run)
        assert next(steps) == "one "

        def work() -> str:
            list(steps)
            run.__exit__(None, None, None)
            return run.transcript.text

        assert in_child(work) == "one two "
        list(steps)
    vibe.configure(renderer=None)
    assert capfd.readouterr().out.count("two") == 1
    assert (tmp_path / "run.jsonl").read_text().count("two") == 1

"""Check ``watch``: the sources it accepts, the events it passes on, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.watching.streams import collect, drained, quiet, until
from vibe_notebook import adapters
from vibe_notebook._watching import background as _background
from vibe_notebook._watching import entry as _watch
from vibe_notebook._watching import watch as _live
from vibe_notebook.events import RunFinished, RunStarted, TextDelta
from vibe_notebook.exceptions import AdapterError, ConsumedError, ProtocolError
from vibe_notebook.registry import Registry
from vibe_notebook.testing import scripted


class Logged:
    """Record the calls of its consumer; a source."""

    def __init__(self, *items: Any, fails: BaseException | None = None) -> None:
        self.items = items
        self.fails = fails
        self.calls: list[str] = []
        self.tasks: list[Any] = []

    def sync(self) -> Iterator[Any]:
        self.calls.append("read")
        try:
            yield from self.items
            if self.fails:
                raise self.fails
        finally:
            self.calls.append("closed")

    async def aio(self) -> AsyncIterator[Any]:
        self.calls.append("read")
        try:
            for item in self.items:
                self.tasks.append(asyncio.current_task())
                await asyncio.sleep(0)
                yield item
            if self.fails:
                raise self.fails
        finally:
            self.calls.append("closed")

    @contextlib.contextmanager
    def managed(self) -> Iterator[Iterator[Any]]:
        self.calls.append("entered")
        yield self.sync()
        self.calls.append("left")

    @contextlib.asynccontextmanager
    async def amanaged(self) -> AsyncIterator[AsyncIterator[Any]]:
        self.calls.append("entered")
        yield self.aio()
        self.calls.append("left")

    async def awaited(self) -> AsyncIterator[Any]:
        return self.aio()

    async def awaited_twice(self) -> contextlib.AbstractAsyncContextManager[AsyncIterator[Any]]:
        return self.amanaged()


class Streaming:
    def __init__(self, stream: Callable[[], Any]) -> None:
        self.stream_events = stream


SYNC = {
    "iterable": lambda n: list(n.sync()),
    "generator": lambda n: n.sync(),
    "context manager": lambda n: n.managed(),
}
ASYNC = {
    "async iterable": lambda n: n.aio(),
    "async context manager": lambda n: n.amanaged(),
    "awaitable": lambda n: n.awaited(),
    "awaitable of a context manager": lambda n: n.awaited_twice(),
    "stream_events()": lambda n: Streaming(n.aio),
    "stream_events() that is awaited": lambda n: Streaming(n.awaited),
}


@pytest.mark.parametrize("made", SYNC.values(), ids=SYNC)
def test_for_passes_the_items_of_a_sync_source_through(made: Callable[[Logged], Any]) -> None:
    logged = Logged("Hello ", "world")
    watched = quiet(made(logged))
    assert list(watched) == ["Hello ", "world"]
    assert watched.transcript.text == "Hello world"
    assert watched.transcript.outcome == "success"
    assert watched.done()


@pytest.mark.parametrize("made", [*ASYNC.values(), *SYNC.values()], ids=[*ASYNC, *SYNC])
def test_async_for_passes_the_items_of_any_source_through(made: Callable[[Logged], Any]) -> None:
    logged = Logged("Hello ", "world")
    watched = quiet(made(logged))
    assert asyncio.run(collect(watched)) == ["Hello ", "world"]
    assert watched.transcript.text == "Hello world"
    assert watched.transcript.outcome == "success"


@pytest.mark.parametrize("made", [*ASYNC.values(), *SYNC.values()], ids=[*ASYNC, *SYNC])
def test_await_drains_any_source_and_gives_the_transcript(made: Callable[[Logged], Any]) -> None:
    transcript = asyncio.run(drained(quiet(made(Logged("Hello ", "world")))))
    assert (transcript.text, transcript.outcome) == ("Hello world", "success")


def test_a_context_manager_is_entered_and_left() -> None:
    logged, alogged = Logged("a"), Logged("a")
    list(quiet(logged.managed()))
    asyncio.run(collect(quiet(alogged.amanaged())))
    assert logged.calls == alogged.calls == ["entered", "read", "closed", "left"]


def test_several_are_awaited_at_once_and_with_a_timeout() -> None:
    async def main() -> list[str]:
        registry = vibe.Registry()
        both = await asyncio.gather(
            quiet(Logged("a", "b").aio(), registry=registry), quiet(["c", "d"], registry=registry)
        )
        return [made.text for made in (*both, await asyncio.wait_for(quiet(Logged("e").aio()), 10))]

    assert asyncio.run(main()) == ["ab", "cd", "e"]


def test_without_threads_a_sync_source_is_watched_in_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> tuple[str, list[Any], bool]:
        watched = quiet(["d"])
        _background.start(watched)
        return (await quiet(["a", "b"])).text, await collect(quiet(["c"])), watched.done()

    monkeypatch.setattr(threading.Thread, "start", start)
    assert asyncio.run(main()) == ("ab", ["c"], True)


def test_a_background_error_is_logged_as_an_error_only_without_a_view(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main(watched: vibe.Watch) -> None:
        _background.start(watched)
        await until(watched.done)
        await asyncio.sleep(0)

    asyncio.run(main(quiet(Logged("a", fails=KeyError("gone")).aio())))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    caplog.clear()
    asyncio.run(main(vibe.watch(Logged("a", fails=KeyError("gone")).aio(), registry=vibe.Registry())))
    assert caplog.records == []
    assert "KeyError" in capsys.readouterr().out


def test_objects_pass_through_by_identity() -> None:
    events = scripted("Hello", tools=[("search", {"q": 1}, "x")])
    assert all(a is b for a, b in zip(quiet(events), events, strict=True))
    got = asyncio.run(collect(quiet(events)))
    assert all(a is b for a, b in zip(got, events, strict=True))


def test_nothing_is_read_or_shown_before_it_is_consumed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logged = Logged("a")
    watched = vibe.watch(logged.sync(), registry=vibe.Registry(), record=tmp_path / "run.jsonl")
    iterator = iter(watched)
    assert logged.calls == []
    assert not (tmp_path / "run.jsonl").exists()
    assert watched not in _live.live_watches()
    assert "not started" in repr(watched)
    assert capsys.readouterr().out == ""
    assert next(iterator) == "a"
    assert watched in _live.live_watches()
    assert "live" in repr(watched)
    iterator.close()  # type: ignore[attr-defined]
    assert watched not in _live.live_watches()


def test_a_second_consumer_raises() -> None:
    watched = quiet(["a"])
    list(watched)
    for consume in (lambda: list(watched), lambda: asyncio.run(collect(watched)), watched.__enter__):
        with pytest.raises(ConsumedError, match=r"vibe\.watch\("):
            consume()
    with pytest.raises(ConsumedError):
        asyncio.run(drained(watched))


def test_a_second_consumer_raises_while_the_first_is_at_work_and_does_not_disturb_it() -> None:
    async def main() -> list[Any]:
        watched = quiet(Logged("a", "b").aio())
        got = []
        async for event in watched:
            got.append(event)
            with pytest.raises(ConsumedError):
                await watched
        return got

    assert asyncio.run(main()) == ["a", "b"]


@pytest.mark.parametrize("made", ASYNC.values(), ids=ASYNC)
def test_for_over_an_async_source_is_a_type_error_that_names_async_for(made: Callable[[Logged], Any]) -> None:
    source = made(Logged("a"))
    watched = quiet(source)
    with pytest.raises(TypeError, match="`async for`"), contextlib.closing(iter(watched)):  # type: ignore[type-var]
        pass
    with pytest.raises(TypeError, match="`async with`"):
        watched.__enter__()
    assert asyncio.run(collect(watched)) == ["a"]  # the refused loop does not use up the watch


def test_for_over_a_future_is_a_type_error_that_names_async_for() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="async for"):
            iter(quiet(asyncio.get_running_loop().create_future()))

    asyncio.run(main())


def test_await_on_a_sync_source_iterates_it_in_one_worker_thread_and_leaves_the_loop_free() -> None:
    threads = []
    go = threading.Event()

    def source() -> Iterator[str]:
        threads.append(threading.get_ident())
        yield "a"
        assert go.wait(10)
        threads.append(threading.get_ident())
        yield "b"

    async def main() -> vibe.Transcript:
        task = asyncio.ensure_future(drained(quiet(source())))
        await until(lambda: threads)
        go.set()  # only a free loop gets here
        return await task

    assert asyncio.run(main()).text == "ab"
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_the_source_is_stepped_in_the_consumers_own_task() -> None:
    logged = Logged("a", "b", "c")

    async def main() -> asyncio.Task[Any] | None:
        await collect(quiet(logged.aio()))
        return asyncio.current_task()

    consumer = asyncio.run(main())
    assert set(logged.tasks) == {consumer}


@pytest.mark.parametrize("items", [(), ("a", "b")])
def test_an_error_in_the_source_is_shown_and_raised_again(items: tuple[str, ...]) -> None:
    logged, alogged = (Logged(*items, fails=KeyError("gone")) for _ in range(2))
    watched, awatched = quiet(logged.sync()), quiet(alogged.aio())
    got: list[Any] = []
    with pytest.raises(KeyError, match="gone"):
        got.extend(watched)
    with pytest.raises(KeyError, match="gone"):
        asyncio.run(drained(awatched))
    for made in (watched, awatched):
        assert made.done()
        assert made.transcript.outcome == "error"
        assert "KeyError" in (made.transcript.error or "")
        assert made.transcript.text == "".join(items)
    assert logged.calls == alogged.calls == ["read", "closed"]


def test_an_error_in_a_worker_thread_is_raised_where_it_is_awaited() -> None:
    watched = quiet(Logged("a", fails=ZeroDivisionError("x")).sync())
    with pytest.raises(ZeroDivisionError):
        asyncio.run(drained(watched))
    assert (watched.transcript.outcome, watched.transcript.text) == ("error", "a")


def test_a_source_that_cannot_be_opened_is_an_error_that_is_shown() -> None:
    @contextlib.asynccontextmanager
    async def closed() -> AsyncIterator[Any]:
        raise ConnectionError("no route")
        yield

    watched = quiet(closed())
    with pytest.raises(ConnectionError):
        asyncio.run(drained(watched))
    assert watched.transcript.error == "ConnectionError: no route"


def test_break_finalizes_a_sync_watch_and_closes_its_source() -> None:
    logged = Logged("a", "b")
    watched = quiet(logged.sync())
    for _ in watched:
        break
    assert watched.done()
    assert logged.calls == ["read", "closed"]
    assert (watched.transcript.text, watched.transcript.outcome) == ("a", "cancelled")


def test_break_finalizes_an_async_watch_when_its_iterator_closes() -> None:
    logged = Logged("a", "b")
    watched = quiet(logged.aio())

    async def main() -> None:
        async for _ in watched:
            break
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert watched.done()
    assert logged.calls == ["read", "closed"]
    assert (watched.transcript.text, watched.transcript.outcome) == ("a", "cancelled")


def test_async_with_is_finalized_when_the_block_is_left() -> None:
    logged = Logged("a", "b")

    async def main() -> None:
        async with quiet(logged.aio()) as run:
            async for _ in run:
                break
            assert not run.done()
        assert run.done()
        assert logged.calls == ["read", "closed"]
        assert (run.transcript.text, run.transcript.outcome) == ("a", "cancelled")

    asyncio.run(main())


def test_with_is_finalized_when_the_block_is_left() -> None:
    logged = Logged("a", "b")
    with quiet(logged.sync()) as run:
        for _ in run:
            break
        assert not run.done()
    assert run.done()
    assert logged.calls == ["read", "closed"]


def test_a_block_that_is_left_by_an_error_ends_with_that_error() -> None:
    async def main() -> vibe.Watch:
        run = quiet(Logged("a", "b").aio())
        with contextlib.suppress(ValueError):
            async with run:
                async for _ in run:
                    raise ValueError("mine")
                pytest.fail("the error stays inside")
        return run

    run = asyncio.run(main())
    assert (run.transcript.outcome, run.transcript.error) == ("error", "ValueError: mine")
    with pytest.raises(ValueError, match="mine"), quiet(["a"]) as other:
        raise ValueError("mine")
    assert other.transcript.error == "ValueError: mine"


def test_a_block_in_which_all_was_consumed_ends_in_success() -> None:
    async def main() -> vibe.Watch:
        async with quiet(Logged("a").aio()) as run:
            assert (await run).text == "a"
        return run

    assert asyncio.run(main()).transcript.outcome == "success"


def test_a_block_that_consumes_nothing_leaves_nothing_behind() -> None:
    async def main() -> vibe.Watch:
        async with quiet(Logged("a").awaited()) as run:
            pass
        with pytest.raises(ConsumedError):
            await run
        return run

    run = asyncio.run(main())
    assert run.done()
    assert run not in _live.live_watches()


def test_our_own_events_of_several_agents_make_several_transcripts() -> None:
    events = [
        event
        for pair in zip(scripted("Hello", agent_id="a"), scripted("world", agent_id="b"), strict=True)
        for event in pair
    ]
    watched = quiet(events)
    list(watched)
    assert {name: made.text for name, made in watched.transcripts.items()} == {"a": "Hello", "b": "world"}
    assert (watched.agent_id, watched.transcript.agent_id) == ("a", "a")


def test_a_watch_keeps_all_of_its_runs_and_a_paused_one_that_goes_on() -> None:
    registry = Registry(keep_runs=3)

    def source() -> Iterator[Any]:
        yield TextDelta(agent_id="a", run_id="paused", delta="before, ")
        yield RunFinished(agent_id="a", run_id="paused", outcome="interrupted")
        for number in range(10):
            registry.dispatch(RunFinished(agent_id="other", run_id=f"{number}", outcome="interrupted"))
            yield RunFinished(agent_id="a", run_id=f"{number}")
        yield RunStarted(agent_id="a", run_id="paused")
        yield TextDelta(agent_id="a", run_id="paused", delta="after")

    watch = vibe.watch(source(), registry=registry, display=False)
    shown = [len(watch.transcript.runs) for _ in watch]
    assert max(shown) == len(watch.transcript.runs) == 11
    assert watch.transcript.text == "before, after"
    assert watch.transcript.runs[0].outcome == "success"
    assert len(registry.transcript("a").runs) == 3


def test_runs_that_the_stream_left_open_are_ended() -> None:
    events = [RunStarted(agent_id="a", run_id="1"), TextDelta(agent_id="a", run_id="1", delta="x")]
    watched = quiet(events)
    list(watched)
    assert watched.transcript.outcome == "success"


def test_an_empty_stream_ends_in_success_and_shows_nothing() -> None:
    watched = quiet([])
    assert list(watched) == []
    assert (watched.transcript.outcome, watched.transcript.parts) == ("success", ())


def test_record_writes_what_replay_reads(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = quiet(["Hello ", "world"], record=path)
    list(first)
    again = quiet(vibe.replay(path, speed=0))
    list(again)
    assert again.transcript == first.transcript


def test_a_recorder_of_the_users_own_is_left_open(tmp_path: Path) -> None:
    with vibe.Registry() as registry, vibe.record(tmp_path / "x.jsonl", registry=registry) as recorder:
        list(quiet(["a"], record=recorder, registry=registry))
        recorder.write(TextDelta(agent_id="z", run_id="z", delta="after"))
    assert "after" in (tmp_path / "x.jsonl").read_text()


def test_a_recording_that_cannot_be_opened_raises_before_anything_is_read(tmp_path: Path) -> None:
    logged = Logged("a")
    with pytest.raises(OSError, match="missing"):
        list(quiet(logged.sync(), record=tmp_path / "missing" / "run.jsonl"))
    assert logged.calls == []


def test_a_damaged_recording_keeps_the_events_before_the_damage_and_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    list(quiet(["Hello"], record=path))
    path.write_text(path.read_text() + "{not json\n")
    watched = quiet(vibe.replay(path, speed=0))
    with pytest.raises(ProtocolError, match="line 4"):
        list(watched)
    assert watched.transcript.text == "Hello"


def test_display_false_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    list(quiet(["Hello"]))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_the_text_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    for event in vibe.watch(["Hello ", "world"], registry=vibe.Registry()):
        assert event in capsys.readouterr().out


def test_an_adapter_is_chosen_by_its_name() -> None:
    watched = quiet(['{"type": "text_delta", "agent_id": "a", "run_id": "r"}'], adapter="text")
    list(watched)
    assert watched.transcript.text.startswith('{"type"')


def test_an_adapter_instance_keeps_its_own_ids() -> None:
    adapter = adapters.get("text", agent_id="writer", run_id="r7")
    watched = quiet(["a"], adapter=adapter)
    list(watched)
    assert watched.transcripts.keys() == {"writer"}
    assert watched.transcript.runs[0].run_id == "r7"
    with pytest.raises(ValueError, match="writer"):
        quiet(["a"], adapter=adapter, agent_id="another")


def test_an_unknown_adapter_is_an_error_at_once() -> None:
    with pytest.raises(AdapterError, match="one of"):
        quiet(["a"], adapter="no_such")


def test_a_stream_that_no_adapter_knows_is_an_error_that_is_shown() -> None:
    watched = quiet([object()])
    with pytest.raises(AdapterError, match="adapter="):
        list(watched)
    assert watched.transcript.outcome == "error"


def test_unknown_natives_are_held_until_the_stream_is_known() -> None:
    natives = [{"hello": 1}, {"event": "RunContent", "run_id": "r", "content": "Hi"}]
    watched = quiet(natives)
    assert list(watched) == natives
    assert watched.transcript.text == "Hi"


def test_a_stream_that_is_not_known_after_its_first_natives_is_an_error() -> None:
    watched = quiet({"hello": i} for i in range(9))
    seen: list[Any] = []
    with pytest.raises(AdapterError, match="adapter="):
        seen.extend(watched)
    assert len(seen) < 9
    assert watched.transcript.outcome == "error"


def test_agent_id_and_title_are_used() -> None:
    watched = quiet(["a"], agent_id="researcher", title="Research")
    list(watched)
    assert (watched.agent_id, watched.title) == ("researcher", "Research")
    assert watched.transcripts.keys() == {"researcher"}


def test_agents_without_a_name_get_an_unused_one() -> None:
    registry = vibe.Registry()
    first, second = quiet(["a"], registry=registry), quiet(["b"], registry=registry)
    for _ in zip(first, second, strict=True):
        pass
    assert (first.transcript.text, second.transcript.text) == ("a", "b")
    assert first.agent_id != second.agent_id


def test_the_same_agent_watched_again_shows_only_new_events() -> None:
    registry = vibe.Registry()
    list(quiet(["old"], registry=registry, agent_id="a"))
    again = quiet(["new"], registry=registry, agent_id="a")
    list(again)
    assert again.transcript.text == "new"
    assert registry.transcript("a").text == "oldnew"


OWN: dict[str, str] = {"agent_id": "a", "run_id": "r"}


def test_own_events_with_the_ids_of_an_ended_run_are_a_run_of_their_own() -> None:
    """A user runs a cell again."""
    registry = vibe.Registry()
    child = {"agent_id": "a", "run_id": "s"}
    events: list[Any] = [
        {**OWN, "type": "run_started"},
        {**OWN, "type": "text_delta", "delta": "text", "seq": 0},
        {**OWN, "type": "tool_started", "tool_call_id": "t", "tool_name": "ask", "args": {}},
        {**child, "type": "run_started", "parent_run_id": "r", "parent_tool_call_id": "t"},
        {**child, "type": "text_delta", "delta": "inner", "seq": 0},
        {**OWN, "type": "tool_finished", "tool_call_id": "t", "output": "done"},
    ]
    first, second = (quiet(events, registry=registry) for _ in range(2))
    for watched in (first, second):
        list(watched)
    assert second.transcript.text == first.transcript.text == "text"
    (call,) = second.transcript.tools
    assert [part.text for part in call.children if part.kind == "text"] == ["inner"]
    assert first.transcript.runs[0].run_id == "r"
    assert second.transcript.runs[0].run_id.startswith("r-")


def test_own_events_go_on_with_a_run_that_was_interrupted_for_an_answer() -> None:
    registry = vibe.Registry()
    list(
        quiet(
            [
                {**OWN, "type": "text_delta", "delta": "before"},
                {**OWN, "type": "run_finished", "outcome": "interrupted"},
            ],
            registry=registry,
        )
    )
    list(
        quiet(
            [{**OWN, "type": "run_started"}, {**OWN, "type": "text_delta", "delta": " after"}],
            registry=registry,
        )
    )
    assert registry.transcript("a").text == "before after"
    assert [run.run_id for run in registry.transcript("a").runs] == ["r"]


@pytest.mark.parametrize("source", ["text", b"x", {}, 5, None, Logged, print])
def test_an_object_that_is_no_stream_is_a_type_error_at_once(source: object) -> None:
    with pytest.raises(TypeError, match="not a stream"):
        quiet(source)


def test_a_source_must_open_to_a_stream() -> None:
    async def nothing() -> int:
        return 5

    watched = quiet(nothing())
    with pytest.raises(TypeError, match="int is not a stream"):
        asyncio.run(drained(watched))


def test_an_adapters_fault_does_not_end_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(type(adapters.get("text"))):  # type: ignore[misc]
        def _read(self, native: object) -> None:
            if native == "b":
                raise LookupError("fault")
            super()._read(native)

    watched = quiet(["a", "b", "b", "c"], adapter=Broken())
    assert list(watched) == ["a", "b", "b", "c"]
    assert watched.transcript.text == "ac"
    assert len(caplog.records) == 1


def test_an_agent_of_the_registry_is_watched_until_its_run_ends() -> None:
    registry = vibe.Registry()
    events = scripted("Hello world", agent_id="pushed")
    middle = len(events) // 2
    registry.dispatch(events[:middle])

    async def main() -> vibe.Transcript:
        watched = _watch.watch_agent("pushed", registry=registry, display=False)
        task = asyncio.ensure_future(drained(watched))
        await asyncio.sleep(0)

        def push() -> None:
            for event in events[middle:]:
                registry.dispatch(event)

        thread = threading.Thread(target=push)
        thread.start()
        transcript = await asyncio.wait_for(task, 10)
        thread.join()
        return transcript

    transcript = asyncio.run(main())
    assert (transcript.text, transcript.outcome) == ("Hello world", "success")


@pytest.mark.parametrize("end", ["event", "finish", "already"])
def test_an_agents_watch_ends_however_its_run_ends(end: str) -> None:
    registry = vibe.Registry()
    registry.dispatch(RunStarted(agent_id="a", run_id="1"))

    def ending() -> None:
        if end == "finish":
            registry.finish("a", "1")
        else:
            registry.dispatch(RunFinished(agent_id="a", run_id="1", outcome="success"))

    async def main() -> None:
        if end == "already":
            ending()
        task = asyncio.ensure_future(drained(_watch.watch_agent("a", registry=registry, display=False)))
        await asyncio.sleep(0)
        if end != "already":
            assert not task.done()
            ending()
        await asyncio.wait_for(task, 10)

    asyncio.run(main())


def test_stopping_to_watch_an_agent_does_not_end_its_run() -> None:
    registry = vibe.Registry()
    registry.dispatch(RunStarted(agent_id="a", run_id="1"))

    async def main() -> vibe.Watch:
        watched = _watch.watch_agent("a", registry=registry, display=False)
        task = asyncio.ensure_future(drained(watched))
        await asyncio.sleep(0)
        watched.cancel()
        await asyncio.wait_for(task, 10)
        return watched

    assert asyncio.run(main()).done()
    assert registry.open_run("a") == "1"

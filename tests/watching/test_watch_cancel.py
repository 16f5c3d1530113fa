"""Check ``done()`` and ``cancel()``: from any thread, at any time, any number of times."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

import vibe_notebook as vibe
from tests.watching.streams import drained, quiet, until
from vibe_notebook._watching import watch as _watch
from vibe_notebook._watching.pipeline import Pipeline


class Hanging:
    """Give one item, then hang; record both, and the close."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.closed = threading.Event()

    async def aio(self) -> AsyncIterator[str]:
        try:
            yield "a"
            self.hangs.set()
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def grouped(self) -> AsyncIterator[str]:
        """Produce in a task of a group that the stream holds, as many SDKs do."""
        send, receive = anyio.create_memory_object_stream[str](1)

        async def produce() -> None:
            await send.send("a")
            await anyio.sleep_forever()

        try:
            async with anyio.create_task_group() as tasks, send, receive:
                tasks.start_soon(produce)
                async for item in receive:
                    yield item
                    self.hangs.set()
        finally:
            self.closed.set()

    async def scoped(self) -> AsyncIterator[str]:
        try:
            with anyio.CancelScope():
                yield "a"
                self.hangs.set()
                await anyio.sleep_forever()
        finally:
            self.closed.set()

    async def opening(self) -> AsyncIterator[str]:
        self.hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed.set()
        return self.aio()

    def sync(self) -> Iterator[str]:
        """Block in short steps, as Python code does."""
        try:
            yield "a"
            self.hangs.set()
            while True:
                time.sleep(0.005)
        finally:
            self.closed.set()

    def cancels(self, watched: vibe.Watch) -> threading.Thread:
        """Return a thread that cancels once the source hangs."""

        def run() -> None:
            assert self.hangs.wait(10)
            assert watched.cancel()

        thread = threading.Thread(target=run)
        thread.start()
        return thread


def ended_as_cancelled(watched: vibe.Watch, text: str = "a") -> None:
    assert watched.done()
    assert watched.transcript.outcome == "cancelled"
    assert watched.transcript.text == text
    assert watched not in _watch.live_watches()
    assert watched.cancel() is False


ASYNC = {
    "async generator": Hanging.aio,
    "task group": Hanging.grouped,
    "cancel scope": Hanging.scoped,
}


@pytest.mark.parametrize("made", ASYNC.values(), ids=ASYNC)
def test_cancel_interrupts_the_pending_step_closes_the_source_and_the_loop_ends_normally(
    made: Callable[[Hanging], Any],
) -> None:
    hanging = Hanging()
    watched = quiet(made(hanging))

    async def main() -> list[str]:
        thread = hanging.cancels(watched)
        got = [event async for event in watched]
        thread.join()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert hanging.closed.is_set()
        await asyncio.sleep(0)  # and no event arrives later
        return got

    assert asyncio.run(main()) == ["a"]
    ended_as_cancelled(watched)


def test_cancel_interrupts_the_opening_of_a_source() -> None:
    hanging = Hanging()
    watched = quiet(hanging.opening())

    async def main() -> vibe.Transcript:
        thread = hanging.cancels(watched)
        transcript = await watched
        thread.join()
        return transcript

    assert asyncio.run(main()).outcome == "cancelled"
    ended_as_cancelled(watched, "")


def test_cancel_ends_an_awaited_sync_source_at_once() -> None:
    hanging = Hanging()
    watched = quiet(hanging.sync())

    async def main() -> vibe.Transcript:
        thread = hanging.cancels(watched)
        transcript = await watched
        thread.join()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return transcript

    assert asyncio.run(main()).outcome == "cancelled"
    ended_as_cancelled(watched)
    assert hanging.closed.wait(10)


def test_cancel_ends_an_awaited_sync_source_even_when_its_thread_cannot_be_interrupted() -> None:
    items: queue.Queue[str] = queue.Queue()
    watched = quiet(iter(items.get, None))

    async def main() -> vibe.Transcript:
        asyncio.get_running_loop().call_later(0.05, watched.cancel)
        return await watched

    assert asyncio.run(main()).outcome == "cancelled"
    items.put("too late")
    ended_as_cancelled(watched, "")


def test_cancel_interrupts_async_for_over_a_sync_source() -> None:
    hanging = Hanging()
    watched = quiet(hanging.sync())

    async def main() -> list[str]:
        thread = hanging.cancels(watched)
        got = [event async for event in watched]
        thread.join()
        return got

    assert asyncio.run(main()) == ["a"]
    ended_as_cancelled(watched)
    assert hanging.closed.wait(10)


def test_cancel_interrupts_a_sync_source_that_blocks_the_main_thread() -> None:
    hanging = Hanging()
    watched = quiet(hanging.sync())
    thread = hanging.cancels(watched)
    assert list(watched) == ["a"]
    thread.join()
    assert hanging.closed.is_set()
    ended_as_cancelled(watched)


def test_cancel_interrupts_a_call_outside_of_python_that_blocks_the_main_thread() -> None:
    hangs = threading.Event()
    items: queue.Queue[str] = queue.Queue()

    def source() -> Iterator[str]:
        hangs.set()
        yield items.get()

    watched = quiet(source())
    thread = threading.Thread(target=lambda: hangs.wait(10) and watched.cancel())
    thread.start()
    assert list(watched) == []
    thread.join()
    ended_as_cancelled(watched, "")


def test_cancel_interrupts_the_main_thread_after_a_signal_that_arrived_just_before_it_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hangs = threading.Event()
    items: queue.Queue[str] = queue.Queue()
    kill, sent = signal.pthread_kill, []

    def lost_at_first(ident: int, number: int) -> None:
        sent.append(number)
        if len(sent) > 1:
            kill(ident, number)

    def source() -> Iterator[str]:
        hangs.set()
        yield items.get()

    monkeypatch.setattr(signal, "pthread_kill", lost_at_first)
    watched = quiet(source())
    thread = threading.Thread(target=lambda: hangs.wait(10) and watched.cancel())
    thread.start()
    assert list(watched) == []
    thread.join()
    assert len(sent) == 2
    ended_as_cancelled(watched, "")


def test_cancel_interrupts_the_main_thread_also_where_an_interrupt_only_cancels_a_task() -> None:
    """Cover awaited cells: there the kernel's own signal handler raises nothing."""
    hanging = Hanging()
    watched = quiet(hanging.sync())
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    mine = signal.getsignal(signal.SIGINT)
    try:
        thread = hanging.cancels(watched)
        assert list(watched) == ["a"]
        thread.join()
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == []
    ended_as_cancelled(watched)


def test_cancel_interrupts_a_sync_source_that_blocks_a_worker_thread() -> None:
    hanging = Hanging()
    watched = quiet(hanging.sync())
    got: list[str] = []
    worker = threading.Thread(target=lambda: got.extend(watched))
    worker.start()
    canceller = hanging.cancels(watched)
    worker.join(10)
    canceller.join()
    assert not worker.is_alive()
    assert got == ["a"]
    assert hanging.closed.is_set()
    ended_as_cancelled(watched)


def test_cancel_closes_a_source_outside_of_python_that_blocks_a_worker_thread() -> None:
    class Connection:
        def __init__(self) -> None:
            self.items: queue.Queue[str | None] = queue.Queue()
            self.hangs = threading.Event()

        def __iter__(self) -> Connection:
            return self

        def __next__(self) -> str:
            self.hangs.set()
            item = self.items.get()
            if item is None:
                raise ConnectionError("closed under me")
            return item

        def close(self) -> None:
            self.items.put(None)

    connection = Connection()
    watched = quiet(connection)
    worker = threading.Thread(target=lambda: list(watched))
    worker.start()
    assert connection.hangs.wait(10)
    watched.cancel()
    worker.join(10)
    assert not worker.is_alive()
    ended_as_cancelled(watched, "")


def test_cancel_before_the_start_ends_it_and_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    hanging = Hanging()
    for made in (hanging.aio(), hanging.sync(), hanging.opening()):
        watched = vibe.watch(made, registry=vibe.Registry())
        assert watched.cancel()
        ended_as_cancelled(watched, "")
    before = quiet(hanging.sync())
    before.cancel()
    assert list(before) == []

    async def main() -> str | None:
        abefore = quiet(hanging.aio())
        abefore.cancel()
        return (await abefore).outcome

    assert asyncio.run(main()) == "cancelled"
    assert not hanging.hangs.is_set()
    assert capsys.readouterr().out == ""


def test_cancel_after_the_end_changes_nothing() -> None:
    watched = quiet(["a"])
    list(watched)
    assert watched.cancel() is False
    assert watched.transcript.outcome == "success"


def test_cancel_is_idempotent() -> None:
    async def main() -> vibe.Watch:
        hanging = Hanging()
        watched = quiet(hanging.aio())
        async for _ in watched:
            assert watched.cancel() is True
            assert watched.cancel() is False
        return watched

    ended_as_cancelled(asyncio.run(main()))


def test_cancel_between_two_steps_leaves_the_consumers_own_awaits_alone() -> None:
    async def main() -> list[str]:
        results = []
        watched = quiet(Hanging().aio())
        async for _ in watched:
            threading.Thread(target=watched.cancel).start()
            await asyncio.sleep(0.05)
            results.append("body went on")
        return results

    assert asyncio.run(main()) == ["body went on"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_cancel_from_a_callback_of_the_registry_ends_it(kind: str) -> None:
    registry = vibe.Registry()
    watched = quiet(Hanging().sync() if kind == "sync" else Hanging().aio(), registry=registry, agent_id="x")
    registry.register("x", on_result=lambda _: watched.cancel())
    if kind == "sync":
        list(watched)
    else:
        asyncio.run(drained(watched))
    ended_as_cancelled(watched)


def test_a_source_may_cancel_its_own_watch() -> None:
    def source() -> Iterator[str]:
        yield "a"
        watched.cancel()
        yield "b"

    watched = quiet(source())
    assert list(watched) == ["a"]
    ended_as_cancelled(watched)


def test_later_events_of_a_source_that_ignores_its_cancel_are_dropped() -> None:
    async def stubborn() -> AsyncIterator[str]:
        with contextlib.suppress(asyncio.CancelledError):
            yield "a"
            hanging.hangs.set()
            await asyncio.Event().wait()
        yield "b"

    hanging = Hanging()
    watched = quiet(stubborn())

    async def main() -> list[str]:
        thread = hanging.cancels(watched)
        got = [event async for event in watched]
        thread.join()
        return got

    assert asyncio.run(main()) == ["a"]
    ended_as_cancelled(watched)


def test_an_exception_of_a_cancelled_source_is_not_an_error() -> None:
    async def loud() -> AsyncIterator[str]:
        try:
            yield "a"
            hanging.hangs.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("cut off") from None

    hanging = Hanging()
    watched = quiet(loud())

    async def main() -> None:
        thread = hanging.cancels(watched)
        await watched
        thread.join()

    asyncio.run(main())
    ended_as_cancelled(watched)


def test_a_sync_source_that_fails_to_close_when_cancelled_is_not_an_error() -> None:
    def loud() -> Iterator[str]:
        try:
            yield "a"
        finally:
            raise ConnectionError("cut off")

    watched = quiet(loud())
    for _ in watched:
        watched.cancel()
    ended_as_cancelled(watched)


def test_cancellation_from_outside_ends_as_cancelled_and_is_raised_again() -> None:
    for made in (Hanging.aio, Hanging.grouped, Hanging.scoped, Hanging.sync):
        hanging = Hanging()
        watched = quiet(made(hanging))

        async def main(watched: vibe.Watch, hanging: Hanging) -> None:
            task = asyncio.ensure_future(drained(watched))
            await until(hanging.hangs.is_set)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
            ended_as_cancelled(watched)

        asyncio.run(main(watched, hanging))
        assert hanging.closed.wait(10)


def test_a_timeout_of_the_consumers_is_raised_as_a_timeout() -> None:
    watched = quiet(Hanging().grouped())

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await watched

    asyncio.run(main())
    ended_as_cancelled(watched)


def test_cancellation_from_outside_and_cancel_at_once_raise() -> None:
    hanging = Hanging()
    watched = quiet(hanging.aio())

    async def main() -> None:
        task = asyncio.ensure_future(drained(watched))
        await until(hanging.hangs.is_set)
        watched.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    ended_as_cancelled(watched)


def test_keyboard_interrupt_ends_as_cancelled_and_is_raised_again() -> None:
    hanging = Hanging()
    watched = quiet(hanging.sync())

    def press() -> None:
        assert hanging.hangs.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(watched)
    thread.join()
    assert hanging.closed.is_set()
    ended_as_cancelled(watched)


def test_keyboard_interrupt_in_the_loops_body_ends_as_cancelled() -> None:
    watched = quiet(["a", "b"])

    def consume() -> None:
        for _ in watched:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    ended_as_cancelled(watched)


def test_an_async_cancel_that_races_with_the_end_is_either_early_or_late() -> None:
    chance = random.Random(1)

    async def source(pause: float) -> AsyncIterator[str]:
        for item in "ab":
            await asyncio.sleep(pause)
            yield item

    async def one() -> None:
        watched = quiet(source(chance.choice([0, 0, 0.0002])))
        results: list[bool] = []
        thread = threading.Thread(target=lambda: results.append(watched.cancel()))
        wait = chance.random() * 0.001
        task = asyncio.ensure_future(drained(watched))
        await asyncio.sleep(wait)
        thread.start()
        transcript = await task
        await until(lambda: not thread.is_alive())
        assert task.cancelling() == 0
        assert watched.done()
        assert transcript.outcome == ("cancelled" if results == [True] else "success")
        assert "ab".startswith(transcript.text)
        outcomes.add(str(transcript.outcome))

    async def main() -> None:
        for _ in range(300):
            await one()

    outcomes: set[str] = set()
    asyncio.run(main())
    assert outcomes == {"cancelled", "success"}


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns as often as they can.

    Without the collector: Python drops whatever is raised in a finaliser, Ctrl-C as well.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    gc.disable()
    yield
    gc.enable()
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("where", ["main thread", "worker thread"])
def test_a_sync_cancel_that_races_with_the_end_leaves_no_stray_interrupt(where: str) -> None:
    chance = random.Random(2)
    outcomes: set[str] = set()
    longest = 0.001  # grows while the cancel comes first and shrinks while the end does, whatever the machine

    def items() -> Iterator[str]:
        for item in "abc":
            time.sleep(0.0001)
            yield item

    def one() -> None:
        nonlocal longest
        wait = chance.random() * longest
        watched = quiet(items())
        go = threading.Event()
        results: list[bool] = []

        def cancel() -> None:
            go.wait()
            time.sleep(wait)
            results.append(watched.cancel())

        thread = threading.Thread(target=cancel)
        thread.start()
        go.set()
        list(watched)
        thread.join()
        sum(range(500))  # a late interrupt would be raised here
        assert watched.transcript.outcome == ("cancelled" if results == [True] else "success")
        longest *= 1.1 if results == [True] else 0.9
        outcomes.add(str(watched.transcript.outcome))

    def run() -> None:
        try:
            for _ in range(300):
                one()
        except BaseException as error:  # noqa: BLE001 - the test checks that no interrupt gets here
            failures.append(error)

    failures: list[BaseException] = []
    if where == "main thread":
        run()
    else:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert failures == []
    assert outcomes == {"cancelled", "success"}


_WITHDRAWN = """
import ctypes, sys, threading
from vibe_notebook._watching.stepper import Stopped, _Interrupt

begun, go = threading.Event(), threading.Lock()
go.acquire()
def work():
    interrupt = _Interrupt(None)
    begun.set()
    go.acquire()  # a call into C: nothing is raised in it
    interrupt.consume()
    sys.setprofile(lambda *_: None)
    (lambda: None)()
    sys.setprofile(None)
    print("went on")

thread = threading.Thread(target=work, daemon=True)
thread.start()
begun.wait()
for kind in (ctypes.py_object(Stopped), None):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), kind)
go.release()
thread.join(20)
"""


def test_an_interrupt_that_never_arrives_leaves_the_interpreter_as_it_was() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHDRAWN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("went on\n", "")


class HoldingSource:
    """Have steps that nothing interrupts, as code outside of Python does; the last step gives nothing."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.in_last_step, self.go_on = threading.Event(), threading.Event()
        self.interruptions = "not read"

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            return "a"
        self.in_last_step.set()
        while not self.go_on.is_set():
            with contextlib.suppress(BaseException):
                self.go_on.wait(10)
        raise StopIteration


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("place", ["main", "thread", "task"])
def test_a_watch_cancelled_in_the_sources_last_step_says_so_meanwhile_and_ends_as_cancelled(
    steps: int, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, said = HoldingSource(steps), list[str]()
    monkeypatch.setattr(Pipeline, "stopping", lambda _: said.append("stopping"))
    exhausted: list[bool] = []
    monkeypatch.setattr(Pipeline, "exhausted", lambda _, __, *, is_cut: exhausted.append(is_cut))
    watched = quiet(source)

    def cancel() -> None:
        assert source.in_last_step.wait(10)
        assert watched.cancel() is True
        said.append("returned")
        source.go_on.set()

    other = threading.Thread(target=cancel)
    other.start()
    if place == "main":
        assert list(watched) == ["a"] * steps
    elif place == "thread":
        consumer = threading.Thread(target=lambda: list(watched))
        consumer.start()
        consumer.join(10)
    else:
        asyncio.run(watched.consume())
    other.join(10)
    assert said == ["stopping", "returned"]
    assert set(exhausted) <= {True}
    ended_as_cancelled(watched, "a" * steps)

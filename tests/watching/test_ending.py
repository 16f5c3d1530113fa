"""Check the end of a watch: a thread renders it, and it is complete when the block is left."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import anyio
import IPython
import pytest
import trio
from IPython.core.events import EventManager, available_events
from IPython.core.formatters import DisplayFormatter

import vibe_notebook as vibe
from tests.watching.streams import until
from vibe_notebook._watching import pipeline as _pipeline
from vibe_notebook._watching.finalizer import POOL, Finalizer, defer_interrupt
from vibe_notebook.transcript import Transcript

cell: contextvars.ContextVar[str] = contextvars.ContextVar("cell", default="another")


class Slow:
    """Take as long for the final form as the test wants; an output."""

    is_light = False
    is_alone = True

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.ended = threading.Event()
        self.shown: list[str] = []
        self.cells: list[str] = []
        self.threads: list[threading.Thread] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def watch(self, agent_id: str, since: int) -> None:
        """Show nothing live."""

    def report(self, text: str) -> None:
        """Report nothing."""

    def flush(self) -> None:
        pass

    def wait_for_lull(self) -> None:
        pass

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        self.threads.append(threading.current_thread())
        self.cells.append(cell.get())
        self.began.set()
        self.meanwhile()
        assert self.may_end.wait(10)
        self.shown += [transcript.text for transcript in transcripts.values()]
        self.ended.set()


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(_pipeline, "make_output", lambda *_, **__: made)
    return made


def watched(source: Any) -> vibe.Watch:
    return vibe.watch(source, agent_id="x", registry=vibe.Registry())


async def words() -> AsyncIterator[str]:
    yield "a"
    yield "b"


async def drained() -> None:
    await watched(words())


async def drained_sync() -> None:
    await watched(["a", "b"])


async def iterated() -> None:
    async for _ in watched(words()):
        pass


async def entered() -> None:
    async with watched(words()) as run:
        async for _ in run:
            pass


async def left() -> None:
    async with watched(words()) as run:
        async for native in run:
            if native == "b":
                break


async def pushed() -> None:
    async with vibe.live("x", registry=vibe.Registry()) as live:
        live.text("ab")


async def handled() -> None:
    async with vibe.handler("strands", registry=vibe.Registry()) as hook:
        hook(data="ab")


ASYNC = [drained, drained_sync, iterated, entered, left, pushed, handled]


@pytest.mark.parametrize("form", ASYNC)
def test_the_loop_is_free_while_the_end_is_rendered_in_the_context_of_its_cell(
    form: Callable[[], Any], output: Slow
) -> None:
    async def main() -> None:
        cell.set("this")
        task = asyncio.create_task(form())
        await until(output.began.is_set)  # a blocked loop would not have these turns
        assert not task.done()
        output.may_end.set()
        await task
        assert output.shown == ["ab"]

    asyncio.run(main())
    assert output.cells == ["this"]
    assert output.threads != [threading.main_thread()]
    assert not any(thread.is_alive() for thread in output.threads)


@pytest.mark.parametrize("form", ASYNC)
def test_a_cancellation_while_the_final_form_is_rendered_is_raised_after_it(
    form: Callable[[], Any], output: Slow
) -> None:
    async def main() -> None:
        task = asyncio.create_task(form())
        await until(output.began.is_set)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.001)
            assert not task.done()
        output.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert output.shown == ["ab"]


def test_a_timeout_while_the_final_form_is_rendered_is_raised_after_it(output: Slow) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await watched(words())

    threading.Timer(0.1, output.may_end.set).start()
    asyncio.run(main())
    assert output.shown == ["ab"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_anyio_scope_that_is_cancelled_meanwhile_waits_for_the_end(backend: str, output: Slow) -> None:
    async def main() -> None:
        with anyio.move_on_after(0.02) as scope:
            await watched(words())
        assert scope.cancelled_caught or scope.cancel_called

    threading.Timer(0.1, output.may_end.set).start()
    anyio.run(main, backend=backend)
    assert output.shown == ["ab"]


def test_trios_loop_is_free_while_the_end_is_rendered(output: Slow) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drained)
            while not output.began.is_set():  # noqa: ASYNC110 - a thread sets it, not this loop
                await trio.sleep(0.001)
            output.may_end.set()

    trio.run(main)
    assert output.shown == ["ab"]


def by_for() -> None:
    for _ in watched(["a", "b"]):
        pass


def by_with() -> None:
    with watched(["a", "b"]) as run:
        list(run)


def by_hand() -> None:
    with vibe.live("x", registry=vibe.Registry()) as live:
        live.text("ab")


@pytest.mark.parametrize("form", [by_for, by_with, by_hand])
def test_an_interrupt_while_the_final_form_is_rendered_is_raised_after_it(
    form: Callable[[], None], output: Slow
) -> None:
    output.meanwhile = lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    timer = threading.Timer(0.1, output.may_end.set)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        form()
    timer.join()
    assert output.shown == ["ab"]
    assert output.threads != [threading.main_thread()]


def stopped_words() -> Iterator[str]:
    yield "a"
    yield "b"
    signal.raise_signal(signal.SIGINT)
    yield from iter(lambda: "more", None)


async def stopped_words_async() -> AsyncIterator[str]:
    for word in ("a", "b"):
        yield word
    signal.raise_signal(signal.SIGINT)
    await anyio.sleep_forever()


def stop_for(run: vibe.Watch) -> None:
    for _ in run:
        pass


def stop_with(run: vibe.Watch) -> None:
    with run:
        stop_for(run)


async def stop_async_for(run: vibe.Watch) -> None:
    async for _ in run:
        pass


async def stop_await(run: vibe.Watch) -> None:
    await run


async def stop_async_with(run: vibe.Watch) -> None:
    async with run:
        await stop_async_for(run)


@pytest.mark.parametrize("form", [stop_for, stop_with, stop_async_for, stop_await, stop_async_with])
def test_three_interrupts_end_a_watch_with_its_final_form_and_free_whoever_waits(
    form: Callable[[vibe.Watch], Any], output: Slow
) -> None:
    sent = threading.Event()

    def interrupt_twice() -> None:
        for _ in range(2):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            sent.wait(0.05)  # the main thread may end its wait now
        output.may_end.set()

    output.meanwhile = interrupt_twice
    is_async = asyncio.iscoroutinefunction(form)
    run = watched(stopped_words_async() if is_async else stopped_words())
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(form(run)) if is_async else form(run)
    with contextlib.suppress(KeyboardInterrupt):  # the third, where the second has ended the wait
        output.ended.wait(10)
    assert output.ended.wait(10)
    assert output.shown == ["ab"]
    assert (run.done(), run.transcript.outcome) == (True, "cancelled")
    asyncio.run(asyncio.wait_for(run._pipeline.wait_until_finalized(), 10))


def test_a_second_interrupt_takes_effect_at_once() -> None:
    may_end = threading.Event()
    ending = Finalizer()

    def work() -> None:
        assert may_end.wait(10)

    ending.start(work, in_this_thread=False)

    def twice() -> None:
        for _ in range(2):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert not may_end.wait(0.2)

    thread = threading.Thread(target=twice)

    def wait() -> None:
        with defer_interrupt():
            thread.start()
            ending.wait()

    with pytest.raises(KeyboardInterrupt):
        wait()
    thread.join()
    may_end.set()
    ending.wait()


def test_streams_that_end_together_share_a_few_threads_for_their_final_forms(output: Slow) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(drained()) for _ in range(200)]
        await until(lambda: len(output.threads) == POOL.limit)
        assert len([each for each in threading.enumerate() if each.name == "vibe-final"]) == POOL.limit
        output.may_end.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert len(output.shown) == 200
    assert len(set(output.threads)) <= POOL.limit


def test_a_second_thread_that_finalizes_waits_for_the_end_too(output: Slow) -> None:
    made = vibe.live("x", registry=vibe.Registry())
    made.__enter__()
    made.text("ab")
    first = threading.Thread(target=made.close)
    first.start()
    assert output.began.wait(10)
    threading.Timer(0.05, output.may_end.set).start()
    made._pipeline.finalize()
    assert output.shown == ["ab"]
    first.join()


def test_a_callback_on_the_end_may_end_it_again(output: Slow) -> None:
    output.may_end.set()
    made = watched(["a"])
    made._pipeline.registry.register("x", on_finished=lambda _: made._pipeline.finalize())
    assert list(made) == ["a"]
    assert output.shown == ["a"]


def test_without_threads_the_end_is_rendered_in_the_loop(
    output: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", cannot)
    output.may_end.set()
    asyncio.run(iterated())
    assert output.shown == ["ab"]


class Shell:
    """Stand in for a kernel's shell: its cell counter, and the event at a cell's end."""

    execution_count = 1

    def __init__(self) -> None:
        self.kernel: object = "a kernel"
        self.display_formatter = DisplayFormatter()
        self.events = EventManager(self, available_events)

    def end_cell(self) -> None:
        self.events.trigger("post_run_cell", SimpleNamespace(error_in_exec=None))

    def showtraceback(self) -> None:
        """Print an error of a callback, as IPython does."""
        sys.stdout.write(repr(sys.exception()))


def by_handler() -> None:
    with vibe.handler("strands", registry=vibe.Registry()) as hook:
        hook(data="ab")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    made = Shell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: made)
    return made


@pytest.mark.parametrize("form", [by_for, by_with, by_hand, by_handler])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_plain_block_in_a_coroutine_delays_its_cell_but_no_other_live_view(
    form: Callable[[], None], backend: str, output: Slow, shell: Shell
) -> None:
    async def cell_of_two_streams() -> None:
        form()

    output.is_alone = False
    anyio.run(cell_of_two_streams, backend=backend)
    shell.events.trigger("post_execute")  # a message of a widget's: the cell is still running
    assert output.shown == []  # but the block was left
    threading.Timer(0.05, output.may_end.set).start()
    shell.end_cell()
    assert output.shown == ["ab"]
    assert not any(thread.is_alive() for thread in output.threads)
    assert shell.events.callbacks["post_run_cell"] == []


@pytest.mark.parametrize("form", [by_for, by_with, by_hand])
@pytest.mark.parametrize("why", ["alone", "no kernel", "no loop"])
def test_a_plain_block_otherwise_ends_with_its_final_form(
    form: Callable[[], None], why: str, output: Slow, shell: Shell
) -> None:
    async def cell_of_one_stream() -> None:
        form()

    output.is_alone = why == "alone"
    if why == "no kernel":
        shell.kernel = None
    threading.Timer(0.05, output.may_end.set).start()
    form() if why == "no loop" else asyncio.run(cell_of_one_stream())
    assert output.shown == ["ab"]
    assert shell.events.callbacks["post_run_cell"] == []


def test_an_interrupt_while_a_cell_waits_for_a_final_form_is_raised_after_it(
    output: Slow, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cell_of_two_streams() -> None:
        by_hand()

    output.is_alone = False
    asyncio.run(cell_of_two_streams())
    assert output.began.wait(10)
    threading.Timer(
        0.05, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    ).start()
    threading.Timer(0.15, output.may_end.set).start()
    shell.end_cell()
    assert output.shown == ["ab"]
    assert "KeyboardInterrupt" in capsys.readouterr().out


def test_a_block_that_another_thread_is_ending_waits_for_that_end(output: Slow, shell: Shell) -> None:
    made = watched(["a", "b"])
    about_to, may_go_on = threading.Event(), threading.Event()

    def hold_up(_: Any) -> None:
        about_to.set()
        assert may_go_on.wait(10)

    async def leave() -> None:
        made._pipeline.finalize(later=True)

    output.is_alone = False
    output.may_end.set()
    made._pipeline.registry.register("x", on_finished=hold_up)
    first = threading.Thread(target=lambda: list(made))
    first.start()
    assert about_to.wait(10)
    threading.Timer(0.05, may_go_on.set).start()
    asyncio.run(leave())
    assert output.shown == ["ab"]
    assert shell.events.callbacks["post_run_cell"] == []
    first.join()

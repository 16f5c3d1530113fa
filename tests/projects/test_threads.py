"""Tests with senders and listeners in several threads and event loops, and with very many of them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import trio

from tests.projects.listening import numbers, receive, receive_rest, send
from vibe_notebook.projects import Listener, ProjectEventStream


def in_threads(*works: Callable[[], object]) -> None:
    """Run all functions at once, and raise the first error."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_loops_of_several_threads_send_and_listen(stream: ProjectEventStream) -> None:
    received: list[list[dict[str, str]]] = []
    listeners = [stream.create_stream("p") for _ in range(4)]

    async def sender(start: int) -> None:
        for number in range(start, start + 100):
            await send(stream, number)

    async def listen(listener: Listener) -> None:
        received.append(await receive(listener, 400))

    in_threads(
        *(lambda start=start: asyncio.run(sender(start)) for start in range(0, 400, 100)),
        *(lambda one=one: asyncio.run(listen(one)) for one in listeners),
    )
    assert sorted(numbers(received[0])) == list(range(400))
    assert all(one == received[0] for one in received)
    for start in range(0, 400, 100):
        assert [n for n in numbers(received[0]) if start <= n < start + 100] == list(
            range(start, start + 100)
        )


def test_a_trio_loop_sends_and_listens(stream: ProjectEventStream) -> None:
    received: list[Any] = []
    listeners = [stream.create_stream("p"), stream.create_stream("p")]

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, listeners[0])
            await anyio.wait_all_tasks_blocked()
            for number in range(20):
                await send(stream, number)
            stream.close_stream("p")

    async def listen(listener: Listener) -> None:
        received.append(numbers(await receive_rest(listener)))

    in_threads(lambda: trio.run(both), lambda: asyncio.run(listen(listeners[1])))
    assert received == [list(range(20))] * 2


def test_a_cancelled_get_loses_no_event(stream: ProjectEventStream) -> None:
    async def main() -> None:
        listener = stream.create_stream("p")
        for number in range(5):
            with anyio.move_on_after(0.001):
                await listener.get()
                raise AssertionError("nothing was sent")
            await send(stream, number)
            assert numbers(await receive(listener, 1)) == [number]

    asyncio.run(main())
    trio.run(main)


def test_a_closed_loop_does_not_stop_other_listeners(stream: ProjectEventStream) -> None:
    listener = stream.create_stream("p")

    async def wait_in_vain() -> None:
        with anyio.move_on_after(0.001):
            await listener.get()

    asyncio.run(wait_in_vain())

    async def send_and_receive() -> None:
        await send(stream, 1)
        assert numbers(await receive(listener, 1)) == [1]

    asyncio.run(send_and_receive())


def test_a_thousand_listeners_get_every_event(stream: ProjectEventStream) -> None:
    async def main() -> None:
        listeners = [stream.listen("p", after="" if n % 2 else None) for n in range(1_000)]
        received = list[list[Any]]()

        async def listen(listener: Listener) -> None:
            received.append(numbers(await receive_rest(listener)))

        async with anyio.create_task_group() as tasks:
            for listener in listeners:
                tasks.start_soon(listen, listener)
            for start in range(0, 100, 5):
                await send(stream, *range(start, start + 5))
            await stream.aclose_stream("p")
        assert received == [list(range(100))] * 1_000

    asyncio.run(main())


def test_a_thousand_projects_have_a_listener_each(stream: ProjectEventStream) -> None:
    async def main() -> None:
        names = [f"p{n}" for n in range(1_000)]
        listeners = [stream.create_stream(name) for name in names]
        async with anyio.create_task_group() as tasks:
            for n, name in enumerate(names):
                tasks.start_soon(partial(send, stream, n, project=name))
        assert [numbers(await receive(listener, 1)) for listener in listeners] == [[n] for n in range(1_000)]
        for listener in listeners:
            listener.close()
        assert len(await stream.projects()) == 1_000

    asyncio.run(main())


def test_the_interpreter_can_end_with_an_open_listener(url: str) -> None:
    import subprocess  # noqa: PLC0415 - for this test alone

    source = (
        "import asyncio\n"
        "from vibe_notebook.projects import ProjectEventStream\n"
        f"stream = ProjectEventStream({url!r})\n"
        "listener = stream.create_stream('p')\n"
        "asyncio.run(stream.send_event('p', 'note', 1))\n"
        "print(asyncio.run(listener.get())['data'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)

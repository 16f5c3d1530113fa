"""Tests of failing threads: every waiting caller gets the error, and the next call works."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from tests.projects.listening import SECONDS, numbers, receive, send, stored
from vibe_notebook.events import TextDelta
from vibe_notebook.exceptions import LogError
from vibe_notebook.projects import ProjectEventStream, open_log, publish
from vibe_notebook.projects._redis import reader as _redis_reader
from vibe_notebook.projects._redis import worker as _redis_worker
from vibe_notebook.projects._sqlite_store import Tables
from vibe_notebook.registry import Registry, Subscription
from vibe_notebook.server import serve_in_background

Open = Callable[..., ProjectEventStream]
pytestmark = pytest.mark.anyio

FAULTS = [MemoryError("no room"), OverflowError("too large"), RecursionError("deep"), SystemExit(3)]
"""An error of each kind. The last one ends a thread without a traceback."""

HUGE = [
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "9" * 20,
]
"""Around 63 and 64 bits."""


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"], indirect=True)
async def test_no_number_in_an_id_breaks_a_log(
    stream: ProjectEventStream, record_property: Callable[[str, object], None]
) -> None:
    (first,) = await send(stream, 1)
    epoch = first.partition("-")[0]
    ids_read = [
        form for number in HUGE for form in (number, f"{epoch}-{number}", f"{number}-{number}", f"0-{number}")
    ]
    with anyio.fail_after(SECONDS):
        found = [stored(await stream.read("p", after)) for after in ids_read]
        assert stored(await stream.read("p")) == [1]
        await send(stream, 2)
    assert set(map(str, found)) <= {"['ahead']", "['ahead', 1]", "['gone', 1]", "['gone']", "[1]"}
    record_property("ids answered", len(ids_read))


def test_no_number_in_a_request_breaks_the_servers_log(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    ids_read = 0
    with serve_in_background(log=f"sqlite:///{tmp_path}/events.db") as server:
        where = f"{server.url}/projects/p"
        (first,) = httpx2.post(f"{where}/events", json={"event_type": "note", "data": 1}).json()["ids"]
        epoch = first.partition("-")[0]
        for number in [*HUGE, "9" * 21, "9" * 5_000, "-1", "1e308", "٣", "0x10"]:
            for after in (number, f"{epoch}-{number}"):
                header = {"Last-Event-ID": after} if after.isascii() else {}
                with httpx2.stream(
                    "GET", f"{where}/stream", params={"last_event_id": after}, headers=header, timeout=10
                ) as answer:
                    is_id = number in HUGE
                    assert answer.status_code == (200 if is_id else 400), (after[:40], answer.status_code)
                    if is_id:
                        lines = answer.iter_lines()
                        assert any(line in ("event: gap", "event: note") for line in lines)
                ids_read += 1
        assert httpx2.get(f"{server.url}/health", timeout=10).json()["status"] == "ok"
    record_property("requests answered", ids_read)


@pytest.mark.parametrize(
    "option",
    ["max_events=9223372036854775808", "max_events=" + "9" * 5_000, "max_events=-1", "max_events=1_0"],
)
def test_a_log_refuses_a_number_outside_of_its_options_range(option: str) -> None:
    for url in (f"memory:?{option}", f"redis://localhost:1?{option}"):
        with pytest.raises(ValueError, match="max_events"):
            open_log(url)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("method", ["read", "append", "projects", "place"])
async def test_any_error_in_the_thread_of_sqlite_raises_in_the_caller_and_the_next_call_works(
    tmp_path: Path,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: BaseException,
    method: str,
) -> None:
    stream = opened(f"sqlite:///{tmp_path}/events.db")
    await send(stream, 1)
    calls: dict[str, Callable[[], Any]] = {
        "read": lambda: stream.read("p"),
        "append": lambda: send(stream, 2),
        "projects": stream.projects,
        "place": lambda: receive(stream.create_stream("p"), 1),
    }

    def broken(*_: object) -> object:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(Tables, method, broken)
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=type(fault).__name__) as caught:
            await calls[method]()
    assert caught.value.__cause__ is fault
    assert type(fault).__name__ in caplog.text
    with anyio.fail_after(SECONDS):
        await send(stream, 3)
        assert stored(await stream.read("p")) == [1, 3]
        listener = stream.create_stream("p")
        await send(stream, 4)
        assert numbers(await receive(listener, 1)) == [4]


async def test_all_waiting_callers_get_an_error_when_the_thread_of_sqlite_ends(
    tmp_path: Path,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    stream = opened(f"sqlite:///{tmp_path}/events.db")
    await send(stream, 1)
    listener = stream.create_stream("p")
    begun, may_fail = threading.Event(), threading.Event()

    def broken(*_: object) -> object:
        begun.set()
        may_fail.wait(SECONDS)
        raise SystemExit

    errors: list[BaseException] = []

    async def call(work: Callable[[], Any]) -> None:
        try:
            await work()
        except LogError as error:
            errors.append(error)

    with monkeypatch.context() as patched, anyio.fail_after(SECONDS):
        patched.setattr(Tables, "read", broken)
        async with anyio.create_task_group() as group:
            group.start_soon(call, lambda: stream.read("p"))
            group.start_soon(call, listener.get)
            await asyncio.to_thread(begun.wait, SECONDS)
            for number in range(20):
                group.start_soon(call, lambda number=number: send(stream, number))
            await anyio.lowlevel.checkpoint()
            may_fail.set()
    assert len(errors) >= 2  # the read and the listener; the next thread may serve some senders
    assert all("SystemExit" in str(error) for error in errors)
    with anyio.fail_after(SECONDS):
        await send(stream, 99)
    record_property("callers with an error", len(errors))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_fault_of_the_writer_of_sqlite_ends_no_listener_and_a_fault_of_an_opening_fails_only_its_callers(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    stream = opened(f"sqlite:///{tmp_path}/events.db")

    def broken(*_: object) -> object:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(Tables, "_prepare", broken)
        for call in (stream.projects(), send(stream, 0)):
            with anyio.fail_after(SECONDS), pytest.raises(LogError, match=type(fault).__name__):
                await call
    listener = stream.create_stream("p")
    await send(stream, 1)
    with monkeypatch.context() as patched:
        patched.setattr(Tables, "append", broken)
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=type(fault).__name__):
            await send(stream, 2)
    await send(stream, 3)
    assert numbers(await receive(listener, 2)) == [1, 3]


async def test_a_batch_that_no_table_accepts_fails_alone(tmp_path: Path, opened: Open) -> None:
    stream = opened(f"sqlite:///{tmp_path}/events.db")
    failed: list[BaseException] = []

    async def sent(number: int) -> None:
        key = "\ud800" if number == 5 else f"key {number}"
        try:
            await stream.send_events("p", [("note", {"n": number})], key=key)
        except LogError as error:
            failed.append(error)

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(sent, number)
        assert sorted(stored(await stream.read("p"))) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert len(failed) == 1
    assert "surrogates" in str(failed[0])


@pytest.mark.parametrize("name", ["sqlite", "redis"])
async def test_a_call_fails_if_no_thread_can_start_and_the_next_call_works(
    name: str, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    url = (
        f"sqlite:///{tmp_path}/events.db"
        if name == "sqlite"
        else f"{request.getfixturevalue('redis_server').url}?prefix=threads:"
    )
    stream = opened(url)

    def cannot(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", cannot)
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match="can't start new thread"):
            await send(stream, 1)
    with anyio.fail_after(SECONDS):
        await send(stream, 2)
        assert stored(await stream.read("p")) == [2]


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_any_error_in_the_thread_of_redis_raises_in_the_callers_and_the_next_call_works(
    stream: ProjectEventStream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: BaseException,
) -> None:
    await send(stream, 1)
    listener = stream.create_stream("p")

    async def broken(*_: object) -> object:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(_redis_worker.Worker, "_run", broken)
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=type(fault).__name__):
            await send(stream, 2)
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=type(fault).__name__):
            await listener.get()
    assert type(fault).__name__ in caplog.text
    with anyio.fail_after(SECONDS):
        await send(stream, 3)
        assert stored(await stream.read("p")) == [1, 3]
        await stream.aclose()


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_any_error_in_the_reader_of_redis_raises_in_the_listeners_and_the_next_call_works(
    stream: ProjectEventStream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: BaseException,
) -> None:
    listener = stream.create_stream("p")
    await send(stream, 1)
    assert numbers(await receive(listener, 1)) == [1]

    async def broken(*_: object) -> object:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(_redis_reader.Reader, "_fill", broken)
        with contextlib.suppress(LogError):  # the reader may fail before or after this append
            await send(stream, 2)
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=type(fault).__name__):
            await listener.get()
    assert type(fault).__name__ in caplog.text
    again = stream.create_stream("p")
    with anyio.fail_after(SECONDS):
        await send(stream, 3)
        assert numbers(await receive(again, 1)) == [3]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_publisher_reads_on_after_any_error_of_its_reading(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry, stream = Registry(), ProjectEventStream()
    real, faults = Subscription.__anext__, [fault]

    async def read(subscription: Subscription) -> object:
        if faults:
            raise faults.pop()
        return await real(subscription)

    monkeypatch.setattr(Subscription, "__anext__", read)
    publisher = publish(registry, "p", stream)
    registry.dispatch([_word("a"), _word("b")])
    with pytest.warns(RuntimeWarning, match=type(fault).__name__):
        publisher.close(timeout=SECONDS)
    assert publisher.sent == 2
    assert type(fault).__name__ in caplog.text


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_publisher_survives_any_error_in_its_thread(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry, stream = Registry(), ProjectEventStream()
    real, faults = stream.send_events, [fault]

    async def send_events(*args: Any, **options: Any) -> list[str]:
        if faults:
            raise faults.pop()
        return await real(*args, **options)

    monkeypatch.setattr(stream, "send_events", send_events)
    with publish(registry, "p", stream) as publisher:
        registry.dispatch([_word("a"), _word("b")])
    assert publisher.error is None
    assert publisher.sent == 2
    assert type(fault).__name__ in caplog.text


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_publisher_leaves_out_an_event_that_always_fails_and_reports_it(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry, stream = Registry(), ProjectEventStream()
    real = stream.send_events

    async def send_events(project_id: str, items: Any, **options: Any) -> list[str]:
        if "poison" in str(items):
            raise fault
        return await real(project_id, items, **options)

    monkeypatch.setattr(stream, "send_events", send_events)
    publisher = publish(registry, "p", stream)
    registry.dispatch([_word("a"), _word("poison"), _word("b")])
    with pytest.warns(RuntimeWarning, match=type(fault).__name__):
        publisher.close(timeout=SECONDS)
    assert publisher.sent == 2
    assert publisher.pending == 0
    assert type(fault).__name__ in caplog.text


def test_a_publisher_reports_the_end_of_its_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    registry = Registry()

    async def closing(self: object) -> None:
        raise SystemExit(1)

    monkeypatch.setattr("vibe_notebook.projects._delivery._LogDestination.aclose", closing)
    publisher = publish(registry, "p", ProjectEventStream())
    registry.dispatch(_word("a"))
    with pytest.warns(RuntimeWarning, match="SystemExit"):
        publisher.close()
    assert "SystemExit" in caplog.text
    assert not [thread for thread in threading.enumerate() if thread.name == "vibe-publish"]


def _word(text: str) -> TextDelta:
    return TextDelta(agent_id="a", run_id="r", delta=text, ts=time.time())

"""Tests of the Redis log alone: a lost server, trimmed streams, foreign keys, its thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import numbers, receive, send, stored
from tests.projects.redis_server import MISSING, PROGRAM, RedisServer
from vibe_notebook.exceptions import LogError, MissingExtraError, ProtocolError
from vibe_notebook.projects import ProjectEventStream, open_log
from vibe_notebook.projects._redis import reader as _redis_reader
from vibe_notebook.projects._redis import worker as _redis_worker

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(PROGRAM is None, reason=MISSING)]


@pytest.fixture
def kind() -> str:
    return "redis"


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server that the test may harm."""
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.stop()


async def ask(url: str, *command: Any) -> Any:
    """Send a command over another connection, and return the reply."""
    from redis.asyncio import Redis  # noqa: PLC0415 - the module is skipped without it

    async with Redis.from_url(url.partition("?")[0], protocol=2) as client:
        return await client.execute_command(*command)


async def test_a_lost_server_fails_senders_and_listeners_and_the_next_call_connects_again(
    own_server: RedisServer, opened: Open
) -> None:
    stream = opened(own_server.url)
    listener = stream.create_stream("p")
    ids = await send(stream, 1)
    assert numbers(await receive(listener, 1)) == [1]
    own_server.stop(kill=True)
    with pytest.raises(LogError, match=f"127.0.0.1:{own_server.port}"):
        await receive(listener, 1)
    with pytest.raises(LogError):
        await send(stream, 2)
    failed = stream.create_stream("p")
    with pytest.raises(LogError):
        await receive(failed, 1)
    with pytest.raises(LogError):
        stream.get_stream("q")
    own_server.start()
    again = stream.listen("p", after=ids[0])
    await send(stream, 3)
    assert numbers(await receive(again, 1)) == [3]


async def test_a_server_that_lost_its_entries_causes_a_gap(own_server: RedisServer, opened: Open) -> None:
    stream = opened(own_server.url)
    ids = await send(stream, 1, 2)
    await ask(own_server.url, "FLUSHALL")
    assert stored(await stream.read("p", ids[1])) == ["gone"]
    # After a failover to a replica that lacks the newest entries, the last id is older.
    await ask(own_server.url, "XADD", "vibe:events:p", "5-1", "e", "note", "d", '{"n":0}')
    assert stored(await stream.read("p", ids[1])) == ["ahead"]


async def test_a_new_listener_does_not_wait_for_the_end_of_the_running_read(
    stream: ProjectEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redis_reader, "BLOCK", 600)
    for number in range(20):
        listener = stream.create_stream(f"p{number}")
        await send(stream, number, project=f"p{number}")
        assert numbers(await receive(listener, 1)) == [number]


async def test_a_connection_survives_reads_that_end_without_entries(
    stream: ProjectEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redis_reader, "BLOCK", 0.02)
    listener = stream.create_stream("p")
    await send(stream, 1)
    assert numbers(await receive(listener, 1)) == [1]
    await anyio.sleep(0.1)  # several XREADs without entries
    await send(stream, 2)
    assert numbers(await receive(listener, 1)) == [2]


async def test_entries_trimmed_before_the_reader_read_them_cause_a_gap(
    url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = opened(f"{url}&max_events=100")
    listener = stream.create_stream("p")
    await send(stream, 0)
    assert numbers(await receive(listener, 1)) == [0]
    # One script: for a reader all its entries appear at once.
    for start in range(1, 3_001, 1_000):
        script = "for i = 1, 1000 do redis.call('XADD', KEYS[1], 'MAXLEN', 100, '*', 'e', 'note', 'd', '{\"n\":' .. ARGV[1] + i - 1 .. '}') end"
        await ask(url, "EVAL", script, 1, stream.log._keys.stream("p"), start)  # type: ignore[attr-defined]
    batches = [await receive(listener, 1)]
    while numbers(batches[-1]) != [3_000]:
        batches.append(await receive(listener, 1))
    found = numbers(event for batch in batches for event in batch)
    assert "slow" in found
    assert [n for n in found if isinstance(n, int)] == sorted({n for n in found if isinstance(n, int)})
    await send(stream, 3_001)
    assert numbers(await receive(listener, 1)) == [3_001]


async def test_a_project_keeps_about_max_events_events(url: str, opened: Open) -> None:
    stream = opened(f"{url}&max_events=200")
    for start in range(0, 1_000, 50):
        await send(stream, *range(start, start + 50))
    (project,) = await stream.projects()
    assert 200 <= project.events < 400
    assert stored(await stream.read("p"))[0] == "trimmed"


async def test_foreign_entries_are_left_out_with_a_warning(
    url: str, stream: ProjectEventStream, caplog: pytest.LogCaptureFixture
) -> None:
    await send(stream, 1)
    listener = stream.listen("p", after="")
    key = stream.log._keys.stream("p")  # type: ignore[attr-defined]
    await ask(url, "XADD", key, "*", "field", "value")
    await send(stream, 2)
    with caplog.at_level(logging.WARNING):
        assert numbers(await receive(listener, 2)) == [1, 2]
    assert "not written by this log" in caplog.text


async def test_a_key_of_another_type_fails_only_its_own_sender(url: str, stream: ProjectEventStream) -> None:
    key = stream.log._keys.stream("bad")  # type: ignore[attr-defined]
    await ask(url, "SET", key, "text")
    async with anyio.create_task_group() as tasks:
        for n in range(5):
            tasks.start_soon(send, stream, n)
        with pytest.raises(LogError, match="WRONGTYPE"):
            await send(stream, 1, project="bad")
    assert sorted(stored(await stream.read("p"))) == [0, 1, 2, 3, 4]


async def test_keys_begin_with_the_prefix_and_idempotency_keys_expire(
    url: str, stream: ProjectEventStream
) -> None:
    await stream.send_events("p", [("note", {})], key="k")
    prefix = url.partition("prefix=")[2]
    keys = await ask(url, "KEYS", f"{prefix}*")
    assert sorted(keys) == [f"{prefix}events:p".encode(), f"{prefix}key:p\0k".encode()]
    assert 86_000 < await ask(url, "TTL", f"{prefix}key:p\0k") <= 86_400


async def test_an_idle_thread_ends_and_the_next_call_starts_another(
    stream: ProjectEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redis_worker, "IDLE", 0.01)
    await send(stream, 1)
    assert await ended()
    listener = stream.create_stream("p")
    await send(stream, 2)
    assert numbers(await receive(listener, 1)) == [2]
    await anyio.sleep(0.05)
    assert [thread for thread in threading.enumerate() if thread.name == "vibe event log"]
    listener.close()
    assert await ended()


async def ended() -> bool:
    for _ in range(2_000):
        if not [thread for thread in threading.enumerate() if thread.name == "vibe event log"]:
            return True
        await asyncio.sleep(0.005)
    return False


async def test_a_fault_in_the_thread_fails_all_waiting_callers(
    stream: ProjectEventStream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listener = stream.create_stream("p")
    await send(stream, 1)
    assert numbers(await receive(listener, 1)) == [1]

    def broken(*_: object) -> object:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(_redis_reader, "page", broken)
        with contextlib.suppress(LogError):  # the reader may fail before or after this append
            await send(stream, 2)
        with pytest.raises(LogError, match="a fault of ours"):
            await receive(listener, 1)
    assert "a fault of ours" in caplog.text
    assert len(await send(stream, 3)) == 1


async def test_an_error_does_not_show_the_password(own_server: RedisServer, opened: Open) -> None:
    stream = opened(own_server.url.replace("//", "//:s3cret@"))
    with pytest.raises(LogError) as caught:
        await send(stream, 1)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["?max_events=0", "?max_events=x", "?nothing=1", ":x/0"])
def test_a_wrong_redis_url_is_refused(wrong: str) -> None:
    with pytest.raises(ProtocolError, match="redis"):
        open_log(f"redis://localhost{wrong}")


def test_without_redis_py_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_redis", "_redis.worker"):
        monkeypatch.delitem(sys.modules, f"vibe_notebook.projects.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingExtraError, match=r"vibe_notebook\[redis\]"):
        open_log("redis://localhost")


def test_projects_import_neither_redis_nor_http() -> None:
    source = (
        "import sys, vibe_notebook.projects\n"
        "print(sorted({'redis', 'httpx2', 'http.client', 'starlette', 'uvicorn', 'sqlite3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""Tests of another life of a log: a follower learns of entries that the log has lost, and never silently goes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import SECONDS, numbers, receive, send, stored
from tests.projects.redis_server import DURABLE, MISSING, PROGRAM, RedisServer
from tests.server.serving import read
from tests.server.serving import send as post
from vibe_notebook.projects import Listener
from vibe_notebook.projects._redis import reader as _redis_reader
from vibe_notebook.server import serve_in_background

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(PROGRAM is None, reason=MISSING)]

Start = Callable[..., RedisServer]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Start]:
    """Start servers that a test may harm."""
    made: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        folder = tmp_path / f"redis{len(made)}"
        folder.mkdir()
        made.append(RedisServer(folder, *options))
        return made[-1]

    yield start
    for server in made:
        server.stop(kill=True)


async def ask(server: RedisServer, *command: Any) -> Any:
    from redis.asyncio import Redis  # noqa: PLC0415 - the module is skipped without it

    async with Redis.from_url(server.url, protocol=2) as client:
        return await client.execute_command(*command)


async def replicated(server: RedisServer) -> None:
    """Wait until the replica has all that the server has."""
    from redis.asyncio import Redis  # noqa: PLC0415 - as above

    async with Redis.from_url(server.url, protocol=2, single_connection_client=True) as client:
        await client.set("mark", 1)  # WAIT counts from the connection's own last write
        assert await client.execute_command("WAIT", 1, SECONDS * 1_000) == 1


async def found(listener: Listener, last: int) -> list[Any]:
    """Receive until the event *last*."""
    events: list[Any] = []
    with anyio.fail_after(SECONDS):
        while not events or events[-1] != last:
            events += numbers([await listener.get()])
    return events


async def test_a_live_listener_gets_a_gap_when_the_entries_of_its_stream_are_gone(
    redis: Start, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = redis()
    stream = opened(server.url)
    live = stream.listen("p", after="")
    await send(stream, 1, 2, 3)
    assert numbers(await receive(live, 3)) == [1, 2, 3]
    await ask(server, "FLUSHALL")
    await send(stream, 4)
    # The rest of the new stream follows the gap.
    assert await found(live, 4) == ["gone", 4]
    await send(stream, 5)
    assert await found(live, 5) == [5]
    # Without a new event the reader notices it after its next silence.
    monkeypatch.setattr(_redis_reader, "BLOCK", 0.05)
    await send(stream, 6)
    assert await found(live, 6) == [6]
    await ask(server, "DEL", "vibe:events:p")
    assert numbers(await receive(live, 1)) == ["gone"]
    await send(stream, 7)
    assert await found(live, 7) == [7]


async def test_a_listener_gets_a_gap_when_the_entries_go_before_the_reader_has_seen_them(
    redis: Start, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = redis()
    stream = opened(server.url)
    may_fill = threading.Event()
    fill = _redis_reader.Reader._fill

    async def late(reader: _redis_reader.Reader, names: list[str]) -> None:
        await asyncio.to_thread(may_fill.wait, SECONDS)
        await fill(reader, names)

    monkeypatch.setattr(_redis_reader.Reader, "_fill", late)
    live = stream.listen("p", after="")
    await send(stream, 1, 2, 3)
    assert numbers(await receive(live, 3)) == [1, 2, 3]
    await ask(server, "FLUSHALL")
    await send(stream, 4)
    may_fill.set()
    assert await found(live, 4) == ["gone", 4]


async def test_a_listener_that_comes_back_after_a_flush_gets_a_gap(redis: Start, opened: Open) -> None:
    server = redis()
    stream = opened(server.url)
    ids = await send(stream, *range(10))
    await ask(server, "FLUSHALL")
    assert stored(await stream.read("p", ids[4])) == ["gone"]
    await send(stream, 10, 11)
    for after in ids:
        assert stored(await stream.read("p", after)) == ["gone", 10, 11]
        listener = stream.listen("p", after=after)
        assert numbers(await receive(listener, 3)) == ["gone", 10, 11]
        listener.close()
    assert stored(await stream.read("p")) == [10, 11]


class Address:
    """Forward connections to one server, and after a failover to another one, as a virtual address does."""

    def __init__(self, server: RedisServer) -> None:
        self._target = server.port
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self._start(self._accept)

    def move(self, server: RedisServer) -> None:
        """Send further connections to *server*."""
        self._target = server.port
        self._cut()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._cut()
        for thread in self._threads:
            thread.join(SECONDS)
        for each in (self._listening, *self._open):
            each.close()

    def _start(self, work: Callable[..., None], *args: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _cut(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self._open.append(client)
                try:
                    self._open.append(socket.create_connection(("127.0.0.1", self._target)))
                except OSError:
                    client.shutdown(socket.SHUT_RDWR)
                    continue
                self._start(_copy, client, self._open[-1])
                self._start(_copy, self._open[-1], client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def failover(redis: Start) -> Iterator[tuple[Address, Callable[[], None], Callable[[], None]]]:
    """Return the address of a master with a replica, a function that cuts the replica off, and one that promotes it."""
    master = redis(*DURABLE, "--repl-diskless-sync-delay", "0")
    replica = redis(*DURABLE, "--replicaof", "127.0.0.1", str(master.port))
    address = Address(master)

    def cut_off() -> None:
        asyncio.run(replicated(master))
        asyncio.run(ask(replica, "REPLICAOF", "NO", "ONE"))

    def promote() -> None:
        master.stop(kill=True)
        address.move(replica)

    yield address, cut_off, promote
    address.close()


@pytest.mark.parametrize("has_new_events", [False, True])
def test_a_follower_gets_a_gap_after_a_failover_that_lost_the_events_that_it_has(
    failover: tuple[Address, Callable[[], None], Callable[[], None]], *, has_new_events: bool
) -> None:
    address, cut_off, promote = failover
    with serve_in_background(log=address.url) as server:
        kept = post(server.url, "p", *range(5))
        read(server.url, "p", limit=5)  # the replica knows the stream
        cut_off()
        lost = post(server.url, "p", *range(5, 10))
        promote()
        new = post_again(server.url, *range(10, 13)) if has_new_events else []
        for after in lost:
            events = read(server.url, "p", after, limit=1 + len(new))
            assert events[0].event == "gap"
            assert events[0].data["reason"] == ("gone" if has_new_events else "ahead")
            assert [event.id for event in events[1:]] == new
        # A follower that had none of the lost events misses nothing that the log has.
        assert [event.id for event in read(server.url, "p", kept[-2], limit=1 + len(new))] == [
            kept[-1],
            *new,
        ]


def post_again(url: str, *numbers: int) -> list[str]:
    """Post until the server has a new connection to its log."""
    for _ in range(200):
        with contextlib.suppress(AssertionError):
            return post(url, "p", *numbers)
    raise AssertionError("the log does not come back")


async def test_a_live_listener_gets_a_gap_after_a_failover(
    failover: tuple[Address, Callable[[], None], Callable[[], None]], opened: Open
) -> None:
    address, cut_off, promote = failover
    stream = opened(address.url)
    live = stream.listen("p", after="")
    await send(stream, 1, 2)
    assert numbers(await receive(live, 2)) == [1, 2]
    await asyncio.to_thread(cut_off)
    lost = await send(stream, 3, 4)
    assert numbers(await receive(live, 2)) == [3, 4]
    await asyncio.to_thread(promote)
    with pytest.raises(OSError, match="event log"), anyio.fail_after(SECONDS):
        await live.get()
    # A server ends the stream of such a listener, and its client comes back with its last id.
    for _ in range(200):
        with contextlib.suppress(OSError):
            await send(stream, 5)
            break
    assert await found(stream.listen("p", after=lost[-1]), 5) == ["gone", 5]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_follower_of_a_server_that_lost_its_log_gets_a_gap_that_says_so(kind: str, tmp_path: Path) -> None:
    url = "memory:" if kind == "memory" else f"sqlite:///{tmp_path}/events.db"
    with serve_in_background(log=url) as server:
        ids = post(server.url, "p", *range(5))
    for file in tmp_path.glob("events.db*"):
        file.unlink()
    with serve_in_background(log=url) as server:
        for after in (ids[2], ids[4]):
            (gap,) = read(server.url, "p", after, limit=1)
            assert (gap.event, gap.id, gap.data["reason"], gap.data["after"]) == ("gap", None, "gone", after)
        new = post(server.url, "p", 7)
        gap, event = read(server.url, "p", ids[2], limit=2)
        assert (gap.event, gap.data["reason"]) == ("gap", "gone")
        assert event.id == new[0]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_a_live_listener_gets_a_gap_for_entries_that_another_process_appends_and_trims_at_once(
    kind: str, url: str, opened: Open
) -> None:
    one, other = opened(url), opened(url)
    live = one.create_stream("p")
    await send(one, 0)
    assert numbers(await receive(live, 1)) == [0]
    following = one.log._following if kind == "sqlite" else contextlib.nullcontext()  # type: ignore[attr-defined]
    with following:
        for start in range(1, 3_001, 500):
            await send(other, *range(start, start + 500))
        await other.log.trim("p", 100)
    received = await found(live, 3_000)
    assert "slow" in received
    assert received[-100:] == list(range(2_901, 3_001))
    assert [n for n in received if n != "slow"] == sorted({n for n in received if n != "slow"})

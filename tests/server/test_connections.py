"""Tests of the bounds before the app: bytes of a head, silent and slow clients, clients that read nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from vibe_notebook.server import Limits
from vibe_notebook.server._connections import (
    ADDRESS_BYTES,
    GRACE,
    HEADERS,
    LINGER,
    PIPELINED,
    Connection,
    Phase,
    sweep,
)
from vibe_notebook.testing import FakeClock

LIMITS = Limits(head_bytes=4_096, head_seconds=10, body_seconds=60, send_seconds=30)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = 12_000_000
MOST_TURNS = 20_000
"""Turns of the event loop that a test waits for a condition, at most."""


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(MOST_TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never held")


class Counted(Connection):
    """Count the bytes that the server has read."""

    parsed = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.parsed += len(data)


@dataclass
class Client:
    """Hold a client's end of a connection, and the server's end of it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: Counted

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """Read until the server's end of the connection."""
        with contextlib.suppress(ConnectionResetError):
            return await self.reader.read()
        return b""


@dataclass
class Running:
    """Run connections in this event loop, under a clock that only the test advances."""

    port: int
    state: ServerState
    clock: FakeClock
    requests: list[bytes] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    clients: list[Client] = field(default_factory=list)

    async def connect(self, data: bytes = b"", receive_buffer: int | None = None) -> Client:
        before = set(self.state.connections)
        end = socket.socket()
        if receive_buffer is not None:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=end)
        await until(lambda: len(self.state.connections) > len(before))
        (server,) = set(self.state.connections) - before
        assert isinstance(server, Counted)
        client = Client(reader, writer, server)
        self.clients.append(client)
        if data:
            await client.send(data)
        return client

    def pass_time(self, seconds: float, room: int = 1_000) -> None:
        """Let whole seconds pass, with a sweep in each."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            sweep(self.state.connections, room, self.clock.now)


@contextlib.asynccontextmanager
async def running(limits: Limits = LIMITS) -> AsyncIterator[Running]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        run.requests.append(scope["raw_path"])
        if scope["raw_path"] == b"/held":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await run.release.wait()
            await send({"type": "http.response.body", "body": b"last"})
            return
        if scope["raw_path"] == b"/large":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(LARGE)})
            return
        if scope["raw_path"] != b"/early":
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
            if message["type"] == "http.disconnect":
                return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
    config.load()
    state, clock = ServerState(), FakeClock()
    make = partial(Counted, config, state, {}, limits=limits, clock=clock)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    run = Running(server.sockets[0].getsockname()[1], state, clock)
    try:
        yield run
    finally:
        run.release.set()
        for client in run.clients:
            client.writer.close()
        await until(lambda: not state.connections)
        server.close()


def check(body: Callable[[Running], Awaitable[None]], limits: Limits = LIMITS) -> None:
    async def main() -> None:
        async with running(limits) as run:
            await body(run)

    asyncio.run(main())


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 10_000_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 2_000_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (HEADERS + 1) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a" * 5_000_000, 431),
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * ADDRESS_BYTES + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"a" * 100_000, 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\n\r\n", 400),
        ("GET /é HTTP/1.1\r\n\r\n".encode(), 400),
        (POST.replace(b": 5", b": -1"), 400),
        (POST.replace(b": 5", b": 5\r\nContent-Length: 6") + b"hello", 400),
        (CHUNKED + b"5;" + b"x" * 1_000_000, 400),
        (CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: a\r\n" * 200_000, 431),
        (CHUNKED + b"1\r\nx\r\n0\r\nX: " + b"a" * 1_000_000, 400),
        (CHUNKED + b"zz\r\n", 400),
    ],
    ids=range(18),
)
def test_a_request_beyond_a_bound_never_reaches_the_app_as_a_whole(
    request_bytes: bytes, expected: int
) -> None:
    async def body(run: Running) -> None:
        client = await run.connect()
        sending = asyncio.ensure_future(client.send(request_bytes))
        answer = await client.answer()
        assert status(answer) == expected
        assert b"x-content-type-options: nosniff\r\n" in answer
        assert b"content-security-policy: default-src 'none'" in answer
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    check(body, Limits(head_bytes=32_768))


@pytest.mark.parametrize("cut", [1, 7, 4_000, 4_097, 100_000])
def test_a_large_head_is_refused_however_it_is_cut(cut: int) -> None:
    data = b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000

    async def body(run: Running) -> None:
        client = await run.connect()
        parsed = 0
        for start in range(0, len(data), cut):
            if client.server.is_refused:
                break
            client.server.data_received(data[start : start + cut])
            parsed += cut
        assert client.server.is_refused
        assert parsed <= LIMITS.head_bytes + cut
        assert run.requests == []

    check(body)


def test_requests_within_the_bounds_are_answered_also_one_by_one_over_one_connection() -> None:
    large = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 4_000 + b"\r\n\r\n"
    chunks = CHUNKED + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"
    body_with_head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000

    async def body(run: Running) -> None:
        client = await run.connect()
        for _ in range(20):
            for data in (GET, large, POST + b"hello", chunks, body_with_head):
                await client.send(data)
                assert status(await client.reader.readuntil(b"\r\n\r\nok")) == 200
        assert len(run.requests) == 100

    check(body)


def test_pipelined_requests_are_answered_in_order_up_to_a_bound() -> None:
    async def body(run: Running) -> None:
        client = await run.connect(GET * PIPELINED)
        for _ in range(PIPELINED):
            assert status(await client.reader.readuntil(b"\r\n\r\nok")) == 200
        greedy = await run.connect(GET * 5_000)
        await greedy.answer()
        assert len(run.requests) <= 2 * PIPELINED + 1

    check(body)


@pytest.mark.parametrize(
    ("sent", "seconds", "expected"),
    [
        (b"", 10, 0),
        (b"\r\n", 10, 0),
        (b"GET / HTTP/1.1\r\nHost: ", 10, 0),
        (POST + b"he", 60, 408),
        (CHUNKED + b"1\r\nx\r\n", 60, 408),
        (GET, 10, 200),
        (POST.replace(b" / ", b" /early ") + b"he", 60, 200),
    ],
    ids=[
        "silent",
        "a line feed",
        "half a head",
        "half a body",
        "half a chunked body",
        "done",
        "answered early",
    ],
)
def test_a_client_that_sends_no_more_is_answered_and_closed_at_its_time(
    sent: bytes, seconds: int, expected: int
) -> None:
    async def body(run: Running) -> None:
        client = await run.connect(sent)
        await until(lambda: client.server.parsed == len(sent))
        await until(lambda: expected != 200 or client.server.cycle.response_complete)
        run.pass_time(seconds)
        assert not client.server.transport.is_closing()
        assert not client.server.is_refused
        run.pass_time(1)
        assert status(await client.answer()) == expected
        client.writer.close()

    check(body)


def test_a_byte_a_second_does_not_extend_the_time_of_a_head() -> None:
    async def body(run: Running) -> None:
        client = await run.connect()
        for byte in GET[:-4]:
            if client.server.transport.is_closing():
                break
            client.server.data_received(bytes([byte]))
            run.pass_time(1)
        assert run.clock.now <= LIMITS.head_seconds + 2
        assert await client.answer() == b""

    check(body)


def test_line_feeds_do_not_keep_an_answered_connection_open() -> None:
    async def body(run: Running) -> None:
        client = await run.connect(GET)
        await client.reader.readuntil(b"ok")
        for _ in range(int(LIMITS.head_seconds) + 1):
            client.server.data_received(b"\r\n")
            run.pass_time(1)
        assert await client.answer() == b""

    check(body)


def test_a_refused_client_that_never_closes_is_closed() -> None:
    async def body(run: Running) -> None:
        client = await run.connect(b"no http\r\n\r\n")
        await until(lambda: client.server.is_refused)
        run.pass_time(LINGER + 1)
        await until(lambda: not run.state.connections)

    check(body)


def test_the_oldest_waiting_connections_make_room_and_no_listener_does() -> None:
    async def body(run: Running) -> None:
        listener = await run.connect(b"GET /held HTTP/1.1\r\n\r\n")
        await listener.reader.readuntil(b"first")
        old = [await run.connect(b"GET" * (number % 2)) for number in range(40)]
        await until(lambda: sum(client.server._phase is Phase.HEAD for client in old) == 20)
        run.pass_time(GRACE + 1, room=1_000)
        new = []
        for _ in range(20):
            run.clock.advance(0.01)
            new.append(await run.connect())
        sweep(run.state.connections, 10, run.clock.now)
        await until(lambda: all(client.server not in run.state.connections for client in old))
        assert all(client.server in run.state.connections for client in new)
        run.pass_time(1, room=10)
        await until(lambda: len(run.state.connections) == 1 + 10)
        assert [client.server in run.state.connections for client in new] == [False] * 10 + [True] * 10
        run.release.set()
        assert b"last" in await listener.reader.readuntil(b"0\r\n\r\n")

    check(body)


def test_a_client_that_reads_nothing_is_dropped_and_a_slow_one_gets_the_whole_answer() -> None:
    async def body(run: Running) -> None:
        deaf = await run.connect(b"GET /large HTTP/1.1\r\n\r\n", receive_buffer=8_192)
        slow = await run.connect(b"GET /large HTTP/1.0\r\n\r\n", receive_buffer=262_144)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: len(run.requests) == 2)
        size, before = 0, 0
        while data := await slow.reader.read(65_536):
            size += len(data)
            left = slow.server.transport.get_write_buffer_size()
            if left != before:  # the kernel's buffers hide most reads from the server
                run.pass_time(1)
            before = left
        assert size > LARGE
        run.pass_time(10)
        await until(lambda: not run.state.connections)
        assert run.clock.now > 10

    check(body, Limits(send_seconds=3, head_seconds=2))


def test_an_upgrade_is_answered_as_a_request_without_one() -> None:
    async def body(run: Running) -> None:
        headers = (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        client = await run.connect(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n" + b"\x81\x05hello"
        )
        assert status(await client.answer()) == 200
        assert run.requests == [b"/"]

    check(body)

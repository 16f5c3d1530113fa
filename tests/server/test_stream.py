"""Tests of a stream over HTTP: its start, its form, its end, and its independence from other listeners."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import threading
import time
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.server.serving import blocks, read, send, sent_events
from vibe_notebook.server import BackgroundServer, Limits, serve_in_background
from vibe_notebook.server._stream import _frames


def stream(
    client: httpx2.Client, project: str, after: str | None = None, **headers: str
) -> AbstractContextManager[httpx2.Response]:
    params = {} if after is None else {"last_event_id": after}
    return client.stream("GET", f"/projects/{project}/stream", params=params, headers=headers)


def listeners(url: str) -> int:
    count: int = httpx2.get(f"{url}/health").json()["listeners"]
    return count


def wait_until_no_stream_is_open(url: str) -> None:
    end = time.monotonic() + 10
    while listeners(url) and time.monotonic() < end:
        time.sleep(0.02)
    assert listeners(url) == 0


def test_a_stream_has_the_headers_and_blocks_that_proxies_and_browsers_need(
    server: BackgroundServer, project: str
) -> None:
    ids = send(server.url, project, 1)
    with httpx2.Client(base_url=server.url) as client, stream(client, project, "0") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        found = blocks(response.iter_lines())
        assert next(found) == {"retry": "2000"}
        fields = next(found)
        assert json.loads(fields.pop("data")) == {"number": 1}
        assert fields == {"id": ids[0], "event": "note"}


def test_every_listener_gets_every_event(server: BackgroundServer, project: str) -> None:
    with httpx2.Client(base_url=server.url) as client, ExitStack() as stack:
        responses = [stack.enter_context(stream(client, project)) for _ in range(5)]
        ids = send(server.url, project, *range(50))
        for response in responses:
            found = sent_events(response)
            assert [next(found).id for _ in ids] == ids


def test_a_stream_starts_after_the_header_else_after_the_query_else_now(
    server: BackgroundServer, project: str
) -> None:
    ids = send(server.url, project, 1, 2, 3)
    with httpx2.Client(base_url=server.url) as client:
        with stream(client, project, ids[0], **{"Last-Event-ID": ids[1]}) as response:
            assert next(sent_events(response)).id == ids[2]
        with stream(client, project, ids[0]) as response:
            assert next(sent_events(response)).id == ids[1]
        with stream(client, project) as response:
            new = send(server.url, project, 4)
            assert next(sent_events(response)).id == new[0]


def test_the_address_of_vibexs_clients_works(server: BackgroundServer, project: str) -> None:
    ids = send(server.url, project, 1, 2)
    url = f"{server.url}/xagents/{project}/stream?user_id=ann&last_event_id={ids[0]}"
    with httpx2.stream("GET", url) as response:
        assert next(sent_events(response)).id == ids[1]


@pytest.mark.parametrize("junk", ["x", "$", "1-2-3", "-1", "1;2"])
def test_a_junk_id_is_refused(server: BackgroundServer, project: str, junk: str) -> None:
    url = f"{server.url}/projects/{project}/stream"
    for answer in (
        httpx2.get(url, params={"last_event_id": junk}),
        httpx2.get(url, headers={"Last-Event-ID": junk}),
    ):
        assert answer.status_code == 400
        assert "last_event_id" in answer.json()["error"]


def test_an_id_ahead_of_the_stream_causes_a_gap_without_an_id(server: BackgroundServer, project: str) -> None:
    last = send(server.url, project, 1)[-1]
    ahead = f"{int(last.partition('-')[0]) + 10**9}-0"
    first = read(server.url, project, ahead, limit=1)[0]
    assert first.event == "gap"
    assert first.id is None
    assert first.data["after"] == ahead
    assert first.data["reason"]


def test_a_closed_stream_ends_and_then_answers_204(server: BackgroundServer, project: str) -> None:
    ids = send(server.url, project, 1, 2)
    url = f"{server.url}/projects/{project}/stream"
    with httpx2.Client(base_url=server.url) as client, stream(client, project, "0") as response:
        assert httpx2.post(f"{server.url}/projects/{project}/close").json() == {"closed": True}
        assert [event.id for event in sent_events(response)] == ids
    assert [event.id for event in read(server.url, project, ids[0])] == ids[1:]
    for answer in (httpx2.get(url), httpx2.get(url, headers={"Last-Event-ID": ids[1]})):
        assert answer.status_code == 204
        assert answer.content == b""


def test_a_head_request_opens_no_stream(server: BackgroundServer, project: str) -> None:
    answer = httpx2.head(f"{server.url}/projects/{project}/stream")
    assert answer.status_code == 200
    assert listeners(server.url) == 0


def test_comments_keep_a_quiet_stream_open() -> None:
    with (
        serve_in_background(heartbeat=0.05) as server,
        httpx2.stream("GET", f"{server.url}/projects/p/stream") as response,
    ):
        lines = response.iter_lines()
        assert [line for line, _ in zip(lines, range(6), strict=False) if line][1:] == [": ping", ": ping"]


def test_the_number_of_streams_is_limited_and_ended_streams_do_not_count() -> None:
    limits = Limits(listeners=3, listeners_per_project=2)
    with (
        serve_in_background(limits=limits) as server,
        httpx2.Client(base_url=server.url) as client,
    ):
        with ExitStack() as stack:
            for project in "aab":
                assert stack.enter_context(stream(client, project)).status_code == 200
            full = stack.enter_context(stream(client, "c"))
            assert full.status_code == 503
            assert full.headers["retry-after"]
        wait_until_no_stream_is_open(server.url)
        with ExitStack() as stack:
            for status in (200, 200, 429):
                assert stack.enter_context(stream(client, "a")).status_code == status
        wait_until_no_stream_is_open(server.url)


def test_a_stream_ends_after_stream_seconds() -> None:
    with serve_in_background(limits=Limits(stream_seconds=0.1)) as server:
        ids = send(server.url, "p", 1)
        assert [event.id for event in read(server.url, "p")] == ids
        assert listeners(server.url) == 0


def test_the_end_of_the_server_ends_streams_and_leaves_no_thread() -> None:
    before = threading.enumerate()
    with serve_in_background() as server, httpx2.Client(base_url=server.url) as client, ExitStack() as stack:
        responses = [stack.enter_context(stream(client, "p", "0")) for _ in range(3)]
        ids = send(server.url, "p", *range(10))
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 3
        for response in responses:
            assert [event.id for event in sent_events(response)] == ids  # a complete body: no error
    assert not server.is_running
    assert set(threading.enumerate()) <= set(before)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/health")


def test_several_servers_run_one_after_the_other_in_one_process() -> None:
    for _ in range(3):
        with serve_in_background() as server:
            ids = send(server.url, "p", 1)
            assert [event.id for event in read(server.url, "p", limit=1)] == ids


def connect(url: str, path: str, receive_buffer: int | None = None) -> socket.socket:
    """Open a stream that the test reads byte by byte."""
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(20)
    connection.connect((parts.hostname, parts.port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def test_a_client_that_leaves_in_the_middle_of_a_long_replay_does_not_block_the_server(
    server: BackgroundServer, project: str
) -> None:
    for begin in range(0, 8_000, 1_000):
        send(server.url, project, *range(begin, begin + 1_000))
    for _ in range(5):
        with connect(server.url, f"/projects/{project}/stream?last_event_id=0") as leaving:
            leaving.recv(1_000)
    began = time.monotonic()
    assert len(read(server.url, project, limit=8_000)) == 8_000
    wait_until_no_stream_is_open(server.url)
    assert time.monotonic() - began < 10


def test_a_listener_that_reads_single_bytes_does_not_delay_others(
    server: BackgroundServer, project: str
) -> None:
    wide = "x" * 20_000
    with connect(server.url, f"/projects/{project}/stream", receive_buffer=4_096) as slow:
        with httpx2.Client(base_url=server.url) as client, stream(client, project) as response:
            found = sent_events(response)
            began = time.monotonic()
            for number in range(500):  # 10 MB: more than the buffers of a socket hold
                answer = client.post(
                    f"/projects/{project}/events", json={"event": "wide", "data": [number, wide]}
                )
                assert answer.status_code == 201
                if number % 100 == 0:
                    slow.recv(1)
                assert next(found).data[0] == number
            assert time.monotonic() - began < 15
        assert listeners(server.url) >= 1


def test_a_listener_that_reads_nothing_is_dropped() -> None:
    with (
        serve_in_background(limits=Limits(send_seconds=0.3)) as server,
        connect(server.url, "/projects/p/stream", receive_buffer=4_096),
    ):
        for _ in range(40):
            httpx2.post(f"{server.url}/projects/p/events", json={"event": "wide", "data": "x" * 200_000})
        wait_until_no_stream_is_open(server.url)


class Endless:
    """Return a batch at once, each time: a log that is always ahead of its listener."""

    async def batch(self, _: int = 1) -> list[Any]:
        return [Framed()]

    def close(self) -> None:
        """Do nothing."""


class Framed:
    """Hold one event."""

    frame = b"id: 1-1\nevent: note\ndata: 1\n\n"


def test_a_stream_with_a_backlog_lets_other_tasks_run() -> None:
    async def counted() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        sent = 0
        async for _ in _frames(Endless(), None, 2.0, lambda: 0.0):
            sent += 1
            if sent == 100:
                break
        task.cancel()
        return turns

    assert asyncio.run(counted()) > 50


class Counting(asyncio.Protocol):
    """Receive a stream, and count its ids."""

    def __init__(self, path: str, wanted: int, done: asyncio.Event) -> None:
        self.path, self.wanted, self.done = path, wanted, done
        self.received = b""
        self.began = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        transport.write(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.began.set()  # the server sends the first bytes after it has attached the listener
        if self.received.count(b"\nid: ") == self.wanted:
            self.done.set()


def test_a_thousand_listeners_get_every_event_in_order(server: BackgroundServer, project: str) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the server and its clients are in this process
    many, wanted = 1_000, 20
    parts = urlsplit(server.url)

    async def listen() -> list[list[bytes]]:
        loop = asyncio.get_running_loop()
        made: list[Counting] = []
        for _ in range(many):
            listener = Counting(f"/projects/{project}/stream", wanted, asyncio.Event())
            await loop.create_connection(lambda listener=listener: listener, parts.hostname, parts.port)  # type: ignore[misc]
            made.append(listener)
        for listener in made:
            await listener.began.wait()
        for begin in range(0, wanted, 5):
            await asyncio.to_thread(send, server.url, project, *range(begin, begin + 5))
        for listener in made:
            await asyncio.wait_for(listener.done.wait(), 30)
            listener.transport.close()
        return [
            [line for line in listener.received.split(b"\n") if line.startswith(b"id: ")] for listener in made
        ]

    found = asyncio.run(listen())
    assert len(found) == many
    expected = [f"id: {event.id}".encode() for event in read(server.url, project, limit=wanted)]
    assert all(ids == expected for ids in found)
    wait_until_no_stream_is_open(server.url)


def test_events_that_arrive_during_a_pause_go_out_in_one_send() -> None:
    sent = [[Framed()], [Framed()] * 3]

    class TwoBatches(Endless):
        async def batch(self, _: int = 1) -> list[Any]:
            return sent.pop(0) if sent else []

    async def chunks() -> list[bytes]:
        return [chunk async for chunk in _frames(TwoBatches(), None, 2.0, lambda: 0.0)]

    assert asyncio.run(chunks()) == [b"retry: 2000\n\n", Framed.frame, Framed.frame * 3]

"""Tests of the bytes that a log, a listener and a server hold: bounded, also where the events are large."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import SECONDS
from vibe_notebook._limits import TAIL_BYTES, WINDOW_BYTES
from vibe_notebook.events import TextDelta
from vibe_notebook.projects import Entry, ProjectEventStream, publish
from vibe_notebook.projects import _publisher as publishing
from vibe_notebook.projects._listener import Listener
from vibe_notebook.projects._tail import Tail
from vibe_notebook.registry import Registry
from vibe_notebook.server import serve_in_background
from vibe_notebook.server._stream import CHUNK, _chunks

pytestmark = pytest.mark.anyio

LARGE = 300_000
HUGE = 3 << 20


def texts() -> list[str]:
    """Return texts of many sizes; the characters of some take four bytes each."""
    return [
        *("a" * LARGE for _ in range(8)),
        "h" * HUGE,
        *("\N{ROCKET}" * (LARGE // 4) for _ in range(8)),
        "\N{ROCKET}" * (HUGE // 4),
        *("s" * 10 for _ in range(300)),
        "h" * HUGE,
    ]


def size(entries: list[Entry]) -> int:
    """Return the bytes of entries as Python holds them."""
    widest = max((max(map(ord, entry.data)) for entry in entries), default=0)
    width = 1 if widest < 256 else 4
    return sum(len(entry.data) * (width if not entry.data.isascii() else 1) for entry in entries)


def check_window(entries: list[Entry]) -> None:
    assert len(entries) == 1 or size(entries) <= WINDOW_BYTES


async def fill(stream: ProjectEventStream, record: Callable[[str, object], None] | None = None) -> list[str]:
    ids = await stream.send_events("p", [("note", text) for text in texts()])
    if record is not None:
        record("bytes sent", sum(len(text.encode()) for text in texts()))
    return ids


async def test_one_read_returns_a_window_of_bytes_or_one_event(
    stream: ProjectEventStream, record_property: Callable[[str, object], None]
) -> None:
    await fill(stream, record_property)
    found, after, reads = list[str](), "", 0
    while rows := await stream.read("p", after, 10_000):
        entries = [row for row in rows if isinstance(row, Entry)]
        check_window(entries)
        found += [json.loads(entry.data) for entry in entries]
        after, reads = entries[-1].id, reads + 1
    assert found == texts()
    record_property("reads", reads)


@pytest.mark.parametrize("is_late", [True, False])
async def test_a_listener_holds_a_window_of_bytes_or_one_event(
    url: str, opened: Open, *, is_late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[list[Entry]] = []
    extend = Tail.extend

    def recorded(tail: Tail, entries: list[Entry]) -> None:
        added.append(list(entries))
        extend(tail, entries)

    monkeypatch.setattr(Tail, "extend", recorded)
    stream = opened(url)
    if is_late:
        await fill(stream)
    listener: Listener = stream.listen("p", after="" if is_late else None)
    if not is_late:
        await asyncio.sleep(0)
        await fill(stream)
    found: list[str] = []
    with anyio.fail_after(SECONDS):
        while len(found) < len(texts()):
            batch = [row for row in await listener.batch(10_000) if isinstance(row, Entry)]
            check_window(batch)
            found += [json.loads(entry.data) for entry in batch]
    assert found == texts()
    for entries in added:
        check_window(entries)


async def test_the_tail_of_a_project_is_bounded_in_bytes(url: str, kind: str, opened: Open) -> None:
    limit = TAIL_BYTES if kind != "memory" else 1 << 20
    stream = opened(url + "?max_bytes=1048576" if kind == "memory" else url)
    listener = stream.create_stream("p")
    for _ in range(2 * limit // LARGE):
        await stream.send_event("p", "note", "\N{ROCKET}" * (LARGE // 4))
    with anyio.fail_after(SECONDS):
        await listener.get()
    tail = listener._tail
    assert tail is not None
    assert size(tail.entries) <= limit + limit // 8
    assert len(tail.entries) >= limit // LARGE - 1


class Framed:
    """Hold one event in the form of the wire."""

    def __init__(self, size: int) -> None:
        self.frame = b"x" * size


def test_a_send_to_a_socket_has_a_chunk_of_bytes_or_one_event_and_holds_no_event_that_is_sent() -> None:
    sizes = [10, CHUNK // 2, CHUNK // 2, 10, 3 * CHUNK, 20, 20, CHUNK - 1, 2]
    waiting = deque(Framed(size) for size in sizes)
    alive = [weakref.ref(framed) for framed in waiting]
    sent = 0
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    for chunk in _chunks(waiting):
        assert len(chunk) <= CHUNK or len(chunk) in sizes
        sent += len(chunk)
        assert sent in ends  # no send ends inside of an event
        done = ends.index(sent) + 1
        assert not any(framed() for framed in alive[:done])
    assert sent == sum(sizes)


@contextmanager
def slow_readers(url: str, count: int) -> Iterator[None]:
    """Open streams from the beginning, whose clients read the first bytes alone; then wait for their end."""
    parts = urlsplit(url)

    def listeners() -> object:
        return httpx2.get(f"{url}/health", timeout=SECONDS).json()["listeners"]

    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.settimeout(SECONDS)
            connection.connect((parts.hostname, parts.port))
            connection.sendall(b"GET /projects/p/stream?last_event_id=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while b"\nid: " not in connection.recv(1_000):
                pass
        assert listeners() == count
        yield
    while listeners():
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_slow_readers_of_large_events_make_the_server_hold_one_event_each(
    kind: str,
    url: str,
    record_property: Callable[[str, object], None],
) -> None:
    readers, events = 4, 8

    async def fill_log() -> None:
        async with ProjectEventStream(url) as stream:
            for _ in range(events):
                await stream.send_event("p", "note", "x" * HUGE)

    asyncio.run(fill_log())
    with serve_in_background(log=url) as server, slow_readers(server.url, readers):
        gc.collect()
        held = sum(len(each.data) for each in gc.get_objects() if type(each) is Entry)
    assert held <= readers * (HUGE + 2)
    record_property("bytes held by 4 slow readers", held)


def test_a_publisher_holds_a_bounded_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "WAITING_BYTES", 1_000_000)
    registry, stream = Registry(), ProjectEventStream()
    most = 0

    async def send_events(project_id: str, items: object, **options: object) -> list[str]:
        nonlocal most
        # The reader of the registry has had the time to read all.
        for _ in range(200):
            await asyncio.sleep(0)
        most = max(most, publisher._pump._waiting_size)
        return []

    monkeypatch.setattr(stream, "send_events", send_events)
    publisher = publish(registry, "p", stream)
    registry.dispatch([TextDelta(agent_id="a", run_id="r", delta="x" * 100_000) for _ in range(100)])
    publisher.close(SECONDS)
    assert publisher.sent == 100
    assert 0 < most <= 1_000_000 + 110_000

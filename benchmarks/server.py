"""Over HTTP: how many events a second reach how many listeners, and how soon; ours and others side by side.

``python -m benchmarks.server``. Server and listeners share one event loop, so one core does the
work of both ends: what is compared is processor time, and the listeners' share is the same for all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from vibe_notebook.projects import ProjectEventStream
from vibe_notebook.server import Limits, create_app

PAYLOAD: Final = {"message_id": "m" * 36, "part_index": 0, "type": "text", "delta": "x" * 64}
"""156 bytes of JSON or so: a delta."""

AHEAD: Final = 2_000
"""Events that the sender may be ahead of the slowest listener: less than any log or queue keeps."""

SENDERS: Final = 50
"""Senders at a time, where logs are compared: each waits until its event is acknowledged."""

MANY: Final = 500
"""Listeners beyond which events come slower: each is to find the server at rest."""

Send = Callable[[int], Awaitable[object]]


@dataclass
class Listener(asyncio.Protocol):
    """Counts events, as cheaply as it can: what is measured is the server."""

    path: str
    count: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Callable[[bytes], None] | None = None
    transport: asyncio.Transport | None = None
    tail: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Count ids: one an event, in whatever way lines end."""
        self.began.set()
        joined = self.tail + data
        self.count += joined.count(b"\nid: ")
        self.tail = joined[-4:]
        if self.seen is not None and b"id: " in data:  # not a heartbeat
            self.seen(data)


def _same(listener: Listener) -> Listener:
    return listener


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[int]:
    """An app on a free port of this loop."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listening]))  # noqa: SLF001 - without its signal handlers
        await until(lambda: server.started)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def listening(port: int, path: str, count: int) -> AsyncIterator[list[Listener]]:
    """So many listeners, all connected."""
    loop = asyncio.get_running_loop()
    made = [Listener(path) for _ in range(count)]
    for listener in made:
        await loop.create_connection(partial(_same, listener), "127.0.0.1", port)
    for listener in made:
        await listener.began.wait()
    try:
        yield made
    finally:
        for listener in made:
            if listener.transport is not None:
                listener.transport.close()
        await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again: who is waited for has nothing to tell it by."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.0005)


async def throughput(
    listeners: list[Listener],
    send: Send,
    count: int,
    clock: Callable[[], float] = time.perf_counter,
    senders: int = 1,
) -> float:
    """Events that reach every listener in a second of *clock*; so many *senders* wait for their answers."""
    before = [listener.count for listener in listeners]
    began = clock()
    sent = 0

    def behind() -> int:
        return sent - min(one.count - was for one, was in zip(listeners, before, strict=True))

    while sent < count:
        if senders == 1:
            await send(sent)
        else:
            await asyncio.gather(*(send(sent + number) for number in range(senders)))
        sent += senders
        if sent % 100 == 0:
            await asyncio.sleep(0)
            await until(lambda: behind() <= AHEAD)
    await until(lambda: behind() <= 0)
    return count / (clock() - began)


async def latency(listeners: list[Listener], send: Send, count: int, rate: float) -> tuple[float, float]:
    """(p50, p95) in ms from the call of ``send`` to the first byte at every listener."""
    spent: list[float] = []
    began = 0.0
    for listener in listeners:
        listener.seen = lambda _: spent.append(time.perf_counter() - began)
    for number in range(count):
        began = time.perf_counter()
        await send(number)
        await asyncio.sleep(1 / rate)
    for listener in listeners:
        listener.seen = None
    ranked = statistics.quantiles(spent, n=100)
    return ranked[49] * 1000, ranked[94] * 1000


@contextlib.asynccontextmanager
async def ours(log: str, *, batch: int = 1) -> AsyncIterator[tuple[int, str, Send]]:
    """(port, path, send) of this package's server; *batch* events are sent at once, as a publisher does."""
    stream = ProjectEventStream(log)
    app = create_app(log=stream, limits=Limits(listeners_per_project=5_000))
    item = ("part_delta", PAYLOAD)

    async def send(number: int) -> None:
        if batch == 1:
            await stream.send_event("p", *item)
        elif number % batch == batch - 1:
            await stream.send_events("p", [item] * batch)

    async with served(app) as port:
        yield port, "/projects/p/stream", send
    await stream.aclose()


@contextlib.asynccontextmanager
async def plain(_: str) -> AsyncIterator[tuple[int, str, Send]]:
    """sse-starlette as its manual shows it: a queue a listener, each event a dict."""
    queues: set[asyncio.Queue[dict[str, str]]] = set()

    async def stream(_: Request) -> EventSourceResponse:
        queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        queues.add(queue)

        async def events() -> AsyncIterator[dict[str, str]]:
            yield {"event": "hello", "data": "{}"}
            try:
                while True:
                    yield await queue.get()
            finally:
                queues.discard(queue)

        return EventSourceResponse(events())

    async def send(number: int) -> None:
        event = {"id": str(number), "event": "part_delta", "data": json.dumps(PAYLOAD)}
        for queue in queues:
            queue.put_nowait(event)

    async with served(Starlette(routes=[Route("/stream", stream)])) as port:
        yield port, "/stream", send


@contextlib.asynccontextmanager
async def vibex(_: str) -> AsyncIterator[tuple[int, str, Send]]:
    """The origin's class behind sse-starlette, as its server has it; it serves one listener."""
    from vibex.server.streaming import ProjectEventStream as Origin  # noqa: PLC0415 - slow, and for this only

    logging.getLogger("vibex").setLevel(logging.ERROR)
    origin = Origin()

    async def stream(_: Request) -> EventSourceResponse:
        async def events() -> AsyncIterator[dict[str, Any]]:
            async for event in origin.stream_events("p"):
                yield event

        return EventSourceResponse(events())

    async def send(_: int) -> None:
        await origin.send_event("p", "part_delta", PAYLOAD)

    async with served(Starlette(routes=[Route("/stream", stream)])) as port:
        await send(0)  # its stream says nothing before its first event
        yield port, "/stream", send


@contextlib.contextmanager
def redis() -> Iterator[str | None]:
    """A Redis of our own, or nothing where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


async def rate_of(
    way: Any,
    log: str,
    count: int,
    listeners: int,
    clock: Callable[[], float] = time.perf_counter,
    senders: int = 1,
) -> float:
    """Events a second by one way."""
    async with way(log) as (port, path, send), listening(port, path, listeners) as made:
        await throughput(made, send, max(200, count // 10), clock, senders)  # warm
        return await throughput(made, send, count, clock, senders)


async def delay_of(log: str, count: int, listeners: int) -> tuple[float, float]:
    """(p50, p95) of our server."""
    async with ours(log) as (port, path, send), listening(port, path, listeners) as made:
        return await latency(made, send, count, 2 if listeners > MANY else 50)


def compared(repeat: int) -> list[str]:
    """The ways side by side: medians of processor time, and ratios to sse-starlette within each round."""
    lines = [
        "| way | listeners | events per CPU second | deliveries per CPU second | to sse-starlette with dicts |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for listeners, count in ((1, 20_000), (100, 3_000)):
        ways: dict[str, Any] = {
            "sse-starlette, dicts": plain,
            "vibe_notebook, one at a time": ours,
            "vibe_notebook, 20 at a time": partial(ours, batch=20),
        }
        if listeners == 1:
            ways["vibex 0.30.1"] = vibex
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeat):
            for name, way in ways.items():
                share = 5 if name.startswith("vibe_notebook") else 1
                rates[name].append(
                    asyncio.run(rate_of(way, "memory:", count * share, listeners, time.process_time))
                )
        for name, found in rates.items():
            floors = rates["sse-starlette, dicts"]
            ratio = statistics.median(one / floor for one, floor in zip(found, floors, strict=True))
            rate = statistics.median(found)
            lines.append(f"| {name} | {listeners} | {rate:,.0f} | {rate * listeners:,.0f} | {ratio:.1f} |")
    return lines


def by_log(repeat: int) -> list[str]:
    """Our server on each log."""
    lines = [
        "| log | listeners | events/s | deliveries/s | p50, ms | p95, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder, redis() as redis_url:
        logs = {"memory": "memory:", "SQLite": f"sqlite:///{Path(folder) / 'log.db'}", "Redis": redis_url}
        for name, log in logs.items():
            if log is None:
                continue
            for listeners, count, waits in ((1, 10_000, 100), (100, 2_000, 100), (1_000, 500, 10)):
                rates = [
                    asyncio.run(rate_of(ours, log, count, listeners, senders=SENDERS)) for _ in range(repeat)
                ]
                delays = [asyncio.run(delay_of(log, waits, listeners)) for _ in range(repeat)]
                rate = statistics.median(rates)
                p50, p95 = (statistics.median(column) for column in zip(*delays, strict=True))
                lines.append(
                    f"| {name} | {listeners:,} | {rate:,.0f} | {rate * listeners:,.0f} | {p50:.1f} | {p95:.1f} |"
                )
                print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure all, print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks.server")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; medians are given")
    parser.add_argument("--only", choices=("compared", "logs"))
    options = parser.parse_args()
    if options.only != "logs":
        print("\n".join(compared(options.repeat)), flush=True)
    if options.only != "compared":
        print("\n".join(by_log(options.repeat)), flush=True)


if __name__ == "__main__":
    main()

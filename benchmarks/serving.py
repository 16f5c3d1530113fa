"""Run a server and its listeners in one event loop, for ``benchmarks.server``.

The servers are this package's, sse-starlette alone, and vibex's. One core does the work of both ends;
the listeners' share is the same for all servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from vibe_notebook.projects import ProjectEventStream
from vibe_notebook.server import Limits, create_app

__all__ = ["Listener", "Send", "listening", "ours", "plain", "until", "vibex"]

PAYLOAD: Final = {"message_id": "m" * 36, "part_index": 0, "type": "text", "delta": "x" * 64}
"""156 bytes of JSON or so: a delta."""

Send = Callable[[int], Awaitable[object]]


@dataclass
class Listener(asyncio.Protocol):
    """Count events at the least cost, because the server is measured."""

    path: str
    count: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Callable[[bytes], None] | None = None
    transport: asyncio.Transport | None = None
    tail: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Request the stream."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Count the ids, one an event, for any line ends."""
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
    """Serve an app on a free port in this loop; yield the port."""
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
    """Connect *count* listeners; yield them once all have a stream."""
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
    """Poll *condition*: the servers and listeners offer no event to wait for."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.0005)


@contextlib.asynccontextmanager
async def ours(log: str, *, batch: int = 1) -> AsyncIterator[tuple[int, str, Send]]:
    """Yield (port, path, send) of this package's server; send *batch* events at once, as a publisher does."""
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
    """Yield (port, path, send) of sse-starlette as in its manual: a queue a listener, a dict an event."""
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
    """Yield (port, path, send) of vibex's class behind sse-starlette, as in its server, for one listener."""
    from vibex.server.streaming import ProjectEventStream as Origin  # noqa: PLC0415 - a slow import, for this only

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
        await send(0)  # vibex's stream sends no byte before its first event
        yield port, "/stream", send

"""A server and its listeners in one event loop: ours, sse-starlette alone, and the origin's.

For ``benchmarks.server``. One core does the work of both ends, and the listeners' share is the same for all.
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

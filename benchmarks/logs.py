"""Measure the logs of projects alone: acknowledged appends, and fan-out from Redis."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from vibe_notebook.projects import Listener, ProjectEventStream

from . import page

__all__ = ["BATCH", "PAYLOAD", "appends", "fan_out", "redis"]

PAYLOAD = '{"message_id":"' + "m" * 36 + '","part_index":0,"type":"text","delta":"' + "x" * 63 + '"}'
"""156 bytes of JSON: a delta."""

BATCH = 10
"""Events of one batch that the sender appends to Redis, one batch after the other."""


@contextlib.contextmanager
def redis(*options: str) -> Iterator[str | None]:
    """Run a separate Redis; yield its URL, or ``None`` without redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
        process = subprocess.Popen([program, *where, *options], stdout=subprocess.DEVNULL)
        try:
            for _ in range(500):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                    break
                time.sleep(0.01)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(30)


DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


async def _appends(url: str, senders: int, batch: int, events: int) -> float:
    """Return acknowledged events a second, for *senders* at a time and *batch* events in a batch."""
    async with ProjectEventStream(url) as stream:
        items = [("part_delta", PAYLOAD)] * batch

        async def send(count: int) -> None:
            for _ in range(count):
                await stream.log.append("p", items)

        await send(1)
        began = time.perf_counter()
        await asyncio.gather(*(send(events // batch // senders) for _ in range(senders)))
        return events / (time.perf_counter() - began)


def appends() -> str:
    """Return a table of the events a second of each log."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        redis("--appendonly", "no") as quick,
        redis(*DURABLE) as durable,
    ):
        logs = {
            "memory": "memory:",
            "SQLite, synchronous=normal": f"sqlite:///{Path(folder) / 'normal.db'}?synchronous=normal",
            "SQLite, synchronous=full": f"sqlite:///{Path(folder) / 'full.db'}",
            "Redis, no append-only file": quick,
            "Redis, appendfsync always": durable,
        }
        for name, url in logs.items():
            if url is None:
                continue
            shapes = ((1, 1, 1_000), (100, 1, 5_000), (1, 100, 20_000))
            found = [
                statistics.median(asyncio.run(_appends(url, senders, batch, events)) for _ in range(3))
                for senders, batch, events in shapes
            ]
            rows.append([name, *(f"{rate:,.0f}" for rate in found)])
            print(*rows[-1], flush=True)
    return page.table(("appends/s, acknowledged", "one by one", "100 senders", "batches of 100"), rows)


async def _one_read_each(url: str, listeners: int, events: int) -> float:
    """Measure the usual way: a connection and a blocking XREAD for each listener."""
    from redis.asyncio import Redis  # noqa: PLC0415 - an extra

    async def listen() -> None:
        async with Redis.from_url(url, protocol=2, socket_timeout=None) as client:
            last: Any = "0-0"
            left = events
            while left:
                found: Any = await client.xread({"each": last}, block=2_000, count=1_000)
                for _, entries in found or ():
                    last = entries[-1][0]
                    left -= len(entries)

    async with Redis.from_url(url, protocol=2) as client:
        await client.delete("each")

        async def send() -> None:
            pipe = client.pipeline(transaction=False)
            for _ in range(BATCH):
                pipe.xadd("each", {"e": "part_delta", "d": PAYLOAD})
            await pipe.execute()

        return await _paced([listen() for _ in range(listeners)], send, events)


async def _one_read(url: str, listeners: int, events: int) -> float:
    """Measure this package: one XREAD for all listeners."""
    async with ProjectEventStream(f"{url}?prefix=ours{time.monotonic_ns()}:") as stream:
        made = [stream.create_stream("p") for _ in range(listeners)]

        async def listen(listener: Listener) -> None:
            left = events
            while left:
                left -= len(await listener.batch())

        items = [("part_delta", PAYLOAD)] * BATCH
        return await _paced([listen(one) for one in made], lambda: stream.log.append("p", items), events)


async def _paced(works: list[Any], send: Callable[[], Awaitable[object]], events: int) -> float:
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0.5)  # by then, all listeners are connected and wait
    began = time.perf_counter()
    for _ in range(events // BATCH):
        await send()
    await asyncio.gather(*tasks)
    return events / (time.perf_counter() - began)


def fan_out() -> str:
    """Return a table of one XREAD for all listeners beside one for each."""
    rows = []
    with redis("--appendonly", "no") as url:
        if url is None:
            return "No redis-server: not measured."
        for listeners in (1, 10, 100):
            pairs = []
            events = 20_000 // (min(10, listeners))
            for _ in range(3):
                each = asyncio.run(_one_read_each(url, listeners, events))
                pairs.append((each, asyncio.run(_one_read(url, listeners, events))))
            ratio = statistics.median(ours / each for each, ours in pairs)
            rates = [statistics.median(rates) for rates in zip(*pairs, strict=True)]
            rows.append([listeners, f"{ratio:.1f}", *(f"{rate:,.0f}" for rate in rates)])
            print("redis", *rows[-1], flush=True)
    return page.table(("listeners", "ours ÷ one XREAD each", "one XREAD each, events/s", "ours"), rows)

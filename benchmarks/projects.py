"""Measure projects in one process, without HTTP: deliveries beside bare queues, appends, fan-out from Redis."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import statistics
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from vibe_notebook.projects import Listener, ProjectEventStream

from . import logs, page

__all__ = ["run"]

PAYLOAD = logs.PAYLOAD

ROUNDS = 7
DELIVERIES = 200_000
LISTENERS = (1, 100, 1_000)
BURSTS = (1, 10, 100)
"""Events that the sender sends before the listeners have their turn."""

Rate = Callable[[int, int, int], Coroutine[Any, Any, float]]


async def _timed(works: list[Any], send: Callable[[], Awaitable[object]], events: int, burst: int) -> float:
    """Return deliveries a second; each of *works* gets *events* events."""
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0)
    began = time.perf_counter()
    for _ in range(0, events, burst):
        for _ in range(burst):
            await send()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return len(works) * events / (time.perf_counter() - began)


async def _bare(listeners: int, events: int, burst: int) -> float:
    """Measure ``put_nowait`` of the bytes to a queue for each listener."""
    queues = [asyncio.Queue[bytes]() for _ in range(listeners)]
    data = PAYLOAD.encode()

    async def listen(queue: asyncio.Queue[bytes]) -> None:
        for _ in range(events):
            await queue.get()

    async def send() -> None:
        for queue in queues:
            queue.put_nowait(data)

    return await _timed([listen(queue) for queue in queues], send, events, burst)


async def _ours(
    listeners: int, events: int, burst: int, url: str = "memory:", *, frames: bool = False
) -> float:
    """Measure an append with an id, and ``batch()`` at each listener."""
    async with ProjectEventStream(url) as stream:
        made = [stream.create_stream("p") for _ in range(listeners)]

        async def listen(listener: Listener) -> None:
            left = events
            while left:
                batch = await listener.batch()
                left -= len(batch)
                if frames:
                    for entry in batch:
                        entry.frame  # noqa: B018 - the first access makes it

        append = partial(stream.log.append, "p", [("part_delta", PAYLOAD)])
        return await _timed([listen(one) for one in made], append, events, burst)


async def _framed(listeners: int, events: int, burst: int) -> float:
    """Measure the same, with the wire's bytes read by each listener."""
    return await _ours(listeners, events, burst, frames=True)


async def _with_get(listeners: int, events: int, burst: int) -> float:
    """Measure the same with ``get()``, which makes a dict for each event."""
    async with ProjectEventStream() as stream:
        made = [stream.create_stream("p") for _ in range(listeners)]

        async def listen(listener: Listener) -> None:
            for _ in range(events):
                await listener.get()

        append = partial(stream.log.append, "p", [("part_delta", PAYLOAD)])
        return await _timed([listen(one) for one in made], append, events, burst)


def _rates(ways: dict[str, Rate], listeners: int, burst: int) -> dict[str, list[float]]:
    """Measure each way in every round, so that all ways run on an equally busy machine."""
    events = max(2 * burst, min(5_000, DELIVERIES // listeners))
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(asyncio.run(way(listeners, events, burst)))
    return found


def _ratio(found: dict[str, list[float]], name: str, base: str) -> float:
    return statistics.median(a / b for a, b in zip(found[name], found[base], strict=True))


def _memory() -> str:
    ways: dict[str, Rate] = {"bare": _bare, "ours": _ours, "framed": _framed, "got": _with_get}
    rows = []
    for listeners in LISTENERS:
        for burst in BURSTS:
            found = _rates(ways, listeners, burst)
            ratios = [f"{_ratio(found, name, 'bare'):.2f}" for name in ("ours", "framed", "got")]
            rates = [f"{statistics.median(found[name]):,.0f}" for name in ("bare", "ours")]
            rows.append([f"{listeners:,}", burst, *ratios, *rates])
            print(*rows[-1], flush=True)
    head = (
        "listeners",
        "sent at a time",
        "ours ÷ bare queues",
        "with frames",
        "with get()",
        "bare, deliveries/s",
        "ours",
    )
    return page.table(head, rows)


async def _json_ours(_: int, events: int, burst: int) -> float:
    """Measure one listener and a dict to encode, as users of vibex's class do."""
    async with ProjectEventStream() as stream:
        source = stream.stream_events("p")

        async def listen() -> None:
            for _ in range(events):
                await anext(source)

        data = {"message_id": "m" * 36, "part_index": 0, "type": "text", "delta": "x" * 63}
        return await _timed([listen()], lambda: stream.send_event("p", "part_delta", data), events, burst)


async def _json_origin(_: int, events: int, burst: int) -> float:
    """Measure the same with vibex's own class, without its logging."""
    stream = importlib.import_module("vibex.server.streaming").ProjectEventStream()
    source = stream.stream_events("p")
    data = {"message_id": "m" * 36, "part_index": 0, "type": "text", "delta": "x" * 63}

    async def listen() -> None:
        for _ in range(events):
            await anext(source)
        await source.aclose()

    return await _timed([listen()], lambda: stream.send_event("p", "part_delta", data), events, burst)


def _origin() -> str:
    try:
        importlib.import_module("vibex.server.streaming")
    except ImportError:
        return "vibex is not installed: no comparison with vibex."
    logging.disable(logging.WARNING)
    rows = []
    for burst in BURSTS:
        found = _rates({"origin": _json_origin, "ours": _json_ours}, 1, burst)
        rates = [f"{statistics.median(found[name]):,.0f}" for name in ("origin", "ours")]
        rows.append([burst, f"{_ratio(found, 'ours', 'origin'):.2f}", *rates])
        print("vibex", *rows[-1], flush=True)
    logging.disable(logging.NOTSET)
    head = ("one listener, dicts; sent at a time", "ours ÷ vibex 0.30.1", "vibex, events/s", "ours")
    return page.table(head, rows)


def run(options: Namespace) -> tuple[str, str]:
    """Measure every table. Each ratio is of one round; the page shows the median of the rounds."""
    del options
    gc.collect()
    gc.freeze()  # imported objects stay out of each collection
    body = [
        (
            f"A payload of {len(PAYLOAD)} bytes, already JSON; median of {ROUNDS} rounds, sender and listeners in one event "
            "loop. *Bare* is `put_nowait` of the bytes to an `asyncio.Queue` for each listener: no id, no log, no "
            "bound. *Sent at a time* counts the events before the listeners have their turn. *With frames*: each listener also "
            "reads the SSE bytes. *With get()*: dicts instead of batches."
        ),
        _memory(),
        _origin(),
        logs.appends(),
        (
            f"Redis, appended in batches of {logs.BATCH}, each acknowledged before the next; server, sender and "
            "listeners on the same two cores."
        ),
        logs.fan_out(),
    ]
    gc.unfreeze()
    return "Projects", "\n\n".join(part.strip() for part in body)

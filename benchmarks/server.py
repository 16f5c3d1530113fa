"""Measure projects over HTTP beside other servers: events a second, by the number of listeners, and latency."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from . import logs, page
from .serving import Listener, Send, listening, ours, plain, until, vibex

__all__ = ["run"]

ROUNDS: Final = 5
LOG_ROUNDS: Final = 3

AHEAD: Final = 2_000
"""Events that the sender may be ahead of the slowest listener: less than any log or queue retains."""

BURSTS: Final = (1, 100)
"""Events that the sender sends, one by one, before the loop has its turn."""

SENDERS: Final = 50
"""Senders at a time in the comparison of logs: each waits for its event's acknowledgement."""

SHAPES: Final = ((1, 10_000, 100, 50.0), (100, 2_000, 100, 20.0), (1_000, 500, 20, 2.0))
"""For logs: (listeners, events to count, events to time, rate of these a second, at which the server is at rest)."""


async def throughput(
    listeners: list[Listener],
    send: Send,
    count: int,
    clock: Callable[[], float] = time.perf_counter,
    *,
    burst: int = 100,
    senders: int = 1,
) -> float:
    """Return the events that reach every listener in a second of *clock*, from *senders* that await answers."""
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
        if sent % burst == 0:
            await asyncio.sleep(0)
        if sent % 100 == 0:
            await until(lambda: behind() <= AHEAD)
    await until(lambda: behind() <= 0)
    return count / (clock() - began)


async def latency(listeners: list[Listener], send: Send, count: int, rate: float) -> tuple[float, float]:
    """Return (p50, p95) in ms from the call of ``send`` to the first byte at every listener."""
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


async def _processor_rate(way: Any, count: int, listeners: int, burst: int) -> float:
    """Return events a second of processor time, of both ends."""
    async with way("memory:") as (port, path, send), listening(port, path, listeners) as made:
        await throughput(made, send, max(200, count // 10), burst=burst)  # warm
        return await throughput(made, send, count, time.process_time, burst=burst)


async def _by_log(log: str, shape: tuple[int, int, int, float]) -> tuple[float, float, float]:
    """Return (events/s, p50, p95) of this package's server."""
    listeners, count, waits, rate = shape
    async with ours(log) as (port, path, send), listening(port, path, listeners) as made:
        await throughput(made, send, max(200, count // 10), senders=SENDERS)
        p50, p95 = await latency(made, send, waits, rate)
        return await throughput(made, send, count, senders=SENDERS), p50, p95


def _compared() -> str:
    """Return a table of the ways: medians of processor time, and of the ratios within each round."""
    rows = []
    base = "sse-starlette, a queue and a dict a listener"
    for listeners, count in ((1, 20_000), (100, 1_000)):
        for burst in BURSTS:
            ways: dict[
                str, tuple[Any, int]
            ] = {  # the factor of events that makes all ways take about the same time
                base: (plain, 1),
                "vibe_notebook, one event at a time": (ours, 3),
                "vibe_notebook, 20 at a time": (partial(ours, batch=20), 5),
            }
            # Several listeners would share vibex's events. vibex needs 200 packages, and may be missing.
            if listeners == 1 and importlib.util.find_spec("vibex"):
                ways["vibex 0.30.1, its stream behind sse-starlette"] = (vibex, 1)
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, (way, times) in ways.items():
                    rates[name].append(asyncio.run(_processor_rate(way, times * count, listeners, burst)))
            for name, found in rates.items():
                ratio = statistics.median(one / floor for one, floor in zip(found, rates[base], strict=True))
                rate = statistics.median(found)
                rows.append(
                    [name, listeners, burst, f"{ratio:.1f}", f"{rate:,.0f}", f"{rate * listeners:,.0f}"]
                )
                print(*rows[-1], flush=True)
    head = ("way", "listeners", "sent before the loop's turn", "to sse-starlette", "events", "deliveries")
    return page.table(head, rows)


def _logs() -> str:
    """Return a table of this package's server on each log."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, logs.redis("--appendonly", "no") as redis:
        urls = {"memory": "memory:", "SQLite": f"sqlite:///{Path(folder) / 'log.db'}", "Redis": redis}
        for name, url in urls.items():
            if url is None:
                continue
            for shape in SHAPES:
                found = [asyncio.run(_by_log(url, shape)) for _ in range(LOG_ROUNDS)]
                rate, p50, p95 = (statistics.median(column) for column in zip(*found, strict=True))
                deliveries = f"{rate * shape[0]:,.0f}"
                rows.append([name, f"{shape[0]:,}", f"{rate:,.0f}", deliveries, f"{p50:.1f}", f"{p95:.1f}"])
                print(*rows[-1], flush=True)
    return page.table(("log", "listeners", "events/s", "deliveries/s", "p50, ms", "p95, ms"), rows)


def run(options: Namespace) -> tuple[str, str]:
    """Measure both tables; write that of the logs into docs/projects.md too."""
    names = ("uvicorn", "httptools", "starlette", "sse-starlette", "redis")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    compared, by_log = _compared(), _logs()
    if not options.dry:
        page.place(page.DOCS / "projects.md", "server", f"{page.environment()} {versions}.\n\n{by_log}")
    body = [
        (
            f"{versions}. Server and listeners share one event loop, so every figure includes both ends. The event is a delta of "
            "about 150 bytes, passed as a Python object."
        ),
        (
            f"Per second of processor time, memory log, median of {ROUNDS} rounds, ratios within a round. sse-starlette runs as its "
            "manual shows: with a queue for each listener, whose events are dicts that it encodes. The sender gives "
            "the loop its turn after each event, or after a hundred. The table includes vibex if its package is installed "
            "beside ours."
        ),
        compared,
        (
            f"By log, wall time, median of {LOG_ROUNDS} rounds: events a second from {SENDERS} senders at a time, each of which waits for its "
            "answer; p50 and p95 from the call of `send_event` to the first byte at each listener, with the server at rest "
            "in between. With many listeners, p50 and p95 are the time of the sends, one after the other."
        ),
        by_log,
    ]
    return "Projects over HTTP", "\n\n".join(part.strip() for part in body)

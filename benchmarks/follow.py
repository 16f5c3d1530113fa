"""Measure a client end to end: events a second, and the memory that a million events leave behind.

The events come from this package's server, a separate process whose log in memory has all of them, and
from vibex's server (``make vibex``), which sends them once a client listens. CPU time is the client's.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2

import vibe_notebook as vibe
from vibe_notebook.remote import event_source, follow

from . import million, page

__all__ = ["run"]

EVENTS = 50_000
ROUNDS = 3
VIBEX = Path(sys.prefix, "vibex", "bin", "python")


def watched(url: str) -> AsyncIterator[object]:
    """Iterate over a watch without a view: through registry and transcript too."""
    return aiter(vibe.watch(follow(url), display=False))


WAYS: dict[str, Callable[[str], AsyncIterator[object]]] = {
    "event_source": lambda url: aiter(event_source(url, params={"last_event_id": "0"})),
    "follow": lambda url: aiter(follow(url)),
    "watch(follow), no view": watched,
}


async def read(events: AsyncIterator[object], count: int) -> tuple[float, float]:
    """Return the (wall, CPU) seconds until *count* events have arrived."""
    wall, cpu, count_read = time.perf_counter(), time.process_time(), 0
    async for _ in events:
        count_read += 1
        if count_read == count:
            break
    times = time.perf_counter() - wall, time.process_time() - cpu
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
    return times


def fill(url: str, count: int, size: int = 1000) -> None:
    """Send *count* events in batches of *size*."""
    with httpx2.Client() as client:
        for first in range(0, count, size):
            body = [
                {"type": "text_delta", "agent_id": "a", "run_id": "r", "seq": n, "delta": f"word {n} of it "}
                for n in range(first, min(first + size, count))
            ]
            client.post(f"{url}/events", json=body).raise_for_status()


def from_ours() -> list[list[str]]:
    """Measure every way from this package's server."""
    command = ["-m", "vibe_notebook.cli", "serve", "--port", "0", "--log", f"memory:?max_events={EVENTS}"]
    rows = []
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - stdout is a pipe
            url = f"{server.stdout.readline().strip()}/projects/p"
            fill(url, EVENTS)
            for name, way in WAYS.items():
                runs = [asyncio.run(read(way(f"{url}/stream"), EVENTS)) for _ in range(ROUNDS)]
                rows.append(row(name, runs))
        finally:
            server.kill()
    return rows


def from_vibex(name: str) -> list[str]:
    """Measure one way from vibex's server: a process for each round, as vibex sends each event once."""
    runs = []
    for _ in range(ROUNDS):
        command = [str(VIBEX), "-W", "ignore", str(Path(__file__).with_name("vibex_feed.py")), str(EVENTS)]
        with (
            tempfile.TemporaryDirectory() as folder,  # the import of vibex writes logs
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
            ) as server,
        ):
            try:
                assert server.stdout is not None  # noqa: S101 - stdout is a pipe
                port = next(line.split()[1] for line in server.stdout if line.startswith("port "))
                url = f"http://127.0.0.1:{port}/xagents/p/stream?user_id=u"
                runs.append(asyncio.run(read(WAYS[name](url), EVENTS)))
            finally:
                server.kill()
    return row(f"{name}, from vibex's server", runs)


def row(name: str, runs: list[tuple[float, float]]) -> list[str]:
    """Return a way's row of the table: the best of its rounds."""
    wall, cpu = (min(each) for each in zip(*runs, strict=True))
    return [name, f"{EVENTS / wall:,.0f}", f"{cpu / EVENTS * 1e6:.1f}"]


def run(options: Namespace) -> tuple[str, str]:
    """Measure the speed of every way, and the memory of the ways without a transcript."""
    del options
    rows = from_ours()
    if VIBEX.exists():
        rows += [from_vibex(name) for name in WAYS]
    body = [
        (
            f"Over loopback, from a server in a separate process; {EVENTS:,} events, best of {ROUNDS}. CPU time is "
            "the client's."
        ),
        page.table(("way", "events/s", "CPU µs an event"), rows),
        million.body(),
    ]
    return "Remote streams, followed", "\n\n".join(body)

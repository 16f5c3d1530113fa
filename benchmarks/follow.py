"""End to end, how many events a second a client takes: ``python -m benchmarks.follow``.

From our server, a process of its own with a log in memory that has all of them, and from vibex's
(``make vibex``), which sends them when somebody listens. CPU time is the client's.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2

import vibe_notebook as vibe
from vibe_notebook.remote import event_source, follow

__all__ = ["main"]


def watched(url: str) -> AsyncIterator[object]:
    """A watch without a view: registry and transcript too."""
    return aiter(vibe.watch(follow(url), display=False))


WAYS: dict[str, Callable[[str], AsyncIterator[object]]] = {
    "event_source": lambda url: aiter(event_source(url, params={"last_event_id": "0"})),
    "follow": lambda url: aiter(follow(url)),
    "watch(follow), no view": watched,
}


async def take(events: AsyncIterator[object], count: int) -> tuple[float, float]:
    """(wall, CPU) seconds until so many have come."""
    wall, cpu, seen = time.perf_counter(), time.process_time(), 0
    async for _ in events:
        seen += 1
        if seen == count:
            break
    times = time.perf_counter() - wall, time.process_time() - cpu
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
    return times


def fill(url: str, count: int, size: int = 1000) -> None:
    """Send the events in batches."""
    with httpx2.Client() as client:
        for first in range(0, count, size):
            body = [
                {"type": "text_delta", "agent_id": "a", "run_id": "r", "seq": n, "delta": f"word {n} of it "}
                for n in range(first, min(first + size, count))
            ]
            client.post(f"{url}/events", json=body).raise_for_status()


def from_vibex(name: str, count: int, rounds: int) -> None:
    """One way, from vibex's server: a process for each round, as an event is sent once."""
    python = Path(sys.prefix, "vibex", "bin", "python")
    runs = []
    for _ in range(rounds):
        command = [str(python), "-W", "ignore", str(Path(__file__).with_name("vibex_feed.py")), str(count)]
        with (
            tempfile.TemporaryDirectory() as folder,  # importing it writes logs
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
            ) as server,
        ):
            try:
                assert server.stdout is not None  # noqa: S101 - a pipe was asked for
                port = next(line.split()[1] for line in server.stdout if line.startswith("port "))
                url = f"http://127.0.0.1:{port}/xagents/p/stream?user_id=u"
                runs.append(asyncio.run(take(WAYS[name](url), count)))
            finally:
                server.kill()
    wall, cpu = (min(each) for each in zip(*runs, strict=True))
    print(f"| {name}, from vibex's server | {count / wall:,.0f} | {cpu / count * 1e6:.1f} |")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.follow")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    log = f"memory:?max_events={options.events}"
    command = [sys.executable, "-m", "vibe_notebook.cli", "serve", "--port", "0", "--log", log]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - a pipe was asked for
            url = f"{server.stdout.readline().strip()}/projects/p"
            fill(url, options.events)
            print("| way | events/s | CPU µs an event |")
            print("| --- | ---: | ---: |")
            for name, way in WAYS.items():
                runs = [
                    asyncio.run(take(way(f"{url}/stream"), options.events)) for _ in range(options.rounds)
                ]
                wall, cpu = (min(each) for each in zip(*runs, strict=True))
                print(f"| {name} | {options.events / wall:,.0f} | {cpu / options.events * 1e6:.1f} |")
        finally:
            server.kill()
    for name in WAYS:
        from_vibex(name, options.events, options.rounds)


if __name__ == "__main__":
    main()

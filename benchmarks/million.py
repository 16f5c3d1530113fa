"""Measure the memory of a remote stream's reader after a tenth, half and all of a million events.

Each way runs in a process of its own. The server, which only writes prepared bytes, runs in another.
This module is also their program: ``-m benchmarks.million serve COUNT`` or ``… WAY URL COUNT [traced]``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from vibe_notebook.remote import EventSource, Follow, event_source, follow

from . import page

__all__ = ["body", "frames", "main", "measure"]

COUNT = 1_000_000
MARKS = (0.1, 0.5, 1.0)
RUN = 1000
"""Events of one run: a stream of hours has many runs."""
ROOT = Path(__file__).parent.parent
WAYS: dict[str, Callable[[str], EventSource | Follow]] = {"event_source": event_source, "follow": follow}


def frames(first: int, end: int) -> Iterator[bytes]:
    """Yield events as a project's server sends them: runs of text, each with a tool call."""
    for n in range(first, end):
        ids = {"agent_id": "a", "run_id": f"r{n // RUN}", "seq": n % RUN}
        match n % RUN:
            case 0:
                event = {"type": "run_started", **ids}
            case 1:
                event = {
                    "type": "tool_started",
                    **ids,
                    "tool_call_id": f"t{n}",
                    "tool_name": "search",
                    "args": {},
                }
            case 2:
                event = {"type": "tool_finished", **ids, "tool_call_id": f"t{n - 1}", "output": "found " * 20}
            case last if last == RUN - 1:
                event = {"type": "run_finished", **ids}
            case _:
                event = {"type": "text_delta", **ids, "message_id": "m", "delta": f"word {n} of it "}
        yield f"id: 1763720000000-{n}\nevent: agent_event\ndata: {json.dumps(event)}\n\n".encode()


def serve(count: int) -> None:
    """Print a port, then send *count* events to each client that connects, one client after another."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                for first in range(0, count, 500):
                    connection.sendall(b"".join(frames(first, min(first + 500, count))))
                connection.recv(1)  # wait until the reader has closed


async def read(way: str, url: str, count: int) -> list[tuple[float, float, float]]:
    """Return (peak of resident memory, resident memory, memory held by Python) in MB at each mark."""
    source = WAYS[way](url)
    marks, count_read, found = [int(count * mark) for mark in MARKS], 0, []
    async for _ in source:
        count_read += 1
        if count_read in marks:
            gc.collect()
            held = tracemalloc.get_traced_memory()[0] / 1e6
            found.append((_status("VmHWM"), _status("VmRSS"), held))
            if len(found) == len(marks):
                break
    await source.aclose()
    return found


def _status(name: str) -> float:
    """Return MB of Linux's own account: ``getrusage``'s peak includes the parent process's."""
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def measure(way: str, count: int, *, traced: bool) -> list[tuple[float, float, float]]:
    """Measure one way in a process of its own, at each mark."""
    command = [sys.executable, "-m", f"{__package__}.million"]
    with subprocess.Popen(
        [*command, "serve", str(count)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - stdout is a pipe
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/projects/p/stream"
            reader = [*command, way, url, str(count), *(["traced"] if traced else [])]
            output = subprocess.run(reader, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        finally:
            server.kill()
    return [(each[0], each[1], each[2]) for each in json.loads(output)]


def body(count: int = COUNT) -> str:
    """Return the section's text and table."""
    rows = []
    for way in WAYS:
        plain, traced = measure(way, count, traced=False), measure(way, count, traced=True)
        for (peak, resident, _), (*_, held), mark in zip(plain, traced, MARKS, strict=True):
            rows.append([f"{way}, {count * mark:,.0f}", f"{peak:.1f}", f"{resident:.1f}", f"{held:.2f}"])
    intro = (
        f"A reader's memory, after some of {count:,} events in runs of {RUN:,}. The server is a process that only "
        "writes bytes. Resident memory is the whole process's. A second run traces the memory that Python holds."
    )
    head = ("way, after events", "peak resident MB", "resident MB", "held by Python, MB")
    return f"{intro}\n\n{page.table(head, rows)}"


def main() -> None:
    """Run as the server, or as one reader that prints its figures."""
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    way, url, count, *traced = sys.argv[1:]
    if traced:
        tracemalloc.start()
    print(json.dumps(asyncio.run(read(way, url, int(count)))))


if __name__ == "__main__":
    main()

"""Run ten million events through one registry, and draw memory and threads over the events: ``make soak``.

The events are those of a long-lived kernel: agents come and go, runs end and are evicted, numbers swap and repeat, late
results come for evicted runs. Live views and a subscriber read all of it; a SQLite log and its follower get a part.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from vibe_notebook.display._packing import Packer
from vibe_notebook.display._view import View
from vibe_notebook.events import (
    Event,
    MessageStarted,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.projects import ProjectEventStream
from vibe_notebook.registry import Registry

from . import page

__all__ = ["Soak", "main"]

COUNT: Final = 10_000_000
SAMPLES: Final = 200
OPEN_RUNS: Final = 4
"""Runs that are open at once, of different agents."""
RUNS_OF_AGENT: Final = 20
SLOTS: Final = 100
"""Native events of one run, each of up to ten events."""
SHOWN: Final = 20
"""One run of so many has a live view."""
TOOL: Final = 5
"""The last digit of the natives that are a tool call."""
LOGGED: Final = 50
"""One native of so many goes to the log."""
BATCH: Final = 200
KEEP: Final = 10_000
"""Events that the log retains after a trim."""
SWAPPED, DOUBLED = 0.03, 0.01
"""The parts of the natives that come after their neighbour, and that come twice."""
LATE: Final = 300
"""Runs after which a run's late result comes: it is evicted by then."""


@dataclass
class Log:
    """Append a part of the events to a SQLite log, on a thread with an event loop, and follow it there."""

    path: Path
    appended: int = 0
    followed: int = 0
    gaps: int = 0
    _items: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="soak-log")
        self._thread.start()
        self._stream = ProjectEventStream(f"sqlite:///{self.path}?synchronous=normal")
        self._following = asyncio.run_coroutine_threadsafe(self._follow(), self._loop)

    async def _follow(self) -> None:
        async for event in self._stream.stream_events("soak", last_event_id=""):
            if event["event"] == "gap":
                self.gaps += 1
            else:
                self.followed += 1

    def add(self, events: list[Event]) -> None:
        """Append the events once a batch is full."""
        self._items += [("agent_event", event.model_dump_json()) for event in events]
        if len(self._items) >= BATCH:
            items, self._items = self._items, []
            asyncio.run_coroutine_threadsafe(self._append(items), self._loop).result()

    async def _append(self, items: list[tuple[str, str]]) -> None:
        before = self.appended // KEEP
        self.appended += len(items)
        await self._stream.log.append("soak", items)
        if self.appended // KEEP != before:
            await self._stream.log.trim("soak", KEEP)

    def close(self) -> None:
        """End the follower, the log and the thread."""
        self._stream.close_stream("soak")
        self._following.result(60)
        asyncio.run_coroutine_threadsafe(self._stream.log.aclose(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Soak:
    """Dispatch the events, and sample memory and threads."""

    def __init__(self, count: int, folder: Path) -> None:
        self.count = count
        self.registry = Registry(keep_runs=100)
        self.log = Log(folder / "soak.db")
        self.samples: list[tuple[int, float, int]] = []
        """(events, resident MB, threads)"""
        self.seen: Counter[str] = Counter()
        self.dispatched = 0
        self.sent_bytes = 0
        self.late = 0
        self.views = 0
        self._random = random.Random(1)
        self._past: deque[tuple[str, str]] = deque()
        self._subscription = self.registry.subscribe()
        self._reader = threading.Thread(target=self._read, name="soak-reader")

    def _read(self) -> None:
        for event in self._subscription:
            self.seen["gap" if event.type == "custom" else "event"] += 1

    def run(self) -> float:
        """Dispatch all events; return the seconds."""
        began = time.perf_counter()
        self._reader.start()
        runs: list[Iterator[None]] = []
        number, next_sample = 0, 0
        while self.dispatched < self.count:
            while len(runs) < OPEN_RUNS:
                runs.append(self._run(number))
                number += 1
            for run in list(runs):
                if next(run, "end") == "end":
                    runs.remove(run)
            if self.dispatched >= next_sample:
                next_sample += self.count // SAMPLES
                self.samples.append((self.dispatched, _resident(), threading.active_count()))
        for run in runs:
            for _ in run:
                pass
        seconds = time.perf_counter() - began
        self.registry.close()
        self._reader.join(60)
        self.log.close()
        return seconds

    def _send(self, events: list[Event]) -> None:
        self.dispatched += len(events)
        self.registry.dispatch(events if len(events) > 1 else events[0])

    def _run(self, number: int) -> Iterator[None]:
        """Dispatch one run, a native at each step."""
        agent, run = f"agent {number // RUNS_OF_AGENT * OPEN_RUNS + number % OPEN_RUNS}", f"run {number}"
        view = self._view(agent) if number % SHOWN == 0 else None
        waiting: list[Event] | None = None
        for slot in range(SLOTS):
            events = _native(agent, run, slot)
            if slot % LOGGED == 0:
                self.log.add(events)
            if waiting is None and 1 < slot < SLOTS - 1 and self._random.random() < SWAPPED:
                waiting = events  # its neighbour comes first
                continue
            self._send(events)
            if waiting is not None:
                self._send(waiting)
                waiting = None
            if self._random.random() < DOUBLED:
                self._send(events)  # a duplicate
            yield
        self._past.append((agent, run))
        if len(self._past) > LATE:
            agent, run = self._past.popleft()
            self.late += 1
            self._send([ToolFinished(agent_id=agent, run_id=run, tool_call_id="c5", output="late")])
        if view is not None:
            view.finish()

    def _view(self, agent: str) -> View:
        self.views += 1
        packer = Packer()

        def send(message: dict[str, Any]) -> None:
            self.sent_bytes += len(json.dumps(packer.pack(message)))

        view = View(self.registry, title=agent, send=send)
        view.watch(agent, self.registry.arrivals(agent))
        return view


def _native(agent: str, run: str, slot: int) -> list[Event]:
    """Return the events of a run's native number *slot*: text, and a tool call at each tenth."""
    base: dict[str, Any] = {"agent_id": agent, "run_id": run, "seq": slot}
    if slot == 0:
        return [RunStarted(**base), MessageStarted(**base, sub=1, message_id="m0")]
    if slot == SLOTS - 1:
        return [RunFinished(**base)]
    message, call = f"m{slot // 25}", f"c{slot}"
    if slot % 10 == TOOL:
        tool: dict[str, Any] = {**base, "message_id": message, "tool_call_id": call}
        return [
            ToolCallDelta(**tool, tool_name="search", delta='{"q": '),
            ToolCallDelta(**tool, sub=1, delta=f"{slot}}}"),
            ToolStarted(**tool, sub=2, args={"q": slot}),
            ToolProgress(**tool, sub=3, progress=1, total=2, message="half"),
            ToolFinished(**tool, sub=4, output={"hits": slot, "text": "found it " * 10}),
        ]
    return [
        TextDelta(**base, sub=sub, message_id=message, delta=f"word {slot} of it, *{sub}*. ")
        for sub in range(10)
    ]


def _resident() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def plot(samples: list[tuple[int, float, int]], name: str = "soak.svg") -> None:
    """Draw resident memory and threads over the events."""
    grey = "#808080"  # readable on white and on black
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": name, "text.color": grey, "axes.edgecolor": grey}
    mpl.rcParams |= {"xtick.color": grey, "ytick.color": grey, "axes.labelcolor": grey}
    figure = Figure(figsize=(7.2, 3.2))
    axes = figure.add_subplot()
    events = [each[0] / 1e6 for each in samples]
    axes.plot(events, [each[1] for each in samples], color="#1976d2", linewidth=1.4)
    axes.set_ylim(0)
    axes.set_xlabel("million events")
    axes.set_ylabel("resident MB (blue)")
    right = axes.twinx()
    right.plot(events, [each[2] for each in samples], color=grey, linewidth=1.0)
    right.set_ylim(0, 4 * max(each[2] for each in samples))
    right.set_ylabel("threads (grey)")
    for each in (axes, right):
        each.spines["top"].set_visible(False)
    figure.tight_layout()
    page.IMAGES.mkdir(exist_ok=True)
    figure.savefig(page.IMAGES / name, transparent=True, metadata={"Date": None})


def body(soak: Soak, seconds: float) -> str:
    """Return the section's text and table."""
    half = len(soak.samples) // 2
    first, last = soak.samples[len(soak.samples) // 20 : half], soak.samples[half:]
    rows: list[list[object]] = [
        ["events dispatched", f"{soak.dispatched:,}"],
        ["of these late, for evicted runs", f"{soak.late:,}"],
        [
            "runs left open at the end",
            sum(soak.registry.open_run(a) is not None for a in soak.registry.agents()),
        ],
        [
            "runs and agents in the registry at the end",
            f"{_runs(soak.registry)}, {len(soak.registry.agents())}",
        ],
        ["live views, and megabytes sent", f"{soak.views:,}, {soak.sent_bytes / 1e6:.0f}"],
        ["events that the subscriber got, and gaps", f"{soak.seen['event']:,}, {soak.seen['gap']:,}"],
        [
            "events that the log and its follower got, and gaps",
            f"{soak.log.appended:,}, {soak.log.followed:,}, {soak.log.gaps}",
        ],
        ["resident MB, highest of the first half", f"{max(each[1] for each in first):.0f}"],
        ["resident MB, highest of the second half", f"{max(each[1] for each in last):.0f}"],
        ["resident MB at the end", f"{soak.samples[-1][1]:.0f}"],
        ["threads, fewest and most", f"{min(each[2] for each in last)}, {max(each[2] for each in last)}"],
        ["minutes", f"{seconds / 60:.0f}"],
    ]
    return f"{page.environment()}\n\n{page.table(('figure', 'value'), rows)}\n![Memory and threads](images/soak.svg)"


def _runs(registry: Registry) -> int:
    return sum(len(registry.transcript(agent).runs) for agent in registry.agents())


def main() -> None:
    """Run the soak, and write its section of docs/reliability.md."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak")
    parser.add_argument("--events", type=int, default=COUNT)
    parser.add_argument("--dry", action="store_true", help="print the figures, and do not change the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(options.events, Path(folder))
        seconds = soak.run()
    text = body(soak, seconds)
    if not options.dry:
        plot(soak.samples)
        page.place(page.DOCS / "reliability.md", "soak", text)
    print(text)


if __name__ == "__main__":
    main()

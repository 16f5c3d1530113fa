"""Measure each way in a plain kernel: messages, bytes and processor time, from the raw sockets."""

from __future__ import annotations

import ast
import itertools
import json
import queue
import time
from argparse import Namespace
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.manager import start_new_kernel

from . import page
from .texts import pieces, text
from .ways import COMMON, OURS, WAYS

__all__ = ["Figures", "measure", "run", "settings"]

SHOWN = ("stream", "display_data", "update_display_data", "comm_msg", "execute_result", "clear_output")
MATTER = ("display_data", "update_display_data", "comm_msg")


@dataclass
class Figures:
    """Hold the figures of one way on one text. Bytes are raw iopub bytes; times are the kernel's seconds."""

    way: str
    source_bytes: int
    pieces: int = 0
    done: int = 0
    messages: int = 0
    raw_bytes: int = 0
    payload_bytes: int = 0
    final_bytes: int = 0
    cpu: float = 0.0
    cpu_final: float = 0.0
    growth: float = 0.0
    bytes_growth: float = 0.0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    arrivals: list[tuple[float, int]] = field(default_factory=list)

    @property
    def a_second(self) -> float:
        """Return the messages a second that Jupyter Server's limit counts."""
        return sum(self.kinds[kind] for kind in MATTER) / self.seconds if self.seconds else 0.0


FREEZE = "import gc; gc.collect(); gc.freeze()"


def settings(made: list[str], rate: float, limit: float) -> str:
    """Return the code that gives the kernel its pieces and their rate."""
    return f"import json; pieces = json.loads({json.dumps(json.dumps(made))}); rate = {rate}; limit = {limit}"


def measure(way: str, code: str, made: list[str], *, rate: float, limit: float, setup: str = "") -> Figures:
    """Run one way in a new kernel; *setup* prepares another source than *made*."""
    figures = Figures(way, len("".join(made).encode()), len(made))
    manager, client = start_new_kernel()
    try:
        # The figures leave out the imports, and the collector their objects: a scan takes 50 ms in one of the fifths.
        for part in [*([setup] if setup else [settings(made, rate, limit), COMMON]), FREEZE]:
            client.execute_interactive(part, timeout=60)
        run = client.execute(code + "\nfinal = time.process_time()")
        _collect(client, run, figures)
        report = ask(client, "json.dumps({'marks': marks, 'done': done, 'final': final})")
        marks = report["marks"]
        figures.done = report["done"]
        figures.source_bytes = len("".join(made[: figures.done]).encode())
        figures.seconds = marks[-1][1] - marks[0][1]
        figures.cpu = marks[-1][0] - marks[0][0]
        figures.cpu_final = report["final"] - marks[-1][0]
        fifths = [b[0] - a[0] for a, b in itertools.pairwise(marks)][:5]
        figures.growth = fifths[-1] / fifths[0] if len(fifths) > 1 and fifths[0] else float("nan")
        first, last = (
            sum(size for at, size in figures.arrivals if a <= at < b)
            for a, b in (_fifth(marks, 0), _fifth(marks, 4))
        )
        figures.bytes_growth = last / first if first else float("nan")
        return figures
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _fifth(marks: list[list[float]], number: int) -> tuple[float, float]:
    length = (marks[-1][1] - marks[0][1]) / 5
    return marks[0][1] + number * length, marks[0][1] + (number + 1) * length


def ask(client: Any, expression: str) -> dict[str, Any]:
    """Return the value of a JSON *expression* in the kernel."""
    request = client.execute("", silent=True, user_expressions={"value": expression})
    while True:
        reply = client.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == request:
            result = reply["content"]["user_expressions"]["value"]
            if result["status"] != "ok":
                raise RuntimeError(result["evalue"])
            found: dict[str, Any] = json.loads(ast.literal_eval(result["data"]["text/plain"]))
            return found


def _collect(client: Any, run: str, figures: Figures) -> None:
    socket = client.iopub_channel.socket
    while True:
        if not socket.poll(300_000):
            raise queue.Empty
        frames = socket.recv_multipart()
        _, parts = client.session.feed_identities(frames)
        message = client.session.deserialize(parts)
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            if message["parent_header"].get("msg_id") == run:
                return
        elif kind == "error":
            raise RuntimeError("\n".join(content["traceback"]))
        elif kind in SHOWN:
            size = len(parts[4]) if len(parts) > 4 else 0  # noqa: PLR2004 - signature, three headers, content
            if is_final(message):
                figures.final_bytes += size
                continue
            figures.kinds[kind] += 1
            figures.messages += 1
            figures.raw_bytes += sum(len(frame) for frame in frames)
            figures.payload_bytes += size
            figures.arrivals.append((time.time(), size))


def is_final(message: dict[str, Any]) -> bool:
    """Return True for the package's whole state, sent once at the end and reported apart."""
    content: dict[str, Any] = message["content"]
    if message["msg_type"] == "update_display_data":
        return 'class="vibe' in content["data"].get("text/html", "")[:200]
    packed = content.get("data", {}).get("content", {})
    return isinstance(packed, list) and packed[2:] == [2]  # docs/wire.md: a whole state


HEAD = (
    "way",
    "raw bytes, ratio to ours",
    "CPU, ratio to ours",
    "growth of CPU",
    "raw bytes per source byte",
    "payload per source byte",
    "messages",
    "CPU s",
    "final CPU s",
    "pieces shown",
)


def row(figures: Figures, ours: Figures) -> list[str]:
    """Return a way's row, ratios first; a stopped way is compared by the pieces that it showed."""
    source, theirs = figures.source_bytes, ours.source_bytes
    return [
        figures.way,
        f"{(figures.raw_bytes / source) / (ours.raw_bytes / theirs):,.1f}",
        f"{(figures.cpu / source) / (ours.cpu / theirs):.1f}",
        f"{figures.growth:.1f}",
        f"{figures.raw_bytes / source:,.1f}",
        f"{figures.payload_bytes / source:,.2f}",
        f"{figures.messages:,}",
        f"{figures.cpu:.2f}",
        f"{figures.cpu_final:.2f}",
        "all"
        if figures.done == figures.pieces
        else f"{figures.done / figures.pieces:.0%} in {figures.seconds:.0f} s",
    ]


def run(options: Namespace) -> tuple[str, str]:
    """Measure every way on mixed text and on one code block."""
    body = [
        (
            f"{options.size:,} bytes in pieces of about four characters at {options.rate:,.0f} a second. The kernel's garbage "
            "collector leaves out older objects (`gc.freeze()`). *Growth* is the "
            "last fifth's processor time over the first's. *Payload* leaves out Jupyter's envelope. The bytes leave out our "
            "final whole state; its processor time is given apart. A way is stopped after "
            f"{options.limit:.0f} s. Panel sends its text only after a browser has answered, so its bytes mean little here."
        )
    ]
    for shape in ("mixed", "fence"):
        made = pieces(text(shape, options.size))
        rows: list[list[str]] = []
        ours = None
        for way in [name for name in WAYS if not options.ways or name in (*options.ways, OURS)]:
            figures = measure(way, WAYS[way], made, rate=options.rate, limit=options.limit)
            ours = ours or figures
            rows.append(row(figures, ours))
            print(shape, *rows[-1], sep=" | ", flush=True)
        body += [f"### {shape.capitalize()}", page.table(HEAD, rows)]
    return "In a plain kernel", "\n\n".join(body)

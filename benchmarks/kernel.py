"""In a plain kernel: messages, bytes and processor time of each way, from the raw sockets."""

from __future__ import annotations

import ast
import itertools
import json
import queue
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.manager import start_new_kernel

from .ways import COMMON, WAYS

__all__ = ["Figures", "measure"]


@dataclass
class Figures:
    """One way, one text. Bytes are raw iopub bytes; times are seconds of the kernel's own."""

    way: str
    source_bytes: int
    messages: int = 0
    raw_bytes: int = 0
    payload_bytes: int = 0
    final_bytes: int = 0
    cpu: float = 0.0
    cpu_final: float = 0.0
    growth: float = 0.0
    lag: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)


def measure(way: str, pieces: list[str], *, rate: float) -> Figures:
    """Run one way in a kernel of its own."""
    source = "".join(pieces)
    figures = Figures(way, len(source.encode()))
    manager, client = start_new_kernel()
    try:
        setup = f"import json; pieces = json.loads({json.dumps(json.dumps(pieces))}); rate = {rate}"
        client.execute_interactive(setup, timeout=60)
        client.execute_interactive(COMMON, timeout=60)
        # Imports are not what is measured.
        client.execute_interactive(
            "import vibe_notebook, ipywidgets, vibe_notebook.display._live", timeout=60
        )
        run = client.execute(WAYS[way] + "\nfinal = time.process_time()")
        _collect(client, run, figures)
        said = _ask(client, "json.dumps({'marks': marks, 'ended': ended, 'final': final})")
        marks = said["marks"]
        fifths = [b - a for a, b in itertools.pairwise(marks)][:5]
        figures.cpu = marks[-1] - marks[0]
        figures.cpu_final = said["final"] - marks[-1]
        figures.growth = fifths[-1] / fifths[0] if fifths[0] else float("nan")
        figures.lag = max(0.0, figures.lag - said["ended"][0])
        return figures
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _ask(client: Any, expression: str) -> dict[str, Any]:
    request = client.execute("", silent=True, user_expressions={"said": expression})
    while True:
        reply = client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == request:
            text = reply["content"]["user_expressions"]["said"]["data"]["text/plain"]
            found: dict[str, Any] = json.loads(ast.literal_eval(text))
            return found


def _collect(client: Any, run: str, figures: Figures) -> None:
    socket = client.iopub_channel.socket
    while True:
        if not socket.poll(120_000):
            raise queue.Empty
        frames = socket.recv_multipart()
        _, parts = client.session.feed_identities(frames)
        message = client.session.deserialize(parts)
        kind = message["msg_type"]
        if kind == "status":
            if (
                message["content"]["execution_state"] == "idle"
                and message["parent_header"].get("msg_id") == run
            ):
                return
            continue
        if kind == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        if kind in ("comm_open", "comm_close", "execute_input"):
            continue
        size = sum(len(frame) for frame in frames)
        figures.kinds[kind] += 1
        figures.messages += 1
        content = len(parts[4]) if len(parts) > 4 else 0  # noqa: PLR2004 - signature, three headers, content
        if _is_final(message):
            figures.final_bytes += content
            continue
        figures.raw_bytes += size
        figures.payload_bytes += content
        figures.lag = time.time()


def _is_final(message: dict[str, Any]) -> bool:
    """Our whole state, sent once at the end: reported apart."""
    content: dict[str, Any] = message["content"]
    if message["msg_type"] == "update_display_data":
        return "text/html" in content["data"] and "vibe" in content["data"]["text/html"][:200]
    data = content.get("data", {}).get("content", {})
    ops = data.get("ops") if isinstance(data, dict) else None
    return bool(ops and ops[0][0] == "full")

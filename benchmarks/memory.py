"""Measure the memory that a thousand finished streams leave in a kernel, beyond their transcripts."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from jupyter_client.manager import start_new_kernel

from . import page
from .kernel import ask

__all__ = ["run"]

STREAMS = 1000
SETUP = """
import gc, json, threading, time, tracemalloc
import comm
import ipywidgets
from ipywidgets.widgets.widget import _instances
import vibe_notebook as vibe, vibe_notebook.display._widget_output
from vibe_notebook.registry import Registry
text = open("benchmarks/corpus/mixed.txt", encoding="utf-8").read()[:4000]
def stream(number, registry, is_shown):
    with vibe.live(f"agent {number}", registry=registry, display=is_shown) as live:
        for start in range(0, len(text), 40):
            live.text(text[start:start + 40])
        with live.tool("search", {"query": number}) as tool:
            tool.result(text[:400])
def held():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
warm = Registry()
for number in range(5):
    stream(number, warm, True)
warm.close()
del warm
"""
CODE = """
tracemalloc.start()
empty = held()
bare = Registry()
for number in range(streams):
    stream(number, bare, False)
transcripts = held() - empty
bare.close()
del bare
before = held()
threads, widgets, comms = threading.active_count(), len(_instances), len(comm.get_comm_manager().comms)
shown = Registry()
for number in range(streams):
    stream(number, shown, True)
time.sleep(2)
beyond = held() - before - transcripts
report = json.dumps({"transcripts": transcripts, "beyond": beyond, "threads": threading.active_count() - threads,
    "widgets": len(_instances) - widgets, "comms": len(comm.get_comm_manager().comms) - comms})
"""


def run(options: Namespace) -> tuple[str, str]:
    """Measure a thousand streams, one after the other, in one kernel."""
    del options
    manager, client = start_new_kernel()
    try:
        for code in (f"streams = {STREAMS}\n{SETUP}", CODE):
            reply = client.execute_interactive(code, timeout=900, output_hook=_ignore)
            if reply["content"]["status"] != "ok":
                raise RuntimeError("\n".join(reply["content"]["traceback"]))
        report = ask(client, "report")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    rows = [
        ["memory beyond the transcripts", f"{report['beyond'] / 1e6:.2f} MB"],
        ["the transcripts themselves", f"{report['transcripts'] / 1e6:.2f} MB"],
        ["threads", report["threads"]],
        ["widgets", report["widgets"]],
        ["comms", report["comms"]],
    ]
    body = (
        f"{STREAMS:,} streams of 4 KB and one tool call each, shown and finished. Allocations are tracemalloc's, after a "
        "collection. The transcripts' share is the memory of the same streams without a display."
    )
    return "Memory", body + "\n\n" + page.table(("left behind", "by all"), rows)


def _ignore(message: dict[str, Any]) -> None:
    del message

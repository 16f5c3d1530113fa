"""Measure many streams at once: messages a second, lags, and the number of whole texts."""

from __future__ import annotations

import json
import math
import statistics
from argparse import Namespace

from . import page
from .browser import Lab, percentile
from .kernel import measure
from .texts import marked, pieces, text

__all__ = ["run"]

SECONDS = 8.0
CASES = ((1, 200), (10, 200), (100, 200), (1, 1000), (10, 1000), (100, 1000), (100, 20_000))
"""(number of streams, pieces a second of all of them together)."""

ROUNDS = 3
PLAIN = (10, 1000)
"""The case that is also measured with a plain ``with`` in the coroutines, which ends in another way."""

SHORT = 1000
"""Bytes of a stream that is too short for the mixed text to be mixed."""

MAKING = 3
"""Messages that the making and the end of a view may need."""

SETUP = """
import asyncio, json, threading, time
import vibe_notebook as vibe, vibe_notebook.display._widget_output
texts = json.loads({texts!r})
each = {each}
marks, ended, done, sent = [], [], 0, {{}}
def send_due(live, made, began, at):
    now = time.perf_counter() - began
    while at < len(made) and at / each <= now:
        if made[at][:2] == "zq":
            sent[made[at]] = time.time()
        live.text(made[at])
        at += 1
    return at
async def task(number, made):
    {how} vibe.live(f"agent {{number}}") as live:
        began, at = time.perf_counter(), 0
        while at < len(made):
            at = send_due(live, made, began, at)
            await asyncio.sleep(max(0.005, at / each + began - time.perf_counter()))
def thread(number, made):
    with vibe.live(f"agent {{number}}") as live:
        began, at = time.perf_counter(), 0
        while at < len(made):
            at = send_due(live, made, began, at)
            time.sleep(max(0.005, at / each + began - time.perf_counter()))
"""
CODE = """
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
marks.append((time.process_time(), time.time()))
with ThreadPoolExecutor(100) as pool:
    loop = asyncio.get_running_loop()
    threads = [loop.run_in_executor(pool, copy_context().run, thread, n, made) for n, made in enumerate(texts) if n % 2]
    await asyncio.gather(*threads, *(task(n, made) for n, made in enumerate(texts) if n % 2 == 0))
done = sum(map(len, texts))
marks.append((time.process_time(), time.time()))
ended.append(time.time())
"""
ENDS = """
import asyncio, json, time
import vibe_notebook as vibe, vibe_notebook.display._widget_output
texts = json.loads({texts!r})
marks, ended, done, sent = [(0, time.time())], [], 0, {{}}
async def stream(made):
    await asyncio.sleep({wait})
    began = time.perf_counter()
    for at, piece in enumerate(made):
        await asyncio.sleep(max(0, began + at / {rate} - time.perf_counter()))
        if piece[:2] == "zq":
            sent[piece] = time.time()
        yield piece
"""
ENDS_CODE = """
for made in texts:
    await vibe.watch(stream(made), adapter="text")
    await asyncio.sleep({wait})
marks.append((0, time.time()))
ended.append(time.time())
"""
EXTENSION = "--ServerApp.jpserver_extensions=vibe_notebook.server_extension={}"

RUNS, WAIT, ENDS_RATES = 20, 0.7, (200, 1000)
"""Number of short streams, seconds until a model's first word, and pieces a second."""

HEAD = (
    "streams",
    "pieces a second, asked",
    "pieces a second, done",
    "messages a second",
    "lag p50, ms",
    "lag p95, ms",
    "last piece → screen p95, ms",
    "CPU, share of a core",
    "texts complete",
)


ENDS_HEAD = (
    "extension",
    "pieces a second",
    "first piece → screen p50, ms",
    "first p95, ms",
    "last piece → screen p50, ms",
    "last p95, ms",
)


def run(options: Namespace) -> tuple[str, str]:
    """Measure every case in a kernel, for its messages, and in a browser, for the rest."""
    rows = []
    with Lab.started(EXTENSION.format(False)) as lab:
        for streams, rate in CASES:
            rows.append(_case(lab, options, streams, rate))
            print(*rows[-1], sep=" | ", flush=True)
        rows.append(_case(lab, options, *PLAIN, how="with"))
        ends = [["no", *_ends(lab, rate)] for rate in ENDS_RATES]
    with Lab.started(EXTENSION.format(True)) as lab:
        ends += [["yes", *_ends(lab, rate)] for rate in ENDS_RATES]
    body = [
        (
            f"{SECONDS:.0f} seconds of mixed Markdown; half of the streams in threads (`with vibe.live(…)`), half in tasks of "
            "the cell (`async with vibe.live(…)`, in the last line `with`), each in its own view. All end at the same "
            f"time. Each lag is the median of {ROUNDS} runs; messages and processor time are those of one run. A lag is from a numbered word's piece to the frame that shows it. *Messages* are "
            f"`comm_msg`, `display_data` and `update_display_data`, less {MAKING} for each stream; processor time is that "
            "of the plain kernel."
        ),
        page.table(HEAD, rows),
        (
            f"{RUNS} short streams, one after the other. Each has its own view, which is open for {WAIT} s before the "
            "first piece arrives. Jupyter Server runs with our extension (docs/wire.md), or without it:"
        ),
        page.table(ENDS_HEAD, ends),
    ]
    return "Many streams", "\n\n".join(body)


def _case(lab: Lab, options: Namespace, streams: int, rate: int, how: str = "async with") -> list[str]:
    texts, marks, lasts = [], [], []
    size = int(rate / streams * SECONDS * 4)
    shape = "mixed" if size > SHORT else "paragraph"
    for number in range(streams):
        source, count = marked(text(shape, size), number, every=max(60, size // 24))
        texts.append(pieces(source))
        marks += [f"zq{number}x{index}q" for index in range(count)]
        lasts.append(marks[-1])
    setup = SETUP.format(texts=json.dumps(texts), each=rate / streams, how=how)
    runs = [lab.measure(setup, CODE, marks, limit=SECONDS + options.limit)[0] for _ in range(ROUNDS)]
    figures = measure("", CODE, [], rate=1, limit=1, setup=setup)
    counted = sum(figures.kinds[kind] for kind in ("comm_msg", "display_data", "update_display_data"))
    torn = {mark.partition("x")[0] for run in runs for mark in run.absent}
    seconds = [run.report["ended"] - run.report["began"] for run in runs]
    late = [[run.by_mark.get(mark, math.inf) for mark in lasts] for run in runs]
    return [
        str(streams) if how == "async with" else f"{streams}, `{how}`",
        f"{rate:,}",
        f"{sum(map(len, texts)) / statistics.median(seconds):,.0f}",
        f"{(counted - MAKING * streams) / figures.seconds:.0f}",
        _middle([percentile(run.lags, 0.5) for run in runs]),
        _middle([percentile(run.lags, 0.95) for run in runs]),
        _middle([percentile(lags, 0.95) for lags in late]),
        f"{figures.cpu / figures.seconds:.0%}",
        f"{streams - len(torn)} of {streams}",
    ]


def _middle(found: list[float]) -> str:
    middle = statistics.median(found)
    return f"{middle * 1000:,.0f}" if middle < math.inf else "never"


def _ends(lab: Lab, rate: int) -> list[str]:
    words = " ".join(text("paragraph", 4 * rate).split())
    texts = [pieces(f"zq{number}x0q {words} zq{number}x1q") for number in range(RUNS)]
    marks = [f"zq{number}x{end}q" for number in range(RUNS) for end in (0, 1)]
    setup = ENDS.format(texts=json.dumps([[p for p in made if p] for made in texts]), rate=rate, wait=WAIT)
    seen, _ = lab.measure(setup, ENDS_CODE.format(wait=WAIT), marks, limit=RUNS * (2 * WAIT + 2) + 20)
    found = []
    for end in (0, 1):
        lags = [lag for mark, lag in seen.by_mark.items() if mark.endswith(f"x{end}q")]
        found += [
            f"{percentile(lags, share) * 1000:,.0f}" if len(lags) == RUNS else "?" for share in (0.5, 0.95)
        ]
    return [f"{rate:,}", *found]

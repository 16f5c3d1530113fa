"""Measure this package alone, on six shapes, short and long: no cost may grow with the text so far."""

from __future__ import annotations

import json
import math
import multiprocessing
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from vibe_notebook._markdown.renderer import render

from . import page
from .browser import Lab, PageFigures
from .kernel import Figures, measure, settings
from .texts import CALLS, SHAPES, calls, marked, pieces, text
from .ways import COMMON, OURS, TOOLS, WAYS

__all__ = ["call_pieces", "measure_again", "run"]

Run = TypeVar("Run", Figures, PageFigures)

LONG_RATE = 4.0
"""Factor of the long texts' rate over the short ones', so that a megabyte takes a minute."""

MORE = 2
"""Additional runs of the short texts, which take a third of the time and are as noisy."""

PIECE = 4
"""Bytes of a piece."""

KERNEL = (
    "text",
    "CPU, last fifth over first",
    "payload, last fifth over first",
    "payload per source byte",
    "messages a second",
    "CPU, µs per source byte",
    "share of a core",
    "final, CPU s",
    "final render, s per MB",
)
BROWSER = (
    "text",
    "main thread, last fifth over first",
    "long tasks less control, ms",
    "main thread s",
    "last piece → screen, ms",
    "text complete",
)


IN_LAB = "### In JupyterLab"

MANY = "many calls"
"""The shape with as many calls of 160 bytes as fit in the long text; ``calls`` are 500 at any length."""


def call_pieces(count: int, size: int = 0) -> tuple[list[str], list[str]]:
    """Return two pieces for each tool call, its start and its result, and the marks in every tenth result."""
    made, marks = [], []
    for number, (name, args, output) in enumerate(calls(count, size)):
        mark = f"zq0x{number // 10}q" if number % 10 == 9 or number == count - 1 else ""  # noqa: PLR2004
        marks += [mark] if mark else []
        made += [json.dumps(["start", [name, json.loads(args)]]), json.dumps(["end", f"{output} {mark}"])]
    return made, list(dict.fromkeys(marks))


def run(options: Namespace) -> tuple[str, str]:
    """Measure every shape in a kernel, then in a browser, in rounds: a slow minute spoils only one round."""
    cases = _cases(options)
    kernel = _rounds(options, cases, lambda shape, size: _kernel(options, shape, size))
    finals = _finals(options, cases)
    with Lab.started() as lab:
        browser = _rounds(options, cases, lambda shape, size: _browser(lab, options, shape, size))
        controls = [_control(lab, shape, size) for shape, size in cases]
    names = _names(cases)
    body = [
        (
            f"Each figure is the median of {options.rounds} runs, of {options.rounds + MORE} for {options.size // 1000} KB and of one "
            f"for *{MANY}*; growth is given with the least and the most. The control is one run. "
            f"{options.rate:,.0f} pieces a second for {options.size // 1000} KB, {LONG_RATE:.0f} times that for "
            f"{options.long // 1000} KB. *Calls* are {CALLS} tool calls at either length, *{MANY}* "
            f"{_count(MANY, options.long):,}, over as long a time as a text of their size takes. The payload "
            "leaves out the final whole state, the processor time leaves out the final render, and the garbage collection leaves out the "
            "kernel's older objects (`gc.freeze()`: a scan of them takes 50 ms, in one fifth or another). *Final render* is the whole "
            f"text once, in a separate process, median of {options.rounds}."
        ),
        "### In the kernel",
        page.table(KERNEL, [_kernel_line(*line) for line in zip(names, kernel, finals, strict=True)]),
        IN_LAB,
        page.table(BROWSER, [_browser_line(*line) for line in zip(names, browser, controls, strict=True)]),
    ]
    return "Ours, by shape and length", "\n\n".join(body)


def measure_again(options: Namespace) -> None:
    """Measure some shapes in the browser alone, and replace their rows, after a change of the front end.

    Raises ``ValueError`` for an unknown shape.
    """
    cases = [case for case in _cases(options) if case[0] in options.shapes]
    unknown = sorted(set(options.shapes) - {shape for shape, _ in cases})
    if unknown:
        msg = f"Unknown shape {', '.join(unknown)}; choose from {', '.join([*SHAPES, 'calls', MANY])}."
        raise ValueError(msg)
    with Lab.started() as lab:
        browser = _rounds(options, cases, lambda shape, size: _browser(lab, options, shape, size))
        controls = [_control(lab, shape, size) for shape, size in cases]
    lines = [_browser_line(*line) for line in zip(_names(cases), browser, controls, strict=True)]
    print(page.table(BROWSER, lines))
    if not options.dry:
        page.replace_rows("flat", IN_LAB, lines, f"Measured again, alone: {page.environment()}")


def _cases(options: Namespace) -> list[tuple[str, int]]:
    cases = [(shape, size) for size in (options.size, options.long) for shape in (*SHAPES, "calls")]
    return [*cases, (MANY, options.long)]


def _names(cases: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{shape}, {size // 1000:,} KB" for shape, size in cases]


def _made(shape: str, size: int) -> tuple[list[str], list[str], float]:
    """Return a run's pieces, their marks, and the ratio of their number to a text's of the same size."""
    if _is_calls(shape):
        made, marks = call_pieces(_count(shape, size), size)
        return made, marks, len(made) / (size / PIECE)
    source, count = marked(text(shape, size))
    return pieces(source), [f"zq0x{number}q" for number in range(count)], 1.0


def _is_calls(shape: str) -> bool:
    return shape in ("calls", MANY)


def _count(shape: str, size: int) -> int:
    return CALLS * size // 80_000 if shape == MANY else CALLS


def _pace(options: Namespace, size: int) -> float:
    rate: float = options.rate * (LONG_RATE if size > options.size else 1.0)
    return rate


def _rounds(
    options: Namespace, cases: Sequence[tuple[str, int]], one: Callable[[str, int], Run]
) -> list[list[Run]]:
    """Return the runs of each case."""
    made: list[list[Run]] = [[] for _ in cases]
    for number in range(options.rounds + MORE):
        for (shape, size), runs in zip(cases, made, strict=True):
            if number >= _times(options, shape, size):
                continue
            runs.append(one(shape, size))
            print(number + 1, shape, size, f"{runs[-1].growth:.2f}", sep=" | ", flush=True)
    return made


def _times(options: Namespace, shape: str, size: int) -> int:
    """Return the number of runs of a case."""
    if shape == MANY:
        return 1
    rounds: int = options.rounds
    return rounds + MORE if size == options.size else rounds


def _kernel(options: Namespace, shape: str, size: int) -> Figures:
    made, _, share = _made(shape, size)
    if not _is_calls(shape):
        made = pieces(text(shape, size))
    code = TOOLS if _is_calls(shape) else WAYS[OURS]
    return measure(OURS, code, made, rate=share * _pace(options, size), limit=20 * options.limit)


def _finals(options: Namespace, cases: Sequence[tuple[str, int]]) -> list[float]:
    """Return the final render's time of each text, in new processes: here, the collector would scan all figures."""
    texts = [None if _is_calls(shape) else text(shape, size) for shape, size in cases]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as pool:
        return [
            math.nan if source is None else statistics.median(pool.map(_final, [source] * options.rounds))
            for source in texts
        ]


def _final(source: str) -> float:
    """Return the processor seconds per megabyte for the whole text at once."""
    render("warm *up*\n\n```python\nx = 1\n```\n")
    began = time.process_time()
    render(source)
    return (time.process_time() - began) / len(source) * 1e6


def _middle(runs: Sequence[Run], of: Callable[[Run], float]) -> float:
    return statistics.median(of(run) for run in runs)


def _spread(runs: Sequence[Run]) -> str:
    found = [run.growth for run in runs]
    about = f" ({min(found):.2f} to {max(found):.2f})" if len(found) > 1 else ""
    return f"{statistics.median(found):.2f}{about}"


def _kernel_line(name: str, runs: list[Figures], final: float) -> list[str]:
    return [
        name,
        _spread(runs),
        f"{_middle(runs, lambda run: run.bytes_growth):.2f}",
        f"{_middle(runs, lambda run: run.payload_bytes / run.source_bytes):.2f}",
        f"{_middle(runs, lambda run: run.a_second):.0f}",
        f"{_middle(runs, lambda run: run.cpu / run.source_bytes * 1e6):.1f}",
        f"{_middle(runs, lambda run: run.cpu / run.seconds):.0%}",
        f"{_middle(runs, lambda run: run.cpu_final):.2f}",
        "–" if math.isnan(final) else f"{final:.2f}",  # noqa: RUF001
    ]


def _browser(lab: Lab, options: Namespace, shape: str, size: int) -> PageFigures:
    made, marks, share = _made(shape, size)
    rate = share * _pace(options, size)
    wait = len(made) / rate + options.limit
    setup = "\0".join([settings(made, rate, wait), COMMON])
    return lab.measure(setup, TOOLS if _is_calls(shape) else WAYS[OURS], marks, limit=wait)[0]


def _control(lab: Lab, shape: str, size: int) -> float:
    """Return the seconds of long tasks on a page that shows the final form once."""
    made = _made(shape, size)[0] if _is_calls(shape) else [text(shape, size)]
    return lab.control(made, is_calls=_is_calls(shape))


def _browser_line(name: str, runs: list[PageFigures], control: float) -> list[str]:
    last = _middle(runs, lambda run: math.inf if run.last is None else run.last)
    return [
        name,
        _spread(runs),
        f"{max(0.0, _middle(runs, lambda run: run.long_tasks) - control) * 1000:,.0f}",
        f"{_middle(runs, lambda run: run.busy):.1f}",
        f"{last * 1000:,.0f}" if last < math.inf else "never",
        min((run.complete for run in runs), key=lambda complete: complete == "yes"),
    ]

"""Ours alone, on six shapes, short and long: does any cost grow with what is there already?"""

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
from .browser import Lab, Seen
from .kernel import Figures, measure, settings
from .texts import CALLS, SHAPES, calls, marked, pieces, text
from .ways import COMMON, OURS, TOOLS, WAYS

__all__ = ["again", "call_pieces", "run"]

Run = TypeVar("Run", Figures, Seen)

LONG_RATE = 4.0
"""Times faster than the short texts, so that a megabyte takes a minute."""

MORE = 2
"""Runs more of the short texts, which take a third of the time and are as noisy."""

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
"""As many tool calls as the long text has room for in calls of 160 bytes; ``calls`` are 500 at any length."""


def call_pieces(count: int, size: int = 0) -> tuple[list[str], list[str]]:
    """Two pieces for each tool call, its start and its result, and the marks that every tenth result has."""
    made, marks = [], []
    for number, (name, args, output) in enumerate(calls(count, size)):
        mark = f"zq0x{number // 10}q" if number % 10 == 9 or number == count - 1 else ""  # noqa: PLR2004
        marks += [mark] if mark else []
        made += [json.dumps(["start", [name, json.loads(args)]]), json.dumps(["end", f"{output} {mark}"])]
    return made, list(dict.fromkeys(marks))


def run(options: Namespace) -> tuple[str, str]:
    """Every shape in a kernel, then in a browser, in rounds: a machine's bad minute is in one of them only."""
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
            f"for *{MANY}*, growth with the least and the most; the control is one. "
            f"{options.rate:,.0f} pieces a second for {options.size // 1000} KB, {LONG_RATE:.0f} times that for "
            f"{options.long // 1000} KB. *Calls* are {CALLS} tool calls at either length, *{MANY}* "
            f"{_count(MANY, options.long):,}, over as long a time as a text of their size takes. The final whole "
            "state is left out of the payload, the final render out of the processor time, what was in the kernel before out of its "
            "garbage collection (`gc.freeze()`: a look through all of it takes 50 ms, in one fifth or another). *Final render* is the whole "
            f"text once, in a process of its own, median of {options.rounds}."
        ),
        "### In the kernel",
        page.table(KERNEL, [_kernel_line(*line) for line in zip(names, kernel, finals, strict=True)]),
        IN_LAB,
        page.table(BROWSER, [_browser_line(*line) for line in zip(names, browser, controls, strict=True)]),
    ]
    return "Ours, by shape and length", "\n\n".join(body)


def again(options: Namespace) -> None:
    """The browser's half of some shapes alone, into their rows of the page: after a change of the front end.

    Raises ``ValueError`` for a shape that there is not.
    """
    cases = [case for case in _cases(options) if case[0] in options.shapes]
    unknown = sorted(set(options.shapes) - {shape for shape, _ in cases})
    if unknown:
        msg = f"No shape {', '.join(unknown)}; there are {', '.join([*SHAPES, 'calls', MANY])}."
        raise ValueError(msg)
    with Lab.started() as lab:
        browser = _rounds(options, cases, lambda shape, size: _browser(lab, options, shape, size))
        controls = [_control(lab, shape, size) for shape, size in cases]
    lines = [_browser_line(*line) for line in zip(_names(cases), browser, controls, strict=True)]
    print(page.table(BROWSER, lines))
    if not options.dry:
        page.anew("flat", IN_LAB, lines, f"Run anew, by themselves: {page.environment()}")


def _cases(options: Namespace) -> list[tuple[str, int]]:
    cases = [(shape, size) for size in (options.size, options.long) for shape in (*SHAPES, "calls")]
    return [*cases, (MANY, options.long)]


def _names(cases: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{shape}, {size // 1000:,} KB" for shape, size in cases]


def _made(shape: str, size: int) -> tuple[list[str], list[str], float]:
    """The pieces of a run, the marks in them, and how many come in the time of one of a text."""
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
    """The runs of each case."""
    made: list[list[Run]] = [[] for _ in cases]
    for number in range(options.rounds + MORE):
        for (shape, size), runs in zip(cases, made, strict=True):
            if number >= _times(options, shape, size):
                continue
            runs.append(one(shape, size))
            print(number + 1, shape, size, f"{runs[-1].growth:.2f}", sep=" | ", flush=True)
    return made


def _times(options: Namespace, shape: str, size: int) -> int:
    """How often a case is run."""
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
    """The final render of each text, in new processes, for in this one the collector looks through all the figures."""
    texts = [None if _is_calls(shape) else text(shape, size) for shape, size in cases]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as pool:
        return [
            math.nan if source is None else statistics.median(pool.map(_final, [source] * options.rounds))
            for source in texts
        ]


def _final(source: str) -> float:
    """Seconds of processor time per megabyte for the whole text at once."""
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


def _browser(lab: Lab, options: Namespace, shape: str, size: int) -> Seen:
    made, marks, share = _made(shape, size)
    rate = share * _pace(options, size)
    wait = len(made) / rate + options.limit
    setup = "\0".join([settings(made, rate, wait), COMMON])
    return lab.measure(setup, TOOLS if _is_calls(shape) else WAYS[OURS], marks, limit=wait)[0]


def _control(lab: Lab, shape: str, size: int) -> float:
    """Seconds of long tasks on a page that shows the final form once."""
    made = _made(shape, size)[0] if _is_calls(shape) else [text(shape, size)]
    return lab.control(made, is_calls=_is_calls(shape))


def _browser_line(name: str, runs: list[Seen], control: float) -> list[str]:
    last = _middle(runs, lambda run: math.inf if run.last is None else run.last)
    return [
        name,
        _spread(runs),
        f"{max(0.0, _middle(runs, lambda run: run.long_tasks) - control) * 1000:,.0f}",
        f"{_middle(runs, lambda run: run.busy):.1f}",
        f"{last * 1000:,.0f}" if last < math.inf else "never",
        min((run.complete for run in runs), key=lambda said: said == "yes"),
    ]

"""Measure each way in a real JupyterLab: lag to the screen, the main thread's time, and folds that last."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass

from . import page
from .browser import Lab, PageFigures, percentile
from .kernel import settings
from .plot import bars
from .texts import marked, pieces, text
from .ways import COMMON, FOLDS, NO_FOLDS, OURS, WAYS

__all__ = ["run"]

TOGGLES = 5
HEAD = (
    "way",
    "lag p95, ratio to ours",
    "main thread, ratio to ours",
    "lag p50, ms",
    "lag p95, ms",
    "last piece → screen, ms",
    "long tasks less control, ms",
    "main thread s",
    "growth",
    "folds kept",
    "text complete",
)


@dataclass
class Row:
    """Hold a way, its figures on the page, and the number of folds that lasted."""

    way: str
    seen: PageFigures
    folds: str


def run(options: Namespace) -> tuple[str, str]:
    """Measure every way on mixed text."""
    source, count = marked(text("mixed", options.size))
    marks = [f"zq0x{number}q" for number in range(count)]
    rows: list[Row] = []
    with Lab.started() as lab:
        control = lab.control([source])
        for way in [name for name in WAYS if not options.ways or name in (*options.ways, OURS)]:
            setup = "\0".join([settings(pieces(source), options.rate, options.limit), COMMON])
            shadows = way.startswith("Panel")
            wait = options.limit + 20
            seen, _ = lab.measure(setup, WAYS[way], marks, limit=wait, has_shadows=shadows)
            rows.append(Row(way, seen, _measure_folds(lab, way) if way not in NO_FOLDS else "no folds"))
            print(way, _line(rows[-1], rows[0].seen, control), flush=True)
    ours = rows[0].seen
    lags = {row.way: percentile(row.seen.lags, 0.95) * 1000 if row.seen.lags else math.nan for row in rows}
    if not options.dry:
        title = f"Piece → screen, 95th percentile, ms ({options.size // 1000} KB of Markdown)"
        bars(lags, title, "bench_lag.svg")
    body = [
        (
            f"{options.size:,} bytes of mixed Markdown in pieces of about four characters at {options.rate:,.0f} a second, "
            f"with {count} numbered words in it. A lag begins when the source yields the word's piece, and ends with the frame that "
            "shows the word. *Control* is a page that shows the final HTML once. *Growth* is the main thread's time in the last fifth "
            f"over the first's. *Folds kept*: of {TOGGLES} folds that were opened while text arrived, the number that "
            f"were still open 0.6 s later. A way is stopped after {options.limit:.0f} s and has 20 s more to finish. Ratios are "
            "lower bounds for a way that did not finish."
        ),
        page.table(HEAD, [_line(row, ours, control) for row in rows]),
        "![Lag by way](images/bench_lag.svg)",
    ]
    return "In JupyterLab", "\n\n".join(body)


def _measure_folds(lab: Lab, way: str) -> str:
    """Measure the folds in a separate run, slow enough for every way."""
    source, count = marked(text("mixed", 6_000))
    marks = [f"zq0x{number}q" for number in range(count)]
    setup = "\0".join([settings(pieces(source), 200.0, 12.0), COMMON])
    _, lasted = lab.measure(
        setup, FOLDS[way], marks, limit=20, has_shadows=way.startswith("Panel"), toggles=TOGGLES
    )
    return f"{sum(lasted)} of {len(lasted)}"


def _line(row: Row, ours: PageFigures, control: float) -> list[str]:
    seen = row.seen
    p50, p95 = (percentile(seen.lags, share) if seen.lags else math.nan for share in (0.5, 0.95))
    best = percentile(ours.lags, 0.95) if ours.lags else math.nan
    late = "not within 20 s" if seen.report["sent"] else "kernel still busy"
    return [
        row.way,
        f"{p95 / best:,.1f}",
        f"{seen.busy / ours.busy:.1f}",
        f"{p50 * 1000:,.0f}",
        f"{p95 * 1000:,.0f}",
        f"{seen.last * 1000:,.0f}" if seen.last is not None else late,
        f"{max(0.0, seen.long_tasks - control) * 1000:,.0f}",
        f"{seen.busy:.1f}",
        f"{seen.growth:.1f}",
        row.folds,
        seen.complete,
    ]

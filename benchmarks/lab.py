"""In a real JupyterLab: when each piece is on screen, what the page's main thread does, what is kept."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass

from . import page
from .browser import Lab, Seen, percentile
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
    """A way, what was seen of it, and how many folds stayed as they were set."""

    way: str
    seen: Seen
    kept: str


def run(options: Namespace) -> tuple[str, str]:
    """Every way on mixed text."""
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
            rows.append(Row(way, seen, _kept(lab, way) if way not in NO_FOLDS else "no folds"))
            print(way, _line(rows[-1], rows[0].seen, control), flush=True)
    ours = rows[0].seen
    lags = {row.way: percentile(row.seen.lags, 0.95) * 1000 if row.seen.lags else math.nan for row in rows}
    if not options.dry:
        title = f"Piece → screen, 95th percentile, ms ({options.size // 1000} KB of Markdown)"
        bars(lags, title, "bench_lag.svg")
    body = [
        (
            f"{options.size:,} bytes of mixed Markdown in pieces of about four characters at {options.rate:,.0f} a second, "
            f"with {count} numbered words in it; a lag is from the word's piece leaving the source to the frame that shows "
            "it. *Control* is a page that shows the final HTML once; *growth* is the main thread's time in the last fifth "
            f"over the first's. *Folds kept*: of {TOGGLES} times that something was unfolded while text came, how often it "
            f"was still so 0.6 s later. A way is stopped after {options.limit:.0f} s and waited for 20 s more. Ratios are "
            "lower bounds where a way did not come to the end."
        ),
        page.table(HEAD, [_line(row, ours, control) for row in rows]),
        "![Lag by way](images/bench_lag.svg)",
    ]
    return "In JupyterLab", "\n\n".join(body)


def _kept(lab: Lab, way: str) -> str:
    """A run of its own, slow enough that every way keeps up."""
    source, count = marked(text("mixed", 6_000))
    marks = [f"zq0x{number}q" for number in range(count)]
    setup = "\0".join([settings(pieces(source), 200.0, 12.0), COMMON])
    _, kept = lab.measure(
        setup, FOLDS[way], marks, limit=20, has_shadows=way.startswith("Panel"), toggles=TOGGLES
    )
    return f"{sum(kept)} of {len(kept)}"


def _line(row: Row, ours: Seen, control: float) -> list[str]:
    seen = row.seen
    p50, p95 = (percentile(seen.lags, share) if seen.lags else math.nan for share in (0.5, 0.95))
    best = percentile(ours.lags, 0.95) if ours.lags else math.nan
    late = "not within 20 s" if seen.said["sent"] else "kernel still busy"
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
        row.kept,
        seen.complete,
    ]

"""``make bench``: run all, print a table, write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from .corpus import fence, mixed, pieces
from .kernel import Figures, measure
from .ways import WAYS

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
VERSIONS = ("vibe_notebook", "ipykernel", "ipywidgets", "anywidget", "markdown-it-py", "pydantic")


def row(figures: Figures, floor: Figures) -> str:
    """One line of the table, ratios first."""
    source = figures.source_bytes
    return (
        f"| {figures.way} | {figures.raw_bytes / floor.raw_bytes:.1f} | {figures.cpu / floor.cpu:.1f} | "
        f"{figures.growth:.1f} | {figures.raw_bytes / source:,.1f} | {figures.payload_bytes / source:,.2f} | "
        f"{figures.messages} | {figures.cpu:.2f} | {figures.cpu_final:.2f} | {figures.lag * 1000:.0f} |"
    )


def main() -> None:
    """Measure every way on every text."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--size", type=int, default=80_000, help="bytes of text")
    parser.add_argument("--rate", type=float, default=1000.0, help="pieces a second")
    options = parser.parse_args()
    lines = ["# Benchmarks", "", "Made by `make bench`; nothing here is written by hand.", ""]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    lines += [
        (
            f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, {versions}."
        ),
        "",
        (
            f"A plain kernel, {options.size:,} bytes in pieces of about four characters at {options.rate:,.0f} pieces a "
            "second. Bytes and counts are exact, times are good to a factor of two. *Growth* is the last fifth's "
            "processor time over the first's. *Payload* leaves out Jupyter's envelope; the final whole state (ours) is "
            "left out of bytes and processor time and given apart."
        ),
        "",
    ]
    for name, text in (("Mixed Markdown", mixed(options.size)), ("One code block", fence(options.size))):
        made = []
        for way in WAYS:
            figures = measure(way, pieces(text), rate=options.rate)
            made.append(figures)
            print(name, figures, flush=True)
        floor = made[0]
        lines += [
            f"## {name}",
            "",
            (
                "| way | raw bytes, ratio to ours | CPU, ratio to ours | growth | raw bytes per source byte | payload per "
                "source byte | messages | CPU s | final CPU s | last piece → last message, ms |"
            ),
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(row(figures, floor) for figures in made),
            "",
        ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

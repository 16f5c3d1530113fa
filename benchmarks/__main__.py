"""Run every section of the benchmarks, or those named, and write each into docs/benchmarks.md: ``make bench``."""

from __future__ import annotations

import argparse
import importlib
import time

from . import page

SECTIONS = (
    "kernel",
    "lab",
    "flat",
    "streams",
    "dispatch",
    "memory",
    "projects",
    "server",
    "decode",
    "follow",
    "rich",
)


def main() -> None:
    """Run the sections. A section that fails leaves the other sections' figures as they are."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument(
        "sections", nargs="*", metavar="NAME", help=f"sections: {', '.join(SECTIONS)}; default: all"
    )
    parser.add_argument("--size", type=int, default=80_000, help="bytes of text")
    parser.add_argument("--long", type=int, default=1_000_000, help="bytes of the long texts")
    parser.add_argument("--rate", type=float, default=1000.0, help="pieces a second")
    parser.add_argument(
        "--shapes",
        nargs="*",
        default=[],
        help="measure only these rows of `flat`'s second table again",
    )
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a way is stopped")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each shape in `flat`")
    parser.add_argument("--ways", nargs="*", default=[], help="measure only these ways, and vibe.watch")
    parser.add_argument("--dry", action="store_true", help="print the figures, and do not change the page")
    options = parser.parse_args()
    unknown = sorted(set(options.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}; choose from {', '.join(SECTIONS)}")
    if options.shapes:
        importlib.import_module(f"{__package__}.flat").measure_again(options)
        return
    for name in options.sections or SECTIONS:
        began = time.perf_counter()
        title, body = importlib.import_module(f"{__package__}.{name}").run(options)
        if not options.dry:
            page.write(name, title, body)
        print(f"\n## {title}\n\n{body}\n\n{name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()

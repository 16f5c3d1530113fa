"""``make bench``: run every section, or those named, and write each into docs/benchmarks.md."""

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
)


def main() -> None:
    """Run the sections; one that fails leaves the others' figures as they are."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument(
        "sections", nargs="*", metavar="NAME", help=f"of {', '.join(SECTIONS)}; all if none is given"
    )
    parser.add_argument("--size", type=int, default=80_000, help="bytes of text")
    parser.add_argument("--long", type=int, default=1_000_000, help="bytes of the long texts")
    parser.add_argument("--rate", type=float, default=1000.0, help="pieces a second")
    parser.add_argument(
        "--shapes",
        nargs="*",
        default=[],
        help="only these rows of `flat`'s second table, anew, and no section",
    )
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a way is stopped")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each shape in `flat`")
    parser.add_argument("--ways", nargs="*", default=[], help="only these, and ours")
    parser.add_argument("--dry", action="store_true", help="print, and leave the page as it is")
    options = parser.parse_args()
    unknown = sorted(set(options.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if options.shapes:
        importlib.import_module(f"{__package__}.flat").again(options)
        return
    for name in options.sections or SECTIONS:
        began = time.perf_counter()
        title, body = importlib.import_module(f"{__package__}.{name}").run(options)
        if not options.dry:
            page.write(name, title, body)
        print(f"\n## {title}\n\n{body}\n\n{name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""Print the summary of `make test`: one line a section, and one line for the skipped tests.

The sections record their results in the file that ``VIBE_SUMMARY`` names. Without that variable, as
in a plain pytest run, they write no file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path


def _file() -> Path | None:
    name = os.environ.get("VIBE_SUMMARY")
    return Path(name) if name else None


def begin() -> None:
    """Delete the last run's results, and start the clock of this run."""
    if file := _file():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"begin\t{time.time():.0f}\n", encoding="utf-8")


def note(section: str, result: str, skipped: Iterable[str] = ()) -> None:
    """Record a section's result and the reasons for its skipped tests."""
    if file := _file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"result\t{section}\t{result}\n")
            lines.writelines(
                f"skipped\t{section}: {' '.join(reason.split())}\n" for reason in sorted(set(skipped))
            )


def render(lines: Iterable[str], now: float) -> str:
    """Return the summary of the recorded *lines*."""
    results: list[str] = []
    skipped: list[str] = []
    start = now
    for line in lines:
        kind, *rest = line.split("\t")
        match kind:
            case "begin":
                start = float(rest[0])
            case "result":
                results.append(f"  {rest[0]:<10} {rest[1]}")
            case "skipped":
                skipped.append(rest[0])
    return "\n".join(
        [
            "",
            *results,
            f"skipped: {'; '.join(skipped) or 'nothing'}",
            f"make test: all passed in {now - start:.0f} s",
        ]
    )


def main() -> int:
    """Run one command: ``begin``, ``note SECTION RESULT`` or ``print``."""
    match sys.argv[1:]:
        case ["begin"]:
            begin()
        case ["note", section, result]:
            note(section, result)
        case ["print"] if (file := _file()) and file.exists():
            print(render(file.read_text(encoding="utf-8").splitlines(), time.time()))
        case _:
            print(f"usage: {sys.argv[0]} begin | note SECTION RESULT | print", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

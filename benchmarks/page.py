"""Write docs/benchmarks.md: each section's run replaces the section, with the day and the machine of the run."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["DOCS", "IMAGES", "environment", "place", "replace_rows", "table", "write"]

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
IMAGES = DOCS / "images"
VERSIONS = (
    "vibe_notebook",
    "ipykernel",
    "jupyterlab",
    "ipywidgets",
    "anywidget",
    "markdown-it-py",
    "pydantic",
)
PEERS = ("chatlas", "rich", "panel")
ORDER = (
    "lab",
    "kernel",
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
HEAD = """# Benchmarks

`make bench` writes this page. `python -m benchmarks NAME…` measures the named sections again.
Bytes and counts are exact. Times are those of a shared machine: compare the ratios first.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table with words in the first column and numbers in the others."""
    lines = [" | ".join(head), " | ".join(["---", *["---:"] * (len(head) - 1)])]
    lines += [" | ".join(map(str, row)) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def write(name: str, title: str, body: str) -> None:
    """Replace a section of the page, or add a new one."""
    found = _sections()
    found[name] = f"## {title}\n\n{environment()}\n\n{body.strip()}\n"
    _put(found)


def _put(found: dict[str, str]) -> None:
    names = sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    sections = [f"<!-- section {name} -->\n{found[name]}<!-- end -->\n" for name in names]
    PAGE.write_text("\n".join([HEAD, *sections]), encoding="utf-8")


def replace_rows(name: str, heading: str, rows: Iterable[Sequence[object]], note: str) -> None:
    """Replace the rows of the same names below *heading*; mark each with an asterisk that refers to *note*.

    Raises ``ValueError`` for a name without a row.
    """
    found = _sections()
    before, _, after = found[name].partition(heading)
    for first, *rest in rows:
        line = " | ".join(map(str, (f"| {first} \\*", *rest))) + " |"
        place = re.compile(rf"^\| {re.escape(str(first))}( \\\*)? \|.*$", re.MULTILINE)
        if not place.search(after):
            msg = f"{name} has no row {first!r} below {heading!r}."
            raise ValueError(msg)
        after = place.sub(line.replace("\\", r"\\"), after, count=1)
    if note not in after:
        after += f"\n\\* {note}\n"
    _put({**found, name: f"{before}{heading}{after}"})


def _sections() -> dict[str, str]:
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return dict(re.findall(r"<!-- section (\w+) -->\n(.*?)<!-- end -->\n", page, re.DOTALL))


def place(path: Path, name: str, text: str) -> None:
    """Write *text* between the marks for *name* on a page whose other text is written by hand.

    Raises ``ValueError`` for a page without these marks.
    """
    found = path.read_text(encoding="utf-8")
    before, begin, rest = found.partition(f"<!-- section {name} -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    if not begin or not end:
        msg = f"{path} has no place for {name}: add <!-- section {name} --> and <!-- end -->, each on its own line"
        raise ValueError(msg)
    path.write_text(f"{before}{begin}{text.strip()}\n{end}{after}", encoding="utf-8")


def environment() -> str:
    """Return the day, the machine and the versions of this run, in one sentence."""
    versions = ", ".join(filter(None, map(_version, (*VERSIONS, *PEERS))))
    return (
        f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {versions}."
    )


def _version(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return ""

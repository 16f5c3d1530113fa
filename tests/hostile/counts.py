"""Count the corpus: the payloads of each kind, the surfaces, the pairs of payload and field, the cuts.

``python -m tests.hostile.counts`` writes the tables into docs/reliability.md; a test compares them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from tests.hostile.payloads import CUT, KINDS, PAYLOADS, SAMPLE
from tests.hostile.stories import CLASSES, FIELDS

__all__ = ["CUT_FIELDS", "FORMS", "SURFACES", "documented", "table"]

FORMS: Final = (
    "saved HTML",
    "live view",
    "text",
    "terminal",
    "pipe",
    "markdown_it",
    "with_mistune",
    "cmark_gfm",
)
"""The forms that ``test_corpus.py`` makes of every payload in its own process."""
CUT_FIELDS: Final = ("text", "thinking", "arguments", "output")
"""The growing texts that a payload is cut in."""

CUT_STEP: Final = 9
"""Of so many payloads that are cut, Chromium shows one."""

ALL, SOME, CUTS, SOME_CUTS, WORDS = "all", "sample", "cut", "some cut", "words"
SURFACES: Final = (
    ("live view, its HTML", ALL, "tests/hostile/test_corpus.py"),
    ("saved HTML", ALL, "tests/hostile/test_corpus.py"),
    ("plain text", ALL, "tests/hostile/test_corpus.py"),
    ("terminal with colours, and a pipe", ALL, "tests/hostile/test_corpus.py"),
    (
        "Markdown in markdown-it, mistune and cmark-gfm, all with raw HTML",
        ALL,
        "tests/hostile/test_corpus.py",
    ),
    ("log records, tracebacks and errors", WORDS, "tests/hostile/test_corpus.py"),
    (
        "live view in Chromium",
        ALL,
        "tests/browser/test_hostile_corpus.py",
    ),
    ("saved HTML in a bare page in Chromium", ALL, "tests/browser/test_hostile_corpus.py"),
    (
        "Markdown by markdown-it and cmark-gfm in Chromium",
        ALL,
        "tests/browser/test_hostile_corpus.py",
    ),
    ("nbconvert's HTML of the saved HTML in Chromium", SOME, "tests/browser/test_hostile_corpus.py"),
    ("nbconvert's HTML of the Markdown in Chromium", SOME, "tests/browser/test_hostile_corpus.py"),
    ("a server's transcript as HTML, Markdown, text and JSON", SOME, "tests/hostile/test_served.py"),
    ("a server's pages in Chromium", SOME, "tests/browser/test_hostile_corpus.py"),
    ("a followed project", SOME, "tests/hostile/test_served.py"),
    ("a recording and its replay", SOME, "tests/hostile/test_corpus.py"),
    ("the forms of last resort", SOME, "tests/hostile/test_corpus.py"),
    ("live view in JupyterLab", SOME, "tests/browser/test_hostile.py"),
    ("saved notebook in JupyterLab, trusted and untrusted", SOME, "tests/browser/test_hostile.py"),
    ("each cut, live and final", CUTS, "tests/hostile/test_cuts.py"),
    ("each cut of some, live in Chromium", SOME_CUTS, "tests/browser/test_hostile_corpus.py"),
)
"""Each surface, its payloads, and its tests."""

_DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
_HEADING: Final = "## Hostile text\n"
_INTRODUCTION: Final = """
`tests/hostile/payloads.py` has {payloads:,} hostile texts of {kinds} kinds. A story puts a text into each of the {fields} fields that a
stranger controls, of the {classes} classes of events; the fields come from the models, and a new field without a payload fails a
test. Allow lists of elements, attributes, styles and addresses judge each page. In Chromium a script that ran, a request, a dialog,
a navigation, a cookie, a changed title and a change outside of the view count too. In a terminal or a log only line feeds, tabs and
our own colours pass, and no name makes a line.

`python -m tests.hostile.counts` writes these tables; a test compares them with the corpus. A test run tries a quarter of
the payloads and cuts of each kind, `make hostile` all of them.
"""


def _rows(header: str, rule: str, rows: list[str]) -> str:
    return "\n".join([header, rule, *rows]) + "\n"


def cut_points(kind: str | None = None) -> int:
    """Return the number of cuts of one kind, or of all."""
    return sum(len(payload.text) - 1 for payload in CUT if kind in (None, payload.kind))


def table() -> str:
    """Return the section for docs/reliability.md."""
    numbers = {
        ALL: len(PAYLOADS),
        SOME: len(SAMPLE),
        CUTS: len(CUT),
        SOME_CUTS: len(CUT[::CUT_STEP]),
        WORDS: len(PAYLOADS),
    }
    of = {
        name: Counter(payload.kind for payload in chosen)
        for name, chosen in ((ALL, PAYLOADS), (SOME, SAMPLE), (CUTS, CUT))
    }
    kinds = [
        f"| {kind} | {of[ALL][kind]:,} | {of[SOME][kind]:,} | {of[CUTS][kind]:,} | {cut_points(kind):,} |"
        for kind in KINDS
    ]
    kinds.append(f"| **all** | {len(PAYLOADS):,} | {len(SAMPLE):,} | {len(CUT):,} | {cut_points():,} |")
    surfaces = []
    for name, chosen, tests in SURFACES:
        fields = 6 if chosen == WORDS else len(CUT_FIELDS) if chosen in (CUTS, SOME_CUTS) else len(FIELDS)
        surfaces.append(f"| {name} | {numbers[chosen]:,} | {numbers[chosen] * fields:,} | `{tests}` |")
    return "\n".join(
        [
            _HEADING.rstrip("\n"),
            _INTRODUCTION.format(
                payloads=len(PAYLOADS), kinds=len(KINDS), fields=len(FIELDS), classes=len(CLASSES)
            ),
            _rows(
                "| kind | payloads | in the sample | cut at every character | cuts |",
                "| --- | ---: | ---: | ---: | ---: |",
                kinds,
            ),
            _rows(
                "| surface | payloads | pairs of payload and field | test |",
                "| --- | ---: | ---: | --- |",
                surfaces,
            ),
        ]
    )


def documented() -> str:
    """Return the section that docs/reliability.md has."""
    _, heading, rest = _DOCUMENT.read_text(encoding="utf-8").partition(_HEADING)
    return heading + rest.partition("\n## ")[0].rstrip("\n") + "\n"


if __name__ == "__main__":
    text = _DOCUMENT.read_text(encoding="utf-8")
    old = documented() if _HEADING in text else ""
    made = text.replace(old, table()) if old else f"{text.rstrip()}\n\n{table()}"
    _DOCUMENT.write_text(made, encoding="utf-8")
    print(table())  # noqa: T201 - the command's output

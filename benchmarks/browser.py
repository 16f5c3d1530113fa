"""Run a JupyterLab and a Chromium to measure in, and compute a stream's figures from the page."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from tests.browser.lab import CHROMIUM_FLAGS, Notebook, jupyter_lab, write_notebook
from tools import chromium

from .kernel import settings
from .ways import COMMON

__all__ = ["Lab", "PageFigures", "percentile"]

CONTROLS = (
    "from IPython.display import HTML\nfrom vibe_notebook._markdown.renderer import render\nhtml = render(''.join(pieces))",
    """
from IPython.display import HTML
from vibe_notebook.registry import Registry
registry = Registry()
with vibe.live("agent", registry=registry, display=False) as live:
    for start, end in zip(pieces[::2], pieces[1::2]):
        with live.tool(*json.loads(start)[1]) as tool:
            tool.result(json.loads(end)[1])
html = registry.transcript("agent").to_html()
""",
)
"""Code that makes the final HTML of a text, and of tool calls."""

PATIENCE = 60_000
POLL = 0.4


@dataclass
class PageFigures:
    """Hold the figures of one run, as the page measured them. Times in seconds."""

    by_mark: dict[str, float] = field(default_factory=dict)
    last: float | None = None
    long_tasks: float = 0.0
    busy: float = 0.0
    growth: float = float("nan")
    absent: list[str] = field(default_factory=list)
    marks: int = 0
    is_whole: bool = True
    """True if the source sent every mark, and the page shows them all at the end."""
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> str:
        """Return "yes" for a whole text, else the number of marks on the page."""
        return "yes" if self.is_whole else f"{self.marks - len(self.absent)} of {self.marks} marks"

    @property
    def lags(self) -> list[float]:
        """Return each mark's lag."""
        return list(self.by_mark.values())


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that *share* of them do not exceed."""
    return sorted(values)[max(0, min(len(values) - 1, int(len(values) * share + 0.5) - 1))]


class Lab:
    """Run measurements in a JupyterLab; each has a notebook, a kernel and a page of its own."""

    def __init__(self, context: BrowserContext, url: str, folder: Path) -> None:
        self._context, self._url, self._folder = context, url, folder
        self._count = 0

    @classmethod
    @contextmanager
    def started(cls, *options: str) -> Iterator[Lab]:
        """Start JupyterLab and Chromium; end the started processes at the end."""
        with (
            tempfile.TemporaryDirectory() as name,
            jupyter_lab(Path(name), *options) as url,
            sync_playwright() as playwright,
        ):
            path = chromium.find() or "chromium"
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            context = browser.new_context(viewport={"width": 1280, "height": 1200})
            context.set_default_timeout(PATIENCE)
            here, tests = Path(__file__).parent, Path(__file__).parent.parent / "tests" / "browser"
            context.add_init_script(path=tests / "pages.js")
            context.add_init_script(path=here / "page.js")
            # JupyterLab shows only the first fifty outputs of a cell; one cell here shows a hundred views.
            settings_file = Path(
                name, ".home", "settings", "@jupyterlab", "notebook-extension", "tracker.jupyterlab-settings"
            )
            settings_file.parent.mkdir(parents=True, exist_ok=True)
            settings_file.write_text(json.dumps({"maxNumberOutputs": 500}))
            yield cls(context, url, Path(name))
            browser.close()

    @contextmanager
    def notebook(self, cells: list[str]) -> Iterator[Notebook]:
        """Open a notebook of these cells, with an idle kernel."""
        self._count += 1
        path = write_notebook(self._folder / f"run{self._count}.ipynb", cells)
        page = self._context.new_page()
        notebook = Notebook(page, self._url, path)
        try:
            notebook.open()
            yield notebook
            notebook.close()
        finally:
            page.close()

    def measure(
        self,
        setup: str,
        code: str,
        marks: list[str],
        *,
        limit: float,
        has_shadows: bool = False,
        toggles: int = 0,
    ) -> tuple[PageFigures, list[bool]]:
        """Run *code* in a cell. Return the page's figures, and for each of *toggles* unfoldings if it lasted."""
        lasted: list[bool] = []
        with self.notebook([code]) as notebook:
            for part in setup.split("\0"):
                notebook.ask(part)
            page = notebook.page
            root = notebook.output(0).element_handle()
            page.evaluate("([root, shadows]) => vibeBench.start(root, shadows)", [root, has_shadows])
            meter = page.context.new_cdp_session(page)
            meter.send("Performance.enable")
            began = time.monotonic()
            busy = [(time.time(), _busy(meter))]
            notebook.run(0)
            while time.monotonic() - began < limit:
                time.sleep(POLL)
                busy.append((time.time(), _busy(meter)))
                if len(lasted) < toggles and time.monotonic() - began > 1:
                    lasted += _toggle(page)
                if (
                    len(busy) % 5 == 0
                    and len(lasted) >= toggles
                    and not page.evaluate("(m) => vibeBench.left(m)", marks)
                ):
                    break
            seen = page.evaluate("() => vibeBench.seen()")
            long = page.evaluate("() => vibeBench.long()")
            absent = page.evaluate("(m) => vibeBench.absent(m)", marks)
            report = self._report(notebook, limit)
        return _figures(seen, long, busy, report, marks, absent), lasted

    def control(self, made: list[str], *, is_calls: bool = False) -> float:
        """Return the seconds of long tasks on a page that shows one final form, of a text or of calls."""
        mark = "zq0x0q"
        setup = "\0".join([settings(made, 1e9, PATIENCE / 1000), COMMON, CONTROLS[is_calls]])
        code = f"sent[{mark!r}] = time.time()\nmarks.append((0, time.time()))\ndisplay(HTML(html + {mark!r}))\nended.append(time.time())"
        seen, _ = self.measure(setup, code, [mark], limit=PATIENCE / 1000)
        return seen.long_tasks

    def _report(self, notebook: Notebook, limit: float) -> dict[str, Any]:
        """Return the kernel's report. Wait up to *limit* seconds more for a kernel that is busy with a slow way."""
        deadline = time.monotonic() + limit
        while notebook.page.evaluate("() => vibePages.kernel()?.status") == "busy":
            if time.monotonic() > deadline:
                return {"sent": {}, "began": 0.0, "ended": 0.0}
            time.sleep(POLL)
        value = (
            "__import__('json').dumps({'sent': sent, 'began': marks[0][1], 'ended': ended[-1], 'done': done})"
        )
        found: dict[str, Any] = json.loads(notebook.ask("", value))
        return found


def _busy(meter: Any) -> float:
    found = {metric["name"]: metric["value"] for metric in meter.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"])


def _toggle(page: Any) -> list[bool]:
    """Open the first fold; return if it is still open after 0.6 s. Return no value without a fold."""
    opened = page.evaluate(
        "() => { const el = vibeBench.fold(); if (el) el.open = true; return el !== null; }"
    )
    if not opened:
        return []
    time.sleep(0.6)
    is_open = bool(page.evaluate("() => vibeBench.fold()?.open ?? false"))
    page.evaluate("() => { const el = vibeBench.fold(); if (el) el.open = false; }")
    return [is_open]


def _figures(
    seen: dict[str, float],
    long: list[list[float]],
    busy: list[tuple[float, float]],
    report: dict[str, Any],
    marks: list[str],
    absent: list[str],
) -> PageFigures:
    sent: dict[str, float] = report["sent"]
    found = PageFigures(marks=len(marks), absent=absent, report=report)
    found.by_mark = {mark: seen[mark] / 1000 - at for mark, at in sent.items() if mark in seen}
    found.is_whole = not absent and len(sent) == len(marks)
    if marks[-1] in seen and marks[-1] in sent:
        found.last = seen[marks[-1]] / 1000 - sent[marks[-1]]
    begin, end = report["began"], report["ended"]
    shown = max([end, *(at / 1000 for at in seen.values())])
    found.long_tasks = sum(duration for at, duration in long if begin <= at / 1000 <= shown) / 1000
    found.busy = busy[-1][1] - busy[0][1]
    fifth = (end - begin) / 5
    # Up to the last reading before the end: the next one may include the drawing of the final form.
    until = max((at for at, _ in busy if at <= end), default=end)
    first, last = (_between(busy, at, at + fifth) for at in (begin, until - fifth))
    found.growth = last / first if first > 0 else float("nan")
    return found


def _between(busy: list[tuple[float, float]], begin: float, end: float) -> float:
    return _at(busy, end) - _at(busy, begin)


def _at(busy: list[tuple[float, float]], when: float) -> float:
    """Return the main thread's time up to a moment, between the two readings around the moment."""
    for (t0, v0), (t1, v1) in pairwise(busy):
        if t0 <= when <= t1:
            return v0 + (v1 - v0) * (when - t0) / (t1 - t0)
    return busy[-1][1] if when > busy[-1][0] else busy[0][1]

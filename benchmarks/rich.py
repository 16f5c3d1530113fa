"""Measure how long a view of rich results takes to open, beside the same results as static HTML on a page.

``python -m benchmarks rich``: 200 results, 50 of them images of 100 KB. Both open in one Chromium, in turn: the view from
its snapshot, as after a reload, and the saved form, which has the same images, tables and trees in ``<details>``.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import statistics
import struct
import zlib
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

import vibe_notebook
from tests.browser.lab import CHROMIUM_FLAGS
from tools import chromium
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._view import View
from vibe_notebook.events import Event, RunFinished, ToolFinished, ToolStarted
from vibe_notebook.registry import Registry

RESULTS = 200
SIDE = 182
"""Pixels of an image's side: of noise in three colours that has 100 KB."""
ROUNDS = 7
BUNDLE = Path(vibe_notebook.__file__).parent / "display" / "static" / "widget.js"
# Both wait until the page has drawn a frame with all of it, and each image is decoded.
DRAWN = """
const drawn = async (began, el) => {
  await Promise.all([...el.querySelectorAll("img")].map((image) => { image.loading = "eager"; return image.decode().catch(() => {}); }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
};
"""
VIEW = """async ({ module, snapshot, opened }) => {
  const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const model = { get: () => snapshot, on() {}, send() {} };
  const el = document.body.appendChild(document.createElement("div"));
  const began = performance.now();
  const def = widget();
  def.initialize({ model });
  def.render({ model, el });
  if (opened) for (const fold of el.querySelectorAll(".vibe-fold")) fold.click();
  %s
  return [await drawn(began, el), el.querySelectorAll("img").length, el.querySelectorAll(".vibe-tool").length];
}"""
STATIC = """async ({ html, opened }) => {
  const el = document.body.appendChild(document.createElement("div"));
  const began = performance.now();
  el.innerHTML = html;
  if (opened) for (const details of el.querySelectorAll("details")) details.open = true;
  %s
  return [await drawn(began, el), el.querySelectorAll("img").length, el.querySelectorAll(".vibe-tool").length];
}"""


def events() -> list[Event]:
    """Return the results: images, tables, JSON and edits in turn."""
    rng = random.Random(7)
    made: list[Event] = []
    for n in range(RESULTS):
        ids: dict[str, Any] = {"agent_id": "a", "run_id": "r", "tool_call_id": f"c{n}"}
        args: dict[str, Any] = {"n": n}
        output: Any = "done"
        display: dict[str, Any] | None = None
        match n % 4:
            case 0:
                output = {"$display": "image/png"}
                display = {"image/png": base64.b64encode(_noise(rng)).decode()}
            case 1:
                output = {
                    "columns": list("abcdef"),
                    "rows": [[rng.random()] * 6 for _ in range(20)],
                    "total": 4312,
                }
            case 2:
                output = {"items": [{"id": i, "tags": ["x", "y"], "price": rng.random()} for i in range(30)]}
            case _:
                lines = [f"value_{i} = {rng.random()}" for i in range(40)]
                new = [*lines[:20], "changed = True", *lines[21:]]
                args = {"path": "a.py", "old_string": "\n".join(lines), "new_string": "\n".join(new)}
        made.append(ToolStarted(**ids, tool_name="tool", args=args))
        made.append(ToolFinished(**ids, output=output, display=display))
    return [*made, RunFinished(agent_id="a", run_id="r")]


def _noise(rng: random.Random) -> bytes:
    """Return a PNG of noise, which no filter makes smaller."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rng.randbytes(3 * SIDE) for _ in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def run(options: argparse.Namespace) -> tuple[str, str]:
    """Measure; return the section's title and its body."""
    del options
    registry = Registry()
    view = View(registry, title="rich", send=lambda _: None, pacer=Pacer(threads=False))
    view.watch("a")
    registry.dispatch(events())
    view.flush()
    snapshot, html = view.snapshot(), registry.transcript("a").to_html()
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=CHROMIUM_FLAGS)
        for opened in (False, True):
            inputs = {
                "module": BUNDLE.read_text(encoding="utf-8"),
                "snapshot": snapshot,
                "html": html,
                "opened": opened,
            }
            times: dict[str, list[float]] = {"view": [], "static": []}
            for _ in range(ROUNDS):
                for name, script in (("view", VIEW), ("static", STATIC)):
                    page = browser.new_page(viewport={"width": 1000, "height": 900})
                    times[name].append(_time(page, script, inputs))
                    page.close()
            live, static = statistics.median(times["view"]), statistics.median(times["static"])
            calls = "all open" if opened else "closed"
            rows.append(f"| {calls} | {live:.0f} | {static:.0f} | {live / static:.2f} |")
        browser.close()
    size = len(json.dumps(snapshot)) / 1e6
    body = (
        f"{RESULTS} rich results (50 images of 100 KB, 50 tables, 50 values as JSON, 50 edits) opened; the snapshot has {size:.1f} MB.\n"
        f"Milliseconds until all is drawn and each image decoded, medians of {ROUNDS} rounds in turn, in one Chromium.\n\n"
        "| calls | view | static HTML | ratio |\n| --- | --- | --- | --- |\n" + "\n".join(rows)
    )
    return "Rich results", body


def _time(page: Page, script: str, inputs: dict[str, Any]) -> float:
    page.set_content("<!doctype html><body></body>")
    milliseconds, images, calls = page.evaluate(script % DRAWN, inputs)
    if (images, calls) != (RESULTS // 4, RESULTS):
        msg = f"The page shows {images} images and {calls} calls."
        raise RuntimeError(msg)
    return float(milliseconds)

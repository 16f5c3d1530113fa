"""Show every payload of the corpus, in every field, in Chromium: live, saved, as Markdown and by nbconvert.

Each page holds many payloads. Their own kind judges each element of it; the network, the page's globals, its address
and all that stands outside of the views are watched too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Route

from tests.browser.conftest import Watched
from tests.forms.viewers import ATTRIBUTES, cmark_gfm, markdown_it
from tests.forms.viewers import ELEMENTS as MARKDOWN
from tests.hostile.cases import Case
from tests.hostile.counts import CUT_STEP
from tests.hostile.cuts import CutRun
from tests.hostile.oracles import CLASS, ELEMENTS, MATH, RASTER, STYLE
from tests.hostile.payloads import CUT, KINDS, PAYLOADS, SAMPLE
from tests.hostile.stories import story
from vibe_notebook.display._widget import _BUNDLE
from vibe_notebook.events import to_json
from vibe_notebook.server import serve_in_background

Item = TypeVar("Item")
ORIGIN = "http://corpus.test"
BATCH = 40
"""Payloads of one page: their live views have about 15,000 elements."""
PARTS = 4
"""Tests that share the payloads: each is done within a minute on one core."""
TITLE = "The hostile corpus"
JUDGED = {
    "view": ELEMENTS | {name: f"{names} class style" for name, names in ELEMENTS.items()},
    "markdown": dict.fromkeys(MARKDOWN, " ".join(ATTRIBUTES)),
    "math": sorted(MATH),
    "classes": CLASS,
    "style": STYLE,
    "raster": f"^{RASTER}$",
}


class Corpus:
    """Serve the pages of the corpus, refuse each other request, and collect what must not happen."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.page = watched.page
        self.pages: dict[str, str] = {}
        self.allowed: tuple[str, ...] = ()
        self.requests: list[str] = []
        self.opened: list[str] = []
        self.page.route("**/*", self._answer)
        self.page.on("popup", lambda page: self.opened.append(page.url))
        self.page.on("download", lambda download: self.opened.append(download.url))
        self.page.on("framenavigated", self._navigated)
        self.page.add_init_script(path=Path(__file__).with_name("corpus.js"))

    def allow(self, url: str) -> None:
        """Let the page open the transcripts of a server, and nothing else there."""
        self.allowed = (f"{url}/projects/",)

    def _navigated(self, frame: Any) -> None:
        is_ours = frame.url.startswith(self.allowed) or frame.url.removeprefix(ORIGIN) in self.pages
        if frame.parent_frame is not None or not is_ours:
            self.opened.append(frame.url)

    def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/widget.js":
            route.fulfill(body=_BUNDLE.read_text(encoding="utf-8"), content_type="text/javascript")
        elif path.startswith(self.allowed):
            route.continue_()
        elif path in self.pages:
            route.fulfill(body=self.pages[path].encode("utf-8"), content_type="text/html; charset=utf-8")
        else:
            self.requests.append(route.request.url)
            route.abort()

    def show(self, sections: Sequence[tuple[str, str, str]]) -> list[str]:
        """Load a page of (name, allow list, HTML) as a browser reads a file, and return its attacks."""
        body = "".join(
            f'<section class="allow-{allowed}" data-name="{name}">{html}</section>\n'
            for name, allowed, html in sections
        )
        path = f"/page-{len(self.pages)}"
        self.pages[path] = (
            f"<!doctype html><html><head><meta charset=utf-8><title>{TITLE}</title></head><body>{body}</body></html>"
        )
        self.page.context.clear_cookies()
        self.page.goto(f"{ORIGIN}{path}")
        found: list[str] = self.page.evaluate(
            """async (judged) => {
                const sections = [...document.querySelectorAll("body > section")];
                corpus.provoke();
                await corpus.frames();
                return corpus.judge(judged, sections);
            }""",
            JUDGED,
        )
        return found + self.ended(len(sections))

    def live(self, cases: Sequence[dict[str, Any]]) -> list[str]:
        """Show live views in a fresh page, message by message, and return their attacks."""
        found = self.show([])
        found += self.page.evaluate(
            """async ([cases, judged]) => {
                const found = await corpus.mount(cases, judged);
                corpus.provoke();
                await corpus.frames();
                return found;
            }""",
            [cases, JUDGED],
        )
        return found + self.ended(len(cases))

    def ended(self, sections: int) -> list[str]:
        found: list[str] = self.page.evaluate(
            "([title, count]) => corpus.happened(title, count)", [TITLE, sections]
        )
        return found + self.disturbances()

    def disturbances(self) -> list[str]:
        """Return the requests, pages, dialogs and errors so far."""
        found = [f"request {url}" for url in self.requests] + [f"opened {url}" for url in self.opened]
        found += [f"dialog {text}" for text in self.watched.dialogs]
        # A browser decodes a raster image that the agent made up, and says so; a data address asks no server.
        found += [text for text in self.watched.errors if "ERR_INVALID_URL" not in text]
        self.requests.clear()
        return found


@pytest.fixture
def corpus(watched: Watched) -> Corpus:
    return Corpus(watched)


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def browser_json(value: Any) -> Any:
    """Return *value* as the wire's JSON gives it to the browser."""
    return json.loads(json.dumps(value))


ATTACKS = [
    ("<img src=x onerror=alert(1)>", "alert()"),
    ("<script>alert(1)</script>", "alert()"),
    ("<img src=https://evil.example/x>", "request https://evil.example/x"),
    ("<link rel=stylesheet href=//evil.example/x.css>", "request http://evil.example/x.css"),
    ("<script>document.title = 'x'</script>", "title x"),
    ("<script>document.cookie = 'a=b'</script>", "cookie a=b"),
    ("<script>Object.prototype.polluted = 1</script>", "prototype"),
    ("<script>window.evil = 1</script>", "global evil"),
    ("</section><p>outside", "2 elements in the body, not 1"),
    ("<div style='position:fixed'>x</div>", "attack: <div style=position:fixed>"),
    ("<a href='java&#9;script:alert(1)'>x</a>", "attack: <a href=java\tscript:alert(1)>"),
    ("<iframe src=about:blank></iframe>", "opened about:blank"),
]


@pytest.mark.parametrize(("html", "noticed"), ATTACKS)
def test_the_judge_notices_an_attack(corpus: Corpus, html: str, noticed: str) -> None:
    assert noticed in corpus.show([("attack", "view", html)])


CHOSEN = range(PARTS) if os.environ.get("VIBE_HOSTILE") == "all" else [0]
"""``make hostile`` shows all payloads; every other run a quarter of each kind: the whole takes five minutes."""


@pytest.mark.parametrize("part", CHOSEN)
def test_no_payload_gets_through_in_any_form_in_chromium(
    corpus: Corpus, part: int, record_property: Any
) -> None:
    found: list[str] = []
    elements = count = 0
    for number, batch in enumerate(batches(PAYLOADS)):
        if number % PARTS != part:
            continue
        cases = [Case(payload) for payload in batch]
        sections = []
        for index, case in enumerate(cases):
            place = f"{number * BATCH + index} {case.kind}"
            sections.append((f"{place} saved", "view", case.html))
            sections.append((f"{place} markdown-it", "markdown", markdown_it(case.markdown)))
            sections.append((f"{place} cmark-gfm", "markdown", cmark_gfm(case.markdown)))
        found += corpus.show(sections)
        elements += corpus.page.evaluate("() => corpus.elements")
        found += corpus.live(
            [
                {"snapshot": browser_json(case.snapshot), "messages": browser_json(case.messages)}
                for case in cases
            ]
        )
        elements += corpus.page.evaluate("() => corpus.elements")
        count += len(batch)
    assert found == []
    assert count == sum(
        len(batch) for number, batch in enumerate(batches(PAYLOADS)) if number % PARTS == part
    )
    record_property("elements", elements)


def test_no_payload_gets_through_nbconvert_in_chromium(corpus: Corpus) -> None:
    cases = [Case(payload) for payload in SAMPLE]
    bundles = [
        {"text/html": case.html, "text/markdown": case.markdown, "text/plain": case.plain} for case in cases
    ]
    bundles += [{"text/markdown": case.markdown, "text/plain": case.plain} for case in cases]
    for chosen in batches(bundles, 2 * BATCH):
        outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in chosen]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
        page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
        assert page.count('<div class="vibe" style=') == sum("text/html" in bundle for bundle in chosen)
        assert corpus.show([("nbconvert", "markdown", page)]) == []


def test_no_payload_gets_through_a_servers_page_in_chromium(corpus: Corpus) -> None:
    with serve_in_background() as server, httpx2.Client(base_url=server.url, timeout=30) as client:
        corpus.allow(server.url)
        for kind in KINDS:
            path = f"/projects/{kind.replace(' ', '-')}"
            events = [event for payload in SAMPLE if payload.kind == kind for event in story(payload.text)]
            for start in range(0, len(events), 60):  # a request is bounded
                body = "[" + ",".join(map(to_json, events[start : start + 60])) + "]"
                json_type = {"Content-Type": "application/json"}
                assert client.post(f"{path}/events", content=body.encode(), headers=json_type).is_success
            corpus.page.goto(f"{server.url}{path}/transcript?format=html")
            found = corpus.page.evaluate("(judged) => corpus.judge(judged, [document.body])", JUDGED)
            assert found + corpus.disturbances() == [], kind
            for form in ("text", "json"):
                corpus.page.goto(f"{server.url}{path}/transcript?format={form}")
                assert (
                    corpus.page.evaluate("() => document.querySelectorAll('body *:not(pre, div)').length")
                    == 0
                )
            assert corpus.disturbances() == [], kind


def test_no_cut_of_a_payload_gets_through_the_live_view_in_chromium(
    corpus: Corpus, record_property: Any
) -> None:
    chosen = CUT[::CUT_STEP]
    views: list[dict[str, Any]] = []
    for payload in chosen:
        for at in range(1, len(payload.text)):
            run = CutRun()
            run.feed(payload.text[:at])
            run.feed(payload.text[at:])
            run.finish()
            views.append({"snapshot": browser_json(run.snapshot), "messages": browser_json(run.messages)})
    found = [bad for batch in batches(views, 2 * BATCH) for bad in corpus.live(batch)]
    assert found == []
    assert len(views) == sum(len(payload.text) - 1 for payload in chosen)
    record_property("cuts", len(views))

"""Check that an agent's text never runs, loads or leads anywhere, live or saved."""

from __future__ import annotations

import json
from typing import Any

from tests.browser.conftest import Open, Watched
from tests.browser.lab import PREPARE

# Elements that run, load or lead somewhere: asked of the page itself.
LIVE_WIRES = """() => [...document.querySelectorAll(".jp-OutputArea .vibe, .jp-OutputArea .vibe *")].flatMap((el) =>
    [...el.attributes].filter(({ name, value }) =>
        name.startsWith("on") || (name === "style" && /url|expression/i.test(value)) || name === "srcdoc" ||
        (name === "src" && !/^data:image\\/(png|jpeg|gif|webp);base64,/.test(value)) ||
        (name === "href" && !/^(https?:|mailto:)/.test(value))
    ).map(({ name, value }) => `${el.tagName} ${name}=${value}`)
    .concat(/^(script|iframe|object|embed|form|link|meta|base|style|svg|video|audio)$/i.test(el.tagName) ? [el.tagName] : []))"""

OPEN_ALL = """() => {
    vibePages.openAll();
    for (const el of document.querySelectorAll(".vibe *")) {
        for (const name of ["mouseover", "focus", "toggle", "error", "load"]) el.dispatchEvent(new Event(name));
    }
}"""

STORY = f"""{PREPARE}
from tests.browser.hostile_script import hostile_script
story = Story(hostile_script())"""


def test_hostile_text_in_every_place_neither_runs_nor_loads_live_or_saved(
    notebook: Open, watched: Watched
) -> None:
    book = notebook(STORY, "%vibe_stream --title '<img src=x onerror=window.__pwned=1>' story")
    page = book.page
    violations: list[str] = []

    def check(form: str) -> None:
        page.evaluate(OPEN_ALL)
        # The page would load or run in the frames after.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
        found: list[str] = page.evaluate(LIVE_WIRES)
        violations.extend(f"{form}: {item}" for item in found)
        if page.evaluate("() => window.__pwned"):
            violations.append(f"{form}: ran")

    book.run(0, 1)
    page.wait_for_selector(".vibe-live")
    book.ask("await story.at('end')")
    count = book.ask(value="len(json.loads(prints_of()))")
    page.wait_for_function(f"() => JSON.parse(vibePages.prints(vibePages.views()[0])).length === {count}")
    check("live")
    assert "__pwned" in page.locator(".vibe-live").inner_text()

    book.ask("resync()")
    check("whole")
    book.ask("story.open('end')")
    page.wait_for_selector(".vibe:not(.vibe-live)")
    check("saved")
    assert "__pwned" in page.locator(".vibe").inner_text()

    book.save()
    book.close()
    content: dict[str, Any] = json.loads(book.path.read_text())
    assert "__pwned" in json.dumps(content["cells"][1]["outputs"])
    page.reload()
    book.wait_ready()
    page.wait_for_selector(".vibe")
    check("reopened")

    assert violations == []
    assert watched.foreign == []
    assert watched.dialogs == []

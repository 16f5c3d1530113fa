"""Check in JupyterLab that an agent's text never runs, loads or leads anywhere: live, saved, trusted or not.

Every kind of payload is here; tests/browser/test_hostile_corpus.py has all of them, in a page of their own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat

from tests.browser.conftest import Open, Watched
from tests.browser.lab import PREPARE

# Elements that run, load or lead somewhere: asked of the page itself.
LIVE_WIRES = """() => [...document.querySelectorAll(".jp-OutputArea .vibe, .jp-OutputArea .vibe *")].flatMap((el) =>
    [...el.attributes].filter(({ name, value }) =>
        name.startsWith("on") || (name === "style" && /url|expression/i.test(value)) || name === "srcdoc" ||
        (name === "src" && !/^data:image\\/(png|jpeg|gif|webp);base64,/.test(value)) ||
        (name === "href" && !/^(https?:|mailto:)/i.test(value))
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


OWN = "from IPython.display import Math\nMath(r'\\frac{a}{b}, \\pi, \\sum_i')"
READ = (
    "() => [...document.querySelectorAll('.jp-RenderedLatex mjx-assistive-mml')].map((el) => el.textContent)"
)
CANARY = """for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => { window.__ran = name; };"""


def copy_of(content: dict[str, Any], folder: Path) -> str:
    """Write a notebook of the same outputs that nobody ran here, and return its name."""
    content["cells"][1]["source"] = "# another notebook"
    path = folder / "hostile-untrusted.ipynb"
    nbformat.write(nbformat.from_dict(content), path)
    return path.name


def test_hostile_text_in_every_field_neither_runs_nor_loads_live_saved_trusted_or_not(
    notebook: Open, watched: Watched, lab: str, lab_folder: Path
) -> None:
    watched.page.add_init_script(CANARY)
    book = notebook(STORY, "%vibe_stream --title '<img src=x onerror=alert(1)>' story", OWN)
    page = book.page
    violations: list[str] = []

    def check(form: str) -> None:
        page.evaluate(OPEN_ALL)
        # The page would load or run in the frames after.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
        found: list[str] = page.evaluate(LIVE_WIRES)
        violations.extend(f"{form}: {item}" for item in found)
        if page.evaluate("() => window.__ran || {}.polluted"):
            violations.append(f"{form}: ran")

    book.run(2)
    page.wait_for_selector(".jp-RenderedLatex mjx-container")
    own = page.evaluate(READ)
    book.run(0, 1)
    page.wait_for_selector(".vibe-live")
    title = page.title()
    book.ask("await story.at('end')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('The end:')")
    check("live")
    assert "alert(1)" in page.locator(".vibe-live").inner_text()

    book.ask("resync()")
    check("whole")
    book.ask("story.open('end')")
    page.wait_for_selector(".vibe:not(.vibe-live) mjx-container")
    check("saved")
    assert "alert(1)" in page.locator(".vibe").inner_text()
    book.run(2)
    page.wait_for_selector(".jp-RenderedLatex mjx-container")
    assert page.evaluate(READ) == own  # no formula of the agent has changed those of the user
    assert page.title() == title

    content = book.save()
    book.close()
    assert "alert(1)" in json.dumps(content["cells"][1]["outputs"])
    for is_trusted in (True, False):
        if is_trusted:
            page.reload()
        else:
            page.goto(f"{lab}/lab/tree/{copy_of(content, lab_folder)}?reset")
        book.wait_ready()
        page.wait_for_selector(".vibe mjx-container")
        assert page.evaluate("() => vibePages.codeCells()[1].model.trusted") is is_trusted
        check(f"reopened, trusted {is_trusted}")
        assert page.evaluate(READ) == own

    assert violations == []
    assert watched.foreign == []
    assert watched.dialogs == []

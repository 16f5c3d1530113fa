"""Check rich results on a page: live, after a reload in mid-stream, without a kernel, in pieces, in a narrow view."""

from __future__ import annotations

import json

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE
from tests.browser.test_look import SETTLED, STICKS_OUT, WATCH
from tests.display.test_rich import image

DATA = image(1)
STORY = f"""{PREPARE}
make = RunEvents("tester", "run")
names = [f"column_{{n}}" for n in range(30)]
table = {{"columns": names, "rows": [list(range(30))] * 20, "total": 4312}}
plot = {{"image/png": {DATA!r}}}
story = Story([
    make.started(), ev.Plan(**make.ids, entries=[{{"text": "draw", "status": "completed"}}, {{"text": "write", "status": "in_progress"}}]),
    make.begins("c0", "plot"), make.ends("c0", "plot", output={{"$display": "image/png"}}, display=plot),
    make.begins("c1", "query"), make.ends("c1", "query", output=table),
    make.begins("c2", "edit", {{"path": "a.py", "old_string": "x = 1", "new_string": "x = 2"}}), make.ends("c2", "edit", output="ok"),
    make.begins("c3", "bash", {{"command": "make"}}), make.ends("c3", "bash", output={{"stdout": "\\x1b[31mno\\x1b[0m", "exit_code": 1}}),
    ev.Artifact(**make.ids, artifact_id="p", display=plot),
    *make.text("Birds fly.\\n\\nFish swim.", "x0"),
    ev.Citation(**make.ids, message_id="m", citation_id="c", part_id="x0", url="https://example.org/birds", end=9),
    Gate("middle"), *make.text("\\n\\nSo it is.", "x0"), Gate("end"), make.finished(),
])"""
# Of the view or of its saved form: images, number of sources, marks, widest word of the diff, words of the terminal.
SEEN = """() => {
    const view = vibePages.views()[0];
    const text = view?.textContent ?? "";
    return view && {
        images: [...view.querySelectorAll("img")].map((image) => image.complete && image.naturalWidth),
        cites: [...view.querySelectorAll("sup.vibe-cite")].map((el) => el.textContent),
        words: ["20 of 4,312 rows", "a.py · +1 -1", "exit 1", "example.org/birds"].filter((words) => !text.includes(words)),
        escapes: text.includes("\\\\u001b") || text.includes("\\u001b"),
    };
}"""
WHOLE = {"images": [1, 1], "cites": ["[1]"], "words": [], "escapes": False}
LONG = f"""{PREPARE}
make = RunEvents("tester", "run")
log = "".join(f"line {{n}} of the log\\n" for n in range(60_000))
story = Story([
    make.started(), make.begins("c0", "dump"), make.ends("c0", "dump", output=log),
    *make.text("The end.", "x0"), Gate("end"), make.finished(),
])"""


def test_rich_results_are_whole_live_after_a_reload_in_mid_stream_and_in_the_file(notebook: Open) -> None:
    book = notebook(STORY, WATCH)
    page = book.page
    seen = f"(wanted) => JSON.stringify(({SEEN})()) === JSON.stringify(wanted)"
    book.run(0, 1)
    book.ask("await story.at('middle')")
    page.locator(".vibe-text").get_by_text("Fish swim.").wait_for()
    page.evaluate("() => vibePages.openAll()")
    page.wait_for_function(seen, arg=WHOLE)
    assert page.locator(".vibe-steps").text_content() == "Plan 1/2 · write"
    # Each image waits until it is near, is bounded, and stays a node while the view grows.
    assert page.evaluate(
        "() => [...document.querySelectorAll('.vibe img')].every((i) => i.loading === 'lazy')"
    )
    page.evaluate("() => { window.kept = document.querySelector('.vibe img'); }")
    book.save()

    book.ask("story.open('middle'); await story.at('end')")
    page.locator(".vibe-text").get_by_text("So it is.").wait_for()
    assert page.evaluate("() => document.querySelector('.vibe img') === window.kept")
    page.set_viewport_size({"width": 700, "height": 1200})
    assert page.evaluate(STICKS_OUT) == []
    wide = page.locator(".vibe-rich div:has(> table)").first
    assert wide.evaluate("(el) => el.scrollWidth > el.clientWidth")  # the table scrolls by itself

    book.reload()
    page.wait_for_selector(".vibe-live .vibe-tool")
    page.evaluate("() => vibePages.openAll()")
    page.wait_for_function(seen, arg=WHOLE)
    book.wait_shows(book.ask(value="prints_of()"))
    book.ask("story.open('end')")
    page.wait_for_selector(".vibe[data-state=success]")
    page.wait_for_function(seen, arg=WHOLE)
    # The file has both images, and no widget is needed to see them.
    page.wait_for_function(
        "() => !JSON.stringify(vibePages.codeCells()[1].model.outputs.toJSON()).includes('widget-view')"
    )
    html = json.dumps(book.save()["cells"][1]["outputs"])
    assert html.count(f"data:image/png;base64,{DATA}") >= 2


def test_a_long_result_comes_whole_on_a_key_press(notebook: Open) -> None:
    book = notebook(LONG, WATCH)
    page = book.page
    book.run(0, 1)
    book.ask("await story.at('end')")
    page.locator(".vibe-text").get_by_text("The end.").wait_for()
    page.evaluate("() => vibePages.openAll()")
    text, more = page.locator(".vibe-output-text"), page.locator(".vibe-output-more")
    assert "are left out here" in (text.text_content() or "")
    assert more.text_content() == "Show all (1,308,890 characters)"
    more.focus()
    page.keyboard.press("Enter")
    more.wait_for(state="hidden")
    assert text.text_content() == book.ask(value="log")


def test_a_reader_of_a_long_result_whose_kernel_is_gone_is_told_so(notebook: Open) -> None:
    book = notebook(LONG, WATCH)
    page = book.page
    book.run(0, 1)
    book.ask("await story.at('end')")
    page.locator(".vibe-text").get_by_text("The end.").wait_for()
    book.save()
    book.reload()
    page.wait_for_selector(".vibe-live .vibe-tool")
    page.evaluate("() => vibePages.panel().sessionContext.shutdown()")
    page.evaluate("() => vibePages.openAll()")
    more = page.locator(".vibe-output-more")
    page.get_by_text("The kernel, which has all 1,308,890 characters, is gone").wait_for()
    assert more.is_disabled()


def test_rich_results_are_in_the_notebook_without_a_kernel(notebook: Open) -> None:
    book = notebook(STORY, WATCH)
    page = book.page
    book.run(0, 1)
    book.ask("story.open('middle'); story.open('end')")
    page.wait_for_selector(SETTLED)
    book.save()
    page.evaluate("() => vibePages.panel().sessionContext.shutdown()")
    page.reload()
    book.wait_ready()
    page.evaluate("() => vibePages.panel().sessionContext.shutdown()")
    page.wait_for_function("() => vibePages.views().length === 1")
    # The plot is seen without a click, all else with one.
    seen = (
        "() => [...document.querySelectorAll('.vibe img')].filter((image) => image.checkVisibility()).length"
    )
    assert page.evaluate(seen) == 2
    page.evaluate("() => document.querySelectorAll('.vibe details').forEach((fold) => { fold.open = true; })")
    page.wait_for_function(f"(wanted) => JSON.stringify(({SEEN})()) === JSON.stringify(wanted)", arg=WHOLE)


def test_nothing_moves_when_a_stream_of_rich_results_ends(notebook: Open) -> None:
    book = notebook(STORY, WATCH)
    page = book.page
    book.run(0, 1)
    book.ask("story.open('middle'); await story.at('end')")
    page.locator(".vibe-text").get_by_text("So it is.").wait_for()
    page.evaluate("() => vibePages.openAll()")
    places = """() => {
        const view = vibePages.views()[0];
        const top = view.getBoundingClientRect().top;
        return [...view.querySelectorAll(".vibe-text, .vibe-tool, .vibe-artifact, .vibe-tool img, .vibe-tool table")]
            .filter((el) => el.checkVisibility()).map((el) => Math.round(el.getBoundingClientRect().top - top));
    }"""
    page.wait_for_function(f"() => ({places})().length === 8")
    live = page.evaluate(places)
    book.ask("story.open('end')")
    page.wait_for_selector(SETTLED)
    saved = page.evaluate(places)
    assert len(saved) == len(live)
    assert [(a, b) for a, b in zip(live, saved, strict=True) if abs(a - b) > 4] == []

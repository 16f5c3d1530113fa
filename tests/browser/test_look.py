"""Check that a reader is undisturbed: nothing jumps, nothing is cut off; scroll, selection and focus stay."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE, Notebook

WATCH = "%vibe_stream --title Story story"
LONG = f"""{PREPARE}
make = RunEvents("tester", "run")
lines = "\\n\\n".join(f"Paragraph {{n}} of the story, with some words in it." for n in range(30))
story = Story([
    make.started(), *make.thinking("A thought.", "t0"), *make.args("c0", "search", {{"q": 1}}),
    make.begins("c0", "search", {{"q": 1}}), make.ends("c0", "search", output="found"),
    *make.text(lines + "\\n\\n", "x0"), Gate("middle"),
    *make.text(lines + "\\n\\n$$\\\\int_0^1 x^2 dx = \\\\frac{{1}}{{3}}$$\\n\\nThe end.", "x0"), Gate("end"), make.finished(),
])"""
WIDE = f"""{PREPARE}
make = RunEvents("tester", "run")
row = "| " + " | ".join(f"cell number {{n}}" for n in range(30)) + " |\\n"
story = Story([
    make.started(), *make.text("word" * 200 + "\\n\\n" + row + "|---" * 30 + "|\\n" + row, "x0"),
    make.begins("c0", "tool_" * 40, {{"q": "word" * 200}}),
    make.ends("c0", "tool_" * 40, output={{"columns": ["word" * 9] * 30, "rows": [["word" * 9] * 30], "total": 1}}),
    make.begins("c1", "fetch", {{"q": "word " * 40}}), make.ends("c1", "fetch", error="word" * 200),
    make.begins("c2", "look"), make.ends("c2", "look", output="word" * 200),
    Gate("end"), make.finished(),
])"""
# Distance from the visible bottom of the notebook down to the view's end.
BELOW = """() => vibePages.views()[0].getBoundingClientRect().bottom
    - document.querySelector(".jp-WindowedPanel-outer").getBoundingClientRect().bottom"""
SCROLLED = "() => document.querySelector('.jp-WindowedPanel-outer').scrollTop"
SETTLED = ".vibe:not(.vibe-live)"
# The visible parts: each with its place from the top of the view.
PLACES = """() => {
    const view = vibePages.views()[0];
    const top = view.getBoundingClientRect().top;
    return [...view.querySelectorAll(".vibe-text, .vibe-tool, .vibe-thinking, .vibe-artifact, .vibe-tool > :first-child code:first-of-type, .vibe-tool pre")].filter((el) => el.checkVisibility()).map((el) => {
        const { left, right, top: at } = el.getBoundingClientRect();
        const name = el.tagName === "PRE" ? "PRE" : el.className.split(" ")[0] || el.tagName;
        return [name, left, el.tagName === "CODE" ? left : right, at - top];
    });
}"""
# Elements that stick out of the view to the right, except inside of a box that scrolls.
STICKS_OUT = """() => {
    const view = vibePages.views()[0];
    const scrolls = (el) => el !== view && (getComputedStyle(el).overflowX !== "visible" || scrolls(el.parentElement));
    const edge = view.getBoundingClientRect().right;
    return [...view.querySelectorAll("*")].filter((el) => el.getBoundingClientRect().right > edge + 1 && !scrolls(el.parentElement))
        .map((el) => `${el.tagName}.${el.className}`);
}"""
NOW = "() => document.activeElement?.closest('.vibe') && document.activeElement.textContent.trim()"


def small(book: Notebook, width: int = 1280, height: int = 700) -> Page:
    book.page.set_viewport_size({"width": width, "height": height})
    return book.page


def opened(book: Notebook) -> None:
    book.page.evaluate("() => vibePages.openAll()")


def test_a_reader_who_follows_sees_the_end_when_the_stream_has_ended(notebook: Open) -> None:
    book = notebook(LONG, WATCH)
    page = small(book)
    book.run(0, 1)
    book.ask("await story.at('middle')")
    page.wait_for_function(
        f"() => vibePages.views()[0]?.textContent?.includes('Paragraph 29') && ({BELOW})() < 4"
    )
    book.ask("story.open('middle'); await story.at('end')")
    page.wait_for_function(
        f"() => vibePages.views()[0]?.textContent?.includes('The end.') && ({BELOW})() < 4"
    )

    book.ask("story.open('end')")

    page.wait_for_selector(
        f"{SETTLED} mjx-container"
    )  # the host sets the formula afterwards, higher than it was
    page.wait_for_function(f"() => ({BELOW})() <= 1")


def test_a_reader_who_scrolled_up_stays_there_while_text_arrives_and_at_the_end(notebook: Open) -> None:
    book = notebook(LONG, WATCH)
    page = small(book)
    book.run(0, 1)
    book.ask("await story.at('middle')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('Paragraph 29')")
    page.locator(".vibe-text").hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"() => ({BELOW})() > 100")
    before = page.evaluate(SCROLLED)

    book.ask("story.open('middle'); await story.at('end')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('The end.')")
    assert page.evaluate(SCROLLED) == before
    book.ask("story.open('end')")
    page.wait_for_selector(f"{SETTLED} mjx-container")
    assert abs(page.evaluate(SCROLLED) - before) <= 1


def test_the_readers_selection_stays_while_text_arrives(notebook: Open) -> None:
    book = notebook(LONG, WATCH)
    page = small(book)
    book.run(0, 1)
    book.ask("await story.at('middle')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('Paragraph 29')")
    page.locator(".vibe-text p").nth(20).select_text()
    selected = page.evaluate("() => getSelection().toString()")
    assert selected.startswith("Paragraph 20")

    book.ask("story.open('middle'); await story.at('end')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('The end.')")
    assert page.evaluate("() => getSelection().toString()") == selected


def test_a_call_is_opened_by_keyboard_and_keeps_the_focus_while_text_arrives_and_at_the_end(
    notebook: Open,
) -> None:
    book = notebook(LONG, WATCH)
    page = small(book)
    book.run(0, 1)
    book.ask("await story.at('middle')")
    page.get_by_role("button", name="Stop", exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(NOW).startswith("search")
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector(".vibe-tool > [aria-expanded=true]")
    assert page.evaluate(NOW).startswith("search")
    page.keyboard.press("Space")
    page.wait_for_selector(".vibe-tool > [aria-expanded=false]")

    book.ask("story.open('middle'); await story.at('end')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('The end.')")
    assert page.evaluate(NOW).startswith("search")
    book.ask("story.open('end')")
    page.wait_for_selector(SETTLED)
    page.wait_for_function(f"() => (({NOW})() || '').includes('search')")


def test_nothing_moves_when_the_stream_ends(notebook: Open) -> None:
    book = notebook(
        f"""{PREPARE}
make, child = RunEvents("tester", "run"), RunEvents("tester", "child")
story = Story([
    make.started(), *make.thinking("A thought.", "t0"), *make.text("It is **so**.\\n\\n- one\\n- two", "x0"),
    make.begins("c0", "search", {{"q": 1}}), make.ends("c0", "search", output="found\\n" * 3),
    make.begins("c1", "fetch", {{"q": "word " * 50}}), make.ends("c1", "fetch", error="not found"),
    make.begins("c2", "research"), child.started(parent_run_id="run", parent_tool_call_id="c2"),
    *child.text("Parrots talk.", "y0"), child.begins("k0", "listen"), child.ends("k0", "listen", output="squawk"),
    make.ends("c2", "research", output="done"),
    *make.text("| a | b |\\n| --- | --- |\\n| 1 | 2 |\\n\\n```python\\nx = 1\\n```", "x1"),
    make.begins("c3", "look"), make.ends("c3", "look"), *make.text("So be it.", "x2"), Gate("end"), make.finished(),
])""",
        WATCH,
    )
    page = book.page
    book.run(0, 1)
    book.ask("await story.at('end')")
    page.wait_for_function("() => vibePages.views()[0]?.textContent?.includes('So be it.')")
    page.locator(".vibe-tool > .vibe-fold").nth(1).click()
    page.locator(".vibe-tool > .vibe-fold").nth(2).click()
    page.wait_for_function(
        "() => document.querySelectorAll('.vibe-tool > [aria-expanded=true]').length === 2"
    )
    live = page.evaluate(PLACES)
    assert len(live) > 12

    book.ask("story.open('end')")
    page.wait_for_selector(SETTLED)
    saved = page.evaluate(PLACES)
    assert [part[0] for part in saved] == [part[0] for part in live]
    moved = [
        (a, b)
        for a, b in zip(live, saved, strict=True)
        if any(abs(x - y) > 2 for x, y in zip(a[1:], b[1:], strict=True))
    ]
    assert moved == []


def test_nothing_sticks_out_of_a_narrow_view_live_or_saved(notebook: Open) -> None:
    book = notebook(WIDE, WATCH)
    page = small(book, width=700, height=1200)
    book.run(0, 1)
    book.ask("await story.at('end')")
    page.wait_for_function("() => document.querySelectorAll('.vibe-tool').length === 3")
    opened(book)
    assert page.evaluate(STICKS_OUT) == []

    book.ask("story.open('end')")
    page.wait_for_selector(SETTLED)
    opened(book)
    assert page.evaluate(STICKS_OUT) == []


def test_nothing_moves_by_itself_under_reduced_motion(notebook: Open) -> None:
    book = notebook(LONG, WATCH)
    book.page.emulate_media(reduced_motion="reduce")
    book.run(0, 1)
    book.ask("await story.at('middle')")
    book.page.wait_for_selector(".vibe-live")
    moving = """() => document.getAnimations().filter((a) => a.effect.target.closest(".vibe")).length"""
    assert book.page.evaluate(moving) == 0
    book.page.emulate_media(reduced_motion="no-preference")
    book.page.wait_for_function(f"() => ({moving})() > 0")

"""Check folds: they stay as the user left them, and look alike live and saved."""

from __future__ import annotations

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE
from tests.browser.test_whole_again import STORY, WATCH, until

FOLDS = """(selector) => [...vibePages.views()[0].querySelectorAll(selector)].map(vibePages.isOpen)"""
LEFT_EDGES = """() => {
    const view = vibePages.views()[0];
    const left = (el) => Math.round(el.getBoundingClientRect().left);
    return [left(view.querySelector(".vibe-text p")), left(view.querySelector(".vibe-text table"))];
}"""

# Styles of every element of the saved form, with the widget's stylesheet and without it.
STYLES = """() => {
    const ours = [...document.styleSheets].filter((sheet) => [...sheet.cssRules].some((r) => r.cssText.includes("vibe-head")));
    const styles = () => [...document.querySelectorAll(".vibe, .vibe *")].map((el) => {
        const style = getComputedStyle(el);
        return [el.tagName, el.className, ...[...style].filter((name) => !name.startsWith("--")).map((name) => style[name])].join("|");
    });
    if (!ours.length) throw new Error("the widget's stylesheet is not in the page");
    const before = styles();
    for (const sheet of ours) sheet.disabled = true;
    return [before, styles()];
}"""


def test_folds_stay_as_the_user_left_them_while_it_streams_and_at_the_end(
    notebook: Open,
) -> None:
    book = notebook(
        f"""{PREPARE}
make = RunEvents("tester", "run")
story = Story([
    make.started(), *make.thinking("A first thought.", "t0"), Gate("thinking"),
    *make.thinking(" And more of it.", "t0"), make.begins("c0", "search", {{"q": 1}}), Gate("running"),
    *make.writes("c0", "found\\n" * 4), make.ends("c0", "search", output="found"),
    *make.args("c1", "shell", {{"cmd": "true"}}), make.begins("c1", "shell"), Gate("again"),
    make.ends("c1", "shell", output="done"), *make.text("So it is.", "x0"),
    *make.thinking("An afterthought.", "t1"), Gate("end"), *make.text("The end.", "x1"), make.finished(),
])""",
        WATCH,
    )
    page = book.page
    book.run(0, 1)
    page.locator(".vibe-thinking > .vibe-fold").click()
    assert page.evaluate(FOLDS, ".vibe-thinking") == [False]
    book.ask("story.open('thinking')")
    book.wait_shows(until(book, "running"))
    assert page.evaluate(FOLDS, ".vibe-thinking") == [False], "closed by the user while it streamed"

    page.locator(".vibe-tool > .vibe-fold").click()
    page.locator(".vibe-thinking > .vibe-fold").click()
    book.ask("story.open('running')")
    book.wait_shows(until(book, "again"))
    assert page.evaluate(FOLDS, ".vibe-tool") == [True, False]
    page.locator(".vibe-tool > .vibe-fold").nth(1).click()
    page.locator(".vibe-tool > .vibe-fold").nth(1).click()

    book.ask("resync(); story.open('again')")
    book.wait_shows(until(book, "end"))
    book.ask("resync()")
    page.wait_for_selector(
        ".vibe-thinking > [aria-expanded=false]", state="detached"
    )  # the second one thinks still
    assert page.evaluate(FOLDS, ".vibe-thinking") == [True, True]
    assert page.evaluate(FOLDS, ".vibe-tool") == [True, False]

    book.ask("story.open('end')")
    page.wait_for_selector(".vibe:not(.vibe-live)")
    assert page.evaluate(FOLDS, ".vibe-tool") == [True, False]
    assert page.evaluate(FOLDS, ".vibe-thinking") == [True, False]
    book.wait_shows(book.ask(value="prints_of()"))


def test_the_widgets_style_does_not_reach_the_saved_form_and_tables_stand_at_the_left_in_both(
    notebook: Open,
) -> None:
    book = notebook(STORY, "%vibe_stream --title Story story", "vibe.last().show()")
    page = book.page
    book.run(0, 1)
    page.wait_for_selector(".vibe-live")
    book.ask("story.open('middle')")
    until(book, "end")
    page.wait_for_selector(".vibe-text table")
    live = page.evaluate(LEFT_EDGES)
    assert live[0] == live[1]
    assert page.evaluate("() => getComputedStyle(document.querySelector('.vibe-head')).display") == "flex"

    book.ask("story.open('end')")
    page.wait_for_selector(".vibe:not(.vibe-live)")
    saved = page.evaluate(LEFT_EDGES)
    assert saved[0] == saved[1]
    with_style, without = page.evaluate(STYLES)
    assert len(with_style) > 20
    assert with_style == without

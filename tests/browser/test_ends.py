"""Check streams that end before their time: by the Stop button, an interrupt, a dead kernel."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE
from tests.browser.test_whole_again import STORY, WATCH

ENDLESS = f"""{PREPARE}
make = RunEvents("tester", "run")
story = Story([make.started(), *make.text("Some of it. ", "x0"), *make.args("c", "search", {{"q": 1}}),
               make.begins("c", "search"), Gate("never")])"""
SEEN = "() => vibePages.views()[0]?.querySelector('.vibe-tool')?.dataset.state === 'running'"


@pytest.mark.parametrize(
    "cell", ["%%vibe_stream --title Story\nstory", 'made = await vibe.watch(story, title="Story")']
)
def test_the_stop_button_ends_an_awaited_cell_keeps_the_streamed_text_and_the_next_cell_runs(
    notebook: Open, cell: str
) -> None:
    book = notebook(ENDLESS, cell, "print('the next cell:', vibe.last().transcript.outcome)")
    book.run(0, 1, 2)
    book.page.wait_for_function(SEEN)
    assert book.cell(1).get_by_text("[*]:").is_visible()
    assert book.output(2).inner_text() == ""

    book.page.get_by_role("button", name="Stop", exact=True).click()

    book.output(2).get_by_text("the next cell: cancelled").wait_for()
    book.page.wait_for_selector(".vibe:not(.vibe-live)")
    assert "cancelled" in book.page.locator(".vibe-head").inner_text()
    book.wait_shows(book.ask(value="prints_of()"))
    assert "Some of it." in book.prints()[0]
    assert "Traceback" not in book.output(1).inner_text()


def test_an_interrupted_cell_shows_cancelled_and_keeps_the_streamed_text(notebook: Open) -> None:
    book = notebook(ENDLESS, "await vibe.watch(story, title='Story')", "'the next cell'")
    book.run(0, 1)
    book.page.wait_for_function(SEEN)

    book.select(1)
    book.command("notebook:interrupt-kernel")

    book.page.wait_for_selector(".vibe:not(.vibe-live)")
    assert "cancelled" in book.page.locator(".vibe-head").inner_text()
    # Before the prompt changes, the kernel drops queued cells.
    book.cell(1).get_by_text("[2]:", exact=True).first.wait_for()
    book.run(2)
    book.output(2).get_by_text("the next cell").wait_for()
    book.wait_shows(book.ask(value="prints_of()"))


def test_when_the_kernel_restarts_in_mid_stream_the_view_reports_it_and_keeps_its_text(
    notebook: Open,
) -> None:
    book = notebook(STORY, WATCH)
    book.run(0, 1)
    book.page.wait_for_selector(".vibe-live")
    book.ask("await story.at('middle')")
    expected = book.ask(value="prints_of()")
    book.wait_shows(expected)

    book.page.evaluate("() => vibePages.kernel().restart()")

    note = book.page.locator(".vibe-live[data-state=disconnected] > .vibe-note")
    note.get_by_text("kernel is gone").wait_for()
    book.wait_idle()
    assert book.prints() == [expected]
    assert not book.page.get_by_role("button", name="Stop", exact=True).is_visible()

"""What a page lost, it gets again: by a reload, for a second view, and over a wire that loses messages."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE, Notebook

STORY = f"{PREPARE}\nstory = Story(long_script(), pace=0.004)"
WATCH = "%vibe_stream --title Story story"


def until(notebook: Notebook, gate: str) -> str:
    """Wait until the agent stands at a gate; return what a page must show then."""
    notebook.ask(f"await story.at({gate!r})")
    prints: str = notebook.ask(value="prints_of()")
    return prints


def second_view(notebook: Notebook, index: int) -> None:
    notebook.select(index)
    notebook.command("notebook:create-output-view")


def test_a_page_that_is_reloaded_in_mid_stream_shows_all_again_goes_on_and_ends_complete(notebook: Open) -> None:
    book = notebook(STORY, WATCH)
    book.run(0, 1)
    book.page.wait_for_selector(".vibe-text")
    book.wait_shows(until(book, "middle"))
    book.save()

    book.reload()
    book.wait_shows(book.ask(value="prints_of()"))

    book.ask("story.open('middle')")
    book.wait_shows(until(book, "end"))
    book.ask("story.open('end')")
    book.page.wait_for_selector(".vibe[data-state=success]")
    book.wait_shows(book.ask(value="prints_of()"))

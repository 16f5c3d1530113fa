"""Check that a page recovers lost messages: by a reload, for a second view, over a faulty wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE, Notebook

STORY = f"{PREPARE}\nstory = Story(long_script(), pace=0.004)"
WATCH = "%vibe_stream --title Story story"


def until(notebook: Notebook, gate: str) -> str:
    """Wait until the agent reaches a gate; return the JSON that a page must show then."""
    notebook.ask(f"await story.at({gate!r})")
    prints: str = notebook.ask(value="prints_of()")
    return prints


def second_view(notebook: Notebook, index: int) -> None:
    notebook.select(index)
    notebook.command("notebook:create-output-view")


def test_a_page_reloaded_in_mid_stream_shows_everything_again_and_ends_complete(
    notebook: Open,
) -> None:
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


def test_a_second_view_made_in_mid_stream_is_whole_and_both_end_complete(notebook: Open) -> None:
    book = notebook(STORY, WATCH)
    book.run(0, 1)
    book.page.wait_for_selector(".vibe-text")
    middle = until(book, "middle")

    second_view(book, 1)
    book.wait_shows(middle, views=2)

    book.ask("story.open('middle')")
    book.wait_shows(until(book, "end"), views=2)
    book.ask("story.open('end')")
    book.page.wait_for_selector(".jp-Notebook .vibe:not([data-state=live])")
    book.wait_shows(book.ask(value="prints_of()"), views=2)


def test_text_of_a_cell_that_blocks_the_kernels_main_thread_is_shown_as_it_arrives(
    notebook: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "go on"
    book = notebook(f"""
import os, time
import vibe_notebook as vibe
with vibe.live("agent") as live:
    live.text("shown while it blocks")
    while not os.path.exists({str(gate)!r}):
        time.sleep(0.01)
    live.text(" and what came after")
""")
    book.run(0)
    text = book.page.locator(".vibe-live .vibe-text")
    text.filter(has_text="shown while it blocks").wait_for()
    gate.touch()
    book.page.wait_for_selector(".vibe:not([data-state=live])")
    book.page.get_by_text("shown while it blocks and what came after").wait_for()


def test_a_page_whose_own_thread_was_blocked_in_mid_stream_is_complete_afterwards(notebook: Open) -> None:
    book = notebook(STORY, WATCH)
    book.run(0, 1)
    book.page.wait_for_selector(".vibe-text")
    book.wait_shows(until(book, "middle"))

    book.page.evaluate(
        """async () => {
          const reply = vibePages.kernel().requestExecute({ code: "story.open('middle')", store_history: false }).done;
          const end = performance.now() + 3000;
          while (performance.now() < end);
          await reply;
        }"""
    )
    book.wait_shows(until(book, "end"))
    book.ask("story.open('end')")
    book.page.wait_for_selector(".jp-Notebook .vibe:not([data-state=live])")
    book.wait_shows(book.ask(value="prints_of()"))


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_every_view_recovers_from_lost_messages_before_the_stream_ends(notebook: Open, rate: float) -> None:
    story = (
        f"{PREPARE}\nfaults = Faults()\nfaults.install()\n"
        "story = Story(with_lost_last(long_script(), faults), pace=0.004)"
    )
    book = notebook(story, WATCH)
    book.run(0)
    book.ask(f"faults.rate = {rate}")
    book.run(1)
    book.page.wait_for_selector(".vibe")
    book.wait_shows(until(book, "middle"))
    book.save()
    book.reload()
    second_view(book, 1)
    book.wait_shows(book.ask(value="prints_of()"), views=2)

    book.ask("story.open('middle')")
    book.wait_shows(until(book, "last"), views=2)
    book.ask("story.open('last')")
    book.wait_shows(until(book, "end"), views=2)

    dropped, sent = book.ask(value="(faults.dropped, faults.sent)")
    assert dropped >= 1
    assert dropped / (dropped + sent) > rate * 0.3
    book.ask("faults.rate = 0; story.open('end')")
    book.page.wait_for_selector(".vibe[data-state=success]")


GATED = f"{PREPARE}\nstories = [Story(['first ', Gate('middle'), 'last']) for _ in range(3)]"
GATHERED = (
    "tasks = [asyncio.ensure_future(vibe.watch(s, title=f't{i}')._drain()) for i, s in enumerate(stories)]"
)


def test_agents_that_end_after_a_reload_are_whole_in_the_file_and_leave_no_dead_view(notebook: Open) -> None:
    book = notebook(GATED + "\nimport asyncio", GATHERED)
    book.run(0, 1)
    book.page.wait_for_function("() => document.querySelectorAll('.vibe-live .vibe-text').length === 3")
    book.save()
    book.reload()
    book.page.wait_for_function("() => document.querySelectorAll('.vibe-live').length === 3")
    book.ask("for s in stories: s.open('middle')")
    book.page.wait_for_function("() => document.querySelectorAll('.vibe:not(.vibe-live)').length === 3")
    content = book.save()["cells"][1]["outputs"]
    shown = ["".join(output["data"]["text/plain"]) for output in content]
    assert [("first last" in text, f"t{i}" in text) for i, text in enumerate(shown)] == [(True, True)] * 3
    assert not [kind for output in content for kind in output["data"] if "widget" in kind]


def test_a_notebook_whose_kernel_is_restarted_in_mid_stream_holds_what_the_page_has_shown(
    notebook: Open,
) -> None:
    book = notebook(GATED + "\nimport asyncio", GATHERED)
    book.run(0, 1)
    book.page.wait_for_function("() => document.querySelectorAll('.vibe-live .vibe-text').length === 3")
    book.page.evaluate("async () => { await vibePages.panel().sessionContext.session.kernel.restart(); }")
    book.page.wait_for_function("() => document.querySelectorAll('[class^=vibe-interim]').length === 3")
    outputs = book.save()["cells"][1]["outputs"]
    shown = ["".join(output["data"]["text/plain"]) for output in outputs]
    assert sum("first" in text for text in shown) == 3
    assert book.page.locator(".vibe-live").count() == 3
    assert not book.page.locator("[class^=vibe-interim]").first.is_visible()

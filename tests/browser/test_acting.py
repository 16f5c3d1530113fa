"""Check that the user answers an agent by the real buttons: in an awaited cell, in the background, on two pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Open, Watched
from tests.browser.lab import Notebook

LOAD = "import asyncio\nimport vibe_notebook as vibe"
APPROVE = """async with vibe.live("ops", title="Ops") as live:
    with live.tool("rm", {"path": "build"}) as tool:
        if answer := await tool.approve("Delete **build**?"):
            tool.result("gone")
    city = await live.ask("Which city?", options=["Lima", "Quito"])
    schema = {"type": "object", "required": ["days"], "properties": {
        "days": {"type": "integer", "title": "Days", "minimum": 1},
        "class": {"enum": ["economy", "business"], "default": "economy"},
        "window": {"type": "boolean"},
    }}
    trip = await live.ask("How long?", answer_schema=schema)
    live.text(f"{city.value} for {trip.value['days']} days, {trip.value['class']}.")
print(answer, city.value, trip.value)"""


def test_an_awaited_cell_goes_on_with_what_the_user_pressed_and_typed(notebook: Open) -> None:
    book = notebook(LOAD, APPROVE)
    page = book.page
    book.run(0, 1)
    page.get_by_text("waiting for you", exact=True).wait_for()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Quito").click()
    days = page.get_by_label("Days")
    days.wait_for()
    page.get_by_role("button", name="Answer").click()
    page.get_by_text("Days: an answer is needed.").wait_for()
    days.fill("0")
    days.press("Enter")
    page.get_by_text("days: at least 1 is needed.").wait_for()
    days.fill("3")
    days.press("Enter")
    page.locator(".vibe:not(.vibe-live)").get_by_text("Quito for 3 days, economy.").wait_for()
    book.wait_idle()
    assert "{'days': 3, 'class': 'economy', 'window': False}" in book.output(1).inner_text()


SYNC = """import threading
def work(live):
    print("thread:", live.approve("In a thread?").result().action)
with vibe.live("ops") as live:
    print("main:", live.approve("Here?").result().action)
    thread = threading.Thread(target=work, args=[live])
    thread.start()
    thread.join()"""
BACKGROUND = """def agent():
    with vibe.live("ops") as live:
        answer = live.approve("Go on?").result()
        live.text(f"It was {answer.action}: {answer.reason}.")
threading.Thread(target=agent, daemon=True).start()"""


def test_a_synchronous_cell_asks_by_the_kernels_input_also_for_a_thread_that_it_joins(notebook: Open) -> None:
    book = notebook(LOAD, SYNC)
    page = book.page
    book.run(0, 1)
    for _ in range(2):
        line = page.locator(".jp-Stdin-input")
        line.wait_for()
        line.fill("y")
        line.press("Enter")
        line.wait_for(state="detached")
    page.locator(".vibe:not(.vibe-live)").wait_for()
    book.wait_idle()
    said = book.output(1).inner_text()
    assert "main: accept" in said
    assert "thread: accept" in said


def test_a_click_in_one_of_two_pages_answers_an_agent_in_the_background_and_both_say_so(
    notebook: Open, lab: str
) -> None:
    book = notebook(f"{LOAD}\nimport threading", BACKGROUND)
    page = book.page
    book.run(0, 1)
    page.get_by_role("button", name="Approve").wait_for()
    other = page.context.new_page()
    try:
        book.save()
        other.goto(f"{lab}/lab/workspaces/other/tree/{book.path.name}?reset")
        decline = other.get_by_role("button", name="Decline")
        decline.wait_for()
        other.get_by_label("Reason (optional)").fill("not now")
        decline.click()
        for each in (page, other):
            each.get_by_text("It was decline: not now.").wait_for()
            each.get_by_text("declined · not now").wait_for()
            assert each.get_by_role("button", name="Approve").count() == 0
    finally:
        other.close()


BY_HAND, PYDANTIC_AI, LANGGRAPH = 1, 2, 3
"""Code cells of the notebook that wait."""


@pytest.fixture
def acting(watched: Watched, lab: str, lab_folder: Path) -> Iterator[Notebook]:
    path = lab_folder / "05_acting.ipynb"
    shutil.copy(Path(__file__).parents[2] / "notebooks" / path.name, path)
    book = Notebook(watched.page, lab, path)
    book.open()
    yield book
    book.close()


def test_the_notebooks_agents_go_on_with_what_the_user_presses(acting: Notebook) -> None:
    book, page = acting, acting.page
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    book.run(0, BY_HAND)
    cell = book.output(BY_HAND)
    cell.get_by_role("button", name="Approve").click()
    cell.get_by_role("button", name="Quito").click()
    cell.locator(".vibe:not(.vibe-live)").get_by_text("We go to Quito.").wait_for()

    book.run(PYDANTIC_AI)
    cell = book.output(PYDANTIC_AI)
    cell.get_by_role("button", name="Approve").nth(1).wait_for()  # both calls ask at once
    assert cell.get_by_role("button", name="Approve").count() == 2
    cell.get_by_label("Reason (optional)").nth(1).fill("keep b")
    cell.get_by_role("button", name="Decline").nth(1).click()
    cell.get_by_role("button", name="Approve").first.click()
    cell.locator(".vibe:not(.vibe-live)").get_by_text("The tools said: a is gone, keep b").wait_for()
    cell.get_by_text("[('a', 'ok'), ('b', 'denied')]").wait_for()

    book.run(LANGGRAPH)
    cell = book.output(LANGGRAPH)
    cell.get_by_role("button", name="Lima").click()
    words = cell.get_by_role("textbox").first
    words.fill("5")
    words.press("Enter")
    cell.get_by_text("['5 days', 'Lima']").wait_for()
    book.wait_idle()


def test_when_the_kernel_restarts_while_it_waits_the_view_says_that_nobody_waits(notebook: Open) -> None:
    ask = 'async with vibe.live("ops") as live:\n    await live.ask("?")'
    book = notebook(LOAD, ask)
    book.run(0, 1)
    book.page.get_by_role("button", name="Answer").wait_for()
    book.page.evaluate("() => vibePages.kernel().restart()")
    book.page.get_by_text("Nobody waits for this answer any more.").wait_for()
    assert book.page.get_by_role("button", name="Answer").count() == 0

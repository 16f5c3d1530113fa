"""Check that the user talks to an agent in a real JupyterLab: the box, its keys, what waits, and what is saved."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.lab import Notebook

CHAT = """import asyncio
import vibe_notebook as vibe

gates = {}

async def turn(text, chat):
    yield f"You said {text!r}."
    if text.startswith("fail"):
        raise ValueError("No such thing.")
    if text.startswith("wait"):
        await gates.setdefault(text, asyncio.Event()).wait()
        yield " And then it went on."

chat = vibe.chat(turn, title="Talk")
chat"""
CELLS = "() => vibePages.panel().content.widgets.length"
MODE = "() => vibePages.panel().content.mode"


def opened(notebook: Open, *cells: str) -> tuple[Notebook, Page, Locator]:
    book = notebook(CHAT, *cells)
    expect.set_options(timeout=PATIENCE)
    book.run(0)
    book.wait_idle()  # the cell has returned, and the box is there
    box = book.page.get_by_label("Message to Talk")
    box.wait_for()
    return book, book.page, box


def test_enter_sends_shift_enter_breaks_the_line_and_the_focus_stays(notebook: Open) -> None:
    _, page, box = opened(notebook)
    box.click()
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    expect(box).to_have_value("first line\nsecond line")
    page.keyboard.press("Enter")
    page.get_by_text("You said 'first line\\nsecond line'.").wait_for()
    expect(box).to_have_value("")
    expect(box).to_be_focused()
    page.keyboard.type("again")
    page.keyboard.press("Enter")
    page.get_by_text("You said 'again'.").wait_for()
    expect(box).to_be_focused()
    expect(page.locator(".vibe-user")).to_have_text(["first line\nsecond line", "again"])

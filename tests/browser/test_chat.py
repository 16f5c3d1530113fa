"""Check that the user talks to an agent in a real JupyterLab: the box, its keys, what waits, and what is saved."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE, Open
from tests.browser.lab import Notebook

CHAT = """import asyncio
import vibe_notebook as vibe

gates = {}

async def turn(text, chat):
    yield f"You said **{text}**."
    if text == "delete":
        yield "Gone." if await chat.approve("Delete all?") else "Kept."
    if text.startswith("fail"):
        raise ValueError("No such thing.")
    if text.startswith("wait"):
        await gates.setdefault(text, asyncio.Event()).wait()
        yield " And then it went on."

chat = vibe.chat(turn, title="Talk")
chat"""
CELLS = "() => [vibePages.panel().content.widgets.length, vibePages.panel().content.mode]"
COUNT = "() => vibePages.codeCells().map((cell) => cell.model.executionCount)"
BLOCKED = """import time
while "after" not in [sent.text for sent in chat.queue]:
    time.sleep(0.02)
print("queued", chat)"""


def opened(notebook: Open, *cells: str) -> tuple[Notebook, Page, Locator]:
    """Open a notebook whose first cell has returned, and left a box."""
    expect.set_options(timeout=PATIENCE)
    book = notebook(CHAT, *cells)
    book.run(0)
    box = book.page.get_by_label("Message to Talk")
    box.wait_for()
    book.wait_idle()
    return book, book.page, box


def said(page: Page, words: str) -> None:
    page.locator(".vibe-text", has_text=words).wait_for()


def test_enter_sends_shift_enter_breaks_the_line_and_no_key_reaches_the_notebook(notebook: Open) -> None:
    _, page, box = opened(notebook, "1", "2")
    before = page.evaluate(COUNT)
    box.click()
    cells = page.evaluate(CELLS)
    page.keyboard.type("dd")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("abxzmy 00")
    expect(box).to_have_value("dd\nabxzmy 00")
    page.keyboard.press("Enter")
    said(page, "You said dd abxzmy 00")
    expect(box).to_have_value("")
    expect(box).to_be_focused()
    for key in ("Enter", "Escape", "d", "d", "a", "Control+Enter"):
        page.keyboard.press(key)
    said(page, "You said dda")
    expect(box).to_be_focused()
    assert page.evaluate(CELLS) == cells
    assert page.evaluate(COUNT) == before
    assert page.locator(".vibe-user").count() == 2


def test_what_is_sent_during_a_turn_waits_is_taken_back_and_stop_ends_the_turn_only(notebook: Open) -> None:
    _, page, box = opened(notebook)
    for text in ("wait 1", "wait 2", "fail"):
        box.fill(text)
        box.press("Enter")
    rows = page.locator(".vibe-queue li")
    expect(rows).to_have_count(2)
    page.get_by_text("Queued: 2 messages wait.").wait_for()
    rows.first.get_by_role("button", name="Take back: wait 2").click()
    expect(box).to_have_value("wait 2")
    expect(box).to_be_focused()
    said(page, "You said wait 1")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Failed ValueError: No such thing.").wait_for()
    page.get_by_text("ready", exact=True).wait_for()
    assert page.locator(".vibe-line").all_inner_texts() == [
        "◇ Stopped",
        "◇ Failed ValueError: No such thing.",
    ]
    box.fill("delete")
    box.press("Enter")
    page.get_by_role("button", name="Approve").click()
    said(page, "Gone.")


def test_a_draft_and_a_running_turn_survive_a_reload_and_the_end_saves_the_talk_without_a_box(
    notebook: Open,
) -> None:
    book, page, box = opened(notebook)
    box.fill("wait for it")
    box.press("Enter")
    said(page, "You said wait for it")
    box.fill("half a thought")
    book.save()
    book.reload()
    box = page.get_by_label("Message to Talk")
    expect(box).to_have_value("half a thought")
    book.ask("gates['wait for it'].set()")
    said(page, "And then it went on.")
    box.press("Enter")
    said(page, "You said half a thought")
    page.get_by_role("button", name="End chat").click()
    saved = page.locator(".vibe:not(.vibe-live)")
    saved.get_by_text("And then it went on.").wait_for()
    assert saved.locator(".vibe-user").all_inner_texts() == ["wait for it", "half a thought"]
    assert page.locator("textarea[aria-label='Message to Talk']").count() == 0
    book.save()
    assert "textarea" not in book.path.read_text()
    assert book.ask(value="chat.done()") is True


def test_a_cell_that_blocks_the_kernel_delays_a_message_and_a_restart_leaves_nobody_there(
    notebook: Open,
) -> None:
    book, page, box = opened(notebook, BLOCKED)
    book.run(1)
    page.wait_for_function("() => vibePages.kernel().status === 'busy'")
    box.fill("after")
    box.press("Enter")
    page.get_by_text("after", exact=True).first.wait_for()
    assert page.locator(".vibe-text").count() == 0
    said(page, "You said after")
    assert "queued <chat 'Talk': open>" in book.output(1).inner_text()
    book.command("kernelmenu:restart")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.get_by_text("Nobody is there to read a message").wait_for()
    assert box.get_attribute("readonly") is not None
    book.wait_idle()  # the new kernel, which the test ends


STEER = """heard = asyncio.Queue()

async def agent():
    yield "Working"
    while (words := await heard.get()) != "stop":
        yield f", {words}"

run = vibe.watch(agent(), title="Run", input="Count.", steer=heard.put_nowait)
t = await run
print([turn.input for turn in t.turns])"""


def test_a_running_agent_is_steered_from_the_box_below_its_view(notebook: Open) -> None:
    book = notebook("import asyncio\nimport vibe_notebook as vibe", STEER)
    page = book.page
    book.run(0, 1)
    box = page.get_by_label("Message to Run")
    box.fill("shorter")
    box.press("Enter")
    said(page, ", shorter")  # below the message that it answers
    page.get_by_text("The agent has taken it.").wait_for()
    box.fill("stop")
    page.get_by_role("button", name="Steer", exact=True).click()
    page.locator(".vibe:not(.vibe-live)").wait_for()
    book.wait_idle()
    assert "['Count.', 'shorter', 'stop']" in book.output(1).inner_text()
    assert page.locator(".vibe-user").all_inner_texts() == ["Count.", "shorter", "stop"]

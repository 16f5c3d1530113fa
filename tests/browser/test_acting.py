"""Check that the user answers an agent by the real buttons: in an awaited cell, in the background, on two pages."""

from __future__ import annotations

from tests.browser.conftest import Open

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
    page.screenshot(path="/tmp/look/ask1.png")
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Quito").click()
    days = page.get_by_label("Days")
    days.wait_for()
    page.screenshot(path="/tmp/look/ask2.png")
    page.get_by_role("button", name="Answer").click()
    page.get_by_text("Days: an answer is needed.").wait_for()
    days.fill("0")
    days.press("Enter")
    page.get_by_text("days: at least 1 is needed.").wait_for()
    page.screenshot(path="/tmp/look/ask3.png")
    days.fill("3")
    days.press("Enter")
    page.locator(".vibe:not(.vibe-live)").get_by_text("Quito for 3 days, economy.").wait_for()
    book.wait_idle()
    page.screenshot(path="/tmp/look/ask4.png")
    assert "{'days': 3, 'class': 'economy', 'window': False}" in book.output(1).inner_text()

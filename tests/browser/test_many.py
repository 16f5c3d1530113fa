"""Check a hundred streams at once, from threads and tasks mixed."""

from __future__ import annotations

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE

MANY = f"""{PREPARE}
import asyncio, contextvars, threading, time
def words(i):
    return [f"stream {{i}} word {{n}} " for n in range(60)] + [f"and the end of {{i}}."]
def in_thread(i):
    with vibe.live(f"agent {{i}}") as live:
        for word in words(i):
            live.text(word)
            time.sleep(0.005)
async def in_task(i):
    with vibe.live(f"agent {{i}}") as live:
        for word in words(i):
            live.text(word)
            await asyncio.sleep(0.005)
tasks = []
def start(first):
    for i in range(first, first + 25):
        if i % 2:
            tasks.append(asyncio.create_task(in_task(i)))
        else:
            threading.Thread(target=contextvars.copy_context().run, args=(in_thread, i)).start()
"""
COMPLETE = """() => {
  const texts = vibePages.views().map((view) => view.textContent.replace(/\\s+/g, " "));
  const whole = (i) => Array.from({ length: 60 }, (_, n) => `stream ${i} word ${n} `).join("") + `and the end of ${i}.`;
  return Array.from({ length: 100 }, (_, i) => whole(i)).every((text) => texts.some((shown) => shown.includes(text)));
}"""


def test_a_hundred_streams_from_threads_and_tasks_are_all_complete_on_the_page(notebook: Open) -> None:
    # JupyterLab shows fifty outputs of a cell.
    book = notebook(MANY, *(f"start({first})" for first in range(0, 100, 25)))
    book.run(0, 1, 2, 3, 4)
    book.page.wait_for_function(COMPLETE)

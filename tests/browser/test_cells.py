"""Check that each stream is shown in the cell that started it, and in no other."""

from __future__ import annotations

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE


def test_two_streams_at_once_and_a_print_each_land_in_their_own_cell(notebook: Open) -> None:
    book = notebook(
        f"""{PREPARE}
import threading, time
first_speaks, second_ended = threading.Event(), threading.Event()
one = RunEvents("one", "r1")
async def first():
    yield one.started()
    first_speaks.set()
    for event in one.text("Alpha says this, and this alone. " * 8, "x"):
        print("a", end="")
        yield event
        await asyncio.sleep(0.002)
    await asyncio.to_thread(second_ended.wait)
    yield one.finished()
two = RunEvents("two", "r2")
def second():
    first_speaks.wait()
    yield two.started()
    for event in two.text("Beta says that, and only that. " * 8, "x"):
        print("b", end="")
        yield event
        time.sleep(0.002)
    yield two.finished()
    second_ended.set()
""",
        "%vibe_stream --title One --as w1 first()",
        "%vibe_stream --title Two --as w2 second()",
        "for _ in range(40):\n    print('c', end='')\n    await asyncio.sleep(0.002)",
    )
    book.run(0, 1, 2, 3)

    book.page.wait_for_function(
        "() => vibePages.views().filter((el) => !el.matches('.vibe-live')).length === 2"
    )
    book.wait_idle()
    wanted = [book.ask(value=f"prints_of(w{i}.transcript)") for i in (1, 2)]
    assert book.prints() == wanted
    texts = [book.output(i).inner_text() for i in range(4)]
    assert texts[0] == ""
    assert "Alpha" in texts[1]
    assert "Beta" not in texts[1]
    assert "Beta" in texts[2]
    assert "Alpha" not in texts[2]
    assert texts[3].strip() == "c" * 40
    streams = book.page.evaluate(
        """() => vibePages.codeCells().map((cell) => cell.model.outputs.toJSON()
            .filter((out) => out.output_type === "stream").map((out) => [].concat(out.text).join("")).join(""))"""
    )
    assert set(streams[1]) <= {"a"}
    assert set(streams[2]) <= {"b"}
    assert streams[3] == "c" * 40


def test_the_static_renderer_makes_exactly_one_display_and_it_is_the_whole_transcript(notebook: Open) -> None:
    book = notebook(
        f"{PREPARE}\nvibe.configure(renderer='static')\nstory = Story([e for e in long_script() if not isinstance(e, Gate)])",
        "%vibe_stream --title Story story",
    )
    book.run(0, 1)
    book.page.wait_for_selector(".vibe")
    book.wait_idle()
    outputs = book.save()["cells"][1]["outputs"]
    assert [out["output_type"] for out in outputs] == ["display_data"]
    assert sorted(outputs[0]["data"]) == ["text/html", "text/markdown", "text/plain"]
    book.wait_shows(book.ask(value="prints_of()"))
    assert book.page.locator(".vibe-live").count() == 0

"""Check that long views stay cheap: the browser skips the parts out of sight."""

from __future__ import annotations

from tests.browser.conftest import Open
from tests.browser.lab import PREPARE
from tests.browser.test_whole_again import WATCH

IS_LEFT_OUT = (
    "(n) => !document.querySelectorAll('.vibe-tool')[n].checkVisibility({ contentVisibilityAuto: true })"
)


def test_calls_that_are_out_of_sight_are_left_out_by_the_browser_until_the_reader_comes(
    notebook: Open,
) -> None:
    book = notebook(
        f"""{PREPARE}
make = RunEvents("tester", "run")
calls = [(make.begins(f"c{{n}}", "look", {{"n": n}}), make.ends(f"c{{n}}", "look")) for n in range(700)]
story = Story([make.started(), *[event for call in calls for event in call], Gate("end"), make.finished()])""",
        WATCH,
    )
    page = book.page
    page.set_viewport_size({"width": 1280, "height": 700})
    book.run(0, 1)
    book.ask("await story.at('end')")
    book.wait_shows(book.ask(value="prints_of()"))
    page.wait_for_function(IS_LEFT_OUT, arg=570)
    assert not page.evaluate(IS_LEFT_OUT, 0), "the first groups are as in the saved form"
    assert not page.evaluate(IS_LEFT_OUT, 500)
    assert not page.evaluate(IS_LEFT_OUT, 699)

    page.locator(".vibe-tool").nth(570).scroll_into_view_if_needed()
    page.wait_for_function(f"(n) => !({IS_LEFT_OUT})(n)", arg=570)
    page.locator(".vibe-tool").nth(570).get_by_text("n=570").wait_for()


FITS = """(width) => {
  const view = vibePages.views()[0];
  const { height, bottom } = view.getBoundingClientRect();
  const last = [...view.querySelectorAll('li')].at(-1).getBoundingClientRect();
  const beyond = view.closest('.jp-OutputArea-output').getBoundingClientRect().bottom - bottom;
  const fits = bottom >= last.bottom && bottom < last.bottom + 20 && beyond >= 0 && beyond < 20;
  return innerWidth === width && fits && height;
}"""
"""Height of the view, once it is neither cut nor followed by empty space."""


def test_a_view_that_is_very_high_is_whole_pixels_high_and_fits_what_it_holds_at_any_width(
    notebook: Open,
) -> None:
    book = notebook(
        f"""{PREPARE}
make = RunEvents("tester", "run")
lines = "".join(f"- line {{n}} {{'of many words ' * 9}}\\n" for n in range(4500))
story = Story([make.started(), *make.text(lines, "x0"), Gate("end"), make.finished()])""",
        WATCH,
    )
    page = book.page
    book.run(0, 1)
    book.ask("await story.at('end')")
    book.wait_shows(book.ask(value="prints_of()"))
    page.wait_for_selector(".vibe-high")
    heights = []
    for width in (1280, 700, 2600):
        page.set_viewport_size({"width": width, "height": 900})
        heights.append(page.wait_for_function(FITS, arg=width).json_value())
    usual, narrow, wide = heights
    assert narrow > usual > 2**17 > wide
    assert [height % 1 for height in heights] == [0, 0, 0]


def test_a_final_form_in_which_calls_are_folded_together_leaves_its_end_in_sight(notebook: Open) -> None:
    book = notebook(
        f"""{PREPARE}
make = RunEvents("tester", "run")
calls = [(make.begins(f"c{{n}}", "look", {{"n": n}}), make.ends(f"c{{n}}", "look")) for n in range(1001)]
text = make.text("That was all.", "x0")
story = Story([make.started(), *[event for call in calls for event in call], *text, Gate("end"), make.finished()])""",
        WATCH,
    )
    book.run(0, 1)
    book.ask("await story.at('end')")
    page = book.page
    page.get_by_text("That was all.", exact=True).wait_for()
    page.wait_for_function("() => vibePages.views()[0].getBoundingClientRect().bottom < innerHeight")
    book.ask("story.open('end')")
    page.locator(".vibe-cluster").first.wait_for(state="attached")
    page.wait_for_function(
        "() => { const { top, bottom } = document.querySelector('.vibe-cluster').closest('.vibe').getBoundingClientRect();"
        " return bottom > top + 100 && bottom < innerHeight && bottom > innerHeight / 4; }"
    )
    assert page.locator(".vibe-cluster").count() == 10


def test_groups_of_a_text_scroll_sideways_and_not_each_code_block(notebook: Open) -> None:
    book = notebook(
        f"""{PREPARE}
make = RunEvents("tester", "run")
code = "".join(f"```python\\n{{line}}\\n```\\n\\n" for line in ("short", "wide " * 400, "w" * 2000))
story = Story([make.started(), *make.text(code * 30, "x0"), Gate("end"), make.finished()])""",
        WATCH,
    )
    book.run(0, 1)
    book.ask("await story.at('end')")
    book.wait_shows(book.ask(value="prints_of()"))
    groups, others, widest = book.page.evaluate(
        """() => {
          const text = document.querySelector('.vibe-text');
          const found = [...text.querySelectorAll('*')].filter((el) => getComputedStyle(el).overflowX !== 'visible');
          const groups = found.filter((el) => el.parentNode === text);
          return [groups.length, found.length - groups.length, text.scrollWidth - text.clientWidth];
        }"""
    )
    assert (groups, others) == (2, 0)
    assert widest == 0, "it is not wider than the page"

"""Test that growing text ends as the whole text rendered at once, and shows no more than that on the way."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.counting import calls
from tests.display.browser_half import Browser, page_html
from tests.markdown.markdown_documents import split_documents, visible
from vibe_notebook._markdown.long_blocks import GROUP_FROM, Item
from vibe_notebook._markdown.renderer import lean, render
from vibe_notebook._markdown.stream import MarkdownStream, Update
from vibe_notebook._reducer.growing_text import GrowingText
from vibe_notebook.display._texts import SentText

Split = tuple[str, list[tuple[str, bool]]]
group_sizes = st.sampled_from([0, 0, 20, GROUP_FROM])


class Screen:
    """Apply updates as a browser does."""

    def __init__(self) -> None:
        self.closed: list[Item] = []
        self.open = ""
        self.tail = ""

    def apply(self, update: Update) -> None:
        if update.keep is not None:
            self.closed = self.closed[: update.keep]
        if update.closed:
            self.closed += update.closed
            self.open = self.tail = ""
        if update.open is not None:
            self.open, self.tail = update.open, ""
        self.tail += update.append

    @property
    def text(self) -> str:
        return visible(page_html(self.closed, self.open), self.tail)


def lines(text: str) -> Split:
    return text, [(line, True) for line in text.splitlines(keepends=True)]


@given(split_documents(), group_sizes)
@example(lines("- a\n- b\n- c\n\n  d\n- e\n\nend\n"), 0)
@example(lines("3. a\n4. b\n\n   ```py\n   x = 1\n   ```\n5. c\n# H\n- x\n* y\n* z\n"), 0)
@example(lines("|a|b|\n|-|-:|\n|1|\n|2|3|4|\n| `x\\|y` | [r] |\n\n|5|6|\n"), 0)
@example(lines(" - a\n  - b\n   - c\n    - d\n"), 0)
@example(lines("```\nx\n "), 0)
@example(lines("- a\n- b\n\n\n\n- c\n\n      code\n- d"), 0)
def test_closed_blocks_equal_the_whole_rendering_for_any_pieces(split: Split, group_from: int) -> None:
    text, pieces = split
    stream, screen = MarkdownStream(group_from=group_from), Screen()
    for piece, is_updated in pieces:
        stream.append(piece)
        if is_updated:
            screen.apply(stream.update())
    screen.apply(stream.finish())
    assert page_html(screen.closed) == lean(render(text, math="mathml"))
    assert (screen.open, screen.tail) == ("", "")


@given(split_documents(), group_sizes)
def test_a_text_that_pauses_anywhere_shows_no_more_than_the_whole_rendering_so_far(
    split: Split, group_from: int
) -> None:
    _, pieces = split
    stream, screen, so_far = MarkdownStream(group_from=group_from), Screen(), ""
    for piece, _ in pieces:
        stream.append(piece)
        so_far += piece
        screen.apply(stream.update())
        screen.apply(stream.pause())
        letters = iter("".join(so_far.split()).lower() + "note")
        assert "&" in so_far or all(c in letters for c in re.findall("[a-z]", screen.text.lower()))
        assert screen.closed == stream.blocks
        assert (screen.open, screen.tail) == (stream.open_html, stream.tail)


@pytest.mark.parametrize("group_from", [0, GROUP_FROM])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a **bo", "<p>a <strong>bo</strong></p>"),
        ("see [the no", "<p>see the no</p>"),
        ("|a|b|\n|-|-|\n|1|`x", "<code>x</code>"),
        ("- a\n- **bo", "<strong>bo</strong>"),
        ("$$\nx^2", "<p><code>x^2</code></p>"),
        ("42", "<p>42</p>"),
    ],
)
def test_a_text_that_pauses_in_a_mark_shows_its_later_form(text: str, shown: str, group_from: int) -> None:
    stream = MarkdownStream(group_from=group_from)
    stream.append(text)
    stream.update()
    stream.pause()
    assert shown in page_html(stream.blocks, stream.open_html)


@given(split_documents(), group_sizes, st.integers(0, 12))
def test_the_ops_of_a_text_build_its_snapshot(split: Split, group_from: int, start: int) -> None:
    _, pieces = split
    shown, browser, text = SentText(1), Browser(), GrowingText()
    shown._stream = MarkdownStream(group_from=group_from)
    browser.op_add(1, "text", 0, 0, {})
    for i, (piece, is_updated) in enumerate(pieces):
        text.add((None, 0, 0, i), piece)
        shown.read(SimpleNamespace(text=text))
        if is_updated and i >= start:
            browser.apply(shown.ops())
            assert browser.part(1) == shown.snapshot()
    browser.apply([*shown.ops(), *shown.finish()])
    assert browser.part(1) == shown.snapshot()


@pytest.mark.parametrize("group_from", [0, GROUP_FROM])
def test_a_link_becomes_one_when_its_definition_comes_also_in_what_was_sent(group_from: int) -> None:
    stream, screen = MarkdownStream(group_from=group_from), Screen()
    for piece in ("As [shown][1].\n\n- in [2]\n- b\n\n```\n[1]\n```\n\n", "More [3].\n\n"):
        stream.append(piece)
        screen.apply(stream.update())
    assert "href" not in page_html(screen.closed, screen.open)
    stream.append("[1]: https://e.example/1\n[2]: https://e.example/2\n\nand")
    screen.apply(stream.update())
    assert page_html(screen.closed, screen.open).count("<a href=") == 2
    stream.append(" so\n\n[3]: https://e.example/3")
    screen.apply(stream.update())
    screen.apply(stream.finish())
    assert page_html(screen.closed).count("<a href=") == 3
    assert screen.closed == stream.blocks


def test_definitions_one_by_one_cost_twice_as_much_for_twice_as_many() -> None:
    def work(count: int) -> int:
        text = "".join(f"See [a{n}].\n\n" for n in range(count))
        text += "".join(f"[a{n}]: https://e.example/{n}\n\nword\n\n" for n in range(count))
        stream, sent = MarkdownStream(), 0

        def streamed() -> None:
            nonlocal sent
            for line in text.splitlines(keepends=True):
                stream.append(line)
                sent += len(str(stream.update().closed))
            sent += len(str(stream.finish().closed))

        made = calls(streamed)
        assert page_html(stream.blocks).count("<a href=") == count
        assert sent < 30 * len(text)
        return made

    once, twice = work(100), work(200)
    print(f"{once:,} calls, {twice / once:.2f} times as many for twice as many")  # noqa: T201
    assert twice <= 2.4 * once

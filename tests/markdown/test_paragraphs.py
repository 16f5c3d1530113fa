"""Test that a long paragraph closes piece by piece: no closed piece is parsed or sent again, or shown raw."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.display.browser_half import page_html
from tests.markdown.test_markdown_open import fed
from tests.markdown.test_markdown_stream import Screen
from vibe_notebook._markdown import long_blocks, renderer
from vibe_notebook._markdown.long_blocks import GROUP_FROM, LEAVE, PARAGRAPH_FACTOR
from vibe_notebook._markdown.renderer import Block, lean, render
from vibe_notebook._markdown.stream import MarkdownStream
from vibe_notebook._markdown.unparsed_blocks import OPEN_LIMIT

WORDS = "some **bold** words, `code` and [a link](https://example.com/a) "
LONG = WORDS * (PARAGRAPH_FACTOR * GROUP_FROM // len(WORDS) + 2)

# Pieces that may begin, end or continue in a paragraph, that may end it, or that may change its kind.
PARTS = (
    "a", "b c", "**x**", "**x", "y**", "*i*", "_u_", "sn_ake", "2 * 3", "~~s~~", "`c`", "`", "```", "$x$", "$",
    "[l](u)", "[l", "](u)", "[r]", "[r]: u", "![i](u)", "!", "[^1]", "http://a.b", "<br>", "&amp;", "\\*", "\\(x\\)",
    "---", "===", "- x", "1. n", "# h", "> q", "|", "a|b", "|---|---|", "é", "😀",
)  # fmt: skip
words = st.sampled_from(PARTS)
gaps = st.sampled_from([" ", " ", " ", "\n", "  \n", "\n\n", "", "  ", "\n    "])


@pytest.mark.parametrize("words", [WORDS, WORDS.strip() + "\n"], ids=["one line", "lines"])
def test_each_piece_closes_once_and_the_parsed_source_does_not_grow(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = MarkdownStream()
    fed(stream, LONG)
    assert str(stream.blocks[0]).startswith(LEAVE)
    parsed: list[int] = []

    def counted(source: str, references: Mapping[str, Any]) -> list[Block]:
        parsed.append(len(source))
        return renderer.parse(source, dict(references))

    monkeypatch.setattr(long_blocks, "parse", counted)
    updates = fed(stream, *[words] * 1000)
    assert max(parsed) <= 2 * GROUP_FROM
    assert sum(parsed) < 10 * 1000 * len(words)
    assert max(len(update.open or "") for update in updates) < 4 * GROUP_FROM
    fed(stream, "\n\nThe end.\n")
    stream.finish()
    assert page_html(stream.blocks) == lean(render(f"{LONG}{words * 1000}\n\nThe end.\n"))


def test_no_raw_marks_are_shown_in_a_very_long_paragraph() -> None:
    stream = MarkdownStream()
    fed(stream, *[WORDS] * (2 * OPEN_LIMIT // len(WORDS)))
    shown = page_html(stream.blocks, stream.open_html) + stream.tail
    assert shown.count("<strong>bold</strong>") == 2 * OPEN_LIMIT // len(WORDS)
    assert not re.search(r"[*`]|\]\(", shown)


@pytest.mark.parametrize("rest", ["===\n", "a | b\n--- | ---\n1 | 2\n"], ids=["heading", "table"])
@pytest.mark.parametrize("gap", ["", "\n"], ids=["in the line", "in the next"])
def test_a_paragraph_that_becomes_another_block_is_sent_anew(rest: str, gap: str) -> None:
    stream, screen = MarkdownStream(), Screen()
    text = f"{LONG.strip()}{gap or ' '}{rest}"
    for update in [*fed(stream, LONG.strip()), *fed(stream, gap or " ", *rest, "\nThe end.\n")]:
        screen.apply(update)
    screen.apply(stream.finish())
    assert page_html(screen.closed) == lean(render(f"{text}\nThe end.\n"))


def test_a_mark_that_is_not_closed_keeps_what_follows_it_open() -> None:
    stream = MarkdownStream()
    fed(stream, LONG, "and **so ", *["on and "] * 500)
    assert stream.open_html.endswith("</strong>")
    fed(stream, "on** it went.\n\n")
    stream.finish()
    text = LONG + "and **so " + "on and " * 500 + "on** it went.\n\n"
    assert page_html(stream.blocks) == lean(render(text))


@given(
    st.lists(st.tuples(words, gaps), min_size=1, max_size=40),
    st.integers(1, 9),
    st.sampled_from([0, 1, 4, 20]),
)
def test_a_paragraph_in_pieces_equals_the_whole_paragraph(
    parts: list[tuple[str, str]], size: int, group_from: int
) -> None:
    text = "".join(word + gap for word, gap in parts)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    cut, screen = MarkdownStream(group_from=group_from), Screen()
    whole = MarkdownStream(group_from=10**9)
    for index, piece in enumerate(pieces):
        cut.append(piece)
        screen.apply(cut.update())
        if index % 3 == 0:
            screen.apply(cut.pause())
        assert screen.closed == cut.blocks
        assert (screen.open, screen.tail) == (cut.open_html, cut.tail)
        fed(whole, piece)
    screen.apply(cut.finish())
    whole.finish()
    assert page_html(screen.closed) == page_html(whole.blocks)


@pytest.mark.parametrize(
    "line", ["> a quoted line\n", "a price of $5 or so, "], ids=["quote", "nothing to cut"]
)
def test_a_paragraph_that_cannot_be_cut_is_not_tried_at_every_update(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []

    def counted(source: str, references: Mapping[str, Any]) -> list[Block]:
        parsed.append(len(source))
        return renderer.parse(source, dict(references))

    monkeypatch.setattr(long_blocks, "parse", counted)
    stream = MarkdownStream()
    updates = fed(stream, *[8 * line] * (OPEN_LIMIT // len(line) // 8))
    assert len(updates) > 85
    assert len(parsed) <= (long_blocks.CUT_TRIES + 1) * OPEN_LIMIT // GROUP_FROM

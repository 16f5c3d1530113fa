"""A long list that is read line by line looks as the parser's own, whatever its items and what follows."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.display.markdown_documents import Page, documents
from vibe_notebook.display import _lists
from vibe_notebook.display._blocks import Math, parse, render_block
from vibe_notebook.display._markdown import render


def plain(text: str, math: Math) -> str:
    return "".join(render_block(block, math) for block in parse(text, {}))


_texts = st.sampled_from(
    ["a", "a b  ", "**b** c", "*i*", "`code`", "``x``", "[l](https://e.com)", "https://e.com/x", "x <br> $y$", "1. n",
     "2)", "- n", "# h", "> q", "[ ] t", "[x] t", "```", "| a | b |", "a | b", "---", "* * *", "", "***", "$x$", "_u_",
     "12. x", "12 x", "\tt", " two", "a\\", "é", "_", "[^1]: f", "&amp;", "<b>", "'q' \"r\"", "`a", "**a"]
)  # fmt: skip
_marks = st.sampled_from(
    ["- ", "- ", "* ", "+ ", "1. ", "2. ", "0. ", "007. ", "3) ", "-  ", " - ", "  - ", "-\t"]
)
_lines = st.one_of(
    st.tuples(st.sampled_from(["- ", "1. "]), _texts).map("".join),
    st.tuples(_marks, _texts).map("".join),
    _texts,
    st.sampled_from(["", "", " ", "  more", "    code", "|-|-|", "===", "x"]),
)
_lists_of_lines = st.lists(_lines, max_size=14).map("\n".join)
_runs = st.tuples(st.sampled_from(["- ", "3. ", "1) "]), st.lists(_texts, min_size=1, max_size=12)).map(
    lambda run: "\n".join(run[0] + text for text in run[1])
)
_endings = st.sampled_from(
    ["", "\n", "\n\n", "\nlazy", "\n\nend", "\n\n  more", "\n\n- a", "\n* b", "\n\n---", "\n\n1. x"]
)


@given(
    st.one_of(documents(), _lists_of_lines, st.tuples(_runs, _endings).map("".join)),
    st.sampled_from([1, 2, 8]),
)
@example("- a\n- b\n  c", 1)
@example("- a\n- b\nlazy", 1)
@example("- a\n- b\n\n  - c", 1)
@example("- a | b\n- -|-\n- c", 1)
@example("0. a\n1. b", 1)
@example("- 1. n", 1)
@example("- 2)", 1)
@example("x\n2. b\n3. c", 1)
def test_a_long_list_is_the_parsers_own(text: str, long_from: int) -> None:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for math in ("mathml", "tex"):
        with patch.object(_lists, "LONG_FROM", long_from):
            assert render(text, math=math) == plain(text, math)


@pytest.mark.parametrize("item", ["- a{}\n", "{}. a\n", "* **b {}** `c`\n"])
def test_a_long_list_has_all_its_items(item: str) -> None:
    page = Page(render("".join(item.format(n) for n in range(3, 1003)) + "\nend"))
    assert sum(tag == "li" for tag, _ in page.elements) == 1000
    assert page.texts[-2].strip() == "end"

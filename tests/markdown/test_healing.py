"""Test that open text never shows half a mark, and that shown words stay."""

from __future__ import annotations

import itertools
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.display.hostile import attacks, mixes
from tests.markdown.markdown_documents import Page, documents, visible
from vibe_notebook._markdown.renderer import parse, render, render_block
from vibe_notebook._markdown.unclosed import hold


def healed(text: str, *, is_paused: bool = False) -> str:
    """Return the HTML of *text* while more text is expected."""
    blocks = parse(text, {}, is_open=True, is_paused=is_paused)
    return "".join(render_block(block, "mathml", is_open=True) for block in blocks)


def shown(text: str) -> str:
    return visible(healed(text))


def tags(text: str) -> set[str]:
    return {tag for tag, _ in Page(healed(text)).elements}


@pytest.mark.parametrize(
    ("half", "html"),
    [
        ("a **bo", "a <strong>bo</strong>"),
        ("a **bold*", "a <strong>bold</strong>"),
        ("**bo\n", "<strong>bo</strong>"),
        ("a *it", "a <em>it</em>"),
        ("*it **bo", "<em>it <strong>bo</strong></em>"),
        ("***a** b", "<em><strong>a</strong> b</em>"),
        ("~~gon", "<s>gon</s>"),
        ("~~gone~", "<s>gone</s>"),
        ("`co", "<code>co</code>"),
        ("``co`", "<code>co</code>"),
        ("**a `co", "<strong>a <code>co</code></strong>"),
        ("see [te**x**t](http://exa", "see <span>te<strong>x</strong>t</span>"),
        ('[text](http://example.com "ti', "<span>text</span>"),
        ("**[text](", "<strong><span>text</span></strong>"),
        ("at https://exam", "at https://exam"),
        ("<https://exam", "https://exam"),
        ("so[^1]", 'so<sup class="footnote-ref">[1]</sup>'),
        (r"\[ \frac{a", r"<code>\frac{a</code>"),
        ("is $$x^", "is <code>x^</code>"),
    ],
)
def test_a_half_open_mark_is_shown_in_its_later_form(half: str, html: str) -> None:
    assert healed(half) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    "tail",
    ["*", "**", " _", "~", "~~", "`", "``", "[", " !", "![", "![a](http://exa", "![a", "[te", "[text]", "[^", "[^1",
     " $", " $x", r" $\frac{a}", r"\(x", "\\", "&am", "<", "<b", "</di", "<mailto:a", "**[te", " $5", " $$", "\n\\[",
     "\n-", "\n- ", "\n1", "\n1.", "\n10) ", "\n>", "\n> ", "\n#", "\n## ", "\n=", "\n---", "\n***", "\n|", "\n| ",
     "\n```", "\n```py", "\n~~~", "\n- [", "\n- [ ]", "\n- [x", "\n> [!NO", "\n> [!NOTE]", "\n[^1]:", "\n\n[ref]: http://a 'tit",
     "\n- > **", "\n:"],
)  # fmt: skip
def test_an_undecided_mark_is_held_back(tail: str) -> None:
    assert shown("word" + tail) == "word"


@pytest.mark.parametrize(
    "text",
    ["costs $5 and", "set $HOME for the", "2 * 3", "2**32 is", "a*b c", "snake_case_name", "well [", "a[0] = 1",
     "AT&T is", "x < y", "List<int> a", "Hello!", "1. one", "-5 degrees", "* x"],
)  # fmt: skip
def test_a_character_that_is_no_mark_is_shown_unchanged(text: str) -> None:
    assert shown(text) == visible(render(text.removesuffix("[")))


@pytest.mark.parametrize("mark", ["*", "`", "[", "$", "![", "<", "~~", "_"])
def test_prose_after_a_lone_mark_is_not_hidden_for_long(mark: str) -> None:
    text = f"see {mark}note " + "that goes on " * 100
    assert shown(text).endswith("that goes on")
    assert not tags(text) & {"em", "code"}


def test_a_tables_header_is_a_table_before_the_row_under_it_arrives() -> None:
    text = "| Name | **Age** |\n|---|:-:|\n"
    for end in range(3, len(text) + 1):
        assert "|" not in shown(text[:end])
        assert {"table", "th"} <= tags(text[:end])


def test_a_table_without_outer_pipes_is_a_table_once_its_second_row_begins() -> None:
    text = "Name | Age\n--- | ---\nAda | 36"
    for end in range(text.index("-") + 1, len(text) + 1):
        assert {"table", "th"} <= tags(text[:end])
        assert "-" not in shown(text[:end])


def test_a_row_of_a_table_is_healed_in_its_last_cell_only() -> None:
    html = healed("|a|b|c|\n|-|-|-|\n| **x | `y")
    assert visible(html).endswith("**x y")
    assert "<code>y</code>" in html


@pytest.mark.parametrize(
    "text", ["# **half\n", "- **half\n\n", "> **half\n>\n", "|**half|b|\n|-|-|\n", "**half\n\n"]
)
def test_a_finished_line_is_not_healed(text: str) -> None:
    assert "**half" in shown(text)


@pytest.mark.parametrize("text", ["- ```\n  **a", "    **a", "- ```py\n  | a", "> ~~~\n> $x"])
def test_code_is_not_healed(text: str) -> None:
    assert tags(text) & {"strong", "table"} == set()
    assert shown(text)[-1] in "ax"


def test_half_a_formula_block_shows_its_tex_until_it_closes() -> None:
    assert healed("$$\nx^2 + \\fr") == "<p><code>x^2 + \\fr</code></p>\n"
    assert "<math" in healed("$$\nx^2 + 1\n$$")


def test_half_an_image_of_any_length_fetches_and_shows_nothing() -> None:
    assert shown("see ![x](data:image/png;base64," + "A" * 5000) == "see"


def test_a_reference_is_shown_as_its_text_while_its_label_arrives() -> None:
    blocks = parse("[text][re", {"REF": {"href": "https://a.example", "title": ""}}, is_open=True)
    assert visible(render_block(blocks[0], "mathml", is_open=True)) == "text"


# --- Properties ---------------------------------------------------------------------------------

_word = st.sampled_from(["alpha", "beta", "42", "naïve", "日本語", "it's", "x,", "end."])
_plain = st.lists(_word, min_size=1, max_size=4).map(" ".join)
_spans = st.one_of(
    _plain,
    _plain.map("**{}**".format),
    _plain.map("*{}*".format),
    _plain.map("~~{}~~".format),
    _plain.map("`{}`".format),
    _plain.map("[{}](https://example.com/a_b)".format),
    _plain.map("**[{}](https://example.com 'title')**".format),
    _plain.map("*a **{}***".format),
    st.sampled_from(
        ["so[^1]", "<https://example.com/x>", "AT&amp;T", "![pic](https://example.com/p.png)", r"\*"]
    ),
)
_inline = st.lists(_spans, min_size=1, max_size=4).map(" ".join)
_cells = st.lists(_spans.filter(lambda text: "|" not in text), min_size=2, max_size=2)


def _table(rows: list[list[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "| --- | :-: |", *body])


_blocks = st.one_of(
    _inline,
    st.tuples(st.integers(1, 4), _inline).map(lambda t: "#" * t[0] + " " + t[1]),
    st.lists(_inline, min_size=1, max_size=3).map(lambda items: "\n".join("- " + item for item in items)),
    st.lists(_inline, min_size=1, max_size=3).map(
        lambda items: "\n".join(f"{n}. {i}" for n, i in enumerate(items, 1))
    ),
    _inline.map("- [x] {}\n- [ ] open".format),
    _inline.map("> {}".format),
    _inline.map("> [!WARNING]\n> {}".format),
    _inline.map("[^1]: {}".format),
    st.lists(_cells, min_size=1, max_size=3).map(_table),
    _plain.map("```python\nx = 1  # {}\n```".format),
    st.just("---"),
)
well_formed = st.lists(_blocks, min_size=1, max_size=3).map("\n\n".join)


def _ends(text: str, first: int) -> range:
    """Return the places to cut *text*: all of a short text, else sixty that *first* shifts."""
    step = 1 + len(text) // 60
    return range(first % step, len(text), step)


def _squeezed(html: str) -> str:
    return "".join(visible(html).split())


@given(well_formed, st.integers(0, 99))
def test_the_open_form_of_a_well_formed_document_begins_its_final_form(text: str, first: int) -> None:
    final = _squeezed(render(text, math="mathml"))
    for end in _ends(text, first):
        assert final.startswith(_squeezed(healed(text[:end]))), text[:end]


@given(well_formed, st.integers(0, 99))
def test_no_more_than_one_construct_is_held_back(text: str, first: int) -> None:
    for end in _ends(text, first):
        held = len(_squeezed(render(text[:end], math="mathml"))) - len(_squeezed(healed(text[:end])))
        assert held <= 60, text[:end]


@given(documents(), st.integers(0, 99))
def test_healing_adds_no_letters_and_keeps_the_order_of_any_document(text: str, first: int) -> None:
    for end in _ends(text, first):
        words = re.findall("[a-z]", shown(text[:end]).lower())
        source = iter((text[:end] + "note").lower())
        assert all(letter in source for letter in words) or "note" in text.lower() or "&#" in text


@given(mixes, st.integers(0, 99))
def test_no_payload_survives_healing(text: str, first: int) -> None:
    for end in _ends(text, first)[::3]:
        assert attacks(healed(text[:end])) == []
        assert attacks(healed(text[:end], is_paused=True)) == []


@given(documents(), st.integers(0, 99))
def test_a_pause_shows_at_least_the_words_that_are_shown_before_it(text: str, first: int) -> None:
    for end in _ends(text, first)[::3]:
        before = re.findall("[a-z]", visible(healed(text[:end])).lower())
        shown = iter(visible(healed(text[:end], is_paused=True)).lower())
        assert all(letter in shown for letter in before), text[:end]


@given(st.text(alphabet=st.sampled_from("ab1 \n-*>|#`~[]:.\\$"), max_size=60))
def test_only_the_last_line_is_held_back_and_only_once(text: str) -> None:
    held = hold(text)
    assert text.startswith(held)
    assert "\n" not in text[len(held) :]
    assert hold(held) == held


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "![",
        "*a **b ",
        "`a ``b ",
        "$x ",
        "\\(",
        "[a](",
        "<a ",
        "~~",
        "_a ",
        "| a ",
        "[a][",
        "$$",
        "[`",
        "&a",
    ],
)
@pytest.mark.parametrize("is_paused", [False, True])
def test_the_cost_of_healing_grows_no_faster_than_the_block(unit: str, *, is_paused: bool) -> None:
    """Count calls instead of time: rules may try each place a bounded number of times."""

    def cost(size: int) -> int:
        text, calls = (unit * size)[:size], itertools.count()
        sys.setprofile(lambda *_: next(calls))
        try:
            parse(text, {"A": {"href": "", "title": ""}}, is_open=True, is_paused=is_paused)
        finally:
            sys.setprofile(None)
        return next(calls)

    assert cost(4000) <= 3 * cost(2000)


BESIDE_POINTS = [
    "**\u6ce8\u610f\uff1a**\u8bf7\u770b", "\u8fd9\u662f**\u201c\u8bcd\u201d**\u7684", "**\u91cd\u8981\uff08\u6ce8\uff09\u3002**\u6b21",
    "\u542b**\u300c\u70b9\u300d**\u5185", "~~\u300c\u65e7\u300d~~\u65b0", "*\u5f3a\u3002*\u540e", '**"\uacf5\uac1c"**\ub294',
    "__\u6ce8\uff1a__\u8bf7", "***\u91cd\uff01***\u8bf7", "**Note:**text", "\u8bf7**`x`**\u7684", "**100%**\u7684", "**\u300aa\u300b**b",
]  # fmt: skip


@pytest.mark.parametrize("text", BESIDE_POINTS)
def test_emphasis_beside_points_is_emphasis_from_its_first_letter_to_the_end(text: str) -> None:
    marks = ("strong", "em", "s")
    final = {tag for tag, _ in Page(render(text)).elements} & set(marks)
    assert final
    assert "*" not in visible(render(text))
    for end in range(1, len(text)):
        for is_paused in (False, True):
            elements = {tag for tag, _ in Page(healed(text[:end], is_paused=is_paused)).elements}
            assert elements & set(marks) <= final


@pytest.mark.parametrize(
    "text", ["_half_name", "a __init__x", "(_a_b", "snake_case_name", "a**b**(c)**d", "2**(3)**x"]
)
def test_a_name_or_a_sum_is_never_emphasis_for_a_while(text: str) -> None:
    final = tags_of(render(text))
    for end in range(1, len(text)):
        assert tags_of(healed(text[:end])) <= final | {"p"}


def tags_of(html: str) -> set[str]:
    return {tag for tag, _ in Page(html).elements}

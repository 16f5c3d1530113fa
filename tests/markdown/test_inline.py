"""Test that the fast paths for inline text and table rows give the same result as the parser."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it.rules_block import table
from markdown_it.token import Token

from tests.markdown.markdown_documents import documents
from vibe_notebook._markdown.fast_paths import _table, simple_tokens
from vibe_notebook._markdown.renderer import _parser, parse, render_block

_texts = st.lists(
    st.sampled_from(
        ["a", "b c", " ", "**", "**bold**", "**two words**", "*em*", "`code`", "` x `", "``", "`", ", ", ".", "é", "日本", "_",
         "1.5", "-", ":", "!", "]", "(", "#", "**a**b", "a**b**", "*a*b", " **x y** `z`", "\n", "*", "**`c`**", "\\", "&amp;"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


def parsed(text: str) -> list[Token]:
    md = _parser()
    tokens = md.inline.parse(text, md, {"references": {}}, [])
    return [token for token in tokens if token.type != "text" or token.content]


@given(_texts)
def test_the_fast_path_gives_the_parsers_tokens(text: str) -> None:
    short = simple_tokens(text)
    if short is not None:
        assert short == parsed(text)


_cells = st.one_of(
    st.sampled_from(
        ["a", "1.5", "**b**", "*e*", "`c`", "`b|c`", "", "$x$", "e\\|f", "e\\\\|f", "<b>", "&amp;", "a&b", "'q'",
         "https://a.example", "[l](http://a.example)", "\u00a0", "\\", "> q", "- i", "    x", "**half", "\x0b", '"']
    ),
    _texts.filter(lambda text: "\n" not in text),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> str:
    width = draw(st.integers(1, 3))
    row = st.lists(_cells, max_size=width + 1).map("|".join)
    lead = draw(st.sampled_from(["", "| ", "> | ", "- | ", "   "]))
    rule = "|".join(draw(st.sampled_from(["---", ":--", "--:", ":-:"])) for _ in range(width))
    header = "|".join("abc"[:width])
    indent = " " * len(lead) if lead.startswith("-") else lead
    rows = [
        lead + header + "|",
        indent + rule + "|",
        *(indent + text for text in draw(st.lists(row, max_size=6))),
    ]
    return "\n".join(rows) + draw(st.sampled_from(["", "\n", "\n\ntext", "\ntext", "\n> text", "\n    text"]))


def whole(text: str) -> str:
    return "".join(render_block(block, "tex") for block in parse(text, {}))


@given(st.one_of(tables(), documents()))
def test_a_table_renders_as_with_the_parsers_own_rule(text: str) -> None:
    ruler = _parser().block.ruler
    text = text.replace("\r", "\n")
    ours = whole(text)
    ruler.at("table", table, {"alt": ["paragraph", "reference"]})
    try:
        assert ours == whole(text)
    finally:
        ruler.at("table", _table, {"alt": ["paragraph", "reference"]})


def test_the_fast_path_accepts_the_usual_text_of_cells_and_items() -> None:
    for text in ("plain words: 1.5 % - and so on!", "**bold words** `c1` and, `c 2`", "", "(`a`)"):
        assert simple_tokens(text) is not None

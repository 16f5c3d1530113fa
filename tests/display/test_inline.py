"""The short way to inline tokens gives what the parser gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it.token import Token

from vibe_notebook.display._blocks import _parser
from vibe_notebook.display._inline import simple_tokens

_texts = st.lists(
    st.sampled_from(
        ["a", "b c", " ", "**", "**bold**", "**two words**", "`code`", "` x `", "``", "`", ", ", ".", "é", "日本", "_",
         "1.5", "-", ":", "!", "]", "(", "#", "**a**b", "a**b**", " **x y** `z`", "\n", "*", "**`c`**", "\\", "&amp;"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


def parsed(text: str) -> list[Token]:
    md = _parser()
    tokens = md.inline.parse(text, md, {"references": {}}, [])
    return [token for token in tokens if token.type != "text" or token.content]


@given(_texts)
def test_what_the_short_way_takes_it_reads_as_the_parser_does(text: str) -> None:
    short = simple_tokens(text)
    if short is not None:
        assert short == parsed(text)


def test_the_short_way_takes_what_cells_and_items_are_made_of() -> None:
    for text in ("plain words: 1.5 % - and so on!", "**bold words** `c1` and, `c 2`", "", "(`a`)"):
        assert simple_tokens(text) is not None

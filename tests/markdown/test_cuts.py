"""Test that an answer cut at any place shows no raw marks, with more text to come and at a pause."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.display.browser_half import page_html
from tests.markdown.markdown_documents import visible
from vibe_notebook._markdown.renderer import lean, parse, render, render_block
from vibe_notebook._markdown.stream import MarkdownStream

_FILE = (Path(__file__).parent / "answers.md").read_text(encoding="utf-8")
ANSWERS = dict(part.split("\n", 1) for part in _FILE.split("%%% ")[1:])
ANSWERS["long"] = (
    f"*{'Slanted words here ' * 25}end*. **{'Bold words here ' * 20}end**.\n\n"
    f"See [{'a very long label of a link ' * 8}](https://example.com/?{'d=e&' * 30}) ok.\n\n"
    f"Run `{'cmd --flag value ' * 20}` ok.\n\n"
    f"So ${'a_{1}^{2} + ' * 12}c$ and $${'a_{1}^{2} + ' * 90}c$$ fin."
)
MARKS = re.compile(
    r"\*\*|\*\w|\w\*(?!\w)|(?<!\w)_\w|__|~~|`|\]\(|\]\[|!\[|\]:"
    r"|\[\^|\[!|\[[ x]\](?! )|\|[ :]*-|^\s*\||\$\$|\$[\\a-zA-Z]|\\[\[\]()]|^#+(?: |$)|^>|^[-=]{2,}\s*$",
    re.MULTILINE,
)
LONG = 1500  # characters beyond which a test parses only the last block
VOID = {"br", "hr", "img"}
BLOCKS = {"p", "li", "td", "th", "div", "pre", "h1", "h2", "h3", "blockquote"}


class Prose(HTMLParser):
    """Read the text of HTML outside of code and formulas, each block on a line of its own."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag in BLOCKS:
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "math", "sup"} & set(self.open):
            self.text += data


def marks(html: str) -> Counter[str]:
    return Counter(MARKS.findall(Prose(html).text))


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_no_raw_mark_is_shown_that_the_final_form_does_not_show(text: str) -> None:
    final, stream = marks(render(text, math="mathml")), MarkdownStream()
    for end, letter in enumerate(text, 1):
        stream.append(letter)
        stream.update()
        html = page_html(stream.blocks, stream.open_html)
        assert not marks(html) - final, (text[max(0, end - 40) : end], html[-200:])
    stream.finish()
    assert page_html(stream.blocks) == lean(render(text, math="mathml"))


def paused(text: str) -> str:
    blocks = parse(text, {}, is_open=True, is_paused=True)
    return "".join(render_block(block, "mathml", is_open=True) for block in blocks)


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_no_raw_mark_is_shown_where_the_text_pauses(text: str) -> None:
    final = marks(render(text, math="mathml"))
    for end in range(1, len(text)):
        start = text.rfind("\n\n", 0, end) + 1 if len(text) > LONG else 0
        assert not marks(paused(text[start:end])) - final, text[max(0, end - 40) : end]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("42", "42"),
        ("It is 3.", "It is 3."),
        ("see [the no", "see the no"),
        ("see [17]", "see [17]"),
        ("[the no", "the no"),
        ("see [the **no", "see the <strong>no</strong>"),
        ("costs $5", "costs $5"),
        ("run $HOME/bin", "run $HOME/bin"),
        ("is $x", "is <code>x</code>"),
        (r"is \(x", "is <code>x</code>"),
        ("Oui !", "Oui !"),
        ("AT&T", "AT&amp;T"),
        ("x < y", "x &lt; y"),
        ("List<int", "List&lt;int"),
    ],
)
def test_no_word_is_held_back_where_the_text_pauses(text: str, shown: str) -> None:
    assert paused(text) == f"<p>{shown}</p>\n"


@pytest.mark.parametrize(
    "tail", ["**", " *", "`", "~~", "[", "![", " $", "\\", "\n-", "\n- [", "\n```py", "\n|", "[^1"]
)
def test_marks_alone_are_held_back_where_the_text_pauses(tail: str) -> None:
    assert visible(paused("word" + tail)) == "word"

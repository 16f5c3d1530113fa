"""Test that a viewer of the Markdown form shows the text, the links and the elements of the HTML form."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vibe_notebook._forms.neutral import neutralize
from vibe_notebook._markdown.renderer import render
from vibe_notebook.parts import TextPart
from vibe_notebook.transcript import Transcript

WORDS = [
    "alpha", "Beta.", "**bold**", "*slant*", "__bold__", "_slant_", "***both***", "~~gone~~", "`code`", "`` a`b ``",
    "[link](https://a.example/x_y)", "[first][1]", "[1]", "[Two][]", "https://b.example/p_q", "<https://c.example>",
    "**\u91cd\u8981\uff1a**\u8bf7", "\u542b**\u300c\u91cd\u70b9\u300d**\u5185\u5bb9", "~~\u300c\u65e7\u300d~~\u65b0",
    "**Note:**text", "\u8be6\u89c1https://d.example\u3002\u597d", "H<sub>2</sub>O", "x<sup>2", "one<br>two", "AT&T",
    "&copy;", "&lt;b>", "<b>raw</b>", "<!-- hidden -->", "5 < 6", "a|b", "#1", "1.", "- x", "+", "=", "x * y", "\\*",
    "snake_case", "$5", "![pic](https://e.example/p.png)", "so[^1]", "wait...", "a: b", "(c)", "[x]", "!", "~", "^",
]  # fmt: skip
DEFINITIONS = "[1]: https://one.example/ 'Title'\n[two]: <https://two.example/>\n"

_line = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
_paragraph = st.lists(_line, min_size=1, max_size=3).flatmap(
    lambda lines: st.sampled_from(["\n", "  \n", "\\\n"]).map(lambda end: end.join(lines))
)
_code = st.sampled_from(["x = 1", "", "```", "~~~\n\n<b>", "  indented\n\n\ntwo", "- a"])


def _lead(text: str, first: str, rest: str) -> str:
    head, *tail = text.split("\n")
    return "\n".join([first + head, *((rest + line).rstrip() for line in tail)])


@st.composite
def _tables(draw: st.DrawFn) -> str:
    cells = st.sampled_from([word for word in WORDS if "|" not in word])
    row = st.lists(cells, min_size=2, max_size=2).map(lambda row: f"| {' | '.join(row)} |")
    return "\n".join([draw(row), "|:--|--:|", *draw(st.lists(row, max_size=3))])


@st.composite
def _lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    mark, gap = draw(st.sampled_from(["- ", "* ", "1. ", "7) "])), draw(st.sampled_from(["\n", "\n\n"]))
    items = draw(st.lists(inner, min_size=1, max_size=3))
    return gap.join(_lead(item, mark, " " * len(mark)) for item in items)


_leaves = st.one_of(
    _paragraph,
    st.tuples(st.integers(1, 6), _line).map(lambda t: "#" * t[0] + " " + t[1]),
    st.tuples(st.sampled_from(["````", "~~~~", "````py"]), _code).map(
        lambda t: f"{t[0]}\n{t[1]}\n{t[0][:4]}"
    ),
    _tables(),
    st.just("---"),
    st.tuples(_line, _line).map(lambda t: f"<details>\n<summary>{t[0]}</summary>\n\n{t[1]}\n\n</details>"),
    _code.map(lambda code: _lead(code, "    ", "    ") if code else "x"),
)
_blocks = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        _lists(inner),
        inner.map(lambda text: _lead(text, "> ", "> ")),
        _line.map(lambda line: f"> [!NOTE]\n> {line}"),
        st.lists(inner, min_size=2, max_size=2).map("\n\n".join),
    ),
    max_leaves=4,
)
_notes = st.lists(st.sampled_from([word for word in WORDS if word[0].isalpha()]), min_size=1).map(" ".join)
documents = (
    st.lists(st.one_of(_blocks, _blocks, _notes.map("[^1]: {}".format)), min_size=1, max_size=4)
    .map("\n\n".join)
    .map(lambda text: f"{text}\n\n{DEFINITIONS}")
)


class Shown(HTMLParser):
    """Read what HTML shows: its elements with the text before each, without elements that show nothing."""

    HIDDEN = ("div", "span", "details", "tbody", "thead", "html")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.closed: list[str] = []
        self.items = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if "footnote-ref" in (attributes.get("class") or ""):
            self.closed.append("")
            return
        tag = {"del": "s", "summary": "p"}.get(tag, tag)
        self.items += tag == "li"
        # Some lists have more space between their items in one form, for the sake of all viewers.
        if tag not in self.HIDDEN and not (self.items and tag == "p"):
            self.shown.append(f"<{tag} {attributes.get('href') or ''}>")
        if tag == "sup":
            self.closed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "sup" and not self.closed.pop():
            return
        tag = {"del": "s", "summary": "p"}.get(tag, tag)
        self.items -= tag == "li"
        if tag not in (*self.HIDDEN, "br", "hr") and not (self.items and tag == "p"):
            self.shown.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        # The mark of an image is within its link in one form, and before the link in the other.
        if text := "".join(data.replace("\N{FRAME WITH PICTURE}", "").split()):
            self.shown.append(text)


def seen(html: str) -> str:
    """Return the elements and the text of *html*, on one line, without breaks that nothing follows."""
    shown = re.sub(r"(<br >)+(?=</)", "", "".join(Shown(html).shown))
    return shown.replace("<p ></p>", "").replace("<code >\\</code>", "\\")


def markdown_it(markdown: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


def cmark_gfm(markdown: str) -> str:
    return str(
        cmarkgfm.markdown_to_html_with_extensions(
            markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "strikethrough"]
        )
    )


VIEWERS: list[Callable[[str], str]] = [markdown_it, cmark_gfm]


@pytest.mark.parametrize("viewer", VIEWERS)
def test_each_message_has_its_own_labels_and_footnotes(viewer: Callable[[str], str]) -> None:
    texts = [f"See [docs][1] and [Two], so[^1].\n\n[^1]: Note {n}.\n\n[1]: https://{n}.example/\n[two]: https://t{n}.example/"
             for n in (1, 2)]  # fmt: skip
    parts = tuple(TextPart(part_id=str(n), text=text) for n, text in enumerate(texts))
    shown = seen(viewer(Transcript(parts=parts).to_markdown()))
    assert shown == "".join(seen(render(text)) for text in texts)
    assert re.findall(r"https://\w+", shown) == ["https://1", "https://t1", "https://2", "https://t2"]


@pytest.mark.parametrize(
    "tex",
    [
        r"a_1*b*c_2",
        r"\{x\}\,\|y\|",
        r"\hat{a}_1 b_{2}",
        r"\begin{cases}a\\b\end{cases}",
        r"\text{a*b}",
        "x < y",
    ],
)
@pytest.mark.parametrize("marks", ["\\(?\\)", "\\[?\\]", "$?$", "$$?$$", "\n\n\\[\n?\n\\]\n\n"])
@pytest.mark.parametrize("viewer", VIEWERS)
def test_a_viewer_without_formulas_leaves_their_tex_alone(
    viewer: Callable[[str], str], marks: str, tex: str
) -> None:
    markdown = neutralize(f"So {marks.replace('?', tex)} holds.")
    shown = unescape(re.sub(r"<[^>]*>", "", viewer(markdown)))
    assert "<em>" not in viewer(markdown)
    assert shown.replace("\\ b", "\\\\ b").split() == markdown.split()


@pytest.mark.parametrize("viewer", VIEWERS)
@given(documents)
def test_a_viewer_of_the_markdown_form_shows_the_elements_and_text_of_the_html_form(
    viewer: Callable[[str], str], text: str
) -> None:
    markdown = neutralize(text)
    assert seen(viewer(markdown)) == seen(render(text)), markdown

"""Generate random Markdown documents, and read the text that a browser would show of their HTML."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import strategies as st

WORDS = [
    "alpha", "beta", "**bold**", "*em*", "`code`", "~~gone~~", "a_b_c", "naïve", "日本語", "👩‍🔬", "&amp;", "&lt;",
    "<b>", "</div>", "<!-- x -->", "<script>", "[link](https://example.com)", "[ref]", "[text][ref]", "[^1]",
    "![pic](https://example.com/p.png)", "https://example.com/a?b=c", "<https://example.com>", "$x^2$", "$5",
    r"\(y\)", r"\[z\]", r"\begin{cases} a \end{cases}", r"\*", "\\\\", "**half", "`tick", "[open", "](", "$$", "|", "a|b", "#", "-", "1.", ">",
    "&", "<sub>", "</sub>", "<kbd>k</kbd>", "<!--", "-->", "<mark class=x>", "</details>", "注意\uff1a", "**重要\uff1a**请",
    "**「a」**", "“**b**”", "见https://example.com/c\uff08d\uff09", "\u00a0", "\u2028", "_", "*", "!", "=", "+", "~", "``", "\x0b",
]  # fmt: skip

words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
raw_lines = st.text(alphabet=st.sampled_from("ab `~*_#->|[]()!$\\<&\t:=1.+^"), max_size=16)
lines = st.one_of(words, words, raw_lines)
bodies = st.lists(st.one_of(lines, st.just("")), max_size=4)


def _lead(text: str, first: str, rest: str) -> str:
    head, *tail = text.split("\n")
    return "\n".join([first + head, *((rest + line if line else line) for line in tail)])


@st.composite
def _fences(draw: st.DrawFn) -> str:
    mark = draw(st.sampled_from(["```", "~~~", "````", " ```", "   ~~~"]))
    info = draw(st.sampled_from(["", "py", "python title=x", "nosuch", "c++", "{python}", "`"]))
    closing = draw(
        st.sampled_from(
            [mark, mark, mark.strip() + "`", mark + "  ", "  " + mark.strip(), "", "``", "    ```"]
        )
    )
    return "\n".join([mark + info, *draw(bodies), *([closing] if closing else [])])


@st.composite
def _tables(draw: st.DrawFn) -> str:
    cells = st.sampled_from(["a", "`b|c`", "$x$", "", "**d**", "e\\|f"])
    width = draw(st.integers(1, 3))
    row = st.lists(cells, min_size=width, max_size=width).map(lambda row: "| " + " | ".join(row) + " |")
    rule = "|" + "|".join(draw(st.sampled_from(["---", ":--", "--:", ":-:"])) for _ in range(width)) + "|"
    return "\n".join([draw(row), rule, *draw(st.lists(row, max_size=3))])


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    marker = st.sampled_from(["- ", "* ", "1. ", "2) ", "- [ ] ", "- [x] ", "10. ", "-   "])

    @st.composite
    def lists(draw: st.DrawFn) -> str:
        mark, gap = draw(marker), draw(st.sampled_from(["\n", "\n\n"]))
        indent = " " * (len(mark) if "[" not in mark else 2)
        return gap.join(_lead(item, mark, indent) for item in draw(st.lists(inner, min_size=1, max_size=3)))

    quotes = inner.map(lambda text: _lead(text, "> ", "> "))
    alerts = inner.map(lambda text: "> [!NOTE]\n" + _lead(text, "> ", "> "))
    notes = inner.map(lambda text: _lead(text, "[^1]: ", "    "))
    return st.one_of(lists(), quotes, alerts, notes)


@st.composite
def _details(draw: st.DrawFn) -> str:
    opening = draw(
        st.sampled_from(["<details>", "<details open>", "<details><summary>a</summary>", "<details> b"])
    )
    summary = draw(
        st.sampled_from(["", "<summary>**c**</summary>", "<summary>\nd\n</summary>", "<summary>e"])
    )
    closing = draw(st.sampled_from(["</details>", "</details>", "</details> rest", "", "f</details>"]))
    gap = draw(st.sampled_from(["\n", "\n\n"]))
    return gap.join([opening, *([summary] if summary else []), *draw(bodies), closing])


_leaves = st.one_of(
    _details(),
    st.tuples(
        st.sampled_from(["<!--", "<!-- a -->", "<!-- a"]), bodies, st.sampled_from(["-->", "", "--> b"])
    ).map(lambda t: "\n".join([t[0], *t[1], t[2]])),
    st.lists(lines, min_size=1, max_size=3).map("\n".join),
    st.tuples(st.integers(1, 7), words).map(lambda t: "#" * t[0] + " " + t[1]),
    st.tuples(words, st.sampled_from(["===", "---", "-", "= ="])).map("\n".join),
    _fences(),
    _tables(),
    bodies.map(lambda body: "\n".join("    " + line for line in body)),
    bodies.map(lambda body: "\t" + "\n\t".join(body)),
    st.sampled_from(["---", "***", "_ _ _", "----"]),
    st.tuples(st.sampled_from(["$$", "\\["]), bodies, st.sampled_from(["$$", "\\]", "", "x $$"])).map(
        lambda t: "\n".join([t[0], *t[1], t[2]])
    ),
    st.tuples(
        st.sampled_from([r"\begin{align}", r"\begin{equation*} a", r"\begin{itemize}"]),
        bodies,
        st.sampled_from(
            [r"\end{align}", r"\end{equation*}", r"\end{align}.", r"x\end{equation*} and", "", "&= 1"]
        ),
    ).map(lambda t: "\n".join([t[0], *t[1], t[2]])),
    st.sampled_from(
        ["$$x$$", "$$x", "\\[ a \\]", "text $$b$$ text", "$$", "<div>", "<details>\n<summary>s</summary>"]
    ),
)
blocks = st.recursive(_leaves, _containers, max_leaves=6)

DEFINITIONS = "[ref]: https://example.com/ref 'title'\n\n[open]: <https://example.com/open>\n\n"
"""Definitions to put before a document, so that no link is used before its definition."""


@st.composite
def documents(draw: st.DrawFn) -> str:
    parts = draw(st.lists(blocks, min_size=1, max_size=6))
    gaps = draw(
        st.lists(st.sampled_from(["\n\n", "\n", "\n\n\n", "\n \n"]), min_size=len(parts), max_size=len(parts))
    )
    text = DEFINITIONS * draw(st.booleans()) + "".join(
        part + gap for part, gap in zip(parts, gaps, strict=True)
    )
    if draw(st.booleans()):
        text = f"{text}\n\n{DEFINITIONS}{draw(blocks)}"
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])))


@st.composite
def split_documents(draw: st.DrawFn) -> tuple[str, list[tuple[str, bool]]]:
    """Draw a document, and its pieces, each with True if an update follows the piece."""
    text = draw(documents())
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=24)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return text, [(piece, draw(st.booleans())) for piece in pieces]


class Page(HTMLParser):
    """Read the elements, attributes and text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in {"br", "p", "li", "td", "th", "div", "pre", "tr", "h1", "h2", "h3"}:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def visible(html: str, tail: str = "") -> str:
    """Return the text that *html* and the *tail* after it show, with unified white space."""
    return " ".join(("".join(Page(html).texts) + tail).split())

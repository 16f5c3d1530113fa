"""Test the final form of agent text: one case for each kind of Markdown that agents write."""

from __future__ import annotations

import re
import sys

import pytest

from tests.markdown.markdown_documents import Page, visible
from vibe_notebook._markdown.renderer import render


def mathml(text: str) -> str:
    return render(text, math="mathml")


def test_a_closed_fence_is_coloured_with_pygments_short_classes() -> None:
    html = render("```python\ndef f(): pass\n```")
    assert '<div class="highlight"' in html
    assert '<code class="language-python">' in html
    assert '<span class="k">def</span>' in html


@pytest.mark.parametrize("info", ["nosuchlanguage", "", "<b>", "../../etc", "x" * 300])
def test_an_unknown_language_leaves_the_code_plain(info: str) -> None:
    page = Page(render(f"~~~{info}\na < b\n~~~"))
    assert "".join(page.texts).strip() == "a < b"
    assert {tag for tag, _ in page.elements} == {"div", "pre", "code"}


@pytest.mark.parametrize("code", ["\n\n  x\n\n", "\ufeffx\n", "a\tb\n", "'unclosed\n"])
def test_colouring_never_changes_the_code(code: str) -> None:
    assert (
        "".join(Page(render(f"```python\n{code}```")).texts).strip(" ")
        == f"{code}\n".removesuffix("\n") + "\n"
    )


def test_a_task_list_shows_boxes_as_text_and_needs_no_form_elements() -> None:
    html = render("- [ ] open\n- [x] done\n- [y] neither")
    assert visible(html) == "☐ open ☑ done [y] neither"
    assert "<input" not in html


@pytest.mark.parametrize("tag", ["<br>", "<br/>", "<br />", "<BR>"])
def test_a_line_break_is_accepted_without_attributes(tag: str) -> None:
    (row,) = [line for line in render(f"|a|\n|-|\n|1{tag}2|\n|3|").splitlines() if "1" in line]
    assert row == '<td style="text-align:left">1<br>'
    assert render(f"x{tag}y `{tag}` <br onclick=x> <b>") == (
        f"<p>x<br>\ny <code>{tag.replace('<', '&lt;').replace('>', '&gt;')}</code> &lt;br onclick=x&gt; &lt;b&gt;</p>\n"
    )


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("H<sub>2</sub>O, x<SUP id=a>2</SUP>", "<p>H<sub>2</sub>O, x<sup>2</sup></p>"),
        ("<kbd>Ctrl</kbd> <mark style='x'>a</mark>", "<p><kbd>Ctrl</kbd> <mark>a</mark></p>"),
        ("a<sub>b\n\nc", "<p>a<sub>b</sub></p><p>c</p>"),
        ("**a<sup>b** c</sup>", "<p><strong>a<sup>b</sup></strong> c</p>"),
        ("a</sub>b <details> <summary>c", "<p>ab  c</p>"),
        ("a <!-- b --> c", "<p>a  c</p>"),
        ("<!-- a\n\nb -->\n\nc", "<p>c</p>"),
        ("<!-- a\n\nb", "<p>&lt;!-- a</p><p>b</p>"),
        ("`<sub>a</sub>`", "<p><code>&lt;sub&gt;a&lt;/sub&gt;</code></p>"),
        (
            "<details>\n<summary>**a**</summary>\n\n- b\n</details>\n\nc",
            "<details><summary><strong>a</strong></summary><ul><li>b</li></ul></details><p>c</p>",
        ),
        ("<details open ontoggle=x>\n\na", '<details open=""><p>a</p></details>'),
        ("<details>\n```\n</details>\n```\n</details>", None),
        ("- <details>\n  a\n- b", "<ul><li><details><p>a</p></details></li><li>b</li></ul>"),
    ],
)
def test_small_tags_folds_and_comments_are_shown_as_in_jupyterlabs_markdown(
    text: str, html: str | None
) -> None:
    made = render(text).replace("\n", "").replace(' style="margin:0 0 1em"', "")
    assert made == (html or made)
    assert made.count("<details") == made.count("</details>") == ("<details" in made)


def test_an_alert_names_its_kind() -> None:
    assert 'class="vibe-alert vibe-alert-warning"' in render("> [!WARNING]\n> careful")
    assert visible(render("> [!WARNING]\n> careful")) == "Warning careful"


def test_a_footnote_is_marked_and_stays_where_it_was_written() -> None:
    assert visible(render("so[^1].\n\n[^1]: As *ever*.\n\nmore")) == "so[1]. [1] As ever. more"


def test_table_cells_have_their_own_alignment_because_jupyterlab_aligns_them_right() -> None:
    cells = [
        attrs["style"] for tag, attrs in Page(render("|a|b|\n|-|-:|\n|1|2|")).elements if tag in ("td", "th")
    ]
    assert cells == ["text-align:left", "text-align:right"] * 2


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("see https://example.com/a_b(c).", "https://example.com/a_b(c)"),
        ("(https://example.com/x)", "https://example.com/x"),
        ("https://example.com/x?a=1&b=2!", "https://example.com/x?a=1&b=2"),
        ("[t](https://example.com/y)", "https://example.com/y"),
        ("<mailto:a@example.com>", "mailto:a@example.com"),
        ("\u89c1 https://example.com/docs\uff08\u8bf4\u660e\uff09", "https://example.com/docs"),
        ("\u8be6\u89c1https://example.com\u3002", "https://example.com"),
        ("\u300chttps://example.com/c\u300d\u3001", "https://example.com/c"),
        ("\u201chttps://example.com/d\u201d\u2026", "https://example.com/d"),
        ("https://example.com/e\u060c \u062b\u0645", "https://example.com/e"),
        ("\u0430https://example.com/f\u2014\u0431", "https://example.com/f"),
        ("https://example.com/\u0939\u093f\u0964", "https://example.com/%E0%A4%B9%E0%A4%BF"),
    ],
)
def test_addresses_become_links_that_open_elsewhere_without_a_referrer(text: str, link: str) -> None:
    (attrs,) = [attrs for tag, attrs in Page(render(text)).elements if tag == "a"]
    assert attrs == {"href": link, "target": "_blank", "rel": "noopener noreferrer"}


def test_two_addresses_beside_an_ideographic_comma_are_two_links() -> None:
    html = render("https://a.example\u3001https://b.example/(x)\u3002ahttps://c.example")
    assert re.findall('href="([^"]*)"', html) == ["https://a.example", "https://b.example/(x)"]


def test_a_remote_image_becomes_a_link_and_one_in_a_link_only_its_name() -> None:
    html = render(
        "![a *chart*](https://example.com/c.png) [![badge](https://example.com/b.svg)](https://example.com)"
    )
    assert visible(html) == "🖼 a chart 🖼 badge"
    assert [tag for tag, _ in Page(html).elements] == ["p", "a", "a", "span"]


def test_an_image_that_carries_its_own_pixels_stays() -> None:
    assert '<img src="data:image/png;base64,AAAA" alt="x">' in render("![x](data:image/png;base64,AAAA)")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("$x<y$", "$x<y$"),
        (r"\(a\)", "$a$"),
        (r"\[a\]", "$$a$$"),
        ("$$\na\n$$", "$$a$$"),
        ("text $$a$$ text", "$$a$$"),
        ("\\[\na \\\\\nb\n\\]", "$$a \\\\ b$$"),
        (r"$\text{\$5}$", r"\(\text{\$5}\)"),
    ],
)
def test_formulas_keep_their_tex_for_the_hosts_mathjax(text: str, formula: str) -> None:
    assert formula in visible(render(text))
    assert 'class="math"' in render(text)


def test_formulas_are_mathml_while_live() -> None:
    assert "<mfrac>" in mathml(r"$\frac{a}{b}$")
    assert '<math display="block">' in mathml("$$x$$")


@pytest.mark.parametrize("tex", ["a_b_c", "^", "{" * 300, r"\left( x", "x" * 5000, r"\href{http://a}{x}"])
def test_a_formula_that_cannot_be_typeset_is_shown_as_code(tex: str) -> None:
    html = mathml(f"$${tex}$$") if len(tex) < 2000 else mathml(f"$$\n{tex}\n$$")
    assert f"<code>$${tex}$$</code>" in html
    assert "<math" not in html


@pytest.mark.parametrize("text", ["$5 and $10", "US$5 to US$6", "$HOME/a:$PATH", "$ x $", r"\$x\$", "a$b$c"])
def test_money_and_shell_variables_are_no_formulas(text: str) -> None:
    assert "math" not in mathml(text)


def test_a_dollar_that_opens_no_formula_cannot_be_read_as_one_by_mathjax() -> None:
    html = render(r"costs $5 or $6, \\(x\\)")
    assert html.count("<span>$</span>") == 2
    assert "<span>\\</span>(x" in html


def test_formulas_cannot_carry_links_or_hooks_to_mathjax() -> None:
    for command in (r"\href{javascript:alert(1)}{x}", r"\class{a}{x}", r"\csname href\endcsname{x}{y}"):
        assert f"<code>${command}$</code>" in render(f"${command}$")


def test_less_than_in_a_formulas_text_is_not_an_element() -> None:
    tags = {tag for tag, _ in Page(mathml(r"$\text{a <b> <img src=x>} < y$")).elements}
    assert tags <= {"p", "span", "math", "mrow", "mtext", "mo", "mi"}


def test_nesting_of_500_levels_loses_no_text() -> None:
    assert visible(render("> " * 500 + "the end")).endswith("the end")
    assert visible(render("- " * 500 + "the end")).endswith("the end")


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "![" * 3000, "*a **b " * 3000, "> " * 5000, "- " * 3000, "$a " * 5000, "\\(" * 5000,
     "http://a" + ")" * 20000, "`" * 5000 + " `", "<" * 5000, "[a](" * 3000, "|a" * 500 + "\n" + "|-" * 500],
    ids=lambda text: text[:10],
)  # fmt: skip
def test_hostile_nesting_neither_recurses_nor_takes_long(text: str) -> None:
    # Half of Python's own limit: a notebook's stack is deep already.
    limit = sys.getrecursionlimit()
    depth = len(_stack())
    sys.setrecursionlimit(depth + 600)
    try:
        assert render(text)
    finally:
        sys.setrecursionlimit(limit)


def _stack() -> list[object]:
    frame, frames = sys._getframe(), []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames


def test_half_a_surrogate_pair_does_not_stop_the_rendering() -> None:
    assert visible(render("a \ud83d b")) == "a � b"

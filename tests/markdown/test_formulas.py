"""Test that an agent's formula can only typeset, in every form that a TeX processor may read."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.display.browser_half import page_html
from tests.display.hostile import attacks
from tests.display.test_hostile import hostile_transcript
from tests.markdown.markdown_documents import Page
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import is_safe, transcript_markdown
from vibe_notebook._markdown.math import mathml
from vibe_notebook._markdown.renderer import render
from vibe_notebook._markdown.stream import MarkdownStream
from vibe_notebook._markdown.tex import (
    _FENCES,
    COMMAND_LIMIT,
    COMMANDS,
    DEPTH_LIMIT,
    ENVIRONMENTS,
    LENGTH_LIMIT,
    is_safe_tex,
)
from vibe_notebook.parts import TextPart
from vibe_notebook.transcript import Transcript

UNSAFE = [
    r"\href{javascript:window.__pwn=1}{x}", r"\mmlToken{mi}[href=javascript:x]{a}", r"\url{https://evil.example}",
    r"\let\pi\rho", r"\def\frac#1#2{#2/#1}", r"\gdef\sum{\prod}", r"\edef\a{b}", r"\newcommand{\pi}{\rho}",
    r"\renewcommand\pi{\rho}", r"\newenvironment{a}{b}{c}", r"\DeclareMathOperator{\sin}{cos}", r"\require{html}",
    r"\style{position:fixed}{x}", r"\class{x}{y}", r"\cssId{x}{y}", r"\data{a=b}{c}", r"\unicode{x41}",
    r"\bbox[border:1px]{x}", r"\label{a}", r"\ref{a}", r"\eqref{a}", r"\tag{1}", r"\color{red}x",
    r"\textcolor{red}{x}", r"\definecolor{a}{rgb}{1,0,0}", r"\setOptions{a}", r"\toggle{a}{b}\endtoggle",
    r"\mathtip{a}{b}", r"\texttip{a}{b}", r"\verb|x|", r"\csname href\endcsname", r"\catcode`\%=12",
    r"\begingroup\let\a\b\endgroup", r"\input{/etc/passwd}", r"\write18{id}", r"\include{x}", r"\immediate\openout1=x",
    r"\rule[-3em]{60em}{6em}", r"\kern 99em", r"\hspace{99em}", r"\raise 9em x", r"\mathllap{x}", r"\phantom{x}",
    r"\ce{H2O}", r"\begin{document}", r"\begin{filecontents}{x}\end{filecontents}", r"\begin{CD}A\end{CD}",
    r"\text{a $\href{javascript:x}{y}$}", r"\text{\href{a}{b}}", r"\text{a{b}}", r"^^5chref{a}{b}", "a%b",
    "#1", r"\operatorname{\href}", r"\left\href x \right)", r"a\\[99em]b", r"\begin{array}[t]{c}x\end{array}",
    r"\begin{matrix}x\end{pmatrix}", r"{\let\a\b}", r"x\a", "\\\x00href", "a\x08b", "\u202ea", "a\ue000b", "\\",
]  # fmt: skip
SAFE = [
    r"\frac{a}{b}", r"\int_0^1 x^2\,dx = \tfrac13", r"\begin{pmatrix}a&b\\c&d\end{pmatrix}",
    r"\begin{aligned}a &= b\\[4pt] &= c\end{aligned}", r"\begin{array}{c|c}a&b\\\hline c&d\end{array}",
    r"f(x)=\begin{cases}1&\text{if } x>0\\0&\text{otherwise}\end{cases}", r"\left\{x\in\mathbb{R}\middle|x>0\right\}",
    r"\text{\$5} + \text{größe}", r"\operatorname*{arg max}_\theta \mathcal{L}", r"\sqrt[3]{x}", r"\boxed{42}",
    r"\hat{\vec{x}}' \to \infty", r"\sum_{i=1}^n\underbrace{x_i}_{\le 1}", r"\bigl\langle\psi\bigr\rangle",
]  # fmt: skip

_pieces = st.one_of(
    st.sampled_from(UNSAFE),
    st.sampled_from(SAFE),
    st.sampled_from(sorted(COMMANDS)).map(lambda name: f"\\{name}"),
    st.sampled_from(["$", "$$", r"\(", r"\)", r"\[", r"\]", r"\$", r"\\", r"\\(", r"\\)", r"\begin{align}", r"\end{align}"]),
    st.sampled_from(["{", "}", "x", " ", "\n", "\n\n", "`", "```\n", "> ", "- ", "|", "|-|\n", "# ", "    ", "~~~\n", "<b>", "[a](", ")", "<br>"]),
)  # fmt: skip
tex_mixes = st.lists(_pieces, max_size=14).map("".join)

_SKIPPED = frozenset(
    {"script", "noscript", "style", "textarea", "pre", "code", "annotation", "annotation-xml"}
)
_START = re.compile(r"\$\$?|\\\(|\\\[|\\begin\s*\{([^}]*)\}|\\[\\$]|\\(?:eq)?ref\s*\{[^}]*\}")
_ENDS = {"$": "$", "$$": "$$", "\\(": "\\)", "\\[": "\\]"}


class TextNodes(HTMLParser):
    """Collect the strings in which MathJax searches TeX: joined across line breaks, and across no other element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.strings = [""]
        self._skipped: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in ("br", "wbr"):
            self.strings[-1] += "\n" if tag == "br" else ""
            return
        self.strings.append("")
        if tag in _SKIPPED:
            self._skipped.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.strings.append("")
        if self._skipped and self._skipped[-1] == tag:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        self.strings[-1] += "" if self._skipped else data


def typeset(html: str) -> list[str]:
    """Return each piece of *html* that JupyterLab's MathJax would read as TeX, delimiters and all."""
    found: list[str] = []
    for string in TextNodes(html).strings:
        position = 0
        while match := _START.search(string, position):
            position = match.end()
            if end := _ENDS.get(match[0]):
                stop = string.find(end, position)
                if stop >= 0:
                    found.append(string[match.start() : stop + len(end)])
                    position = stop + len(end)
            else:
                found.append(match[0])
    return found


def unknown(piece: str) -> list[str]:
    """Return the parts of a piece of TeX that the list does not have, independent of the tested code."""
    inside = re.sub(r"^(\$\$?|\\[(\[])|(\$\$?|\\[)\]])$", "", piece)
    names = re.findall(r"\\([A-Za-z]+|.|$)", inside, re.DOTALL)
    environments = re.findall(r"\\(?:begin|end)\s*\{([^}]*)\}", inside)
    bad = [name for name in names if name not in COMMANDS and name not in ("begin", "end")]
    bad += [name for name in environments if name not in ENVIRONMENTS]
    bad += re.findall(r"\^\^|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]|(?<!\\)[%#]", inside)
    return bad


@pytest.mark.parametrize("tex", UNSAFE)
@pytest.mark.parametrize("marks", ["$", "$$"])
def test_a_formula_with_a_command_that_is_not_on_the_list_is_shown_as_its_code(tex: str, marks: str) -> None:
    assert not is_safe_tex(tex)
    assert "<math" not in mathml(tex, display=marks == "$$")
    assert typeset(render(f"Total: {marks}{tex}{marks}")) == []
    if "$" not in tex and tex.isprintable() and not tex.endswith("\\"):
        assert f"{marks}{tex}{marks}" in "".join(_all_text(render(f"Total: {marks}{tex}{marks}")))


ENVIRONMENT_TEX = [
    rf"\begin{{{name}}}{option} a &= b \\ c &= d \end{{{name}}}"
    for name, option in (
        ("align", ""), ("align*", ""), ("aligned", ""), ("alignat", "{2}"), ("alignat*", "{2}"), ("alignedat", "{2}"),
        ("flalign", ""), ("gather", ""), ("gathered", ""), ("multline", ""), ("multline*", ""), ("eqnarray", ""),
        ("eqnarray*", ""), ("split", ""), ("cases", ""), ("dcases", ""), ("rcases", ""), ("pmatrix*", "[r]"),
    )
]  # fmt: skip


@pytest.mark.parametrize("tex", ENVIRONMENT_TEX)
@pytest.mark.parametrize("text", ["$${}$$", "{}", "as {} is", "As\n{}\nis", "> {}"])
def test_an_environment_is_laid_out_live_and_saved_with_marks_and_without(tex: str, text: str) -> None:
    live = render(text.replace("{}", tex), math="mathml")
    assert "<mtable" in live
    assert not set("&\\$1") & set("".join(_all_text(live)))
    (piece,) = typeset(render(text.replace("{}", tex)))
    assert r"\\ c" in piece


def test_an_equation_without_dollars_is_a_formula_and_an_unknown_environment_is_text() -> None:
    text = "so\n\\begin{equation*}\nE = mc^2\n\\end{equation*}.\n"
    assert typeset(render(text)) == ["$$E = mc^2$$"]
    assert "<msup>" in render(text, math="mathml")
    assert typeset(render("\\begin{itemize}\n\\item a\n\\end{itemize}")) == []
    refused = r"\begin{align}\href{a}{b}\end{align}"
    assert f"<code>{refused}</code>" in render(refused, math="mathml")


@pytest.mark.parametrize("name", sorted(COMMANDS - {"left", "right", "middle", "backslash", "hline"}))
def test_no_command_of_the_list_is_shown_by_its_name_while_live(name: str) -> None:
    html = mathml(rf"\sum\{name}{{a}}{{b}}_1 x", display=True)
    assert html.startswith("<code>") or "\\" not in "".join(_all_text(html))
    assert f"{name}{{" not in "".join(_all_text(html)) or html.startswith("<code>")


@pytest.mark.parametrize("size", ["bigl", "Bigg", "left"])
@pytest.mark.parametrize("name", sorted(_FENCES | {"{", "}", "|"}))
def test_a_fence_of_any_size_is_shown_as_its_character(size: str, name: str) -> None:
    tex = rf"\{size}\{name} x" + (r"\right." if size == "left" else "")
    assert is_safe_tex(tex)
    shown = "".join(_all_text(mathml(tex, display=False)))
    assert len(shown) == 2
    assert shown != f"\\{name}x"


def test_an_escape_in_text_is_the_character_alone() -> None:
    assert "".join(_all_text(mathml(r"\text{50\% \& \_}", display=False))) == "50%\u00a0&\u00a0_"


@pytest.mark.parametrize("tex", SAFE)
def test_a_safe_formula_is_typeset_in_both_forms(tex: str) -> None:
    assert is_safe_tex(tex)
    assert "<math" in mathml(tex, display=False)
    (piece,) = typeset(render(f"so $${tex}$$"))
    assert tex in piece


def test_a_formula_is_bounded_in_length_nesting_and_commands() -> None:
    for tex, limit in (("x", LENGTH_LIMIT), (r"\pi", COMMAND_LIMIT), (r"\hat", DEPTH_LIMIT)):
        assert is_safe_tex(tex * limit)
        assert not is_safe_tex(tex * (limit + 2) + "x")
    assert is_safe_tex("{" * DEPTH_LIMIT + "}" * DEPTH_LIMIT)
    assert not is_safe_tex("{" * (DEPTH_LIMIT + 1) + "}" * (DEPTH_LIMIT + 1))


@given(tex_mixes)
def test_the_page_gets_no_tex_beyond_the_list(text: str) -> None:
    for html in (render(text), transcript_html(hostile_transcript(text), title=text, note=text)):
        assert [found for piece in typeset(html) for found in unknown(piece)] == []
        assert all(
            is_safe_tex(piece.strip("$").removeprefix("\\(").removesuffix("\\)").strip())
            for piece in typeset(html)
        )


@given(st.lists(tex_mixes, max_size=3))
def test_no_tex_of_two_parts_becomes_one_formula(texts: list[str]) -> None:
    transcript = Transcript(parts=tuple(TextPart(part_id=str(n), text=text) for n, text in enumerate(texts)))
    html = transcript_html(transcript)
    assert [found for piece in typeset(html) for found in unknown(piece)] == []


@given(st.lists(tex_mixes, max_size=4))
def test_formulas_in_growing_text_carry_no_link_and_no_style(pieces: list[str]) -> None:
    stream = MarkdownStream()
    for piece in pieces:
        stream.append(piece)
        stream.update()
        assert attacks(page_html(stream.blocks, stream.open_html)) == []
        assert not re.search(r"<m\w+[^>]* (?:href|style|mathcolor|class|id)=", stream.open_html)


@pytest.mark.parametrize("tex", UNSAFE)
@pytest.mark.parametrize(
    "place", ["{}", "# {}", "|a|\n|-|\n|{}|", "> {}", "- {}", "[{}](https://a.example)", "![{}](https://a.example/x.png)", "**{}**", "{}<br>{}"]
)  # fmt: skip
def test_no_place_in_a_text_passes_unsafe_tex_to_the_page(tex: str, place: str) -> None:
    count = 0
    for marks in (("$", "$"), ("$$", "$$"), ("\\(", "\\)"), ("\\\\(", "\\\\)"), ("\\[", "\\]"), ("\\begin{align}", "\\end{align}")):  # fmt: skip
        html = transcript_html(hostile_transcript(place.replace("{}", tex.join(marks))))
        assert [found for piece in typeset(html) for found in unknown(piece)] == []
        count += 1
    sys.stdout.write(f"{count} pairs of delimiters around {tex!r}\n")


def _all_text(html: str) -> list[str]:
    return Page(html).texts


def of_markdown(markdown: str) -> list[str]:
    """Return the pieces that MathJax would read as TeX in a Markdown viewer's page."""
    return typeset(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


@given(tex_mixes)
def test_a_viewers_page_of_the_markdown_form_gets_no_tex_beyond_the_list(text: str) -> None:
    markdown = transcript_markdown(hostile_transcript(text), title=text)
    assert [found for piece in of_markdown(markdown) for found in unknown(piece)] == []


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("costs $5 or $6", r"costs \$5 or \$6"),
        (r"so $x^2$ and \(y\)", "so $x^2$ and $y$"),
        (r"so $\href{javascript:x}{y}$.", r"so `$\href{javascript:x}{y}$`."),
        (r"C:\dir\file \input{/etc/passwd}", r"C&#58;`\dir\file` `\input`\{/etc/passwd}"),
        (r"\begin{align}x\end{align}", "$$\n\\begin{align}x\\end{align}\n$$"),
        (r"\begin{tabular}x\end{tabular}", r"`\begin`\{tabular}x`\end`\{tabular}"),
        (r"so $a_1*\{b\},\,c$", r"so $a_1\ast \lbrace b\rbrace ,\thinspace c$"),
        (r"\\(x\\) \$5", r"`\`(x`\`) \$5"),
        ("`x`{=latex}", r"`x`\{=latex}"),
        ("``` {=latex}\n\\input{x}\n```", "```\n\\input{x}\n```"),
        ("```python {.raw}\n$x\n```", "```python\n$x\n```"),
        ("[a](https://a.example/$x$)", "[a](https://a.example/%24x%24)"),
        ("a\\\nb", "a\\\nb"),
    ],
)
def test_the_markdown_form_shows_tex_that_is_no_formula_as_code(text: str, markdown: str) -> None:
    assert transcript_markdown(Transcript(parts=(TextPart(text=text),))) == markdown + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "`a\n$b` $x$ `\\href{javascript:x}{y}` $y$",
        "> ```\n> $\n> ```\n>\n> $x$ `\\href{javascript:x}{y}` $y$",
        "~~~\n$\n~~~~ x\n~~~\n\n> ~~~\n> $\n> ~~~\n> $x$ `\\let\\a\\b` $y$",
    ],
)
def test_no_code_of_the_markdown_form_becomes_tex_where_jupyterlab_reads_formulas_first(text: str) -> None:
    markdown = transcript_markdown(Transcript(parts=(TextPart(text=text),)))
    assert is_safe(markdown)

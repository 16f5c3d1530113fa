"""Test that no viewer of the Markdown form finds a script, a handler, a foreign element, a remote image or an odd link.

The viewers let everything through that they can: HTML, attributes, TeX.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pypandoc
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert import HTMLExporter

from tests.forms.hostile_markdown import HOSTILE, documents, forms, joined
from tests.forms.viewers import VIEWERS, attacks, markdown_it
from tests.markdown.markdown_documents import visible
from vibe_notebook._forms.neutral import neutralize
from vibe_notebook._markdown.sanitize import is_link, is_raster
from vibe_notebook._markdown.tex import is_safe_tex
from vibe_notebook.parts import TextPart
from vibe_notebook.transcript import Transcript


@pytest.mark.parametrize("viewer", VIEWERS)
def test_no_viewer_finds_an_attack_in_any_form(viewer: Callable[[str], str]) -> None:
    found = [(list(attacks(viewer(form))), form) for form in forms()]
    assert [each for each in found if each[0]] == []
    assert len(found) == 3 * len(HOSTILE)


@pytest.mark.parametrize("viewer", VIEWERS)
@settings(deadline=None)
@given(st.lists(documents, min_size=1, max_size=3))
@example(["mailto:a@b.c@a"])
def test_no_viewer_finds_an_attack_in_joined_fragments(
    viewer: Callable[[str], str], texts: list[str]
) -> None:
    assert list(attacks(viewer(joined(*texts).to_markdown()))) == []


@pytest.mark.parametrize(
    "text",
    [
        "[^1]",
        "a [^1]: b",
        "![][^1]",
        "[^]",
        "[[^1]]",
        "[&#94;1]",
        "[\\^1]",
        "\\[^1]",
        "[**^1**]",
        "[^[1]",
        "[`x`^1]",
        "[<b>^1]",
        "[^a b][^c]",
    ],
)
@pytest.mark.parametrize("viewer", VIEWERS)
def test_the_brackets_of_a_note_hide_nothing_that_follows(viewer: Callable[[str], str], text: str) -> None:
    # A note without its text makes cmark-gfm lose the rest of the page, where an entity stands for its caret.
    for form in (
        joined(text).to_markdown(),
        Transcript(parts=(TextPart(text=text), TextPart(text="end"))).to_markdown(),
    ):
        assert list(attacks(viewer(form))) == []
    assert "end" in visible(viewer(form))


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("mermaid", ""),
        ("MERMAID x", ""),
        ("geojson", "json"),
        ("topojson", ""),
        ("stl", ""),
        ("vega-lite", ""),
        ("python", "python"),
        ("js", "javascript"),
    ],
)
def test_a_fence_names_a_language_only_if_its_text_is_shown_as_code(named: str, kept: str) -> None:
    made = neutralize(f"```{named}\n</pre><img src=x onerror=alert(1)>\n```")
    assert made.startswith(f"```{kept}\n")


def test_nbconvert_draws_no_fence_of_an_agent() -> None:
    markdown = Transcript(
        parts=(TextPart(text="```mermaid\n</pre><img src=x onerror=alert(1)>\n```"),)
    ).to_markdown()
    output = nbformat.v4.new_output("display_data", data={"text/markdown": markdown})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert "<img" not in page
    assert "mermaid" not in page


# pandoc

PANDOC = [
    "markdown",
    "markdown+tex_math_single_backslash+tex_math_double_backslash+autolink_bare_uris+mark+emoji+alerts",
    "gfm+raw_attribute+attributes",
    "commonmark_x+raw_html",
]


def pandoc_attacks(node: Any) -> Iterator[str]:
    """Yield each raw part, attribute, address or formula of pandoc's document that no agent may bring in."""
    if isinstance(node, list):
        for each in node:
            yield from pandoc_attacks(each)
    elif isinstance(node, dict):
        content: Any = node.get("c")
        match node.get("t"):
            case "RawInline" | "RawBlock" if content != ["html", "<br>"]:  # the form's own line end in a cell
                yield f"raw {content}"
            case "Math" if not is_safe_tex(content[1].strip()):
                yield f"TeX {content[1]}"
            case "Link" if not is_link(content[2][0]):
                yield f"link {content[2][0]}"
            case "Image" if not is_raster(content[2][0]):
                yield f"image {content[2][0]}"
            case "Code" | "CodeBlock" | "Span" | "Div" | "Header" if content[
                1 if node["t"] == "Header" else 0
            ][2]:
                yield f"attributes {content}"
        yield from pandoc_attacks(content)


def parsed(markdown: list[str], folder: Path, kind: str) -> list[Any]:
    """Return pandoc's document of each text, from one process."""
    files = []
    for number, text in enumerate(markdown):
        file = folder / f"{number:04}.md"
        file.write_text(f"{text}\n\n", encoding="utf-8")
        files.append(str(file))
    pandoc = json.loads(pypandoc.convert_file(files, "json", format=kind, extra_args=["--file-scope"]))
    assert pandoc["meta"] == {}
    return list(pandoc["blocks"])


@pytest.mark.parametrize("kind", PANDOC)
def test_pandoc_finds_no_attack_in_any_form(kind: str, tmp_path: Path) -> None:
    assert list(pandoc_attacks(parsed(list(forms()), tmp_path, kind))) == []


@pytest.mark.parametrize("kind", PANDOC)
@settings(deadline=None, max_examples=3, phases=[Phase.generate])
@given(texts=st.lists(st.lists(documents, min_size=1, max_size=3), min_size=25, max_size=25))
def test_pandoc_finds_no_attack_in_joined_fragments(
    kind: str, texts: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = [joined(*each).to_markdown() for each in texts]
    assert list(pandoc_attacks(parsed(made, tmp_path_factory.mktemp("pandoc"), kind))) == []


def test_pandocs_latex_has_no_command_of_the_agent(tmp_path: Path) -> None:
    made = [neutralize(text) for text in HOSTILE if "input" in text]
    file = tmp_path / "x.md"
    file.write_text("\n\n".join(made))
    latex = pypandoc.convert_file(
        str(file), "latex", format="markdown", extra_args=["--syntax-highlighting=none"]
    )
    outside = re.sub(r"\\begin\{verbatim\}.*?\\end\{verbatim\}", "", latex, flags=re.DOTALL)
    assert len(made) > 15
    assert not re.findall(r"\\(?:input|immediate|write18|let|def\\x)\b", outside)


# What a reader sees


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize(
    "text",
    [
        "$5 and $6",
        "a < b and b > c & d",
        "`$HOME` costs $5, {braces} [brackets] (x)",
        "1986\\. A year. C:\\new\\table",
        "snake_case_name and 2*3*4 and ~/x",
    ],
)
def test_ordinary_text_stays_readable(text: str, viewer: Callable[[str], str]) -> None:
    plain = visible(MarkdownIt("commonmark").render(text))
    assert visible(viewer(neutralize(text))) == plain


def test_money_is_no_code() -> None:
    assert (
        Transcript(parts=(TextPart(text="It costs $5 and $6."),)).to_markdown() == "It costs \\$5 and \\$6.\n"
    )


@given(documents)
def test_neutral_text_is_neutral_already(text: str) -> None:
    made = neutralize(text)
    assert visible(markdown_it(neutralize(made))) == visible(markdown_it(made))

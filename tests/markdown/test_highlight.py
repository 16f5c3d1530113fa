"""Test that only code of measured languages is coloured, within limits, for any name from an agent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import get_all_lexers

from vibe_notebook._markdown.highlight import (
    ERROR_LIMIT,
    LINE_LIMIT,
    OPENER_LIMIT,
    RUN_LIMIT,
    SPACE_LIMIT,
    highlight,
    is_regular,
    runs,
)
from vibe_notebook._markdown.languages import CODE_LIMIT, LANGUAGES, lexer_of
from vibe_notebook._markdown.renderer import render

ROOT = Path(__file__).parents[2]


def test_only_names_of_the_list_are_coloured() -> None:
    names = {name.lower() for _, aliases, _, _ in get_all_lexers() for name in aliases}
    others = names - set(LANGUAGES)
    sys.stdout.write(
        f"{len(LANGUAGES)} names of {len(set(LANGUAGES.values()))} languages; {len(others)} other names of Pygments\n"
    )
    assert {"systemd", "easytrieve", "http"} <= others
    for name in others:
        assert lexer_of(name) is None
        assert highlight("if x = 1: # a\n", name) == "if x = 1: # a\n"
        assert runs("if x = 1: # a\n", name) == ""


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_a_name_of_the_list_has_a_lexer_and_keeps_the_text(name: str) -> None:
    code = "a = 1\n"
    assert lexer_of(name) is not None
    assert "".join(part.partition(">")[2] for part in ("<>" + highlight(code, name)).split("<")) == code


@pytest.mark.parametrize("name", ["PYTHON", " python ", "{.python}", "python {=latex}", "python;x"])
def test_a_language_is_read_from_a_fences_line_and_cleaned(name: str) -> None:
    html = render(f"```{name}\nif x: pass\n```")
    assert '<code class="language-python"><span class="k">if</span>' in html


@pytest.mark.parametrize(
    "code",
    [
        "x\n" * (CODE_LIMIT // 2 + 1),
        "x" + " y" * (LINE_LIMIT // 2),
        "if x:" + " " * SPACE_LIMIT + "y",
        "if x:" + "\n \t" * (SPACE_LIMIT // 3 + 1) + "y",
        "if x:\n# " + "=" * RUN_LIMIT,
        "if x:\n" + "/* a\n" * (OPENER_LIMIT + 1),
    ],
    ids=["long", "long line", "spaces", "white space", "one character", "open comments"],
)
def test_code_beyond_a_limit_stays_plain(code: str) -> None:
    assert len(code) > CODE_LIMIT or not is_regular(code)
    assert "<span" not in highlight(code, "python")
    assert runs(code, "python") == ""


@pytest.mark.parametrize("name", ["c", "c++", "c#", "java"])
def test_languages_with_braces_have_their_words_and_comments(name: str) -> None:
    html = highlight('// a\nint x = f("b"); /* c', name)
    assert html == (
        '<span class="c1">// a</span>\n<span class="kt">int</span> x <span class="o">=</span> '
        'f(<span class="s">&quot;b&quot;</span>); <span class="cm">/* c</span>'
    )


def test_code_of_another_language_stays_plain() -> None:
    assert "<span" in highlight("var a = 1; ? " + "\\ \n" * (ERROR_LIMIT - 1), "javascript")
    assert "<span" not in highlight("var a = 1; ? " + "\\ \n" * (ERROR_LIMIT + 1), "javascript")


def test_no_language_of_the_list_names_another_lexer() -> None:
    assert {"markdown", "rst", "http", "tera", "jinja"}.isdisjoint(LANGUAGES)
    assert highlight("```systemd\n[Unit]\n```\n", "markdown") == "```systemd\n[Unit]\n```\n"


@given(st.sampled_from(sorted(LANGUAGES)), st.text(max_size=60), st.integers(1, 30))
def test_colouring_keeps_every_character(name: str, piece: str, times: int) -> None:
    code = piece * times
    html = highlight(code, name)
    assert "".join(part.partition(">")[2] for part in ("<>" + html).split("<")) == highlight(
        code, "none of these"
    )


@pytest.mark.parametrize("part", range(12))
def test_every_lexer_of_the_list_finishes_texts_made_to_slow_it(part: int) -> None:
    names = sorted(set(LANGUAGES.values()))[part::12]
    done = subprocess.run(
        [sys.executable, "-m", "tools.lexers", "--guard", *names],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr[-500:]
    assert len(done.stdout.splitlines()) == len(names)


def test_the_guard_ends_a_lexer_that_backtracks() -> None:
    code = "from pygments.lexers import get_lexer_by_name as lexer\nprint(len(list(lexer('systemd').get_tokens('  ' * 8000 + 'x'))))"
    done = subprocess.run(
        [sys.executable, "-c", f"import resource\nresource.setrlimit(resource.RLIMIT_CPU, (2, 2))\n{code}"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode < 0

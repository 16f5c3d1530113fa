"""Check the magics' lines as the README and the docs give them, with their comments, and the magics' help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from vibe_notebook import magic
from vibe_notebook._magics.options import OPTIONS, is_help, split, without_comment
from vibe_notebook._magics.targets import TargetError, find
from vibe_notebook.magic import VibeMagics
from vibe_notebook.recording import Recorder

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINES = [
    pytest.param(line, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    if re.match(r"\s*(\w+ *= *)?%vibe_stream\s", line)
]


class Names(dict[str, Any]):
    """Know the names of every expression; only ``run`` is that of a recording."""

    def __contains__(self, name: object) -> bool:
        return name != "run"


def target(text: str, agents: Mapping[str, object] | None = None) -> tuple[str, str]:
    found = find(text, Names(), agents or {})
    return found.kind, found.value


def test_the_documents_have_lines_of_the_magic() -> None:
    assert len(LINES) >= 5


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_documents_gives_its_target_without_its_comment(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Recorder("run.jsonl").close()
    code, _, _ = line.partition("   #")
    _, text = split(line.split("%vibe_stream", 1)[1])
    _, wanted = split(code.split("%vibe_stream", 1)[1])
    made = find(text, Names(), {})
    assert made.value == wanted.strip().removeprefix("agent:")
    assert "#" not in made.value


COMMENTS = [
    "",
    "  # a comment",
    " # it's \"open",
    " #",
    " # --block",
    " # f(",
    " # http://b.example/x",
    "\t# ünï",
]
TARGETS = [
    ("https://a.example/stream", "url", "https://a.example/stream"),
    ("https://a.example/stream#x", "url", "https://a.example/stream#x"),
    ("https://a.example/s?q='it#s https://b.example/t#'", "url", "https://a.example/s?q='it#s https://b.example/t#'"),
    ("agent:researcher", "agent", "researcher"),
    ("agent:team#1", "agent", "team#1"),
    ("agent:it's", "agent", "it's"),
    ("run.jsonl", "recording", "run.jsonl"),
    ("'run #2.jsonl'", "recording", "run #2.jsonl"),
    ("run#3.jsonl", "recording", "run#3.jsonl"),
    ("01/08 a.jsonl", "recording", "01/08 a.jsonl"),
    ('f("a # b")', "expression", 'f("a # b")'),
    ("f('''a # b''', r'# c')", "expression", "f('''a # b''', r'# c')"),
    ('f(f"{x} # {y}")', "expression", 'f(f"{x} # {y}")'),
    ("f({'#': 1}, \"it's #1 # 2\")", "expression", "f({'#': 1}, \"it's #1 # 2\")"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "01").mkdir()
    for name in ("run.jsonl", "run #2.jsonl", "run#3.jsonl", "01/08 a.jsonl"):
        (tmp_path / name).write_text("", encoding="utf-8")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize(("text", "kind", "value"), TARGETS)
def test_a_comment_may_follow_a_target_of_every_kind(text: str, kind: str, value: str, comment: str) -> None:
    assert target(text + comment) == (kind, value)


@pytest.mark.usefixtures("folder")
def test_a_name_that_exists_with_its_hash_counts_as_a_whole() -> None:
    assert target("run #2.jsonl") == ("recording", "run #2.jsonl")
    assert target("agent:team #2", {"team #2": 1}) == ("agent", "team #2")
    assert target("agent:team #2", {"team": 1}) == ("agent", "team")


@pytest.mark.parametrize("line", ["# nothing else", "--block  # after options", "--title 'a # b' # c"])
def test_a_comment_alone_is_no_target(line: str) -> None:
    options, text = split(line)
    assert options.title in (None, "a # b")
    with pytest.raises(TargetError, match="give a target"):
        find(text, {}, {})


@given(st.text(alphabet="ab'\"#(){} \\\t?é", max_size=12), st.text(alphabet="ab'\"#( ", max_size=6))
def test_a_python_expression_keeps_its_value_without_its_comment(text: str, comment: str) -> None:
    source = f"({text!r})"
    assert without_comment(f"{source} #{comment}") == source
    assert without_comment(source) == source


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    magic.load(made)
    yield made
    magic.unload(made)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("renderer", ["text", "static"])
@pytest.mark.parametrize(
    "cell",
    [
        "%vibe_stream --help",
        "%vibe_stream --help  # please",
        "%vibe_stream -h",
        "%vibe_stream ?",
        "%vibe_stream --block --help x",
        "%%vibe_stream --help\nraise ValueError",
        "%vibe_stream?",
    ],
)
def test_help_prints_every_option_and_an_example_and_runs_nothing(
    shell: InteractiveShell, cell: str, renderer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", renderer)
    pages: list[Any] = []
    monkeypatch.setattr("IPython.core.page.page", lambda text, **_: pages.append(text))
    with capture_output() as captured:
        shell.run_cell(cell).raise_error()
    text = captured.stdout + "".join(str(page) for page in pages)
    assert all(re.search(rf"{option}\b.*  \w+ \w+", text) for option in OPTIONS)
    assert "For example: ``%vibe_stream --title Analyst" in text


def test_every_magic_has_help_and_every_option_a_line_in_it(shell: InteractiveShell) -> None:
    text = inspect.getdoc(VibeMagics.vibe_stream) or ""
    assert sorted(re.findall(r"^ +(--[a-z-]+)", text, re.MULTILINE)) == sorted(OPTIONS)
    for name in ("vibe_streams", "vibe_stop"):
        for ask in ("--help", "-h", "?"):
            with capture_output() as captured:
                shell.run_cell(f"%{name} {ask}  # help").raise_error()
            assert f"%{name}" in captured.stdout


def test_a_comment_may_follow_the_options_of_a_cell_and_the_other_magics(shell: InteractiveShell) -> None:
    with capture_output() as captured:
        shell.run_cell("%%vibe_stream --no-display --as w  # the analyst\n['a']").raise_error()
        shell.run_cell("%vibe_streams  # what is live").raise_error()
        shell.run_cell("%vibe_stop --all  # now").raise_error()
    assert shell.user_ns["w"].transcript.text == "a"
    assert "No live streams" in captured.stdout


def test_only_help_alone_asks_for_help() -> None:
    assert [line for line in ("-h", " ? # x", "-h - 1", "f(x)?", "") if is_help(line)] == ["-h", " ? # x"]

"""Check that the tree stays clean: stripped notebooks, no strangers' addresses, short documented modules."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
# Spelled apart: this file is in the tree too.
REGISTRIES = re.compile("|".join(["py" + r"pi\.org", r"python" + r"hosted\.org", "npm" + r"js\.(?:org|com)"]))
HOMES = re.compile(
    "/" + r"(?:home|Users)/(?!jovyan\b)[a-z]\w*/|/" + r"root/|[A-Z]:\\{1,2}" + r"Users\\", re.ASCII
)
JUPYTER = frozenset(
    ("IPython", "anywidget", "comm", "ipykernel", "ipywidgets", "jupyter_client", "traitlets")
)
SHELLS = re.compile(
    r"\b(?:IPython|ipykernel|get_ipython|display_pub|displayhook|display_formatter|post_run_cell)\b"
)
HOST = {"_host.py", "display/_widget.py"}
"""The modules that ask IPython or are an ipywidget; only the magics, which are IPython code, may do so too."""
MAGICS = {"magic.py", "_magics/cells.py", "_magics/options.py"}
LINES = 500
LONGER: dict[str, str] = {}


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks or would add."""
    # The tests have a home folder of their own, without the user's settings about trusted trees.
    git = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
    ]
    out = subprocess.run([*git, *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for name in set(out.split("\0")) if name and (path := ROOT / name).is_file())


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def leftovers(notebook: dict[str, Any]) -> list[str]:
    """Return the outputs, counts and widget state that a notebook should have been stripped of."""
    found = ["widget state"] if "widgets" in notebook.get("metadata", {}) else []
    for number, cell in enumerate(notebook.get("cells", []), 1):
        if cell.get("outputs"):
            found.append(f"outputs in cell {number}")
        if cell.get("execution_count") is not None:
            found.append(f"execution count in cell {number}")
    return found


def strangers(text: str) -> list[str]:
    """Return the registry hosts and home folders in *text*."""
    return [match.group() for pattern in (REGISTRIES, HOMES) for match in pattern.finditer(text)]


def asked(source: str) -> set[str]:
    """Return the names of Jupyter that code imports, and of a shell that it mentions, docstrings aside."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.partition(".")[0] for alias in names} & JUPYTER
            case ast.ImportFrom(module=str(module), level=0):
                found |= {module.partition(".")[0]} & JUPYTER
            case ast.Name(id=word) | ast.Attribute(attr=word):
                found |= set(SHELLS.findall(word))
            case ast.Constant(value=str(text)) if id(node) not in docs:
                found |= set(SHELLS.findall(text))
            case _:
                pass
    return found


def test_only_the_host_the_widget_and_the_magics_ask_ipython() -> None:
    root = ROOT / "vibe_notebook"
    found = {
        path.relative_to(root).as_posix(): names
        for path in tracked("vibe_notebook/*.py")
        if (names := asked(path.read_text(encoding="utf-8")))
    }
    assert set(found) == HOST | MAGICS, found


@pytest.mark.parametrize(
    "line",
    [
        "import IPython.display",
        "def later():\n    from ipywidgets import Output",
        "shell = get_ipython()",
        "shell = sys.modules['IPython'].x()",
        "shell.events.register('post_run_cell', print)",
        "shell.display_pub.publish({})",
    ],
)
def test_a_question_to_ipython_is_found(line: str) -> None:
    assert asked(line)
    assert not asked(f'"""{line}"""')


def test_committed_notebooks_carry_no_outputs_and_no_widget_state() -> None:
    found = {
        name_of(path): leftovers(json.loads(path.read_text(encoding="utf-8"))) for path in tracked("*.ipynb")
    }
    assert {name: rest for name, rest in found.items() if rest} == {}


@pytest.mark.parametrize(
    "notebook",
    [
        {"metadata": {"widgets": {}}, "cells": []},
        {"cells": [{"outputs": [{"output_type": "stream"}]}]},
        {"cells": [{"outputs": [], "execution_count": 1}]},
    ],
)
def test_a_notebook_with_outputs_is_found(notebook: dict[str, Any]) -> None:
    assert leftovers(notebook)


def test_no_file_names_a_registry_host_or_a_developers_folder() -> None:
    found = {}
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image or another binary
        if names := strangers(text):
            found[name_of(path)] = names
    assert found == {}


@pytest.mark.parametrize("parts", [("https://py", "pi.org/x"), ("/", "home/ann/x"), ("C:\\", "Users\\ann")])
def test_a_registry_host_or_a_home_folder_is_found(parts: tuple[str, str]) -> None:
    assert strangers("".join(parts))


def test_the_readme_names_both_commands_by_its_twentieth_line() -> None:
    top = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:20])
    assert "make demo" in top
    assert "make test" in top


@pytest.mark.parametrize(
    "path", tracked("vibe_notebook/*.py", "tests/*.py", "tools/*.py", "benchmarks/*.py"), ids=name_of
)
def test_every_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_bytes())), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", tracked("vibe_notebook/*.py"), ids=name_of)
def test_a_module_is_short_or_has_a_reason_to_be_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    name = path.relative_to(ROOT / "vibe_notebook").as_posix()
    assert lines <= LINES or name in LONGER, (
        f"{name} has {lines} lines: split it where a concept ends, or say in LONGER why not"
    )
    assert lines > LINES or name not in LONGER, f"{name} is short again: take it out of LONGER"


QUESTIONS = re.compile(r"(?:What|Who|Whoever|Whether|Where|How)\b")


def docstrings(path: Path) -> list[tuple[int, str]]:
    """Return the line and text of each docstring in *path*, those under an assignment too."""
    return [
        (node.lineno, node.value.value.strip())
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


def test_no_docstring_begins_with_a_question_word() -> None:
    found = [
        f"{name_of(path)}:{line}: {text.splitlines()[0]}"
        for path in tracked("vibe_notebook/*.py", "tests/*.py", "tools/*.py", "benchmarks/*.py")
        for line, text in docstrings(path)
        if QUESTIONS.match(text)
    ]
    assert found == []


def test_a_docstring_that_begins_with_a_question_word_is_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""Hold a limit."""\n\nLIMIT = 3\n"""How many."""\n', encoding="utf-8")
    assert [text for _, text in docstrings(path) if QUESTIONS.match(text)] == ["How many."]

"""Check the supply: pinned actions, lower bounds, and the pages that name tests and dependencies."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lowest import command

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    lists = [
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
        *PROJECT["dependency-groups"].values(),
    ]
    texts = [each for group in lists for each in group if isinstance(each, str)]
    return [each for each in map(Requirement, texts) if each.name != PROJECT["project"]["name"]]


def test_every_action_is_pinned_by_its_commit() -> None:
    uses = [
        line.strip()
        for path in sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert uses
    pinned = re.compile(r"-? *uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in uses if pinned.fullmatch(line) is None] == []


def test_every_dependency_has_a_lower_bound() -> None:
    unbound = [
        str(each)
        for each in requirements()
        if not any(bound.operator in (">=", "==") for bound in each.specifier)
    ]
    assert unbound == []


@pytest.mark.parametrize(
    ("name", "version"), [("nh3", "0.3.5"), ("jupyterlab", "4.6.1"), ("starlette", "0.49.0")]
)
def test_no_version_with_a_known_hole_is_allowed(name: str, version: str) -> None:
    found = [each for each in requirements() if each.name == name]
    assert found
    assert [str(each) for each in found if each.specifier.contains(version)] == []


def test_the_lowest_versions_go_into_the_named_environment_only(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    words = command(python)
    assert words[words.index("--python") + 1] == str(python)
    assert words[words.index("--resolution") + 1] == "lowest-direct"


def test_the_page_of_dependencies_names_each_of_them() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {canonicalize_name(name) for name in re.findall(r"`([A-Za-z0-9._-]+)`", page)}
    assert sorted({canonicalize_name(each.name) for each in requirements()} - named) == []


def test_every_test_that_the_security_page_names_exists() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/\S+?\.py)::(\w+)`", page)
    assert len(named) > 20
    missing = [f"{path}::{name}" for path, name in named if name not in _functions(ROOT / path)]
    assert missing == []
    rows = page.partition("## Promises")[2].partition("\n## ")[0].splitlines()
    promises = [row for row in rows if row.startswith("| ") and "---" not in row][1:]
    assert [row for row in promises if "::test_" not in row] == []


def test_every_test_that_the_page_on_reliability_names_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`\s]+?\.py)(?:::(\w+))?`", page)
    assert len(named) > 70
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or (name and name not in _functions(ROOT / path))
    ]
    assert missing == []
    for heading in ("## Event logs", "## Faults"):
        rows = page.partition(heading)[2].partition("\n## ")[0].partition("\n### ")[0].splitlines()
        faults = [row for row in rows if row.startswith("| ") and "---" not in row][1:]
        assert len(faults) > 15
        assert [row for row in faults if "`tests/" not in row] == []


def _functions(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_front_ends_packages_are_locked() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert lock["packages"][""]["devDependencies"] == wanted
    unlocked = [name for name, each in lock["packages"].items() if name and "integrity" not in each]
    assert unlocked == []

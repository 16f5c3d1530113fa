"""``make live``: which SDKs it runs, and how it reads what came of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.adapters.support import SAMPLES
from tools import live

EXTRAS = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_script_that_records_an_sdk_is_run_in_the_range_of_an_extra() -> None:
    scripts = {p.stem for p in (SAMPLES / "record").glob("[a-z]*.py")} - {"recorder"}
    assert {script for found in live.SCRIPTS.values() for script in found} == scripts
    for name in live.SCRIPTS:
        assert all(">=" in one and "<" in one for one in EXTRAS[name]), "a lowest and a newest version"


def test_the_table_has_both_ends_of_each_range() -> None:
    assert set(live.known()) == {(name, age) for name in live.SCRIPTS for age in live.RESOLUTIONS}
    for (name, _), line in live.known().items():
        assert all(f"`{one}`" in line for one in EXTRAS[name]), "make live writes it anew"


def test_lines_that_are_not_run_again_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "DOC", tmp_path / "tested.md")
    monkeypatch.setattr(live, "tried", lambda *_: ("agno 9", "passed"))
    assert live.main(["agno"]) == 0
    monkeypatch.setattr(live, "tried", lambda *_: ("acp 9", "**failed**: E / no"))
    assert live.main(["acp"]) == 1
    lines = [line.split("|")[3:5] for line in live.DOC.read_text().splitlines() if line.startswith("| a")]
    assert lines == [[" acp 9 ", " **failed**: E / no "]] * 2 + [[" agno 9 ", " passed "]] * 2


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("1 passed\n", "1 passed"),
        ("x\nE   KeyError: 'id' | no\nFAILED a\n1 failed", "KeyError: 'id' / no"),
        (
            "skipped, and nothing may be: x is not installed\n1 failed",
            "skipped, and nothing may be: x is not installed",
        ),
        ("", "?"),
    ],
)
def test_of_what_went_wrong_the_telling_line_is_shown(said: str, line: str) -> None:
    assert live.last_line(said) == line


def test_a_requirement_is_of_the_package_that_it_names() -> None:
    assert [live.package_of(one) for one in ("agno>=3,<4", "openai", "a-b[c]>=1")] == [
        "agno",
        "openai",
        "a-b",
    ]

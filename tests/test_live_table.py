"""Check ``make live``: the SDKs that it runs, and the table of their results."""

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
    assert set(live.known_lines()) == {(name, age) for name in live.SCRIPTS for age in live.RESOLUTIONS}
    for (name, _), line in live.known_lines().items():
        assert all(f"`{one}`" in line for one in EXTRAS[name]), "run make live to write the line again"


def test_lines_of_other_sdks_stay_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "DOC", tmp_path / "tested.md")
    monkeypatch.setattr(live, "try_version", lambda *_: ("agno 9", "passed"))
    assert live.main(["agno"]) == 0
    monkeypatch.setattr(live, "try_version", lambda *_: ("acp 9", "**failed**: E / no"))
    assert live.main(["acp"]) == 1
    lines = [line.split("|")[3:5] for line in live.DOC.read_text().splitlines() if line.startswith("| a")]
    assert lines == [[" acp 9 ", " **failed**: E / no "]] * 2 + [[" agno 9 ", " passed "]] * 2


@pytest.mark.parametrize(
    ("output", "line"),
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
def test_a_failure_is_shown_by_its_telling_line(output: str, line: str) -> None:
    assert live.last_line(output) == line


def test_a_requirement_names_its_package() -> None:
    assert [live.package_of(one) for one in ("agno>=3,<4", "openai", "a-b[c]>=1")] == [
        "agno",
        "openai",
        "a-b",
    ]

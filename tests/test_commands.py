"""Check the parts of `make test`: skips that cannot hide, and a summary of every run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment, summary

ROOT = Path(__file__).parent.parent
SKIPS = {
    "a test": "import pytest\ndef test_it():\n    pytest.skip('no such thing')\n",
    "a module": "import pytest\npytest.skip('no such thing', allow_module_level=True)\n",
    "a mark": "import pytest\n@pytest.mark.skip(reason='no such thing')\ndef test_it(): pass\n",
}


def pytest_run(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        *args,
        str(folder),
    ]
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("VIBE_", "PYTEST_"))}
    return subprocess.run(
        command, cwd=ROOT, env={**outer, **env}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_is_a_failure_where_all_is_required(tmp_path: Path, kind: str) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS[kind], encoding="utf-8")
    result = pytest_run(tmp_path, "--require-all")
    assert result.returncode not in {0, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert "nothing may be: no such thing" in result.stdout


def test_a_skip_is_listed_with_its_reason_where_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS["a test"] + "def test_other(): pass\n", encoding="utf-8")
    notes = tmp_path / "notes"
    result = pytest_run(tmp_path, "-n1", VIBE_SUMMARY=str(notes), VIBE_SECTION="unit")
    assert result.returncode == 0, result.stdout
    text = summary.render(notes.read_text(encoding="utf-8").splitlines(), 0)
    assert text.splitlines()[1] == "  unit       1 passed, 1 skipped"
    assert "skipped: unit: no such thing" in text


def test_the_summary_ends_with_one_line_of_the_skips_and_one_of_the_result() -> None:
    lines = [
        "begin\t100",
        "result\tlint\tpassed",
        "result\tbrowser\t0 passed",
        "skipped\tbrowser: no Chromium",
    ]
    assert summary.render(lines, 142).splitlines()[-2:] == [
        "skipped: browser: no Chromium",
        "make test: all passed in 42 s",
    ]


def test_without_a_way_to_install_venvs_missing_half_the_error_names_the_command_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "_has_ensurepip", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(environment.SetupError, match=r"apt-get install python3\.\d+-venv"):
        environment.make_venv(tmp_path / "venv")


def test_a_home_that_cannot_be_written_to_is_no_place_for_a_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.touch()
    monkeypatch.setenv("HOME", str(home))
    assert not environment._cache_is_writable()
    home.unlink()
    assert environment._cache_is_writable()


def test_make_reports_in_one_line_that_no_python_fits(tmp_path: Path) -> None:
    command = [
        "make",
        "--no-print-directory",
        f"VENV={tmp_path.name}",
        f"PYTHON={tmp_path / 'python3'}",
        "env",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert result.stderr.splitlines()[0].startswith("error: no Python 3.11 or newer among:")


def test_an_interpreter_that_is_only_a_shim_is_skipped(tmp_path: Path) -> None:
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n", encoding="utf-8")
    works = tmp_path / "works"
    works.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\necho chosen "$@"\n', encoding="utf-8")
    for script in (shim, works):
        script.chmod(0o755)
    command = [
        "make",
        "--no-print-directory",
        "VENV=no-such-venv",
        f"PYTHON={shim} {works}",
        "no-such-venv/.ready",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "chosen tools/environment.py no-such-venv"

"""Check that the wheel holds the whole package, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of the files in a wheel that is built from this tree, without a network."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True)
    (built,) = out.glob("*.whl")
    return set(zipfile.ZipFile(built).namelist())


def test_the_wheel_holds_every_file_of_the_package(wheel: set[str]) -> None:
    package = ROOT / "vibe_notebook"
    files = {path.relative_to(ROOT).as_posix() for path in package.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name and ".ipynb_checkpoints" not in name}
    # The wheel holds the front end's bundle; its sources are in the repository and the sdist.
    files = {name for name in files if not name.startswith("vibe_notebook/display/frontend/")}
    assert files == {name for name in wheel if ".dist-info/" not in name}


def test_the_wheel_does_not_configure_a_jupyter_server(wheel: set[str]) -> None:
    assert not [name for name in wheel if ".data/" in name]


def test_the_wheel_holds_the_front_end_and_py_typed(wheel: set[str]) -> None:
    static = {path.name for path in (ROOT / "vibe_notebook" / "display" / "static").glob("*")}
    assert {f"vibe_notebook/display/static/{name}" for name in static} <= wheel
    assert "vibe_notebook/py.typed" in wheel


def test_the_wheel_holds_no_tests(wheel: set[str]) -> None:
    assert not [name for name in wheel if "test" in Path(name).parts[0] or ".test." in name]


def test_the_wheel_holds_its_licence_and_the_command(wheel: set[str]) -> None:
    assert {Path(name).name for name in wheel if ".dist-info/" in name} >= {"LICENSE", "entry_points.txt"}

"""Check that repo2docker accepts the binder environment: pinned, and the project's own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
PINS = {
    canonicalize_name(pin.name): pin for pin in map(Requirement, (line for line in LINES if "==" in line))
}


@pytest.fixture(scope="module")
def dockerfile() -> str:
    """Return the Dockerfile that repo2docker would build from this tree."""
    command = [str(Path(sys.executable).with_name("jupyter-repo2docker")), "--no-build", "--debug", "."]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # repo2docker escapes the names of copied files: "-2e" is a dot, "-2d" a dash.
    return re.sub(r"-2([de])", lambda match: "-" if match[1] == "d" else ".", result.stdout + result.stderr)


def test_repo2docker_uses_the_requested_python(dockerfile: str) -> None:
    version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert re.search(rf"environment\.py-{re.escape(version)}\S*", dockerfile), dockerfile[-2000:]


def test_repo2docker_installs_the_binder_folders_requirements_from_the_root(dockerfile: str) -> None:
    install = dockerfile.index('pip install --no-cache-dir -r "binder/requirements.txt"')
    # "." can be installed only once the whole tree is there.
    assert re.search(r"^COPY --chown=\S+ src/ \$\{REPO_DIR\}/?$", dockerfile[:install], re.MULTILINE)


def test_every_line_is_an_exact_pin_or_the_project() -> None:
    wanted = [line for line in LINES if line and not line.startswith("#")]
    assert wanted[-1] == "."
    assert [line for line in wanted[:-1] if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*", line)] == []


def test_every_dependency_of_the_package_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in map(
        Requirement, [*project["dependencies"], *project["optional-dependencies"]["pydantic-ai"]]
    ):
        name = canonicalize_name(wanted.name)
        assert name in PINS, f"binder/requirements.txt lacks {name}"
        assert wanted.specifier.contains(next(iter(PINS[name].specifier)).version), (
            f"binder's {name} is not {wanted}"
        )


def test_binder_opens_jupyterlab_as_it_was_measured() -> None:
    assert {"jupyterlab", "ipykernel", "ipywidgets", "anywidget"} <= set(PINS)


def test_the_notebook_that_binder_opens_is_there() -> None:
    named = re.findall(r"lab/tree/(\S+\.ipynb)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []

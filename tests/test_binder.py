"""Check that repo2docker accepts the binder environment: pinned, and the project's own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
FILE = (ROOT / "binder" / "constraints.txt").read_text(encoding="utf-8").splitlines()
CONSTRAINTS = [line for line in FILE if not line.startswith("#")]


def pins(lines: list[str]) -> dict[str, Requirement]:
    return {
        canonicalize_name(pin.name): pin for pin in map(Requirement, (line for line in lines if "==" in line))
    }


PINS, CLOSURE = pins(LINES), pins(CONSTRAINTS)


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
    first, *wanted, last = [line for line in LINES if line and not line.startswith("#")]
    assert (first, last) == ("-c constraints.txt", ".")
    assert [
        line
        for line in [*wanted, *CONSTRAINTS]
        if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*(\.post[0-9]+)?", line)
    ] == []


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


def test_the_constraints_hold_every_pin_and_satisfy_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {name: str(CLOSURE.get(name)) for name in PINS} == {name: str(pin) for name, pin in PINS.items()}
    # The demo's own bounds too: binder opens the same JupyterLab.
    wanted = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["demo"]])
    unmet = [str(each) for each in wanted if not _is_met(each) and each.name not in ("nbclient", "nbconvert")]
    assert unmet == []


def test_the_constraints_are_closed_under_the_dependencies_of_their_packages() -> None:
    version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    environment = {"python_version": version, "python_full_version": f"{version}.0", "extra": ""}
    unmet, checked = [], 0
    for name, pin in CLOSURE.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # not a part of the environment that runs the tests
        if found.version != next(iter(pin.specifier)).version:
            continue
        for wanted in map(Requirement, found.requires or ()):
            if wanted.marker is None or wanted.marker.evaluate(environment):
                checked += 1
                unmet += [f"{name} needs {wanted}"] if not _is_met(wanted) else []
    assert unmet == []
    assert checked > 100


def _is_met(wanted: Requirement) -> bool:
    pin = CLOSURE.get(canonicalize_name(wanted.name))
    return pin is not None and wanted.specifier.contains(next(iter(pin.specifier)).version)


def test_binder_opens_jupyterlab_as_it_was_measured() -> None:
    assert {"jupyterlab", "ipykernel", "ipywidgets", "anywidget"} <= set(PINS)


def test_the_notebook_that_binder_opens_is_there() -> None:
    named = re.findall(r"lab/tree/(\S+\.ipynb)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []

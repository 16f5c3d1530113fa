"""Imports point one way, and the rule that says so can fail."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "IPython",
    "anywidget",
    "httpx",
    "httpx2",
    "ipykernel",
    "ipywidgets",
    "openai",
    "pydantic_ai",
    "starlette",
}
CORE = (
    "events",
    "transcript",
    "ordering",
    "reducer",
    "registry",
    "streaming",
    "recording",
    "adapters",
    "testing",
)


def lint(package: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("lint-imports")),
            "--no-cache",
            "--no-logo",
            "--config",
            str(ROOT / "pyproject.toml"),
        ],
        cwd=package.parent,
        env={"PYTHONPATH": str(package.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def loaded_by(module: str) -> set[str]:
    """Top-level names in ``sys.modules`` of a fresh interpreter once *module* is imported."""
    names = "sorted({name.split('.')[0] for name in sys.modules})"
    code = f"import {module}, sys, json; print(json.dumps({names}))"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(out.stdout))


def test_the_packages_imports_point_one_way() -> None:
    result = lint(ROOT / "vibe_notebook")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("ordering", "import IPython", "Jupyter stays at the edges"),
        ("registry", "def later():\n    import ipywidgets", "Jupyter stays at the edges"),
        ("display._format", "import IPython", "Jupyter stays at the edges"),
        ("_watched", "def later():\n    from IPython.display import display", "Jupyter stays at the edges"),
        ("_host", "from .registry import Registry", "Imports point one way"),
        ("reducer", "def later():\n    from ._host import host", "Imports point one way"),
        ("registry", "def later():\n    from ._host import host", "Only watching and showing ask the host"),
        ("brand_new", "from .events import Event", "Imports point one way"),
        ("recording", "import httpx2", "HTTP stays in remote and server"),
        ("events", "from .transcript import Transcript", "Imports point one way"),
        ("events", "def later():\n    from .registry import Registry", "Imports point one way"),
        ("reducer", "from .display import _html", "Imports point one way"),
        ("adapters.openai_responses", "import openai", "No SDK is ever imported"),
        ("adapters.text", "from ..display import _html", "Imports point one way"),
        ("projects.log", "from ..adapters import get", "Imports point one way"),
        ("display._html", "import anywidget", "The forms a transcript imports are free of Jupyter"),
        ("display._html", "from . import _widget", "The forms a transcript imports are free of Jupyter"),
        (
            "server.app",
            "from ..display import _html",
            "The server imports the core, projects and the adapters",
        ),
        ("remote.follow", "from ..projects import log", "Remote streams import the core and the adapters"),
        ("remote.follow", "from ..magic import load", "Imports point one way"),
        ("adapters.text", "from .._watch import watch", "Imports point one way"),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(
    tmp_path: Path, module: str, line: str, broken: str
) -> None:
    package = tmp_path / "vibe_notebook"
    shutil.copytree(ROOT / "vibe_notebook", package, ignore=shutil.ignore_patterns("__pycache__"))
    for needed in (module, "registry", "magic", "_watch", "display._html", "projects.log"):
        path = package.joinpath(*needed.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    (package / "display" / "_widget.py").write_text("import anywidget\n", encoding="utf-8")
    path = package.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{line}\n", encoding="utf-8")
    result = lint(package)
    assert result.returncode == 1, result.stdout
    assert f"{broken} BROKEN" in result.stdout


@pytest.mark.parametrize(
    "module", [name for name in CORE if importlib.util.find_spec(f"vibe_notebook.{name}")]
)
def test_the_core_loads_neither_jupyter_nor_http_nor_an_sdk(module: str) -> None:
    assert not loaded_by(f"vibe_notebook.{module}") & HEAVY


def test_what_a_module_loads_is_seen() -> None:
    assert "ipywidgets" in loaded_by("ipywidgets") & HEAVY

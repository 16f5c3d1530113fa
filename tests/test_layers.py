"""Check that imports point one way, and that the rules for it can fail."""

from __future__ import annotations

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
    "parts",
    "transcript",
    "_ordering.sequencer",
    "_reducer.agent_log",
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
    """Return the top-level names in ``sys.modules`` after a fresh interpreter has imported *module*."""
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
        ("_ordering.sequencer", "import IPython", "Jupyter stays at the edges"),
        ("_ordering.sequencer", "import threading", "The pure folders know no host, thread, loop or network"),
        ("_markdown.stream", "import asyncio", "The pure folders know no host, thread, loop or network"),
        ("_forms.html", "import anywidget", "The pure folders know no host, thread, loop or network"),
        ("registry._registry", "def later():\n    import ipywidgets", "Jupyter stays at the edges"),
        (
            "_watching.watch",
            "def later():\n    from IPython.display import display",
            "Jupyter stays at the edges",
        ),
        ("brand_new", "from .events import Event", "Imports point one way"),
        ("recording", "import httpx2", "HTTP stays in remote and server"),
        ("events", "from .transcript import Transcript", "Imports point one way"),
        ("events", "def later():\n    from .registry import Registry", "Imports point one way"),
        ("_host", "from .registry import Registry", "Imports point one way"),
        ("_forms.html", "from ..transcript import Transcript", "Imports point one way"),
        ("_reducer.agent_log", "from ..display import bundle", "Imports point one way"),
        ("_reducer.agent_log", "def later():\n    from .._host import host", "Imports point one way"),
        ("_reducer.run", "from .agent_log import AgentLog", "No folder has a circle of imports"),
        ("adapters.openai_responses", "import openai", "No SDK is ever imported"),
        ("adapters.text", "from .._forms import html", "Imports point one way"),
        ("adapters.text", "from .._watching.watch import watch", "Imports point one way"),
        ("projects.history", "from ..display import bundle", "Imports point one way"),
        ("server._app", "from .._watching import watch", "Imports point one way"),
        ("remote._follow", "from ..projects import publish", "Imports point one way"),
        ("magic", "from .remote import _follow", "A public folder's private modules are its own"),
        (
            "_watching.pipeline",
            "from ..registry import _agent",
            "A public folder's private modules are its own",
        ),
        (
            "registry._registry",
            "def later():\n    from .._host import host",
            "Only watching and showing ask the host",
        ),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(
    tmp_path: Path, module: str, line: str, broken: str
) -> None:
    package = tmp_path / "vibe_notebook"
    shutil.copytree(ROOT / "vibe_notebook", package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package.joinpath(*module.split(".")).with_suffix(".py")
    assert path.exists() == (module != "brand_new")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{text}\n\n{line}\n", encoding="utf-8")
    result = lint(package)
    assert result.returncode == 1, result.stdout
    assert f"{broken} BROKEN" in result.stdout


@pytest.mark.parametrize("module", CORE)
def test_the_core_loads_neither_jupyter_nor_http_nor_an_sdk(module: str) -> None:
    assert not loaded_by(f"vibe_notebook.{module}") & HEAVY


def test_loaded_by_finds_the_imports_of_a_module() -> None:
    assert "ipywidgets" in loaded_by("ipywidgets") & HEAVY

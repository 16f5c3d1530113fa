"""Check ``vibe-notebook demo --headless``: the quickstart notebook in a real kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vibe_notebook import _demo
from vibe_notebook.cli import main

ROOT = Path(__file__).parent.parent


@pytest.mark.notebooks
def test_the_demo_prints_the_agents_text_while_the_notebook_still_runs(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "vibe_notebook.cli", "demo", "--headless", "--to", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "HOME": str(tmp_path), "PATH": ""},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        printed = ""
        while "I should look" not in printed:  # the first words of its thinking
            printed += (chunk := process.stdout.read(1))
            assert chunk, process.stderr.read()
        executed = tmp_path / "01_quickstart.ipynb"
        assert not executed.exists()
        assert process.poll() is None
        printed += process.stdout.read()
        assert process.wait(60) == 0, process.stderr.read()
    assert "17.27" in printed
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "17.27" in json.dumps(outputs)
    assert "17.27" in (tmp_path / "01_quickstart.html").read_text(encoding="utf-8")


def test_without_the_notebook_the_demos_error_names_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_demo, "NOTEBOOK", tmp_path / "gone.ipynb")
    assert main(["demo", "--headless", "--to", str(tmp_path)]) == 1
    assert "clone it" in capsys.readouterr().err

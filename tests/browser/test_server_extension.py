"""The extension is there where the package is installed: nobody has to enable it."""

from __future__ import annotations

from pathlib import Path


def test_jupyterlab_has_loaded_the_extension_of_its_server(lab: str, lab_folder: Path) -> None:
    assert lab
    log = (lab_folder / ".lab.log").read_text(encoding="utf-8")
    assert "vibe_notebook.server_extension | extension was successfully loaded." in log

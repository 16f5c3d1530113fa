"""Run the quickstart notebook in a real kernel and print its transcript as it streams.

Below ``cli.py``. The terminal follows the recording that the notebook writes, line by line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .display import Printer
from .events import Event, read_event
from .exceptions import MissingExtraError, VibeNotebookError

__all__ = ["run"]

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "01_quickstart.ipynb"
RECORDING = "quickstart.jsonl"


def run(folder: Path, *, headless: bool) -> int:
    """Run the quickstart in *folder*, print it, write notebook and HTML, open it unless *headless*."""
    try:
        import nbformat  # noqa: PLC0415
        from nbclient import NotebookClient  # noqa: PLC0415
        from nbclient.exceptions import CellExecutionError  # noqa: PLC0415
        from nbconvert import HTMLExporter  # noqa: PLC0415
    except ImportError as error:
        feature = "The demo"
        raise MissingExtraError(feature, "demo") from error
    if not NOTEBOOK.exists():
        msg = "The demo notebook is part of the repository, not of the installed package: clone it and run make demo."
        raise VibeNotebookError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    recording = folder / RECORDING
    recording.unlink(missing_ok=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        resources={"metadata": {"path": str(folder)}},
        timeout=120,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its warnings do not concern the demo's user
    )
    failures: list[BaseException] = []

    def execute() -> None:
        try:
            client.execute()
        except (CellExecutionError, RuntimeError, OSError) as error:
            failures.append(error)

    sys.stdout.write(f"Running {NOTEBOOK.name}. Its agent:\n\n")
    worker = threading.Thread(target=execute, name="vibe-demo")
    worker.start()
    printer = Printer()
    for event in _follow(recording, worker):
        printer(event)
    printer.end()
    worker.join()
    if failures:
        sys.stderr.write(f"vibe-notebook: the notebook failed: {failures[0]}\n")
        return 1
    return _write(notebook, folder, HTMLExporter, headless=headless)


def _write(notebook: Any, folder: Path, exporter: Any, *, headless: bool) -> int:
    import nbformat  # noqa: PLC0415 - imported by `run` before

    executed, page = folder / NOTEBOOK.name, folder / "01_quickstart.html"
    nbformat.write(notebook, executed)
    page.write_text(exporter().from_notebook_node(notebook)[0], encoding="utf-8")
    sys.stdout.write(f"\nThe executed notebook: {executed}\nThe same as a page:    {page}\n")
    sys.stdout.flush()
    if headless:
        return 0
    sys.stdout.write(
        "Opening JupyterLab: choose Run, then Run All Cells, to watch it live. Ctrl-C ends it.\n"
    )
    sys.stdout.flush()
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # With root and default URL instead of the file, the address that JupyterLab prints opens the notebook too.
    where = [f"--ServerApp.root_dir={folder.resolve()}", f"--LabApp.default_url=/lab/tree/{executed.name}"]
    return subprocess.call([sys.executable, "-m", "jupyterlab", *root, *where])


def _follow(path: Path, worker: threading.Thread) -> Iterator[Event]:
    """Yield the recording's events as they are written, until the worker has ended."""
    rest = b""
    file = None
    while True:
        alive = worker.is_alive()
        if file is None and path.exists():
            file = path.open("rb")
        data = file.read() if file is not None else b""
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield read_event(line)
        if not alive and not data:
            break
        if not data:
            time.sleep(0.02)
    if file is not None:
        file.close()

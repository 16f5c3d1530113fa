"""Run a real JupyterLab and a real Chromium, for the tests that read the view."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as NotSeen

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TIMEOUT = 60.0
ROOT = Path(__file__).parents[2]
# The popup about Jupyter's news would cover the view.
SETTINGS = {
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "docmanager-extension/plugin": {"autosave": False},
}
PANEL = "window.vibePages?.panel()"
KERNEL = "window.vibePages?.kernel()"
PREPARE = "from tests.browser.kernel_side import *\n%load_ext vibe_notebook"


def free_port() -> int:
    """Return a loopback port that no process uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment(home: Path) -> dict[str, str]:
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    environment = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("VIBE_NOTEBOOK_RENDERER", None)
    return environment


@contextmanager
def jupyter_lab(folder: Path, *options: str) -> Iterator[str]:
    """Run JupyterLab over *folder*, yield its URL, and end the process."""
    port = free_port()
    home = folder / ".home"
    home.mkdir()
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *options,
    ]
    log = (folder / ".lab.log").open("w")
    process = subprocess.Popen(
        command, env=_environment(home), stdout=log, stderr=subprocess.STDOUT, cwd=folder
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                urllib.request.urlopen(f"{url}/api", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / ".lab.log").read_text()) from None
                time.sleep(0.1)  # no event reports that a port begins to answer
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            # Its own shutdown waits for ever while it searches for extensions to build.
            process.kill()
            process.wait(timeout=10)
        log.close()


def write_notebook(path: Path, cells: list[str]) -> Path:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, path)
    return path


def sha256(text: str) -> str:
    """Return the SHA-256, as hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class Notebook:
    """Drive one notebook in JupyterLab."""

    def __init__(self, page: Page, url: str, path: Path) -> None:
        self.page = page
        self.url = url
        self.path = path

    def open(self) -> None:
        """Open the notebook and wait until its kernel is idle."""
        self.page.goto(f"{self.url}/lab/tree/{self.path.name}?reset")
        self.wait_ready()
        self.wait_idle()

    def wait_ready(self) -> None:
        """Wait until the document is there."""
        self.page.wait_for_function(f"() => {PANEL}?.context?.isReady")

    def reload(self) -> None:
        """Reload the page and wait until it has found its kernel again."""
        self.page.reload()
        self.wait_ready()
        self.page.wait_for_function(f"() => ['idle', 'busy'].includes({KERNEL}?.status)")

    def wait_idle(self) -> None:
        """Wait until no cell runs."""
        self.page.wait_for_function(f"() => {KERNEL}?.status === 'idle'")

    def command(self, name: str, args: dict[str, Any] | None = None) -> None:
        """Run a JupyterLab command, without a wait for its effect."""
        self.page.evaluate(
            "([name, args]) => { void jupyterapp.commands.execute(name, args); }", [name, args or {}]
        )

    def select(self, index: int) -> None:
        """Make a code cell the active one."""
        self.page.evaluate(
            """(i) => {
                const panel = vibePages.panel();
                jupyterapp.shell.activateById(panel.id);
                panel.content.activeCellIndex = panel.content.widgets.indexOf(vibePages.codeCells()[i]);
            }""",
            index,
        )

    def run(self, *indices: int) -> None:
        """Run cells, one after the other in the kernel's queue, without a wait for them."""
        for index in indices:
            self.select(index)
            self.command("notebook:run-cell")

    def ask(self, code: str = "", value: str = "None") -> Any:
        """Run *code* in the kernel, outside of all cells, and return the value of *value* after it."""
        reply = self.page.evaluate(
            f"""async ([code, value]) => {{
                const future = {KERNEL}.requestExecute(
                    {{ code, store_history: false, allow_stdin: false, user_expressions: {{ value }} }});
                return (await future.done).content;
            }}""",
            [code, value],
        )
        if reply["status"] != "ok" or reply["user_expressions"]["value"]["status"] != "ok":
            raise RuntimeError(json.dumps(reply, indent=1))
        return ast.literal_eval(reply["user_expressions"]["value"]["data"]["text/plain"])

    def wait_shows(self, prints: str, views: int = 1) -> None:
        """Wait for so many views, each with the text *prints*: the same SHA-256."""
        try:
            # Plain text and no promise: Playwright reads a promise as true.
            self.page.wait_for_function("(wanted) => vibePages.allShow(wanted)", arg=[prints, views])
        except NotSeen:
            assert self.prints() == [prints] * views  # shows the difference
            raise
        assert {sha256(shown) for shown in self.prints()} == {sha256(prints)}

    def prints(self) -> list[str]:
        """Return the JSON of each view's parts' texts."""
        found: list[str] = self.page.evaluate("() => vibePages.views().map(vibePages.prints)")
        return found

    def save(self) -> dict[str, Any]:
        """Save the notebook and read it from the disk."""
        self.page.evaluate(f"() => {PANEL}.context.save()")
        content: dict[str, Any] = json.loads(self.path.read_text())
        return content

    def cell(self, index: int) -> Locator:
        """Return a code cell; JupyterLab removes those far out of sight from the page."""
        self.page.evaluate(
            "() => vibePages.codeCells().forEach((cell, i) => { cell.node.dataset.cell = i; })"
        )
        return self.page.locator(f".jp-Notebook [data-cell='{index}']")

    def output(self, index: int) -> Locator:
        """Return the output area of a cell."""
        return self.cell(index).locator(".jp-OutputArea").first

    def close(self) -> None:
        """Shut the kernel down."""
        self.page.evaluate(f"async () => {{ await {PANEL}?.sessionContext?.shutdown(); }}")

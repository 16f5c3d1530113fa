"""Run one JupyterLab and one Chromium for all browser tests, and a fresh notebook for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    sync_playwright,
)

from tests.browser.lab import CHROMIUM_FLAGS, Notebook, jupyter_lab, write_notebook

Open = Callable[..., Notebook]
PATIENCE = int(os.environ.get("VIBE_PATIENCE", "45000"))
"""Milliseconds until a condition must hold, on two cores that other processes use too."""


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def lab(lab_folder: Path) -> Iterator[str]:
    """Return the URL of a JupyterLab over ``lab_folder``."""
    with jupyter_lab(lab_folder) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserContext]:
    """Yield one browser with one cache: it fetches JupyterLab's own code once."""
    path = os.environ.get("VIBE_CHROMIUM") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 1900}, device_scale_factor=1.5)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(path=Path(__file__).with_name("pages.js"))
        yield context
        browser.close()


class Watched:
    """Record the events of a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.dialogs: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", self._failed)
        page.on("request", self._requested)
        page.on("dialog", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _failed(self, error: Error) -> None:
        self.errors.append(str(error))

    def _requested(self, request: Request) -> None:
        found = urlsplit(request.url)
        if found.scheme not in ("data", "blob", "about") and found.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def _asked(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@pytest.fixture
def watched(chromium: BrowserContext) -> Iterator[Watched]:
    """Yield a fresh page."""
    page = chromium.new_page()
    yield Watched(page)
    page.close()


@pytest.fixture
def notebook(watched: Watched, lab: str, lab_folder: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Yield a function that opens a fresh notebook of the given cells."""
    opened: list[Notebook] = []

    def open_notebook(*cells: str) -> Notebook:
        path = lab_folder / f"{request.node.name.split('[')[0][:60]}-{len(list(lab_folder.iterdir()))}.ipynb"
        made = Notebook(watched.page, lab, write_notebook(path, list(cells)))
        made.open()
        opened.append(made)
        return made

    yield open_notebook
    for made in opened:
        made.close()

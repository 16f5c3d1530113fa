"""One JupyterLab and one Chromium for all browser tests; a fresh notebook for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.lab import CHROMIUM_FLAGS, Notebook, jupyter_lab, write_notebook

Open = Callable[..., Notebook]
PATIENCE = 45_000
"""Milliseconds that a condition may take, on two cores that others use too."""


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def lab(lab_folder: Path) -> Iterator[str]:
    """The URL of a JupyterLab over ``lab_folder``."""
    with jupyter_lab(lab_folder) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("VIBE_CHROMIUM") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page, and what happened in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.dialogs: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._requested(request.url))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def _requested(self, url: str) -> None:
        found = urlsplit(url)
        if found.scheme not in ("data", "blob", "about") and found.hostname != "127.0.0.1":
            self.foreign.append(url)


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    """A fresh page."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1900}, device_scale_factor=1.5)
    context.set_default_timeout(PATIENCE)
    context.add_init_script(path=Path(__file__).with_name("pages.js"))
    yield Watched(context.new_page())
    context.close()


@pytest.fixture
def notebook(
    watched: Watched, lab: str, lab_folder: Path, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Opens a fresh notebook of the cells given."""
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

"""Check the quickstart as its reader sees it; also make the README's pictures."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Watched
from tests.browser.lab import ROOT, Notebook

# Record, at each change of the page, the visible parts of the first view: a check at the wrong time would
# miss a part that is there for half a second only.
OBSERVE = """() => {
    const seen = (window.__seen = { args: {} });
    const record = () => {
        const root = document.querySelector(".vibe[data-state]");
        if (!root) return;
        const live = root.dataset.state === "live";
        if (live && root.querySelector(".vibe-text")?.textContent.trim()) seen.textWhileLive = true;
        for (const el of root.querySelectorAll(".vibe-thinking")) {
            const isOpen = vibePages.isOpen(el);
            if (el.dataset.state === "running" && isOpen && el.lastChild.textContent) seen.openWhileItThinks = true;
            if (el.dataset.state === "running" && !isOpen) seen.closedWhileItThinks = true;
            if (live && el.dataset.state === "done") seen[isOpen ? "openWhenDone" : "foldedWhenDone"] = true;
        }
        root.querySelectorAll(".vibe-tool").forEach((el, i) => {
            const now = (seen.args[i] ??= { lengths: [], states: [], times: [] });
            const add = (list, item) => list.includes(item) || list.push(item);
            add(now.states, el.dataset.state);
            if (el.dataset.state === "preparing") add(now.lengths, el.querySelector(".vibe-args pre").textContent.length);
            add(now.times, el.querySelector(".vibe-time").textContent);
        });
    };
    new MutationObserver(record).observe(document.body,
        { subtree: true, childList: true, characterData: true, attributes: true });
}"""
LAST_CALL_IS_WRITTEN = """() => {
    const calls = document.querySelectorAll(".vibe[data-state=live] .vibe-tool");
    return calls.length === 3 && calls[2].querySelector(".vibe-args pre").textContent.length > 120;
}"""
WATCH_CELL = 2


@contextmanager
def held(pid: int) -> Iterator[None]:
    """Stop the kernel's process: a picture in mid-stream takes time."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def picture(book: Notebook, path: Path, index: int) -> None:
    """Take a picture of the visible cell, with its input."""
    book.select(0)  # removes the bar and the buttons of the active cell
    book.page.mouse.move(0, 0)
    box = book.cell(index).bounding_box()
    assert box
    clip = {k: box[k] for k in ("x", "y", "width", "height")}
    book.page.screenshot(path=path, clip=clip, animations="disabled")


def theme(book: Notebook, name: str) -> None:
    book.command("apputils:change-theme", {"theme": name})
    is_light = "true" if "Light" in name else "false"
    book.page.wait_for_selector(f"body[data-jp-theme-light={is_light}]", state="attached")
    book.page.wait_for_selector("#jupyterlab-splash", state="detached")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("VIBE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def quickstart(watched: Watched, lab: str, lab_folder: Path) -> Iterator[Notebook]:
    path = lab_folder / "01_quickstart.ipynb"
    shutil.copy(ROOT / "notebooks" / path.name, path)
    book = Notebook(watched.page, lab, path)
    book.open()
    yield book
    book.close()


def test_the_quickstart_shows_text_thinking_and_tool_calls_as_they_come_and_ends_whole(
    quickstart: Notebook, watched: Watched, pictures: Path
) -> None:
    book, page = quickstart, watched.page
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    book.command("application:toggle-left-area")
    pid = book.ask("import os", "os.getpid()")
    page.evaluate(OBSERVE)
    book.run(0, 1, WATCH_CELL)

    page.locator(".vibe-tool[data-state=error] > .vibe-fold").click()
    book.cell(WATCH_CELL).scroll_into_view_if_needed()
    page.wait_for_function(LAST_CALL_IS_WRITTEN)
    with held(pid):
        picture(book, pictures / "quickstart.png", WATCH_CELL)
        theme(book, "JupyterLab Dark")
        picture(book, pictures / "quickstart-dark.png", WATCH_CELL)
        theme(book, "JupyterLab Light")

    page.wait_for_selector(".vibe:not([data-state])")  # the final form, in the widget's place
    seen: dict[str, Any] = page.evaluate("() => window.__seen")
    assert seen["textWhileLive"]
    assert seen["openWhileItThinks"]
    assert "closedWhileItThinks" not in seen
    assert seen["foldedWhenDone"]
    assert "openWhenDone" not in seen
    calls = [seen["args"][i] for i in "012"]
    assert [call["states"][-1] for call in calls] == ["ok", "error", "ok"]
    # The first call runs for less than a thirtieth of a second.
    assert [call["states"][:2] for call in calls[1:]] == [["preparing", "running"]] * 2
    written = calls[2]["lengths"]
    assert len(written) > 5
    assert written == sorted(written)
    assert all(call["times"][-1].endswith(" s") for call in calls)

    # The comparison needs a page without formulas: the host renders them.
    assert page.locator(".vibe mjx-container").count() >= 1
    shown = json.loads(book.prints()[0])
    book.ask("from tests.browser.kernel_side import prints_of")
    expected = json.loads(book.ask(value="prints_of(vibe.last().transcript)"))
    assert shown[:-1] == expected[:-1]
    assert [part[0] for part in shown] == ["thinking", "text", "tool"] * 3 + ["text"]
    assert "Quito says n/a" in shown[-1][1]
    assert page.locator(".vibe .vibe-tool[open]").count() == 1
    picture(book, pictures / "final.png", WATCH_CELL)
    theme(book, "JupyterLab Dark")
    picture(book, pictures / "final-dark.png", WATCH_CELL)
    theme(book, "JupyterLab Light")
    assert watched.errors == []
    assert watched.foreign == []

"""A notebook that follows a server which is killed and comes back; also takes docs/remote.md's picture."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open
from tests.browser.lab import Notebook
from tests.remote.processes import Server

LOAD = "%load_ext vibe_notebook"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(f"sqlite:///{tmp_path / 'events.db'}")
    yield made
    made.kill()


def send(server: Server, *events: dict[str, Any]) -> None:
    ids = {"agent_id": "researcher", "run_id": "r1"}
    url = f"http://127.0.0.1:{server.port}/projects/demo/events"
    httpx2.post(url, json=[{**ids, **event} for event in events], timeout=30).raise_for_status()


def text(seq: int, words: str) -> dict[str, Any]:
    return {"type": "text_delta", "seq": seq, "delta": words, "message_id": "m1"}


def said(page: Page, words: str, index: int = 0) -> None:
    """Wait until the line of a view's connection says it."""
    page.wait_for_function(
        "([i, words]) => document.querySelectorAll('.vibe-live')[i]?.querySelector('.vibe-lines')?.innerText.includes(words)",
        arg=[index, words],
    )


class Pictures:
    """Each state, cut out of the page, and all of them in one picture."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []

    def take(self, book: Notebook, name: str, index: int) -> None:
        book.page.mouse.move(0, 0)
        self.taken.append((name, book.output(index).screenshot(animations="disabled")))

    def compose(self, page: Page, path: Path) -> None:
        rows = "".join(
            f"<p>{name}</p><img src='data:image/png;base64,{base64.b64encode(image).decode()}'>"
            for name, image in self.taken
        )
        style = "body{margin:0;padding:12px;width:900px;font:600 13px sans-serif;background:#fff}"
        page.goto("about:blank")
        page.set_content(
            f"<style>{style}p{{margin:14px 0 4px;color:#666}}"
            f"img{{display:block;width:874px;border:1px solid #ddd;border-radius:6px;padding:6px}}</style><div id='all'>{rows}</div>"
        )
        page.wait_for_function("() => [...document.images].every((image) => image.complete)")
        page.locator("#all").screenshot(path=path)


def test_a_notebook_follows_a_server_that_is_killed_and_comes_back(
    notebook: Open, server: Server, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{server.port}/projects/demo/stream"
    book = notebook(
        LOAD, f"%vibe_stream --as run {url}", f"%vibe_stream {url.replace('projects', 'nowhere')}"
    )
    page, pictures = book.page, Pictures()
    button = page.get_by_role("button", name="Reconnect", exact=True)
    with socket.create_server(("127.0.0.1", server.port)):  # somebody is there, and says nothing
        book.run(0, 1)
        said(page, "connecting")
        pictures.take(book, "connecting", 1)
    said(page, "reconnecting in")
    server.start()
    server.wait()
    button.click()
    said(page, "live")
    send(
        server,
        {"type": "run_started", "seq": 0, "agent_name": "researcher"},
        text(1, "## Parrots\n\nThey are **"),
        text(2, "clever** birds"),
        {
            "type": "tool_started",
            "seq": 3,
            "tool_call_id": "c1",
            "tool_name": "search",
            "args": {"q": "parrots"},
        },
    )
    page.wait_for_selector(".vibe-tool[data-state=running]")
    pictures.take(book, "live", 1)

    server.kill()
    said(page, "reconnecting in")
    pictures.take(book, "reconnecting", 1)
    assert "clever birds" in book.output(1).inner_text()
    server.start()
    server.wait()
    button.click()
    said(page, "live, resumed after 4 events")
    send(
        server,
        {
            "type": "tool_finished",
            "seq": 4,
            "tool_call_id": "c1",
            "tool_name": "search",
            "output": {"hits": 3},
        },
        text(5, ", and they talk."),
    )
    page.wait_for_selector(".vibe-tool[data-state=ok]")
    page.get_by_text("and they talk.").wait_for()
    pictures.take(book, "live again", 1)

    send(server, {"type": "run_finished", "seq": 6})
    httpx2.post(f"http://127.0.0.1:{server.port}/projects/demo/close", timeout=30).raise_for_status()
    # The server ended the stream: at the next try it says that this was all.
    button.click()
    page.wait_for_selector(".vibe:not(.vibe-live)")
    pictures.take(book, "ended", 1)
    book.run(2)
    book.output(2).get_by_text("there is nothing").or_(
        book.output(2).get_by_text("404 Not Found")
    ).first.wait_for()
    pictures.take(book, "refused", 2)

    assert book.ask(value="run.transcript.text") == "## Parrots\n\nThey are **clever** birds, and they talk."
    assert book.ask(value="run.transcript.outcome") == "success"
    outputs = [cell.get("outputs", []) for cell in book.save()["cells"]]
    (followed,) = outputs[1]
    assert "and they talk." in "".join(followed["data"]["text/plain"])
    assert "application/vnd.jupyter.widget-view+json" not in followed["data"]
    assert "404 Not Found: there is no such stream" in str(outputs[2])
    folder = Path(os.environ.get("VIBE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    pictures.compose(page, folder / "connection.png")

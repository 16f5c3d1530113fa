"""Check a notebook that follows a server which is killed and restarted; also make the picture of docs/remote.md."""

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


def wait_status(page: Page, words: str, index: int = 0) -> None:
    """Wait until the line of a view's connection contains these words."""
    page.wait_for_function(
        "([i, words]) => document.querySelectorAll('.vibe-live')[i]?.querySelector('.vibe-lines')?.innerText.includes(words)",
        arg=[index, words],
    )


class Pictures:
    """Keep a picture of each state, cut out of the page, and compose one picture of them all."""

    def __init__(self) -> None:
        self.shots: list[tuple[str, bytes]] = []

    def capture(self, book: Notebook, name: str, index: int) -> None:
        book.page.mouse.move(0, 0)
        self.shots.append((name, book.output(index).screenshot(animations="disabled")))

    def compose(self, page: Page, path: Path) -> None:
        rows = "".join(
            f"<p>{name}</p><img src='data:image/png;base64,{base64.b64encode(image).decode()}'>"
            for name, image in self.shots
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
    with socket.create_server(("127.0.0.1", server.port)):  # a server that accepts, and sends nothing
        book.run(0, 1)
        wait_status(page, "connecting")
        pictures.capture(book, "connecting", 1)
    wait_status(page, "reconnecting in")
    server.start()
    server.wait()
    button.click()
    wait_status(page, "live")
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
    pictures.capture(book, "live", 1)

    server.kill()
    wait_status(page, "reconnecting in")
    pictures.capture(book, "reconnecting", 1)
    assert "clever birds" in book.output(1).inner_text()
    server.start()
    server.wait()
    button.click()
    wait_status(page, "live, resumed after 4 events")
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
    pictures.capture(book, "live again", 1)

    send(server, {"type": "run_finished", "seq": 6})
    httpx2.post(f"http://127.0.0.1:{server.port}/projects/demo/close", timeout=30).raise_for_status()
    # The server ended the stream: its answer to the next request reports the end.
    button.click()
    page.wait_for_selector(".vibe:not(.vibe-live)")
    pictures.capture(book, "ended", 1)
    book.run(2)
    book.output(2).get_by_text("there is nothing").or_(
        book.output(2).get_by_text("404 Not Found")
    ).first.wait_for()
    pictures.capture(book, "refused", 2)

    assert book.ask(value="run.transcript.text") == "## Parrots\n\nThey are **clever** birds, and they talk."
    assert book.ask(value="run.transcript.outcome") == "success"
    outputs = [cell.get("outputs", []) for cell in book.save()["cells"]]
    (followed,) = [output for output in outputs[1] if output["data"]["text/plain"]]  # the other one is empty
    assert "and they talk." in "".join(followed["data"]["text/plain"])
    assert "application/vnd.jupyter.widget-view+json" not in followed["data"]
    assert "404 Not Found: there is no such stream" in str(outputs[2])
    folder = Path(os.environ.get("VIBE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    pictures.compose(page, folder / "connection.png")

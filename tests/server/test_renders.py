"""Tests of rendering transcripts beside the server's loop: bounds on their number, time and bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.server.serving import send
from vibe_notebook._limits import RENDERS
from vibe_notebook.server import BackgroundServer, _formats, _renders, serve_in_background
from vibe_notebook.transcript import Transcript


class Blocked:
    """Render a form only after the test allows it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        monkeypatch.setattr(Transcript, "to_text", self._make)

    def _make(self, *_: Any) -> str:
        self.begun.release()
        assert self.may_end.wait(30)
        return "made"


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blocked]:
    made = Blocked(monkeypatch)
    yield made
    made.may_end.set()


@pytest.fixture
def running() -> Iterator[BackgroundServer]:
    with serve_in_background() as made:
        send(made.url, "p", 1)
        yield made


def ask(server: BackgroundServer) -> httpx2.Response:
    return httpx2.get(f"{server.url}/projects/p/transcript?format=text", timeout=30)


def test_the_server_answers_during_rendering_and_refuses_transcripts_beyond_its_limit(
    running: BackgroundServer, blocked: Blocked
) -> None:
    with ThreadPoolExecutor(8) as pool:
        pending = [pool.submit(ask, running) for _ in range(RENDERS)]
        for _ in pending:
            assert blocked.begun.acquire(timeout=10)
        answers = [httpx2.get(f"{running.url}/health", timeout=10).status_code for _ in range(20)]
        assert answers == [200] * 20
        refused = ask(running)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert "as many transcripts as it can" in refused.json()["error"]
        blocked.may_end.set()
        assert [answer.result(10).text for answer in pending] == ["made"] * RENDERS
    assert ask(running).text == "made"


def test_a_slow_transcript_is_504_and_counts_until_its_thread_ends(
    running: BackgroundServer, blocked: Blocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_renders, "RENDER_SECONDS", 0.05)
    monkeypatch.setattr(_renders, "RENDERS", 1)
    late = ask(running)
    assert late.status_code == 504
    assert "takes longer than" in late.json()["error"]
    assert ask(running).status_code == 503
    assert blocked.begun.acquire(timeout=1)
    assert not blocked.begun.acquire(blocking=False)
    blocked.may_end.set()
    monkeypatch.setattr(_renders, "RENDER_SECONDS", 20)
    for _ in range(1_000):
        answer = ask(running)
        if answer.status_code == 200:
            break
    assert answer.text == "made"


@pytest.mark.parametrize("form", ["html", "markdown", "text"])
def test_a_form_beyond_the_bound_is_replaced_by_a_notice_with_its_size(
    running: BackgroundServer, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"type": "text_delta", "agent_id": "big", "run_id": "r", "delta": "wörter " * 5_000}
    httpx2.post(f"{running.url}/projects/q/events", json=event)
    where = f"{running.url}/projects/q/transcript?format={form}"
    whole = httpx2.get(where).content
    monkeypatch.setattr(_formats, "TRANSCRIPT_BYTES", 10_000)
    short = httpx2.get(where)
    assert short.status_code == 200
    assert len(short.content) < 11_500
    assert "an answer has at most 10,000" in short.text
    assert len(whole) > 35_000

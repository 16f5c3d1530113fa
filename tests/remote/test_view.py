"""Show a remote stream's connection in a view, while it is live and after its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.remote.serving import HANG, head, serving
from vibe_notebook._controls import Control, Controls
from vibe_notebook._watching.connections import Connections, connections_of
from vibe_notebook.display._bundle import bundle
from vibe_notebook.display._output import StaticOutput
from vibe_notebook.display._widget_output import WidgetOutput
from vibe_notebook.registry import Registry
from vibe_notebook.remote import RemoteError, Status, follow

END = [head("204 No Content", None)]
OWN = b'id: 1-1\ndata: {"type": "text_delta", "agent_id": "a", "run_id": "r", "delta": "hi"}\n\n'


class Fake:
    """Replace a connection: report each status that a test passes in."""

    def __init__(self, title: str = "one") -> None:
        self.title = title
        self.listeners: list[Any] = []
        self.reconnects = 0

    def on_status(self, listener: Any) -> None:
        self.listeners.append(listener)
        listener(Status())

    def report(self, status: Status) -> None:
        for listener in self.listeners:
            listener(status)

    def reconnect(self) -> None:
        self.reconnects += 1


def test_several_connections_are_shown_with_their_names() -> None:
    updates: list[Any] = []
    one, two = Fake(), Fake("two")
    connections = Connections(lambda: updates.append(connections.lines()))
    connections.show((one,))
    one.report(Status("reconnecting", delay=3.2, attempt=2, reason="503 Service Unavailable"))
    assert updates[-1] == [("reconnecting", "reconnecting in 3 s (try 2): 503 Service Unavailable")]
    connections.show((one, two))
    assert updates[-1] == [("connecting", "one: connecting"), ("connecting", "two: connecting")]
    connections.reconnect()
    assert (one.reconnects, two.reconnects) == (1, 1)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (Status(), "connecting"),
        (Status(attempt=3), "connecting (try 3)"),
        (Status("live"), "live"),
        (Status("live", resumed=1), "live, resumed after 1 event"),
        (Status("live", resumed=12345), "live, resumed after 12,345 events"),
        (Status("reconnecting", delay=0.25, attempt=1), "reconnecting in 0.2 s (try 1)"),
        (Status("ended"), "ended"),
        (Status("refused", reason="401"), "refused: 401"),
    ],
)
def test_a_status_is_a_line_for_a_person(status: Status, line: str) -> None:
    assert str(status) == line


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (Status("ended"), None),
        (Status("live"), None),
        (Status("refused", reason="404"), None),
        (Status("ended", reason="stopped while reconnecting"), "ended: stopped while reconnecting"),
    ],
)
def test_only_an_abnormal_end_stays_in_the_final_form(status: Status, shown: str | None) -> None:
    connections, one = Connections(lambda: None), Fake()
    connections.show((one,))
    one.report(status)
    assert connections.last_words() == shown
    connections.show((one, Fake("two")))
    one.report(Status("refused", reason="404"))
    assert connections.last_words() == "one: refused: 404"


def test_last_words_are_in_every_form_as_plain_text() -> None:
    hostile = "refused: <img src=x onerror=alert(1)> `x` \x1b[31m"
    data = bundle({}, title="t", last_words=hostile)
    assert "<img" not in data["text/html"]
    assert "refused: &lt;img" in data["text/html"]
    assert "`refused: <img src=x onerror=alert(1)> 'x' `" in data["text/markdown"]
    assert "[refused: " in data["text/plain"]
    assert "\x1b" not in "".join(data.values())
    assert "[" not in bundle({}, title="t")["text/plain"]


def test_the_widget_shows_the_lines_in_its_header_and_reconnects(capsys: pytest.CaptureFixture[str]) -> None:
    fake = Fake()
    controls = Controls(Control("reconnect", fake.reconnect))
    output = WidgetOutput(Registry(), title="t", controls=controls, transcripts=dict)
    output.connection([("live", "live")], None)
    output._view.flush()
    assert output._view.snapshot()["head"]["connection"] == [["live", "live"]]
    output._receive({"type": "reconnect"})
    assert fake.reconnects == 1
    output.connection([("refused", "refused: 404")], "refused: 404")
    output.finish({})
    output.close()
    assert "[refused: 404]" in capsys.readouterr().out


def test_the_static_output_shows_only_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    output = StaticOutput(title="t", text_only=True)
    output.connection([("reconnecting", "reconnecting")], None)
    output.finish({})
    assert "reconnecting" not in capsys.readouterr().out


def test_only_remote_streams_have_connections() -> None:
    assert connections_of([]) == ()
    made = follow("http://127.0.0.1:1/")
    assert connections_of(made) == (made,)


def test_a_stream_stopped_while_reconnecting_reports_its_state(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")

    async def run() -> vibe.Transcript:
        with serving([head(), b"retry: 100000\n", OWN], [HANG]) as server:
            watched = vibe.watch(follow(server.url))
            watched._source.on_status(lambda s: watched.cancel() if s.state == "reconnecting" else None)
            return await watched

    transcript = asyncio.run(run())
    assert (transcript.text, transcript.outcome) == ("hi", "cancelled")
    assert "reconnecting in" in capsys.readouterr().err


def test_a_refusal_is_raised_and_shown_in_the_view(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")

    async def run() -> None:
        with serving([head("401 No")]) as server:
            await vibe.watch(follow(server.url))

    with pytest.raises(RemoteError, match="401 Unauthorized: the token was refused"):
        asyncio.run(run())
    assert "[refused: 401 Unauthorized" in capsys.readouterr().err

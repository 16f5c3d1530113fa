"""Post payloads of every kind to a real server: its transcripts, and a follower of its stream, equal those made here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import httpx2
import pytest

import vibe_notebook as vibe
from tests.forms.viewers import VIEWERS, attacks
from tests.hostile.oracles import html_attacks, line_attacks, terminal_attacks
from tests.hostile.payloads import KINDS, SAMPLE
from tests.hostile.stories import story
from tests.remote.serving import head, serving
from vibe_notebook._limits import NAME_SHOWN
from vibe_notebook.events import Event, to_json
from vibe_notebook.projects import publish
from vibe_notebook.remote import follow
from vibe_notebook.server import BackgroundServer, serve_in_background
from vibe_notebook.transcript import Transcript

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[BackgroundServer]:
    with serve_in_background() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: BackgroundServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=30) as made:
        yield made


def transcripts_of(events: Sequence[Event]) -> list[Transcript]:
    """Return the transcript of each agent, in the order of their first events."""
    with vibe.Registry() as registry:
        for event in events:
            registry.dispatch(event)
        return [
            registry.transcript(agent_id) for agent_id in dict.fromkeys(event.agent_id for event in events)
        ]


def without_id(event: Event) -> str:
    return to_json(event.model_copy(update={"id": None}))


def answer(client: httpx2.Client, project: str, **params: str) -> httpx2.Response:
    response = client.get(f"/projects/{project}/transcript", params=params)
    assert response.status_code == 200
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "script-src" not in response.headers["content-security-policy"]
    return response


@pytest.mark.parametrize("kind", KINDS)
async def test_no_payload_gets_through_a_server_in_any_form_or_to_a_follower(
    kind: str, server: BackgroundServer, client: httpx2.Client
) -> None:
    project = kind.replace(" ", "-")
    events = [event for payload in SAMPLE if payload.kind == kind for event in story(payload.text)]
    expected = transcripts_of(events)
    for start in range(0, len(events), 60):  # a request is bounded
        body = "[" + ",".join(map(to_json, events[start : start + 60])) + "]"
        posted = client.post(
            f"/projects/{project}/events", content=body.encode(), headers={"Content-Type": "application/json"}
        )
        assert posted.status_code == 201, posted.text

    page = answer(client, project, format="html").text.partition("<body>")[2].removesuffix("</body></html>")
    assert page == "".join(each.to_html(title=each.agent_id) for each in expected)
    assert list(html_attacks(page)) == []
    markdown = answer(client, project, format="markdown").text
    assert markdown == "\n\n".join(each.to_markdown() for each in expected)
    assert [bad for viewer in VIEWERS for bad in attacks(viewer(markdown))] == []
    text = answer(client, project, format="text").text
    assert text == "\n\n".join(each.to_text() for each in expected)
    assert terminal_attacks(text) == []
    # The server bounds a request's address, so a long name cannot be asked for.
    for each in [transcript for transcript in expected if len(transcript.agent_id) < NAME_SHOWN]:
        response = answer(client, project, format="json", agent_id=each.agent_id)
        assert response.headers["content-type"] == "application/json"
        sent, wanted = response.json(), each.model_dump(mode="json")
        assert {name: sent[name] for name in wanted} == wanted

    followed: list[Event] = []
    async with follow(f"{server.url}/projects/{project}/stream") as source:
        async for event in source:
            followed.append(event)
            if len(followed) == len(events):
                break
    assert list(map(without_id, followed)) == list(map(without_id, events))


def test_no_payload_of_a_server_that_refuses_reaches_a_warning_or_the_log_as_a_line_or_a_control(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen = [payload.text for payload in SAMPLE if payload.kind in ("terminal sequences", "ANSI in names")]
    words = " ".join([*chosen, "\x1b]0;x\x07\x1b[2J\nERROR:root:forged\x1b]52;c;ZXZpbA==\x07"])
    body = json.dumps({"error": words}).encode()
    refusal = [head("400 Bad Request", "application/json", f"Content-Length: {len(body)}"), body]
    with serving(refusal) as refusing, vibe.Registry() as registry:
        publisher = publish(registry, "p", refusing.url)
        registry.dispatch(story("x")[0])
        with pytest.warns(RuntimeWarning, match="not published") as warned:
            publisher.close()
    said = [str(each.message) for each in warned] + [record.getMessage() for record in caplog.records]
    assert len(said) >= 2
    assert any("forged" in words for words in said)
    assert [bad for words in said for bad in line_attacks(words)] == []

"""Tests of the app: a sent event appears once and in order, in the stream, the list and the transcript."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx2
import pytest

from tests.server.serving import read, send
from tests.server.test_guard import ask
from vibe_notebook.events import to_json
from vibe_notebook.exceptions import VibeNotebookError
from vibe_notebook.projects import ProjectEventStream
from vibe_notebook.registry import Registry
from vibe_notebook.server import BackgroundServer, Limits, create_app
from vibe_notebook.testing import scripted
from vibe_notebook.transcript import Transcript

SCRIPT = scripted("Hello **world** <script>alert(1)</script>", tools=[("search", {"q": "x"}, {"hits": 3})])


def post_events(url: str, project: str, events: list[Any]) -> None:
    body = f"[{','.join(to_json(event) for event in events)}]"
    answer = httpx2.post(
        f"{url}/projects/{project}/events", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201, answer.text


def expected(agent_id: str = "agent") -> Transcript:
    with Registry() as registry:
        registry.dispatch(SCRIPT)
        return registry.transcript(agent_id)


def test_the_answer_holds_the_ids_in_the_order_of_the_events(server: BackgroundServer, project: str) -> None:
    ids = send(server.url, project, 1, 2, 3) + send(server.url, project, 4)
    received = read(server.url, project, limit=4)
    assert [event.id for event in received] == ids
    assert [event.data["number"] for event in received] == [1, 2, 3, 4]
    assert ids == sorted(ids, key=lambda event_id: [int(part) for part in event_id.split("-")])
    assert len(set(ids)) == 4


def test_a_second_post_with_the_same_key_appends_nothing_and_returns_the_same_ids(
    server: BackgroundServer, project: str
) -> None:
    first = send(server.url, project, 1, 2, **{"Idempotency-Key": "k1"})
    assert send(server.url, project, 1, 2, **{"Idempotency-Key": "k1"}) == first
    other = send(server.url, project, 3, **{"Idempotency-Key": "k2"})
    assert [event.id for event in read(server.url, project, limit=3)] == first + other


def test_a_batch_with_one_wrong_event_is_refused_as_a_whole(server: BackgroundServer, project: str) -> None:
    batch = [{"event_type": "note", "data": 1}, {"event_type": "note"}]
    answer = httpx2.post(f"{server.url}/projects/{project}/events", json=batch)
    assert answer.status_code == 422
    assert answer.json()["item"] == 1
    assert httpx2.get(f"{server.url}/projects/{project}/transcript").status_code == 404


def test_the_list_holds_the_number_of_events_and_the_last_id_of_each_project(
    server: BackgroundServer, project: str
) -> None:
    def row() -> dict[str, Any]:
        rows = httpx2.get(f"{server.url}/projects").json()["projects"]
        found: dict[str, Any] = next(row for row in rows if row["project_id"] == project)
        return found

    ids = send(server.url, project, 1, 2)
    expected_row = {
        "project_id": project,
        "events": 2,
        "last_event_id": ids[-1],
        "closed": False,
        "listeners": 0,
    }
    assert row() == expected_row
    httpx2.post(f"{server.url}/projects/{project}/close")
    assert row()["closed"] is True
    assert row()["events"] == 2
    last = row()["last_event_id"]  # the id of the mark of the closed stream: no event follows it
    assert httpx2.get(f"{server.url}/projects/{project}/stream?last_event_id={last}").status_code == 204


def test_a_transcript_matches_the_events_and_names_the_id_to_resume_from(
    server: BackgroundServer, project: str
) -> None:
    post_events(server.url, project, SCRIPT)
    answer = httpx2.get(f"{server.url}/projects/{project}/transcript")
    body = answer.json()
    assert Transcript.model_validate(body) == expected()
    assert body["agents"] == ["agent"]
    assert body["incomplete"] is False
    assert body["last_event_id"] == answer.headers["last-event-id"]
    more = send(server.url, project, 1)
    assert [event.id for event in read(server.url, project, body["last_event_id"], limit=1)] == more


def test_a_transcript_grows_with_its_project(server: BackgroundServer, project: str) -> None:
    for cut in range(0, len(SCRIPT), 5):
        post_events(server.url, project, SCRIPT[cut : cut + 5])
        body = httpx2.get(f"{server.url}/projects/{project}/transcript").json()
        with Registry() as registry:
            registry.dispatch(SCRIPT[: cut + 5])
            assert Transcript.model_validate(body) == registry.transcript("agent")


@pytest.mark.parametrize(
    ("form", "accept", "media", "text"),
    [
        ("markdown", "text/markdown", "text/markdown", "Hello **world**"),
        ("text", "text/plain", "text/plain", "Hello"),
        ("html", "text/html,application/xhtml+xml;q=0.9", "text/html", "<strong>world</strong>"),
        ("json", "application/json", "application/json", "Hello **world**"),
        ("json", "*/*", "application/json", "Hello **world**"),
    ],
)
def test_a_transcript_has_the_requested_form(
    server: BackgroundServer, project: str, form: str, accept: str, media: str, text: str
) -> None:
    post_events(server.url, project, SCRIPT)
    url = f"{server.url}/projects/{project}/transcript"
    by_name = httpx2.get(url, params={"format": form})
    by_header = httpx2.get(url, headers={"Accept": accept})
    assert by_name.headers["content-type"].partition(";")[0] == media
    assert by_name.content == by_header.content
    assert text in by_name.text
    assert httpx2.get(url, params={"format": "pdf"}).status_code == 400


def test_a_page_cannot_run_scripts(server: BackgroundServer, project: str) -> None:
    post_events(server.url, project, SCRIPT)
    page = httpx2.get(f"{server.url}/projects/{project}/transcript?format=html")
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


def test_each_agent_of_a_project_has_its_own_transcript(server: BackgroundServer, project: str) -> None:
    other = scripted("Other words", agent_id="other")
    post_events(server.url, project, [*SCRIPT, *other])
    url = f"{server.url}/projects/{project}/transcript"
    assert httpx2.get(url).json()["agents"] == ["agent", "other"]
    body = httpx2.get(url, params={"agent_id": "other"}).json()
    assert Transcript.model_validate(body).text == "Other words"
    assert httpx2.get(url, params={"agent_id": "nobody"}).status_code == 404
    both = httpx2.get(url, params={"format": "markdown"}).text
    assert "Other words" in both
    assert "Hello **world**" in both


def test_events_of_vibex_make_a_transcript_too(server: BackgroundServer, project: str) -> None:
    vibex_events = [
        ("message_start", {"message_id": "m", "role": "assistant"}),
        ("part_delta", {"message_id": "m", "part_index": 0, "type": "text", "delta": "Hel"}),
        ("part_delta", {"message_id": "m", "part_index": 0, "type": "text", "delta": "lo"}),
        ("tool_call_start", {"tool_call_id": "c", "tool_name": "search", "args": {"q": "x"}}),
        ("tool_call_result", {"tool_call_id": "c", "tool_name": "search", "result": 3, "is_error": False}),
    ]
    events = [{"event": name, "data": data} for name, data in vibex_events]
    httpx2.post(f"{server.url}/projects/{project}/events", json=events)
    running = Transcript.model_validate(httpx2.get(f"{server.url}/projects/{project}/transcript").json())
    assert running.text == "Hello"
    assert [(tool.tool_name, tool.args, tool.output) for tool in running.tools] == [("search", {"q": "x"}, 3)]
    assert running.outcome is None
    httpx2.post(f"{server.url}/projects/{project}/close")
    done = Transcript.model_validate(httpx2.get(f"{server.url}/projects/{project}/transcript").json())
    assert done.outcome == "success"


def test_the_answer_for_an_unknown_address_or_project_is_json(server: BackgroundServer) -> None:
    for method, path, status in [
        ("GET", "/nothing", 404),
        ("DELETE", "/projects", 405),
        ("GET", "/projects/nobody/transcript", 404),
        ("POST", "/projects/nobody/close", 404),
        ("GET", "/projects/a%00b/stream", 400),
    ]:
        answer = httpx2.request(method, f"{server.url}{path}")
        assert answer.status_code == status, (path, answer.text)
        assert answer.json()["error"]


def test_requests_beyond_the_limits_of_size_number_and_rate_are_refused() -> None:
    limits = Limits(body_bytes=1_000, events_per_request=3, events_per_second=2)
    app = create_app(limits=limits)
    event = {"event_type": "note", "data": "x"}

    def post(body: Any, **headers: str) -> httpx2.Response:
        return ask(app, "POST", "/projects/p/events", json=body, headers=headers)

    assert post({"event_type": "note", "data": "x" * 1_000}).status_code == 413
    assert post([event] * 4).status_code == 413
    assert post([event] * 3).status_code == 201
    slow = post([event] * 3)
    assert slow.status_code == 429
    assert int(slow.headers["retry-after"]) >= 1


def test_a_new_project_beyond_the_limit_is_refused_and_an_existing_one_is_not() -> None:
    stream = ProjectEventStream()
    asyncio.run(stream.send_event("in the log", "note", 0))
    app = create_app(log=stream, limits=Limits(projects=2))

    def post(project: str, body: Any = None) -> httpx2.Response:
        return ask(app, "POST", f"/projects/{project}/events", json=body or {"event_type": "note", "data": 1})

    assert post("wrong", {"no": "event"}).status_code == 422  # a refused request does not count
    assert [post(name).status_code for name in ("a", "b", "a")] == [201, 201, 201]
    full = post("c")
    assert full.status_code == 503
    assert "projects" in full.json()["error"]
    assert int(full.headers["retry-after"]) >= 1
    assert [post(name).status_code for name in ("in the log", "b", "c")] == [201, 201, 503]
    assert [found.project_id for found in asyncio.run(stream.projects())] == ["a", "b", "in the log"]


def test_a_body_without_a_content_length_is_measured_during_its_upload() -> None:
    async def body() -> Any:
        for _ in range(1_000):
            yield b"x" * 100

    app = create_app(limits=Limits(body_bytes=1_000))
    answer = ask(
        app, "POST", "/projects/p/events", content=body(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_the_body_of_a_browsers_form_is_refused() -> None:
    answer = ask(
        create_app(), "POST", "/projects/p/events", content=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415


class Broken(ProjectEventStream):
    """Fail every send as an unreachable log does."""

    async def send_events(self, *_: Any, **__: Any) -> list[str]:
        raise VibeNotebookError("connection to redis://user:secret@host refused")


def test_a_failed_log_is_503_and_only_the_servers_log_shows_the_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = ask(create_app(log=Broken()), "POST", "/projects/p/events", json={"event": "a", "data": 1})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "secret" not in answer.text
    assert "refused" in caplog.text


def test_the_app_serves_a_callers_own_stream_and_does_not_close_it() -> None:
    async def both() -> tuple[int, Any]:
        stream = ProjectEventStream()
        app = create_app(log=stream)
        await stream.send_event("p", "note", {"number": 1})
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            listed = (await client.get("/projects")).json()["projects"]
        async with app.router.lifespan_context(app):
            pass
        await stream.send_event("p", "note", {"number": 2})  # raises if the app has closed the stream
        count = len(await stream.read("p", "", 10))
        await stream.aclose()
        return count, json.dumps(listed)

    count, listed = asyncio.run(both())
    assert count == 2
    assert '"events": 1' in listed

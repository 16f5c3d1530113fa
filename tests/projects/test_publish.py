"""Tests of the publisher: every event of a registry reaches the project once, also over a broken network."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from vibe_notebook.events import Citation, Event, InputRequested, Plan, TextDelta, to_json
from vibe_notebook.exceptions import ClosedError, MissingExtraError
from vibe_notebook.parts import PlanPart, TextPart
from vibe_notebook.projects import Entry, ProjectEventStream, publish
from vibe_notebook.registry import Registry
from vibe_notebook.server import Limits, create_app, serve_in_background
from vibe_notebook.server._serve import Runner, bind
from vibe_notebook.testing import scripted, shuffled
from vibe_notebook.transcript import Transcript

SCRIPT = scripted("Hello **world** " * 20, thinking="hm", tools=[("search", {"q": "x"}, {"hits": 3})])


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def transcript(url: str, project: str = "p", **headers: str) -> Transcript:
    answer = httpx2.get(f"{url}/projects/{project}/transcript", headers=headers)
    return Transcript.model_validate(answer.json())


@contextlib.contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Run an app of the test in a thread."""
    listening, url = bind("127.0.0.1", 0, None)
    ready = threading.Event()
    runner = Runner(app, Limits(), ready.set)
    thread = threading.Thread(target=runner.run, args=([listening],))
    thread.start()
    assert ready.wait(20)
    try:
        yield url
    finally:
        runner.should_exit = True
        thread.join(20)
        listening.close()


def stored(stream: ProjectEventStream, project: str = "p") -> list[Entry]:
    rows = asyncio.run(stream.read(project, "", 10_000))
    return [row for row in rows if isinstance(row, Entry)]


def test_earlier_and_later_events_arrive_once_and_in_order() -> None:
    registry = Registry()
    registry.dispatch(SCRIPT[:40])
    with serve_in_background(token="s3cret") as server:  # noqa: S106 - of a test
        with publish(registry, "p", server.url, token="s3cret") as publisher:  # noqa: S106
            registry.dispatch(SCRIPT[40:])
        assert publisher.sent == len(SCRIPT)
        assert publisher.pending == 0
        assert publisher.error is None
        there = transcript(server.url, Authorization="Bearer s3cret")
    assert there == registry.transcript("agent")


def test_a_publisher_sends_the_events_of_every_agent_while_the_cell_is_busy() -> None:
    registry = Registry()
    stream = ProjectEventStream()
    with publish(registry, "p", stream) as publisher:
        for agent_id in ("a", "b"):
            registry.dispatch(scripted("words", agent_id=agent_id))
        wait_until(lambda: publisher.sent == 2 * len(scripted("words")))  # the main thread awaits nothing
    assert {'"agent_id":"a"' in row.data.replace(" ", "") for row in stored(stream)} == {True, False}


def test_a_publisher_with_an_agent_id_sends_only_this_agents_events() -> None:
    registry = Registry()
    stream = ProjectEventStream()
    with publish(registry, "p", stream, agent_id="b"):
        for agent_id in ("a", "b"):
            registry.dispatch(scripted("words", agent_id=agent_id))
    assert len(stored(stream)) == len(scripted("words"))


def test_events_out_of_order_give_the_same_transcript() -> None:
    registry = Registry(hold=0.01)
    with serve_in_background() as server:
        with publish(registry, "p", server.url):
            registry.dispatch(shuffled(scripted("Hello " * 50, numbered=True), seed=3))
        assert transcript(server.url).text == "Hello " * 50


def test_a_publisher_works_in_an_event_loop_and_closes_without_blocking_it() -> None:
    async def published() -> int:
        registry = Registry()
        with serve_in_background() as server:
            async with publish(registry, "p", server.url, close_project=True) as publisher:
                registry.dispatch(SCRIPT)
            async with httpx2.AsyncClient(base_url=server.url) as client:
                projects = (await client.get("/projects")).json()["projects"]
            assert projects[0]["closed"] is True
        return publisher.sent

    assert asyncio.run(published()) == len(SCRIPT)


@contextlib.contextmanager
def between(
    url: str, fault: Callable[[int], str | None], refuse: Callable[[bytes], str | None] = lambda _: None
) -> Iterator[str]:
    """Start a relay in front of a server. The relay applies ``fault(n)`` to the n-th request.

    It refuses a request for whose body *refuse* returns a status.
    """
    count = iter(range(10**6))
    lock = threading.Lock()

    class Relay(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                kind = fault(next(count)) or refuse(body)
            if kind == "lost request":
                self.close_connection = True
                return
            if kind is not None and kind.isdecimal():
                self.send_response(int(kind))
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            names = ("Content-Type", "Idempotency-Key")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = httpx2.post(url + self.path, content=body, headers=headers)
            if kind == "lost answer":
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    relay = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    thread = threading.Thread(target=relay.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{relay.server_address[1]}"
    finally:
        relay.shutdown()
        thread.join()
        relay.server_close()


def test_lost_answers_and_lost_requests_neither_lose_nor_repeat_events() -> None:
    faults = ["lost answer", None, "lost request", "503", "lost answer", "429", None]
    registry = Registry()
    with (
        serve_in_background() as server,
        between(server.url, lambda number: faults[number % len(faults)]) as relay,
    ):
        with publish(registry, "p", relay) as publisher:
            for begin in range(0, len(SCRIPT), 10):
                registry.dispatch(SCRIPT[begin : begin + 10])
                wait_until(lambda: publisher.pending == 0)
        rows = httpx2.get(f"{server.url}/projects").json()["projects"]
        assert rows[0]["events"] == len(SCRIPT) == publisher.sent
        assert transcript(server.url) == registry.transcript("agent")


def test_a_publisher_waits_for_a_server_that_does_not_answer() -> None:
    registry = Registry()
    with serve_in_background() as server:
        up: list[bool] = []
        with between(server.url, lambda _: None if up else "503") as relay:
            with publish(registry, "p", relay) as publisher:
                registry.dispatch(SCRIPT)
                wait_until(lambda: publisher.pending == len(SCRIPT))
                assert publisher.sent == 0
                assert publisher.error is None
                up.append(True)
            assert publisher.sent == len(SCRIPT)


def test_close_ends_after_its_timeout_and_reports_the_number_of_unsent_events() -> None:
    registry = Registry()
    registry.dispatch(SCRIPT)
    publisher = publish(registry, "p", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.warns(RuntimeWarning, match=f"{len(SCRIPT)} events were not sent"):
        publisher.close(timeout=0.3)
    assert time.monotonic() - began < 5
    assert publisher.pending == len(SCRIPT)
    assert not [thread for thread in threading.enumerate() if thread.name == "vibe-publish"]


def test_a_refused_token_ends_the_publisher_and_never_appears_in_log_or_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()
    registry.dispatch(SCRIPT)
    with serve_in_background(token="s3cret") as server:  # noqa: S106
        publisher = publish(registry, "p", server.url, token="wr0ng")  # noqa: S106
        wait_until(lambda: publisher.error)
        with pytest.warns(RuntimeWarning, match="401"):
            publisher.close()
    assert "401" in caplog.text
    assert "wr0ng" not in caplog.text + repr(publisher) + str(publisher.error)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_token_function_that_raises_or_hangs_loses_no_event(
    *, is_async: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vibe_notebook._credentials.TOKEN_SECONDS", 0.05)
    calls: list[int] = []
    released = threading.Event()

    def token() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("s3cret: the identity provider cannot be reached")
        if len(calls) == 2 and not is_async:
            released.wait(10)
        return "s3cret"

    async def later() -> str:
        if len(calls) == 1:
            calls.append(1)
            await asyncio.Event().wait()
        return token()

    registry = Registry()
    registry.dispatch(SCRIPT)
    with serve_in_background(token="s3cret") as server:  # noqa: S106
        with publish(registry, "p", server.url, token=later if is_async else token) as publisher:
            wait_until(lambda: "did not return within" in caplog.text)
            released.set()
        assert publisher.sent == len(SCRIPT)
        assert publisher.error is None
    assert "the token function raised ConnectionError" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_token_function_is_called_again_after_a_refused_token_and_not_for_each_batch() -> None:
    given = iter(["old", "new", "new"])
    valid = ["old"]
    registry = Registry()
    app = create_app(auth=lambda request: request.headers["authorization"] == f"Bearer {valid[0]}")
    with running(app) as url:
        publisher = publish(registry, "p", url, token=lambda: next(given))
        registry.dispatch(SCRIPT[:10])
        wait_until(lambda: publisher.sent == 10)
        registry.dispatch(SCRIPT[10:20])
        wait_until(lambda: publisher.sent == 20)
        valid[0] = "new"
        registry.dispatch(SCRIPT[20:])
        wait_until(lambda: publisher.sent == len(SCRIPT))
        valid[0] = "other"
        registry.dispatch(SCRIPT[-1].model_copy(update={"run_id": "last"}))
        wait_until(lambda: publisher.error)
        with pytest.warns(RuntimeWarning, match="401"):
            publisher.close()
    assert list(given) == []


def test_a_mistake_in_a_token_function_ends_the_publisher() -> None:
    def token() -> str:
        raise NameError("s3cret")

    registry = Registry()
    registry.dispatch(SCRIPT)
    publisher = publish(registry, "p", "http://127.0.0.1:9", token=token)
    wait_until(lambda: publisher.error)
    with pytest.warns(RuntimeWarning, match="the token function raised NameError"):
        publisher.close()


def test_a_password_in_a_servers_url_is_sent_and_reaches_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    def auth(request: Request) -> bool:
        seen.append(request.headers["authorization"])
        return True

    registry = Registry()
    registry.dispatch(SCRIPT)
    with running(create_app(auth=auth)) as url:
        with publish(registry, "p", url.replace("http://", "http://us%40er:g%3Aheim@")) as publisher:
            pass
        assert publisher.error is None
    assert seen[0] == f"Basic {base64.b64encode(b'us@er:g:heim').decode()}"
    assert "heim" not in caplog.text
    for wrong in ("?token=geheim", "#geheim"):
        with pytest.raises(ValueError, match="query") as caught:
            publish(registry, "p", f"http://127.0.0.1:9/{wrong}")
        assert "geheim" not in str(caught.value)


def test_one_event_that_is_too_large_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()
    wide = TextDelta(agent_id="agent", run_id="run", message_id="m1", delta="x" * 20_000)
    with serve_in_background(limits=Limits(body_bytes=10_000)) as server:
        publisher = publish(registry, "p", server.url)
        registry.dispatch([*SCRIPT[:50], wide, *SCRIPT[50:]])
        with pytest.warns(RuntimeWarning, match="413"):
            publisher.close()
        assert publisher.sent == len(SCRIPT)
        assert httpx2.get(f"{server.url}/projects").json()["projects"][0]["events"] == len(SCRIPT)
    assert "413" in caplog.text


def test_a_server_of_the_first_edition_gets_new_events_as_custom_ones() -> None:
    ids: dict[str, Any] = {"agent_id": "agent", "run_id": "run", "message_id": "m"}
    events: list[Event] = [
        TextDelta(**ids, delta="It is."),
        Plan(**ids, entries=["Look"]),
        Citation(**ids, citation_id="c", url="https://example.org", start=0, end=2),
        InputRequested(**ids, request_id="q", message="May I?"),
        TextDelta(**ids, delta=" So."),
    ]
    new = ("plan", "citation", "input_requested", "input_answered")

    def refuse(body: bytes) -> str | None:
        return "422" if any(event["type"] in new for event in json.loads(body)) else None

    registry = Registry()
    with serve_in_background() as server, between(server.url, lambda _: None, refuse) as url:
        publisher = publish(registry, "p", url)
        registry.dispatch(events)
        publisher.close()
        assert (publisher.sent, publisher.error) == (len(events), None)
        followed = transcript(server.url)
    assert [part.kind for part in followed.parts] == ["text", "plan"]
    (text, plan) = followed.parts
    assert isinstance(text, TextPart)
    assert (text.text, [each.url for each in text.citations]) == ("It is. So.", ["https://example.org"])
    assert isinstance(plan, PlanPart)
    assert [entry.text for entry in plan.entries] == ["Look"]


def test_the_publisher_and_the_followers_learn_of_events_lost_in_an_overflow() -> None:
    registry = Registry(ring=10)
    with serve_in_background() as server:
        up: list[bool] = []
        with between(server.url, lambda _: None if up else "503") as relay:
            publisher = publish(registry, "p", relay, buffer=5)
            for event in SCRIPT:
                registry.dispatch(event)
            up.append(True)
            with pytest.warns(RuntimeWarning, match="lost"):
                publisher.close()
        params = {"last_event_id": "0"}
        httpx2.post(f"{server.url}/projects/p/close")
        body = httpx2.get(f"{server.url}/projects/p/stream", params=params).text
    assert '"name":"gap"' in body.replace(" ", "")


def test_a_publisher_writes_to_a_log_without_a_server(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    registry = Registry()
    with publish(registry, "p", url):
        registry.dispatch(SCRIPT)

    async def count() -> int:
        stream = ProjectEventStream(url)
        rows = await stream.read("p", "", 10_000)
        await stream.aclose()
        return len(rows)

    assert asyncio.run(count()) == len(SCRIPT)


def test_publish_refuses_a_wrong_destination_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    with pytest.raises(ValueError, match="memory log"):
        publish(registry, "p", "memory:")
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match=r"vibe_notebook\[remote\]"):
        publish(registry, "p", "http://localhost:1")
    registry.close()
    with pytest.raises(ClosedError):
        publish(registry, "p", ProjectEventStream())


def test_a_stored_event_is_its_json_without_the_registrys_id() -> None:
    registry = Registry()
    stream = ProjectEventStream()
    with publish(registry, "p", stream):
        registry.dispatch(SCRIPT)
    events: list[Event] = SCRIPT
    expected = [to_json(event) for event in events]
    assert [json.loads(row.data) for row in stored(stream)] == [json.loads(text) for text in expected]
    assert {row.event for row in stored(stream)} == {"agent_event"}

"""Request streams with a body: the client sends it once, and reports a break as an error."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

import vibe_notebook as vibe
from tests.adapters.support import recording
from tests.remote.serving import HANG, RESET, head, redirect, serving
from vibe_notebook.remote import RemoteError, event_source, follow
from vibe_notebook.remote._request import StreamRequest
from vibe_notebook.transcript import Transcript

pytestmark = pytest.mark.anyio
END = [head("204 No Content", None)]
REQUESTED = {"model": "m", "stream": True, "input": "wie heiß?"}
SECRET = "s3cr3t-prompt"  # noqa: S105 - made up


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stream(*pieces: bytes) -> list[bytes]:
    return [head(), *pieces]


async def read(url: str, **options: Any) -> list[str]:
    async with event_source(url, reconnect_delay=0.0, **options) as source:
        with anyio.fail_after(10):
            return [event.data async for event in source]


async def watched(url: str, **options: Any) -> Transcript:
    with anyio.fail_after(10):
        return await vibe.watch(follow(url, reconnect_delay=0.0, json=REQUESTED, **options), display=False)


async def test_a_body_is_sent_by_post_as_httpx_sends_it() -> None:
    with serving(stream(b"data: a\n\n")) as server:
        assert await read(server.url, json=REQUESTED) == ["a"]
        assert await read(server.url, content="ä") == ["a"]
        assert await read(server.url, content=b"\0x", headers={"Content-Type": "x/y"}, method="put") == ["a"]
        assert await read(server.url, json=[], headers={"content-type": "application/x"}) == ["a"]
    sent = [(r.method, r.headers["content-type"], r.body) for r in server.requests]
    assert json.loads(sent[0][2]) == REQUESTED
    assert sent[0][:2] == ("POST", b"application/json")
    assert sent[1:] == [
        ("POST", b"text/plain; charset=utf-8", "ä".encode()),
        ("PUT", b"x/y", b"\0x"),
        ("POST", b"application/x", b"[]"),
    ]
    assert server.requests[0].headers["accept"] == b"text/event-stream"
    assert int(server.requests[0].headers["content-length"]) == len(sent[0][2])


async def test_the_end_of_the_answer_ends_the_stream_without_a_second_request() -> None:
    with serving(stream(b"id: 1\ndata: a\n\n"), stream(b"data: b\n\n")) as server:
        source = event_source(server.url, json={})
        assert [event.data async for event in source] == ["a"]
        assert source.status.state == "ended"
    assert len(server.requests) == 1


async def test_an_answer_that_breaks_off_keeps_its_events_and_raises_the_reason() -> None:
    with serving(stream(b"id: 1\ndata: a\n\n", RESET), stream(b"data: b\n\n")) as server:
        source = event_source(server.url, json={})
        assert (await anext(source)).data == "a"
        with pytest.raises(RemoteError, match="a POST is not sent again by itself"):
            await anext(source)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["429 Slowly", "500 Oops", "503 Busy"])
async def test_a_busy_server_gets_no_second_request(status: str) -> None:
    wanted = pytest.raises(RemoteError, match="a POST is not sent again by itself")
    with serving([head(status)]) as server, wanted as caught:
        await read(server.url, json={})
    assert (caught.value.status, len(server.requests)) == (int(status[:3]), 1)


async def test_an_unreachable_server_ends_the_stream() -> None:
    with serving(END) as gone:
        url = gone.url
    with pytest.raises(RemoteError, match=r"no connection .* not sent again"):
        await read(url, json={})


async def test_with_resume_the_request_is_sent_again_once_the_stream_has_an_id() -> None:
    with serving(stream(b"id: 1\ndata: a\n\n", RESET), stream(b"id: 2\ndata: b\n\n"), END) as server:
        assert await read(server.url, json=REQUESTED, resume=True) == ["a", "b"]
    assert [r.headers.get("last-event-id") for r in server.requests] == [None, b"1", b"2"]
    assert {(r.method, r.body) for r in server.requests} == {("POST", server.requests[0].body)}
    for early in ([head("503 Busy")], stream(b"data: a\n\n", RESET), stream(b"id: 1\ndata: half\n", RESET)):
        with serving(early) as server, pytest.raises(RemoteError, match="no id yet to resume from"):
            await read(server.url, json=REQUESTED, resume=True)
        assert len(server.requests) == 1


async def test_a_get_with_a_body_is_sent_again() -> None:
    with serving(stream(b"data: a\n\n", RESET), END) as server:
        assert await read(server.url, method="GET", content="q") == ["a"]
    assert [(r.method, r.body) for r in server.requests] == [("GET", b"q")] * 2


async def test_reconnect_does_not_touch_a_stream_that_cannot_resume() -> None:
    with serving(stream(b"data: a\n\n", b"data: b\n\n")) as server:
        source = event_source(server.url, json={})
        source.reconnect()  # no request was sent yet
        assert (await anext(source)).data == "a"
        source.reconnect()
        assert [event.data async for event in source] == ["b"]
    assert len(server.requests) == 1


async def test_a_cancelled_reader_that_reads_again_sends_no_second_request() -> None:
    with serving(stream(b"data: a\n\n", HANG)) as server:
        source = event_source(server.url, json={})
        assert (await anext(source)).data == "a"
        with anyio.move_on_after(0.05):
            await anext(source)
        with pytest.raises(RemoteError, match="given up, and this stream cannot be resumed: a POST is not"):
            await anext(source)
    assert len(server.requests) == 1


async def test_redirects_treat_a_body_as_browsers_do() -> None:
    for status, method in ((301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")):
        with serving(redirect(status, "/there"), stream(b"data: a\n\n")) as server:
            assert await read(server.url, json=REQUESTED) == ["a"]
        there = server.requests[1]
        assert (there.method, bool(there.body), "content-type" in there.headers) == (
            method,
            method == "POST",
            method == "POST",
        )
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_is_sent_to_no_other_host(status: int) -> None:
    with (
        serving(stream(b"data: a\n\n"), host="localhost") as other,
        serving(redirect(status, other.url)) as server,
    ):
        with pytest.raises(RemoteError, match="redirects to another host") as caught:
            await read(server.url, json={"input": SECRET})
        assert other.requests == []
    assert SECRET not in str(caught.value)


async def test_no_repr_shows_the_body() -> None:
    source = event_source("http://127.0.0.1:1/", json={"input": SECRET})
    assert SECRET not in repr(source) + repr(vars(source)) + repr(
        StreamRequest.of(None, SECRET, None, resume=False)
    )


@pytest.mark.parametrize(
    "wrong", [{"json": {}, "content": b""}, {"method": "GET /x"}, {"method": "GÄT"}, {"json": float("nan")}]
)
async def test_a_request_that_cannot_be_sent_raises_at_once(wrong: dict[str, Any]) -> None:
    for make in (event_source, follow):
        with pytest.raises(ValueError, match=r"json|method|JSON"):
            make("http://127.0.0.1:1/", **wrong)


# Real answers, as transcripts


def turns(name: str) -> list[bytes]:
    """Return a recorded conversation's answers as the server sends them: one body a request."""
    made: list[bytes] = []
    is_between = True
    for native in recording(name).natives:
        if not isinstance(native, dict) or not native.keys() & {"type", "choices"}:
            is_between = True  # no answer holds the application's tool results
            continue
        if is_between:
            made.append(b"")
        is_between = False
        kind = native.get("type")
        named = f"event: {kind}\n" if kind else ""  # Chat Completions have no event names
        made[-1] += f"{named}data: {json.dumps(native)}\n\n".encode()
        if kind == "message_start":
            made[-1] += b'event: ping\ndata: {"type": "ping"}\n\n'
    return [body + b"data: [DONE]\n\n" if name.startswith("openai_chat") else body for body in made]


def items(transcript: Transcript) -> list[Any]:
    return [
        (part.tool_call_id, part.tool_name, part.args) if part.kind == "tool" else (part.kind, part.text)
        for part in transcript.parts
        if part.kind in ("tool", "text", "thinking")
    ]


def wanted(name: str) -> list[Any]:
    return [
        (item["id"], item["name"], item["args"]) if item["kind"] == "tool" else (item["kind"], item["text"])
        for item in recording(name).expected["items"]
    ]


PROVIDERS = ("anthropic", "openai_responses", "openai_chat", "openai_chat_raw")


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_providers_answers_to_a_post_end_in_the_recorded_transcript(name: str) -> None:
    bodies = turns(name)
    assert len(bodies) == 2
    shown: list[Any] = []
    with serving(*map(stream, bodies)) as server:
        for _ in bodies:
            transcript = await watched(server.url)
            assert transcript.outcome == "success"
            shown += items(transcript)
    assert shown == wanted(name)
    assert [(r.method, json.loads(r.body)) for r in server.requests] == [("POST", REQUESTED)] * 2


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("how", [[], [RESET]])
async def test_a_providers_answer_that_breaks_off_keeps_its_events_and_is_an_error(
    name: str, how: list[bytes]
) -> None:
    body = turns(name)[1]
    last = body.rindex(b"\n\n", 0, body.rindex(b"Atlantis"))
    with serving(stream(body[: last + 2], *how)) as server:
        run = vibe.watch(follow(server.url, reconnect_delay=0.0, json=REQUESTED), display=False)
        with pytest.raises(RemoteError, match="cannot be resumed"):
            await run
    assert len(server.requests) == 1
    assert run.transcript.outcome == "error"
    assert "cannot be resumed" in (run.transcript.error or "")
    assert run.transcript.text.startswith("Paris")


async def test_an_answer_in_a_dialect_without_an_end_ends_with_its_body() -> None:
    natives = recording("pydantic_ai").natives
    body = b"".join(f"data: {json.dumps(native)}\n\n".encode() for native in natives)
    with serving(stream(body)) as server:
        assert (await watched(server.url, adapter="pydantic_ai")).text
    with serving(stream()) as server, pytest.raises(RemoteError, match="ended in the middle"):
        await watched(server.url)


async def test_a_model_may_think_for_minutes_before_its_first_word() -> None:
    assert follow("http://127.0.0.1:1/", json={})._source.idle_timeout == 600
    assert follow("http://127.0.0.1:1/", json={}, idle_timeout=5)._source.idle_timeout == 5
    assert follow("http://127.0.0.1:1/")._source.idle_timeout == 60

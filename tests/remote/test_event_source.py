"""Check one stream over its connections: its requests, its ends, and its reconnects."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.remote.serving import HANG, RESET, Answer, Naps, head, redirect, serving
from vibe_notebook.exceptions import ConsumedError
from vibe_notebook.remote import EventSource, RemoteError, event_source

pytestmark = pytest.mark.anyio
END = [head("204 No Content", None)]
OPTIONS: dict[str, Any] = {"reconnect_delay": 0.0, "jitter": lambda: 0.0}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def read(url: str, **options: Any) -> list[tuple[str, str, str]]:
    async with event_source(url, **{**OPTIONS, **options}) as source:
        with anyio.fail_after(10):
            return [(event.event, event.data, event.id) async for event in source]


def stream(*pieces: bytes) -> list[bytes]:
    return [head(), *pieces]


# Requests


async def test_the_request_has_the_headers_of_the_standard() -> None:
    with serving(END) as server:
        assert await read(f"{server.url}?a=1", params={"b": "ä b", "c": [1, 2]}) == []
    (request,) = server.requests
    assert request.target.replace("%20", "+") == "/stream?a=1&b=%C3%A4+b&c=1&c=2"
    assert request.headers["accept"] == b"text/event-stream"
    assert request.headers["cache-control"] == b"no-cache"
    assert "last-event-id" not in request.headers


async def test_the_stream_resumes_with_the_last_id_as_utf8() -> None:
    with serving(stream("id: ä1\ndata: a\n\nid: 2\ndata: half".encode()), END) as server:
        assert await read(server.url, last_event_id="0") == [("message", "a", "ä1")]
    assert [r.headers.get("last-event-id") for r in server.requests] == [b"0", "ä1".encode()]


async def test_an_empty_id_is_not_sent() -> None:
    with serving(stream(b"id: 1\ndata: a\n\nid\n\n"), END) as server:
        await read(server.url, last_event_id="")
    assert all("last-event-id" not in r.headers for r in server.requests)


@pytest.mark.parametrize("bad", ["a\x01b", "a\x7f", "\x1b", "x" * 100_000])
async def test_an_id_that_no_header_can_carry_is_not_sent(bad: str) -> None:
    with serving(stream(f"id: {bad}\ndata: a\n\n".encode()), END) as server:
        assert await read(server.url) == [("message", "a", bad)]
    assert "last-event-id" not in server.requests[1].headers


async def test_a_new_connection_without_ids_has_the_last_id() -> None:
    with serving(stream(b"id: 1\ndata: a\n\n"), stream(b"data: b\n\n"), END) as server:
        assert await read(server.url) == [("message", "a", "1"), ("message", "b", "1")]
    assert server.requests[2].headers["last-event-id"] == b"1"


# Answers


@pytest.mark.parametrize(
    "kind",
    ["text/event-stream", "TEXT/Event-Stream", "text/event-stream;", "text/event-stream; charset=latin-1", "text/event-stream ;x=bogus"],
)  # fmt: skip
async def test_the_essence_of_the_content_type_decides(kind: str) -> None:
    with serving([head("200 OK", kind), "data: ä\n\n".encode()], END) as server:
        assert await read(server.url) == [("message", "ä", "")]


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "text/event-stream-x", "x text/event-stream", "text/html, text/event-stream"]
)
async def test_another_content_type_ends_the_stream(kind: str | None) -> None:
    wanted = pytest.raises(RemoteError, match=r"content type is .* not text/event-stream")
    with serving([head("200 OK", kind), b"data: a\n\n"]) as server, wanted:
        await read(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("401 Unauthorized", "401 Unauthorized: the token was refused"),
        ("403 Forbidden", "403 Forbidden: .* may not read"),
        ("404 Not Found", "404 Not Found: there is no such stream"),
        ("410 Gone", "410 Gone"),
        ("400 Bad Request", "400 Bad Request"),
        ("205 Reset Content", "205"),
        ("210 Odd", "210: this answer holds no stream"),
        ("299 Odd", "299"),
        ("304 Not Modified", "304"),
    ],
)
async def test_a_status_that_another_try_cannot_mend_ends_the_stream_with_its_reason(
    status: str, message: str
) -> None:
    with (
        serving([head(status), b"data: a\n\n"]) as server,
        pytest.raises(RemoteError, match=message) as caught,
    ):
        await read(server.url)
    assert caught.value.status == int(status[:3])
    assert len(server.requests) == 1


async def test_204_ends_the_stream() -> None:
    with serving(stream(b"data: a\n\n"), END) as server:
        source = event_source(server.url, **OPTIONS)
        assert [event.data async for event in source] == ["a"]
        assert source.status.state == "ended"
        assert [event async for event in source] == []
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "status", ["429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Busy", "408 Slow"]
)
async def test_a_passing_failure_is_tried_again(status: str) -> None:
    with serving([head(status)], [head(status)], stream(b"data: a\n\n"), END) as server:
        assert await read(server.url) == [("message", "a", "")]


async def test_the_client_gives_up_only_a_server_that_never_streamed() -> None:
    wanted = pytest.raises(RemoteError, match="503 Service Unavailable, 4 times")
    with serving([head("503 Busy")]) as server, wanted as caught:
        await read(server.url)
    assert (len(server.requests), caught.value.status) == (4, 503)
    with serving(stream(b"data: a\n\n"), *[[head("503 Busy")]] * 20, END) as server:
        assert len(await read(server.url, sleep=Naps())) == 1
    assert len(server.requests) == 22


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("7", 7),
        ("99999999999999999999", 300),
        ("soon", 2),
        ("-1", 2),
        ("100 s from now", 100),
    ],
)
async def test_retry_after_is_honoured_within_bounds(header: str, wanted: float) -> None:
    naps = Naps()
    if "now" in header:
        header = email.utils.formatdate(time.time() + wanted, usegmt=True)
    with serving([head("429 Slowly", None, f"Retry-After: {header}")], END) as server:
        await read(server.url, reconnect_delay=2.0, sleep=naps)
    assert naps.seconds == [pytest.approx(wanted, abs=2)]


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_and_reconnects_go_to_the_first_url(status: int) -> None:
    answers: list[Answer] = [redirect(status, "/other?x=1"), stream(b"id: 1\ndata: a\n\n"), END]
    with serving(*answers) as server:
        assert len(await read(server.url, headers={"X-Mine": "1"})) == 1
    assert [r.target for r in server.requests] == ["/stream", "/other?x=1", "/stream"]
    assert [r.headers.get("x-mine") for r in server.requests] == [b"1"] * 3


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://localhost/x", "http://[bad"])
async def test_a_redirect_to_an_invalid_url_ends_the_stream(target: str) -> None:
    with serving(redirect(302, target)) as server, pytest.raises(RemoteError, match="redirects to nowhere"):
        await read(server.url)


async def test_a_redirect_without_a_target_and_a_circle_end_the_stream() -> None:
    with serving([head("302 Found")]) as server, pytest.raises(RemoteError, match="redirects to nowhere"):
        await read(server.url)
    with serving(redirect(302, "/stream")) as server, pytest.raises(RemoteError, match="more than 20 times"):
        await read(server.url)


# Lost connections


@pytest.mark.parametrize("end", [[], [RESET], [b"\xff", RESET]])
async def test_a_connection_that_ends_or_breaks_is_resumed(end: list[bytes]) -> None:
    with serving(stream(b"id: 1\ndata: a\n\nid: 2\n", *end), stream(b"\ndata: b\n\n"), END) as server:
        events = await read(server.url)
    assert [event[1] for event in events] == ["a", "b"]
    assert server.requests[1].headers["last-event-id"] == b"1"


async def test_a_body_cut_in_its_chunked_form_is_resumed() -> None:
    chunked = head("200 OK", "text/event-stream", "Transfer-Encoding: chunked")
    with serving([chunked, b"9\r\ndata: a\n\n\r\n", b"ff\r\ndata"], END) as server:
        assert await read(server.url) == [("message", "a", "")]
    assert len(server.requests) == 2


async def test_a_silent_connection_is_dead() -> None:
    with serving(stream(b": hello\n", HANG), [HANG], END) as server:
        source = event_source(server.url, idle_timeout=2, **OPTIONS)
        reasons = reasons_of(source)
        assert [event async for event in source] == []
    assert reasons == ["nothing came for too long", "the server does not answer"]


async def test_the_client_waits_for_a_server_that_does_not_listen_yet() -> None:
    with serving(END) as gone:
        url = gone.url
    naps = Naps()
    source = event_source(url, sleep=naps, reconnect_delay=1.0, jitter=lambda: 0.0)
    reasons = reasons_of(source)

    async def close_later() -> None:
        while len(naps.seconds) < 8:
            await anyio.lowlevel.checkpoint()
        source.close()

    async with anyio.create_task_group() as group:
        group.start_soon(close_later)
        assert [event async for event in source] == []
    assert naps.seconds[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert reasons[0] == "no connection (Connection refused)"


async def test_delays_grow_restart_after_progress_and_are_never_shorter_than_requested() -> None:
    naps = Naps()
    nothing, something = stream(b": ping\n"), stream(b"data: a\n\n")
    with serving(nothing, nothing, something, nothing, stream(b"id: 1\n\n"), END) as server:
        await read(server.url, sleep=naps, reconnect_delay=2.0, jitter=lambda: 0.5)
    assert naps.seconds == pytest.approx([2.1, 4.2, 2.1, 4.2, 2.1])


async def test_the_servers_retry_is_honoured_at_once_and_within_bounds() -> None:
    naps = Naps()
    answers = stream(b"retry: 700\n"), stream(b"data: a\n\n"), stream(b"data: b\n\nretry: 999999999999\n\n")
    with serving(*answers, END) as server:
        await read(server.url, sleep=naps)
    assert naps.seconds == pytest.approx([0.7, 0.7, 300])


async def test_an_event_that_is_too_long_ends_the_stream() -> None:
    wanted = pytest.raises(RemoteError, match="longer than 64 bytes")
    with serving(stream(b"data: " + b"a" * 100 + b"\n\n")) as server, wanted:
        await read(server.url, max_event=64)
    assert len(server.requests) == 1


async def test_a_gzipped_body_is_read_whole() -> None:
    import gzip  # noqa: PLC0415

    body = gzip.compress(b"data: a\n\n")
    with serving([head("200 OK", "text/event-stream", "Content-Encoding: gzip"), body], END) as server:
        assert await read(server.url) == [("message", "a", "")]
    assert server.requests[0].headers["accept-encoding"] == b"identity"


# Status, close and reconnect


def reasons_of(source: EventSource) -> list[str]:
    found: list[str] = []
    source.on_status(lambda status: found.append(status.reason) if status.reason else None)
    return found


async def state_of(source: EventSource, state: str) -> None:
    """Wait until the source is in that state."""
    there = anyio.Event()
    source.on_status(lambda status: there.set() if status.state == state else None)
    await there.wait()


async def test_the_status_reports_each_step_of_the_connection() -> None:
    with serving(
        stream(b"data: a\n\ndata: b\n\n"), [head("503 Busy")], stream(b"data: c\n\n"), END
    ) as server:
        source = event_source(server.url, **{**OPTIONS, "reconnect_delay": 0.01})
        lines: list[str] = []
        source.on_status(lambda status: lines.append(str(status)))
        assert len([event async for event in source]) == 3
    assert lines == [
        "connecting",
        "connecting",
        "live",
        "reconnecting in 0.0 s (try 1): the server ended the connection",
        "connecting",
        "reconnecting in 0.0 s (try 2): 503 Service Unavailable",
        "connecting (try 2)",
        "live, resumed after 2 events",
        "reconnecting in 0.0 s (try 1): the server ended the connection",
        "connecting",
        "ended",
    ]


@pytest.mark.parametrize("act", [EventSource.close, EventSource.aclose])
async def test_close_ends_a_pending_step_also_from_another_thread(act: Callable[[EventSource], Any]) -> None:
    with serving(stream(b"data: a\n\n", HANG)) as server:
        source = event_source(server.url, **OPTIONS)
        found: list[str] = []

        async def consume() -> None:
            found.extend([event.data async for event in source])
            found.append("over")

        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            with anyio.fail_after(5):
                await state_of(source, "live")
                if act is EventSource.close:
                    await anyio.to_thread.run_sync(source.close)
                else:
                    await source.aclose()
        assert found[-1] == "over"
        assert source.status.state == "ended"


async def test_reconnect_interrupts_a_read_and_a_wait() -> None:
    with serving(stream(b"id: 1\ndata: a\n\n", HANG), stream(b"data: b\n\n"), END) as server:
        source = event_source(server.url, reconnect_delay=1000.0)
        assert (await anext(source)).data == "a"

        async def later(state: str) -> None:
            await state_of(source, state)
            await anyio.to_thread.run_sync(source.reconnect)

        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(later, "live")
                assert (await anext(source)).data == "b"
            async with anyio.create_task_group() as group:
                group.start_soon(later, "reconnecting")
                assert [event async for event in source] == []
    assert [r.headers.get("last-event-id") for r in server.requests] == [None, b"1", b"1"]


async def test_a_cancelled_step_loses_nothing() -> None:
    with serving(stream(b"id: 1\ndata: a\n\n", HANG), stream(b"id: 2\ndata: b\n\n"), END) as server:
        source = event_source(server.url, reconnect_delay=1000.0, sleep=Naps())
        assert (await anext(source)).data == "a"
        with anyio.move_on_after(0.05):
            await anext(source)
        assert source.last_event_id == "1"
        assert [event.data async for event in source] == ["b"]


async def test_the_id_to_resume_from_is_that_of_the_last_delivered_event() -> None:
    with serving(stream(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n", HANG)) as server:
        async with event_source(server.url, **OPTIONS) as source:
            assert (await anext(source)).id == source.last_event_id == "1"
            assert (await anext(source)).id == "2"
            assert source.last_event_id == "3"


async def test_a_second_reader_of_one_stream_raises() -> None:
    with serving(stream(HANG)) as server:
        async with event_source(server.url, **OPTIONS) as source, anyio.create_task_group() as group:
            group.start_soon(anext, source)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(ConsumedError):
                await anext(source)
            group.cancel_scope.cancel()


@pytest.mark.parametrize("url", ["ftp://host/x", "host/x", "http://", "http://[x/", "", "http://a b/"])
def test_an_invalid_url_raises_at_once(url: str) -> None:
    with pytest.raises(RemoteError, match="no http"):
        event_source(url)

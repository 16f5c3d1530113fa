"""Read broken and hostile servers: each costs a bounded wait and a clear error, and nothing else."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.remote.serving import HANG, RESET, Answer, Naps, Request, head, redirect, serving
from vibe_notebook.events import to_json
from vibe_notebook.remote import RemoteError, ServerSentEvent, Status, event_source, follow
from vibe_notebook.remote._dialects import Dialect
from vibe_notebook.remote._http import Inflater, is_compressed
from vibe_notebook.remote._interruptible import Interruptible
from vibe_notebook.remote._retry import LONGEST, Backoff, retry_after

pytestmark = pytest.mark.anyio
END = [head("204 No Content", None)]
A, B = b"id: 1\ndata: a\n\n", b"id: 2\ndata: b\n\n"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def read(url: str, **options: Any) -> list[str]:
    options = {"reconnect_delay": 0.0, "jitter": lambda: 0.0, **options}
    async with event_source(url, **options) as source:
        with anyio.fail_after(10):
            return [event.data async for event in source]


def encoded(coding: str, *pieces: bytes) -> list[bytes]:
    return [head("200 OK", "text/event-stream", f"Content-Encoding: {coding}"), *pieces]


# Delays


@pytest.mark.parametrize("body", [b"", b": ping\n", b"retry: 0\n", b"retry: 0\ndata: half"])
async def test_empty_answers_make_the_delay_grow(body: bytes) -> None:
    naps = Naps()
    with serving(*[[head(), b"retry: 0\n", body]] * 20, END) as server:
        assert await read(server.url, sleep=naps) == []
    assert naps.seconds[:5] == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16])
    assert naps.seconds == sorted(naps.seconds)
    assert naps.seconds[-1] == 30


@pytest.mark.parametrize(("retry", "wanted"), [(b"0", 0.01), (b"1000000000000", 300), (b"9" * 5000, 300)])
async def test_a_servers_retry_is_bounded_below_and_above(retry: bytes, wanted: float) -> None:
    naps = Naps()
    with serving([head(), A, b"retry: " + retry + b"\n"], END) as server:
        assert await read(server.url, sleep=naps) == ["a"]
    assert naps.seconds == [pytest.approx(wanted)]


@given(
    st.floats(0, 1e12),
    st.lists(st.one_of(st.none(), st.floats(0, allow_nan=False)), max_size=80),
    st.floats(0, 1),
)
def test_a_delay_is_never_shorter_than_requested_nor_longer_than_the_limit(
    base: float, requested: list[float | None], random: float
) -> None:
    backoff = Backoff(base, lambda: random)
    for at_least in requested:
        delay = backoff.next(at_least)
        assert min(max(base, at_least or 0, 0.01), LONGEST) <= delay <= LONGEST * 1.1


@given(st.text(max_size=40) | st.from_regex(r"\d{1,30}") | st.datetimes().map(str))
def test_any_retry_after_is_a_delay_or_nothing(value: str) -> None:
    delay = retry_after(value)
    assert delay is None or delay >= 0


# Bodies


async def test_endless_bytes_without_a_line_end_raise() -> None:
    def answer(request: Request) -> Iterator[bytes]:
        del request
        yield head()
        while True:
            yield b"x" * 65_536

    wanted = pytest.raises(RemoteError, match="longer than 1,000,000 bytes")
    with serving(answer) as server, wanted:
        await read(server.url, max_event=1_000_000)
    assert len(server.requests) == 1


async def test_a_body_may_end_in_every_way_of_http() -> None:
    chunked = head("200 OK", "text/event-stream", "Transfer-Encoding: chunked")
    old = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    counted = head("200 OK", "text/event-stream", f"Content-Length: {len(A)}")
    short = head("200 OK", "text/event-stream", "Content-Length: 1000")
    answers: list[Answer] = [
        [chunked, b"%x\r\n%s\r\n0\r\n\r\n" % (len(A), A)],
        [chunked, b"%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(A), A)],
        [chunked, b"%x\r\n%s\r\n" % (len(A), A)],
        [chunked, b"%x\r\n%s\r\nnonsense\r\n" % (len(A), A)],
        [old, A],
        [counted, A],
        [short, A],
        [head(), b"\xef\xbb\xbf", A],
    ]
    with serving(*answers, END) as server:
        assert await read(server.url) == ["a"] * len(answers)
    assert [r.headers.get("last-event-id") for r in server.requests] == [None, *[b"1"] * len(answers)]


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity, gzip", "deflate"])
async def test_a_compressed_body_is_read_member_for_member(coding: str) -> None:
    pack = zlib.compress if coding == "deflate" else gzip.compress
    whole = pack(A) + pack(B) + pack(b"data: c\n\n")
    pieces = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    with serving(encoded(coding, *pieces), encoded(coding, whole), END) as server:
        assert await read(server.url) == ["a", "b", "c"] * 2
    assert server.requests[0].headers["accept-encoding"] == b"identity"


async def test_a_flushed_event_of_a_compressed_body_is_delivered_at_once() -> None:
    packer = zlib.compressobj(wbits=31)
    flushed = packer.compress(A) + packer.flush(zlib.Z_SYNC_FLUSH)
    with serving(encoded("gzip", flushed, HANG)) as server:
        async with event_source(server.url) as source:
            with anyio.fail_after(5):
                assert (await anext(source)).data == "a"


async def test_a_compressed_body_that_is_cut_or_broken_is_a_lost_connection() -> None:
    packed = gzip.compress(A) + gzip.compress(B)
    statuses: list[Status] = []
    broken = (packed[:-5], packed[:-8] + b"\0" * 8, gzip.compress(A) + b"garbage", packed[:30], A)
    for body in broken:
        with serving(encoded("gzip", body), END) as server:
            source = event_source(server.url, reconnect_delay=0.0)
            source.on_status(statuses.append)
            assert [event.data async for event in source] in (["a"], ["a", "b"], [])
            assert len(server.requests) == 2
    reasons = [each.reason for each in statuses if each.state == "reconnecting"]
    assert reasons == ["its compressed body is broken"] * len(broken)
    with serving(encoded("gzip", packed[:-5])) as server:
        wanted = pytest.raises(
            RemoteError, match="compressed body is broken, and this stream cannot be resumed"
        )
        with wanted:
            await read(server.url, json={})


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "x"])
async def test_a_body_in_an_unknown_encoding_is_refused(coding: str) -> None:
    assert is_compressed(coding) is None
    with serving(encoded(coding, A)) as server, pytest.raises(RemoteError, match="its content encoding is"):
        await read(server.url)
    assert len(server.requests) == 1


@given(st.lists(st.binary(max_size=200), max_size=5), st.lists(st.integers(0, 400), max_size=5))
def test_a_compressed_body_is_decoded_at_any_cut(texts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(map(gzip.compress, texts))
    at = [0, *sorted(cuts), len(whole)]
    inflater = Inflater()
    pieces = [whole[i:j] for i, j in itertools.pairwise(at)]
    assert b"".join(out for piece in pieces for out in inflater.feed(piece)) == b"".join(texts)
    assert inflater.is_whole


def test_a_highly_compressed_body_is_decoded_in_bounded_pieces() -> None:
    inflater, size = Inflater(), 1 << 25
    pieces = [len(piece) for piece in inflater.feed(gzip.compress(bytes(size)))]
    assert sum(pieces) == size  # a multiple of the piece size
    assert max(pieces) <= 1 << 20
    assert inflater.is_whole


# Redirects


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:-1/",
        f"http://{'a' * 64}.example/",
        "http://a..b/",
        "http://.:1/",
    ],
)
async def test_a_url_that_no_resolver_accepts_is_refused(target: str) -> None:
    with serving(redirect(302, target)) as server, pytest.raises(RemoteError, match="redirects to nowhere"):
        await read(server.url)
    with pytest.raises(RemoteError, match="no http"):
        event_source(target)


async def test_two_servers_that_redirect_to_each_other_are_given_up() -> None:
    with serving(END) as one, serving(redirect(307, one.url)) as other:
        one.answers[:] = [redirect(307, other.url)]
        with pytest.raises(RemoteError, match="more than 20 times"):
            await read(one.url, token="t")  # noqa: S106 - made up
        requested = one.requests + other.requests
    assert len(requested) == 21
    assert sum("authorization" in request.headers for request in requested) == 1


# Cancelled readers


def own(n: int) -> bytes:
    body = {"type": "text_delta", "agent_id": "a", "run_id": "r", "seq": n, "delta": f"{n} "}
    return f"id: 1700000000000-{n}\ndata: {json.dumps(body)}\n\n".encode()


GAP = b'event: gap\ndata: {"reason": "trimmed", "after": "1-1", "first": "1-3", "missed": 1}\n\n'


def project(url: str) -> str:
    return url.removesuffix("/stream") + "/projects/p/stream"


async def test_a_reader_cancelled_at_a_gap_meets_the_gap_again() -> None:
    requested = threading.Event()

    def hang(request: Request) -> Iterator[bytes]:
        del request
        requested.set()
        yield HANG

    with serving([head(), own(1), GAP, own(3), HANG], hang, [head("404 No")], END) as server:
        async with follow(project(server.url)) as stream:
            assert (await anext(stream)).seq == 1
            with anyio.fail_after(10), anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(anext, stream)
                    await anyio.to_thread.run_sync(requested.wait, 5)
                    scope.cancel()
            with anyio.fail_after(10):
                gap, event = await anext(stream), await anext(stream)
    assert getattr(gap, "name", "").startswith("1 event is no longer on the server")
    assert event.seq == 3


@pytest.mark.parametrize("act", ["close", "idle"])
async def test_a_transcript_that_never_arrives_does_not_block_the_stream(act: str) -> None:
    requested = threading.Event()

    def hang(request: Request) -> Iterator[bytes]:
        del request
        requested.set()
        yield HANG

    with serving([head(), own(1), GAP, own(3), HANG], hang, END) as server:
        stream = follow(project(server.url), idle_timeout=0.3 if act == "idle" else 60, reconnect_delay=0.0)

        async def close() -> None:
            await anyio.to_thread.run_sync(requested.wait, 5)
            if act == "close":
                stream.close()

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(close)
                types = [event.type async for event in stream]
    assert types[0] == "text_delta"
    assert types[1:] == ([] if act == "close" else ["artifact", "text_delta"])


async def test_a_reader_cancelled_many_times_misses_and_doubles_nothing() -> None:
    """Cancel the reader after each number of scheduler turns: every await of a connection is among them."""

    def answer(request: Request) -> list[bytes]:
        after = int(request.headers.get("last-event-id", b"1-0").partition(b"-")[2])
        if after >= 12:
            return END
        return [head(), *(own(n) for n in range(after + 1, min(after + 4, 13))), RESET]

    got: list[int | None] = []
    with serving(answer) as server:
        stream = follow(server.url, reconnect_delay=0.0)
        is_over, turns = False, 0
        with anyio.fail_after(100):
            patience = 0.001
            while not is_over:
                patience, turns, before = patience * 1.05, (turns + 1) % 23, len(got)
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as group:
                        group.start_soon(_cancel_after, turns, patience, scope)
                        try:
                            got.append((await anext(stream)).seq)
                        except StopAsyncIteration:
                            is_over = True
                        group.cancel_scope.cancel()
                if len(got) > before:
                    patience = 0.001
        await stream.aclose()
    assert got == list(range(1, 13))


async def _cancel_after(turns: int, seconds: float, scope: anyio.CancelScope) -> None:
    """Cancel after *turns* turns, every other time late enough for an event to arrive on a slow machine."""
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()
    await anyio.sleep(seconds if turns % 2 else 0)
    scope.cancel()


async def test_an_interrupt_during_the_steps_end_is_not_lost() -> None:
    waiting = Interruptible()

    async def step() -> None:
        waiting.interrupt()

    async def nothing() -> None:
        pass

    assert await waiting.wait(step)
    assert not await waiting.wait(nothing)
    waiting.interrupt()
    assert await waiting.wait(nothing)


# Hostile events

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ("type", "agent_id", "run_id", "id", "seq", "delta", "choices", "object", "message", "message_id", "part",
     "content_block", "index", "response", "item", "role", "chunk", "usage", "tool_call_id", "event", "data")
)  # fmt: skip
TYPES = st.sampled_from(
    ("text_delta", "run_started", "run_finished", "tool_started", "RUN_STARTED", "TEXT_MESSAGE_CONTENT", "start",
     "text-delta", "finish", "error", "message_start", "content_block_delta", "response.created",
     "response.output_text.delta", "response.completed", "part_delta", "message_complete", "ping", "gap", "\ud800")
)  # fmt: skip
BODY = st.dictionaries(NAMES, VALUE | TYPES | st.dictionaries(NAMES, VALUE, max_size=4), max_size=6)
TYPED = st.builds(lambda kind, body: {**body, "type": kind}, TYPES, BODY)
DATA = (BODY | TYPED).map(json.dumps) | st.text(max_size=20) | st.just("[DONE]")
EVENTS = st.builds(ServerSentEvent, TYPES | st.just("message"), DATA, st.text(max_size=6) | st.just("1-1"))


@example([ServerSentEvent(data='{"a":' * 5000), ServerSentEvent(data='{"a":' + "9" * 5000 + "}")], "auto")
@example([ServerSentEvent("message", '{"type": []}')], "auto")
@example([ServerSentEvent("message", '{"type": {}}')], "agui")
@given(st.lists(EVENTS, max_size=5), st.sampled_from(["auto", "agui", "openai_chat", "anthropic", "vibex"]))
def test_any_events_of_a_server_are_read_without_an_error(
    events: list[ServerSentEvent], adapter: str
) -> None:
    dialect = Dialect(agent_id="a", run_id="r", adapter=adapter)
    made = [event for each in events for event in dialect.read(each)] + dialect.finish()
    for event in made:
        json.loads(to_json(event))
        to_json(event).encode()

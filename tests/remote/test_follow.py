"""Follow remote streams as the package's own events: each once, in any dialect, over lost connections."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import vibe_notebook as vibe
from tests.remote.serving import HANG, RESET, Answer, Request, head, serving
from vibe_notebook.events import (
    Artifact,
    Event,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.exceptions import AdapterError
from vibe_notebook.registry import Registry
from vibe_notebook.remote import Follow, RemoteError, follow
from vibe_notebook.remote._gaps import events_of
from vibe_notebook.transcript import Transcript

pytestmark = pytest.mark.anyio
SAMPLES = Path(__file__).parent.parent / "samples"
END = [head("204 No Content", None)]
OPTIONS: dict[str, Any] = {"reconnect_delay": 0.0}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def read(url: str, **options: Any) -> list[Event]:
    async with follow(url, **{**OPTIONS, **options}) as stream:
        with anyio.fail_after(10):
            return [event async for event in stream]


async def transcript_of_stream(url: str, **options: Any) -> Transcript:
    """Return the transcript of the stream's events."""
    events = await read(url, **options)
    with Registry(hold=0) as registry:
        for event in events:
            registry.dispatch(event)
        (agent,) = registry.agents()
        registry.finish(agent)
        return registry.transcript(agent)


def own(n: int, **more: Any) -> bytes:
    """Return one of the package's events as its server sends it."""
    body = {"type": "text_delta", "agent_id": "a", "run_id": "r", "seq": n, "delta": f"{n} ", **more}
    return f"id: 1700000000000-{n}\nevent: agent_event\ndata: {json.dumps(body)}\n\n".encode()


def stream(*pieces: bytes, extra: tuple[str, ...] = ()) -> list[bytes]:
    return [head("200 OK", "text/event-stream", *extra), *pieces]


def numbers(events: list[Event]) -> list[int]:
    return [event.seq for event in events if isinstance(event, TextDelta) and event.seq is not None]


# The package's own events


async def test_own_events_bear_the_servers_ids() -> None:
    with serving(stream(b"retry: 10\n\n", own(1), own(2)), END) as server:
        first, second = await read(server.url)
    assert first == TextDelta(agent_id="a", run_id="r", seq=1, delta="1 ", id="1700000000000-1")
    assert second.id == "1700000000000-2"


async def test_an_unknown_type_and_an_invalid_event_become_custom_events() -> None:
    bad = b'id: 1700000000000-2\ndata: {"type": "text_delta", "agent_id": "a", "run_id": "r", "delta": 1}\n\n'
    with serving(stream(own(1, type="brand_new"), bad), END) as server:
        new, wrong = await read(server.url)
    assert (new.type, getattr(new, "name", None)) == ("custom", "brand_new")
    assert (wrong.type, wrong.agent_id) == ("custom", "a")


async def test_events_repeated_after_a_reconnect_are_dropped() -> None:
    again = stream(own(1), own(2), own(2), own(3), RESET), stream(own(2), own(3), own(4)), END
    with serving(stream(own(1), own(2), b"id: 1700000000000-3\ndata: {"), *again) as server:
        assert numbers(await read(server.url)) == [1, 2, 3, 4]
    assert [r.headers.get("last-event-id", b"")[-1:] for r in server.requests] == [b"", b"2", b"3", b"4"]


async def test_the_stream_begins_after_a_given_id() -> None:
    with serving(stream(own(2), own(3), own(10)), END) as server:
        assert numbers(await read(server.url, last_event_id="1700000000000-3")) == [10]
    assert server.requests[0].headers["last-event-id"] == b"1700000000000-3"


async def test_a_project_is_followed_from_its_first_event() -> None:
    with serving(END) as server:
        base = server.url.removesuffix("/stream")
        await read(f"{base}/projects/p%201/stream?a=b", params={"c": "d"})
        await read(f"{base}/xagents/p/stream", last_event_id="1-5")
        await read(f"{base}/projects/p/stream?last_event_id=7-7")
    assert [r.target for r in server.requests] == [
        "/projects/p%201/stream?a=b&c=d&last_event_id=0",
        "/xagents/p/stream",
        "/projects/p/stream?last_event_id=7-7",
    ]


async def test_the_id_is_committed_when_its_event_is_delivered() -> None:
    with serving(stream(own(1), own(2), HANG)) as server:
        async with follow(server.url, **OPTIONS) as stream_:
            assert stream_.last_event_id == ""
            for n in (1, 2):
                assert (await anext(stream_)).seq == n
                assert stream_.last_event_id == f"1700000000000-{n}"


async def test_a_new_reader_resumes_where_a_cancelled_one_stopped() -> None:
    found: list[Event] = []
    with serving(stream(own(1), own(2), HANG), stream(own(2), own(3)), END) as server:
        stream_ = follow(server.url, **OPTIONS)
        with anyio.fail_after(10), anyio.CancelScope() as reading:
            async for event in stream_:
                found.append(event)
                if len(found) == 2:
                    reading.cancel()
        await stream_.aclose()
        found += await read(server.url, last_event_id=stream_.last_event_id)
    assert numbers(found) == [1, 2, 3]


async def test_a_stream_without_ids_ends_with_its_runs_and_not_before() -> None:
    bare = [own(n).partition(b"\n")[2] for n in (1, 2)]
    start, end = (own(0, type=f"run_{edge}").partition(b"\n")[2] for edge in ("started", "finished"))
    with serving(stream(start, *bare, end)) as server:
        assert len(await read(server.url)) == 4
    with serving(stream(start, *bare)) as server:
        stream_ = follow(server.url, **OPTIONS)
        assert [(await anext(stream_)).type for _ in range(3)] == ["run_started", "text_delta", "text_delta"]
        with pytest.raises(RemoteError, match="ended in the middle, and this stream cannot be resumed"):
            await anext(stream_)
    assert len(server.requests) == 1


# Other dialects


def sse(lines: Iterator[dict[str, Any]], *, named: bool = False) -> bytes:
    events = [line["event"] for line in lines]
    return b"".join(
        (f"event: {e['type']}\n" if named else "").encode() + f"data: {json.dumps(e)}\n\n".encode()
        for e in events
    )


def recorded(name: str) -> Iterator[dict[str, Any]]:
    for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


async def test_ag_ui_is_understood() -> None:
    with serving(stream((SAMPLES / "agui.sse").read_bytes())) as server:
        transcript = await transcript_of_stream(server.url)
    assert transcript.outcome == "success"
    assert "Paris is 18" in transcript.text
    assert [tool.tool_name for tool in transcript.tools] == ["get_weather", "get_weather"]
    assert transcript.agent_id == "stream"


async def test_vercels_stream_is_understood_and_ends_before_its_connection() -> None:
    body = (SAMPLES / "vercel_ai_ui.sse").read_bytes()
    with serving(stream(body, HANG, extra=("x-vercel-ai-ui-message-stream: v1",))) as server:
        transcript = await transcript_of_stream(server.url, agent_id="ui")
    assert (transcript.agent_id, transcript.outcome, len(transcript.tools)) == ("ui", "success", 2)
    assert transcript.usage is not None or transcript.text


async def test_openais_responses_are_understood() -> None:
    with serving(stream((SAMPLES / "openai_responses.turn1.sse").read_bytes())) as server:
        transcript = await transcript_of_stream(server.url)
    assert transcript.outcome == "success"
    assert [tool.tool_name for tool in transcript.tools] == ["get_weather", "get_weather"]


async def test_openais_chat_is_understood() -> None:
    chunks = [
        {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]}
        for word in ("Hello ", "world")
    ]
    chunks.append(
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        }
    )
    body = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)
    with serving(stream(body, b"data: [DONE]\n\n", HANG), stream(body), stream(body[:200])) as server:
        assert (await transcript_of_stream(server.url)).text == "Hello world"
        assert (await transcript_of_stream(server.url)).text == "Hello world"
        with pytest.raises(RemoteError, match="ended in the middle"):
            await read(server.url)


async def test_anthropics_messages_are_understood() -> None:
    body = sse(line for line in recorded("anthropic.jsonl") if "snapshot" not in line["event"])
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    with serving(stream(ping, body)) as server:
        transcript = await transcript_of_stream(server.url)
    assert transcript.thinking
    assert transcript.tools


async def test_project_events_are_understood_and_their_ids_have_no_order() -> None:
    def framed(event: dict[str, Any]) -> bytes:
        return f"id: {event['id']}\r\nevent: {event['event']}\r\ndata: {json.dumps(event['data'])}\r\n\r\n".encode()

    frames = [framed(line["event"]) for line in recorded("vibex_queue.jsonl")]
    # The server cuts the connection, and repeats some events with the same ids.
    answers: list[Answer] = [
        stream(*frames[:5]),
        stream(*frames[3:5], *frames[5:12], b": ping\r\n\r\n"),
        stream(*frames[12:]),
    ]
    with serving(*answers, END) as server:
        url = server.url.removesuffix("/stream") + "/xagents/proj1/stream?user_id=u"
        transcript = await transcript_of_stream(url)
    assert transcript.agent_id == "proj1"
    assert (
        transcript.text
        == "Let me check both cities.Paris is 18 °C and sunny; **Atlantis** could not be found."
    )
    assert [tool.args["city"] for tool in transcript.tools] == ["Paris", "Atlantis"]


async def test_a_project_may_mix_own_events_and_project_events() -> None:
    chunk = b'id: 1700000000000-2\nevent: stream_chunk\ndata: {"message_id": "m", "chunk": "theirs", "is_final": true}\n\n'
    with serving(stream(own(1), chunk, own(3)), END) as server:
        events = await read(server.url.removesuffix("/stream") + "/projects/p/stream")
    deltas = [event for event in events if isinstance(event, TextDelta)]
    assert [(event.agent_id, event.delta) for event in deltas] == [("a", "1 "), ("p", "theirs"), ("a", "3 ")]


async def test_an_answer_that_breaks_off_is_an_error_and_keeps_its_events() -> None:
    body = (SAMPLES / "agui.sse").read_bytes()
    for cut in ([body[: len(body) // 2]], [body[: len(body) // 2], RESET]):
        with serving(stream(*cut)) as server:
            watched = vibe.watch(follow(server.url, **OPTIONS), display=False)
            with pytest.raises(RemoteError, match="cannot be resumed"):
                await watched
        assert watched.transcript.outcome == "error"
        assert "cannot be resumed" in (watched.transcript.error or "")
        assert "Let me check" in watched.transcript.text or watched.transcript.thinking


async def test_an_answer_with_ids_is_resumed() -> None:
    blocks = (SAMPLES / "agui.sse").read_bytes().split(b"\n\n")[:-1]
    frames = [b"id: e%d\n%s\n\n" % (n, block) for n, block in enumerate(blocks)]
    with serving(stream(*frames[:9], RESET), stream(*frames[4:20]), stream(*frames[20:]), END) as server:
        resumed = await transcript_of_stream(server.url)
    with serving(stream(*frames), END) as server:
        whole = await transcript_of_stream(server.url)
    assert resumed.text == whole.text
    assert len(resumed.parts) == len(whole.parts)
    assert resumed.outcome == "success"


async def test_unknown_events_are_shown_under_their_own_names() -> None:
    body = b"".join(b'id: 1-%d\nevent: metric\ndata: {"v": %d}\n\n' % (n, n) for n in (1, 2))
    with serving(stream(b": hi\n\n", body), END) as server:
        events = await read(server.url)
    assert [getattr(event, "name", None) for event in events if event.type == "custom"] == [
        "metric",
        "metric",
    ]
    odd = b'data: {"odd": 1}\n\n' * 3
    with serving(stream(odd, (SAMPLES / "agui.sse").read_bytes())) as server:
        events = await read(server.url)
    assert sum(getattr(event, "value", None) == {"odd": 1} for event in events) == 3
    assert events[-1].type == "run_finished"


async def test_the_caller_may_name_the_dialect() -> None:
    with serving(stream((SAMPLES / "agui.sse").read_bytes())) as server:
        assert (await transcript_of_stream(server.url, adapter="ag-ui")).outcome == "success"
    with pytest.raises(AdapterError, match="no adapter"):
        follow(server.url, adapter="nothing")


# As a source


async def test_follow_is_an_async_source_for_watch() -> None:
    with serving(
        stream(own(0, type="run_started"), own(1), own(2), own(3, type="run_finished")), END
    ) as server:
        transcript = await vibe.watch(follow(server.url, **OPTIONS), display=False)
        with pytest.raises(TypeError, match="async for"):
            list(vibe.watch(follow(server.url, **OPTIONS), display=False))
    assert (transcript.text, transcript.outcome) == ("1 2 ", "success")


async def test_watching_a_url_again_shows_its_events_again() -> None:
    with serving(stream(own(1)), END, stream(own(1)), END) as server:
        for _ in range(2):
            assert (await vibe.watch(follow(server.url, **OPTIONS), display=False)).text == "1 "


async def test_cancel_and_close_end_the_stream_at_once() -> None:
    with serving(stream(own(1), HANG)) as server:
        watched = vibe.watch(follow(server.url, **OPTIONS), display=False)
        stream_ = follow(server.url, **OPTIONS)
        with anyio.fail_after(5):
            async for _ in watched:
                watched.cancel()
            async for _ in stream_:
                stream_.close()
    assert (watched.transcript.outcome, stream_.status.state) == ("cancelled", "ended")


async def test_break_finishes_the_watch_and_closes_the_connection_without_a_warning() -> None:
    gone = threading.Event()

    def answer(request: Request) -> Iterator[bytes]:
        del request
        yield from stream(own(1))
        while not gone.is_set():
            try:
                yield b": still there?\n"
            except GeneratorExit:
                gone.set()
                raise
            gone.wait(0.001)

    with serving(answer) as server, anyio.fail_after(10):
        run = vibe.watch(follow(server.url, **OPTIONS), display=False)
        async for _ in run:
            break
        gc.collect()  # an object dropped with a warning would warn now
        while not (run.done() and await anyio.to_thread.run_sync(gone.wait, 0.01)):
            await anyio.lowlevel.checkpoint()
    assert (run.transcript.outcome, run.transcript.text) == ("cancelled", "1 ")


async def test_a_refusal_is_raised_and_shown() -> None:
    with serving([head("403 No")]) as server:
        watched = vibe.watch(follow(server.url), display=False)
        with pytest.raises(RemoteError, match="403"):
            await watched
    assert "403" in (watched.transcript.error or "")


def test_the_title_is_the_projects_name_or_the_url_without_secrets() -> None:
    assert follow("http://h/projects/my%20project/stream?token=x").title == "my project"
    made = follow("http://u:p@h/x?token=x")
    assert made.title == "http://***@h/x?token=***"
    assert repr(made) == "<follow http://***@h/x?token=***: connecting>"
    assert isinstance(made, Follow)


# Gaps


def project(server_url: str) -> str:
    return server_url.removesuffix("/stream") + "/projects/p/stream"


def gap(**more: Any) -> bytes:
    body = {
        "reason": "trimmed",
        "after": "1700000000000-2",
        "first": "1700000000000-7",
        "last": "1700000000000-9",
        "missed": 4,
        **more,
    }
    return f"event: gap\ndata: {json.dumps(body)}\n\n".encode()


def transcript_of(upto: int, *, first: int = 1, incomplete: bool = False, **more: Any) -> list[bytes]:
    """Return a server's transcript of the events from *first* to *upto*."""
    with Registry(hold=0) as registry:
        for n in range(first, upto + 1):
            registry.dispatch(
                {"type": "text_delta", "agent_id": "a", "run_id": "r", "seq": n, "delta": f"{n} "}
            )
        body = registry.transcript("a").model_dump(mode="json")
    facts = {
        "project_id": "p",
        "agents": ["a"],
        "first_event_id": f"1700000000000-{first}",
        "last_event_id": f"1700000000000-{upto}",
        "incomplete": incomplete,
        **more,
    }
    return [head("200 OK", "application/json"), json.dumps({**body, **facts}).encode()]


def notes(transcript: Transcript) -> list[str | None]:
    return [part.name for part in transcript.parts if part.kind == "artifact"]


async def test_a_gap_is_filled_from_the_transcript() -> None:
    answers = stream(own(1), own(2), RESET), stream(gap(), own(7), own(8), HANG), transcript_of(7)
    with serving(*answers) as server:
        watched = vibe.watch(follow(project(server.url), token="t", **OPTIONS), display=False)  # noqa: S106
        with anyio.fail_after(5):
            async for event in watched:
                if event.seq == 8:
                    watched.cancel()
    assert watched.transcript.text == "1 2 3 4 5 6 7 8 "
    (artifact,) = [part for part in watched.transcript.parts if part.kind == "artifact"]
    assert artifact.name == "4 events are no longer on the server; filled in from the transcript"
    fetched = server.requests[2]
    assert fetched.target.startswith("/projects/p/transcript")
    assert (fetched.headers["authorization"], fetched.headers["accept"]) == (b"Bearer t", b"application/json")


async def test_a_gap_that_cannot_be_filled_is_shown_with_its_size() -> None:
    answers = stream(own(1), own(2), RESET), stream(gap(), own(7), RESET), [head("404 No")], END
    with serving(*answers) as server:
        transcript = await transcript_of_stream(project(server.url))
    assert transcript.text == "1 2 7 "
    (artifact,) = [part for part in transcript.parts if part.kind == "artifact"]
    assert artifact.name == "4 events are no longer on the server; missing here"
    for form in (transcript.to_html(), transcript.to_markdown(), transcript.to_text()):
        assert "4 events are no longer on the server" in form


async def test_a_gap_before_the_first_event_is_shown_after_that_event() -> None:
    with serving(stream(gap(missed=1), own(7)), [head("404 No")], END) as server:
        events = await read(project(server.url))
    assert [event.type for event in events] == ["text_delta", "artifact"]
    assert getattr(events[1], "name", "").startswith("1 event is")


@pytest.mark.parametrize(
    ("first", "more", "text", "note"),
    [
        (7, {"incomplete": True}, "1 2 7 8 9 ", "missing here"),
        (
            5,
            {"incomplete": True},
            "1 2 5 6 7 8 9 ",
            "2 of them missing here, the rest filled in from the transcript, as far as it goes",
        ),
        (3, {"incomplete": True}, "1 2 3 4 5 6 7 8 9 ", "filled in from the transcript"),
        (2, {"incomplete": True}, "1 2 7 8 9 ", "missing here"),  # where its text begins in ours is not known
        (2, {"incomplete": True, "first_event_id": None}, "1 2 7 8 9 ", "missing here"),
        (1, {"first_event_id": None}, "1 2 3 4 5 6 7 8 9 ", "filled in from the transcript"),
        (1, {"last_event_id": None}, "1 2 7 8 9 ", "missing here"),
    ],
)
async def test_a_gap_never_takes_text_away_and_its_note_says_what_is_missing(
    first: int, more: dict[str, Any], text: str, note: str
) -> None:
    after = stream(gap(), own(7), own(8), own(9), RESET)
    answers = stream(own(1), own(2), RESET), after, transcript_of(8, first=first, **more), END
    with serving(*answers) as server:
        transcript = await transcript_of_stream(project(server.url))
    assert transcript.text == text
    assert notes(transcript) == [f"4 events are no longer on the server; {note}"]


@pytest.mark.parametrize("reason", ["ahead", "gone"])
@pytest.mark.parametrize("first", [1, 5])
async def test_another_log_fills_nothing_that_the_log_before_it_lost(first: int, reason: str) -> None:
    lost = gap(reason=reason, after="1600000000000-9", first=f"1700000000000-{first}", missed=None)
    again = gap(after="1700000000000-6", first="1700000000000-8", missed=1)
    answers: list[Answer] = [
        stream(own(20).replace(b"1700000000000", b"1600000000000"), RESET),
        stream(lost, *[own(n, seq=None) for n in range(first, 7)], RESET),
        stream(again, own(8, seq=None), RESET),
        transcript_of(8),
        END,
    ]
    if reason == "gone":
        answers.insert(2, transcript_of(6, incomplete=first > 1, first=first))
    with serving(*answers) as server:
        transcript = await transcript_of_stream(project(server.url))
    # The whole transcript of the second log would take away the text of the first one.
    assert transcript.text == "20 " + "".join(f"{n} " for n in range(first, 7)) + "8 "
    assert notes(transcript) == [
        "Some events are no longer on the server; missing here",
        "1 event is no longer on the server; missing here",
    ]


async def test_the_trimmed_beginning_of_another_log_is_put_behind_the_text_of_the_log_before_it() -> None:
    lost = gap(reason="gone", after="1600000000000-9", missed=None)
    answers = (
        stream(own(20).replace(b"1700000000000", b"1600000000000"), RESET),
        stream(lost, *[own(n, seq=None) for n in range(7, 10)], RESET),
        transcript_of(8),
        END,
    )
    with serving(*answers) as server:
        transcript = await transcript_of_stream(project(server.url))
    assert transcript.text == "20 1 2 3 4 5 6 7 8 9 "
    (note,) = notes(transcript)
    assert note == "Some events are no longer on the server; filled in from the transcript, as far as it goes"


async def test_ids_that_begin_anew_are_read_after_a_filled_gap() -> None:
    lost = gap(reason="ahead", after="1700000000000-9", first="1700000000000-1", missed=None)
    answers = (
        stream(own(1), own(2), RESET),
        stream(gap(), own(7), RESET),
        transcript_of(9),
        stream(lost, own(5, seq=None, delta="new "), RESET),
        END,
    )
    with serving(*answers) as server:
        transcript = await transcript_of_stream(project(server.url))
    assert transcript.text == "1 2 3 4 5 6 7 8 9 new "


def test_the_events_of_a_transcript_bring_another_one_to_its_state_and_appended_ones_take_nothing_away() -> (
    None
):
    base: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
    call: dict[str, Any] = {**base, "tool_call_id": "c"}
    shown: list[Event] = [
        TextDelta(**base, delta="1 "),
        ThinkingDelta(**base, delta="hm "),
        ToolCallDelta(**call, tool_name="t", delta='{"n": '),
        ToolStarted(**call),
        ToolStarted(**base, tool_call_id="d", args={"q": 1}),
        ToolProgress(**base, tool_call_id="d", delta="line 1\n"),
        ToolStarted(**base, tool_call_id="e"),
    ]
    after: list[Event] = [
        TextDelta(**base, delta="2 "),
        ThinkingDelta(**base, delta="so "),
        ToolCallDelta(**call, delta="1}"),
        ToolProgress(**base, tool_call_id="d", delta="line 2\n", progress=1),
        ToolFinished(**base, tool_call_id="e", output="done"),
        Artifact(**base, artifact_id="file", name="file"),
    ]
    preparing = ToolCallDelta(**base, tool_call_id="f", delta='{"x": 2}')

    def reduced(events: list[Event]) -> Transcript:
        with Registry() as registry:
            registry.dispatch(list(events))
            return registry.transcript("a")

    want = reduced([*shown, *after])
    assert reduced([*shown, *events_of(reduced([*after, preparing]), appends=True)]) == reduced(
        [*shown, *after, preparing]
    )
    assert reduced([*shown, *events_of(want)]) == want


async def test_events_of_a_restarted_stream_are_not_duplicates() -> None:
    fresh = [own(n).replace(b"1700000000000", b"1600000000000") for n in (1, 2)]
    answers = (
        stream(own(5)),
        stream(gap(reason="gone", first=None, missed=None), *fresh),
        END,
    )
    with serving(*answers) as server:
        events = await read(project(server.url))
    assert numbers(events) == [5, 1, 2]
    assert "Some events are" in str(events)

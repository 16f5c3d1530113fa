"""Tests that all three logs must pass."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import SECONDS, numbers, receive, receive_rest, send, stored
from vibe_notebook.exceptions import ClosedError, ProtocolError, VibeNotebookError
from vibe_notebook.projects import Entry, Gap, ProjectEventStream
from vibe_notebook.projects._entry import parse_id

pytestmark = pytest.mark.anyio


async def test_every_listener_gets_every_event_in_order(stream: ProjectEventStream) -> None:
    listeners = [stream.create_stream("p") for _ in range(5)]
    ids = [await stream.send_event("p", "note", {"n": n}) for n in range(20)]
    for listener in listeners:
        received = await receive(listener, 20)
        assert numbers(received) == list(range(20))
        assert [event["id"] for event in received] == ids
    assert sorted(set(ids), key=parse_id) == ids


async def test_projects_do_not_mix(stream: ProjectEventStream) -> None:
    names = ["a", "a:b", "a*", "å…?#", "p" * 200]
    listeners = [stream.create_stream(name) for name in names]
    for number, name in enumerate(names):
        await send(stream, number, project=name)
    for number, listener in enumerate(listeners):
        assert numbers(await receive(listener, 1)) == [number]
        assert listener.empty()
    assert [name for name, *_ in await stream.projects()] == sorted(names)


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "p" * 201, 7, None])
async def test_a_wrong_project_name_is_refused(stream: ProjectEventStream, name: Any) -> None:
    with pytest.raises(ProtocolError, match="project id"):
        await stream.send_event(name, "note", {})
    with pytest.raises(ProtocolError, match="project id"):
        stream.listen(name)


@pytest.mark.parametrize("event", ["", "a\nb", "a\rid: 9", "e" * 201, None])
async def test_an_event_type_that_would_break_the_wire_is_refused(
    stream: ProjectEventStream, event: Any
) -> None:
    with pytest.raises(ProtocolError, match="event type"):
        await stream.send_event("p", event, {})


async def test_late_listeners_get_the_history_after_their_id(stream: ProjectEventStream) -> None:
    ids = await send(stream, *range(10))
    whole, some, none = (
        stream.listen("p", after=""),
        stream.listen("p", after=ids[6]),
        stream.create_stream("p"),
    )
    await send(stream, 10)
    assert numbers(await receive(whole, 11)) == list(range(11))
    assert numbers(await receive(some, 4)) == [7, 8, 9, 10]
    assert numbers(await receive(none, 1)) == [10]


async def test_history_longer_than_a_batch_arrives_whole(stream: ProjectEventStream) -> None:
    await send(stream, *range(3_000))
    listener = stream.listen("p", after="0-0")
    await send(stream, 3_000)
    assert numbers(await receive(listener, 3_001)) == list(range(3_001))


async def test_events_sent_while_a_listener_reads_history_arrive_once(stream: ProjectEventStream) -> None:
    async def sender(start: int) -> None:
        for number in range(start, start + 100):
            await send(stream, number)

    received: list[list[dict[str, str]]] = []

    async def late(after: str) -> None:
        received.append(await receive_rest(stream.listen("p", after=after)))

    async with anyio.create_task_group() as listening:
        async with anyio.create_task_group() as sending:
            for part in range(4):
                sending.start_soon(sender, part * 100)
            for _ in range(20):
                listening.start_soon(late, "")
                await anyio.sleep(0.002)
        with anyio.fail_after(SECONDS):
            await stream.aclose_stream("p")
    whole = [entry.id for entry in await stream.read("p") if not isinstance(entry, Gap)]
    assert len(whole) == 400
    for events in received:
        assert [event["id"] for event in events] == whole


async def test_stream_events_resumes_after_the_last_id(stream: ProjectEventStream) -> None:
    ids = await send(stream, 1, 2, 3)
    events = stream.stream_events("p", last_event_id=ids[0])
    stream.close_stream("p")
    found = [event async for event in events]
    assert [sorted(event) for event in found] == [["data", "event", "id"]] * 2
    assert [event["id"] for event in found] == ids[1:]


async def test_read_continues_after_the_last_id_of_a_page(stream: ProjectEventStream) -> None:
    ids = await send(stream, *range(25))
    found, after = list[Any](), ""
    while page := await stream.read("p", after, 10):
        assert len(page) <= 10
        found += stored(page)
        after = page[-1].id if not isinstance(page[-1], Gap) else ""
    assert found == list(range(25))
    assert after == ids[-1]


async def test_trimmed_entries_cause_a_gap_without_an_id(stream: ProjectEventStream, kind: str) -> None:
    ids = await send(stream, *range(10))
    assert await stream.log.trim("p", 4) == 6
    first = (await receive(stream.listen("p", after=ids[1]), 5))[0]
    assert "id" not in first
    assert b"id:" not in Gap("trimmed", "1-1").frame
    data = json.loads(first["data"])
    assert (data["reason"], data["after"], data["first"], data["last"]) == ("trimmed", ids[1], ids[6], ids[9])
    # Redis does not number its entries.
    assert data["missed"] == (None if kind == "redis" else 4)
    assert stored(await stream.read("p")) == ["trimmed", 6, 7, 8, 9]
    gap = (await stream.read("p"))[0]
    assert isinstance(gap, Gap)
    assert gap.missed == 6
    assert stored(await stream.read("p", ids[6])) == [7, 8, 9]
    await stream.log.trim("p", 0)
    assert stored(await stream.read("p", ids[2])) == ["trimmed"]
    assert stored(await stream.read("p", ids[9])) == []
    await send(stream, 10)
    # For the same reason Redis reports a gap after the newest dropped entry.
    assert stored(await stream.read("p", ids[9])) == (["trimmed", 10] if kind == "redis" else [10])


async def test_an_id_ahead_of_the_stream_causes_a_gap_and_the_listener_continues(
    stream: ProjectEventStream,
) -> None:
    ids = await send(stream, 1)
    ms, count = parse_id(ids[0])
    listener = stream.listen("p", after=f"{ms}-{count + 7}")
    assert numbers(await receive(listener, 1)) == ["ahead"]
    await send(stream, 2)
    assert numbers(await receive(listener, 1)) == [2]


async def test_an_id_of_an_earlier_stream_causes_a_gap_and_all_of_the_new_stream_follows(
    stream: ProjectEventStream,
) -> None:
    listener = stream.listen("p", after="1700000000000-5")
    assert numbers(await receive(listener, 1)) == ["gone"]
    await send(stream, 1, 2)
    assert numbers(await receive(listener, 2)) == [1, 2]
    assert stored(await stream.read("p", "1700000000000-5")) == ["gone", 1, 2]


@pytest.mark.parametrize(
    "junk", ["$", "-", "x", "1-", "-1", "1-2-3", "1 ", "\u0661", "1\n", "9" * 21, "0x1", "+", ">"]
)
async def test_junk_is_refused_as_an_id(stream: ProjectEventStream, junk: str) -> None:
    for refused in (stream.listen, lambda name, after: stream.stream_events(name, last_event_id=after)):
        with pytest.raises(ProtocolError, match="not an event id"):
            refused("p", after=junk)
    with pytest.raises(ProtocolError, match="not an event id"):
        await stream.read("p", junk)


async def test_the_greatest_possible_id_belongs_to_no_stream(stream: ProjectEventStream) -> None:
    await send(stream, 1)
    assert stored(await stream.read("p", "9" * 20 + "-" + "9" * 20))[0] in ("ahead", "gone")


async def test_a_slow_listener_catches_up_and_does_not_delay_others(url: str, opened: Open) -> None:
    stream = opened(url)
    slow, fast = stream.create_stream("p"), stream.create_stream("p")
    for start in range(0, 6_000, 500):
        await send(stream, *range(start, start + 500))
        assert numbers(await receive(fast, 500)) == list(range(start, start + 500))
    assert numbers(await receive(slow, 6_000)) == list(range(6_000))
    assert slow.missed == 0


async def test_a_listener_too_slow_for_the_log_gets_a_gap_with_the_number_missed(
    url: str, kind: str, opened: Open
) -> None:
    limit = {"memory": "?max_events=100", "sqlite": "", "redis": "&max_events=100"}[kind]
    stream = opened(url + limit)
    slow = stream.create_stream("p")
    # More events than the tail holds in memory.
    for start in range(0, 6_000, 500):
        await send(stream, *range(start, start + 500))
    await stream.log.trim("p", 100)
    with anyio.fail_after(SECONDS):
        # The listener may have received some events before the trim.
        received = [await slow.get()]
        while numbers(received)[-1] != 5_999:
            received.append(await slow.get())
    found = numbers(received)
    assert [reason for reason in found if isinstance(reason, str)] == ["slow"]
    assert found[found.index("slow") + 1 :] == list(range(5_900, 6_000))
    if kind != "redis":
        assert slow.missed == 5_900
    await send(stream, 6_000)
    assert numbers(await receive(slow, 1)) == [6_000]


async def test_closing_a_stream_ends_its_listeners_after_all_events_sent_before(
    stream: ProjectEventStream,
) -> None:
    listeners = [stream.create_stream("p"), stream.listen("p", after="")]
    await send(stream, 1, 2)
    assert not await stream.closed("p")
    stream.close_stream("p")
    listeners.append(stream.listen("p", after=""))
    for listener in listeners:
        assert numbers(await receive_rest(listener)) == [1, 2]
        with pytest.raises(ClosedError, match="has ended"):
            await listener.get()
    assert await stream.closed("p")
    assert stream.get_stream("p") is None


async def test_a_second_close_and_the_close_of_an_unknown_stream_append_nothing(
    stream: ProjectEventStream,
) -> None:
    await stream.aclose_stream("unknown")
    stream.close_stream("unknown")
    await send(stream, 1)
    await stream.aclose_stream("p")
    await stream.aclose_stream("p")
    (found,) = await stream.projects()
    assert (found.project_id, found.events, found.closed) == ("p", 1, True)
    assert stream.get_stream("unknown") is None


async def test_a_later_event_opens_a_closed_stream_again(stream: ProjectEventStream) -> None:
    ids = await send(stream, 1)
    await stream.aclose_stream("p")
    await send(stream, 2)
    assert not await stream.closed("p")
    listener = stream.listen("p", after="")
    resumed = stream.listen("p", after=ids[0])
    assert numbers(await receive(listener, 2)) == [1, 2]
    assert numbers(await receive(resumed, 1)) == [2]
    await stream.aclose_stream("p")
    assert numbers(await receive_rest(listener)) == []


async def test_the_same_key_appends_once_and_returns_the_same_ids(stream: ProjectEventStream) -> None:
    batch = [("note", {"n": 1}), ("note", {"n": 2})]
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(lambda: stream.send_events("p", batch, key="once"))
    ids = await stream.send_events("p", batch, key="once")
    ids.append("the caller's own list")
    assert await stream.send_events("p", [("other", {})], key="once") == ids[:2]
    assert len(await stream.send_events("q", batch, key="once")) == 2
    await stream.send_events("p", [("note", {"n": 3})], key="twice")
    assert stored(await stream.read("p")) == [1, 2, 3]


async def test_an_empty_batch_appends_nothing(stream: ProjectEventStream) -> None:
    assert await stream.send_events("p", []) == []
    assert await stream.projects() == []


async def test_a_batch_with_one_wrong_event_is_not_sent(stream: ProjectEventStream) -> None:
    listener = stream.create_stream("p")
    with pytest.raises(ProtocolError, match=r"data\.lock: a value of type lock cannot be sent"):
        await stream.send_events("p", [("note", {"n": 1}), ("note", {"lock": threading.Lock()})])
    await send(stream, 2)
    assert numbers(await receive(listener, 1)) == [2]


async def test_any_text_arrives_unchanged(stream: ProjectEventStream) -> None:
    texts = ["", "a\nb\r\nid: 7\n\n", "\u2028\u2029\x85\0\x1b", "🜁 é", '"\\', "x" * 300_000]
    listener = stream.create_stream("p")
    await stream.send_events("p", [("Größe 🜁", {"text": text}) for text in texts])
    received = await receive(listener, len(texts))
    assert [json.loads(event["data"])["text"] for event in received] == texts
    assert {event["event"] for event in received} == {"Größe 🜁"}
    for entry in await stream.read("p"):
        assert entry.frame.count(b"\n") == 4
        assert b"\r" not in entry.frame


async def test_a_listener_can_be_read_without_waiting_like_a_queue(stream: ProjectEventStream) -> None:
    listener = stream.create_stream("p")
    with pytest.raises(asyncio.QueueEmpty):
        listener.get_nowait()
    assert listener.empty()
    await send(stream, 1, 2)
    assert numbers(await receive(listener, 1)) == [1]
    assert listener.qsize() == 1
    assert numbers([listener.get_nowait()]) == [2]


async def test_closing_a_listener_wakes_its_own_consumer_only(stream: ProjectEventStream) -> None:
    listener, other = stream.create_stream("p"), stream.create_stream("p")
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            with pytest.raises(ClosedError):
                await listener.get()

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        threading.Thread(target=listener.close).start()
    listener.close()
    await send(stream, 1)
    assert numbers(await receive(other, 1)) == [1]


async def test_a_closed_log_raises_closed_error(url: str, opened: Open) -> None:
    stream = opened(url)
    listener = stream.create_stream("p")
    await send(stream, 1)
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(ClosedError):
        await receive(listener, 2)
    with pytest.raises(ClosedError):
        await send(stream, 2)


async def test_a_project_is_unknown_until_its_creation_or_its_first_event(stream: ProjectEventStream) -> None:
    assert stream.get_stream("p") is None
    stream.create_stream("p").close()
    assert stream.get_stream("p") is not None
    await send(stream, 1, project="q")
    assert stream.get_stream("q") is not None


@pytest.mark.parametrize("use", ["an id", "a number to keep", "a negative number to keep", "a key", "a name"])
async def test_a_wrong_number_or_name_is_refused_or_harmless_and_the_log_goes_on(
    stream: ProjectEventStream, use: str
) -> None:
    (first,) = await stream.send_events("p", [("n", 1)])
    uses: dict[str, Callable[[], Awaitable[Any]]] = {
        "an id": lambda: stream.read("p", f"{first.partition('-')[0]}-{2**63}"),
        "a number to keep": lambda: stream.log.trim("p", 2**63),
        "a negative number to keep": lambda: stream.log.trim("p", -(2**63) - 1),
        "a key": lambda: stream.send_events("p", [("n", 2)], key="\ud800"),
        "a name": lambda: stream.send_events("\ud800", [("n", 2)]),
    }
    with contextlib.suppress(VibeNotebookError, ValueError):
        await asyncio.wait_for(uses[use](), 10)
    await asyncio.wait_for(stream.send_event("p", "n", 3), 10)
    there = [entry.data for entry in await stream.read("p") if isinstance(entry, Entry)]
    assert there[-1] == "3"

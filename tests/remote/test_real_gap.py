"""Follow a trimmed log: the real server's transcript fills the gap as far as it can."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

import vibe_notebook as vibe
from vibe_notebook.remote import follow
from vibe_notebook.server import BackgroundServer, serve_in_background

EVENTS = 99
RETAINED = 50


def send(server: BackgroundServer, first: int, last: int) -> None:
    events = [
        {"type": "text_delta", "agent_id": "x", "run_id": "r", "seq": n, "delta": f"{n} "}
        for n in range(first, last + 1)
    ]
    httpx2.post(f"{server.url}/projects/p/events", json=events).raise_for_status()


async def followed(server: BackgroundServer) -> tuple[vibe.Transcript, str]:
    stream = follow(f"{server.url}/projects/p/stream", reconnect_delay=0.05)
    watched = vibe.watch(stream, display=False)
    async with asyncio.timeout(20):
        async for event in watched:
            if event.type == "artifact":
                watched.cancel()
    return watched.transcript, stream.last_event_id


@pytest.mark.parametrize("was_read", [True, False])
def test_a_trimmed_log_is_filled_from_the_transcript_as_far_as_possible(*, was_read: bool) -> None:
    with serve_in_background(log=f"memory:?max_events={RETAINED}") as server:
        for first in range(1, EVENTS, 33):
            send(server, first, first + 32)
            if was_read:  # the server updates a transcript that it has made once
                httpx2.get(f"{server.url}/projects/p/transcript").raise_for_status()
        transcript, last_event_id = asyncio.run(followed(server))
    numbers = [int(word) for word in transcript.text.split()]
    assert last_event_id.endswith(f"-{EVENTS}")
    (gap,) = [part.name or "" for part in transcript.parts if part.kind == "artifact"]
    assert gap.startswith(f"{EVENTS - RETAINED} events are no longer on the server; ")
    all_missing = "; all missing here, the rest filled in from the transcript, as far as it goes"
    assert gap.endswith("; filled in from the transcript" if was_read else all_missing)
    if was_read:
        assert numbers == list(range(1, EVENTS + 1))
    else:
        assert numbers == list(range(EVENTS - RETAINED + 1, EVENTS + 1))


def test_a_server_that_lost_its_log_takes_nothing_away_from_its_follower() -> None:
    first = serve_in_background()
    port = int(first.url.rpartition(":")[2])
    servers = [first]

    async def followed() -> vibe.Transcript:
        stream = follow(f"{first.url}/projects/p/stream", reconnect_delay=0.05)
        watched = vibe.watch(stream, display=False)
        async for event in watched:
            if getattr(event, "seq", None) == RETAINED and len(servers) == 1:
                await asyncio.to_thread(first.stop)
                servers.append(serve_in_background(port=port))
                await asyncio.to_thread(send, servers[1], RETAINED + 1, EVENTS)
            if getattr(event, "seq", None) == EVENTS:
                watched.cancel()
        return watched.transcript

    try:
        send(first, 1, RETAINED)
        transcript = asyncio.run(asyncio.wait_for(followed(), 20))
    finally:
        for server in servers:
            server.stop()
    assert [int(word) for word in transcript.text.split()] == list(range(1, EVENTS + 1))
    (gap,) = [part.name or "" for part in transcript.parts if part.kind == "artifact"]
    assert gap == "Some events are no longer on the server; missing here"

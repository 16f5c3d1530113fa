"""Measure the decoding of server-sent events beside other decoders: ``python -m benchmarks decode``.

The figure is CPU time, the best of several rounds in one process, with the ways in turn. The ways
return different objects; each way must find every event.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Callable, Sequence

from vibe_notebook.remote import SSEDecoder

from . import page

__all__ = ["WAYS", "bodies", "measure", "run"]

EVENTS = 40_000
ROUNDS = 5

Way = Callable[[Sequence[bytes]], int]


def frames(count: int) -> list[bytes]:
    """Return events as a project server sends them, about 190 bytes each."""
    made = []
    for n in range(count):
        body = {"type": "text_delta", "agent_id": "a", "run_id": "r", "message_id": "m1", "seq": n}
        body["delta"] = f"word {n} of an agent's answer, as long as they are"
        made.append(f"id: 1763720000000-{n}\nevent: agent_event\ndata: {json.dumps(body)}\n\n".encode())
    return made


def bodies(count: int) -> dict[str, list[bytes]]:
    """Return the same events by the size of their pieces."""
    events = frames(count)
    whole = b"".join(events)
    return {
        "one event": events,
        **{
            f"{size // 1024} KiB": [whole[at : at + size] for at in range(0, len(whole), size)]
            for size in (4096, 65536)
        },
    }


def ours(pieces: Sequence[bytes]) -> int:
    """Decode with this package."""
    decoder = SSEDecoder()
    return sum(len(decoder.feed(piece)) for piece in pieces)


def launchdarkly(pieces: Sequence[bytes]) -> int:
    """Decode with launchdarkly-eventsource's reader."""
    from ld_eventsource.reader import _BufferedLineReader, _SSEReader  # noqa: PLC0415

    return sum(1 for _ in _SSEReader(_BufferedLineReader.lines_from(pieces)).events_and_comments())


def httpx_sse(pieces: Sequence[bytes]) -> int:
    """Decode with httpx-sse, from the lines of its own event source."""
    import httpx  # noqa: PLC0415
    from httpx_sse import EventSource  # noqa: PLC0415

    headers = {"content-type": "text/event-stream"}
    return sum(1 for _ in EventSource(httpx.Response(200, headers=headers, content=iter(pieces))).iter_sse())


def httpx2_own(pieces: Sequence[bytes]) -> int:
    """Decode with httpx2's event source."""
    import httpx2  # noqa: PLC0415

    headers = {"content-type": "text/event-stream"}
    request = httpx2.Request("GET", "http://localhost/")
    response = httpx2.Response(200, headers=headers, content=iter(pieces), request=request)
    return sum(1 for _ in httpx2.EventSource(response))


def openai_sdk(pieces: Sequence[bytes]) -> int:
    """Decode with OpenAI's SDK."""
    from openai._streaming import SSEDecoder as Decoder  # noqa: PLC0415

    return sum(1 for _ in Decoder().iter_bytes(iter(pieces)))


def anthropic_sdk(pieces: Sequence[bytes]) -> int:
    """Decode with Anthropic's SDK."""
    from anthropic._streaming import SSEDecoder as Decoder  # noqa: PLC0415

    return sum(1 for _ in Decoder().iter_bytes(iter(pieces)))


def sseclient(pieces: Sequence[bytes]) -> int:
    """Decode with sseclient-py's client."""
    from sseclient import SSEClient  # noqa: PLC0415

    return sum(1 for _ in SSEClient(iter(pieces)).events())


def floor(pieces: Sequence[bytes]) -> int:
    """Only split the lines and count the blank ones, without reading a field or decoding a byte."""
    rest, found = b"", 0
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        found += lines.count(b"")
    return found


WAYS: dict[str, Way] = {
    "vibe_notebook": ours,
    "launchdarkly-eventsource": launchdarkly,
    "httpx-sse": httpx_sse,
    "httpx2": httpx2_own,
    "openai": openai_sdk,
    "anthropic": anthropic_sdk,
    "sseclient-py": sseclient,
    "(lines split, the floor)": floor,
}


def measure(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return MB/s by way and by size of the pieces."""
    found: dict[str, dict[str, float]] = {}
    for size, pieces in bodies(count).items():
        total = sum(map(len, pieces)) / 1e6
        best: dict[str, float] = {}
        for _ in range(rounds):
            for name, way in WAYS.items():
                began = time.process_time()
                events = way(pieces)
                seconds = time.process_time() - began
                if events != count:
                    msg = f"{name} found {events} of {count} events"
                    raise AssertionError(msg)
                best[name] = min(best.get(name, seconds), seconds)
        for name, seconds in best.items():
            found.setdefault(name, {})[size] = total / seconds
    return found


def one_large(size: int, piece: int) -> float:
    """Return the CPU seconds for one event of *size* bytes in pieces of *piece* bytes: the best of three."""
    body = memoryview(b"data: " + b"a" * size + b"\n\n")
    times = []
    for _ in range(3):
        decoder, began = SSEDecoder(), time.process_time()
        for at in range(0, len(body), piece):
            events = decoder.feed(bytes(body[at : at + piece]))
        times.append(time.process_time() - began)
        if len(events[0].data) != size:
            raise AssertionError("the event is not whole")
    return min(times)


def run(options: Namespace) -> tuple[str, str]:
    """Measure every way by the size of the pieces, and one long event."""
    del options
    found = measure(EVENTS, ROUNDS)
    sizes = list(found["vibe_notebook"])
    peer = found["launchdarkly-eventsource"]
    rows = []
    for name, by_size in found.items():
        ratios = " / ".join(f"{by_size[size] / peer[size]:.2f}" for size in sizes)
        rows.append([name, *(f"{by_size[size]:.0f}" for size in sizes), ratios])
    long = [
        [f"{piece >> 10} KiB", f"{one_large(64_000_000, piece) * 1e9 / 64e6:.2f}"]
        for piece in (1 << 10, 1 << 13, 1 << 16, 1 << 20)
    ]
    body = [
        (
            f"CPU time in one process, the ways in turn, best of {ROUNDS}; {EVENTS:,} events of about 190 bytes, as a project "
            "server sends them, by the size of their pieces."
        ),
        page.table(("MB/s of CPU time", *sizes, "ratio to launchdarkly"), rows),
        "The cost of a byte grows neither with the event nor with the number of its pieces:",
        page.table(("one event of 64 MB, in pieces of", "ns a byte"), long),
    ]
    return "Server-sent events, decoded", "\n\n".join(body)

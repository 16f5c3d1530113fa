"""Count every container of a reader: none grows with the length of the stream."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from tests.remote.serving import HANG, Request, head, serving
from vibe_notebook.remote import EventSource, Follow, event_source, follow

SOME, MANY = 10_000, 50_000
RUN = 10
"""Events of a run: the many runs would show a reader that remembers runs."""
CONTAINERS = (list, tuple, dict, set, frozenset, deque, bytearray, str, bytes)


def sizes(root: object) -> dict[str, int]:
    """Return the length of each container in *root* and in the package's objects below it."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [(type(root).__name__, root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, CONTAINERS):
            found[path] = len(value)
            if isinstance(value, dict) and not path.endswith("*"):
                waiting += [(f"{path}.*", each) for each in value.values()]
        elif type(value).__module__.startswith("vibe_notebook") and id(value) not in seen:
            seen.add(id(value))
            names = getattr(value, "__dict__", None) or [
                field.name for field in (dataclasses.fields(value) if dataclasses.is_dataclass(value) else ())
            ]
            waiting += [(f"{path}.{name}", getattr(value, name)) for name in names]
    return found


def ours(n: int) -> bytes:
    kind = {0: "run_started", RUN - 1: "run_finished"}.get(n % RUN, "text_delta")
    event = {"type": kind, "agent_id": "a", "run_id": f"{n // RUN:09}", "seq": n % RUN, "delta": "word "}
    return b"id: 1763720000000-%09d\ndata: %s\n\n" % (n, json.dumps(event).encode())


def unknown(n: int) -> bytes:
    return b'event: metric\nid: %09d\ndata: {"v": 1}\n\n' % n


def without_order(n: int) -> bytes:
    """Return an event whose id has no order: the reader recognises repeats by their row."""
    return b'event: metric\nid: e%09d\ndata: {"v": 1}\n\n' % n


@pytest.mark.parametrize("made", [ours, unknown, without_order])
@pytest.mark.parametrize("way", [event_source, follow])
def test_a_reader_holds_no_more_after_many_events_than_after_some(
    way: Callable[..., EventSource | Follow], made: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.remote._duplicates.WINDOW", 1000)
    resumed = threading.Event()

    def answer(request: Request) -> Iterator[bytes]:
        del request
        yield head()
        yield b"".join(map(made, range(SOME)))
        resumed.wait(30)
        yield b"".join(map(made, range(SOME, MANY)))
        yield HANG

    async def run() -> tuple[dict[str, int], dict[str, int]]:
        async with way(server.url) as source:
            for _ in range(SOME):
                await anext(source)
            some = sizes(source)
            resumed.set()
            for _ in range(SOME, MANY):
                await anext(source)
            return some, sizes(source)

    with serving(answer) as server:
        some, many = anyio.run(run)
    assert len(some) > 10
    assert many == some

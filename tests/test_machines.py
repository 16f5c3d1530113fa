"""Drive the registry, the logs and ``follow`` as state machines: any order of calls, compared with a model at each step.

``test_delivery.py`` has lists of such calls for the registry; a machine also shrinks and mixes them freely. Each machine
runs as many examples as the profile says that ``VIBE_HYPOTHESIS`` names (``make fuzz``).
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests import test_delivery as delivery
from vibe_notebook.events import Artifact, Custom, Event, ToolFinished
from vibe_notebook.projects import Entry, Gap, ProjectEventStream
from vibe_notebook.remote import _http, follow

SHORT = settings(
    max_examples=max(15, settings().max_examples // 5),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class RegistryMachine(RuleBasedStateMachine):
    """Call a registry and the contract's model of it; each step compares callbacks, readers, counts."""

    @initialize(bounds=delivery.bounds, heard=st.booleans())
    def begin(self, bounds: dict[str, int], *, heard: bool) -> None:
        self.both = delivery.Both(bounds, {})
        self.both.step(("subscribe", None, 0))
        if heard:
            self.both.step(("register", "a", delivery.SLOTS))

    @rule(op=delivery.natives)
    def native(self, op: Any) -> None:
        self.both.step(op)

    @rule(op=st.one_of(delivery.free, delivery.finish))
    def unnumbered(self, op: Any) -> None:
        self.both.step(op)

    @rule(run=st.sampled_from("rst"), number=st.integers(0, 9))
    def late_result(self, run: str, number: int) -> None:
        event = ToolFinished(agent_id="a", run_id=run, tool_call_id="late", output=number)
        self.both.step(("dispatch", [event]))

    @rule(
        op=st.one_of(
            delivery.register, delivery.tap, delivery.closing, delivery.subscribe, delivery.unregister
        )
    )
    def consumer(self, op: Any) -> None:
        self.both.step(op)

    @rule(op=st.one_of(delivery.forget, delivery.hold, delivery.release))
    def retention(self, op: Any) -> None:
        self.both.step(op)

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.both.step(("wait", seconds))

    @rule()
    def compare_texts(self) -> None:
        self.both.compare_texts()

    @invariant()
    def readers_agree(self) -> None:
        if hasattr(self, "both"):
            self.both.read(0)

    def teardown(self) -> None:
        if hasattr(self, "both"):
            self.both.end()


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = SHORT


class LogMachine(RuleBasedStateMachine):
    """Call a log, and a list that models it: appends, repeated batches, trims, ends, listeners, a new life."""

    url = "memory:"

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stream = self.opened()
        self.ids: list[str] = []
        self.log: list[tuple[str, int | None]] = []  # (id, number); None is the mark of a closed stream
        self.dropped = 0
        self.batches: dict[str, list[str]] = {}
        self.number = 0
        self.listeners: list[tuple[Any, list[int]]] = []

    def opened(self) -> ProjectEventStream:
        place = Path(self.folder.name) / "events.db"
        return ProjectEventStream(f"sqlite:///{place}" if self.url == "sqlite:" else self.url)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(asyncio.wait_for(work, 20))

    @rule(count=st.integers(1, 4), key=st.none() | st.sampled_from("xyz"))
    def append(self, count: int, key: str | None) -> None:
        numbers = range(self.number, self.number + count)
        ids = self.wait(self.stream.send_events("p", [("agent_event", n) for n in numbers], key=key))
        if key in self.batches:
            assert ids == self.batches[key]
            return
        if key is not None:
            self.batches[key] = ids
        self.number += count
        self.ids += ids
        self.log += zip(ids, numbers, strict=True)
        for _, expected in self.listeners:
            expected.extend(numbers)

    @rule(keep=st.integers(0, 5))
    def trim(self, keep: int) -> None:
        self.read_listeners()  # a slow one would miss what goes
        gone = self.wait(self.stream.log.trim("p", keep))
        assert gone == max(0, len(self.log) - self.dropped - keep)
        self.dropped += gone

    @precondition(lambda self: self.url != "memory:")
    @rule()
    def reopen(self) -> None:
        self.end_listeners()
        self.wait(self.stream.log.aclose())
        self.stream = self.opened()

    @precondition(lambda self: len(self.listeners) < 3)
    @rule()
    def listen(self) -> None:
        """Listen from now on: a listener with an earlier id is what ``read`` tests."""
        listener = self.stream.listen("p", after=self.ids[-1] if self.ids and self.is_newest_there() else "")
        fresh = [] if self.ids and self.is_newest_there() else [n for _, n in self.log[self.dropped :]]
        self.listeners.append((listener, [n for n in fresh if n is not None]))

    def is_newest_there(self) -> bool:
        return self.dropped < len(self.log)

    @rule()
    def read_listeners(self) -> None:
        for listener, expected in self.listeners:
            found: list[int] = []
            while len(found) < len(expected):
                batch = self.wait(listener.batch(2))
                assert batch, "a listener ended"
                found += [int(entry.data) for entry in batch if isinstance(entry, Entry)]
            assert found == expected
            expected.clear()

    @rule(at=st.integers(0, 30), limit=st.integers(1, 4))
    def read(self, at: int, limit: int) -> None:
        after = self.ids[at % len(self.ids)] if self.ids else ""
        place = next((i + 1 for i, (name, _) in enumerate(self.log) if name == after), 0)
        found: list[int] = []
        gaps: list[str] = []
        while page := self.wait(self.stream.read("p", after, limit)):
            gaps += [each.reason for each in page if isinstance(each, Gap)]
            entries = [each for each in page if isinstance(each, Entry)]
            found += [int(entry.data) for entry in entries]
            if not entries:
                break
            after = entries[-1].id
        there = self.log[max(place, self.dropped) :]
        assert found == [number for _, number in there if number is not None]
        assert gaps == (["trimmed"] if place < self.dropped else [])

    def end_listeners(self) -> None:
        self.read_listeners()
        for listener, _ in self.listeners:
            self.wait(listener.aclose())
        self.listeners = []

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.end_listeners()
            self.wait(self.stream.log.aclose())
            self.runner.close()
            self.folder.cleanup()


class SqliteMachine(LogMachine):
    url = "sqlite:"


TestMemoryLog = LogMachine.TestCase
TestMemoryLog.settings = SHORT
TestSqliteLog = SqliteMachine.TestCase
TestSqliteLog.settings = settings(SHORT, max_examples=max(10, settings().max_examples // 10))


class Body(httpx2.AsyncByteStream):
    """Send what the server has after the client's id, and end at the server's next cut."""

    def __init__(self, server: Server, after: str) -> None:
        self.server = server
        self.after = after
        self.life = server.life

    async def __aiter__(self) -> AsyncIterator[bytes]:
        server = self.server
        while True:
            data = server.bytes_after(self.after)
            if server.cut is not None:
                cut, server.cut = server.cut, None
                yield data[: cut % (len(data) + 1)]
                raise httpx2.ReadError("the connection is cut")
            if data:
                self.after = server.log[-1][0]
                yield data
            if server.life != self.life:
                raise httpx2.ReadError("the server was started anew")
            await server.wait()

    async def aclose(self) -> None:
        pass


class Server:
    """Be a project's server without a network: numbered events, each with an id; any fault at any byte."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.first = 0
        self.count = 0
        self.life = 1
        self.cut: int | None = None
        self.repeats = 0
        self.changed = asyncio.Event()

    def send(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            self.log.append((f"{self.life}-{self.count}", self.count))

    def bytes_after(self, after: str) -> bytes:
        ids = [name for name, _ in self.log]
        at = ids.index(after) + 1 if after in ids else 0
        gap = b""
        if at < self.first:
            missed = self.first - at
            facts = {"reason": "trimmed", "after": after or "0-0", "missed": missed}
            gap = f"event: gap\ndata: {json.dumps(facts)}\n\n".encode()
        repeats, self.repeats = self.repeats, 0
        start = max(self.first, at - repeats)
        return gap + b"".join(_frame(*each) for each in self.log[start:])

    async def wait(self) -> None:
        await self.changed.wait()
        self.changed.clear()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        after = request.headers.get("last-event-id") or request.url.params.get("last_event_id") or ""
        if "stream" not in request.url.path:
            return httpx2.Response(404, content=b"")
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Body(self, after), request=request)

    async def aclose(self) -> None:
        pass


def _frame(name: str, number: int) -> bytes:
    event = {"type": "custom", "agent_id": "a", "run_id": "r", "name": "n", "value": number}
    return f"id: {name}\nevent: agent_event\ndata: {json.dumps(event)}\n\n".encode()


async def at_once(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)


class FollowMachine(RuleBasedStateMachine):
    """Follow a project while connections are cut at any byte, events come twice, the log is trimmed, the server restarts."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.patch = pytest.MonkeyPatch()
        self.server = self.runner.run(self.made())
        self.patch.setattr(_http.Http, "_transport", lambda _, __: self.server)
        self.stream = follow("http://127.0.0.1:9/projects/p/stream", sleep=at_once, reconnect_delay=0)
        self.received: list[int] = []
        self.missed = 0

    async def made(self) -> Server:
        return Server()

    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        self.server.send(count)
        self.server.changed.set()

    @rule(cut=st.integers(0, 2_000))
    def cut(self, cut: int) -> None:
        self.server.cut = cut
        self.server.changed.set()

    @rule(repeats=st.integers(1, 4))
    def repeat(self, repeats: int) -> None:
        self.server.repeats = repeats

    @rule(keep=st.integers(0, 3))
    def trim(self, keep: int) -> None:
        self.server.first = max(self.server.first, len(self.server.log) - keep)

    @rule()
    def restart(self) -> None:
        self.server.life += 1
        self.server.changed.set()

    @rule(count=st.integers(1, 6))
    def read(self, count: int) -> None:
        for _ in range(count):
            if self.last >= self.server.count or self.server.first >= len(self.server.log):
                return
            self.take(self.runner.run(asyncio.wait_for(anext(self.stream), 20)))

    @property
    def last(self) -> int:
        return self.received[-1] if self.received else 0

    def take(self, event: Event) -> None:
        if isinstance(event, Artifact):  # the note of a gap: it follows the first event after the gap
            counts = re.findall(r"([\d,]+) events?", event.name or "")
            assert counts, event.name
            self.missed += int(counts[0].replace(",", ""))
        else:
            assert isinstance(event, Custom)
            self.received.append(event.value)

    @invariant()
    def none_is_doubled(self) -> None:
        if hasattr(self, "received"):
            assert self.received == sorted(set(self.received)), "an event is doubled or out of order"

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            try:
                self.server.send(1)
                self.server.changed.set()
                while self.last < self.server.count:
                    self.take(self.runner.run(asyncio.wait_for(anext(self.stream), 20)))
                while self.stream._pending:
                    self.take(self.runner.run(anext(self.stream)))
                self.none_is_doubled()
                assert self.last - len(self.received) <= self.missed, "events are lost without a gap"
            finally:
                self.runner.run(self.stream.aclose())
                self.runner.close()
                self.patch.undo()


TestFollow = FollowMachine.TestCase
TestFollow.settings = settings(SHORT, max_examples=max(25, settings().max_examples // 2))

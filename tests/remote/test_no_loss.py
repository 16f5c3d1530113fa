"""Prove that no event is lost: each numbered event is delivered once and in order, under many faults.

The test runs three processes and a client. The server is killed with -9 and started again. The proxy
before it goes silent, resets connections, and cuts the bytes at random places. The client's own task
is cancelled and starts again from its last id. ``VIBE_NO_LOSS=EVENTS,FAULTS`` makes the test longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.remote.processes import Proxy, Server, proxied, redis, serving
from vibe_notebook.remote import follow

EVENTS, FAULTS = map(int, os.environ.get("VIBE_NO_LOSS", "10000,50").split(","))  # faults: a multiple of 50
KINDS = {"drop": 12, "reset": 14, "task": 14, "close": 4, "kill": 6}
"""By kind of fault, its number among fifty faults."""
AHEAD = 400
"""Events that may be sent and not yet received, so that faults hit a stream in motion."""

PATIENCE = 60
"""Seconds without a single event, after which the test fails as hanging. The whole run has no limit."""


@pytest.fixture(params=["sqlite", "redis"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'events.db'}"
        return
    with redis(tmp_path) as url:
        yield url


async def briefly(seconds: float) -> None:
    """Replace sleep by a short wait: the server asks for two seconds at each of fifty reconnects."""
    await asyncio.sleep(min(seconds, 0.05))


class Run:
    """Run one client that follows, one sender, and the faults between them."""

    def __init__(self, server: Server, proxy: Proxy, seed: int) -> None:
        self.server = server
        self.proxy = proxy
        self.random = random.Random(seed)
        self.received: list[int] = []
        self.ids: list[str] = []
        self.faults: Counter[str] = Counter()
        self.arrived = asyncio.Condition()
        self.reader: asyncio.Task[None] | None = None
        self.last_event_id = ""
        self.error: Exception | None = None

    async def run(self) -> None:
        self.reader = asyncio.create_task(self.read(""))
        sender = asyncio.create_task(self.send())
        failing = asyncio.create_task(self.fail())
        try:
            await self.until(EVENTS)
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(sender, failing)
            # A doubled event may arrive late: wait for it.
            await asyncio.sleep(0.2)
        finally:
            for task in (self.reader, sender, failing):
                task.cancel()
            await asyncio.gather(self.reader, sender, failing, return_exceptions=True)

    async def until(self, count: int) -> None:
        async with self.arrived:
            while len(self.received) < count and self.error is None:
                async with asyncio.timeout(PATIENCE):
                    await self.arrived.wait()
        if self.error is not None:
            raise self.error

    async def read(self, last_event_id: str) -> None:
        url = f"http://127.0.0.1:{self.proxy.port}/projects/numbers/stream"
        stream = follow(url, last_event_id=last_event_id or None, idle_timeout=0.4, sleep=briefly)
        try:
            async for event in stream:
                assert event.seq == len(self.received), (
                    f"{event} arrived in the place of {len(self.received)}"
                )
                self.received.append(event.seq)
                self.ids.append(str(event.id))
                async with self.arrived:
                    self.arrived.notify_all()
        except Exception as error:  # noqa: BLE001 - until() raises it
            self.error = error
            async with self.arrived:
                self.arrived.notify_all()
        finally:
            self.last_event_id = stream.last_event_id
            await stream.aclose()

    async def send(self) -> None:
        """Send batches past the proxy. Repeat a batch whose answer is lost, under the same key."""
        async with httpx2.AsyncClient(timeout=5) as client:
            sent = 0
            while sent < EVENTS:
                await self.until(sent - AHEAD)
                size = min(self.random.randint(1, 120), EVENTS - sent)
                body = [
                    {"type": "text_delta", "agent_id": "a", "run_id": "r", "seq": n, "delta": f"{n} é€😀 "}
                    for n in range(sent, sent + size)
                ]
                url = f"http://127.0.0.1:{self.server.port}/projects/numbers/events"
                while True:
                    with contextlib.suppress(httpx2.TransportError):
                        answer = await client.post(
                            url, json=body, headers={"Idempotency-Key": f"batch-{sent}"}
                        )
                        if answer.status_code == 201:
                            break
                    await asyncio.sleep(0.05)
                sent += size

    async def fail(self) -> None:
        kinds = [kind for kind, share in KINDS.items() for _ in range(share)] * (FAULTS // 50 or 1)
        self.random.shuffle(kinds)
        moments = sorted(self.random.sample(range(EVENTS - AHEAD), len(kinds)))
        for at, kind in zip(moments, kinds, strict=True):
            # Wait for an event since the last fault, so that this fault hits a connection that streams.
            await self.until(min(max(at, len(self.received) + 1), EVENTS - 1))
            await asyncio.sleep(self.random.uniform(0, 0.02))
            self.faults[kind] += 1
            match kind:
                case "kill":
                    self.server.kill()
                    self.server.start()
                case "task":
                    assert self.reader is not None
                    self.reader.cancel()
                    await asyncio.gather(self.reader, return_exceptions=True)
                    self.reader = asyncio.create_task(self.read(self.last_event_id))
                case _:
                    self.proxy.fail(kind)


@pytest.mark.timeout(150 if EVENTS <= 10_000 else 0)
def test_every_event_arrives_exactly_once_and_in_order_under_faults(log: str) -> None:
    with serving(log) as server, proxied(server.port, seed=7) as proxy:
        run = Run(server, proxy, seed=11)
        asyncio.run(run.run())
    assert run.received == list(range(EVENTS))
    assert len(set(run.ids)) == EVENTS
    assert run.faults.total() == FAULTS

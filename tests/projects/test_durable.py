"""Tests of durability: acknowledged events survive a killed process, and processes share a log."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects.conftest import Open
from tests.projects.listening import numbers, receive, send
from tests.projects.redis_server import DURABLE, MISSING, PROGRAM, RedisServer
from tools import summary
from vibe_notebook.projects import Entry, ProjectEventStream
from vibe_notebook.projects._entry import parse_id

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "sqlite, synchronous=normal", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a log that several processes may use."""
    kind, _, option = request.param.partition(", ")
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}?{option}"
    server: RedisServer = request.getfixturevalue("redis_server")
    return f"{server.url}?prefix={request.node.name}:"


ROOT = Path(__file__).parents[2]
ENOUGH = 400
"""Batches of three events: the test kills the process after well over a thousand appends."""


@contextlib.contextmanager
def appender(url: str, name: str = "a") -> Iterator[subprocess.Popen[str]]:
    """Start another process that appends to project p."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.projects.appender", url, name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def acknowledged(process: subprocess.Popen[str], count: int) -> list[list[str]]:
    """Read *count* lines of a process's output, each split into words."""
    assert process.stdout is not None
    return [process.stdout.readline().split() for _ in range(count)]


def remaining(process: subprocess.Popen[str]) -> list[list[str]]:
    """Read the rest of a killed process's output."""
    assert process.stdout is not None
    return [line.split() for line in process.stdout.read().splitlines() if not line.startswith("lost")]


async def check(stream: ProjectEventStream, batches_printed: list[list[str]], killed: str) -> None:
    entries = list[Entry]()
    while page := await stream.read("p", entries[-1].id if entries else ""):
        entries += [row for row in page if isinstance(row, Entry)]
    stored_data = {entry.id: json.loads(entry.data) for entry in entries}
    for *ids, number in batches_printed:
        assert [stored_data[name]["batch"] for name in ids] == [int(number)] * 3
        assert [stored_data[name]["part"] for name in ids] == [0, 1, 2]
    batches = Counter(data["batch"] for data in stored_data.values())
    assert set(batches.values()) == {3}, "a part of a batch is missing"
    # Each of the 20 tasks may have one batch in the log that the killed process has not printed.
    assert 0 <= len(batches) - len(batches_printed) <= 20
    places = [parse_id(entry.id) for entry in entries]
    assert places == sorted(set(places))
    await send(stream, 1)
    summary.note("kill -9", f"{killed}: {len(batches_printed) * 3} events acknowledged, {len(entries)} there")


async def test_a_killed_sender_loses_no_acknowledged_event(
    shared: str, opened: Open, request: pytest.FixtureRequest
) -> None:
    with appender(shared) as process:
        printed = acknowledged(process, ENOUGH)
        process.kill()
        printed += remaining(process)
    await check(opened(shared), printed, f"the sender, {request.node.callspec.params['shared']}")


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
async def test_a_killed_redis_loses_no_acknowledged_event(tmp_path: Path, opened: Open) -> None:
    server = RedisServer(tmp_path, *DURABLE)
    try:
        with appender(server.url) as process:
            printed = acknowledged(process, ENOUGH)
            server.stop(kill=True)
            printed += remaining(process)
            # The sender received an error.
            assert process.wait(30) == 3
        server.start()
        stream = opened(server.url)
        await check(stream, printed, "redis-server itself")
        await stream.aclose()
    finally:
        server.stop()


async def test_processes_share_a_log(shared: str, opened: Open) -> None:
    stream = opened(shared)
    listener = stream.listen("p", after="")
    with appender(shared, "a") as first, appender(shared, "b") as second:
        printed = acknowledged(first, 50) + acknowledged(second, 50)
        await send(stream, 7, project="q")
        for process in (first, second):
            process.kill()
            printed += remaining(process)
    received = await receive(listener, len(printed) * 3)
    ids = [event["id"] for event in received]
    assert ids == sorted(set(ids), key=parse_id)
    assert {json.loads(event["data"])["from"] for event in received} == {"a", "b"}
    assert numbers(await receive(stream.listen("q", after=""), 1)) == [7]

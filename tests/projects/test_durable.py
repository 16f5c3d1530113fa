"""What was acknowledged is there, whoever is killed; and processes share a log."""

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
from tests.projects.listening import numbers, send, take
from tests.projects.redis_server import DURABLE, MISSING, PROGRAM, RedisServer
from tools import summary
from vibe_notebook.projects import Entry, ProjectEventStream
from vibe_notebook.projects._entry import parse_id

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "sqlite, synchronous=normal", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A log that several processes may use."""
    kind, _, option = request.param.partition(", ")
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}?{option}"
    server: RedisServer = request.getfixturevalue("redis_server")
    return f"{server.url}?prefix={request.node.name}:"


ROOT = Path(__file__).parents[2]
ENOUGH = 400
"""Batches of three: the kill comes in the middle of well over a thousand appends."""


@contextlib.contextmanager
def appender(url: str, name: str = "a") -> Iterator[subprocess.Popen[str]]:
    """Another process that appends to project p."""
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
    """So many lines of what a process says, each as words."""
    assert process.stdout is not None
    return [process.stdout.readline().split() for _ in range(count)]


def remaining(process: subprocess.Popen[str]) -> list[list[str]]:
    """What it had still said when it was killed."""
    assert process.stdout is not None
    return [line.split() for line in process.stdout.read().splitlines() if not line.startswith("lost")]


async def check(stream: ProjectEventStream, said: list[list[str]], what: str) -> None:
    entries = list[Entry]()
    while page := await stream.read("p", entries[-1].id if entries else ""):
        entries += [one for one in page if isinstance(one, Entry)]
    there = {entry.id: json.loads(entry.data) for entry in entries}
    for *ids, number in said:
        assert [there[name]["batch"] for name in ids] == [int(number)] * 3
        assert [there[name]["part"] for name in ids] == [0, 1, 2]
    batches = Counter(data["batch"] for data in there.values())
    assert set(batches.values()) == {3}, "a batch is there whole or not at all"
    # Sent, but killed before it was said: at most one for each that sends.
    assert 0 <= len(batches) - len(said) <= 20
    places = [parse_id(entry.id) for entry in entries]
    assert places == sorted(set(places))
    await send(stream, 1)
    summary.note("kill -9", f"{what}: {len(said) * 3} events acknowledged, {len(entries)} there")


async def test_a_sender_killed_in_the_middle_loses_nothing_acknowledged(
    shared: str, opened: Open, request: pytest.FixtureRequest
) -> None:
    with appender(shared) as process:
        said = acknowledged(process, ENOUGH)
        process.kill()
        said += remaining(process)
    await check(opened(shared), said, f"the sender, {request.node.callspec.params['shared']}")


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
async def test_a_redis_killed_in_the_middle_loses_nothing_acknowledged(tmp_path: Path, opened: Open) -> None:
    server = RedisServer(tmp_path, *DURABLE)
    try:
        with appender(server.url) as process:
            said = acknowledged(process, ENOUGH)
            server.stop(kill=True)
            said += remaining(process)
            # The sender was told.
            assert process.wait(30) == 3
        server.start()
        stream = opened(server.url)
        await check(stream, said, "redis-server itself")
        await stream.aclose()
    finally:
        server.stop()


async def test_processes_share_a_log(shared: str, opened: Open) -> None:
    stream = opened(shared)
    listener = stream.listen("p", after="")
    with appender(shared, "a") as first, appender(shared, "b") as second:
        said = acknowledged(first, 50) + acknowledged(second, 50)
        await send(stream, 7, project="q")
        for process in (first, second):
            process.kill()
            said += remaining(process)
    got = await take(listener, len(said) * 3)
    ids = [event["id"] for event in got]
    assert ids == sorted(set(ids), key=parse_id)
    assert {json.loads(event["data"])["from"] for event in got} == {"a", "b"}
    assert numbers(await take(stream.listen("q", after=""), 1)) == [7]

"""Fixtures for the three logs. Each test has a log of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projects.redis_server import MISSING, PROGRAM, RedisServer
from vibe_notebook.projects import ProjectEventStream

Open = Callable[..., ProjectEventStream]

_count = itertools.count()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Start one server for all tests that do not harm it; each test has a prefix of its own."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
    yield server
    server.stop()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name the kind of the log."""
    name: str = request.param
    return name


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Return the URL of a log for this test alone."""
    if kind == "memory":
        return "memory:"
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}"
    server: RedisServer = request.getfixturevalue("redis_server")
    return f"{server.url}?prefix=test{next(_count)}:"


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open streams, and close them at the end of the test."""
    made: list[ProjectEventStream] = []

    def open_it(log: Any) -> ProjectEventStream:
        made.append(ProjectEventStream(log))
        return made[-1]

    yield open_it

    async def close() -> None:
        for stream in made:
            await stream.aclose()

    asyncio.run(close())


@pytest.fixture
def stream(url: str, opened: Open) -> ProjectEventStream:
    return opened(url)

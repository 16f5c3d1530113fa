"""Tests of a log that fails under a running server: the cause in each answer, at /health, and at the follower."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.projects.redis_server import MISSING, PROGRAM, RedisServer
from tests.server.serving import read, send
from vibe_notebook.projects import _sqlite_store
from vibe_notebook.remote import RemoteError, event_source
from vibe_notebook.server import BackgroundServer, serve_in_background

SECONDS = 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def server(file: Path) -> Iterator[BackgroundServer]:
    with serve_in_background(log=f"sqlite:///{file}") as running:
        yield running


def post(server: BackgroundServer) -> httpx2.Response:
    return httpx2.post(
        f"{server.url}/projects/p/events", json={"event_type": "note", "data": {"number": 9}}, timeout=SECONDS
    )


def health(server: BackgroundServer) -> httpx2.Response:
    return httpx2.get(f"{server.url}/health", timeout=SECONDS)


class Follower:
    """Follow a project's stream in a thread; hold its events, its statuses and its error."""

    def __init__(self, server: BackgroundServer) -> None:
        self.ids: list[str] = []
        self.reasons: list[str] = []
        self.error: RemoteError | None = None
        self.has_event, self.has_reason = threading.Event(), threading.Event()
        self._source = event_source(
            f"{server.url}/projects/p/stream", params={"last_event_id": "0"}, reconnect_delay=0.01, sleep=_nap
        )
        self._source.on_status(self._on_status)
        self._thread = threading.Thread(target=asyncio.run, args=(self._read(),))
        self._thread.start()

    def _on_status(self, status: object) -> None:
        reason = getattr(status, "reason", None) or ""
        self.reasons.append(reason)
        if "event log" in reason:
            self.has_reason.set()

    async def _read(self) -> None:
        try:
            async for event in self._source:
                self.ids.append(event.id)
                self.has_event.set()
        except RemoteError as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self._source.close()
        self.join()


Followed = Callable[[BackgroundServer], Follower]


@pytest.fixture
def followed() -> Iterator[Followed]:
    """Start followers, and stop them at the end of the test."""
    made: list[Follower] = []

    def start(server: BackgroundServer) -> Follower:
        made.append(Follower(server))
        return made[-1]

    yield start
    for follower in made:
        follower.stop()


async def _nap(_: float) -> None:
    await asyncio.sleep(0.01)


def test_a_lock_on_the_file_stops_neither_reads_nor_health_and_a_write_gets_its_own_answer(
    server: BackgroundServer, file: Path, followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_store, "WRITE_SECONDS", 0.3)
    ids = send(server.url, "p", 1)
    follower = followed(server)
    assert follower.has_event.wait(SECONDS)
    follower.has_event.clear()
    assert health(server).json() == {"status": "ok", "listeners": 1}
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    refused = [post(server) for _ in range(2)]
    for answer in refused:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json() == {"error": "The event log is locked by another program; try again."}
    assert [event.id for event in read(server.url, "p", limit=1)] == ids
    answer = health(server)
    assert answer.status_code == 200
    assert answer.json()["log"] == "the event log is locked by another program"
    other.execute("rollback")
    other.close()
    ids += post(server).json()["ids"]
    assert follower.has_event.wait(SECONDS)
    assert follower.ids == ids
    assert health(server).json() == {"status": "ok", "listeners": 1}
    assert follower.error is None


def test_writes_that_wait_for_a_lock_wait_only_once(
    server: BackgroundServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    append = _sqlite_store.Tables.append
    begun, may_go_on = threading.Event(), threading.Event()

    def counted(tables: _sqlite_store.Tables, batches: list[object]) -> object:
        tries.append(len(batches))
        begun.set()
        may_go_on.wait(SECONDS)
        return append(tables, batches)

    monkeypatch.setattr(_sqlite_store, "WRITE_SECONDS", 0.1)
    monkeypatch.setattr(_sqlite_store.Tables, "append", counted)
    health(server)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(post(server).status_code)) for _ in range(4)]
    threads[0].start()
    assert begun.wait(SECONDS)
    for thread in threads[1:]:
        thread.start()
    log = server._runner.config.app.state.stream.log  # type: ignore[union-attr]
    while len(log._writer._queue) < 3:
        threading.Event().wait(0.005)
    may_go_on.set()
    for thread in threads:
        thread.join(SECONDS)
    other.close()
    assert statuses == [503] * 4
    assert tries == [1]  # the three others have waited for the same lock already


def deleted(file: Path) -> None:
    file.unlink()


def moved(file: Path) -> None:
    file.rename(file.with_name("moved.db"))


def replaced(file: Path) -> None:
    file.with_name("new.db").write_bytes(file.read_bytes())
    file.with_name("new.db").replace(file)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def overwritten(file: Path) -> None:
    # SQLite would read the write-ahead log instead of the file.
    with sqlite3.connect(file, isolation_level=None) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    with file.open("r+b") as opened:
        opened.write(b"not a database " * 1_000)


CAUSES: list[tuple[Callable[[Path], None], str]] = [
    (deleted, "was deleted or moved while in use"),
    (moved, "was deleted or moved while in use"),
    (replaced, "was replaced by another file while in use"),
    (emptied, "was emptied while in use"),
    (overwritten, "is not a SQLite file"),
]


@pytest.mark.parametrize(("harm", "cause"), CAUSES, ids=lambda value: getattr(value, "__name__", None))
def test_a_file_that_fails_in_use_ends_its_followers_with_the_cause(
    harm: Callable[[Path], None], cause: str, server: BackgroundServer, file: Path, followed: Followed
) -> None:
    send(server.url, "p", 1)
    follower = followed(server)
    assert follower.has_event.wait(SECONDS)
    harm(file)
    answer = health(server)
    assert answer.status_code == 503
    assert answer.json()["permanent"] is True
    assert cause in answer.json()["error"]
    assert "retry-after" not in answer.headers
    follower.join()
    assert cause in str(follower.error)
    assert str(file.parent) not in str(follower.error)
    assert cause in follower.reasons[-1]
    refused = post(server)
    assert refused.status_code == 503
    assert cause in refused.json()["error"]


def test_a_moved_file_that_comes_back_is_used_again_with_all_its_events(
    server: BackgroundServer, file: Path
) -> None:
    ids = send(server.url, "p", 1, 2)
    moved(file)
    assert post(server).status_code == 503
    file.with_name("moved.db").rename(file)
    ids += send(server.url, "p", 3)
    assert [event.id for event in read(server.url, "p", limit=3)] == ids
    assert health(server).status_code == 200


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_a_redis_that_fails_in_use_is_reported_and_its_followers_go_on_when_it_is_back(
    tmp_path: Path, followed: Followed
) -> None:
    redis = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    try:
        with serve_in_background(log=redis.url) as server:
            first = send(server.url, "p", 1)
            follower = followed(server)
            assert follower.has_event.wait(SECONDS)
            redis.stop(kill=True)
            assert follower.has_reason.wait(SECONDS)
            answer = health(server)
            assert answer.status_code == 503
            assert answer.json() == {
                "error": "The event log cannot be reached: Connection refused; try again."
            }
            assert post(server).status_code == 503
            follower.has_event.clear()
            redis.start()
            second = send(server.url, "p", 2)
            assert follower.has_event.wait(SECONDS)
            assert follower.ids == first + second
            assert any("The event log cannot be reached" in reason for reason in follower.reasons)
            assert follower.error is None
    finally:
        redis.stop(kill=True)


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_a_redis_whose_password_changes_ends_its_followers_with_the_cause(
    tmp_path: Path, followed: Followed
) -> None:
    from redis import Redis  # noqa: PLC0415 - the test is skipped without it

    redis = RedisServer(tmp_path)
    try:
        with serve_in_background(log=redis.url) as server:
            send(server.url, "p", 1)
            follower = followed(server)
            assert follower.has_event.wait(SECONDS)
            with Redis.from_url(redis.url) as client:
                client.config_set("requirepass", "new")
                client.client_kill_filter(_type="normal", skipme=True)
            follower.join()
            assert "refuses the name or the password" in str(follower.error)
            assert "refuses the name or the password" in health(server).json()["error"]
    finally:
        redis.stop(kill=True)

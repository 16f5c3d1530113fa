"""Tests of a log that cannot be used: refused at the start, with the cause in one sentence, and left unchanged."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import SECONDS, send, stored
from tests.projects.redis_server import MISSING, PROGRAM, RedisServer, free_port
from vibe_notebook.cli import main
from vibe_notebook.exceptions import LogError, ProtocolError, VibeNotebookError
from vibe_notebook.projects import ProjectEventStream, open_log
from vibe_notebook.server import serve_in_background

pytestmark = pytest.mark.anyio

SCHEMA_BEFORE_VERSIONS = """
pragma journal_mode = wal;
create table if not exists streams (
    project text primary key, epoch integer not null, last integer not null, oldest integer not null,
    marks integer not null
) without rowid;
create table if not exists events (
    project text not null, n integer not null, event text not null, data text not null,
    primary key (project, n)
) without rowid;
create table if not exists keys (
    number integer primary key autoincrement, project text not null, key text not null, ids text not null,
    unique (project, key)
);
insert into streams values ('p', 1700000000000, 1, 1, 0);
insert into events values ('p', 1, 'note', '{"n":1}');
"""
"""The file as the first versions wrote it: without a version in its header."""


def sql(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.executescript(script)


def make(file: Path) -> None:
    async def fill() -> None:
        async with ProjectEventStream(f"sqlite:///{file}") as stream:
            await send(stream, *range(50))

    asyncio.run(fill())


def of_another_program(file: Path) -> None:
    sql(file, "create table users (name text)")


def with_a_table_of_the_same_name(file: Path) -> None:
    sql(file, "create table events (name text)")


def with_another_application_id(file: Path) -> None:
    sql(file, f"{SCHEMA_BEFORE_VERSIONS}; pragma application_id = 7")


def newer(file: Path) -> None:
    make(file)
    sql(file, "pragma user_version = 2")


def without_a_table(file: Path) -> None:
    make(file)
    sql(file, "drop table keys")


def read_only(file: Path) -> None:
    make(file)
    file.chmod(0o444)


def no_database(file: Path) -> None:
    file.write_bytes(b"not a database " * 100)


def cut(file: Path) -> None:
    make(file)
    os.truncate(file, 5_000)


def directory(file: Path) -> None:
    file.mkdir()


def pipe(file: Path) -> None:
    os.mkfifo(file)


WRONG_FILES: list[tuple[Callable[[Path], object], str]] = [
    (of_another_program, "is the SQLite file of another program"),
    (with_a_table_of_the_same_name, "is the SQLite file of another program"),
    (with_another_application_id, "is the SQLite file of another program"),
    (newer, "was written by a newer version"),
    (without_a_table, "is damaged: it lacks the table keys"),
    (read_only, "is read-only"),
    (no_database, "is not a SQLite file"),
    (cut, "is damaged"),
    (directory, "is a directory"),
    (pipe, "is not a regular file"),
]


def content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


@pytest.mark.parametrize(
    ("prepare", "cause"), WRONG_FILES, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_file_that_is_no_usable_log_is_refused_with_its_cause_and_left_unchanged(
    prepare: Callable[[Path], object], cause: str, tmp_path: Path, opened: Open
) -> None:
    file = tmp_path / "events.db"
    prepare(file)
    before = content(file)
    stream = opened(f"sqlite:///{file}")
    with pytest.raises(LogError, match=re.escape(f"{file} {cause}")) as caught:
        asyncio.run(asyncio.wait_for(stream.check(), SECONDS))
    assert caught.value.is_permanent
    assert cause in caught.value.reason
    assert str(tmp_path) not in caught.value.reason
    assert "\n" not in str(caught.value)
    assert content(file) == before


async def test_a_path_through_a_file_is_refused(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "file").write_text("")
    for path in ("file/events.db", "file/folder/events.db"):
        with pytest.raises(LogError, match="a part of its path is a file"):
            await opened(f"sqlite:///{tmp_path}/{path}").check()


async def test_a_file_without_a_version_is_taken_over_with_its_events(tmp_path: Path, opened: Open) -> None:
    file = tmp_path / "events.db"
    sql(file, SCHEMA_BEFORE_VERSIONS)
    stream = opened(f"sqlite:///{file}")
    await stream.check()
    await send(stream, 2)
    assert stored(await stream.read("p")) == [1, 2]
    await stream.aclose()
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("pragma application_id").fetchone() == (0x76696265,)
        assert db.execute("pragma user_version").fetchone() == (1,)


async def test_an_empty_file_becomes_a_log(tmp_path: Path, opened: Open) -> None:
    file = tmp_path / "events.db"
    file.touch()
    stream = opened(f"sqlite:///{file}")
    await stream.check()
    assert len(await send(stream, 1)) == 1


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("redis+sentinel://h:1/m", "cannot use a Sentinel"),
        ("redis+cluster://h:1/0", "cannot use a cluster"),
        ("redis://h1:1,h2:2/0", "several servers"),
        ("redis://h/events", "a number, not the name 'events'"),
        ("sqlite:///:memory:", "use memory: for a log in memory"),
        ("sqlite:///a%00b", "no NUL"),
    ],
)
def test_a_url_that_names_no_usable_log_is_refused(url: str, cause: str) -> None:
    with pytest.raises(ProtocolError, match=re.escape(cause)):
        open_log(url)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start servers, each with options of its own, and stop them at the end."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    made: list[RedisServer] = []

    def start(*options: str, is_sentinel: bool = False) -> RedisServer:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(RedisServer(folder, *options, is_sentinel=is_sentinel))
        return made[-1]

    yield start
    for server in made:
        server.stop(kill=True)


async def test_a_redis_that_cannot_hold_a_log_is_refused_with_its_cause(
    redis: Callable[..., RedisServer], opened: Open
) -> None:
    plain, locked = redis(), redis("--requirepass", "right")
    sentinel, cluster = (
        redis(is_sentinel=True),
        redis("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
    )
    replica = redis("--replicaof", "127.0.0.1", str(plain.port))
    wrong = {
        sentinel.url: "is a Sentinel",
        cluster.url: "is a Redis cluster",
        replica.url: "is a replica",
        locked.url: "refuses the name or the password",
        locked.url.replace("//", "//:s3cret@"): "refuses the name or the password",
        plain.url.replace("//", "//nobody:s3cret@"): "refuses the name or the password",
        plain.url.replace("/0", "/99"): "has no database of this number",
    }
    for url, cause in wrong.items():
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=cause) as caught:
            await opened(url).check()
        assert caught.value.is_permanent, url
        assert "127.0.0.1" in str(caught.value)
        assert "127.0.0.1" not in caught.value.reason
        assert "s3cret" not in str(caught.value)
    await opened(plain.url).check()
    await opened(locked.url.replace("//", "//:right@")).check()


async def test_a_redis_that_does_not_answer_as_one_is_refused_with_its_cause(opened: Open) -> None:
    with pytest.raises(LogError, match=r"at 127\.0\.0\.1:1 cannot be reached: Connection refused"):
        await opened("redis://127.0.0.1:1").check()
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with anyio.fail_after(SECONDS), pytest.raises(LogError, match=r"no Redis server|not a Redis server"):
            await opened(f"redis://127.0.0.1:{other.getsockname()[1]}").check()
        thread.join()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_server_does_not_start_with_a_log_that_cannot_be_used(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}" if kind == "sqlite" else "redis://127.0.0.1:1"
    cause = "is a directory; name a file" if kind == "sqlite" else "cannot be reached: Connection refused"
    assert main(["serve", "--port", "0", "--log", url]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("vibe-notebook: the event log ")
    assert cause in said.err
    with pytest.raises(VibeNotebookError, match=f"did not start: .*{cause}"):
        serve_in_background(log=url)
    for thread in threading.enumerate():
        if thread.name == "vibe event log":
            thread.join(SECONDS)  # the thread has ended its work: the log was closed
            assert not thread.is_alive()

"""Tests of the SQLite log alone: files, locks, several connections, its thread."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import anyio
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import numbers, receive, send, stored
from vibe_notebook.exceptions import LogError, ProtocolError
from vibe_notebook.projects import ProjectEventStream, _sqlite_worker, open_log

pytestmark = pytest.mark.anyio


@pytest.fixture
def kind() -> str:
    return "sqlite"


async def test_a_log_that_is_opened_again_has_all_its_events(url: str, opened: Open) -> None:
    first = opened(url)
    ids = await first.send_events("p", [("note", {"n": 1}), ("note", {"n": 2})], key="k")
    await first.aclose_stream("q")
    await first.aclose()
    again = opened(url)
    assert stored(await again.read("p", ids[0])) == [2]
    assert await again.send_events("p", [("note", {})], key="k") == ids
    assert again.get_stream("p") is not None
    await send(again, 3)
    assert stored(await again.read("p")) == [1, 2, 3]


async def test_two_logs_on_one_file_see_each_other(url: str, opened: Open) -> None:
    one, other = opened(url), opened(url)
    listeners = [one.create_stream("p"), other.create_stream("p")]
    # Both logs have started their tails before the first event.
    await one.projects()
    await other.projects()
    for number in range(20):
        await send((one, other)[number % 2], number)
    for listener in listeners:
        assert numbers(await receive(listener, 20)) == list(range(20))


async def test_senders_and_listeners_get_an_error_for_a_file_that_is_no_log(
    tmp_path: Path, opened: Open
) -> None:
    file = tmp_path / "events.db"
    file.write_bytes(b"not a database " * 100)
    stream = opened(f"sqlite:///{file}")
    with pytest.raises(LogError, match=r"events\.db"):
        await send(stream, 1)
    listener = stream.create_stream("p")
    with pytest.raises(LogError, match=r"events\.db"):
        await receive(listener, 1)
    file.unlink()
    # The next call opens the file again.
    await send(stream, 2)
    assert numbers(await receive(stream.listen("p", after=""), 1)) == [2]


async def test_a_file_locked_for_too_long_fails_the_append_and_the_log_works_on(
    url: str, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.projects._sqlite_store.WRITE_SECONDS", 0.05)
    stream = opened(url)
    await send(stream, 1)
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(LogError, match="locked"):
        await send(stream, 2)
    other.execute("rollback")
    other.close()
    await send(stream, 3)
    assert stored(await stream.read("p")) == [1, 3]


async def test_an_idle_thread_ends_and_the_next_call_starts_another(
    stream: ProjectEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite_worker, "IDLE", 0.01)
    await send(stream, 1)
    for _ in range(2_000):
        if not [thread for thread in threading.enumerate() if thread.name == "vibe event log"]:
            break
        await anyio.sleep(0.005)
    else:
        pytest.fail("the thread is still there")
    listener = stream.create_stream("p")
    await send(stream, 2)
    assert numbers(await receive(listener, 1)) == [2]


async def test_the_log_creates_missing_folders_and_accepts_spaces_in_names(
    tmp_path: Path, opened: Open
) -> None:
    stream = opened(f"sqlite:///{tmp_path}/new/our%20events.db")
    await send(stream, 1)
    assert (tmp_path / "new" / "our events.db").exists()


@pytest.mark.parametrize("wrong", ["sqlite:", "sqlite:///x.db?synchronous=off", "sqlite:///x.db?nothing=1"])
def test_a_wrong_sqlite_url_is_refused(wrong: str) -> None:
    with pytest.raises(ProtocolError, match="sqlite"):
        open_log(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "x", "kafka://h", "memory:?max_events=0", "memory:?max_events=x", "memory:?size=1"]
)
def test_the_error_for_an_unknown_url_names_the_logs(wrong: str) -> None:
    with pytest.raises(ProtocolError, match="log"):
        open_log(wrong)

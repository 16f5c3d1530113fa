"""What only the log in a file can get wrong."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import anyio
import pytest

from tests.projects.conftest import Open
from tests.projects.listening import kept, numbers, send, take
from vibe_notebook.exceptions import LogError, ProtocolError
from vibe_notebook.projects import ProjectEventStream, _sqlite, open_log

pytestmark = pytest.mark.anyio


@pytest.fixture
def kind() -> str:
    return "sqlite"


async def test_all_is_there_when_it_is_opened_again(url: str, opened: Open) -> None:
    first = opened(url)
    ids = await first.send_events("p", [("note", {"n": 1}), ("note", {"n": 2})], key="k")
    await first.aclose_stream("q")
    await first.aclose()
    again = opened(url)
    assert kept(await again.read("p", ids[0])) == [2]
    assert await again.send_events("p", [("note", {})], key="k") == ids
    assert again.get_stream("p") is not None
    await send(again, 3)
    assert kept(await again.read("p")) == [1, 2, 3]


async def test_two_logs_on_one_file_see_each_other(url: str, opened: Open) -> None:
    one, other = opened(url), opened(url)
    listeners = [one.create_stream("p"), other.create_stream("p")]
    # Known to both before anything is sent.
    await one.projects()
    await other.projects()
    for number in range(20):
        await send((one, other)[number % 2], number)
    for listener in listeners:
        assert numbers(await take(listener, 20)) == list(range(20))


async def test_a_file_that_is_no_log_is_an_error_to_sender_and_listener(tmp_path: Path, opened: Open) -> None:
    file = tmp_path / "events.db"
    file.write_bytes(b"not a database " * 100)
    stream = opened(f"sqlite:///{file}")
    with pytest.raises(LogError, match=r"events\.db"):
        await send(stream, 1)
    listener = stream.create_stream("p")
    with pytest.raises(LogError, match=r"events\.db"):
        await take(listener, 1)
    file.unlink()
    # The next call tries anew.
    await send(stream, 2)
    assert numbers(await take(stream.listen("p", after=""), 1)) == [2]


async def test_a_file_that_is_locked_for_too_long_is_an_error_and_the_log_lives_on(
    url: str, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.projects._sqlite_store.BUSY", 0.05)
    stream = opened(url)
    await send(stream, 1)
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(LogError, match="locked"):
        await send(stream, 2)
    other.execute("rollback")
    other.close()
    await send(stream, 3)
    assert kept(await stream.read("p")) == [1, 3]


async def test_the_thread_ends_when_there_is_nothing_to_do_and_the_next_call_starts_another(
    stream: ProjectEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlite, "IDLE", 0.01)
    await send(stream, 1)
    for _ in range(2_000):
        if not [one for one in threading.enumerate() if one.name == "vibe event log"]:
            break
        await anyio.sleep(0.005)
    else:
        pytest.fail("the thread is still there")
    listener = stream.create_stream("p")
    await send(stream, 2)
    assert numbers(await take(listener, 1)) == [2]


async def test_folders_are_made_and_names_may_have_blanks(tmp_path: Path, opened: Open) -> None:
    stream = opened(f"sqlite:///{tmp_path}/new/our%20events.db")
    await send(stream, 1)
    assert (tmp_path / "new" / "our events.db").exists()


@pytest.mark.parametrize("wrong", ["sqlite:", "sqlite:///x.db?synchronous=off", "sqlite:///x.db?nothing=1"])
def test_a_wrong_url_says_so(wrong: str) -> None:
    with pytest.raises(ProtocolError, match="sqlite"):
        open_log(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "x", "kafka://h", "memory:?max_events=0", "memory:?max_events=x", "memory:?size=1"]
)
def test_a_url_of_no_log_says_what_there_is(wrong: str) -> None:
    with pytest.raises(ProtocolError, match="log"):
        open_log(wrong)

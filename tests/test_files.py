"""Test that no link, pipe or device stands in the place of a file, and that others cannot read what we write."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vibe_notebook as vibe
from vibe_notebook import events as ev
from vibe_notebook import recording
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.projects import ProjectEventStream
from vibe_notebook.projects.history import append_message, history_file, load_history
from vibe_notebook.projects.messages import Message
from vibe_notebook.recording import Recorder, record, replay

IDS = {"agent_id": "a", "run_id": "r"}
MESSAGE = Message(role="user", content="hello")


def link(path: Path) -> None:
    target = path.with_name("victim")
    target.write_text("# mine\n")
    path.symlink_to(target)


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("missing"))


def second_name(path: Path) -> None:
    target = path.with_name("victim")
    target.write_text("# mine\n")
    path.hardlink_to(target)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def full_device(path: Path) -> None:
    path.symlink_to("/dev/full")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [link, link_to_nothing, second_name, pipe, device, folder])
def test_the_history_is_written_to_no_other_file_than_its_own(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = history_file(tmp_path)
    path.parent.mkdir()
    make(path)
    with pytest.raises(OSError):  # noqa: PT011 - the system refuses some of them with its own words
        append_message(tmp_path, MESSAGE)
    assert not path.with_name("missing").exists()
    victim = path.with_name("victim")
    assert not victim.exists() or victim.read_text() == "# mine\n"


@pytest.mark.parametrize("make", [link, pipe, device, folder])
def test_the_history_is_read_from_no_other_file_than_its_own(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = history_file(tmp_path)
    path.parent.mkdir()
    make(path)
    with pytest.raises(OSError, match="must be a regular file"):
        load_history(tmp_path)


def test_the_history_is_not_written_through_a_link_to_its_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    space = tmp_path / "space"
    space.mkdir()
    (space / "history").symlink_to(elsewhere)
    with pytest.raises(OSError, match="is a link"):
        append_message(space, MESSAGE)
    with pytest.raises(OSError, match="is a link"):
        load_history(space)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [(pipe, "a pipe"), (device, "a device"), (full_device, "a device"), (folder, "a folder")],
)
def test_a_recording_is_written_to_and_read_from_a_regular_file_only(
    make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    make(path)
    with pytest.raises(OSError, match=f"must be a regular file, and .* is {words}"):
        Recorder(path)
    with pytest.raises(OSError, match=f"must be a regular file, and .* is {words}"):
        list(replay(path, speed=None))


def test_a_recording_behind_a_link_of_the_user_is_a_recording(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(tmp_path / "run.jsonl")
    with Recorder(tmp_path / "latest") as recorder:
        recorder.write(ev.TextDelta(**IDS, delta="x"))
    assert [event.delta for event in replay(tmp_path / "latest", speed=None)] == ["x"]  # type: ignore[union-attr]


def test_a_line_without_an_end_is_refused_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LINE_BYTES", 1_000)
    path = tmp_path / "run.jsonl"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ProtocolError, match="line 1: more than 1,000 bytes, so this is no recording"):
        list(replay(path, speed=None))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def logged(url: str) -> None:
    stream = ProjectEventStream(url)
    await stream.send_event("p", "agent_event", {"x": 1})
    before = {path.name: mode(path) for path in Path(url.removeprefix("sqlite:///")).parent.iterdir()}
    assert set(before.values()) == {0o600}
    assert {"events.db", "events.db-wal"} <= set(before)
    await stream.aclose()


def test_recordings_logs_and_histories_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Recorder(tmp_path / "run.jsonl").close()
        append_message(tmp_path / "space", MESSAGE)
        (tmp_path / "logs").mkdir()
        asyncio.run(logged(f"sqlite:///{tmp_path}/logs/events.db"))
    finally:
        os.umask(before)
    assert mode(tmp_path / "run.jsonl") == mode(history_file(tmp_path / "space")) == 0o600


# A full disk


@contextmanager
def room(limit: int) -> Iterator[None]:
    """Let no file of this process become longer than *limit* bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


def described(path: Path) -> list[str]:
    events = replay(path, speed=None)
    return [
        f"gap {event.value['missed']}" if event.type == "custom" else getattr(event, "delta", "?")
        for event in events
    ]


def write_all(recorder: Recorder, names: range) -> int:
    failures = 0
    for name in names:
        try:
            recorder.write(ev.TextDelta(**IDS, delta=f"{name}", ts=1.0))
        except OSError as error:
            failures += error.filename == str(recorder.path)
    return failures


def test_a_full_disk_leaves_a_mark_at_the_end_and_the_file_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Recorder(path) as recorder, room(1_000):
        assert write_all(recorder, range(50)) > 30
    *kept, mark = described(path)
    assert kept == [str(number) for number in range(len(kept))]
    assert mark == f"gap {50 - len(kept)}"
    assert recorder.missing == 50 - len(kept)
    assert str(path) in recorder.missing_words


def test_a_disk_that_has_room_again_has_the_mark_in_the_place_of_the_missing_events(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Recorder(path) as recorder:
        with room(1_000):
            write_all(recorder, range(50))
        assert write_all(recorder, range(50, 60)) == 0
    found = described(path)
    at = next(index for index, each in enumerate(found) if each.startswith("gap"))
    assert found[:at] == [str(number) for number in range(at)]
    assert found[at] == f"gap {50 - at}"
    assert found[at + 1 :] == [str(number) for number in range(50, 60)]


@pytest.mark.parametrize("limit", range(0, 400, 37))
def test_a_disk_with_any_room_leaves_whole_lines_only(limit: int, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Recorder(path) as recorder, room(limit):
        write_all(recorder, range(9))
    for line in path.read_bytes().splitlines(keepends=True):
        assert line.endswith(b"\n")
        ev.parse_event(line)
    if limit > 150:
        assert described(path)[-1].startswith("gap")


def test_a_full_disk_costs_the_watch_nothing_but_its_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.jsonl"

    def words() -> Iterator[str]:
        for number in range(50):
            yield f"{number} "

    with room(1_000):
        watch = vibe.watch(words(), display=False, record=path, registry=vibe.Registry())
        assert len(list(watch)) == 50
    assert watch.transcript.text.split() == [str(number) for number in range(50)]
    assert watch.transcript.outcome == "success"
    assert described(path)[-1].startswith("gap")
    assert str(path) in caplog.text


def test_a_recording_that_is_closed_twice_says_its_missing_events_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with record(tmp_path / "run.jsonl", registry=vibe.Registry()) as recorder, room(100):
        write_all(recorder, range(3))
    recorder.close()
    assert caplog.text.count("misses 3 events") == 1


# The end of the process


def test_a_publisher_that_was_not_closed_says_at_exit_how_many_events_it_did_not_send() -> None:
    script = """
import socket
from vibe_notebook import events as ev, projects
from vibe_notebook.registry import Registry

closed = socket.socket()
closed.bind(("127.0.0.1", 0))
registry = Registry()
projects.publish(registry, "p", f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/base")
for number in range(3):
    registry.dispatch(ev.TextDelta(agent_id="a", run_id="r", delta=str(number)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "3 events were not sent to http://127.0.0.1:" in done.stderr
    assert "/base" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("name", ["a\0b.jsonl", "\ud83d.jsonl", "\0" * 5_000])
def test_a_path_that_no_file_can_have_is_refused_in_words(name: str) -> None:
    uses: list[Callable[[], object]] = [
        lambda: record(name),
        lambda: Recorder(name),
        lambda: replay(name),
        lambda: list(vibe.watch(iter(["x"]), record=name, display=False)),
        lambda: append_message(name, MESSAGE),
    ]
    for use in uses:
        with pytest.raises(ProtocolError, match="Give another path") as caught:
            use()
        assert len(str(caught.value)) < 500

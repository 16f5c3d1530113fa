"""Tests of a task space's history: one message a line, also after crashes, full disks and parallel writes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from vibe_notebook.projects import Message, StreamChunk, TextPart, load_history
from vibe_notebook.projects.history import Gathering, append_message, history_file

ROOT = Path(__file__).parents[2]


def message(text: str) -> Message:
    return Message(role="user", content=text)


def contents(path: Path) -> list[str]:
    return [saved.content for saved in load_history(path)]


def test_saved_messages_load_unchanged(tmp_path: Path) -> None:
    saved = [message("a\nb\u2028"), Message(role="tool", parts=[TextPart(text="é")], metadata={"k": [1]})]
    for each in saved:
        append_message(tmp_path, each)
    assert load_history(tmp_path) == saved
    assert history_file(tmp_path) == tmp_path / "history" / "messages.jsonl"
    assert len(history_file(tmp_path).read_bytes().splitlines()) == 2


def test_a_missing_history_is_empty(tmp_path: Path) -> None:
    assert load_history(tmp_path / "nothing") == []


@pytest.mark.parametrize("keep", [1, 20, -1])
def test_a_half_line_does_not_damage_others(tmp_path: Path, keep: int) -> None:
    append_message(tmp_path, message("first"))
    append_message(tmp_path, message("torn"))
    file = history_file(tmp_path)
    first, torn = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + torn[:-1][:keep])
    append_message(tmp_path, message("last"))
    with pytest.warns(RuntimeWarning, match="line 2 is not a message"):
        assert contents(tmp_path) == ["first", "last"]


def test_a_last_line_without_a_newline_is_loaded(tmp_path: Path) -> None:
    append_message(tmp_path, message("first"))
    file = history_file(tmp_path)
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    append_message(tmp_path, message("last"))
    assert contents(tmp_path) == ["first", "last"]


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe", b"[]", b"7", b"{}", b'{"role": "nobody"}', b"\0" * 10, b"[" * 5000]
)
def test_a_line_that_is_no_message_is_left_out_with_a_warning(tmp_path: Path, junk: bytes) -> None:
    append_message(tmp_path, message("first"))
    with history_file(tmp_path).open("ab") as file:
        file.write(junk + b"\n")
    append_message(tmp_path, message("last"))
    with pytest.warns(RuntimeWarning, match="line 2"):
        assert contents(tmp_path) == ["first", "last"]


def test_a_save_that_fails_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_message(tmp_path, message("first"))

    def full(_: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space left"):
            append_message(tmp_path, message("lost"))
    append_message(tmp_path, message("last"))
    assert contents(tmp_path) == ["first", "last"]


def test_threads_and_processes_write_whole_lines(tmp_path: Path) -> None:
    source = (
        "import sys\n"
        "from vibe_notebook.projects import Message\n"
        "from vibe_notebook.projects.history import append_message\n"
        "for n in range(30): append_message(sys.argv[1], Message(role='user', content=sys.argv[2] + 'x' * 9000))\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", source, str(tmp_path), name], cwd=ROOT) for name in "ab"
    ]

    def save() -> None:
        for _ in range(30):
            append_message(tmp_path, message("t"))

    threads = [threading.Thread(target=save) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    found = contents(tmp_path)
    assert len(found) == 120
    assert {text[0] for text in found} == {"a", "b", "t"}


def chunk(step: str, text: str, **more: Any) -> StreamChunk:
    return StreamChunk(step_id=step, agent_name="a", text=text, **more)


def test_chunks_are_joined_by_task_space_and_step() -> None:
    gathering = Gathering()
    assert gathering.add("x", chunk("s", "1", token_count=2)) == []
    assert gathering.add("y", chunk("s", "2")) == []
    assert gathering.add("x", chunk("t", "3")) == []
    ((space, saved),) = gathering.add("x", chunk("s", "4", token_count=3, is_final=True))
    assert (space, saved.content) == ("x", "14")
    assert saved.metadata == {"step_id": "s", "agent_name": "a", "token_count": 5}
    ((_, again),) = gathering.add("x", chunk("s", "5", is_final=True))
    assert again.content == "5"


def test_the_oldest_unfinished_step_is_saved_unfinished_beyond_the_limit() -> None:
    gathering = Gathering(limit=2)
    assert gathering.add("x", chunk("1", "a")) == []
    assert gathering.add("x", chunk("2", "b")) == []
    ((_, oldest),) = gathering.add("x", chunk("3", "c"))
    assert (oldest.content, oldest.metadata["incomplete"]) == ("a", True)


def test_a_hundred_steps_can_be_unfinished_at_one_time() -> None:
    gathering = Gathering()
    assert [saved for i in range(100) for saved in gathering.add("x", chunk(str(i), "a"))] == []

"""Check how logs are found by name, and what ``vibe-notebook list``, ``show`` and ``watch`` print."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.logs.support import SAMPLES, claude_says, claude_user, text_block, text_of
from vibe_notebook.cli import main
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.logs import Log, sessions
from vibe_notebook.logs._dialects import tell

ID = "5d1f0c3a-7b52-4e0e-9a54-2f6f4a1c8e10"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "GEMINI_CLI_HOME", "INSPECT_LOG_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PI_CODING_AGENT_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def session(home: Path, project: str, name: str, words: str, at: int, **fields: Any) -> Path:
    path = home / ".claude" / "projects" / project / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        text_of([claude_user(words, "u1", cwd="/work/app", **fields), claude_says(text_block(words), "u2")])
    )
    os.utime(path, (at, at))
    return path


def test_latest_is_the_session_that_changed_last(home: Path) -> None:
    session(home, "-work-app", "a", "older", 1_000)
    newest = session(home, "-work-other", "b", "newer", 2_000)
    session(home, "-work-other", "agent-x", "a subagent", 3_000)
    assert Log("claude:latest").path == newest
    assert vibe.load("claude:latest").text == "newer"


def test_a_project_is_named_by_its_path_or_its_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = session(home, "-work-my-app-2", ID, "app", 1_000)
    session(home, "-work-other", "b", "other", 2_000)
    for name in ("/work/my.app_2", "my-app-2", "my.app_2", "app_2", "5d1f0c3a", ID, "-work-my-app-2"):
        assert Log(f"claude:{name}").path == app, name
    here = home / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    own = session(home, "".join(c if c.isalnum() else "-" for c in str(here)), "c", "own", 500)
    assert Log("claude:.").path == own


def test_the_environment_names_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = session(home, "-p", "a", "moved", 1_000)
    other = home / "elsewhere" / "projects" / "-p" / "a.jsonl"
    other.parent.mkdir(parents=True)
    moved.rename(other)
    with pytest.raises(ProtocolError, match="no log of Claude Code in "):
        Log("claude:latest")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "elsewhere"))
    assert Log("claude:latest").path == other


def test_an_unknown_project_is_an_error_with_the_newest_ones(home: Path) -> None:
    session(home, "-work-weather", "a", "x", 1_000)
    with pytest.raises(ProtocolError, match=r"no project or session 'wether'.*-work-weather"):
        Log("claude:wether")


def test_the_list_has_project_words_turns_and_cost_and_begins_with_the_newest(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(home, "-work-app", ID, "first words", 1_000)
    path = session(home, "-work-app", "b", "later words", 2_000)
    with path.open("a") as file:
        file.write(text_of([claude_says(text_block("x"), "u9", "m9", costUSD=1.5)]))
        file.write(text_of([{"type": "custom-title", "customTitle": "My title", "sessionId": "s"}]))
    os.utime(path, (2_000, 2_000))
    assert main(["list"]) == 0
    head, newest, oldest = capsys.readouterr().out.splitlines()
    assert head.split() == ["LOG", "CHANGED", "PROJECT", "TURNS", "COST", "WORDS"]
    assert newest.split()[0] == "claude:b"
    assert newest.endswith("/work/app      1  $1.50  My title")
    assert oldest.split()[0] == "claude:5d1f0c3a-7b52"
    assert oldest.endswith("first words")
    assert Log(oldest.split()[0]).path.stem == ID
    assert main(["list", "-n", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_hostile_words_reach_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session(home, "-p\x1b[31m", "evil\x1b]0;x\x07", "a\x1b[2Jb\r\n\x9b31m\u202ec", 1_000)
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert not set("\x1b\x07\x9b\r\u202e") & set(out)


def test_the_list_reads_the_beginning_and_the_end_of_a_long_log(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = session(home, "-p", "a", "first words", 1_000)
    with path.open("a") as file:
        for i in range(100):
            file.write(text_of([claude_user("x" * 10_000, f"x{i}")]))
        file.write(text_of([{"type": "ai-title", "aiTitle": "The end", "sessionId": "s"}]))
    read: list[int] = []
    real = io.BufferedReader.read

    class Counting(io.BufferedReader):
        def read(self, size: int | None = -1, /) -> bytes:
            data = real(self, size)
            read.append(len(data))
            return data

    monkeypatch.setattr("vibe_notebook._files.os.fdopen", lambda fd, mode: Counting(io.FileIO(fd, mode)))
    (found,) = sessions()
    assert (found.first_words, found.title, found.is_partial) == ("first words", "The end", True)
    assert sum(read) <= 2 * 64 * 1024


def test_links_pipes_and_broken_logs_do_not_end_the_list(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session(home, "-p", "a", "fine", 5_000)
    folder = path.parent
    (folder / "loop").symlink_to(folder)
    (folder.parent / "-again").symlink_to(folder.parent)
    (folder / "round.jsonl").symlink_to(folder / "round.jsonl")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "empty.jsonl").touch()
    (folder / "junk.jsonl").write_bytes(os.urandom(2_000))
    (folder / "dir.jsonl").mkdir()
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert out.count("fine") == 1
    assert "empty.jsonl is empty" in out
    assert "junk.jsonl: 0 of" in out
    assert len(out.splitlines()) == 4


@pytest.mark.usefixtures("home")
def test_no_session_and_an_unknown_agent_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "No sessions" in capsys.readouterr().err
    assert main(["list", "cluade"]) == 1
    assert "Did you mean 'claude'?" in capsys.readouterr().err


def test_show_prints_a_log_and_a_saved_transcript(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = session(home, "-p", "a", "some words", 1_000)
    assert main(["show", "claude:latest"]) == 0
    assert "> user: some words" in capsys.readouterr().out
    saved = home / "t.json"
    saved.write_text(vibe.load(path).model_dump_json())
    assert main(["show", str(saved)]) == 0
    assert "some words" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (text_of([claude_user("piped words", "u1")]), "> user: piped words"),
        (text_of([{"type": "run_started", "agent_id": "a", "run_id": "r", "input": "mine"}]), "> user: mine"),
        (
            json.dumps(
                {
                    "id": "c",
                    "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": {"content": "hi"}}],
                }
            ),
            "hi",
        ),
    ],
)
def test_watch_reads_a_pipe(
    data: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
    assert main(["watch", "-"]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(("data", "words"), [("", "is empty"), ("no json\n", "0 of 1 lines understood")])
def test_a_pipe_without_a_log_is_an_error(
    data: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
    assert main(["watch"]) == 1
    assert words in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"vibe-notebook {vibe.__version__}\n")


@pytest.mark.parametrize("command", ["show", "watch", "list", "replay", "serve", "demo"])
def test_each_command_s_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"For example: vibe-notebook {command}" in " ".join(capsys.readouterr().out.split())


def damaged_archive(path: Path) -> Path:
    """Write an archive whose directory asks for a version of the format that no program knows."""
    data = bytearray((SAMPLES / "inspect.eval").read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_damaged_archive_is_a_line_of_the_list_and_a_short_error_elsewhere(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(home, "-p", "a", "first words", 1_000)
    path = damaged_archive(home / "logs" / "2026_x.eval")
    assert main(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 3
    assert "no whole archive: zip file version 25.0" in listed[1]
    assert "first words" in listed[2]
    assert main(["show", str(path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(ProtocolError, match="no whole archive"):
        vibe.load(path)


def test_an_error_of_a_reader_is_a_line_of_the_list(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session(home, "-p", "a", "first words", 1_000)
    session(home, "-p", "b", "other words", 2_000)

    def fail(head: bytes, name: str, **_: Any) -> Any:
        if name == "b.jsonl":
            raise NotImplementedError
        return tell(head, name, **_)

    monkeypatch.setattr("vibe_notebook.logs._opened.tell", fail)
    assert [(one.first_words, one.problem) for one in sessions()] == [
        ("", "NotImplementedError()"),
        ("first words", ""),
    ]


def test_a_file_of_a_pattern_that_cannot_be_read_does_not_lose_the_others(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = session(home, "-p", "a", "one", 1_000).parent
    session(home, "-p", "d", "two", 1_000)
    os.mkfifo(folder / "b.jsonl")
    (folder / "c.jsonl").write_bytes(b"no log")
    damaged_archive(folder / "e.jsonl")
    assert [each.text for each in vibe.load(str(folder / "*.jsonl"))] == ["one", "two"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert "a pipe" in said[0]
    with pytest.raises(OSError, match="a pipe"):
        vibe.load(str(folder / "[bc].jsonl"))


PLACES = {
    "codex": (".codex/sessions/2026/03/05/rollout-2026-03-05T10-00-00-{id}.jsonl", "CODEX_HOME", ".codex"),
    "gemini": (".gemini/tmp/hash/chats/session-2026-03-05T10-00-{id}.jsonl", "GEMINI_CLI_HOME", "."),
    "copilot": (".copilot/session-state/{id}/events.jsonl", "COPILOT_HOME", ".copilot"),
    "opencode": (".local/share/opencode/storage/session/p/ses_{id}.json", "XDG_DATA_HOME", ".local/share"),
    "pi": (".pi/agent/sessions/--work-app--/2026_{id}.jsonl", "PI_CODING_AGENT_DIR", ".pi/agent"),
    "inspect": ("logs/2026_{id}.eval", "INSPECT_LOG_DIR", "logs"),
}


@pytest.mark.parametrize("scheme", PLACES)
def test_each_agent_s_newest_session_is_found_in_its_home_and_where_the_variable_says(
    scheme: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, variable, folder = PLACES[scheme]
    path = home / place.format(id=ID)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    decoy = path.parent.parent.parent / "notes.jsonl"
    decoy.write_text("{}")
    if scheme != "copilot":
        assert Log(f"{scheme}:latest").path.resolve() == path
        assert Log(f"{scheme}:{ID[:8]}").path.resolve() == path
    moved = home / "moved"
    source = home / folder
    if folder != ".":
        source.rename(moved)
    monkeypatch.setenv(variable, str(moved if folder != "." else home))
    assert Log(f"{scheme}:{ID}").path.exists()

"""Check ``vibe-notebook replay``, as a terminal calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vibe_notebook.cli import main
from vibe_notebook.events import to_json
from vibe_notebook.testing import scripted

ROOT = Path(__file__).parent.parent


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    events = scripted("Hello world", tools=[("search", {"q": "x"}, {"hits": 3})])
    path = tmp_path / "run.jsonl"
    path.write_text("".join(to_json(event) + "\n" for event in events))
    return path


def test_replay_prints_text_and_tool_calls(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording)]) == 0
    out = capsys.readouterr().out
    assert "Hello world" in out
    assert "search" in out


def test_a_damaged_line_is_named_after_the_text_before_it_was_printed(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = recording.read_text().splitlines()
    recording.write_text("\n".join([*lines[:-2], "{broken", *lines[-2:]]))
    assert main(["replay", "--speed", "0", str(recording)]) == 1
    output = capsys.readouterr()
    assert "Hello world" in output.out
    assert f"line {len(lines) - 1}" in output.err
    assert output.err.startswith("vibe-notebook: ")
    assert "Traceback" not in output.err


def test_a_file_that_is_not_there_is_a_short_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(tmp_path / "gone.jsonl")]) == 1
    assert "gone.jsonl" in capsys.readouterr().err


def test_wrong_arguments_end_with_status_2(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ([], ["replay"], ["replay", "--speed", "fast", str(recording)], ["bogus"]):
        with pytest.raises(SystemExit) as caught:
            main(wrong)
        assert caught.value.code == 2
    assert main(["replay", "--speed", "-1", str(recording)]) == 1
    assert "speed" in capsys.readouterr().err


def test_control_characters_of_the_agents_are_not_passed_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.jsonl"
    events = scripted("a\x1b[2Jb\x07", tools=[("\x1b]0;title\x07", "\x1b[31m", "\x9b31m")], size=20)
    path.write_text("".join(to_json(event) + "\n" for event in events))
    assert main(["replay", str(path)]) == 0
    assert not set("\x1b\x07\x9b") & set(capsys.readouterr().out)


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "vibe_notebook.cli", *args]


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text("".join(to_json(event) + "\n" for event in scripted("word " * 40_000, size=50)))
    with subprocess.Popen(
        command("replay", str(path)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 141


def test_a_terminal_that_cannot_show_a_character_gets_a_stand_in(recording: Path) -> None:
    done = subprocess.run(
        command("replay", str(recording)),
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
    )
    assert b"Hello world" in done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.jsonl", "there is no file {}; check the path."),
        ("closed.jsonl", "this user may not open {}; check the file's permissions."),
        ("x" * 300, "cannot be used: File name too long."),
        ("a\0b.jsonl", "cannot have the path"),
    ],
)
def test_a_recording_that_cannot_be_opened_is_named_in_words(
    name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied", str(tmp_path / name))

    path = tmp_path / name
    if name == "closed.jsonl":
        path.touch()
        monkeypatch.setattr("os.open", refuse)  # the test's user may be root
    assert main(["replay", str(path)]) == 1
    said = capsys.readouterr().err
    assert words.format(path) in said
    assert "Errno" not in said
    assert len(said.splitlines()) == 1

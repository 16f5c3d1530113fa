"""Check that ``%vibe_stream`` opens logs, by a path or by name, finished or growing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import vibe_notebook as vibe
from tests.logs.support import claude_says, claude_user, text_block, text_of
from tests.watching.streams import until
from vibe_notebook._magics.targets import Target, find
from vibe_notebook._watching import watch as _watch

Run = Callable[[str], Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / ".claude"))
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    monkeypatch.chdir(tmp_path)
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config, colors="nocolor")
    shell.run_line_magic("load_ext", "vibe_notebook")

    def run(cell: str) -> Any:
        with capture_output():
            result = shell.run_cell(cell)
        result.raise_error()
        return result.result

    yield run
    for watched in _watch.live_watches():
        watched.cancel()
    InteractiveShell.clear_instance()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / ".claude" / "projects" / "-work-app" / "s.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(text_of([claude_user("go", "u1"), claude_says(text_block("gone"), "u2")]))
    return path


@pytest.mark.parametrize(
    "target", ["claude:latest", "claude:app", "claude:latest  # a comment", "PATH", "'PATH'"]
)
def test_a_log_is_a_target_by_its_name_and_by_its_path(target: str, run: Run, log: Path) -> None:
    made = run(f"%vibe_stream --block {target.replace('PATH', str(log))}")
    assert (made.transcript.text, made.title) == ("gone", "go")


@pytest.mark.parametrize(
    "line", ["--follow PATH", "PATH --follow", "--follow claude:latest", "claude:latest --follow"]
)
def test_a_log_is_followed_until_it_is_stopped(line: str, run: Run, log: Path) -> None:
    made = run(f"%vibe_stream {line.replace('PATH', str(log))}")
    asyncio.run(until(lambda: made.transcript.text == "gone"))
    assert not made.done()
    with log.open("a") as file:
        file.write(text_of([claude_says(text_block(" on"), "u3", "m2")]))
    asyncio.run(until(lambda: made.transcript.text == "gone on"))
    made.cancel()
    asyncio.run(until(made.done))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("claude:nope", "no project or session"),
        ("empty.jsonl", "is empty"),
        ("junk.jsonl", "0 of 1 lines understood"),
        ("--speed 2 PATH", "only for recordings"),
        ("--follow ['a']", "only for logs"),
        (".", "no regular file"),
        ("/dev/null", "no regular file"),
        ("claude:latst", "Did you mean 'latest'"),
        ("cluade:latest", "Did you mean claude:latest"),
        ("PATH --follow --as b", r"options come first: %vibe_stream --follow --as b .*s\.jsonl"),
        ("'PATH' --as b", r"options come first: %vibe_stream --as b '.*s\.jsonl'"),
        (
            "claude:latest --title X --follow",
            "options come first: %vibe_stream --title X --follow claude:latest",
        ),
        ("gone.jsonl --as b", "options come first: %vibe_stream --as b gone.jsonl"),
    ],
)
def test_a_wrong_log_is_a_usage_error(line: str, words: str, run: Run, log: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "junk.jsonl").write_text("junk\n")
    with pytest.raises(UsageError, match=words):
        run(f"%vibe_stream {line.replace('PATH', str(log))}")


def test_a_static_view_of_a_log_that_is_followed_ends_with_what_is_there_and_says_so(
    run: Run, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")
    shell = InteractiveShell.instance()
    for line in (f"--follow {log}", f"{log} --follow", "--block --follow claude:latest"):
        made = shell.run_line_magic("vibe_stream", line)
        assert made.transcript.text == "gone"
        assert made.done()
        assert "--follow is left out" in capsys.readouterr().out


def test_a_file_of_any_name_and_a_scheme_are_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.eval").touch()
    assert find("run.eval", {}, []) == Target("log", "run.eval")
    assert find("claude:my app", {"claude": 1}, []) == Target("log", "claude:my app")
    assert vibe.logs is not None

"""Check that a cell's last line ``vibe.last()`` shows the last watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import vibe_notebook as vibe
from vibe_notebook import magic
from vibe_notebook._watching import watch as _watch


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    monkeypatch.setattr(_watch, "_last", [])
    vibe.get_registry().close()
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    magic.load(made)
    made.user_ns["vibe"] = vibe
    yield made
    magic.unload(made)
    InteractiveShell.clear_instance()


def shown(shell: InteractiveShell, cell: str) -> list[str]:
    """Return the texts that a cell displays."""
    with capture_output() as captured:
        shell.run_cell(cell).raise_error()
    return [output.data["text/plain"] for output in captured.outputs]


def test_last_says_that_there_is_none_yet_and_plain_python_gets_none_in_silence(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = shown(shell, "vibe.last()")
    assert text.startswith("No watch has begun yet")
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert vibe.last() is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("options", ["", "--no-display "])
def test_last_shows_the_form_every_time_and_the_magics_own_cell_shows_nothing_twice(
    shell: InteractiveShell, options: str
) -> None:
    assert shown(shell, f"%vibe_stream --block {options}--title Story ['Hello']") == []
    for cell in ("vibe.last()", "w = vibe.last()\nvibe.last()"):
        (text,) = shown(shell, cell)
        assert "Story" in text
        assert "Hello" in text


def test_last_says_that_a_live_watch_is_live_and_shows_its_text_of_the_moment(
    shell: InteractiveShell,
) -> None:
    async def source() -> AsyncIterator[str]:
        yield "Half"
        await asyncio.Event().wait()

    async def main() -> None:
        made: Any = vibe.watch(source(), title="Story", display=False)
        async for _ in made:
            with capture_output() as captured:
                shell.displayhook(vibe.last())
            line, form = (output.data["text/plain"] for output in captured.outputs)
            assert line == "<watch 'Story': live>, its form of this moment:"
            assert "Half" in form
            made.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("title", [None, "My title"])
@pytest.mark.parametrize("kind", ["live", "watch", "agent_id"])
def test_a_replay_shows_the_title_and_the_name_of_the_recorded_run(
    shell: InteractiveShell, tmp_path: Path, title: str | None, kind: str
) -> None:
    path = tmp_path / "own.jsonl"
    if kind == "live":
        made: Any = vibe.live("bot", title=title, display=False, record=path)
        with made:
            made.text("Hello")
    else:
        made = vibe.watch(
            ["Hello"], title=title, agent_id="bot" if kind == "agent_id" else None, display=False, record=path
        )
        list(made)
    expected = made.title
    assert expected == (title or ("agent-1" if kind == "watch" else "bot"))
    for cell in (f"%vibe_stream --block {path}", f"for _ in vibe.watch(vibe.replay({str(path)!r})): pass"):
        shell.run_cell(cell).raise_error()
        last = vibe.last()
        assert last is not None
        assert (last.title, last.agent_id) == (expected, made.agent_id)
        (text,) = shown(shell, "vibe.last()")
        assert text.splitlines()[0].startswith(expected)
    assert shown(shell, f"%vibe_stream --block --title Other {path}\nvibe.last()")[0].startswith("Other")
    again = tmp_path / "again.jsonl"
    shell.run_cell(f"%vibe_stream --block --speed 0 --record {again} {path}").raise_error()
    assert vibe.replay(again).title == expected

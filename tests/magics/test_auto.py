"""Check ``%vibe auto``: the report, the hooks of an SDK that a later cell imports, and the end of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import vibe_notebook as vibe
from tests.auto.spans import Agents
from vibe_notebook import magic


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    magic.load(made)
    yield made
    vibe.auto(False)
    magic.unload(made)
    InteractiveShell.clear_instance()


def test_the_magic_says_its_hooks_and_the_end_of_a_cell_finds_a_new_sdk(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%vibe auto").raise_error()
    assert capsys.readouterr().out.startswith("vibe.auto is on\n  ")
    agents, tracing = Agents(), ModuleType("agents.tracing")
    tracing.add_trace_processor = agents.add_trace_processor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "agents", ModuleType("agents"))
    monkeypatch.setitem(sys.modules, "agents.tracing", tracing)
    shell.run_cell("pass").raise_error()
    assert len(agents.processors) == 1
    shell.run_cell("%vibe auto off").raise_error()
    assert capsys.readouterr().out == "vibe.auto is off\n"
    agents.processors.clear()
    shell.run_cell("pass").raise_error()
    shell.run_cell("pass").raise_error()
    assert agents.processors == []


def test_another_word_is_a_usage_error_and_none_is_the_help(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="%vibe auto off"):
        shell.run_line_magic("vibe", "automatic")
    shell.run_line_magic("vibe", "")
    assert "%vibe auto" in capsys.readouterr().out

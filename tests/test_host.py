"""Ask the host: plain Python, IPython in a terminal, or a kernel."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import IPython
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from vibe_notebook._host import host
from vibe_notebook.transcript import Transcript

SCRIPT = """
import sys, vibe_notebook as vibe
for renderer in ("auto", "static"):
    vibe.configure(renderer=renderer)
    run = vibe.watch([renderer])
    list(run)
    run.show()
with vibe.handler("strands") as hook:
    hook(data="handled")
print(sorted({"IPython", "ipykernel", "ipywidgets"} & set(sys.modules)))
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config, colors="nocolor")
    InteractiveShell.clear_instance()


def test_a_script_shows_its_agents_without_an_import_of_ipython() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "handled" in done.stdout


def test_without_a_shell_a_display_prints_its_text_and_no_cell_exists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = host()
    assert IPython.get_ipython() is None  # though IPython is loaded
    assert not here.is_notebook
    assert here.current_cell() is None
    assert not here.at_cell_end(lambda _: None)
    here.open_display({"text/plain": "first", "text/html": "<p>"}, {}).replace({"text/plain": "last"})
    assert capsys.readouterr().out == "first\nlast\n"


def test_a_display_is_replaced_where_it_was_opened(shell: InteractiveShell) -> None:
    with capture_output() as captured:
        display = host().open_display({"text/plain": "live"}, {"x": 1})
        host().open_display({"text/plain": "another"}, {})
    with capture_output() as noise:
        display.replace({"text/plain": "final"})
    first, another, final = captured.outputs
    assert (first.data, first.metadata, first.update) == ({"text/plain": "live"}, {"x": 1}, False)
    assert (final.data, final.update) == ({"text/plain": "final"}, True)
    assert first.transient == final.transient != another.transient
    assert noise.outputs == []


@pytest.mark.parametrize(("cell", "error"), [("1", None), ("1 / 0", ZeroDivisionError)])
def test_the_end_of_a_cell_is_reported_once_with_its_error(
    shell: InteractiveShell, cell: str, error: type[BaseException] | None
) -> None:
    ends: list[type[BaseException] | None] = []
    assert host().at_cell_end(lambda error: ends.append(type(error) if error else None))
    with capture_output():
        shell.run_cell(cell)
        shell.run_cell("2")
    assert ends == [error]
    assert not host().is_notebook  # a terminal


def test_a_transcript_that_a_kernels_cell_has_shown_is_one_line_as_that_cells_result(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = Transcript(agent_id="a")
    formatter = shell.display_formatter
    assert formatter
    host().remember([transcript], host().current_cell(), "t")  # a terminal: nothing is remembered
    assert Transcript not in formatter.mimebundle_formatter.type_printers
    monkeypatch.setattr(shell, "kernel", "a kernel", raising=False)
    monkeypatch.setattr(shell.displayhook, "msg", "a result", raising=False)
    assert host().is_notebook
    assert host().current_cell() == shell.execution_count
    host().remember([transcript], host().current_cell(), "t")
    assert formatter.format(transcript)[0] == {"text/plain": "<transcript of 't', shown above>"}
    other, _ = formatter.format(Transcript(agent_id="a"))
    assert "text/html" in other
    shell.execution_count += 1
    assert "text/html" in formatter.format(transcript)[0]


@pytest.mark.parametrize("is_ipython", [True, False])
def test_a_task_is_the_users_own_unless_ipython_runs_it(
    is_ipython: bool,  # noqa: FBT001 - a parameter
    request: pytest.FixtureRequest,
) -> None:
    if is_ipython:
        request.getfixturevalue("shell")
    asked: list[bool] = []

    async def own() -> None:
        asked.append(host().in_own_task())
        asyncio.get_running_loop().call_soon(lambda: asked.append(host().in_own_task()))
        await asyncio.sleep(0)

    cell: dict[str, object] = {"__name__": "IPython.core", "host": host, "asked": asked}
    exec("async def cell(): asked.append(host().in_own_task())", cell)  # noqa: S102 - as IPython runs one
    asyncio.run(own())
    asyncio.run(cell["cell"]())  # type: ignore[operator]
    assert asked == [True, False, not is_ipython]
    assert not host().in_own_task()


def test_a_half_imported_ipython_has_no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    assert not host().is_notebook

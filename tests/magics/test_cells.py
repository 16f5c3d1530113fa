"""Check lines and cells that become awaited code."""

from __future__ import annotations

from typing import Any

import pytest

from vibe_notebook._magics import cells as _cells


@pytest.fixture(autouse=True)
def text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")


def awaited(code: str) -> str:
    return "".join(_cells.to_awaited(code.splitlines(keepends=True)))


def test_the_cell_form_becomes_one_await() -> None:
    assert awaited("# c\n%%vibe_stream --title 'x'\na\nb\n") == (
        "# c\nawait get_ipython().run_cell_magic('vibe_stream', \"--title 'x'\", 'a\\nb\\n')\n"
    )


def test_a_blocking_line_becomes_an_await_with_its_target() -> None:
    assert awaited("%vibe_stream --block f('--x')\n") == (
        "await get_ipython().run_line_magic('vibe_stream', \"--awaited --block f('--x')\")\n"
    )
    assert awaited("t = %vibe_stream --title 'a b' --block x\n").startswith("t = await get_ipython()")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "# only\n# comments\n",
        "x = 1\n",
        "%vibe_stream x\n",
        "%vibe_stream --title --block x\n",
        "%vibe_stream --title '--block' x\n",
        "%vibe_stream x --block\n",
        "%vibe_streams --block\n",
        "%%vibe_streams\nx\n",
        "%%time\nx\n",
        "%%writefile x\n%%vibe_stream\n",
        "%%html\n<b>\n%%vibe_stream\n",
        "s = '''\n%vibe_stream --block x\n'''\n",
        "f(\n%vibe_stream --block x\n)\n",
        "if x:\n    %vibe_stream --block x\n",
    ],
)
def test_other_code_is_unchanged(code: str) -> None:
    assert awaited(code) == code


def test_static_makes_every_line_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")
    assert awaited("x = 1\n%vibe_stream y\n").splitlines()[1].startswith("await ")


def test_a_wrong_renderer_does_not_break_other_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "fancy")
    assert awaited("%vibe_stream y\n") == "%vibe_stream y\n"


def test_under_another_magic_the_cell_becomes_the_error() -> None:
    assert "raise UsageError" in awaited("%%time\n\n# c\n%%vibe_stream\nx\n")


def test_only_an_unawaited_magic_warns() -> None:
    async def one() -> int:
        return 1

    def run(coroutine: Any) -> int:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return int(stop.value)
        raise AssertionError

    async def awaiting() -> int:
        return int(await _cells.SilentAwaitable(one()))

    assert run(awaiting()) == 1
    made = [_cells.SilentAwaitable(one())]
    assert "put %%vibe_stream first" in repr(made)
    with pytest.warns(RuntimeWarning, match="not awaited"):
        made.clear()


def test_an_empty_list_of_streams_has_a_text() -> None:
    assert repr(_cells.Streams([])) == "No live streams."
    assert len(_cells.Streams([])) == len(list(_cells.Streams([]))) == 0

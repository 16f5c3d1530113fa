"""Check the magics, in a real IPython shell in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import vibe_notebook as vibe
from tests.watching.streams import until
from vibe_notebook._magics.options import OPTIONS
from vibe_notebook._watching import watch as _watch
from vibe_notebook.events import RunStarted
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.testing import scripted

Run = Callable[[str], Any]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    vibe.get_registry().close()  # a new registry for each test
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    made.run_line_magic("load_ext", "vibe_notebook")
    yield made
    for watched in _watch.live_watches():
        watched.cancel()
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell: InteractiveShell) -> Run:
    def run(cell: str) -> Any:
        with capture_output():
            result = shell.run_cell(cell)
        result.raise_error()
        return result.result

    return run


def test_a_blocking_line_at_top_level_gives_the_watch(run: Run, shell: InteractiveShell) -> None:
    run("t = %vibe_stream --block ['Hello ', 'world']")
    assert shell.user_ns["t"].transcript.text == "Hello world"
    made: vibe.Watch = run("%vibe_stream --block --title 'A b' --as w ['x']")
    assert made is shell.user_ns["w"] is vibe.last()
    assert (made.title, made.transcript.outcome) == ("A b", "success")


def test_target_reaches_python_unchanged(run: Run) -> None:
    made = run("""%vibe_stream --block ['--title', '{x}', "$HOME", str({1: 2})]""")
    assert made.transcript.text == "--title{x}$HOME{1: 2}"


def test_an_expression_may_await_at_its_top_level(run: Run) -> None:
    run("import asyncio\nasync def later(): return ['a', 'b']")
    assert run("%vibe_stream --block await later()").transcript.text == "ab"
    assert run("%vibe_stream --block later()").transcript.text == "ab"


def test_the_cell_form_runs_its_body_and_watches_its_last_expression(
    run: Run, shell: InteractiveShell
) -> None:
    value = run(
        "# a comment\n\n  # another\n%%vibe_stream --as w\nimport asyncio\nx = 1\nawait asyncio.sleep(0)\n"
        "def f():\n    return ['a', str(x)]\nawait asyncio.sleep(0, f())  # the stream"
    )
    assert value is None
    assert shell.user_ns["x"] == 1
    assert shell.user_ns["w"].transcript.text == "a1"
    assert vibe.last() is shell.user_ns["w"]


@pytest.mark.parametrize("body", ["x = 1", "import os", "# nothing", "x = 1\nfor i in []: pass"])
def test_a_cell_without_an_expression_is_an_error_before_anything_is_run(
    run: Run, shell: InteractiveShell, body: str
) -> None:
    with pytest.raises(UsageError, match="must end in an expression"):
        run(f"%%vibe_stream\nran = True\n{body}")
    assert "ran" not in shell.user_ns


def test_a_cell_that_is_not_python_is_a_short_error(run: Run) -> None:
    with pytest.raises(UsageError, match="not valid Python"):
        run("%%vibe_stream\nx = = 1")


def test_an_error_in_the_body_shows_the_users_line(shell: InteractiveShell) -> None:
    with capture_output() as captured:
        result = shell.run_cell("%%vibe_stream\na = 0\nb = 1 / a\n[b]")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "b = 1 / a" in captured.stdout


@pytest.mark.parametrize("outer", ["%%time", "%%capture", "%%capture out", "%%timeit -n1"])
def test_under_another_cell_magic_the_error_names_the_right_place(run: Run, outer: str) -> None:
    with pytest.raises(UsageError, match="put %%vibe_stream first"):
        run(f"{outer}\n# comment\n%%vibe_stream\n['a']")


def test_a_cell_of_text_may_contain_the_magics_name(run: Run, tmp_path: Path) -> None:
    run("%%writefile note.txt\n%%vibe_stream\nhello")
    assert (tmp_path / "note.txt").read_text() == "%%vibe_stream\nhello\n"
    assert run("text = '''\n%vibe_stream --block x\n'''\ntext") == "\n%vibe_stream --block x\n"


def test_target_belongs_in_the_cell(run: Run) -> None:
    with pytest.raises(UsageError, match="belongs in the cell"):
        run("%%vibe_stream ['a']\n['b']")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "give a target"),
        ("--bogus x", "no option --bogus"),
        ("--title", "needs a value"),
        ("nope", "needs nope, which is not defined"),
        ("gone.jsonl", "no recording"),
        ("--speed 2 ['a']", "only for recordings"),
        ("--header A=b ['a']", "only for http"),
        ("--after 3 ['a']", "only for http"),
        ("--header Cookie=abc http://localhost/x", "would be saved"),
        ("5", "neither"),
        ("len('abc')", "gave int"),
        ("{'a': 1}", "gave dict"),
        ("--record /no/such/folder/x.jsonl ['a']", "No such file"),
    ],
)
def test_a_wrong_line_is_a_usage_error_that_names_the_fault(run: Run, line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(f"%vibe_stream {line}")


def test_a_target_with_two_meanings_is_an_error_that_names_both(run: Run) -> None:
    vibe.get_registry().dispatch(scripted("hi", agent_id="bot"))
    run("bot = ['a']")
    with pytest.raises(UsageError, match="the expression 'bot' and the agent 'bot'"):
        run("%vibe_stream bot")
    assert run("%vibe_stream --block agent:bot").transcript.text == "hi"
    assert run("%vibe_stream --block (bot)").transcript.text == "a"


def test_a_watch_of_the_users_own_is_watched_as_it_is(run: Run, shell: InteractiveShell) -> None:
    run("import vibe_notebook as vibe\nw = vibe.watch(['a'], title='Mine')")
    assert run("%vibe_stream --block w") is shell.user_ns["w"]
    run("w = vibe.watch(['a'])")
    with pytest.raises(UsageError, match=r"set it in vibe\.watch"):
        run("%vibe_stream --title x w")


def test_a_variable_that_holds_an_agents_id_is_that_agent(run: Run) -> None:
    vibe.get_registry().dispatch(scripted("hi", agent_id="bot 7"))
    run("name = 'bot 7'")
    assert run("%vibe_stream --block name").transcript.text == "hi"


def test_a_recording_is_played_and_can_be_recorded_again(run: Run, tmp_path: Path) -> None:
    list(vibe.watch(["Hello"], display=False, record=tmp_path / "a.jsonl"))
    made = run("%vibe_stream --block --speed 0 --record b.jsonl a.jsonl")
    assert made.transcript.text == "Hello"
    first, second = (tmp_path / name for name in ("a.jsonl", "b.jsonl"))
    without_ids = [[{**json.loads(x), "id": 0} for x in p.read_text().splitlines()] for p in (first, second)]
    assert without_ids[0] == without_ids[1]


def test_a_damaged_recording_keeps_the_events_before_the_damage_and_names_the_line(
    run: Run, tmp_path: Path
) -> None:
    list(vibe.watch(["Hello"], display=False, record=tmp_path / "a.jsonl"))
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"type": 1}\n')
    with pytest.raises(ProtocolError, match="line 4"):
        run("%vibe_stream --block --speed 0 --as w a.jsonl")
    last = vibe.last()
    assert last is not None
    assert last.transcript.text == "Hello"


def test_the_line_form_returns_at_once_and_runs_in_the_background(shell: InteractiveShell) -> None:
    async def source() -> Any:
        yield "a"
        await go.wait()
        yield "b"

    async def main() -> None:
        shell.user_ns["s"] = source()
        made = shell.run_line_magic("vibe_stream", "--no-display s")
        assert not made.done()
        assert [m.title for m in shell.run_line_magic("vibe_streams", "")] == [made.title]
        go.set()
        await until(made.done)
        assert made.transcript.text == "ab"

    go = asyncio.Event()
    asyncio.run(main())
    assert repr(shell.run_line_magic("vibe_streams", "")) == "No live streams."


def test_the_line_form_works_where_no_loop_runs(run: Run) -> None:
    run("import asyncio\nasync def source():\n    await asyncio.sleep(0)\n    yield 'a'")
    made = run("%vibe_stream --no-display source()")
    asyncio.run(until(made.done))
    assert made.transcript.text == "a"


def test_stop_ends_one_stream_by_its_id_or_all(shell: InteractiveShell) -> None:
    async def source() -> Any:
        yield "a"
        await asyncio.Event().wait()

    async def main() -> None:
        stop = partial(shell.run_line_magic, "vibe_stop")
        made = []
        for name in ("one", "two", "three"):
            shell.user_ns["s"] = vibe.watch(source(), agent_id=name, display=False)
            made.append(shell.run_line_magic("vibe_stream", "s"))
        await asyncio.sleep(0)
        for wrong in ("", "four"):
            with pytest.raises(UsageError, match=r"Live streams: one, two, three; or --all"):
                stop(wrong)
        stop("two")
        await until(made[1].done)
        assert [m.done() for m in made] == [False, True, False]
        stop("--all")
        await until(lambda: all(m.done() for m in made))
        assert {m.transcript.outcome for m in made} == {"cancelled"}
        stop("--all")
        with pytest.raises(UsageError, match="Live streams: none"):
            stop("")

    asyncio.run(main())


def test_stopping_an_agents_stream_only_ends_the_watching(shell: InteractiveShell) -> None:
    async def main() -> None:
        registry = vibe.get_registry()
        registry.dispatch(RunStarted(agent_id="bot", run_id="1"))
        made = shell.run_line_magic("vibe_stream", "--no-display agent:bot")
        await asyncio.sleep(0)
        shell.run_line_magic("vibe_stop", "bot")
        await until(made.done)
        assert registry.open_run("bot") == "1"

    asyncio.run(main())


def test_streams_takes_no_arguments(run: Run) -> None:
    with pytest.raises(UsageError, match="no arguments"):
        run("%vibe_streams x")


def test_the_list_of_streams_passes_no_control_characters_on(shell: InteractiveShell) -> None:
    async def main() -> str:
        shell.user_ns["s"] = vibe.watch(["a"], title="\x1b[2Jevil", agent_id="x", display=False)
        shell.user_ns["s"].begin()
        listed = repr(shell.run_line_magic("vibe_streams", ""))
        shell.user_ns["s"].consume_sync()
        return listed

    assert "\x1b" not in asyncio.run(main())


def test_an_unawaited_blocking_line_reads_a_sync_stream_at_once(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell.run_line_magic("vibe_stream", "--no-display --block ['a']").transcript.text == "a"
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")
    shell.run_cell("if True:\n    made = %vibe_stream --no-display ['b']").raise_error()
    assert shell.user_ns["made"].transcript.text == "b"


def test_an_unawaited_blocking_line_cannot_wait_for_an_async_stream(shell: InteractiveShell) -> None:
    shell.run_cell("async def later():\n    yield 'a'").raise_error()
    with pytest.raises(UsageError, match="top level"):
        shell.run_line_magic("vibe_stream", "--no-display --block later()")


def test_the_cell_that_loads_the_magics_says_that_an_async_stream_waits_from_the_next_one_on(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("%unload_ext vibe_notebook").raise_error()
    shell.run_cell("async def later():\n    yield 'a'").raise_error()
    load, stream = "%load_ext vibe_notebook\n", "%vibe_stream --no-display --block "
    result = shell.run_cell(f"{load}{stream}later()")
    assert isinstance(result.error_in_exec, UsageError)
    assert str(result.error_in_exec) == (
        "%vibe_stream: %load_ext works from the next cell on: write this line in a cell of its own, or write "
        "`await vibe.watch(...)`."
    )
    shell.run_cell("%unload_ext vibe_notebook").raise_error()
    assert (
        shell.run_cell(f"{load}{stream}['a']").result.transcript.text == "a"
    )  # a sync stream needs no await


def test_a_wrong_renderer_is_a_short_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "fancy")
    for cell in ("%vibe_stream ['a']", "%vibe_stream --block ['a']", "%%vibe_stream\n['a']"):
        with pytest.raises(UsageError, match="VIBE_NOTEBOOK_RENDERER='fancy'"):
            run(cell)


@pytest.mark.parametrize(
    "cell", ["%vibe_stream ['Hello ', '**world**']", "%%vibe_stream\n['Hello ', '**world**']"]
)
def test_static_blocks_and_emits_exactly_one_display_the_same_in_every_run(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "static")
    seen = []
    for _ in range(2):
        vibe.get_registry().close()
        with capture_output() as captured:
            shell.run_cell(cell).raise_error()
        last = vibe.last()
        assert last is not None
        assert last.done()
        (output,) = captured.outputs
        seen.append(output.data)
        assert captured.stderr == ""
    assert seen[0] == seen[1]
    assert "<strong>world</strong>" in seen[0]["text/html"]
    assert set(seen[0]) == {"text/html", "text/markdown", "text/plain"}


def completions(shell: InteractiveShell, text: str) -> list[str]:
    with provisionalcompleter():
        return [c.text for c in shell.Completer.completions(text, len(text))]


@pytest.mark.parametrize(
    "start", ["%vibe_stream ", "%%vibe_stream ", "t = %vibe_stream --block --title 'x' "]
)
def test_completion_of_options_gives_exactly_the_options(shell: InteractiveShell, start: str) -> None:
    assert completions(shell, start + "--") == sorted(OPTIONS)
    assert completions(shell, start + "--s") == ["--speed"]


def test_no_option_is_offered_after_the_start_of_target(shell: InteractiveShell) -> None:
    for text in ("%vibe_stream f(x, --", "%vibe_stream stream --", "%vibe_stream --title --", "print(x) --"):
        assert not set(completions(shell, text)) & set(OPTIONS)


def hooks(shell: InteractiveShell) -> dict[str, Any]:
    return {
        "transforms": list(shell.input_transformer_manager.cleanup_transforms),
        "lines": list(shell.input_transformer_manager.line_transforms),
        "matchers": list(shell.Completer.custom_matchers),
        "magics": {kind: set(names) for kind, names in shell.magics_manager.magics.items()},
        "registry": set(shell.magics_manager.registry),
        "events": {name: list(calls) for name, calls in shell.events.callbacks.items()},
        "names": set(shell.user_ns),
        "ast": list(shell.ast_transformers),
        "configurables": list(shell.configurables),
    }


def test_unload_removes_every_hook(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "vibe_notebook")
    before = hooks(shell)
    shell.run_line_magic("load_ext", "vibe_notebook")
    loaded = hooks(shell)
    assert loaded != before
    vibe.load_ipython_extension(shell)  # twice is once
    assert {name: len(found) for name, found in hooks(shell).items()} == {
        name: len(found) for name, found in loaded.items()
    }
    shell.run_line_magic("unload_ext", "vibe_notebook")
    assert hooks(shell) == before
    for cell in ("%vibe_stream ['a']", "%vibe_streams", "%%vibe_stream\n['a']"):
        with capture_output() as captured:
            shell.run_cell(cell)
        assert "not found" in captured.stderr + captured.stdout


def test_reload_works(shell: InteractiveShell, run: Run) -> None:
    shell.run_line_magic("reload_ext", "vibe_notebook")
    assert run("%vibe_stream --block ['a']").transcript.text == "a"

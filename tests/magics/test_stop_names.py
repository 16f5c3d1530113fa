"""Check the names by which ``%vibe_stop`` finds a stream, and their completion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
from vibe_notebook import magic
from vibe_notebook._watching.watch import live_watches
from vibe_notebook.events import ToolStarted

Watches = list[vibe.Watch]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    vibe.get_registry().close()
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    magic.load(made)
    yield made
    magic.unload(made)
    InteractiveShell.clear_instance()


def with_streams(shell: InteractiveShell, check: Callable[[Watches], Awaitable[None]]) -> None:
    """Run *check* with three live streams: "a" is titled "First one", "b" and "c" "Other"."""

    async def source() -> AsyncIterator[str]:
        yield "a"
        await asyncio.Event().wait()

    async def main() -> None:
        made = []
        for name, title in (("a", "First one"), ("b", "Other"), ("c", "Other")):
            shell.user_ns["s"] = vibe.watch(source(), agent_id=f"id-{name}", title=title, display=False)
            made.append(shell.run_line_magic("vibe_stream", f"--as run_{name} s"))
            del shell.user_ns["s"]
        await until(lambda: all(each.transcript.text for each in made))
        await check(made)
        shell.run_line_magic("vibe_stop", "--all")
        await until(lambda: not live_watches())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("line", "stopped"),
    [
        ("run_a", "a"),
        ("run_b  # enough", "b"),
        ("id-c", "c"),
        ("First one", "a"),
        ("'First one'", "a"),
        ('"First one"  # enough', "a"),
        ("Other", "bc"),
        ("--all  # of them", "abc"),
    ],
)
def test_stop_ends_the_streams_of_a_variable_an_id_or_a_title(
    shell: InteractiveShell, line: str, stopped: str
) -> None:
    async def check(made: Watches) -> None:
        shell.run_line_magic("vibe_stop", line)
        ended = [each for each, name in zip(made, "abc", strict=True) if name in stopped]
        await until(lambda: all(each.done() for each in ended))
        assert {each.transcript.outcome for each in ended} == {"cancelled"}
        assert live_watches() == [each for each in made if each not in ended]

    with_streams(shell, check)


def test_a_name_of_no_live_stream_is_an_error_that_lists_the_names(shell: InteractiveShell) -> None:
    async def check(made: Watches) -> None:
        del made
        shell.user_ns["number"] = 1
        for wrong in ("number", "Othe", "run_d", "id-"):
            with pytest.raises(UsageError, match=f"{wrong}\\? Live streams: id-a, id-b, id-c"):
                shell.run_line_magic("vibe_stop", wrong)

    with_streams(shell, check)


def test_completion_offers_the_names_of_the_live_streams_only(shell: InteractiveShell) -> None:
    def completed(text: str) -> list[tuple[int, str]]:
        with provisionalcompleter():
            return [(c.start, c.text) for c in shell.Completer.completions(text, len(text))]

    async def check(made: Watches) -> None:
        del made
        shell.user_ns["_7"] = shell.user_ns["run_a"]
        start = len("%vibe_stop ")
        assert [text for _, text in completed("%vibe_stop ")] == sorted(
            ["run_a", "run_b", "run_c", "id-a", "id-b", "id-c", "First one", "Other", "--all"]
        )
        assert completed("%vibe_stop id-b") == [(start, "id-b")]
        assert completed("%vibe_stop First o") == [(start, "First one")]
        assert completed("%vibe_stop --") == [(start, "--all")]
        assert completed("%vibe_stop ru") == [(start, f"run_{name}") for name in "abc"]

    with_streams(shell, check)
    assert [text for _, text in completed("%vibe_stop ")] == ["--all"]


def test_a_stream_of_two_names_is_found_by_each(shell: InteractiveShell) -> None:
    async def check(made: Watches) -> None:
        other: Any = made[1]
        shell.user_ns["id-a"] = other  # no Python name, but the variable counts first
        shell.run_line_magic("vibe_stop", "id-a")
        await until(other.done)
        assert live_watches() == [made[0], made[2]]

    with_streams(shell, check)


def test_the_list_of_streams_has_their_variables_ids_titles_and_calls(shell: InteractiveShell) -> None:
    async def check(made: Watches) -> None:
        shell.user_ns |= {"again": made[0], "_7": made[1]}
        del shell.user_ns["run_c"]
        registry = vibe.get_registry()
        for agent_id, count in (("id-a", 1), ("id-b", 2)):
            (run,) = registry.transcript(agent_id).runs
            for number in range(count):
                ids = {"agent_id": agent_id, "run_id": run.run_id, "tool_call_id": str(number)}
                registry.dispatch(ToolStarted(**ids, tool_name="f", args={}))
        assert repr(shell.run_line_magic("vibe_streams", "")).splitlines() == [
            "run_a, again  id-a  First one  1 tool call",
            "run_b         id-b  Other      2 tool calls",
            "              id-c  Other      0 tool calls",
        ]

    with_streams(shell, check)


def test_the_same_name_again_stops_the_earlier_stream_and_says_so(shell: InteractiveShell) -> None:
    async def check(made: Watches) -> None:
        def run(line: str) -> list[str]:
            with capture_output() as captured:
                shell.run_line_magic("vibe_stream", line)
            return str(captured.stdout).splitlines()

        assert run("--as run_a --block --no-display ['x']") == [
            "%vibe_stream: stopped the earlier stream run_a; run_a is the new one."
        ]
        await until(made[0].done)
        assert made[0].transcript.outcome == "cancelled"
        assert shell.user_ns["run_a"].transcript.text == "x"
        assert live_watches() == made[1:]
        assert run("--as run_a --block --no-display ['y']") == []  # the earlier one had ended
        shell.user_ns["number"] = 7
        assert run("--as number --block --no-display ['z']") == []

    with_streams(shell, check)

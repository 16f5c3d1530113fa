"""Test a watch in a terminal: colours and the window's width there, plain text in a file or a pipe."""

from __future__ import annotations

import io
import re

import pytest

from vibe_notebook import events as ev
from vibe_notebook.display._terminal import Printer
from vibe_notebook.registry import Registry

IDS = {"agent_id": "a", "run_id": "r"}
STORY: list[ev.Event] = [
    ev.ThinkingDelta(**IDS, message_id="m", delta="Where "),
    ev.ThinkingDelta(**IDS, message_id="m", delta="to look?"),
    ev.TextDelta(**IDS, message_id="m", delta="I look."),
    ev.ToolStarted(**IDS, tool_call_id="c", tool_name="search", args={"q": "word " * 100}),
    ev.ToolFinished(**IDS, tool_call_id="c", tool_name="search", status="ok", output="found " * 100),
    ev.ToolFinished(**IDS, tool_call_id="d", tool_name="fetch", status="error", error="\x1b[31mnot found"),
    ev.ToolFinished(**IDS, tool_call_id="e", tool_name="write", status="ok"),
    ev.RunFinished(**IDS, outcome="cancelled"),
]
COLOUR = re.compile(r"\x1b\[\d+m")


class Window(io.StringIO):
    """Act as a terminal's stream."""

    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO) -> str:
    printer = Printer(stream)
    for event in STORY:
        printer(event)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def test_a_file_gets_plain_lines() -> None:
    lines = printed(io.StringIO()).splitlines()
    assert lines[:2] == ["  thinking: Where to look?", "I look."]
    assert lines[2].startswith("→ search word word")
    assert lines[3].startswith("✓ search: found found")
    assert lines[4:] == ["✗ fetch: not found", "✓ write", "[cancelled]"]


def test_a_terminal_gets_the_same_words_with_colours_that_end_in_their_line() -> None:
    said = printed(Window())
    assert "\x1b[32m✓\x1b[0m" in said
    assert "\x1b[31m✗\x1b[0m" in said
    for line in said.splitlines():
        codes = COLOUR.findall(line)
        assert codes[1::2] == ["\x1b[0m"] * (len(codes) // 2)
        assert len(codes) % 2 == 0
    plain = [line[:30] for line in printed(io.StringIO()).splitlines()]
    assert [line[:30] for line in COLOUR.sub("", said).splitlines()] == plain


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_calls_line_is_cut_to_the_width_of_the_window(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = COLOUR.sub("", printed(Window())).splitlines()
    calls = [line for line in lines if line[:1] in "→✓✗"]
    assert max(map(len, calls)) == columns
    assert len(calls) == 4


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_an_environment_without_colours_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in printed(Window())


def test_streamed_arguments_are_printed_when_the_call_starts() -> None:
    stream = io.StringIO()
    printer = Printer(stream)
    for delta in ('{"q": ', '"rain"}'):
        printer(ev.ToolCallDelta(**IDS, tool_call_id="c", tool_name="search", delta=delta))
    printer(ev.ToolStarted(**IDS, tool_call_id="c", tool_name="search"))
    assert stream.getvalue() == '→ search {"q": "rain"}\n'


def test_a_late_piece_of_streamed_arguments_is_printed_in_its_place() -> None:
    with Registry(hold=0, max_held=0) as registry:
        stream = io.StringIO()
        registry.register("a", on_event=Printer(stream))
        for seq, delta in ((0, '{"q": "o'), (2, 'e"}'), (1, "n")):
            registry.dispatch(ev.ToolCallDelta(**IDS, tool_call_id="c", seq=seq, delta=delta))
        registry.dispatch(ev.ToolStarted(**IDS, tool_call_id="c", tool_name="search", seq=3))
    assert stream.getvalue() == '→ search {"q": "one"}\n'


def test_several_agents_at_once_have_lines_of_their_own_that_begin_with_their_names() -> None:
    stream = io.StringIO()
    printer = Printer(stream)
    for word in ("One ", "two ", "three."):
        for name in ("ann", "bob"):
            printer(ev.TextDelta(agent_id=name, run_id=name, message_id="m", delta=word))
    printer(ev.ToolStarted(agent_id="bob", run_id="bob", tool_call_id="c", tool_name="search"))
    printer(ev.TextDelta(agent_id="ann", run_id="ann", message_id="m", delta=" Four."))
    printer(ev.TextDelta(agent_id="bob", run_id="bob", message_id="n", delta="a line\nand half"))
    printer(ev.RunFinished(agent_id="ann", run_id="ann", outcome="success"))
    printer(ev.RunFinished(agent_id="bob", run_id="bob", outcome="error", error="boom"))
    for name, word in (("ann", "Once"), ("bob", "and "), ("ann", ".\n")):
        printer(ev.TextDelta(agent_id=name, run_id="2", message_id="m", delta=word))
    printer(ev.RunFinished(agent_id="ann", run_id="2", outcome="success"))
    printer(ev.TextDelta(agent_id="bob", run_id="2", message_id="m", delta="again"))
    printer(ev.TextDelta(agent_id="ann", run_id="3", message_id="m", delta="more"))
    printer.end()
    assert stream.getvalue().splitlines() == [
        "One two three.",
        "bob: One two three.",
        "bob: → search",
        "ann:  Four.",
        "bob: a line",
        "bob: and half",
        "bob: [error] boom",
        "ann: Once.",
        "",
        "bob: and again",
        "ann: more",
    ]


def test_what_the_user_said_and_plans_sources_requests_and_lines_are_lines() -> None:
    stream = io.StringIO()
    printer = Printer(stream)
    base = {"agent_id": "a", "run_id": "r"}
    for event in (
        ev.RunStarted(**base, input="Do it\nnow"),
        ev.RunStarted(agent_id="a", run_id="s", parent_run_id="r", input="not said by the user"),
        ev.MessageStarted(**base, message_id="u", role="human"),
        ev.TextDelta(**base, message_id="u", delta="What is\nup?"),
        ev.Plan(**base, entries=[{"text": "Load", "status": "in_progress"}, "Plot"]),
        ev.ThinkingDelta(**base, message_id="m", delta="hm\n✓ search: no call"),
        ev.TextDelta(**base, message_id="m", delta="Not much."),
        ev.Citation(**base, message_id="m", citation_id="1", title="A\nB", url="https://a.example/"),
        ev.Custom(**base, name="settings", value={"k": 5}, shown=True),
        ev.Custom(**base, name="internal", value={"k": 5}),
        ev.InputRequested(**base, request_id="q", message="May I?\n✓ yes"),
        ev.InputAnswered(**base, request_id="q", action="decline", by="ann", reason="no"),
    ):
        printer(event)
    printer.end()
    assert stream.getvalue().splitlines() == [
        "> user: Do it",
        "> now",
        "> user: What is",
        "> up?",
        "plan: 0 of 2 done · Load",
        "  thinking: hm",
        "  ✓ search: no call",
        "Not much.",
        "source: A B · https://a.example/",
        "◇ settings: k=5",
        "? May I?",
        "  ✓ yes",
        "? decline by ann: no",
    ]


def test_the_input_of_a_run_stands_once_though_the_stream_tells_it_twice() -> None:
    stream = io.StringIO()
    printer = Printer(stream)
    for run in ("r", "r", "s"):
        printer(ev.RunStarted(agent_id="a", run_id=run, input="look"))
    assert stream.getvalue().count("> user: look") == 2

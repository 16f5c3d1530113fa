"""Show what a terminal shows in the end, however the text was cut, and the same in every form."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vibe_notebook as vibe
from tests.display.test_view import Stage
from vibe_notebook._forms import terminal_text as module
from vibe_notebook._forms.excerpt import LiveOutput, excerpt
from vibe_notebook._forms.sequences import ProseText, without_sequences
from vibe_notebook._forms.terminal_text import TerminalText, terminal_text
from vibe_notebook._forms.wording import LiveProse, LiveText, clean, clean_code, output_text
from vibe_notebook.events import RunStarted, TextDelta, ThinkingDelta, ToolFinished, ToolProgress, ToolStarted
from vibe_notebook.transcript import Transcript

IDS = {"agent_id": "a", "run_id": "r"}
CALL = {**IDS, "tool_call_id": "c"}
PIECES = st.lists(
    st.text(
        st.sampled_from(
            list(
                "ab1;? (\r\n\b\t\x1b[]PX^_\\mKJHABCDEFGPX@su78\x07\x18\x84\x85\x90\x9b\x9c\x9d中é`~\u0301\u202e"
            )
        ),
        max_size=40,
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\r 50%\r100%\n", "100%\n"),
        ("one\r\ntwo\r\r\nthree", "one\ntwo\nthree"),
        ("abc\rx", "xbc"),
        ("N\bNA\bA_\bx", "NAx"),
        ("loading\r\x1b[Kdone\n", "done\n"),
        ("loading\x1b[2K\rdone", "done"),
        ("a: 1%\nb: 1%\x1b[A\ra: 2%\n\rb: 3%\nend", "a: 2%\nb: 3%\nend"),
        ("one\ntwo\n\x1b[2F\x1b[Jthree", "three"),
        ("log\n\x1b[H\x1b[2Jframe 1\n\x1b[H\x1b[2Jframe 2\n", "log\nframe 2\n"),
        ("下载中\rab", "ab载中"),
        ("a\tb\r123", "123     b"),
        ("e\u0301x\rab", "ab"),
        # Every shape of ECMA-48, in 7 and in 8 bits.
        ("\x1b[1;31mred\x1b[0m \x9b1mbold\x9bm \x1b[?25l\x1b[ qx", "red bold x"),
        ("\x1b]0;title\x07a\x1b]0;title\x1b\\b\x9d0;title\x9cc", "abc"),
        (
            "\x1bPq#0;1\x1b\\a\x1bXsos\x1b\\b\x1b^pm\x1b\\c\x1b_apc\x1b\\d\x90q\x9ce\x98s\x9cf\x9ep\x9cg\x9fa\x9c",
            "abcdefg",
        ),
        ("\x1b(Ba\x1b)0b\x1b#8c\x1b7d\x1b8e\x1b=f\x1bcg", "abcdefg"),
        # What is not ended hides no more than its line.
        ("a\x1b]0;title\nb", "a\nb"),
        ("a\x1b[31", "a"),
        ("a\x1b", "a"),
        ("a\x1b[3\x1b[31mb", "ab"),
        ("a\x1b]0;t\x1b[31mb", "ab"),
        ("a\x1b[3中", "a中"),
    ],
)
def test_a_terminal_text_is_what_the_terminal_shows_in_the_end(text: str, shown: str) -> None:
    assert terminal_text(text) == shown


@given(PIECES)
def test_no_text_depends_on_where_it_was_cut(pieces: list[str]) -> None:
    whole = "".join(pieces)
    terminal, prose, live, code = TerminalText(), ProseText(), LiveProse(), LiveText()
    shown = ["", "", "", ""]
    for piece in pieces:
        terminal.feed(piece)
        keep, news = terminal.changes()
        shown[0] = shown[0][:keep] + news
        shown[1] += prose.take(piece)
        shown[2] += live.feed(piece)
        shown[3] += code.feed(piece)
        assert shown[0] == terminal.read()
        assert (terminal.size, terminal.lines) == (len(shown[0]), shown[0].count("\n") + 1)
    assert shown == [terminal_text(whole), without_sequences(whole), clean(whole), clean_code(whole)]
    assert not set("".join(shown[0] + shown[2] + shown[3])) & set("\x1b\x07\r\b\x9b\u202e")


@given(PIECES)
def test_a_text_in_a_small_window_does_not_depend_on_where_it_was_cut(pieces: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WINDOW", 3)
        patch.setattr(module, "_FAR", 20)
        test_no_text_depends_on_where_it_was_cut.hypothesis.inner_test(pieces)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "piece", ["\r50%", "a\bb", "\x1b[Ax\n", "\x1b]x", "\x1bP\n", "\x1b[9999Cx\n", "\x1b[99@", "中\r"]
)
def test_a_terminal_text_is_never_much_longer_than_its_source(piece: str) -> None:
    text = piece * 3_000
    assert len(terminal_text(text)) <= 2 * len(text) + 1_000


@pytest.mark.parametrize(
    "text",
    [
        "x" * 250_000,
        "line\n" * 3_000,
        "word " * 30_000 + "\n" + "y\n" * 5_000,
        "\n".join("z" * 300 for _ in range(2_500)),
        "".join(f"\rstep {n}" for n in range(5_000)) + "\nthe result\n",
    ],
)
def test_a_long_output_grows_to_the_excerpt_of_the_whole(text: str) -> None:
    live, shown, sent = LiveOutput(), "", 0
    for start in range(0, len(text), 1_000):
        live.feed(text[start : start + 1_000])
        keep, news = live.changes()
        shown = shown[:keep] + news
        sent += len(news)
        assert shown == excerpt(terminal_text(text[: start + 1_000]))
    assert sent <= 4 * len(text)
    assert len(shown) <= 101_000


def forms_of(transcript: Transcript) -> tuple[str, str, str]:
    return transcript.to_text(), transcript.to_html(), transcript.to_markdown()


@pytest.mark.parametrize("cut", [1, 3, 1_000])
def test_a_live_output_is_the_saved_one_at_every_moment(cut: int) -> None:
    stage = Stage()
    text = (
        "\x1b[32mPASSED\x1b[0m a\r\n"
        + "".join(f"\r{n} %" for n in range(101))
        + "\n\x1b[1Ax\n\x1b]0;t\x07end"
    )
    stage.registry.dispatch([RunStarted(**IDS), ToolStarted(**CALL, tool_name="sh", args={})])
    for start in range(0, len(text), cut):
        stage.registry.dispatch(ToolProgress(**CALL, delta=text[start : start + cut]))
        stage.view.flush()
        part = stage.registry.transcript("a").tools[0]
        assert stage.browser.tree()[0]["fields"].get("output", "") == output_text(part)
    assert output_text(part) == "PASSED a\nx00 %\nend"
    for form in forms_of(stage.registry.transcript("a")):
        assert "\x1b" not in form
        assert "x00 %" in form
        assert "99 %" not in form


@pytest.mark.parametrize("kind", [TextDelta, ThinkingDelta])
def test_sequences_in_prose_are_gone_live_and_in_every_form(kind: type[TextDelta]) -> None:
    stage = Stage()
    text = "The log says \x1b[31mFAILED\x1b[0m.\r\n\n```\n\x1b]0;t\x1b\\\x9b1mFAILED\n```\n"
    stage.registry.dispatch(RunStarted(**IDS))
    for char in text:
        stage.registry.dispatch(kind(**IDS, delta=char))
        stage.view.flush()
    stage.view.finish()
    for shown in (str(stage.browser.tree()), *forms_of(stage.registry.transcript("a"))):
        assert not set(shown) & set("\x1b\x9b\r")
        assert "[31m" not in shown
        assert shown.count("FAILED") == 2


@pytest.mark.parametrize(
    "pieces", [["\x1b[3", "1mred\x1b[0", "m"], ["\x1b[31mred\x1b[0m"], ["re", "d\r", "\n"]]
)
def test_a_printed_text_does_not_depend_on_where_it_was_cut(
    pieces: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        list(vibe.watch(iter(pieces)))
    assert shown.getvalue().strip() == "red"


def test_a_printed_result_is_the_last_state_of_its_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "text")
    with (
        contextlib.redirect_stdout(io.StringIO()) as shown,
        vibe.live("x") as live,
        live.tool("train") as tool,
    ):
        tool.result("".join(f"\rStep {n}/3000 " for n in range(3_001)) + "\nAccuracy: 0.93\n")
    assert "train: Step 3000/3000 Accuracy: 0.93\n" in shown.getvalue()


# What a tool has written stays when its result comes.


def test_the_lines_that_a_tool_has_written_stay_before_its_result() -> None:
    with vibe.live("x", display=False) as live, live.tool("train") as tool:
        tool.write("epoch 1\n")
        tool.write("epoch 2\n")
        assert live.transcript.tools[0].output == "epoch 1\nepoch 2\n"
        tool.result({"accuracy": 0.93})
    part = live.transcript.tools[0]
    assert (part.output, part.written) == ({"accuracy": 0.93}, "epoch 1\nepoch 2\n")
    assert output_text(part) == 'epoch 1\nepoch 2\n{\n  "accuracy": 0.93\n}'
    for form in forms_of(live.transcript):
        assert form.index("epoch 2") < form.index("0.93")


@pytest.mark.parametrize(
    ("written", "result", "shown"),
    [
        ("a\nb\n", "a\nb\n", "a\nb\n"),
        ("a\nb\n", "exit code 0\na\nb", "exit code 0\na\nb"),
        ("ok\n", "ok, 3 hits", "ok\nok, 3 hits"),
        ("step 3 of 5\n", "3", "step 3 of 5\n3"),
        ("a\n", None, "a\n"),
    ],
)
def test_a_result_that_repeats_the_written_lines_shows_them_once(
    written: str, result: str | None, shown: str
) -> None:
    stage = Stage()
    stage.registry.dispatch(
        [RunStarted(**IDS), ToolStarted(**CALL, args={}), ToolProgress(**CALL, delta=written)]
    )
    stage.view.flush()
    stage.registry.dispatch(ToolFinished(**CALL, output=result))
    stage.view.flush()
    assert output_text(stage.registry.transcript("a").tools[0]) == shown
    assert stage.browser.tree()[0]["fields"]["output"] == shown


def test_a_result_replaces_a_preliminary_output() -> None:
    stage = Stage()
    stage.registry.dispatch(
        [
            RunStarted(**IDS),
            ToolStarted(**CALL, args={}),
            ToolProgress(**CALL, output="half"),
            ToolFinished(**CALL, output="all"),
        ]
    )
    assert output_text(stage.registry.transcript("a").tools[0]) == "all"


def test_a_table_follows_the_lines_that_were_written_before_it() -> None:
    with vibe.live("x", display=False) as live, live.tool("query") as tool:
        tool.write("reading\n")
        tool.result({"columns": ["n"], "rows": [[1]], "total": 1})
    for form in forms_of(live.transcript):
        assert "reading" in form
    assert "<table" in live.transcript.to_html()

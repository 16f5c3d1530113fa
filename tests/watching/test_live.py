"""Check ``live``: work that the caller reports by hand."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook.events import Usage
from vibe_notebook.exceptions import ClosedError, ProtocolError


def quiet(name: str = "researcher", **options: Any) -> vibe.Live:
    return vibe.live(name, **{"registry": vibe.Registry(), "display": False, **options})


def test_reported_work_is_in_the_transcript_in_order() -> None:
    with quiet() as live:
        live.thinking("h")
        live.thinking("m")
        live.text("Hello ")
        live.text("**world**")
        with live.tool("search", {"q": "x"}) as tool:
            tool.progress("1 of 3")
            assert live.transcript.tools[0].state == "running"
            tool.result({"hits": 3})
        live.text("Done.")
    transcript = live.transcript
    assert [part.kind for part in transcript.parts] == ["thinking", "text", "tool", "text"]
    assert (transcript.thinking, transcript.text) == ("hm", "Hello **world**Done.")
    (call,) = transcript.tools
    assert (call.tool_name, call.args, call.output, call.state) == ("search", {"q": "x"}, {"hits": 3}, "ok")
    assert call.progress is not None
    assert call.progress.message == "1 of 3"
    assert (transcript.agent_id, transcript.outcome) == ("researcher", "success")
    assert live.done()


def test_a_tool_without_a_result_is_ok_when_its_block_ends() -> None:
    with quiet() as live, live.tool("touch"):
        pass
    assert live.transcript.tools[0].state == "ok"


def test_an_exception_inside_of_a_tool_marks_it_as_an_error_and_propagates() -> None:
    def work(live: vibe.Live, *, result: bool) -> None:
        with live.tool("search") as tool:
            if result:
                tool.result("early")
            raise LookupError("nothing there")

    with quiet() as live:
        for result in (False, True):
            with pytest.raises(LookupError):
                work(live, result=result)
    assert [(t.state, t.error) for t in live.transcript.tools] == [
        ("error", "LookupError: nothing there")
    ] * 2
    assert live.transcript.outcome == "success"


def test_an_exception_that_leaves_the_block_ends_the_run_as_an_error() -> None:
    live = quiet()
    with pytest.raises(ValueError, match="no"), live:
        raise ValueError("no")
    assert (live.transcript.outcome, live.transcript.error) == ("error", "ValueError: no")


def test_an_interrupt_ends_the_run_and_its_open_tool_as_cancelled() -> None:
    live = quiet()
    with pytest.raises(KeyboardInterrupt), live, live.tool("search"):
        raise KeyboardInterrupt
    assert live.transcript.outcome == "cancelled"
    assert live.transcript.tools[0].state == "cancelled"


def test_tools_run_in_parallel_and_each_gets_its_own_result() -> None:
    def work(live: vibe.Live, number: int) -> None:
        with live.tool("double", {"n": number}) as tool:
            started.wait()
            tool.result(number * 2)

    started = threading.Barrier(4)
    with quiet() as live:
        threads = [threading.Thread(target=work, args=(live, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted((t.args["n"], t.output, t.state) for t in live.transcript.tools) == [
        (n, n * 2, "ok") for n in range(4)
    ]


def test_no_text_from_many_threads_is_lost() -> None:
    def write(live: vibe.Live, letter: str) -> None:
        for _ in range(100):
            live.text(letter)

    with quiet() as live:
        threads = [threading.Thread(target=write, args=(live, letter)) for letter in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(live.transcript.text) == sorted("abc" * 100)


def test_tools_inside_of_tools_keep_the_order_in_which_they_began() -> None:
    with quiet() as live, live.tool("outer") as outer:
        live.text("between")
        with live.tool("inner") as inner:
            inner.result(1)
        outer.result(2)
    assert [p.tool_name if p.kind == "tool" else p.kind for p in live.transcript.parts] == [
        "outer",
        "text",
        "inner",
    ]


def test_an_artifact_is_shown_and_the_same_name_replaces_it() -> None:
    with quiet() as live:
        live.artifact("plot.png", b"old", media_type="image/png")
        live.artifact("plot.png", b"new", media_type="image/png")
        live.artifact("report", url="https://example.com/report.pdf")
    first, second = live.transcript.parts
    assert first.kind == second.kind == "artifact"
    assert first.data == "bmV3"
    assert second.url == "https://example.com/report.pdf"


def test_a_tool_can_fail_without_an_exception_and_write_its_output_in_deltas() -> None:
    with quiet() as live:
        with live.tool("run") as tool:
            tool.write("line 1\n")
            tool.write("line 2\n")
            assert live.transcript.tools[0].output == "line 1\nline 2\n"
        with live.tool("deploy") as tool:
            tool.error("not allowed", status="denied")
        with live.tool("parse") as tool:
            tool.error(ValueError("bad"))
    assert [(t.state, t.error) for t in live.transcript.tools] == [
        ("ok", None),
        ("denied", "not allowed"),
        ("error", "ValueError: bad"),
    ]


def test_async_with_works_the_same() -> None:
    async def main() -> vibe.Live:
        async with quiet() as live:
            live.text("a")
        return live

    assert asyncio.run(main()).transcript.text == "a"


def test_cancellation_ends_the_run_as_cancelled() -> None:
    live = quiet()

    async def work() -> None:
        async with live:
            live.text("a")
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert live.transcript.outcome == "cancelled"


def test_use_outside_of_the_block_is_an_error_with_the_fix() -> None:
    live = quiet()
    with pytest.raises(ClosedError, match=r"with vibe\.live"):
        live.text("early")
    with live:
        tool = live.tool("slow")
    for late in (
        lambda: live.text("late"),
        lambda: live.tool("late"),
        lambda: tool.result(1),
        live.__enter__,
    ):
        with pytest.raises(ClosedError, match="start a new one"):
            late()


def test_a_tools_block_that_outlives_the_run_hides_no_error() -> None:
    with quiet() as live:
        tool = live.tool("slow")
    with pytest.raises(ZeroDivisionError), tool:
        raise ZeroDivisionError
    with tool:
        pass
    assert live.transcript.tools[0].state == "unfinished"


def test_close_is_idempotent_and_needs_no_block() -> None:
    live = quiet().__enter__()
    live.close()
    live.close()
    assert live.transcript.outcome == "success"
    quiet().close()


def test_a_callback_may_emit_more() -> None:
    registry = vibe.Registry()
    registry.register("researcher", on_thinking=lambda _: live.text("answer"))
    with quiet(registry=registry) as live:
        live.thinking("question")
    assert [part.kind for part in live.transcript.parts] == ["thinking", "text"]


def test_a_callback_may_wait_for_another_thread_that_emits_events() -> None:
    def on_thinking(_: object) -> None:
        thread = threading.Thread(target=lambda: live.text("from a thread"))
        thread.start()
        thread.join(10)
        joined.append(not thread.is_alive())

    joined: list[bool] = []
    registry = vibe.Registry()
    registry.register("researcher", on_thinking=on_thinking)
    with quiet(registry=registry) as live:
        live.thinking("question")
    assert joined == [True]
    assert live.transcript.text == "from a thread"


def test_usage_that_was_set_is_in_the_transcript() -> None:
    with quiet() as live:
        live.usage = Usage(input_tokens=3, output_tokens=4)
    assert live.transcript.usage is not None
    assert live.transcript.usage.output_tokens == 4


def test_record_writes_what_replay_reads(tmp_path: Path) -> None:
    with quiet(record=tmp_path / "x.jsonl") as live:
        live.text("Hello")
    again = vibe.watch(vibe.replay(tmp_path / "x.jsonl", speed=0), display=False)
    list(again)
    assert again.transcript == live.transcript


def test_nothing_is_shown_before_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    live = vibe.live("a", registry=vibe.Registry())
    assert capsys.readouterr().out == ""
    with live:
        live.text("Hello")
        assert "Hello" in capsys.readouterr().out


def test_an_invalid_value_is_an_error_that_names_its_field_and_the_block_stays_open() -> None:
    with quiet() as live:
        for report, field in ((live.text, "delta"), (live.thinking, "delta"), (live.tool, "tool_name")):
            with pytest.raises(ProtocolError) as caught:
                report(5)
            assert caught.value.field == field
        live.text("fine")
    assert (live.transcript.text, live.transcript.outcome) == ("fine", "success")

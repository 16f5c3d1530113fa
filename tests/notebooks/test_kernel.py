"""Check a watch in a real kernel by the messages that the kernel sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from tests.notebooks.kernel import Kernel, errors, kernel, kinds, printed
from vibe_notebook._magics.options import OPTIONS

HANGS = """
async def hangs():
    yield "Hello "
    print("hanging", flush=True)
    await asyncio.Event().wait()
"""


@pytest.fixture(scope="module")
def k() -> Iterator[Kernel]:
    with kernel() as made:
        yield made


@pytest.fixture(scope="module")
def static() -> Iterator[Kernel]:
    with kernel("static") as made:
        yield made


def contains(text: str) -> Any:
    return lambda m: m["msg_type"] == "stream" and text in m["content"]["text"]


def idle(message: dict[str, Any]) -> bool:
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


def test_a_watch_is_one_display_with_a_widget_that_its_static_form_replaces(k: Kernel) -> None:
    messages = [
        m for m in k.run("t = await vibe.watch(['Hello ', '**world**'])") if "display" in m["msg_type"]
    ]
    assert [m["msg_type"] for m in messages] == ["display_data", "update_display_data"]
    first, last = (m["content"] for m in messages)
    assert first["transient"]["display_id"] == last["transient"]["display_id"]
    assert "application/vnd.jupyter.widget-view+json" in first["data"]
    assert set(first["data"]) >= {"text/html", "text/markdown", "text/plain"}
    assert set(last["data"]) == {"text/html", "text/markdown", "text/plain"}
    assert "<strong>world</strong>" in last["data"]["text/html"]


def test_an_ended_watch_without_a_page_leaves_no_widget_and_no_comm(k: Kernel) -> None:
    count = "from ipywidgets.widgets.widget import _instances; import comm\n"
    count += "print(len(_instances), len(comm.get_comm_manager().comms))"
    before = printed(k.run(count))
    for _ in range(3):
        k.run("t = await vibe.watch(['Hello'])")
    assert printed(k.run(count)) == before


BLOCKED = """
import threading, time
live = vibe.live("t").__enter__()
def push():
    for i in range(20):
        live.text(f"w{i} ")
        time.sleep(0.02)
thread = threading.Thread(target=push)
thread.start()
thread.join()
print("free again")
live.__exit__(None, None, None)
"""


def test_a_threads_events_are_sent_while_the_main_thread_is_blocked(k: Kernel) -> None:
    order = [m["msg_type"] for m in k.run(BLOCKED)]
    assert order[: order.index("stream")].count("comm_msg") >= 3


def test_show_displays_the_static_form_anew(k: Kernel) -> None:
    k.run("t = await vibe.watch(['Hello'], title='Again')")
    (shown,) = (
        m for m in k.run("vibe.last().show()") if m["msg_type"] != "status" and "input" not in m["msg_type"]
    )
    assert shown["msg_type"] == "display_data"
    assert set(shown["content"]["data"]) == {"text/html", "text/markdown", "text/plain"}
    assert "Again" in shown["content"]["data"]["text/html"]


def test_an_unconsumed_watch_shows_a_hint_and_a_shown_one_its_form_in_other_cells(k: Kernel) -> None:
    (message,) = (m for m in k.run("vibe.watch(['a'], title='x')") if m["msg_type"] == "display_data")
    assert "not started" in message["content"]["data"]["text/plain"]
    assert kinds(k.run("w = vibe.watch(['Hello'], title='x')\nawait w\nw")).count("display_data") == 1
    for cell in ("w", "vibe.last()"):
        (shown,) = (m["content"]["data"] for m in k.run(cell) if m["msg_type"] == "display_data")
        assert "Hello" in shown["text/plain"]


def form(messages: list[dict[str, Any]], kind: str) -> dict[str, str]:
    """Return the forms of the last message of a kind."""
    data: dict[str, str] = [m["content"]["data"] for m in messages if m["msg_type"] == kind][-1]
    return data


def test_a_cell_that_ends_in_an_awaited_watch_shows_its_transcript_once(k: Kernel) -> None:
    text = form(
        k.run("await vibe.watch(['one'])\nt = await vibe.watch(['**two**'], title='Two')\nt"),
        "execute_result",
    )
    assert text == {"text/plain": "<transcript of 'Two', shown above>"}
    assert "<strong>two</strong>" in form(k.run("t"), "execute_result")["text/html"]
    assert (
        "<strong>two</strong>"
        in form(k.run("display(await vibe.watch(['**two**']))"), "display_data")["text/html"]
    )
    assert "two" in form(k.run("await vibe.watch(['two'], display=False)"), "execute_result")["text/html"]


@pytest.mark.parametrize("renderer", ["auto", "text"])
def test_a_console_gets_the_text_as_it_comes_also_of_a_stream_in_the_background(
    k: Kernel, renderer: str
) -> None:
    k.run(
        f"vibe.configure(renderer={renderer!r})\nfrom asyncio import Event\nasync def slow():\n"
        "    yield 'He'\n    await more.wait()\n    yield 'llo **you**'"
    )
    shown = k.run("more = Event(); more.set()\nawait vibe.watch(slow(), title='x')", is_console=True)
    assert printed(shown) == "Hello **you**\n"
    assert kinds(shown) == ["stream", "stream", "stream", "execute_result"]
    sent = k.send("more = Event()\n%vibe_stream --as w slow()", is_console=True)
    k.wait(sent, contains("He"))
    later = k.run("more.set()\nawait w", is_console=True)
    k.run("vibe.configure(renderer='auto')")
    assert printed([*k.of(sent), *later]) == "Hello **you**\n"
    assert "display_data" not in kinds([*k.of(sent), *later])


def test_the_cell_form_displays_nothing_twice_and_has_no_value(k: Kernel) -> None:
    messages = k.run("# comment\n%%vibe_stream --as w\nawait asyncio.sleep(0)\n['a', 'b']")
    assert [kind for kind in kinds(messages) if "comm" not in kind] == ["display_data", "update_display_data"]
    assert printed(k.run("print(w.transcript.text, vibe.last() is w)")) == "ab True\n"


def test_the_cell_is_busy_and_later_cells_wait(k: Kernel) -> None:
    k.run(
        "order = []\nasync def slow():\n    yield 'a'\n    await asyncio.sleep(0.2)\n    order.append('stream')"
    )
    first = k.send("%%vibe_stream --no-display\nslow()")
    second = k.send("order.append('later cell'); print(order)")
    k.wait(second, idle)
    assert printed(k.of(second)) == "['stream', 'later cell']\n"
    ends = [m["parent_header"]["msg_id"] for m in k.messages if idle(m)]
    assert ends.index(first) < ends.index(second)


@pytest.mark.parametrize(
    "cell",
    [
        "await vibe.watch(hangs(), display=False)",
        "async for _ in vibe.watch(hangs(), display=False): pass",
        "%%vibe_stream --no-display\nhangs()",
        "%vibe_stream --block --no-display hangs()",
    ],
)
def test_an_interrupt_takes_effect_within_a_moment_while_a_watch_is_awaited(k: Kernel, cell: str) -> None:
    k.run(HANGS)
    sent = k.send(cell)
    k.wait(sent, contains("hanging"))
    time.sleep(0.2)  # the loop is idle now: no timer would wake it
    began = time.monotonic()
    k.manager.interrupt_kernel()
    k.wait(sent, idle)
    elapsed = time.monotonic() - began
    assert errors(k.of(sent)) in (["CancelledError"], ["KeyboardInterrupt"])
    assert elapsed < 3, "an idle loop alone took more than 8 s"
    text = printed(k.run("w = vibe.last(); print(w.done(), w.transcript.outcome, w.transcript.text)"))
    assert text == "True cancelled Hello \n"


@pytest.mark.parametrize(
    "opening",
    [
        "with vibe.live('a', display=False) as run:",
        "async with vibe.live('a', display=False) as run:",
        "async with vibe.watch(hangs(), display=False) as run:",
    ],
)
def test_an_interrupt_takes_effect_within_a_moment_whatever_a_block_awaits(k: Kernel, opening: str) -> None:
    k.run(HANGS)
    sent = k.send(f"{opening}\n    print('hanging', flush=True)\n    await asyncio.sleep(60)")
    k.wait(sent, contains("hanging"))
    time.sleep(0.2)  # the loop is idle now: no timer would wake it
    began = time.monotonic()
    k.manager.interrupt_kernel()
    k.wait(sent, idle)
    elapsed = time.monotonic() - began
    assert errors(k.of(sent)) in (["CancelledError"], ["KeyboardInterrupt"])
    assert elapsed < 3, "an idle loop alone took more than 8 s"
    assert printed(k.run("print(run.done(), run.transcript.outcome)")) == "True cancelled\n"


def test_an_interrupt_ends_a_sync_loop(k: Kernel) -> None:
    k.run("import time\ndef blocks():\n    yield 'a'\n    print('hanging', flush=True)\n    time.sleep(60)")
    for cell in (
        "for _ in vibe.watch(blocks(), display=False): pass",
        "await vibe.watch(blocks(), display=False)",
    ):
        sent = k.send(cell)
        k.wait(sent, contains("hanging"))
        k.manager.interrupt_kernel()
        k.wait(sent, idle)
        assert errors(k.of(sent)) in (["CancelledError"], ["KeyboardInterrupt"])
        assert printed(k.run("print(vibe.last().transcript.outcome)")) == "cancelled\n"


def test_the_line_form_returns_at_once_and_streams_into_its_own_cell(k: Kernel) -> None:
    k.run(
        "go = asyncio.Event()\nasync def waits():\n    yield 'Hello '\n    await go.wait()\n    yield 'world'"
    )
    sent = k.send("%vibe_stream --as w waits()")
    k.wait(sent, idle)
    later = k.run("s = %vibe_streams\nprint(w.done(), len(s))\ns")
    assert printed(later) == "False 1\n"
    (table,) = (m["content"]["data"]["text/plain"] for m in later if m["msg_type"] == "execute_result")
    assert "0 tool calls" in table
    k.send("go.set()")
    k.wait(sent, lambda m: m["msg_type"] == "update_display_data")
    assert printed(k.run("print(w.transcript.text)")) == "Hello world\n"


def test_the_line_forms_watch_can_be_awaited_any_number_of_times(k: Kernel) -> None:
    k.run("async def works():\n    yield 'Hello '\n    await asyncio.sleep(0.2)\n    yield 'world'")
    for source in ("works()", "['Hello ', 'world']", "--block works()"):
        messages = k.run(f"w = %vibe_stream --no-display {source}\nprint((await w).text, w.done())")
        assert (printed(messages), errors(messages)) == ("Hello world True\n", [])
        assert printed(k.run("print((await w).text)")) == "Hello world\n"
    k.run(HANGS)
    k.run("w = %vibe_stream hangs()")
    sent = k.send("print('waits', flush=True)\nawait w")
    k.wait(sent, contains("waits"))
    time.sleep(0.2)
    k.manager.interrupt_kernel()
    k.wait(sent, idle)
    assert errors(k.of(sent)) in (["CancelledError"], ["KeyboardInterrupt"])
    assert printed(k.run("print(w.done())")) == "False\n"
    assert printed(k.run("w.cancel()\nprint((await w).outcome)")) == "cancelled\n"


def test_stop_ends_a_stream_of_an_earlier_cell(k: Kernel) -> None:
    k.run(HANGS)
    sent = k.send("%vibe_stream --as w hangs()")
    k.wait(sent, contains("hanging"))
    assert errors(k.run("%vibe_stop --all")) == []
    k.wait(sent, lambda m: m["msg_type"] == "update_display_data")
    assert (
        printed(k.run("print(w.transcript.outcome, len(vibe._watching.watch.live_watches()))"))
        == "cancelled 0\n"
    )


@pytest.mark.parametrize("cell", ["t = await vibe.watch(hangs())", "%vibe_stream hangs()"])
def test_the_views_stop_button_ends_the_stream(k: Kernel, cell: str) -> None:
    k.run(HANGS)
    sent = k.send(cell)
    shown = k.wait(sent, lambda m: m["msg_type"] == "display_data")
    model = shown["content"]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    k.wait(sent, contains("hanging"))
    data = {"method": "custom", "content": {"type": "stop"}}
    click = k.client.session.msg("comm_msg", {"comm_id": model, "data": data})
    k.client.shell_channel.send(click)
    k.wait(sent, lambda m: m["msg_type"] == "update_display_data")
    assert errors(k.of(sent)) == []
    assert printed(k.run("print(vibe.last().transcript.outcome)")) == "cancelled\n"


def test_an_agent_that_pushes_from_a_thread_is_followed_until_its_run_ends(k: Kernel) -> None:
    k.run(
        "import threading\nfrom vibe_notebook.testing import scripted\nnext_one = threading.Event()\n"
        "events = scripted('Hello world', agent_id='pushed')\nvibe.get_registry().dispatch(events[:2])\n"
        "def push():\n    next_one.wait(30)\n    for event in events[2:]: vibe.get_registry().dispatch(event)\n"
        "threading.Thread(target=push).start()"
    )
    sent = k.send("next_one.set()\n%vibe_stream --block agent:pushed")
    k.wait(sent, idle)
    assert errors(k.of(sent)) == []
    assert printed(k.run("print(vibe.last().transcript.text, vibe.last().transcript.outcome)")) == (
        "Hello world success\n"
    )


def test_live_shows_a_threads_events_in_the_cell_where_it_began(k: Kernel) -> None:
    messages = k.run(
        "import threading\nwith vibe.live('by hand') as live:\n    t = threading.Thread(target=live.text, args=('Hi',))\n"
        "    t.start(); t.join()"
    )
    assert [kind for kind in kinds(messages) if "comm" not in kind] == ["display_data", "update_display_data"]


PLAIN_BLOCKS = """
import asyncio
async def work(name):
    with vibe.live(name) as live:
        live.text(name)
        await asyncio.sleep(0.01)
await asyncio.gather(*map(work, ("first", "second", "third")))
print([t.text for t in map(vibe.get_registry().transcript, ("first", "second", "third"))])
"""


def test_a_cell_waits_for_the_final_forms_that_plain_blocks_in_its_coroutines_leave_to_it(k: Kernel) -> None:
    messages = k.run(PLAIN_BLOCKS)
    assert printed(messages) == "['first', 'second', 'third']\n"
    assert kinds(messages).count("display_data") == kinds(messages).count("update_display_data") == 3
    assert printed(k.run("print(get_ipython().events.callbacks['post_run_cell'])")).count("cell_ends") == 0
    assert errors(messages) == []


OWN_CODE = """
other = vibe.live('other').__enter__()
with vibe.live('mine') as live:
    live.text('mine')
print('left')
other.close()
"""


@pytest.mark.parametrize("first_line", ["", "import asyncio; await asyncio.sleep(0)"])
def test_a_plain_block_in_a_cells_own_code_ends_with_its_final_form(k: Kernel, first_line: str) -> None:
    messages = kinds(k.run(first_line + OWN_CODE))
    assert messages.index("update_display_data") < messages.index("stream")


CAPTURES = """
import asyncio
from IPython.utils.capture import capture_output
async def work():
    with vibe.live("captured") as live:
        live.text("captured")
other = vibe.live('other').__enter__()
with capture_output() as captured:
    await asyncio.gather(work())
task = asyncio.create_task(work())
await asyncio.sleep(0)
with capture_output() as noise:
    await asyncio.gather(task)
    await asyncio.sleep(0.3)
other.close()
"""


def test_a_final_form_replaces_its_view_also_under_a_later_capture_of_displays(k: Kernel) -> None:
    messages = k.run(CAPTURES)
    assert errors(messages) == []
    # The displays of "other", and of the second "captured".
    assert kinds(messages).count("display_data") == kinds(messages).count("update_display_data") == 2
    found = printed(k.run("print([o.update for o in captured.outputs], noise.outputs)"))
    assert found == "[False, True] []\n"


def test_a_handler_ends_with_its_cell(k: Kernel) -> None:
    k.run(
        "from pydantic_ai import Agent\nfrom pydantic_ai.models.test import TestModel\n"
        "h = vibe.handler('pydantic_ai', display=False)\n"
        "r = await Agent(TestModel(custom_output_text='done')).run('x', event_stream_handler=h)"
    )
    assert printed(k.run("print(h.done(), h.transcript.outcome, h.transcript.text)")) == "True success done\n"


def test_an_error_in_the_body_shows_the_users_line(k: Kernel) -> None:
    messages = k.run("%%vibe_stream\na = 0\nb = 1 / a\n[b]")
    assert errors(messages) == ["ZeroDivisionError"]
    (error,) = (m for m in messages if m["msg_type"] == "error")
    assert "b = " in "\n".join(error["content"]["traceback"])


def test_usage_errors_are_short(k: Kernel) -> None:
    for cell in ("%%time\n%%vibe_stream\n['a']", "%%capture\n%%vibe_stream\n['a']", "%vibe_stream --bogus x"):
        messages = k.run(cell)
        assert "UsageError" in errors(messages) or "UsageError" in printed(messages)
        assert len(printed(messages).splitlines()) <= 2


def test_completion_offers_exactly_the_options(k: Kernel) -> None:
    for code in ("%vibe_stream --", "%%vibe_stream --block --"):
        reply = k.client.complete(code, len(code), reply=True, timeout=30)["content"]
        assert reply["matches"] == sorted(OPTIONS)
        assert code[reply["cursor_start"] : reply["cursor_end"]] == "--"


def test_unloading_leaves_no_trace(k: Kernel) -> None:
    try:
        assert errors(k.run("%unload_ext vibe_notebook")) == []
        assert "not found" in printed(k.run("%vibe_stream ['a']")) + str(k.run("%%vibe_stream\n['a']"))
    finally:
        k.run("%load_ext vibe_notebook")
    assert errors(k.run("%vibe_stream --block --no-display ['a']")) == []


@pytest.mark.parametrize(
    "cell",
    [
        "await vibe.watch(['Hello'])",
        "for _ in vibe.watch(['Hello']): pass",
        "%vibe_stream ['Hello']",
        "%%vibe_stream\n['Hello']",
        "t = %vibe_stream --block ['Hello']",
        "with vibe.live('a') as live: live.text('Hello')",
    ],
)
def test_static_is_exactly_one_display_and_the_same_in_every_run(static: Kernel, cell: str) -> None:
    cell = cell.replace("await vibe", "_ = await vibe")
    first, second = ([m for m in static.run(cell) if m["msg_type"] != "status"] for _ in range(2))
    assert kinds(first) == kinds(second) == ["display_data"]
    assert first[-1]["content"]["data"] == second[-1]["content"]["data"]
    assert first[-1]["content"]["transient"] == {}


AGENT = """
import asyncio, os, vibe_notebook as vibe
async def agent(then):
    for number in range(50):
        yield f"word{number} "
    await asyncio.sleep(2)
    then()
    await asyncio.sleep(60)
"""


@pytest.mark.parametrize("then", ["os._exit(1)", "1 / 0"])
def test_an_unattended_notebook_whose_kernel_dies_or_whose_agent_fails_holds_what_was_written(
    then: str,
) -> None:
    cells = [AGENT, f"async for _ in vibe.watch(agent(lambda: {then})): pass"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises((DeadKernelError, CellExecutionError)):
        NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    shown = [output for output in notebook.cells[1].outputs if output.output_type == "display_data"]
    text = "".join(output["data"]["text/plain"] for output in shown)
    assert text.count("word49") == 1
    is_dead = "exit" in then
    assert ("still at work" in text) == is_dead
    assert any("widget-view" in kind for output in shown for kind in output["data"]) == is_dead


def test_the_form_of_the_moment_stands_in_its_own_cell_while_another_cell_runs(k: Kernel) -> None:
    k.run("async def slow():\n    yield 'slowly '\n    await asyncio.sleep(60)")
    first = k.send("%vibe_stream slow()")
    k.wait(first, idle)
    k.run("print('another cell')")
    beside = k.wait(
        first, lambda m: m["msg_type"] == "display_data" and "slowly" in m["content"]["data"]["text/plain"]
    )
    assert "vibe-interim" in beside["content"]["data"]["text/html"]
    k.run("%vibe_stop --all")


def test_a_click_ends_the_step_of_a_sync_loop_where_the_front_end_has_a_subshell(k: Kernel) -> None:
    session, control = k.client.session, k.client.control_channel
    control.send(session.msg("create_subshell_request"))
    subshell = control.get_msg(timeout=30)["content"]["subshell_id"]
    k.run(
        "import time\ndef hangs():\n    yield 'a'\n    print('hanging', flush=True)\n    time.sleep(60)\n    yield 'b'"
    )
    sent = k.send("for event in vibe.watch(hangs()):\n    pass\nprint(vibe.last().transcript.outcome)")
    shown = k.wait(sent, lambda m: m["msg_type"] == "display_data")
    model = shown["content"]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    k.wait(sent, contains("hanging"))
    click = session.msg(
        "comm_msg", {"comm_id": model, "data": {"method": "custom", "content": {"type": "stop"}}}
    )
    click["header"]["subshell_id"] = subshell
    k.client.shell_channel.send(click)
    k.wait(sent, idle)
    assert printed(k.of(sent)) == "hanging\ncancelled\n"


BACKGROUND = """
import asyncio, vibe_notebook as vibe
%load_ext vibe_notebook
async def agent(words, then=asyncio.sleep):
    for number in range(words):
        yield f"word{number} "
        await asyncio.sleep(0)
    await then(0.3)
"""


def test_a_notebook_run_without_a_page_holds_its_background_streams_and_no_views_code() -> None:
    cells = [
        BACKGROUND,
        "%vibe_stream --title ended agent(9)",
        "%vibe_stream --title live agent(9, lambda _: asyncio.sleep(99))",
        "await asyncio.sleep(0.5)",
        "_ = await vibe.watch(agent(3))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    _, ended, live, _, awaited = ([o["data"] for o in cell.outputs] for cell in notebook.cells)
    assert ["success" in data["text/plain"] and "word8" in data["text/plain"] for data in ended] == [True]
    assert ["still at work" in data["text/plain"] and "word8" in data["text/plain"] for data in live] == [
        True
    ]
    assert len(awaited) == 1
    states = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    codes = [len(state["state"]["_esm"]) for state in states if "_esm" in state["state"]]
    assert sum(code > 0 for code in codes) == 1  # of the agent that is still at work
    assert len(codes) == 3


def test_a_chat_that_nobody_sees_is_whole_in_its_cell_and_its_wait_ends_with_the_queue(k: Kernel) -> None:
    chat = "talk = vibe.chat(lambda text, chat: f'You said {text}', title='Talk')\n"
    messages = k.run(f"{chat}talk.send('one')\nt = await talk\nawait talk.send('two')")
    first, *_, last = [m["content"]["data"] for m in messages if "display_data" in m["msg_type"]]
    assert "application/vnd.jupyter.widget-view+json" in first
    assert "application/vnd.jupyter.widget-view+json" not in last
    assert "You said one" in last["text/html"]
    assert "You said two" in last["text/html"]
    assert "textarea" not in last["text/html"]
    (result,) = [m["content"]["data"] for m in messages if m["msg_type"] == "execute_result"]
    assert result["text/plain"] == "<transcript of 'Talk', shown above>"
    k.run("talk.close()")


def test_an_interrupt_of_a_cell_that_waits_for_a_turn_stops_the_turn_and_not_the_chat(k: Kernel) -> None:
    opened = k.send(f"{HANGS}\ntalk = vibe.chat(lambda text, chat: hangs() if text == 'hang' else text)")
    k.wait(opened, idle)
    sent = k.send("await talk.send('hang')")
    k.wait(opened, contains("hanging"))  # what a turn prints lands in the cell of the chat
    k.manager.interrupt_kernel()
    k.wait(sent, idle)
    assert errors(k.of(sent)) in (["CancelledError"], ["KeyboardInterrupt"])
    k.run("t = await talk.send('next')")
    said = printed(k.run("print([run.outcome for run in talk.transcript.runs], t.text)"))
    assert said == "['cancelled', 'success'] next\n"
    k.run("talk.close()")

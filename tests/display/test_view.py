"""Test the live view: its messages build the transcript, for any events and any lost messages."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.display.browser_half import Browser, page_html
from vibe_notebook._forms.conversation import Sources, document_parts, is_hidden
from vibe_notebook._forms.html import wait_html
from vibe_notebook._forms.html_conversation import line_html, plan_html, said_html, sources_html
from vibe_notebook._forms.wording import args_text, name_in_line, output_text
from vibe_notebook._markdown.renderer import render
from vibe_notebook._markdown.stream import MarkdownStream
from vibe_notebook._reducer.run import PartBuilder
from vibe_notebook.display._pacer import PAUSE, Pacer
from vibe_notebook.display._view import View
from vibe_notebook.events import (
    Artifact,
    Citation,
    Custom,
    Event,
    InputAnswered,
    InputRequested,
    MessageStarted,
    PartCompleted,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.registry import Registry

WORDS = [
    "plain ",
    "**bold** ",
    "`code` ",
    "\n\n",
    "- item\n",
    "# head\n",
    "```\ncode\n```\n",
    "😀 ",
    "| a |\n| - |\n| b |\n\n",
    "<b>x</b> ",
]


def some_events(rng: random.Random, count: int) -> list[Event]:
    """Return a busy agent's events: parallel tools, a subagent, late and derived events, replaced parts."""
    made: list[Event] = []
    runs = ["r1", "r2", "sub"]
    for i in range(count):
        run = rng.choice(runs)
        base: dict[str, Any] = {"agent_id": "a", "run_id": run, "message_id": rng.choice([None, "m1", "m2"])}
        if rng.random() < 0.3:
            base |= {"seq": rng.randrange(40), "sub": i, "counter": rng.choice(["", "c"])}
        if rng.random() < 0.1:
            base["derived"] = True
        call = rng.choice(["t1", "t2"])
        text = rng.choice(WORDS)
        match rng.randrange(18):
            case 0 | 1 | 2 | 3:
                event: Event = TextDelta(**base, part_id=rng.choice("01"), delta=text)
            case 4:
                event = ThinkingDelta(**base, delta=text)
            case 5:
                event = ToolCallDelta(
                    **base, tool_call_id=call, tool_name="name", delta=rng.choice(['{"a": 1}', "{", "😀"])
                )
            case 6:
                event = ToolStarted(
                    **base, tool_call_id=call, tool_name="name", args=rng.choice([None, {"a": [1]}]), ts=1.0
                )
            case 7:
                event = ToolProgress(
                    **base, tool_call_id=call, delta=text, progress=rng.choice([None, 1.0]), total=3.0
                )
            case 8:
                event = ToolFinished(
                    **base,
                    tool_call_id=call,
                    status=rng.choice(["ok", "error"]),
                    output=rng.choice([None, text, {"x": 1}]),
                    ts=2.0,
                )
            case 9:
                event = PartCompleted(**base, part_id=rng.choice("01"), text=rng.choice(["", text * 2]))
            case 10:
                event = Artifact(
                    **base, artifact_id=rng.choice("xy"), name=text, media_type="image/png", data="AAAA"
                )
            case 11 | 12 | 13 | 14 | 15 | 16:
                event = said(rng, base, text, call)
            case _:
                known: Event = RunStarted(
                    agent_id="a", run_id="sub", parent_run_id="r1", parent_tool_call_id="t1"
                )
                known = rng.choice([known, RunStarted(agent_id="a", run_id=run, input=text)])
                event = rng.choice([known, RunFinished(agent_id="a", run_id=run)])
        made.append(event)
    return made


def said(rng: random.Random, base: dict[str, Any], text: str, call: str) -> Event:
    """Return an event of the conversation around the agent's own words."""
    asked = rng.choice([None, call, "t3"])
    action = rng.choice(["accept", "decline", "cancel"])
    user = {**base, "message_id": "said"}
    made: list[Event] = [
        Plan(**base, entries=[text, "next"], tool_call_id=rng.choice([None, call])),
        Citation(**base, citation_id=rng.choice("cd"), part_id=rng.choice("012"), title=text),
        InputRequested(**base, request_id=rng.choice("pq"), tool_call_id=asked, message=text),
        InputAnswered(**base, request_id=rng.choice("pq"), action=action),
        InputAnswered(**base, request_id="p", action=action, request_run_id="r1"),
        Custom(**base, name="line", value=text, shown=rng.random() < 0.7),
        MessageStarted(**user, role="user"),
        TextDelta(**user, delta=text),
    ]
    return rng.choice(made)


def in_order(count: int) -> list[Event]:
    """Return the events of a new run, in which thinking, texts and calls follow each other."""
    ids: dict[str, Any] = {"agent_id": "a", "run_id": "plain"}
    made: list[Event] = [RunStarted(**ids)]
    for i in range(count):
        made.append(ThinkingDelta(**ids, part_id=str(i), delta="hm"))
        made.append(TextDelta(**ids, part_id=str(i), delta="so"))
        made.append(ToolStarted(**ids, tool_call_id=f"c{i}", tool_name="t", args={}))
    return made


def visible(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def sent_content(part: dict[str, Any]) -> Any:
    """Return the content of a part of the browser's tree, in the transcript's terms."""
    inside = [sent_content(child) for child in part["parts"]]
    match part["kind"]:
        case "text":
            assert part["open"] == part["tail"] == ""
            return ("text", visible(page_html(part["blocks"])))
        case "thinking":
            return ("thinking", part["fields"].get("text", ""))
        case "tool":
            props, fields = part["props"], part["fields"]
            return (
                "tool",
                props["name"],
                props["state"],
                fields.get("args", ""),
                fields.get("output", ""),
                inside,
            )
        case "artifact":
            return ("artifact", part["props"]["name"])
        case "card":
            return ("card", visible(part["props"]["html"]))
        case _:
            return ("run", part["props"]["name"], inside)


def contents(parts: Iterable[Any]) -> list[Any]:
    """Return the contents of the shown parts of the transcript, with the sources after their texts."""
    found, sources = [], Sources(list(parts))
    for part in parts:
        if not is_hidden(part) and (part.kind != "text" or part.text):
            found.append(content(part))
        if part.kind == "text" and (after := sources.after(part)):
            found.append(("card", visible(sources_html(after))))
    return found


def content(part: Any) -> Any:
    """Return the content of a part of the transcript."""
    match part.kind:
        case "text" if part.role in ("user", "system"):
            return ("card", visible(said_html(part, is_open=False)))
        case "plan":
            return ("card", visible(plan_html(part)))
        case "input":
            return ("card", visible(wait_html(part.request)))
        case "custom":
            return ("card", visible(line_html(part, is_open=False)))
        case "text":
            return ("text", visible(render(part.text, math="mathml")))
        case "thinking":
            return ("thinking", part.text)
        case "tool":
            args = part.args_text if part.state == "preparing" else args_text(part)
            return (
                "tool",
                part.tool_name,
                part.state,
                args,
                output_text(part),
                contents(part.children),
            )
        case _:
            return ("artifact", name_in_line(part.name) or name_in_line(part.artifact_id))


class Stage:
    """Connect a view to a browser by a line that may lose messages."""

    def __init__(self, loss: float = 0.0, seed: int = 0) -> None:
        self.registry = Registry(hold=0, max_wait=1e9)
        self.sent: list[dict[str, Any]] = []
        self._rng, self._loss = random.Random(seed), loss
        self.view = View(self.registry, title="t", send=self.send, pacer=Pacer(lambda: 0.0, threads=False))
        self.browser = Browser(self.view.snapshot())
        self.view.watch("a")

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if self._rng.random() >= self._loss:
            self.browser.receive(message)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_after_every_message_the_browser_has_the_state_of_a_snapshot(seed: int, count: int) -> None:
    rng = random.Random(seed)
    stage = Stage()
    for event in some_events(rng, count):
        stage.registry.dispatch(event)
        if rng.random() < 0.3:
            stage.view.flush()
            assert stage.browser.tree() == stage.view.snapshot()["parts"]
    stage.view.finish()
    assert stage.browser.tree() == stage.view.snapshot()["parts"]
    assert stage.browser.head["state"] == "ended"


@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0.02, 0.3, 1.0]))
def test_a_part_that_is_added_alone_stands_in_its_arranged_place(seed: int, count: int, rate: float) -> None:
    rng = random.Random(seed)
    stage = Stage()
    tree = stage.view._tree
    add = tree.add

    def checked(touched: list[PartBuilder], logs: Any) -> list[Any] | None:
        ops = add(touched, logs)
        if ops is not None:
            assert tree.arrange(logs)[0] == []
        return ops

    tree.add = checked  # type: ignore[method-assign, assignment]
    for event in [*some_events(rng, count), *in_order(count)]:
        stage.registry.dispatch(event)
        if rng.random() < rate:
            stage.view.flush()
    stage.view.flush()
    assert stage.browser.head["note"] is None, (seed, count, rate)
    assert stage.browser.tree() == stage.view.snapshot()["parts"]


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_the_view_ends_with_the_content_of_the_transcript(seed: int, count: int) -> None:
    rng = random.Random(seed)
    stage = Stage()
    for event in some_events(rng, count):
        stage.registry.dispatch(event)
        if rng.random() < 0.3:
            stage.view.flush()
    stage.view.finish()
    transcript = stage.registry.transcript("a")
    top = [part for part in stage.browser.tree() if part["kind"] != "run"]
    assert [sent_content(part) for part in top] == contents(document_parts(transcript))
    unclaimed = [part for part in stage.browser.tree() if part["kind"] == "run"]
    assert [[sent_content(p) for p in run["parts"]] for run in unclaimed] == [
        contents(run.parts)
        for run in transcript.runs
        if run.parts or (run.parent_run_id and not run.parts and unclaimed and run.run_id in str(unclaimed))
    ]


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.5])
def test_a_browser_that_lost_messages_is_complete_after_a_resync(loss: float) -> None:
    rng = random.Random(1)
    stage = Stage(loss=loss, seed=2)
    for event in some_events(rng, 400):
        stage.registry.dispatch(event)
        stage.view.flush()
    stage.view.finish()
    for _ in range(100):
        if stage.browser.number == stage.view.number:
            break
        stage.view.resync(stage.browser.number)
    assert stage.browser.tree() == stage.view.snapshot()["parts"]


def test_a_resync_without_lost_messages_is_answered_without_the_whole_state() -> None:
    stage = Stage()
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="x"))
    stage.view.resync(stage.view.number)
    assert stage.sent[-1] == {"n": stage.view.number, "ops": []}


def test_growing_text_of_any_length_is_sent_once() -> None:
    stage = Stage()
    total = 0
    for i in range(2000):
        piece = f"word{i} " if i % 20 else f"word{i}.\n\n"
        total += len(piece)
        stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta=piece))
        stage.view.flush()
    ops = [op for message in stage.sent for op in message["ops"]]
    payload = sum(len(str(op)) for op in ops)
    assert payload < 12 * total


def test_a_long_output_is_sent_piece_by_piece() -> None:
    stage = Stage()
    stage.registry.dispatch(ToolStarted(agent_id="a", run_id="r", tool_call_id="t", args={}))
    for i in range(500):
        stage.registry.dispatch(ToolProgress(agent_id="a", run_id="r", tool_call_id="t", delta=f"line {i}\n"))
        stage.view.flush()
    sent = [op[4] for message in stage.sent for op in message["ops"] if op[0] == "txt" and op[2] == "output"]
    assert "".join(sent) == "".join(f"line {i}\n" for i in range(500))


def test_two_agents_of_one_view_have_their_own_panes() -> None:
    stage = Stage()
    stage.view.watch("b")
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="one"))
    stage.registry.dispatch(TextDelta(agent_id="b", run_id="r", delta="two"))
    stage.view.finish()
    first, second = stage.browser.tree()
    assert (first["kind"], second["kind"], second["props"]["name"]) == ("text", "run", "b")
    assert visible(page_html(second["parts"][0]["blocks"])) == "two"


def test_a_fault_of_the_view_is_reported_in_it_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    def broken(*_: object) -> None:
        message = "no"
        raise ValueError(message)

    monkeypatch.setattr(stage.view._tree, "arrange", broken)
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="one"))
    stage.view.flush()
    assert "ValueError" in stage.browser.head["note"]
    assert stage.registry.transcript("a").text == "one"


def test_after_a_fault_the_whole_state_is_sent_at_once_and_the_rest_with_the_next_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="one **two"))
    stage.view.flush()
    faults = iter([ValueError("no")])
    update = MarkdownStream.update

    def faulty(stream: MarkdownStream) -> Any:
        for fault in faults:
            raise fault
        return update(stream)

    monkeypatch.setattr(MarkdownStream, "update", faulty)
    stage.registry.dispatch(ToolStarted(agent_id="a", run_id="r", tool_call_id="t", args={"q": 1}))
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta=" three**\n\nfour"))
    stage.view.flush()
    assert [op[0] for op in stage.sent[-1]["ops"]] == ["full"]
    assert "ValueError" in stage.browser.head["note"]
    assert stage.browser.tree() == stage.view.snapshot()["parts"]
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="."))
    stage.view.flush()
    assert stage.browser.tree() == stage.view.snapshot()["parts"]
    text, tool = stage.browser.tree()
    assert visible(page_html(text["blocks"], text["open"])) == "one two three four."
    assert tool["fields"]["args"]


def test_a_fault_that_lasts_does_not_send_the_whole_state_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    def broken(*_: object) -> None:
        message = "no"
        raise ValueError(message)

    monkeypatch.setattr(stage.view._tree, "add", broken)
    monkeypatch.setattr(stage.view._tree, "arrange", broken)
    for _ in range(100):
        stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="one"))
        stage.view.flush()
    assert len(stage.sent) == 7
    stage.view.finish()
    assert stage.browser.head["state"] == "ended"


def test_held_back_words_are_shown_after_a_pause() -> None:
    clock = [0.0]
    browser, registry = Browser(), Registry(hold=0)
    pacer = Pacer(lambda: clock[0], threads=False)
    view = View(registry, title="t", send=browser.receive, pacer=pacer)
    view.watch("a")
    registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="Done **[now"))
    (part,) = browser.tree()
    assert visible(part["open"]) == "Done"
    clock[0] += PAUSE
    assert pacer.run_due() is None
    (part,) = browser.tree()
    assert part["open"] == "<p>Done <strong>now</strong></p>\n"


def test_a_view_shows_only_events_since_it_was_opened() -> None:
    registry = Registry()
    registry.dispatch([TextDelta(agent_id="a", run_id="old", delta="before")])
    browser = Browser()
    view = View(registry, title="t", send=browser.receive, pacer=Pacer(lambda: 0.0, threads=False))
    view.watch("a", registry.arrivals("a"))
    registry.dispatch([TextDelta(agent_id="a", run_id="new", delta="after")])
    view.finish()
    assert [visible(page_html(p["blocks"])) for p in browser.tree()] == ["after"]


@pytest.mark.parametrize("run_id", ["r", "another"])
def test_a_detached_view_ignores_later_events_of_its_agent(run_id: str) -> None:
    stage = Stage()
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="one"))
    stage.view.detach()
    stage.view.flush()
    stage.registry.dispatch(TextDelta(agent_id="a", run_id=run_id, delta="two"))
    stage.view.report("later")
    stage.view.flush()
    stage.view.finish()
    assert stage.browser.head["note"] == "later"
    assert [visible(page_html(p["blocks"])) for p in stage.browser.tree()] == ["one"]


def test_an_agent_that_appears_while_the_view_is_drawn_disturbs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    reading = stage.registry.reading
    comers = iter("bc")

    def another_agent_appears(agent_id: str) -> Any:
        comer = next(comers, None)
        if comer is not None:
            stage.view.watch(comer)
            stage.view.is_open[comer] = True
        return reading(agent_id)

    monkeypatch.setattr(stage.registry, "reading", another_agent_appears)
    stage.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="one"))
    stage.view.flush()
    assert stage.browser.head["note"] is None
    stage.view.finish()
    assert visible(page_html(stage.browser.tree()[0]["blocks"])) == "one"


def test_a_channel_that_fails_ends_no_dispatch_and_the_browser_can_ask_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[dict[str, Any]] = []
    is_broken = True

    def send(message: dict[str, Any]) -> None:
        if is_broken:
            raise OSError("the channel is closed")
        sent.append(message)

    with Registry() as registry:
        view = View(registry, title="t", send=send, pacer=Pacer(lambda: 0.0, threads=False))
        view.watch("a")
        for number in range(5):
            registry.dispatch(TextDelta(agent_id="a", run_id="r", delta=f"{number} "))
            view.flush()
        is_broken = False
        view.resync(-1)
        view.finish()
    assert caplog.text.count("The live view could not be sent") == 1
    assert "0 1 2 3 4" in str(sent)

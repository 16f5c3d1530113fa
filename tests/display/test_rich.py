"""Test the live view's rich results: each heavy string travels once, and the view holds no more than it shows."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.display.browser_half import Browser, page_html
from tests.display.test_view import visible
from vibe_notebook._forms import html
from vibe_notebook._forms.conversation import Sources
from vibe_notebook._forms.html_conversation import cited_html
from vibe_notebook._forms.sequences import without_sequences
from vibe_notebook._forms.wording import output_text
from vibe_notebook._markdown.renderer import render
from vibe_notebook.display import _parts, _view
from vibe_notebook.display._pacer import PAUSE, Pacer
from vibe_notebook.display._pieces import PIECE
from vibe_notebook.display._view import View
from vibe_notebook.events import (
    Artifact,
    Citation,
    Event,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from vibe_notebook.parts import TextPart, ToolPart
from vibe_notebook.registry import Registry

BASE: dict[str, Any] = {"agent_id": "a", "run_id": "r"}


def image(seed: int, size: int = 3_000) -> str:
    """Return the base64 of a file that begins as a PNG of one pixel does."""
    head = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    return base64.b64encode(head + random.Random(seed).randbytes(size)).decode()


class Scene:
    """Draw one agent for one browser, by a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[dict[str, Any]] = []
        self.registry = Registry(hold=0)
        self.pacer = Pacer(lambda: self.now, threads=False)
        self.view = View(self.registry, title="t", send=self.send, pacer=self.pacer)
        self.browser = Browser(self.view.snapshot())
        self.view.watch("a")

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.browser.receive(message)

    def draw(self, *events: Event) -> list[Any]:
        """Dispatch the events, draw, and return the ops."""
        self.sent.clear()
        self.registry.dispatch(list(events))
        self.view.flush()
        assert self.browser.tree() == self.view.snapshot()["parts"]
        return [op for message in self.sent for op in message["ops"]]

    def html_of(self, part: dict[str, Any], name: str = "rich") -> str:
        number = part["props"].get(name)
        return self.browser.blob(number) if number else ""


def shown(number: int, bundle: dict[str, Any], **more: Any) -> list[Event]:
    call = {**BASE, "tool_call_id": f"c{number}"}
    return [
        ToolStarted(**call, tool_name="plot", args={"n": number}),
        ToolFinished(**call, output="made", display=bundle, **more),
    ]


def test_an_image_of_several_parts_travels_once_and_stands_in_a_snapshot_once() -> None:
    scene, data = Scene(), image(1)
    sent = []
    for event in [
        *shown(1, {"image/png": data}),
        *shown(2, {"image/png": data}),
        *shown(3, {"text/html": f'<p>Twice:</p><img src="data:image/png;base64,{data}">'}),
        Artifact(**BASE, artifact_id="f", name="plot.png", media_type="image/png", data=data),
        Artifact(**BASE, artifact_id="g", display={"image/png": data}, name="again"),
    ]:
        sent += scene.draw(event)
    assert json.dumps(sent).count(data) == 1
    assert json.dumps(scene.view.snapshot()).count(data) == 1
    source = f"data:image/png;base64,{data}"
    parts = scene.browser.tree()
    assert [source in scene.html_of(part, "rich_output") for part in parts[:3]] == [True] * 3
    assert [scene.html_of(parts[3], "src"), source in scene.html_of(parts[4])] == [source, True]
    scene.view.finish()
    assert json.dumps(scene.sent[-1]).count(data) == 1


def test_a_call_opens_for_a_picture_and_says_how_a_command_failed() -> None:
    scene = Scene()
    scene.draw(
        *shown(1, {"image/png": image(1)}),
        *shown(2, {"text/html": "<table><td>1</table>", "image/png": image(1)}),
    )
    call = {**BASE, "tool_call_id": "c3"}
    scene.draw(
        ToolStarted(**call, tool_name="bash", args={"command": "make"}),
        ToolFinished(**call, output={"stdout": "no", "exit_code": 2}),
    )
    parts = [part["props"] for part in scene.browser.tree()]
    assert [part.get("opens", False) for part in parts] == [True, False, False]
    assert [part.get("exit", "") for part in parts] == ["", "", "exit 2"]


def test_a_thought_says_how_long_it_took_once_it_is_done() -> None:
    scene = Scene()
    scene.draw(ThinkingDelta(**BASE, ts=10.0, delta="Hm"), ThinkingDelta(**BASE, ts=12.5, delta="."))
    (part,) = scene.browser.tree()
    assert part["props"].get("took", "") == ""
    scene.draw(TextDelta(**BASE, ts=13.0, delta="So"))
    assert scene.browser.tree()[0]["props"]["took"] == "2.5 s"


def test_html_is_not_sent_again_when_something_else_of_its_part_changes() -> None:
    scene, table = Scene(), "<table><tr><td>" + "cell " * 500 + "</td></tr></table>"
    call = {**BASE, "tool_call_id": "c"}
    scene.draw(ToolStarted(**call, tool_name="f", args={}, display={"text/html": table}))
    for n in range(5):
        scene.now += 1
        ops = scene.draw(ToolProgress(**call, progress=n, total=9, message=f"step {n}"))
        assert len(json.dumps(ops)) < 200
    ops = scene.draw(ToolFinished(**call, output="done", display={"text/html": table}))
    assert len(json.dumps(ops)) < 400
    (part,) = scene.browser.tree()
    assert "cell cell" in scene.html_of(part, "rich_output")


def test_an_unfinished_display_changes_twice_a_second_and_the_last_one_comes() -> None:
    scene = Scene()
    numbers = []
    for n in range(60):
        scene.registry.dispatch(Artifact(**BASE, artifact_id="p", display={"text/html": f"<p>plot {n}</p>"}))
        scene.pacer.run_due()
        scene.now += 1 / 30
    for _ in range(8):
        scene.now += PAUSE / 2
        scene.pacer.run_due()
    numbers = [op for message in scene.sent for op in message["ops"] if op[0] == "blob" and len(op) > 2]
    assert 3 <= len(numbers) <= 6  # two seconds, both ends included
    (part,) = scene.browser.tree()
    assert scene.html_of(part).count("<p>plot 59</p>") == 1
    scene.registry.dispatch(Artifact(**BASE, artifact_id="p", display={"text/html": "<p>last</p>"}))
    scene.view.finish()
    assert scene.html_of(scene.browser.tree()[0]).count("<p>last</p>") == 1


def test_a_display_that_nothing_shows_any_more_is_forgotten_here_and_in_the_browser() -> None:
    scene = Scene()
    for n in range(50):
        scene.draw(Artifact(**BASE, artifact_id="p", display={"image/png": image(n)}))
        scene.now += 1
        assert len(scene.browser.blobs) == 2  # the HTML and its image
    assert len(json.dumps(scene.view.snapshot())) < 8_000
    assert scene.view._tree.blobs._bytes == {
        "r": sum(len(text.encode()) for text in scene.browser.blobs.values())
    }


def test_the_displays_of_a_run_are_bounded_and_those_left_out_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_DISPLAYS_LIMIT", "20000")
    scene = Scene()
    for n in range(20):
        scene.draw(*shown(n, {"image/png": image(n)}))
    assert sum(map(len, scene.browser.blobs.values())) < 21_000
    htmls = [scene.html_of(part, "rich_output") for part in scene.browser.tree()]
    assert ["<img" in each for each in htmls] == [True] * 4 + [False] * 16
    assert all("left out" in each and "transcript" in each for each in htmls[4:])
    other = {"agent_id": "a", "run_id": "s", "tool_call_id": "x"}
    scene.draw(
        ToolStarted(**other, tool_name="plot"),
        ToolFinished(**other, output="", display={"image/png": image(99)}),
    )
    assert "<img" in scene.html_of(scene.browser.tree()[-1], "rich_output")


def test_the_last_state_is_bounded_with_its_displays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_view, "FORM_BYTES", 30_000)
    scene = Scene()
    for n in range(20):
        scene.draw(*shown(n, {"image/png": image(n)}))
    scene.draw(RunFinished(**BASE))
    scene.view.finish()
    state = json.dumps(scene.sent[-1])
    assert len(state) < 32_000
    assert state.count("data:image/png") >= 4
    assert "left out" in state
    for part in scene.browser.tree():
        scene.html_of(part, "rich_output")  # each blob that is named is there


def test_a_display_that_cannot_be_rendered_is_said_and_the_view_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> str:
        message = "no such <b>"
        raise ValueError(message)

    monkeypatch.setattr(_parts, "display_html", broken)
    monkeypatch.setattr(html, "display_html", broken)
    scene = Scene()
    scene.draw(*shown(1, {"text/html": "<p>x</p>"}), TextDelta(**BASE, delta="after"))
    assert "ValueError: no such &lt;b&gt;" in scene.html_of(scene.browser.tree()[0], "rich_output")
    assert scene.browser.head["note"] is None
    assert "could not be rendered" in caplog.text


def test_a_long_result_comes_whole_in_bounded_pieces() -> None:
    scene = Scene()
    call = {**BASE, "tool_call_id": "c"}
    text = "".join(f"line {n} 😀\n" for n in range(60_000))
    scene.draw(ToolStarted(**call, tool_name="f", args={"q": 1}), ToolFinished(**call, output=text))
    (part,) = scene.browser.tree()
    assert part["props"]["whole_output"] == len(text)
    assert len(part["fields"]["output"]) < 101_000
    at, size, found = 0, 1, ""
    while at < size:
        scene.view.send_piece(part["key"], "output", at)
        key, field, start, at, size, piece = scene.browser.pieces[-1]
        assert (key, field, start) == (part["key"], "output", len(found))
        assert 0 < len(piece) <= PIECE
        found += piece
    transcript = scene.registry.transcript("a").parts[0]
    assert isinstance(transcript, ToolPart)
    assert found == output_text(transcript, str)
    assert scene.browser.lost == 0
    assert scene.view._pieces._text == ""  # nothing is held once all was sent


@pytest.mark.parametrize(
    "asked", [(99, "output", 0), (1, "secret", 0), (1, "output", -1), (1, "output", "0"), (None, None, None)]
)
def test_a_page_that_asks_for_no_text_of_a_call_gets_nothing(asked: tuple[Any, Any, Any]) -> None:
    scene = Scene()
    scene.draw(*shown(1, {"text/plain": "x"}), TextDelta(**BASE, delta="after"))
    scene.view.send_piece(*asked)
    assert scene.browser.pieces == []


def test_the_header_has_the_newest_plan() -> None:
    scene = Scene()
    step = {"text": "writing\n tests", "status": "in_progress"}
    done = {"text": "a", "status": "completed"}
    gone = {"text": "b", "status": "cancelled"}
    scene.draw(RunStarted(**BASE), Plan(**BASE, entries=[done, done, step, "x", "y", gone]))
    assert scene.browser.head["plan"] == "Plan 2/5 · writing tests"
    scene.draw(Plan(**BASE, plan_id="other", entries=["x"]))
    assert scene.browser.head["plan"] == "Plan 0/1"
    scene.draw(Plan(**BASE, entries=[done, done]))
    assert scene.browser.head["plan"] == "Plan 2/2"
    inner = {"agent_id": "a", "run_id": "sub"}
    scene.draw(RunStarted(**inner, parent_run_id="r"), Plan(**inner, entries=["z"] * 3))
    assert scene.browser.head["plan"] == "Plan 2/2"
    scene.view.finish()
    assert scene.browser.head["plan"] == "Plan 2/2"


WORDS = [
    "plain ",
    "**bold** ",
    "`code` ",
    "\n\n",
    "- item\n",
    "# head\n",
    "[link](https://example.org/x) ",
    "😀 ",
]
WORDS += [
    "```\ncode\n```\n",
    "| a |\n| - |\n| b |\n\n",
    "<b>x</b> ",
    "⁅0⁆ ",
    "https://example.org/y ",
    ":) ",
]


@given(st.integers(0, 2**32), st.integers(1, 12))
@example(112, 5)  # a link that is one again without the mark in its address
def test_a_text_ends_with_the_numbers_of_its_sources_where_the_saved_form_has_them(
    seed: int, count: int
) -> None:
    rng = random.Random(seed)
    scene = Scene()
    base = {**BASE, "message_id": "m"}
    length = 0
    for _ in range(count):
        word = rng.choice(WORDS)
        length += len(word)
        events: list[Event] = [TextDelta(**base, part_id="0", delta=word)]
        if rng.random() < 0.3:
            end = rng.randrange(length + 5)
            events.append(
                Citation(
                    **base,
                    citation_id=str(rng.randrange(6)),
                    part_id=rng.choice("01"),
                    url=f"https://example.org/{rng.randrange(3)}",
                    end=end,
                )
            )
        if rng.random() < 0.2:
            events.append(TextDelta(**base, part_id="1", delta=word))
        rng.shuffle(events)
        if rng.random() < 0.5:
            scene.draw(*events)
            scene.now += rng.choice([0.01, PAUSE])
        else:
            scene.registry.dispatch(events)
    scene.draw()
    scene.view.finish()
    parts = [part for part in scene.registry.transcript("a").parts if isinstance(part, TextPart)]
    sources = Sources(parts)
    saved = [
        cited_html(part, sources, lambda text: render(without_sequences(text))) for part in parts if part.text
    ]
    texts = [part for part in scene.browser.tree() if part["kind"] == "text"]
    assert [visible(page_html(part["blocks"])) for part in texts] == list(map(visible, saved))


def test_a_number_stands_once_its_place_is_known_and_costs_no_text_again() -> None:
    scene = Scene()
    base = {**BASE, "message_id": "m"}
    text = "\n\n".join(f"Paragraph {n} with some words." for n in range(40))
    scene.draw(TextDelta(**base, delta=text))
    ops = scene.draw(Citation(**base, citation_id="c", url="https://example.org/", end=11))
    assert '<sup class="vibe-cite">[1]</sup>' in page_html(scene.browser.tree()[0]["blocks"])
    assert len(json.dumps([op for op in ops if op[1] == 1])) < 200  # the one paragraph, not all
    ops = scene.draw(TextDelta(**base, delta="\n\nAnother."))
    assert len(json.dumps(ops)) < 200
    scene.now += 1
    scene.view.flush()
    assert scene.browser.tree() == scene.view.snapshot()["parts"]
    assert page_html(scene.browser.tree()[0]["blocks"]).count("vibe-cite") == 1


def test_a_mark_inside_of_a_tag_never_becomes_html() -> None:
    scene = Scene()
    base = {**BASE, "message_id": "m"}
    scene.draw(TextDelta(**base, delta="see "))
    scene.draw(Citation(**base, citation_id="c", url="https://example.org/", end=4))
    # The mark stands at the end of the open text; the text that follows makes an address of it.
    for piece in ("[x](https://example.org/", "⁅0⁆", "onmouseover=alert(1)) ", "`⁅0⁆`", "\n\n", "end"):
        scene.draw(TextDelta(**base, delta=piece))
        part = scene.browser.tree()[0]
        page = page_html(part["blocks"], part["open"])
        for tag in page.split("<")[1:]:
            assert "vibe-cite" not in tag.partition(">")[0] or tag.startswith('sup class="vibe-cite">')
            assert "⁅" not in tag.partition(">")[0] or "%E2" in tag or tag.startswith("a ")

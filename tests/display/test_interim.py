"""Test the form of the moment: a second output that a saved notebook keeps, until the final form."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from vibe_notebook._controls import Controls
from vibe_notebook.display import _widget_output
from vibe_notebook.display._saver import SAVER
from vibe_notebook.display._widget_output import WidgetOutput
from vibe_notebook.events import TextDelta
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript


class FakeDisplay:
    """Record the bundles of one output."""

    def __init__(self, outputs: list[FakeDisplay], data: Mapping[str, Any]) -> None:
        self.outputs = outputs
        self.states = [dict(data)]
        outputs.append(self)

    def replace(self, data: Mapping[str, Any]) -> None:
        self.states.append(dict(data))

    def open_beside(self, data: Mapping[str, Any]) -> FakeDisplay:
        return FakeDisplay(self.outputs, data)


class FakeHost:
    """Stand in for a notebook: the outputs of one cell."""

    is_notebook = True

    def __init__(self) -> None:
        self.outputs: list[FakeDisplay] = []
        self.at_end: list[Callable[[BaseException | None], object]] = []

    def open_display(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> FakeDisplay:
        del metadata
        return FakeDisplay(self.outputs, data)

    def at_cell_end(self, ended: Callable[[BaseException | None], object]) -> bool:
        self.at_end.append(ended)
        return True

    def end_cell(self) -> None:
        """End the present cell."""
        waiting, self.at_end = self.at_end, []
        for ended in waiting:
            ended(None)


class Cell:
    """Hold one live view, its outputs, its agent and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.host = FakeHost()
        monkeypatch.setattr(_widget_output, "host", lambda: self.host)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.registry = Registry()
        self.output = WidgetOutput(
            self.registry, title="agent", controls=Controls(), transcripts=self.transcripts
        )
        SAVER.remove(self.output)  # the test itself saves
        self.output.watch("a", 0)

    def transcripts(self) -> dict[str, Transcript]:
        return {"a": self.registry.transcript("a")}

    def say(self, text: str) -> None:
        self.registry.dispatch(TextDelta(agent_id="a", run_id="r", delta=text))
        self.output._view.flush()

    def saved(self) -> list[str]:
        """Return the text of each of the cell's outputs."""
        return [display.states[-1]["text/plain"] for display in self.host.outputs]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    made = Cell(monkeypatch)
    yield made
    made.output.finish(made.transcripts())
    made.output.close()


def test_the_notebook_has_what_was_written_up_to_the_last_save_and_at_the_end_all_of_it_once(
    cell: Cell,
) -> None:
    cell.say("one ")
    assert cell.output.save()
    cell.say("two ")
    assert cell.output.save()
    cell.say("three")
    title, interim = cell.saved()
    assert "one two" in interim
    assert "three" not in interim
    assert "still at work" in interim
    assert "one" not in title
    cell.output.finish(cell.transcripts())
    final, empty = cell.saved()
    assert "one two three" in final
    assert empty == ""


def test_a_form_without_news_is_not_made_again(cell: Cell) -> None:
    cell.say("one ")
    assert cell.output.save()
    assert cell.output.save() is None
    cell.output._view.flush()
    assert cell.output.save() is None
    cell.say("two ")
    assert cell.output.save()


def test_no_form_follows_the_end(cell: Cell) -> None:
    cell.say("one ")
    cell.output.finish(cell.transcripts())
    assert cell.output.save() is None
    assert len(cell.host.outputs) == 1


def test_a_view_that_a_page_shows_gets_no_second_output_in_its_first_seconds(cell: Cell) -> None:
    cell.output._receive({"type": "hello", "n": 0, "page": "p"})
    cell.say("one ")
    assert cell.output.save() is None
    cell.now += 8
    assert cell.output.save()
    assert len(cell.host.outputs) == 2


def test_a_page_that_asks_gets_the_last_form_and_after_the_end_the_final_one(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    cell.output._packer.is_plain = True
    widget = cell.output._widget
    assert widget is not None
    monkeypatch.setattr(widget, "send", sent.append)
    cell.output._receive({"type": "hello", "n": 0, "page": "p", "plain": True})
    cell.output._receive({"type": "form"})
    assert not [op for message in sent for op in message["ops"] if op[0] == "form"]
    cell.say("one ")
    cell.now += 8
    cell.output.save()
    cell.output._receive({"type": "form"})
    cell.output.finish(cell.transcripts())
    cell.output._receive({"type": "form"})
    interim, final = [op[1] for message in sent for op in message["ops"] if op[0] == "form"]
    assert "still at work" in interim["text/plain"]
    assert f"vibe-interim-{cell.output._mark}" in interim["text/html"]
    assert final == cell.host.outputs[0].states[-1]


def test_an_ended_view_lives_until_every_page_that_said_hello_said_bye(cell: Cell) -> None:
    for page in ("first", "second", "first"):
        cell.output._receive({"type": "hello", "n": 0, "page": page})
    cell.output.finish(cell.transcripts())
    assert cell.output._widget is not None
    cell.output._receive({"type": "bye", "page": "first"})
    assert cell.output._widget is not None
    cell.output._receive({"type": "bye", "page": "second"})
    assert cell.output._widget is None


def test_an_ended_view_that_no_page_shows_is_closed(cell: Cell) -> None:
    cell.output._receive({"type": "hello", "n": 0, "page": "first"})
    cell.output._receive({"type": "bye", "page": "first"})
    assert cell.output._widget is not None  # a page may show it again
    cell.output.finish(cell.transcripts())
    assert cell.output._widget is None


def test_the_form_of_the_moment_shows_hostile_text_as_text(cell: Cell) -> None:
    cell.say("<script>alert(1)</script><img src=x onerror=alert(1)>")
    cell.output.save()
    html = cell.host.outputs[1].states[-1]["text/html"]
    assert "<script" not in html
    assert "<img" not in html


def widget_views(display: FakeDisplay) -> list[bool]:
    return [any("widget-view" in kind for kind in state) for state in display.states]


def test_without_a_page_the_ends_of_later_cells_show_the_form_in_the_views_own_output(cell: Cell) -> None:
    cell.say("one ")
    cell.output.save()
    cell.host.end_cell()  # its own
    assert len(cell.host.outputs[0].states) == 1
    cell.host.end_cell()
    assert "one" in cell.saved()[0]
    assert "still at work" in cell.saved()[0]
    cell.host.end_cell()
    assert len(cell.host.outputs[0].states) == 2  # no news
    cell.say("two ")
    cell.say("three ")
    cell.host.end_cell()
    assert "one two three" in cell.saved()[0]
    assert widget_views(cell.host.outputs[0]) == [True] * 3
    cell.output.finish(cell.transcripts())
    cell.host.end_cell()
    assert (
        widget_views(cell.host.outputs[0]) == [True] * 3 + [False] * 2
    )  # the last one in the name of that cell
    cell.host.end_cell()
    assert len(cell.host.outputs[0].states) == 5
    assert cell.host.at_end == []


def test_a_view_that_ends_with_its_cell_or_that_a_page_shows_gets_nothing_more_at_the_ends_of_cells(
    cell: Cell,
) -> None:
    cell.output._receive({"type": "hello", "n": 0, "page": "p"})
    for _ in range(3):
        cell.say("one ")
        cell.host.end_cell()
    assert len(cell.host.outputs[0].states) == 1
    cell.output.finish(cell.transcripts())
    cell.host.end_cell()
    assert len(cell.host.outputs[0].states) == 2


def test_the_forms_at_the_ends_of_many_cells_are_bounded_and_the_final_one_is_shown(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_widget_output, "_FIRST_BYTES", 10_000)
    for number in range(30):
        cell.say(f"{'x' * 1_000}{number} ")
        cell.host.end_cell()
    states = cell.host.outputs[0].states
    assert 2 < len(states) < 10
    cell.output.finish(cell.transcripts())
    cell.host.end_cell()
    assert "29" in states[-1]["text/plain"]


def test_a_chat_at_rest_is_saved_as_open_and_not_as_an_agent_at_work(cell: Cell) -> None:
    state = {"busy": True, "seen": ["m"], "alone": False}
    cell.say("one ")
    cell.output.chat(state)
    assert cell.output.save()
    assert "still at work" in cell.saved()[1]
    cell.output.chat({**state, "busy": False})
    cell.say("two")
    assert cell.output.save()
    assert "The chat was still open when this was saved." in cell.saved()[1]
    assert "still at work" not in cell.saved()[1]


def test_a_chat_that_nobody_sees_has_its_form_in_place_of_the_widget_once_something_was_said(
    cell: Cell,
) -> None:
    widget = "application/vnd.jupyter.widget-view+json"
    state: dict[str, Any] = {"busy": False, "seen": [], "alone": True}
    cell.output.chat(state)
    cell.host.end_cell()
    (display,) = cell.host.outputs
    assert widget in display.states[-1]
    cell.output.chat({**state, "seen": ["m"]})
    cell.say("one")
    cell.host.end_cell()
    assert widget not in display.states[-1]
    assert "one" in display.states[-1]["text/plain"]

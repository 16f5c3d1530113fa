"""Test the cost of the live view: exact bytes and messages, and counted work instead of time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from benchmarks.texts import calls, pieces, text
from tests.display.browser_half import Browser
from vibe_notebook._markdown import renderer
from vibe_notebook._markdown import stream as stream_module
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._packing import Packer
from vibe_notebook.display._parts import SentPart, SentTool
from vibe_notebook.display._texts import SentText
from vibe_notebook.display._tree import Tree
from vibe_notebook.display._view import View
from vibe_notebook.events import Event, TextDelta, ToolCallDelta, ToolFinished, ToolStarted
from vibe_notebook.registry import Registry

SIZE = 80_000
DRAW = 33
"""Events between two draws: 1,000 a second, and 30 draws."""


def texts(shape: str, most: int = SIZE) -> list[Event]:
    return [TextDelta(agent_id="a", run_id="r", delta=piece) for piece in pieces(text(shape, most))]


def tools() -> list[Event]:
    made: list[Event] = []
    for i, (name, args, output) in enumerate(calls(), 10**4):
        ids: dict[str, Any] = {"agent_id": "a", "run_id": "r", "tool_call_id": f"call-{i}"}
        made += [ToolCallDelta(**ids, tool_name=name, delta=piece) for piece in pieces(args)]
        made.append(ToolStarted(**ids, tool_name=name, args=json.loads(args)))
        made.append(ToolFinished(**ids, status="ok", output=output))
    return made


SHAPES: dict[str, Callable[[], list[Event]]] = {
    **{shape: partial(texts, shape) for shape in ("mixed", "fence", "list", "table", "paragraph")},
    "tool calls": tools,
}


def drawn(events: list[Event], every: int = DRAW) -> Iterator[list[dict[str, Any]]]:
    """Yield the messages of each fifth of the stream, without its end."""
    sent: list[dict[str, Any]] = []
    registry = Registry(hold=0)
    view = View(registry, title="t", send=sent.append, pacer=Pacer(lambda: 0.0, threads=False))
    view.watch("a")
    view.flush()
    sent.clear()
    fifth = len(events) // 5
    for i, event in enumerate(events[: 5 * fifth], 1):
        registry.dispatch(event)
        if i % every == 0:
            view.flush()
        if i % fifth == 0:
            yield sent[:]
            sent.clear()


def size(messages: list[dict[str, Any]]) -> int:
    """Return the bytes of the messages as JSON, as Jupyter writes it."""
    return sum(len(json.dumps(message, ensure_ascii=False).encode()) for message in messages)


@pytest.mark.parametrize(("shape", "most"), [("mixed", 1.4), ("fence", 1.15)])
def test_text_costs_few_bytes_colours_included(shape: str, most: float) -> None:
    """Measure the whole content of each ``comm_msg``."""
    packer = Packer()
    payload = sum(
        size([{"data": {"method": "custom", "content": packer.pack(message)}, "comm_id": "0" * 32}])
        for messages in drawn(texts(shape))
        for message in messages
    )
    assert payload <= most * len(text(shape).encode())


@pytest.mark.parametrize(("shape", "most"), [("mixed", 2.2), ("fence", 1.35)])
def test_unpacked_text_costs_few_bytes_too(shape: str, most: float) -> None:
    payload = sum(size(messages) for messages in drawn(texts(shape)))
    assert payload <= most * len(text(shape).encode())


@pytest.mark.parametrize("events", SHAPES.values(), ids=SHAPES)
def test_bytes_do_not_grow_with_the_transcript(events: Callable[[], list[Event]]) -> None:
    first, *_, last = [size(messages) for messages in drawn(events())]
    assert last <= 1.2 * first


@pytest.mark.parametrize("events", SHAPES.values(), ids=SHAPES)
def test_work_does_not_grow_with_the_transcript(
    events: Callable[[], list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare parsed characters, read parts and arranged trees of the last fifth with the first."""
    parsed, read, arrangements = [0], [0], [0]

    def counted(source: str, *args: Any, **more: Any) -> list[renderer.Block]:
        parsed[-1] += len(source)
        return renderer.parse(source, *args, **more)

    def arranged(self: Tree, logs: Any, arrange: Any = Tree.arrange) -> Any:
        arrangements[-1] += 1
        return arrange(self, logs)

    def counting(cls: type[SentPart]) -> None:
        read_it = cls.read

        def reads(self: Any, node: Any) -> None:
            read[-1] += 1
            read_it(self, node)

        monkeypatch.setattr(cls, "read", reads)

    monkeypatch.setattr(stream_module, "parse", counted)
    monkeypatch.setattr(Tree, "arrange", arranged)
    counting(SentTool)
    counting(SentText)
    for _ in drawn(events()):
        for counts in (parsed, read, arrangements):
            counts.append(0)
    for counts in (parsed, read):
        assert counts[4] <= 1.2 * counts[0] + 1, counts
    assert sum(arrangements) <= 2  # at the start, and when the run appears


def test_the_browser_has_everything_that_was_drawn_with_so_few_bytes() -> None:
    for name in ("list", "table", "tool calls"):
        browser = Browser()
        registry = Registry(hold=0)
        view = View(registry, title="t", send=browser.receive, pacer=Pacer(lambda: 0.0, threads=False))
        view.watch("a")
        for i, event in enumerate(SHAPES[name]()[:6000], 1):
            registry.dispatch(event)
            if i % 100 == 0:
                view.flush()
        view.flush()
        assert browser.tree() == view.snapshot()["parts"]
        assert browser.lost == 0

"""Carry out a page's clicks, looked up by name and checked; refuse and log any other message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances  # type: ignore[import-untyped]

import vibe_notebook as vibe
from vibe_notebook._controls import Control, Controls, Payload
from vibe_notebook.display._widget import StreamWidget

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=9), values, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(("stop", "reconnect", "answer", "use", "__class__", "__init__"))


class AnswerPayload(Payload):
    """Describe the fields of an answer to a request."""

    request_id: str
    action: Literal["accept", "decline"]
    value: Any = None
    is_final: bool = True


class Agent:
    """Offer controls and record their clicks."""

    def __init__(self) -> None:
        self.clicks: list[Any] = []
        self.controls = Controls(
            Control("stop", lambda: self.clicks.append("stop")),
            Control("reconnect", None),
            Control("answer", self.answer, AnswerPayload),
        )

    def answer(self, request_id: str, action: str, value: Any, *, is_final: bool) -> None:
        self.clicks.append((request_id, action, value, is_final))


def test_a_click_is_carried_out_with_the_fields_of_its_message() -> None:
    agent = Agent()
    assert agent.controls.use({"type": "stop"})
    assert agent.controls.use({"type": "answer", "request_id": "r", "action": "accept", "value": [1]})
    assert agent.clicks == ["stop", ("r", "accept", [1], True)]


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        ({"type": "launch"}, "Refused a page's 'launch': its view has no such control"),
        ({"type": "reconnect"}, "Refused a page's 'reconnect': its view has no such control"),
        ({"type": ["stop"]}, "Refused a page's ['stop']: its view has no such control"),
        ({}, "Refused a page's None: its view has no such control"),
        ({"type": "stop", "now": 1}, "Refused a page's 'stop' with wrong fields: 'now': Extra inputs"),
        ({"type": "answer", "action": "accept"}, "'answer' with wrong fields: 'request_id': Field required"),
        (
            {"type": "answer", "request_id": 1, "action": "accept"},
            "'request_id': Input should be a valid str",
        ),
        ({"type": "answer", "request_id": "r", "action": "rm"}, "'action': Input should be 'accept' or"),
        (
            {"type": "answer", "request_id": "r", "action": "accept", "is_final": "no"},
            "'is_final': Input should be a valid boolean",
        ),
    ],
)
def test_an_unknown_control_or_a_wrong_field_is_refused_and_logged(
    message: dict[str, Any], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent()
    with caplog.at_level(logging.WARNING, "vibe_notebook"):
        assert not agent.controls.use(message)
    assert agent.clicks == []
    (record,) = caplog.records
    assert logged in record.getMessage()


def test_the_log_has_one_short_line_even_for_a_large_message(caplog: pytest.LogCaptureFixture) -> None:
    long = "x" * 10_000
    with caplog.at_level(logging.WARNING, "vibe_notebook"):
        Agent().controls.use({"type": long})
        Agent().controls.use({"type": "stop", **{f"{long}{n}": long for n in range(99)}})
    assert [len(record.getMessage()) < 300 for record in caplog.records] == [True, True]


@given(
    st.dictionaries(st.sampled_from(("type", "request_id", "action", "value", "x")), JSON | NAMES, max_size=4)
)
def test_every_message_of_a_page_is_either_a_click_or_one_line_in_the_log(message: dict[str, Any]) -> None:
    agent, lines = Agent(), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("vibe_notebook")
    log.addHandler(handler)
    try:
        is_done = agent.controls.use(message)
    finally:
        log.removeHandler(handler)
    is_stop = message == {"type": "stop"}
    is_answer = message.get("type") == "answer" and isinstance(message.get("request_id"), str)
    assert len(agent.clicks) == is_done <= (is_stop or is_answer)
    assert len(lines) == (not is_done)
    assert all(len(line) < 600 and line.isprintable() for line in lines)


@pytest.fixture
def click(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Return a function that sends a page's message to the only live widget, as the kernel does."""
    monkeypatch.setenv("VIBE_NOTEBOOK_RENDERER", "widget")
    before = set(_instances)

    def click(message: dict[str, Any]) -> None:
        new = (widget for key, widget in _instances.items() if key not in before)
        (widget,) = (widget for widget in new if isinstance(widget, StreamWidget))
        widget._handle_custom_msg(message, [])

    return click


def test_a_page_can_stop_the_agent_but_use_no_control_that_its_view_does_not_offer(
    click: Callable[[dict[str, Any]], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def hangs() -> AsyncIterator[str]:
        yield "Hello"
        click({"type": "close"})
        click({"type": "reconnect"})
        click({"type": "stop", "signal": 9})
        yield " world"
        click({"type": "stop"})
        await asyncio.Event().wait()

    async def main() -> vibe.Transcript:
        return await vibe.watch(hangs(), registry=vibe.Registry())

    with caplog.at_level(logging.WARNING, "vibe_notebook"):
        transcript = asyncio.run(main())
    assert (transcript.text, transcript.outcome) == ("Hello world", "cancelled")
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "Refused a page's 'close'",
        "Refused a page's 'reconnect'",
        "Refused a page's 'stop' with wrong fields",
    ]

"""Cut a payload in two in each growing text: an answer, a thought, a call's arguments, a tool's output."""

from __future__ import annotations

import io
from typing import Any

import vibe_notebook as vibe
from tests.display.browser_half import Browser, page_html
from vibe_notebook import events as ev
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._terminal import Printer
from vibe_notebook.display._view import View
from vibe_notebook.transcript import Transcript

__all__ = ["CutRun", "deltas"]

IDS: dict[str, Any] = {"agent_id": "agent", "run_id": "run", "ts": 1.0}
CALL: dict[str, Any] = {**IDS, "tool_call_id": "call"}
OTHER: dict[str, Any] = {**IDS, "tool_call_id": "other"}


def deltas(piece: str) -> list[ev.Event]:
    """Return the deltas that append *piece* to each growing text."""
    return [
        ev.TextDelta(**IDS, message_id="m", part_id="text", delta=piece),
        ev.ThinkingDelta(**IDS, message_id="m", part_id="thinking", delta=piece),
        ev.ToolCallDelta(**CALL, tool_name="write", delta=piece),
        ev.ToolProgress(**OTHER, delta=piece),
    ]


class CutRun:
    """Feed the pieces of a text to a registry with a live view and a terminal, one after the other."""

    def __init__(self) -> None:
        self._news: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        """All messages to the browser."""
        self._registry = vibe.Registry()
        self._printed = io.StringIO()
        self._printer = Printer(self._printed)
        pacer = Pacer(lambda: 0.0, threads=False)
        self._view = View(self._registry, title="cut", send=self._news.append, pacer=pacer)
        self.snapshot = self._view.snapshot()
        self.browser = Browser(self.snapshot)
        self._view.watch("agent")
        self._dispatch(ev.RunStarted(**IDS))
        self._dispatch(ev.ToolStarted(**OTHER, tool_name="shell"))

    def _dispatch(self, event: ev.Event) -> None:
        self._registry.dispatch(event)
        self._printer(event)

    def feed(self, piece: str) -> None:
        """Append a piece to each text, and draw."""
        for event in deltas(piece):
            self._dispatch(event)
        self._view.flush()
        self._receive()

    def finish(self) -> Transcript:
        """End the run, and return its transcript."""
        self._dispatch(ev.RunFinished(**IDS))
        self._view.finish()
        self._receive()
        self._printer.end()
        transcript = self._registry.transcript("agent")
        self._registry.close()
        return transcript

    def _receive(self) -> None:
        for message in self._news:
            self.browser.receive(message)
        self.messages += self._news
        self._news.clear()

    @property
    def html(self) -> str:
        """Return the HTML of the answer on the page."""
        return "".join(page_html(part["blocks"], part["open"]) for part in self.browser.tree())

    @property
    def words(self) -> list[str]:
        """Return all texts on the page that are no HTML."""
        parts = self.browser.tree()
        return [text for part in parts for text in [part["tail"], *part["fields"].values()]]

    @property
    def printed(self) -> str:
        return self._printed.getvalue()

"""Make every form of a payload's story once: the events, the transcript, the saved forms, the live view's messages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property
from typing import Any, get_args

import vibe_notebook as vibe
from tests.display.browser_half import Browser, page_html
from tests.hostile.payloads import Payload
from tests.hostile.stories import story
from vibe_notebook import events as ev
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.last_resort import Form, render_or_fall_back
from vibe_notebook._forms.markdown import transcript_markdown
from vibe_notebook._forms.text import transcript_text
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._terminal import Printer
from vibe_notebook.display._view import View
from vibe_notebook.transcript import Transcript

__all__ = ["Case", "live_html", "printed"]


class Terminal(io.StringIO):
    """Be a terminal that shows colours."""

    def isatty(self) -> bool:
        return True


def _fail() -> str:
    msg = "This form cannot be made."
    raise ValueError(msg)


def printed(events: Sequence[ev.Event], stream: io.StringIO) -> str:
    """Return the terminal's text of the events."""
    printer = Printer(stream)
    for event in events:
        printer(event)
    printer.end()
    return stream.getvalue()


def live_html(parts: Sequence[dict[str, Any]]) -> str:
    """Return all HTML that a view of these parts gets from the kernel; it sets everything else as text."""
    return "".join(
        page_html(part["blocks"], part["open"]) + live_html(part.get("parts", ())) for part in parts
    )


class Case:
    """Hold one payload in every field, and all that is made of it. With *prose*, it is in the names alone."""

    def __init__(self, payload: Payload, prose: str | None = None) -> None:
        self.kind, self.text = payload
        self._note = self.text if prose is None else prose
        self.events = story(self.text, prose)
        self.messages: list[dict[str, Any]] = []
        """The live view's messages to the browser: the news, then the whole state."""
        with vibe.Registry() as registry:
            pacer = Pacer(lambda: 0.0, threads=False)
            self._view = View(registry, title=self.text, send=self.messages.append, pacer=pacer)
            self.snapshot = self._view.snapshot()
            self._view.watch(self.events[0].agent_id)
            for event in self.events:
                registry.dispatch(event)
            self.transcript: Transcript = registry.transcript(self.events[0].agent_id)
            self._view.finish(note=self._note, error=self._note)

    @cached_property
    def browser(self) -> Browser:
        """Return the browser's half after all messages."""
        browser = Browser(self.snapshot)
        for message in self.messages:
            browser.receive(message)
        return browser

    @cached_property
    def html(self) -> str:
        return transcript_html(self.transcript, title=self.text, note=self._note)

    @cached_property
    def markdown(self) -> str:
        return transcript_markdown(self.transcript, title=self.text)

    @cached_property
    def plain(self) -> str:
        return transcript_text(self.transcript, title=self.text)

    @cached_property
    def last_resort(self) -> dict[Form, str]:
        """Return the forms that stand in for those that cannot be made."""
        return {form: render_or_fall_back(form, self.transcript, _fail) for form in get_args(Form)}

    @cached_property
    def terminal(self) -> str:
        return printed(self.events, Terminal())

    @cached_property
    def piped(self) -> str:
        return printed(self.events, io.StringIO())

"""Show a watch in a notebook: the live widget, then the saved form in its place.

While the agent works, a second display holds the form of the moment, for a notebook that is saved, or reopened without
its kernel, before the end. The page hides it as long as the widget shows the same agents. An output of ``_output.py``: above the view, the packer and the widget.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .._forks import in_child
from .._forms.wording import in_line, name_in_line, whole_message
from .._host import host
from ..events import Usage
from ..transcript import Transcript
from ._bundle import bundle, interim_bundle
from ._pacer import PACER
from ._packing import Packer
from ._pieces import PIECES
from ._saver import BYTES_A_SECOND, SAVER
from ._view import View
from ._widget import StreamWidget

if TYPE_CHECKING:
    from .._controls import Controls
    from .._host import Display
    from ..registry import Registry

__all__ = ["WidgetOutput"]

LINE = 1_000
"""Characters of a connection's line in the header."""

_AT_WORK = "The agent was still at work when this was saved."
_OPEN = "The chat was still open when this was saved."

_WIDGET = "application/vnd.jupyter.widget-view+json"
_NOTHING = {"text/plain": "", "text/html": ""}
"""The display of the form of the moment after the end: a notebook's output cannot be taken back."""

_SHORT = 8.0
"""Seconds within which most agents end. A page shows them live, and their notebooks need no second output."""

_FINAL_SECONDS = 2.0
"""Seconds that the end of a cell waits for a final form where no page is: later the next cell's end shows it."""

_FIRST_BYTES = 1_000_000
"""Bytes of forms at the ends of cells that need no time: a notebook may run many short cells."""

_SENDING: threading.Lock = threading.Lock()
"""Lock for sending: the kernel's sockets silently lose messages if several threads send at once."""

_FINAL: threading.Lock = threading.Lock()
"""Lock for final forms: several at once would delay each other, and the page."""


def _renew() -> None:
    """Replace the locks in the child of a fork."""
    global _SENDING, _FINAL
    _SENDING, _FINAL = threading.Lock(), threading.Lock()


in_child(_renew)


class WidgetOutput:
    """Show one display: first a full bundle with the widget, at the end a bundle without it.

    A reopened notebook shows "Loading widget…" for a saved widget view, even with other forms beside it. So the same
    display id is updated to HTML, Markdown and text only.
    """

    is_light = False

    def __init__(
        self,
        registry: Registry,
        *,
        title: str,
        controls: Controls,
        transcripts: Callable[[], Mapping[str, Transcript]],
    ) -> None:
        self._title = title
        self._controls = controls
        self._transcripts = transcripts
        self._last_words: str | None = None
        self._chat: Mapping[str, Any] | None = None
        self._flushed_at: float | None = None
        self._packer = Packer()
        self._mark = uuid.uuid4().hex
        self._view = View(
            registry, title=title, send=self._send, stoppable="stop" in controls, mark=self._mark
        )
        self._pages: set[Any] = set()  # that said hello and no bye; a page that is reloaded says no bye
        self._opened = time.monotonic()
        self._saving = threading.Lock()
        self._saved = 0  # forms of the moment that were shown
        self._ended = threading.Event()  # the final form was shown
        self._empty: Callable[[], None] = _do_nothing  # the widget's saved state
        self._number = 0  # of the view's last message when the last form was made
        self._form: Mapping[str, str] = {}  # the last one
        self._interim: Display | None = None  # shows the form of the moment
        self._widget: StreamWidget | None = StreamWidget(self._view.snapshot, self._receive, mark=self._mark)
        data, metadata = _parts(self._widget._repr_mimebundle_())
        self._live_data = data
        self._display = host().open_display({**data, **bundle({}, title=title)}, metadata)
        self._cells = 0  # that have ended since the opening
        self._folded = 0  # number of the view's last message when the display itself got a form
        self._spent = 0  # bytes of the forms at the ends of cells
        host().at_cell_end(self._end_cell)
        SAVER.add(self)

    def watch(self, agent_id: str, since: int) -> None:
        """Show a further agent, from its event number *since* on."""
        self._view.watch(agent_id, since)
        self._view.wake()

    def report(self, text: str) -> None:
        """Show a failure in the background."""
        self._view.report(text)

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Show a remote stream's connections in the header."""
        self._last_words = last_words
        self._view.set_head(connection=[[state, in_line(text, LINE)] for state, text in lines])

    def stopping(self) -> None:
        """Show in the header that the stream ends after its present step."""
        self._view.set_head(stopping=True)

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        """Offer an answer to a request where the request stands."""
        self._view.ask(request_id, form)

    def refuse(self, request_id: str, words: str) -> None:
        """Say why an answer does not fit."""
        self._view.refuse(request_id, words)

    def usage(self, usage: dict[str, Any] | None) -> None:
        """Show the usage so far in the header."""
        self._view.set_head(usage=usage)

    def chat(self, state: Mapping[str, Any]) -> None:
        """Show the box of a chat below the view, and what waits for its turn; Stop ends a turn."""
        self._chat = state
        self._view.set_head(chat=dict(state), stoppable=state["busy"], stopping=False)

    def steering(self, state: Mapping[str, Any]) -> None:
        """Show the box for a running agent below the view."""
        self._view.set_head(steer=dict(state))

    def flush(self) -> None:
        """Send the last news at once: streams that end together would wait for each other's final forms."""
        self._view.detach()
        PACER.draw_last(self._view)
        self._flushed_at = (
            PACER.clock()
        )  # the final form may wait for a thread: it need not wait for a lull then

    @property
    def is_alone(self) -> bool:
        """Return whether no other view is live."""
        return PACER.is_alone(self._view)

    def wait_for_lull(self) -> None:
        """Wait until the other views have sent their news, for 150 ms at most."""
        PACER.wait_for_lull(self._view, self._flushed_at)

    def save(self) -> int | None:
        """Show the form of this moment; return its bytes, or ``None`` if the last form holds all news."""
        with self._saving:
            return self._save()

    def _save(self) -> int | None:
        """Save as ``save`` does. The caller holds the lock."""
        number = self._view.number
        if number == self._number or self._view.head["state"] == "ended":
            return None
        if self._pages and not self._saved and time.monotonic() < self._opened + _SHORT:
            return None
        self._saved += 1
        form = self._form_of_the_moment()
        if self._interim is not None:
            self._interim.replace(form)
        elif self._saved == 1:
            self._interim = self._display.open_beside(form)
        self._form = form
        sent = self._view.send_saved(self._saved)
        self._number = sent if sent == number + 1 else number  # else there is news since the form was made
        return len(json.dumps(form))

    def _form_of_the_moment(self) -> dict[str, str]:
        return interim_bundle(
            self._transcripts(),
            title=self._title,
            mark=self._mark,
            count=self._saved,
            is_open=dict(self._view.is_open),
            words=_AT_WORK if self._chat is None or self._chat["busy"] else _OPEN,
        )

    def _end_cell(self, _: BaseException | None) -> None:
        """Show the form anew where no page reads the messages between cells: nbclient reads those of its cell only."""
        if self._flushed_at is not None and not self._pages:
            self._ended.wait(_FINAL_SECONDS)  # a thread renders the final form: it belongs into this cell
        with self._saving:
            self._cells += 1
            if self._ended.is_set():
                if self._cells > 1 and not self._pages:
                    self._display.replace(self._form)
                    self._empty()
                return
            number, budget = self._view.number, _budget(time.monotonic() - self._opened)
            is_due = self._cells > 1 or self._is_talk_alone
            if is_due and not self._pages and number != self._folded and self._spent <= budget:
                self._folded = number
                form = {**self._live_data, **self._form_of_the_moment()}
                if self._is_talk_alone:  # no page will come, and nobody may close the chat
                    form = bundle(self._transcripts(), title=self._title)
                self._display.replace(form)
                self._spent += len(json.dumps(form))
            host().at_cell_end(self._end_cell)

    @property
    def _is_talk_alone(self) -> bool:
        """Return whether this is a chat that nobody sees, in which something was said."""
        return bool(self._chat is not None and self._chat["alone"] and self._chat["seen"])

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Send the whole state once, then put the static form in the widget's place."""
        SAVER.remove(self)
        with _FINAL, self._saving:
            self._finish(transcripts)

    def withdraw(self) -> None:
        """Put nothing in the widget's place."""
        SAVER.remove(self)
        with _FINAL, self._saving:
            self._finish({}, is_withdrawn=True)

    def _finish(self, transcripts: Mapping[str, Transcript], *, is_withdrawn: bool = False) -> None:
        first = next(iter(transcripts.values()), Transcript())
        self._view.finish(
            outcome=first.outcome,
            error=whole_message(first.error) if first.error else None,
            usage=_usage(first, self._view.head["usage"]),
        )
        with self._view.lock:
            self._packer.begin()  # frees its memory
        data = bundle(
            transcripts,
            title=self._title,
            is_open=self._view.is_open,
            note=self._view.head["note"],
            last_words=self._last_words,
        )
        if is_withdrawn:
            data = dict(_NOTHING)
        self._form = data
        # First the form of the moment: else the page would show both for an instant, and jump.
        interim, self._interim = self._interim, None
        if interim is not None:
            interim.replace(_NOTHING)
        self._display.replace(data)
        self._ended.set()
        widget = self._widget
        if not self._pages and widget is not None:
            self._widget = None
            self._empty = (
                widget.forget()
            )  # no page shows the view (nbconvert, papermill), so no message needs an answer

    def close(self) -> None:
        """Close the comm."""
        widget, self._widget = self._widget, None
        if widget is not None:
            widget.close()

    def _send(self, message: dict[str, Any]) -> None:
        widget = self._widget
        if widget is not None:
            packed = self._packer.pack(message)
            with _SENDING:
                widget.send(packed)

    def _receive(self, content: dict[str, Any]) -> None:
        """Handle a browser's message. A thread of the kernel may deliver it at any moment."""
        match content.get("type"):
            case "hello" | "resync" as kind:
                if kind == "hello":
                    self._pages.add(content.get("page"))
                    self._controls.use({"type": "came"})
                number = content.get("n")
                with self._view.lock:
                    self._packer.is_plain |= content.get("plain") is True
                    self._packer.begin()  # this browser missed the start of the stream
                    self._view.resync(number if isinstance(number, int) else -1)
            case "toggle":
                self._view.toggle(content.get("key"), is_open=bool(content.get("open")))
            case "more":
                asked = content.get("key"), content.get("field"), content.get("from")
                try:
                    PIECES.submit(partial(self._view.send_piece, *asked))
                except RuntimeError:  # no threads (WebAssembly)
                    self._view.send_piece(*asked)
            case "form":
                if self._form:
                    self._view.send_form(self._form)
            case "bye":
                self._pages.discard(content.get("page"))
                if not self._pages:
                    self._controls.use({"type": "left"})
                if self._view.head["state"] == "ended" and not self._pages:
                    self.close()
            case _:
                self._controls.use(content)


def _do_nothing() -> None:
    """Do nothing: a page has the widget."""


def _budget(seconds: float) -> float:
    """Return the bytes of forms that a view may show at the ends of cells."""
    return _FIRST_BYTES + BYTES_A_SECOND * seconds


def _usage(document: Transcript, live: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the usage for the header, without the peer's other fields; the context is that of the *live* header."""
    usage = document.usage
    if usage is None:
        return live
    model = name_in_line(usage.model) or None
    known = usage.model_dump(exclude_none=True, include=set(Usage.model_fields))
    kept = {name: value for name, value in (live or {}).items() if name in ("context", "window", "prices")}
    more = {"model": model, "cost": document.cost, "is_partial": document.cost_is_partial or None, **kept}
    return {**known, **{name: value for name, value in more.items() if value is not None}}


def _parts(made: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (data, metadata) of a ``_repr_mimebundle_``. Colab shows custom widgets only with the metadata."""
    data, metadata = made if isinstance(made, tuple) else (made, {})
    return {**(data or {})}, {**(metadata or {})}

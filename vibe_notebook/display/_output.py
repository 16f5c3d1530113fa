"""Choose the output of a watch: the live widget, one static display, plain text, or none.

Below ``_watching/pipeline.py``, above the view and the forms. Outputs show everything by display id, so nothing is
ever printed into another cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .. import _settings as settings
from .._host import host
from .._settings import Renderer, configure
from ..transcript import Transcript
from ._bundle import bundle

if TYPE_CHECKING:
    from .._controls import Controls
    from ..registry import Registry

__all__ = ["Output", "Renderer", "choose", "configure", "make_output"]


def choose() -> str:
    """Return the renderer to use now: the configured renderer, else the environment's. "auto" is resolved.

    Raises:
        ValueError: ``VIBE_NOTEBOOK_RENDERER`` is not a renderer's name.
    """
    name = settings.renderer()
    if name != "auto":
        return name
    here = host()
    return "widget" if here.is_notebook and not here.is_console else "text"


class Output(Protocol):
    """Show the agents of one watch, from the first event to the final form."""

    is_light: bool
    """True if ``finish`` renders nothing. The caller then calls ``finish`` at the stream's end, else in a thread."""

    @property
    def is_alone(self) -> bool:
        """Return True if the final form delays no other output, or must be shown at the stream's end."""

    def watch(self, agent_id: str, since: int) -> None:
        """Show a further agent, from its event number *since* on."""

    def report(self, text: str) -> None:
        """Show a failure in the background."""

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Show a remote stream's connections: (state, text) each, and the reason of an early end."""

    def stopping(self) -> None:
        """Show that the stream ends after its present step. Any thread may call this."""

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        """Offer an answer to a request, by a form; ``None``: the request is settled. Any thread may call this."""

    def refuse(self, request_id: str, words: str) -> None:
        """Say why an answer does not fit."""

    def usage(self, usage: dict[str, Any] | None) -> None:
        """Show the tokens, the cost and the context so far."""

    def chat(self, state: Mapping[str, Any]) -> None:
        """Show the state of a chat: whether a turn runs, and what waits for one. Any thread may call this."""

    def steering(self, state: Mapping[str, Any]) -> None:
        """Show whether a running agent takes messages, and what became of those it got. Any thread may call this."""

    def flush(self) -> None:
        """Show the last events at once: the final form may take a while."""

    def wait_for_lull(self) -> None:
        """Wait until the other outputs have shown their last events, which the final form would delay."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show the final form; the output shows nothing after it."""

    def withdraw(self) -> None:
        """Show nothing any more, and no final form: another output shows the same run."""


def make_output(
    registry: Registry,
    *,
    title: str,
    controls: Controls,
    transcripts: Callable[[], Mapping[str, Transcript]],
    renderer: str | None = None,
) -> Output:
    """Return the output of the chosen renderer.

    The widget offers the *controls* as buttons; *transcripts* returns its agents' transcripts of the moment.
    """
    here = host()
    here.keep_log_out_of_cells()
    name = renderer or choose()
    if name == "widget":
        from ._widget_output import WidgetOutput  # noqa: PLC0415 - only here is Jupyter needed

        return WidgetOutput(registry, title=title, controls=controls, transcripts=transcripts)
    if name == "text" and (not here.is_notebook or here.is_console):
        from ._terminal import TerminalOutput  # noqa: PLC0415

        return TerminalOutput(registry)
    if name == "none":
        return NoOutput()
    return StaticOutput(title=title, text_only=name == "text")


class NoOutput:
    """Show nothing."""

    is_light = True
    is_alone = True

    def watch(self, agent_id: str, since: int) -> None:
        """Show nothing."""

    def report(self, text: str) -> None:
        """Show nothing."""

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Show nothing."""

    def stopping(self) -> None:
        """Show nothing."""

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        """Offer nothing."""

    def refuse(self, request_id: str, words: str) -> None:
        """Say nothing."""

    def usage(self, usage: dict[str, Any] | None) -> None:
        """Show nothing."""

    def chat(self, state: Mapping[str, Any]) -> None:
        """Show nothing: there is no box."""

    def steering(self, state: Mapping[str, Any]) -> None:
        """Show nothing: there is no box."""

    def flush(self) -> None:
        """Show nothing."""

    def wait_for_lull(self) -> None:
        """Return at once: no final form delays other outputs."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show nothing."""

    def withdraw(self) -> None:
        """Show nothing."""


class StaticOutput(NoOutput):
    """Show exactly one display, at the end: for nbval, papermill and front ends without widgets."""

    is_light = False

    def __init__(self, *, title: str, text_only: bool) -> None:
        self._title = title
        self._text_only = text_only
        self._notes: list[str] = []
        self._last_words: str | None = None

    def report(self, text: str) -> None:
        """Store the failure for the final form."""
        self._notes.append(text)

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Store the reason of an early end for the final form."""
        del lines
        self._last_words = last_words

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show the final form as the only display."""
        data = bundle(
            transcripts,
            title=self._title,
            note="\n".join(self._notes) or None,
            last_words=self._last_words,
        )
        if self._text_only:
            data = {"text/plain": data["text/plain"]}
        host().show(data)

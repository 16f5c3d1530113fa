"""Where a watch is shown: the live widget, one static display, or plain text.

Below ``_watching/watch.py``, above the view and the forms. Everything is shown by display id only:
nothing is ever printed into another cell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from .._host import host
from ..transcript import Transcript
from ._bundle import bundle

if TYPE_CHECKING:
    from .._controls import Controls
    from ..registry import Registry

__all__ = ["Output", "Renderer", "choose", "configure", "make_output"]

Renderer = Literal["auto", "widget", "static", "text", "none"]
_RENDERERS = ("auto", "widget", "static", "text")
_VARIABLE = "VIBE_NOTEBOOK_RENDERER"


class _Config:
    renderer: str | None = None


def configure(*, renderer: Renderer | None = None) -> None:
    """Choose how streams are shown, for this process: "auto", "widget", "static" or "text".

    ``None`` goes back to the environment's ``VIBE_NOTEBOOK_RENDERER``, else "auto".
    """
    if renderer is not None:
        _check(renderer, "renderer")
    _Config.renderer = renderer


def choose() -> str:
    """The renderer to use now: the configured one, else the environment's; auto is resolved."""
    name = _Config.renderer or os.environ.get(_VARIABLE) or "auto"
    _check(name, _VARIABLE)
    if name != "auto":
        return name
    return "widget" if host().is_notebook else "text"


def _check(name: str, source: str) -> None:
    if name not in _RENDERERS:
        msg = f"{source}={name!r}: must be one of {', '.join(_RENDERERS)}."
        raise ValueError(msg)


class Output(Protocol):
    """A place where a watch is shown."""

    is_light: bool
    """Whether its ``finish`` renders nothing: it is called where the stream ends, else in a thread."""

    @property
    def is_alone(self) -> bool:
        """Whether nobody would be kept waiting by its final form, or that form must come where it ends."""

    def watch(self, agent_id: str, since: int) -> None:
        """Show an agent too, from its event number *since* on."""

    def report(self, text: str) -> None:
        """Show a failure in the background."""

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Show what a remote stream's connections do: (state, text) each; and how they ended oddly."""

    def flush(self) -> None:
        """Show what came last, at once; the final form may take a while."""

    def wait_for_lull(self) -> None:
        """Let others show first what came last; the final form may keep them waiting."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show the final form; nothing comes after it."""


def make_output(
    registry: Registry,
    *,
    title: str,
    controls: Controls,
    renderer: str | None = None,
) -> Output:
    """Open the output that fits; one that takes clicks offers the *controls*."""
    here = host()
    here.keep_log_out_of_cells()
    name = renderer or choose()
    if name == "widget":
        from ._widget_output import WidgetOutput  # noqa: PLC0415 - only here is Jupyter needed

        return WidgetOutput(registry, title=title, controls=controls)
    if name == "text" and not here.is_notebook:
        from ._terminal import TerminalOutput  # noqa: PLC0415

        return TerminalOutput(registry)
    if name == "none":
        return NoOutput()
    return StaticOutput(title=title, text_only=name == "text")


class NoOutput:
    """Shows nothing."""

    is_light = True
    is_alone = True

    def watch(self, agent_id: str, since: int) -> None:
        """Show nothing."""

    def report(self, text: str) -> None:
        """Show nothing."""

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Show nothing."""

    def flush(self) -> None:
        """Show nothing."""

    def wait_for_lull(self) -> None:
        """Nobody waits for it."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show nothing."""


class StaticOutput(NoOutput):
    """Emits exactly one display, at the end: for nbval, papermill and front ends without widgets."""

    is_light = False

    def __init__(self, *, title: str, text_only: bool) -> None:
        self._title = title
        self._text_only = text_only
        self._notes: list[str] = []
        self._last_words: str | None = None

    def report(self, text: str) -> None:
        """Keep it for the end."""
        self._notes.append(text)

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Keep the end of it."""
        del lines
        self._last_words = last_words

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show all of it."""
        data = bundle(
            transcripts,
            title=self._title,
            note="\n".join(self._notes) or None,
            last_words=self._last_words,
        )
        if self._text_only:
            data = {"text/plain": data["text/plain"]}
        host().show(data)

"""The form of a transcript where its own form cannot be made: the plain text, and a sentence on why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Final, Literal

from .._json_values import bounded_repr, scrub
from .wording import clean

if TYPE_CHECKING:
    from ..parts import Part
    from .wording import Document

__all__ = ["Form", "made"]

log = logging.getLogger("vibe_notebook")

Form = Literal["html", "markdown", "text"]

_FENCE: Final = "~~~~~~~~"


def made(form: Form, transcript: Document, write: Callable[[], str]) -> str:
    """Return what *write* makes, or where that fails the transcript's plain text."""
    try:
        return scrub(write())
    except Exception as error:
        log.exception("The %s form of a transcript could not be made", form)
        return _instead(form, transcript, error)


def _instead(form: Form, transcript: Document, error: Exception) -> str:
    said = f"This form of the transcript could not be made ({type(error).__name__}); its plain text:"
    try:
        text = scrub("\n\n".join(filter(None, map(clean, _words(transcript)))))
    except Exception as second:  # noqa: BLE001 - the sentence above at least can be shown
        text = f"(nor could its plain text: {type(second).__name__})"
    match form:
        case "html":
            shown = escape(text).replace("\n", "&#10;")
            return f'<div class="vibe"><p class="vibe-note">{escape(said)}</p>\n<pre>{shown}</pre></div>'
        case "markdown":
            lines = text.replace(_FENCE[:3], "~ ~ ~")
            return f"{said}\n\n{_FENCE}\n{lines}\n{_FENCE}\n"
        case "text":
            return f"{said}\n\n{text}"


def _words(transcript: Document) -> Iterator[str]:
    if transcript.outcome:
        yield transcript.outcome
    waiting: list[Part] = [*transcript.parts, *(part for run in transcript.runs for part in run.parts)][::-1]
    while waiting:  # not by recursion: the depth is the agent's
        part = waiting.pop()
        match part.kind:
            case "text" | "thinking":
                yield part.text
            case "artifact":
                yield f"artifact: {part.name or part.artifact_id}"
            case "tool":
                args = part.args_text if part.args is None else bounded_repr(part.args)
                yield f"{part.tool_name or 'tool'}({args}) {part.state}"
                for value in (part.output, part.error):
                    if value is not None:
                        yield value if isinstance(value, str) else bounded_repr(value)
                waiting += part.children[::-1]
    if transcript.error:
        yield f"error: {transcript.error}"

"""Render a transcript as a sentence and plain text where its real form fails.

``html.py``, ``markdown.py`` and ``text.py`` render through ``render_or_fall_back``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Final, Literal, assert_never

from .._foreign_words import clean_logger
from .._json_values import bounded_repr, scrub
from .conversation import each_text
from .wording import clean

if TYPE_CHECKING:
    from ..parts import Part
    from .wording import Document

__all__ = ["Form", "render_or_fall_back"]

log = clean_logger("vibe_notebook")

Form = Literal["html", "markdown", "text"]

_FENCE: Final = "~~~~~~~~"


def render_or_fall_back(form: Form, transcript: Document, write: Callable[[], str]) -> str:
    """Return the form that *write* makes; if *write* fails, the reason and the transcript's plain text.

    The failure goes to the log too.
    """
    try:
        return scrub(write())
    except Exception as error:
        log.exception("The %s form of a transcript could not be made", form)
        return _fall_back(form, transcript, error)


def _fall_back(form: Form, transcript: Document, error: Exception) -> str:
    reason = f"This form of the transcript could not be made ({type(error).__name__}). Its plain text:"
    try:
        text = scrub("\n\n".join(filter(None, map(clean, _texts(transcript)))))
    except Exception as second:  # noqa: BLE001 - the sentence above can still be shown
        text = f"(The plain text could not be made either: {type(second).__name__}.)"
    match form:
        case "html":
            shown = escape(text).replace("\n", "&#10;")
            return f'<div class="vibe"><p class="vibe-note">{escape(reason)}</p>\n<pre>{shown}</pre></div>'
        case "markdown":
            lines = text.replace(_FENCE[:3], "~ ~ ~")
            return f"{reason}\n\n{_FENCE}\n{lines}\n{_FENCE}\n"
        case "text":
            return f"{reason}\n\n{text}"


def _texts(transcript: Document) -> Iterator[str]:
    if transcript.outcome:
        yield transcript.outcome
    remaining: list[Part] = [*transcript.parts, *(part for run in transcript.runs for part in run.parts)][
        ::-1
    ]
    while remaining:  # no recursion: the agent decides the depth
        part = remaining.pop()
        match part.kind:
            case "text" | "thinking":
                yield part.text
            case "artifact":
                yield f"artifact: {part.name or part.artifact_id}"
            case "tool":
                args = part.args_text if part.args is None else bounded_repr(part.args)
                yield f"{part.tool_name or 'tool'}({args}) {part.state}"
                for value in (part.written or None, part.output, part.error):
                    if value is not None:
                        yield value if isinstance(value, str) else bounded_repr(value)
                remaining += part.children[::-1]
            case "plan" | "input" | "custom":
                yield from each_text([part])
            case _:
                assert_never(part.kind)
    if transcript.error:
        yield f"error: {transcript.error}"

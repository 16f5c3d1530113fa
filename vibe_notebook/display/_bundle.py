"""Make the bundle of an output's final form: the saved forms in HTML, Markdown and plain text.

``_output.py`` and ``_widget_output.py`` display the bundle; ``_forms`` renders each transcript.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..transcript import Transcript

if TYPE_CHECKING:
    from .._forms.wording import Document

__all__ = ["bundle", "interim_bundle", "other_agent"]


def bundle(
    transcripts: Mapping[str, Transcript],
    *,
    title: str,
    is_open: Mapping[str, bool] | None = None,
    note: str | None = None,
    last_words: str | None = None,
) -> dict[str, str]:
    """Return the saved forms by MIME type: HTML, Markdown and text, several agents under their names.

    *is_open* is the user's choice by part key, *note* a last line about the view itself. *last_words* is the reason
    why a remote stream's connection ended early, or ``None``. A transcript beyond ``FORM_BYTES`` is shown in part.
    """
    from .._forms.bounds import bounded_forms  # noqa: PLC0415 - rendering is loaded when something is shown
    from .._forms.html import transcript_html  # noqa: PLC0415
    from .._forms.markdown import transcript_markdown  # noqa: PLC0415
    from .._forms.text import transcript_text  # noqa: PLC0415
    from .._forms.wording import clean  # noqa: PLC0415

    names = [f"{title} · {name}" for name in transcripts] if len(transcripts) > 1 else [title]

    def render(shown: Sequence[tuple[int, Document]]) -> dict[str, str]:
        html, text, markdown = [], [], []
        for index, document in shown:
            name = names[index] if index >= 0 else None
            prefix = other_agent(index)
            chosen = {k.removeprefix(prefix): v for k, v in (is_open or {}).items() if k.startswith(prefix)}
            notes = "\n".join(filter(None, (note, last_words))) if not index else None
            html.append(transcript_html(document, title=name, is_open=chosen, note=notes or None))
            text.append(transcript_text(document, title=name))
            markdown.append(transcript_markdown(document, title=name))
        if last_words is not None:
            reason = clean(last_words)
            text.append(f"[{reason}]")
            markdown.append("`" + reason.replace("`", "'").replace("\n", " · ") + "`")
        return {
            "text/plain": "\n\n".join(text),
            "text/markdown": "\n\n".join(markdown),
            "text/html": "\n".join(html),
        }

    return bounded_forms(list(transcripts.values()) or [Transcript()], render)


def interim_bundle(
    transcripts: Mapping[str, Transcript],
    *,
    title: str,
    mark: str,
    count: int,
    words: str,
    is_open: Mapping[str, bool] | None = None,
) -> dict[str, str]:
    """Return the saved forms of agents that still work, in HTML and text; *words* say so.

    *count* forms were made so far. By the class ``vibe-interim-MARK`` a live view of the same agents hides the HTML,
    by ``vibe-saved-COUNT`` it recognises the last form.
    """
    forms = bundle(transcripts, title=title, is_open=is_open, note=words)
    # Of another class than the live view: the page counts it as no further view.
    html = forms["text/html"].replace('<div class="vibe" ', '<div class="vibe-form" ')
    return {
        "text/plain": f"{forms['text/plain']}\n\n[{words}]",
        "text/html": f'<div class="vibe-interim-{mark} vibe-saved-{count}">{html}</div>',
    }


def other_agent(index: int) -> str:
    """Return the prefix for the part keys of a view's further agents: two agents may use the same run ids."""
    return f"@{index}/" if index else ""

"""Make the bundle of an output's final form: the saved forms in HTML, Markdown and plain text.

``_output.py`` and ``_widget_output.py`` display the bundle; ``_forms`` renders each transcript.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..transcript import Transcript

__all__ = ["bundle", "interim_bundle", "other_agent"]

_INTERIM = "The agent was still at work when this was saved."


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
    why a remote stream's connection ended early, or ``None``.
    """
    from .._forms.markdown import transcript_markdown  # noqa: PLC0415 - rendering is loaded when something is shown
    from .._forms.text import transcript_text  # noqa: PLC0415
    from .._forms.wording import clean  # noqa: PLC0415

    items = _items(transcripts, title)
    html = _html(items, is_open, "\n".join(filter(None, (note, last_words))))
    text = [transcript_text(t, title=name) for name, t in items]
    markdown = [transcript_markdown(t, title=name) for name, t in items]
    if last_words is not None:
        reason = clean(last_words)
        text.append(f"[{reason}]")
        markdown.append("`" + reason.replace("`", "'").replace("\n", " · ") + "`")
    return {
        "text/plain": "\n\n".join(text),
        "text/markdown": "\n\n".join(markdown),
        "text/html": html,
    }


def interim_bundle(
    transcripts: Mapping[str, Transcript],
    *,
    title: str,
    mark: str,
    count: int,
    is_open: Mapping[str, bool] | None = None,
) -> dict[str, str]:
    """Return the saved forms of agents that still work, in HTML and text; *count* forms were made so far.

    By the class ``vibe-interim-MARK`` a live view of the same agents hides the HTML, by ``vibe-saved-COUNT`` it
    recognises the last form.
    """
    from .._forms.text import transcript_text  # noqa: PLC0415 - rendering is loaded when something is shown

    items = _items(transcripts, title)
    html = _html(items, is_open, _INTERIM)
    html = html.replace(
        '<div class="vibe" ', '<div class="vibe-form" '
    )  # the page counts it as no further view
    text = [*(transcript_text(t, title=name) for name, t in items), f"[{_INTERIM}]"]
    return {
        "text/plain": "\n\n".join(text),
        "text/html": f'<div class="vibe-interim-{mark} vibe-saved-{count}">{html}</div>',
    }


def _items(transcripts: Mapping[str, Transcript], title: str) -> list[tuple[str, Transcript]]:
    several = len(transcripts) > 1
    items = [(f"{title} · {name}" if several else title, t) for name, t in transcripts.items()]
    return items or [(title, Transcript())]


def _html(items: list[tuple[str, Transcript]], is_open: Mapping[str, bool] | None, notes: str) -> str:
    from .._forms.html import transcript_html  # noqa: PLC0415 - rendering is loaded when something is shown

    html = []
    for index, (name, transcript) in enumerate(items):
        prefix = other_agent(index)
        chosen = {k.removeprefix(prefix): v for k, v in (is_open or {}).items() if k.startswith(prefix)}
        note = notes if notes and not index else None
        html.append(transcript_html(transcript, title=name, is_open=chosen, note=note))
    return "\n".join(html)


def other_agent(index: int) -> str:
    """Return the prefix for the part keys of a view's further agents: two agents may use the same run ids."""
    return f"@{index}/" if index else ""

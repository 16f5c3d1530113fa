"""Write the HTML of a conversation's other parts: the user's words, plans, sources, requests and shown lines.

``html.py`` writes the transcript and calls these functions; the same rules hold: no stylesheet, safe for any text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from .._markdown.math import isolate
from .._markdown.renderer import directed
from .._markdown.sanitize import href_of
from .conversation import (
    PLAN_MARKS,
    PLAN_WORDS,
    Source,
    Sources,
    answer_words,
    line_words,
    marked_text,
    option_words,
    plan_summary,
    question_of,
)
from .excerpt import excerpt
from .wording import clean, in_line

if TYPE_CHECKING:
    from ..parts import CustomPart, PlanPart, RequestValue, TextPart

__all__ = ["answer_html", "cited_html", "line_html", "plan_html", "said_html", "sources_html"]

LINES = 5
"""Lines of the user's words beyond which the form folds them."""
CHARACTERS = 500
"""Characters of them."""
_RULE = "border-left:3px solid rgba(128,128,128,.35);padding-left:.8em"
_SAID = f"margin:1em 0 .5em;{_RULE}"
_PALE = "opacity:.65"
_SMALL = f"{_PALE};font-size:86%"
_LIST = "margin:.2em 0 .6em;padding:0;list-style-type:none"
_ROW = "margin:.1em 0"
_PRE = (
    "margin:.2em 0;padding:.4em .6em;max-height:24em;overflow:auto;border-radius:4px;"
    "background:rgba(128,128,128,.13);font-size:90%;white-space:pre-wrap;overflow-wrap:break-word"
)


def said_html(part: TextPart, *, is_open: bool, limit: int | None = None) -> str:
    """Return the words of the user, or of a system message, right of a rule; long ones are folded.

    With a *limit*, only so many characters of them: the live view renders them anew with each of their deltas.
    """
    text, omitted = part.text[:limit], 0 if limit is None else max(0, len(part.text) - limit)
    text = clean(text).strip()
    if omitted:
        text += f"\n\n[{omitted:,} characters are left out here; the saved form has them]"
    body = f'<div class="vibe-said" dir="auto">{directed(text)}</div>'
    if part.role == "system":
        return _folded("vibe-system", "System prompt", body, is_open=is_open)
    if text.count("\n") < LINES and len(text) <= CHARACTERS:
        return f'<div class="vibe-user" style="{_SAID}">{body}</div>\n'
    return _folded("vibe-user", _text(in_line(text, 120)), body, is_open=is_open)


def _folded(name: str, summary: str, body: str, *, is_open: bool) -> str:
    opened = " open" if is_open else ""
    return (
        f'<details class="{name}"{opened} style="{_SAID}"><summary dir="auto" style="display:list-item;'
        f'cursor:pointer">{summary}</summary>\n{body}</details>\n'
    )


def plan_html(part: PlanPart) -> str:
    """Return a plan: its counts, and a line for each step."""
    rows = "".join(
        f'<li style="{_ROW}"><span role="img" aria-label="{PLAN_WORDS[entry.status]}">{PLAN_MARKS[entry.status]}</span> '
        f"{_step(_text(in_line(entry.text, 500)), entry.status)}</li>\n"
        for entry in part.entries
    )
    head = f'<div style="{_SMALL}">Plan · {_text(plan_summary(part))}</div>'
    return (
        f'<div class="vibe-plan" style="margin:.3em 0 .6em">{head}\n<ul style="{_LIST}">\n{rows}</ul></div>\n'
    )


def _step(text: str, status: str) -> str:
    if status in ("completed", "cancelled"):
        return f'<s style="opacity:.65" dir="auto">{text}</s>'
    return (
        f'<strong dir="auto">{text}</strong>'
        if status == "in_progress"
        else f'<span dir="auto">{text}</span>'
    )


def cited_html(part: TextPart, sources: Sources, render_text: Callable[[str], str]) -> str:
    """Return a text with the numbers of its sources at their places."""
    marked = marked_text(part, sources)
    html = render_text(marked.text)
    return marked.replace(html, lambda number: f'<sup class="vibe-cite">[{number}]</sup>')


def sources_html(sources: Sequence[Source]) -> str:
    """Return the numbered list of a message's sources; only http(s) addresses are links."""
    if not sources:
        return ""
    rows = "".join(f'<li style="{_ROW}">{_source(source)}</li>\n' for source in sources)
    return f'<ul class="vibe-sources" style="{_LIST};font-size:86%">\n{rows}</ul>\n'


def _source(source: Source) -> str:
    title = f'<span dir="auto">{_text(source.title)}</span>'
    if source.url:  # a paler link would be hard to read on a dark page
        title = f'<a href="{href_of(source.url)}" target="_blank" rel="noopener noreferrer">{title}</a>'
    host = f" · {_text(source.host)}" if source.host else ""
    quote = f' · <q dir="auto">{_text(source.quote)}</q>' if source.quote else ""
    about = f'<span style="{_PALE}">{host}{quote}</span>' if host or quote else ""
    return f"[{source.number}] {title}{about}"


def answer_html(request: RequestValue, tint: str) -> str:
    """Return a request: its question, what could be answered, and the answer."""
    options = option_words(request)
    offered = f'<div style="{_SMALL}" dir="auto">{_text(options)}</div>\n' if options else ""
    return (
        f'<div class="vibe-request" style="margin:.3em 0 .6em;border-left:3px solid {tint};padding-left:.8em">\n'
        f'<div dir="auto">{directed(clean(question_of(request)))}</div>\n{offered}'
        f'<div dir="auto"><strong>{"‖" if request.is_open else "↳"}</strong> {_text(answer_words(request))}</div></div>\n'
    )


def line_html(part: CustomPart, *, is_open: bool) -> str:
    """Return a shown line, foldable if its value is longer than the line."""
    name, short, whole = line_words(part)
    words = f"<strong>{_text(name)}</strong>" if name else ""
    if short:
        words += f' <span dir="auto">{_text(short)}</span>'
    if not whole:
        return f'<div class="vibe-line" style="margin:.2em 0 .5em">◇ {words}</div>\n'
    opened = " open" if is_open else ""
    shown = excerpt(whole)
    return (
        f'<details class="vibe-line"{opened} style="margin:.2em 0 .5em"><summary style="display:list-item;cursor:pointer">'
        f'{words}</summary>\n<pre style="{_PRE}"><code style="background:none" dir="auto">{escape(shown)}</code></pre></details>\n'
    )


def _text(text: str) -> str:
    """Return plain text escaped for HTML and for MathJax."""
    return isolate(escape(clean(text)))

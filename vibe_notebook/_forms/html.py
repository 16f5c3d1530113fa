"""Render a transcript as its saved form: one static ``<div>``, for the notebook file and all of its viewers.

The saved form has no stylesheet: JupyterLab's sanitiser removes ``<style>``, scripts and ``data-*``, and GitHub
removes inline styles too. So the order of the words alone must read well, and the few colours of the styles must
suit a light and a dark theme. ``blocks.py`` has the blocks of rich results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, assert_never

from .._markdown.images import image_problem
from .._markdown.math import isolate
from .._markdown.renderer import directed
from .._markdown.sanitize import href_of, is_link, is_raster
from .blocks import LABEL, SMALL, pre_html
from .colours import BAD, GOOD, WAIT, coloured_html, has_colours
from .conversation import Sources, document_parts, is_hidden, plan_head
from .costs import usage_text
from .displays import beside_display, display_html, has_picture
from .html_conversation import answer_html, cited_html, line_html, plan_html, said_html, sources_html
from .last_resort import render_or_fall_back
from .sequences import without_sequences
from .shapes import CallShape, call_shape, exit_words
from .wording import (
    OUTCOME_MARKS,
    STATE_MARKS,
    args_text,
    byte_size,
    call_preview,
    children_of,
    clean,
    cut_message,
    duration_of,
    in_line,
    name_in_line,
    name_of,
    output_text,
    result_text,
    size,
    thinking_time,
    unclaimed_runs,
    whole_message,
    written_text,
)

if TYPE_CHECKING:
    from ..parts import ArtifactPart, Part, RequestValue, Run, TextPart, ThinkingPart, ToolPart
    from .wording import Document

__all__ = ["cluster_title", "clusters", "output_blocks", "transcript_html", "wait_html"]


# Clusters: a long transcript folds its calls and thoughts together. Without scripts, each call and thought of the
# saved form is a ``<details>``. The time of JupyterLab in Chromium to style these grows with the square of their
# number: 0.1 s for 500, 1.3 s for 2,000, 5.7 s for 4,000. Inside a closed cluster Chromium styles none of them.

LIMIT = 1_000
"""Calls and thoughts beyond which the form folds neighbouring ones into clusters."""
SIZE = 100
"""Calls and thoughts in one cluster at most."""


def clusters(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """Yield the parts in order, in tuples: a cluster, or a single part. Text is never in a cluster."""
    is_many = sum(map(_is_fold, parts)) > LIMIT
    for is_fold, stretch in groupby(parts, key=_is_fold):
        found = tuple(stretch)
        size = SIZE if is_fold and is_many else 1
        for start in range(0, len(found), size):
            yield found[start : start + size]


def cluster_title(cluster: Sequence[Part], calls_before: int) -> str:
    """Return the title of a cluster, such as "Tool calls 101 to 198 · 2 thoughts"."""
    calls = sum(part.kind == "tool" for part in cluster)
    thoughts = len(cluster) - calls
    first, last = calls_before + 1, calls_before + calls
    words = [f"Tool call {first}" if calls == 1 else f"Tool calls {first} to {last}"] if calls else []
    if thoughts:
        words.append("1 thought" if thoughts == 1 else f"{thoughts} thoughts")
    return " · ".join(words)


def _is_fold(part: Part) -> bool:
    return part.kind in ("tool", "thinking")


# The styles imitate the live view (display/frontend/widget.css) as far as the host allows, so that nothing
# jumps when a stream ends. The three colours are readable on white and on near black.
_TINTS = {"ok": GOOD, "success": GOOD, "error": BAD, "denied": BAD}
_TINTS |= dict.fromkeys(("cancelled", "awaiting_approval", "interrupted"), WAIT)
_LINE = "rgba(128,128,128,.35)"
_ROOT = "padding-left:5px;overflow-wrap:break-word"  # aligned with the cell's own text
_HEAD = f"margin:0 0 .6em;padding:0 0 .3em;border-bottom:1px solid {_LINE}"
_MUTED = "opacity:.65"
_WIDE = "overflow-x:auto"  # a wide element scrolls by itself
_TEXT = f"margin:1em 0 0;{_WIDE}"  # its last paragraph has a margin below
_BOX = "margin:.1em 0 .5em;padding:.3em .7em;border:1px solid {line};border-left:{left};border-radius:6px"
_LINED = "margin:.1em 0 .5em"
_SUMMARY = "display:list-item;cursor:pointer;font-size:93%"  # Bootstrap's "block" would hide the triangle
_SIGN = "margin-left:1.2em;list-style-position:outside"
_ROW = "display:inline-flex;align-items:baseline;gap:.5em;width:100%;vertical-align:top;white-space:nowrap"
_CUT = "padding:0;overflow:hidden;white-space:nowrap;text-overflow:ellipsis;background:none"
_NAME = f"flex:none;max-width:50%;margin-right:auto;font-weight:600;{_CUT}"
_PREVIEW = f"flex:1 1 0;opacity:.65;font-size:93%;{_CUT}"
_INSIDE = f"padding-left:1em;border-left:2px solid {_LINE}"
_THOUGHT = f"margin:.2em 0 0;{_INSIDE};opacity:.65;white-space:pre-wrap"
_BLANK = re.compile(r"(?>\r\n?|\n)(?=[ \t]*[\r\n])")
"""Line end before a blank line. In a Markdown file (nbconvert's) a blank line ends the HTML: the viewer would read
the rest as the agent's own Markdown."""


def transcript_html(
    transcript: Document,
    *,
    title: str | None = None,
    is_open: Mapping[str, bool] | None = None,
    note: str | None = None,
) -> str:
    """Return the transcript as safe HTML, for any text of the agent.

    *is_open* is the user's choice by ``part.key``; else a call opens if its result is a picture, and all is folded. *note* is a last line about the
    recording itself.
    """
    return render_or_fall_back(
        "html",
        transcript,
        lambda: _BLANK.sub("&#10;", "".join(_Page(is_open or {}).write(transcript, title, note))),
    )


class _Page:
    """Write the HTML of one transcript piece by piece."""

    def __init__(self, is_open: Mapping[str, bool]) -> None:
        self._is_open = is_open

    def write(self, transcript: Document, title: str | None, note: str | None) -> Iterator[str]:
        yield f'<div class="vibe" style="{_ROOT}">\n'
        yield _head(transcript, title)
        yield from self._parts(document_parts(transcript), 0)
        for name, run in unclaimed_runs(transcript):
            yield from self._run(name, run)
        if transcript.error:
            yield _error(transcript.error)
        if note:
            yield _note(note)
        yield "</div>"

    def _parts(self, parts: Sequence[Part], depth: int) -> Iterator[str]:
        calls, sources = 0, Sources(parts)
        for cluster in clusters([part for part in parts if not is_hidden(part)]):
            if len(cluster) > 1:
                yield self._cluster(cluster, calls)
                yield from self._each(cluster, depth, sources)
                yield "</details>\n"
            else:
                yield from self._each(cluster, depth, sources)
            calls += sum(part.kind == "tool" for part in cluster)

    def _cluster(self, cluster: Sequence[Part], calls: int) -> str:
        is_open = any(self._is_open.get(part.key) for part in cluster)
        title = cluster_title(cluster, calls)
        if failed := sum(part.kind == "tool" and part.state == "error" for part in cluster):
            title += f' · <strong style="color:{BAD}">{failed} {STATE_MARKS["error"]}</strong>'
        return _fold("vibe-cluster", (_LINED, f"{_SUMMARY};{_MUTED}"), title, is_open=is_open)

    def _each(self, parts: Sequence[Part], depth: int, sources: Sources) -> Iterator[str]:
        for part in parts:
            match part.kind:
                case "text":
                    if part.text.strip():
                        yield self._text(part, sources)
                    yield sources_html(sources.after(part))
                case "thinking":
                    if part.text.strip():
                        yield self._thinking(part)
                case "tool":
                    yield from self._tool(part, depth)
                case "artifact":
                    yield _artifact(part)
                case "plan":
                    yield plan_html(part)
                case "input":
                    yield wait_html(part.request)
                case "custom":
                    yield line_html(part, is_open=self._is_open.get(part.key, False))
                case _:
                    assert_never(part.kind)

    def _text(self, part: TextPart, sources: Sources) -> str:
        if part.role in ("user", "system"):
            return said_html(part, is_open=self._is_open.get(part.key, False))
        html = cited_html(part, sources, lambda text: directed(without_sequences(text)))
        return f'<div class="vibe-text" dir="auto" style="{_TEXT}">\n{html}</div>\n'

    def _thinking(self, part: ThinkingPart) -> str:
        styles = _LINED, f"{_SUMMARY};{_MUTED}"
        took = thinking_time(part.started_at, part.finished_at)
        title = f"Thought for {took}" if took else "Thought"
        fold = _fold("vibe-thinking", styles, title, is_open=self._is_open.get(part.key, False))
        return f'{fold}<div dir="auto" style="{_THOUGHT}">{_text(part.text.strip())}</div></details>\n'

    def _tool(self, part: ToolPart, depth: int) -> Iterator[str]:
        short = call_preview(part)
        state = (
            exit_words(part) if part.state == "ok" else part.state.replace("_", " ")
        )  # the mark shows "ok"
        facts = " · ".join(fact for fact in (state, duration_of(part)) if fact)
        row = f'{_mark(STATE_MARKS, part.state, "min-width:.8em")} <code dir="auto" style="{_NAME}">{escape(name_of(part))}</code> '
        if short:
            row += f'<code dir="auto" style="{_PREVIEW}">{escape(short)}</code> '
        if facts:
            row += f'<span style="flex:none;{_MUTED}">{facts}</span>'
        summary = f'<span style="{_ROW}">{row}</span>'
        line = None if part.state == "ok" else _TINTS.get(part.state)
        box = _BOX.format(line=_LINE, left=f"3px solid {line}" if line else f"1px solid {_LINE}")
        name = f"vibe-tool vibe-is-{part.state}"
        is_open = self._is_open.get(part.key, part.state == "ok" and has_picture(part.display))
        yield _fold(name, (box, f"{_SUMMARY};{_SIGN}"), summary, is_open=is_open)
        part = beside_display(part)
        shape = call_shape(part)
        if shape is not None and (html := shape.arguments_html) is not None:
            yield _section("Arguments", html)
        elif args := args_text(part):
            yield _section("Arguments", _pre(args))
        if output := output_blocks(part, shape):
            yield _section("Output", "\n".join(output))
        if part.error:
            yield _section("Error", _message(part.error))
        if part.request is not None:
            yield wait_html(part.request)
        if part.children:
            yield '<div class="vibe-children" style="margin:.5em 0 0">\n'
            yield from self._parts(children_of(part, depth), depth + 1)
            yield "</div>\n"
        yield "</details>\n"

    def _run(self, name: str, run: Run) -> Iterator[str]:
        state = f"{_mark(OUTCOME_MARKS, run.outcome)} {run.outcome}" if run.outcome else "open"
        yield f'<div class="vibe-run" style="margin:0 0 .5em">\n<div style="font-size:93%"><strong dir="auto">{_text(name)}</strong> '
        yield f'{state}</div>\n<div class="vibe-parts" style="{_INSIDE}">\n'
        yield from self._parts(run.parts, 0)
        if run.error:
            yield _error(run.error)
        yield "</div>\n</div>\n"


def output_blocks(part: ToolPart, shape: CallShape | None) -> list[str]:
    """Return the HTML of what a call wrote, of its display, and of its result unless the display has it."""
    written = pre_html(coloured_html(part.written.rstrip("\n"))) if written_text(part) else ""
    display = display_html(part.display, name=name_of(part)) if part.display else ""
    if not part.display and (shape is None or shape.output is None) and not has_colours(part.written):
        return [_pre(text)] if (text := output_text(part)) else []
    result = None if shape is None else shape.output_html
    if result is None:
        result = _pre(plain) if (plain := result_text(part)) else ""
    return [*filter(None, (written, display, result))]


def _fold(name: str, styles: tuple[str, str], summary: str, *, is_open: bool) -> str:
    outer, inner = styles
    opened = " open" if is_open else ""
    return f'<details class="{name}"{opened} style="{outer}"><summary style="{inner}">{summary}</summary>\n'


def _mark(marks: Mapping[Any, str], state: str, style: str = "") -> str:
    styles = ";".join(filter(None, (style, f"color:{_TINTS[state]}" if state in _TINTS else "")))
    return (
        f'<strong style="{styles}">{marks[state]}</strong>' if styles else f"<strong>{marks[state]}</strong>"
    )


def _head(transcript: Document, title: str | None) -> str:
    words = [f'<strong dir="auto">{_text(in_line(title, 200))}</strong>'] if title else []
    if transcript.outcome:
        words.append(f"{_mark(OUTCOME_MARKS, transcript.outcome)} {transcript.outcome}")
    if plan := plan_head(transcript.parts):
        words.append(f'<span dir="auto">{_text(plan)}</span>')
    if usage := usage_text(transcript):
        words.append(f'<span style="{SMALL}">{_text(usage)}</span>')
    if not words:
        return ""
    return f'<div class="vibe-head" style="{_HEAD}">{" · ".join(words)}</div>\n'


def _artifact(part: ArtifactPart) -> str:
    name = f"<bdi>{_text(name_in_line(part.name) or 'artifact')}</bdi>"
    if part.url and is_link(part.url):
        href = href_of(part.url)
        name = f'<a href="{href}" target="_blank" rel="noopener noreferrer">{name}</a>'
    facts = [] if part.action == "created" else [_text(name_in_line(part.action))]
    facts += [_text(name_in_line(part.media_type))] if part.media_type else []
    facts += (
        [size(byte_size(part.data)), *filter(None, [image_problem(part.media_type, part.data)])]
        if part.data
        else []
    )
    about = f' <span style="{SMALL}">· {" · ".join(facts)}</span>' if facts else ""
    image = ""
    source = f"data:{part.media_type};base64,{part.data}"
    if part.display:
        image = f"\n{display_html(part.display, name=name_in_line(part.name))}"
        if not (part.name or part.url or part.data):
            return f'<div class="vibe-artifact" style="margin:.5em 0">{image}</div>\n'
    elif part.data and is_raster(source) and not image_problem(part.media_type, part.data):
        alt = escape(name_in_line(part.name))
        image = f'<br><img src="{escape(source)}" alt="{alt}" style="display:block;max-width:100%">'
    return f'<div class="vibe-artifact" style="margin:0 0 .5em">◆ {name}{about}{image}</div>\n'


def wait_html(request: RequestValue) -> str:
    """Return a request with its answer, in the colour of waiting."""
    return answer_html(request, WAIT)


def _section(label: str, html: str) -> str:
    return f'<div style="{LABEL}">{label}</div>\n{html}\n'


def _error(text: str) -> str:
    box = _BOX.format(line=_LINE, left=f"3px solid {BAD}")
    return f'<div class="vibe-failure" style="{box}"><strong style="color:{BAD}">✗ Error</strong>\n{_message(text)}</div>\n'


def _note(text: str) -> str:
    if cut_message(text)[1]:
        return f'<div class="vibe-note" style="{SMALL}">{_message(text)}</div>\n'
    return f'<p class="vibe-note" dir="auto" style="{SMALL}">{_text(text)}</p>\n'


def _message(text: str) -> str:
    """Return the start of an error or a note, and a fold with all of it if it is long."""
    shown, omitted = cut_message(text)
    if not omitted:
        return pre_html(coloured_html(text))
    summary = f"Show all ({len(shown) + omitted:,} characters)"
    fold = _fold("vibe-all", (_LINED, f"{_SUMMARY};{_MUTED}"), summary, is_open=False)
    return f"{_pre(f'{shown}…')}\n{fold}{_pre(whole_message(text))}</details>\n"


def _pre(text: str) -> str:
    return pre_html(escape(text))


def _text(text: str) -> str:
    """Return plain text escaped for HTML and for MathJax."""
    return isolate(escape(clean(text)))

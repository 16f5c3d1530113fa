"""Render a transcript as plain text, for terminals, logs and ``text/plain``.

The same work always gives the same text, so the text has no ids, times, addresses or durations. Control
characters are removed, because an agent's text could control a terminal with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, assert_never

from .._markdown.images import image_problem
from .._markdown.sanitize import is_link
from .conversation import (
    PLAN_MARKS,
    Source,
    Sources,
    answer_words,
    document_parts,
    is_hidden,
    line_words,
    marked_text,
    option_words,
    plan_head,
    plan_summary,
    question_of,
)
from .displays import display_text, in_plain_words
from .excerpt import excerpt
from .last_resort import render_or_fall_back
from .shapes import CallShape, call_shape
from .wording import (
    OUTCOME_MARKS,
    STATE_MARKS,
    args_text,
    byte_size,
    call_line,
    children_of,
    clean,
    in_line,
    message_text,
    name_in_line,
    name_of,
    result_text,
    size,
    thinking_time,
    unclaimed_runs,
    written_text,
)

if TYPE_CHECKING:
    from ..parts import ArtifactPart, Part, RequestValue, TextPart, ToolPart
    from .wording import Document

__all__ = ["clean", "transcript_text"]

_ADDRESS = re.compile(r"\bat 0x[0-9A-Fa-f]{4,}")


def transcript_text(transcript: Document, *, title: str | None = None) -> str:
    """Return the transcript as plain text."""
    return render_or_fall_back("text", transcript, lambda: _write(transcript, title))


def _write(transcript: Document, title: str | None) -> str:
    head = [in_line(title, 200)] if title else []
    if transcript.outcome and (title or transcript.outcome != "success"):
        head.append(f"{OUTCOME_MARKS[transcript.outcome]} {transcript.outcome}")
    if plan := plan_head(transcript.parts):
        head.append(plan)
    paragraphs = [" · ".join(head), *_parts(document_parts(transcript), 0)]
    for name, run in unclaimed_runs(transcript):
        body = list(_parts(run.parts, 0))
        body += [f"error: {message_text(run.error)}"] if run.error else []
        paragraphs.append(f"{name}:\n" + _indented("\n".join(body)))
    if transcript.error:
        paragraphs.append(f"error: {message_text(transcript.error)}")
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return _ADDRESS.sub("at 0x…", text)


def _parts(parts: Sequence[Part], depth: int) -> Iterator[str]:
    sources = Sources(parts)
    for part in parts:
        if not is_hidden(part):
            yield _part(part, depth, sources)


def _part(part: Part, depth: int, sources: Sources) -> str:
    match part.kind:
        case "text":
            return _text(part, sources)
        case "thinking":
            text = clean(part.text).strip()
            took = thinking_time(part.started_at, part.finished_at)
            return f"thinking{f' ({took})' if took else ''}:\n{_indented(text)}" if text else ""
        case "tool":
            return "\n".join(_tool(part, depth))
        case "artifact":
            return _artifact(part)
        case "plan":
            steps = [f"{PLAN_MARKS[one.status]} {in_line(one.text, 500)}" for one in part.entries]
            return "\n".join([f"plan: {plan_summary(part)}", *map(_indented, steps)])
        case "input":
            return _request(part.request)
        case "custom":
            name, short, whole = line_words(part)
            line = "◇ " + ": ".join(filter(None, (name, short)))
            return f"{line}\n{_indented(excerpt(whole))}" if short.endswith("…") else line
    assert_never(part.kind)


def _text(part: TextPart, sources: Sources) -> str:
    marked = marked_text(part, sources)
    text = marked.replace(clean(marked.text).strip("\n"), lambda number: f"[{number}]")
    if part.role in ("user", "system"):
        return _quoted(f"{part.role}: {text.strip()}") if text.strip() else ""
    listed = [
        f"[{source.number}] " + " · ".join(filter(None, _about(source))) for source in sources.after(part)
    ]
    return "\n".join([*([text] if text else []), *listed])


def _about(source: Source) -> tuple[str, str, str]:
    return source.title, in_line(source.url or "", 500), f"“{source.quote}”" if source.quote else ""


def _quoted(text: str) -> str:
    return "> " + text.replace("\n", "\n> ")


def _request(request: RequestValue) -> str:
    question = clean(question_of(request)).strip()
    labels = option_words(request)
    lines = [f"? {question}", *([_indented(labels)] if labels else []), f"  → {answer_words(request)}"]
    return "\n".join(lines)


def _tool(part: ToolPart, depth: int) -> Iterator[str]:
    short, is_whole = call_line(part)
    part = in_plain_words(part)
    shape = call_shape(part)
    state = "" if part.state == "ok" else f" · {part.state.replace('_', ' ')}"
    yield f"{STATE_MARKS[part.state]} {name_of(part)}({short}){state}"
    if not is_whole:
        yield _indented(shape.arguments.text() if shape and shape.arguments else args_text(part))
    if output := _output(part, shape):
        yield _indented(output, "  → ", "    ")
    if part.error:
        yield _indented(message_text(part.error), "  ✗ ", "    ")
    if part.request is not None:
        yield _indented(_request(part.request), "  ", "  ")
    for text in _parts(children_of(part, depth), depth + 1):
        if text:
            yield _indented(text)


def _output(part: ToolPart, shape: CallShape | None) -> str:
    """Return what a call wrote, its display, and its result unless the display has it."""
    found = [written_text(part)]
    if part.display:
        found.append(display_text(part.display))
    found.append(shape.output.text() if shape and shape.output else result_text(part))
    return "\n".join(filter(None, found))


def _artifact(part: ArtifactPart) -> str:
    facts = [in_line(part.media_type or "")]
    facts += [size(byte_size(part.data)), image_problem(part.media_type, part.data)] if part.data else []
    facts += [in_line(part.url, 500)] if part.url and is_link(part.url) else []
    about = ", ".join(fact for fact in facts if fact)
    action = "" if part.action == "created" else f" {in_line(part.action)}"
    shown = display_text(part.display) if part.display else ""
    if shown and not (part.name or part.url or part.data):
        return shown
    line = f"+ {name_in_line(part.name) or 'artifact'}{action}" + (f" ({about})" if about else "")
    return f"{line}\n{_indented(shown)}" if shown else line


def _indented(text: str, first: str = "    ", rest: str = "    ") -> str:
    return first + re.sub(r"\n(?!\n)", f"\n{rest}", text.rstrip("\n"))

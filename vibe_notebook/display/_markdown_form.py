"""The Markdown form of a transcript, for GitHub, plain editors and ``text/markdown``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from ._format import (
    OUTCOME_MARKS,
    STATE_MARKS,
    args_text,
    byte_size,
    children_of,
    clean,
    duration_of,
    in_line,
    name_of,
    output_text,
    pretty,
    preview,
    size,
    unclaimed_runs,
    usage_text,
)
from ._last_resort import made
from ._neutral import is_safe, neutral
from ._sanitize import is_link

if TYPE_CHECKING:
    from ..transcript import ArtifactPart, Part, ToolPart, Transcript

__all__ = ["transcript_markdown"]

_SPECIAL = re.compile(r"[`*_{}\[\]<>#|~&!()]|(?P<tex>[$\\]+)")
_TICKS = re.compile(r"`+")


def transcript_markdown(transcript: Transcript, *, title: str | None = None) -> str:
    """Return the transcript as Markdown: text as the agent wrote it, but without its raw HTML."""
    return made("markdown", transcript, lambda: _written(transcript, title))


def _written(transcript: Transcript, title: str | None) -> str:
    markdown = _Form(is_strict=False).write(transcript, title)
    # What is code in a part may be none behind the list that ends the part before.
    return markdown if is_safe(markdown) else _Form(is_strict=True).write(transcript, title)


class _Form:
    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict

    def write(self, transcript: Transcript, title: str | None) -> str:
        head = [f"**{_escaped(in_line(title, 200))}**"] if title and title.strip() else []
        if transcript.outcome:
            head.append(f"{OUTCOME_MARKS[transcript.outcome]} {transcript.outcome}")
        if usage := usage_text(transcript.usage):
            head.append(_escaped(usage))
        paragraphs = [" · ".join(head), *(self._part(part, 0) for part in transcript.parts)]
        for name, run in unclaimed_runs(transcript):
            outcome = f" · {run.outcome}" if run.outcome else ""
            body = [f"**{_escaped(name)}**{outcome}", *(self._part(part, 0) for part in run.parts)]
            body += [f"**Error**\n\n{_fenced(clean(run.error))}"] if run.error else []
            paragraphs.append(_quoted("\n\n".join(body)))
        if transcript.error:
            paragraphs.append(f"**✗ Error**\n\n{_fenced(clean(transcript.error))}")
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"

    def _part(self, part: Part, depth: int) -> str:
        match part.kind:
            case "text":
                return self._neutral(part.text)
            case "thinking":
                text = self._neutral(part.text)
                return _quoted(f"*Thinking*\n\n{text}") if text.strip() else ""
            case "tool":
                return "\n\n".join(self._tool(part, depth))
            case "artifact":
                return _artifact(part)
        assert_never(part.kind)

    def _neutral(self, text: str) -> str:
        return neutral(text, is_strict=self._is_strict).strip("\n")

    def _tool(self, part: ToolPart, depth: int) -> Iterator[str]:
        facts = ["" if part.state == "ok" else part.state.replace("_", " "), duration_of(part)]
        short = preview(part.args_text if part.args is None else part.args)
        words = [f"**{STATE_MARKS[part.state]}** {_code(name_of(part))}", *([_code(short)] if short else [])]
        yield " · ".join([" ".join(words), *(fact for fact in facts if fact)])
        if short.endswith("…") and (args := args_text(part)):
            yield f"Arguments:\n\n{_fenced(args, is_json=part.args is not None and args[0] in '{[')}"
        if output := output_text(part):
            is_json = pretty(part.output) == output and output[0] in "{["
            yield f"Output:\n\n{_fenced(output, is_json=is_json)}"
        if part.error:
            yield f"Error:\n\n{_fenced(clean(part.error))}"
        children = [self._part(child, depth + 1) for child in children_of(part, depth)]
        if any(children):
            yield _quoted("\n\n".join(child for child in children if child))


def _artifact(part: ArtifactPart) -> str:
    name = _escaped(in_line(part.name or "") or "artifact")
    if part.url and is_link(part.url) and not re.search(r"[\s<>\\]", part.url):
        name = f"[{name}](<{part.url}>)"
    facts = [] if part.action == "created" else [in_line(part.action)]
    facts += [in_line(part.media_type)] if part.media_type else []
    facts += [size(byte_size(part.data))] if part.data else []
    return " · ".join([f"◆ {name}", *map(_escaped, facts)])


def _escaped(text: str) -> str:
    """Escape plain text; what TeX could read is code, for an escaped dollar is a dollar in the page."""
    return _SPECIAL.sub(lambda match: f"`{match[0]}`" if match["tex"] else f"\\{match[0]}", text)


def _code(line: str) -> str:
    """Return one line as a code span; its fence is longer than any run of backticks inside."""
    ticks = "`" * (max(map(len, _TICKS.findall(line)), default=0) + 1)
    gap = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{gap}{line}{gap}{ticks}"


def _fenced(text: str, *, is_json: bool = False) -> str:
    ticks = "`" * max(3, max(map(len, _TICKS.findall(text)), default=0) + 1)
    return f"{ticks}{'json' if is_json else ''}\n{text}\n{ticks}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))

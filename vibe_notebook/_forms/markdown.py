"""Render a transcript as Markdown, for GitHub, plain editors and ``text/markdown``.

Viewers render this form by themselves, and may let HTML, TeX and any address through. So ``neutral.py`` writes an
agent's text anew. Code stays unchanged, as far as every viewer reads it as code: ``is_safe`` reads the whole form as
JupyterLab does, which removes formulas before it parses. If that check fails, ``transcript_markdown`` renders the form
again, strictly: with escapes in code too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, assert_never

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .._markdown.images import pixels_of
from .._markdown.sanitize import is_raster
from .._markdown.tex import is_safe_tex
from .last_resort import render_or_fall_back
from .neutral import code_span, escape_text, fence, link, neutralize, quote
from .wording import (
    OUTCOME_MARKS,
    STATE_MARKS,
    args_text,
    byte_size,
    call_preview,
    children_of,
    duration_of,
    in_line,
    message_text,
    name_in_line,
    name_of,
    output_text,
    pretty,
    size,
    unclaimed_runs,
    usage_text,
)

if TYPE_CHECKING:
    from ..parts import ArtifactPart, Part, ToolPart
    from .wording import Document

__all__ = ["is_safe", "transcript_markdown"]


_RISK = re.compile(r"<[A-Za-z/!?]|!\[|[$\\]|`\{")
"""Marks of every tag, every image and all TeX: text without them needs no parser."""
WORK_LIMIT = 100_000_000
"""Characters to read, at worst, to find the dollars that JupyterLab reads as code. Beyond, the form is strict."""
_JUPYTER_CODE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[^`\n]*\n[\s\S]*?^(?P=fence)`*$"
    r"|(?:^|(?<=[^\\]))(?P<ticks>`+)[^\n]*?[^`\n](?P=ticks)(?!`)",
    re.MULTILINE,
)
_JUPYTER_MATH = re.compile(
    r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|(?:\n\s*)+|\\\\[()\[\]])", re.IGNORECASE
)


def is_safe(markdown: str) -> bool:
    """Return whether a viewer that lets HTML through finds no HTML, remote image or unsafe TeX in *markdown*."""
    if not _RISK.search(markdown):
        return True
    parser = _blocks(html=True)
    env: dict[str, object] = {}
    markdown, is_safe_so_far = _without_formulas(markdown)
    for token in parser.parse(markdown, env) if is_safe_so_far else ():
        if token.type == "html_block":
            return False
        if token.type == "inline" and _RISK.search(token.content):
            found: list[Token] = []
            parser.inline.parse(token.content, parser, env, found)
            if _is_unsafe(found):
                return False
    return is_safe_so_far


def _without_formulas(markdown: str) -> tuple[str, bool]:
    """Return *markdown* without the formulas that JupyterLab removes before it parses, and whether all are safe.

    The function follows JupyterLab's ``removeMath``, which recognises dollars in code only, and not in all code.
    A removed piece with the end of some code in it would turn the rest of that code into text.
    """
    if "$" not in markdown and "\\" not in markdown:
        return markdown, True
    lines = markdown.split("\n")
    work = sum(line.startswith(("```", "~~~")) for line in lines) * len(markdown)
    if work + sum(line.count("`") * len(line) for line in lines) > WORK_LIMIT:
        return markdown, False
    text = _JUPYTER_CODE.sub(lambda match: match[0].replace("$", "\x00"), markdown)
    pieces = _JUPYTER_MATH.split(text)
    is_safe_so_far = True
    for start, stop in list(_formulas(pieces)):
        marks, source = len(pieces[start]), "".join(pieces[start : stop + 1])
        is_formula = pieces[start][0] == "$" and is_safe_tex(source[marks:-marks].strip())
        is_safe_so_far &= is_formula or ("`" not in source and "~~~" not in source)
        pieces[start : stop + 1] = [" formula ", *[""] * (stop - start)]
    return "".join(pieces).replace("\x00", "$"), is_safe_so_far


_JUPYTER_ENDS = {"$": "$", "$$": "$$", "\\\\(": "\\\\)", "\\\\[": "\\\\]"}


def _formulas(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the indexes of each formula's first and last mark in *pieces*: every second piece is a mark."""
    start, end, braces, last = -1, "", 0, -1
    for number, mark in enumerate(pieces):
        if not number % 2:
            continue
        if start < 0:
            is_environment = mark.startswith("\\begin")
            end = "\\end" + mark[6:] if is_environment else _JUPYTER_ENDS.get(mark, "")
            start, braces, last = number if end else -1, 0, -1
        elif (mark == end and not braces) or mark.count("\n") > 1:
            stop = number if mark == end else last
            if stop >= 0:
                yield start, stop
            start = -1
        elif mark == end:
            last = number
        else:
            braces = max(0, braces + (mark == "{") - (mark == "}"))
    if start >= 0 and last >= 0:
        yield start, last


@cache
def _blocks(*, html: bool) -> MarkdownIt:
    """Return a parser that finds the blocks, and leaves inline text unparsed."""
    parser = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    parser.core.ruler.disable(["inline", "text_join"])
    return parser


def _is_unsafe(tokens: Sequence[Token]) -> bool:
    return any(
        token.type == "html_inline"
        or (token.type == "image" and not is_raster(str(token.attrs.get("src", ""))))
        or (token.type == "text" and "\\" in token.content)
        or (token.children and _is_unsafe(token.children))
        for token in tokens
    )


def transcript_markdown(transcript: Document, *, title: str | None = None) -> str:
    """Return the transcript as Markdown: the agent's own text, but without its raw HTML."""
    return render_or_fall_back("markdown", transcript, lambda: _write(transcript, title))


def _write(transcript: Document, title: str | None) -> str:
    markdown = _Form(is_strict=False).write(transcript, title)
    # The code of one part may be no code behind a list at the end of the part before.
    return markdown if is_safe(markdown) else _Form(is_strict=True).write(transcript, title)


class _Form:
    """Write the Markdown of one transcript; *is_strict* as in ``neutralize``."""

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict

    def write(self, transcript: Document, title: str | None) -> str:
        head = [f"**{escape_text(in_line(title, 200))}**"] if title and title.strip() else []
        if transcript.outcome:
            head.append(f"{OUTCOME_MARKS[transcript.outcome]} {transcript.outcome}")
        if usage := usage_text(transcript.usage):
            head.append(escape_text(usage))
        paragraphs = [" · ".join(head), *(self._part(part, 0) for part in transcript.parts)]
        for name, run in unclaimed_runs(transcript):
            outcome = f" · {run.outcome}" if run.outcome else ""
            body = [f"**{escape_text(name)}**{outcome}", *(self._part(part, 0) for part in run.parts)]
            body += [f"**Error**\n\n{_fenced(message_text(run.error))}"] if run.error else []
            paragraphs.append(quote("\n\n".join(body)))
        if transcript.error:
            paragraphs.append(f"**✗ Error**\n\n{_fenced(message_text(transcript.error))}")
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"

    def _part(self, part: Part, depth: int) -> str:
        match part.kind:
            case "text":
                return self._neutral(part.text)
            case "thinking":
                text = self._neutral(part.text)
                return quote(f"*Thinking*\n\n{text}") if text.strip() else ""
            case "tool":
                return "\n\n".join(self._tool(part, depth))
            case "artifact":
                return _artifact(part)
        assert_never(part.kind)

    def _neutral(self, text: str) -> str:
        return neutralize(text, is_strict=self._is_strict).strip("\n")

    def _tool(self, part: ToolPart, depth: int) -> Iterator[str]:
        facts = ["" if part.state == "ok" else part.state.replace("_", " "), duration_of(part)]
        short = call_preview(part)
        words = [
            f"**{STATE_MARKS[part.state]}** {code_span(name_of(part))}",
            *([code_span(short)] if short else []),
        ]
        yield " · ".join([" ".join(words), *(fact for fact in facts if fact)])
        if short.endswith("…") and (args := args_text(part)):
            yield f"Arguments:\n\n{_fenced(args, is_json=part.args is not None and args[0] in '{[')}"
        if output := output_text(part):
            is_json = pretty(part.output) == output and output[0] in "{["
            yield f"Output:\n\n{_fenced(output, is_json=is_json)}"
        if part.error:
            yield f"Error:\n\n{_fenced(message_text(part.error))}"
        children = [self._part(child, depth + 1) for child in children_of(part, depth)]
        if any(children):
            yield quote("\n\n".join(child for child in children if child))


def _artifact(part: ArtifactPart) -> str:
    name = name_in_line(part.name) or "artifact"
    name = (
        link({"href": part.url or ""}, escape_text(name, is_link_text=True))
        if part.url
        else escape_text(name)
    )
    facts = [] if part.action == "created" else [in_line(part.action)]
    facts += [in_line(part.media_type)] if part.media_type else []
    facts += [size(byte_size(part.data)), *filter(None, [pixels_of(part.data)])] if part.data else []
    return " · ".join([f"◆ {name}", *map(escape_text, facts)])


def _fenced(text: str, *, is_json: bool = False) -> str:
    return fence(text, "json" if is_json else "")

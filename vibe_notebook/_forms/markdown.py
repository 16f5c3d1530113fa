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

from .._markdown.html_tags import INLINE_TAGS
from .._markdown.images import image_problem
from .._markdown.sanitize import is_raster
from .._markdown.tex import is_safe_tex
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
from .costs import usage_text
from .displays import display_markdown, in_plain_words
from .excerpt import excerpt
from .last_resort import render_or_fall_back
from .neutral import code_span, escape_text, fence, link, neutralize, quote
from .shapes import CallShape, call_shape
from .wording import (
    OUTCOME_MARKS,
    STATE_MARKS,
    args_text,
    byte_size,
    call_line,
    children_of,
    duration_of,
    in_line,
    message_text,
    name_in_line,
    name_of,
    pretty,
    result_text,
    size,
    thinking_time,
    unclaimed_runs,
    written_text,
)

if TYPE_CHECKING:
    from ..parts import ArtifactPart, CustomPart, Part, PlanPart, RequestValue, TextPart, ToolPart
    from .wording import Document

__all__ = ["is_safe", "transcript_markdown"]


_RISK = re.compile(r"<[A-Za-z/!?]|!\[|[$\\]|`\{")
"""Marks of every tag, every image and all TeX: text without them needs no parser."""
_TAGS = frozenset({"<br>"} | {f"<{end}{name}>" for name in INLINE_TAGS for end in ("", "/")})
"""Tags of this form: it writes them anew, in pairs and without attributes."""
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


_NBCONVERT_MATH = re.compile(r"\\\\[\[(]")
"""Marks that begin a formula for nbconvert, which reads them before code and lets the HTML in it through."""
_TAG = re.compile(r"<[A-Za-z/!?]")


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
        (token.type == "html_inline" and token.content not in _TAGS)
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
    if not is_safe(markdown):
        markdown = _Form(is_strict=True).write(transcript, title)
    if _TAG.search(markdown):
        markdown = _NBCONVERT_MATH.sub(lambda mark: f"\uff3c\uff3c{mark[0][-1]}", markdown)
    return markdown


class _Form:
    """Write the Markdown of one transcript; *is_strict* as in ``neutralize``."""

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict

    def write(self, transcript: Document, title: str | None) -> str:
        head = [f"**{escape_text(in_line(title, 200))}**"] if title and title.strip() else []
        if transcript.outcome:
            head.append(f"{OUTCOME_MARKS[transcript.outcome]} {transcript.outcome}")
        if plan := plan_head(transcript.parts):
            head.append(escape_text(plan))
        if usage := usage_text(transcript):
            head.append(escape_text(usage))
        paragraphs = [" · ".join(head), *self._parts(document_parts(transcript), 0)]
        for name, run in unclaimed_runs(transcript):
            outcome = f" · {run.outcome}" if run.outcome else ""
            body = [f"**{escape_text(name)}**{outcome}", *self._parts(run.parts, 0)]
            body += [f"**Error**\n\n{_fenced(message_text(run.error))}"] if run.error else []
            paragraphs.append(quote("\n\n".join(body)))
        if transcript.error:
            paragraphs.append(f"**✗ Error**\n\n{_fenced(message_text(transcript.error))}")
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"

    def _parts(self, parts: Sequence[Part], depth: int) -> Iterator[str]:
        sources = Sources(parts)
        for part in parts:
            if not is_hidden(part):
                yield self._part(part, depth, sources)

    def _part(self, part: Part, depth: int, sources: Sources) -> str:
        match part.kind:
            case "text":
                return self._text(part, sources)
            case "thinking":
                text = self._neutral(part.text)
                took = thinking_time(part.started_at, part.finished_at)
                title = f"*Thought for {took}*" if took else "*Thinking*"
                return quote(f"{title}\n\n{text}") if text.strip() else ""
            case "tool":
                return "\n\n".join(self._tool(part, depth))
            case "artifact":
                return _artifact(part)
            case "plan":
                return _plan(part)
            case "input":
                return self._request(part.request)
            case "custom":
                return _line(part)
        assert_never(part.kind)

    def _text(self, part: TextPart, sources: Sources) -> str:
        marked = marked_text(part, sources)
        text = marked.replace(self._neutral(marked.text), lambda number: f"\\[{number}\\]")
        if part.role in ("user", "system"):
            who = "" if part.role == "user" else "*System prompt*\n\n"
            return quote(f"{who}{text}") if text.strip() else ""
        listed = "\n".join(_source(source) for source in sources.after(part))
        return "\n\n".join(filter(None, (text, listed)))

    def _request(self, request: RequestValue) -> str:
        question = self._neutral(question_of(request))
        labels = option_words(request)
        words = [question, *([escape_text(labels)] if labels else [])]
        mark = "‖" if request.is_open else "↳"
        return quote("\n\n".join([*words, f"{mark} {escape_text(answer_words(request))}"]))

    def _neutral(self, text: str) -> str:
        return neutralize(text, is_strict=self._is_strict).strip("\n")

    def _tool(self, part: ToolPart, depth: int) -> Iterator[str]:
        facts = ["" if part.state == "ok" else part.state.replace("_", " "), duration_of(part)]
        short, is_whole = call_line(part)
        part = in_plain_words(part)
        shape = call_shape(part)
        words = [
            f"**{STATE_MARKS[part.state]}** {code_span(name_of(part))}",
            *([code_span(short)] if short else []),
        ]
        yield " · ".join([" ".join(words), *(fact for fact in facts if fact)])
        if not is_whole and shape is not None and shape.arguments is not None:
            yield f"Arguments:\n\n{shape.arguments.markdown()}"
        elif not is_whole and (args := args_text(part)):
            yield f"Arguments:\n\n{_fenced(args, is_json=part.args is not None and args[0] in '{[')}"
        if output := _output(part, shape):
            yield f"Output:\n\n{output}"
        if part.error:
            yield f"Error:\n\n{_fenced(message_text(part.error))}"
        if part.request is not None:
            yield self._request(part.request)
        children = list(self._parts(children_of(part, depth), depth + 1))
        if any(children):
            yield quote("\n\n".join(child for child in children if child))


def _output(part: ToolPart, shape: CallShape | None) -> str:
    """Return what a call wrote, its display, and its result unless the display has it."""
    written = written_text(part)
    found = []
    if part.display:
        found = [_fenced(written)] if written else []
        found.append(display_markdown(part.display))
        written = ""
    if shape is not None and shape.output is not None:
        found += [_fenced(written)] if written else []
        found.append(shape.output.markdown())
    elif output := "\n".join(filter(None, (written, result_text(part)))):
        is_json = pretty(part.output) == output and output[0] in "{["
        found.append(_fenced(output, is_json=is_json))
    return "\n\n".join(filter(None, found))


def _plan(part: PlanPart) -> str:
    steps = [
        f"- {PLAN_MARKS[entry.status]} {_step(escape_text(in_line(entry.text, 500)), entry.status)}"
        for entry in part.entries
    ]
    return "\n".join([f"**Plan** · {escape_text(plan_summary(part))}", "", *steps])


def _step(text: str, status: str) -> str:
    if status in ("completed", "cancelled"):
        return f"~~{text}~~"
    return f"**{text}**" if status == "in_progress" else text


def _source(source: Source) -> str:
    title = escape_text(source.title, is_link_text=True)
    title = link({"href": source.url}, title) if source.url else title
    words = [title, *(escape_text(word) for word in (source.host, source.quote) if word)]
    return f"- \\[{source.number}\\] {' · '.join(words)}"


def _line(part: CustomPart) -> str:
    name, short, whole = line_words(part)
    line = "◇ " + " ".join([*([code_span(name)] if name else []), *([code_span(short)] if short else [])])
    return f"{line}\n\n{_fenced(excerpt(whole), is_json=whole[:1] in '{[')}" if whole else line


def _artifact(part: ArtifactPart) -> str:
    name = name_in_line(part.name) or "artifact"
    name = (
        link({"href": part.url or ""}, escape_text(name, is_link_text=True))
        if part.url
        else escape_text(name)
    )
    facts = [] if part.action == "created" else [in_line(part.action)]
    facts += [in_line(part.media_type)] if part.media_type else []
    facts += (
        [size(byte_size(part.data)), *filter(None, [image_problem(part.media_type, part.data)])]
        if part.data
        else []
    )
    shown = display_markdown(part.display) if part.display else ""
    if shown and not (part.name or part.url or part.data):
        return shown
    return "\n\n".join(filter(None, (" · ".join([f"◆ {name}", *map(escape_text, facts)]), shown)))


def _fenced(text: str, *, is_json: bool = False) -> str:
    return fence(text, "json" if is_json else "")

r"""Render a transcript as Markdown, for GitHub, plain editors and ``text/markdown``.

Viewers render this form by themselves, and may let HTML through. So ``neutralize`` turns an agent's raw HTML into text,
its images into links, and closes its fences. TeX outside of code stays only as a safe formula: pandoc's LaTeX obeys
every ``\input``, and JupyterLab's MathJax reads the page that its Markdown made of the text, in which an escaped
dollar is a dollar again. So every other ``$`` and backslash is a code span, which all of these viewers leave alone.

Code stays unchanged, as far as it is code behind any other text. ``is_safe`` reads the whole form as such a viewer
does. If that check fails, ``transcript_markdown`` renders the form again, strictly: with escapes in code too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, assert_never

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .._json_values import scrub
from .._markdown.highlight import language_of
from .._markdown.images import pixels_of
from .._markdown.math import is_formula
from .._markdown.sanitize import is_link, is_raster
from .._markdown.tex import is_safe_tex
from .._markdown.unparsed_blocks import OpenFence
from .last_resort import render_or_fall_back
from .wording import (
    OUTCOME_MARKS,
    STATE_MARKS,
    args_text,
    byte_size,
    children_of,
    clean,
    duration_of,
    in_line,
    message_text,
    name_in_line,
    name_of,
    output_text,
    pretty,
    preview,
    size,
    unclaimed_runs,
    usage_text,
)

if TYPE_CHECKING:
    from ..parts import ArtifactPart, Part, ToolPart
    from .wording import Document

__all__ = ["is_safe", "neutralize", "transcript_markdown"]


_BACKTICKS = re.compile(r"`+")
_INLINE = re.compile(
    r"(?P<tex>\\\((?P<inline>(?:[^`\n$\\]|\\[^`\n$()\[\]]){1,2000})\\\)"
    r"|\\\[(?P<display>(?:[^`\n$\\]|\\[^`\n$()\[\]]){1,2000})\\\])"
    r"|(?P<shown>(?:\\[A-Za-z]+)+|(?:\\[\\$])+|\\(?![!-/:-@\[-`{-~\n]))"
    r"|(?P<escaped>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>`+)"
    r"|(?P<link><(?:https?://|mailto:)[^\s<>`]*>)"
    r"|(?P<target>\]\([^()\s<>`]*+(?: \"[^\"<>`\n]*+\")?\))"
    r"|(?P<raster>!\[[^\[\]\\`<\n]*\]\(data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*\))"
    r"|(?P<math>\$\$[^$`]{1,2000}\$\$|\$(?:[^$`\n\\]|\\[^`\n]){1,2000}\$)"
    r"|(?P<dollar>\$+)"
    r"|(?P<image>!\[)"
    r"|(?P<tag><(?=[A-Za-z/!?]))"
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_RISK = re.compile(r"<[A-Za-z/!?]|!\[|[$\\]|`\{")
"""Marks of every tag, every image and all TeX: text without them needs no parser."""
_INFO = re.compile(r"(`{3,}|~{3,})(.*)")
_ADDRESS = str.maketrans({"$": "%24", "\\": "%5C"})
_TITLE = str.maketrans({"$": "&#36;", "\\": "&#92;"})
"""Entities, for a link's title: a code span would show its backticks there."""
_FOOTNOTE = re.compile(r"([ >]*\[\^[^\]\n]+\]:)(.*)")
_DEFINITION = re.compile(r"([ >]*\[[^\]\n]+\]:[ \t]*\S+)(.*)")
_WIDE = str.maketrans({"<": "&lt;", "$": "\uff04", "\\": "\uff3c"})
WORK_LIMIT = 100_000_000
"""Characters to read, at worst, to find the dollars that JupyterLab reads as code. Beyond, the form is strict."""
_CODE = ("fence", "code_block")
_STARTS_TEX = re.compile(r"\$|\\(?:[(\[]|begin|end|ref|eqref)")
"""Marks that MathJax would read as TeX in a page's text."""
_JUPYTER_CODE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[^`\n]*\n[\s\S]*?^(?P=fence)`*$"
    r"|(?:^|(?<=[^\\]))(?P<ticks>`+)[^\n]*?[^`\n](?P=ticks)(?!`)",
    re.MULTILINE,
)
_JUPYTER_MATH = re.compile(
    r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|(?:\n\s*)+|\\\\[()\[\]])", re.IGNORECASE
)


def neutralize(text: str, *, is_strict: bool = False) -> str:
    """Return *text* as Markdown that shows the same text, but cannot fetch, run or hide anything.

    With *is_strict* code is escaped too, and shows the escapes.
    """
    text = clean(scrub(text))
    is_harmless = not _RISK.search(text)
    if is_harmless and "```" not in text and "~~~" not in text:
        return text
    tokens = _blocks(html=False).parse(text)
    lines = text.split("\n")
    out = [_definition(line) for line in lines]
    for first, last, kind in _regions(tokens):
        source = "\n".join(lines[first:last])
        if kind == "fence":
            # pandoc reads attributes from this line, and one of them makes LaTeX of the code.
            opening = _INFO.sub(lambda found: found[1] + language_of(found[2]), lines[first], count=1)
            out[first:last] = [opening, *lines[first + 1 : last]]
        elif kind == "table":
            out[first:last] = ["|".join(map(_inline, _cells(line))) for line in lines[first:last]]
        else:
            out[first:last] = (source if kind == "code_block" else _inline(source)).split("\n")
    result = text.translate(_WIDE).replace("![", "🖼 [") if is_strict else "\n".join(out)
    return result + _closing(tokens, lines)


def _definition(line: str) -> str:
    """Return a line that is no block of its own: a footnote's text, or a link's address and title."""
    footnote = _FOOTNOTE.fullmatch(line)
    if footnote is not None:
        return footnote[1] + _inline(footnote[2])
    line = _TAG.sub("&lt;", line)
    definition = _DEFINITION.fullmatch(line)
    if definition is None:
        return line.translate(_ADDRESS)
    return definition[1].translate(_ADDRESS) + definition[2].translate(_TITLE)


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
        or (token.type == "text" and _STARTS_TEX.search(token.content))
        or (token.children and _is_unsafe(token.children))
        for token in tokens
    )


def _regions(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Yield (first line, line after the last, kind) of code, tables and other inline text."""
    in_table = 0
    for token in tokens:
        if token.type in ("table_open", "table_close"):
            in_table += token.nesting
        if token.map is None:
            continue
        first, last = token.map
        if token.type == "table_open":
            yield first, last, "table"
        elif token.type in _CODE:
            yield first, last, token.type
        elif token.type == "inline" and not in_table:
            yield first, last, "inline"


def _cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)


def _inline(source: str) -> str:
    """Return *source* with tags, images and unsafe TeX escaped outside of code spans."""
    out: list[str] = []
    position = 0
    while match := _INLINE.search(source, position):
        out.append(source[position : match.start()])
        position = match.end()
        kind, found = match.lastgroup, match[0]
        is_code = kind == "code"
        if kind == "code" and (end := _end_of_code(source, found, position)):
            found, position = source[match.start() : end], end
            # A line that begins with a tag is raw HTML, even within a code span.
            found = _TAG.sub("< ", found) if "\n" in found else found
        elif kind in ("math", "tex", "shown", "dollar"):
            formula, is_code = _formula(source, match)
            position = match.start() + 1 if formula is None else position
            found = "`$`" if formula is None else formula
        elif kind in ("link", "target"):
            address, space, title = found.partition(" ")
            found = f"{address.translate(_ADDRESS)}{space}{title.translate(_TITLE)}"
        elif kind == "image":
            found = "🖼 ["
        elif kind == "tag":
            found = "&lt;"
        if is_code:
            # Adjacent backticks would be one run, and pandoc reads attributes after code.
            gap = (
                " "
                if out[-1].endswith("`") or (not out[-1] and len(out) > 1 and out[-2].endswith("`"))
                else ""
            )
            after = source[position : position + 1]
            found = gap + found + ("\\" if after == "{" else " " if after == "`" else "")
        out.append(found)
    return "".join(out) + source[position:]


def _formula(source: str, match: re.Match[str]) -> tuple[str | None, bool]:
    """Return TeX as a formula or as code, and whether it is code; ``None`` for a lone dollar."""
    found, kind = match[0], match.lastgroup
    if kind in ("shown", "dollar"):
        return f"`{_unescaped(found)}`", True
    if kind == "tex":
        content, marks = (match["inline"], "$") if match["inline"] else (match["display"], "$$")
    else:
        marks = "$$" if found.startswith("$$") else "$"
        content = found[len(marks) : -len(marks)]
        if marks == "$" and not is_formula(source, match.start(), match.end() - 1):
            return None, True
    if is_safe_tex(content.strip()):
        # An entity would be part of the formula. A space is not, and opens no tag either.
        return _TAG.sub("< ", f"{marks}{content.strip()}{marks}" if kind == "tex" else found), False
    return (None, True) if "\n" in content else (f"`{marks}{content}{marks}`", True)


def _unescaped(found: str) -> str:
    return re.sub(r"\\([\\$])", r"\1", found)


def _end_of_code(source: str, ticks: str, position: int) -> int:
    for match in _BACKTICKS.finditer(source, position):
        if match[0] == ticks:
            return match.end()
    return 0


def _closing(tokens: Sequence[Token], lines: list[str]) -> str:
    """Return the line that closes a fence that the text left open, or ""."""
    last = tokens[-1] if tokens else None
    if last is None or last.type != "fence" or last.map is None:
        return ""
    start = last.map[0]
    fence = OpenFence(lines[start] + "\n")
    _, rest = fence.feed("\n".join(lines[start + 1 :]) + "\n")
    return f"\n{fence.marks}" if rest is None else ""


_SPECIAL = re.compile(r"[`*_{}\[\]<>#|~&!()]|(?P<tex>[$\\]+)")
_TICKS = re.compile(r"`+")


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
        head = [f"**{_escaped(in_line(title, 200))}**"] if title and title.strip() else []
        if transcript.outcome:
            head.append(f"{OUTCOME_MARKS[transcript.outcome]} {transcript.outcome}")
        if usage := usage_text(transcript.usage):
            head.append(_escaped(usage))
        paragraphs = [" · ".join(head), *(self._part(part, 0) for part in transcript.parts)]
        for name, run in unclaimed_runs(transcript):
            outcome = f" · {run.outcome}" if run.outcome else ""
            body = [f"**{_escaped(name)}**{outcome}", *(self._part(part, 0) for part in run.parts)]
            body += [f"**Error**\n\n{_fenced(message_text(run.error))}"] if run.error else []
            paragraphs.append(_quoted("\n\n".join(body)))
        if transcript.error:
            paragraphs.append(f"**✗ Error**\n\n{_fenced(message_text(transcript.error))}")
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
        return neutralize(text, is_strict=self._is_strict).strip("\n")

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
            yield f"Error:\n\n{_fenced(message_text(part.error))}"
        children = [self._part(child, depth + 1) for child in children_of(part, depth)]
        if any(children):
            yield _quoted("\n\n".join(child for child in children if child))


def _artifact(part: ArtifactPart) -> str:
    name = _escaped(name_in_line(part.name) or "artifact")
    if part.url and is_link(part.url) and not re.search(r"[\s<>\\]", part.url):
        name = f"[{name}](<{part.url}>)"
    facts = [] if part.action == "created" else [in_line(part.action)]
    facts += [in_line(part.media_type)] if part.media_type else []
    facts += [size(byte_size(part.data)), *filter(None, [pixels_of(part.data)])] if part.data else []
    return " · ".join([f"◆ {name}", *map(_escaped, facts)])


def _escaped(text: str) -> str:
    """Return plain text escaped; possible TeX becomes code, because an escaped dollar is a dollar in the page."""
    return _SPECIAL.sub(lambda match: f"`{match[0]}`" if match["tex"] else f"\\{match[0]}", text)


def _code(line: str) -> str:
    """Return one line as a code span, with more backticks around it than any run inside has."""
    ticks = "`" * (max(map(len, _TICKS.findall(line)), default=0) + 1)
    gap = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{gap}{line}{gap}{ticks}"


def _fenced(text: str, *, is_json: bool = False) -> str:
    ticks = "`" * max(3, max(map(len, _TICKS.findall(text)), default=0) + 1)
    return f"{ticks}{'json' if is_json else ''}\n{text}\n{ticks}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))

r"""Write an agent's Markdown anew, so that every viewer reads it as the same text, code and links.

Below ``markdown.py``. Viewers differ in what they let through: HTML, TeX, pandoc's attributes, any address. So this
module parses the text once and writes each element in the one spelling on which all of them agree. All other text is
escaped. Links are whole, in place: no definition of one agent or part changes the text of another.

A formula stays if it is safe. A backslash that belongs to no formula is a code span, which all viewers leave alone:
pandoc's LaTeX obeys every ``\input``, and the MathJax of a page reads ``\begin`` in any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt

from .._json_values import scrub
from .._markdown.emphasis import emphasis_plugin, is_inside_a_word
from .._markdown.fast_paths import dispatch_plugin
from .._markdown.highlight import language_of
from .._markdown.html_tags import INLINE_TAGS, html_tags_plugin
from .._markdown.languages import LANGUAGES
from .._markdown.math import ENVIRONMENT, math_plugin
from .._markdown.sanitize import is_link, is_raster
from .._markdown.syntax import BARE, rules_plugin
from .._markdown.tex import TEXT_COMMANDS, is_safe_tex, plain_tex
from .wording import clean

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["code_span", "escape_text", "fence", "link", "neutralize", "quote"]

_RISK: Final = re.compile(
    r"[<\\`$~&{\[\]|!^@]|^[ \t]*(?:[-:%=+]|\d+[.)])|^(?: {4}|\t)|\b[a-z]+:|[^\x00-\x7f]\*|\*[^\x00-\x7f]|[^\w\s*]\*\*\w",
    re.MULTILINE | re.IGNORECASE,
)
"""Marks of everything that viewers may read in different ways: text without them is written unchanged."""
_SPECIAL: Final = re.compile(
    r"(?P<url>(?<![a-z0-9+.-])https?://[^\s<>`$\\{}|*_~^\[\]()]*[^\s<>`$\\{}|*_~^\[\]()?!.,:;'\"&])"
    r"|(?P<www>(?<![a-z0-9])www(?=\.))"
    r"|(?P<tex>(?:\\[A-Za-z]+)+|\\+)"
    r"|(?P<after>(?<=\])[(:{])"
    r"|(?P<note>\[(?=\^)|(?<=\[)\^|\^(?=\[))"
    r"|(?P<image>!(?=\[|\Z))"
    r"|(?P<amp>&(?=#?\w{1,40};))"
    r"|(?P<tag><(?=[A-Za-z/!?]))"
    r"|(?P<entity>[`|])"
    r"|(?P<scheme>(?<=[a-z0-9+.-]):(?!\s)(?!(?<=\d:)\d))"  # pandoc links any scheme
    # cmark-gfm links these even where the colon is an entity; of a mailto: with two @ it makes a relative address.
    r"|(?P<chat>\bxmpp:|\bmailto:(?=\S{0,500}@\S{0,500}@))"
    r"|(?P<mark>[*{~^$]|(?<!\w)_|_(?!\w))",
    re.IGNORECASE,
)
_ENTITY: Final = re.compile(r"&(?=#?\w{1,40};)")
_LINE_START: Final = re.compile(r"^([ \t]*)([-+=:%>#]|\(@|\d{1,9}(?=[.)]))", re.MULTILINE)
_ADDRESS: Final = {ord(mark): f"%{ord(mark):02X}" for mark in '<>\\$`{}|"()^[] '}
_TITLE: Final = {ord(mark): f"&#{ord(mark)};" for mark in '<>\\$`{}|"&*_~[]()'} | {ord("\n"): " "}
_WIDE: Final = str.maketrans({"<": "&lt;", "$": "\uff04", "\\": "\uff3c"})
"""For code that some viewer does not read as code: it shows these characters in its place."""
_OUTSIDE_FORMULAS: Final = re.compile(r"[`|]|\][(\[:{]|!\[|~~~|\n\s*\n")
"""Marks that a viewer without formulas would read as links, images, code or tables."""
_PORTABLE: Final = re.compile(
    rf"(?P<text>\\(?:{'|'.join(sorted(TEXT_COMMANDS))})\*?[ \n]*\{{[^{{}}]*\}})|(?P<end>\\\\(?:\[[^\]]*\])?(?P<gap>\s?))"
    r"|\\. ?|\* ?|(?<![A-Za-z0-9\\])_(?=\S)",
    re.DOTALL,
)
"""Marks that a viewer without formulas would read as an escape or as emphasis."""
_SAME: Final = {
    "\\{": "\\lbrace ", "\\}": "\\rbrace ", "\\|": "\\Vert ", "*": "\\ast ", "_": "_ ", "\\!": "",
    **dict.fromkeys(("\\,", "\\:", "\\;", "\\>"), "\\thinspace "),
}  # fmt: skip
"""TeX of the same meaning that every viewer leaves alone."""
_MARKS: Final = {"em": "*", "strong": "**", "s": "~~"}
_OPENING: Final = "\1"
_CLOSING: Final = "\2"
"""Places before an opening and after a closing mark of emphasis, until its neighbours are known."""
_OPENINGS: Final = re.compile(
    rf"([^{_OPENING}{_CLOSING}]?)((?:{_OPENING}(?:\*\*?|~~))+)(?=\0*(.))", re.DOTALL
)
_CLOSINGS: Final = re.compile(
    rf"(?<=(.))((?:(?:\*\*?|~~){_CLOSING})+)(\0*)([^{_OPENING}{_CLOSING}]?)", re.DOTALL
)
_UNQUOTED: Final = re.compile(r"[^\w.,;()+-]+")
_BLANK: Final = re.compile(r"[\s\x00-\x20\x7f]")
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")
_TICKS: Final = re.compile(r"`+")
_LISTS: Final = frozenset(("bullet_list_open", "ordered_list_open", "list_item_open"))
_OTHERS: Final = frozenset(("fence", "code_block", "math_block", "hr"))
_WIDTH: Final = 4
"""Columns of a list's marker at least: pandoc and CommonMark agree on it."""


def neutralize(text: str, *, is_strict: bool = False) -> str:
    """Return *text* as Markdown that shows the same, but cannot fetch, run or hide anything in any viewer.

    With *is_strict* code is escaped too, and shows the escapes.
    """
    text = clean(scrub(text))
    if not _RISK.search(text):
        return text
    parser = _parser()
    env: dict[str, Any] = {}
    return _Writer(is_strict=is_strict).blocks(parser.parse(text, env))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(["table", "strikethrough"])
    parser.use(emphasis_plugin).use(rules_plugin).use(math_plugin).use(html_tags_plugin).use(dispatch_plugin)
    # A refused link keeps its text.
    parser.validateLink = _any_address  # type: ignore[method-assign]
    return parser


def _any_address(url: str) -> bool:
    del url
    return True


def escape_text(text: str, *, is_link_text: bool = False) -> str:
    """Return plain text as Markdown that every viewer shows as it is."""
    return _apart(_marked(text, is_link_text=is_link_text))


def _marked(text: str, *, is_link_text: bool = False) -> str:
    """Return plain text escaped, with NUL at both ends of each code span."""
    text = _SPECIAL.sub(_escaped_in_link if is_link_text else _escaped, text)
    return text.replace("[", "&#91;").replace("]", "&#93;") if is_link_text else text


def _apart(text: str) -> str:
    """Return *text* with a space between adjacent code spans: their backticks would be one run."""
    return text.replace("\0\0", " ").replace("\0", "")


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "tex" | "chat":
            return f"\0`{found}`\0"
        case "url":
            # Viewers that link a bare address differ in where it ends: some take a code span's mark.
            return f"<{_ENTITY.sub('&amp;', found)}>"
        case "www":
            return f"{found[:-1]}&#{ord(found[-1])};"
        case "tag":
            return "&lt;"
        case "amp":
            return "&amp;"
        case "mark":
            return f"\\{found}"
        case _:
            return "".join(f"&#{ord(mark)};" for mark in found)


def _escaped_in_link(match: re.Match[str]) -> str:
    found = match[0]
    return found.replace(":", "&#58;", 1) if match.lastgroup == "url" else _escaped(match)


def code_span(line: str) -> str:
    """Return one line as a code span, with more backticks around it than any run inside has."""
    if not line.strip():
        return ""
    ticks = "`" * (max(map(len, _TICKS.findall(line)), default=0) + 1)
    gap = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{gap}{line}{gap}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return a code fence with more backticks than any run inside has."""
    ticks = "`" * max(3, max(map(len, _TICKS.findall(text)), default=0) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def quote(text: str) -> str:
    """Return a block quote of *text*."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _indented(text: str, marker: str) -> str:
    space = " " * len(marker)
    return marker + "\n".join(f"{space}{line}" if line else "" for line in text.split("\n"))[len(marker) :]


class _Writer:
    """Write the Markdown of parsed tokens."""

    def __init__(self, *, is_strict: bool) -> None:
        self._is_strict = is_strict

    def blocks(self, tokens: Sequence[Token], *, is_tight: bool = False) -> str:
        """Return the blocks of *tokens*, with blank lines between them unless the list *is_tight*."""
        found = [block for block in self._blocks(tokens) if block.strip()]
        return ("\n" if is_tight else "\n\n").join(found)

    def _blocks(self, tokens: Sequence[Token]) -> Iterator[str]:
        at, last, is_after_list = 0, "", False
        while at < len(tokens):
            token = tokens[at]
            end = _end_of(tokens, at)
            inside = tokens[at + 1 : end]
            at = end + 1
            # Two lists in a row stay two by their markers.
            is_after_list = not is_after_list and last in _LISTS and last == token.type
            last = token.type
            match token.type:
                case "heading_open":
                    text = self._one_line(self._inline(inside[0].children or []))
                    yield f"{token.markup if token.markup[0] == '#' else '#' * int(token.tag[1])} {text}"
                case "paragraph_open":
                    yield _LINE_START.sub(_at_line_start, self._inline(inside[0].children or []))
                case "bullet_list_open" | "ordered_list_open":
                    yield self._list(token, inside, is_other=is_after_list)
                case "blockquote_open":
                    yield quote(self.blocks(inside))
                case "fence" | "code_block":
                    code = token.content.removesuffix("\n")
                    named = language_of(token.info)
                    # GitHub and pandoc read "math" as a formula. Viewers draw "mermaid" and others, and nbconvert
                    # passes that text on as HTML: only a known language is shown as code everywhere.
                    is_formula = named == "math" and is_safe_tex(code.strip())
                    yield fence(self._code(code), named if is_formula else LANGUAGES.get(named, ""))
                case "table_open":
                    yield self._table(inside)
                case "math_block":
                    yield _apart(self._formula(token, "$$", is_block=True))
                case "hr":
                    yield "* * *"
                case "details_group_open" | "footnote_reference_open":
                    yield self.blocks(inside)
                case "details_open":
                    yield self._details(inside)
                case "comment":
                    yield ""
                case _:
                    yield escape_text(token.content)

    def _details(self, inside: Sequence[Token]) -> str:
        """Return a fold as its summary and its content: the form has no element for it."""
        if not inside or inside[0].type != "summary_open":
            return self.blocks(inside)
        summary = self._one_line(self._inline(inside[1].children or [])).strip()
        return "\n\n".join(filter(None, (_LINE_START.sub(_at_line_start, summary), self.blocks(inside[3:]))))

    def _one_line(self, text: str) -> str:
        return text.replace("\\\n", " " if self._is_strict else "<br>").replace("\n", " ")

    def _list(self, opening: Token, inside: Sequence[Token], *, is_other: bool) -> str:
        number = int(opening.attrs.get("start", 1)) if opening.type == "ordered_list_open" else None
        is_tight = all(
            token.hidden or not token.type.endswith("_open") or token.type in _LISTS for token in inside
        )
        is_tight = is_tight and all(token.type not in _OTHERS for token in inside)
        items, at = [], 0
        while at < len(inside):
            end = _end_of(inside, at)
            marker = "-" if number is None else f"{number}."
            if is_other:
                marker = "+" if number is None else f"{number})"
            marker = marker.ljust(max(_WIDTH, len(marker) + 1))
            items.append(
                _indented(self.blocks(inside[at + 1 : end], is_tight=is_tight) or "", marker).rstrip()
            )
            number = None if number is None else number + 1
            at = end + 1
        return ("\n" if is_tight else "\n\n").join(items)

    def _table(self, inside: Sequence[Token]) -> str:
        rows: list[list[str]] = []
        marks: list[str] = []
        for index, token in enumerate(inside):
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                children = inside[index + 1].children or []
                cell = self._one_line(self._inline(children, in_table=True))
                rows[-1].append(cell.strip())
                if token.type == "th_open":
                    side = str(token.attrs.get("style", "")).rpartition(":")[2]
                    marks.append({"left": ":--", "right": "--:", "center": ":-:"}.get(side, "---"))
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([*lines[:1], f"|{'|'.join(marks)}|", *lines[1:]])

    def _code(self, code: str) -> str:
        return code.translate(_WIDE) if self._is_strict else code

    def _formula(self, token: Token, marks: str, *, is_block: bool = False, in_table: bool = False) -> str:
        """Return a safe formula; any other as code."""
        content = _portable(plain_tex(token.content))
        is_shown = is_safe_tex(content) and not _OUTSIDE_FORMULAS.search(content) and not self._is_strict
        if is_shown and not (in_table and "\n" in content):
            # An entity would be part of the formula. A space is not, and opens no tag either.
            content = _TAG.sub("< ", content)
            return f"$$\n{content}\n$$" if is_block else f"{marks}{content}{marks}"
        content, marks = token.content, "" if token.markup == ENVIRONMENT else marks
        if is_block and "\n" in content:
            if not marks:
                return fence(self._code(content))
            return fence(self._code(f"$$\n{content}\n$$"))
        return self._span(f"{marks}{content}{marks}", in_table=in_table)

    def _span(self, code: str, *, in_table: bool = False) -> str:
        code = " ".join(code.split("\n"))
        if "``" in code or (in_table and "|" in code):
            return _marked(code)  # viewers divide a row at each "|", and three backticks may begin a fence
        return f"\0{code_span(self._code(code))}\0"

    def _inline(self, tokens: Sequence[Token], *, in_table: bool = False, in_link: bool = False) -> str:
        text = "".join(self._pieces(_without_last_breaks(tokens), in_table=in_table, in_link=in_link))
        return text if in_link else _apart(_seen_marks(text))

    def _pieces(self, tokens: Sequence[Token], *, in_table: bool, in_link: bool) -> Iterator[str]:
        at = 0
        while at < len(tokens):
            token = tokens[at]
            match token.type:
                case "text":
                    is_last = at + 1 == len(tokens) or tokens[at + 1].type.endswith("break")
                    line_end = "\n" if is_last and not in_link else ""
                    yield _marked(f"{token.content}{line_end}", is_link_text=in_link).removesuffix(line_end)
                case "code_inline":
                    yield self._span(token.content, in_table=in_table)
                case "link_open":
                    end = _end_of(tokens, at)
                    inside = self._inline(tokens[at + 1 : end], in_table=in_table, in_link=True)
                    yield link(
                        token.attrs,
                        inside,
                        is_auto=token.markup == "autolink" or _is_bare(token, tokens[at + 1]),
                    )
                    at = end
                case "image":
                    yield self._image(token, in_link=in_link, in_table=in_table)
                case "math_inline" | "math_display":
                    marks = "$" if token.type == "math_inline" else "$$"
                    yield self._formula(token, marks, in_table=in_table)
                case _:
                    yield self._mark(token, in_link=in_link)
            at += 1

    def _mark(self, token: Token, *, in_link: bool) -> str:
        """Return a mark of emphasis, a line's end, or another token without text of its own."""
        match token.type:
            case "softbreak":
                return "\n"
            case "hardbreak":
                return "\\\n"
            case "em_open" | "strong_open" | "s_open":
                return f"{_OPENING}{_MARKS[token.tag]}"
            case "em_close" | "strong_close" | "s_close":
                return f"{_MARKS[token.tag]}{_CLOSING}"
            case "html_tag":
                is_shown = token.tag in INLINE_TAGS and not self._is_strict
                return f"<{'' if token.info == 'open' else '/'}{token.tag}>" if is_shown else ""
            case "footnote_ref":
                return _marked(f"[{token.content}]", is_link_text=True)
            case _:
                return _marked(token.content, is_link_text=in_link)

    def _image(self, token: Token, *, in_link: bool, in_table: bool) -> str:
        alt = self._inline(token.children or [], in_table=in_table, in_link=True)
        source = str(token.attrs.get("src", ""))
        if is_raster(source):
            # marked writes these words into an attribute as they are.
            return f"![{_UNQUOTED.sub(' ', token.content)}]({source})"
        return f"🖼 {alt}" if in_link else f"🖼 {link({'href': source}, alt)}"


def _without_last_breaks(tokens: Sequence[Token]) -> list[Token]:
    """Return *tokens* without the breaks that no text follows: a viewer would show a backslash there."""
    kept, is_end = [], True
    for token in reversed(tokens):
        if token.type.endswith("break") and is_end:
            continue
        shows_nothing = token.type == "comment" or (token.type == "text" and not token.content.strip())
        is_end = is_end and (shows_nothing or token.type.endswith("_close"))
        kept.append(token)
    return kept[::-1]


def link(attrs: Mapping[str, Any], text: str, *, is_auto: bool = False) -> str:
    """Return a link to the web or to a mail address; only the text of any other."""
    address = str(attrs.get("href", ""))
    if not is_link(address) or _BLANK.search(address) or not text.strip("\0"):
        return text
    address = _ENTITY.sub("&amp;", address.translate(_ADDRESS))
    if is_auto and "&" not in address:
        return f"<{address.removeprefix('mailto:')}>" if address.startswith("mailto:") else f"<{address}>"
    title = str(attrs.get("title", "")).translate(_TITLE)
    return f'[{text}]({address} "{title}")' if title else f"[{text}]({address})"


def _portable(tex: str) -> str:
    """Return *tex* in words that a viewer without formulas reads as it stands."""
    return _PORTABLE.sub(_same, tex).strip()


def _same(match: re.Match[str]) -> str:
    return (
        match[0]
        if match["text"]
        else "\\\\" + (match["gap"] or " ")
        if match["end"]
        else _SAME.get(match[0].rstrip(" "), match[0])
    )


def _is_bare(link: Token, text: Token) -> bool:
    return link.info == BARE and link.attrs.get("href") == text.content


def _seen_marks(text: str) -> str:
    """Return *text* with an entity for each letter beside a mark of emphasis that would hide the mark.

    CommonMark reads a mark between a letter outside and punctuation inside as part of a word.
    """
    if _OPENING not in text:
        return text
    text = _OPENINGS.sub(lambda m: _outer(m[1], m[3]) + m[2].replace(_OPENING, ""), text)
    return _CLOSINGS.sub(lambda m: m[2].replace(_CLOSING, "") + m[3] + _outer(m[4], m[1]), text)


def _outer(outer: str, inner: str) -> str:
    return f"&#{ord(outer)};" if outer and is_inside_a_word(outer, inner) else outer


def _at_line_start(match: re.Match[str]) -> str:
    """Escape a mark that would begin a block."""
    if match[2].isdigit():
        return f"{match[1]}{match[2]}\\"
    return f"{match[1]}&#40;@" if match[2] == "(@" else f"{match[1]}\\{match[2]}"


def _end_of(tokens: Sequence[Token], start: int) -> int:
    """Return the index of the token that closes the one at *start*: itself, if it opens nothing."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].nesting
        if depth <= 0:
            return index
    return len(tokens) - 1

"""Heal the end of a text that the agent is still writing: unclosed marks, half tables, undecided lines.

Rules for the parser in ``renderer.py``; they act only on a parse with ``env["is_open"]``. ``hold`` removes a last line
whose meaning is still open. The core rule ``_leaf`` finds the inline text that may continue. The inline rules then
heal that text: half a bold is shown bold, half a link as its text; a lone mark, half an image and half an inline
formula are held back. Each rule stops where it would hide prose for long that only looks like Markdown; then
the text is shown unchanged, as in the final form. Where the text pauses (``env["is_paused"]``), the rules hold back
marks, but no words.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

from markdown_it.rules_inline.state_inline import Delimiter

from .html_tags import COMMENT_LIMIT
from .math import INLINE_LIMIT, environment_end
from .tex import environment_at

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["healing_plugin", "hold", "is_delimiter", "open_marks_plugin"]

LABEL_LIMIT = 100
"""Characters of half a link's text, or half a formula, that are held back."""
LONG_LABEL_LIMIT = 800
"""Characters of half a link's text beyond which its bracket is shown as a bracket."""
IMAGE_LIMIT = 400
"""Characters of half a link's text that are held back if the text has an image's address."""
NESTING_LIMIT = 8
"""Brackets within brackets that half a link's text may have."""
SINGLE_LIMIT = 1_000
"""Characters after a lone ``*`` or ``_`` beyond which the mark is shown as a character."""
CODE_LIMIT = 1_000
"""Characters after a lone backtick beyond which the backtick is shown as a character."""
_LABEL = re.compile(r"\\.|(`+)(?:(?!\1).)*\1|[\[\]]", re.DOTALL)
_TARGET = re.compile(
    r"\(\s*+(?:<[^<>\n]*+>?|[^\s<]\S*+)?"
    r"(?:\s++(?:\"(?:[^\"\\]|\\.)*+\\?\"?|'(?:[^'\\]|\\.)*+\\?'?|\((?:[^()\\]|\\.)*+\\?\)?)?\s*+)?",
    re.DOTALL,
)
_REFERENCE = re.compile(r"\[[^\[\]]{0,100}")
_DEFINITION = re.compile(r":(?:[ \t]*+\S*+(?:[ \t]++[\"'(][^\n]*)?|[ \t]++[\"'(][^\n]*)")
_MONEY = re.compile(r"\d[\d.,]*\s")
_NO_FORMULA = re.compile(r"[\d.,]+|[A-Z][A-Z\d_]+\b.*", re.DOTALL)  # an amount, a shell's variable
_TEX = re.compile(r"\\[A-Za-z]|[\^_={}]")
_PROSE = re.compile(r"(?<![\\{A-Za-z])[A-Za-z]{2,}[,.:;]?\s+[A-Za-z]{2,}")
_TAG = re.compile(
    r"<(?:[A-Za-z/!?][^\s<>]{0,60}|/?(?:details|kbd|mark|sub|summary|sup)\s[^<>`]{0,200})?", re.IGNORECASE
)
_COMMENT = re.compile(rf"<!--.{{0,{COMMENT_LIMIT}}}", re.DOTALL)
_ADDRESS = re.compile(r"<(https?://[^\s<>]*)", re.IGNORECASE)
_ENTITY = re.compile(r"&[#\w]{0,31}")
_BEGIN = re.compile(r"\\(?:b(?:e(?:g(?:i(?:n(?:\{[a-zA-Z]{0,16}\*?)?)?)?)?)?)?")
_SPACED = re.compile(r"\s")
_UNDERSCORE = ord("_")
_FORMULAS = {"$$": "$", "\\[": "\\", "\\(": "\\", "$": ""}


def open_marks_plugin(md: MarkdownIt) -> None:
    """Add the rules for inline marks to *md*, which already has the rules of formulas and footnotes."""
    md.inline.ruler.after("math_inline", "open_formula", _formula)
    md.inline.ruler.before("backticks", "open_code", _code)
    md.inline.ruler.after("link", "open_link", _link)
    md.inline.ruler.after("image", "open_image", _image)
    md.inline.ruler.after("entity", "open_end", _end)
    md.inline.ruler2.after("balance_pairs", "open_emphasis", _emphasis)


def _is_open_end(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's
    """Return whether *state* reads up to the end of the text that the agent is still writing."""
    return not silent and state.env.get("open") is state.tokens and state.posMax == len(state.src)


def _formula(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    r"""Heal half a formula: hold back ``\(`` and ``$``, show the TeX of ``$$``, ``\[`` and environments as code."""
    if not _is_open_end(state, silent):
        return False
    if state.src[state.pos] == "\\" and (environment := environment_at(state.src, state.pos)):
        rest = state.src[state.pos :]
        if len(rest) > INLINE_LIMIT and state.pos:
            return False
        return environment_end(rest, environment, 0, len(rest)) < 0 and _show_code(state, rest.rstrip("\\"))
    opener = state.src[state.pos : state.pos + 2]
    if opener not in _FORMULAS and opener[:1] != "\\":
        opener = opener[:1]
    if opener[:1] == "\\" and opener not in _FORMULAS:
        is_half = _BEGIN.fullmatch(state.src, state.pos)
        is_held = is_half and (len(is_half[0]) == 1 or not state.env.get("is_paused"))
        return _hold(state) if is_held else False
    if opener not in _FORMULAS:
        return False
    rest = state.src[state.pos + len(opener) :]
    if (len(rest) > INLINE_LIMIT and (state.pos or opener == "$")) or not _may_be_formula(
        state, opener, rest
    ):
        return False
    if opener in ("$", "\\(") and len(rest) <= LABEL_LIMIT and not state.env.get("is_paused"):
        return _hold(state)
    return _show_code(state, rest.rstrip(_FORMULAS[opener]))


def _may_be_formula(state: StateInline, opener: str, rest: str) -> bool:
    if opener == "$$":
        return "$$" not in rest
    if opener != "$":
        return True
    before = state.src[state.pos - 1] if state.pos else " "
    if before.isalnum() or before == "$" or rest[:1].isspace() or "$" in rest:
        return False
    if len(rest) > LABEL_LIMIT and not _TEX.search(rest):
        return False
    if state.env.get("is_paused") and _NO_FORMULA.fullmatch(rest):
        return False
    return not (_MONEY.match(rest) or _PROSE.search(rest))


def _code(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if not _is_open_end(state, silent) or state.src[state.pos] != "`":
        return False
    rest = state.src[state.pos :].lstrip("`")
    ticks = state.posMax - state.pos - len(rest)
    if len(rest) > CODE_LIMIT or re.search(rf"(?<!`)`{{{ticks}}}(?!`)", rest):
        return False
    return _show_code(state, rest.rstrip("`"))


def _link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """Heal half a link: show its text while its address arrives, or hold its text back."""
    if not _is_open_end(state, silent) or state.src[state.pos] != "[":
        return False
    start = state.pos
    end = _label_end(state.src, start)
    if end < 0:
        return _half_label(state)
    if end + 1 == state.posMax:
        is_awaited = state.posMax - start <= LABEL_LIMIT and not state.env.get("is_paused")
        return _hold(state) if is_awaited or state.src.startswith("[![", start) else False
    source = state.src
    if start == 0 and _DEFINITION.fullmatch(source, end + 1):
        return _hold(state)
    is_reference = bool(state.env.get("references")) and _REFERENCE.fullmatch(source, end + 1)
    if not is_reference and not _TARGET.fullmatch(source, end + 1):
        return False
    state.push("link_open", "a", 1)  # without an address it becomes plain text
    state.pos, state.posMax = start + 1, end
    state.linkLevel += 1
    state.md.inline.tokenize(state)
    state.linkLevel -= 1
    state.push("link_close", "a", -1)
    state.pos = state.posMax = len(state.src)
    return True


def _half_label(state: StateInline) -> bool:
    """Hold back the text of a possible link while the text is short, then show it without its bracket."""
    source, length = state.src, state.posMax - state.pos
    if source.startswith("[![", state.pos):
        limit = IMAGE_LIMIT
    elif length == 1 or source.startswith("[^", state.pos) or not state.env.get("is_paused"):
        limit = LABEL_LIMIT
    else:
        limit = 0
    if length <= limit:
        return _hold(state)
    if length > LONG_LABEL_LIMIT:
        return False
    state.pos += 1
    return True


def _image(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if not _is_open_end(state, silent) or state.src[state.pos] != "!":
        return False
    start = state.pos
    if start + 1 == state.posMax:
        is_shown = state.env.get("is_paused") or (start and state.src[start - 1].isalnum())
        return False if is_shown else _hold(state)
    if state.src[start + 1] != "[":
        return False
    end = _label_end(state.src, start + 1)
    if end < 0 or end + 1 == state.posMax:
        return _hold(state) if state.posMax - start <= IMAGE_LIMIT else False
    is_reference = bool(state.env.get("references")) and _REFERENCE.fullmatch(state.src, end + 1)
    return _hold(state) if is_reference or _TARGET.fullmatch(state.src, end + 1) else False


def _end(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """Hold back half a tag, address, entity or strikethrough mark."""
    if not _is_open_end(state, silent):
        return False
    match state.src[state.pos]:
        case "<" if match := _ADDRESS.fullmatch(state.src, state.pos):
            state.append_pending(match[1])
            return _hold(state)
        case "<" if _COMMENT.fullmatch(state.src, state.pos):
            return _hold(state)
        case "<":
            is_half = _TAG.fullmatch(state.src, state.pos)
        case "&":
            is_half = _ENTITY.fullmatch(state.src, state.pos)
        case "~":
            return _hold(state) if state.pos + 1 == state.posMax else False
        case _:
            return False
    return _hold(state) if is_half and not state.env.get("is_paused") else False


def _hold(state: StateInline) -> bool:
    state.pos = state.posMax
    return True


def _show_code(state: StateInline, content: str) -> bool:
    if content := " ".join(content.split()):
        state.push("code_inline", "code", 0).content = content
    return _hold(state)


def _label_end(source: str, start: int) -> int:
    """Return the position at which the bracket that opens at *start* closes, or -1."""
    depth = 0
    for match in _LABEL.finditer(source, start, start + 2 * IMAGE_LIMIT):
        depth += {"[": 1, "]": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
        if depth > NESTING_LIMIT:
            break
    return -1


def _emphasis(state: StateInline) -> None:
    """Close the marks that are open at the end, innermost first; hide marks without text after them."""
    if state.env.get("open") is not state.tokens:
        return
    delimiters = state.delimiters
    closers = {delimiter.end for delimiter in delimiters if delimiter.end >= 0}
    count = len(delimiters)
    last = len(state.tokens) - 1
    while count and delimiters[count - 1].token == last and count - 1 not in closers:
        count -= 1
        state.tokens[last].content = ""
        delimiters[count].open = False
        last -= 1
    # The last token with white space, which a name such as _half_name has not.
    spaced = max((i for i, token in enumerate(state.tokens) if _has_space(token)), default=-1)
    lengths = list(accumulate(len(token.content) for token in state.tokens))
    openers, after, before, previous = [], 0, "", Delimiter(0, 0, -2, -1, open=False, close=False)
    for index, delimiter in enumerate(delimiters[:count]):
        if (delimiter.token, delimiter.marker) != (previous.token + 1, previous.marker):
            before = state.tokens[delimiter.token - 1].content[-1:] if delimiter.token else ""
        previous = delimiter
        if index < after:
            continue  # an unclosed mark within a closed pair stays a character
        if delimiter.end >= 0:
            after = delimiter.end
        elif delimiter.open and index not in closers:
            following = lengths[-1] - lengths[delimiter.token]
            if not _is_mark(before, following, is_lone=delimiter.length == 1):
                continue
            if delimiter.marker == _UNDERSCORE and spaced < delimiter.token:
                state.tokens[delimiter.token].content = ""
                continue
            openers.append(delimiter)
    for delimiter in reversed(openers):
        state.push("text", "", 0).content = state.tokens[delimiter.token].content
        delimiter.end = len(delimiters)
        delimiters.append(
            Delimiter(delimiter.marker, delimiter.length, len(state.tokens) - 1, -1, open=False, close=True)
        )


def _has_space(token: Token) -> bool:
    return token.type.endswith("break") or _SPACED.search(token.content) is not None


def _is_mark(before: str, following: int, *, is_lone: bool) -> bool:
    """Return whether a star opens emphasis, and is no multiplication sign or footnote's star."""
    if before.isascii() and (before.isdigit() or (before.isalpha() and is_lone)):
        return False
    return not is_lone or following <= SINGLE_LIMIT


_CONTAINERS = re.compile(r"(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*")
_UNDECIDED = re.compile(
    r"[-=*_|:~`#>+ \t]*"  # marks alone: a rule, an underline, a bullet, a fence
    r"|\d{1,9}[.)]?"  # half a number of a list
    r"|\[[!^]?[ \w.-]{0,40}\]?:?[ \t]*"  # half a task's box, an alert's kind, the label of a definition
    r"|`{3,}[^`]*|~{3,}.*"  # a fence's first line, until its language is complete
)
_UNDECIDED_MARKS = re.compile(
    r"[-=*_|:~`#>+ \t]*|\[[ xX]?\]?[ \t]*|\[[!^][\w.-]{0,40}\]?:?[ \t]*|`{3,}[^`]*|~{3,}.*"
)  # the same without the forms that have words: at a pause words are shown
_DELIMITER = re.compile(r"(?!-[ \t])[|:-][-:| \t]*")


def hold(source: str, *, is_paused: bool = False) -> str:
    """Return *source* without its last line, if that line is incomplete and its meaning still open.

    Such a line is half a list marker, heading, quote, fence, rule, underline or table delimiter.
    """
    start = source.rfind("\n") + 1
    containers = _CONTAINERS.match(source, start)
    undecided = _UNDECIDED_MARKS if is_paused else _UNDECIDED
    if containers is None or undecided.fullmatch(source, containers.end()) is None:
        return source
    line, before = source[start:], source[source.rfind("\n", 0, max(0, start - 1)) + 1 : start]
    if "|" in before and "-" in line and is_delimiter(line.lstrip(" \t>")):
        return source  # the line above is shown as a table's header
    return source[:start]


def is_delimiter(line: str) -> bool:
    """Return whether *line* is, or may become, the row under a table's header."""
    return _DELIMITER.fullmatch(line) is not None


def healing_plugin(md: MarkdownIt) -> None:
    """Add all healing rules to *md*, which already has the rules of formulas and footnotes."""
    md.block.ruler.after("table", "open_table", _table, {"alt": ["paragraph", "reference"]})
    md.core.ruler.before("inline", "open_leaf", _leaf)
    md.use(open_marks_plugin)


def _leaf(state: StateCore) -> None:
    """Find the inline text that may continue, and store it as ``env["leaf"]``."""
    if not state.env.get("is_open"):
        return
    is_line_over = state.src.endswith("\n")
    lines = state.src.count("\n") + (not is_line_over)
    leaf = None
    for index in range(len(state.tokens) - 1, 0, -1):
        token = state.tokens[index]
        if token.type == "inline":
            parent = state.tokens[index - 1].type
            # The parser adds empty cells to a short row: the last cell with text may continue.
            if parent in ("td_open", "th_open") and not token.content:
                continue
            is_over = is_line_over if parent != "paragraph_open" else (token.map or [0, 0])[1] < lines
            leaf = None if is_over else token
            break
        if token.nesting == 0 or (token.nesting == 1 and token.type not in ("td_open", "th_open")):
            break
    if leaf is not None:
        leaf.children = []
        state.env.update({"open": leaf.children, "leaf": leaf})


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """Parse a table's header as a table before the row under it arrives."""
    line = _line(state, start).strip()
    if not state.env.get("is_open") or "|" not in line or state.is_code_block(start):
        return False
    last = start + 1
    if last < end and state.sCount[last] >= state.blkIndent and is_delimiter(_line(state, last)):
        is_header = not state.src.endswith("\n")
    else:
        last = start
        is_header = line[0] == "|"
    if not is_header or state.eMarks[last] < len(state.src.rstrip("\n")):
        return False
    if silent:
        return True
    table = state.push("table_open", "table", 1)
    table.map = [start, last + 1]
    state.push("thead_open", "thead", 1)
    state.push("tr_open", "tr", 1)
    for cell in re.split(r"(?<!\\)\|", line.strip("|")):
        state.push("th_open", "th", 1)
        token = state.push("inline", "", 0)
        token.content, token.map, token.children = cell.strip().replace("\\|", "|"), [start, start + 1], []
        state.push("th_close", "th", -1)
    state.push("tr_close", "tr", -1)
    state.push("thead_close", "thead", -1)
    state.push("table_close", "table", -1)
    state.line = last + 1
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]

"""Sanitise the HTML of a display: a bundle comes from any program, from recordings and from servers.

``sanitize.py`` is for HTML that the Markdown renderer made. The HTML here is a stranger's own. The time of nh3's parser
grows with the square of the depth, and misplaced formatting elements multiply its output. So ``_balance`` first writes
the tags anew, closed in order and no deeper than ``DEPTH``; nh3 then decides what stays.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Final, NamedTuple

import nh3

from .math import isolate
from .sanitize import is_link, is_raster

__all__ = ["CleanHtml", "clean_foreign", "plain_text"]

DEPTH: Final = 60
"""Elements around one text; the tags of deeper ones go, and their text stays."""

_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_VOID: Final = frozenset(("br", "col", "hr", "img"))
_RAW: Final = frozenset(
    [
        "iframe",
        "noembed",
        "noframes",
        "noscript",
        "plaintext",
        "script",
        "style",
        "template",
        "textarea",
        "title",
        "xmp",
    ]
)
"""Elements whose content is no text of the page."""
_SILENT: Final = frozenset(("style", "title", "noscript", "template"))
"""Elements without which nothing that a reader would see is missing."""
_ACTIVE: Final = {
    **dict.fromkeys(("script",), "scripts"),
    **dict.fromkeys(("iframe", "object", "embed", "frame", "applet", "portal"), "embedded pages"),
    **dict.fromkeys(("form", "input", "select", "textarea", "button"), "forms"),
    **dict.fromkeys(("audio", "video", "source", "picture"), "media"),
    **dict.fromkeys(("svg", "canvas"), "drawings"),
}
_REMOTE: Final = "remote images"
_TOKEN: Final = re.compile(
    r"<(?P<end>/?)(?P<name>[a-zA-Z][^\s/<>]*+)(?P<rest>(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+)>|<(?P<other>!--|[!?])|<"
)
_ATTRIBUTE: Final = re.compile(
    r"([a-zA-Z][\w:-]*+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>=]++)))?"
)
_ATTRIBUTES: Final = {
    "a": frozenset(("href", "title")),
    "col": frozenset(("span",)),
    "colgroup": frozenset(("span",)),
    "details": frozenset(("open",)),
    "img": frozenset(("alt", "src", "title", "width", "height")),
    "ol": frozenset(("start",)),
    "td": frozenset(("rowspan", "colspan", "style")),
    "th": frozenset(("rowspan", "colspan", "scope", "style")),
    **dict.fromkeys(("div", "p", "tr"), frozenset(("style",))),
}
_BLOCKS: Final = frozenset(
    [
        "blockquote",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "summary",
        "table",
        "ul",
    ]
)
_CELLS, _ROWS = frozenset(("td", "th")), frozenset(("tr",))
_GROUPS, _TERMS = frozenset(("tbody", "thead", "tfoot", "colgroup", "caption")), frozenset(("dt", "dd"))
_IMPLIED: Final = {
    **dict.fromkeys(_BLOCKS, (frozenset(("p",)), frozenset(("table", "td", "th", "caption")))),
    "li": (frozenset(("li",)), frozenset(("ul", "ol", "table"))),
    **dict.fromkeys(_TERMS, (_TERMS, frozenset(("dl", "table")))),
    **dict.fromkeys(_CELLS, (_CELLS, frozenset(("table",)))),
    "tr": (_CELLS | _ROWS, frozenset(("table",))),
    **dict.fromkeys(_GROUPS, (_CELLS | _ROWS | _GROUPS, frozenset(("table",)))),
}
"""By tag: the elements that its beginning ends, and those beyond which it ends none."""
_SPAN: Final = re.compile(r"[1-9]\d{0,3}")
_PIXELS: Final = re.compile(r"[1-9]\d{0,4}")
_SCOPES: Final = frozenset(("row", "col", "rowgroup", "colgroup"))
_TEXT: Final = re.compile(r"(<[^>]*>)")


class CleanHtml(NamedTuple):
    """Hold sanitised HTML, and the kinds of things that it no longer has."""

    html: str
    removed: tuple[str, ...]


def clean_foreign(html: str) -> CleanHtml:
    """Return *html* without scripts, styles, forms and remote resources; no formula is found in its text."""
    balanced, removed = _balance(html)
    clean = _CLEANER.clean(balanced)
    pieces = _TEXT.split(clean)  # every second piece is a tag: nh3 has escaped all other marks
    pieces[::2] = map(isolate, pieces[::2])
    return CleanHtml("".join(pieces), tuple(sorted(removed)))


def plain_text(html: str) -> str:
    """Return the words of *html*, each block on a line of its own."""
    text = re.sub(r"\s+", " ", _balance(html)[0])
    text = re.sub(r"</(?:td|th)>", "\t", text)
    text = re.sub(r"<(?:br|/(?:p|div|tr|li|h[1-6]|pre|caption|dt|dd|summary|blockquote))>", "\n", text)
    lines = (
        "  ".join(cell.strip(" ") for cell in line.split("\t")).strip()
        for line in unescape(_TEXT.sub("", text)).split("\n")
    )
    return "\n".join(line for line in lines if line)


def _balance(html: str) -> tuple[str, set[str]]:
    """Return *html* in tags that end in order and are not deep, and what it loses by it."""
    out: list[str] = []
    stack: list[str] = []
    removed: set[str] = set()
    at = 0
    while (match := _TOKEN.search(html, at)) is not None:
        out.append(html[at : match.start()].replace(">", "&gt;"))
        at = match.end()
        name = (match["name"] or "").lower()
        if not name:
            at = _skip_other(html, match, out)
        elif match["end"]:
            if name in stack:
                _close(stack, out, len(stack) - 1 - stack[::-1].index(name))
        else:
            if name in _ACTIVE:
                removed.add(_ACTIVE[name])
            if name in _RAW:
                end = re.compile(rf"</{name}[^<>]*>", re.IGNORECASE).search(html, at)
                at = len(html) if end is None or name == "plaintext" else end.end()
            elif name in _TAGS:
                _open(name, match["rest"], stack, out, removed)
    out.append(html[at:].replace(">", "&gt;"))
    _close(stack, out, 0)
    return "".join(out), removed


def _skip_other(html: str, match: re.Match[str], out: list[str]) -> int:
    """Skip a comment or a declaration; any other mark is text."""
    mark = match["other"]
    end = html.find("-->" if mark == "!--" else ">", match.end()) if mark else -1
    if end < 0:
        out.append(escape(match[0]))
        if mark:  # no search to the end for each of them
            out.append(html[match.end() :].replace("<", "&lt;").replace(">", "&gt;"))
            return len(html)
        return match.end()
    return end + (3 if mark == "!--" else 1)


def _open(name: str, rest: str, stack: list[str], out: list[str], removed: set[str]) -> None:
    ended, beyond = _IMPLIED.get(name, (frozenset(), frozenset()))
    found = -1
    for index in range(len(stack) - 1, -1, -1):
        if stack[index] in beyond:
            break
        if stack[index] in ended:
            found = index
    if found >= 0:
        _close(stack, out, found)
    if len(stack) >= DEPTH:
        return
    out.append(f"<{name}{''.join(_attributes(name, rest, removed))}>")
    if name not in _VOID:
        stack.append(name)


def _close(stack: list[str], out: list[str], start: int) -> None:
    out.extend(f"</{name}>" for name in reversed(stack[start:]))
    del stack[start:]


def _attributes(name: str, rest: str, removed: set[str]) -> list[str]:
    allowed = _ATTRIBUTES.get(name, frozenset())
    kept: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(rest) if allowed else ():
        attribute = match[1].lower()
        if attribute in allowed and attribute not in kept:
            kept[attribute] = unescape(match[2] or match[3] or match[4] or "")
    if name == "img" and not is_raster(kept.get("src", "")):
        removed.add(_REMOTE)
    return [f' {key}="{escape(value)}"' for key, value in kept.items()]


def _keep(tag: str, attribute: str, value: str) -> str | None:
    match attribute:
        case "href":
            allowed = tag == "a" and is_link(value)
        case "src":
            allowed = tag == "img" and is_raster(value)
        case "rowspan" | "colspan" | "span" | "start":
            allowed = _SPAN.fullmatch(value) is not None
        case "width" | "height":
            allowed = _PIXELS.fullmatch(value) is not None
        case "scope":
            allowed = value in _SCOPES
        case _:
            allowed = True
    return value if allowed else None


_CLEANER: Final = nh3.Cleaner(
    tags=set(_TAGS),
    attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
    attribute_filter=_keep,
    filter_style_properties={"text-align"},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer",
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="deny",
)

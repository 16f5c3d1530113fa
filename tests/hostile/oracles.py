"""Find what no hostile text may bring into a page, a terminal or a log: an allow list for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.markdown.markdown_documents import Page

__all__ = ["CLASS", "ELEMENTS", "MATH", "RASTER", "STYLE", "html_attacks", "line_attacks", "terminal_attacks"]

ELEMENTS: Final[dict[str, str]] = {
    "a": "href target rel title",
    "bdi": "hidden",
    "b": "",
    "blockquote": "",
    "br": "",
    "button": "type disabled hidden",
    "code": "",
    "dd": "",
    "del": "",
    "details": "open",
    "div": "role aria-label aria-live aria-busy aria-expanded tabindex hidden data-full data-state",
    "dl": "",
    "dt": "",
    "em": "",
    "h1": "",
    "h2": "",
    "h3": "",
    "h4": "",
    "h5": "",
    "h6": "",
    "hr": "",
    "i": "",
    "img": "alt src title width height",
    "kbd": "",
    "li": "",
    "ol": "start",
    "p": "",
    "pre": "hidden",
    "s": "",
    "q": "",
    "span": "role aria-hidden aria-label hidden",
    "strong": "",
    "sub": "",
    "summary": "",
    "sup": "",
    "table": "",
    "tbody": "",
    "td": "rowspan colspan",
    "th": "rowspan colspan scope",
    "thead": "",
    "tr": "",
    "caption": "",
    "col": "span",
    "colgroup": "span",
    "dfn": "",
    "figcaption": "",
    "figure": "",
    "ins": "",
    "mark": "",
    "samp": "",
    "small": "",
    "tfoot": "",
    "u": "",
    "var": "",
    "abbr": "",
    "ul": "",
}
"""The elements of a view, live or saved, and the attributes of each; ``class`` and ``style`` are checked apart."""
MATH: Final = frozenset(
    [
        "math",
        "menclose",
        "mfrac",
        "mi",
        "mmultiscripts",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mphantom",
        "mprescripts",
        "mroot",
        "mrow",
        "ms",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
        "none",
    ]
)
CLASS: Final = r"(?:vibe(?:-[a-z]+)*(?:-awaiting_approval)?|highlight|math|footnote(?:-ref)?|task-list-item|jp-RenderedHTMLCommon|language-[\w+#.-]{1,60}|[a-z][a-z0-9]{0,2})"
"""A class of the view, of the highlighter, or of the Markdown renderer."""
_PROPERTY: Final = (
    "background border border-left border-radius border-bottom color cursor display flex font-size font-weight gap "
    "align-items height list-style-position list-style-type margin margin-left margin-right max-height max-width "
    "min-width opacity overflow overflow-wrap overflow-x padding padding-left text-align text-overflow vertical-align "
    "white-space width contain"
).replace(" ", "|")
STYLE: Final = rf"(?:\s*(?:{_PROPERTY})\s*:\s*(?:rgba\([\d., ]+\)|[\w .%#-])+;?)*\s*"
"""Declarations without a function, a position or a request."""
_STICKY: Final = "position:sticky;top:0"
"""The one position: a table's header stays at the top of the table's own box."""
_CLASS, _STYLE = re.compile(CLASS), re.compile(STYLE)
# The test's own, not those of the package: a browser compares schemes as ASCII.
_LINK: Final = re.compile(r"(?:https?|mailto):", re.IGNORECASE | re.ASCII)
RASTER: Final = r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*"
_RASTER: Final = re.compile(RASTER, re.IGNORECASE | re.ASCII)
_DRAWING: Final = re.compile(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]*")
"""A drawing in an image runs no script and requests nothing: a browser loads it as it loads a photograph."""


def html_attacks(html: str) -> Iterator[str]:
    """Yield each element, attribute and address that a view, live or saved, never has."""
    page = Page(html)
    for tag, attributes in page.elements:
        if tag not in ELEMENTS and tag not in MATH:
            yield f"<{tag}>"
            continue
        allowed = ELEMENTS.get(tag, "").split()
        for name, value in attributes.items():
            if name == "class":
                is_fine = all(map(_CLASS.fullmatch, value.split()))
            elif name == "style":
                is_fine = _STYLE.fullmatch(value.replace(_STICKY, "")) is not None
            elif name == "dir":
                is_fine = value == "auto"
            elif name == "href":
                is_fine = tag == "a" and _LINK.match(value) is not None
            elif name == "src":
                is_fine = tag == "img" and any(each.fullmatch(value) for each in (_RASTER, _DRAWING))
            else:
                is_fine = name in allowed or (
                    tag in MATH and "href" not in name and not name.startswith("on")
                )
            if not is_fine:
                yield f"<{tag} {name}={value}>"
    yield from (f"<!--{comment}-->" for comment in page.comments)


_OURS: Final = re.compile(r"\x1b\[(?:0|1|2|31|32|33)m")
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def terminal_attacks(text: str) -> list[str]:
    """Return each control character and direction mark but line feeds, tabs and our own colours, and half pairs."""
    return [repr(mark) for mark in _CONTROL.findall(_OURS.sub("", text))]


def line_attacks(text: str) -> list[str]:
    """Return what terminal_attacks finds, and each line end: a message of a log has none."""
    return [*terminal_attacks(text), *map(repr, re.findall("[\n\u2028\u2029]", text))]

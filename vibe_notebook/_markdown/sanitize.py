"""Let through only the HTML that the Markdown renderer means to make, whatever the agent wrote.

Second line of defence behind ``_reducer/growing_text.py``, which never passes raw HTML on: an allow list of
elements, attributes and link schemes. No remote image stays, since fetching one tells its server
that, and what, the agent wrote.
"""

from __future__ import annotations

import re

import nh3

__all__ = ["clean", "clean_rows", "is_link", "is_raster"]

_TEXT = (
    "a b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre s span "
    "strong sub summary sup table tbody td th thead tr ul"
)
_MATH = (
    "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace "
    "msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none"
)
_MATH_ATTRIBUTES = (
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height "
    "largeop linebreak linethickness lspace mathvariant maxsize minsize movablelimits notation rowlines "
    "rowspacing rspace scriptlevel separator stretchy symmetric voffset width"
)

_CLASS = re.compile(r"[\w+#.\- ]{1,80}")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]", re.IGNORECASE)
_RASTER = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)


def is_link(url: str) -> bool:
    """Tell whether *url* may be a link: http, https or mailto."""
    return _LINK.match(url) is not None


def is_raster(url: str) -> bool:
    """Tell whether *url* carries a PNG, JPEG, GIF or WebP in itself, so that showing it fetches nothing."""
    return _RASTER.fullmatch(url) is not None


def clean(html: str) -> str:
    """Return *html* with everything that is not on the allow list removed, and every element closed."""
    return _CLEANER.clean(html)


def clean_rows(html: str) -> str:
    """Do the same to rows of a table, which are nothing outside of one."""
    before, after = "<table><tbody>", "</tbody></table>"
    return clean(f"{before}{html}{after}").removeprefix(before).removesuffix(after)


def _keep(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "class":
        allowed = _CLASS.fullmatch(value) is not None
    elif attribute == "href":
        allowed = is_link(value)
    elif attribute == "src":
        allowed = tag == "img" and is_raster(value)
    else:
        allowed = True
    return value if allowed else None


_CLEANER = nh3.Cleaner(
    tags=set(f"{_TEXT} {_MATH}".split()),
    attributes={
        "*": {"class"},
        "a": {"href", "title"},
        "details": {"open"},
        "div": {"style"},
        "img": {"alt", "src", "title"},
        "li": {"style"},
        "ol": {"start"},
        "td": {"style"},
        "th": {"style"},
    }
    | {tag: set(_MATH_ATTRIBUTES.split()) for tag in _MATH.split()},
    attribute_filter=_keep,
    filter_style_properties={"list-style-type", "margin", "text-align"},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer",
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="deny",
)

"""Sanitise HTML: keep only the elements, attributes and link schemes that the Markdown renderer makes.

Second line of defence behind ``renderer.py``, which never passes an agent's raw HTML on. Remote images are removed:
a request for an image would tell its server that the agent wrote, and what.
"""

from __future__ import annotations

import re
from html import escape
from urllib.parse import quote

import nh3

from .images import is_decodable

__all__ = ["clean", "clean_rows", "href_of", "is_link", "is_raster"]

_TEXT = (
    "a b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre s span "
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
# ASCII alone: without regard to case, Unicode's "\u017f" would be an "s", and no browser knows such a scheme.
_ASCII = re.IGNORECASE | re.ASCII
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]", _ASCII)
_RASTER = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*", _ASCII)


def is_link(url: str) -> bool:
    """Return whether *url* may be a link: http, https or mailto."""
    return _LINK.match(url) is not None


def href_of(url: str) -> str:
    """Return an address for an attribute: escaped, its control and direction characters as percent signs have them."""
    return escape("".join(char if char.isprintable() else quote(char, errors="replace") for char in url))


def is_raster(url: str) -> bool:
    """Return whether *url* is itself a PNG, JPEG, GIF or WebP image that a browser may decode, without a request."""
    return _RASTER.fullmatch(url) is not None and is_decodable(url[url.index(",") + 1 :])


def clean(html: str) -> str:
    """Return *html* with every element closed and only the parts that the allow list has."""
    return _CLEANER.clean(html)


def clean_rows(html: str) -> str:
    """Return sanitised rows of a table: outside of a table the sanitiser would remove them."""
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
        "details": {"open", "style"},
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

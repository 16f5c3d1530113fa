"""Show a bundle ``{mime type: value}`` in each form, whatever is in it: no script, no request, nothing unbounded.

A bundle comes from a program, a recording or a server, so no value is trusted to be what its type says. What a form does
not show is said in one line.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

from .._bundles import svg_root
from .._limits import MESSAGE_SHOWN
from .._markdown.foreign_html import clean_foreign, plain_text
from .._markdown.images import pixels_of, size_of, type_of
from .._markdown.math import isolate
from .._markdown.renderer import directed
from .._markdown.sanitize import is_raster
from .blocks import SMALL, Block, TableBlock, TextBlock, TreeBlock
from .excerpt import CHARACTERS, excerpt
from .json_text import compact_json, pretty_json
from .neutral import escape_text, neutralize
from .terminal_text import terminal_text
from .wording import byte_size, clean, clean_code, in_line, is_table, name_in_line, size

if TYPE_CHECKING:
    from ..parts import ToolPart

__all__ = [
    "beside_display",
    "display_html",
    "display_markdown",
    "display_size",
    "display_text",
    "display_words",
    "has_picture",
    "in_plain_words",
    "light_display",
]

SHOWN: Final = 1_500_000
"""Characters of one value that a form shows as it is: base64 of an image of one megabyte, or HTML."""
MARKDOWN_IMAGE: Final = 20_000
"""Characters of an image in the Markdown form: its viewers seldom show it, and their parsers are slow over it."""
_RASTERS: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_SVG: Final = "image/svg+xml"
_HTML, _MARKDOWN, _JSON, _PLAIN = "text/html", "text/markdown", "application/json", "text/plain"
_KINDS: Final = (_HTML, _MARKDOWN, _JSON, _PLAIN, _SVG, *_RASTERS)
_NAMES: Final = 5
"""Types of a bundle that are named; the others are counted."""
_NOTE: Final = re.compile(r"\[(?:a bundle|[a-z]{1,20}/[\w.+-]{1,60})(?:, [^\n:]{1,40})?: [^\n]{1,400}\]")
"""A line at the end of a bundle's text: it says why a type is missing, and how large the value was."""
_REPR: Final = re.compile(r"<[\w.]+(?: object)? at 0x[0-9a-fA-F]+>|<Figure size [\dx]+ with \d+ Axes>")
"""The repr of an object that says nothing more than its class."""
_TABLE: Final = re.compile(r"<table[\s>]", re.IGNORECASE)
_FRAME: Final = re.compile("<p>([\\d,]{1,20}) rows \N{MULTIPLICATION SIGN} ([\\d,]{1,20}) columns</p>")
_SHAPE: Final = re.compile(r"<small>shape: \(([\d_,]{1,20})(?:, ([\d_,]{1,20}))?,?\)</small>")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*+={0,2}+")
_SVG_NAME: Final = "http://www.w3.org/2000/svg svg"
_WIDE: Final = "overflow:auto;max-height:30em"
_STICKY: Final = "position:sticky;top:0;background:#6e6e6e;color:#fff"
_TALL: Final = 12
"""Rows beyond which a table's header stays while the rows scroll."""


def display_html(bundle: Mapping[str, Any], *, name: str = "") -> str:
    """Return one block of safe HTML: a table, else an image, HTML, Markdown, a JSON tree, or plain text.

    *name* is the words in place of a picture.
    """
    found = _Bundle(bundle)
    html = _best_html(found, name)
    notes = [f'<div style="{SMALL}" dir="auto">{_text(note)}</div>' for note in found.notes()]
    return "\n".join([*([html] if html else []), *notes])


def display_markdown(bundle: Mapping[str, Any]) -> str:
    """Return a bundle as Markdown: an image as its own data, HTML as text."""
    found = _Bundle(bundle)
    shown = _best_markdown(found)
    return "\n\n".join(filter(None, (shown, *map(escape_text, found.notes()))))


def display_text(bundle: Mapping[str, Any]) -> str:
    """Return a bundle as plain text; an image as a line about it."""
    words, notes = display_words(bundle)
    return "\n".join(filter(None, (words, *notes)))


def display_words(bundle: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return a bundle as plain text, and a line about each type that is not shown."""
    found = _Bundle(bundle)
    words = found.text()
    pictures = found.picture_words()
    if pictures and not _says_more(words):
        words = ""
    return "\n".join(filter(None, (*pictures, words))), found.notes()


def display_size(bundle: Mapping[str, Any] | None) -> int:
    """Return roughly the characters of a bundle in one of three forms: an estimate for ``bounds.py``."""
    if not bundle:
        return 0
    sizes = {
        kind: len(value) for kind, value in bundle.items() if isinstance(value, str) and len(value) <= SHOWN
    }
    texts = sum(sizes.get(kind, 0) for kind in (_HTML, _MARKDOWN, _PLAIN))
    pictures = sum(
        sizes.get(kind, 0) * (2 if sizes.get(kind, 0) <= MARKDOWN_IMAGE else 1) for kind in (*_RASTERS, _SVG)
    )
    values = min(len(pretty_json(bundle[_JSON])), CHARACTERS) if _JSON in bundle else 0
    return 200 + (texts + pictures + 3 * values) // 3


def has_picture(bundle: Mapping[str, Any] | None) -> bool:
    """Return whether a bundle is shown as an image: a call with such a result opens by itself, as a cell shows a plot."""
    if not bundle or not any(kind in bundle for kind in (*_RASTERS, _SVG)):
        return False
    html = bundle.get(_HTML)
    return not (isinstance(html, str) and _TABLE.search(html))


def in_plain_words(part: ToolPart) -> ToolPart:
    """Return a call for a form without HTML: of a frame's result it shows the table, not the frame's ``repr``."""
    html = (part.display or {}).get(_HTML)
    if isinstance(html, str) and is_table(part.output) and _TABLE.search(html):
        return part.model_copy(update={"display": None})
    return beside_display(part)


def beside_display(part: ToolPart) -> ToolPart:
    """Return a call with the part of its JSON output that its display does not show."""
    if not part.display or part.output is None:
        return part
    output, bundle = part.output, part.display
    if isinstance(output, list) and any(map(_is_mark, output)):
        output = [one for one in output if not _is_mark(one)]
        texts = [one["text"] for one in output if _is_text(one)]
        output = "\n".join(texts) if len(texts) == len(output) else output
    elif isinstance(output, str):
        words = (_Bundle(bundle).get(_PLAIN), bundle.get(_PLAIN))
        is_said = output.strip() in [text.strip() for text in words if isinstance(text, str)]
        output = None if is_said or _REPR.fullmatch(output) else output
    elif _is_mark(output) or output == bundle.get(_JSON, ...):
        output = None
    else:
        html = bundle.get(_HTML)
        is_frame = isinstance(html, str) and _TABLE.search(html) is not None
        output = None if is_frame and is_table(output) else output
    return part if output is part.output else part.model_copy(update={"output": output or None})


def _is_text(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") == "text" and isinstance(value.get("text"), str)


def _is_mark(value: Any) -> bool:
    """Return whether a block of a result stands as a mark of what became the display."""
    return isinstance(value, Mapping) and "$display" in value and len(value) == 1


def light_display(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle in words: its text, and a line about each of the other types."""
    found = _Bundle(bundle)
    lines = [f"[{kind}, {size(length)}: too large for this form]" for kind, length in found.heavy()]
    text = found.text()[: CHARACTERS // 10]
    return {_PLAIN: "\n".join(filter(None, (text, *lines, *found.notes())))}


def _without_notes(text: str) -> tuple[str, list[str]]:
    """Return a bundle's text, and the lines at its end about types that it lacks."""
    notes: list[str] = []
    while len(notes) < len(_KINDS):
        rest, _, line = text.rpartition("\n")
        if _NOTE.fullmatch(line) is None:
            break
        notes.insert(0, line)
        text = rest
    return text, notes


class _Bundle:
    """Read the values of a bundle, each as what its type says; collect what no form shows."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        self._bundle = {kind: value for kind, value in bundle.items() if isinstance(kind, str)}
        self._notes: dict[str, str] = {}
        text, self._said = _without_notes(self._whole(_PLAIN) or "")
        if self._said:  # the lines stand below whatever is shown
            self._bundle[_PLAIN] = text
            if not text.strip():
                del self._bundle[_PLAIN]

    def get(self, kind: str) -> str | None:
        """Return the text of a type, or its start and its end."""
        text = self._whole(kind)
        if text is None or len(text) <= SHOWN:
            return text
        omitted = len(text) - 2 * CHARACTERS
        return f"{text[:CHARACTERS]}\n[{omitted:,} characters are left out here]\n{text[-CHARACTERS:]}"

    def _whole(self, kind: str) -> str | None:
        """Return the text of a type; a list of lines, as notebook files have it, is joined."""
        value = self._bundle.get(kind)
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "".join(value)
        if isinstance(value, str) or value is None:
            return value
        if kind == _PLAIN:
            return pretty_json(value)
        self._refuse(kind, "its value is no text")
        return None

    def _refuse(self, kind: str, why: str) -> None:
        self._notes[kind] = f"[{in_line(kind, 60)}: {why}]"

    def pictures(self) -> Iterator[tuple[str, str]]:
        """Yield the images whose bytes are what their type says."""
        for kind in _RASTERS:
            value = self._whole(kind)
            if value is None:
                continue
            value = "".join(value.split()) if len(value) <= SHOWN else value
            is_data = _BASE64.fullmatch(value, 0, SHOWN) is not None
            real = type_of(value) if is_data else None
            if real != kind:
                self._refuse(kind, f"its bytes are {real}" if real else "its bytes are no such image")
            elif len(value) > SHOWN:
                self._refuse(kind, f"{size(byte_size(value))}, too large for this form")
            elif size_of(value) is None or not is_raster(f"data:{kind};base64,{value}"):
                self._refuse(kind, pixels_of(value) or "its bytes are no whole image")
            else:
                yield kind, value

    def picture_words(self) -> list[str]:
        """Return a line about each picture."""
        words = [f"[{_picture_facts(kind, value)}]" for kind, value in self.pictures()]
        svg = self.drawing() if not words else None
        return words if svg is None else [f"[{_SVG} · {size(len(svg))}]"]

    def drawing(self) -> str | None:
        """Return an SVG that a browser can show as an image."""
        svg = self._whole(_SVG)
        if svg is None:
            return None
        if len(svg) > SHOWN // 2:
            self._refuse(_SVG, f"{size(len(svg))}, too large for this form")
            return None
        found = _whole_svg(svg)
        if found is None:
            self._refuse(_SVG, "it is no whole drawing")
        return found

    def html(self) -> str | None:
        """Return the HTML, unless it is too large."""
        html = self._whole(_HTML)
        if html is not None and len(html) > SHOWN:
            self._refuse(_HTML, f"{size(len(html))}, too large for this form")
            return None
        return html

    def json(self) -> str | None:
        """Return the JSON value as text."""
        return pretty_json(self._bundle[_JSON]) if _JSON in self._bundle else None

    def value(self) -> Any:
        """Return the JSON value."""
        return self._bundle.get(_JSON)

    def without(self, removed: tuple[str, ...]) -> None:
        """Say what the HTML lost."""
        if removed:
            self._refuse(_HTML, f"without its {', '.join(removed)}")

    def text(self) -> str:
        """Return the bundle in words."""
        for kind in (_PLAIN, _MARKDOWN):
            text = self.get(kind)
            if text is not None:
                return excerpt(terminal_text(text)).strip("\n")
        if _JSON in self._bundle:
            return excerpt(clean_code(self.json() or ""))
        html = self.html()
        if html is not None:
            return excerpt(clean_code(plain_text(html)))
        svg = self._whole(_SVG)
        is_source = svg is None or (len(svg) <= SHOWN // 2 and self.drawing() is None)
        return excerpt(clean_code(self.source())) if is_source else ""

    def source(self) -> str:
        """Return the text, or else the source of what cannot be shown as what its type says."""
        for kind in (_PLAIN, _SVG, _HTML, _MARKDOWN):
            if text := self.get(kind):
                return text
        for kind in (_HTML, _MARKDOWN, _SVG):
            if kind in self._bundle and not isinstance(self._bundle[kind], str):
                return pretty_json(self._bundle[kind])
        return ""

    def heavy(self) -> Iterator[tuple[str, int]]:
        """Yield the types that are left out of a bundle in words, and their sizes."""
        for kind in (_HTML, *_RASTERS, _SVG):
            value = self._whole(kind)
            if value:
                yield kind, byte_size(value) if kind in _RASTERS else len(value)

    def notes(self) -> list[str]:
        """Return a line about each type that is not shown."""
        others = [kind for kind in self._bundle if kind not in _KINDS]
        notes = [*(in_line(line, MESSAGE_SHOWN) for line in self._said), *self._notes.values()]
        has_known = len(others) < len(self._bundle)
        if others and not has_known:
            names = ", ".join(in_line(kind, 60) for kind in others[:_NAMES])
            rest = f" and {len(others) - _NAMES:,} more types" if len(others) > _NAMES else ""
            notes.append(f"[{names}{rest}: not shown]")
        return notes


def _best_html(found: _Bundle, name: str) -> str:
    html = found.html()
    shown = ""
    if html is not None and _TABLE.search(html):
        shown = _html(found, html, is_table=True)
    elif pictures := [_picture(kind, value, found, name) for kind, value in found.pictures()][:1]:
        shown = pictures[0]
    elif (svg := found.drawing()) is not None:
        data = base64.b64encode(svg.encode("utf-8", "replace")).decode()
        shown = _image(f"data:{_SVG};base64,{data}", _alt(found, name), "", f"{_SVG} · {size(len(svg))}")
    elif html is not None and html.strip():
        shown = _html(found, html, is_table=False)
    if not shown and (markdown := found.get(_MARKDOWN)) is not None and markdown.strip():
        shown = f'<div dir="auto">{directed(excerpt(clean(markdown)))}</div>'
    if not shown and (value := found.value()) is not None:
        return _json(value).html()
    if not shown:
        text = found.source()
        return TextBlock(text).html() if text else ""
    return shown


def _json(value: Any) -> Block:
    if is_table(value):
        return TableBlock(value)
    if not isinstance(value, Mapping | list):
        return TextBlock(pretty_json(value))
    return TreeBlock(compact_json(value), excerpt(clean_code(pretty_json(value))))


def _html(found: _Bundle, html: str, *, is_table: bool) -> str:
    clean_html, removed = clean_foreign(html)
    found.without(removed)
    if not re.sub(r"<(?!img)[^>]*>|\s", "", clean_html):
        return ""
    note, style = "", "overflow-x:auto"
    rows = clean_html.count("<tr")
    if is_table:
        clean_html, note = _count_rows(clean_html)
        if rows > _TALL:
            style = _WIDE
            clean_html = clean_html.replace("<thead>", f'<thead style="{_STICKY}">')
        clean_html = clean_html.replace("<table>", '<table style="margin:0">')
    return f'<div dir="auto" style="{style}">{clean_html}</div>{note}'


def _count_rows(html: str) -> tuple[str, str]:
    """Return a frame's HTML without its own line about its size, and that line in the words of all forms."""
    match = _FRAME.search(html) or _SHAPE.search(html)
    if match is None:
        return html, ""
    total, wide = (int(re.sub(r"\D", "", text or "") or 0) for text in match.groups())
    body = html[html.find("<tbody") :]
    shown = sum(
        any(cell not in ("...", "…", "&hellip;") for cell in re.findall(r"<td[^>]*>([^<]*)", row))
        for row in body.split("<tr")[1:]
    )
    words = f"{min(shown, total):,} of {total:,} rows" + (
        f" · {wide:,} {'column' if wide == 1 else 'columns'}" if wide else ""
    )
    return html.replace(match[0], "", 1), f'\n<div style="{SMALL}">{words}</div>'


def _picture(kind: str, data: str, found: _Bundle, name: str) -> str:
    width, height = size_of(data) or (0, 0)
    about = _picture_facts(kind, data)
    return _image(
        f"data:{kind};base64,{data}", _alt(found, name), f' width="{width}" height="{height}"', about
    )


def _image(source: str, alt: str, sizes: str, about: str) -> str:
    style = "display:block;max-width:100%;height:auto"
    return f'<img src="{escape(source)}" alt="{escape(clean_code(alt))}" title="{escape(about)}"{sizes} style="{style}">'


def _alt(found: _Bundle, name: str) -> str:
    return name_in_line(name) or in_line(found.get(_PLAIN) or "", 200) or "picture"


def _picture_facts(kind: str, data: str) -> str:
    width, height = size_of(data) or (0, 0)
    return f"{kind} · {width:,} \N{MULTIPLICATION SIGN} {height:,} · {size(byte_size(data))}"


def _says_more(text: str) -> bool:
    """Return whether a picture's text says more than the class of its object, or its type and size.

    Such as ``<Figure size 640x480 with 1 Axes>`` and ``[image/png, 15 kB]``.
    """
    return bool(text) and re.fullmatch(r"<[^<>\n]*>|\[image/[\w.+-]+, [^\n:\]]*\]", text) is None


def _whole_svg(svg: str) -> str | None:
    """Return an SVG that is whole, has no entities of its own, and names its namespace; ``None`` for any other."""
    roots: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def begin(name: str, _: object) -> None:
        if not roots:
            roots.append(name)

    def refuse(*_: object) -> None:
        raise ValueError(svg[:0])

    parser.StartElementHandler = begin
    parser.EntityDeclHandler = refuse
    text = re.sub(
        r"\A[\ufeff\s]*(?:<\?xml[^>]*\?>\s*)?", "", svg
    )  # the declared encoding is not that of text
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except (expat.ExpatError, ValueError):
        return None
    end = svg_root(text)
    if roots == ["svg"] and end is not None:
        return f'{text[:end]} xmlns="http://www.w3.org/2000/svg"{text[end:]}'
    return text if roots == [_SVG_NAME] else None


def _best_markdown(found: _Bundle) -> str:
    html = found.html()
    if (html is None or not _TABLE.search(html)) and (pictures := list(found.pictures())):
        kind, data = pictures[0]
        about = escape_text(f"[{_picture_facts(kind, data)}]")
        if len(data) > MARKDOWN_IMAGE:
            return about
        alt = escape_text(_alt(found, ""), is_link_text=True)
        return f"![{alt}](data:{kind};base64,{data})\n\n{about}"
    markdown = found.get(_MARKDOWN)
    if markdown is not None and markdown.strip():
        return neutralize(excerpt(clean(markdown))).strip("\n")
    if found.value() is not None and found.get(_PLAIN) is None:
        return _json(found.value()).markdown()
    words = [escape_text(word) for word in found.picture_words()]
    text = found.text()
    if text and (not words or _says_more(text)):
        words.append(TextBlock(text).markdown())
    return "\n\n".join(words)


def _text(text: str) -> str:
    """Return plain text escaped for HTML and for MathJax."""
    return isolate(escape(clean(text)))

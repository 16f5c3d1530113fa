"""Show Markdown in viewers that let everything through that they can: HTML, any address, footnotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cmarkgfm
import mistune
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt

from tests.markdown.markdown_documents import Page
from vibe_notebook._markdown.sanitize import is_link, is_raster

ELEMENTS = frozenset((
    "a", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "input", "ins", "li", "mark", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
))  # fmt: skip
ATTRIBUTES = {
    "align",
    "alt",
    "checked",
    "class",
    "disabled",
    "href",
    "id",
    "src",
    "start",
    "style",
    "title",
    "type",
}


def attacks(html: str) -> Iterator[str]:
    """Yield each element, attribute or address that no agent may bring into a page, and a page that is cut off."""
    page = Page(html)
    if html.strip() and not html.rstrip().endswith(">"):
        yield f"cut off after {html[-40:]}"
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            is_wrong = name not in ATTRIBUTES or (name == "style" and not value.startswith("text-align"))
            is_wrong |= name == "href" and not is_link(value)
            is_wrong |= name == "src" and not is_raster(value)
            if is_wrong:
                yield f"<{tag} {name}={value}>"
        if tag not in ELEMENTS or (tag == "input" and attributes.get("type") != "checkbox"):
            yield f"<{tag}>"
    yield from (f"<!--{comment}-->" for comment in page.comments)


_COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_COMMONMARK.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005 - the parser's name
_PLUGINS = [
    "strikethrough",
    "footnotes",
    "table",
    "url",
    "task_lists",
    "def_list",
    "superscript",
    "subscript",
    "mark",
    "insert",
]


def markdown_it(markdown: str) -> str:
    return str(_COMMONMARK.render(markdown))


def with_mistune(markdown: str) -> str:
    renderer = mistune.HTMLRenderer(escape=False, allow_harmful_protocols=True)
    return str(mistune.create_markdown(renderer=renderer, plugins=_PLUGINS)(markdown))


def cmark_gfm(markdown: str) -> str:
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return str(
        cmarkgfm.markdown_to_html_with_extensions(
            markdown, options=options, extensions=["table", "strikethrough", "autolink", "tasklist"]
        )
    )


VIEWERS: list[Callable[[str], str]] = [markdown_it, with_mistune, cmark_gfm]

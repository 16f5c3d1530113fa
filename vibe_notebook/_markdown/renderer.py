"""Parse Markdown into top-level blocks, and render blocks to sanitised HTML: the one renderer of agent text.

The saved form renders a whole document (``render``); ``stream.py`` renders the live form block by block.
Pure: the HTML of a block depends only on the block's source and on the link references defined before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Literal
from unicodedata import bidirectional

from markdown_it import MarkdownIt

from .._json_values import scrub
from .._symbols import show_controls, show_hidden
from .emphasis import emphasis_plugin
from .fast_paths import dispatch_plugin, inline_plugin, tables_plugin
from .highlight import highlight, language_of, runs
from .html_tags import html_tags_plugin
from .math import ENVIRONMENT, isolate, math_plugin, mathml, tex
from .sanitize import clean, clean_rows
from .syntax import rules_plugin
from .unclosed import healing_plugin, hold

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

__all__ = ["Block", "Math", "directed", "lean", "parse", "render", "render_block", "render_code"]

Math = Literal["mathml", "tex"]
"""Form of a formula: MathML, or TeX for the page's MathJax."""
_IMPLIED = re.compile(
    r'(<t[dh])(?: style="text-align:left")|(<div class="highlight") style="margin:0 0 1em"'
    r'|(<a [^>]*?) target="_blank" rel="noopener noreferrer"(?=>)'
)


@dataclass(frozen=True, slots=True)
class Block:
    """Hold the tokens of a top-level block. The block has the lines ``start`` to before ``end`` of the source."""

    tokens: list[Token]

    @property
    def kind(self) -> str:
        """Return markdown-it's name of the block's first token."""
        return self.tokens[0].type

    @property
    def start(self) -> int:
        """Return the number of the block's first line."""
        return (self.tokens[0].map or [0, 0])[0]

    @property
    def end(self) -> int:
        """Return the number of the first line after the block."""
        return (self.tokens[0].map or [0, 0])[1]


def parse(
    source: str,
    references: MutableMapping[str, Any],
    *,
    is_open: bool = False,
    is_paused: bool = False,
    is_partial: bool = False,
) -> list[Block]:
    """Return the top-level blocks of *source*, and add its link references to *references*.

    Where the source *is_open*, the parser heals unclosed marks at its end, or holds text back that may still
    change its meaning. Where the source *is_paused* too, the parser shows all words and holds back only marks. Where the
    source *is_partial*, its end is rendered as it is, but more text follows.
    """
    blocks: list[Block] = []
    level = 0
    source = hold(source, is_paused=is_paused) if is_open else source
    env = {"references": references, "is_open": is_open, "is_paused": is_paused, "is_partial": is_partial}
    for token in _parser().parse(source, env):
        if level == 0 and token.nesting >= 0:
            blocks.append(Block([]))
        blocks[-1].tokens.append(token)
        level += token.nesting
    return blocks


def render_block(block: Block, math: Math, *, is_open: bool = False, colours: list[str] | None = None) -> str:
    """Return the block's sanitised HTML.

    A fence at the end of a block that *is_open* may not be closed yet, so its code stays uncoloured.
    With *colours*, all code stays uncoloured: the renderer appends each fence's colour runs to that list,
    and leaves out the attributes that the live view adds by itself (``lean``).
    """
    tokens = block.tokens
    last = next((token for token in reversed(tokens) if token.nesting >= 0), None) if is_open else None
    parser = _parser()
    env = {"math": math, "growing": last, "colours": colours}
    html = str(parser.renderer.render(tokens, parser.options, env))
    html = (clean_rows if block.kind in ("tr_open", "table_rows") else clean)(html)
    return html if colours is None else lean(html)


def lean(html: str) -> str:
    """Return sanitised *html* without the attributes that the live view's stylesheet and script add."""
    return _IMPLIED.sub(lambda match: match[match.lastindex or 0], html)


def render_code(language: str, code: str = "") -> str:
    """Return the HTML of a fence that is still open, with its *code* so far."""
    return lean(clean(_code_html(language, escape(code))))


@cache
def _parser() -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False, "maxNesting": 100})
    md.enable(["table", "strikethrough"])
    md.use(emphasis_plugin).use(inline_plugin).use(tables_plugin).use(rules_plugin).use(math_plugin).use(
        html_tags_plugin
    ).use(healing_plugin)
    md.use(dispatch_plugin)
    # The parser accepts every address as a link, so that a refused link loses its address, not its text.
    md.validateLink = _any_address  # type: ignore[method-assign]
    for name, rule in (
        ("text", _text),
        ("code_inline", _code),
        ("code_block", _code),
        ("fence", _fence),
        ("math_inline", _formula),
        ("math_display", _formula),
        ("math_block", _formula),
    ):
        md.add_render_rule(name, rule)
    return md


def _any_address(url: str) -> bool:
    del url
    return True


def _text(_self: object, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    html = escape(show_controls(tokens[index].content))
    return isolate(html) if env["math"] == "tex" else html


def _code(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    html = f"<code>{escape(show_hidden(tokens[index].content))}</code>"
    return html if tokens[index].type == "code_inline" else f"<pre>{html}</pre>\n"


def _fence(_self: object, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    language, code = language_of(token.info), show_hidden(token.content)
    is_plain = not language or token is env["growing"]
    if env["colours"] is not None:
        env["colours"].append("" if is_plain else runs(code, language))
        is_plain = True
    return _code_html(language, escape(code) if is_plain else highlight(code, language))


def _code_html(language: str, html: str) -> str:
    name = f' class="language-{language}"' if language else ""
    return f'<div class="highlight" style="margin:0 0 1em"><pre><code{name}>{html}</code></pre></div>\n'


def _formula(_self: object, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    display = token.type != "math_inline"
    convert = mathml if env["math"] == "mathml" else tex
    html = convert(token.content, display=display, is_bare=token.markup == ENVIRONMENT)
    tag = "div" if token.block else "span"
    return f'<{tag} class="math">{html}</{tag}>' + ("\n" if token.block else "")


def render(text: str, *, math: Math = "tex") -> str:
    """Return the sanitised HTML of *text*, a whole Markdown document.

    ``math="tex"`` keeps formulas as ``$…$`` for the page's MathJax; ``"mathml"`` converts them.
    """
    return "".join(render_block(block, math) for block in parse(scrub(text), {}))


_FROM_THE_RIGHT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_ANY_TAG = re.compile(r"<[^>]*>|&\w+;")
_DIRECTED = re.compile(r"\A<(?:p|h[1-6]|ul|ol|table|blockquote)(?=[ >])")


def directed(text: str) -> str:
    """Return the HTML of *text*, a whole Markdown document, in which each block has the direction of its own words.

    Code and formulas keep the direction of the page. A text without words from right to left needs no direction.
    """
    if not _FROM_THE_RIGHT.search(text):
        return render(text)
    htmls = (render_block(block, "tex").lstrip("\n") for block in parse(scrub(text), {}))
    return "".join(_DIRECTED.sub(rf'\g<0> dir="auto"{_alignment(html)}', html, count=1) for html in htmls)


def _alignment(html: str) -> str:
    """Return the style of a block from right to left; JupyterLab removes the value that would fit both."""
    kinds = (bidirectional(letter) for letter in _ANY_TAG.sub("", html))
    return (
        ' style="text-align:right"' if next((k for k in kinds if k in ("L", "R", "AL")), "L") != "L" else ""
    )

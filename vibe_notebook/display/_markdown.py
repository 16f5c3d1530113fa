"""Agent text as safe HTML: whole, for the saved form; ``_stream.py`` does it block by block for the live one."""

from __future__ import annotations

from .._json import scrub
from ._blocks import Math, parse, render_block

__all__ = ["render"]


def render(text: str, *, math: Math = "tex") -> str:
    """Return *text*, a whole Markdown document, as sanitised HTML.

    ``math="tex"`` keeps formulas as ``$…$`` for the page's MathJax, ``"mathml"`` converts them.
    """
    return "".join(render_block(block, math) for block in parse(scrub(text), {}))

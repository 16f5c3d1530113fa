"""Make a peer's text safe for logs, warnings, errors and terminals: bounded, on one line, inert.

Near the bottom of the package, above its limits. Remote streams and projects use it.
"""

from __future__ import annotations

import re
from typing import Final

from ._json_values import scrub
from ._limits import FOREIGN_WORDS

__all__ = ["on_one_line"]

_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"  # controls, line breaks, bidirectional and zero-width characters
)


def on_one_line(text: str, limit: int = FOREIGN_WORDS) -> str:
    """Return at most *limit* characters of *text*, with a symbol for each control character.

    A line feed becomes a symbol too: a peer could forge a line of a log with one.
    """
    shown = _HIDDEN.sub(_symbol, scrub(text[: limit + 1]).strip())
    return f"{shown[: limit - 1]}…" if len(shown) > limit else shown


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - the C0 controls have pictures of their own
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"  # noqa: PLR2004

"""Words of a server or another peer, for logs, warnings, errors and terminals: bounded, on one line, inert.

Near the bottom of the package, above its limits.
"""

from __future__ import annotations

import re
from typing import Final

from ._json_values import scrub
from ._limits import FOREIGN_WORDS

__all__ = ["on_one_line"]

_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"  # controls, breaks, bidi, no width
)


def on_one_line(text: str, limit: int = FOREIGN_WORDS) -> str:
    """Return *text* with each control character as a symbol, and at most *limit* characters of it.

    A line feed becomes a symbol too: it could begin a forged line of a log.
    """
    shown = _HIDDEN.sub(_symbol, scrub(text[: limit + 1]).strip())
    return f"{shown[: limit - 1]}…" if len(shown) > limit else shown


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - the C0 controls have pictures of their own
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"  # noqa: PLR2004

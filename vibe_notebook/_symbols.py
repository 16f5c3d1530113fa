"""Show invisible characters as symbols: they could control a terminal, or reorder the words on a page.

Near the bottom of the package: the forms, the Markdown renderer and the messages of peers use it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["show_controls", "show_hidden"]

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def show_controls(text: str) -> str:
    """Return *text* with a symbol for each control character but line feed and tab. For prose."""
    return _CONTROLS.sub(_symbol, text)


def show_hidden(text: str) -> str:
    """Return *text* with a symbol for each control character and direction mark. For names and code.

    A direction mark lets code read in another order than it runs, and a name look like another name.
    """
    return _HIDDEN.sub(_symbol, text)


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - the C0 controls have their pictures in the same order
        return chr(0x2400 + code)
    if code <= 0x9F:  # noqa: PLR2004 - DEL, and the C1 controls
        return "␡" if code == 0x7F else "�"  # noqa: PLR2004
    return f"⟨U+{code:04X}⟩"

"""Make a peer's text safe for logs, warnings, errors and terminals: bounded, on one line, inert.

Near the bottom of the package, above its limits. Remote streams and projects use ``on_one_line``; every module that
logs uses ``clean_logger``, because an exception may repeat a peer's words.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Final

from ._json_values import scrub
from ._limits import FOREIGN_WORDS
from ._symbols import show_hidden

__all__ = ["clean_logger", "on_one_line"]

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


def clean_logger(name: str) -> logging.Logger:
    """Return the logger *name*, whose records are bounded and free of control characters, tracebacks included."""
    log = logging.getLogger(name)
    if not any(isinstance(each, _Clean) for each in log.filters):
        log.addFilter(_Clean())
    return log


class _Clean(logging.Filter):
    """Clean each record before any handler gets it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        shown = on_one_line(message)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[1] is not None and record.exc_text is None:
            record.exc_text = _traceback(record.exc_info[1])  # every formatter uses it
        return True


def _traceback(error: BaseException) -> str:
    """Return the traceback of *error*, each further line indented: none of them can fake a line of the log."""
    text = "".join(traceback.format_exception(error)).rstrip("\n")
    if len(text) > 2 * FOREIGN_WORDS:
        omitted = len(text) - 2 * FOREIGN_WORDS
        text = f"{text[:FOREIGN_WORDS]}\n[{omitted:,} characters are left out here]\n{text[-FOREIGN_WORDS:]}"
    return re.sub(r"[\n\u2028\u2029]", "\n  ", show_hidden(scrub(text)))

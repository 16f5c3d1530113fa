"""Divide the text of terminals into plain text, control characters and the sequences of ECMA-48.

Pure, incremental and linear in the text: the result does not depend on where a text was cut into pieces. All shapes are
understood, in 7 and in 8 bits: two-character escapes, control sequences, control strings. A control string that is not
ended ends with its line: the rest of the output must not vanish with it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SPECIAL", "ProseText", "Sequences", "without_sequences"]

SPECIAL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
"""Characters that are no plain text: all controls but the tab."""
_PLAIN: Final = re.compile("[^\x00-\x08\x0a-\x1f\x7f-\x9f]+")
_PARAMETERS: Final = re.compile("[0-?]*")
_INTERMEDIATES: Final = re.compile("[ -/]*")
_STRING: Final = re.compile("[^\x00-\x1f\x7f-\x9f]+|[\x08\x09\x0b-\x0d]+")
_STRINGS: Final = "PX^_]"
"""Second characters of the escapes that open a control string: DCS, SOS, PM, APC, OSC."""
_PARAMETER_LIMIT: Final = 64
"""Characters of a sequence's parameters that are kept: the others change nothing."""


class Sequences:
    """Divide a growing text into plain text, control characters and sequences."""

    def __init__(self) -> None:
        self._state = ""  # "": plain text; else the character after the escape that has begun
        self._parameters = ""
        self._intermediates = ""

    def feed(self, text: str) -> None:
        """Read the next piece of the text."""
        at, end = 0, len(text)
        while at < end:
            if self._state:
                at = self._inside(text, at)
            elif (match := _PLAIN.match(text, at)) is not None:
                self.plain(match[0])
                at = match.end()
            else:
                self._control(text[at])
                at += 1

    def plain(self, text: str) -> None:
        """Handle plain text, which may have tabs."""

    def control(self, control: str) -> None:
        """Handle a control character that begins no sequence."""

    def sequence(self, parameters: str, final: str) -> None:
        """Handle a control sequence without intermediate characters."""

    def escape(self, final: str) -> None:
        """Handle a two-character escape; its 8-bit form is a control."""

    def _control(self, char: str) -> None:
        if char == "\x1b":
            self._state = "\x1b"
        elif "\x80" <= char <= "\x9f":
            self._escape(chr(ord(char) - 0x40), char)
        else:
            self.control(char)

    def _escape(self, second: str, char: str = "") -> None:
        """Begin the sequence that ESC and *second* open; *char* is its 8-bit form."""
        self._state = self._parameters = self._intermediates = ""
        if second == "[" or second in _STRINGS:
            self._state = second
        elif second == "\\":
            pass  # the end of a string that has ended already
        elif char:
            self.control(char)
        else:
            self.escape(second)

    def _inside(self, text: str, at: int) -> int:
        """Continue the open sequence; return the index of the first character that was not read."""
        if self._state == "\x1b":
            return self._after_escape(text, at)
        if self._state == "[":
            return self._in_sequence(text, at)
        return self._in_string(text, at)

    def _after_escape(self, text: str, at: int) -> int:
        char = text[at]
        if " " <= char <= "/":
            self._intermediates = char
        elif self._intermediates and "0" <= char <= "~":
            self._state = self._intermediates = ""
        elif "0" <= char <= "~":
            self._escape(char)
        else:
            self._state = self._intermediates = ""  # a lone escape, dropped
            return at
        return at + 1

    def _in_sequence(self, text: str, at: int) -> int:
        if not self._intermediates:
            match = _PARAMETERS.match(text, at)
            if match and match[0]:
                self._parameters = (self._parameters + match[0])[:_PARAMETER_LIMIT]
                at = match.end()
        match = _INTERMEDIATES.match(text, at)
        if match and match[0]:
            self._intermediates = match[0][0]
            at = match.end()
        if at == len(text):
            return at
        self._state = ""
        if not "@" <= text[at] <= "~":
            return at  # broken off: the character is read as text
        if not self._intermediates and self._parameters[:1] not in ("<", "=", ">", "?"):
            self.sequence(self._parameters, text[at])
        return at + 1

    def _in_string(self, text: str, at: int) -> int:
        match = _STRING.match(text, at)
        if match:
            return match.end()
        char = text[at]
        self._state = ""
        if char == "\x1b":
            self._state = "\x1b"  # of the terminator, or of the sequence that breaks the string off
            return at + 1
        return at + 1 if char in "\x07\x18\x1a\x9c" else at


class ProseText(Sequences):
    """Drop the sequences of a growing text; each kind of line end is a line feed."""

    def __init__(self) -> None:
        super().__init__()
        self._has_return = False
        self._out: list[str] = []

    def take(self, text: str) -> str:
        """Return the next piece of the text without its sequences."""
        if not self._state and not self._has_return and not SPECIAL.search(text):
            return text
        self.feed(text)
        out, self._out = "".join(self._out), []
        return out

    def plain(self, text: str) -> None:
        self._end_return()
        self._out.append(text)

    def control(self, control: str) -> None:
        if control == "\r":
            self._has_return = True
        elif control == "\n":
            self._has_return = False
            self._out.append("\n")
        else:
            self._end_return()
            self._out.append(control)

    def _end_return(self) -> None:
        if self._has_return:
            self._has_return = False
            self._out.append("\n")


def without_sequences(text: str) -> str:
    """Return *text* without sequences; each kind of line end is a line feed."""
    return ProseText().take(text)

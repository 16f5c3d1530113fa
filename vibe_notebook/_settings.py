"""Hold the settings that ``configure`` changes, each with its variable of the environment.

Near the bottom of the package, above its limits. A setting that is neither configured nor in the environment has its
default.
"""

from __future__ import annotations

import enum
import os
from typing import Final, Literal

from ._limits import ANSWER_SECONDS, DISPLAY_BYTES, DISPLAYS_BYTES

__all__ = [
    "UNCHANGED",
    "Renderer",
    "Unchanged",
    "answer_wait",
    "check_settings",
    "configure",
    "display_limit",
    "displays_limit",
    "renderer",
]

Renderer = Literal["auto", "widget", "static", "text", "none"]
_RENDERERS: Final = ("auto", "widget", "static", "text")


class Unchanged(enum.Enum):
    """Name the default of ``configure``'s parameters: a setting that is not given stays."""

    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED

_NUMBERS: Final = {
    "answer_wait": ANSWER_SECONDS,
    "display_limit": DISPLAY_BYTES,
    "displays_limit": DISPLAYS_BYTES,
}
_configured: dict[str, str | int] = {}


def configure(
    *,
    renderer: Renderer | Unchanged | None = UNCHANGED,
    display_limit: int | Unchanged | None = UNCHANGED,
    displays_limit: int | Unchanged | None = UNCHANGED,
    answer_wait: int | Unchanged | None = UNCHANGED,
) -> None:
    """Change settings of this process; ``None`` restores the environment's, else the default.

    *renderer* is "auto", "widget", "static" or "text". *display_limit* counts the bytes of one display (1,000,000),
    *displays_limit* those of all displays of a run (20,000,000); beyond them the heavy types go, and a line says so.
    *answer_wait* is the seconds that a request stays open once the last page has left (600).

    Raises:
        ValueError: a value is none that the setting can have.
    """
    given = {
        "renderer": renderer,
        "display_limit": display_limit,
        "displays_limit": displays_limit,
        "answer_wait": answer_wait,
    }
    new = {name: value for name, value in given.items() if not isinstance(value, Unchanged)}
    for name, value in new.items():
        if value is not None:
            _check(name, value, name)
    for name, value in new.items():
        _configured.pop(name, None)
        if value is not None:
            _configured[name] = value


def renderer() -> str:
    """Return the renderer's name: the configured one, else the environment's, else "auto".

    Raises:
        ValueError: ``VIBE_NOTEBOOK_RENDERER`` is not a renderer's name.
    """
    name = str(_configured.get("renderer") or os.environ.get(_variable("renderer")) or "auto")
    _check("renderer", name, _variable("renderer"))
    return name


def display_limit() -> int:
    """Return the bytes of one display; the default where the environment's number is not valid."""
    return _number("display_limit")


def displays_limit() -> int:
    """Return the bytes of all displays of a run; the default where the environment's number is not valid."""
    return _number("displays_limit")


def answer_wait() -> int:
    """Return the seconds that a request waits for another page; the default where the environment's are not valid."""
    return _number("answer_wait")


def check_settings() -> None:
    """Raise ``ValueError`` for a number of the environment that is not valid."""
    for name in _NUMBERS:
        variable = _variable(name)
        if text := os.environ.get(variable):
            _check(name, int(text) if text.isdecimal() else text, variable)


def _number(name: str) -> int:
    value = _configured.get(name)
    if isinstance(value, int):
        return value
    text = os.environ.get(_variable(name), "")
    return int(text) if text.isdecimal() else _NUMBERS[name]


def _variable(name: str) -> str:
    return f"VIBE_NOTEBOOK_{name.upper()}"


def _check(name: str, value: object, source: str) -> None:
    if name == "renderer":
        if value not in _RENDERERS:
            msg = f"{source}={value!r} is no renderer; use one of {', '.join(_RENDERERS)}."
            raise ValueError(msg)
    elif not isinstance(value, int) or isinstance(value, bool) or value < 0:
        unit = "seconds" if name == "answer_wait" else "bytes"
        msg = f"{source}={value!r} is no number of {unit}; use a whole number of 0 or more."
        raise ValueError(msg)

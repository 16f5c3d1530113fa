"""Parse the options of ``%vibe_stream``: they come first, the rest of the line is TARGET, unchanged.

Below ``magic.py``. Not argparse: it would read a ``--`` inside of TARGET as an option.
"""

from __future__ import annotations

import io
import keyword
import math
import os
import shlex
from dataclasses import dataclass, field

from IPython.core.error import UsageError

__all__ = ["OPTIONS", "Options", "headers", "pairs", "params", "split"]

_SECRET = frozenset(("authorization", "cookie", "proxy-authorization"))


@dataclass(slots=True)
class Options:
    """Hold the options of one line; ``name`` is the value of ``--as``."""

    title: str | None = None
    block: bool = False
    name: str | None = None
    record: str | None = None
    speed: float | None = None
    header: list[str] = field(default_factory=list)
    param: list[str] = field(default_factory=list)
    after: str | None = None
    no_display: bool = False


OPTIONS = {
    "--after": True,
    "--as": True,
    "--block": False,
    "--header": True,
    "--no-display": False,
    "--param": True,
    "--record": True,
    "--speed": True,
    "--title": True,
}
"""Options, each with True if a value follows it."""


def split(line: str) -> tuple[Options, str]:
    """Return (options, TARGET). Raises ``UsageError``."""
    rest = line.strip()
    options = Options()
    while rest.startswith("--"):
        word = rest.split(maxsplit=1)[0]
        option, equals, _ = word.partition("=")
        if option == "--":
            rest = rest[2:].lstrip()
            break
        if option not in OPTIONS:
            msg = f"%vibe_stream has no option {option}; it has {', '.join(OPTIONS)}."
            raise UsageError(msg)
        rest = rest[len(option) + len(equals) :]
        if not equals:
            rest = rest.lstrip()
        if OPTIONS[option]:
            value, rest = _next_value(rest, option, joined=bool(equals))
            _set_option(options, option, value)
        elif equals:
            msg = f"%vibe_stream: {option} takes no value."
            raise UsageError(msg)
        else:
            setattr(options, option[2:].replace("-", "_"), True)
    headers(options.header)
    pairs(options.param, "--param")
    return options, rest


def _set_option(options: Options, option: str, value: str) -> None:
    match option:
        case "--header" | "--param":
            getattr(options, option[2:]).append(value)
        case "--speed":
            try:
                options.speed = float(value)
            except ValueError:
                options.speed = math.nan
            if not 0 <= options.speed < math.inf:
                msg = f"--speed {value}: must be a positive number, or 0 for no waits."
                raise UsageError(msg)
        case "--as":
            if not value.isidentifier() or keyword.iskeyword(value):
                msg = f"--as {value}: not a variable name."
                raise UsageError(msg)
            options.name = value
        case _:
            setattr(options, option[2:], value)


def _next_value(text: str, option: str, *, joined: bool) -> tuple[str, str]:
    """Return the next word, quoted or not, and the text after it."""
    source = io.StringIO(text)
    lexer = shlex.shlex(source, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        value = lexer.get_token()
    except ValueError:
        msg = f"%vibe_stream: the value of {option} has a quote that does not close."
        raise UsageError(msg) from None
    forgotten = not joined and value is not None and value.partition("=")[0] in OPTIONS
    if value is None or forgotten or (joined and text[:1].isspace()):
        msg = f"%vibe_stream: {option} needs a value."
        raise UsageError(msg)
    return value, source.read().lstrip()


def headers(items: list[str]) -> dict[str, str]:
    """Return ``K=V`` pairs as a dict; ``K=$NAME`` reads the environment, so a notebook saves no secret."""
    found = pairs(items, "--header")
    for name, value in found.items():
        if value.startswith("$"):
            if value[1:] not in os.environ:
                msg = f"--header {name}: the environment has no {value[1:]}."
                raise UsageError(msg)
            found[name] = os.environ[value[1:]]
        elif name.strip().lower() in _SECRET:
            msg = f"--header {name}: a literal secret would be saved in the notebook; write {name}=$NAME."
            raise UsageError(msg)
    return found


def params(items: list[str]) -> dict[str, str]:
    """Return ``K=V`` pairs for a URL; ``K=$NAME`` reads the environment if it has that name."""
    found = pairs(items, "--param")
    return {name: os.environ.get(v[1:], v) if v[:1] == "$" else v for name, v in found.items()}


def pairs(items: list[str], option: str) -> dict[str, str]:
    """Return ``K=V`` pairs as a dict. Raises ``UsageError`` that names the *option*."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            msg = f"{option}: write it as K=V."  # without the value: it may be a secret
            raise UsageError(msg)
        found[name] = value
    return found

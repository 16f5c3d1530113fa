"""Parse the options of ``%vibe_stream``: they come first, the rest of the line is TARGET, unchanged.

Below ``magic.py``. Not argparse: it would read a ``--`` inside of TARGET as an option.
"""

from __future__ import annotations

import io
import keyword
import math
import os
import re
import shlex
import tokenize
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from IPython.core.error import UsageError

from .._credentials import is_secret_name, looks_secret

__all__ = [
    "OPTIONS",
    "Options",
    "check_url",
    "headers",
    "is_help",
    "pairs",
    "params",
    "split",
    "without_comment",
]

_COMMENT = re.compile(r"(?:^|\s)#")
_HELP = frozenset(("--help", "-h", "?"))
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


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
    follow: bool = False
    no_display: bool = False
    help: bool = False


OPTIONS = {
    "--after": True,
    "--as": True,
    "--block": False,
    "--follow": False,
    "--header": True,
    "--help": False,
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
    if is_help(rest):
        return Options(help=True), ""
    while rest.startswith("--"):
        word = rest.split(maxsplit=1)[0]
        option, equals, _ = word.partition("=")
        if option == "--":
            rest = rest[2:].lstrip()
            break
        if word == "--help":
            return Options(help=True), ""
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
    params(options.param)
    return options, rest


def is_help(line: str) -> bool:
    """Return whether a magic's line asks for help, and for nothing else."""
    return without_comment(line) in _HELP


def without_comment(line: str) -> str:
    """Return a line without its comment: a ``#`` after white space, outside of Python's strings."""
    line, start = line.strip(), 0
    if not line.lower().startswith(("http://", "https://", "agent:")):
        start = _code_end(line)
    found = _COMMENT.search(line, start)
    return (line if found is None else line[: found.start()]).strip()


def _code_end(line: str) -> int:
    """Return the index before which no comment of Python begins; 0 for a line that is not Python."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(line).readline):
            if token.type == tokenize.COMMENT:
                return max(token.start[1] - 1, 0)
    except (tokenize.TokenError, SyntaxError):
        return 0  # a path or an id, or brackets that do not close
    return len(line)


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
    return _read(items, "--header")


def params(items: list[str]) -> dict[str, str]:
    """Return ``K=V`` pairs for a URL; ``K=$NAME`` reads the environment if it has that name."""
    return _read(items, "--param")


def check_url(url: str) -> None:
    """Check that a URL holds no secret: the notebook would save it.

    Raises:
        UsageError: a part of the URL holds one; the error names the option to pass it by.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return  # the reader of the URL refuses it
    if "@" in parts.netloc:
        msg = (
            "%vibe_stream: a user or password in a URL would be saved in the notebook; write "
            "--header Authorization=$NAME, where NAME holds 'Basic …' or 'Bearer …'."
        )
        raise UsageError(msg)
    for part in (parts.query, parts.fragment):
        for name, value in parse_qsl(part.replace(";", "&"), keep_blank_values=True):
            if looks_secret(name) or (not value and looks_secret(unquote(name))):
                msg = "%vibe_stream: a key in a URL would be saved in the notebook; write --param K=$NAME."
                raise UsageError(msg)
            if value and (is_secret_name(name) or looks_secret(value)):
                msg = (
                    f"%vibe_stream: the value of {name} in the URL would be saved in the notebook; write "
                    f"--param {name}=$NAME."
                )
                raise UsageError(msg)
    if looks_secret(unquote(parts.path)):
        msg = (
            "%vibe_stream: a key in a URL's path would be saved in the notebook; read the URL from the environment: "
            "%vibe_stream follow(os.environ['NAME'])."
        )
        raise UsageError(msg)


def _read(items: list[str], option: str) -> dict[str, str]:
    found = pairs(items, option)
    for name, value in found.items():
        variable = _VARIABLE.fullmatch(value)
        if variable is not None and variable[1] in os.environ:
            found[name] = os.environ[variable[1]]
        elif variable is not None and (option == "--header" or is_secret_name(name)):
            msg = f"{option} {name}: the environment has no {variable[1]}."
            raise UsageError(msg)
        elif looks_secret(name):
            msg = f"{option}: a key would be saved in the notebook; write K=$NAME."
            raise UsageError(msg)
        elif value and (is_secret_name(name) or looks_secret(value)):
            msg = f"{option} {name}: a literal secret would be saved in the notebook; write {name}=$NAME."
            raise UsageError(msg)
    return found


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

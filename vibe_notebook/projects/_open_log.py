"""The choice of an event log by its URL.

Between ``ProjectEventStream`` and the three logs: imports only the module of the chosen log.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from .._limits import INT_LIMIT
from ..exceptions import ProtocolError
from ._log import EventLog

__all__ = ["open_log"]

OPTIONS: Final = {
    "memory": ("max_events", "max_bytes"),
    "sqlite": ("synchronous",),
    "redis": ("max_events", "prefix"),
    "rediss": ("max_events", "prefix"),
}


def open_log(url: str | EventLog) -> EventLog:
    """Return the log of a URL; return an ``EventLog`` unchanged.

    - ``memory:``, with the options ``max_events`` and ``max_bytes``, both for each project;
    - ``sqlite:///file.db`` or ``sqlite:////absolute/file.db``, with the option ``synchronous=normal``;
    - ``redis://host:port/0``, with the options ``max_events`` and ``prefix``; needs the extra ``redis``.

    Raises:
        ProtocolError: the URL names no log, or has an unknown option or a wrong value.
        MissingExtraError: redis-py is not installed.
    """
    if isinstance(url, EventLog):
        return url
    place, _, query = url.partition("?")
    scheme, _, rest = place.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = OPTIONS.get(scheme)
    for word, name in (("sentinel", "a Sentinel"), ("cluster", "a cluster")):
        if known is None and word in scheme:
            raise ProtocolError(
                f"the log cannot use {name}; use the URL of one server: redis://host:6379/0", field="log"
            )
    if known is None:
        raise ProtocolError(
            f"{scheme[:20]!r} names no event log; use memory:, sqlite:///file.db or redis://host:6379/0",
            field="log",
        )
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ProtocolError(
            f"the log {scheme}: has no option {unknown[0]!r}; its options are {', '.join(known) or 'none'}",
            field="log",
        )
    try:
        if scheme == "memory":
            from ._memory import MemoryLog  # noqa: PLC0415 - only the chosen log

            return MemoryLog(**{name: _parse_count(name, value) for name, value in options.items()})
        if scheme == "sqlite":
            from ._sqlite import SqliteLog  # noqa: PLC0415 - as above

            return SqliteLog(unquote(rest.removeprefix("///")), **options)
        from ._redis import RedisLog  # noqa: PLC0415 - as above

        _check_redis_address(place)
        named: dict[str, Any] = dict(options)
        if "max_events" in named:
            named["max_events"] = _parse_count("max_events", named["max_events"])
        return RedisLog(place, **named)
    except ValueError as error:
        raise ProtocolError(f"the log {scheme}: {error}", field="log") from None


def _check_redis_address(place: str) -> None:
    """Check the host and the database's number: redis-py reads a wrong number as 0."""
    address = urlsplit(place)
    if "," in address.netloc.rpartition("@")[2]:
        raise ValueError("the URL names several servers; use the URL of one server")
    number = address.path.removeprefix("/")
    if number and not (number.isascii() and number.isdigit()):
        raise ValueError(f"a database of Redis has a number, not the name {number[:40]!r}")


def _parse_count(name: str, value: str) -> int:
    """Parse an option that is a number."""
    if (
        not (value.isascii() and value.isdigit() and len(value) <= len(str(INT_LIMIT)))
        or int(value) > INT_LIMIT
    ):
        raise ValueError(f"{name} must be a whole number from 1 to {INT_LIMIT}, not {value[:40]!r}")
    return int(value)

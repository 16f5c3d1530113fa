"""_open_log: TODO docstring."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from ..exceptions import ProtocolError
from ._log import EventLog, _count

__all__ = ["open_log"]

OPTIONS: Final = {
    "memory": ("max_events", "max_bytes"),
    "sqlite": ("synchronous",),
    "redis": ("max_events", "prefix"),
    "rediss": ("max_events", "prefix"),
}


def open_log(url: str | EventLog) -> EventLog:
    """The log that a URL names.

    ``memory:`` (options ``max_events``, ``max_bytes`` per project), ``sqlite:///file.db`` (option
    ``synchronous=normal``; ``sqlite:////absolute``), ``redis://host:port/0`` (options ``max_events``,
    ``prefix``; extra ``redis``).

    Raises:
        ProtocolError: no log has such a URL, or an option that it does not know.
        MissingExtraError: redis-py is not installed.
    """
    if isinstance(url, EventLog):
        return url
    place, _, query = url.partition("?")
    scheme, _, rest = place.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = OPTIONS.get(scheme)
    if known is None:
        raise ProtocolError(
            f"an event log is memory:, sqlite:///file.db or redis://host:6379/0; {scheme[:20]!r} is none",
            field="log",
        )
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ProtocolError(
            f"the log {scheme}: has no option {unknown[0]!r}; it has {', '.join(known) or 'none'}",
            field="log",
        )
    try:
        if scheme == "memory":
            from ._memory import MemoryLog  # noqa: PLC0415 - only the log that is asked for

            return MemoryLog(**{name: _count(name, value) for name, value in options.items()})
        if scheme == "sqlite":
            from ._sqlite import SqliteLog  # noqa: PLC0415 - as above

            return SqliteLog(unquote(rest.removeprefix("///")), **options)
        from ._redis import RedisLog  # noqa: PLC0415 - as above

        named: dict[str, Any] = dict(options)
        if "max_events" in named:
            named["max_events"] = _count("max_events", named["max_events"])
        return RedisLog(place, **named)
    except ValueError as error:
        raise ProtocolError(f"the log {scheme}: {error}", field="log") from None

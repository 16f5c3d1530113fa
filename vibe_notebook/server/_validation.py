"""The validation of a request: bytes and headers in, checked items for the log out. Pure.

Below ``_routes``.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from ..events import WRONG_NAME_LIMIT as NAME_LIMIT
from ..events import parse_event
from ..exceptions import ProtocolError
from ..projects import parse_id
from ._errors import Refused

__all__ = ["AGENT_EVENT", "check_id", "check_key", "check_project", "parse_items"]

AGENT_EVENT: Final = "agent_event"
"""The event type of this package's own events; ``data`` is the event's JSON. vibex has no such type."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_RESERVED: Final = frozenset(("gap",))
"""The event types that only the server sends on a stream."""


def check_project(project_id: str) -> str:
    """Check a project's id, and return it.

    Raises:
        Refused: 400 for a wrong id.
    """
    if not 0 < len(project_id) <= NAME_LIMIT * 2 or not project_id.isprintable():
        raise Refused(400, "A project's id must have 1 to 200 printable characters.")
    return project_id


def check_id(value: str | None) -> str | None:
    """Check the id after which a stream continues ("": from the beginning), and return it.

    Raises:
        Refused: 400 for a wrong id.
    """
    if value:
        try:
            parse_id(value)
        except ProtocolError:
            msg = "last_event_id: an id looks like 1700000000000-3; use 0 for the beginning."
            raise Refused(400, msg) from None
    return value


def check_key(value: str | None) -> str | None:
    """Check an idempotency key, and return it.

    Raises:
        Refused: 400 for a wrong key.
    """
    if value is not None and not _KEY.fullmatch(value):
        raise Refused(400, "Idempotency-Key: a key must have 1 to 255 visible ASCII characters.")
    return value


def parse_items(body: bytes, limit: int) -> list[tuple[str, Any]]:
    """Parse one event, a list of events, or ``{"events": […]}`` into pairs (event type, data).

    An event is ``{"event_type": …, "data": …}`` (or with ``"event"``), or the JSON of one of this package's events.

    Raises:
        Refused: 400 for a body that is not JSON, 413 for more than *limit* events, 422 for a wrong event; it names
            the event and its field.
    """
    parsed = _loads(body)
    if isinstance(parsed, dict) and isinstance(parsed.get("events"), list) and not _is_event(parsed):
        parsed = parsed["events"]
    rows = parsed if isinstance(parsed, list) else [parsed]
    if not rows:
        raise Refused(422, "The body holds no event; send one event or a list of events.")
    if len(rows) > limit:
        raise Refused(413, f"The body holds {len(rows):,} events; send at most {limit:,} in one request.")
    return [_item(row, number) for number, row in enumerate(rows)]


def _is_event(fields: dict[str, Any]) -> bool:
    return "event_type" in fields or "event" in fields or "agent_id" in fields


def _item(row: object, number: int) -> tuple[str, Any]:
    if not isinstance(row, dict):
        _refuse(number, None, "an event must be a JSON object.")
    names = [name for name in ("event_type", "event") if name in row]
    if not names and "agent_id" in row:
        return AGENT_EVENT, _agent_event(row, number)
    if not names:
        _refuse(number, "event_type", "event_type is missing; an event has event_type and data.")
    if len(names) > 1:
        _refuse(number, "event", "event and event_type mean the same; send one of the two.")
    name = row[names[0]]
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
        _refuse(number, names[0], f"must be a text of 1 to {NAME_LIMIT} printable characters.")
    if name in _RESERVED:
        _refuse(number, names[0], f"must not be {name!r}, a type that only the server sends.")
    if "data" not in row:
        _refuse(number, "data", "is missing; null is allowed.")
    if name == AGENT_EVENT:
        return name, _agent_event(row["data"], number)
    return name, row["data"]


def _agent_event(row: object, number: int) -> dict[str, Any]:
    if not isinstance(row, dict):
        _refuse(number, "data", f"must be the JSON object of an event, as event_type is {AGENT_EVENT!r}.")
    try:
        parse_event(row)
    except ProtocolError as error:
        _refuse(number, error.field, str(error))
    # The sender's id is its registry's delivery number: the log assigns ids of its own.
    return {name: value for name, value in row.items() if name != "id"}


def _refuse(number: int, field: str | None, message: str) -> NoReturn:
    named = "" if field is None or field in message else f"{field} "
    raise Refused(422, f"Event {number}: {named}{message}", item=number, field=field)


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "its values are nested too deeply" if isinstance(error, RecursionError) else error
        raise Refused(400, f"The body is not JSON: {reason}.") from None


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)

"""What a client sends, as what the log takes. Pure: bytes in, checked items out.

Beside the routes.
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

__all__ = ["AGENT_EVENT", "check_id", "check_key", "check_project", "items_of"]

AGENT_EVENT: Final = "agent_event"
"""The event type of our own events; ``data`` is the event's JSON. None of the origin's is called so."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_RESERVED: Final = frozenset(("gap",))
"""What the server itself says on a stream."""


def check_project(project_id: str) -> str:
    """Return a project's id, or raise ``Refused``."""
    if not 0 < len(project_id) <= NAME_LIMIT * 2 or not project_id.isprintable():
        raise Refused(400, "A project's id is 1 to 200 printable characters.")
    return project_id


def check_id(given: str | None) -> str | None:
    """Return the id after which a stream goes on ("": its beginning), or raise ``Refused``."""
    if given:
        try:
            parse_id(given)
        except ProtocolError:
            msg = "last_event_id: an id looks like 1700000000000-3; 0 is the beginning."
            raise Refused(400, msg) from None
    return given


def check_key(given: str | None) -> str | None:
    """Return an idempotency key, or raise ``Refused``."""
    if given is not None and not _KEY.fullmatch(given):
        raise Refused(400, "Idempotency-Key: 1 to 255 visible ASCII characters.")
    return given


def items_of(body: bytes, most: int) -> list[tuple[str, Any]]:
    """Read one event, a list of them, or ``{"events": […]}`` as (event type, data).

    Each is ``{"event_type": …, "data": …}`` (or ``"event"``), or the JSON of one of our own events.
    Raises ``Refused`` that names the item and its field: 400 for what is not JSON, 413 for more
    than *most* events, 422 for what is no event.
    """
    given = _loads(body)
    if isinstance(given, dict) and isinstance(given.get("events"), list) and not _is_one(given):
        given = given["events"]
    rows = given if isinstance(given, list) else [given]
    if not rows:
        raise Refused(422, "There is no event in it: send one, or a list of them.")
    if len(rows) > most:
        raise Refused(413, f"{len(rows):,} events: send at most {most:,} in one request.")
    return [_item(row, number) for number, row in enumerate(rows)]


def _is_one(given: dict[str, Any]) -> bool:
    return "event_type" in given or "event" in given or "agent_id" in given


def _item(row: object, number: int) -> tuple[str, Any]:
    if not isinstance(row, dict):
        _refuse(number, None, "an event is a JSON object.")
    names = [name for name in ("event_type", "event") if name in row]
    if not names and "agent_id" in row:
        return AGENT_EVENT, _own(row, number)
    if not names:
        _refuse(number, "event_type", "is missing; an event has event_type and data.")
    if len(names) > 1:
        _refuse(number, "event", "says the same as event_type; send one of the two.")
    name = row[names[0]]
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
        _refuse(number, names[0], f"must be a text of 1 to {NAME_LIMIT} printable characters.")
    if name in _RESERVED:
        _refuse(number, names[0], f"{name!r} is the server's own; choose another.")
    if "data" not in row:
        _refuse(number, "data", "is missing; null is allowed.")
    if name == AGENT_EVENT:
        return name, _own(row["data"], number)
    return name, row["data"]


def _own(row: object, number: int) -> dict[str, Any]:
    if not isinstance(row, dict):
        _refuse(number, "data", f"must be the JSON object of an event, as event_type is {AGENT_EVENT!r}.")
    try:
        parse_event(row)
    except ProtocolError as error:
        _refuse(number, error.field, str(error))
    # The sender's delivery order says nothing here: the log gives ids of its own.
    return {name: value for name, value in row.items() if name != "id"}


def _refuse(number: int, field: str | None, message: str) -> NoReturn:
    named = "" if field is None or field in message else f"{field} "
    raise Refused(422, f"Event {number}: {named}{message}", item=number, field=field)


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise Refused(400, f"The body is not JSON: {reason}.") from None


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)

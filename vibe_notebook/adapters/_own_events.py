"""Tell our own events among the natives of a stream, and say why one of them cannot be read.

Below ``_base``: every adapter passes our own events on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, get_args

from vibe_notebook.events import Event, parse_event
from vibe_notebook.exceptions import ProtocolError

from ._fields import get

__all__ = ["damage_in", "is_event", "is_event_line"]

_CLASSES: Final = get_args(get_args(Event)[0])
_TYPES: Final = frozenset(cls.model_fields["type"].default for cls in _CLASSES)


def is_event(native: object) -> bool:
    """Return whether *native* is one of our own events, or the dict of such an event."""
    if isinstance(native, _CLASSES):
        return True
    if not isinstance(native, Mapping):
        return False
    kind, *ids = (get(native, name) for name in ("type", "agent_id", "run_id"))
    return isinstance(kind, str) and kind in _TYPES and all(isinstance(value, str) for value in ids)


def is_event_line(native: object) -> bool:
    """Return whether *native* is a line of a recording: the JSON text of one of our own events."""
    if not isinstance(native, str | bytes) or native.strip()[:1] not in ("{", b"{"):
        return False
    try:
        return is_event(json.loads(native))
    except (ValueError, RecursionError):
        return False


def damage_in(native: object) -> str | None:
    """Return why the dict of one of our own events cannot be read; ``None`` for a whole one, and for other natives."""
    kind = get(native, "type")
    if not isinstance(native, dict) or not isinstance(kind, str) or kind not in _TYPES:
        return None
    try:
        parse_event(native)
    except ProtocolError as error:
        return str(error)
    return None

r"""Join surrogate pairs that a source cut between two deltas of one text.

Below adapters and ``live()``. JSON may carry half of a character (``\ud83d``), and a server may cut its text between
two halves. An event holds valid Unicode only, so the half at a delta's end waits for the text's next delta. A half
that stays alone becomes U+FFFD when its message or run ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._json_values import scrub

__all__ = ["HalfPairs", "scrub_inside"]

_NAMES: Final = {
    "text_delta": "part_id",
    "thinking_delta": "part_id",
    "tool_call_delta": "tool_call_id",
    "tool_progress": "tool_call_id",
}
"""By the type of a delta, the field that names its text."""
_Key = tuple[str, Any, Any, Any, Any, bool]
"""(type, agent id, run id, message id, name of the text, derived)."""


def scrub_inside(text: str) -> str:
    """Scrub a delta, but for the halves at its ends: their other halves may stand in its neighbours."""
    if text.isascii():
        return text
    start = "\udc00" <= text[:1] <= "\udfff"
    end = len(text) - ("\ud800" <= text[-1:] <= "\udbff")
    return text[:start] + scrub(text[start:end]) + text[end:]


class HalfPairs:
    """Hold the halves at the ends of deltas, by the text that each belongs to."""

    def __init__(self) -> None:
        self._held: dict[_Key, str] = {}

    def join(self, kind: str, fields: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        """Return the deltas that must come before an event of type *kind*, as dicts, and the event's fields."""
        delta = fields.get("delta")
        is_open = isinstance(delta, str) and "\ud800" <= delta[-1:] <= "\udbff"
        if not (self._held or is_open):
            return [], fields
        if kind in ("run_finished", "message_finished"):
            return self._end(kind, fields), fields
        if kind == "part_completed":
            self._replace(_key(f"{fields.get('kind', 'text')}_delta", fields, "part_id"), (0, 1, 2, 3, 4))
        elif kind == "tool_started" and fields.get("args") is not None:
            self._replace(_key("tool_call_delta", fields, "tool_call_id"), (0, 1, 2, 4))
        elif kind in ("tool_progress", "tool_finished") and fields.get("output") is not None:
            self._replace(_key("tool_progress", fields, "tool_call_id"), (0, 1, 2, 4))
        if kind not in _NAMES or not isinstance(delta, str):
            return [], fields
        key = _key(kind, fields, _NAMES[kind])
        delta = self._held.pop(key, "") + delta
        if is_open:
            self._held[key], delta = delta[-1], delta[:-1]
        return [], {**fields, "delta": delta}

    def _replace(self, whole: _Key, places: tuple[int, ...]) -> None:
        """Drop the halves of a text that came whole; only the *places* of the key tell the text.

        A whole replaces derived deltas too, and a call's start may come under another message.
        """
        for key in [key for key in self._held if all(key[i] == whole[i] for i in places)]:
            del self._held[key]

    def _end(self, kind: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Release the halves of a run or of a message."""
        ended = _key(kind, fields, "")
        count = 3 if kind == "run_finished" else 4
        keys = [key for key in self._held if key[1:count] == ended[1:count]]
        return [
            {
                "type": key[0],
                "agent_id": key[1],
                "run_id": key[2],
                "message_id": key[3],
                _NAMES[key[0]]: key[4],
                "derived": key[5],
                "delta": self._held.pop(key),
            }
            for key in keys
        ]


def _key(kind: str, fields: Mapping[str, Any], name: str) -> _Key:
    ids = (fields.get("agent_id"), fields.get("run_id"), fields.get("message_id"))
    return kind, *ids, fields.get(name, "0"), bool(fields.get("derived"))

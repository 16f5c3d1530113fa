r"""Join surrogate pairs that a source cut between two deltas of one text.

Below adapters, the registry and ``live()``. JSON may carry half of a character (``\ud83d``), and a server may cut its
text between two halves. An event holds valid Unicode only, so a half at a delta's end waits for the text's next delta.
A half that stays alone becomes U+FFFD when its message or run ends.

Numbered deltas may come in any order, so there a half at either end waits: a pair is joined in the place of its first
half as soon as no missing number can stand between the two. Halves that stay alone are released at the end.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from ._json_values import scrub

__all__ = ["HalfPairs", "scrub_inside"]

_NAMES: Final = {
    "text_delta": "part_id",
    "thinking_delta": "part_id",
    "tool_call_delta": "tool_call_id",
    "tool_progress": "tool_call_id",
}
"""By the type of a delta, the field that names its text."""
_Key = tuple[str, Any, Any, Any, Any, bool, str]
"""(type, agent id, run id, message id, name of the text, derived, counter)."""
_Order = tuple[Any, Any, bool, str]
"""(agent id, run id, derived, counter)."""
_BESIDE: Final = 1 << 40
"""Added to the ``sub`` of an event for a half of it: no native makes so many events."""
HELD: Final = 256
"""Halves of one numbered text that wait; the oldest goes alone beyond."""
TEXTS: Final = 64
"""Texts of one counter whose halves wait; those of the oldest text go alone beyond."""
ORDERS: Final = 1_000
"""Counters whose numbers are known, and thousands of halves that were joined: to tell a repeat from a new half."""
INTERVALS: Final = 1_000
"""Stretches of numbers of one counter that are known."""


def scrub_inside(text: str) -> str:
    """Scrub a delta, but for the halves at its ends: their other halves may stand in its neighbours."""
    if text.isascii():
        return text
    start = _begins_low(text)
    end = len(text) - _ends_high(text)
    return text[:start] + scrub(text[start:end]) + text[end:]


class _Half(NamedTuple):
    seq: int
    sub: int
    is_high: bool
    half: str


class _Numbers:
    """Hold the numbers that one counter has seen, as closed intervals."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, number: int) -> None:
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, number)
        if at and number <= ends[at - 1]:
            return
        follows = at > 0 and ends[at - 1] == number - 1
        leads = at < len(starts) and starts[at] == number + 1
        if follows and leads:
            ends[at - 1] = ends.pop(at)
            del starts[at]
        elif follows:
            ends[at - 1] = number
        elif leads:
            starts[at] = number
        else:
            starts.insert(at, number)
            ends.insert(at, number)
            if len(starts) > INTERVALS:
                del starts[: INTERVALS // 2], ends[: INTERVALS // 2]

    def spans(self, first: int, last: int) -> bool:
        """Return whether all numbers from *first* to *last* were seen."""
        at = bisect_right(self._starts, first)
        return last - first <= 1 or (at > 0 and last <= self._ends[at - 1])

    def before(self, number: int) -> int | None:
        """Return the greatest number seen that is lower than *number*."""
        at = bisect_right(self._starts, number - 1)
        return min(self._ends[at - 1], number - 1) if at else None

    def has_between(self, first: int, last: int) -> bool:
        """Return whether a number greater than *first* and lower than *last* was seen."""
        at = bisect_right(self._starts, last - 1)
        return at > 0 and self._ends[at - 1] > first and last - first > 1


class HalfPairs:
    """Hold the halves at the ends of deltas, by the text that each belongs to."""

    def __init__(self) -> None:
        self._held: dict[_Key, str] = {}  # of deltas without a number
        self._numbered: dict[_Order, dict[_Key, list[_Half]]] = {}
        self._numbers: dict[_Order, _Numbers] = {}
        self._of_text: dict[_Key, _Numbers] = {}
        self._joined: dict[tuple[_Key, _Half], None] = {}

    def join(self, kind: str, fields: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        """Return the deltas that must come before an event of type *kind*, as dicts, and the event's fields."""
        delta, seq = fields.get("delta"), fields.get("seq")
        if type(seq) is int:
            return self._join_numbered(kind, fields, (seq, fields.get("sub", 0)))
        is_open = isinstance(delta, str) and _ends_high(delta)
        if not (self._held or self._numbered or is_open) or not _has_ids(fields):
            return [], fields
        if kind in ("run_finished", "message_finished"):
            return self._end(kind, fields), fields
        self._replace(kind, fields)
        if kind not in _NAMES or not isinstance(delta, str):
            return [], fields
        key = _key(kind, fields, _NAMES[kind])
        delta = self._held.pop(key, "") + delta
        if is_open:
            self._held[key], delta = delta[-1], delta[:-1]
        return [], {**fields, "delta": delta}

    def release(self, agent_id: str | None = None, run_id: str | None = None) -> list[dict[str, Any]]:
        """Release all halves, or those of an agent or a run: return them as deltas, as dicts."""
        out: list[dict[str, Any]] = []
        for order in list(self._numbered):
            if agent_id in (None, order[0]) and run_id in (None, order[1]):
                for key, halves in self._numbered.pop(order).items():
                    out += self._pairs(key, halves, None)
                    out += [_alone(key, half) for half in halves]
        keys = [key for key in self._held if agent_id in (None, key[1]) and run_id in (None, key[2])]
        return out + [_delta(key, self._held.pop(key)) for key in keys]

    def _join_numbered(
        self, kind: str, fields: Mapping[str, Any], place: tuple[int, int]
    ) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        if not _has_ids(fields) or type(place[1]) is not int:
            return [], fields
        order = _order(fields)
        numbers = _add(self._numbers, order, place[0])
        delta = fields.get("delta")
        if kind in _NAMES and isinstance(delta, str) and delta:
            key = _key(kind, fields, _NAMES[kind])
            _add(self._of_text, key, place[0])
            if _begins_low(delta) or _ends_high(delta):
                fields = {**fields, "delta": self._without_halves(key, delta, place, numbers)}
        elif order in self._numbered or self._held:
            self._replace(kind, fields, place)
        if order not in self._numbered:
            return [], fields
        texts = self._numbered[order]
        made = [each for key, halves in texts.items() for each in self._pairs(key, halves, numbers)]
        while len(texts) > TEXTS:
            oldest = next(iter(texts))
            made += [_alone(oldest, half) for half in texts.pop(oldest)]
        if kind in ("run_finished", "message_finished"):
            made += self._end_numbered(kind, fields, numbers)
        self._drop_empty(order)
        while len(self._numbered) > ORDERS:
            made += self.release(*next(iter(self._numbered))[:2])
        return made, fields

    def _without_halves(self, key: _Key, delta: str, place: tuple[int, int], numbers: _Numbers) -> str:
        """Return the delta without the halves at its ends, and with a character whose second half has come before."""
        own = []
        if _begins_low(delta):
            own.append(_Half(*place, False, delta[0]))
            delta = delta[1:]
        if _ends_high(delta):
            own.append(_Half(*place, True, delta[-1]))
            delta = delta[:-1]
        halves = self._numbered.setdefault(_order_of(key), {}).setdefault(key, [])
        for half in own:
            if (key, half) in self._joined or half in halves:
                continue  # the event is a repeat
            insort(halves, half)
            at = halves.index(half)
            if half.is_high and self._is_pair(key, halves[at : at + 2], numbers):
                delta += self._take_pair(key, halves, at)
        return delta

    def _is_pair(self, key: _Key, both: list[_Half], numbers: _Numbers | None) -> bool:
        """Return whether two halves are one character; *numbers*, if given, must know all between them."""
        if len(both) < 2 or not both[0].is_high or both[1].is_high:  # noqa: PLR2004 - a pair
            return False
        first, last = both[0].seq, both[1].seq
        of_text = self._of_text.get(key)
        is_split = of_text is not None and of_text.has_between(first, last)
        return not is_split and (numbers is None or numbers.spans(first, last))

    def _take_pair(self, key: _Key, halves: list[_Half], at: int) -> str:
        high, low = halves[at], halves[at + 1]
        del halves[at : at + 2]
        self._joined[key, high] = self._joined[key, low] = None
        _drop_older(self._joined, 10 * ORDERS)
        return scrub(high.half + low.half)

    def _pairs(self, key: _Key, halves: list[_Half], numbers: _Numbers | None) -> list[dict[str, Any]]:
        """Take the pairs that are certain, without *numbers* all; return them, and halves beyond the limit, as deltas."""
        made = []
        at = 0
        while at < len(halves) - 1:
            if self._is_pair(key, halves[at : at + 2], numbers):
                high = halves[at]
                made.append(_alone(key, high._replace(half=self._take_pair(key, halves, at))))
            else:
                at += 1
        while len(halves) > HELD:
            made.append(_alone(key, halves.pop(0)))
        return made

    def _drop_empty(self, order: _Order) -> None:
        texts = {key: halves for key, halves in self._numbered[order].items() if halves}
        if texts:
            self._numbered[order] = texts
        else:
            del self._numbered[order]

    def _replace(self, kind: str, fields: Mapping[str, Any], place: tuple[int, int] | None = None) -> None:
        """Drop the halves of a text that comes whole.

        A whole replaces derived deltas too, and a call's start may come under another message. A numbered one replaces
        only what stands before it in its counter.
        """
        parts = (0, 1, 2, 4)
        if kind == "part_completed":
            whole = _key(f"{fields.get('kind', 'text')}_delta", fields, "part_id")
            parts = (0, 1, 2, 3, 4)  # type: ignore[assignment]
        elif kind == "tool_started" and fields.get("args") is not None:
            whole = _key("tool_call_delta", fields, "tool_call_id")
        elif kind in ("tool_progress", "tool_finished") and fields.get("output") is not None:
            whole = _key("tool_progress", fields, "tool_call_id")
        else:
            return
        for key in [key for key in self._held if all(key[i] == whole[i] for i in parts)]:
            del self._held[key]
        for order, texts in list(self._numbered.items()):
            if place is not None and order != _order(fields):
                continue
            for key, halves in texts.items():
                if all(key[i] == whole[i] for i in parts):
                    halves[:] = [half for half in halves if place is not None and half[:2] > place]
            self._drop_empty(order)

    def _end_numbered(self, kind: str, fields: Mapping[str, Any], numbers: _Numbers) -> list[dict[str, Any]]:
        """Release the halves that certainly stay alone: no number is missing between them and the end."""
        made = []
        for key, halves in self._numbered[_order(fields)].items():
            if kind == "run_finished" or fields.get("message_id") == key[3]:
                lone = [half for half in halves if self._is_lone(key, half, fields["seq"], numbers)]
                halves[:] = [half for half in halves if half not in lone]
                made += [_alone(key, half) for half in lone]
        return made

    def _is_lone(self, key: _Key, half: _Half, end: int, numbers: _Numbers) -> bool:
        """Return whether the text's neighbour on the other side of a half is known, or the end is: no pair is left."""
        if half.is_high:
            return half.seq < end and numbers.spans(half.seq, end)
        before = self._of_text[key].before(half.seq) if key in self._of_text else None
        return before is not None and numbers.spans(before, half.seq)

    def _end(self, kind: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Release the halves of a run or of a message that have no numbers."""
        ended = _key(kind, fields, "")
        count = 3 if kind == "run_finished" else 4
        keys = [key for key in self._held if key[1:count] == ended[1:count]]
        return [_delta(key, self._held.pop(key)) for key in keys]


def _begins_low(text: str) -> bool:
    return "\udc00" <= text[:1] <= "\udfff"


def _ends_high(text: str) -> bool:
    return "\ud800" <= text[-1:] <= "\udbff"


def _has_ids(fields: Mapping[str, Any]) -> bool:
    """Return whether the fields that tell texts apart are strings; else the event is refused anyway."""
    names = ("agent_id", "run_id", "message_id", "part_id", "tool_call_id", "counter")
    return all(isinstance(fields.get(name), str | None) for name in names)


def _order(fields: Mapping[str, Any]) -> _Order:
    return (
        fields.get("agent_id"),
        fields.get("run_id"),
        bool(fields.get("derived")),
        fields.get("counter") or "",
    )


def _key(kind: str, fields: Mapping[str, Any], name: str) -> _Key:
    agent_id, run_id, derived, counter = _order(fields)
    return kind, agent_id, run_id, fields.get("message_id"), fields.get(name, "0"), derived, counter


def _delta(key: _Key, text: str, **place: Any) -> dict[str, Any]:
    return {
        "type": key[0],
        "agent_id": key[1],
        "run_id": key[2],
        "message_id": key[3],
        _NAMES[key[0]]: key[4],
        "derived": key[5],
        "delta": text,
        **place,
    }


def _alone(key: _Key, half: _Half) -> dict[str, Any]:
    """Return a delta for one half, or for a character in the place of its high half, beside the half's event."""
    sub = half.sub + (_BESIDE if half.is_high else -_BESIDE)
    return _delta(key, half.half, counter=key[6], seq=half.seq, sub=sub)


def _order_of(key: _Key) -> _Order:
    return key[1], key[2], key[5], key[6]


def _add(known: dict[Any, _Numbers], key: Any, number: int) -> _Numbers:
    """Add a number to those of the key, and return them."""
    numbers = known.get(key)
    if numbers is None:
        numbers = known[key] = _Numbers()
        _drop_older(known, ORDERS)
    numbers.add(number)
    return numbers


def _drop_older(held: dict[Any, Any], limit: int) -> None:
    if len(held) > limit:
        for key in list(islice(held, len(held) // 2)):
            del held[key]

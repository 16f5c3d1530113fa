"""Hold the citations of a run's texts, in any order of arrival.

A citation may precede its text. The last event with an id counts; it may name another text than the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..parts import CitationValue
from .places import position, retain_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._ordering.counter import Counter, Place
    from ..events import Citation

__all__ = ["Citations"]


class Citations:
    """Hold the citations of one run, by message."""

    __slots__ = ("_by_message",)

    def __init__(self) -> None:
        self._by_message: dict[
            str | None, dict[str, dict[Counter | None, tuple[Place, Place, Citation]]]
        ] = {}

    def __bool__(self) -> bool:
        return bool(self._by_message)

    def has(self, message_id: str | None) -> bool:
        """Return whether a citation of the message has come."""
        return message_id in self._by_message

    def apply(self, event: Citation, place: Place) -> None:
        """Apply one event."""
        found = self._by_message.setdefault(event.message_id, {}).setdefault(event.citation_id, {})
        first = min(place, found[place[0]][0]) if place[0] in found else place
        last: dict[Counter | None, tuple[Place, Citation]] = {k: v[1:] for k, v in found.items()}
        retain_last(last, place[0], place, event)
        found[place[0]] = (first, *last[place[0]])

    def of(self, message_id: str | None, part_id: str, length: int) -> tuple[CitationValue, ...]:
        """Return the citations of a text of *length* code points, in the order of their first events."""
        found = self._by_message.get(message_id)
        if not found:
            return ()
        return tuple(_value(event, length) for event in self._newest(message_id) if event.part_id == part_id)

    def without_text(self, known: set[tuple[str | None, str]]) -> Iterator[tuple[str | None, str]]:
        """Yield the (message id, part id) of each cited text that is not among *known*."""
        seen = set(known)
        for message_id in self._by_message:
            for event in self._newest(message_id):
                if (message_id, event.part_id) not in seen:
                    seen.add((message_id, event.part_id))
                    yield message_id, event.part_id

    def _newest(self, message_id: str | None) -> list[Citation]:
        ordered = []
        for by_counter in self._by_message[message_id].values():
            first = min(position(item[0]) for item in by_counter.values())
            newest = max(by_counter.values(), key=lambda item: position(item[1]))[2]
            ordered.append((first, newest))
        return [event for _, event in sorted(ordered, key=lambda item: item[0])]


def _value(event: Citation, length: int) -> CitationValue:
    start, end = event.start, event.end
    if end is None or end > length or (start or 0) > end:
        start = end = None  # outside of the text, or reversed: a source without a mark
    names = ("citation_id", "url", "title", "quote", "source")
    return CitationValue(**{name: getattr(event, name) for name in names}, start=start, end=end)

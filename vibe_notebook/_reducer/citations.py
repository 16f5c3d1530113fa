"""Hold the citations of a run's texts, in any order of arrival.

A citation may precede its text. The last event with an id counts; it may name another text than the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..parts import CitationValue
from .places import position

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .._ordering.counter import Counter, Place
    from ..events import Citation

__all__ = ["Citations"]


class Citations:
    """Hold the citations of one run, by message."""

    __slots__ = ("_by_message",)

    def __init__(self) -> None:
        self._by_message: dict[str | None, _OfMessage] = {}

    def __bool__(self) -> bool:
        return bool(self._by_message)

    def messages(self) -> Iterable[str | None]:
        """Return the ids of the messages that have citations."""
        return self._by_message.keys()

    def version(self, message_id: str | None) -> int:
        """Return the number of events that the message's citations have had."""
        found = self._by_message.get(message_id)
        return found.version if found is not None else 0

    def apply(self, event: Citation, place: Place) -> None:
        """Apply one event."""
        self._by_message.setdefault(event.message_id, _OfMessage()).apply(event, place)

    def of(self, message_id: str | None, part_id: str, length: int) -> tuple[CitationValue, ...]:
        """Return the citations of a text of *length* code points, in the order of their first events."""
        found = self._by_message.get(message_id)
        if found is None:
            return ()
        return tuple(_value(event, length) for _, event in found.of_part(part_id))

    def without_text(self, message_id: str | None, known: Collection[str]) -> list[str]:
        """Return the ids of the message's cited parts that are not among *known*, by their first citations."""
        found = self._by_message.get(message_id)
        if found is None:
            return []
        others = {part_id: found.of_part(part_id) for part_id in found.parts if part_id not in known}
        firsts = {part_id: cited[0][0] for part_id, cited in others.items() if cited}
        return sorted(firsts, key=firsts.__getitem__)


class _OfMessage:
    __slots__ = ("_by_id", "parts", "version")

    def __init__(self) -> None:
        # Of each counter: the places of the first and of the last event, and the last event.
        self._by_id: dict[str, dict[Counter | None, tuple[Place, Place, Citation]]] = {}
        self.parts: dict[str, dict[str, None]] = {}
        """By part, the ids of the citations that have ever named it: each text reads only its own."""
        self.version = 0

    def apply(self, event: Citation, place: Place) -> None:
        self.version += 1
        self.parts.setdefault(event.part_id, {})[event.citation_id] = None
        found = self._by_id.setdefault(event.citation_id, {})
        first, last, newest = found.get(place[0], (place, place, event))
        if place >= last:
            last, newest = place, event
        found[place[0]] = min(first, place), last, newest

    def of_part(self, part_id: str) -> list[tuple[int, Citation]]:
        """Return (position of its first event, its last event) of each citation of a part, in order."""
        cited = []
        for citation_id in self.parts.get(part_id, ()):
            by_counter = self._by_id[citation_id].values()
            newest = max(by_counter, key=lambda item: position(item[1]))[2]
            if newest.part_id == part_id:
                cited.append((min(position(item[0]) for item in by_counter), newest))
        return sorted(cited, key=lambda item: item[0])


def _value(event: Citation, length: int) -> CitationValue:
    start, end = event.start, event.end
    if end is None or end > length or (start or 0) > end:
        start = end = None  # outside of the text, or reversed: a source without a mark
    names = ("citation_id", "url", "title", "quote", "source")
    return CitationValue(**{name: getattr(event, name) for name in names}, start=start, end=end)

"""Feed a reader with the items of a source, and count those that it could not read.

Below ``_log`` and ``_piped``, above the readers of ``adapters.logs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from .. import adapters
from ..adapters.logs import DIALECTS, LogReader
from ..events import Custom, Event
from ._dialects import Found
from ._lines import Said
from ._sources import Entry, Lost

__all__ = ["Feeder", "damage_words"]

_NAMED: Final = 3
"""Damaged lines whose places are named."""


class Feeder:
    """Make the events of a log. A log that is followed says a damage at once, any other at its end."""

    def __init__(
        self, found: Found, *, run_id: str, agent_id: str | None = None, follows: bool = False
    ) -> None:
        self._found = found
        self._reader = _reader(found, run_id, agent_id)
        self._follows = follows
        self._last: Event | None = None
        self._shows = False
        self._damaged = 0
        self._places: list[str] = []
        self._foreign = 0

    @property
    def agents(self) -> dict[str, str]:
        """Return the subagents that the log names so far, each with the call that began it."""
        return self._reader.agents if isinstance(self._reader, LogReader) else {}

    @property
    def files(self) -> dict[str, str]:
        """Return the subagents whose own files the log names so far, each with the path as it stands there."""
        return self._reader.files if isinstance(self._reader, LogReader) else {}

    def feed(self, item: Entry | Lost | Said) -> Iterator[Event]:
        """Yield the events of an item."""
        for event in self._events(item):
            self._last = event
            self._shows = self._shows or event.type == "message_started" or _is_line(event)
            yield event

    def _events(self, item: Entry | Lost | Said) -> list[Event]:
        if isinstance(item, Said):
            return self._say(item.words)
        if isinstance(item, Lost):
            self._damaged += 1
            if len(self._places) < _NAMED:
                self._places.append(item.place)
                if self._follows:
                    return self._say(damage_words(1, [item.place]))
            return []
        if self._is_foreign(item.value):
            self._foreign += 1
            return []
        if item.side and isinstance(self._reader, LogReader):
            return self._reader.feed_side(item.side, item.value, **item.about)
        return self._reader.feed(item.value)

    def finish(self) -> Iterator[Event]:
        """Yield a line for each kind of entry that could not be read, then the end of the run."""
        if self._damaged and not (self._follows and self._damaged <= _NAMED):
            yield from self._say(damage_words(self._damaged, self._places))
        if self._foreign:
            lines = "1 line was" if self._foreign == 1 else f"{self._foreign:,} lines were"
            yield from self._say(f"{lines} left out: not of the format of {self._found.agent}")
        if not self._shows and self._found.dialect is not None:
            yield from self._say("no message is in it")
        yield from self._reader.finish()

    def _say(self, words: str) -> list[Event]:
        if isinstance(self._reader, LogReader):
            return self._reader.say("log", words)
        last = self._last
        if last is None:
            return []
        return [Custom(agent_id=last.agent_id, run_id=last.run_id, name="log", value=words, shown=True)]

    def _is_foreign(self, value: object) -> bool:
        """Return whether an entry is of another format than the log; a newer kind of this one is not."""
        own = self._found.dialect
        if self._found.kind != "lines" or own is None or own.is_entry is None or own.is_entry(value):
            return False
        others = [each.is_entry for each in DIALECTS if each is not own and each.is_entry is not None]
        if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
            return True
        return any(is_entry(value) for is_entry in others)


def _reader(found: Found, run_id: str, agent_id: str | None) -> adapters.Adapter:
    if found.dialect is not None:
        return found.dialect.reader(agent_id=agent_id or found.dialect.name, run_id=run_id)
    name = found.adapter or "events"
    return adapters.get(name, agent_id=agent_id or name, run_id=run_id)


def _is_line(event: Event) -> bool:
    return isinstance(event, Custom) and event.shown and event.name not in ("log", "title")


def damage_words(count: int, places: list[str]) -> str:
    """Return the words for damaged lines, of which *places* names the first ones."""
    lines = "1 damaged line was" if count == 1 else f"{count:,} damaged lines were"
    return f"{lines} left out: {'; '.join(places)}{' and others' if count > len(places) else ''}"

"""Deltas that go on where the last one ended: the path of nearly every event of a stream.

Part of the registry, whose lock every method expects to be held. A streak only keeps their text;
the order and the log of its agent learn of all of it at once, before anybody looks at them. So
an event touches a handful of objects, which is what it costs where there are too many agents
for the processor's caches: 10,000 of them took three times as long as one when each delta was
entered in every structure on its way.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from .events import TextDelta, ThinkingDelta

if TYPE_CHECKING:
    from ._nodes import TextNode
    from ._track import Place, Track
    from .events import Event
    from .ordering import Sequencer

__all__ = ["Streak"]

LIMIT: Final = 512
"""Pieces after which they are entered: as many as a text joins to one string."""

_KEY: Final = itemgetter("run_id", "message_id", "part_id", "counter", "sub", "derived")


class Streak:
    """What follows *event*, the last one entered, without a gap and in the same part."""

    __slots__ = ("_cls", "_key", "_next", "_node", "_texts", "_track")

    def __init__(self, event: Event, place: Place, node: TextNode) -> None:
        self._cls = type(event)
        self._key = _KEY(event.__dict__)
        self._next = None if event.seq is None else event.seq + 1
        self._texts: list[str] = []
        self._track: Track | None = place[0]
        self._node = node

    @staticmethod
    def follows(event: Event, place: Place, node: TextNode) -> bool:
        """Whether there can be one: what comes next in that part can only be the end of its text."""
        return (
            isinstance(event, (TextDelta, ThinkingDelta))
            and not (event.sub or event.derived)
            and node.text.ends_with(place[0])
            and node.told == node.text.epoch
        )

    def take(self, event: Event) -> bool:
        """Take *event* if it is what comes next; else change nothing."""
        said = event.__dict__
        seq = said["seq"]
        if seq != self._next or type(event) is not self._cls or _KEY(said) != self._key:
            return False
        texts = self._texts
        if len(texts) >= LIMIT:
            return False
        texts.append(said["delta"])
        if seq is not None:
            self._next = seq + 1
        return True

    def enter(self, sequencer: Sequencer) -> None:
        """Let the order and the text know of it."""
        texts = self._texts
        if texts:
            arrival = sequencer.advance(self._track, len(texts))
            self._node.extend(self._track, arrival, texts)

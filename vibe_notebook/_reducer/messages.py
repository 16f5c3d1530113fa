"""Hold the starts and ends of a run's messages: their roles, usage and times, in any order of arrival.

Part of the reducer, below ``RunLog``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ..events import MessageFinished, MessageStarted, Usage
from ..parts import Message, Role, role_of
from .places import in_order, position, retain_first, retain_last

if TYPE_CHECKING:
    from .._ordering.counter import Counter, Place
    from ..events import Event

__all__ = ["MessageLog", "total"]

_Event = MessageStarted | MessageFinished
_Slot = tuple["Counter | None", str]


class _Builder(Protocol):
    """Describe the members of a part builder that the log reads."""

    def message(self) -> str | None:
        """Return the id of the part's message."""

    def first(self) -> int:
        """Return the position of the part's first event."""

    def times(self) -> tuple[float | None, float | None]:
        """Return the least and the greatest ``ts`` of the part's events."""


class MessageLog:
    """Hold the messages of one run."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        # By message: of each counter, the start, the end and the usage that its other events cannot replace. One
        # dictionary holds all three: a registry holds many small runs.
        self._found: dict[str | None, dict[_Slot, tuple[Place, _Event]]] = {}

    def apply(self, event: Event, place: Place) -> None:
        """Apply the start or the end of a message."""
        if not isinstance(event, (MessageStarted, MessageFinished)):
            return
        slots = self._found.setdefault(event.message_id, {})
        if isinstance(event, MessageStarted):
            retain_first(slots, (place[0], "start"), place, event)
            return
        retain_last(slots, (place[0], "end"), place, event)
        if event.usage is not None:
            retain_last(slots, (place[0], "usage"), place, event)

    def _events(self, message_id: str | None, kind: str) -> list[_Event]:
        """Return the retained events of one kind, in order."""
        slots = self._found.get(message_id, {})
        return [event for _, event in in_order([item for slot, item in slots.items() if slot[1] == kind])]

    def role_of(self, message_id: str | None) -> Role:
        """Return the role of a message; the assistant's without a message or its start."""
        starts = self._events(message_id, "start") if message_id is not None and self._found else None
        return role_of(getattr(starts[0], "role", None)) if starts else "assistant"

    def usages(self) -> list[Usage]:
        """Return the usage of each message that reports one."""
        usages = [_usage(self._events(message_id, "usage")) for message_id in self._found]
        return [usage for usage in usages if usage is not None]

    def read(self, run_id: str, builders: Iterable[_Builder]) -> list[Message]:
        """Return the messages in the order of their first events, those without a start too."""
        firsts: dict[str, int] = {}
        words: dict[str, list[float]] = {}
        for builder in builders:
            message_id = builder.message()
            if message_id is not None:
                first = builder.first()
                firsts[message_id] = min(first, firsts.get(message_id, first))
                if (ts := builder.times()[0]) is not None:
                    words.setdefault(message_id, []).append(ts)
        for message_id, slots in self._found.items():
            if message_id is not None:
                first = min(position(place) for place, _ in slots.values())
                firsts[message_id] = min(first, firsts.get(message_id, first))
        return [
            self._message(run_id, message_id, words.get(message_id, ()))
            for message_id in sorted(firsts, key=firsts.__getitem__)
        ]

    def _message(self, run_id: str, message_id: str, words: Collection[float]) -> Message:
        starts, ends = self._events(message_id, "start"), self._events(message_id, "end")
        role = self.role_of(message_id)
        usage = _usage(self._events(message_id, "usage")) if role == "assistant" else None
        reasons = [
            end.finish_reason for end in ends if isinstance(end, MessageFinished) and end.finish_reason
        ]
        times = [event.ts for event in starts if event.ts is not None] or list(words)
        return Message(
            message_id=message_id,
            run_id=run_id,
            role=role,
            model=usage.model if usage else None,
            provider=usage.provider if usage else None,
            usage=usage,
            finish_reason=reasons[-1] if reasons else None,
            started_at=min(times, default=None),
            first_at=min(words, default=None),
            finished_at=max((event.ts for event in ends if event.ts is not None), default=None),
        )


def _usage(ends: list[_Event]) -> Usage | None:
    last = ends[-1] if ends else None
    return last.usage if isinstance(last, MessageFinished) else None


def total(usages: list[Usage]) -> Usage | None:
    """Return the sum of the usages; a field that no usage has stays ``None``."""
    if len(usages) <= 1:
        return usages[0] if usages else None
    fields = (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "reasoning_tokens",
        "cache_write_tokens",
        "cost",
    )
    sums: dict[str, Any] = {}
    for field in fields:
        known = [value for usage in usages if (value := getattr(usage, field)) is not None]
        sums[field] = sum(known) if known else None
    names: dict[str, Any] = {
        name: next((value for usage in reversed(usages) if (value := getattr(usage, name))), None)
        for name in ("model", "provider")
    }
    return Usage(**sums, **names)

"""Build the parts whose last event counts: artifacts, plans, and lines that are shown.

``RunLog`` applies events to these part builders. Each retains one event a counter, whatever the order of arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..events import Artifact, Custom, Plan
from ..parts import ArtifactPart, CustomPart, PlanPart
from .places import position, retain_last, with_display
from .run import Key, PartBuilder

if TYPE_CHECKING:
    from .._ordering.counter import Counter, Place
    from ..events import Event
    from ..parts import Part
    from .run import RunLog

__all__ = ["ArtifactBuilder", "CustomBuilder", "LatestBuilder", "PlanBuilder"]


class LatestBuilder(PartBuilder):
    """Build a part from the last event with its id."""

    __slots__ = ("latest",)

    def __init__(self, run: RunLog, key: Key) -> None:
        super().__init__(run, key)
        self.latest: dict[Counter | None, tuple[Place, Event]] = {}  # the last event of each counter

    @property
    def is_empty(self) -> bool:
        return not self.latest

    def newest(self) -> Event:
        """Return the last event, in order."""
        return max(self.latest.values(), key=lambda item: position(item[0]))[1]

    def changed_at(self) -> int:
        """Return the position of the last event."""
        return max(position(place) for place, _ in self.latest.values())

    def message(self) -> str | None:
        return self.newest().message_id

    def newest_of(self, event: Event) -> Event:
        del event
        return self.newest()

    def places(self) -> list[Place]:
        return list(self.first_places.values())

    def compact(self) -> None:
        """Free nothing: a builder retains one event a counter."""

    def _apply(self, event: Event, place: Place) -> None:
        retain_last(self.latest, place[0], place, event)

    def _drop_derived(self, message_id: str | None) -> None:
        """Drop nothing: these parts have no derived deltas."""


class ArtifactBuilder(LatestBuilder):
    """Build the part of a file, image or document."""

    __slots__ = ()

    def part(self) -> Part | None:
        event = self.newest()
        if not isinstance(event, Artifact):
            return None
        names = {"artifact_id", "action", "name", "media_type", "data", "url", "tool_call_id"}
        part = ArtifactPart(**self.common(event.message_id), **event.model_dump(include=names))
        return with_display(part, event.display)


class PlanBuilder(LatestBuilder):
    """Build the part of a plan; the calls that wrote it are stored in the run."""

    __slots__ = ()

    def part(self) -> Part | None:
        event = self.newest()
        if not isinstance(event, Plan):
            return None
        return PlanPart(
            **self.common(event.message_id),
            plan_id=event.plan_id,
            entries=event.entries,
            tool_call_id=event.tool_call_id,
        )

    def _apply(self, event: Event, place: Place) -> None:
        super()._apply(event, place)
        if isinstance(event, Plan) and event.tool_call_id is not None:
            self.run.set_plan_call(event.tool_call_id, event.plan_id)


class CustomBuilder(LatestBuilder):
    """Build the part of one line that is shown."""

    __slots__ = ()

    def part(self) -> Part | None:
        event = self.newest()
        if not isinstance(event, Custom):
            return None
        return CustomPart(
            **self.common(event.message_id),
            custom_id=self.name,
            name=event.name,
            value=event.value,
            tool_call_id=event.tool_call_id,
        )

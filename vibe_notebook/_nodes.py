"""The growing parts of a run: what the reducer applies events to.

A node keeps what was said of its part with the place of each saying, and folds it when read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._node import Node, keep_last, position, twin
from ._pieces import Pieces
from ._tool_node import ToolNode
from .events import Artifact, PartCompleted, TextDelta, ThinkingDelta
from .transcript import ArtifactPart, Part, TextPart, ThinkingPart

if TYPE_CHECKING:
    from ._runs import RunLog
    from ._track import Place, Track
    from .events import Event

__all__ = ["ArtifactNode", "Node", "TextNode", "ToolNode", "position"]


CREDIT: Final = 100_000
"""Characters of a text that are told whole, again and again, before it has to be earned."""


class TextNode(Node):
    """A text or thinking part."""

    __slots__ = ("credit", "text", "told")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        super().__init__(run, key, message_id)
        self.text = Pieces()
        self.credit = CREDIT
        self.told = 0  # the epoch of the text that callbacks have

    @property
    def is_empty(self) -> bool:
        return self.text.is_empty

    def places(self) -> list[Place]:
        self.text.refresh()
        return [block.place() for block in self.text.blocks]

    def part(self) -> Part | None:
        self.text.refresh()
        text = self.text.read()
        cls = ThinkingPart if self.kind == "thinking" else TextPart
        return (
            cls(run_id=self.run.run_id, message_id=self.message_id, part_id=self.name, text=text)
            if text
            else None
        )

    def compact(self) -> None:
        self.text.compact()

    def _take(self, event: Event, place: Place) -> None:
        if isinstance(event, PartCompleted):
            self.text.add(place, event.text, whole=True, derived=twin(event))
        elif isinstance(event, (TextDelta, ThinkingDelta)):
            self.text.add(place, event.delta, derived=twin(event))

    def _drop_derived(self, message_id: str | None) -> None:
        self.text.drop_derived(message_id)


class ArtifactNode(Node):
    """A file, image or document: the last one said with its id."""

    __slots__ = ("said",)

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        super().__init__(run, key, message_id)
        self.said: dict[Track | None, tuple[Place, Artifact]] = {}  # each track's last

    @property
    def is_empty(self) -> bool:
        return not self.said

    def places(self) -> list[Place]:
        return list(self.since.values())

    def part(self) -> Part | None:
        _, event = max(self.said.values(), key=lambda item: position(item[0]))
        return ArtifactPart(
            run_id=self.run.run_id,
            message_id=event.message_id,
            **event.model_dump(
                include={"artifact_id", "action", "name", "media_type", "data", "url", "tool_call_id"}
            ),
        )

    def compact(self) -> None:
        """An artifact is small in number: nothing to free."""

    def _take(self, event: Event, place: Place) -> None:
        if isinstance(event, Artifact):
            keep_last(self.said, place[0], place, event)

    def _drop_derived(self, message_id: str | None) -> None:
        """Artifacts have no derived twins."""

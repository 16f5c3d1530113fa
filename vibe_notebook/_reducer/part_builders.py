"""The growing parts of a run: what the reducer applies events to.

A node keeps what was said of its part with the place of each saying, and folds it when read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from .._ordering.sequencer import DELTA_KINDS
from ..events import (
    Artifact,
    PartCompleted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from ..parts import ArtifactPart, Part, Progress, TextPart, ThinkingPart, ToolPart, ToolState
from .growing_text import GrowingText
from .run import Key, PartBuilder, keep_first, keep_last, position, twin

if TYPE_CHECKING:
    from .._ordering.counter import Counter, Place
    from ..events import Event
    from .run import RunLog

__all__ = ["ArtifactBuilder", "PartBuilder", "Standing", "TextBuilder", "ToolBuilder", "kind_of", "position"]


# A tool call in the making: argument text, progress text, and the other things said of it.
#
# Part of the reducer. A call may be completed by events of later runs, its *followers*.

_FIELDS: Final = ("progress", "total", "message", "state")
_Said = tuple["Counter | None", "tuple[str | None] | None"]
"""(track, the message that it is a second-hand twin of)."""


class ToolBuilder(PartBuilder):
    """A tool call: argument text, progress text, and the other things said of it."""

    __slots__ = ("_begun", "_said", "args", "followers", "messages", "names", "news", "output", "target")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        super().__init__(run, key, message_id)
        self.args = GrowingText()
        self.output = GrowingText()
        # Of each track what its later events cannot replace: by (track, what it says), the first or last.
        self._said: dict[tuple[Counter | None, str], tuple[Place, Event]] = {}
        self._begun: dict[Counter | None, Place] = {}  # of each track, the first place of what is no text
        self.news = 0  # how often anything but text was said
        self.names: dict[_Said, tuple[Place, str]] = {}  # the last
        self.messages: dict[_Said, tuple[Place, str | None]] = {}  # the first
        self.target: ToolBuilder | None = None  # the earlier call that this one's events complete
        self.followers: dict[ToolBuilder, None] = {}

    @property
    def tool_call_id(self) -> str:
        return self.name

    @property
    def is_empty(self) -> bool:
        return not self._said and self.args.is_empty and self.output.is_empty

    def places(self) -> list[Place]:
        self.args.refresh()
        self.output.refresh()
        texts = [block.place() for text in (self.args, self.output) for block in text.blocks]
        return [*texts, *self._begun.values()]

    def is_written_here(self) -> bool:
        """Whether its first event in order is the model writing it, in its own run."""
        written = self.args.first()
        return written is not None and not self.args.blocks[0].whole and written == self.first()

    def relink(self, target: ToolBuilder | None) -> None:
        """Complete *target* with this call's events; ``None``: be a call of its own."""
        if target is self.target:
            return
        before, self.target = self.target, target
        if before is not None:
            before.version += 1
            del before.followers[self]
        if target is not None:
            target.version += 1
            is_last = not target.followers or next(reversed(target.followers)).run.arrival <= self.run.arrival
            target.followers[self] = None
            if not is_last:
                target.followers = dict.fromkeys(sorted(target.followers, key=lambda n: n.run.arrival))

    def state(self) -> ToolState:
        """The one state, whatever came: a result outlasts all that is not one."""
        standing = Standing()
        for node in (self, *self.followers):
            standing.take(node)
        return standing.state

    def part(self) -> Part | None:
        if self.target is not None:
            return None
        events = self._events()
        args_text, args = self.arguments()
        finished = next((e for e in reversed(events) if isinstance(e, ToolFinished)), None)
        output: Any = finished.output if finished is not None else None
        if output is None:
            output = self.progress_output()
        started = next((e.ts for e in events if isinstance(e, ToolStarted) and e.ts is not None), None)
        return ToolPart(
            run_id=self.run.run_id,
            message_id=min(self.messages.values(), key=lambda item: position(item[0]))[1],
            tool_call_id=self.tool_call_id,
            tool_name=self.tool_name(),
            args=args,
            args_text=args_text,
            state=self.state(),
            output=output,
            error=finished.error if finished is not None else None,
            progress=self.progress(events),
            started_at=started,
            finished_at=finished.ts if finished is not None else None,
        )

    def tool_name(self) -> str:
        """The last name that anything said of it."""
        for node in (self, *self.followers):
            if node.names:
                return max((position(place), name) for place, name in node.names.values())[1]
        return ""

    def arguments(self) -> tuple[str, Any]:
        """(text so far, value if that text is complete JSON)."""
        source = next((n.args for n in reversed(self.followers) if not n.args.is_empty), self.args)
        text = source.read()
        is_value, value = source.value()
        if is_value and not isinstance(value, str):
            return text, value
        return text, _loads(text)

    def progress_output(self) -> Any:
        """What progress events built: the appended text, or the value that replaced it."""
        source = next((n.output for n in reversed(self.followers) if not n.output.is_empty), self.output)
        if source.is_empty:
            return None
        is_value, value = source.value()
        return value if is_value else source.read()

    def progress(self, events: list[Event] | None = None) -> Progress | None:
        """How far it says it is."""
        said: dict[str, Any] = {}
        for event in self._events() if events is None else events:
            if isinstance(event, ToolProgress):
                new = {"progress": event.progress, "total": event.total, "message": event.message}
                said.update({k: v for k, v in new.items() if v is not None})
        return Progress(**said) if said else None

    def compact(self) -> None:
        self.args.compact()
        self.output.compact()

    def own_events(self) -> list[Event]:
        """What its own run said of it, in order."""
        return [event for _, event in self.said()]

    def said(self) -> list[tuple[Place, Event]]:
        """The same with the places."""
        said = list(self._said.values())
        # By place first: one event may be there for several reasons.
        said = list({place: (place, event) for place, event in said}.values())
        return sorted(said, key=lambda item: position(item[0])) if len(said) > 1 else said

    def _events(self) -> list[Event]:
        """What was said, in order, what completes it from later runs included."""
        return [event for node in (self, *self.followers) for event in node.own_events()]

    def _take(self, event: Event, place: Place) -> None:
        name = getattr(event, "tool_name", None)
        # Of what is second-hand only deltas go when the first hand speaks: what else it said stays.
        source = twin(event) if isinstance(event, ToolCallDelta) else None
        key = (place[0], source)
        if name:
            keep_last(self.names, key, place, name)
        keep_first(self.messages, key, place, event.message_id)
        if isinstance(event, ToolCallDelta):
            self.args.add(place, event.delta, derived=twin(event))
            return
        if isinstance(event, ToolStarted) and event.args is not None:
            text = event.args if isinstance(event.args, str) else json.dumps(event.args, ensure_ascii=False)
            self.args.add(place, text, whole=True, value=event.args)
        if isinstance(event, ToolProgress):
            if event.output is not None:
                text = (
                    event.output
                    if isinstance(event.output, str)
                    else json.dumps(event.output, ensure_ascii=False)
                )
                self.output.add(place, text, whole=True, value=event.output)
            if event.delta is not None:
                self.output.add(place, event.delta)
            if event.delta is not None or event.output is not None:
                if (event.progress, event.total, event.message, event.state) == (None,) * 4:
                    runs = self._said.get((place[0], "runs"))
                    if runs is not None and runs[0] < place:
                        return  # only text, and the call is known to run before it: nothing to remember
                event = event.model_copy(update={"delta": None, "output": None})
        self._remember(place, event)

    def _remember(self, place: Place, event: Event) -> None:
        """Keep what the track's other events leave of this one."""
        self.news += 1
        said, track = self._said, place[0]
        self._begun[track] = min(place, self._begun.get(track, place))
        if isinstance(event, ToolFinished):
            keep_last(said, (track, "finished"), place, event)
            return
        keep_first(said, (track, "runs"), place, event)
        if isinstance(event, ToolStarted):
            keep_last(said, (track, "started"), place, event)
            if event.ts is not None:
                keep_first(said, (track, "time"), place, event)
        elif isinstance(event, ToolProgress):
            for name in _FIELDS:
                if getattr(event, name) is not None:
                    keep_last(said, (track, name), place, event)
            if event.state == "awaiting_approval":
                keep_last(said, (track, "asked"), place, event)

    def _drop_derived(self, message_id: str | None) -> None:
        self.args.drop_derived(message_id)
        self.names = {key: said for key, said in self.names.items() if key[1] != (message_id,)}
        self.messages = {key: said for key, said in self.messages.items() if key[1] != (message_id,)}


class Standing:
    """What a call's nodes, taken in the order of their runs, say of how it stands."""

    def __init__(self) -> None:
        self._status: ToolState | None = None
        self._said: ToolState = "preparing"
        self._asked = -1
        self._run: RunLog | None = None

    def take(self, node: ToolBuilder) -> None:
        """Take the next node."""
        self._run = node.run
        for place, event in node.said():
            if isinstance(event, ToolFinished):
                self._status = event.status
            elif isinstance(event, ToolStarted):
                self._said = "running"
            elif isinstance(event, ToolProgress):
                self._said = event.state or ("running" if self._said == "preparing" else self._said)
                if event.state == "awaiting_approval":
                    self._asked = max(self._asked, position(place))

    @property
    def state(self) -> ToolState:
        """The one state, whatever came: a result outlasts all that is not one."""
        if self._status is not None:
            return self._status
        is_over = self._run is not None and self._run.ended
        return "unfinished" if is_over and self._said in ("preparing", "running") else self._said

    @property
    def open_since(self) -> int | None:
        """The position from which on a later run's result completes it; ``None``: it has its own.

        That is where it asked for approval, or where its run ended without a result.
        """
        state = self.state
        if state == "unfinished" and self._status is None and self._run is not None:
            return self._run.ended_at
        return self._asked if state == "awaiting_approval" and self._asked >= 0 else None


def _loads(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


CREDIT: Final = 100_000
"""Characters of a text that are told whole, again and again, before it has to be earned."""


class TextBuilder(PartBuilder):
    """A text or thinking part."""

    __slots__ = ("credit", "text", "told")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        super().__init__(run, key, message_id)
        self.text = GrowingText()
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


class ArtifactBuilder(PartBuilder):
    """A file, image or document: the last one said with its id."""

    __slots__ = ("said",)

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        super().__init__(run, key, message_id)
        self.said: dict[Counter | None, tuple[Place, Artifact]] = {}  # each track's last

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


def kind_of(event: Event) -> tuple[Key, type[PartBuilder]] | None:
    """Return an event's part, as its key and its builder; ``None``: the event is of the run as a whole."""
    # Tuples, not unions: this is on the path of every delta, and a union is made anew each time.
    if isinstance(event, (TextDelta, ThinkingDelta)):
        return (DELTA_KINDS[event.type], event.message_id, event.part_id), TextBuilder
    if isinstance(event, (ToolCallDelta, ToolStarted, ToolProgress, ToolFinished)):
        return ("tool", None, event.tool_call_id), ToolBuilder
    if isinstance(event, PartCompleted):
        return (event.kind, event.message_id, event.part_id), TextBuilder
    if isinstance(event, Artifact):
        return ("artifact", None, event.artifact_id), ArtifactBuilder
    return None

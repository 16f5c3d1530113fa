"""Build each part of a run from its events: texts, tool calls and artifacts.

``RunLog`` applies events to these part builders. A part builder retains events with their places, and reduces
them to the part's value when a caller reads it. So a late event changes the part as if it had come in time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from .._json_values import to_json_value
from .._ordering.sequencer import DELTA_KINDS
from ..events import (
    Artifact,
    Custom,
    InputAnswered,
    InputRequested,
    PartCompleted,
    Plan,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from ..parts import Part, Progress, RequestValue, TextPart, ThinkingPart, ToolPart, ToolState
from .growing_text import GrowingText
from .latest_builders import ArtifactBuilder, CustomBuilder, PlanBuilder
from .places import position, retain_first, retain_last, twin, with_display
from .requests import RequestBuilder
from .run import Key, PartBuilder

if TYPE_CHECKING:
    from .._ordering.counter import Counter, Place
    from ..events import Event
    from .run import RunLog

__all__ = ["ArtifactBuilder", "CallState", "PartBuilder", "TextBuilder", "ToolBuilder", "kind_of", "position"]


_FIELDS: Final = ("progress", "total", "message", "state")
_Source = tuple["Counter | None", "tuple[str | None] | None"]
"""(counter, (message id,) of a derived delta)."""


def kind_of(event: Event) -> tuple[Key, type[PartBuilder]] | None:
    """Return an event's part, as its key and its builder; ``None``: the event is about the run as a whole."""
    # Tuples, not unions: Python would make a new union for each event, and every delta passes here.
    if isinstance(event, (TextDelta, ThinkingDelta)):
        return (DELTA_KINDS[event.type], event.message_id, event.part_id), TextBuilder
    if isinstance(event, (ToolCallDelta, ToolStarted, ToolProgress, ToolFinished)):
        return ("tool", None, event.tool_call_id), ToolBuilder
    if isinstance(event, PartCompleted):
        if event.kind == "args":
            return ("tool", None, event.part_id), ToolBuilder
        return (event.kind, event.message_id, event.part_id), TextBuilder
    if isinstance(event, Artifact):
        return ("artifact", None, event.artifact_id), ArtifactBuilder
    if isinstance(event, Custom):
        return (("custom", None, ""), CustomBuilder) if event.shown else None
    if isinstance(event, Plan):
        return ("plan", None, event.plan_id), PlanBuilder
    if isinstance(event, (InputRequested, InputAnswered)):
        return ("input", None, event.request_id), RequestBuilder
    return None


class TextBuilder(PartBuilder):
    """Build a text or thinking part."""

    __slots__ = ("text",)

    def __init__(self, run: RunLog, key: Key) -> None:
        super().__init__(run, key)
        self.text = GrowingText()

    @property
    def is_empty(self) -> bool:
        return self.text.is_empty

    @property
    def is_blank(self) -> bool:
        """Return whether the part has no text: no form shows it then."""
        self.text.refresh()
        return self.text.size == 0

    def text_of(self, event: Event) -> GrowingText | None:
        del event
        return self.text

    def places(self) -> list[Place]:
        self.text.refresh()
        return [block.place() for block in self.text.blocks]

    def part(self) -> Part | None:
        self.text.refresh()
        text = self.text.read()
        if not text:
            return None
        common = self.common(self.message_id)
        if self.kind == "thinking":
            return ThinkingPart(**common, part_id=self.name, text=text)
        citations = self.run.citations.of(self.message_id, self.name, len(text))
        return TextPart(**common, part_id=self.name, text=text, citations=citations)

    def compact(self) -> None:
        self.text.compact()

    def _apply(self, event: Event, place: Place) -> None:
        if isinstance(event, PartCompleted):
            self.text.add(place, event.text, whole=True, derived=twin(event))
        elif isinstance(event, (TextDelta, ThinkingDelta)):
            self.text.add(place, event.delta, derived=twin(event))

    def _drop_derived(self, message_id: str | None) -> None:
        self.text.drop_derived(message_id)


class ToolBuilder(PartBuilder):
    """Build a tool call's part: argument text, progress text, state and result.

    Events of later runs may complete a call: their own builders become its *followers*.
    """

    __slots__ = (
        "_event_places",
        "_retained",
        "args",
        "followers",
        "messages",
        "names",
        "news",
        "output",
        "target",
    )

    def __init__(self, run: RunLog, key: Key) -> None:
        super().__init__(run, key)
        self.args = GrowingText()
        self.output = GrowingText()
        # By (counter, reason), the first or the last event that the counter's other events cannot replace.
        self._retained: dict[tuple[Counter | None, str], tuple[Place, Event]] = {}
        self._event_places: dict[
            Counter | None, Place
        ] = {}  # of each counter, the first event that is no text
        self.news = 0  # count of events that are no text
        self.names: dict[_Source, tuple[Place, str]] = {}  # the last
        self.messages: dict[_Source, tuple[Place, str | None]] = {}  # the first
        self.target: ToolBuilder | None = None  # the earlier call that this one's events complete
        self.followers: dict[ToolBuilder, None] = {}

    @property
    def tool_call_id(self) -> str:
        return self.name

    @property
    def is_empty(self) -> bool:
        return not self._retained and self.args.is_empty and self.output.is_empty

    def places(self) -> list[Place]:
        self.args.refresh()
        self.output.refresh()
        texts = [block.place() for text in (self.args, self.output) for block in text.blocks]
        return [*texts, *self._event_places.values()]

    def text_of(self, event: Event) -> GrowingText | None:
        if isinstance(event, ToolProgress):
            return self.output if event.delta is not None or event.output is not None else None
        if isinstance(event, ToolStarted):
            return self.args if event.args is not None else None
        return self.args if isinstance(event, (ToolCallDelta, PartCompleted)) else None

    def newest_of(self, event: Event) -> Event:
        if not isinstance(event, ToolFinished):
            return event
        return next(e for e in reversed(self.own_events()) if isinstance(e, ToolFinished))

    def is_written_here(self) -> bool:
        """Return whether the call's first event in order is a delta of its arguments, in its own run."""
        written = self.args.first()
        return written is not None and not self.args.blocks[0].whole and written == self.first()

    def relink(self, target: ToolBuilder | None) -> None:
        """Complete *target* with this call's events; ``None``: stand as a call of its own again."""
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
                target.followers = dict.fromkeys(sorted(target.followers, key=lambda each: each.run.arrival))

    def state(self) -> ToolState:
        """Return the call's state; a result outlasts all other events."""
        state = CallState()
        for builder in (self, *self.followers):
            state.apply(builder)
        return state.state

    def part(self) -> Part | None:
        if self.target is not None:
            return None
        events = self._events()
        args_text, args = self.arguments()
        finished = next((e for e in reversed(events) if isinstance(e, ToolFinished)), None)
        output: Any = finished.output if finished is not None else None
        written = self.progress_output()
        if output is None:
            output, written = written, None
        started = next((e.ts for e in events if isinstance(e, ToolStarted) and e.ts is not None), None)
        part = ToolPart(
            **self.common(self.message()),
            tool_call_id=self.tool_call_id,
            tool_name=self.tool_name(),
            args=args,
            args_text=args_text,
            state=self.state(),
            output=output,
            written=written if isinstance(written, str) and not self._replaces_output() else "",
            error=finished.error if finished is not None else None,
            progress=self.progress(events),
            executed_at=started,
            request=self.request(),
            plan_id=self.run.plan_calls.get(self.tool_call_id),
        )
        return with_display(part, self.display(events))

    def display(self, events: list[Event]) -> dict[str, Any] | None:
        """Return the last bundle that the call's events carry."""
        bundles = (getattr(event, "display", None) for event in reversed(events))
        return next((bundle for bundle in bundles if bundle is not None), None)

    def request(self) -> RequestValue | None:
        """Return the call's newest request; an open one first."""
        requests = [value for one in self.requests() if (value := one.request()) is not None]
        return next((one for one in requests if one.is_open), requests[-1] if requests else None)

    def requests(self) -> list[RequestBuilder]:
        """Return the requests about this call, in order."""
        return [
            one
            for builder in (self, *self.followers)
            for one in builder.run.requests_of(builder.tool_call_id)
            if isinstance(one, RequestBuilder)
        ]

    def message(self) -> str | None:
        first = min(self.messages.values(), key=lambda item: position(item[0]), default=None)
        return first[1] if first is not None else None

    def tool_name(self) -> str:
        """Return the tool's name by the last event, in order, that has one."""
        for builder in (self, *self.followers):
            if builder.names:
                return max((position(place), name) for place, name in builder.names.values())[1]
        return ""

    def arguments(self) -> tuple[str, Any]:
        """Return (argument text so far, its value if that text is complete JSON)."""
        source = next((n.args for n in reversed(self.followers) if not n.args.is_empty), self.args)
        text = source.read()
        is_value, value = source.value()
        if is_value and not isinstance(value, str):
            return text, value
        return text, _loads(text)

    def progress_output(self) -> Any:
        """Return the output that progress events built: the appended text, or the value that replaced it."""
        source = self._output_text()
        if source.is_empty:
            return None
        is_value, value = source.value()
        return value if is_value else source.read()

    def _output_text(self) -> GrowingText:
        return next((n.output for n in reversed(self.followers) if not n.output.is_empty), self.output)

    def _replaces_output(self) -> bool:
        """Return whether the last progress is a whole output: a preliminary result, which the result replaces."""
        return self._output_text().value()[0]

    def progress(self, events: list[Event] | None = None) -> Progress | None:
        """Return the progress that the tool reports; ``None`` without a report."""
        values: dict[str, Any] = {}
        for event in self._events() if events is None else events:
            if isinstance(event, ToolProgress):
                new = {"progress": event.progress, "total": event.total, "message": event.message}
                values.update({k: v for k, v in new.items() if v is not None})
        return Progress(**values) if values else None

    def compact(self) -> None:
        self.args.compact()
        self.output.compact()

    def own_events(self) -> list[Event]:
        """Return the retained events of the call's own run, in order."""
        return [event for _, event in self.placed_events()]

    def placed_events(self) -> list[tuple[Place, Event]]:
        """Return the retained events of the call's own run with their places, in order."""
        retained = list(self._retained.values())
        # By place first: an event may be retained for several reasons.
        retained = list({place: (place, event) for place, event in retained}.values())
        return sorted(retained, key=lambda item: position(item[0])) if len(retained) > 1 else retained

    def _events(self) -> list[Event]:
        """Return the retained events in order, with those of later runs that complete the call."""
        return [event for builder in (self, *self.followers) for event in builder.own_events()]

    def _apply(self, event: Event, place: Place) -> None:
        name = getattr(event, "tool_name", None)
        # A retraction drops only derived deltas: the call's other derived events stay.
        is_text = isinstance(event, (ToolCallDelta, PartCompleted))
        source = twin(event) if is_text else None
        key = (place[0], source)
        if name:
            retain_last(self.names, key, place, name)
        retain_first(self.messages, key, place, event.message_id)
        if isinstance(event, ToolCallDelta):
            self.args.add(place, event.delta, derived=source)
            return
        if isinstance(event, PartCompleted):
            self.args.add(place, event.text, whole=True, value=event.text, derived=source)
            return
        if isinstance(event, ToolStarted) and event.args is not None:
            text = event.args if isinstance(event.args, str) else event.args_text
            text = json.dumps(event.args, ensure_ascii=False) if text is None else text
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
                others = (event.progress, event.total, event.message, event.state, event.display)
                if others == (None,) * 5:
                    runs = self._retained.get((place[0], "runs"))
                    if runs is not None and runs[0] < place:
                        return  # only text, and an earlier event shows that the call runs
                event = event.model_copy(update={"delta": None, "output": None})
        self._retain(place, event)

    def _retain(self, place: Place, event: Event) -> None:
        """Retain the event under each reason that the counter's other events leave to it."""
        self.news += 1
        retained, counter = self._retained, place[0]
        self._event_places[counter] = min(place, self._event_places.get(counter, place))
        if getattr(event, "display", None) is not None:
            retain_last(retained, (counter, "display"), place, event)
        if isinstance(event, ToolFinished):
            retain_last(retained, (counter, "finished"), place, event)
            return
        retain_first(retained, (counter, "runs"), place, event)
        if isinstance(event, ToolStarted):
            retain_last(retained, (counter, "started"), place, event)
            if event.ts is not None:
                retain_first(retained, (counter, "time"), place, event)
        elif isinstance(event, ToolProgress):
            for name in _FIELDS:
                if getattr(event, name) is not None:
                    retain_last(retained, (counter, name), place, event)
            if event.state == "awaiting_approval":
                retain_last(retained, (counter, "asked"), place, event)

    def _drop_derived(self, message_id: str | None) -> None:
        self.args.drop_derived(message_id)
        self.names = {key: value for key, value in self.names.items() if key[1] != (message_id,)}
        self.messages = {key: value for key, value in self.messages.items() if key[1] != (message_id,)}


class CallState:
    """Reduce a call's builders, in the order of their runs, to the call's state."""

    def __init__(self) -> None:
        self._status: ToolState | None = None
        self._latest: ToolState = "preparing"
        self._asked_at = -1
        self._run: RunLog | None = None
        self._open: set[str] = set()  # requests without an answer
        self._approvals: set[str] = set()
        self._refused: ToolState | None = None  # by the newest answer to an approval

    def apply(self, builder: ToolBuilder) -> None:
        """Apply the next builder's events, and the requests about it."""
        self._run = builder.run
        for place, event in _with_requests(builder):
            if isinstance(event, ToolFinished):
                # An SDK tells a refusal to its model as the call's result: it is none.
                is_refusal = self._refused is not None and event.status in ("ok", "error")
                self._status = self._refused if is_refusal else event.status
            elif isinstance(event, ToolStarted):
                self._latest = "running"
            elif isinstance(event, ToolProgress):
                self._latest = event.state or ("running" if self._latest == "preparing" else self._latest)
                if event.state == "awaiting_approval":
                    self._asked_at = max(self._asked_at, position(place))
            elif isinstance(event, InputRequested):
                self._latest = "awaiting_approval"
                self._open.add(event.request_id)
                if event.kind == "approval":
                    self._approvals.add(event.request_id)
                self._asked_at = max(self._asked_at, position(place))
            elif isinstance(event, InputAnswered):
                self._open.discard(event.request_id)
                if event.request_id in self._approvals:
                    self._refused = None if event.action == "accept" else _ANSWERS[event.action]
                self._latest = "awaiting_approval" if self._open else _ANSWERS[event.action]

    @property
    def state(self) -> ToolState:
        """Return the call's state; a result outlasts all other events."""
        if self._status is not None:
            return self._status
        is_over = self._run is not None and self._run.ended
        if self._open and self._run is not None and self._run.has_settled:
            return "cancelled"
        return "unfinished" if is_over and self._latest in ("preparing", "running") else self._latest

    @property
    def open_since(self) -> int | None:
        """Return the position after which a later run's result completes the call; ``None``: none can.

        This is the position at which the call asked for approval, or its run ended without a result.
        """
        state = self.state
        if state == "unfinished" and self._status is None and self._run is not None:
            return self._run.ended_at
        return self._asked_at if state == "awaiting_approval" and self._asked_at >= 0 else None


_ANSWERS: Final[dict[str, ToolState]] = {"accept": "running", "decline": "denied", "cancel": "cancelled"}


def _with_requests(builder: ToolBuilder) -> list[tuple[Place, Event]]:
    """Return the call's events with the requests about it and their answers, in order."""
    events = builder.placed_events()
    steps: list[tuple[Place, Event]] = [
        step
        for request in builder.run.requests_of(builder.tool_call_id)
        if isinstance(request, RequestBuilder)
        for step in (request.asked(), request.answered())
        if step is not None
    ]
    return sorted([*events, *steps], key=lambda item: position(item[0])) if steps else events


def _loads(text: str) -> Any:
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # An escape may name half a character, which no form can show.
    return to_json_value(value) if "\\ud" in text.lower() else value

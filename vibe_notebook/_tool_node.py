"""A tool call in the making: argument text, progress text, and the other things said of it.

Part of the reducer. A call may be completed by events of later runs, its *followers*.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ._node import Node, position, twin
from ._pieces import Pieces
from .events import ToolCallDelta, ToolFinished, ToolProgress, ToolStarted
from .transcript import Part, Progress, ToolPart, ToolState

if TYPE_CHECKING:
    from ._runs import RunLog
    from ._track import Place, Track
    from .events import Event

__all__ = ["ToolNode"]

_Said = tuple["Track | None", "str | None", "tuple[str | None] | None"]
"""(track, what was said, the message that it is a second-hand twin of)."""


class ToolNode(Node):
    """A tool call: argument text, progress text, and the other things said of it."""

    __slots__ = ("args", "followers", "messages", "names", "output", "said", "target")

    def __init__(self, run: RunLog, key: tuple[str, str | None, str], message_id: str | None) -> None:
        super().__init__(run, key, message_id)
        self.args = Pieces()
        self.output = Pieces()
        self.said: list[tuple[Place, Event]] = []
        self.names: dict[_Said, Place] = {}  # each name's last
        self.messages: dict[_Said, Place] = {}  # each message's first
        self.target: ToolNode | None = None  # the earlier call that this one's events complete
        self.followers: list[ToolNode] = []

    @property
    def tool_call_id(self) -> str:
        return self.name

    @property
    def is_empty(self) -> bool:
        return not (self.args.blocks or self.output.blocks or self.said)

    def places(self) -> list[Place]:
        texts = [block.place() for text in (self.args, self.output) for block in text.blocks]
        return [*texts, *(place for place, _ in self.said)]

    def is_written_here(self) -> bool:
        """Whether its first event in order is the model writing it, in its own run."""
        self.args.refresh()
        written = self.args.first()
        return written is not None and not self.args.blocks[0].whole and written == self.first()

    def relink(self, target: ToolNode | None) -> None:
        """Complete *target* with this call's events; ``None``: be a call of its own."""
        if target is self.target:
            return
        for other in (self.target, target):
            if other is not None:
                other.version += 1
                other.followers = [node for node in other.followers if node is not self]
        self.target = target
        if target is not None:
            target.followers.append(self)
            target.followers.sort(key=lambda node: node.run.arrival)

    def state(self) -> ToolState:
        """The one state, whatever came: a result outlasts all that is not one."""
        return self._state([self, *self.followers])

    def open_since(self, before: list[ToolNode]) -> int | None:
        """The position from which on a later run's result completes it; ``None``: it has its own.

        That is where it asked for approval, or where its run ended without a result. *before*
        are the later calls that complete it already.
        """
        nodes = [self, *before]
        state = self._state(nodes)
        if state == "unfinished":
            return nodes[-1].run.ended_at
        if state != "awaiting_approval":
            return None
        asked = [
            position(place)
            for node in nodes
            for place, event in node.said
            if isinstance(event, ToolProgress) and event.state == "awaiting_approval"
        ]
        return max(asked)

    def _state(self, nodes: list[ToolNode]) -> ToolState:
        events = [event for node in nodes for event in node.own_events()]
        finished = [event for event in events if isinstance(event, ToolFinished)]
        if finished:
            return finished[-1].status
        state: ToolState = "preparing"
        for event in events:
            if isinstance(event, ToolStarted):
                state = "running"
            elif isinstance(event, ToolProgress):
                state = event.state or ("running" if state == "preparing" else state)
        if nodes[-1].run.ended and state in ("preparing", "running"):
            return "unfinished"
        return state

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
            message_id=min(self.messages, key=lambda key: position(self.messages[key]))[1],
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
                return max((position(place), name or "") for (_, name, _), place in node.names.items())[1]
        return ""

    def arguments(self) -> tuple[str, Any]:
        """(text so far, value if that text is complete JSON)."""
        source = next((n.args for n in reversed(self.followers) if n.args.blocks), self.args)
        source.refresh()
        text = source.read()
        is_value, value = source.value()
        if is_value and not isinstance(value, str):
            return text, value
        return text, _loads(text)

    def progress_output(self) -> Any:
        """What progress events built: the appended text, or the value that replaced it."""
        source = next((n.output for n in reversed(self.followers) if n.output.blocks), self.output)
        source.refresh()
        if not source.blocks:
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
        said = self.said
        if len(said) > 1 and any(place[0] is not None for place, _ in said):
            said = sorted(said, key=lambda item: position(item[0]))
        return [event for _, event in said]

    def _events(self) -> list[Event]:
        """What was said, in order, what completes it from later runs included."""
        return [event for node in (self, *self.followers) for event in node.own_events()]

    def _take(self, event: Event, place: Place) -> None:
        name = getattr(event, "tool_name", None)
        # Of what is second-hand only deltas go when the first hand speaks: what else it said stays.
        source = twin(event) if isinstance(event, ToolCallDelta) else None
        if name:
            key = (place[0], name, source)
            self.names[key] = max(place, self.names.get(key, place))
        key = (place[0], event.message_id, source)
        if place <= self.messages.get(key, place):
            self.messages[key] = place
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
                event = event.model_copy(update={"delta": None, "output": None})
                says_more = (event.progress, event.total, event.message, event.state) != (None,) * 4
                if not says_more and not self._is_first_word(place):
                    return  # only text, and the call is known to run before it: nothing to remember
        self.said.append((place, event))

    def _is_first_word(self, place: Place) -> bool:
        """Whether nothing of the same track says before it that the call runs."""
        return not any(
            said[0] is place[0] and said < place and isinstance(event, ToolProgress | ToolStarted)
            for said, event in self.said
        )

    def _drop_derived(self, message_id: str | None) -> None:
        self.args.drop_derived(message_id)
        self.names = {key: place for key, place in self.names.items() if key[2] != (message_id,)}
        self.messages = {key: place for key, place in self.messages.items() if key[2] != (message_id,)}


def _loads(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

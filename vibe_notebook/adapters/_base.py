"""What every adapter shares: the envelope, the start and end of the run, our own events.

An adapter reads one native after the other (``_read``) and says what it shows (``say``); all it
says of one native is one slot of the order.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, get_args

from vibe_notebook._json_values import bounded_repr, scrub
from vibe_notebook.events import (
    Custom,
    Event,
    PartCompleted,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    parse_event,
)
from vibe_notebook.exceptions import ProtocolError

from ._fields import bounded, get, ident, text
from ._streamed_text import Key, Streams

__all__ = ["Adapter", "is_event", "is_event_line"]

_CLASSES: Final = get_args(get_args(Event)[0])
_TYPES: Final = frozenset(cls.model_fields["type"].default for cls in _CLASSES)
_CANCELLATIONS: Final = (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)


def is_event(native: object) -> bool:
    """Whether *native* is one of our own events, or the dict of one."""
    if isinstance(native, _CLASSES):
        return True
    if not isinstance(native, Mapping):
        return False
    kind, *ids = (get(native, name) for name in ("type", "agent_id", "run_id"))
    return isinstance(kind, str) and kind in _TYPES and all(isinstance(value, str) for value in ids)


def is_event_line(native: object) -> bool:
    """Whether *native* is JSON text of one of our own events: a line of a recording."""
    if not isinstance(native, str | bytes) or native.strip()[:1] not in ("{", b"{"):
        return False
    try:
        return is_event(json.loads(native))
    except (ValueError, RecursionError):
        return False


class Adapter(ABC):
    """Turns one run of an SDK's stream into events.

    ``agent_id`` names the view; ``run_id`` the request (``None``: a new one). A subagent's
    run says what started it with ``parent_run_id`` and ``parent_tool_call_id``. The same natives
    with the same ids give the same events, whether they are the SDK's objects or their JSON dicts.
    """

    name: ClassVar[str]
    cancellations: ClassVar[frozenset[str]] = frozenset()
    """Names of the SDK's own exception classes that mean "the user stopped it"."""

    def __init__(
        self,
        *,
        agent_id: str = "agent",
        run_id: str | None = None,
        agent_name: str | None = None,
        parent_run_id: str | None = None,
        parent_tool_call_id: str | None = None,
    ) -> None:
        self.agent_id = agent_id
        self.run_id = uuid.uuid4().hex if run_id is None else run_id
        self.agent_name = agent_name
        self.parent_run_id = parent_run_id
        self.parent_tool_call_id = parent_tool_call_id
        self._is_started = False
        self._is_finished = False
        self._outcome: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._result: Any = None
        self.streams = Streams()
        self._out: list[Event] = []
        self._envelope: dict[str, Any] = {}
        """``message_id``, ``derived``, and where the source numbers its natives ``seq``, ``counter``."""

    def feed(self, native: object) -> list[Event]:
        """Return the events made from one native, perhaps none. Never raises."""
        if is_event(native):
            own = self._own(native)
            if own is not None:
                return [own]
        self._envelope = {}
        self._read(native)
        return self._flush()

    def exhausted(self, source: object) -> list[Event]:
        """Return what the object that was watched says, once its stream has yielded all. Never raises.

        Some SDKs tell only there what they wait for. Comes before ``finish``, if at all.
        """
        del source
        return []

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        """Close the run; *exc* is what ended the stream, ``None`` its regular end.

        The first outcome that is not a success wins: what the stream reported outweighs what
        was raised after it. A second call returns nothing.
        """
        if self._is_finished:
            return []
        self._is_finished = True
        if exc is not None:
            self._raised(exc)
        self._envelope = {}
        self._close()
        self._envelope = {}
        self.say(RunFinished, usage=self._usage, result=self._result, **self._outcome)
        return self._flush()

    @abstractmethod
    def _read(self, native: object) -> None:
        """Say what one native shows."""

    def _close(self) -> None:  # noqa: B027 - most have nothing to say then
        """Say what is still to be said before the run ends."""

    def start(self, **fields: Any) -> None:
        """Say that the run starts, if that was not said yet: for sources that have an event for it."""
        if not self._is_started:
            self._is_started = True
            self.say(RunStarted, **self._origin(), **fields)

    def say(self, cls: type[Any], **fields: Any) -> None:
        """Add one event to what the native at hand shows."""
        place: dict[str, Any] = {"agent_id": self.agent_id, "run_id": self.run_id, **self._envelope}
        if place.get("seq") is not None:
            place["sub"] = len(self._out)
        self._out.append(cls(**{**place, **fields}))

    def say_unknown(self, native: object, name: str | None, **fields: Any) -> None:
        """Pass on what this version does not know, under its own name."""
        name = name or text(get(native, "type")) or type(native).__name__
        self.say(Custom, name=name, value=bounded(native), **fields)

    def say_text(self, kind: str, part_id: str, delta: str) -> None:
        """Add to a text or thinking part."""
        if delta:
            self._streamed(kind, part_id, delta)
            self.say(ThinkingDelta if kind == "thinking" else TextDelta, part_id=part_id, delta=delta)

    def say_whole(self, kind: str, part_id: str, whole: str) -> None:
        """Put a part's whole text, if that is not what was streamed."""
        key = self._key(kind, part_id)
        if whole != self.streams.read(key):
            self.streams.replace(key, whole, self._envelope.get("seq"))
            self.say(PartCompleted, part_id=part_id, kind=kind, text=whole)

    def say_args(self, call_id: str, name: str | None, delta: str) -> None:
        """Add to a tool call's argument text; an empty *delta* only shows the call."""
        if delta:
            self._streamed("args", call_id, delta)
        self.say(ToolCallDelta, tool_call_id=call_id, tool_name=name or None, delta=delta)

    def say_rest_of_args(self, call_id: str, name: str | None, whole: str) -> bool:
        """Add what *whole* has beyond the streamed text; False: it contradicts that text."""
        key = self._key("args", call_id)
        streamed = self.streams.read(key)
        if not whole.startswith(streamed):
            return False
        if whole != streamed:
            self.streams.replace(key, whole, self._envelope.get("seq"))
            self.say(
                ToolCallDelta, tool_call_id=call_id, tool_name=name or None, delta=whole[len(streamed) :]
            )
        return True

    def _streamed(self, kind: str, name: str, delta: str) -> None:
        if not self._envelope.get("derived"):  # a twin adds nothing to what the direct delta says
            self.streams.add(self._key(kind, name), delta, self._envelope.get("seq"))

    def _key(self, kind: str, name: str) -> Key:
        return self._envelope.get("message_id"), kind, name

    def end(self, outcome: str, error: str | None = None, code: str | None = None) -> None:
        """Remember how the run ends, unless it is known already."""
        if not self._outcome:
            self._outcome = {"outcome": outcome, "error": error, "code": code}

    def _flush(self) -> list[Event]:
        out, self._out = self._out, []
        if out and not self._is_started and out[0].run_id == self.run_id:
            self._is_started = True
            out.insert(0, RunStarted(agent_id=self.agent_id, run_id=self.run_id, **self._origin()))
        return out

    def _origin(self) -> dict[str, Any]:
        names = ("agent_name", "parent_run_id", "parent_tool_call_id")
        return {name: getattr(self, name) for name in names}

    def _own(self, native: object) -> Event | None:
        try:
            event = parse_event(native)  # type: ignore[arg-type]  # is_event() saw one of the two
        except ProtocolError:
            return None
        if (event.agent_id, event.run_id) == (self.agent_id, self.run_id):
            self._is_started = self._is_started or isinstance(event, RunStarted)
            self._is_finished = self._is_finished or isinstance(event, RunFinished)
        return event

    def _raised(self, exc: BaseException) -> None:
        while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
            exc = exc.exceptions[0]  # a task group's wrapping says nothing to the reader
        if isinstance(exc, _CANCELLATIONS) or type(exc).__name__ in self.cancellations:
            self.end("cancelled")
            return
        try:
            message = scrub(str(exc))
        except Exception:  # noqa: BLE001 - a broken __str__ must not hide the error itself
            message = bounded_repr(exc)
        name = type(exc).__name__
        self.end("error", f"{name}: {message}" if message else name, ident(get(exc, "code")))

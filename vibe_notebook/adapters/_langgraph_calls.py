"""The messages and tool calls of a graph's run, so that what is said again is known again.

Used by ``langgraph``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vibe_notebook.events import Usage

from ._langchain import whole_texts
from ._read import get, ident, items, parsed, text
from ._streams import Streams

__all__ = ["Call", "Calls", "Message"]


@dataclass
class Message:
    """One model call: pieces, then perhaps the whole of it, perhaps more than once."""

    id: str
    native_id: str | None = None
    parts: dict[tuple[str, str], None] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    """The ids of its calls: of a call's pieces only the first has it, the others its place."""
    slot: str = "0"
    usage: Usage | None = None
    finish_reason: str | None = None
    is_finished: bool = False
    is_whole: bool = False
    """All of it was said again."""


@dataclass
class Call:
    """A tool call, of the message that asked for it."""

    message: Message
    name: str | None
    args: Any = None
    is_started: bool = False


class Calls:
    """The tool calls of a run. ``streams`` has what was streamed of their arguments."""

    def __init__(self, streams: Streams) -> None:
        self.known: dict[str, Call] = {}
        self._streams = streams
        self._results: dict[str, dict[str, Any]] = {}

    def of_piece(self, message: Message, piece: object) -> tuple[str, Call]:
        """Return the call that a piece of arguments belongs to, and its id."""
        call_id, name = ident(get(piece, "id")), text(get(piece, "name")) or None
        slot = message.slot = ident(get(piece, "index")) or call_id or message.slot
        if slot not in message.slots or (call_id and name and call_id != message.slots[slot]):
            message.slots[slot] = call_id or f"{message.id}:{slot}"
        call_id = message.slots[slot]
        return call_id, self.known.setdefault(call_id, Call(message, name))

    def streamed(self, call_id: str) -> str:
        """Return the argument text of a known call as far as it was streamed."""
        return self._streams.read((self.known[call_id].message.id, "args", call_id))

    def said(self, message: Message, kind: str) -> str:
        """Return all text, or all thinking, of a message as far as it was said."""
        names = (name for of, name in message.parts if of == kind)
        return "".join(self._streams.read((message.id, kind, name)) for name in names)

    def repeated(self, native: object, messages: list[Message]) -> Message | None:
        """Return the message that *native* repeats under another id: its calls or its text say it."""
        owners = [self.known.get(ident(get(call, "id")) or "") for call in items(get(native, "tool_calls"))]
        if owners:
            return owners[0].message if owners[0] is not None and all(owners) else None
        whole = "".join(said for (kind, _), said in whole_texts(native).items() if kind == "text")
        alike = (one for one in reversed(messages) if not one.is_whole and self.said(one, "text") == whole)
        return next(alike, None) if whole else None

    def find(self, name: str, args: object) -> str | None:
        """Return the id of the call that a start without one means: its name and arguments say it.

        Of calls that are alike in both, it does not matter which one is said to run first.
        """
        for call_id, call in self.known.items():
            asked = parsed(self.streamed(call_id)) if call.args is None else call.args
            is_over = call.is_started or call_id in self._results
            if not is_over and call.name == name and asked == args:
                return call_id
        return None

    def unanswered(self) -> list[str]:
        """Return the ids of the calls that have no result yet."""
        return [call_id for call_id in self.known if call_id not in self._results]

    def start(self, call_id: str) -> None:
        """Remember that a call runs, or waits for leave to."""
        if call_id in self.known:
            self.known[call_id].is_started = True

    def answer(self, call_id: str, result: dict[str, Any]) -> bool:
        """Remember a result; False: it was said already."""
        is_new = self._results.get(call_id) != result
        self._results[call_id] = result
        return is_new

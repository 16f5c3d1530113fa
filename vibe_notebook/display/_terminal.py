"""A watch in a terminal: text as it comes, tool calls a line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from ..events import (
    Artifact,
    Event,
    PartCompleted,
    RunFinished,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
)
from ..transcript import Transcript
from ._format import STATE_MARKS, clean, preview

if TYPE_CHECKING:
    from ..registration import Registration
    from ..registry import Registry

__all__ = ["Printer", "TerminalOutput"]


class Printer:
    """Writes events to a text stream as they come; control characters of the agent's are not passed on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._open: tuple[str, ...] | None = None  # the part whose line is being written
        self._written: dict[tuple[str, ...], list[str]] = {}

    def __call__(self, event: Event) -> None:
        """Write one event."""
        match event:
            case TextDelta() | ThinkingDelta():
                self._delta(event)
            case PartCompleted():
                part = _part_of(event, event.kind)
                if "".join(self._written.get(part, ())) != event.text:
                    self._written[part] = [event.text]
                    self._line(clean(event.text))
            case ToolStarted():
                self._line(f"→ {_name(event)} {clean(preview(event.args))}".rstrip())
            case ToolFinished():
                said = event.error if event.error is not None else preview(event.output)
                self._line(f"{STATE_MARKS[event.status]} {_name(event)}: {clean(preview(said))}")
            case Artifact():
                self._line(f"+ {clean(event.name or event.artifact_id)}")
            case RunFinished():
                if event.outcome != "success":
                    self._line(f"[{event.outcome}] {clean(event.error or '')}".rstrip())
                self._line("")
            case _:
                return
        self._stream.flush()

    def _delta(self, event: TextDelta | ThinkingDelta) -> None:
        kind = "text" if isinstance(event, TextDelta) else "thinking"
        part = _part_of(event, kind)
        if part != self._open:
            self._line("  thinking: " if kind == "thinking" else "")
            self._open = part
        self._written.setdefault(part, []).append(event.delta)
        self._write(clean(event.delta))

    def _line(self, text: str) -> None:
        if self._open is not None:
            self._write("\n")
            self._open = None
        self._write(text if text.endswith(": ") else f"{text}\n" if text else "")

    def _write(self, text: str) -> None:
        self._stream.write(text)


def _part_of(event: TextDelta | ThinkingDelta | PartCompleted, kind: str) -> tuple[str, ...]:
    return (kind, event.agent_id, event.run_id, event.message_id or "", event.part_id)


def _name(event: ToolStarted | ToolFinished) -> str:
    return clean(event.tool_name or event.tool_call_id)


class TerminalOutput:
    """Prints an agent's work on standard output."""

    is_light = True

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._printer = Printer()
        self._registrations: list[Registration] = []
        self._said: set[str] = set()

    def watch(self, agent_id: str, since: int) -> None:
        """Print an agent's events from now on."""
        del since
        self._registrations.append(self._registry.register(agent_id, on_event=self._printer))

    def note(self, text: str) -> None:
        """A failure in the background goes to standard error."""
        sys.stderr.write(f"{clean(text)}\n")

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Say on standard error what is not as it should be."""
        del last_words
        for state, said in lines:
            if state in ("reconnecting", "refused") and said not in self._said:
                sys.stderr.write(f"[{clean(said)}]\n")
        self._said = {said for _, said in lines}

    def on_reconnect(self, reconnect: Callable[[], object]) -> None:
        """There is no button."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """All is printed already."""
        del transcripts
        for registration in self._registrations:
            registration.close()

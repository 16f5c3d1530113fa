"""A watch in a terminal: text as it comes, tool calls a line each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from ..events import Event
from ..transcript import Transcript
from ._format import clean, preview

if TYPE_CHECKING:
    from ..registration import Registration
    from ..registry import Registry

__all__ = ["Printer", "TerminalOutput"]

_MARKS = {"ok": "✓", "error": "✗", "denied": "⊘", "cancelled": "■"}


class Printer:
    """Writes events to a text stream as they come; control characters of the agent's are not passed on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._open: tuple[str, ...] | None = None  # the part whose line is being written
        self._written: dict[tuple[str, ...], str] = {}

    def __call__(self, event: Event) -> None:
        """Write one event."""
        match event.type:
            case "text_delta" | "thinking_delta":
                part = (event.type, event.agent_id, event.run_id, event.message_id or "", event.part_id)
                if part != self._open:
                    self._line("  thinking: " if event.type == "thinking_delta" else "")
                    self._open = part
                self._written[part] = self._written.get(part, "") + event.delta
                self._write(clean(event.delta))
            case "part_completed":
                self._completed(event)
            case "tool_started":
                self._line(
                    f"→ {clean(event.tool_name or event.tool_call_id)} {clean(preview(event.args))}".rstrip()
                )
            case "tool_finished":
                said = event.error if event.error is not None else preview(event.output)
                mark = _MARKS[event.status]
                self._line(f"{mark} {clean(event.tool_name or event.tool_call_id)}: {clean(preview(said))}")
            case "artifact":
                self._line(f"+ {clean(event.name or event.artifact_id)}")
            case "run_finished":
                if event.outcome != "success":
                    self._line(f"[{event.outcome}] {clean(event.error or '')}".rstrip())
                self._line("")
            case _:
                return
        self._stream.flush()

    def _completed(self, event: Event) -> None:
        part = (f"{event.kind}_delta", event.agent_id, event.run_id, event.message_id or "", event.part_id)  # type: ignore[union-attr]
        if self._written.get(part) != event.text:  # type: ignore[union-attr]
            self._written[part] = event.text  # type: ignore[union-attr]
            self._line(clean(event.text))  # type: ignore[union-attr]

    def _line(self, text: str) -> None:
        if self._open is not None:
            self._write("\n")
            self._open = None
        self._write(text if text.endswith(": ") else f"{text}\n" if text else "")

    def _write(self, text: str) -> None:
        self._stream.write(text)


class TerminalOutput:
    """Prints an agent's work on standard output."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._printer = Printer()
        self._registrations: list[Registration] = []

    def watch(self, agent_id: str, since: int) -> None:
        """Print an agent's events from now on."""
        del since
        self._registrations.append(self._registry.register(agent_id, on_event=self._printer))

    def note(self, text: str) -> None:
        """A failure in the background goes to standard error."""
        sys.stderr.write(f"{clean(text)}\n")

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """All is printed already."""
        del transcripts
        for registration in self._registrations:
            registration.close()

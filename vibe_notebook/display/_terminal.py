"""A watch in a terminal: text as it comes, tool calls a line each.

Colours, and lines as long as the window is wide, are only for a terminal: a file or a pipe gets
neither. ``NO_COLOR`` (no-color.org) and ``TERM=dumb`` take the colours away there too.
"""

from __future__ import annotations

import os
import shutil
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
    ToolCallDelta,
    ToolFinished,
    ToolStarted,
)
from ..transcript import Transcript
from ._format import PREVIEW, STATE_MARKS, clean, preview

if TYPE_CHECKING:
    from ..registration import Registration
    from ..registry import Registry

__all__ = ["Printer", "TerminalOutput"]


_DIM, _BOLD, _RED, _GREEN, _YELLOW = "2", "1", "31", "32", "33"
_TINTS = {"ok": _GREEN, "error": _RED, "denied": _RED, "cancelled": _YELLOW, "interrupted": _YELLOW}
_LEAST = 20
"""Characters of a preview that are shown however narrow the window is."""


class Printer:
    """Writes events to a text stream as they come; control characters of the agent's are not passed on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._is_terminal = self._stream.isatty()
        self._has_colours = (
            self._is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self._open: tuple[str, ...] | None = None  # the part whose line is being written
        self._written: dict[tuple[str, ...], list[str]] = {}
        self._args: dict[tuple[str, ...], list[str]] = {}  # as far as they are written

    def __call__(self, event: Event) -> None:
        """Write one event."""
        match event:
            case TextDelta() | ThinkingDelta():
                self._delta(event)
            case PartCompleted():
                part = _part_of(event, event.kind)
                if "".join(self._written.get(part, ())) != event.text:
                    self._written[part] = [event.text]
                    self._line(self._paint(_DIM if event.kind == "thinking" else "", clean(event.text)))
            case ToolCallDelta():
                call = (event.agent_id, event.run_id, event.tool_call_id)
                self._args.setdefault(call, []).append(event.delta)
            case ToolStarted():
                written = self._args.pop((event.agent_id, event.run_id, event.tool_call_id), ())
                args = "".join(written) if event.args is None else event.args
                self._call("→", _DIM, _name(event), " ", args)
            case ToolFinished():
                said = event.error if event.error is not None else event.output
                self._call(STATE_MARKS[event.status], _TINTS.get(event.status, ""), _name(event), ": ", said)
            case Artifact():
                self._line(f"+ {clean(event.name or event.artifact_id)}")
            case RunFinished():
                if event.outcome != "success":
                    outcome = self._paint(_TINTS.get(event.outcome, ""), f"[{event.outcome}]")
                    self._line(f"{outcome} {clean(event.error or '')}".rstrip())
                self._line()
            case _:
                return
        self._stream.flush()

    def _call(self, mark: str, tint: str, name: str, between: str, said: object) -> None:
        """One line for a call. Cut by us, for a terminal would break it in the middle of a word."""
        room = PREVIEW
        if self._is_terminal:
            room = max(shutil.get_terminal_size().columns - len(f"{mark} {name}{between}"), _LEAST)
        short = clean(preview(said, room))
        self._line(
            f"{self._paint(tint, mark)} {self._paint(_BOLD, name)}" + (f"{between}{short}" if short else "")
        )

    def _delta(self, event: TextDelta | ThinkingDelta) -> None:
        kind = "text" if isinstance(event, TextDelta) else "thinking"
        tint = "" if kind == "text" else _DIM
        part = _part_of(event, kind)
        if part != self._open:
            self._line()
            self._stream.write(self._paint(tint, "  thinking: ") if tint else "")
            self._open = part
        self._written.setdefault(part, []).append(event.delta)
        self._stream.write(self._paint(tint, clean(event.delta)))

    def _line(self, text: str = "") -> None:
        """End the line that is being written, then write this one."""
        if self._open is not None:
            self._stream.write("\n")
            self._open = None
        self._stream.write(f"{text}\n" if text else "")

    def _paint(self, tint: str, text: str) -> str:
        return f"\x1b[{tint}m{text}\x1b[0m" if tint and text and self._has_colours else text


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

    def flush(self) -> None:
        """All is printed as it comes."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """All is printed already."""
        del transcripts
        for registration in self._registrations:
            registration.close()

"""A watch in a terminal: text as it comes, tool calls a line each.

Colours, and lines as long as the window is wide, are only for a terminal: a file or a pipe gets
neither. ``NO_COLOR`` (no-color.org) and ``TERM=dumb`` take the colours away there too. Where several agents
speak at once a line is one agent's, and says whose: what the others say meanwhile is kept until it is a line.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from .._forms.wording import PREVIEW, STATE_MARKS, clean, preview
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

if TYPE_CHECKING:
    from ..registry import Registration, Registry

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
        self._agents: set[str] = set()
        self._open: tuple[str, ...] | None = None  # the part whose line is being written
        self._held: dict[str, tuple[tuple[str, ...], str]] = {}  # by agent: the part, what is no line yet
        self._written: dict[tuple[str, ...], list[str]] = {}
        self._args: dict[tuple[str, ...], list[str]] = {}  # as far as they are written

    def __call__(self, event: Event) -> None:
        """Write one event."""
        self._agents.add(event.agent_id)
        if not isinstance(event, TextDelta | ThinkingDelta):
            self._release(event.agent_id)
        match event:
            case TextDelta() | ThinkingDelta():
                self._delta(event)
            case PartCompleted():
                part = _part_of(event, event.kind)
                if "".join(self._written.get(part, ())) != event.text:
                    self._written[part] = [event.text]
                    self._say(
                        event.agent_id,
                        self._paint(_DIM if event.kind == "thinking" else "", clean(event.text)),
                    )
            case ToolCallDelta():
                call = (event.agent_id, event.run_id, event.tool_call_id)
                self._args.setdefault(call, []).append(event.delta)
            case ToolStarted():
                written = self._args.pop((event.agent_id, event.run_id, event.tool_call_id), ())
                args = "".join(written) if event.args is None else event.args
                self._call(event, "→", _DIM, " ", args)
            case ToolFinished():
                said = event.error if event.error is not None else event.output
                self._call(event, STATE_MARKS[event.status], _TINTS.get(event.status, ""), ": ", said)
            case Artifact():
                self._say(event.agent_id, f"+ {clean(event.name or event.artifact_id)}")
            case RunFinished():
                if event.outcome != "success":
                    outcome = self._paint(_TINTS.get(event.outcome, ""), f"[{event.outcome}]")
                    self._say(event.agent_id, f"{outcome} {clean(event.error or '')}".rstrip())
                if self._open and self._open[1] == event.agent_id:
                    self._line()
            case _:
                return
        self._stream.flush()

    def end(self) -> None:
        """Write what is held: nothing more comes."""
        for agent_id in list(self._held):
            self._release(agent_id)
        self._line()
        self._stream.flush()

    def _call(
        self, event: ToolStarted | ToolFinished, mark: str, tint: str, between: str, said: object
    ) -> None:
        """One line for a call. Cut by us, for a terminal would break it in the middle of a word."""
        name = clean(event.tool_name or event.tool_call_id)
        room = PREVIEW
        if self._is_terminal:
            taken = len(f"{self._whose(event.agent_id)}{mark} {name}{between}")
            room = max(shutil.get_terminal_size().columns - taken, _LEAST)
        short = clean(preview(said, room))
        line = f"{self._paint(tint, mark)} {self._paint(_BOLD, name)}" + (
            f"{between}{short}" if short else ""
        )
        self._say(event.agent_id, line)

    def _delta(self, event: TextDelta | ThinkingDelta) -> None:
        part = _part_of(event, "text" if isinstance(event, TextDelta) else "thinking")
        self._written.setdefault(part, []).append(event.delta)
        held = self._held.get(event.agent_id)
        if held and held[0] != part:
            self._release(event.agent_id)
        said = self._held.pop(event.agent_id, (part, ""))[1] + event.delta
        if self._open is None or self._open[1] == event.agent_id:
            self._write(part, said)
            return
        lines, end, rest = said.rpartition("\n")
        if lines.strip():
            self._write(part, lines)
            self._line()
        if rest or not end:
            self._held[event.agent_id] = part, rest

    def _release(self, agent_id: str) -> None:
        """Write what an agent has said and what is no line: it says something else now."""
        part, said = self._held.pop(agent_id, ((), ""))
        if said.strip():
            self._write(part, said)

    def _write(self, part: tuple[str, ...], text: str) -> None:
        """Go on with the line of a part, or begin one."""
        tint = "" if part[0] == "text" else _DIM
        if part != self._open:
            self._line()
            self._stream.write(
                self._paint(_DIM, self._whose(part[1])) + self._paint(tint, "  thinking: " if tint else "")
            )
            self._open = part
        self._stream.write(self._paint(tint, clean(text)))

    def _say(self, agent_id: str, text: str) -> None:
        """Write a line of an agent's."""
        self._line(f"{self._paint(_DIM, self._whose(agent_id))}{text}")

    def _whose(self, agent_id: str) -> str:
        """Whose a line is, if it could be another's."""
        return f"{clean(agent_id)}: " if len(self._agents) > 1 else ""

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


class TerminalOutput:
    """Prints an agent's work on standard output."""

    is_light = True
    is_alone = True

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._printer = Printer()
        self._registrations: list[Registration] = []
        self._said: set[str] = set()

    def watch(self, agent_id: str, since: int) -> None:
        """Print an agent's events from now on."""
        del since
        self._registrations.append(self._registry.register(agent_id, on_event=self._printer))

    def report(self, text: str) -> None:
        """A failure in the background goes to standard error."""
        sys.stderr.write(f"{clean(text)}\n")

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Say on standard error what is not as it should be."""
        del last_words
        for state, said in lines:
            if state in ("reconnecting", "refused") and said not in self._said:
                sys.stderr.write(f"[{clean(said)}]\n")
        self._said = {said for _, said in lines}

    def flush(self) -> None:
        """All is printed as it comes."""

    def wait_for_lull(self) -> None:
        """Nobody waits for it."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """All is printed already."""
        del transcripts
        for registration in self._registrations:
            registration.close()
        self._printer.end()

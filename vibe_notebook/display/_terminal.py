"""Print a watch in a terminal: text as it arrives, and each tool call on one line.

An output of ``_output.py``, fed by the registry's callbacks. Only a terminal gets colours and lines cut to the width
of the window; a file or a pipe gets neither. ``NO_COLOR`` (no-color.org) and ``TERM=dumb`` turn the colours off. Where
several agents write at once, each line is one agent's and begins with its name. The printer holds the text of the
other agents until it is a whole line.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from .._forks import renew_in_child
from .._forms.displays import beside_display, display_words
from .._forms.shapes import result_line
from .._forms.terminal_text import terminal_text
from .._forms.wording import (
    PREVIEW,
    STATE_MARKS,
    LiveProse,
    arguments_preview,
    clean,
    message_text,
    name_in_line,
    preview,
)
from ..events import (
    Artifact,
    Event,
    MessageStarted,
    PartCompleted,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolStarted,
)
from ..parts import ToolPart, role_of
from ..transcript import Transcript
from ._terminal_lines import line_of, quoted

if TYPE_CHECKING:
    from ..registry import Registration, Registry

__all__ = ["Printer", "TerminalOutput"]


_DIM, _BOLD, _RED, _GREEN, _YELLOW = "2", "1", "31", "32", "33"
_TINTS = {"ok": _GREEN, "error": _RED, "denied": _RED, "cancelled": _YELLOW, "interrupted": _YELLOW}
_SILENT = (MessageStarted, PartCompleted, ToolCallDelta)
"""Events that a terminal shows by later ones, or not at all; a whole text only if its deltas have not been written."""
_LEAST = 20
"""Characters of a preview that the narrowest window shows too."""


class Printer:
    """Write events to a text stream as they arrive, without the agent's control characters."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._given = stream
        self._is_terminal = self._stream.isatty()
        self._has_colours = (
            self._is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self._agents: set[str] = set()
        self._open: tuple[str, ...] | None = None  # the part of the unfinished line
        self._held: dict[
            str, tuple[tuple[str, ...], str]
        ] = {}  # by agent: a part, and its text of half a line
        self._written: dict[tuple[str, ...], list[str]] = {}
        self._prose: dict[tuple[str, ...], LiveProse] = {}
        self._args: dict[tuple[str, ...], list[str]] = {}  # streamed arguments of calls that have not started
        self._begun: set[tuple[str, str]] = set()  # the open runs whose input is written
        self._said: dict[
            tuple[str, str, str | None], str
        ] = {}  # by message: the role, if not the assistant's

    @property
    def _stream(self) -> TextIO:
        # IPython replaces standard output while its prompt waits: lines then go above the prompt.
        return self._given or sys.stdout

    def _flush(self) -> None:
        """Flush, but not half a line above a prompt: prompt_toolkit's output keeps it until its end."""
        if self._open is None or not type(self._stream).__module__.startswith("prompt_toolkit"):
            self._stream.flush()

    def __call__(self, event: Event) -> None:
        """Write one event."""
        self._agents.add(event.agent_id)
        if isinstance(event, TextDelta | ThinkingDelta):
            self._delta(event)
        else:
            self._release(event.agent_id)
            if not (self._remember(event) if isinstance(event, _SILENT) else self._show(event)):
                return
        self._flush()

    def _remember(self, event: MessageStarted | PartCompleted | ToolCallDelta) -> bool:
        """Note a role or arguments for later events; write a whole text. Return whether something was written."""
        match event:
            case MessageStarted():
                role = role_of(event.role)
                if role in ("user", "system"):
                    self._said[event.agent_id, event.run_id, event.message_id] = role
            case ToolCallDelta():
                call = (event.agent_id, event.run_id, event.tool_call_id)
                self._args.setdefault(call, []).append(event.delta)
            case PartCompleted(kind="args"):
                self._args[event.agent_id, event.run_id, event.part_id] = [event.text]
            case PartCompleted():
                part = _part_of(event, event.kind)
                if "".join(self._written.get(part, ())) != event.text:
                    self._written[part], self._prose[part] = [event.text], LiveProse()
                    said, text = self._role(part), clean(event.text)
                    text = quoted(said, text) if said else text
                    self._write_line(event.agent_id, self._paint(_DIM if part[0] == "thinking" else "", text))
                return True
        return False

    def _show(self, event: Event) -> bool:
        """Write an event that has a line of its own; return whether it has one."""
        match event:
            case ToolStarted():
                written = self._args.pop((event.agent_id, event.run_id, event.tool_call_id), ())
                self._call(event, "→", _DIM, " ", _args_of(event, "".join(written)))
            case ToolFinished():
                mark, tint = STATE_MARKS[event.status], _TINTS.get(event.status, "")
                words, notes = _result_of(event)
                self._call(event, mark, tint, ": ", words)
                self._write_notes(event.agent_id, notes)
            case Artifact():
                name = name_in_line(event.name) or name_in_line(event.artifact_id)
                words, notes = display_words(event.display) if event.display else ("", [])
                about = preview(words)
                self._write_line(event.agent_id, f"+ {name}{f': {about}' if about else ''}")
                self._write_notes(event.agent_id, notes)
            case RunFinished():
                if event.outcome != "success":
                    outcome = self._paint(_TINTS.get(event.outcome, ""), f"[{event.outcome}]")
                    self._write_line(event.agent_id, f"{outcome} {_indented(event.error or '')}".rstrip())
                if self._open and self._open[1] == event.agent_id:
                    self._end_line()
                self._begun.discard((event.agent_id, event.run_id))
            case _:
                line = line_of(event)
                if not line or self._is_repeated(event):
                    return False
                self._write_line(event.agent_id, line)
        return True

    def _is_repeated(self, event: Event) -> bool:
        """Return whether a run has said its input before: a stream may tell it once more at its end."""
        if not isinstance(event, RunStarted):
            return False
        run = event.agent_id, event.run_id
        is_known = run in self._begun
        self._begun.add(run)
        return is_known

    def end(self) -> None:
        """Write the held text, and end the line: no more events arrive."""
        for agent_id in list(self._held):
            self._release(agent_id)
        self._end_line()
        self._flush()

    def _call(
        self, event: ToolStarted | ToolFinished, mark: str, tint: str, between: str, text: object
    ) -> None:
        """Write one line for a call, cut to the window: a terminal would break the line within a word."""
        name = name_in_line(event.tool_name) or name_in_line(event.tool_call_id)
        room = PREVIEW
        if self._is_terminal:
            taken = len(f"{self._prefix(event.agent_id)}{mark} {name}{between}")
            room = max(shutil.get_terminal_size().columns - taken, _LEAST)
        short = preview(text, room)
        line = f"{self._paint(tint, mark)} {self._paint(_BOLD, name)}" + (
            f"{between}{short}" if short else ""
        )
        self._write_line(event.agent_id, line)

    def _write_notes(self, agent_id: str, notes: Sequence[str]) -> None:
        """Write a line about each type that a display lacks."""
        for note in notes:
            self._write_line(agent_id, self._paint(_DIM, f"  {note}"))

    def _delta(self, event: TextDelta | ThinkingDelta) -> None:
        part = _part_of(event, "text" if isinstance(event, TextDelta) else "thinking")
        self._written.setdefault(part, []).append(event.delta)
        delta = self._prose.setdefault(part, LiveProse()).feed(event.delta)
        held = self._held.get(event.agent_id)
        if held and held[0] != part:
            self._release(event.agent_id)
        text = self._held.pop(event.agent_id, (part, ""))[1] + delta
        if self._open is None or self._open[1] == event.agent_id:
            self._write(part, text)
            return
        lines, end, rest = text.rpartition("\n")
        if lines.strip():
            self._write(part, lines)
            self._end_line()
        if rest or not end:
            self._held[event.agent_id] = part, rest

    def _release(self, agent_id: str) -> None:
        """Write the held text of an agent, though it is only half a line: another part follows."""
        part, text = self._held.pop(agent_id, ((), ""))
        if text.strip():
            self._write(part, text)

    def _write(self, part: tuple[str, ...], text: str) -> None:
        """Continue the line of a part, or begin a line for it."""
        tint, role = "" if part[0] == "text" else _DIM, self._role(part)
        mark = "> " if role else "  " if tint else ""  # of each line, so that no thought reads as the answer
        if part != self._open:
            self._end_line()
            begin = f"> {role}: " if role else "  thinking: " if tint else ""
            self._stream.write(self._paint(_DIM, self._prefix(part[1])) + self._paint(tint, begin))
            self._open = part
        self._stream.write(self._paint(tint, text.replace("\n", f"\n{mark}")))

    def _role(self, part: tuple[str, ...]) -> str:
        """Return "user" or "system" for their words, "" for the assistant's."""
        return self._said.get((part[1], part[2], part[3] or None), "") if part[0] == "text" else ""

    def _write_line(self, agent_id: str, text: str) -> None:
        """Write a whole line for an agent."""
        self._end_line(f"{self._paint(_DIM, self._prefix(agent_id))}{text}")

    def _prefix(self, agent_id: str) -> str:
        """Return the beginning of an agent's line: its name, if there are several agents."""
        return f"{name_in_line(agent_id)}: " if len(self._agents) > 1 else ""

    def _end_line(self, text: str = "") -> None:
        """End the unfinished line, then write the line *text*."""
        if self._open is not None:
            self._stream.write("\n")
            self._open = None
        self._stream.write(f"{text}\n" if text else "")

    def _paint(self, tint: str, text: str) -> str:
        return f"\x1b[{tint}m{text}\x1b[0m" if tint and text and self._has_colours else text


def _args_of(event: ToolStarted, written: str) -> object:
    if event.args is None and event.args_text is None:
        return written
    return arguments_preview(event.args, event.args_text or "")


def _result_of(event: ToolFinished) -> tuple[object, list[str]]:
    """Return a failure, a result, or the display in its place, for one line; and a line for each type it lacks."""
    words, notes = display_words(event.display) if event.display else ("", [])
    if event.error is not None:
        return _shown(event.error), notes
    output = event.output
    if event.display:
        part = ToolPart(tool_call_id=event.tool_call_id, output=output)
        output = beside_display(part.model_copy(update={"display": event.display})).output
        if words and not isinstance(output, str):
            return words, notes
    line = result_line(output)
    return _shown(output if line is None else line), notes


def _shown(output: object) -> object:
    return terminal_text(output) if isinstance(output, str) else output


def _indented(text: str) -> str:
    """Return an error or a note with its further lines indented: none of them can fake a call's line."""
    return message_text(text).replace("\n", "\n  ")


def _part_of(event: TextDelta | ThinkingDelta | PartCompleted, kind: str) -> tuple[str, ...]:
    return (kind, event.agent_id, event.run_id, event.message_id or "", event.part_id)


class TerminalOutput:
    """Print an agent's work on standard output."""

    is_light = True
    is_alone = True

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._printer = Printer()
        self._registrations: list[Registration] = []
        renew_in_child(self)
        self._reported: set[str] = set()

    def renew(self) -> None:
        """Print nothing in the child of a fork."""
        for registration in self._registrations:
            registration.callbacks = {}
        self._registrations = []

    def watch(self, agent_id: str, since: int) -> None:
        """Print an agent's events from now on."""
        del since
        self._registrations.append(self._registry.register(agent_id, on_event=self._printer))

    def report(self, text: str) -> None:
        """Write a failure in the background to standard error."""
        sys.stderr.write(f"{_indented(text)}\n")

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Write each new trouble of a connection to standard error."""
        del last_words
        for state, text in lines:
            if state in ("reconnecting", "refused") and text not in self._reported:
                sys.stderr.write(f"[{_indented(text)}]\n")
        self._reported = {text for _, text in lines}

    def stopping(self) -> None:
        """Write nothing: the end itself is written."""

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        """Write nothing: the request is an event, and whoever waits for its answer asks below it."""

    def refuse(self, request_id: str, words: str) -> None:
        """Write nothing: whoever asks says it."""

    def usage(self, usage: dict[str, Any] | None) -> None:
        """Write nothing: the end says what was used."""

    def chat(self, state: Mapping[str, Any]) -> None:
        """Write nothing: the chat has a prompt."""

    def steering(self, state: Mapping[str, Any]) -> None:
        """Write nothing: what the agent takes is an event."""

    def flush(self) -> None:
        """Return at once: everything is printed as it arrives."""

    def wait_for_lull(self) -> None:
        """Return at once: no final form delays other outputs."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Stop printing: everything is printed already."""
        del transcripts
        for registration in self._registrations:
            registration.close()
        self._printer.end()

    def withdraw(self) -> None:
        """Stop printing."""
        self.finish({})

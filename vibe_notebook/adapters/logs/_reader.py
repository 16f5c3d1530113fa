"""Read the log of a session, one entry after the other: the part that the dialects of all agents share.

A dialect's reader is an adapter whose natives are the entries of a log. In addition it takes the times from the log,
knows the session's title, and counts the entries that it does not know. Pure: ``vibe_notebook.logs`` reads the files.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from vibe_notebook.events import (
    Custom,
    Event,
    MessageFinished,
    MessageStarted,
    RunStarted,
    ToolFinished,
    ToolStarted,
    Usage,
)

from .._base import Adapter
from .._fields import get, ident, number, text
from .._subagents import Subagents

__all__ = ["LogReader", "seconds"]

_MILLISECONDS: Final = 1e11
"""A count since the epoch beyond this one is in milliseconds: as seconds it is the year 5138."""


class LogReader(Adapter):
    """Read one session of an agent.

    ``agent`` is the agent's name for a reader. ``session_title`` is the newest title that the log gives; ``unknown``
    counts the entries that this version does not know.
    """

    agent: ClassVar[str]
    subagents_end_with_their_call: ClassVar[bool] = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        if self.agent_name is None and self.parent_run_id is None:
            self.agent_name = self.agent
        self.session_title = ""
        self.unknown = 0
        self._ts: float | None = None
        self._model: str | None = None
        self._open_id: str | None = None
        """The id of the message that is being read."""
        self._made = 0
        self._tools: dict[str, str] = {}
        """The names of the tools, by call."""
        self._digests: dict[str, int] = {}
        self._runs: Subagents[LogReader] = Subagents(self, type(self))
        self._agent_calls: dict[str, str] = {}
        """By subagent, the call that began it."""
        self._files: dict[str, str] = {}

    @classmethod
    def time_of(cls, native: object) -> float | None:
        """Return the time of an entry, in seconds since the epoch; ``None`` for an entry without one."""
        return seconds(get(native, "timestamp"))

    @classmethod
    def project_of(cls, native: object) -> str:
        """Return the folder in which the agent worked, if an entry tells it."""
        return text(get(native, "cwd"))

    def feed(self, native: object) -> list[Event]:
        """Return the events of one entry, perhaps none. Never raises."""
        when = self.time_of(native)
        self._ts = self._ts if when is None else when
        events = super().feed(native)
        self._runs.record_calls(self, [event for event in events if event.run_id == self.run_id])
        return events

    def feed_side(self, key: str, native: object, **about: str | None) -> list[Event]:
        """Return the events of an entry of a subagent's own file.

        *key* names the subagent. *about* may have ``call_id``, the call that began it, and ``agent_name``.
        """
        self.sub(key, native, about.get("call_id"), about.get("agent_name"))
        return self._flush()

    @property
    def agents(self) -> dict[str, str]:
        """Return the subagents that the log and theirs name, each with the call that began it."""
        return self._agent_calls

    @property
    def files(self) -> dict[str, str]:
        """Return the subagents whose own files the log names, each with the path as it stands there."""
        return self._files

    def sub(
        self, key: str, native: object, call_id: str | None = None, agent_name: str | None = None
    ) -> None:
        """Read an entry of the subagent *key*."""
        self.start()
        call_id = self._agent_calls.get(key) or call_id
        if call_id is not None:
            self.found_agent(key, call_id)
        events = self._runs.feed(key, native, parent_tool_call_id=call_id, agent_name=agent_name)
        self._out += events
        nested = self._runs.open(key)
        for name, inner in nested.agents.items():
            self._agent_calls.setdefault(name, inner)
        for name, place in nested.files.items():
            self._files.setdefault(name, place)
        for event in events:
            if isinstance(event, ToolFinished) and self.subagents_end_with_their_call:
                self.end_agents(event.tool_call_id, failed=event.status == "error")

    def found_agent(self, key: str, call_id: str) -> None:
        """Record the call that began a subagent; a run that has started without it gets it now."""
        known = self._agent_calls.setdefault(key, call_id)
        if known == call_id and key in self._runs:
            reader = self._runs.open(key)
            if reader.parent_tool_call_id is None:
                reader.parent_tool_call_id = call_id
                self.link(reader.run_id, call_id)

    def end_agents(self, call_id: str, *, failed: bool = False) -> None:
        """End the subagents that a call began."""
        for key, known in list(self._agent_calls.items()):
            if known == call_id:
                self._out += self._runs.end(key, outcome="error" if failed else "success")

    def say(self, name: str, words: object) -> list[Event]:
        """Return a line for the reader about the log itself."""
        self.note(name, words)
        return self._flush()

    def emit(self, cls: type[Any], **fields: Any) -> None:
        """Emit one event with the time of the present entry; a call's result has the name of its tool."""
        if self._ts is not None:
            fields.setdefault("ts", self._ts)
        if cls is not RunStarted:
            self.start()  # not earlier: the first entries may have no time
        if cls is ToolStarted and fields.get("tool_name"):
            self._tools[fields["tool_call_id"]] = fields["tool_name"]
        elif cls is ToolFinished and not fields.get("tool_name"):
            fields["tool_name"] = self._tools.get(fields["tool_call_id"])
        super().emit(cls, **fields)

    def emit_unknown(self, native: object, name: str | None, **fields: Any) -> None:
        """Emit an entry that this version does not know, and count it."""
        self.unknown += 1
        super().emit_unknown(native, name, **fields)

    def is_repeat(self, key: str, native: object) -> bool:
        """Return whether the entry *key* has come before, and was the same."""
        digest = hash(repr(native))
        before, self._digests[key] = self._digests.get(key), digest
        return before == digest

    def note(self, name: str, words: object) -> None:
        """Emit a line for the reader."""
        before, self._envelope = self._envelope, {}
        self.emit(Custom, name=name, value=words or None, shown=True)
        self._envelope = before

    def hide(self, name: str, value: object) -> None:
        """Emit a value that no form shows: a recording keeps it."""
        before, self._envelope = self._envelope, {}
        super().emit_unknown({"value": value}, name)
        self._envelope = before

    def retitle(self, title: object) -> None:
        """Take a title of the session, and show each new one as a line."""
        words = text(title).strip()
        if words and words != self.session_title:
            self.session_title = words
            self.note("title", words)

    def trouble(self, outcome: str, error: str | None = None, code: str | None = None) -> None:
        """Store the run's outcome for the case that no message follows."""
        self._last_problem = {"outcome": outcome, "error": error, "code": code}

    # Messages of agents other than Claude.

    def open_message(self, message_id: object = None) -> None:
        """Begin a message, or go on with the one that has this id or, without an id, is open."""
        wanted = ident(message_id)
        if self._open_id is None or (wanted is not None and wanted != self._open_id):
            self.close_message()
            self._made += 1
            self._open_id = wanted or f"{self.run_id}:message:{self._made}"
            self._envelope = {"message_id": self._open_id}
            self.emit(MessageStarted)
        self._envelope = {"message_id": self._open_id}

    def close_message(self, usage: Usage | None = None, reason: object = None) -> None:
        """End the open message, if any."""
        if self._open_id is None:
            return
        message_id, self._open_id = self._open_id, None
        self._envelope = {"message_id": message_id}
        self.emit(MessageFinished, usage=usage, finish_reason=ident(reason))
        self._envelope = {}
        if not self.keeps_texts:
            self.streamed.forget(message_id)

    def call(self, call_id: object, name: object, args: Any) -> str:
        """Emit a tool call of the open message; return its id."""
        found = ident(call_id)
        if found is None:
            self._made += 1
            found = f"{self.run_id}:call:{self._made}"
        self.emit(ToolStarted, tool_call_id=found, tool_name=text(name) or None, args=args)
        return found

    def result(self, call_id: object, value: object, *, error: object = None, status: str = "") -> None:
        """Emit a call's result; *error* is the words of its failure."""
        found = ident(call_id)
        if found is None:
            self.emit_unknown({"result": value}, "tool_result")
            return
        before, self._envelope = self._envelope, {}
        words = text(error)
        status = status or ("error" if words else "ok")
        self.emit_result(value, tool_call_id=found, status=status, error=words or None)
        if self.subagents_end_with_their_call:
            self.end_agents(found, failed=status == "error")
        self._envelope = before

    def turn(self, words: str, files: Sequence[dict[str, Any]] = (), **place: Any) -> None:
        """Emit what the user, or the system, said."""
        self.close_message()
        self._envelope = {}
        self.emit_turn(words, files, **place)

    def link(self, run_id: str, call_id: str) -> None:
        """Emit the call that began a subagent whose run has started already."""
        before, self._envelope = self._envelope, {}
        self.emit(RunStarted, run_id=run_id, parent_run_id=self.run_id, parent_tool_call_id=call_id)
        self._envelope = before

    def _close(self) -> None:
        self.close_message()
        super()._close()
        self._out += self._runs.end_all()


def seconds(value: object) -> float | None:
    """Return a time, ISO text or a count since the epoch, in seconds; ``None`` for other values."""
    if isinstance(value, str) and not value.isdecimal():
        try:
            found = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        try:
            return found.timestamp()
        except (OverflowError, ValueError):
            return None
    count = number(value)
    if count is None or count <= 0:
        return None
    return count / 1000 if count > _MILLISECONDS else count

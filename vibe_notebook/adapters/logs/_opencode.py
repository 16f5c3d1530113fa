"""Read the sessions of OpenCode: rows of its database, JSON files, or the one file of ``opencode export``.

A session names its project and its title; each message has parts. The caller gathers the rows or the files of a session
into entries: the session, then each message with its parts. A subagent is a session of its own, which the ``task`` call
of its parent names. Source: ``packages/opencode/src/session/message-v2.ts`` and ``session.sql.ts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vibe_notebook.events import Artifact, Usage

from .._fields import get, ident, integer, items, number, plain, text
from .._files import block_file
from . import _opencode_v2
from ._reader import LogReader, seconds

__all__ = ["OpenCodeReader", "entries", "is_document"]

_QUIET: Final = frozenset(("step-start", "step-finish", "snapshot", "patch", "agent", "retry"))


def is_document(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON value is a session's file or an export, by its first fields."""
    if isinstance(document.get("messages"), list):
        return isinstance(get(document, "info", "time"), Mapping) and isinstance(
            get(document, "info", "id"), str
        )
    is_session = isinstance(document.get("id"), str) and isinstance(document.get("time"), Mapping)
    return is_session and "projectID" in document and "role" not in document


def entries(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield the session, then its messages with their parts."""
    if not isinstance(document.get("messages"), list):
        yield document
        return
    yield document.get("info")
    yield from items(document.get("messages"))


class OpenCodeReader(LogReader):
    """Read one session; an entry may come again with more parts."""

    name = "opencode"
    agent = "OpenCode"
    keeps_texts = True

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._seen: set[str] = set()
        self._results: set[str] = set()

    @classmethod
    def time_of(cls, native: object) -> float | None:
        """Return the time at which a session or a message was created."""
        return seconds(get(native, "info", "time", "created")) or seconds(get(native, "time", "created"))

    @classmethod
    def project_of(cls, native: object) -> str:
        """Return the folder in which the agent worked, if an entry tells it."""
        return text(get(native, "directory"))

    def _read(self, native: object) -> None:
        if _opencode_v2.is_message(native):
            if text(get(native, "type")) not in ("user", "assistant"):
                self._line(native)
                return
            native = _opencode_v2.with_parts(native)
        info = get(native, "info")
        if info is None:
            self.retitle(get(native, "title"))
            return
        message_id, parts = ident(get(info, "id")), items(get(native, "parts"))
        if text(get(info, "role")) == "user":
            self._user(message_id, parts)
        elif text(get(info, "role")) == "assistant":
            if not self.is_repeat(message_id or "", native):
                self._assistant(info, message_id, parts)
        else:
            self.emit_unknown(native, text(get(info, "role")) or None)

    def _line(self, native: object) -> None:
        """Read a message of the second version that is neither the user's nor the agent's."""
        kind, message_id = text(get(native, "type")), ident(get(native, "id")) or ""
        if self.is_repeat(message_id, native):
            return
        words, status = text(get(native, "text")), text(get(native, "status"))
        if kind in ("system", "skill"):
            if words and message_id not in self._seen:
                self._seen.add(message_id)
                self.turn(words, role="system", message_id=message_id or None)
        elif kind == "shell":
            output = text(get(native, "output", "output")) or text(get(native, "output"))
            if status != "running":
                self.note("shell", "\n".join(filter(None, (text(get(native, "command")), output))))
        elif kind == "compaction":
            if status == "failed":
                self.note("compaction", f"failed: {text(get(native, 'error', 'message'))}")
            elif status != "running":
                self.note("compaction", "the conversation before was summarised")
        elif kind == "idle":
            if text(get(native, "outcome")) == "interrupted":
                self.note("interrupted", None)
                self.trouble("cancelled")
        elif kind == "model-switched":
            self._model = ident(get(native, "model", "id")) or self._model
        elif kind not in ("synthetic", "agent-switched", "location-switched"):
            self.emit_unknown(native, kind or None)

    def _user(self, message_id: str | None, parts: list[Any]) -> None:
        if message_id is None or message_id in self._seen:
            return
        kinds = {text(get(part, "type")) for part in parts}
        if "compaction" in kinds:
            self.note("compaction", "the conversation before is summarised")
        texts = [
            part for part in parts if text(get(part, "type")) == "text" and get(part, "synthetic") is not True
        ]
        words = "\n".join(filter(None, (text(get(part, "text")) for part in texts)))
        files = [
            file for part in parts if text(get(part, "type")) == "file" and (file := block_file(_file(part)))
        ]
        if words or files:
            self._seen.add(message_id)
            self.turn(words, files, message_id=message_id)

    def _assistant(self, info: object, message_id: str | None, parts: list[Any]) -> None:
        self.open_message(message_id)
        self._model = ident(get(info, "modelID")) or self._model
        for part in parts:
            self._part(part)
        reason = text(get(info, "finish"))
        self.open_message(message_id)
        self._ts = seconds(get(info, "time", "completed")) or self._ts
        self.close_message(self._usage_in(info), reason or None)
        problem = get(info, "error")
        if problem is not None and (key := f"error:{message_id}") not in self._seen:
            self._seen.add(key)
            words = text(get(problem, "data", "message")) or text(get(problem, "name")) or "error"
            is_abort = text(get(problem, "name")) == "MessageAbortedError"
            self.note("interrupted" if is_abort else "error", words)
            self.trouble(*(("cancelled",) if is_abort else ("error", words)))
        elif get(info, "summary") is True and (key := f"summary:{message_id}") not in self._seen:
            self._seen.add(key)
            self.note("compaction", "the conversation before was summarised")

    def _part(self, part: object) -> None:
        kind, part_id = text(get(part, "type")), ident(get(part, "id")) or "0"
        self._ts = (
            seconds(get(part, "time", "start")) or seconds(get(part, "state", "time", "start")) or self._ts
        )
        if kind in ("text", "reasoning"):
            self._whole("text" if kind == "text" else "thinking", part_id, text(get(part, "text")))
        elif kind == "tool":
            self._tool(part)
        elif kind == "file" and (file := block_file(_file(part))) is not None:
            self.emit(Artifact, artifact_id=part_id, part_id=part_id, **file)
        elif kind not in (*_QUIET, "compaction", "subtask"):
            self.emit_unknown(part, kind or None)

    def _whole(self, kind: str, part_id: str, words: str) -> None:
        if self.streamed.read((self._open_id, kind, part_id)):
            self.emit_whole(kind, part_id, words)
        else:
            self.emit_text(kind, part_id, words)

    def _tool(self, part: object) -> None:
        call_id, state = ident(get(part, "callID")) or ident(get(part, "id")), get(part, "state")
        if call_id is None:
            self.emit_unknown(part, "tool")
            return
        status = text(get(state, "status"))
        if call_id not in self._seen and status != "pending":
            self._seen.add(call_id)
            self.call(call_id, get(part, "tool"), plain(get(state, "input")))
        agent = ident(get(state, "metadata", "sessionId")) or ident(get(state, "metadata", "sessionID"))
        if agent is not None:
            self.found_agent(agent, call_id)
        if status in ("completed", "error") and call_id not in self._results:
            self._results.add(call_id)
            self._ts = seconds(get(state, "time", "end")) or self._ts
            self.result(
                call_id, plain(get(state, "output")), error=get(state, "error") if status == "error" else None
            )

    def _usage_in(self, info: object) -> Usage | None:
        tokens = get(info, "tokens")
        if tokens is None and get(info, "cost") is None:
            return None
        counts = [integer(get(tokens, *path)) for path in (("input",), ("cache", "read"), ("cache", "write"))]
        answer, thoughts = integer(get(tokens, "output")), integer(get(tokens, "reasoning"))
        return Usage(
            input_tokens=None if tokens is None else sum(count or 0 for count in counts),
            output_tokens=None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0),
            cached_input_tokens=counts[1],
            cache_write_tokens=counts[2],
            reasoning_tokens=thoughts,
            cost=number(get(info, "cost")),
            model=self._model,
            provider=ident(get(info, "providerID")),
        )


def _file(part: object) -> dict[str, Any]:
    return {
        "type": "file",
        "mediaType": get(part, "mime"),
        "url": get(part, "url"),
        "filename": get(part, "filename"),
    }

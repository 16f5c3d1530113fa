"""Read the sessions of Pi: ``~/.pi/agent/sessions/--PROJECT--/*.jsonl``.

The first line is the session's head. Each further line is an entry of a tree, and names its parent: where the user went
back, an entry's parent is not the one before it. Source: ``packages/coding-agent/docs/session.md`` of pi-mono.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Usage

from .._fields import get, ident, integer, items, number, plain, text
from .._files import said
from ._reader import LogReader, seconds

__all__ = ["PiReader", "recognizes"]

_TYPES: Final = frozenset(
    (
        *("message", "model_change", "thinking_level_change", "compaction", "branch_summary", "custom"),
        *("custom_message", "label", "session_info", "active_tools_change", "leaf"),
    )
)
_ROLES: Final = frozenset(
    (
        *("user", "assistant", "toolResult", "bashExecution", "custom", "hookMessage", "branchSummary"),
        "compactionSummary",
    )
)
_QUIET: Final = frozenset(
    ("session", "thinking_level_change", "custom", "label", "active_tools_change", "leaf")
)
_ENDS: Final = {"error": "error", "aborted": "cancelled"}


def recognizes(entry: object) -> bool:
    """Return whether *entry* is a line of a session; the line may be cut after its first fields."""
    if not isinstance(entry, Mapping):
        return False
    kind = text(entry.get("type"))
    if kind == "session":
        return "cwd" in entry and "id" in entry
    if kind == "message":
        return text(get(entry, "message", "role")) in _ROLES and "sessionId" not in entry
    return kind in _TYPES and "timestamp" in entry and ("parentId" in entry or "modelId" in entry)


class PiReader(LogReader):
    """Read one session."""

    name = "pi"
    agent = "Pi"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._newest: str | None = None

    @classmethod
    def time_of(cls, native: object) -> float | None:
        """Return the time of an entry: its message's own, if it has one."""
        return seconds(get(native, "timestamp")) or seconds(get(native, "message", "timestamp"))

    def _read(self, native: object) -> None:
        kind = text(get(native, "type"))
        self._follow_tree(native)
        match kind:
            case "message":
                self._message(get(native, "message"), ident(get(native, "id")))
            case "model_change":
                self._model = ident(get(native, "modelId")) or self._model
            case "compaction":
                self._compaction(native)
            case "branch_summary":
                self.note("branch", text(get(native, "summary")))
            case "session_info":
                self.retitle(get(native, "name"))
            case "custom_message":
                if get(native, "display") is True:
                    self.note(text(get(native, "customType")) or "note", said(get(native, "content"))[0])
            case _ if kind not in _QUIET:
                self.emit_unknown(native, kind or None)

    def _follow_tree(self, native: object) -> None:
        """Say where the user went back to an earlier entry."""
        entry, parent = ident(get(native, "id")), ident(get(native, "parentId"))
        if parent is not None and self._newest is not None and parent != self._newest:
            self.close_message()
            self.note("branch", "the session goes on from an earlier entry")
        if "parentId" in (native if isinstance(native, Mapping) else ()):
            self._newest = entry or self._newest

    def _message(self, message: object, entry: str | None) -> None:
        match text(get(message, "role")):
            case "user":
                self.turn(*said(get(message, "content")), message_id=entry)
            case "assistant":
                self._assistant(message, entry)
            case "toolResult":
                self._tool_result(message)
            case "bashExecution":
                self._bash(message)
            case "compactionSummary":
                self._compaction(message)
            case "branchSummary":
                self.note("branch", text(get(message, "summary")))
            case "custom" | "hookMessage":
                if get(message, "display") is True:
                    self.note(text(get(message, "customType")) or "note", said(get(message, "content"))[0])
            case role:
                self.emit_unknown(message, role or None)

    def _assistant(self, message: object, entry: str | None) -> None:
        self._model = ident(get(message, "model")) or self._model
        self.open_message(entry)
        for i, block in enumerate(items(get(message, "content"))):
            match text(get(block, "type")):
                case "text":
                    self.emit_text("text", str(i), text(get(block, "text")))
                case "thinking":
                    self.emit_text("thinking", str(i), text(get(block, "thinking")))
                case "toolCall":
                    self.call(get(block, "id"), get(block, "name"), plain(get(block, "arguments")))
                case kind:
                    self.emit_unknown(block, kind or None)
        reason, problem = text(get(message, "stopReason")), text(get(message, "errorMessage"))
        self.close_message(self._usage_in(message), reason if reason not in _ENDS else None)
        if reason in _ENDS:
            self.note("error" if reason == "error" else "interrupted", problem or reason)
            self.trouble(_ENDS[reason], problem or None if reason == "error" else None)

    def _usage_in(self, message: object) -> Usage | None:
        usage = get(message, "usage")
        counts = [integer(get(usage, name)) for name in ("input", "cacheRead", "cacheWrite")]
        if all(count is None for count in counts) and integer(get(usage, "output")) is None:
            return None
        return Usage(
            input_tokens=sum(count or 0 for count in counts),
            output_tokens=integer(get(usage, "output")),
            cached_input_tokens=counts[1],
            cache_write_tokens=counts[2],
            cost=number(get(usage, "cost", "total")),
            model=self._model,
            provider=ident(get(message, "provider")),
        )

    def _tool_result(self, message: object) -> None:
        content = get(message, "content")
        blocks = items(content)
        is_text = all(text(get(block, "type")) == "text" for block in blocks)
        words = said(content)[0]
        error = (words or "error") if get(message, "isError") is True else ""
        self.result(get(message, "toolCallId"), words if is_text else plain(content), error=error)

    def _bash(self, message: object) -> None:
        """Show a command that the user has run."""
        self.close_message()
        call_id = self.call(None, "bash", {"command": text(get(message, "command"))})
        code = integer(get(message, "exitCode"))
        output = {"output": text(get(message, "output"))} | ({} if code is None else {"exit_code": code})
        self.result(call_id, output, status="cancelled" if get(message, "cancelled") is True else "")

    def _compaction(self, native: object) -> None:
        self.close_message()
        count = integer(get(native, "tokensBefore"))
        self.note(
            "compaction", f"{count:,} tokens before it" if count else "the conversation before was summarised"
        )
        self.hide("compaction_summary", text(get(native, "summary")))

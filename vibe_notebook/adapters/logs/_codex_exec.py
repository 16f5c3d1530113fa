"""Read the lines of ``codex exec --json``: events about a thread, its turns and its items.

An item comes when it starts, when it changes and when it is complete, each time whole. Source: ``codex-rs/exec``,
``exec_events.rs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Plan, Usage

from .._fields import get, ident, integer, items, plain, text
from ._reader import LogReader

__all__ = ["CodexExecReader", "recognizes"]

_TYPES: Final = frozenset(
    (
        *("thread.started", "turn.started", "turn.completed", "turn.failed"),
        *("item.started", "item.updated", "item.completed"),
    )
)
_CALLS: Final = {"command_execution": "shell", "file_change": "apply_patch", "web_search": "web_search"}
_ENDS: Final = {"completed": "ok", "failed": "error", "declined": "denied"}


def recognizes(entry: object) -> bool:
    """Return whether *entry* is such an event; the line may be cut after its first fields."""
    return isinstance(entry, Mapping) and text(entry.get("type")) in _TYPES


class CodexExecReader(LogReader):
    """Read one thread."""

    name = "codex_exec"
    agent = "codex exec"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._started: set[str] = set()
        self._ended: set[str] = set()

    def _read(self, native: object) -> None:
        kind = text(get(native, "type"))
        match kind:
            case "thread.started" | "turn.started":
                pass
            case "turn.completed":
                self._turn_completed(get(native, "usage"))
            case "turn.failed" | "error":
                self.close_message()
                words = text(get(native, "error", "message")) or text(get(native, "message"))
                self.note("error", words)
                self.trouble("error", words or "error")
            case _ if kind.startswith("item."):
                self._item(get(native, "item"), is_over=kind == "item.completed")
            case _:
                self.emit_unknown(native, kind or None)

    def _turn_completed(self, usage: object) -> None:
        self.open_message()
        self.close_message(
            Usage(
                input_tokens=integer(get(usage, "input_tokens")),
                output_tokens=integer(get(usage, "output_tokens")),
                cached_input_tokens=integer(get(usage, "cached_input_tokens")),
                reasoning_tokens=integer(get(usage, "reasoning_output_tokens")),
            )
        )

    def _item(self, item: object, *, is_over: bool) -> None:
        kind, item_id = text(get(item, "type")) or text(get(item, "item_type")), ident(get(item, "id")) or ""
        if kind in ("agent_message", "assistant_message", "reasoning"):
            if is_over:
                self.open_message()
                self.emit_text(
                    "thinking" if kind == "reasoning" else "text", item_id, text(get(item, "text"))
                )
        elif kind == "todo_list":
            steps = [
                {
                    "text": text(get(one, "text")),
                    "status": "completed" if get(one, "completed") is True else "pending",
                }
                for one in items(get(item, "items"))
            ]
            self.emit(Plan, entries=steps)
        elif kind == "error":
            self.note("error", text(get(item, "message")))
        elif kind in _CALLS or kind.endswith("_tool_call"):
            self._call_item(item, kind, item_id, is_over=is_over)
        else:
            self.emit_unknown(item, kind or None)

    def _call_item(self, item: object, kind: str, item_id: str, *, is_over: bool) -> None:
        if item_id not in self._started:
            self._started.add(item_id)
            self.open_message()
            server, tool = text(get(item, "server")), text(get(item, "tool"))
            name = _CALLS.get(kind) or ".".join(filter(None, (server, tool))) or kind
            self.call(item_id, name, _arguments(item, kind))
        if not is_over or item_id in self._ended:
            return
        self._ended.add(item_id)
        code, value = integer(get(item, "exit_code")), plain(get(item, "result"))
        if kind == "command_execution":
            value = {"output": text(get(item, "aggregated_output"))} | (
                {} if code is None else {"exit_code": code}
            )
        status = _ENDS.get(text(get(item, "status")), "ok")
        if kind == "command_execution" and status == "error" and code is not None:
            status = "ok"  # the command has failed, the call has not
        self.result(item_id, value, error=get(item, "error", "message"), status=status)


def _arguments(item: object, kind: str) -> Any:
    if kind == "command_execution":
        return {"command": text(get(item, "command"))}
    if kind == "web_search":
        return {"query": text(get(item, "query"))}
    found = get(item, "changes" if kind == "file_change" else "arguments")
    return {"changes": plain(found)} if kind == "file_change" else plain(found)

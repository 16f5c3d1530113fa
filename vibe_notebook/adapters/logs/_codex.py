"""Read the rollouts of Codex: ``~/.codex/sessions/YEAR/MONTH/DAY/rollout-*.jsonl``.

Each line has a time, a type and a payload: an item of the Responses API, an event for the screen, or the context of a
turn. The screen's events repeat the items, so each text counts once. The oldest rollouts have the items alone. Source:
``codex-rs/protocol``, ``RolloutItem``, ``ResponseItem`` and ``EventMsg``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Artifact, ToolProgress, Usage

from .._fields import get, ident, integer, items, parsed, plain, text
from .._files import said
from ._reader import LogReader

__all__ = ["CodexReader", "recognizes"]

_TYPES: Final = frozenset(("session_meta", "response_item", "compacted", "turn_context", "event_msg"))
_ITEMS: Final = frozenset(
    (
        *("message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "compaction"),
        *("custom_tool_call_output", "local_shell_call", "web_search_call", "image_generation_call"),
        *("tool_search_call", "tool_search_output", "ghost_snapshot", "compaction_summary", "mcp_call"),
    )
)
_INJECTED: Final = re.compile(
    r"\s*(?:<(?:environment_context|user_instructions|INSTRUCTIONS|permissions instructions|skills?|turn_aborted"
    r"|collaboration_mode|personality_spec|subagent_notification|user_shell_command|model_switch)\b"
    r"|# AGENTS\.md instructions)"
)
"""The beginnings of messages that Codex writes in the user's name."""
_WRAPPED: Final = re.compile(
    r"(?:Chunk ID: \S+\n|Exit code: (?P<exit>\d{1,9})\n)?Wall time: [^\n]*\n"
    r"(?:Process exited with code (?P<code>\d{1,9})\n|[A-Z][^\n]{0,200}\n)*?Output:\n"
)
"""The lines that Codex puts before the output of a command."""
_CALLS: Final = ("function_call", "custom_tool_call", "local_shell_call", "tool_search_call", "mcp_call")
_COUNTS: Final = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
_QUIET_ITEMS: Final = frozenset(("ghost_snapshot", "compaction", "compaction_summary", "other"))
_QUIET_EVENTS: Final = frozenset(
    (
        *(
            "task_started",
            "task_complete",
            "turn_started",
            "turn_complete",
            "exec_command_begin",
            "patch_apply_begin",
        ),
        *(
            "exec_command_output_delta",
            "mcp_tool_call_begin",
            "web_search_begin",
            "web_search_end",
            "turn_diff",
        ),
        *("patch_apply_end", "agent_message_delta", "agent_reasoning_section_break", "session_configured"),
        *("mcp_startup_complete", "mcp_startup_update", "item_started", "item_completed", "plan_update"),
        *("view_image_tool_call", "thread_settings_applied", "raw_response_item", "shutdown_complete"),
        *("mcp_tool_call_end", "exec_command_end", "dynamic_tool_call_request", "dynamic_tool_call_response"),
        *(
            "entered_review_mode",
            "exited_review_mode",
            "undo_started",
            "undo_completed",
            "get_history_entry_response",
        ),
        *("image_generation_begin", "image_generation_end", "terminal_interaction", "thread_goal_updated"),
        *("collab_agent_spawn_begin", "collab_waiting_begin", "collab_waiting_end"),
        *(
            "collab_agent_interaction_begin",
            "collab_agent_interaction_end",
            "collab_close_begin",
            "collab_close_end",
        ),
        *(
            "sub_agent_activity",
            "hook_started",
            "hook_completed",
            "skills_update_available",
            "background_event",
        ),
    )
)


def recognizes(entry: object) -> bool:
    """Return whether *entry* is a line of a rollout; the line may be cut after its first fields."""
    if not isinstance(entry, Mapping):
        return False
    kind = text(entry.get("type"))
    if kind in _TYPES:
        return isinstance(entry.get("payload"), Mapping) or "timestamp" in entry
    if "record_type" in entry or ("instructions" in entry and "timestamp" in entry and "id" in entry):
        return True
    if kind == "message":
        return "role" in entry and isinstance(entry.get("content"), list) and "message" not in entry
    return kind in _ITEMS and "parentId" not in entry


class CodexReader(LogReader):
    """Read one session."""

    name = "codex"
    agent = "Codex"
    subagents_end_with_their_call = False  # the call returns at once

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._said: dict[tuple[str, str], int] = {}
        """By kind and words: how often the items have said them, less how often the screen's events have."""
        self._total: dict[str, int] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._newest: str | None = None
        self._has_answer = False
        self._is_compacted = False

    @classmethod
    def project_of(cls, native: object) -> str:
        """Return the folder in which the agent worked, if an entry tells it."""
        return text(get(native, "payload", "cwd"))

    def _read(self, native: object) -> None:
        kind, payload = text(get(native, "type")), get(native, "payload")
        match kind:
            case "session_meta":
                pass
            case "turn_context":
                self._model = ident(get(payload, "model")) or self._model
            case "response_item":
                self._item(payload)
            case "compacted":
                self._compacted(payload)
            case "event_msg":
                self._event(payload, text(get(payload, "type")))
            case _ if kind in _ITEMS:
                self._item(native)
            case _ if kind or not ("record_type" in fields_in(native) or "instructions" in fields_in(native)):
                self.emit_unknown(native, kind or None)

    # Items of the Responses API.

    def _item(self, item: object) -> None:
        kind = text(get(item, "type"))
        if kind == "message":
            self._message_item(item)
        elif kind == "reasoning":
            blocks = items(get(item, "content")) or items(get(item, "summary"))
            for block in blocks:
                self._words("thinking", text(get(block, "text")), is_item=True)
        elif kind in _CALLS:
            self._call_item(item, kind)
        elif kind.endswith("_output"):
            self._output(item)
        elif kind == "web_search_call":
            self._search(item)
        elif kind == "image_generation_call":
            self._continue()
            data = text(get(item, "result"))
            if data:
                image = {"media_type": "image/png", "data": data}
                self.emit(Artifact, artifact_id=ident(get(item, "id")) or f"{self._newest}:image", **image)
        elif kind not in _QUIET_ITEMS:
            self.emit_unknown(item, kind or None)

    def _message_item(self, item: object) -> None:
        role = text(get(item, "role"))
        words, files = said(get(item, "content"))
        if role == "assistant":
            self._words("text", words, is_item=True)
        elif role != "user" or _INJECTED.match(words):
            self.hide("instructions", words)
        else:
            self._user(words, files, is_item=True)

    def _user(self, words: str, files: list[dict[str, Any]], *, is_item: bool) -> None:
        if self._is_new("user", words, is_item=is_item):
            self._has_answer = False
            self._is_compacted = False
            self.turn(words, files)

    def _is_new(self, kind: str, words: str, *, is_item: bool) -> bool:
        """Return whether words were not yet said by the other kind of line."""
        key, step = (kind, words.strip()), 1 if is_item else -1
        before = self._said.get(key, 0)
        self._said[key] = before + step
        if self._said[key] == 0:
            del self._said[key]
        return before * step >= 0

    def _words(self, kind: str, words: str, *, is_item: bool) -> None:
        if words and self._is_new(kind, words, is_item=is_item):
            self._continue()
            self._made += 1
            self.emit_text(kind, f"{kind}:{self._made}", words)

    def _continue(self) -> None:
        """Go on with the model's message; after a call's result begins the next one."""
        if self._has_answer:
            self.close_message()
            self._has_answer = False
        self.open_message()
        self._newest = self._open_id

    def _call_item(self, item: object, kind: str) -> None:
        self._continue()
        name: object = get(item, "name")
        if kind == "local_shell_call":
            name, args = "shell", plain(get(item, "action"))
        elif kind == "custom_tool_call":
            args = {"input": text(get(item, "input"))}
        else:
            args = parsed(get(item, "arguments"))
        namespace = text(get(item, "namespace"))
        name = f"{namespace}.{text(name)}" if namespace else name or kind
        self.call(get(item, "call_id") or get(item, "id"), name, args)
        if kind == "mcp_call":
            self.result(get(item, "id"), get(item, "output"), error=get(item, "error"))

    def _search(self, item: object) -> None:
        self._continue()
        call_id = self.call(get(item, "id"), "web_search", plain(get(item, "action")))
        self.result(call_id, None, status="ok" if text(get(item, "status")) != "failed" else "error")

    def _output(self, item: object) -> None:
        value: Any = parsed(get(item, "output"))
        error = ""
        if isinstance(value, Mapping) and "content" in value and "success" in value:
            error = "the call failed" if value["success"] is False else ""
            value = items(value.get("content_items")) or parsed(value.get("content"))
        if isinstance(value, Mapping) and isinstance(value.get("output"), str) and "metadata" in value:
            code = integer(get(value, "metadata", "exit_code"))
            value = {"output": value["output"]} | ({} if code is None else {"exit_code": code})
        if isinstance(value, str) and (wrapped := _WRAPPED.match(value)) is not None:
            exit_code = wrapped["code"] or wrapped["exit"]
            value = {"output": value[wrapped.end() :]} | ({"exit_code": int(exit_code)} if exit_code else {})
        self._has_answer = True
        call_id, agent = ident(get(item, "call_id")), ident(get(value, "agent_id"))
        if call_id is not None and agent is not None:
            self.found_agent(agent, call_id)
        self.result(call_id, value, error=error)

    # Events for the screen.

    def _event(self, event: object, kind: str) -> None:
        match kind:
            case "user_message":
                _, files = said(
                    [{"type": "input_image", "image_url": url} for url in items(get(event, "images"))]
                )
                words = text(get(event, "message"))
                if not _INJECTED.match(words):
                    self._user(words, files, is_item=False)
            case "agent_message":
                self._words("text", text(get(event, "message")), is_item=False)
            case "agent_reasoning" | "agent_reasoning_raw_content":
                self._words("thinking", text(get(event, "text")), is_item=False)
            case "token_count":
                self._token_count(get(event, "info"))
            case "context_compacted":
                self._compacted(event)
            case "turn_aborted":
                self.close_message()
                self.note("interrupted", text(get(event, "reason")))
                self.trouble("cancelled")
            case _ if kind not in _QUIET_EVENTS:
                self._notice(event, kind)

    def _notice(self, event: object, kind: str) -> None:
        match kind:
            case "error" | "stream_error":
                self.close_message()
                words = text(get(event, "message"))
                self.note("error", words)
                if kind == "error":
                    self.trouble("error", words or "error")
            case "warning" | "deprecation_notice" | "guardian_warning":
                self.note("warning", text(get(event, "message")) or text(get(event, "summary")))
            case "collab_agent_spawn_end":
                call_id, agent = (ident(get(event, name)) for name in ("call_id", "new_thread_id"))
                if call_id is not None and agent is not None:
                    self.found_agent(agent, call_id)
            case "thread_name_updated":
                self.retitle(get(event, "thread_name"))
            case "thread_rolled_back":
                self.note("rolled back", f"{integer(get(event, 'num_turns')) or 1} turns")
            case "exec_approval_request" | "apply_patch_approval_request":
                if (call_id := ident(get(event, "call_id"))) is not None:
                    self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
            case _:
                self.emit_unknown(event, kind or None)

    def _token_count(self, info: object) -> None:
        """Add the tokens of a model call to its message; an event that repeats the sum so far adds nothing."""
        total, last = (_counts_in(get(info, name)) for name in ("total_token_usage", "last_token_usage"))
        if not total or total == self._total:
            return
        if not last:
            last = {name: max(0, count - self._total.get(name, 0)) for name, count in total.items()}
        self._total = total
        message_id = self._open_id or self._newest
        if message_id is None:
            return
        sums = self._counts.get(message_id, {})
        self._counts = {message_id: {name: sums.get(name, 0) + last.get(name, 0) for name in {*sums, *last}}}
        if self._open_id is None:
            self.open_message(message_id)
        self._newest = message_id
        self.close_message(self._usage_of(self._counts[message_id]))

    def _usage_of(self, counts: dict[str, int]) -> Usage:
        return Usage(
            input_tokens=counts.get("input_tokens"),
            output_tokens=counts.get("output_tokens"),
            cached_input_tokens=counts.get("cached_input_tokens"),
            reasoning_tokens=counts.get("reasoning_output_tokens"),
            model=self._model,
        )

    def _compacted(self, event: object) -> None:
        self.close_message()
        if not self._is_compacted:
            self.note("compaction", "the conversation before was summarised")
        self._is_compacted = True
        if words := text(get(event, "message")):
            self.hide("compaction_summary", words)


def fields_in(native: object) -> frozenset[str]:
    """Return the names of the fields of an entry."""
    return frozenset(native) if isinstance(native, Mapping) else frozenset()


def _counts_in(found: object) -> dict[str, int]:
    return {name: count for name in _COUNTS if (count := integer(get(found, name))) is not None}

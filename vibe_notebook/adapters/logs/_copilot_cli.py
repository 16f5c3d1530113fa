"""Read the sessions of Copilot CLI: ``~/.copilot/session-state/SESSION/events.jsonl``.

Each line is an event: its type, its time and its data. The events of a subagent name the call that began it. The last
event of a session has the tokens of all its models. Source: ``session-events.schema.json`` of copilot-sdk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import ToolProgress, Usage

from .._fields import get, ident, integer, items, parsed, plain, text
from .._files import said
from ._reader import LogReader

__all__ = ["CopilotCLIReader", "recognizes"]

_KINDS: Final = (
    *("session.", "user.", "assistant.", "tool.", "subagent.", "hook.", "skill.", "system.", "permission."),
    *(
        "user_input.",
        "elicitation.",
        "external_tool.",
        "command.",
        "mcp.",
        "pending_messages.",
        "exit_plan_mode.",
    ),
    *("sampling.", "capabilities.", "auto_mode_switch."),
)
_QUIET: Final = frozenset(
    (
        *("session.start", "session.resume", "session.idle", "session.usage_info", "session.mode_changed"),
        *(
            "session.compaction_start",
            "session.context_changed",
            "session.plan_changed",
            "session.task_complete",
        ),
        *("session.workspace_file_changed", "session.background_tasks_changed", "session.tools_updated"),
        *(
            "session.skills_loaded",
            "session.custom_agents_updated",
            "session.mcp_servers_loaded",
            "session.info",
        ),
        *(
            "session.mcp_server_status_changed",
            "session.extensions_loaded",
            "session.remote_steerable_changed",
        ),
        *(
            "assistant.turn_start",
            "assistant.turn_end",
            "assistant.message_delta",
            "assistant.reasoning_delta",
        ),
        *("assistant.streaming_delta", "assistant.message_start", "tool.user_requested", "subagent.selected"),
        *("subagent.deselected", "pending_messages.modified", "command.queued", "command.completed"),
    )
)
_QUIET_KINDS: Final = (
    "hook.",
    "permission.",
    "user_input.",
    "elicitation.",
    "external_tool.",
    "mcp.",
    "capabilities.",
)
_COUNTS: Final = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")


def recognizes(entry: object) -> bool:
    """Return whether *entry* is an event of a session; the line may be cut after its first fields."""
    if not isinstance(entry, Mapping):
        return False
    kind = text(entry.get("type"))
    is_own = kind == "abort" or kind.startswith(_KINDS)
    return is_own and ("data" in entry or "parentId" in entry or "timestamp" in entry)


class CopilotCLIReader(LogReader):
    """Read one session, including its subagents."""

    name = "copilot_cli"
    agent = "Copilot CLI"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._names: dict[str, str] = {}
        self._started: set[str] = set()
        self._spoken: set[str] = set()
        self._by_model: dict[str, dict[str, float]] = {}

    @classmethod
    def project_of(cls, native: object) -> str:
        """Return the folder in which the agent worked, if an entry tells it."""
        return text(get(native, "data", "context", "cwd"))

    def _read(self, native: object) -> None:
        kind, data = text(get(native, "type")), get(native, "data")
        parent = ident(get(data, "parentToolCallId"))
        if parent is not None and not kind.startswith("subagent."):
            inner = {name: value for name, value in data.items() if name != "parentToolCallId"}
            line = {
                "type": kind,
                "data": inner,
                "timestamp": get(native, "timestamp"),
                "id": get(native, "id"),
            }
            self.found_agent(parent, parent)
            self.sub(parent, line, parent, self._names.get(parent))
            return
        family = kind.partition(".")[0]
        if kind in _QUIET or kind.startswith(_QUIET_KINDS):
            self._model = ident(get(data, "selectedModel")) or self._model
        elif family in ("user", "assistant"):
            self._talk(kind, native, data)
        elif family in ("tool", "subagent"):
            self._work(kind, native, data)
        else:
            self._session(kind, native, data)

    def _talk(self, kind: str, native: object, data: object) -> None:
        match kind:
            case "user.message":
                words, files = said(get(data, "content"))
                source = text(get(data, "source"))
                if source and source not in ("user", "human"):
                    self.hide(kind, words)
                else:
                    self.turn(words, files, message_id=ident(get(native, "id")))
            case "assistant.message":
                self._assistant(data)
            case "assistant.reasoning":
                self.open_message()
                self._say("thinking", text(get(data, "content")))
            case "assistant.intent":
                self.note("intent", text(get(data, "intent")))
            case "assistant.usage":
                self._usage_event(data)
            case _:
                self.emit_unknown(native, kind)

    def _work(self, kind: str, native: object, data: object) -> None:
        match kind:
            case "tool.execution_start":
                self._start_tool(get(data, "toolCallId"), get(data, "toolName"), get(data, "arguments"))
            case "tool.execution_progress" | "tool.execution_partial_result":
                call_id, words = ident(get(data, "toolCallId")), text(get(data, "progressMessage"))
                if call_id is not None and words:
                    self.emit(ToolProgress, tool_call_id=call_id, message=words)
            case "tool.execution_complete":
                self._complete(data)
            case "subagent.started":
                if (call_id := ident(get(data, "toolCallId"))) is not None:
                    self._names[call_id] = text(get(data, "agentDisplayName")) or text(get(data, "agentName"))
            case "subagent.completed" | "subagent.failed":
                self.end_agents(text(get(data, "toolCallId")), failed=kind == "subagent.failed")
            case _:
                self.emit_unknown(native, kind)

    def _session(self, kind: str, native: object, data: object) -> None:
        words = text(get(data, "message"))
        match kind:
            case "session.error":
                self.close_message()
                self.note("error", words or text(get(data, "errorType")))
                self.trouble("error", words or "error", ident(get(data, "errorType")))
            case "session.warning":
                self.note("warning", words)
            case "session.model_change":
                self._model = ident(get(data, "newModel")) or self._model
            case "session.title_changed":
                self.retitle(get(data, "title"))
            case "session.compaction_complete" | "session.truncation":
                self._compaction(kind, data)
            case "session.snapshot_rewind":
                self.note("rewound", "the messages before this line were taken back")
            case "session.handoff":
                self.note("handoff", text(get(data, "summary")) or text(get(data, "context")))
            case "session.shutdown":
                self._shutdown(data)
            case "abort":
                self.close_message()
                self.note("interrupted", text(get(data, "reason")))
                self.trouble("cancelled")
            case "skill.invoked":
                self.note("skill", text(get(data, "name")))
            case "system.message" | "system.notification":
                self.hide(kind, text(get(data, "content")))
            case _:
                self.emit_unknown(native, kind)

    def _say(self, kind: str, words: str) -> None:
        self._made += 1
        self.emit_text(kind, f"{kind}:{self._made}", words)

    def _assistant(self, data: object) -> None:
        message_id = ident(get(data, "messageId"))
        if message_id is not None and message_id in self._spoken:
            return
        self._spoken.add(message_id or "")
        self.open_message(message_id)
        self._model = ident(get(data, "model")) or self._model
        self._say("thinking", text(get(data, "reasoningText")))
        self._say("text", text(get(data, "content")))
        for asked in items(get(data, "toolRequests")):
            self._start_tool(get(asked, "toolCallId"), get(asked, "name"), get(asked, "arguments"))
        count = integer(get(data, "outputTokens"))
        usage = None if count is None else Usage(output_tokens=count, model=self._model)
        self.close_message(usage)

    def _start_tool(self, about: object, name: object, args: object) -> None:
        call_id = ident(about)
        if call_id is None or call_id not in self._started:
            self._started.add(self.call(call_id, name, parsed(args)))

    def _complete(self, data: object) -> None:
        result, problem = get(data, "result"), get(data, "error")
        call_id = ident(get(data, "toolCallId"))
        value = items(get(result, "contents")) or get(result, "detailedContent") or get(result, "content")
        failed = get(data, "success") is False
        error = text(get(problem, "message")) or text(problem) or ("error" if failed else "")
        status = "denied" if text(get(problem, "code")) in ("denied", "rejected") else ""
        self.result(call_id, plain(result if value is None else value), error=error, status=status)

    def _compaction(self, kind: str, data: object) -> None:
        self.close_message()
        name = "preCompactionTokens" if kind.endswith("complete") else "preTruncationTokensInMessages"
        count = integer(get(data, name))
        if get(data, "success") is False:
            self.note("compaction", f"failed: {text(get(data, 'error'))}")
        else:
            self.note(
                "compaction",
                f"{count:,} tokens before it" if count else "the conversation before was shortened",
            )
            if words := text(get(data, "summaryContent")):
                self.hide("compaction_summary", words)

    def _usage_event(self, data: object) -> None:
        """Add the tokens of a model call to the sum of its model."""
        self._add(ident(get(data, "model")) or self._model or "", data)

    def _add(self, model: str, counts: object) -> None:
        sums = self._by_model.setdefault(model, {})
        for name in _COUNTS:
            if (count := integer(get(counts, name))) is not None:
                sums[name] = sums.get(name, 0) + count
        self._set_usage()

    def _shutdown(self, data: object) -> None:
        """Take the sums of all models: they count every call, also of a session that was resumed."""
        metrics = get(data, "modelMetrics")
        if isinstance(metrics, Mapping) and metrics:
            self._by_model = {}
            for model, facts in metrics.items():
                self._add(text(model), get(facts, "usage"))

    def _set_usage(self) -> None:
        sums = {name: [found[name] for found in self._by_model.values() if name in found] for name in _COUNTS}
        counts = {name: int(sum(found)) if found else None for name, found in sums.items()}
        models = [model for model in self._by_model if model]
        self._usage = Usage(
            input_tokens=counts["inputTokens"],
            output_tokens=counts["outputTokens"],
            cached_input_tokens=counts["cacheReadTokens"],
            cache_write_tokens=counts["cacheWriteTokens"],
            model=models[0] if len(models) == 1 else None,
            includes_children=True,
        )

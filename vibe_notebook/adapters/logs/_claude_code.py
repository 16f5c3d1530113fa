"""Read the logs of Claude Code: ``~/.claude/projects/PROJECT/SESSION.jsonl``.

Each line is a message in the words of the Messages API, or a note of the CLI. A model's message has one block a line,
and each line repeats the usage. Subagents are sidechains: in the log itself, told by the parents of their lines; in
progress lines; or in files of their own, which name the agent. Their prompt, or their result, names the call that began
them. Source: logs of versions 1 and 2, which have no published definition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vibe_notebook.events import Event, MessageFinished, Usage

from .._fields import get, ident, integer, items, number, text
from .._files import said
from .._subagents import Subagents
from .._tool_results import message_result
from ..claude_agent_sdk import ClaudeAgentSDKAdapter
from ._reader import LogReader

__all__ = ["ClaudeCodeReader", "recognizes"]

_TALK: Final = frozenset(("user", "assistant"))
_TITLES: Final = {"summary": "summary", "ai-title": "aiTitle", "custom-title": "customTitle"}
_NOTES: Final = frozenset(("system", "progress", "attachment", "queue-operation"))
_QUIET: Final = frozenset(
    (
        *("agent-color", "agent-name", "agent-setting", "attribution-snapshot", "content-replacement"),
        *("file-history-delta", "file-history-snapshot", "last-prompt", "marble-origami-commit", "mode"),
        *("permission-mode", "pr-link", "queue-operation", "relocated", "speculation-accept", "tag"),
        *("task-summary", "worktree-state", "cost-summary", "context-collapse", "started", "frame-link"),
    )
)
"""Lines for the CLI itself: nothing of the conversation is in them."""
_IDS: Final = ("sessionId", "uuid", "messageId", "leafUuid")
_DENIED: Final = (
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action",
    "User rejected tool use",
)
_INTERRUPTED: Final = "[Request interrupted by user"
_COMMAND: Final = re.compile(r"<command-name>\s*(.*?)\s*</command-name>", re.DOTALL)
_ARGUMENTS: Final = re.compile(r"<command-args>\s*(.*?)\s*</command-args>", re.DOTALL)
_TAGGED: Final = re.compile(
    r"\s*<(bash-input|(?:local-command|bash)-std(?:out|err)|task-notification)>(.*)", re.DOTALL
)
_REMINDER: Final = re.compile(r"<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
_TAG: Final = re.compile(r"</?[a-z-]+>")
_SYNTHETIC: Final = "<synthetic>"


def recognizes(entry: object) -> bool:
    """Return whether *entry* is a line of such a log; the line may be cut after its first fields."""
    if not isinstance(entry, Mapping):
        return False
    kind = text(entry.get("type"))
    if "parentUuid" in entry and ident(entry.get("sessionId")) is not None:
        return True
    if kind in _TALK:
        return isinstance(entry.get("message"), Mapping) and ("parentUuid" in entry or "sessionId" in entry)
    return (kind in _TITLES or kind in _QUIET or kind in _NOTES) and any(name in entry for name in _IDS)


class ClaudeCodeReader(LogReader, ClaudeAgentSDKAdapter):
    """Read one session, including its subagents."""

    name = "claude_code"
    agent = "Claude Code"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._subagents: Subagents[ClaudeAgentSDKAdapter] = Subagents(self, ClaudeCodeReader)
        self._is_agents_own: bool | None = None if self.parent_run_id is None else True
        """True in a subagent's own log: its lines are sidechains of the main log."""
        self._uuids: set[str] = set()
        self._chains: dict[str, str] = {}
        """The sidechain of each of its lines, by the line's uuid."""
        self._prompts: dict[str, list[str]] = {}
        """By prompt, the calls that begin a subagent with it, and have none yet."""
        self._call_of: dict[str, str] = {}
        """By subagent, the call that began it."""
        self._sources: dict[str, str] = {}
        """By subagent, the kind of the lines that show it: its own file may repeat them."""
        self._in_background: set[str] = set()
        self._billed: set[str] = set()
        self._costs: dict[str, float] = {}
        self._is_compacted = False

    def feed_side(self, key: str, native: object, **about: str | None) -> list[Event]:
        """Return the events of a line of a subagent's own file."""
        self._ts = self.time_of(native) or self._ts
        uuid = ident(get(native, "uuid"))
        if uuid is None or uuid not in self._uuids:
            self._uuids |= {uuid} if uuid is not None else set()
            self._sub_line(key, native, "file", about.get("call_id"), about.get("agent_name"))
        return self._flush()

    def emit(self, cls: type[Any], **fields: Any) -> None:
        """Emit one event; the end of a message has the cost that its lines told."""
        message_id = self._envelope.get("message_id")
        if cls is MessageFinished and message_id in self._costs:
            usage = fields.get("usage") or Usage()
            fields["usage"] = usage.model_copy(update={"cost": self._costs.pop(message_id)})
        super().emit(cls, **fields)

    def _read(self, native: object) -> None:
        uuid = ident(get(native, "uuid"))
        if uuid is not None:
            if uuid in self._uuids:
                return  # a session that was resumed or forked repeats its lines
            self._uuids.add(uuid)
        kind = text(get(native, "type"))
        if kind in _TALK and self._is_agents_own is None:
            self._is_agents_own = (
                get(native, "isSidechain") is True and ident(get(native, "agentId")) is not None
            )
        if kind in _TALK and get(native, "isSidechain") is True and not self._is_agents_own:
            self._sidechain(native, uuid)
            return
        match kind:
            case "user":
                self._user_line(native)
            case "assistant":
                self._assistant_line(native)
            case "system":
                self._system_line(native, text(get(native, "subtype")))
            case "progress":
                self._progress(native)
            case "attachment":
                if text(get(native, "attachment", "type")) == "queued_command":
                    self._turn(*said(get(native, "attachment", "prompt")), uuid)
            case _ if kind in _TITLES:
                self.retitle(get(native, _TITLES[kind]))
            case _ if kind not in _QUIET:
                self.emit_unknown(native, ident(get(native, "type")))

    # What the user said, and what tools answered.

    def _user_line(self, native: object) -> None:
        self._tool_results_of(native)
        content = get(native, "message", "content")
        if any(text(get(block, "type")) == "tool_result" for block in items(content)):
            return
        words, files = said(content)
        if get(native, "isCompactSummary") is True:
            if not self._is_compacted:
                self.note("compaction", "the conversation before was summarised")
            self._is_compacted = False
            self.hide("compaction_summary", words)
        elif not any(
            get(native, name) is True for name in ("isMeta", "isSynthetic", "isVisibleInTranscriptOnly")
        ):
            self._turn(words, files, ident(get(native, "uuid")))

    def _turn(self, words: str, files: list[dict[str, Any]], uuid: str | None) -> None:
        words = _REMINDER.sub("", words).strip()
        command, tagged = _COMMAND.search(words), _TAGGED.match(words)
        if words.startswith(_INTERRUPTED):
            self._message_over()
            self.note("interrupted", words.strip("[]"))
            self.trouble("cancelled")
            return
        if command is not None:
            arguments = _ARGUMENTS.search(words)
            words = f"/{command[1].removeprefix('/')} {arguments[1] if arguments else ''}".strip()
        elif tagged is not None:
            inner = _TAG.sub("", tagged[2]).strip()
            if tagged[1] != "bash-input":
                if inner:
                    self.note(tagged[1].replace("-", " "), inner)
                return
            words = f"! {inner}"
        self._message_over()
        self._envelope = {}
        self.emit_turn(words, files, message_id=uuid)

    def _tool_results_of(self, native: object) -> None:
        whole = get(native, "toolUseResult")
        for block in items(get(native, "message", "content")):
            call_id = ident(get(block, "tool_use_id"))
            if text(get(block, "type")) != "tool_result" or call_id is None:
                continue
            result, fields = message_result(call_id, block, is_error=get(block, "is_error") is True)
            if fields["status"] == "error" and text(fields["error"]).startswith(_DENIED):
                fields["status"] = "denied"
            agent = ident(get(whole, "agentId"))
            if agent is not None:
                self._found_call(agent, call_id)
            if text(get(whole, "status")) == "async_launched":
                self._in_background.add(call_id)
            self._envelope = {}
            self.emit_result(result, **fields)
            self._end_subagent(call_id, fields)

    # The model's messages.

    def _assistant_line(self, native: object) -> None:
        body = get(native, "message")
        words, _ = said(get(body, "content"))
        if get(native, "isApiErrorMessage") is True or text(get(body, "model")) == _SYNTHETIC:
            self._message_over()
            if get(native, "isApiErrorMessage") is True:
                code = ident(get(native, "error"))
                self.note("API error", words or code)
                self.trouble("error", words or code or "API error", code)
            return
        self._find_prompts(body)
        message_id = ident(get(body, "id"))
        is_same = self._message is not None and message_id == self._whole_id
        if message_id is not None and not is_same:
            if message_id in self._billed and isinstance(body, Mapping):
                body = {**body, "usage": None}  # its first lines, before another message, had it
            self._billed.add(message_id)
        cost = number(get(native, "costUSD"))
        self._assistant({"message": body}, body)
        if cost is not None and self._message is not None:
            self._costs.setdefault(self._message.id, cost)

    def _find_prompts(self, body: object) -> None:
        """Find the calls that begin subagents, and what these are called."""
        for block in items(get(body, "content")):
            call_id, asked = ident(get(block, "id")), get(block, "input")
            prompt = text(get(asked, "prompt")).strip()
            if text(get(block, "type")) == "tool_use" and call_id is not None and prompt:
                names = (text(get(asked, name)) for name in ("subagent_type", "description"))
                self._agent_names[call_id] = next(filter(None, names), "") or text(get(block, "name"))
                self._prompts.setdefault(prompt, []).append(call_id)

    # Subagents.

    def _sidechain(self, native: object, uuid: str | None) -> None:
        """Read a line of a subagent in the main log: the parents of the lines hold a sidechain together."""
        key = (
            ident(get(native, "agentId"))
            or self._chains.get(text(get(native, "parentUuid")))
            or uuid
            or "sidechain"
        )
        if uuid is not None:
            self._chains[uuid] = key
        self._sub_line(key, native, "log")

    def _progress(self, native: object) -> None:
        data = get(native, "data")
        if text(get(data, "type")) != "agent_progress":
            return
        call_id = ident(get(native, "parentToolUseID"))
        line, key = get(data, "message"), ident(get(data, "agentId")) or call_id
        uuid = ident(get(line, "uuid"))
        if key is not None and isinstance(line, Mapping) and (uuid is None or uuid not in self._uuids):
            self._uuids |= {uuid} if uuid is not None else set()
            self._sub_line(key, line, "progress", call_id)

    def _sub_line(
        self, key: str, native: object, source: str, call_id: str | None = None, agent_name: str | None = None
    ) -> None:
        if self._sources.setdefault(key, source) != source or not isinstance(native, Mapping):
            return
        self.start()
        is_new = key not in self._subagents
        call_id = self._call_of.get(key) or call_id or (self._call_with_prompt(native) if is_new else None)
        if call_id is not None:
            self._found_call(key, call_id)
        names = {
            "parent_tool_call_id": call_id,
            "agent_name": self._agent_names.get(call_id or "") or agent_name,
        }
        self._find_prompts(get(native, "message"))
        body = {name: value for name, value in native.items() if name not in ("isSidechain", "uuid")}
        self._out += self._subagents.feed(key, body, **names)
        for block in items(get(native, "message", "content")):
            if text(get(block, "type")) == "tool_result" and (inner := ident(get(block, "tool_use_id"))):
                agent = ident(get(native, "toolUseResult", "agentId"))
                if agent is not None:
                    self._found_call(agent, inner)
                self._end_subagent(inner, {"status": "error" if get(block, "is_error") is True else "ok"})

    def _call_with_prompt(self, native: object) -> str | None:
        words, _ = said(get(native, "message", "content"))
        waiting = self._prompts.get(words.strip())
        return waiting.pop(0) if waiting else None

    def _found_call(self, key: str, call_id: str) -> None:
        """Record the call that began a subagent; a run that has started without it gets it now."""
        known = self._call_of.setdefault(key, call_id)
        if known == call_id and key in self._subagents:
            adapter = self._subagents.open(key)
            if adapter.parent_tool_call_id is None:
                adapter.parent_tool_call_id = call_id
                self.link(adapter.run_id, call_id)

    def _end_subagent(self, call_id: str, fields: dict[str, Any]) -> None:
        if call_id in self._in_background:
            return
        outcome = "error" if fields.get("status") == "error" else "success"
        for key, known in self._call_of.items():
            if known == call_id:
                self._out += self._subagents.end(key, outcome=outcome, error=fields.get("error"))

    # The CLI's notes.

    def _system_line(self, native: object, kind: str) -> None:
        words = text(get(native, "content"))
        if kind == "compact_boundary":
            self._message_over()
            self._is_compacted = True
            trigger = text(get(native, "compactMetadata", "trigger"))
            count = integer(get(native, "compactMetadata", "preTokens"))
            facts = [trigger] if trigger else []
            facts += [f"{count:,} tokens before it"] if count is not None else []
            self.note("compaction", ", ".join(facts) or "the conversation before was summarised")
        elif kind == "api_error":
            problem = get(native, "error")
            found = (
                get(problem, "error", "error", "message"),
                get(problem, "error", "message"),
                get(problem, "message"),
            )
            self.note("API error", next(filter(None, map(text, found)), "") or text(problem) or words)
        elif kind == "local_command":
            self._turn(words, [], ident(get(native, "uuid")))
        elif kind == "informational" and text(get(native, "level")) in ("warning", "error"):
            self.note(text(get(native, "level")), words)
        elif kind == "model_refusal_fallback":
            self.note("model", words)

"""Read the trajectories of SWE-agent (``.traj``) and of mini-swe-agent (``.traj.json``).

SWE-agent's has steps: a thought, an action, an observation. Its history has what the agent was asked. mini-swe-agent's has
messages in the form of Chat Completions, whose older version puts the command into a block of code. Source: the
trajectories of both projects' documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vibe_notebook.events import Usage

from .._fields import get, ident, integer, items, number, parsed, plain, text
from .._files import said
from ._reader import LogReader

__all__ = ["SWEAgentReader", "entries", "is_document"]

_BLOCK: Final = re.compile(r"```(?:mswea_bash_command|bash|sh)[ \t]*\n(.*?)\n```", re.DOTALL)
_STEP: Final = ("action", "observation")
_ENDED: Final = ("submitted", "submitted (exit", "autosubmitted")


def is_document(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON value is such a trajectory, by its first fields."""
    steps = document.get("trajectory")
    if isinstance(steps, list):
        return not steps or (
            isinstance(steps[0], Mapping) and any(name in steps[0] for name in (*_STEP, "thought"))
        )
    is_mini = "trajectory_format" in document or "mini_version" in (document.get("info") or {})
    return is_mini or (isinstance(get(document, "info", "model_stats"), Mapping) and "messages" in document)


def entries(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield what the agent was asked, its steps or messages, and the facts about the run."""
    if isinstance(document.get("trajectory"), list):
        for message in items(document.get("history")):
            if text(get(message, "role")) == "assistant" and get(message, "is_demo") is not True:
                break
            if get(message, "is_demo") is not True:
                yield {"asked": message}
        yield from ({"step": step} for step in items(document.get("trajectory")))
    else:
        yield from ({"message": message} for message in items(document.get("messages")))
    yield {"info": document.get("info")}


class SWEAgentReader(LogReader):
    """Read one run."""

    name = "swe_agent"
    agent = "SWE-agent"

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._waiting: list[str] = []
        """Calls whose output is the next message of the user."""
        self._counted: list[tuple[int | None, int | None]] = []
        """The tokens of each message that tells them."""

    @classmethod
    def time_of(cls, native: object) -> float | None:
        """Return the time of a message, which only mini-swe-agent writes."""
        return number(get(native, "message", "extra", "timestamp"))

    def _read(self, native: object) -> None:
        if (asked := get(native, "asked")) is not None:
            role = "system" if text(get(asked, "role")) == "system" else "user"
            self.turn(*said(get(asked, "content")), role=role)
        elif (step := get(native, "step")) is not None:
            self._step(step)
        elif (message := get(native, "message")) is not None:
            self._message(message, text(get(message, "role")))
        elif isinstance(native, Mapping) and "info" in native:
            self._info(native["info"])
        else:
            self.emit_unknown(native, None)

    def _step(self, step: object) -> None:
        self.open_message()
        thought, action = text(get(step, "thought")), text(get(step, "action")).strip()
        for block in items(get(step, "thinking_blocks")):
            self.emit_text("thinking", "0", text(get(block, "thinking")))
        self.emit_text("text", "0", (thought or text(get(step, "response"))).strip())
        call_id = self.call(None, action.split(maxsplit=1)[0], {"command": action}) if action else None
        self.close_message()
        output = plain(get(step, "observation"))
        if call_id is not None:
            self.result(call_id, output)
        elif output:
            self.note("observation", output)

    def _message(self, message: object, role: str) -> None:
        content = get(message, "content")
        if role == "assistant":
            self._assistant(message)
        elif role == "tool":
            self._answer(get(message, "tool_call_id"), message)
        elif role == "user" and self._waiting:
            self._answer(self._waiting.pop(0), message)
        elif role in ("user", "system"):
            self.turn(*said(content), role=role)
        elif role == "exit":
            self.note("exit", said(content)[0] or text(get(message, "extra", "exit_status")))
        else:
            self.emit_unknown(message, role or None)

    def _assistant(self, message: object) -> None:
        self.open_message()
        words = said(get(message, "content"))[0]
        self._model = ident(get(message, "extra", "response", "model")) or self._model
        self.emit_text("thinking", "0", text(get(message, "reasoning_content")))
        self.emit_text("text", "0", words.strip())
        calls = items(get(message, "tool_calls"))
        for call in calls:
            function = get(call, "function")
            self.call(get(call, "id"), get(function, "name"), parsed(get(function, "arguments")))
        if not calls:
            self._waiting = [self.call(None, "bash", {"command": code}) for code in _BLOCK.findall(words)[:1]]
        self.close_message(self._usage_in(message))

    def _answer(self, call_id: object, message: object) -> None:
        extra = get(message, "extra")
        code, raw = integer(get(extra, "returncode")), get(extra, "raw_output")
        words = text(raw) if isinstance(raw, str) else said(get(message, "content"))[0]
        self.result(call_id, words if code is None else {"output": words, "exit_code": code})

    def _usage_in(self, message: object) -> Usage | None:
        usage, cost = get(message, "extra", "response", "usage"), number(get(message, "extra", "cost"))
        if usage is None and cost is None:
            return None
        counts = integer(get(usage, "prompt_tokens")), integer(get(usage, "completion_tokens"))
        self._counted.append(counts)
        return Usage(
            input_tokens=counts[0],
            output_tokens=counts[1],
            cached_input_tokens=integer(get(usage, "prompt_tokens_details", "cached_tokens")),
            cost=cost,
            model=self._model,
        )

    def _info(self, info: object) -> None:
        self.close_message()
        stats = get(info, "model_stats")
        counts = [integer(get(stats, name)) for name in ("tokens_sent", "tokens_received")]
        cost = number(get(stats, "instance_cost"))
        if counts == [None, None] and self._counted:
            counts = [sum(one[i] or 0 for one in self._counted) for i in range(2)]
        if cost is not None or counts != [None, None]:
            self._usage = Usage(input_tokens=counts[0], output_tokens=counts[1], cost=cost, model=self._model)
        status = text(get(info, "exit_status"))
        if status:
            self.note("exit", status)
        if status and not status.lower().startswith(_ENDED):
            self.end("error", status, status)
        if (submission := text(get(info, "submission"))) != "":
            self._result = submission

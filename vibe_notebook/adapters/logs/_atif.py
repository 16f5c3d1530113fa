"""Read trajectories in the Agent Trajectory Interchange Format (ATIF), versions 1.0 to 1.7.

One JSON value: the agent, its steps, and the final sums. A step is a message of the user, the system or the agent; the
agent's has its reasoning, its calls, their results and its tokens. A result may name the trajectory of a subagent, which
stands in the same value or in a file of its own. Source: the format's RFC 0001.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vibe_notebook.events import Usage

from .._fields import get, ident, integer, items, number, plain, text
from .._files import said
from ._reader import LogReader

__all__ = ["ATIFReader", "entries", "is_document"]

_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens")


def is_document(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON value is a trajectory, by its first fields."""
    return text(document.get("schema_version")).startswith("ATIF-") or (
        isinstance(document.get("steps"), list) and isinstance(document.get("agent"), Mapping)
    )


def entries(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield the trajectory's own fields, its steps, those of its subagents, and its sums."""
    yield {name: value for name, value in document.items() if name not in ("steps", "final_metrics")}
    yield from items(document.get("steps"))
    for inner in items(document.get("subagent_trajectories")):
        key = ident(get(inner, "trajectory_id")) or ident(get(inner, "session_id"))
        for entry in entries(inner) if isinstance(inner, Mapping) else ():
            yield {"subagent": key or "subagent", "entry": entry}
    yield {"final_metrics": document.get("final_metrics")}


class ATIFReader(LogReader):
    """Read one trajectory."""

    name = "atif"
    agent = "ATIF"
    subagents_end_with_their_call = False  # their steps stand behind those of the agent

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._has_usage = False
        self._seen: set[str] = set()

    def _read(self, native: object) -> None:
        step = ident(get(native, "step_id"))
        if step is not None and step in self._seen:
            return
        self._seen |= {step} if step is not None else set()
        source = text(get(native, "source"))
        if (key := ident(get(native, "subagent"))) is not None:
            self.sub(key, get(native, "entry"))
        elif source in ("user", "system"):
            words, files = said(get(native, "message"))
            self.turn(words, files, role=source)
            self._observed(native)
        elif source == "agent":
            self._step(native)
        elif get(native, "agent") is not None:
            self._model = ident(get(native, "agent", "model_name")) or self._model
            if name := text(get(native, "agent", "name")):
                self.agent_name = name
        elif not isinstance(native, Mapping) or "final_metrics" not in native:
            self.emit_unknown(native, source or None)
        elif not self._has_usage:
            self._usage = self._usage_in(native["final_metrics"], "total_", "cost_usd") or self._usage

    def _step(self, step: object) -> None:
        self.open_message()
        self._model = ident(get(step, "model_name")) or self._model
        self.emit_text("thinking", "0", text(get(step, "reasoning_content")))
        self.emit_text("text", "0", said(get(step, "message"))[0])
        for call in items(get(step, "tool_calls")):
            self.call(get(call, "tool_call_id"), get(call, "function_name"), plain(get(call, "arguments")))
        is_copied = get(step, "is_copied_context") is True
        usage = None if is_copied else self._usage_in(get(step, "metrics"), "", "cost_usd")
        self._has_usage = self._has_usage or usage is not None
        calls = [ident(get(call, "tool_call_id")) for call in items(get(step, "tool_calls"))]
        self.close_message(usage)
        self._observed(step, calls)

    def _observed(self, step: object, calls: list[str | None] | None = None) -> None:
        for i, result in enumerate(items(get(step, "observation", "results"))):
            known = calls or []
            call_id = ident(get(result, "source_call_id")) or (known[i] if i < len(known) else None)
            content = plain(get(result, "content"))
            if call_id is None:
                self.note("observation", content)
                continue
            for ref in items(get(result, "subagent_trajectory_ref")):
                place = text(get(ref, "trajectory_path"))
                key = ident(get(ref, "trajectory_id")) or ident(get(ref, "session_id")) or place
                if key:
                    self.found_agent(key, call_id)
                if place:
                    self._files.setdefault(key, place)
            self.result(
                call_id, content, error="the call failed" if get(result, "is_error") is True else None
            )

    def _usage_in(self, found: object, prefix: str, cost: str) -> Usage | None:
        counts = {name: integer(get(found, f"{prefix}{name}")) for name in _COUNTS}
        price = number(get(found, f"{prefix}{cost}"))
        if price is None and all(count is None for count in counts.values()):
            return None
        return Usage(
            input_tokens=counts["prompt_tokens"],
            output_tokens=counts["completion_tokens"],
            cached_input_tokens=counts["cached_tokens"],
            cost=price,
            model=self._model,
        )

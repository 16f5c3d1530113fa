"""Read the logs of Inspect: ``.eval`` archives, and the same as one JSON value.

A log has a head and samples; each sample has its messages, and events with times, tokens and subagents. The caller gives
the head first, then one sample after the other: each is a run of its own. Source: ``inspect_ai.log``, ``EvalLog`` and
``EvalSample``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vibe_notebook.events import Usage

from .._fields import fields_of, get, ident, integer, items, number, plain, text
from .._files import said
from ._inspect_agents import NestedAgent, nested_agents
from ._reader import LogReader, seconds

__all__ = ["ARCHIVE_MARKS", "InspectReader", "entries", "is_document"]

ARCHIVE_MARKS: Final = (b"_journal/", b"header.json", b"samples/")
_ATTACHMENT: Final = "attachment://"
_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_DEPTH: Final = 64
"""Levels of a value in which texts are put back."""


def is_document(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON value is a log, by its first fields."""
    return isinstance(get(document, "eval"), Mapping) and "version" in document and "status" in document


def entries(document: Mapping[str, Any]) -> Iterator[object]:
    """Yield the log's own fields, then its samples."""
    yield {name: value for name, value in document.items() if name not in ("samples", "reductions")}
    yield from items(document.get("samples"))


class InspectReader(LogReader):
    """Read one log: each sample is a run."""

    name = "inspect"
    agent = "Inspect"

    @classmethod
    def project_of(cls, native: object) -> str:
        """Return the task, if an entry tells it."""
        return text(get(native, "eval", "task"))

    def _read(self, native: object) -> None:
        if get(native, "eval") is not None:
            self._head(native)
        elif get(native, "messages") is not None or get(native, "input") is not None:
            reader = _SampleReader(
                agent_id=self.agent_id,
                run_id=f"{self.run_id}/{_sample_name(native)}",
                agent_name=f"sample {_sample_name(native)}",
                model=self._model,
            )
            self._out += [*reader.feed(native), *reader.finish()]
        else:
            self.emit_unknown(native, None)

    def _head(self, head: object) -> None:
        self._ts = seconds(get(head, "eval", "created")) or self._ts
        self._model = ident(get(head, "eval", "model")) or self._model
        facts = [text(get(head, "eval", name)) for name in ("task", "model")]
        self.retitle(" · ".join(filter(None, facts)))
        for score in items(get(head, "results", "scores")):
            for name, metric in fields_of(get(score, "metrics")).items():
                self.note(text(name), plain(get(metric, "value")))
        status = text(get(head, "status"))
        if status in ("error", "cancelled"):
            self.end(status, text(get(head, "error", "message")) or None if status == "error" else None)
        elif status == "started":
            self.note("log", "the evaluation has not ended")


class _SampleReader(LogReader):
    """Read one sample; each agent whose messages are not the sample's own is a run inside of it."""

    name = "inspect"
    agent = "Inspect"

    def __init__(self, *, model: str | None = None, **ids: Any) -> None:
        super().__init__(**ids)
        self._model = model
        self._attachments: Mapping[str, Any] = {}
        self._models: dict[str, Any] = {}
        """The events of the model's calls, by the id of the message that they gave."""
        self._tool_events: dict[str, Any] = {}
        self._nested: list[tuple[NestedAgent, str]] = []

    @classmethod
    def time_of(cls, native: object) -> float | None:
        """Return the time at which a sample began."""
        return seconds(get(native, "started_at"))

    def _read(self, native: object) -> None:
        found = get(native, "attachments")
        self._attachments = found if isinstance(found, Mapping) else self._attachments
        events = items(get(native, "events"))
        for event in events:
            self._index(event)
        if self._ts is None:
            self._ts = next((at for one in events if (at := _at(one))), None)
        messages = items(get(native, "messages"))
        for agent in nested_agents(events, messages, items(get(native, "events_data", "messages"))):
            key = f"{agent.name or 'agent'}:{len(self._nested) + 1}"
            self._nested.append((agent, key))
            if agent.call_id is not None:
                self._agent_calls[key] = agent.call_id
        for message in messages or [{"role": "user", "content": get(native, "input")}]:
            self._message(message)
        self.close_message()
        for agent, key in self._nested:
            self._agent(agent, key)
        self._ts = seconds(get(native, "completed_at")) or self._ts
        for name, score in fields_of(get(native, "scores")).items():
            words = [f"{plain(get(score, 'value'))}", text(get(score, "explanation"))]
            self.note(f"score {text(name)}", " · ".join(filter(None, words)))
        self._sum(get(native, "model_usage"))
        problem = text(get(native, "error", "message"))
        limit = text(get(native, "limit", "type"))
        if problem:
            self.note("error", problem)
            self.end("error", problem)
        elif limit:
            self.note("limit", f"{limit} {get(native, 'limit', 'limit')}")

    def _index(self, event: object) -> None:
        kind = text(get(event, "event"))
        if kind == "model":
            for choice in items(get(event, "output", "choices")):
                if (message_id := ident(get(choice, "message", "id"))) is not None:
                    self._models[message_id] = event
        elif kind == "tool" and (call_id := ident(get(event, "id"))) is not None:
            self._tool_events[call_id] = event
        for inner in items(get(event, "events")):
            self._index(inner)

    def _agent(self, agent: NestedAgent, key: str) -> None:
        """Read the messages of an agent inside; they stand after those of its caller, with their own times."""
        if key in self._runs:
            return
        reader = self._runs.open(
            key, parent_tool_call_id=agent.call_id, agent_name=agent.name or None, model=self._model
        )
        if isinstance(reader, _SampleReader):
            reader.take(self)
        before, self._ts = self._ts, agent.began_at or self._ts
        self.sub(key, {"messages": agent.messages, "started_at": self._ts})
        self._ts = before

    def take(self, sample: _SampleReader) -> None:
        """Take what the sample knows of all its messages."""
        self._models, self._tool_events = sample._models, sample._tool_events
        self._attachments = sample._attachments

    def _message(self, message: object) -> None:
        role, content = text(get(message, "role")), self._whole(plain(get(message, "content")))
        if role in ("user", "system"):
            self.turn(*said(content), role=role, message_id=ident(get(message, "id")))
        elif role == "assistant":
            self._assistant(message, content)
        elif role == "tool":
            self._answer(message, content)
        else:
            self.emit_unknown(message, role or None)

    def _assistant(self, message: object, content: object) -> None:
        message_id = ident(get(message, "id"))
        event = self._models.get(message_id or "")
        self._ts = _at(event) or self._ts
        self._model = ident(get(message, "model")) or ident(get(event, "model")) or self._model
        self.open_message(message_id)
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
        for i, block in enumerate(blocks):
            kind = text(get(block, "type"))
            if kind == "reasoning":
                words = "" if get(block, "redacted") is True else text(get(block, "reasoning"))
                self.emit_text("thinking", str(i), words or text(get(block, "summary")))
            elif kind == "text":
                self.emit_text("text", str(i), text(get(block, "text")))
            elif kind == "tool_use":
                args = get(block, "arguments") if get(block, "arguments") is not None else get(block, "input")
                call_id = self.call(get(block, "id"), get(block, "name"), plain(args))
                self.result(call_id, plain(get(block, "result")), error=get(block, "error"))
            elif kind:
                self.emit_unknown(block, kind)
        for call in items(get(message, "tool_calls")):
            self.call(get(call, "id"), get(call, "function"), self._whole(plain(get(call, "arguments"))))
        self._ts = seconds(get(event, "completed")) or self._ts
        choice = next(iter(items(get(event, "output", "choices"))), None)
        self.close_message(self._usage_in(get(event, "output", "usage")), get(choice, "stop_reason"))

    def _answer(self, message: object, content: object) -> None:
        call_id = ident(get(message, "tool_call_id"))
        for agent, key in self._nested:
            if call_id is not None and agent.call_id == call_id:
                self._agent(agent, key)  # before its call's result
        event = self._tool_events.get(call_id or "")
        self._ts = seconds(get(event, "completed")) or _at(event) or self._ts
        problem = get(message, "error")
        error = text(get(problem, "message")) or text(get(problem, "type"))
        status = "denied" if text(get(problem, "type")) == "approval" else ""
        self.result(call_id, content, error=error, status=status)

    def _whole(self, value: Any, depth: int = 0) -> Any:
        """Return a value with the texts that the log keeps apart."""
        if isinstance(value, str) and value.startswith(_ATTACHMENT):
            found = self._attachments.get(value.removeprefix(_ATTACHMENT))
            return found if isinstance(found, str) else value
        if depth > _DEPTH:
            return value
        if isinstance(value, dict):
            return {name: self._whole(one, depth + 1) for name, one in value.items()}
        return [self._whole(one, depth + 1) for one in value] if isinstance(value, list) else value

    def _usage_in(self, usage: object) -> Usage | None:
        if usage is None:
            return None
        counts = [integer(get(usage, f"input_tokens{end}")) for end in ("", "_cache_read", "_cache_write")]
        return Usage(
            input_tokens=sum(count or 0 for count in counts),
            output_tokens=integer(get(usage, "output_tokens")),
            cached_input_tokens=counts[1],
            cache_write_tokens=counts[2],
            reasoning_tokens=integer(get(usage, "reasoning_tokens")),
            cost=number(get(usage, "total_cost")),
            model=self._model,
        )

    def _sum(self, by_model: object) -> None:
        """Take the sample's own sums, which count subagents too."""
        found = (
            [self._usage_in(usage) for usage in by_model.values()] if isinstance(by_model, Mapping) else []
        )
        usages = [usage for usage in found if usage is not None]
        if usages:
            model = self._model if len(usages) == 1 else None
            counts: dict[str, Any] = {name: _sum_of(usages, name) for name in _COUNTS}
            self._usage = Usage(**counts, model=model)


def _sum_of(usages: list[Usage], name: str) -> int | None:
    found = [count for usage in usages if (count := getattr(usage, name)) is not None]
    return sum(found) if found else None


def _at(event: object) -> float | None:
    return seconds(get(event, "timestamp"))


def _sample_name(sample: object) -> str:
    name, epoch = ident(get(sample, "id")) or "sample", integer(get(sample, "epoch"))
    return name if epoch in (None, 1) else f"{name}, epoch {epoch}"

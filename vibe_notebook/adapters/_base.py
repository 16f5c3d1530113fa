"""Hold the part that all adapters share: the envelope, the run's start and end, our own events.

An adapter reads one native after the other (``_read``) and emits events for it (``emit``). The events
of one native take one slot in the order.
"""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from vibe_notebook._half_pairs import HalfPairs
from vibe_notebook._json_values import bounded_repr, scrub
from vibe_notebook.events import (
    Artifact,
    Citation,
    Custom,
    Event,
    MessageFinished,
    MessageStarted,
    PartCompleted,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolStarted,
    Usage,
    parse_event,
)
from vibe_notebook.exceptions import ProtocolError

from ._call_ids import CALLS, CallIds, drop_oldest
from ._fields import bounded, get, ident, lossless_text, parsed, text
from ._files import said
from ._finish_reasons import problem_of
from ._own_events import damage_in, is_event, is_event_line
from ._plans import TaskList, plan_in, speaks_of_plan
from ._result_blocks import Result, read_result
from ._streamed_text import Key, StreamedTexts
from ._think_tags import ThinkTags, split_whole
from ._tool_results import Report
from ._written_calls import WrittenCalls

__all__ = ["Adapter", "is_event", "is_event_line"]

_TURNS: Final = {"developer": "system", "human": "user", "system": "system", "user": "user"}
_CANCELLATIONS: Final = (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)


class Adapter(ABC):
    """Turn one run of an SDK's stream into events.

    ``agent_id`` names the view, and ``run_id`` the request (``None``: a new id). The run of a subagent
    names its caller with ``parent_run_id`` and ``parent_tool_call_id``. Equal natives with equal ids
    give equal events, from the SDK's objects as from their JSON dicts.
    """

    name: ClassVar[str]
    cancellations: ClassVar[frozenset[str]] = frozenset()
    """The names of the SDK's exception classes that mean "the user stopped the run"."""
    tells_calls_apart: ClassVar[bool] = True
    """True if a call's id that comes again names another call; False for events that this package has made."""
    tells_usage: ClassVar[bool] = False  # True: each model call tells its usage, not only the run's end
    keeps_texts: ClassVar[bool] = False
    """True if a native may repeat a message after its end: then its words so far are needed."""
    has_think_tags: ClassVar[bool] = False
    """True if servers may pass a model's thinking on as ``<think>…</think>`` at the beginning of its text."""

    def __init__(
        self,
        *,
        agent_id: str = "agent",
        run_id: str | None = None,
        agent_name: str | None = None,
        parent_run_id: str | None = None,
        parent_tool_call_id: str | None = None,
    ) -> None:
        self.agent_id = agent_id
        self.run_id = uuid.uuid4().hex if run_id is None else run_id
        self.agent_name = agent_name
        self.parent_run_id = parent_run_id
        self.parent_tool_call_id = parent_tool_call_id
        self._is_started = False
        self.is_interrupted = False  # True: the view has shown something else since, such as a request
        self._is_finished = False
        self._outcome: dict[str, Any] = {}
        self._last_problem: dict[str, Any] = {}
        """The outcome if the last message stays the last: the run's last message counts."""
        self._usage: Usage | None = None
        self._result: Any = None
        self.streamed = StreamedTexts()
        self._call_ids = CallIds()
        self._written_calls = WrittenCalls()
        self._half_pairs = HalfPairs()
        self._think_tags: dict[tuple[Key, bool], ThinkTags] = {}
        self._texts_with_thoughts: set[Key] = set()
        """The texts whose beginning was thinking."""
        self._args_keys: dict[str, Key] = {}
        """The key of each call's streamed arguments: the event that starts the call may name another message."""
        self._repeats: dict[Key, tuple[str, int]] = {}
        """The arguments of calls that were announced once more, and how many characters came again."""
        self._turns = 0
        self._citations: dict[tuple[str | None, str], dict[int, dict[str, Any]]] = {}
        """The shown citations of each text, by their number."""
        self._planners: dict[str, str] = {}
        """The tools' names of the calls that may write a plan."""
        self._plans: dict[str, list[dict[str, Any]]] = {}
        """The steps that each call has written."""
        self._tasks = TaskList()
        self._out: list[Event] = []
        self._envelope: dict[str, Any] = {}
        """``message_id`` and ``derived``; also ``seq`` and ``counter`` of a source that numbers its natives."""

    def feed(self, native: object) -> list[Event]:
        """Return the events of one native, perhaps none. Never raises."""
        self._envelope = {}
        if is_event(native):
            if (own := self._own_event(native)) is not None:
                renamed = self._call_ids.rename(own) if self.tells_calls_apart else own
                self._written_calls.record(renamed)
                return [renamed]
            if (damage := damage_in(native)) is not None:
                self.end(**self.emit_damaged(native, damage))
                return self._flush()
        self._read(native)
        return self._flush()

    def exhausted(self, source: object) -> list[Event]:
        """Return the events of *source*, the watched object, after its stream has ended. Never raises.

        Some SDKs store only on that object the approvals that they wait for, and what the user asked. The watch
        calls this method before ``finish``, or not at all.
        """
        del source
        return []

    def native_result(self, source: object, native: Any) -> Any:
        """Return the SDK's own result of an ended stream: of *source*, the watched object, and its last *native* event."""
        del source
        return native

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        """Return the last events of the run; *exc* is the exception that ended the stream, if any.

        The first outcome other than success wins: an outcome that the stream reported outweighs an
        exception raised after it. A second call returns nothing.
        """
        if self._is_finished:
            return []
        self._is_finished = True
        if exc is not None:
            self._end_by_exception(exc)
        self._envelope = {}
        cut = self._written_calls.outcome()  # before the calls that this adapter closes now
        self._close()
        self._envelope = {}
        self._finish_texts()
        self._outcome = self._outcome or self._last_problem or cut
        self._out += map(parse_event, self._half_pairs.release())
        self.emit(RunFinished, usage=self._usage, result=self._result, **self._outcome)
        return self._flush()

    @abstractmethod
    def _read(self, native: object) -> None:
        """Emit the events of one native."""

    def _close(self) -> None:  # noqa: B027 - most adapters emit nothing at the end
        """Emit the events that must precede the run's end."""

    def start(self, **fields: Any) -> None:
        """Emit the run's start, once; for sources that have an event for it."""
        if not self._is_started:
            self._is_started = True
            self.emit(RunStarted, **self._origin(), **fields)

    def emit(self, cls: type[Any], **fields: Any) -> None:
        """Emit one event for the current native; *fields* override the envelope."""
        if cls is MessageFinished:
            self._finish_texts(self._envelope.get("message_id"))
            self._judge(ident(fields.get("finish_reason")))
        if cls is ToolStarted and fields.get("args"):
            call_id = fields["tool_call_id"]
            written = self.streamed.read_args(self._args_keys.get(call_id), call_id)
            fields["args_text"] = lossless_text(fields["args"], written)
        place: dict[str, Any] = {"agent_id": self.agent_id, "run_id": self.run_id, **self._envelope}
        if place.get("seq") is not None:
            place["sub"] = len(self._out)
        kind = cls.model_fields["type"].default
        earlier, joined = self._half_pairs.join(kind, {**place, **fields})
        made = [*map(parse_event, earlier), cls(**joined)]
        self._out += map(self._call_ids.rename, made) if self.tells_calls_apart else made
        if cls in (ToolStarted, ToolFinished):
            self._task_of(cls, fields)
        if cls in (ToolCallDelta, ToolStarted, ToolFinished):
            self._plan_of(fields["tool_call_id"], fields.get("tool_name"), fields.get("args"), cls)
        elif cls is MessageFinished and self._planners:
            for call_id in list(self._planners):
                if self._args_keys.get(call_id, ("",))[0] == self._envelope.get("message_id"):
                    self._plan_of(call_id, None, None, cls)

    def begin_message(self, message_id: str | None, **fields: Any) -> None:
        """Emit a message's start; the events that follow belong to it."""
        self._envelope = {"message_id": message_id}
        self.emit(MessageStarted, **fields)

    def end_message(self, message_id: str | None, **fields: Any) -> None:
        """Emit a message's end, if there is one; the events that follow belong to no message."""
        if message_id is not None:
            self._envelope = {"message_id": message_id}
            self.emit(MessageFinished, **fields)
            if not self.keeps_texts:
                self.streamed.forget(message_id)
        self._envelope = {}

    def add_events(self, events: Iterable[Event]) -> None:
        """Append the events that another adapter has made for this run."""
        self._out += events

    def emit_input(self, words: str) -> None:
        """Emit what the user asked, for an SDK that tells it only after the run's start; nothing for no words."""
        if words:
            self._envelope = {}
            self.start()
            self.emit(RunStarted, **self._origin(), input=words)

    def emit_result(self, value: object, **fields: Any) -> None:
        """Emit a call's end with its result, and a file for each block that is not the call's display.

        *value* is a ``Result``, or the SDK's own value. *fields* are the other fields of the ``ToolFinished``.
        """
        result = value if isinstance(value, Result) else read_result(value)
        self.emit(ToolFinished, **fields, **result.fields)
        call_id, run = fields["tool_call_id"], {name: fields[name] for name in ("run_id",) if name in fields}
        for i, file in enumerate(result.files):
            self.emit(Artifact, artifact_id=f"{call_id}:{i}", tool_call_id=call_id, **file, **run)

    def emit_report(self, report: Report) -> None:
        """Emit what an application reports about a tool that it runs itself."""
        if report.result is None:
            self.emit(ToolStarted, **report.fields)
        else:
            self.emit_result(report.result, **report.fields)

    def _task_of(self, cls: type[Any], fields: dict[str, Any]) -> None:
        """Emit the plan that a call has changed by one step."""
        call_id = fields["tool_call_id"]
        if cls is ToolStarted:
            steps = self._tasks.start(call_id, fields.get("tool_name"), fields.get("args"))
        else:
            steps = self._tasks.finish(call_id, fields.get("status", "ok"), fields.get("output"))
        if steps is not None:
            self.emit(Plan, entries=steps, tool_call_id=call_id)

    def _plan_of(self, call_id: str, name: str | None, args: Any, cls: type[Any]) -> None:
        """Emit the plan that a call writes, as soon as its whole arguments are known."""
        if name and speaks_of_plan(name):
            self._planners[call_id] = name
            drop_oldest(self._planners, CALLS)
        if cls is ToolCallDelta or call_id not in self._planners or self._envelope.get("derived"):
            return
        if args is None:
            args = parsed(self.streamed.read_args(self._args_keys.get(call_id), call_id))
        steps = plan_in(self._planners[call_id], parsed(args))
        if steps is not None and self._plans.get(call_id) != steps:
            self._plans[call_id] = steps
            drop_oldest(self._plans, CALLS)
            self.emit(Plan, entries=steps, tool_call_id=call_id)

    def emit_turn(self, words: str, files: Sequence[dict[str, Any]] = (), **place: Any) -> None:
        """Emit what the user, or the system, said as a message of its own; nothing if it has said nothing.

        *place* may have ``role``, and ``message_id`` and other fields of the envelope.
        """
        if not words and not files:
            return
        before, last = self._envelope, self._last_problem
        self._turns += 1
        role = place.pop("role", "user")
        message_id = place.pop("message_id", None) or f"{self.run_id}:{role}:{self._turns}"
        self._envelope = {**before, "message_id": message_id, **place}
        self.emit(MessageStarted, role=role)
        if words:
            self.emit(TextDelta, delta=words)
        for i, file in enumerate(files):
            self.emit(Artifact, artifact_id=f"{message_id}:{i}", part_id=f"file:{i}", **file)
        self.emit(MessageFinished)
        self._envelope, self._last_problem = before, last

    def emit_citation(self, part_id: str, fields: dict[str, Any] | None, number: int | None = None) -> None:
        """Emit a source of a text, once; *number* is the citation's place among those of its text, if known."""
        if not fields:
            return
        known = self._citations.setdefault((self._envelope.get("message_id"), part_id), {})
        drop_oldest(self._citations, CALLS)
        if number is None:
            number = _number_of(fields, known)
        if number is not None and known.get(number) != fields:
            known[number] = fields
            self.emit(Citation, citation_id=f"{part_id}:{number}", part_id=part_id, **fields)

    def emit_unknown(self, native: object, name: str | None, **fields: Any) -> None:
        """Emit a native that this version does not know as a ``Custom`` event under its own name.

        With ``shown``, the application has emitted the native for the reader, and the view shows it as a line.
        A message that the application yields to tell what the user or the system said is that message.
        """
        is_message = isinstance(native, Mapping) and not fields.get("shown")
        role = _TURNS.get(text(get(native, "role"))) if is_message else None
        words, files = said(get(native, "content")) if role is not None else ("", [])
        if words or files:
            self._envelope = {}
            self.emit_turn(words, files, role=role, message_id=ident(get(native, "id")))
            return
        name = name or text(get(native, "type")) or type(native).__name__
        self.emit(Custom, name=name, value=bounded(native), **fields)

    def emit_text(self, kind: str, part_id: str, delta: str) -> None:
        """Emit a delta of a text or thinking part, unless the delta is empty."""
        if not delta:
            return
        self._record_delta(kind, part_id, delta)
        if kind != "text" or not self.has_think_tags:
            self.emit(ThinkingDelta if kind == "thinking" else TextDelta, part_id=part_id, delta=delta)
            return
        key = self._key(kind, part_id)
        tags = self._think_tags.setdefault((key, bool(self._envelope.get("derived"))), ThinkTags())
        for of, piece in tags.feed(delta):
            self._emit_piece(key, of, piece)

    def emit_whole(self, kind: str, part_id: str, whole: str) -> None:
        """Emit the whole text of a part, if the text differs from the streamed text."""
        key = self._key(kind, part_id)
        if whole != self.streamed.read(key):
            self.streamed.replace(key, whole, self._envelope.get("seq"))
            if kind == "text" and self.has_think_tags:
                self._think_tags.pop((key, False), None)
                thought, whole = split_whole(whole)
                if thought or key in self._texts_with_thoughts:
                    self._texts_with_thoughts.add(key)
                    self.emit(PartCompleted, part_id=f"{part_id}:think", kind="thinking", text=thought)
            self.emit(PartCompleted, part_id=part_id, kind=kind, text=whole)

    def _emit_piece(self, key: Key, kind: str, piece: str) -> None:
        """Emit a piece of a text that may begin with thinking."""
        if kind == "text":
            self.emit(TextDelta, part_id=key[2], delta=piece)
        else:
            self._texts_with_thoughts.add(key)
            self.emit(ThinkingDelta, part_id=f"{key[2]}:think", delta=piece)

    def _finish_texts(self, message: str | None = None) -> None:
        """Emit what the texts of a message, or of all messages, hold back."""
        envelope = self._envelope
        for key, is_derived in list(self._think_tags):
            if message is None or key[0] == message:
                self._envelope = {**envelope, "message_id": key[0]} if key[0] else envelope
                if is_derived:
                    self._envelope = {**self._envelope, "derived": True}
                for kind, piece in self._think_tags.pop((key, is_derived)).finish():
                    self._emit_piece(key, kind, piece)
        self._envelope = envelope

    def emit_args(self, call_id: str, name: str | None, delta: str) -> None:
        """Emit a delta of a tool call's argument text; an empty *delta* only shows the call."""
        key = self._key("args", call_id)
        if key in self._repeats:
            written, at = self._repeats[key]
            if written.startswith(delta, at):
                self._repeats[key] = written, at + len(delta)
                return
            del self._repeats[key]
            rest = written[at:]
            # They go on where they had stopped; or they are others, and are shown rather than lost.
            delta = delta[len(rest) :] if delta.startswith(rest) else written[:at] + delta
        if delta:
            self._record_delta("args", call_id, delta)
        self.emit(ToolCallDelta, tool_call_id=call_id, tool_name=name or None, delta=delta)

    def announce_call(self, call_id: str, name: str | None) -> None:
        """Emit the beginning of a call: of an open one the arguments come again, after a result it is another."""
        key = self._key("args", call_id)
        is_open = self._call_ids.is_open(self._envelope.get("run_id", self.run_id), call_id)
        if written := self.streamed.read(key):
            if is_open:
                self._repeats[key] = written, 0
                return
            self.streamed.replace(key, "")
        self._repeats.pop(key, None)
        self.emit_args(call_id, name, "")

    def emit_rest_of_args(self, call_id: str, name: str | None, whole: str) -> bool:
        """Emit the rest of *whole* after the streamed argument text.

        Returns False, and emits nothing, if *whole* does not begin with the streamed text.
        """
        key = self._key("args", call_id)
        written = self.streamed.read(key)
        if not whole.startswith(written):
            return False
        self._args_keys.setdefault(call_id, key)
        if whole != written:
            self.streamed.replace(key, whole, self._envelope.get("seq"))
            self._args_keys[call_id] = key
            self.emit(
                ToolCallDelta, tool_call_id=call_id, tool_name=name or None, delta=whole[len(written) :]
            )
        self._plan_of(call_id, name, whole or None, ToolStarted)
        return True

    def _record_delta(self, kind: str, name: str, delta: str) -> None:
        if not self._envelope.get("derived"):  # a derived twin repeats a direct delta
            self.streamed.add(self._key(kind, name), delta, self._envelope.get("seq"))
            if kind == "args":
                self._args_keys[name] = self._key(kind, name)

    def _key(self, kind: str, name: str) -> Key:
        return self._envelope.get("message_id"), kind, name

    def end(self, outcome: str, error: str | None = None, code: str | None = None) -> None:
        """Store the run's outcome, unless an outcome other than success is stored already."""
        if self._outcome.get("outcome", "success") == "success":
            self._outcome = {"outcome": outcome, "error": error, "code": code}

    def resume(self) -> None:
        """Forget the run's interruption: its source goes on after an answer."""
        if self._outcome.get("outcome") == "interrupted":
            self._outcome = {}

    def settle(self) -> None:
        """Store the SDK's own verdict that the run is a success: it outweighs the last message's reason."""
        self.end("success")

    def _judge(self, reason: str | None) -> None:
        problem = problem_of(reason)
        self._last_problem = {"outcome": "error", "error": problem, "code": reason} if problem else {}

    def _flush(self) -> list[Event]:
        # A subagent has renamed its own calls; its start names its caller, one of this run's calls.
        out, self._out = (
            [self._call_ids.rename(event) if isinstance(event, RunStarted) else event for event in self._out],
            [],
        )
        if out and not self._is_started and out[0].run_id == self.run_id:
            self._is_started = True
            out.insert(0, RunStarted(agent_id=self.agent_id, run_id=self.run_id, **self._origin()))
        for event in out:
            self._written_calls.record(event)
        return out

    def _origin(self) -> dict[str, Any]:
        names = ("agent_name", "parent_run_id", "parent_tool_call_id")
        return {name: getattr(self, name) for name in names}

    def emit_damaged(self, native: object, damage: str, **ids: Any) -> dict[str, Any]:
        """Emit a line for one of our own events that cannot be read; return the outcome of its run: no success."""
        self.emit_unknown(f"{damage} It was {bounded_repr(native)}", "damaged_event", shown=True, **ids)
        return {"outcome": "error", "error": f"An event of the stream is damaged: {damage}"}

    def _own_event(self, native: object) -> Event | None:
        try:
            event = parse_event(native)  # type: ignore[arg-type]  # is_event() saw one of the two
        except ProtocolError:
            return None
        if (event.agent_id, event.run_id) == (self.agent_id, self.run_id):
            self._is_started = self._is_started or isinstance(event, RunStarted)
            self._is_finished = self._is_finished or isinstance(event, RunFinished)
        return event

    def _end_by_exception(self, exc: BaseException) -> None:
        while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
            exc = exc.exceptions[0]  # the wrapper of a task group does not help the reader
        if isinstance(exc, _CANCELLATIONS) or type(exc).__name__ in self.cancellations:
            self.end("cancelled")
            return
        try:
            message = scrub(str(exc))
        except Exception:  # noqa: BLE001 - a broken __str__ must not hide the error itself
            message = bounded_repr(exc)
        name = type(exc).__name__
        self.end("error", f"{name}: {message}" if message else name, ident(get(exc, "code")))


def _number_of(fields: dict[str, Any], known: dict[int, dict[str, Any]]) -> int | None:
    """Return the number of a citation: that of an equal one, or of the same source whose place was not known."""
    for number, one in known.items():
        if one == fields or (_source(one) == _source(fields) and "end" not in one):
            return number
    if "end" not in fields and any(_source(one) == fields for one in known.values()):
        return None  # the place is known already
    return max(known, default=-1) + 1


def _source(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ("start", "end")}

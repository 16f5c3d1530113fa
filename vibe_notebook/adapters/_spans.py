"""Turn the spans of traces into events: the part that ``otel_spans`` and ``openai_agents_traces`` share.

An agent's span is a run, a model's is a message, a tool's is a call. Spans may come when they begin and again when they
end, or only when they have ended, in any order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vibe_notebook.events import (
    Artifact,
    Custom,
    Event,
    MessageFinished,
    MessageStarted,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)

from ._base import Adapter
from ._fields import json_text, parsed, plain
from ._result_blocks import read_result
from ._span_messages import Piece, Said
from ._span_tree import Node, Span, SpanTree

__all__ = ["SpansAdapter"]

_RUNS = ("agent", "trace")


@dataclass(eq=False)
class _Run:
    """Hold one run: that of an agent's span, or of the outermost span around models and tools."""

    id: str
    node: Node
    parent: _Run | None
    origin: dict[str, Any]
    agent: str | None = None
    has_input: bool = False
    has_words: bool = False
    has_usage: bool = False
    is_over: bool = False
    is_waiting: bool = False
    """True if a call waits for an answer of the user's."""
    members: list[Node] = field(default_factory=list)
    """The agents of a trace that are at work: one after the other they are one run."""
    error: str | None = None
    calls: dict[str, str | None] = field(default_factory=dict)
    """The calls that a model has made and no span of a tool has taken, by id, with their names."""
    taken: set[str] = field(default_factory=set)
    """The calls that spans of tools have shown: a model that streams may end after its tools."""
    args: dict[str, Any] = field(default_factory=dict)


class SpansAdapter(Adapter):
    """Read the spans of one or many traces; the outermost agents are runs of one view."""

    def __init__(self, **ids: Any) -> None:
        super().__init__(**ids)
        self._tree = SpanTree()
        self._runs: list[_Run] = []
        self._is_over = False

    @abstractmethod
    def spans_in(self, native: object) -> list[Span]:
        """Return the spans in a native: one, or those of a batch; none of a native that is no span."""

    def _read(self, native: object) -> None:
        found = self.spans_in(native)
        for span in found:
            self._play(self._tree.add(span))
        if not found and (not self._is_finished or self._open()):
            self._envelope = {}
            self.emit_unknown(native, None)

    def finish(self, exc: BaseException | None = None) -> list[Event]:
        """Return the last events of all runs; a span that has not ended ends as cancelled, or by *exc*."""
        if self._is_over:
            return []
        self._is_over = True
        self._play(self._tree.rest())
        unended = set(self._tree.unended())
        if self._tree.count and not self._runs and exc is None and not self._is_finished:
            words = "None of the {:,} spans is of an agent, a model or a tool (gen_ai or OpenInference)."
            self.end("error", words.format(self._tree.count))
        first = self._first()
        for run in reversed(self._open()):
            if run is not first:
                self._finish_run(run, **self._end_of(run, exc, unended))
        if self._is_finished:
            return self._flush()
        if first is not None and exc is None:
            self.end(**{"outcome": "success", **self._end_of(first, exc, unended)})
        return super().finish(exc)

    def _first(self) -> _Run | None:
        return next((run for run in self._runs if run.id == self.run_id), None)

    def _open(self) -> list[_Run]:
        return [run for run in self._runs if not run.is_over]

    def _end_of(self, run: _Run, exc: BaseException | None, unended: set[Node]) -> dict[str, Any]:
        if exc is not None:
            held, self._outcome = self._outcome, {}
            self._end_by_exception(exc)
            found, self._outcome = self._outcome, held
            return found
        if run.error is not None:
            return {"outcome": "error", "error": run.error}
        if run.node.span.kind == "trace":  # its own end is not among its spans
            return {"outcome": "cancelled"} if unended.intersection(run.members) else {}
        return {"outcome": "cancelled"} if run.node in unended else {}

    def _play(self, points: Iterable[tuple[str, Node]]) -> None:
        for verb, node in points:
            self._envelope = {}
            getattr(self, f"_{verb}_{node.span.kind}", self._ignore)(node)

    def _ignore(self, node: Node) -> None:
        """Show nothing of a span that only contains others."""

    # Where a span belongs.

    def _run_of(self, node: Node) -> _Run:
        """Return the run in which a model or a tool is shown."""
        top = chain = node
        for above in node.above:
            if above.span.kind in _RUNS:
                return self._run_at(above)
            if above.span.kind == "tool":
                if node.span.kind == "tool" and chain is node and above.home is not None:
                    return self._home_of(above)  # beside it: parallel tools of some SDKs lie in each other
                return self._inner(above) if chain is node else self._run_at(chain)
            chain = above if above.span.kind == "chain" else chain
            top = above
        return self._run_at(top if chain is node else chain)

    def _home_of(self, tool: Node) -> _Run:
        home: _Run = tool.home
        return self._run_of(tool) if home.is_over else home

    def _run_at(self, node: Node) -> _Run:
        if node.run is None or node.run.is_over:
            node.run = self._open_run(node, *self._caller(node))
        run: _Run = node.run
        return run

    def _inner(self, tool: Node) -> _Run:
        if tool.inner is None or tool.inner.is_over:
            tool.inner = self._open_run(tool, self._run_of(tool), tool.call_id)
        inner: _Run = tool.inner
        return inner

    def _caller(self, node: Node) -> tuple[_Run | None, str | None]:
        """Return the run around a run, and the call of that run which contains it."""
        chain = None
        for above in node.above:
            if above.span.kind in _RUNS:
                return self._run_at(above), None
            if above.span.kind == "tool":
                return self._run_of(above), above.call_id
            chain = above if above.span.kind == "chain" else chain
        return None if chain is None else self._run_at(chain), None

    def _open_run(self, node: Node, parent: _Run | None, call_id: str | None) -> _Run:
        span = node.span
        is_first = parent is None and not self._runs and not self._is_finished
        name = span.name if span.kind in ("agent", "chain", "trace") else None
        if parent is not None:
            origin = {"parent_run_id": parent.id, "parent_tool_call_id": call_id}
        else:
            origin = {"parent_run_id": self.parent_run_id, "parent_tool_call_id": self.parent_tool_call_id}
        origin["agent_name"] = (self.agent_name or name) if is_first else (name or span.name)
        run_id = self.run_id if is_first else f"{self.run_id}/{span.trace_id[-8:]}:{span.span_id}"
        while any(one.id == run_id for one in self._runs):
            run_id += "'"
        run = _Run(run_id, node, parent, origin, agent=origin["agent_name"])
        self._runs.append(run)
        self._is_started = self._is_started or is_first
        self._envelope = self._place(run, span.start)
        words = next(
            (said.words for said in reversed(span.heard) if said.role in ("user", "") and said.words), ""
        )
        run.has_input = bool(words)
        self.emit(RunStarted, **origin, **({"input": words} if words else {}))
        return run

    def _place(self, run: _Run, ts: float | None, message_id: str | None = None) -> dict[str, Any]:
        place: dict[str, Any] = {"run_id": run.id}
        if ts is not None:
            place["ts"] = ts
        return {**place, "message_id": message_id} if message_id else place

    # Agents.

    def _begin_agent(self, node: Node) -> None:
        above = self._workflow_of(node)
        if above is None:
            self._run_at(node)
            return
        run = above.run
        if run is None:
            above.span.name = node.span.name or above.span.name
            run = self._run_at(above)
        if run.members:
            self._run_at(node)  # beside another agent: a run of its own
        else:
            run.members.append(node)
            node.run, run.agent = run, node.span.name

    @staticmethod
    def _workflow_of(node: Node) -> Node | None:
        """Return the trace, the workflow or the outermost chain whose agents, one after the other, are one run."""
        chain = None
        for above in node.above:
            if above.span.kind == "trace":
                return above
            if above.span.kind in ("agent", "tool"):
                return None
            chain = above if above.span.kind == "chain" else chain
        return chain

    def _end_agent(self, node: Node) -> None:
        run = node.run
        if run is None or run.is_over:
            return
        span = node.span
        if run.node is not node:  # one of a trace's agents
            run.members.remove(node)
            run.error = span.error if span.is_failed else None
            return
        self._finish_node(run, span)

    def _begin_trace(self, node: Node) -> None:
        """Wait for the first agent, which has the name."""

    def _end_trace(self, node: Node) -> None:
        if node.run is not None and not node.run.is_over:
            self._finish_node(node.run, node.span)

    def _end_chain(self, node: Node) -> None:
        is_outer = not any(above.span.kind != "group" for above in node.above)
        if node.run is None and is_outer and (node.span.said or node.span.heard):
            self._run_at(node)
        if node.run is not None and not node.run.is_over:
            self._finish_node(node.run, node.span)

    def _end_group(self, node: Node) -> None:
        if node.run is not None and not node.run.is_over:
            self._finish_node(node.run, node.span)

    def _finish_node(self, run: _Run, span: Span) -> None:
        for said in span.heard if not run.has_input else ():
            self._hear_user(run, said)
        if not run.has_words:
            self._speak(run, f"{span.span_id}:result", span)
        self._envelope = self._place(run, span.end)
        for call_id in span.waits:
            run.is_waiting = True
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
        outcome: dict[str, Any] = {}
        if span.is_cancelled:
            outcome = {"outcome": "cancelled"}
        elif run.is_waiting and not span.is_failed:
            outcome = {"outcome": "interrupted"}
        elif span.is_failed:
            outcome = {"outcome": "error", "error": span.error or run.error}
        elif run.error is not None and span.kind in ("trace", "group"):  # it has no status of its own
            outcome = {"outcome": "error", "error": run.error}
        if not run.has_usage and span.usage is not None:
            outcome["usage"] = span.usage
        self._envelope = self._place(run, span.end)
        self._finish_run(run, **outcome)

    def _finish_run(self, run: _Run, **outcome: Any) -> None:
        run.is_over = True
        if run.id == self.run_id:
            if self._is_finished:
                return
            self._is_finished = True
        self._envelope = {**self._envelope, "run_id": run.id}
        self.emit(RunFinished, **outcome)

    # Models.

    def _begin_model(self, node: Node) -> None:
        run = node.home = self._run_of(node)
        self._listen(run, node.span)
        self._envelope = self._place(run, node.span.start, node.span.span_id)
        self.emit(MessageStarted, agent_name=run.agent)
        if node.span.is_over:  # what it wrote stands before the calls that it made meanwhile
            self._speak(run, node.span.span_id, node.span, is_begun=True)
            node.has_spoken = True

    def _end_model(self, node: Node) -> None:
        run, span = node.home, node.span
        if not node.has_spoken:
            self._listen(run, span)
            self._speak(run, span.span_id, span, is_begun=True)
        if span.is_failed and run.node is not node:
            run.error = span.error
        elif run.node is not node:
            run.error = None
        if run.node is node:
            self._finish_node(run, span)

    def _listen(self, run: _Run, span: Span) -> None:
        """Show what the model got and no span has shown: what the user asked, and results of calls."""
        if not run.has_input:
            for said in reversed(span.heard):
                if self._hear_user(run, said):
                    break
        for said in span.heard:
            for piece in said.pieces:
                if piece.kind == "result" and piece.call_id in run.calls:
                    self._envelope = self._place(run, span.start)
                    self._show_result(run, piece)

    def _hear_user(self, run: _Run, said: Said) -> bool:
        if run.has_input or said.role not in ("user", "") or not said.words:
            return False
        run.has_input = True
        self._envelope = self._place(run, None)
        self.emit(RunStarted, **run.origin, input=said.words)
        if run.parent is not None and run.origin.get("parent_tool_call_id") is None:
            self._hear_user(run.parent, said)  # its span tells nothing, and it has no model of its own before
        return True

    def _show_result(self, run: _Run, piece: Piece) -> None:
        name = run.calls.pop(piece.call_id or "", None)
        run.args.pop(piece.call_id or "", None)
        result = read_result(parsed(piece.value))
        self.emit_result(result, tool_call_id=piece.call_id, tool_name=piece.name or name)

    def _speak(self, run: _Run, message_id: str, span: Span, *, is_begun: bool = False) -> None:
        """Show what a model wrote, or what an agent gave whose models are not in the trace."""
        if not is_begun and not any(said.pieces for said in span.said):
            return
        place = self._place(run, span.end, message_id)
        self._envelope = place
        if not is_begun:
            self.emit(MessageStarted, agent_name=run.agent)
        reason = span.finish_reason
        number = 0
        for said in span.said:
            reason = said.finish_reason or reason
            for piece in said.pieces if said.role in ("assistant", "") else ():
                self._envelope = place
                self._piece(run, message_id, number, piece)
                number += 1
        self._envelope = place
        run.has_words = run.has_words or number > 0
        usage = span.usage if is_begun else None
        run.has_usage = run.has_usage or usage is not None
        self.emit(MessageFinished, finish_reason=reason, usage=usage)

    def _piece(self, run: _Run, message_id: str, number: int, piece: Piece) -> None:
        match piece.kind:
            case "text" | "thinking":
                self.emit_text(piece.kind, str(number), piece.text)
            case "file":
                self.emit(Artifact, artifact_id=f"{message_id}:{number}", part_id=str(number), **piece.value)
            case "call" if piece.call_id not in run.taken:
                call_id = piece.call_id or f"{message_id}:{number}"
                run.calls[call_id] = piece.name
                run.args[call_id] = plain(piece.value)
                self.emit_rest_of_args(call_id, piece.name, json_text(piece.value))
                if not json_text(piece.value):
                    self.emit_args(call_id, piece.name, "")
            case "result" if piece.call_id is not None:  # of a tool that the provider runs
                self._show_result(run, piece)
            case _:
                pass

    # Tools.

    def _begin_tool(self, node: Node) -> None:
        run, span = self._run_of(node), node.span
        node.home, node.args = run, span.args
        node.call_id = self._call_of(run, span)
        run.taken.add(node.call_id)
        run.calls.pop(node.call_id, None)
        known = run.args.pop(node.call_id, None)
        args = parsed(span.args)
        if isinstance(known, dict) and not isinstance(
            args, dict
        ):  # LangChain's tools tell one argument without its name
            args = node.args = None
        self._envelope = self._place(run, span.start)
        self.emit(ToolStarted, tool_call_id=node.call_id, tool_name=span.name, args=args)

    @staticmethod
    def _call_of(run: _Run, span: Span) -> str:
        """Return the id of a tool's call: its own, that of the model's call which it works for, or the span's."""
        if span.call_id is not None:
            return span.call_id
        fits = [call_id for call_id, name in run.calls.items() if name == span.name]
        args = plain(parsed(span.args))
        exact = [call_id for call_id in fits if args is not None and run.args.get(call_id) == args]
        return next(iter(exact or fits), span.span_id)

    def _end_tool(self, node: Node) -> None:
        run, span = node.home, node.span
        run.taken.add(span.call_id or "")
        is_guess = span.call_id is not None and node.call_id != span.span_id
        call_id = span.call_id if is_guess else node.call_id
        if call_id != node.call_id:  # the span tells its id only at its end, and the guess was wrong
            self._envelope = self._place(run, span.start)
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=span.name, args=parsed(span.args))
            node.args, node.call_id = span.args, call_id
        self._envelope = self._place(run, span.end)
        if span.args is not None and node.args is None and isinstance(parsed(span.args), dict):
            self.emit(ToolStarted, tool_call_id=call_id, tool_name=span.name, args=parsed(span.args))
        if node.inner is not None and not node.inner.is_over:
            self._finish_run(
                node.inner, **({"outcome": "error", "error": span.error} if span.is_failed else {})
            )
            self._envelope = self._place(run, span.end)
        if span.is_deferred:
            self.emit(ToolProgress, tool_call_id=call_id, state="awaiting_approval")
            run.is_waiting = True
            return
        status = "cancelled" if span.is_cancelled else "error" if span.is_failed else "ok"
        error = span.error if status == "error" else None
        fields = {"tool_call_id": call_id, "tool_name": span.name, "status": status, "error": error}
        if span.has_result:
            self.emit_result(read_result(parsed(span.result)), **fields)
        else:
            self.emit(ToolFinished, **fields)
        if run.node is node:
            self._finish_node(run, span)

    # Handoffs.

    def _begin_handoff(self, node: Node) -> None:
        """Wait for the end, which names the next agent."""

    def _end_handoff(self, node: Node) -> None:
        self._envelope = self._place(self._run_of(node), node.span.end)
        self.emit(Custom, name="handoff", value=node.span.name, shown=True)

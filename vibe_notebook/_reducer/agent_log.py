"""``apply(event)``: the one reducer, from delivered events to what a transcript is made of.

Below ordering, above the registry. Runs and nodes are mutable and private to the registry's
lock; ``snapshot`` makes the plain values of ``transcript.py``, and the live display reads nodes
to send only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..parts import Part, Run, ToolPart
from ..transcript import Transcript
from .part_builders import ToolBuilder, kind_of
from .run import PartBuilder, RunLog, total
from .subagents import STEPS, Family, caller_of, complete_across_runs

if TYPE_CHECKING:
    from .._ordering.counter import Place
    from .._ordering.sequencer import Retraction, Sequencer
    from ..events import Event

__all__ = ["AgentLog", "RunLog"]


class AgentLog:
    """All of one agent's runs; ``order`` knows when each began."""

    __slots__ = ("_below", "_callers", "_order", "_parents", "agent_id", "runs")

    def __init__(self, agent_id: str, order: Sequencer) -> None:
        self.agent_id = agent_id
        self._order = order
        self.runs: dict[str, RunLog] = {}
        self._callers: dict[str, dict[RunLog, None]] = {}  # which runs have made each call
        # Which runs say that they are part of a run, or of a call (with a NUL before its id).
        self._below: dict[str, dict[RunLog, None]] = {}
        self._parents: dict[RunLog, str] = {}

    def apply(self, event: Event, place: Place) -> PartBuilder | None:
        """Apply one delivered event; return the node it changed."""
        run = self.runs.get(event.run_id)
        if run is None:
            began = self._order.began(event.run_id)
            run = self.runs[event.run_id] = RunLog(event.run_id, began, kind_of, self._callers)
        node = run.apply(event, place)
        if event.type == "run_started":
            self._file(run)
        return node

    def _file(self, run: RunLog) -> None:
        """Note which run, or which call, it says that it is part of."""
        parent_id, call = run.parent
        key = parent_id if parent_id is not None else f"\0{call}" if call is not None else None
        before = self._parents.get(run)
        if key == before:
            return
        if before is not None:
            del self._below[before][run]
            del self._parents[run]
        if key is not None:
            self._parents[run] = key
            self._below.setdefault(key, {})[run] = None

    def _above(self, run: RunLog) -> RunLog | None:
        """The run that it says that it is part of, if that is known."""
        parent_id, call = run.parent
        if parent_id is not None:
            above = self.runs.get(parent_id)
        else:
            above = caller_of(run, self._callers.get(call, {})) if call is not None else None
        return None if above is run else above

    def _children(self, run: RunLog) -> Iterator[RunLog]:
        """The runs that are part of it."""
        calls = [f"\0{name}" for kind, _, name in run.nodes if kind == "tool"]
        for key in (run.run_id, *calls):
            for child in self._below.get(key, ()):
                if self._above(child) is run:
                    yield child

    def retract(self, retraction: Retraction) -> list[PartBuilder]:
        """Drop what a run's derived deltas built; return the nodes that changed."""
        run = self.runs.get(retraction.run_id)
        return run.retract(retraction.message_id, retraction.kind) if run else []

    def is_part(self, run: RunLog) -> bool:
        """Whether the run is a subagent of one that is kept."""
        path = [run]
        while len(path) <= STEPS:
            above = self._above(path[-1])
            if above is None:
                return len(path) > 1
            if above is run:  # a circle: its first stands for itself
                return min(path, key=lambda each: each.arrival) is not run
            if above in path:
                return True
            path.append(above)
        return False

    def drop(self, run_id: str) -> list[str]:
        """Forget a run and all that is part of it; return their ids."""
        dropped: list[str] = []
        if run_id in self.runs:
            gone = {self.runs[run_id]: None}
            waiting = list(gone)
            while waiting:
                for child in self._children(waiting.pop()):
                    if child not in gone:
                        gone[child] = None
                        waiting.append(child)
            for run in gone:
                del self.runs[run.run_id]
                dropped.append(run.run_id)
                if key := self._parents.pop(run, None):
                    del self._below[key][run]
                    if not self._below[key]:
                        del self._below[key]
                for node in run.nodes.values():
                    if isinstance(node, ToolBuilder):
                        node.relink(None)
                        for follower in list(node.followers):
                            follower.relink(None)
                        callers = self._callers.get(node.name, {})
                        callers.pop(run, None)
                        if not callers:
                            self._callers.pop(node.name, None)
        return dropped

    def is_called_elsewhere(self, node: ToolBuilder) -> bool:
        """Whether another run has a call with the same id."""
        callers = self._callers.get(node.name, ())
        return len(callers) > (node.run in callers)

    def ordered(self, *, since: int = 0) -> list[RunLog]:
        """The runs by the arrival of their first event, those before arrival *since* left out."""
        runs = [run for run in self.runs.values() if run.arrival >= since]
        return sorted(runs, key=lambda run: run.arrival)

    def link(self) -> None:
        """Bring up to date what runs mean for each other: what ends with what, who completes whose call."""
        family = Family(self.ordered(), self._callers)
        family.end()
        complete_across_runs(family)

    def children(
        self, runs: list[RunLog]
    ) -> tuple[dict[ToolBuilder, list[RunLog]], set[RunLog], list[RunLog]]:
        """({tool: its subagents}, roots, subagents without a known call)."""
        family = Family(runs, self._callers)
        roots = {run for run in runs if run.parent == (None, None)}
        return family.nested(), roots, [run for run in runs if run not in roots and run not in family.claims]

    def snapshot(self, run_id: str | None = None, *, since: int = 0) -> Transcript:
        """All runs as one transcript, or one run."""
        self.link()
        runs = self.ordered(since=since if run_id is None else 0)
        nested, roots, alone = self.children(runs)
        tops = [run for run in runs if run in roots]
        if run_id is not None:
            tops = runs = [run for run in runs if run.run_id == run_id]
        unclaimed = set(alone).difference(tops)

        def parts(run: RunLog) -> Iterator[Part]:
            for node in run.ordered():
                part = node.part()
                if part is None:
                    continue
                if isinstance(part, ToolPart) and isinstance(node, ToolBuilder) and node in nested:
                    inner = tuple(p for child in nested[node] for p in parts(child))
                    part = part.model_copy(update={"children": inner})
                yield part

        newest = tops[-1].final if tops else None
        return Transcript(
            agent_id=self.agent_id,
            parts=tuple(part for run in tops for part in parts(run)),
            runs=tuple(_run(run, tuple(parts(run)) if run in unclaimed else ()) for run in runs),
            outcome=newest.outcome if newest else None,
            error=newest.error if newest else None,
            usage=total([run.usage for run in tops if run.usage is not None]),
        )


def _run(run: RunLog, parts: tuple[Part, ...]) -> Run:
    final = run.final
    parent_run, call = run.parent
    return Run(
        run_id=run.run_id,
        agent_name=run.agent_name,
        parent_run_id=parent_run,
        parent_tool_call_id=call,
        input=run.input,
        outcome=final.outcome if final else None,
        error=final.error if final else None,
        code=final.code if final else None,
        usage=run.usage,
        result=final.result if final else None,
        parts=parts,
    )

"""Reduce the delivered events of one agent to runs and part builders, and make transcripts of them.

Between ordering and the registry. Run logs and part builders are mutable: only the holder of the registry's
lock may touch them. ``snapshot`` makes the plain values of ``parts.py`` and ``transcript.py``; the live display
reads part builders, and so sends only news.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ..parts import Part, Run, TextPart, ToolPart
from ..transcript import Transcript
from .messages import total
from .part_builders import TextBuilder, ToolBuilder, kind_of
from .requests import RequestBuilder
from .run import Answers, PartBuilder, RunLog
from .subagents import STEPS, Family, caller_of, complete_across_runs

if TYPE_CHECKING:
    from .._ordering.counter import Place
    from .._ordering.sequencer import Retraction, Sequencer
    from ..events import Event, InputAnswered, Usage

__all__ = ["AgentLog", "RunLog", "cited_texts", "sources_alone"]


class AgentLog:
    """Hold all of one agent's runs; ``order`` gives each run's first arrival."""

    __slots__ = ("_answers", "_by_parent", "_callers", "_order", "_parent_keys", "agent_id", "runs")

    def __init__(self, agent_id: str, order: Sequencer) -> None:
        self.agent_id = agent_id
        self._order = order
        self.runs: dict[str, RunLog] = {}
        self._answers: dict[str, Answers] | None = None  # by the run of the request; ``None`` without any
        self._callers: dict[str, dict[RunLog, None]] = {}  # by call id, the runs that made the call
        # The runs that claim a run, or a call (a NUL before its id), as their parent.
        self._by_parent: dict[str, dict[RunLog, None]] = {}
        self._parent_keys: dict[RunLog, str] = {}

    def apply(self, event: Event, place: Place) -> PartBuilder | None:
        """Apply one delivered event; return the part builder that it changed."""
        run = self.runs.get(event.run_id)
        if run is None:
            arrival = self._order.first_arrival(event.run_id)
            run = RunLog(event.run_id, arrival, kind_of, self._callers)
            self.runs[event.run_id] = run
            if self._answers is not None and event.run_id in self._answers:
                run.answers = self._answers[event.run_id]
        builder = run.apply(event, place)
        if event.type == "run_started":
            self._index_parent(run)
        elif event.type == "input_answered" and event.request_run_id not in (None, event.run_id):
            return self._answer(event, place) or builder
        return builder

    def _answer(self, event: InputAnswered, place: Place) -> PartBuilder | None:
        """Apply the answer to a request of an earlier run; return the part that it changed."""
        run_id = event.request_run_id or ""
        if self._answers is None:
            self._answers = {}
        answers = self._answers.setdefault(run_id, {})
        answers.setdefault(event.request_id, []).append((place, event))
        run = self.runs.get(run_id)
        if run is None:
            return None
        run.answers = answers
        return run.touch_request(event.request_id)

    def _index_parent(self, run: RunLog) -> None:
        """Index the run under the run, or the call, that it claims as its parent."""
        parent_id, call = run.parent
        key = parent_id if parent_id is not None else f"\0{call}" if call is not None else None
        before = self._parent_keys.get(run)
        if key == before:
            return
        if before is not None:
            del self._by_parent[before][run]
            del self._parent_keys[run]
        if key is not None:
            self._parent_keys[run] = key
            self._by_parent.setdefault(key, {})[run] = None

    def _parent_of(self, run: RunLog) -> RunLog | None:
        """Return the run that *run* claims as its parent, if the agent has it."""
        parent_id, call = run.parent
        if parent_id is not None:
            parent = self.runs.get(parent_id)
        else:
            parent = caller_of(run, self._callers.get(call, {})) if call is not None else None
        return None if parent is run else parent

    def _subagents(self, run: RunLog) -> Iterator[RunLog]:
        """Yield the runs whose parent is *run*."""
        calls = [f"\0{name}" for kind, _, name in run.nodes if kind == "tool"]
        for key in (run.run_id, *calls):
            for child in self._by_parent.get(key, ()):
                if self._parent_of(child) is run:
                    yield child

    def retract(self, retraction: Retraction) -> list[PartBuilder]:
        """Retract the text that a run's derived deltas built; return the part builders that changed."""
        run = self.runs.get(retraction.run_id)
        return run.retract(retraction.message_id, retraction.kind) if run else []

    def is_part(self, run: RunLog) -> bool:
        """Return whether the run is a subagent of a retained run."""
        path = [run]
        while len(path) <= STEPS:
            parent = self._parent_of(path[-1])
            if parent is None:
                return len(path) > 1
            if parent is run:  # a circle: its first run counts as a top-level run
                return min(path, key=lambda each: each.arrival) is not run
            if parent in path:
                return True
            path.append(parent)
        return False

    def drop(self, run_id: str) -> list[str]:
        """Drop a run and its subagents; return the ids of all dropped runs."""
        dropped: list[str] = []
        if run_id in self.runs:
            runs = {self.runs[run_id]: None}
            waiting = list(runs)
            while waiting:
                for child in self._subagents(waiting.pop()):
                    if child not in runs:
                        runs[child] = None
                        waiting.append(child)
            for run in runs:
                del self.runs[run.run_id]
                dropped.append(run.run_id)
                self._drop_answers(run)
                if key := self._parent_keys.pop(run, None):
                    del self._by_parent[key][run]
                    if not self._by_parent[key]:
                        del self._by_parent[key]
                self._drop_calls(run)
        return dropped

    def _drop_answers(self, run: RunLog) -> None:
        """Drop the answers to the run's requests, and those that it gave."""
        if self._answers is None:
            return
        self._answers.pop(run.run_id, None)
        for builder in run.nodes.values():
            for run_id in builder.answered_runs if isinstance(builder, RequestBuilder) else ():
                answers = self._answers.get(run_id, {})
                left = [item for item in answers.get(builder.name, ()) if item[1].run_id != run.run_id]
                if left:
                    answers[builder.name] = left
                else:
                    answers.pop(builder.name, None)
                if not answers:
                    self._answers.pop(run_id, None)

    def _drop_calls(self, run: RunLog) -> None:
        for builder in run.nodes.values():
            if isinstance(builder, ToolBuilder):
                builder.relink(None)
                for follower in list(builder.followers):
                    follower.relink(None)
                callers = self._callers[builder.name]
                del callers[run]
                if not callers:
                    del self._callers[builder.name]

    def is_called_elsewhere(self, builder: ToolBuilder) -> bool:
        """Return whether another run has a call with the same id."""
        callers = self._callers.get(builder.name, ())
        return len(callers) > (builder.run in callers)

    def ordered(self, *, since: int = 0) -> list[RunLog]:
        """Return the runs by the arrival of their first event, without those before arrival *since*."""
        runs = [run for run in self.runs.values() if run.arrival >= since]
        return sorted(runs, key=lambda run: run.arrival)

    def link(self) -> None:
        """Link the runs: a run's end ends its subagents, a later run's events complete an earlier call."""
        family = Family(self.ordered(), self._callers)
        family.set_parent_ends()
        complete_across_runs(family)

    def children(
        self, runs: list[RunLog]
    ) -> tuple[dict[ToolBuilder, list[RunLog]], set[RunLog], list[RunLog]]:
        """Return ({tool: its subagents}, top-level runs, subagents without a known call)."""
        family = Family(runs, self._callers)
        roots = {run for run in runs if run.parent == (None, None)}
        return family.nested(), roots, [run for run in runs if run not in roots and run not in family.claims]

    def snapshot(self, run_id: str | None = None, *, since: int = 0) -> Transcript:
        """Return all runs as one transcript, or one run."""
        self.link()
        runs = self.ordered(since=since if run_id is None else 0)
        nested, roots, alone = self.children(runs)
        tops = [run for run in runs if run in roots]
        if run_id is not None:
            tops = runs = [run for run in runs if run.run_id == run_id]
        unclaimed = set(alone).difference(tops)

        def parts(run: RunLog) -> Iterator[Part]:
            for builder in run.ordered():
                part = builder.part()
                if part is None:
                    continue
                if isinstance(part, ToolPart) and isinstance(builder, ToolBuilder) and builder in nested:
                    inner = tuple(p for child in nested[builder] for p in parts(child))
                    part = part.model_copy(update={"children": inner})
                yield part
            for message_id, texts in cited_texts(run).items():
                yield from sources_alone(run, message_id, texts)

        newest = tops[-1].final if tops else None
        return Transcript(
            agent_id=self.agent_id,
            parts=tuple(part for run in tops for part in parts(run)),
            runs=tuple(_run(run, tuple(parts(run)) if run in unclaimed else ()) for run in runs),
            outcome=newest.outcome if newest else None,
            error=newest.error if newest else None,
            usage=self._usage(tops, nested, alone if run_id is None else []),
            messages=tuple(message for run in runs for message in run.messages()),
        )

    def _usage(
        self, tops: list[RunLog], nested: dict[ToolBuilder, list[RunLog]], alone: list[RunLog]
    ) -> Usage | None:
        """Return the sum of all runs' usage; a run that includes its subagents' counts them itself."""
        children: dict[RunLog, list[RunLog]] = {}
        for builder, runs in nested.items():
            children.setdefault(builder.run, []).extend(runs)
        waiting = [*(run for run in alone if run not in tops), *tops]
        found: list[Usage] = []
        while waiting:
            run = waiting.pop()
            usage = run.usage
            if usage is not None:
                found.append(usage)
            if usage is None or not usage.includes_children:
                waiting[:0] = children.get(run, [])
        return total(found[::-1])  # the newest request's model counts


def cited_texts(run: RunLog) -> dict[str | None, list[TextBuilder]]:
    """Return the texts of each message that has citations, in order."""
    found: dict[str | None, list[TextBuilder]] = {message_id: [] for message_id in run.citations.messages()}
    for builder in run.ordered() if found else ():
        cited = found.get(builder.message_id) if builder.kind == "text" else None
        if cited is not None and isinstance(builder, TextBuilder) and not builder.is_blank:
            cited.append(builder)
    return found


def sources_alone(run: RunLog, message_id: str | None, texts: Collection[TextBuilder]) -> Iterator[TextPart]:
    """Yield an empty text for each cited text that the message lacks beside *texts*: its sources are not lost."""
    for part_id in run.citations.without_text(message_id, {builder.name for builder in texts}):
        yield TextPart(
            run_id=run.run_id,
            message_id=message_id,
            role=run.role_of(message_id),
            part_id=part_id,
            citations=run.citations.of(message_id, part_id, 0),
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

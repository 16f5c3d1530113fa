"""Find the parent of each subagent's run, and the earlier call that a later run's events complete.

Part of the reducer, used by ``AgentLog``. A peer's ids prove nothing: a run may claim to be its own parent, and
parents may stand in a circle or in a chain without end. None of these may lose a part or hang.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Reversible, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from .part_builders import CallState, ToolBuilder

if TYPE_CHECKING:
    from .run import RunLog

__all__ = ["NESTING", "STEPS", "Family", "caller_of", "complete_across_runs"]

NESTING: Final = 32
"""Levels of subagents that forms show inside of each other; a deeper subagent stands beside them."""

STEPS: Final = 64
"""Runs that one search visits: peers may chain thousands of runs, or give them one call id."""


class Family:
    """Hold the ``parents`` of runs, and in ``claims`` the tool call that each subagent is part of."""

    def __init__(self, runs: Sequence[RunLog], callers: Mapping[str, Iterable[RunLog]]) -> None:
        self.runs = runs
        self._callers = callers
        self._known = set(runs)
        self._by_call: dict[str, list[RunLog]] = {}
        self.parents: dict[RunLog, RunLog] = {}
        self.claims: dict[RunLog, ToolBuilder] = {}
        self._by_id = {run.run_id: run for run in runs}
        for run in runs:
            self._find_parent(run)
        self.depths: dict[RunLog, int] = {}  # parents before their children
        for run in runs:
            self._set_depth(run)

    def nested(self) -> dict[ToolBuilder, list[RunLog]]:
        """Return each tool call's subagents, in order."""
        made: dict[ToolBuilder, list[RunLog]] = {}
        for run in self.runs:
            tool = self.claims.get(run)
            if tool is not None:
                made.setdefault(tool.target or tool, []).append(run)
        return made

    def related(self, one: RunLog, other: RunLog) -> bool:
        """Return whether one of the two runs is an ancestor of the other."""
        return one in self._ancestors(other) or other in self._ancestors(one)

    def set_parent_ends(self) -> None:
        """Set in every run the position at which its parent ended."""
        for run in self.depths:
            parent = self.parents.get(run)
            run.parent_ended_at = parent.ended_at if parent is not None else None

    def _ancestors(self, run: RunLog) -> set[RunLog]:
        seen = {run}
        while len(seen) <= STEPS and (parent := self.parents.get(run)) is not None:
            run = parent
            seen.add(run)
        return seen

    def _find_parent(self, run: RunLog) -> None:
        parent_id, call = run.parent
        parent = self._by_id.get(parent_id) if parent_id is not None else self._caller(run, call)
        if parent is None or parent is run:
            return
        self.parents[run] = parent
        builder = parent.nodes.get(("tool", None, call)) if call is not None else None
        if isinstance(builder, ToolBuilder) and not builder.is_empty:
            self.claims[run] = builder

    def _caller(self, run: RunLog, call: str | None) -> RunLog | None:
        """Return the newest earlier run that made the call; else the oldest other run that made it."""
        if call is None:
            return None
        callers = self._by_call.get(call)
        if callers is None:
            known = [each for each in self._callers.get(call, ()) if each in self._known]
            callers = self._by_call[call] = sorted(known, key=_arrival)
        at = bisect_left(callers, run.arrival, key=_arrival)
        if at:
            return callers[at - 1]
        return next((each for each in callers if each is not run), None)

    def _set_depth(self, run: RunLog) -> None:
        """Set the depths of the run's ancestors, then its own; cut circles and nesting beyond the limit."""
        path: dict[RunLog, None] = {}
        at: RunLog | None = run
        while at is not None and at not in self.depths:
            if at in path:
                members = list(path)
                first = min(members[members.index(at) :], key=lambda each: each.arrival)
                del self.parents[first]
                self.claims.pop(first, None)
                path, at = {}, run
                continue
            path[at] = None
            at = self.parents.get(at)
        for each in reversed(path):
            depth = self.depths[self.parents[each]] + 1 if each in self.claims else 0
            if depth > NESTING:
                del self.claims[each]
                depth = 0
            self.depths[each] = depth


def complete_across_runs(family: Family) -> None:
    """Complete each waiting call with the result that a later run has for it.

    Approvals and answers come in the next run. They complete the newest call with that id that was awaiting
    approval, or unfinished, before them; never a call of an ancestor or of a subagent of their run.
    """
    calls: dict[str, list[ToolBuilder]] = {}
    for run in family.runs:
        for builder in run.ordered():
            if isinstance(builder, ToolBuilder):
                calls.setdefault(builder.tool_call_id, []).append(builder)
    for builders in calls.values():
        # The calls that a later run can still complete, oldest run first.
        waiting: dict[ToolBuilder, CallState] = {}
        for builder in builders:
            target = _target(builder, waiting, family) if waiting else None
            builder.relink(target)
            state = CallState() if target is None else waiting[target]
            state.apply(builder)
            if state.open_since is None:
                waiting.pop(target or builder, None)
            elif target is None:
                waiting[builder] = state


def _target(
    builder: ToolBuilder, waiting: dict[ToolBuilder, CallState], family: Family
) -> ToolBuilder | None:
    if builder.is_written_here():
        return None
    at = builder.first()
    for earlier in islice(reversed(waiting), STEPS):
        since = waiting[earlier].open_since
        # Equal: the next event after Registry.finish().
        if since is not None and since <= at and not family.related(earlier.run, builder.run):
            return earlier
    return None


def caller_of(run: RunLog, callers: Reversible[RunLog]) -> RunLog | None:
    """Return the newest of the last *callers* before the run; else the oldest one but the run itself."""
    some = [each for each in islice(reversed(callers), STEPS) if each is not run]
    before = [each for each in some if each.arrival < run.arrival]
    return max(before, key=_arrival) if before else min(some, key=_arrival, default=None)


def _arrival(run: RunLog) -> int:
    return run.arrival

"""Which run is part of which, and which later call completes an earlier one.

Part of the reducer. Ids are the peer's word only: a run may claim to be its own parent, parents
may stand in a circle or without end, and none of that may lose a part or hang.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Reversible, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from .part_builders import Standing, ToolBuilder

if TYPE_CHECKING:
    from .run import RunLog

__all__ = ["NESTING", "STEPS", "Family", "caller_of", "complete_across_runs"]

NESTING: Final = 32
"""Subagents within subagents that are shown inside of each other; deeper ones stand for themselves."""

STEPS: Final = 64
"""Runs that are looked at in search of one run or call: peers may chain, or use one id for, thousands."""


class Family:
    """The parents of runs: ``above`` by run, and ``claims``, the tool call that each one is part of."""

    def __init__(self, runs: Sequence[RunLog], callers: Mapping[str, Iterable[RunLog]]) -> None:
        self.runs = runs
        self._callers = callers
        self._known = set(runs)
        self._by_call: dict[str, list[RunLog]] = {}
        self.above: dict[RunLog, RunLog] = {}
        self.claims: dict[RunLog, ToolBuilder] = {}
        self._by_id = {run.run_id: run for run in runs}
        for run in runs:
            self._find(run)
        self.depths: dict[RunLog, int] = {}  # parents before their children
        for run in runs:
            self._place(run)

    def nested(self) -> dict[ToolBuilder, list[RunLog]]:
        """Each tool call's subagents, in order."""
        made: dict[ToolBuilder, list[RunLog]] = {}
        for run in self.runs:
            tool = self.claims.get(run)
            if tool is not None:
                made.setdefault(tool.target or tool, []).append(run)
        return made

    def related(self, one: RunLog, other: RunLog) -> bool:
        """Whether one of the two is part of the other."""
        return one in self._upwards(other) or other in self._upwards(one)

    def end(self) -> None:
        """Let every run know when the one that it is part of ended."""
        for run in self.depths:
            above = self.above.get(run)
            run.over_at = above.ended_at if above is not None else None

    def _upwards(self, run: RunLog) -> set[RunLog]:
        seen = {run}
        while len(seen) <= STEPS and (above := self.above.get(run)) is not None:
            run = above
            seen.add(run)
        return seen

    def _find(self, run: RunLog) -> None:
        parent_id, call = run.parent
        above = self._by_id.get(parent_id) if parent_id is not None else self._caller(run, call)
        if above is None or above is run:
            return
        self.above[run] = above
        node = above.nodes.get(("tool", None, call)) if call is not None else None
        if isinstance(node, ToolBuilder) and not node.is_empty:
            self.claims[run] = node

    def _caller(self, run: RunLog, call: str | None) -> RunLog | None:
        """The newest of the runs before this one that has made the call; else any that has."""
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

    def _place(self, run: RunLog) -> None:
        """Find how deep the run is, after all that is above it; cut circles and what is too deep."""
        path: dict[RunLog, None] = {}
        at: RunLog | None = run
        while at is not None and at not in self.depths:
            if at in path:
                members = list(path)
                first = min(members[members.index(at) :], key=lambda each: each.arrival)
                del self.above[first]
                self.claims.pop(first, None)
                path, at = {}, run
                continue
            path[at] = None
            at = self.above.get(at)
        for each in reversed(path):
            depth = self.depths[self.above[each]] + 1 if each in self.claims else 0
            if depth > NESTING:
                del self.claims[each]
                depth = 0
            self.depths[each] = depth


def complete_across_runs(family: Family) -> None:
    """Let a result that is unknown in its own run complete the call that waits for it.

    Approvals and answers come in the next run. The newest call with that id that had asked for
    approval, or was left unfinished, by then takes them; never one that the run is a part of.
    """
    calls: dict[str, list[ToolBuilder]] = {}
    for run in family.runs:
        for node in run.ordered():
            if isinstance(node, ToolBuilder):
                calls.setdefault(node.tool_call_id, []).append(node)
    for nodes in calls.values():
        # What can still be completed, and by that which runs are of no use; in the order of the runs.
        waiting: dict[ToolBuilder, Standing] = {}
        for node in nodes:
            target = _target(node, waiting, family) if waiting else None
            node.relink(target)
            standing = Standing() if target is None else waiting[target]
            standing.take(node)
            if standing.open_since is None:
                waiting.pop(target or node, None)
            elif target is None:
                waiting[node] = standing


def _target(node: ToolBuilder, waiting: dict[ToolBuilder, Standing], family: Family) -> ToolBuilder | None:
    if node.is_written_here():
        return None
    at = node.first()
    for earlier in islice(reversed(waiting), STEPS):
        since = waiting[earlier].open_since
        if since is not None and since < at and not family.related(earlier.run, node.run):
            return earlier
    return None


def caller_of(run: RunLog, callers: Reversible[RunLog]) -> RunLog | None:
    """The newest of the *callers* before the run; else any of them but itself. Looks at some only."""
    some = [each for each in islice(reversed(callers), STEPS) if each is not run]
    before = [each for each in some if each.arrival < run.arrival]
    return max(before, key=_arrival) if before else some[0] if some else None


def _arrival(run: RunLog) -> int:
    return run.arrival

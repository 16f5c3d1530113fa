"""``apply(event)``: the one reducer, from delivered events to what a transcript is made of.

Below ordering, above the registry. Everything is placed by (track, seq, sub), so a late event
lands where it belongs. Nodes are mutable and private to the registry's lock; ``snapshot`` makes
the plain values of ``transcript.py``, and the live display reads nodes to send only what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ._nodes import ArtifactNode, Node, TextNode, ToolNode
from .events import MessageFinished, PartCompleted, RunFinished, RunStarted, Usage
from .ordering import DELTA_KINDS, Place, Retraction, Track
from .transcript import Part, Run, ToolPart, Transcript

if TYPE_CHECKING:
    from .events import Event

__all__ = ["AgentLog", "RunLog"]

_TOOL_TYPES = frozenset(("tool_started", "tool_progress", "tool_finished"))


class RunLog:
    """One run's nodes and what is said of the run as a whole."""

    def __init__(self, run_id: str, arrival: int) -> None:
        self.run_id = run_id
        self.arrival = arrival  # of its first event: runs are ordered by it
        self.nodes: dict[tuple[str, str | None, str], Node] = {}
        self.tracks: dict[Track, None] = {}
        self.version = 0  # changes with the set or the order of nodes
        self.closed = False  # finish() was called
        self.started: list[tuple[Place, RunStarted]] = []
        self.finished: list[tuple[Place, RunFinished]] = []
        self.usages: dict[str | None, tuple[Place, Usage]] = {}
        self.agent_name: str | None = None
        self._derived: dict[tuple[str | None, str], dict[Node, None]] = {}
        self._sorted: tuple[int, int, list[Node]] = (-1, 0, [])

    @property
    def ended(self) -> bool:
        """Whether nothing of this run may be left preparing or running."""
        return self.closed or bool(self.finished)

    @property
    def shifts(self) -> int:
        """How often an event arrived out of order: positions may have moved since."""
        return sum(track.shifts for track in self.tracks)

    @property
    def parent(self) -> tuple[str | None, str | None]:
        """(parent_run_id, parent_tool_call_id), from whichever RunStarted says so."""
        run = next((e.parent_run_id for _, e in self.started if e.parent_run_id), None)
        call = next((e.parent_tool_call_id for _, e in self.started if e.parent_tool_call_id), None)
        return run, call

    @property
    def final(self) -> RunFinished | None:
        """How it ended: the first that is not a success in order, else the last."""
        ordered = [event for place, event in sorted(self.finished, key=lambda item: position(item[0]))]
        return next((event for event in ordered if event.outcome != "success"), ordered[-1] if ordered else None)

    @property
    def usage(self) -> Usage | None:
        """What the run says it used, else the sum of its messages."""
        said = [event.usage for _, event in self.finished if event.usage is not None]
        return said[-1] if said else total([usage for _, usage in self.usages.values()])

    def ordered(self) -> list[Node]:
        """The nodes in the order of their first appearance."""
        version, shifts, nodes = self._sorted
        now = self.shifts
        if version != self.version or shifts != now:
            nodes = [node for node in self.nodes.values() if not node.is_empty]
            places = {node: node.first() for node in nodes}
            nodes.sort(key=places.__getitem__)
            self._sorted = (self.version, now, nodes)
        return nodes

    def apply(self, event: Event, place: Place) -> Node | None:
        """Put the event where it belongs; return the node it changed."""
        if place[0] is not None:
            self.tracks[place[0]] = None
        kind = event.type
        if kind in ("text_delta", "thinking_delta") or isinstance(event, PartCompleted):
            which = event.kind if isinstance(event, PartCompleted) else DELTA_KINDS[kind]
            node = self._node((which, event.message_id, event.part_id), TextNode, event)  # type: ignore[union-attr]
        elif kind == "tool_call_delta" or kind in _TOOL_TYPES:
            node = self._node(("tool", None, event.tool_call_id), ToolNode, event)  # type: ignore[union-attr]
        elif kind == "artifact":
            node = self._node(("artifact", None, event.artifact_id), ArtifactNode, event)  # type: ignore[union-attr]
        else:
            self._about_the_run(event, place)
            return None
        before = node.since
        node.apply(event, place)
        if node.since is not before:
            self.version += 1
        if event.derived:
            self._derived.setdefault((event.message_id, _kind(event)), {})[node] = None
        return node

    def retract(self, message_id: str | None, kind: str) -> list[Node]:
        """Drop what derived deltas built; return the nodes that changed."""
        nodes = list(self._derived.pop((message_id, kind), {}))
        for node in nodes:
            node.drop_derived(message_id)
        self.version += 1
        return nodes

    def compact(self) -> None:
        """Free what only an open run needs."""
        for node in self.nodes.values():
            node.compact()

    def _node(self, key: tuple[str, str | None, str], cls: Callable[..., Node], event: Event) -> Node:
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = cls(self, key, event.message_id)
        return node

    def _about_the_run(self, event: Event, place: Place) -> None:
        if isinstance(event, RunStarted):
            self.started.append((place, event))
            self.agent_name = self.agent_name or event.agent_name
            self.version += 1
        elif isinstance(event, RunFinished):
            self.finished.append((place, event))
            self.version += 1
        elif isinstance(event, MessageFinished) and event.usage is not None:
            old = self.usages.get(event.message_id)
            if old is None or position(place) > position(old[0]):
                self.usages[event.message_id] = (place, event.usage)


class AgentLog:
    """All of one agent's runs."""

    def __init__(self, agent_id: str, began: Callable[[str], int]) -> None:
        self.agent_id = agent_id
        self._began = began  # the arrival of a run's first event
        self.runs: dict[str, RunLog] = {}

    def apply(self, event: Event, place: Place) -> Node | None:
        """Apply one delivered event; return the node it changed."""
        run = self.runs.get(event.run_id)
        if run is None:
            run = self.runs[event.run_id] = RunLog(event.run_id, self._began(event.run_id))
        return run.apply(event, place)

    def retract(self, retraction: Retraction) -> list[Node]:
        """Drop what a run's derived deltas built; return the nodes that changed."""
        run = self.runs.get(retraction.run_id)
        return run.retract(retraction.message_id, retraction.kind) if run else []

    def ordered(self, *, since: int = 0) -> list[RunLog]:
        """The runs by the arrival of their first event, those before arrival *since* left out."""
        runs = [run for run in self.runs.values() if run.arrival >= since]
        return sorted(runs, key=lambda run: run.arrival)

    def link(self) -> None:
        """Let a result that is unknown in its own run complete the call that waits for it.

        Approvals and answers come in the next run. The newest call with that id that awaits
        approval or was left unfinished takes them.
        """
        calls: dict[str, list[ToolNode]] = {}
        for run in self.ordered():
            for node in run.ordered():
                if isinstance(node, ToolNode):
                    calls.setdefault(node.tool_call_id, []).append(node)
        for nodes in calls.values():
            for node in nodes:
                node.relink(None)
            for i, node in enumerate(nodes):
                if i and not node.is_written_here():
                    waiting = [n for n in nodes[:i] if n.target is None and n.state() in ("awaiting_approval", "unfinished")]
                    if waiting:
                        node.relink(waiting[-1])

    def children(self, runs: list[RunLog]) -> tuple[dict[ToolNode, list[RunLog]], set[RunLog], list[RunLog]]:
        """({tool: its subagents}, roots, subagents without a known call)."""
        nested: dict[ToolNode, list[RunLog]] = {}
        roots: set[RunLog] = set()
        unclaimed: list[RunLog] = []
        for run in runs:
            parent_run, call = run.parent
            tool = self._tool(run, parent_run, call) if call else None
            if tool is not None:
                nested.setdefault(tool, []).append(run)
            elif parent_run is None and call is None:
                roots.add(run)
            else:
                unclaimed.append(run)
        return nested, roots, unclaimed

    def _tool(self, child: RunLog, parent_run: str | None, call: str) -> ToolNode | None:
        candidates = [self.runs.get(parent_run)] if parent_run else reversed(self.ordered())
        for run in candidates:
            if run is None or run is child:
                continue
            node = run.nodes.get(("tool", None, call))
            if isinstance(node, ToolNode) and not node.is_empty and not self._is_above(child, run):
                return node.target or node
        return None

    def _is_above(self, run: RunLog, of: RunLog) -> bool:
        """Whether *run* is an ancestor of *of*: hostile ids must not make a circle."""
        seen: set[str] = set()
        parent = of.parent[0]
        while parent is not None and parent not in seen:
            if parent == run.run_id:
                return True
            seen.add(parent)
            above = self.runs.get(parent)
            parent = above.parent[0] if above else None
        return parent is not None

    def snapshot(self, run_id: str | None = None, *, since: int = 0) -> Transcript:
        """All runs as one transcript, or one run."""
        self.link()
        runs = self.ordered(since=since) if run_id is None else [r for r in self.ordered() if r.run_id == run_id]
        nested, roots, _ = self.children(self.ordered() if run_id is not None else runs)
        tops = [run for run in runs if run in roots] if run_id is None else runs

        def parts(run: RunLog) -> Iterator[Part]:
            for node in run.ordered():
                part = node.part()
                if part is None:
                    continue
                if isinstance(part, ToolPart) and node in nested:
                    inner = tuple(p for child in nested[node] for p in parts(child))  # type: ignore[index]
                    part = part.model_copy(update={"children": inner})
                yield part

        claimed = {run for inside in nested.values() for run in inside}
        shown = tuple(part for run in tops for part in parts(run))
        values = tuple(_run(run, () if run in tops or run in claimed else tuple(parts(run))) for run in runs)
        newest = tops[-1].final if tops else None
        return Transcript(
            agent_id=self.agent_id,
            parts=shown,
            runs=values,
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
        input=next((event.input for _, event in run.started if event.input is not None), None),
        outcome=final.outcome if final else None,
        error=final.error if final else None,
        code=final.code if final else None,
        usage=run.usage,
        result=final.result if final else None,
        parts=parts,
    )


def _kind(event: Event) -> str:
    return event.kind if isinstance(event, PartCompleted) else DELTA_KINDS.get(event.type, "")


def position(place: Place) -> int:
    """Where the event stands among all of its agent's."""
    track, seq, sub, arrival = place
    return arrival if track is None else track.position(seq, sub, arrival)


def total(usages: list[Usage]) -> Usage | None:
    """Add up; a field that nobody reported stays ``None``."""
    if len(usages) <= 1:
        return usages[0] if usages else None
    fields = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost")
    sums = {}
    for field in fields:
        said = [value for usage in usages if (value := getattr(usage, field)) is not None]
        sums[field] = sum(said) if said else None
    return Usage(**sums, model=next((u.model for u in reversed(usages) if u.model), None))

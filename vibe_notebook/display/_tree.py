"""Which parts a live view has, and where: parts come, go and move as the reducer's nodes do.

Between ``_view.py`` and ``_parts.py``. Everything here runs under the registry's lock: nodes are
read, nothing is rendered. What comes at the end is added without a look at what is there
(``add``); all else is compared as a whole (``arrange``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._reducer.agent_log import AgentLog
from .._reducer.part_builders import ArtifactBuilder, TextBuilder, ToolBuilder
from .._reducer.run import PartBuilder, RunLog
from ..parts import _key as part_key
from ._bundle import other_agent
from ._parts import ArtifactShown, RunShown, Shown, ToolShown
from ._text_diffs import Op
from ._texts import TextShown, ThinkingShown

__all__ = ["Logs", "Tree"]

Logs = Sequence[tuple[AgentLog, int]]
"""Each agent's log, and the arrival number from which on it is shown."""
_Want = dict[str, list[tuple[str, Any]]]
"""Each parent's children: their keys, and the node or run that they show (``None``: an agent)."""


@dataclass(slots=True)
class _Look:
    """A run at the last look: ``place`` is where a part that comes at its end is put, if that is known."""

    version: int
    shifts: int
    ended: bool
    end: int
    place: str | None
    prefix: str


class Tree:
    """The parts as the browser has them. ``nodes`` says which part shows which node.

    A part's key is the transcript's; on the wire it is a number, the same one for ever.
    """

    def __init__(self) -> None:
        self.nodes: dict[PartBuilder, Shown] = {}
        self._keys = [""]
        self._numbers = {"": 0}
        self._shown: dict[str, Shown] = {}
        self._places: dict[str, list[str]] = {"": []}
        self._looks: dict[RunLog, _Look] = {}
        self._claims: set[str | None] = set()
        self._counts: list[int] = []

    def key_of(self, number: int) -> str | None:
        """The key of the part that has this number on the wire."""
        return self._keys[number] if 0 < number < len(self._keys) else None

    def add(self, touched: Iterable[PartBuilder], logs: Logs) -> list[Op] | None:
        """Show what is new of the nodes *touched*, if nothing happened but that some came at the end.

        ``None``: more happened, or may have, and ``arrange`` has to look. The cost depends on the number
        of runs, and not on how much they said already.
        """
        if [len(found.runs) for found, _ in logs] != self._counts:
            return None
        if any(run.shifts != look.shifts for run, look in self._looks.items()):
            return None
        new: dict[RunLog, list[tuple[int, PartBuilder]]] = {}
        for node in touched:
            look = self._looks.get(node.run)
            if look is None or _is_blank(node):
                return None
            if self._is_related(node, logs):
                return None
            if node not in self.nodes:
                if look.place is None:
                    return None
                new.setdefault(node.run, []).append((node.first(), node))
            elif node.run not in new:
                new[node.run] = []
        for run, nodes in new.items():
            look = self._looks[run]
            nodes.sort(key=lambda item: item[0])
            if run.version - look.version != len(nodes) or (nodes and nodes[0][0] <= look.end):
                return None
        return [op for run, nodes in new.items() for _, node in nodes for op in self._append(run, node)]

    def arrange(self, logs: Logs) -> tuple[list[Op], list[PartBuilder]]:
        """Compare what should be there with what was sent; return the ops, and the nodes to read anew.

        Where events came out of order, places moved also inside of parts that nothing was added to.
        """
        looks = self._looks
        self._counts = [len(found.runs) for found, _ in logs]
        self._looks = {}
        self._claims = {run.parent[1] for found, _ in logs for run in found.runs.values()}
        want: _Want = {"": []}
        last: dict[str, RunLog] = {}
        for i, (found, since) in enumerate(logs):
            found.link()
            runs = found.ordered(since=since)
            nested, roots, unclaimed = found.children(runs)
            top, prefix = "", ""
            if i:
                top, prefix = f"agent/{found.agent_id}", other_agent(i)
                want[""].append((top, None))
                want[top] = []
            for run in runs:
                if run in roots:
                    self._want(want, last, top, run, nested, prefix)
            for run in unclaimed:
                key = f"run/{found.agent_id}/{run.run_id}"
                want[top].append((key, run))
                want[key] = []
                self._want(want, last, key, run, nested, prefix)
        for parent, run in last.items():
            items = want.get(parent, [])
            if not items or isinstance(items[-1][1], PartBuilder):
                self._looks[run].place = parent
        ops = self._diff(want)
        return ops, [node for node, shown in self.nodes.items() if self._is_stale(node, shown, looks)]

    def finish(self) -> None:
        """Nothing more comes: every text is closed as the whole document would be."""
        for shown in self._shown.values():
            if isinstance(shown, TextShown):
                shown.finish()

    def sent_whole(self) -> None:
        """The browser has what the snapshot says, whatever was to be sent before."""
        for shown in self._shown.values():
            shown.sent_whole()

    def snapshot(self, is_open: Mapping[str, bool]) -> list[dict[str, Any]]:
        """All parts, whole, with what the user opened and closed."""
        parts = {key: shown.snapshot() for key, shown in self._shown.items()}
        for parent, keys in self._places.items():
            if parent and parent in parts:
                parts[parent]["parts"] = [parts[key] for key in keys]
        for key, chosen in is_open.items():
            if key in parts:
                parts[key]["props"]["open"] = chosen
        return [parts[key] for key in self._places[""]]

    def _want(
        self,
        want: _Want,
        last: dict[str, RunLog],
        parent: str,
        run: RunLog,
        nested: dict[ToolBuilder, list[RunLog]],
        prefix: str,
    ) -> None:
        stack = [(parent, run)]
        while stack:
            parent, run = stack.pop()
            nodes = run.ordered()
            last[parent] = run
            end = nodes[-1].first() if nodes else -1
            self._looks[run] = _Look(run.version, run.shifts, run.ended, end, None, prefix)
            for node in nodes:
                if _is_blank(node):
                    continue
                key = prefix + _key(run, node)
                want.setdefault(parent, []).append((key, node))
                if isinstance(node, ToolBuilder) and node in nested:
                    want[key] = []
                    stack += [(key, child) for child in reversed(nested[node])]

    def _is_stale(self, node: PartBuilder, shown: Shown, looks: Mapping[RunLog, _Look]) -> bool:
        """Whether it has to be read anew: that its run ended shows in a call that nothing else was said of."""
        before, now = looks.get(node.run), self._looks[node.run]
        if shown.version != node.version or before is None:
            return True
        if isinstance(node, ToolBuilder) and node.followers:
            return True
        return (before.shifts, before.ended) != (now.shifts, now.ended)

    def _is_related(self, node: PartBuilder, logs: Logs) -> bool:
        """Whether a call may have to do with other runs: subagents of a new one, or a call that one completes."""
        if not isinstance(node, ToolBuilder):
            return False
        if node not in self.nodes and node.tool_call_id in self._claims:
            return True
        return any(found.is_called_elsewhere(node) for found, _ in logs)

    def _append(self, run: RunLog, node: PartBuilder) -> list[Op]:
        look = self._looks[run]
        look.version, look.end = run.version, node.first()
        parent = look.place or ""
        siblings = self._places.setdefault(parent, [])
        ops: list[Op] = []
        before = self._shown[siblings[-1]] if siblings else None
        if isinstance(before, ThinkingShown):
            before.done(is_done=True)
            ops += before.ops()
        key = look.prefix + _key(run, node)
        ops.append(self._put(key, node, parent, len(siblings)))
        shown = self.nodes[node] = self._shown[key]
        if isinstance(shown, ThinkingShown):
            shown.done(is_done=run.ended)
            ops += shown.ops()
        return ops

    def _put(self, key: str, item: Any, parent: str, index: int) -> Op:
        number = self._numbers.setdefault(key, len(self._keys))
        if number == len(self._keys):
            self._keys.append(key)
        shown = self._shown[key] = _shown(number, key, item)
        shown.parent = parent
        self._places[parent].insert(index, key)
        return ["add", number, shown.kind, self._numbers[parent], index, dict(shown.props)]

    def _diff(self, want: _Want) -> list[Op]:
        ops: list[Op] = []
        wanted = {key for items in want.values() for key, _ in items}
        for key in [key for key in self._shown if key not in wanted]:
            gone = self._shown.pop(key)
            siblings = self._places.get(gone.parent)
            if siblings is not None and key in siblings:
                siblings.remove(key)
            ops.append(["del", gone.key])
        self.nodes = {}
        order = [""]
        for parent in order:
            have = self._places.setdefault(parent, [])
            items = want.get(parent, [])
            for index, (key, item) in enumerate(items):
                shown = self._shown.get(key)
                if shown is None:
                    ops.append(self._put(key, item, parent, index))
                    shown = self._shown[key]
                elif shown.parent != parent or index >= len(have) or have[index] != key:
                    self._places[shown.parent].remove(key)
                    shown.parent = parent
                    have.insert(index, key)
                    ops.append(["move", shown.key, self._numbers[parent], index])
                if isinstance(item, PartBuilder):
                    self.nodes[item] = shown
                elif isinstance(item, RunLog):
                    shown.read(item)
                    ops += shown.ops()
                if isinstance(shown, ThinkingShown):
                    shown.done(
                        is_done=index < len(items) - 1 or (isinstance(item, PartBuilder) and item.run.ended)
                    )
                    ops += shown.ops()
                if key in want:
                    order.append(key)
        self._places = {
            parent: keys for parent, keys in self._places.items() if parent == "" or parent in self._shown
        }
        return ops


def _is_blank(node: PartBuilder) -> bool:
    if isinstance(node, TextBuilder):
        node.text.refresh()
        return node.text.size == 0
    return isinstance(node, ToolBuilder) and node.target is not None


def _key(run: RunLog, node: PartBuilder) -> str:
    """As ``Part.key``, without making the part."""
    if isinstance(node, TextBuilder):
        return part_key(node.kind, run.run_id, node.message_id, node.name)
    return part_key(node.kind, run.run_id, node.name)


def _shown(number: int, key: str, item: Any) -> Shown:
    if isinstance(item, ToolBuilder):
        return ToolShown(number)
    if isinstance(item, ArtifactBuilder):
        return ArtifactShown(number)
    if isinstance(item, TextBuilder):
        return ThinkingShown(number) if item.kind == "thinking" else TextShown(number)
    shown = RunShown(number)
    if item is None:
        shown.props = {"name": key.partition("/")[2], "state": "running"}
    return shown

"""Which parts a live view has, and where: parts come, go and move as the reducer's nodes do.

Between ``_view.py`` and ``_parts.py``. Everything here runs under the registry's lock: nodes are
read, nothing is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._nodes import ArtifactNode, Node, TextNode, ToolNode
from ..reducer import AgentLog, RunLog
from ..transcript import _key as part_key
from ._fields import Op
from ._parts import ArtifactShown, RunShown, Shown, TextShown, ThinkingShown, ToolShown

__all__ = ["Logs", "Tree", "other_agent"]

Logs = Sequence[tuple[AgentLog, int]]
"""Each agent's log, and the arrival number from which on it is shown."""


class Tree:
    """The parts as the browser has them. ``nodes`` says which part shows which node."""

    def __init__(self) -> None:
        self.nodes: dict[Node, Shown] = {}
        self._shown: dict[str, Shown] = {}
        self._places: dict[str, list[str]] = {"": []}
        self._signature: object = None
        self._shifts: dict[RunLog, int] = {}

    def lacks(self, nodes: Iterable[Node]) -> bool:
        """Whether one of them is not shown."""
        return any(node not in self.nodes for node in nodes)

    def has_moved(self, logs: Logs) -> bool:
        """Whether parts came, went or may have moved since the last look."""
        return _signature(logs) != self._signature

    def arrange(self, logs: Logs) -> tuple[list[Op], list[Node]]:
        """Compare what should be there with what was sent; return the ops, and the nodes to read anew.

        Where events came out of order, places moved also inside of parts that nothing was added to.
        """
        known, shifts = self.nodes, self._shifts
        self._signature = _signature(logs)
        self._shifts = {run: run.shifts for found, _ in logs for run in found.runs.values()}
        want: dict[str, list[tuple[str, Any]]] = {"": []}
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
                    self._want(want, top, run, nested, prefix)
            for run in unclaimed:
                key = f"run/{found.agent_id}/{run.run_id}"
                want[top].append((key, run))
                want[key] = []
                self._want(want, key, run, nested, prefix)
        ops = self._diff(want)
        stale = [n for n in self.nodes if n not in known or shifts.get(n.run) != self._shifts.get(n.run)]
        return ops, stale

    def finish(self) -> list[Op]:
        """Nothing more comes: every text is closed as the whole document would be."""
        texts = [shown for shown in self._shown.values() if isinstance(shown, TextShown)]
        return [op for shown in texts for op in shown.finish()]

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
        want: dict[str, list[tuple[str, Any]]],
        parent: str,
        run: RunLog,
        nested: dict[ToolNode, list[RunLog]],
        prefix: str,
    ) -> None:
        stack = [(parent, run)]
        while stack:
            parent, run = stack.pop()
            for node in run.ordered():
                if _is_blank(node):
                    continue
                key = prefix + _key(run, node)
                want.setdefault(parent, []).append((key, node))
                if isinstance(node, ToolNode) and node in nested:
                    want[key] = []
                    stack += [(key, child) for child in reversed(nested[node])]

    def _diff(self, want: dict[str, list[tuple[str, Any]]]) -> list[Op]:
        ops: list[Op] = []
        wanted = {key: (parent, item) for parent, items in want.items() for key, item in items}
        for key in [key for key in self._shown if key not in wanted]:
            gone = self._shown.pop(key)
            siblings = self._places.get(gone.parent)
            if siblings is not None and key in siblings:
                siblings.remove(key)
            ops.append(["del", key])
        self.nodes = {}
        order = [""]
        for parent in order:
            have = self._places.setdefault(parent, [])
            items = want.get(parent, [])
            for index, (key, item) in enumerate(items):
                shown = self._shown.get(key)
                if shown is None:
                    shown = self._shown[key] = _shown(key, item)
                    shown.parent = parent
                    have.insert(index, key)
                    ops.append(["add", key, shown.kind, parent, index, dict(shown.props)])
                elif shown.parent != parent or index >= len(have) or have[index] != key:
                    self._places[shown.parent].remove(key)
                    shown.parent = parent
                    have.insert(index, key)
                    ops.append(["move", key, parent, index])
                if isinstance(item, Node):
                    self.nodes[item] = shown
                elif isinstance(item, RunLog):
                    shown.read(item)
                    ops += shown.ops()
                if isinstance(shown, ThinkingShown):
                    shown.done(is_done=index < len(items) - 1 or (isinstance(item, Node) and item.run.ended))
                    ops += shown.ops()
                if key in want:
                    order.append(key)
        self._places = {
            parent: keys for parent, keys in self._places.items() if parent == "" or parent in self._shown
        }
        return ops


def _signature(logs: Logs) -> object:
    return [
        (run.run_id, run.arrival, run.version, run.shifts) for found, _ in logs for run in found.runs.values()
    ]


def other_agent(index: int) -> str:
    """What the keys of a view's further agents begin with: two agents may use the same run ids."""
    return f"@{index}/" if index else ""


def _is_blank(node: Node) -> bool:
    if isinstance(node, TextNode):
        node.text.refresh()
        return node.text.size == 0
    return isinstance(node, ToolNode) and node.target is not None


def _key(run: RunLog, node: Node) -> str:
    """As ``Part.key``, without making the part."""
    if isinstance(node, TextNode):
        return part_key(node.kind, run.run_id, node.message_id, node.name)
    return part_key(node.kind, run.run_id, node.name)


def _shown(key: str, item: Any) -> Shown:
    if isinstance(item, ToolNode):
        return ToolShown(key)
    if isinstance(item, ArtifactNode):
        return ArtifactShown(key)
    if isinstance(item, TextNode):
        return ThinkingShown(key) if item.kind == "thinking" else TextShown(key)
    shown = RunShown(key)
    if item is None:
        shown.props = {"name": key.partition("/")[2], "state": "running"}
    return shown

"""One live view: from the reducer's nodes to numbered messages, and to the saved form.

Between the registry and a renderer. It notes what changed (``touch``), lets the pacer decide
when to draw (``flush``), and knows all that it has said, so that a snapshot can be made at any
time. Pure but for what ``send`` does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .._nodes import ArtifactNode, Node, TextNode, ToolNode
from ..reducer import AgentLog, RunLog
from ..registry import Registry
from ..transcript import _key as part_key
from ._pace import PACER, Pacer
from ._parts import ArtifactShown, Op, RunShown, Shown, TextShown, ThinkingShown, ToolShown

__all__ = ["View", "other_agent"]

log = logging.getLogger("vibe_notebook")


class View:
    """A live view of one or more agents, from arrival numbers on (``since`` by agent)."""

    def __init__(
        self,
        registry: Registry,
        *,
        title: str,
        send: Callable[[dict[str, Any]], None],
        stoppable: bool = False,
        pacer: Pacer = PACER,
    ) -> None:
        self._registry = registry
        self._send = send
        self._pacer = pacer
        self._lock = threading.RLock()
        self._dirty: dict[Node | None, None] = {}
        self._since: dict[str, int] = {}
        self._shown: dict[str, Shown] = {}
        self._places: dict[str, list[str]] = {"": []}
        self._structure: object = None
        self._shifts: dict[RunLog, int] = {}
        self._nodes: dict[Node, Shown] = {}
        self.is_open: dict[str, bool] = {}
        self._ending = False
        self.number = 0
        self.head: dict[str, Any] = {
            "title": title,
            "state": "live",
            "outcome": None,
            "error": None,
            "usage": None,
            "note": None,
            "stoppable": stoppable,
        }
        self._head_new = dict(self.head)
        pacer.add(self)

    # Called by the registry

    def watch(self, agent_id: str, since: int = 0) -> None:
        """Show an agent, from its event number *since* on."""
        self._since[agent_id] = since
        self._dirty[None] = None
        self._registry.attach(agent_id, self)

    def touch(self, node: Node | None) -> None:
        """Something changed; under the registry's lock."""
        self._dirty[node] = None

    def wake(self) -> None:
        """Something is to be shown."""
        if self._dirty or self._head_new:
            self._pacer.wake(self)

    def note(self, text: str) -> None:
        """Show a failure in the background."""
        self.set_head(note=text)

    def set_head(self, **props: Any) -> None:
        """Change what the header says."""
        with self._lock:
            self._head_new |= props
        self.wake()

    # Drawing

    def flush(self) -> None:
        """Send what is new."""
        with self._lock:
            try:
                ops = self._collect()
            except Exception as error:
                # Never let a fault of the view end the agent's work: say it, and go on.
                log.exception("The live view could not be drawn")
                ops = [["head", {"note": f"The view could not be drawn: {type(error).__name__}: {error}"}]]
            if ops:
                self.number += 1
                self._send({"n": self.number, "ops": ops})

    def resync(self, number: int) -> None:
        """Answer a browser that has lost messages after *number*."""
        with self._lock:
            if number == self.number:
                self._send({"n": self.number, "ops": []})
            else:
                self._send({"n": self.number, "ops": [["full", self.snapshot()]]})

    def finish(self, **head: Any) -> None:
        """Draw the last of it, whatever the pace, and let go of the registry."""
        self._pacer.remove(self)
        for agent_id in self._since:
            self._registry.detach(agent_id, self)
        with self._lock:
            self._head_new |= {"state": "ended", "stoppable": False, **head}
            self._dirty[None] = None
            self._ending = True
            self.flush()

    def snapshot(self) -> dict[str, Any]:
        """All that was said so far, whole."""
        with self._lock:
            parts = {key: shown.snapshot() for key, shown in self._shown.items()}
            for parent, keys in self._places.items():
                if parent and parent in parts:
                    parts[parent]["parts"] = [parts[key] for key in keys]
            for key, is_open in self.is_open.items():
                if key in parts:
                    parts[key]["props"]["open"] = is_open
            head = {**self.head, "now": time.time()}
            return {"n": self.number, "head": head, "parts": [parts[key] for key in self._places[""]]}

    def _collect(self) -> list[Op]:
        ops: list[Op] = []
        changed: list[Shown] = []
        with self._registry.changed:  # the registry's lock: nodes are read, nothing is rendered
            dirty, self._dirty = self._dirty, {}
            if None in dirty or any(node not in self._nodes for node in dirty) or self._moved():
                known, shifts = self._nodes, self._shifts
                ops += self._arrange()
                # A run as a whole changed: that it ended shows in all of its tool calls. Where events
                # came out of order, places moved, also inside of parts that nothing was added to.
                touched = [
                    node
                    for node in self._nodes
                    if None in dirty
                    or node in dirty
                    or node not in known
                    or shifts.get(node.run) != self._shifts.get(node.run)
                ]
            else:
                touched = [node for node in dirty if node is not None]
            for node in touched:
                shown = self._nodes.get(node)
                if shown is not None:
                    shown.read(node)
                    changed.append(shown)
        for shown in changed:
            ops += shown.ops()
        if self._ending:
            texts = [shown for shown in self._shown.values() if isinstance(shown, TextShown)]
            ops += [op for shown in texts for op in shown.finish()]
        head, self._head_new = self._head_new, {}
        if head:
            self.head |= head
            ops.append(["head", {**head, "now": time.time()}])
        return ops

    def _logs(self) -> Iterator[AgentLog]:
        for agent_id in self._since:
            with self._registry.reading(agent_id) as found:
                if found is not None:
                    yield found

    def _moved(self) -> bool:
        return self._signature() != self._structure

    def _signature(self) -> object:
        return [(id(run), run.version, run.shifts) for found in self._logs() for run in found.runs.values()]

    def _arrange(self) -> list[Op]:
        """Compare what should be there with what was sent: parts come, go and move."""
        self._structure = self._signature()
        self._shifts = {run: run.shifts for found in self._logs() for run in found.runs.values()}
        want: dict[str, list[tuple[str, Any]]] = {"": []}
        for i, found in enumerate(self._logs()):
            found.link()
            runs = found.ordered(since=self._since[found.agent_id])
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
        return self._diff(want)

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
        self._nodes = {}
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
                    self._nodes[item] = shown
                elif isinstance(item, RunLog):
                    shown.read(item)
                    ops += shown.ops()
                if isinstance(shown, ThinkingShown):
                    shown.done(is_done=index < len(items) - 1 or (isinstance(item, Node) and item.run.ended))
                if key in want:
                    order.append(key)
        self._places = {
            parent: keys for parent, keys in self._places.items() if parent == "" or parent in self._shown
        }
        return ops


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

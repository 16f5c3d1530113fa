"""One live view: from the reducer's nodes to numbered messages, and to the saved form.

Between the registry and a renderer. It notes what changed (``touch``), lets the pacer decide
when to draw (``flush``), and knows all that it has said, so that a snapshot can be made at any
time. Pure but for what ``send`` does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from .._reducer.agent_log import AgentLog
from .._reducer.run import PartBuilder
from ..registry import Registry
from ._pacer import PACER, SETTLE, Pacer
from ._parts import Shown
from ._text_diffs import Op
from ._texts import TextShown
from ._tree import Tree

__all__ = ["View"]

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
        self.lock = threading.RLock()
        self._dirty: dict[PartBuilder | None, None] = {}
        self._since: dict[str, int] = {}
        self._is_followed = True
        self._tree = Tree()
        self.is_open: dict[str, bool] = {}
        self._unsettled: dict[TextShown, float] = {}  # when each was drawn last
        self._faults = 0
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
        self._head_new: dict[str, Any] = {}
        pacer.add(self)

    # Called by the registry

    def watch(self, agent_id: str, since: int = 0) -> None:
        """Show an agent, from its event number *since* on."""
        with self._registry.changed:  # like touch(): somebody may be drawing
            self._since[agent_id] = since
            self._dirty[None] = None
            self._registry.attach(agent_id, self)

    def touch(self, node: PartBuilder | None) -> None:
        """Something changed; under the registry's lock."""
        self._dirty[node] = None

    def wake(self) -> None:
        """Something is to be shown."""
        if self._dirty or self._head_new:
            self._pacer.wake(self)

    def report(self, text: str) -> None:
        """Show a failure in the background."""
        self.set_head(note=text)

    def set_head(self, **props: Any) -> None:
        """Change what the header says."""
        with self.lock:
            self._head_new |= props
        self.wake()

    # Drawing

    def flush(self) -> bool | None:
        """Send what is new; return whether more is to be shown soon, also if nothing comes.

        ``None``: there was nothing to send, nor is there.
        """
        with self.lock:
            try:
                ops = self._collect()
                self._faults = 0
            except Exception as error:
                # Never let a fault of the view end the agent's work: say it, and go on.
                log.exception("The live view could not be drawn")
                ops = self._after_fault(f"The view could not be drawn: {type(error).__name__}: {error}")
            if ops:
                self.number += 1
                self._send({"n": self.number, "ops": ops})
            return bool(self._unsettled) if ops else bool(self._unsettled) or None

    def resync(self, number: int) -> None:
        """Answer a browser that has lost messages after *number*."""
        with self.lock:
            if number == self.number:
                self._send({"n": self.number, "ops": []})
            else:
                self._send({"n": self.number, "ops": [["full", self.snapshot()]]})

    def let_go(self) -> None:
        """Let go of the registry: what its agents say from now on is another stream's."""
        for agent_id in list(self._since):
            self._registry.detach(agent_id, self)
        self._dirty[None] = None
        self._is_followed = False

    def finish(self, **head: Any) -> None:
        """Send the whole of it, whatever the pace."""
        self._pacer.remove(self)
        if self._is_followed:
            self.let_go()
        with self.lock:
            self.head |= {**self._head_new, "state": "ended", "stoppable": False, **head}
            self._head_new = {}
            try:
                # What is new alone is on screen sooner than the whole of a long state.
                if ops := self._collect():
                    self.number += 1
                    self._send({"n": self.number, "ops": ops})
                self._tree.finish()
            except Exception as error:
                log.exception("The live view could not be finished")
                self.head["note"] = f"The view could not be finished: {type(error).__name__}: {error}"
            self._unsettled.clear()
            self.number += 1
            self._send({"n": self.number, "ops": [["full", self.snapshot()]]})

    def toggle(self, number: Any, *, is_open: bool) -> None:
        """The user opened or closed the part with that number."""
        with self.lock:
            key = self._tree.key_of(number) if isinstance(number, int) else None
            if key is not None:
                self.is_open[key] = is_open

    def snapshot(self) -> dict[str, Any]:
        """All that was said so far, whole."""
        with self.lock:
            head = {**self.head, "now": time.time()}
            return {"n": self.number, "head": head, "parts": self._tree.snapshot(dict(self.is_open))}

    def _collect(self) -> list[Op]:
        with self._registry.changed:  # the registry's lock: nodes are read, nothing is rendered
            dirty, self._dirty = self._dirty, {}
            ops, changed = self._read(dirty) if dirty else ([], [])
        now = self._pacer.clock()
        for shown in changed:
            ops += shown.ops()
            if isinstance(shown, TextShown):
                self._unsettled[shown] = now
        for text in [text for text, drawn in self._unsettled.items() if now - drawn >= SETTLE]:
            del self._unsettled[text]
            ops += text.pause()
        head, self._head_new = self._head_new, {}
        if head:
            self.head |= head
            ops.append(["head", {**head, "now": time.time()}])
        return ops

    def _read(self, dirty: Collection[PartBuilder | None]) -> tuple[list[Op], list[Shown]]:
        """What became of the parts, and those with something new in them."""
        touched = [node for node in dirty if node is not None]
        logs = list(self._logs())
        ops = None if None in dirty else self._tree.add(touched, logs)
        if ops is None:
            ops, stale = self._tree.arrange(logs)
            touched = [*dict.fromkeys([*touched, *stale])]
        changed = []
        for node in touched:
            shown = self._tree.nodes.get(node)
            if shown is not None:
                shown.read(node)
                shown.version = node.version
                changed.append(shown)
        return ops, changed

    def _after_fault(self, note: str) -> list[Op]:
        """Say it, and whole: what was about to be sent may be lost. More and more seldom if it lasts."""
        self._dirty[None] = None
        self.head["note"] = note
        self._faults += 1
        if self._faults & (self._faults - 1):
            return []
        try:
            whole = self.snapshot()
            self._tree.sent_whole()
        except Exception:
            log.exception("The live view's state could not be read")
            return [["head", {"note": note}]]
        return [["full", {**whole, "n": self.number + 1}]]

    def _logs(self) -> Iterator[tuple[AgentLog, int]]:
        for agent_id, since in list(self._since.items()):
            with self._registry.reading(agent_id) as found:
                if found is not None:
                    yield found, since

"""Follow agents in the registry, and draw one live view: numbered messages for the browser.

Between the registry and ``_widget_output.py``. The view records the changed part builders (``touch``), lets the pacer
decide when to draw (``flush``), and holds everything that it sent, so that a snapshot is possible at any time. Pure
but for its *send* function.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from .._foreign_words import clean_logger
from .._forks import renew_in_child
from .._forms.conversation import plan_head
from .._forms.wording import name_in_line, whole_message
from .._limits import FORM_BYTES
from .._reducer.agent_log import AgentLog
from .._reducer.latest_builders import PlanBuilder
from .._reducer.run import PartBuilder
from ..parts import PlanPart
from ..registry import Registry
from ._bounds import bounded_parts
from ._pacer import PACER, PAUSE, Pacer
from ._parts import SentPart
from ._pieces import Pieces
from ._text_diffs import Op
from ._texts import SentText
from ._tree import Tree

__all__ = ["View"]

log = clean_logger("vibe_notebook")


class View:
    """Draw one or more agents, each from an arrival number on.

    *send* sends a message to the browser. *stoppable*: the view has a Stop button. *mark* is the id by which the
    browser finds the view's outputs in the notebook.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        title: str,
        send: Callable[[dict[str, Any]], None],
        stoppable: bool = False,
        mark: str | None = None,
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
        self._awaiting_pause: dict[SentText, float] = {}  # the time of each text's last draw
        self._late: list[SentPart] = []  # parts with news that waits for its time
        self._plan: PlanPart | None = None  # the newest
        self._pieces = Pieces(registry)
        self._faults = 0
        self._channel_failed = False
        self.number = 0
        self.head: dict[str, Any] = {
            "title": name_in_line(title),
            "state": "live",
            "outcome": None,
            "error": None,
            "usage": None,
            "note": None,
            "stoppable": stoppable,
        }
        if mark is not None:
            self.head["mark"] = mark
        self._head_new: dict[str, Any] = {}
        pacer.add(self)
        renew_in_child(self)

    def renew(self) -> None:
        """Send nothing in the child of a fork: the browser is the parent's."""
        self.lock = threading.RLock()
        self._send = _send_nothing
        self._dirty = {}
        self._is_followed = False

    # Called by the registry

    def watch(self, agent_id: str, since: int = 0) -> None:
        """Show an agent, from its event number *since* on."""
        with self._registry.changed:  # as in touch(): another thread may be drawing
            self._since[agent_id] = since
            self._dirty[None] = None
            self._registry.attach(agent_id, self)

    def touch(self, builder: PartBuilder | None) -> None:
        """Record a changed part builder (``None``: another change). The registry holds its lock."""
        self._dirty[builder] = None

    def wake(self) -> None:
        """Ask the pacer to draw the view, if it has news."""
        if self._dirty or self._head_new:
            self._pacer.wake(self)

    def report(self, text: str) -> None:
        """Show a failure in the background."""
        self.set_head(note=whole_message(text))

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        """Offer an answer to a request, from its next event on; ``None``: offer none any more."""
        with self.lock:
            if form is None:
                self._tree.forms.pop(request_id, None)
            else:
                self._tree.forms[request_id] = form
            waiting = len(self._tree.forms)
        self.set_head(waiting=waiting)

    def refuse(self, request_id: str, words: str) -> None:
        """Say at a request why an answer does not fit."""
        with self.lock:
            form = self._tree.forms.get(request_id)
            if form is None:
                return
            again = {**form, "refused": words, "tries": form.get("tries", 0) + 1}
            self._tree.forms[request_id] = again
            for shown in self._tree.parts.values():
                if (shown.props.get("ask") or {}).get("id") == request_id:
                    self._tell(["set", shown.key, {"ask": again}])
                    shown.props["ask"] = again

    def set_head(self, **props: Any) -> None:
        """Change properties of the header."""
        with self.lock:
            self._head_new |= props
        self.wake()

    # Drawing

    def _post(self, message: dict[str, Any]) -> None:
        """Send a message. A failing channel must not end the agent's work: the browser asks for what it lacks."""
        try:
            self._send(message)
        except Exception:
            if not self._channel_failed:
                log.exception("The live view could not be sent; the stream continues")
            self._channel_failed = True

    def flush(self) -> bool | None:
        """Send the news; return True if a part holds news back, to be drawn after a pause.

        ``None``: the view has no news, and no part holds news back.
        """
        with self.lock:
            try:
                ops = self._collect()
                self._faults = 0
            except Exception as error:
                # A fault of the view must never end the agent's work: the view reports it and continues.
                log.exception("The live view could not be drawn")
                reason = whole_message(f"The view could not be drawn: {type(error).__name__}: {error}")
                ops = self._after_fault(reason)
            if ops:
                self._tell(*ops)
            waits = bool(self._awaiting_pause or self._late)
            return waits if ops else waits or None

    def resync(self, number: int) -> None:
        """Answer a browser that has lost messages after *number*."""
        with self.lock:
            if number == self.number:
                self._post({"n": self.number, "ops": []})
            else:
                self._post({"n": self.number, "ops": [["full", self.snapshot()]]})

    def detach(self) -> None:
        """Detach from the registry: later events of the agents belong to another stream."""
        for agent_id in list(self._since):
            self._registry.detach(agent_id, self)
        self._dirty[None] = None
        self._is_followed = False

    def finish(self, **head: Any) -> None:
        """Send the news and then the whole state, without waiting for the pacer."""
        self._pacer.remove(self)
        if self._is_followed:
            self.detach()
        with self.lock:
            self.head |= {**self._head_new, "state": "ended", "stoppable": False, **head}
            self._head_new = {}
            try:
                # The news alone is on screen sooner than the whole of a long state.
                if ops := self._collect(math.inf):
                    self._tell(*ops)
                self._tree.finish()
            except Exception as error:
                log.exception("The live view could not be finished")
                reason = f"The view could not be finished: {type(error).__name__}: {error}"
                self.head["note"] = whole_message(reason)
            self._awaiting_pause.clear()
            self.number += 1
            self._post({"n": self.number, "ops": [["full", self.snapshot()]]})

    def send_form(self, data: Mapping[str, str]) -> None:
        """Send a saved form to a page that cannot get it as a display."""
        with self.lock:
            self._tell(["form", dict(data)])

    def send_saved(self, count: int) -> int:
        """Send the number of forms that were saved; return the messages since the view's opening."""
        with self.lock:
            self.head["saved"] = count
            self._tell(["head", {"saved": count}])
            return self.number

    def send_piece(self, number: Any, field: Any, start: Any) -> None:
        """Send the next piece of a call's whole text; nothing if the browser asks for anything else."""
        with self.lock:
            builder = self._tree.builder_of(number) if isinstance(number, int) else None
        piece = self._pieces.piece(builder, field, start) if builder is not None else None
        if piece is not None:
            with self.lock:
                self._tell(["more", number, field, *piece])

    def toggle(self, number: Any, *, is_open: bool) -> None:
        """Record that the user opened or closed the part with *number*."""
        with self.lock:
            key = self._tree.key_of(number) if isinstance(number, int) else None
            if key is not None:
                self.is_open[key] = is_open

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state, as docs/wire.md describes it."""
        with self.lock:
            head = {**self.head, "now": time.time()}
            parts, blobs = self._tree.snapshot(dict(self.is_open)), self._tree.blobs
            if head["state"] == "ended":  # no further message needs a part that is left out
                parts = bounded_parts(parts, FORM_BYTES, blobs)
            return {"n": self.number, "head": head, "blobs": blobs.of(parts), "parts": parts}

    def _tell(self, *ops: Op) -> None:
        self.number += 1
        self._post({"n": self.number, "ops": list(ops)})

    def _collect(self, now: float | None = None) -> list[Op]:
        with self._registry.changed:  # the registry's lock: part builders are read, nothing is rendered
            dirty, self._dirty = self._dirty, {}
            ops, changed = self._read(dirty) if dirty else ([], [])
        now = self._tree.blobs.now = self._pacer.clock() if now is None else now
        changed, self._late = [*dict.fromkeys([*self._late, *changed])], []
        for shown in filter(self._tree.has, changed):
            ops += shown.ops()
            if isinstance(shown, SentText):
                self._awaiting_pause[shown] = now
            if shown.late:
                self._late.append(shown)
        for text in [text for text, drawn in self._awaiting_pause.items() if now - drawn >= PAUSE]:
            del self._awaiting_pause[text]
            ops += text.pause()
        plan = plan_head([self._plan]) if self._plan is not None else None
        if plan != self.head.get("plan"):
            self._head_new["plan"] = plan
        head, self._head_new = self._head_new, {}
        if head:
            self.head |= head
            ops.append(["head", {**head, "now": time.time()}])
        new, gone = self._tree.blobs.ops()
        return [*new, *ops, *gone]

    def _read(self, dirty: Collection[PartBuilder | None]) -> tuple[list[Op], list[SentPart]]:
        """Return the ops for added, moved and deleted parts, and the parts with news."""
        touched = [builder for builder in dirty if builder is not None]
        logs = list(self._logs())
        ops = None if None in dirty else self._tree.add(touched, logs)
        changed: list[SentPart] = []
        has_plan_news = ops is None or any(isinstance(builder, PlanBuilder) for builder in touched)
        if ops is None:
            ops, stale = self._tree.arrange(logs)
            touched = [*dict.fromkeys([*touched, *stale])]
            changed += self._tree.cards
        for builder in touched:
            shown = self._tree.parts.get(builder)
            if shown is not None:
                shown.read(builder)
                shown.version = builder.version
                changed.append(shown)
        if has_plan_news:
            newest = self._tree.newest_plan()
            plan = newest.part() if newest is not None else None
            self._plan = plan if isinstance(plan, PlanPart) else None
        return ops, changed

    def _after_fault(self, note: str) -> list[Op]:
        """Return ops that report a fault, with the whole state, because the fault may have lost ops.

        If the fault lasts, the whole state is sent at its first, second, fourth, eighth … occurrence only.
        """
        self._dirty[None] = None
        self.head["note"] = note
        self._faults += 1
        if self._faults & (self._faults - 1):
            return []
        try:
            whole = self.snapshot()
            self._tree.record_full()
        except Exception:
            log.exception("The live view's state could not be read")
            return [["head", {"note": note}]]
        return [["full", {**whole, "n": self.number + 1}]]

    def _logs(self) -> Iterator[tuple[AgentLog, int]]:
        for agent_id, since in list(self._since.items()):
            with self._registry.reading(agent_id) as found:
                if found is not None:
                    yield found, since


def _send_nothing(message: dict[str, Any]) -> None:
    del message

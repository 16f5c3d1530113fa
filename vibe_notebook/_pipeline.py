"""What every way of watching has in common: adapter, registry, output and recording, wired up.

``begin`` opens the output, ``take`` passes one native event down the path, ``settle`` ends all
of it, whatever happened. Used by ``watch``, ``live`` and the magic.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import adapters
from .display._output import Output, make_output
from .events import Event
from .exceptions import AdapterError, ProtocolError
from .recording import Recorder
from .registry import Registry
from .transcript import Transcript

if TYPE_CHECKING:
    from .adapters import Adapter

__all__ = ["Pipeline"]

log = logging.getLogger("vibe_notebook")

_TIMED = frozenset(("run_started", "tool_started", "tool_finished", "run_finished"))


class Pipeline:
    """One watched stream. ``renderer`` "none" shows nothing."""

    def __init__(
        self,
        registry: Registry,
        *,
        agent_id: str | None,
        title: str | None,
        adapter: str | Adapter = "auto",
        renderer: str | None = None,
        record: str | os.PathLike[str] | Recorder | None = None,
    ) -> None:
        self.registry = registry
        self.agent_id = agent_id
        self.title = title
        self.transcripts: dict[str, Transcript] = {}
        self.settled = False
        self.renderer = renderer
        self.passive = False  # it only looks on: somebody else dispatches
        self._adapter: Adapter | None = None if isinstance(adapter, str) else adapter
        self._adapter_name = adapter if isinstance(adapter, str) else ""
        self._record = record
        self._recorder: Recorder | None = None
        self._on_stop: Callable[[], object] | None = None
        self._output: Output | None = None
        self._since: dict[str, int] = {}
        self._lock = threading.Lock()
        self._noted = False

    def begin(self) -> None:
        """Open the recording and the output. Raises what opening the file raises, before anything is shown."""
        if isinstance(self._record, Recorder):
            self._recorder = self._record
        elif self._record is not None:
            self._recorder = Recorder(self._record)
        title = self.title or self.agent_id or "agent"
        self._output = make_output(self.registry, title=title, on_stop=self._on_stop, renderer=self.renderer)
        if self.agent_id is not None:
            self.follow(self.agent_id, since=0 if self.passive else None)

    def stop_with(self, on_stop: Callable[[], object]) -> None:
        """Give the view a Stop button."""
        self._on_stop = on_stop

    def follow(self, agent_id: str, *, since: int | None = None) -> None:
        """Show (and record) an agent, from now on or from its event number *since*."""
        if agent_id in self._since:
            return
        at = self._since[agent_id] = self.registry.arrivals(agent_id) if since is None else since
        self.agent_id = self.agent_id or agent_id
        if self._recorder is not None:
            self._recorder.attach(self.registry, agent_id)
        if self._output is not None:
            self._output.watch(agent_id, at)

    def take(self, native: Any) -> None:
        """Pass one native event on. Raises ``AdapterError`` or ``ProtocolError`` for what cannot be read."""
        if self.passive:
            return
        adapter = self._adapter
        if adapter is None:
            name = self._adapter_name
            if name == "auto":
                name = adapters.detect(native)
            own_ids = name == "events"
            if self.agent_id is None and not own_ids:
                self.follow(fresh_agent_id(self.registry))
            adapter = self._adapter = adapters.get(name, agent_id=self.agent_id or "agent")
        try:
            events = adapter.feed(native)
        except (AdapterError, ProtocolError):
            raise
        except Exception as error:
            # An adapter's fault must not end the agent's work: its user still gets the native.
            if not self._noted:
                self._noted = True
                log.exception("The adapter %s could not read an event", adapter.name)
                self.note(f"The adapter {adapter.name} could not read an event: {type(error).__name__}: {error}")
            return
        self.dispatch(events)

    def dispatch(self, events: Iterable[Event]) -> None:
        """Pass on what was made from one native event."""
        slot = [_timed(event) for event in events]
        for agent_id in dict.fromkeys(event.agent_id for event in slot):
            if agent_id not in self._since:
                self.follow(agent_id)
        if slot:
            self.registry.dispatch(slot)

    def note(self, text: str) -> None:
        """Show a failure in the background."""
        if self._output is not None:
            self._output.note(text)

    def current(self) -> dict[str, Transcript]:
        """The transcripts of this watch's agents, as they are now."""
        return {agent_id: self._transcript(agent_id) for agent_id in self._since} or self.transcripts

    def settle(self, exc: BaseException | None = None) -> None:
        """End the stream's runs, show the final form, close the recording. Idempotent."""
        with self._lock:
            if self.settled:
                return
            self.settled = True
        try:
            adapter = self._adapter
            if adapter is None and self._adapter_name and not self.passive:
                if self.agent_id is None:
                    self.follow(fresh_agent_id(self.registry))
                # Nothing was read, so any adapter says all there is to say: how it ended.
                name = "text" if self._adapter_name == "auto" else self._adapter_name
                adapter = adapters.get(name, agent_id=self.agent_id)
            if adapter is not None:
                self.dispatch(adapter.finish(exc))
        finally:
            self.transcripts = self.current()
            if self._output is not None:
                self._output.finish(self.transcripts)
            if self._recorder is not None:
                self._recorder.close()

    def _transcript(self, agent_id: str) -> Transcript:
        with self.registry.reading(agent_id) as found:
            if found is None:
                return Transcript(agent_id=agent_id)
            return found.snapshot(since=self._since[agent_id])


def fresh_agent_id(registry: Registry) -> str:
    """An id that no agent of the registry has."""
    taken = set(registry.agents())
    return next(name for n in range(1, len(taken) + 2) if (name := f"agent-{n}") not in taken)


def _timed(event: Event) -> Event:
    """Give what has a duration its time; the source's own time is kept."""
    if event.ts is None and event.type in _TIMED:
        return event.model_copy(update={"ts": time.time()})
    return event

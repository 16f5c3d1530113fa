"""What every way of watching has in common: adapter, registry, output and recording, wired up.

``begin`` opens the output, ``take`` passes one native event down the path, ``settle`` ends all
of it, whatever happened. Used by ``watch``, ``live`` and the magic.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
import weakref
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .. import adapters
from .._controls import Control, Controls
from .._event_loops import in_loop
from .._host import host
from ..display import Output, choose, make_output
from ..events import Event
from ..exceptions import AdapterError
from ..recording import Recorder
from ..registry import Registry
from ..transcript import Transcript
from .connections import Connections
from .finalizer import Finalizer, patient, shielded

if TYPE_CHECKING:
    from ..adapters import Adapter

__all__ = ["Pipeline", "Transcribed", "fresh_agent_id"]


# Ids for agents whose source gives none: given where a watch or a handler makes its first event.
#
# Beside ``_watching/pipeline.py``, which uses it as ``_watching/handlers/base.py`` does.

_lock = threading.Lock()
_given: weakref.WeakKeyDictionary[Registry, set[str]] = weakref.WeakKeyDictionary()


def fresh_agent_id(registry: Registry) -> str:
    """An id that no agent of the registry has, nor another watch that has not said anything yet."""
    with _lock:
        given = _given.setdefault(registry, set())
        taken = given.union(registry.agents())
        name = next(name for n in itertools.count(1) if (name := f"agent-{n}") not in taken)
        given.add(name)
        return name


log = logging.getLogger("vibe_notebook")
_FEW = 8
"""How many natives a stream may yield before it must be known which SDK's it is."""
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
        self.finalized = False  # all of it has ended, and the transcripts are final
        self.renderer = renderer
        self.passive = False  # it only looks on: somebody else dispatches
        self.on_stop: Callable[[], object] | None = None  # cancels the watch
        self.connections = Connections(self._connected)
        self._adapter: Adapter | None = None if isinstance(adapter, str) else adapter
        self._adapter_name = adapter if isinstance(adapter, str) else adapter.name
        if self._adapter is not None and agent_id is None:
            self.agent_id = self._adapter.agent_id
        self._record = record
        self._recorder: Recorder | None = None
        self._output: Output | None = None
        self._place: tuple[int | None, str] = None, ""  # in which cell it is shown, and as what
        self._since: dict[str, int] = {}
        self._lock = threading.Lock()
        self._first: list[Any] = []
        self._finalizing = False
        self._may_wait = True  # with the final form, for others' last words
        self._later = False  # the final form is left to the end of the cell
        self._finishing: int | None = None  # the thread that ends the stream's runs
        self._ending = Finalizer()
        self._noted = False

    def begin(self) -> None:
        """Open the recording and the output; what that raises comes before anything is shown."""
        renderer = self.renderer or choose()
        if isinstance(self._record, Recorder):
            self._recorder = self._record
        elif self._record is not None:
            self._recorder = Recorder(self._record)
        title = self.title or self.agent_id or "agent"
        self._place = host().current_cell() if self.is_shown else None, title
        self._output = make_output(self.registry, title=title, controls=self._controls(), renderer=renderer)
        if self.connections:
            self._connected()
        if self.agent_id is not None and (self.passive or not self._adapter_name):
            # Otherwise the first event tells: a stream of our own events brings its agents' ids.
            self.follow(self.agent_id, since=0 if self.passive else None)

    @property
    def is_shown(self) -> bool:
        """Whether somebody can see what becomes of it."""
        return self.renderer != "none"

    def _controls(self) -> Controls:
        """Return what each click on the view does; no other place says so."""
        return Controls(
            Control("stop", self.on_stop),
            Control("reconnect", self.connections.reconnect if self.connections else None),
        )

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
        """Pass one native event on. Raises ``AdapterError`` for a stream that no adapter knows."""
        if self.passive:
            return
        if self._adapter is not None:
            self.dispatch(self.feed(self._adapter, native))
            return
        self._first.append(native)
        if not self._decided(is_last=len(self._first) == _FEW):
            return
        first, self._first = self._first, []
        for held in first:
            self.take(held)

    def taken(self, source: Any) -> None:
        """The stream of *source* has yielded all.

        Raises ``AdapterError`` if that was too little to know whose it is.
        """
        if self._first:
            self._decided(is_last=True)
        elif self._adapter is not None:
            self.dispatch(self._read(self._adapter, lambda adapter: adapter.exhausted(source)))

    def _decided(self, *, is_last: bool) -> bool:
        try:
            name = adapters.choose(self._adapter_name, *self._first)
        except AdapterError:
            if is_last or not adapters.is_open(self._adapter_name):
                raise
            return False
        self._make(name)
        return True

    def feed(self, adapter: Adapter, native: Any) -> list[Event]:
        """Return what an adapter makes of one native event."""
        return self._read(adapter, lambda adapter: adapter.feed(native))

    def _read(self, adapter: Adapter, read: Callable[[Adapter], list[Event]]) -> list[Event]:
        try:
            return read(adapter)
        except Exception as error:
            # An adapter's fault must not end the agent's work: its user still gets the native.
            if not self._noted:
                self._noted = True
                log.exception("The adapter %s could not read an event", adapter.name)
                self.report(
                    f"The adapter {adapter.name} could not read an event, which is left out: "
                    f"{type(error).__name__}: {error}. A newer vibe_notebook may know it."
                )
            return []

    def dispatch(self, events: Iterable[Event]) -> None:
        """Pass on what was made from one native event."""
        slot = [_timed(event) for event in events]
        for agent_id in dict.fromkeys(event.agent_id for event in slot):
            if agent_id not in self._since:
                self.follow(agent_id)
        if slot:
            self.registry.dispatch(slot)

    def report(self, text: str) -> None:
        """Show a failure in the background."""
        output = self._output  # any thread may end it
        if output is not None:
            output.report(text)

    def _connected(self) -> None:
        if (output := self._output) is not None:
            output.connection(self.connections.lines(), self.connections.last_words())

    def current(self) -> dict[str, Transcript]:
        """The transcripts of this watch's agents, as they are now."""
        return {agent_id: self._transcript(agent_id) for agent_id in self._since} or self.transcripts

    def finalize(self, exc: BaseException | None = None, *, later: bool = False) -> None:
        """End the stream's runs, close the recording, show the final form. Idempotent.

        When it returns all of it is there, and an interrupt that came meanwhile is raised; but where a task
        would keep others and their live views waiting, the final form may come *later*: the cell waits for it.
        """
        output = self._output
        later = (
            later and host().in_own_task() and (self._later or (output is not None and not output.is_alone))
        )
        self._may_wait = later or not in_loop()
        with patient():
            # Not settled: another thread is still about to end it.
            if self._end(exc) and not (later and self.finalized and self._leave_to_cell()):
                self._ending.wait()

    def _leave_to_cell(self) -> bool:
        self._later = self._later or self._ending.leave_to_cell()
        return self._later

    async def finalize_async(self, exc: BaseException | None = None) -> None:
        """As ``finalize``, the loop free while the final form is rendered; a cancellation is raised then."""
        if self._end(exc):
            await self._ending.wait_async()

    async def ended(self) -> None:
        """Wait until somebody else has settled it; nothing is put off by that."""
        await self._ending.over()

    def _end(self, exc: BaseException | None) -> bool:
        """Begin the end, unless it has begun; whether to wait for it."""
        with shielded() as shield:
            with self._lock:
                if self._finalizing:
                    return (
                        self._finishing != threading.get_ident()
                    )  # a callback on the end itself cannot wait
                self._finalizing = True
                self._finishing = threading.get_ident()
            failed: BaseException | None = None
            try:
                # The user's callbacks run in here: one interrupt gets through, and ends them.
                shield.is_open = True
                self._finish(exc)
                shield.is_open = False
            except BaseException as error:  # noqa: BLE001 - raised below, once the end has begun
                failed = error
            shield.is_open = False
            failed = self._show_end() or failed
        if failed is not None:
            self._ending.wait()
            raise failed
        return True

    def _show_end(self) -> BaseException | None:
        """Begin the last form, whatever fails on the way to it; return the first failure."""
        self._finishing = None
        failures: list[BaseException] = []

        def attempt(step: Callable[[], object]) -> None:
            try:
                step()
            except BaseException as error:
                log.exception("A step of the end of %r failed", self.title or self.agent_id)
                failures.append(error)

        attempt(self._read_end)
        self.finalized = True
        if self._recorder is not None and self._recorder is not self._record:
            attempt(self._recorder.close)
        output = self._output
        if output is not None:
            if failures:
                attempt(lambda: output.report(f"The end is not whole: {_named(failures[0])}"))
            attempt(output.flush)
        try:
            self._ending.start(self._draw_end, here=output is None or output.is_light)
        except BaseException as error:  # noqa: BLE001 - returned, once who waits is free
            self._ending.fail(error)
            failures.append(error)
        return failures[0] if failures else None

    def _read_end(self) -> None:
        self.transcripts = self.current()
        host().remember(self.transcripts.values(), *self._place)

    def _draw_end(self) -> None:
        output, self._output, self._adapter = self._output, None, None  # only a live view needs them
        try:
            if output is not None:
                if self._may_wait:
                    output.wait_for_lull()
                output.finish(self.transcripts)
        except Exception as error:
            # What the stream itself raised matters more than that its last form cannot be drawn.
            log.exception("The final form of %r could not be shown", self.title or self.agent_id)
            with contextlib.suppress(Exception):  # it is logged; the channel itself may be what fails
                if output is not None:
                    output.report(f"The final form could not be shown: {_named(error)}")

    def _finish(self, exc: BaseException | None) -> None:
        if self.passive or not (self._adapter or self._adapter_name):
            return
        # Where nothing was read, any adapter says all there is to say: how it ended. One that takes
        # everything keeps what no adapter knows.
        name = "text" if self._first or self._adapter_name == "auto" else self._adapter_name
        adapter = self._adapter or self._make(name)
        first, self._first = self._first, []
        for held in first:
            self.dispatch(self.feed(adapter, held))
        said = adapter.finish(exc)
        self.dispatch(said)
        is_said = any(event.type == "run_finished" and event.outcome == "error" for event in said)
        if isinstance(exc, Exception) and not isinstance(exc, CancelledError) and not is_said:
            # The runs had all ended before: a recording whose last line is damaged.
            self.report(f"{type(exc).__name__}: {exc}")

    def _make(self, name: str) -> Adapter:
        if self.agent_id is None and name != "events":
            self.follow(fresh_agent_id(self.registry))
        self._adapter = adapters.get(name, agent_id=self.agent_id or "agent")
        return self._adapter

    def _transcript(self, agent_id: str) -> Transcript:
        with self.registry.reading(agent_id) as found:
            if found is None:
                return Transcript(agent_id=agent_id)
            return found.snapshot(since=self._since[agent_id])


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _timed(event: Event) -> Event:
    """Give what has a duration its time; the source's own time is kept."""
    if event.ts is None and event.type in _TIMED:
        return event.model_copy(update={"ts": time.time()})
    return event


# What a watch, a live view and a handler have in common for those who look at them.
#
# Above ``_watching/pipeline.py``, below everything that a user holds in hand.


class Transcribed:
    """Something that is shown while it goes on, and whose transcript is there at any time."""

    def __init__(self, pipeline: Pipeline, kind: str = "agent") -> None:
        self._pipeline = pipeline
        self._kind = kind

    @property
    def agent_id(self) -> str | None:
        """The first or only agent's id; ``None`` before anything is known of it."""
        return self._pipeline.agent_id

    @property
    def title(self) -> str:
        """What the view is called."""
        return self._pipeline.title or self.agent_id or self._kind

    @property
    def transcript(self) -> Transcript:
        """The first or only agent's transcript, as it is now."""
        return next(iter(self.transcripts.values()), Transcript(agent_id=self.agent_id or ""))

    @property
    def transcripts(self) -> dict[str, Transcript]:
        """All agents' transcripts, by agent id."""
        return self._pipeline.transcripts if self.done() else self._pipeline.current()

    @property
    def is_shown(self) -> bool:
        """Whether there is a view of it."""
        return self._pipeline.is_shown

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._pipeline.finalized

    def show(self) -> None:
        """Display the static form anew, in the present cell."""
        from ..display import bundle  # noqa: PLC0415 - only when something is shown

        host().show(bundle(self.transcripts, title=self.title))

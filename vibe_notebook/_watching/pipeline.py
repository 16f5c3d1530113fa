"""Connect an adapter, a registry, an output and a recording: the path of one watched stream.

Below ``watch``, ``live`` and the handlers, above the adapters, the registry and the output. ``begin`` opens the
output, ``accept`` passes one native event down the path, ``finalize`` ends the path, also after an error.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import adapters
from .._controls import Control, Controls
from .._event_loops import in_loop
from .._foreign_words import clean_logger
from .._forks import renew_in_child
from .._host import host
from .._json_values import scrub, to_json_value
from .._settings import check_settings
from ..display import Output, choose, make_output
from ..events import Event, with_time
from ..exceptions import AdapterError
from ..recording import Recorder
from ..registry import Hold, Registry
from ..transcript import Transcript
from .budgets import Budget, Spending
from .connections import Connections
from .displays import Displays
from .finalizer import Finalizer, defer_interrupt, shield_interrupts
from .ids import RunIds, fresh_agent_id
from .meter import ENDED as USED_UP
from .meter import Meter
from .reader import Reader
from .requests import CLOSED, ENDED, AnswerPayload, Desk
from .sources import is_one_shot
from .steering import Steering, SteerPayload

if TYPE_CHECKING:
    from ..adapters import Adapter

__all__ = ["Pipeline"]

log = clean_logger("vibe_notebook")


class Pipeline:
    """Hold one watched stream's adapter, output and recording. ``renderer`` "none" shows nothing."""

    # Defaults of the class: hundreds of ended streams may be held, and few of them change these.
    joined: Pipeline | None = None  # the newest turn, in the view of a chat
    find_title: Callable[[], str | None] | None = None  # a recording tells its title once it is opened
    has_times = False  # the source knows when its events were: an event without a time gets none
    is_withdrawn = False  # another view shows the run
    passive = False  # it only shows: another source dispatches the agent's events
    steering: Steering | None = None  # None: the stream cannot be steered
    controls: tuple[Control, ...] = ()  # further ones, or others in the place of those of one stream
    on_failure: Callable[[BaseException], object] | None = None  # ends the watch with an error
    _open_output: Callable[..., Output] | None = None  # in the view of a chat

    def __init__(
        self,
        registry: Registry,
        *,
        agent_id: str | None,
        title: str | None,
        adapter: str | Adapter = "auto",
        renderer: str | None = None,
        record: str | os.PathLike[str] | Recorder | None = None,
        input: Any = None,  # noqa: A002 - the field's name
        budget: Budget | None = None,
    ) -> None:
        self.registry = registry
        self._faults: list[Event] = []
        self.displays = Displays(registry, self._faults.append)
        self._input = to_json_value(input)
        self._recorded_title = title or agent_id
        self.agent_id = agent_id
        self.title = title
        self.transcripts: dict[str, Transcript] = {}
        self.finalized = False  # the runs have ended, and the transcripts are final
        self.renderer = renderer
        self.on_stop: Callable[[], object] | None = None  # cancels the watch
        self.connections = Connections(self._draw_connections)
        self.reader = Reader(adapter, self._make_adapter, self.report)
        if not isinstance(adapter, str) and agent_id is None:
            self.agent_id = adapter.agent_id
        self.run_ids: RunIds | None = RunIds(registry)  # None: the source's ids are to stay
        self._record = record
        self._recorder: Recorder | None = None
        self._output: Output | None = None
        self._place: tuple[int | None, str] = None, ""  # the cell in which it is shown, and its title
        self._since: dict[str, int] = {}
        self._holds: list[Hold] = []  # the registry keeps the runs until the final form is shown
        self.desk = Desk(self.interject, self.draw, registry.answers.reserve)
        self.meter = Meter()
        self.spending = Spending(budget, self.meter, self) if budget is not None else None
        self._lock = threading.Lock()
        self._finalizing = False
        self._finalizer = Finalizer()
        renew_in_child(self)

    def renew(self) -> None:
        """Show and record nothing in the child of a fork; an end that another thread had begun is not the child's."""
        self._lock = threading.Lock()
        self._output = self._recorder = None
        if self._finalizing and self._finalizer.finishing_thread != threading.get_ident():
            self._finalizer, self.finalized = Finalizer.ended(), True

    def begin(self) -> None:
        """Open the recording and the output. Raises their errors before the output shows anything."""
        check_settings()
        self.title = self.title or (self.find_title() if self.find_title else None)
        renderer = self.renderer or choose()
        if isinstance(self._record, Recorder):
            self._recorder = self._record
        elif self._record is not None:
            self._recorder = Recorder(self._record)
        title = self.title or self.agent_id or "agent"
        self.desk.shown(is_reachable=self.is_shown and host().asks)
        self._place = host().current_cell() if self.is_shown else None, title
        self._output = (self._open_output or make_output)(
            self.registry,
            title=title,
            controls=self._controls(),
            transcripts=self.current,
            renderer=renderer,
        )
        if self.connections:
            self._draw_connections()
        if self.agent_id is not None and (self.passive or not self.reader.name):
            # Otherwise the first event brings the id: a stream of our own events has its agents' ids.
            self.follow(self.agent_id, since=0 if self.passive else None)
        if self.spending is not None:
            if (given := self.reader.adapter) is not None:
                self.spending.check_source(given.name, tells_usage=given.tells_usage)
            self.spending.begin()
        if self.steering is not None:
            self.steering.begin(self)

    @property
    def is_shown(self) -> bool:
        """Return whether a user can see the stream."""
        return self.renderer != "none"

    @property
    def is_live(self) -> bool:
        """Return whether the stream has begun and not ended."""
        return self._output is not None and not self._finalizing

    @property
    def runs_here(self) -> bool:
        """Return whether the agent's code runs in this process: a request can only be one of that code."""
        return not (self.passive or self.connections or self.run_ids is None)

    def _controls(self) -> Controls:
        """Return the function of each click on the view: no other place names them."""
        return Controls(
            Control("stop", self.on_stop),
            Control("answer", self.desk.click, AnswerPayload),
            Control("came", self.desk.page_came),
            Control("left", self.desk.page_left),
            Control("reconnect", self.connections.reconnect if self.connections else None),
            Control("steer", self.steering.click if self.steering else None, SteerPayload),
            *self.controls,
        )

    def join(self, view: Pipeline, run_id: str, output: Output) -> None:
        """Show this stream by *output* in the view of another one: its first run is that one's run *run_id*."""
        self.agent_id, self.title, self.renderer = view.agent_id, view.title, view.renderer
        self._input, view.joined = None, self
        if self.spending is None:
            self.meter = view.meter  # the header shows the sum of all turns
        self.run_ids = RunIds(self.registry, (view.agent_id or "", run_id))
        self._open_output = lambda *_, **__: output

    def follow(self, agent_id: str, *, since: int | None = None) -> None:
        """Show and record an agent, from now on or from its event number *since*."""
        if agent_id in self._since:
            return
        hold = self.registry.hold(agent_id, since)
        self._holds.append(hold)
        self._since[agent_id] = hold.since
        self.agent_id = self.agent_id or agent_id
        if self._recorder is not None:
            self._recorder.attach(self.registry, agent_id)
        self.draw(lambda output: output.watch(agent_id, hold.since))

    def accept(self, native: Any) -> None:
        """Pass one native event to the adapter. Raises ``AdapterError`` for a stream that no adapter knows."""
        if self.passive:
            self._count([native])  # an event of the registry's
            return
        if self.steering is not None:
            self.steering.see(native)
        for each in self.reader.ready(native):
            events = self.reader.read(each)
            self.dispatch(events, outranked=self.reader.chosen().name != "events")

    def exhausted(self, source: Any, *, is_cut: bool = False) -> None:
        """Dispatch the events that *source* itself holds after its stream has yielded all, unless it *is_cut*.

        Raises ``AdapterError`` if the stream was too short to know its SDK, or if the adapter understood none of it.
        """
        reader = self.reader
        if reader.waits:
            reader.choose(is_last=True)
        elif is_cut:
            return  # cancelled: what it holds is no result
        elif words := reader.complaint():
            raise AdapterError(words)
        elif reader.adapter is None:
            if not (self.passive or self.connections) and is_one_shot(source):
                self.report("The stream gave no events. If it was read before, make a new one.")
        else:
            self.dispatch(reader.exhausted(source))

    def resume(self, paused: Any) -> None:
        """Let an interrupted run wait here for its answers; *paused* is the SDK's object of the part that ended."""
        self.dispatch(self.reader.exhausted(paused))
        if self.reader.adapter is not None:
            self.reader.adapter.resume()

    def fail(self, error: BaseException) -> None:
        """Show that a request has no answer, and end a watch with this error. Any thread may call this."""
        self.report(_describe(error))
        if self.on_failure is not None:
            self.on_failure(error)

    def dispatch(self, events: Iterable[Event], *, outranked: bool = False) -> None:
        """Dispatch the events that were made from one native event.

        *outranked*: the events' own displays are those of values here, which a renderer's bundle replaces. The caller
        holds no lock: renderers run here.
        """
        self.deliver(self.prepare(events, outranked=outranked))

    def interject(self, events: Iterable[Event]) -> None:
        """Dispatch events that are not the source's: its text goes on below them."""
        for stream in (self, self.joined or self):
            if stream.reader.adapter is not None:
                stream.reader.adapter.is_interrupted = True
        self.dispatch(events)

    def prepare(
        self, events: Iterable[Event], *, outranked: bool = False, renders: bool = True
    ) -> list[Event]:
        """Return the events as they are dispatched: with ids, times and displays. Renderers run here."""
        slot = [
            self._with_head(self._with_time(self.run_ids.renamed(event) if self.run_ids else event))
            for event in events
        ]
        return self.displays.prepare(slot, outranked=outranked, renders=renders)

    def deliver(self, slot: list[Event]) -> None:
        """Dispatch prepared events, then the lines about renderers that failed over them."""
        for agent_id in dict.fromkeys(event.agent_id for event in slot):
            if agent_id not in self._since:
                self.follow(agent_id)
        if slot:
            self.registry.dispatch(slot)
            self._count(slot)
        with contextlib.suppress(IndexError):  # another thread may report them
            while self._faults:
                self.registry.dispatch(self._with_time(self._faults.pop(0)))

    def _count(self, events: list[Event]) -> None:
        if self.finalized or not self.meter.add(events):
            return
        self.draw(lambda output: output.usage(self.meter.shown()))
        if self.spending is not None:
            self.spending.check()

    def _with_time(self, event: Event) -> Event:
        """Return an event with the present time, if its source gave no time."""
        return event if event.ts is not None or self.has_times else with_time(event, time.time())

    def _with_head(self, event: Event) -> Event:
        """Return a run's start with the view's title, and the first one with the user's input if it has none."""
        if event.type != "run_started" or event.parent_run_id or event.parent_tool_call_id:
            return event
        changes: dict[str, Any] = {}
        if self._recorded_title and self._recorded_title != (event.agent_name or event.agent_id):
            changes["title"] = scrub(self._recorded_title)
        given, self._input = self._input, None
        if given is not None and event.input is None:
            changes["input"] = given
        return event.model_copy(update=changes) if changes else event

    def report(self, text: str) -> None:
        """Show a failure in the view."""
        self.draw(lambda output: output.report(text))

    def stopping(self) -> None:
        """Show that the stream was cancelled, and ends after its present step. Any thread may call this."""
        self.draw(lambda output: output.stopping())

    def _draw_connections(self) -> None:
        self.draw(lambda output: output.connection(self.connections.lines(), self.connections.last_words()))

    def draw(self, show: Callable[[Output], object]) -> None:
        """Show something in the output; any thread may call this. A fault of it must not end the agent's work."""
        output = self._output  # another thread may set it to None
        try:
            if output is not None:
                show(output)
        except Exception:
            log.exception("The output of %r failed", self.title or self.agent_id)

    def current(self) -> dict[str, Transcript]:
        """Return the transcripts of this watch's agents at this moment."""
        if self.is_withdrawn:
            return {}
        return {agent_id: self._transcript(agent_id) for agent_id in list(self._since)} or self.transcripts

    def withdraw(self, words: str) -> None:
        """End without a transcript, for a run that another view shows; *words* stay in this one's place."""
        self.is_withdrawn = True
        self.report(words)
        self.finalize(later=True)

    def finalize(self, exc: BaseException | None = None, *, later: bool = False) -> None:
        """End the stream's runs, close the recording, show the final form. Idempotent.

        On return the final form is there; an interrupt during the wait is raised after it. In a task that
        would delay other live views, *later* leaves the final form to the end of the cell.
        """
        output = self._output
        later = (
            later
            and host().in_own_task()
            and (self._finalizer.deferred or (output is not None and not output.is_alone))
        )
        self._finalizer.may_wait_for_lull = later or not in_loop()
        with defer_interrupt():
            # Not finalized: another thread is still ending the runs, so this one waits.
            if self._begin_finalizing(exc) and not (later and self.finalized and self._leave_to_cell()):
                self._finalizer.wait()

    def _leave_to_cell(self) -> bool:
        self._finalizer.deferred = self._finalizer.deferred or self._finalizer.leave_to_cell()
        return self._finalizer.deferred

    async def finalize_async(self, exc: BaseException | None = None) -> None:
        """Finalize as ``finalize`` does, but keep the loop free; raise a cancellation after the final form."""
        if self._begin_finalizing(exc):
            await self._finalizer.wait_async()

    async def wait_until_finalized(self) -> None:
        """Wait until another consumer has finalized the stream. A cancellation of this wait delays nothing."""
        await self._finalizer.wait_passively()

    def _begin_finalizing(self, exc: BaseException | None) -> bool:
        """Begin the end, unless it has begun; return whether the caller must wait for it."""
        with shield_interrupts() as shield:
            with self._lock:
                if self._finalizing:
                    return (
                        self._finalizer.finishing_thread != threading.get_ident()
                    )  # a callback on the end itself cannot wait for the end
                self._finalizing = True
                self._finalizer.finishing_thread = threading.get_ident()
            failed: BaseException | None = None
            try:
                if self.spending is not None:
                    self.spending.end()
                self.desk.close(ENDED)
                self.desk = CLOSED  # hundreds of ended streams may be held
                # The user's callbacks run in here: one interrupt passes, and ends them.
                shield.is_open = True
                self._finish_runs(exc)
                shield.is_open = False
            except BaseException as error:  # noqa: BLE001 - raised below, after the final form was started
                failed = error
            shield.is_open = False
            failed = self._start_final_form() or failed
        if failed is not None:
            self._finalizer.wait()
            raise failed
        return True

    def _start_final_form(self) -> BaseException | None:
        """Start the final form in spite of failures before it; return the first one that the caller must get."""
        self._finalizer.finishing_thread = None
        failures: list[BaseException] = []
        raised: list[BaseException] = []

        def attempt(step: Callable[[], object], *, is_value: bool = False) -> None:
            try:
                step()
            except BaseException as error:
                log.exception("A step of the end of %r failed", self.title or self.agent_id)
                failures.append(error)
                # A failure of the view or of the file must not cost the caller the value of the watch.
                if is_value or not isinstance(error, Exception) or isinstance(error, MemoryError):
                    raised.append(error)

        if self.steering is not None:
            attempt(self.steering.close)
        attempt(self._keep_transcripts, is_value=True)
        self.finalized = True
        if self._recorder is not None and self._recorder is not self._record:
            attempt(self._recorder.close)
        output = self._output
        if output is not None and self._recorder is not None and (words := self._recorder.missing_words):
            attempt(partial(output.report, words))
        if output is not None:
            if failures:
                attempt(lambda: output.report(f"The end is incomplete: {_describe(failures[0])}"))
            attempt(output.flush)
        try:
            self._finalizer.start(self._show_final_form, in_this_thread=output is None or output.is_light)
        except BaseException as error:  # noqa: BLE001 - returned, once the waiting threads are free
            self._finalizer.fail(error)
            self._release_runs()
            raised.append(error)
        return raised[0] if raised else None

    def _keep_transcripts(self) -> None:
        self.transcripts = self.current()
        host().remember(self.transcripts.values(), *self._place)

    def _show_final_form(self) -> None:
        output, self._output, self.reader.adapter = self._output, None, None  # only a live view needs them
        try:
            if output is not None:
                if self._finalizer.may_wait_for_lull:
                    output.wait_for_lull()
                if self.is_withdrawn:
                    output.withdraw()
                else:
                    output.finish(self.transcripts)
        except Exception as error:
            # The stream's own error matters more than a final form that cannot be drawn.
            log.exception("The final form of %r could not be shown", self.title or self.agent_id)
            with contextlib.suppress(Exception):  # logged above; the channel itself may be the fault
                if output is not None:
                    output.report(f"The final form could not be shown: {_describe(error)}")
        finally:
            self._release_runs()

    def _release_runs(self) -> None:
        self.meter = USED_UP
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.release()
        for agent_id in list(self._since) if self.is_withdrawn else ():
            self.registry.unregister(agent_id)
            self.registry.forget(agent_id)

    def _finish_runs(self, exc: BaseException | None) -> None:
        reader = self.reader
        if self.passive or not reader.name:
            return
        adapter = reader.chosen()  # after no native event any adapter can report how the stream ended
        for native in reader.take():
            self.dispatch(reader.feed(adapter, native))
        words = reader.complaint()
        if words and exc is not None and not isinstance(exc, AdapterError):
            self.report(words)  # the stream was left, or it failed
        try:
            events = adapter.finish(exc)
        except Exception as error:
            # An adapter's fault must not end the agent's work: its runs end without an outcome.
            log.exception("The adapter %s could not end the stream", adapter.name)
            self.report(f"The adapter {adapter.name} could not end the stream: {_describe(error)}")
            events = []
            for agent_id in list(self._since):
                self.registry.finish(agent_id)
        if self.spending is not None:
            events = self.spending.name_end(events)
        self.dispatch(events)
        is_reported = any(event.type == "run_finished" and event.outcome == "error" for event in events)
        if isinstance(exc, Exception) and not isinstance(exc, CancelledError) and not is_reported:
            # The runs had all ended before this error: for example a recording with a damaged last line.
            self.report(f"{type(exc).__name__}: {exc}")

    def _make_adapter(self, name: str) -> Adapter:
        if self.agent_id is None and name != "events":
            self.follow(fresh_agent_id(self.registry))
        made = adapters.get(name, agent_id=self.agent_id or "agent")
        if self.spending is not None:
            self.spending.check_source(name, tells_usage=made.tells_usage)
        return made

    def _transcript(self, agent_id: str) -> Transcript:
        with self.registry.reading(agent_id) as found:
            if found is None:
                return Transcript(agent_id=agent_id)
            return found.snapshot(since=self._since[agent_id])


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

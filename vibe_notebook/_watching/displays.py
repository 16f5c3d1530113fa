"""Prepare the displays of a stream's events before dispatch: renderers, the limit of a run, and the pace.

Below ``pipeline.py``, which passes each event through ``Displays``; ``live.py`` paces unfinished displays by
``PacedDisplays``. Bundles are made in the thread that reports the value, never under a lock of this package.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from .. import _settings as settings
from .._bundles import bounded_bundle, bundle_size, error_words, type_of
from .._displays import is_bundle, shown_bundle
from .._foreign_words import clean_logger
from .._forks import renew_in_child
from .._json_values import bounded_repr
from .._limits import DISPLAY_SECONDS, RENDERER_SECONDS
from .._thread_pool import Job, ThreadPool
from ..events import (
    Artifact,
    Custom,
    Event,
    RunFinished,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from ..parts import ToolPart
from .renderers import Renderer, registered

if TYPE_CHECKING:
    from ..registry import Registry

__all__ = ["Displays", "PacedDisplays"]

log = clean_logger("vibe_notebook")
Bundle = dict[str, Any]
_SHOWN: Final = frozenset(("tool_started", "tool_progress", "tool_finished", "artifact", "run_finished"))
"""Types of events that can have a display, and the end of a run, which frees its counts."""
_RUNS: Final = 1_000
"""Runs whose displays are counted; the oldest are forgotten beyond."""
_KEYS: Final = 100
"""Keys whose time is kept after it has passed."""
_SMALL: Final = 10_000
"""Bytes of a display that passes beyond the limit of a run: its text says what is missing."""
_PATIENCE: Final = 1.0
"""Seconds that a result waits for the display before it, which another thread sends."""
_BARE: Final = re.compile(r"<.* at 0x[0-9a-fA-F]+>", re.DOTALL)
"""The repr of an object that has none of its own."""
POOL: Final = ThreadPool("vibe-displays", limit=2)
"""Threads that send the last display of a pause."""


class Displays:
    """Prepare a stream's events: let renderers show finished calls, and bound the displays of each run.

    *report* gets a line for the reader about each renderer that fails.
    """

    def __init__(
        self,
        registry: Registry,
        report: Callable[[Event], object],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._report = report
        self._clock = clock
        self.renders = True
        """False for events that another kernel, or an earlier one, has made: their displays are theirs."""
        self._faulty: set[tuple[Renderer, str]] = set()
        self._lock = threading.Lock()  # of the counts
        self._runs: dict[tuple[str, str], _Shown] = {}
        renew_in_child(self)

    def renew(self) -> None:
        """Replace the lock in the child of a fork."""
        self._lock = threading.Lock()

    def needs_renderer(self, slot: Iterable[Event]) -> bool:
        """Return whether a renderer may show an event of the slot."""
        return self.renders and any(isinstance(event, ToolFinished) for event in slot) and bool(registered())

    def prepare(self, slot: list[Event], *, outranked: bool = False, renders: bool = True) -> list[Event]:
        """Return the events of one slot with their displays.

        With *outranked*, a renderer replaces a display that an event carries: the display is the value's own. The
        caller holds no lock, unless no renderer may run (*renders* is False).
        """
        if all(event.type not in _SHOWN for event in slot):
            return slot
        made: list[Event] = []
        for event in slot:
            prepared = event
            is_free = (
                renders
                and self.renders
                and (event.type == "tool_finished" and (event.display is None or outranked))
            )
            if isinstance(event, ToolFinished) and is_free:
                prepared = self._rendered(event, slot)
            made.append(self._bounded(prepared))
        return made

    # Renderers

    def _rendered(self, event: ToolFinished, slot: Iterable[Event]) -> Event:
        renderers = registered()
        if not renderers:
            return event
        call = self._call(event, slot)
        for one in renderers:
            bundle = self._render(one, call, event)
            if bundle is not None:
                return event.model_copy(update={"display": bundle})
        return event

    def _render(self, one: Renderer, call: ToolPart, event: ToolFinished) -> Bundle | None:
        """Return the bundle that a renderer makes; ``None`` if it shows another call, or nothing."""
        began = self._clock()
        try:
            value = one(call) if one.fits(call) else None
            if value is None:
                return None
            bundle = shown_bundle(value, text_type="text/markdown")
            if complaint := _complaint(value, bundle):
                self._fault(one, event, "nonsense", f"returned {complaint}")
                return None if event.display is not None or not is_bundle(value) else bundle
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - some libraries' panics are no Exception
            self._fault(one, event, "raised", f"raised {error_words(error)}", exc_info=error)
            return None
        finally:
            seconds = self._clock() - began
            if seconds > RENDERER_SECONDS:
                log.warning("The renderer %s took %.1f s, and the agent waits for it.", one.name, seconds)
                words = f"took more than {RENDERER_SECONDS} s, and the agent waits for it"
                self._fault(one, event, "slow", words, is_logged=True)
        return bundle

    def _fault(
        self,
        one: Renderer,
        event: ToolFinished,
        kind: str,
        words: str,
        *,
        is_logged: bool = False,
        exc_info: BaseException | None = None,
    ) -> None:
        """Say a renderer's fault once, in the log and in a line of the transcript."""
        if (one, kind) in self._faulty:
            return
        self._faulty.add((one, kind))
        if not is_logged:
            log.warning("The renderer %s %s.", one.name, words, exc_info=exc_info)
        line = Custom(
            agent_id=event.agent_id,
            run_id=event.run_id,
            name=f"renderer {one.name}",
            value=f"{words}.",
            tool_call_id=event.tool_call_id,
            shown=True,
        )
        self._report(line)

    def _call(self, event: ToolFinished, slot: Iterable[Event]) -> ToolPart:
        """Return the call as it will be once *event* is dispatched."""
        part = self._known(event) or ToolPart(run_id=event.run_id, tool_call_id=event.tool_call_id)
        changes: dict[str, Any] = {}
        for each in slot:
            if not isinstance(each, ToolStarted | ToolCallDelta | ToolProgress | ToolFinished):
                continue
            if (each.run_id, each.tool_call_id) != (event.run_id, event.tool_call_id):
                continue
            if isinstance(each, ToolStarted) and each.args is not None:
                changes["args"] = each.args
            changes["tool_name"] = (
                getattr(each, "tool_name", None) or changes.get("tool_name") or part.tool_name
            )
            if each is event:
                break
        changes["output"] = part.output if event.output is None else event.output
        changes |= {"state": event.status, "error": event.error, "finished_at": event.ts}
        return part.model_copy(update=changes).model_copy(deep=True)  # a renderer may change what it gets

    def _known(self, event: ToolFinished) -> ToolPart | None:
        with self._registry.reading(event.agent_id) as found:
            run = found.runs.get(event.run_id) if found is not None else None
            builder = run.call(event.tool_call_id) if run is not None else None
            part = builder.part() if builder is not None else None
        return part if isinstance(part, ToolPart) else None

    # The limit of a run

    def _bounded(self, event: Event) -> Event:
        """Return the event without the heavy types of its display, if the run has shown enough."""
        ids = event.agent_id, event.run_id
        if isinstance(event, RunFinished):
            with self._lock:
                self._runs.pop(ids, None)
            return event
        bundle = getattr(event, "display", None)
        if not bundle:
            return event
        key = ("artifact", event.artifact_id) if isinstance(event, Artifact) else ("tool", _call_id(event))
        count = bundle_size(bundle)
        with self._lock:
            shown = self._runs.setdefault(ids, _Shown())
            if len(self._runs) > _RUNS:
                del self._runs[next(iter(self._runs))]
            before = shown.sizes.get(key, 0)
            rest = max(settings.displays_limit() - shown.total + before, _SMALL)
            if count > rest:
                bundle = bounded_bundle(bundle, rest, "the rest of displays_limit")
                count = bundle_size(bundle)
                event = event.model_copy(update={"display": bundle})
            shown.sizes[key] = count
            shown.total += count - before
        return event


def _complaint(value: object, bundle: Bundle) -> str:
    """Return what is wrong with a renderer's value that no form can show; "" for any other value."""
    if bundle.keys() != {"text/plain"}:
        return ""
    text = str(bundle["text/plain"])
    if is_bundle(value):
        return "" if any(type_of(key) == "text/plain" for key in value) else text
    return (
        f"a value of type {type(value).__name__}, which has no form"
        if _BARE.fullmatch(bounded_repr(value))
        else ""
    )


class _Shown:
    """Count the bytes of one run's displays: the newest of each call and artifact."""

    def __init__(self) -> None:
        self.sizes: dict[Hashable, int] = {}
        self.total = 0


def _call_id(event: Event) -> str | None:
    return getattr(event, "tool_call_id", None)


class PacedDisplays:
    """Send the newest bundle of each key at most twice a second; the last one always arrives.

    A thread of the pool sends the bundle that waits, when its time comes. Where no thread can start, the next call of
    ``put`` or ``flush`` sends it.
    """

    def __init__(
        self,
        send: Callable[[Hashable, Bundle], object],
        *,
        clock: Callable[[], float] = time.monotonic,
        pool: ThreadPool = POOL,
    ) -> None:
        self._send = send
        self._clock = clock
        self._pool = pool
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget what waits in the parent, in the child of a fork."""
        self._lock = threading.Lock()
        self._sending = threading.RLock()  # a callback on a display may show another one
        self._due: dict[Hashable, float] = {}
        self._waiting: dict[Hashable, Bundle] = {}
        self._job: Job | None = None

    def put(self, key: Hashable, bundle: Bundle) -> None:
        """Send the bundle at once, or when half a second has passed since the last one of this key."""
        with self._lock:
            self._waiting[key] = bundle
            at = self._due.get(key)
            if at is not None and self._clock() < at:
                self._schedule()
                return
        self._send_due()

    def take(self, key: Hashable) -> None:
        """Forget the bundle that waits: a result carries it. Wait until another thread has sent the one before."""
        with self._in_turn(), self._lock:
            self._waiting.pop(key, None)
            self._due.pop(key, None)

    def flush(self) -> None:
        """Send every bundle that waits."""
        with self._lock:
            self._due.clear()
        self._send_due()

    def _send_due(self) -> None:
        with self._in_turn():
            while True:
                with self._lock:
                    now = self._clock()
                    key = next((key for key in self._waiting if self._due.get(key, now) <= now), None)
                    if key is None:
                        if len(self._due) > _KEYS:
                            self._due = {key: at for key, at in self._due.items() if at > now}
                        self._schedule()
                        return
                    bundle = self._waiting.pop(key)
                    self._due[key] = now + DISPLAY_SECONDS
                self._send(key, bundle)

    def _schedule(self) -> None:
        """Let the pool send what waits. The caller holds the lock."""
        self._pool.withdraw(self._job)
        self._job = None
        if self._waiting:
            at = min(self._due.get(key, 0.0) for key in self._waiting)
            with contextlib.suppress(RuntimeError):  # no thread can start here
                self._job = self._pool.submit(self._send_due, at=at)

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Send one at a time, so that an older bundle never comes last; a thread that hangs delays nobody for long."""
        is_held = self._sending.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if is_held:
                self._sending.release()

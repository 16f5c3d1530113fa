"""Detect a remote stream's dialect from its first events, and detect the stream's own end. Pure.

An event passes from ``_event_source`` through here to ``_follow``. An adapter reads each dialect. This
module chooses the adapter, and reads the parts that no adapter sees: the name of the server-sent
event, ``[DONE]``, and pings.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic_core import from_json

from .. import adapters
from ..adapters import Adapter
from ..events import Event
from ..exceptions import AdapterError
from ._decoder import ServerSentEvent
from ._server_words import words_of

__all__ = ["GAP", "PROJECT", "Dialect", "parse_object"]

GAP: Final = "gap"
"""The name of the event by which a server reports that it no longer has the requested id. The event has no id."""
OWN: Final = "events"
PROJECT: Final = "vibex"

_CHAT: Final = "openai_chat"
_DONE: Final = "[DONE]"
_NOISE: Final = frozenset(
    ("ping", "heartbeat", "keepalive", "keep-alive", "hello", "open", "ready", "connected")
)
_RUN_EDGES: Final = ("run_started", "run_finished")
_LAST: Final = {
    "agui": ("RUN_FINISHED", "RUN_ERROR"),
    "anthropic": ("message_stop", "error"),
    "openai_responses": (
        "response.completed",
        "response.failed",
        "response.incomplete",
        "response.cancelled",
        "error",
    ),
    "vercel_ai_ui": ("finish", "abort", "error"),
}
"""By dialect, the types after which the end of the body is the end of the stream."""
_ERROR_FIELDS: Final = frozenset(
    ("error", "code", "status", "message", "type", "object", "id", "request_id", "detail")
)
"""The fields of an error that a server sends in the place of an event."""
_PATIENCE: Final = 32
"""Unknown events, after which the stream's events are shown under their own names."""


class Dialect:
    """Read one stream's events with the adapter that fits the first of them."""

    def __init__(self, *, agent_id: str, run_id: str | None = None, adapter: str = "auto") -> None:
        self._ids = {"agent_id": agent_id, "run_id": run_id}
        self._requested = adapter
        if adapter != "auto":
            adapters.get(adapter)  # an unknown name must raise here, not in the middle of a stream
        self._adapter: Adapter | None = None
        self._own = adapters.get(OWN, **self._ids)
        self._early: list[ServerSentEvent] = []
        self._open_runs: set[tuple[str, str]] = set()
        self.name: str | None = None
        """The adapter's name, once it is known."""
        self.is_over = False
        """True after the dialect's own last event, until another run starts."""
        self.is_done = False
        """True after ``[DONE]``: the reader need not wait for the connection's end."""

    @property
    def is_ours(self) -> bool:
        """Return True for a project's stream: the package's own events, or vibex's project events."""
        return self.name in (OWN, PROJECT)

    @property
    def is_cut(self) -> bool:
        """Return True if the end of the body, now, would cut the stream off.

        Return False for a dialect without an end of its own: its reader cannot tell.
        """
        return not self.is_over and (self.name is None or self.name in (OWN, _CHAT, *_LAST))

    @property
    def is_holding(self) -> bool:
        """Return True while early events are held for one that shows the dialect."""
        return bool(self._early)

    def read(self, event: ServerSentEvent) -> list[Event]:
        """Return the package's events made from one server-sent event. Never raise for a server's data."""
        if event.data.strip() == _DONE:
            self.is_over = self.is_done = True
            return []
        data = parse_object(event.data)
        if _is_own(data):
            self.name = self.name or OWN
            if event.id:
                data["id"] = event.id  # set before the event exists: a later change would copy the event
            made = self._own.feed(data)
            for one in made:
                if one.type in _RUN_EDGES:
                    self._count_run(one)
            return made
        if self._adapter is None and not self._choose(event, data):
            return []
        early, self._early = self._early, []
        return [made for each in (*early, event) for made in self._feed(each)]

    def finish(self, error: BaseException | None = None) -> list[Event]:
        """Return the events that end the run made here; runs of the package's own events end themselves."""
        if self._early:
            self._use(PROJECT)
            early, self._early = self._early, []
            made = [one for each in early for one in self._feed(each)]
        else:
            made = []
        return made + self._adapter.finish(error) if self._adapter is not None else made

    def _choose(self, event: ServerSentEvent, data: Any) -> bool:
        """Choose the adapter. Return False for an event that does not show the dialect."""
        if not event.data or event.event in _NOISE or _type_of(data) in _NOISE:
            return False
        name = self._detect(event, data)
        if name in (None, PROJECT) and _is_servers_error(event, data):
            name = _CHAT  # any dialect will do: the error is all that there is
        if name is None:
            # Unknown events with a name are a project's own. Those without one may be only an opening.
            if event.event == "message" and len(self._early) < _PATIENCE:
                self._early.append(event)
                return False
            name = PROJECT
        self._use(name)
        return True

    def _detect(self, event: ServerSentEvent, data: Any) -> str | None:
        if self._requested != "auto":
            try:
                return adapters.choose(self._requested, data)
            except AdapterError:
                return None
        if event.event != "message" and not isinstance(data, dict):
            return PROJECT  # a named event, to be shown under its name
        try:
            return adapters.detect(data)
        except AdapterError:
            pass
        is_message = event.event != "message" or (isinstance(data, dict) and "role" in data)
        try:
            if is_message and adapters.detect(_native(event)) == PROJECT:
                return PROJECT
        except AdapterError:
            pass
        return None

    def _use(self, name: str) -> None:
        self._adapter = self._own if name == OWN else adapters.get(name, **self._ids)
        self.name = self.name or name

    def _feed(self, event: ServerSentEvent) -> list[Event]:
        adapter = self._adapter
        if adapter is None:
            return []
        if adapter.name == PROJECT:
            return adapter.feed(_native(event))
        data = parse_object(event.data)
        type_name = _type_of(data)
        if (
            adapter.name != OWN
            and type_name not in _LAST.get(adapter.name, ())
            and _is_servers_error(event, data)
        ):
            self.is_over = True
            adapter.end("error", *words_of(data))
            return []
        if type_name in _LAST.get(adapter.name, ()) or _is_last_of_chat(data):
            self.is_over = True
        if type_name in _NOISE:
            return []
        return adapter.feed(data)

    def _count_run(self, event: Event) -> None:
        if event.type == "run_started":
            self._open_runs.add((event.agent_id, event.run_id))
        else:
            self._open_runs.discard((event.agent_id, event.run_id))
            self.is_over = not self._open_runs


def parse_object(text: str) -> Any:
    """Return *text* parsed if it is a JSON object, else *text* itself."""
    if text[:1] != "{" and text.lstrip()[:1] != "{":
        return text
    try:
        return from_json(text)  # a third of json's time; refuses half a surrogate pair, which json reads
    except ValueError:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _type_of(data: Any) -> str | None:
    name = data.get("type") if isinstance(data, dict) else None
    return name if isinstance(name, str) else None


def _is_own(data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    get = data.get
    return (
        isinstance(get("agent_id"), str) and isinstance(get("run_id"), str) and isinstance(get("type"), str)
    )


def _is_servers_error(event: ServerSentEvent, data: Any) -> bool:
    """Return whether an event is a server's error. A project's own event of that name has an id."""
    is_bare = (
        isinstance(data, dict) and "error" in data and set(data) <= _ERROR_FIELDS and bool(data["error"])
    )
    return (event.event == "error" and not event.id) or is_bare


def _native(event: ServerSentEvent) -> dict[str, Any]:
    return {"id": event.id, "event": event.event, "data": parse_object(event.data)}


def _is_last_of_chat(data: Any) -> bool:
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and first.get("finish_reason") is not None

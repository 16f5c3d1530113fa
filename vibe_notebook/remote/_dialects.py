"""What a remote stream speaks, found out from its first events, and how it says that it has ended.

Between ``_event_source.py`` and ``_follow.py``; pure. Every dialect is read by its adapter; here is
only which, and what the adapters cannot see: the SSE event's own name, ``[DONE]``, what is a ping.
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

__all__ = ["GAP", "PROJECT", "Dialect", "loaded"]

GAP: Final = "gap"
"""The event by which a server says that the asked-for id is gone. It carries no id."""
OWN: Final = "events"
PROJECT: Final = "vibex"

_CHAT: Final = "openai_chat"
_DONE: Final = "[DONE]"
_NOISE: Final = frozenset(
    ("ping", "heartbeat", "keepalive", "keep-alive", "hello", "open", "ready", "connected")
)
_ENDS: Final = ("run_started", "run_finished")
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
"""By dialect, the types after which the end of the body is the end."""
_PATIENCE: Final = 32
"""Events that nobody knows, after which they are shown under their own names."""


class Dialect:
    """Reads one stream's events, whatever they are, by the adapter that fits the first."""

    def __init__(self, *, agent_id: str, run_id: str | None = None, adapter: str = "auto") -> None:
        self._ids = {"agent_id": agent_id, "run_id": run_id}
        self._given = adapter
        if adapter != "auto":
            adapters.get(adapter)  # an unknown name is an error here, not in the middle of a stream
        self._adapter: Adapter | None = None
        self._own = adapters.get(OWN, **self._ids)
        self._early: list[ServerSentEvent] = []
        self._open_runs: set[tuple[str, str]] = set()
        self.name: str | None = None
        """The adapter's name, once it is known."""
        self.is_over = False
        """Whether it said that nothing more comes."""
        self.is_done = False
        """Whether nothing more may come: there is no need to wait for the connection's end."""

    @property
    def is_ours(self) -> bool:
        """Whether the stream is a project's: its own form, or that of project events."""
        return self.name in (OWN, PROJECT)

    @property
    def is_cut(self) -> bool:
        """Whether the end of the body would be one in the middle. What has no end of its own cannot tell."""
        return not self.is_over and (self.name is None or self.name in (OWN, _CHAT, *_LAST))

    @property
    def is_holding(self) -> bool:
        """Whether events wait for one that tells what they are."""
        return bool(self._early)

    def read(self, event: ServerSentEvent) -> list[Event]:
        """Return what one event shows. Never raises for what a server sent."""
        if event.data.strip() == _DONE:
            self.is_over = self.is_done = True
            return []
        data = loaded(event.data)
        if _is_own(data):
            self.name = self.name or OWN
            if event.id:
                data["id"] = event.id  # before it is an event: to change one takes a copy
            made = self._own.feed(data)
            for one in made:
                if one.type in _ENDS:
                    self._count(one)
            return made
        if self._adapter is None and not self._choose(event, data):
            return []
        early, self._early = self._early, []
        return [made for each in (*early, event) for made in self._feed(each)]

    def finish(self, error: BaseException | None = None) -> list[Event]:
        """Return what ends the run that was made here; runs of our own form end themselves."""
        if self._early:
            self._take(PROJECT)
            early, self._early = self._early, []
            made = [one for each in early for one in self._feed(each)]
        else:
            made = []
        return made + self._adapter.finish(error) if self._adapter is not None else made

    def _choose(self, event: ServerSentEvent, data: Any) -> bool:
        """Find the adapter; False: this event does not tell."""
        if not event.data or event.event in _NOISE or _kind(data) in _NOISE:
            return False
        name = self._detect(event, data)
        if name is None:
            # Named events that nobody knows are a project's own; others may be but an opening.
            if event.event == "message" and len(self._early) < _PATIENCE:
                self._early.append(event)
                return False
            name = PROJECT
        self._take(name)
        return True

    def _detect(self, event: ServerSentEvent, data: Any) -> str | None:
        if self._given != "auto":
            try:
                return adapters.choose(self._given, data)
            except AdapterError:
                return None
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

    def _take(self, name: str) -> None:
        self._adapter = self._own if name == OWN else adapters.get(name, **self._ids)
        self.name = self.name or name

    def _feed(self, event: ServerSentEvent) -> list[Event]:
        adapter = self._adapter
        if adapter is None:
            return []
        if adapter.name == PROJECT:
            return adapter.feed(_native(event))
        data = loaded(event.data)
        kind = _kind(data)
        if kind in _LAST.get(adapter.name, ()) or _is_last_of_chat(data):
            self.is_over = True
        if kind in _NOISE:
            return []
        return adapter.feed(data)

    def _count(self, event: Event) -> None:
        if event.type == "run_started":
            self._open_runs.add((event.agent_id, event.run_id))
        else:
            self._open_runs.discard((event.agent_id, event.run_id))
            self.is_over = not self._open_runs


def loaded(text: str) -> Any:
    """*text* as JSON if it is an object, else as it is."""
    if text[:1] != "{" and text.lstrip()[:1] != "{":
        return text
    try:
        return from_json(text)  # a third of the time; half a surrogate pair is left to Python's own
    except ValueError:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _kind(data: Any) -> str | None:
    kind = data.get("type") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) else None


def _is_own(data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    get = data.get
    return (
        isinstance(get("agent_id"), str) and isinstance(get("run_id"), str) and isinstance(get("type"), str)
    )


def _native(event: ServerSentEvent) -> dict[str, Any]:
    return {"id": event.id, "event": event.event, "data": loaded(event.data)}


def _is_last_of_chat(data: Any) -> bool:
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and first.get("finish_reason") is not None

"""Follow a run that a service hosts: OpenAI's responses, Gemini's interactions, runs of LangGraph's server.

Beside ``_follow``: these streams have one known dialect, and the service's own name for a place in them, from which a new
connection goes on. A run is followed from its beginning, or after a given place. Sources: the services' references.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypedDict, Unpack, cast
from urllib.parse import quote

from .. import adapters
from ..events import Event
from ..exceptions import RemoteError
from ._decoder import ServerSentEvent
from ._dialects import Dialect, parse_object
from ._event_source import event_source
from ._follow import Follow
from ._request import Cursor
from ._secrets import Params
from ._server_words import words_of

__all__ = ["Hosted", "gemini", "langgraph", "openai"]

_IDLE: Final = 300.0
"""Seconds: a model thinks in silence, and each new connection costs the service a request."""
_QUICK: Final = 0.5
"""Seconds before a new connection: the service continues where the last one stopped."""
_DONE: Final = ("[DONE]", '"[DONE]"')
_OPENAI_LAST: Final = frozenset(
    ("response.completed", "response.failed", "response.incomplete", "response.cancelled", "error")
)
_GEMINI_LAST: Final = frozenset(("interaction.completed", "error"))
_GEMINI_STATES: Final = frozenset(("budget_exceeded", "cancelled", "completed", "failed", "incomplete"))


class HostedOptions(TypedDict, total=False):
    """Describe the options of a hosted run: those of ``event_source`` that suit it."""

    headers: Mapping[str, str] | None
    params: Params | None
    reconnect_delay: float
    idle_timeout: float | None
    connect_timeout: float
    max_event: int
    proxy: str | None
    verify: Any
    sleep: Callable[[float], Awaitable[object]]
    jitter: Callable[[], float]


class _Service(NamedTuple):
    """Describe a service: the adapter of its events, its place in them, and their end."""

    name: str
    adapter: str
    cursor: Cursor
    is_last: Callable[[Any], bool]
    has_end: bool
    """The stream of a finished run ends with an event; without one, with the end of an answer."""


class HostedDialect(Dialect):
    """Read the events of a service, whose adapter is known."""

    def __init__(self, service: _Service, agent_id: str, run_id: str) -> None:
        super().__init__(agent_id=agent_id, run_id=run_id, adapter=service.adapter)
        self._service = service
        self._reader = adapters.get(service.adapter, agent_id=agent_id, run_id=run_id)
        self.name = service.adapter

    @property
    def is_cut(self) -> bool:
        """Return True if the end of the stream, now, would cut the run off."""
        return self._service.has_end and not self.is_over

    def read(self, event: ServerSentEvent) -> list[Event]:
        """Return the events made from one server-sent event. Never raise for a server's data."""
        if event.data.strip() in _DONE or event.event in ("end", "done"):
            self.is_over = self.is_done = True
            return []
        if not event.data:
            return []
        native = parse_object(event.data)
        if self._service.adapter == "langgraph":
            native = (event.event, _json(event.data), event.id or None)
        elif isinstance(native, dict) and native.get("error") and not {"type", "event_type"} & native.keys():
            self._reader.end("error", *words_of(native))  # the server's error in the place of an event
            self.is_over = self.is_done = True
            return []
        if self._service.is_last(native):
            self.is_over = self.is_done = True
        return self._reader.feed(native)

    def finish(self, error: BaseException | None = None) -> list[Event]:
        """Return the events that end the run."""
        return self._reader.finish(error)


class Hosted(Follow):
    """Iterate over a hosted run's events; made by ``openai``, ``gemini`` and ``langgraph``. A source for ``watch``."""

    label: str = ""

    def _adapt_connection(self, event: ServerSentEvent) -> None:
        """Resume only after an event that has a place: a run may have been created without places."""
        self._source.resumable = bool(event.id)

    @property
    def title(self) -> str:
        """Return the title for a view: the service and the run's id."""
        return self.label


def _json(data: str) -> Any:
    """Return JSON of any kind, or the text itself."""
    found = parse_object(data)
    if found is not data or data[:1] not in '["ntf-0123456789':
        return found
    wrapped = parse_object(f'{{"data": {data}}}')
    return wrapped["data"] if isinstance(wrapped, dict) else data


def _is_last_of_openai(native: Any) -> bool:
    return isinstance(native, dict) and native.get("type") in _OPENAI_LAST


def _is_last_of_gemini(native: Any) -> bool:
    if not isinstance(native, dict):
        return False
    kind = native.get("event_type")
    is_over = kind == "interaction.status_update" and native.get("status") in _GEMINI_STATES
    return kind in _GEMINI_LAST or is_over


def _is_last_of_langgraph(native: Any) -> bool:
    return str(native[0]).partition("|")[0] == "error"


_OPENAI: Final = _Service(
    "OpenAI",
    "openai_responses",
    Cursor(field="sequence_number", parameter="starting_after"),
    _is_last_of_openai,
    has_end=True,
)
_GEMINI: Final = _Service(
    "Gemini",
    "google_interactions",
    Cursor(field="event_id", parameter="last_event_id"),
    _is_last_of_gemini,
    has_end=True,
)
_LANGGRAPH: Final = _Service("LangGraph", "langgraph", Cursor(), _is_last_of_langgraph, has_end=False)


def openai(
    response_id: str,
    *,
    starting_after: int | None = None,
    agent_id: str | None = None,
    base_url: str | None = None,
    **options: Unpack[HostedOptions],
) -> Hosted:
    """Follow a background response of OpenAI, over any number of connections, each event once.

    ::

        response = client.responses.create(model=..., input=..., background=True, stream=True)
        await vibe.watch(remote.openai(response.id))

    The key is that of ``OPENAI_API_KEY``; with ``OPENAI_ORG_ID`` and ``OPENAI_PROJECT_ID`` as the client sends them.

    Args:
        response_id: The response's id. The request needs ``background=True`` and ``stream=True``.
        starting_after: The ``sequence_number`` after which the stream begins. Default: the beginning.
        agent_id: The agent. Default: the response's id.
        base_url: The address of the API. Default: ``OPENAI_BASE_URL``, else OpenAI's.
        **options: Options of ``event_source``.

    Raises:
        RemoteError: No key, no such response, or a run whose events end before its end.
    """
    base = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    key = _key(("OPENAI_API_KEY",), is_needed=base_url is None and "OPENAI_BASE_URL" not in os.environ)
    names = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
    headers = {name: value for name, variable in names.items() if (value := os.environ.get(variable))}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    url = f"{base.rstrip('/')}/responses/{quote(response_id, safe='')}"
    start = None if starting_after is None else str(starting_after)
    return _follow(_OPENAI, url, [("stream", "true")], headers, (response_id, agent_id), start, options)


def gemini(
    interaction_id: str,
    *,
    last_event_id: str | None = None,
    agent_id: str | None = None,
    base_url: str | None = None,
    **options: Unpack[HostedOptions],
) -> Hosted:
    """Follow an interaction of Gemini, over any number of connections, each event once.

    ::

        interaction = client.interactions.create(model=..., input=..., background=True)
        await vibe.watch(remote.gemini(interaction.id))

    The key is that of ``GOOGLE_API_KEY``, else of ``GEMINI_API_KEY``, as the client chooses.

    Args:
        interaction_id: The interaction's id.
        last_event_id: The ``event_id`` after which the stream begins. Default: the beginning.
        agent_id: The agent. Default: the interaction's id.
        base_url: The address of the API with its version. Default: ``GOOGLE_GEMINI_BASE_URL``, else Google's.
        **options: Options of ``event_source``.

    Raises:
        RemoteError: No key, no such interaction, or a run whose events end before its end.
    """
    own = os.environ.get("GOOGLE_GEMINI_BASE_URL")
    base = base_url or f"{(own or 'https://generativelanguage.googleapis.com').rstrip('/')}/v1beta"
    key = _key(("GOOGLE_API_KEY", "GEMINI_API_KEY"), is_needed=base_url is None and not own)
    headers = {"x-goog-api-key": key} if key else {}
    url = f"{base.rstrip('/')}/interactions/{quote(interaction_id, safe='')}"
    names = (interaction_id, agent_id)
    return _follow(_GEMINI, url, [("stream", "true")], headers, names, last_event_id, options)


def langgraph(
    thread_id: str,
    run_id: str,
    *,
    url: str = "http://localhost:2024",
    stream_mode: str | list[str] | None = None,
    last_event_id: str = "-1",
    agent_id: str | None = None,
    **options: Unpack[HostedOptions],
) -> Hosted:
    """Follow a run of a LangGraph server, over any number of connections, each event once.

    ::

        run = await client.runs.create(thread_id, "agent", input=..., stream_resumable=True)
        await vibe.watch(remote.langgraph(thread_id, run["run_id"], url="https://graphs.example"))

    The key is that of ``LANGGRAPH_API_KEY``, else of ``LANGSMITH_API_KEY`` or ``LANGCHAIN_API_KEY``, as the client chooses.

    Args:
        thread_id: The thread's id.
        run_id: The run's id. Only a run with ``stream_resumable=True`` can be resumed.
        url: The server's address.
        stream_mode: Some of the modes that the run was created with. Default: all of them.
        last_event_id: The id after which the stream begins. Default: the beginning.
        agent_id: The agent. Default: the run's id.
        **options: Options of ``event_source``.

    Raises:
        RemoteError: No such run, or a connection that breaks while the run cannot be resumed.
    """
    key = _key(("LANGGRAPH_API_KEY", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"), is_needed=False)
    path = f"threads/{quote(thread_id, safe='')}/runs/{quote(run_id, safe='')}/stream"
    modes = [stream_mode] if isinstance(stream_mode, str) else stream_mode or []
    params = [("stream_mode", mode) for mode in modes]
    headers = {"x-api-key": key} if key else {}
    address = f"{url.rstrip('/')}/{path}"
    return _follow(_LANGGRAPH, address, params, headers, (run_id, agent_id), last_event_id, options)


def _key(names: tuple[str, ...], *, is_needed: bool) -> str:
    """Return the key in the first of these variables that is set. Raises ``RemoteError``, without the key's value."""
    found = next((value.strip().strip("\"'") for name in names if (value := os.environ.get(name))), "")
    if not found and is_needed:
        msg = f"There is no key: set {names[0]} in the environment of this kernel."
        raise RemoteError(msg)
    return found


def _follow(
    service: _Service,
    url: str,
    params: list[tuple[str, str]],
    headers: dict[str, str],
    names: tuple[str, str | None],
    start: str | None,
    options: HostedOptions,
) -> Hosted:
    run_id, agent_id = names
    given = options.get("params") or {}
    chosen = cast(
        "HostedOptions",
        {
            "idle_timeout": _IDLE,
            "reconnect_delay": _QUICK,
            **options,
            "headers": {**headers, **(options.get("headers") or {})},
            "params": [*params, *(given.items() if isinstance(given, Mapping) else given)],
        },
    )
    # An empty token: the one for this package's own servers is not for a service.
    source = event_source(url, token="", last_event_id=start, **chosen)
    source.cursor = service.cursor
    dialect = HostedDialect(service, agent_id or run_id, run_id)
    found = Hosted(source, dialect, last_event_id=start)
    found.label = f"{service.name} {run_id}"
    return found

"""Follow a remote stream as the package's own events: each once, in any dialect, over any lost connection.

This module is the top of the folder, and adds dialects, duplicates and gaps to ``_event_source``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final, Self, Unpack
from urllib.parse import parse_qs, unquote, urlsplit

from ..events import Event, with_id
from ..exceptions import RemoteError
from ._decoder import ServerSentEvent
from ._dialects import GAP, PROJECT, Dialect, parse_object
from ._duplicates import DuplicateFilter, parse_position
from ._event_source import EventSource, event_source
from ._gaps import Filling, ServerGap, events_of, fetch_snapshots, filling, gap_artifact
from ._request import Options, StreamRequest
from ._secrets import redact
from ._status import Status

__all__ = ["Follow", "follow"]

_PROJECT: Final = re.compile(r"(.*)/(?:projects|xagents)/([^/]+)/stream/?")
_UNRESUMABLE_IDLE: Final = 600.0
"""Seconds: a model may think in silence for minutes, and no second request can continue its answer."""
_MOST_GAPS: Final = 100
"""Gaps held until the first event, which names their agent and run."""
_QUICK_RECONNECT: Final = 0.25
"""Seconds: vibex's own server loses the events that it sends while no client listens."""


class Follow(AsyncIterator[Event]):
    """Iterate over a remote stream's events; made by ``follow``. A source for ``watch``.

    ``last_event_id`` is the server's id of the last server-sent event whose events the consumer has
    all received.
    """

    def __init__(self, source: EventSource, dialect: Dialect, *, last_event_id: str | None) -> None:
        self._source = source
        self._dialect = dialect
        self._project = _PROJECT.fullmatch(source.path)
        self._duplicates = DuplicateFilter(last_event_id or "")
        self._last_event_id = last_event_id or ""
        self._pending: deque[Event] = deque()
        self._pending_id = self._last_event_id
        self._streams = 0
        self._filled: dict[str, tuple[int, int]] = {}
        self._gap: ServerSentEvent | None = None
        self._has_another_log = False  # the reader had events of another log than the server's present one
        self._unshown_gaps: deque[tuple[ServerGap, Filling]] = deque(maxlen=_MOST_GAPS)
        self._latest: tuple[str, str] | None = None
        self._is_over = False
        self._error: RemoteError | None = None

    def __repr__(self) -> str:
        return f"<follow {self.url}: {self.status}>"

    @property
    def connections(self) -> tuple[Follow, ...]:
        """Return the streams whose state a view shows: this one."""
        return (self,)

    @property
    def url(self) -> str:
        """Return the stream's URL without its secrets."""
        return self._source.url

    @property
    def title(self) -> str:
        """Return the title for a view: the project's id, else the URL."""
        return unquote(self._project[2]) if self._project else self.url

    @property
    def dialect(self) -> str | None:
        """Return the name of the adapter that reads the stream, once it is known."""
        return self._dialect.name

    @property
    def last_event_id(self) -> str:
        """Return the id to resume from."""
        return self._last_event_id

    @property
    def status(self) -> Status:
        """Return the connection's state."""
        return self._source.status

    def on_status(self, listener: Callable[[Status], object]) -> None:
        """Call *listener* with the present status and with each new one."""
        self._source.on_status(listener)

    def reconnect(self) -> None:
        """Connect again at once, from any thread."""
        self._source.reconnect()

    def close(self) -> None:
        """End the stream, from any thread."""
        self._is_over = True
        self._source.close()

    async def aclose(self) -> None:
        """End the stream and close the connection."""
        self._is_over = True
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._pending:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._is_over:
                await self._source.aclose()
                raise StopAsyncIteration
            await self._advance()
        event = self._pending.popleft()
        if not self._pending:
            self._last_event_id = self._pending_id
        return event

    async def _advance(self) -> None:
        if self._gap is not None:
            await self._fill_gap(self._gap)
            return
        event = self._source.get_nowait()
        if event is None:
            try:
                event = await anext(self._source)
            except StopAsyncIteration:
                self._end(None)
                return
            except RemoteError as error:
                self._end(error)
                return
        if self._source.streams != self._streams:
            if self._streams:
                self._duplicates.reconnected()
            self._streams = self._source.streams
        if event.event == GAP:
            self._gap = event
        else:
            self._accept(event)

    def _end(self, error: RemoteError | None) -> None:
        if error is None and not (self._is_over or self._source.resumable) and self._dialect.is_cut:
            error = RemoteError(
                f"{self.url}: the connection ended in the middle, and this stream cannot be resumed"
            )
        if not self._is_over:
            self._pending.extend(self._dialect.finish(error))
        self._is_over, self._error = True, error

    def _accept(self, event: ServerSentEvent) -> None:
        """Enqueue the events made from one server-sent event. The last of them commits the event's id."""
        dialect = self._dialect
        if not self._duplicates.is_duplicate(event, grows=dialect.is_ours or dialect.name is None):
            position = parse_position(event.id) if self._filled else None
            for made in dialect.read(event):
                if position is None or position > self._filled.get(made.agent_id, (-1, 0)):
                    self._enqueue(made if made.id == event.id or not event.id else with_id(made, event.id))
            self._adapt_connection(event)
        if not dialect.is_holding:
            self._pending_id = event.id
            if not self._pending:
                self._last_event_id = event.id
        if dialect.is_done:
            self._end(None)

    def _enqueue(self, event: Event) -> None:
        self._latest = event.agent_id, event.run_id
        self._pending.append(event)
        if self._unshown_gaps:
            self._flush_gaps()

    def _flush_gaps(self) -> None:
        self._pending.extend(self._show_gap(*each) for each in self._unshown_gaps)
        self._unshown_gaps.clear()

    def _adapt_connection(self, event: ServerSentEvent) -> None:
        """Set the connection's delays and resumption for the dialect, as far as the dialect is known."""
        source, name = self._source, self._dialect.name
        if name == PROJECT and not parse_position(event.id):
            source.hurry(_QUICK_RECONNECT)
        elif name is not None and name != PROJECT and not event.id:
            source.resumable = False
            if source.idle_timeout is not None:
                source.idle_timeout = max(source.idle_timeout, _UNRESUMABLE_IDLE)

    async def _fill_gap(self, event: ServerSentEvent) -> None:
        gap = ServerGap.of(parse_object(event.data))
        fetched = await fetch_snapshots(self._source, self._project) if gap.may_be_filled else None
        if self._is_over:
            return
        # No await from here on: the reader may be cancelled before this line, and then meets the gap again.
        self._gap = None
        if gap.is_of_another_log:
            self._duplicates.reset()
            self._filled.clear()
            self._has_another_log = True
        filled = filling(gap, fetched or (), has_another_log=self._has_another_log)
        if filled.snapshots:
            self._pending_id = min(filled.snapshots, key=lambda each: each.position).last_event_id
        for each in filled.snapshots:
            self._filled[each.transcript.agent_id] = each.position
            for made in events_of(each.transcript, appends=filled.appends):
                self._enqueue(made)  # the first one also flushes the waiting gaps
        self._unshown_gaps.append((gap, filled))
        if self._latest is not None:
            self._flush_gaps()

    def _show_gap(self, gap: ServerGap, filled: Filling) -> Event:
        agent_id, run_id = self._latest or ("", "")
        return gap_artifact(gap, agent_id, run_id, filled)


def follow(
    url: str,
    *,
    agent_id: str | None = None,
    adapter: str = "auto",
    last_event_id: str | None = None,
    **options: Unpack[Options],
) -> Follow:
    """Follow a remote stream as the package's own events, each once, over any number of connections.

    ::

        async for event in follow("https://host/projects/p1/stream"):
            ...
        await vibe.watch(follow(url))

    The stream's dialect may be that of this package's own server, the project events of vibex, AG-UI,
    Vercel's UI message stream, or the streaming answers of OpenAI and Anthropic (``json=`` holds their
    request).

    Args:
        url: The stream's address.
        agent_id: The agent, for streams whose events name none. Default: the last part of the URL's path.
        adapter: The adapter's name, for a stream whose first events do not show the dialect.
        last_event_id: The id after which the stream begins. Default: a project begins with its first
            event.
        **options: The options of ``event_source``.

    Raises:
        RemoteError: As ``event_source``; also for an answer that breaks off and cannot be resumed. The
            events before the break stay.
    """
    params = options.get("params") or {}
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RemoteError(f"{redact(url)} is no http(s) URL.") from None
    found = _PROJECT.fullmatch(parts.path)
    names = {*parse_qs(parts.query), *dict(params)}
    if found and last_event_id is None and "last_event_id" not in names:
        # In the query, because the header of a reconnect holds the id to resume from.
        params = [*(params.items() if isinstance(params, Mapping) else params), ("last_event_id", "0")]
    options["params"] = params
    request = StreamRequest.of(
        options.get("method"),
        options.get("json"),
        options.get("content"),
        resume=options.get("resume", False),
    )
    if not request.is_repeatable:
        options.setdefault("idle_timeout", _UNRESUMABLE_IDLE)
    source = event_source(url, last_event_id=last_event_id, **options)
    name = unquote(found[2]) if found else parts.path.strip("/").rpartition("/")[2]
    dialect = Dialect(agent_id=agent_id or name or "agent", run_id=name if found else None, adapter=adapter)
    return Follow(source, dialect, last_event_id=last_event_id)

"""``follow``: a remote stream as our events, each once, whatever it speaks and however often it breaks.

On top of ``_event_source.py``: it adds the dialect, what was seen already, and gaps.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, Unpack
from urllib.parse import parse_qs, unquote, urlsplit

from ..events import Event, with_id
from ..exceptions import RemoteError
from ._decoder import ServerSentEvent
from ._dialects import GAP, PROJECT, Dialect, loaded
from ._duplicates import Seen, ordered
from ._event_source import EventSource, event_source
from ._gaps import Filled, events_of, note, transcripts
from ._request import Ask, Options
from ._secrets import redact
from ._status import Status

__all__ = ["Follow", "follow"]

_PROJECT: Final = re.compile(r"(.*)/(?:projects|xagents)/([^/]+)/stream/?")
_UNRESUMABLE_IDLE: Final = 600.0
"""Seconds: a model may think for minutes without a word, and its answer cannot be asked for again."""
_MOST_NOTES: Final = 100
"""Gaps that wait for an event to be shown with."""
_SOON: Final = 0.25
"""Seconds: what the origin's server sends while nobody listens is lost."""


class Follow(AsyncIterator[Event]):
    """A remote stream's events; made by ``follow``. A source for ``watch``.

    ``last_event_id`` is the server's: that of the last event that was handed over whole.
    """

    def __init__(self, source: EventSource, dialect: Dialect, *, last_event_id: str | None) -> None:
        self._source = source
        self._dialect = dialect
        self._project = _PROJECT.fullmatch(source.path)
        self._seen = Seen(last_event_id or "")
        self._last_event_id = last_event_id or ""
        self._pending: deque[Event] = deque()
        self._pending_id = self._last_event_id
        self._streams = 0
        self._filled: dict[str, tuple[int, int]] = {}
        self._gap: ServerSentEvent | None = None
        self._notes: deque[tuple[dict[str, Any], Filled]] = deque(maxlen=_MOST_NOTES)
        self._latest: tuple[str, str] | None = None
        self._is_over = False
        self._error: RemoteError | None = None

    def __repr__(self) -> str:
        return f"<follow {self.url}: {self.status}>"

    @property
    def connections(self) -> tuple[Follow, ...]:
        """Itself: what a view shows the state of."""
        return (self,)

    @property
    def url(self) -> str:
        """Where, without what is secret in it."""
        return self._source.url

    @property
    def title(self) -> str:
        """What a view of it is called."""
        return unquote(self._project[2]) if self._project else self.url

    @property
    def dialect(self) -> str | None:
        """The name of the adapter that reads it, once that is known."""
        return self._dialect.name

    @property
    def last_event_id(self) -> str:
        """What to resume from."""
        return self._last_event_id

    @property
    def status(self) -> Status:
        """How the connection is doing."""
        return self._source.status

    def on_status(self, listener: Callable[[Status], object]) -> None:
        """Call *listener* now and whenever the status changes."""
        self._source.on_status(listener)

    def reconnect(self) -> None:
        """Connect anew and at once, from any thread."""
        self._source.reconnect()

    def close(self) -> None:
        """End it, from any thread."""
        self._is_over = True
        self._source.close()

    async def aclose(self) -> None:
        """End it, and let go of the connection."""
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
                self._seen.reconnected()
            self._streams = self._source.streams
        if event.event == GAP:
            self._gap = event
        else:
            self._take(event)

    def _end(self, error: RemoteError | None) -> None:
        if error is None and not (self._is_over or self._source.resumable) and self._dialect.is_cut:
            error = RemoteError(
                f"{self.url}: the connection ended in the middle, and this stream cannot be resumed"
            )
        if not self._is_over:
            self._pending.extend(self._dialect.finish(error))
        self._is_over, self._error = True, error

    def _take(self, event: ServerSentEvent) -> None:
        """Queue what one event of the server shows; its id is committed with the last of it."""
        dialect = self._dialect
        if not self._seen.is_old(event, grows=dialect.is_ours or dialect.name is None):
            place = ordered(event.id) if self._filled else None
            for made in dialect.read(event):
                if place is None or place > self._filled.get(made.agent_id, (-1, 0)):
                    self._queue(made if made.id == event.id or not event.id else with_id(made, event.id))
            self._mind(event)
        if not dialect.is_holding:
            self._pending_id = event.id
            if not self._pending:
                self._last_event_id = event.id
        if dialect.is_done:
            self._end(None)

    def _queue(self, event: Event) -> None:
        self._latest = event.agent_id, event.run_id
        self._pending.append(event)
        if self._notes:
            self._flush_notes()

    def _flush_notes(self) -> None:
        self._pending.extend(self._note(*each) for each in self._notes)
        self._notes.clear()

    def _mind(self, event: ServerSentEvent) -> None:
        """Treat the connection as what is now known of the stream asks for."""
        source, name = self._source, self._dialect.name
        if name == PROJECT and not ordered(event.id):
            source.hurry(_SOON)
        elif name is not None and name != PROJECT and not event.id:
            source.resumable = False
            if source.idle_timeout is not None:
                source.idle_timeout = max(source.idle_timeout, _UNRESUMABLE_IDLE)

    # Gaps

    async def _fill_gap(self, event: ServerSentEvent) -> None:
        data = loaded(event.data)
        gap = data if isinstance(data, dict) else {}
        missing = await transcripts(self._source, self._project)
        if self._is_over:
            return
        # Nothing is awaited from here on: a reader that is cancelled meets the gap again.
        self._gap = None
        if gap.get("reason") in ("ahead", "gone"):
            self._seen.reset()
        filled: Filled = "not"
        if missing is not None:
            filled = "whole" if all(each.is_whole for each in missing) else "in part"
            self._pending_id = min(missing, key=lambda each: each.place).reached
            for each in missing:
                self._filled[each.transcript.agent_id] = each.place
                for made in events_of(each.transcript):
                    self._queue(made)  # and with the first the notes that wait
        self._notes.append((gap, filled))
        if self._latest is not None:
            self._flush_notes()

    def _note(self, gap: dict[str, Any], filled: Filled) -> Event:
        agent_id, run_id = self._latest or ("", "")
        return note(gap, agent_id, run_id, filled)


def follow(
    url: str,
    *,
    agent_id: str | None = None,
    adapter: str = "auto",
    last_event_id: str | None = None,
    **options: Unpack[Options],
) -> Follow:
    """Follow a remote stream: our events, each once, whatever it speaks and however often it breaks.

    ::

        async for event in follow("https://host/projects/p1/stream"):
            ...
        await vibe.watch(follow(url))

    Understood are this package's own server, the project events of vibex, AG-UI, Vercel's UI message
    stream, and OpenAI's and Anthropic's streaming answers, asked for with ``json=``; ``adapter`` names
    it where that cannot be told. A project is followed from its beginning, or from after ``last_event_id``. ``agent_id`` is
    for streams that have no agents' ids. *options* are those of ``event_source``.

    Raises ``RemoteError`` like ``event_source``, and for an answer that breaks off and cannot be
    resumed; what came before stays.
    """
    params = options.get("params") or {}
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RemoteError(f"{redact(url)} is no http(s) URL.") from None
    found = _PROJECT.fullmatch(parts.path)
    names = {*parse_qs(parts.query), *dict(params)}
    if found and last_event_id is None and "last_event_id" not in names:
        # In the query: a reconnect says in the header where it was.
        params = [*(params.items() if isinstance(params, Mapping) else params), ("last_event_id", "0")]
    options["params"] = params
    ask = Ask.of(
        options.get("method"),
        options.get("json"),
        options.get("content"),
        resume=options.get("resume", False),
    )
    if not ask.repeats:
        options.setdefault("idle_timeout", _UNRESUMABLE_IDLE)
    source = event_source(url, last_event_id=last_event_id, **options)
    name = unquote(found[2]) if found else parts.path.strip("/").rpartition("/")[2]
    dialect = Dialect(agent_id=agent_id or name or "agent", run_id=name if found else None, adapter=adapter)
    return Follow(source, dialect, last_event_id=last_event_id)

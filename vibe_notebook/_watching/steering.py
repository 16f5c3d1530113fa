"""Steer a running agent: say something to it while it works, and show what becomes of it.

Below ``watch``, beside the pipeline. Each SDK has a way of its own: the user gives the object that has it, or a function.
A message is pending until the SDK has taken it; then it is a turn of the user in the transcript.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from .._controls import Payload
from .._event_loops import wait_for
from .._foreign_words import clean_logger
from .._forks import renew_in_child
from .._limits import CHAT_QUEUE, CHAT_SHOWN
from ..adapters.fields import get, ident, text
from ..events import Custom, MessageFinished, MessageStarted, TextDelta
from ..exceptions import ClosedError, NotSupportedError

if TYPE_CHECKING:
    from ..display import Output
    from ..events import Event
    from ..transcript import Transcript

__all__ = ["CANNOT", "SteerPayload", "Steered", "Steering", "steering_of"]

log = clean_logger("vibe_notebook")

State = Literal["pending", "taken", "refused"]
News = tuple[str | None, State, str | None]
"""Key of a message by the SDK (``None``: the oldest without one), what becomes of it, and why."""
_ENDED: Final = "The run ended before it took the message."
_WAYS: Final = (
    "watch(…, steer=…) takes an AgentRun or a RunContext of pydantic-ai, a ClaudeSDKClient, a connection of OpenAI's "
    "WebSocket Responses, or a function of the text."
)
CANNOT: Final = f"This stream cannot be steered: {_WAYS}"


class Stream(Protocol):
    """Describe the pipeline, as steering knows it."""

    @property
    def agent_id(self) -> str | None:
        """Return the agent; ``None`` before the first event."""

    def current(self) -> dict[str, Transcript]:
        """Return the transcripts of this moment."""

    def interject(self, events: Iterable[Event]) -> object:
        """Dispatch events of the stream's run."""

    def draw(self, show: Callable[[Output], object]) -> None:
        """Show something in the view."""


class SteerPayload(Payload):
    """Describe a page's message that steers."""

    id: str
    text: str


@dataclass(eq=False)
class Steered:
    """Hold one message to a running agent: ``await`` it for whether the agent has taken it."""

    text: str
    name: str
    state: State = "pending"
    reason: str | None = None
    key: str | None = None
    future: Future[bool] = field(default_factory=Future, repr=False)

    def __await__(self) -> Generator[Any, None, bool]:
        return wait_for(self.future).__await__()


class Steering:
    """Hold the messages to one running agent. Any thread may send; the consumer's thread sees the natives."""

    shows_itself = False
    """True if the stream's own events show the message once the SDK has taken it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sent: list[Steered] = []
        self._unplaced: list[Steered] = []  # settled before the run had an event
        self._pipeline: Stream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

        renew_in_child(self)

    def renew(self) -> None:
        """Steer nothing in the child of a fork: the agent is the parent's."""
        self._lock = threading.RLock()
        self._sent, self._unplaced, self._pipeline = [], [], None

    @property
    def is_open(self) -> bool:
        """Return whether the run goes on."""
        return self._pipeline is not None

    def begin(self, pipeline: Stream) -> None:
        """Offer the view a box. The caller reads the stream on this thread's loop, if it has one."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._pipeline = pipeline
        self._draw()

    def close(self) -> None:
        """Refuse what is pending: the run has ended."""
        with self._lock:
            pending = [one for one in self._sent if one.state == "pending"]
        for one in pending:
            self._settle(one, "refused", _ENDED)
        self._place()
        with self._lock:
            self._draw(can=False)
            self._pipeline = None

    def send(self, words: str, name: str | None = None) -> Steered:
        """Send a message to the agent. Raises ``ClosedError`` after the end of the run, ``ValueError`` without words."""
        if not isinstance(words, str):
            msg = f"steer({type(words).__name__}): a message is a text."
            raise TypeError(msg)
        if not words.strip():
            msg = "The message has no words."
            raise ValueError(msg)
        made = Steered(words, name or uuid.uuid4().hex)
        with self._lock:
            if self._pipeline is None:
                msg = "The run has ended, or not begun: it takes no message."
                raise ClosedError(msg)
            self._sent = [
                *(one for one in self._sent if one.state == "pending"),
                *self._sent[-CHAT_QUEUE:],
                made,
            ]
            self._sent = list(dict.fromkeys(self._sent))
            self._draw()
        try:
            found = self._send(words)
        except Exception as error:  # noqa: BLE001 - the SDK's own, which the view shows
            self._fail(made, error)
            return made
        if inspect.isawaitable(found):
            self._run(partial(self._finish, made, found))
        else:
            self._sent_as(made, found)
        return made

    def click(self, id: str, text: str) -> None:  # noqa: A002 - the message's fields
        """Send what a page has sent; the page is told of a failure."""
        try:
            self.send(text, id)
        except (ClosedError, ValueError) as error:
            refused = Steered(text, id, "refused", str(error))
            with self._lock:
                self._sent.append(refused)
                self._draw()

    def see(self, native: Any) -> None:
        """Read an event of the stream: it may tell what becomes of a message."""
        if self._unplaced:
            self._place()
        for key, state, reason in self._news(native):
            with self._lock:
                pending = [one for one in self._sent if one.state == "pending"]
                found = next((one for one in pending if one.key == key), None)
            if found is not None:
                self._settle(found, state, reason)

    def _send(self, words: str) -> Any:
        """Give the message to the SDK; return its key, or an awaitable of it."""
        raise NotImplementedError

    def _news(self, native: Any) -> Iterator[News]:
        """Yield what an event of the stream tells of messages."""
        del native
        yield from ()

    def _sent_as(self, made: Steered, key: Any) -> None:
        """Record that the SDK has the message: without further news that is all there is to know."""
        del key
        self._settle(made, "taken")

    def _run(self, coroutine: Callable[[], Any]) -> None:
        """Await the SDK's own call on the loop of the stream, or in a thread."""
        loop = self._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self._make_task, loop, coroutine)
        else:
            threading.Thread(target=lambda: asyncio.run(coroutine()), name="vibe-steer", daemon=True).start()

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Callable[[], Any]) -> None:
        task = loop.create_task(coroutine())
        self._tasks.add(task)  # the loop holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, made: Steered, found: Any) -> None:
        try:
            self._sent_as(made, await found)
        except Exception as error:  # noqa: BLE001 - the SDK's own, which the view shows
            self._fail(made, error)

    def _fail(self, made: Steered, error: Exception) -> None:
        log.debug("A message could not be given to the agent", exc_info=error)
        self._settle(made, "refused", str(error) or type(error).__name__)

    def _settle(self, made: Steered, state: State, reason: str | None = None) -> None:
        with self._lock:
            if made.state != "pending":
                return
            made.state, made.reason = state, reason
            self._unplaced.append(made)
            self._draw()
        self._place()
        made.future.set_result(state == "taken")

    def _place(self) -> None:
        """Put the settled messages into the run; they wait for its first event."""
        pipeline = self._pipeline
        if pipeline is None or (place := _run_of(pipeline)) is None:
            return
        with self._lock:
            placed, self._unplaced = self._unplaced, []
        for made in placed:
            pipeline.interject(list(self._events(made, dict(place))))

    def _events(self, made: Steered, place: dict[str, Any]) -> Iterator[Any]:
        if made.state == "refused":
            value = f"{made.text}: {made.reason}"
            yield Custom(**place, name="Not taken", value=value, shown=True)
        elif not self.shows_itself:
            place["message_id"] = f"steer-{made.name}"  # parts.py knows it by its beginning
            yield MessageStarted(**place, role="user")
            yield TextDelta(**place, delta=made.text)
            yield MessageFinished(**place)

    def _draw(self, *, can: bool = True) -> None:
        """Draw the box and the messages. The caller holds the lock where the order of two states matters."""
        pipeline = self._pipeline
        if pipeline is None:
            return
        with self._lock:
            sent = [[one.name, one.text[:CHAT_SHOWN], one.state, one.reason] for one in self._sent]
            pipeline.draw(lambda output: output.steering({"can": can, "sent": sent}))


def _run_of(stream: Stream) -> dict[str, str] | None:
    """Return the stream's run: the newest open one, else the newest; ``None`` before its first event."""
    found = stream.current().get(stream.agent_id or "")
    tops = [run for run in found.runs if run.parent_run_id is None] if found is not None else []
    newest = next((run for run in reversed(tops) if run.outcome is None), tops[-1] if tops else None)
    return None if newest is None else {"agent_id": stream.agent_id or "", "run_id": newest.run_id}


class _Called(Steering):
    """Steer by a function of the user's: once it has returned, the agent has the message."""

    def __init__(self, steer: Callable[[str], Any]) -> None:
        super().__init__()
        self._call = steer

    def _send(self, words: str) -> Any:
        return self._call(words)


class _Enqueued(Steering):
    """Steer a run of pydantic-ai: its queue names each message, and an event tells that the run has taken it."""

    shows_itself = True

    def __init__(self, enqueue: Callable[[str], Any]) -> None:
        super().__init__()
        self._enqueue = enqueue

    def _send(self, words: str) -> Any:
        return self._enqueue(words)

    def _sent_as(self, made: Steered, key: Any) -> None:
        made.key = ident(key)

    def _news(self, native: Any) -> Iterator[News]:
        if text(get(native, "event_kind")) == "enqueued_messages":
            yield ident(get(native, "enqueue_id")), "taken", None


class _Client(Steering):
    """Steer Claude Code by its client: with ``replay-user-messages`` it repeats each message that it takes up."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client
        self.shows_itself = "replay-user-messages" in (get(client, "options", "extra_args") or {})

    def _send(self, words: str) -> Any:
        return self._client.query(words)

    def _sent_as(self, made: Steered, key: Any) -> None:
        if self.shows_itself:
            made.key = made.text
        else:
            super()._sent_as(made, key)

    def _news(self, native: Any) -> Iterator[News]:
        if self.shows_itself and type(native).__name__ == "UserMessage":
            content = get(native, "content")
            blocks = content if isinstance(content, list) else ()
            yield text(content) or "".join(text(get(one, "text")) for one in blocks), "taken", None


class _OnSocket(Steering):
    """Steer a response over OpenAI's WebSocket: the server owns an accepted message, and its next response has it."""

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._connection = connection
        self._response_id: str | None = None
        self._owned: list[str] = []

    def _send(self, words: str) -> Any:
        if self._response_id is None:
            msg = "No response runs yet."
            raise ClosedError(msg)
        return self._connection.response.steer(input=words, previous_response_id=self._response_id)

    def _sent_as(self, made: Steered, key: Any) -> None:
        """Wait for the server's word."""

    def _news(self, native: Any) -> Iterator[News]:
        kind, steer = text(get(native, "type")), get(native, "steer")
        if kind == "response.created":
            self._response_id = ident(get(get(native, "response"), "id")) or self._response_id
            owned, self._owned = self._owned, []
            yield from ((key, "taken", None) for key in owned)
        elif kind == "response.steer.accepted" and (key := ident(get(steer, "id"))):
            with self._lock:
                waits = [one for one in self._sent if one.state == "pending" and one.key is None]
                if waits:
                    waits[0].key = key
                    self._owned.append(key)
        elif kind == "response.steer.failed":
            key = ident(get(steer, "id"))
            problem = get(native, "error")
            known = key if key in self._owned else None
            self._owned = [one for one in self._owned if one != key]
            yield known, "refused", text(get(problem, "message")) or ident(get(problem, "code"))


def steering_of(steer: Any) -> Steering:
    """Return the way to steer by this object of an SDK, or function. Raises ``NotSupportedError`` for another one."""
    if getattr(steer, "__name__", "") == "enqueue" and callable(steer):
        return _Enqueued(steer)
    if callable(enqueue := getattr(steer, "enqueue", None)):
        return _Enqueued(enqueue)
    if callable(getattr(getattr(steer, "response", None), "steer", None)):
        return _OnSocket(steer)
    if hasattr(steer, "receive_response") and hasattr(steer, "query"):
        return _Client(steer)
    if callable(steer):
        return _Called(steer)
    msg = f"steer={type(steer).__name__} cannot be steered: {_WAYS}"
    raise NotSupportedError(msg)

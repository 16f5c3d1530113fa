"""``chat``: talk to an agent in one view, turn by turn.

Above ``watch``: each turn is a watch of its own that is shown in the chat's view, as a run of the chat's agent. The box,
``send`` and a terminal's prompt put messages into one queue; one task works it off on the loop of the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from .._controls import Control, Payload
from .._event_loops import wait_for
from .._forks import renew_in_child
from .._host import host
from .._limits import CHAT_QUEUE, CHAT_SHOWN
from ..exceptions import ClosedError, NoAnswerError, NotSupportedError
from ..recording import Recorder
from ..registry import get_registry
from ..transcript import Transcript
from .ids import fresh_agent_id
from .pipeline import Pipeline
from .questions import Question
from .requests import AnswerPayload, Pending
from .steering import CANNOT, Steered, SteerPayload
from .stepper import Ticker, in_thread
from .transcribed import Transcribed
from .turns import Sent, Turn

if TYPE_CHECKING:
    from .questions import Request
    from .watch import Watch

__all__ = ["Chat", "chat"]

_SEEN: Final = 50
"""Messages of which a page learns that they have arrived: it may send so many while a cell blocks the kernel."""
_tasks: set[asyncio.Task[None]] = set()


class _SendPayload(Payload):
    id: str
    text: str


class _IdPayload(Payload):
    id: str


class Chat(Transcribed):
    """Hold a conversation in one view; made by ``chat``. Any thread may send, stop and close."""

    def __init__(self, turn: Callable[[str, Chat], Any], pipeline: Pipeline) -> None:
        super().__init__(pipeline, kind="chat")
        self._turn = turn
        self._lock = threading.RLock()
        self._queue: deque[Sent] = deque()
        self._seen: deque[str] = deque(maxlen=_SEEN)
        self._back: tuple[str, str] | None = None
        self._refused: tuple[str, str] | None = None
        self._running: Turn | None = None
        self._is_working = False
        self._idle: Future[None] = Future()
        self._idle.set_result(None)
        self._over: Future[None] = Future()
        self._closed = False
        self._last: Watch | None = None
        self._result: Any = None
        self._has_page: bool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.copy_context()
        self._cell: int | None = None
        pipeline.on_stop = self.stop
        pipeline.controls = (
            Control("answer", self._click_answer, AnswerPayload),
            Control("came", self._page_came),
            Control("left", self._page_left),
            Control("send", self._click_send, _SendPayload),
            Control("take_back", self._click_take_back, _IdPayload),
            Control("steer", self._click_steer, SteerPayload),
            Control("close", self.close),
        )

        renew_in_child(self)

    def renew(self) -> None:
        """Hold no message in the child of a fork: the parent's turns are the parent's."""
        self._lock = threading.RLock()
        self._queue.clear()
        self._running, self._is_working, self._loop = None, False, None

    def begin(self) -> None:
        """Open the view. Raises the errors of the recording and of the output."""
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        self._cell = host().current_cell()
        self._pipeline.run_ids = None  # the turns have found theirs
        self._pipeline.begin()
        self._draw()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "in a turn" if self._running else "open"
        return f"<chat {self.title!r}: {state}>"

    def _ipython_display_(self) -> None:
        """Show nothing in the cell that has the view; elsewhere the form of this moment."""
        if self._cell is None or self._cell != host().current_cell():
            self.show()

    # The conversation

    @property
    def last(self) -> Watch | None:
        """Return the finished watch of the turn before; ``None`` in the first turn."""
        return self._last

    @property
    def native_result(self) -> Any:
        """Return the SDK's result of the newest turn that had one: a turn that failed or was stopped has none."""
        return self._result

    @property
    def queue(self) -> list[Sent]:
        """Return the messages that wait for their turn, oldest first."""
        with self._lock:
            return list(self._queue)

    def send(self, text: str) -> Sent:
        """Send a message: its turn begins when those before it have ended. ``await`` gives the turn's transcript.

        Raises ``ClosedError`` after ``close()``, ``ValueError`` for a text without words or a full queue.
        """
        return self._add(text, uuid.uuid4().hex)

    def take_back(self, sent: Sent) -> bool:
        """Take a message out of the queue; return False if its turn has begun."""
        with self._lock:
            if sent not in self._queue:
                return False
            self._queue.remove(sent)
            self._back = (sent.name, sent.text)
            self._draw()
        sent.fail(ClosedError("The message was taken back before its turn."))
        return True

    def stop(self) -> bool:
        """End the running turn; the chat stays open. Return False without one."""
        with self._lock:
            running = self._running
        return running is not None and running.stop()

    @property
    def can_steer(self) -> bool:
        """Return whether a turn runs that ``steer`` can say something to."""
        made = self._running_watch()
        return made is not None and made.can_steer

    def steer(self, text: str) -> Steered:
        """Say something to the agent of the running turn, as ``run.steer`` does; ``send`` waits for the next turn."""
        made = self._running_watch()
        if made is None:
            raise NotSupportedError(f"No turn runs that could be steered. {CANNOT}")
        return made.steer(text)

    def _running_watch(self) -> Watch | None:
        with self._lock:
            return None if self._running is None else self._running.watch

    def close(self) -> None:
        """End the chat: stop its turn, drop what waits, and show the final form. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            dropped, is_working = list(self._queue), self._is_working
            self._queue.clear()
        for sent in dropped:
            sent.fail(ClosedError("The chat was closed before the message had its turn."))
        self.stop()
        if not is_working:
            self._pipeline.finalize(later=True)
            self._over.set_result(None)

    def __await__(self) -> Generator[Any, None, Transcript]:
        return self._wait().__await__()

    async def _wait(self) -> Transcript:
        """Wait for the end of the chat; where nobody is there, for the end of the queue. A terminal has a prompt."""
        ticker = Ticker()
        ticker.start()
        try:
            if self.is_shown and host().asks_in_lines:
                await self._prompt()
            await wait_for(self._over if self._is_anybody_there() else self._idle)
        finally:
            ticker.stop()
        said = self.transcript
        host().remember((said,), host().current_cell() if self.is_shown else None, self.title)
        return said

    def _is_anybody_there(self) -> bool:
        return self._closed or self._has_page is True or (self._pipeline.desk.is_reachable and self.is_shown)

    async def _prompt(self) -> None:
        """Read messages from the terminal until its end (Ctrl-D)."""
        while not self._closed:
            await wait_for(self._idle)
            try:
                line = await in_thread(lambda: host().ask_line("> "))
            except (EOFError, NoAnswerError):
                break
            if line.strip() and not self._closed:
                with contextlib.suppress(Exception):  # the terminal has shown the turn's error
                    await self.send(line)
        self.close()

    # Requests of a turn, in the chat's view

    def approve(
        self,
        message: str,
        *,
        default: Literal["decline", "cancel"] | None = None,
        timeout: float | None = None,
    ) -> Pending:
        """Ask for a yes within a turn: ``if await chat.approve("Delete the folder?"):``, as ``live.approve`` does."""
        return self._ask(Question("approval", message, default=default, timeout=timeout))

    def ask(
        self,
        message: str,
        *,
        options: Iterable[Any] = (),
        answer_schema: Any = None,
        default: Any = None,
        timeout: float | None = None,
    ) -> Pending:
        """Ask a question within a turn, as ``live.ask`` does."""
        return self._ask(
            Question("question", message, tuple(options), answer_schema, default=default, timeout=timeout)
        )

    def _ask(self, question: Question) -> Pending:
        with self._lock:
            running = self._running
        if running is None:
            msg = "No turn runs: ask within the function that you gave to vibe.chat(...)."
            raise ClosedError(msg)
        return running.desk.ask(question, (self.agent_id or "", running.run_id))

    @property
    def requests(self) -> list[Request]:
        """Return what waits for an answer that ``answer`` can give, oldest first."""
        return [request for desk in self._desks() for request in desk.requests()]

    def answer(
        self,
        request: Request | str,
        action: Literal["accept", "decline", "cancel"],
        value: Any = None,
        reason: str | None = None,
    ) -> bool:
        """Answer a request of the running turn, as ``run.answer`` does."""
        return any(desk.answer(request, action, value, reason) for desk in self._desks())

    def on_request(self, callback: Callable[[Request], object] | None) -> None:
        """Call *callback* with each request of each turn: whoever registers one is there to answer."""
        with self._lock:
            for desk in self._desks():
                desk.on_request = callback

    def _desks(self) -> list[Any]:
        with self._lock:
            return [self._pipeline.desk, *([self._running.desk] if self._running else [])]

    def _click_answer(self, **answer: Any) -> None:
        for desk in self._desks():
            desk.click(**answer)

    def _page_came(self) -> None:
        self._has_page = True
        for desk in self._desks():
            desk.page_came()

    def _page_left(self) -> None:
        self._has_page = False
        for desk in self._desks():
            desk.page_left()

    # The queue

    def _click_send(self, id: str, text: str) -> None:  # noqa: A002 - the message's field
        try:
            self._add(text, id)
        except (ClosedError, ValueError) as error:
            self._refuse(id, str(error))

    def _click_steer(self, id: str, text: str) -> None:  # noqa: A002
        made = self._running_watch()
        if made is not None and made.steering is not None:
            made.steering.click(id, text)
        else:
            self._refuse(id, "No turn runs that takes a message now.")

    def _refuse(self, name: str, words: str) -> None:
        with self._lock:
            self._seen.append(name)
            self._refused = (name, words)
            self._draw()

    def _click_take_back(self, id: str) -> None:  # noqa: A002
        for sent in self.queue:
            if sent.name == id:
                self.take_back(sent)

    def _add(self, text: str, name: str) -> Sent:
        if not isinstance(text, str):
            msg = f"send({type(text).__name__}): a message is a text."
            raise TypeError(msg)
        if not text.strip():
            msg = "The message has no words."
            raise ValueError(msg)
        sent = Sent(text, name, take_back=self.take_back, stop=self.stop)
        with self._lock:
            if self._closed:
                msg = "This chat has ended; start a new one with vibe.chat(...)."
                raise ClosedError(msg)
            if len(self._queue) >= CHAT_QUEUE:
                msg = f"{CHAT_QUEUE} messages wait for their turn already."
                raise ValueError(msg)
            self._queue.append(sent)
            self._seen.append(name)
            begins, self._is_working = not self._is_working, True
            if begins:
                self._idle = Future()
            self._draw()
        if begins:
            self._start()
        return sent

    def _start(self) -> None:
        """Work off the queue: on the chat's loop, else on the present one, else in a thread."""
        loop = self._loop
        if loop is None or not loop.is_running():
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                loop = None
        context = self._context.copy()  # the displays of a turn belong to the chat's cell
        if loop is not None:
            loop.call_soon_threadsafe(self._make_task, loop, context)
            return
        threading.Thread(
            target=context.run, args=(asyncio.run, self._work()), name="vibe-chat", daemon=True
        ).start()

    def _make_task(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        task = loop.create_task(self._work(), context=context)
        _tasks.add(task)  # the loop holds tasks weakly
        task.add_done_callback(_tasks.discard)

    async def _work(self) -> None:
        is_idle, idle = False, self._idle  # a later worker has another future
        dropped: list[Sent] = []
        try:
            while (running := self._next()) is not None:
                try:
                    await running.run(self._ended)
                except (asyncio.CancelledError, KeyboardInterrupt):
                    task = asyncio.current_task()
                    if task is None or task.cancelling():
                        raise  # else the turn's own code raised it: the next one has its turn
            is_idle = True
        finally:
            with self._lock:
                if not is_idle:  # else another worker may be at it already
                    self._running, self._is_working = None, False
                    dropped, self._queue = list(self._queue), deque()
                is_over = self._closed and not self._is_working
                self._draw()
            for sent in dropped:
                sent.fail(ClosedError("The chat was interrupted before the message had its turn."))
            if is_over:
                await self._pipeline.finalize_async()
                if not self._over.done():
                    self._over.set_result(None)
            if not idle.done():
                idle.set_result(None)

    def _next(self) -> Turn | None:
        """Begin the next turn; ``None``: the queue is empty, and the work ends."""
        with self._lock:
            self._running = None
            if self._queue:
                sent = self._queue.popleft()
                self._running = Turn(self, self._pipeline, sent, partial(self._turn, sent.text, self))
                self._running.has_page = self._has_page
            else:
                self._is_working = False  # a message from now on begins it anew
            self._draw()
            return self._running

    def _ended(self, made: Watch | None) -> None:
        if made is not None:
            self._last = made
            if made.native_result is not None:
                self._result = made.native_result

    def _draw(self) -> None:
        """Draw the box and the queue. The caller holds the lock where the order of two states matters."""
        with self._lock:
            state = {
                "busy": self._running is not None,
                "queue": [[sent.name, sent.text[:CHAT_SHOWN]] for sent in self._queue],
                "seen": list(self._seen),
                "back": self._back,
                "refused": self._refused,
                "alone": not self._pipeline.desk.is_reachable,
            }
            self._pipeline.draw(lambda output: output.chat(state))


def chat(
    turn: Callable[[str, Chat], Any],
    *,
    title: str | None = None,
    agent_id: str | None = None,
    record: str | os.PathLike[str] | Recorder | None = None,
    display: bool = True,
) -> Chat:
    """Talk to an agent in one view, with a box below it; the cell returns at once.

    ::

        def turn(text, chat):
            history = chat.native_result.all_messages() if chat.native_result else None
            return agent.run_stream_events(text, message_history=history)


        chat = vibe.chat(turn)

    ``turn(text, chat)`` is called for each message and returns a source for ``watch``, or a watch with its options; it may
    be an async function or an async generator. A text, or nothing, is an answer too. A message that is sent while a turn
    runs waits, and can be taken back. ``await chat.send(text)`` sends one from code, ``chat.close()`` ends the chat.
    """
    if not callable(turn):
        msg = f"chat({type(turn).__name__}): give a function of the text and the chat that returns a stream."
        raise TypeError(msg)
    registry = get_registry()
    made = Chat(
        turn,
        Pipeline(
            registry,
            agent_id=agent_id or fresh_agent_id(registry),
            title=title or agent_id or "chat",
            adapter="",
            renderer=None if display else "none",
            record=record,
        ),
    )
    made.begin()
    return made

"""Hold one message of a chat, and run its turn: a watch that is shown in the chat's view.

Below ``chat.py``, which has the queue, above ``watch.py``.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from .._event_loops import wait_for
from .._foreign_words import clean_logger
from ..events import Custom, RunFinished, RunStarted
from ..transcript import Transcript
from .context import enter, leave
from .entry import watch
from .requests import ENDED
from .stepper import END, Stepper, Ticker
from .watch import Watch

if TYPE_CHECKING:
    from .pipeline import Pipeline
    from .transcribed import Transcribed

__all__ = ["Sent", "Turn"]

log = clean_logger("vibe_notebook")


class Sent:
    """Hold one message of the user: ``await`` it for the transcript of its turn.

    Raises the error of its turn, and ``ClosedError`` for a message that never got one.
    """

    def __init__(
        self, text: str, name: str, *, take_back: Callable[[Sent], bool], stop: Callable[[], object]
    ) -> None:
        self.text = text
        self.name = name
        self.future: Future[Transcript] = Future()
        self._take_back = take_back
        self._stop = stop

    def __repr__(self) -> str:
        return f"<sent {self.text[:40]!r}: {'done' if self.done() else 'waiting'}>"

    def done(self) -> bool:
        """Return whether its turn has ended, or never will begin."""
        return self.future.done()

    def take_back(self) -> bool:
        """Take the message back, unless its turn has begun."""
        return self._take_back(self)

    def __await__(self) -> Generator[Any, None, Transcript]:
        return self._wait().__await__()

    async def _wait(self) -> Transcript:
        ticker = Ticker()
        ticker.start()
        try:
            return await wait_for(self.future)
        except asyncio.CancelledError:
            if not self.done() and not self.take_back():
                self._stop()  # the user has interrupted the cell that waits
            raise
        finally:
            ticker.stop()

    def fail(self, error: Exception) -> None:
        """End the wait for a turn that never begins."""
        if not self.future.done():
            self.future.set_exception(error)


class Turn:
    """Run one turn: call the user's function, and watch what it returns in the chat's view."""

    def __init__(self, owner: Transcribed, view: Pipeline, sent: Sent, call: Callable[[], Any]) -> None:
        self._owner = owner
        self._view = view
        self._sent = sent
        self._call = call
        self._stepper = Stepper()  # of the function itself
        self.watch: Watch | None = None
        self.run_id = uuid.uuid4().hex
        self.desk = view.desk
        self.has_page: bool | None = None  # True while a page shows the view, None before the first one

    def stop(self) -> bool:
        """End the turn; return False if it has ended or was stopped before."""
        return self._stepper.cancel() or (self.watch is not None and self.watch.cancel())

    async def run(self, ended: Callable[[Watch | None], object]) -> None:
        """Run the turn to its end, and call *ended* with its watch before its transcript is given.

        A failure goes into the view and to the caller of ``send``.
        """
        view, agent_id = self._view, self._view.agent_id or ""
        failure: BaseException | None = None
        hold = view.registry.hold(agent_id)
        try:
            view.dispatch([RunStarted(agent_id=agent_id, run_id=self.run_id, input=self._sent.text)])
            made = await self._open(hold.since)
            await made.consume()
        except BaseException as error:
            failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._end(failure, ended)
            hold.release()

    async def _open(self, since: int) -> Watch:
        """Call the user's function, and begin the watch of what it returns, or of its failure."""
        token = enter(self._owner)
        try:
            found = await self._stepper.astep(self._find)
            made = _watch_of(found, self._view)
            self._begin(made, since)
        except Exception as error:
            if self.watch is not None:
                raise
            made = _watch_of(_failing(error), self._view)
            self._begin(made, since)
        finally:
            leave(token)
        if self._stepper.end():
            made.cancel()  # stopped before there was a stream
        return made

    def _begin(self, made: Watch, since: int) -> None:
        made.begin_in(self._view, _InView(self._view), self.run_id, since)
        self.desk = made.desk
        self.desk.on_request = self._view.desk.on_request
        self.desk.is_reachable = self._view.desk.is_reachable
        if self.has_page:
            self.desk.page_came()
        self.watch = made

    async def _find(self) -> Any:
        """Return what the user's function gives: a source, a text or nothing."""
        found = self._call()
        while inspect.iscoroutine(found) or asyncio.isfuture(found):
            found = await found
        return found

    def _end(self, failure: BaseException | None, ended: Callable[[Watch | None], object]) -> None:
        """End the run of the turn if no stream has ended it, say why it has failed, and give its transcript."""
        view, agent_id, made = self._view, self._view.agent_id or "", self.watch
        for request in view.desk.requests():
            view.desk.answer(request, "cancel", by=ENDED)
        transcript = made.transcript if made is not None else Transcript(agent_id=agent_id)
        outcome = transcript.outcome
        words: str | None
        if isinstance(failure, Exception):
            outcome, words = "error", transcript.error or f"{type(failure).__name__}: {failure}"
            level = logging.DEBUG if view.is_shown else logging.ERROR
            log.log(level, "A turn of %r failed", view.title or agent_id, exc_info=failure)
        elif failure is not None or outcome == "cancelled":
            outcome, words = "cancelled", made.transcript.error if made is not None else None
        else:
            words = transcript.error
        if not self._has_ended():
            view.dispatch([RunFinished(agent_id=agent_id, run_id=self.run_id, outcome=outcome or "success")])
        if outcome in ("error", "cancelled"):
            # The forms show the error of the newest run only.
            name = "Failed" if outcome == "error" else "Stopped"
            line = Custom(agent_id=agent_id, run_id=self.run_id, name=name, value=words, shown=True)
            view.dispatch([line])
        ended(made)
        if failure is None:
            self._sent.future.set_result(transcript)
        else:
            self._sent.future.set_exception(failure)

    def _has_ended(self) -> bool:
        with self._view.registry.reading(self._view.agent_id or "") as found:
            run = found.runs.get(self.run_id) if found is not None else None
            return run is None or run.ended


class _InView:
    """Show a turn in the view of its chat: an output that draws nothing by itself."""

    is_light = True
    is_alone = True

    def __init__(self, view: Pipeline) -> None:
        self._view = view

    def watch(self, agent_id: str, since: int) -> None:
        """Show a further agent of the turn in the chat's view too."""
        self._view.follow(agent_id, since=since)

    def report(self, text: str) -> None:
        """Show a failure in the background."""
        self._view.report(text)

    def connection(self, lines: Sequence[tuple[str, str]], last_words: str | None) -> None:
        """Show the connections of the turn in the chat's header."""
        self._view.draw(lambda output: output.connection(lines, last_words))

    def stopping(self) -> None:
        """Show that the turn ends after its present step."""
        self._view.stopping()

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        """Offer an answer in the chat's view."""
        self._view.draw(lambda output: output.ask(request_id, form))

    def refuse(self, request_id: str, words: str) -> None:
        """Say in the chat's view why an answer does not fit."""
        self._view.draw(lambda output: output.refuse(request_id, words))

    def usage(self, usage: dict[str, Any] | None) -> None:
        """Show the usage of all turns so far: they share the chat's meter."""
        self._view.draw(lambda output: output.usage(usage))

    def chat(self, state: Mapping[str, Any]) -> None:
        """Show nothing: a turn is no chat."""

    def steering(self, state: Mapping[str, Any]) -> None:
        """Offer to steer the turn in the chat's box."""
        self._view.draw(lambda output: output.steering(state))

    def withdraw(self) -> None:
        """Show nothing: no other view shows a turn."""

    def flush(self) -> None:
        """Return at once: the chat's view draws."""

    def wait_for_lull(self) -> None:
        """Return at once: a turn has no final form."""

    def finish(self, transcripts: Mapping[str, Transcript]) -> None:
        """Show nothing: the chat's view goes on."""


def _watch_of(found: Any, view: Pipeline) -> Watch:
    """Return a watch of what a turn has returned: a watch with its options, a source, a text, or nothing."""
    if isinstance(found, Watch):
        return found
    if found is None or found is END:
        return watch((), adapter="text", registry=view.registry)
    if isinstance(found, str):
        return watch((found,), adapter="text", registry=view.registry)
    return watch(found, registry=view.registry)


async def _failing(error: Exception) -> AsyncIterator[Any]:
    raise error
    yield

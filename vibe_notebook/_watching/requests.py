"""Ask the user, and hold what is asked until somebody answers: ``run.requests``, ``run.answer``, ``Pending``.

Beside the pipeline, which has one desk for each view. A request is two events of its run, so every form shows it; the
desk holds what the events cannot: who waits, until when, and who may answer. A click, a timer, ``run.answer`` and the
end of the run settle it under one lock: the first one wins.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextvars import Context, copy_context
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from .._controls import Payload
from .._event_loops import in_loop, wait_for
from .._foreign_words import clean_logger
from .._forks import renew_in_child
from .._forms.conversation import question_of
from .._forms.terminal_text import terminal_text
from .._host import host
from .._json_values import to_json_value
from .._settings import answer_wait
from ..display import Output
from ..events import Event, InputAnswered, InputRequested
from ..exceptions import NoAnswerError
from ..parts import Answer, RequestValue
from .answers import Field, ask_in_lines, check_value, form_of
from .questions import Question, Request
from .unattended import ANSWERS, nobody, of_environment

__all__ = ["CLOSED", "ENDED", "AnswerPayload", "Desk", "Pending", "Question", "Request"]

log = clean_logger("vibe_notebook")

Action = Literal["accept", "decline", "cancel"]
LONGEST: Final = threading.TIMEOUT_MAX / 2
"""Seconds that a timer can wait."""
_BLOCKED: Final = 1.0
"""Seconds without a turn of the kernel's loop after which no click can arrive: a synchronous cell runs."""


class Pending:
    """Wait for an answer: ``await`` it, or call ``result()`` on a worker thread.

    It gives an ``Answer``, which is true only if it accepts. The request is shown from the call on, whether anybody
    waits or not. Raises ``NoAnswerError`` where nobody can answer, and no default is given.
    """

    def __init__(
        self,
        desk: Desk,
        request: Request,
        form: list[Field],
        model: type[BaseModel] | None,
        then: Callable[[Answer], object] | None,
    ) -> None:
        self.request = request
        self.then = then
        self.form = form
        self.model = model
        self.takes_args = True
        self.future: Future[Answer] = Future()
        self.timer: threading.Timer | None = None
        self._desk = desk
        self.is_asked = False  # by lines of text

    def done(self) -> bool:
        """Return whether there is an answer."""
        return self.future.done()

    def __bool__(self) -> bool:
        msg = "This answer is still to come: write `if await live.approve(…):`, or `.result()` in a thread."
        raise TypeError(msg)

    def __await__(self) -> Generator[Any, None, Answer]:
        self._desk.ask_beside(self)
        return wait_for(self.future).__await__()

    async def wait(self) -> Answer:
        """Return the answer, once it is there: ``await`` as a coroutine."""
        return await self

    def result(self, timeout: float | None = None) -> Answer:
        """Return the answer, and block this thread until it is there.

        Raises ``TimeoutError`` after *timeout* seconds, and ``RuntimeError`` at once in a coroutine, where only
        ``await`` leaves the loop free for the click.
        """
        until = None if timeout is None else time.monotonic() + timeout
        if not self.future.done():
            self._desk.ask_here(self, timeout)
        try:
            return self.future.result(None if until is None else max(0, until - time.monotonic()))
        except NotInTime:
            msg = f"Nobody has answered within {timeout} s."
            raise TimeoutError(msg) from None


class AnswerPayload(Payload):
    """Describe a click that answers a request."""

    request_id: str
    action: Action
    value: Any = None
    reason: str | None = None


def _nothing(*_: object) -> None:
    """Do nothing: no stream is there."""


@dataclass(eq=False)
class Desk:
    """Hold the open requests of one view.

    *dispatch* takes events, *draw* shows something in the view's output, *reserve* takes the events whose answers no other
    code may dispatch.
    """

    dispatch: Callable[[list[Event]], object]
    draw: Callable[[Callable[[Output], object]], object]
    reserve: Callable[[InputRequested | InputAnswered], object] = _nothing
    on_request: Callable[[Request], object] | None = None
    is_reachable: bool = False
    """True if somebody who can answer was there when the view was made."""
    context: Context | None = None
    """The context of the cell that made the view: a thread has none, and the kernel's last message may be a click."""
    _has_page: bool | None = None
    """True while a page shows the view; ``None`` before the first one."""
    _open: dict[str, Pending] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False
    _leaving: threading.Timer | None = None

    def __post_init__(self) -> None:
        renew_in_child(self)

    def renew(self) -> None:
        """Hold nothing in the child of a fork: the parent asks."""
        self._lock = threading.Lock()
        self._open = {}

    def requests(self) -> list[Request]:
        """Return the open requests, oldest first."""
        with self._lock:
            return [pending.request for pending in self._open.values()]

    # Asking

    def ask(
        self,
        question: Question,
        run: tuple[str, str],
        call: tuple[str | None, str | None] = (None, None),
        *,
        then: Callable[[Answer], object] | None = None,
    ) -> Pending:
        """Show a request of a *run* (agent, run) about a *call* (id, name), and return the answer to wait for.

        *then* gets the answer before anybody who waits. Raises ``ValueError`` for what cannot be asked.
        """
        event, model = question.event(*run, call[0])
        taken = {name: getattr(event, name) for name in _COMMON}
        request = Request(tool=call[1], **taken)
        is_approval = request.kind == "approval"
        form = [] if is_approval else form_of(request.answer_schema, request.options, request.default)
        pending = Pending(self, request, form, model, then)
        pending.takes_args = question.takes_args
        if not is_approval and request.default is not None:
            _checked(pending, "accept", request.default, None, None)
        with self._lock:
            is_late = self._closed
            self._open[request.request_id] = pending
        self.reserve(event)
        shown = _shown(request, form)
        self.draw(lambda output: output.ask(request.request_id, shown))
        self.dispatch([event])
        if is_late:
            self._settle(pending, Answer(action="cancel", by=ENDED))
        elif not self._is_anybody_there():
            self._answer_alone(pending)
        elif question.timeout is not None:
            pending.timer = threading.Timer(min(question.timeout, LONGEST), self._time_out, [pending])
            pending.timer.daemon = True
            pending.timer.start()
        if self._has_page is False:
            self.page_left()  # it waits for another page too
        if self.on_request is not None and not pending.done():
            self.on_request(request)
        return pending

    def _is_anybody_there(self) -> bool:
        return self.is_reachable or self.on_request is not None or self._has_page is True

    def _answer_alone(self, pending: Pending) -> None:
        """Answer a request that nobody sees: by its default, else by the environment, else by an error."""
        request = pending.request
        if request.default is not None:
            self._settle(pending, self._default(pending, "default"))
            return
        try:
            found = of_environment(request)
            if found is not None:
                self.answer(request.request_id, found[0], found[1], by=ANSWERS)
                return
        except (OSError, ValueError, RecursionError) as error:
            self._fail(pending, NoAnswerError(f"{ANSWERS}={os.environ.get(ANSWERS)!r}: {error}"))
            return
        self._fail(pending, NoAnswerError(nobody(request)))

    @staticmethod
    def _default(pending: Pending, by: str) -> Answer:
        if pending.request.kind == "approval":
            return Answer(action=pending.request.default, by=by)
        return _checked(pending, "accept", pending.request.default, None, by)

    def _time_out(self, pending: Pending) -> None:
        request = pending.request
        is_given = request.default is not None
        answer = self._default(pending, "timeout") if is_given else Answer(action="cancel", by="timeout")
        self._settle(pending, answer)

    def shown(self, *, is_reachable: bool) -> None:
        """Note that the view is made, in the cell whose request may allow an input."""
        self.is_reachable = is_reachable
        self.context = copy_context()

    def page_came(self) -> None:
        """Note that a page shows the view."""
        with self._lock:
            self._has_page = True
        self._stay()

    def _stay(self) -> None:
        """Stop the wait for another page."""
        with self._lock:
            timer, self._leaving = self._leaving, None
        if timer is not None:
            timer.cancel()

    def page_left(self) -> None:
        """Note that the last page has left: open requests wait a while for another one."""
        with self._lock:
            self._has_page = False
            if not self._open or self._leaving is not None:
                return
            self._leaving = threading.Timer(answer_wait(), self._give_up)
            self._leaving.daemon = True
            self._leaving.start()

    def _give_up(self) -> None:
        with self._lock:
            self._leaving = None
            left = list(self._open.values())
        for pending in left:
            self._answer_alone(pending)

    # Answering

    def answer(
        self,
        request: Request | str,
        action: Action,
        value: Any = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> bool:
        """Answer a request; return False if it is unknown, ended or answered. Raises ``ValueError`` for a wrong value."""
        request_id = request.request_id if isinstance(request, Request) else request
        with self._lock:
            pending = self._open.get(request_id)
        if pending is None:
            return False
        return self._settle(pending, _checked(pending, action, value, reason, by))

    def click(self, request_id: str, action: Action, value: Any = None, reason: str | None = None) -> None:
        """Answer by a click on a page; the page is told of a value that does not fit."""
        try:
            self.answer(request_id, action, value, reason or None)
        except ValueError as error:
            words = str(error)
            self.draw(lambda output: output.refuse(request_id, words))

    def close(self, by: str) -> None:
        """Settle what is open as cancelled, and ask nothing more."""
        with self._lock:
            self._closed = True
            left = list(self._open.values())
        self._stay()
        for pending in left:
            self._settle(pending, Answer(action="cancel", by=by))

    def _settle(self, pending: Pending, answer: Answer) -> bool:
        """Give the answer, unless there is one. The transcript has it before anybody who waits goes on."""
        if not self._take(pending):
            return False
        self._tell(pending, answer)
        pending.future.set_result(answer)
        return True

    def _fail(self, pending: Pending, error: NoAnswerError) -> None:
        if self._take(pending):
            self._tell(pending, Answer(action="cancel", by="nobody"))
            pending.future.set_exception(error)

    def _take(self, pending: Pending) -> bool:
        with self._lock:
            if self._open.pop(pending.request.request_id, None) is None:
                return False
        if pending.timer is not None:
            pending.timer.cancel()
        return True

    def _tell(self, pending: Pending, answer: Answer) -> None:
        request = pending.request
        self.draw(lambda output: output.ask(request.request_id, None))
        event = InputAnswered(
            agent_id=request.agent_id,
            run_id=request.run_id,
            request_id=request.request_id,
            action=answer.action,
            value=to_json_value(answer.value),
            reason=answer.reason,
            by=answer.by,
        )
        self.reserve(event)
        try:
            self.dispatch([event])
            if pending.then is not None:
                pending.then(answer)
        except Exception:  # who waits must go on
            log.exception("The answer to %r could not be shown", request.request_id)

    # Asking by lines of text

    def ask_beside(self, pending: Pending) -> None:
        """Ask in the terminal, beside a loop that goes on; a notebook's page asks by itself."""
        if pending.done() or pending.is_asked or not host().asks_in_lines:
            return
        pending.is_asked = True
        threading.Thread(target=self._ask_line, args=[pending], daemon=True, name="vibe-ask").start()

    def ask_here(self, pending: Pending, timeout: float | None) -> None:
        """Ask on this thread where no click can arrive; else return, or wait until one must be asked."""
        here = host()
        if here.asks_in_lines:
            if in_loop() and not here.is_notebook:
                raise RuntimeError(_AWAIT)
            if not pending.is_asked:
                pending.is_asked = True
                self._ask_line(pending)
            return
        if not here.is_notebook:
            if in_loop():
                raise RuntimeError(_AWAIT)
            return
        if threading.current_thread() is threading.main_thread():
            if here.in_coroutine():
                raise RuntimeError(_AWAIT)
            self._ask_line(pending)
            return
        if in_loop():
            raise RuntimeError(_AWAIT)
        until = None if timeout is None else time.monotonic() + timeout
        while not pending.done() and (until is None or time.monotonic() < until):
            if not here.loop_turns(_BLOCKED) and not pending.done():
                self._ask_line(pending)  # the main thread waits for this one
                return
            left = _BLOCKED if until is None else min(_BLOCKED, until - time.monotonic())
            try:
                pending.future.exception(max(left, 0))
            except NotInTime:
                continue

    def _read(self, prompt: str) -> str:
        here = host()
        if here.asks or self.context is None:
            return here.ask_line(prompt)
        return self.context.copy().run(here.ask_line, prompt)

    def _ask_line(self, pending: Pending) -> None:
        request = pending.request
        question = terminal_text(question_of(_value(request)))
        if request.tool:
            question = f"{terminal_text(request.tool)}: {question}"
        while not pending.done():
            try:
                action, value = ask_in_lines(request.kind, question, pending.form, self._read)
            except NoAnswerError as error:
                self._fail(pending, error)
                return
            try:
                self.answer(request.request_id, action, value)
            except ValueError as error:
                question = terminal_text(str(error))


_COMMON: Final = tuple(one.name for one in fields(Request) if one.name != "tool")
ENDED: Final = "the end of the run"
_AWAIT: Final = "Write `await` in a coroutine: `.result()` would block the loop, and no click could arrive."


def _value(request: Request) -> RequestValue:
    return RequestValue(request_id=request.request_id, kind=request.kind, message=request.message)


def _shown(request: Request, form: list[Field]) -> dict[str, Any]:
    """Return what a page needs to ask: the fields, and what is to be pressed."""
    shown = [{one.name: getattr(each, one.name) for one in fields(Field)} for each in form]
    return {"id": request.request_id, "kind": request.kind, "fields": shown}


def _checked(pending: Pending, action: Action, value: Any, reason: str | None, by: str | None) -> Answer:
    if action not in ("accept", "decline", "cancel"):
        msg = f"action={action!r}: use 'accept', 'decline' or 'cancel'."
        raise ValueError(msg)
    request = pending.request
    if action != "accept":
        value = None
    elif request.kind == "question":
        if request.answer_schema is None and not request.options and (value is None or value == ""):
            msg = "An answer is needed."
            raise ValueError(msg)
        value = check_value(request.answer_schema, request.options, value)
        if pending.model is not None:
            try:
                value = pending.model.model_validate(value)
            except ValidationError as error:
                first = error.errors()[0]
                msg = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
                raise ValueError(msg) from None
            except Exception as error:  # a validator of the user's
                msg = f"{type(error).__name__}: {error}"
                raise ValueError(msg) from error
    elif value is not None and not pending.takes_args:
        msg = (
            "This SDK runs a call only as the agent has written it: accept it without a value, or decline it."
        )
        raise ValueError(msg)
    elif value is not None and not isinstance(value, Mapping):
        msg = "The changed arguments have to be an object; without a change give None."
        raise ValueError(msg)
    return Answer(action=action, value=value, reason=reason, by=by)


CLOSED: Final = Desk(_nothing, _nothing)
"""The desk of all streams that have ended: it asks nothing, and knows no request."""
CLOSED.close(ENDED)

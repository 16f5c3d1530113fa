"""Ask for an SDK in the right view, and give each answer back; without a yes the SDK gets a no.

Beside ``places.py``, below the files of the SDKs. An ``Asker`` opens requests at a stream's desk, and withdraws them
if the code that waits for them ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import anyio

from ..._foreign_words import clean_logger
from ..._forms.wording import clean, name_in_line
from ..._json_values import to_json_value
from ...exceptions import NoAnswerError, ProtocolError
from ...parts import Answer
from ..live import Live, live
from ..questions import Question
from ..requests import Pending
from ..transcribed import Transcribed, pipeline_of
from .places import Call, Place, open_request, place_in, shows, stream_for

__all__ = ["Asked", "Asker", "Call", "asked_words", "code_of", "json_of", "quoted", "reason_of"]

log = clean_logger("vibe_notebook")

_TRIES: Final = 40
"""Looks for a call that its stream may be about to show: an SDK asks beside its stream, often before its events."""
_PAUSE: Final = 0.025
"""Seconds between two looks: all together a second."""
_CHANGED: Final = "The call was changed while it waited: the answer was to another one."
WITHDRAWN: Final = "the agent"
"""Name in the answer to a request for which no code waits any more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold a request that is shown; *own* is the view that was made for it alone."""

    pending: Pending
    stream: Transcribed
    own: Live | None = None
    at: tuple[Place, Call] | None = None
    """The card at which the request stands, and the call that it has to show until the answer."""


class Asker:
    """Ask in the stream given, or in that of the code that asks; ``name`` names the SDK in errors."""

    def __init__(self, name: str, run: Transcribed | None) -> None:
        if run is not None and not isinstance(run, Transcribed):
            msg = f"run={run!r}: give a watch, a live view or a handler."
            raise TypeError(msg)
        self.name = name
        self.run = run

    async def decide(self, *questions: tuple[Question, Call | None]) -> list[Answer]:
        """Return the answers to a hook's questions. Whatever fails is a no: the SDK never gets an error as a yes.

        Without anybody to answer, the stream ends with ``NoAnswerError`` after the SDK has its no.
        """
        opened: list[Asked | Answer] = []
        try:
            for each in questions:
                opened.append(await self._open_or_decline(*each))  # noqa: PERF401 - what is open is closed below
            return [one if isinstance(one, Answer) else await self._answer_of(one) for one in opened]
        finally:
            for one in opened:
                if isinstance(one, Asked):
                    self._end(one)

    async def _open_or_decline(self, question: Question, call: Call | None) -> Asked | Answer:
        try:
            return await self.open(question, call)
        except Exception as error:  # noqa: BLE001 - reported to the view and the log
            return self._no(stream_for(self.run, call), error)

    async def _answer_of(self, asked: Asked) -> Answer:
        try:
            return _checked(await asked.pending, asked)
        except Exception as error:  # noqa: BLE001 - reported to the view and the log
            return self._no(asked.stream, error)

    def _no(self, stream: Transcribed | None, error: Exception) -> Answer:
        if not isinstance(error, NoAnswerError):
            log.error("The request of %s has no answer", self.name, exc_info=error)
        if stream is not None:
            pipeline_of(stream).fail(error)
        if isinstance(error, NoAnswerError):  # its words are for the developer, the reason is for the model
            return Answer(action="decline", reason="Nobody was there to allow the call.", by="nobody")
        return Answer(action="decline", reason=str(error) or type(error).__name__, by="an error")

    async def open(
        self, question: Question, call: Call | None = None, request_id: str | None = None
    ) -> Asked:
        """Show a request, and return what waits for its answer; *request_id* is that of an adapter's own request."""
        stream = stream_for(self.run, call)
        if stream is not None and request_id is not None:
            found = open_request(stream, request_id)
            if found is not None:
                at, value, tool = found
                known = replace(
                    question,
                    kind=value.kind,
                    message=value.message,
                    options=question.options or value.options,
                    request_id=request_id,
                )
                return self._ask(stream, at, known, tool)
        place = None if stream is None else await self._wait_for_place(stream, call)
        if stream is None or place is None:
            return self._ask_apart(question, call)
        if call is None:
            return self._ask(stream, place, question, None)
        if place.call_id is None or not shows(
            stream, place, call
        ):  # the card says something else, or there is none
            question = replace(question, message=asked_words(call, question))
            return self._ask(stream, place, question, call.name)
        return replace(self._ask(stream, place, question, call.name), at=(place, call))

    async def _wait_for_place(self, stream: Transcribed, call: Call | None) -> Place | None:
        """Return the place in a stream, once it shows the call or cannot be waited for."""
        for _ in range(_TRIES):
            place = place_in(stream, call)
            if (place is not None and place.is_found) or isinstance(stream, Live) or stream.done():
                return place
            await anyio.sleep(_PAUSE)
        return place_in(stream, call)

    @staticmethod
    def _ask(stream: Transcribed, place: Place, question: Question, tool: str | None) -> Asked:
        run = place.agent_id, place.run_id
        return Asked(pipeline_of(stream).desk.ask(question, run, (place.call_id, tool)), stream)

    def _ask_apart(self, question: Question, call: Call | None) -> Asked:
        """Ask in a view of its own."""
        own = live(f"{self.name}-request", title=f"{self.name} asks")
        own.__enter__()
        try:
            if call is not None:
                question = replace(question, message=asked_words(call, question))
            return Asked(own.ask_for(question), own, own)
        except BaseException as error:
            own.close(error)
            raise

    async def answers(self, questions: Iterable[tuple[Question, Call | None, str | None]]) -> list[Answer]:
        """Ask all questions of a resumer at once, each with an adapter's id of it, and return the answers.

        If one has none, or if the wait ends, the others are withdrawn, and the error is raised.
        """
        asked: list[Asked] = []
        try:
            for each in questions:
                asked.append(await self.open(*each))  # noqa: PERF401 - what is open is closed below
            return [await each.pending for each in asked]
        finally:
            for one in asked:
                self._end(one)

    @staticmethod
    def _end(asked: Asked) -> None:
        """Withdraw a request that is still open, and close a view that was made for it."""
        pipeline_of(asked.stream).desk.answer(asked.pending.request, "cancel", by=WITHDRAWN)
        if asked.own is not None:
            asked.own.close()


def _checked(answer: Answer, asked: Asked) -> Answer:
    """Return an answer to the call that was shown. Raises ``ProtocolError`` for a yes to a card that has changed."""
    if answer and asked.at is not None and not shows(asked.stream, *asked.at):
        raise ProtocolError(_CHANGED)
    return answer


def reason_of(answer: Answer) -> str:
    """Return why an answer is no yes, in words for the model."""
    if answer.reason:
        return answer.reason
    verb = "declined" if answer.action == "decline" else "cancelled"
    return f"The call was {verb} by {answer.by or 'the user'}."


def asked_words(call: Call, question: Question) -> str:
    """Return a request's words where no call is shown beside it: the call first, apart from the agent's own words."""
    name = code_of(call.name)
    first = f"May {name} run?" if question.kind == "approval" else f"{name} asks:"
    return "\n\n".join(filter(None, (first, json_of(call.args), question.message)))


def json_of(value: Any) -> str:
    """Return a value as a block of JSON; "" for ``None``. Its text has no line breaks of its own: none ends the block."""
    if value is None:
        return ""
    return f"~~~~json\n{json.dumps(to_json_value(value), indent=2, ensure_ascii=False)}\n~~~~"


def code_of(name: str) -> str:
    """Return a name as Markdown's code, whatever it holds."""
    line = name_in_line(name) or "?"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def quoted(words: str | None) -> str | None:
    """Return an agent's or a server's words as a quotation; ``None`` for no words."""
    lines = clean(words or "").strip().splitlines()
    return "\n".join(f"> {line}" for line in lines) or None

"""Build an agent's request to the user, and its answer, from their events.

``RunLog`` applies both to one part builder. A request of a tool call is shown in that call, any other request as a
part of its own. An answer before its request answers nothing, and a request after its answer changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..events import InputAnswered, InputRequested
from ..parts import Answer, InputPart, RequestValue
from .places import position, retain_first
from .run import Key, PartBuilder

if TYPE_CHECKING:
    from .._ordering.counter import Counter, Place
    from ..events import Event
    from ..parts import Part
    from .run import RunLog

__all__ = ["RequestBuilder"]


class RequestBuilder(PartBuilder):
    """Build one request."""

    __slots__ = ("_answers", "_asked")

    def __init__(self, run: RunLog, key: Key) -> None:
        super().__init__(run, key)
        self._asked: dict[Counter | None, tuple[Place, InputRequested]] = {}  # of each counter, the first
        self._answers: list[tuple[Place, Event]] = []

    @property
    def request_id(self) -> str:
        return self.name

    @property
    def is_empty(self) -> bool:
        return self.asked() is None

    @property
    def call_id(self) -> str | None:
        asked = self.asked()
        return asked[1].tool_call_id if asked is not None else None

    def message(self) -> str | None:
        asked = self.asked()
        return asked[1].message_id if asked is not None else None

    @property
    def answered_runs(self) -> set[str]:
        """Return the runs whose requests this run's answers name."""
        named = (event.request_run_id for _, event in self._answers if isinstance(event, InputAnswered))
        return {run_id for run_id in named if run_id is not None}

    def places(self) -> list[Place]:
        return [*(place for place, _ in self._asked.values()), *(place for place, _ in self._answers)]

    def asked(self) -> tuple[Place, InputRequested] | None:
        """Return the request with its place: the first one, in order."""
        return min(self._asked.values(), key=lambda item: position(item[0]), default=None)

    def answered(self) -> tuple[Place, InputAnswered] | None:
        """Return the first answer after the request, in order, with its place."""
        asked = self.asked()
        if asked is None:
            return None
        since = position(asked[0])
        answers = [*self._answers, *self.run.answers.get(self.request_id, ())]
        found = [
            (place, event)
            for place, event in answers
            if isinstance(event, InputAnswered) and position(place) > since
        ]
        return min(found, key=lambda item: position(item[0]), default=None)

    def request(self) -> RequestValue | None:
        """Return the request's present value."""
        asked, answered = self.asked(), self.answered()
        if asked is None:
            return None
        event, answer = asked[1], answered[1] if answered is not None else None
        names = ("request_id", "kind", "message", "answer_schema", "options", "default", "expires_at")
        return RequestValue(
            **{name: getattr(event, name) for name in names},
            answer=(
                Answer(action=answer.action, value=answer.value, reason=answer.reason, by=answer.by)
                if answer is not None
                else None
            ),
            is_open=answer is None and not self.run.has_settled,
            asked_at=event.ts,
            answered_at=answer.ts if answer is not None else None,
        )

    def part(self) -> Part | None:
        request = self.request()
        if request is None or self.run.call(self.call_id) is not None:
            return None
        return InputPart(**self.common(self.message()), request=request)

    def compact(self) -> None:
        """Free nothing: a request has two events."""

    def _apply(self, event: Event, place: Place) -> None:
        if isinstance(event, InputRequested):
            retain_first(self._asked, place[0], place, event)
        else:
            self._answers.append((place, event))

    def _drop_derived(self, message_id: str | None) -> None:
        """Drop nothing: requests have no derived deltas."""

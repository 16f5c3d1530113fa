"""Find where a request stands: the stream that runs the code, its run, and the call that the request is about.

Beside ``asking.py``. Never a guess: two streams that fit equally are none, and the request gets a view of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..._json_values import to_json_value
from ...parts import InputPart, Part, RequestValue, ToolPart
from ..context import current, is_left_over
from ..transcribed import Transcribed, live_streams

__all__ = ["Call", "Place", "open_request", "place_in", "shows", "stream_for"]

_OPEN: Final = frozenset(("preparing", "running", "awaiting_approval"))
"""States of a call without a result."""
_GOES_ON: Final = (None, "interrupted")
"""Outcomes of a run that may go on."""


@dataclass(frozen=True, slots=True)
class Call:
    """Describe a tool call as its SDK names it; ``args`` is ``None`` where the SDK does not tell them."""

    name: str
    id: str | None = None
    args: Any = None


class Place(NamedTuple):
    """Name the run of a request, and its call; ``call_id`` is ``None`` where the stream has not shown the call."""

    agent_id: str
    run_id: str
    call_id: str | None
    is_found: bool
    """True if the stream shows the call, or there is none to show."""
    card: ToolPart | None = None
    """The call as it is shown."""


def stream_for(run: Transcribed | None, call: Call | None) -> Transcribed | None:
    """Return the stream that asks: the given one, else by the context, else by the call, else the only live one."""
    if run is not None:
        return run
    if (found := current()) is not None:
        return found
    if is_left_over():
        return None  # a task that outlived its stream: another stream is not its own
    streams = live_streams()
    if call is not None and call.id is not None:
        fits = [one for one in streams if any(_is_same(part, call) for part in _open_calls(one, call))]
        if len(fits) == 1:
            return fits[0]
        if fits:
            return None
    return streams[0] if len(streams) == 1 else None


def place_in(stream: Transcribed, call: Call | None) -> Place | None:
    """Return the place of a request in a stream; ``None`` while the stream has no run."""
    if call is not None and call.id is not None:
        open_calls = list(_open_calls(stream, call))
        if found := [part for part in open_calls if _is_same(part, call)] or open_calls:
            card = found[-1]
            asks = card.request is not None and card.request.is_open
            # A request of its own stream stands at the card: ours stands apart, or the page would offer no answer.
            call_id = None if asks else card.tool_call_id
            return Place(_agent_of(stream, card.run_id), card.run_id, call_id, is_found=True, card=card)
    run = _open_run(stream)
    if run is None:
        return None
    if call is None or call.id is None:
        return Place(*run, None, is_found=True)
    # An id that an ended call has belongs to that one: without its own call, the request stands by itself.
    is_used = any(_has_id(part, call.id) for part in _tools(stream))
    return Place(*run, None if is_used else call.id, is_found=False)


def open_request(stream: Transcribed, request_id: str) -> tuple[Place, RequestValue, str | None] | None:
    """Return the request that an adapter has read, while it is open, with its place and its tool's name."""
    for part in _walk(stream):
        request = part.request if isinstance(part, ToolPart | InputPart) else None
        if request is not None and request.request_id == request_id and request.is_open:
            call = part if isinstance(part, ToolPart) else None
            place = Place(
                _agent_of(stream, part.run_id),
                part.run_id,
                None if call is None else call.tool_call_id,
                is_found=True,
            )
            return place, request, None if call is None else call.tool_name
    return None


def _open_calls(stream: Transcribed, call: Call) -> Iterator[ToolPart]:
    over = {
        run.run_id for each in stream.transcripts.values() for run in each.runs if run.outcome not in _GOES_ON
    }
    for part in _tools(stream):
        if part.state in _OPEN and part.run_id not in over and _has_id(part, call.id or ""):
            yield part


def _has_id(part: ToolPart, native_id: str) -> bool:
    """Return whether a call has this id in its SDK: adapters number the calls of one id."""
    found = part.tool_call_id
    return found == native_id or re.fullmatch(re.escape(native_id) + r"#\d+'*", found) is not None


def _is_same(part: ToolPart, call: Call) -> bool:
    return call.args is None or bool(part.args == to_json_value(call.args))


def shows(stream: Transcribed, place: Place, call: Call) -> bool:
    """Return whether the card at a place says what the call is: its tool, and its arguments if they are known."""
    if place.card is None:
        return False
    parts = (part for part in _tools(stream) if part.tool_call_id == place.card.tool_call_id)
    card = next((part for part in parts if part.run_id == place.card.run_id), None)
    return card is not None and card.tool_name == call.name and _is_same(card, call)


def _tools(stream: Transcribed) -> Iterator[ToolPart]:
    return (part for part in _walk(stream) if isinstance(part, ToolPart))


def _walk(stream: Transcribed) -> Iterator[Part]:
    for transcript in stream.transcripts.values():
        yield from _all(transcript.parts)
        for run in transcript.runs:
            yield from _all(run.parts)


def _all(parts: Iterable[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, ToolPart):
            yield from _all(part.children)


def _open_run(stream: Transcribed) -> tuple[str, str] | None:
    """Return the agent and the run of a stream that go on: of several, the outermost of the newest."""
    for agent_id, transcript in reversed(list(stream.transcripts.items())):
        is_open = [run for run in transcript.runs if run.outcome in _GOES_ON]
        outer = [run for run in is_open if run.parent_run_id is None and run.parent_tool_call_id is None]
        if found := outer or is_open:
            return agent_id, found[-1].run_id
    return None


def _agent_of(stream: Transcribed, run_id: str) -> str:
    for agent_id, transcript in stream.transcripts.items():
        if any(run.run_id == run_id for run in transcript.runs):
            return agent_id
    return stream.agent_id or ""

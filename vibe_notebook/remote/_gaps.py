"""Fill a gap in a project's stream from the transcripts of its agents.

A server that has dropped old events still has the transcripts. ``_follow`` fetches them through
``_event_source``, and delivers them as events in the place of the dropped ones. A transcript that lacks events which
the reader had never replaces them: it comes after them, or is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, assert_never

from pydantic import ValidationError

from ..events import (
    Artifact,
    Citation,
    Custom,
    Event,
    InputAnswered,
    InputRequested,
    MessageFinished,
    MessageStarted,
    Outcome,
    PartCompleted,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from ..parts import Message, Part, RequestValue, Run, ToolPart
from ..transcript import Transcript
from ._duplicates import parse_position
from ._event_source import EventSource

__all__ = ["AgentSnapshot", "Filling", "ServerGap", "events_of", "fetch_snapshots", "filling", "gap_artifact"]

_MOST_AGENTS: Final = 1000
"""Agents of one project: each costs a request."""

Position = tuple[int, int]
"""An id of the server as comparable numbers."""
_BEGINNING: Final[Position] = (0, 0)
"""The position of a reader that has had no event."""


class ServerGap(NamedTuple):
    """Hold the gap that a server reports: the reader had the events up to ``after``, the log begins at ``first``."""

    reason: str
    after: str | None
    first: str | None
    missed: int | None

    @classmethod
    def of(cls, data: object) -> ServerGap:
        """Read the data of a server's event; a field of another form counts as unknown."""
        facts = data if isinstance(data, dict) else {}
        reason, missed = facts.get("reason"), facts.get("missed")
        after, first = (
            value if isinstance(value, str) else None for value in map(facts.get, ("after", "first"))
        )
        return cls(
            reason if isinstance(reason, str) else "unknown",
            after,
            first,
            missed if isinstance(missed, int) and missed >= 0 else None,
        )

    @property
    def is_of_another_log(self) -> bool:
        """Return whether the reader's events are of another log than the server's present one."""
        return self.reason in ("ahead", "gone")

    @property
    def may_be_filled(self) -> bool:
        """Return whether a transcript may hold events that the log has dropped."""
        return self.reason != "ahead" and self.after is not None and self.first is not None


class AgentSnapshot(NamedTuple):
    """Hold one agent's transcript, and the server's ids of the first and the last event in the transcript.

    ``first`` and ``position`` are those ids as comparable numbers; ``first`` is ``None`` where the server does not
    report it. ``is_whole`` is False for a transcript that lacks events itself.
    """

    transcript: Transcript
    last_event_id: str
    first: Position | None
    position: Position
    is_whole: bool


class Filling(NamedTuple):
    """Hold the snapshots that fill a gap, and their mode.

    ``appends``: all events of the snapshots come after those that the reader had. Otherwise the snapshots hold all
    that the reader had, and replace it. ``lost`` is the count of events that stay missing; ``None``: unknown.
    """

    snapshots: Sequence[AgentSnapshot] = ()
    appends: bool = False
    lost: int | None = None


def filling(gap: ServerGap, snapshots: Sequence[AgentSnapshot], *, has_another_log: bool) -> Filling:
    """Return the filling of a gap; none where the snapshots could replace shown text by less.

    *has_another_log*: the reader also had events of another log, which no snapshot holds.
    """
    after, begin = parse_position(gap.after or ""), parse_position(gap.first or "")
    firsts = [each.first for each in snapshots]
    if not snapshots or after is None or begin is None or gap.reason == "ahead":
        return Filling()
    first = max((each for each in firsts if each is not None), default=None)
    if first is not None and None not in firsts and first > after:
        if first >= begin and after > _BEGINNING:
            return Filling()  # the log still has all that the transcript has
        is_counted = gap.missed is not None and first[0] == begin[0]
        lost = (gap.missed or 0) - (begin[1] - first[1]) if is_counted else None
        return Filling(snapshots, appends=True, lost=None if lost is None else max(lost, 0))
    if all(each.is_whole for each in snapshots) and not has_another_log and not gap.is_of_another_log:
        return Filling(snapshots, lost=0)
    return Filling()


async def fetch_snapshots(source: EventSource, project: re.Match[str] | None) -> list[AgentSnapshot] | None:
    """Fetch the agents' snapshots from the stream's own server; ``None`` if the server has none."""
    if project is None:
        return None
    made: list[AgentSnapshot] = []
    agents = [""]
    for agent in agents:
        params = {"agent_id": agent} if agent else {}
        facts = _parse(await source.fetch(f"{project[1]}/projects/{project[2]}/transcript", params))
        if facts is None:
            return None
        try:
            transcript = Transcript.model_validate(facts)
        except ValidationError:
            return None
        last_event_id = facts.get("last_event_id")
        position = parse_position(last_event_id) if isinstance(last_event_id, str) else None
        if position is None or not isinstance(last_event_id, str):
            return None
        first_id = facts.get("first_event_id")
        first = parse_position(first_id) if isinstance(first_id, str) else None
        is_whole = not facts.get("incomplete")
        made.append(AgentSnapshot(transcript, last_event_id, first, position, is_whole))
        known = (transcript.agent_id, *agents)
        agents += [name for name in dict.fromkeys(_agent_names(facts)) if name not in known]
        if len(agents) > _MOST_AGENTS:
            return None
    return made


def _parse(body: bytes | None) -> dict[str, Any] | None:
    try:
        facts = None if body is None else json.loads(body)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _agent_names(facts: dict[str, Any]) -> list[str]:
    agents = facts.get("agents")
    return [name for name in agents if isinstance(name, str)] if isinstance(agents, list) else []


def gap_artifact(gap: ServerGap, agent_id: str, run_id: str, filled: Filling) -> Artifact:
    """Return an artifact that shows a gap with its size, also in the recording and the saved notebook."""
    size = f"{gap.missed:,}" if gap.missed is not None else "Some"
    events = "event is" if gap.missed == 1 else "events are"
    if not filled.snapshots:
        result = "missing here"
    elif filled.lost is None:
        result = "filled in from the transcript, as far as it goes"
    elif filled.lost == 0:
        result = "filled in from the transcript"
    else:
        lost = "all" if filled.lost == gap.missed else f"{filled.lost:,} of them"
        result = f"{lost} missing here, the rest filled in from the transcript, as far as it goes"
    return Artifact(
        agent_id=agent_id,
        run_id=run_id,
        artifact_id=f"gap:{gap.after}:{gap.first}",
        action=f"gap: {gap.reason}",
        name=f"{size} {events} no longer on the server; {result}",
    )


# From a transcript back to events. Pure.


def events_of(transcript: Transcript, *, appends: bool = False) -> list[Event]:
    """Return the events that bring another transcript of the same agent to the state of this one.

    Each event replaces its part or call, so that a reader that had some parts before the gap gets no part twice.
    With *appends* the reader had none of it: text comes after the text that the reader had.
    """
    return list(_events(transcript, appends=appends))


def _events(transcript: Transcript, *, appends: bool) -> Iterator[Event]:
    agent = transcript.agent_id
    for run in transcript.runs:
        yield RunStarted(
            agent_id=agent,
            run_id=run.run_id,
            agent_name=run.agent_name,
            parent_run_id=run.parent_run_id,
            parent_tool_call_id=run.parent_tool_call_id,
            input=run.input,
        )
    for message in transcript.messages:
        yield MessageStarted(**_ids(agent, message), role=message.role, ts=message.started_at)
    yield from _parts(agent, transcript.parts, appends=appends)
    for message in transcript.messages:
        if message.finished_at is not None or message.finish_reason or message.usage is not None:
            yield MessageFinished(
                **_ids(agent, message),
                finish_reason=message.finish_reason,
                usage=message.usage,
                ts=message.finished_at,
            )
    for run in transcript.runs:
        yield from _parts(agent, run.parts, appends=appends)
        if run.outcome is not None:
            yield _finished(agent, run, run.outcome)


def _ids(agent: str, message: Message) -> dict[str, Any]:
    return {"agent_id": agent, "run_id": message.run_id, "message_id": message.message_id}


def _finished(agent: str, run: Run, outcome: Outcome) -> Event:
    return RunFinished(
        agent_id=agent,
        run_id=run.run_id,
        outcome=outcome,
        error=run.error,
        code=run.code,
        usage=run.usage,
        result=run.result,
    )


def _parts(agent: str, parts: Iterable[Part], *, appends: bool) -> Iterator[Event]:
    for part in parts:
        ids: dict[str, Any] = {"agent_id": agent, "run_id": part.run_id, "message_id": part.message_id}
        match part.kind:
            case "text" | "thinking":
                if not appends:
                    yield PartCompleted(**ids, part_id=part.part_id, kind=part.kind, text=part.text)
                elif part.kind == "text":
                    yield TextDelta(**ids, part_id=part.part_id, delta=part.text)
                else:
                    yield ThinkingDelta(**ids, part_id=part.part_id, delta=part.text)
                if part.kind == "text":
                    for citation in part.citations:
                        yield Citation(**ids, part_id=part.part_id, **citation.model_dump())
            case "tool":
                yield from _tool(agent, part, ids, appends=appends)
            case "artifact":
                yield Artifact(**ids, **part.model_dump(exclude=_COMMON))
            case "plan":
                yield Plan(**ids, **part.model_dump(exclude=_COMMON))
            case "input":
                yield from _request(part.request, ids, None)
            case "custom":
                fields = part.model_dump(exclude={*_COMMON, "custom_id"})
                yield Custom(**ids, **fields, shown=True)
            case _:
                assert_never(part.kind)


_COMMON: Final = {"kind", "run_id", "message_id", "role", "started_at", "finished_at"}
"""Fields of every part that are no field of an event."""


def _request(request: RequestValue, ids: dict[str, Any], tool_call_id: str | None) -> Iterator[Event]:
    names = {"request_id", "kind", "message", "answer_schema", "options", "default", "expires_at"}
    asked = request.model_dump(include=names)
    yield InputRequested(**ids, **asked, tool_call_id=tool_call_id, ts=request.asked_at)
    if request.answer is not None:
        answer = request.answer.model_dump()
        yield InputAnswered(**ids, request_id=request.request_id, **answer, ts=request.answered_at)


def _tool(agent: str, part: ToolPart, ids: dict[str, Any], *, appends: bool) -> Iterator[Event]:
    call: dict[str, Any] = {**ids, "tool_call_id": part.tool_call_id}
    args = part.args if part.args is not None else part.args_text or None
    if appends and (part.state == "preparing" or not isinstance(args, dict)):
        # The text may be the end of the arguments whose beginning the reader had.
        if part.args_text:
            yield ToolCallDelta(**call, tool_name=part.tool_name or None, delta=part.args_text)
        args = None
    if args is not None or part.state != "preparing":
        yield ToolStarted(**call, tool_name=part.tool_name or None, args=args, ts=part.executed_at)
    if part.request is not None:
        yield from _request(part.request, ids, part.tool_call_id)
    yield from _parts(agent, part.children, appends=appends)
    if part.written:
        if not appends:
            yield ToolProgress(**call, output="")
        yield ToolProgress(**call, delta=part.written)
    match part.state:
        case "ok" | "error" | "denied" | "cancelled":
            yield ToolFinished(
                **call,
                status=part.state,
                output=part.output,
                error=part.error,
                display=part.display,
                ts=part.finished_at,
            )
        case "awaiting_approval":
            yield ToolProgress(**call, state=part.state)
        case "preparing" | "running" | "unfinished":
            now = part.progress.model_dump() if part.progress is not None else {}
            name = "delta" if appends and isinstance(part.output, str) else "output"
            if part.output is not None or now:
                yield ToolProgress(**call, **{name: part.output}, **now)
        case _:
            assert_never(part.state)

"""Fill a gap in a project's stream from the transcripts of its agents.

A server that has dropped old events still has the transcripts. ``_follow`` fetches them through
``_event_source``, and delivers them as events in the place of the dropped ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, assert_never

from pydantic import ValidationError

from ..events import (
    Artifact,
    Event,
    Outcome,
    PartCompleted,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from ..parts import Part, Run, ToolPart
from ..transcript import Transcript
from ._duplicates import parse_position
from ._event_source import EventSource

__all__ = ["AgentSnapshot", "Filled", "events_of", "fetch_snapshots", "gap_artifact"]

_MOST_AGENTS: Final = 1000
"""Agents of one project: each costs a request."""


Filled = Literal["not", "in part", "whole"]
"""The share of a gap that the snapshots filled."""
_RESULTS: Final[dict[Filled, str]] = {
    "not": "missing here",
    "in part": "filled in from the transcript, as far as it goes",
    "whole": "filled in from the transcript",
}


class AgentSnapshot(NamedTuple):
    """Hold one agent's transcript, and the server's id of the last event in the transcript.

    ``position`` is that id as comparable numbers. ``is_whole`` is False for a transcript that lacks
    events itself.
    """

    transcript: Transcript
    last_event_id: str
    position: tuple[int, int]
    is_whole: bool


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
        made.append(AgentSnapshot(transcript, last_event_id, position, not facts.get("incomplete")))
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


def gap_artifact(gap: dict[str, Any], agent_id: str, run_id: str, filled: Filled) -> Artifact:
    """Return an artifact that shows a gap with its size, also in the recording and the saved notebook."""
    missed = gap.get("missed")
    size = f"{missed:,}" if isinstance(missed, int) else "Some"
    events = "event is" if missed == 1 else "events are"
    return Artifact(
        agent_id=agent_id,
        run_id=run_id,
        artifact_id=f"gap:{gap.get('after')}:{gap.get('first')}",
        action=f"gap: {gap.get('reason', 'unknown')}",
        name=f"{size} {events} no longer on the server; {_RESULTS[filled]}",
    )


# From a transcript back to events. Pure.


def events_of(transcript: Transcript) -> list[Event]:
    """Return the events that bring another transcript of the same agent to the state of this one.

    Each event replaces its part or call. A reader that had some parts before the gap gets no part twice.
    """
    return list(_events(transcript))


def _events(transcript: Transcript) -> Iterator[Event]:
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
    yield from _parts(agent, transcript.parts)
    for run in transcript.runs:
        yield from _parts(agent, run.parts)
        if run.outcome is not None:
            yield _finished(agent, run, run.outcome)


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


def _parts(agent: str, parts: Iterable[Part]) -> Iterator[Event]:
    for part in parts:
        ids: dict[str, Any] = {"agent_id": agent, "run_id": part.run_id, "message_id": part.message_id}
        match part.kind:
            case "text" | "thinking":
                yield PartCompleted(**ids, part_id=part.part_id, kind=part.kind, text=part.text)
            case "tool":
                yield from _tool(agent, part, ids)
            case "artifact":
                fields = part.model_dump(exclude={"kind", "run_id", "message_id"})
                yield Artifact(**ids, **fields)
            case _:
                assert_never(part.kind)


def _tool(agent: str, part: ToolPart, ids: dict[str, Any]) -> Iterator[Event]:
    call: dict[str, Any] = {**ids, "tool_call_id": part.tool_call_id}
    args = part.args if part.args is not None else part.args_text or None
    yield ToolStarted(**call, tool_name=part.tool_name or None, args=args, ts=part.started_at)
    yield from _parts(agent, part.children)
    match part.state:
        case "ok" | "error" | "denied" | "cancelled":
            yield ToolFinished(
                **call, status=part.state, output=part.output, error=part.error, ts=part.finished_at
            )
        case "awaiting_approval":
            yield ToolProgress(**call, state=part.state)
        case "preparing" | "running" | "unfinished":
            now = part.progress.model_dump() if part.progress is not None else {}
            if part.output is not None or now:
                yield ToolProgress(**call, output=part.output, **now)
        case _:
            assert_never(part.state)

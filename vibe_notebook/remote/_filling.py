"""What a transcript says, as events: to put in the place of events that a server no longer has. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, assert_never

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
from ..transcript import Part, Run, ToolPart, Transcript

__all__ = ["Filled", "events_of", "note"]


def events_of(transcript: Transcript) -> list[Event]:
    """Return events that bring another transcript of the same agent to where this one is.

    Each replaces what may be there already, so what was known before the gap changes nothing.
    """
    return list(_events(transcript))


Filled = Literal["not", "in part", "whole"]
"""What became of a gap."""
_WORDS: Final[dict[Filled, str]] = {
    "not": "missing here",
    "in part": "filled in from the transcript, as far as it goes",
    "whole": "filled in from the transcript",
}


def note(gap: dict[str, Any], agent_id: str, run_id: str, filled: Filled) -> Artifact:
    """Show a gap with its size, as something that stands in transcript, recording and saved form."""
    missed = gap.get("missed")
    size = f"{missed:,}" if isinstance(missed, int) else "Some"
    events = "event is" if missed == 1 else "events are"
    return Artifact(
        agent_id=agent_id,
        run_id=run_id,
        artifact_id=f"gap:{gap.get('after')}:{gap.get('first')}",
        action=f"gap: {gap.get('reason', 'unknown')}",
        name=f"{size} {events} no longer on the server; {_WORDS[filled]}",
    )


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

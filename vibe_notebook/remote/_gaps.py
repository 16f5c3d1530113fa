"""What a project's server still knows of a gap: the transcripts of its agents.

Between ``_event_source.py`` and ``_follow.py``.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from ..transcript import Transcript
from ._event_source import EventSource
from ._seen import ordered

__all__ = ["Missing", "transcripts"]

_MOST_AGENTS: Final = 1000
"""Of one project: each is a request."""


class Missing(NamedTuple):
    """One agent's transcript, and up to which of the server's ids it goes."""

    transcript: Transcript
    reached: str
    place: tuple[int, int]
    is_whole: bool


async def transcripts(source: EventSource, project: re.Match[str] | None) -> list[Missing] | None:
    """The agents' transcripts, of the stream's own server; ``None``: they are not to be had."""
    if project is None:
        return None
    made: list[Missing] = []
    agents = [""]
    for agent in agents:
        params = {"agent_id": agent} if agent else {}
        facts = _read(await source.fetch(f"{project[1]}/projects/{project[2]}/transcript", params))
        if facts is None:
            return None
        try:
            transcript = Transcript.model_validate(facts)
        except ValidationError:
            return None
        reached = facts.get("last_event_id")
        place = ordered(reached) if isinstance(reached, str) else None
        if place is None or not isinstance(reached, str):
            return None
        made.append(Missing(transcript, reached, place, not facts.get("incomplete")))
        known = (transcript.agent_id, *agents)
        agents += [name for name in dict.fromkeys(_names(facts)) if name not in known]
        if len(agents) > _MOST_AGENTS:
            return None
    return made


def _read(body: bytes | None) -> dict[str, Any] | None:
    try:
        facts = None if body is None else json.loads(body)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _names(facts: dict[str, Any]) -> list[str]:
    agents = facts.get("agents")
    return [name for name in agents if isinstance(name, str)] if isinstance(agents, list) else []

"""Read what authors emit on purpose as lines, and what adapters only pass on as no line."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from tests.adapters.support import emitted, recording


def lines(name: str, *natives: Any) -> list[tuple[str, Any]]:
    """Return the name and the value of each line that the view shows."""
    return [(one["name"], one.get("value")) for one in emitted(name, natives, "custom") if one.get("shown")]


@pytest.mark.parametrize(
    ("name", "native", "line"),
    [
        ("langgraph", ("custom", {"note": "half"}), ("custom", {"note": "half"})),
        (
            "langgraph",
            ("custom", {"role": "user", "content": "x"}),
            ("custom", {"role": "user", "content": "x"}),
        ),
        (
            "langgraph",
            {"event": "on_custom_event", "name": "note", "run_id": "r", "data": {"a": 1}},
            ("note", {"a": 1}),
        ),
        ("pydantic_ai", {"event_kind": "custom", "name": "note", "data": {"a": 1}}, ("note", {"a": 1})),
        (
            "pydantic_ai",
            {"event_kind": "custom", "name": "note", "tool_call_id": "c1", "data": {"a": 1}},
            ("note", {"a": 1}),
        ),
        (
            "agno",
            {"event": "CustomEvent", "run_id": "r", "agent_id": "a", "city": "Lima"},
            ("CustomEvent", {"city": "Lima"}),
        ),
        ("agui", {"type": "CUSTOM", "name": "note", "value": {"a": 1}}, ("note", {"a": 1})),
        (
            "agui",
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "SEARCH", "content": {"q": "x"}},
            ("SEARCH", {"q": "x"}),
        ),
        ("llama_index", {"qualified_name": "shop.Progress", "value": {"msg": "half"}}, ("Progress", None)),
    ],
)
def test_what_an_author_emits_is_a_line(name: str, native: Any, line: tuple[str, Any]) -> None:
    found = lines(name, native)
    assert found[:1] == [line] if line[1] is not None else found[0][0] == line[0]
    assert len(found) == 1


def test_a_workflows_own_events_are_lines_and_the_packages_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("workflows.events")
    monkeypatch.setitem(sys.modules, "workflows.events", package)
    event = type("Event", (), {"__module__": "workflows.events"})
    stop = type("StopEvent", (event,), {"__module__": "workflows.events"})
    own = type("Progress", (event,), {"__module__": "shop", "msg": "half"})
    end = type("Done", (stop,), {"__module__": "shop"})
    assert [name for name, _ in lines("llama_index", own(), event(), stop(), end())] == ["Progress"]


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("pydantic_ai", {"event_kind": "custom", "name": "note", "tool_call_id": "c1", "data": {"done": 1}}),
        ("pydantic_ai", {"event_kind": "capability", "name": "note", "data": {"a": 1}}),
        ("pydantic_ai", {"event_kind": "brand_new"}),
        ("agui", {"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}}),
        ("agui", {"type": "RAW", "event": {}}),
        ("langgraph", {"type": "checkpoints", "ns": [], "data": {}}),
        ("acp", {"sessionUpdate": "available_commands_update", "availableCommands": []}),
        ("openai_responses", {"type": "response.brand_new.delta"}),
    ],
)
def test_what_an_adapter_passes_on_is_no_line(name: str, native: Any) -> None:
    assert lines(name, native) == []


def test_a_handoff_is_one_line() -> None:
    assert lines("openai_agents", *recording("openai_agents_handoff").natives) == [
        ("handoff", "front desk → weather expert")
    ]

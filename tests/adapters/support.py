"""Read recordings, and fold events to parts independently of the package's own reducer."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from keyword import iskeyword
from pathlib import Path
from typing import Any

from vibe_notebook import adapters
from vibe_notebook.events import Event, ToolFinished, to_json

SAMPLES = Path(__file__).parent.parent / "samples"
EXPECTED = json.loads((SAMPLES / "EXPECTED.json").read_text())
# Written by hand after the API's reference, of the same conversation.
EXPECTED["openai_chat.constructed"] = EXPECTED["openai_responses"]
EXPECTED |= {
    path.stem: json.loads(path.read_text()) for path in sorted((SAMPLES / "expected").glob("*.json"))
}
UNFINISHED = {"preparing": "unfinished", "running": "unfinished"}
IDS: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
DELTAS = frozenset(("text_delta", "thinking_delta", "tool_call_delta"))


@dataclass(frozen=True)
class Recording:
    """Hold the natives of one stream, and the expected transcript."""

    adapter: str
    natives: tuple[Any, ...]
    expected: dict[str, Any]
    raised: Exception | None = None

    def events(self) -> list[Event]:
        return run(self.adapter, self.natives, self.raised)


def run(name: str, natives: Iterable[Any], exc: BaseException | None = None) -> list[Event]:
    """Return the events of all natives and of the finish."""
    adapter = adapters.get(name, **IDS)
    return [event for native in natives for event in adapter.feed(native)] + adapter.finish(exc)


def shown(name: str, natives: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the parts that the natives give."""
    items: list[dict[str, Any]] = fold(run(name, natives))["items"]
    return items


def emitted(name: str, natives: Iterable[Any], *types: str) -> list[dict[str, Any]]:
    """Return the events of these types, as plain dicts without the envelope."""
    envelope = {"agent_id", "run_id", "message_id", "seq", "sub", "counter", "type"}
    return [
        {k: v for k, v in event.model_dump(exclude_defaults=True).items() if k not in envelope}
        for event in run(name, natives)
        if event.type in types
    ]


@cache
def recording(name: str) -> Recording:
    """Return a recording by its name, which begins with the adapter's name."""
    if name == "text":
        items = [{"kind": "text", "text": "Hello world"}]
        return Recording(name, ("Hello ", "", "world"), {"items": items, "run": ["success"], "usage": None})
    if name == "events":
        source = recording("pydantic_ai")
        return Recording(name, tuple(to_json(event) for event in source.events()), source.expected)
    file = FILES.get(name, name)
    # The first line of a script's recording names the SDK.
    lines = [json.loads(line) for line in (SAMPLES / f"{file}.jsonl").read_text().splitlines()]
    natives = tuple(_native(line) for line in lines if "event" in line)
    name_and_message = lines[0].get("raised")
    raised = type(name_and_message[0], (Exception,), {})(name_and_message[1]) if name_and_message else None
    return Recording(_adapter_of(name), natives, EXPECTED[file], raised)


def _adapter_of(name: str) -> str:
    """Return the adapter of a recording: the name is the adapter's, perhaps with a case after it.

    An example is ``openai_agents_handoff``.
    """
    return max((one for one in adapters.names() if name.startswith(one)), key=len)


RECORDINGS = (
    *sorted(path.stem for path in (SAMPLES / "expected").glob("*.json")),
    "agui",
    "anthropic",
    "events",
    "jido",
    "langgraph",
    "openai_chat",
    "openai_responses",
    "pydantic_ai",
    "text",
    "vercel_ai_ui",
    "vibex",
)
FILES = {
    "langgraph": "langgraph_messages_updates_anthropic",
    "openai_chat": "openai_chat.constructed",
    "vibex": "vibex_queue",
}
"""The files of recordings, if the file has another name than the recording."""


def _native(line: dict[str, Any]) -> Any:
    if line["cls"] != "app:tool_failed":
        return line["event"]
    # An application reports the failure of its own tool.
    output = line["event"]["output"]
    call_id = line["event"]["call_id"]
    return ToolFinished(**IDS, tool_call_id=call_id, status="error", output=output, error=output)


def as_object(value: Any) -> Any:
    """Return an object with the same fields as attributes, as an SDK has; arguments and results stay."""
    if isinstance(value, dict):
        values = ("input", "args", "arguments", "result", "output", "value")
        fields = {name: item if name in values else as_object(item) for name, item in value.items()}
        return types.SimpleNamespace(**fields)
    return [as_object(item) for item in value] if isinstance(value, list) else value


def as_live(native: Any) -> Any:
    """Return dataclasses with the same JSON form; an application's own reports stay dicts."""
    if isinstance(native, list):
        return [as_live(item) for item in native]
    if not isinstance(native, dict) or ("call_id" in native and "type" not in native):
        return native
    fields = {name: as_live(item) for name, item in native.items()}
    if not fields or not all(is_field(name) for name in fields):
        return fields
    return dataclasses.make_dataclass("Live", list(fields))(**fields)


def is_field(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not iskeyword(name) and name[0] != "_"


def in_order(events: Iterable[Event]) -> list[Event]:
    """Return the events with each counter's numbered events, once each, in their order.

    The sorted events take the places of their counter. Derived deltas without a direct twin stay.
    """
    first: dict[object, Event] = {}
    for i, event in enumerate(events):
        place = (event.run_id, event.counter, event.derived, event.seq, event.sub)
        first.setdefault(place if event.seq is not None else i, event)
    remaining = list(first.values())
    direct = {_text_of(event) for event in remaining if event.type in DELTAS and not event.derived}
    remaining = [event for event in remaining if not event.derived or _text_of(event) not in direct]
    counts: dict[tuple[str, str, bool], list[int]] = {}
    for i, event in enumerate(remaining):
        if event.seq is not None:
            counts.setdefault((event.run_id, event.counter, event.derived), []).append(i)
    ordered = list(remaining)
    for places in counts.values():
        numbered = sorted((remaining[i] for i in places), key=lambda event: (event.seq or 0, event.sub))
        for i, event in zip(places, numbered, strict=True):
            ordered[i] = event
    return ordered


def _text_of(event: Event) -> tuple[str, str | None, str]:
    return event.run_id, event.message_id, event.type


def fold(events: Iterable[Event], *, numbered: bool = False) -> dict[str, Any]:
    """Return the ``items``, ``run``, ``error`` and ``usage`` of the events.

    With *numbered*, the fold applies events in the order of their numbers, else in the given order. The
    parts of a subagent are in the ``children`` of its tool call; without a call, in ``runs``.
    """
    events = in_order(events) if numbered else list(events)
    first = events[0].run_id if events else ""
    subagents: dict[str, list[Event]] = {}
    for event in events:
        if event.run_id != first:
            subagents.setdefault(event.run_id, []).append(event)
    main = _fold([event for event in events if event.run_id == first])
    places = {(first, item["id"]): item for item in main["items"] if item["kind"] == "tool"}
    for run_id, inner in subagents.items():
        started = [event for event in inner if event.type == "run_started"][-1]  # it has all known fields
        sub = _fold(inner)["items"]
        places |= {(run_id, item["id"]): item for item in sub if item["kind"] == "tool"}
        if started.parent_tool_call_id is None:
            main["runs"][started.agent_name] = sub
            continue
        above = places[started.parent_run_id or first, started.parent_tool_call_id]
        above.setdefault("children", []).extend(sub)
    return main


def _fold(events: list[Event]) -> dict[str, Any]:
    parts: dict[tuple[str, ...], dict[str, Any]] = {}
    ends: list[Any] = []
    roles = {str(e.message_id): e.role for e in reversed(events) if e.type == "message_started"}
    usages: list[Any] = []
    for event in events:
        match event.type:
            case "text_delta" | "thinking_delta":
                kind = event.type.removesuffix("_delta")
                key = (event.run_id, str(event.message_id), kind, event.part_id)
                parts.setdefault(key, {"kind": kind, "text": ""})["text"] += event.delta
            case "part_completed":
                key = (event.run_id, str(event.message_id), event.kind, event.part_id)
                parts.setdefault(key, {"kind": event.kind, "text": ""})["text"] = event.text
            case "tool_call_delta" | "tool_started" | "tool_progress" | "tool_finished":
                _tool(parts, event)
            case "artifact":
                parts[event.run_id, "artifact", event.artifact_id] = event.model_dump(
                    include={"artifact_id", "name", "media_type", "data", "url", "tool_call_id"},
                    exclude_none=True,
                ) | {"kind": "artifact"}
            case "custom" if event.shown:
                line = {"kind": "custom", "name": event.name, "value": event.value}
                parts[event.run_id, "custom", str(len(parts))] = line
            case "message_finished":
                usages += [event.usage] if event.usage else []
            case "run_finished":
                ends.append(event)
    for place, part in parts.items():
        if part["kind"] == "text" and (role := roles.get(place[1], "assistant")) != "assistant":
            part["role"] = role
    end = ends[-1] if ends else None
    usages = [end.usage] if end is not None and end.usage else usages
    for part in parts.values():
        text = part.pop("written", None)
        if part.get("args") is None and text:
            part["args"] = _loads(text)
    return {
        "items": [part for part in parts.values() if part.get("text") != ""],
        "runs": {},
        "run": end and end.outcome,
        "error": end and end.error,
        "usage": {n: sum(getattr(u, n) for u in usages) for n in ("input_tokens", "output_tokens")}
        if usages
        else None,
    }


def check_items(shown: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Assert that the folded parts equal the expected ones."""
    for item, wanted in zip(shown, expected, strict=True):
        check_items(item.get("children", []), wanted.get("children", []))
        # A field that the source does not have is null in the expectation. Of several states, any is right.
        apart = ("status", "children")
        known = {name: value for name, value in wanted.items() if value is not None and name not in apart}
        assert item.get("role") == wanted.get("role")
        assert {name: item[name] for name in known} == known
        # After the run's end, no call is preparing or running.
        status = UNFINISHED.get(item.get("status", ""), item.get("status"))
        assert status in wanted.get("status", [None])


def check_parts(parts: Sequence[Any], expected: list[dict[str, Any]]) -> None:
    """Assert that the package's parts equal the expected ones."""
    assert [part.kind for part in parts] == [item["kind"] for item in expected]
    for part, item in zip(parts, expected, strict=True):
        known = {
            name: value for name, value in item.items() if name in ("text", "name", "args", "output", "role")
        }
        shown = {"name": "tool_name"} if part.kind == "tool" else {}
        known = {shown.get(name, name): value for name, value in known.items() if value is not None}
        if isinstance(code := known.get("args"), str):  # text that is no JSON
            assert part.args_text == code
            del known["args"]
        assert {name: getattr(part, name) for name in known} == known
        if part.kind == "tool":
            assert part.state in item["status"]
            check_parts(part.children, item.get("children", []))


def _tool(parts: dict[tuple[str, ...], dict[str, Any]], event: Any) -> None:
    new = {
        "kind": "tool",
        "id": event.tool_call_id,
        "name": "",
        "args": None,
        "status": "preparing",
        "output": None,
    }
    part = parts.setdefault((event.run_id, "tool", event.tool_call_id), {**new, "written": ""})
    part["name"] = getattr(event, "tool_name", None) or part["name"]
    match event.type:
        case "tool_call_delta":
            part["written"] += event.delta
        case "tool_started":
            part["status"] = "running"
            part["args"] = part["args"] if event.args is None else event.args
        case "tool_progress":
            part["status"] = event.state or part["status"]
        case "tool_finished":
            part |= {"status": event.status, "output": event.output}


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

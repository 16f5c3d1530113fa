"""An independent answer to what a transcript must be: sort, then fold. It shares no code with ours."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from vibe_notebook.events import Event

Slot = list[Event]


def in_order(arrived: list[Event]) -> list[Event]:
    """Distinct events; those of each count sorted into the arrival positions that it has had."""
    seen: set[Any] = set()
    distinct: list[Event] = []
    for event in arrived:
        key = (event.run_id, event.counter, event.derived, event.seq, event.sub)
        if event.seq is None or key not in seen:
            seen.add(key)
            distinct.append(event)
    queues: dict[Any, list[Event]] = defaultdict(list)
    for event in distinct:
        if event.seq is not None:
            queues[event.run_id, event.counter, event.derived].append(event)
    for queue in queues.values():
        queue.sort(key=lambda e: (e.seq, e.sub), reverse=True)
    return [e if e.seq is None else queues[e.run_id, e.counter, e.derived].pop() for e in distinct]


def fold(arrived: list[Event]) -> list[tuple[Any, ...]]:
    """(kind, run, message, part, text) of text and thinking, (tool, run, id, args, state) of tools."""
    direct = {(e.run_id, e.message_id, e.type) for e in arrived if e.type.endswith("_delta") and not e.derived}
    parts: dict[tuple[Any, ...], Any] = {}
    ended = {e.run_id for e in arrived if e.type == "run_finished"}
    for e in in_order(arrived):
        if e.derived and (e.run_id, e.message_id, e.type) in direct:
            continue
        match e.type:
            case "text_delta" | "thinking_delta":
                key = (e.type[: -len("_delta")], e.run_id, e.message_id, e.part_id)
                parts[key] = parts.get(key, "") + e.delta
            case "part_completed":
                parts[e.kind, e.run_id, e.message_id, e.part_id] = e.text
            case "tool_call_delta" | "tool_started" | "tool_finished":
                args, state = parts.get(("tool", e.run_id, e.tool_call_id), ("", "preparing"))
                if e.type == "tool_call_delta":
                    args += e.delta
                elif e.type == "tool_finished":
                    state = e.status
                else:
                    args = args if e.args is None else e.args
                    state = state if state in ("ok", "error") else "running"
                parts["tool", e.run_id, e.tool_call_id] = (args, state)
    runs = list(dict.fromkeys(e.run_id for e in arrived))
    rows = [
        (*k, *((v[0], "unfinished" if k[1] in ended and v[1] in ("preparing", "running") else v[1]) if k[0] == "tool" else (v,)))
        for k, v in parts.items()
        if v != ""
    ]
    return sorted(rows, key=lambda row: runs.index(row[1]))


def shown(transcript: Any) -> list[tuple[Any, ...]]:
    """Our transcript in the same terms."""
    rows: list[tuple[Any, ...]] = []
    for p in transcript.parts:
        if p.kind == "tool":
            rows.append(("tool", p.run_id, p.tool_call_id, p.args_text, p.state))
        else:
            rows.append((p.kind, p.run_id, p.message_id, p.part_id, p.text))
    return rows

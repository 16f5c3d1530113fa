"""Sort and reduce events to the transcript that they must give; an oracle that shares no code with ours."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Slot = list[Any]


def in_order(arrived: list[Any]) -> list[Any]:
    """Return the distinct events; each counter's are sorted into the arrival positions that the counter has had."""
    seen: set[Any] = set()
    distinct: list[Any] = []
    for event in arrived:
        key = (event.run_id, event.counter, event.derived, event.seq, event.sub)
        if event.seq is None or key not in seen:
            seen.add(key)
            distinct.append(event)
    queues: dict[Any, list[Any]] = defaultdict(list)
    for event in distinct:
        if event.seq is not None:
            queues[event.run_id, event.counter, event.derived].append(event)
    for queue in queues.values():
        queue.sort(key=lambda e: (e.seq, e.sub), reverse=True)
    return [e if e.seq is None else queues[e.run_id, e.counter, e.derived].pop() for e in distinct]


def fold(arrived: list[Any]) -> list[tuple[Any, ...]]:
    """Reduce events to rows.

    (kind, run, message, part, text) for text and thinking; (tool, run, id, args, output, state) for tools.
    """
    direct = {
        (e.run_id, e.message_id, e.type) for e in arrived if e.type.endswith("_delta") and not e.derived
    }
    parts: dict[tuple[Any, ...], Any] = {}
    key: tuple[Any, ...]
    for e in in_order(arrived):
        if e.derived and (e.run_id, e.message_id, e.type) in direct:
            continue
        match e.type:
            case "text_delta" | "thinking_delta":
                key = (e.type[: -len("_delta")], e.run_id, e.message_id, e.part_id)
                parts[key] = parts.get(key, "") + e.delta
            case "part_completed":
                parts[e.kind, e.run_id, e.message_id, e.part_id] = e.text
            case "tool_call_delta" | "tool_started" | "tool_progress" | "tool_finished":
                key = ("tool", e.run_id, e.tool_call_id)
                parts[key] = _tool(e, *parts.get(key, ("", None, "preparing")))
    ended = _ended(arrived)
    rows: list[tuple[Any, ...]] = []
    for key, value in parts.items():
        if key[0] != "tool":
            rows += [(*key, value)] if value else []
            continue
        args, output, state = value
        if key[1] in ended and state in ("preparing", "running"):
            state = "unfinished"
        rows.append((*key, args, output, state))
    runs = list(dict.fromkeys(e.run_id for e in arrived))
    return sorted(rows, key=lambda row: runs.index(row[1]))


def _tool(e: Any, args: str, output: str | None, state: str) -> tuple[str, str | None, str]:
    is_over = state in ("ok", "error")
    if e.type == "tool_call_delta":
        return args + e.delta, output, state
    if e.type == "tool_finished":
        return args, output, e.status
    if e.type == "tool_progress":
        return args, (output or "") + e.delta, "running" if state == "preparing" else state
    return args if e.args is None else e.args, output, state if is_over else "running"


def _ended(arrived: list[Any]) -> set[str]:
    """Return the runs that have ended, and the subagents of those."""
    ended = {e.run_id for e in arrived if e.type == "run_finished"}
    above = {e.run_id: e.parent_run_id for e in arrived if e.type == "run_started" and e.parent_run_id}
    known = {e.run_id for e in arrived}
    for _ in above:
        ended |= {run for run, parent in above.items() if parent in ended & known}
    return ended


def shown(transcript: Any) -> list[tuple[Any, ...]]:
    """Return our transcript as the same rows, subagents beside their parents."""
    rows: list[tuple[Any, ...]] = []

    def walk(parts: Any) -> None:
        for p in parts:
            if p.kind == "tool":
                rows.append(("tool", p.run_id, p.tool_call_id, p.args_text, p.output, p.state))
                walk(p.children)
            else:
                rows.append((p.kind, p.run_id, p.message_id, p.part_id, p.text))

    walk(transcript.parts)
    for run in transcript.runs:
        walk(run.parts)
    runs = [run.run_id for run in transcript.runs]
    return sorted(rows, key=lambda row: runs.index(row[1]))


def delivered_prefix(arrived: list[Any]) -> tuple[dict[tuple[Any, Any], str], int]:
    """Return ({(message, part): text} that callbacks have got, the count of held events), for one run.

    For counters with a base of 0 or of their MessageStarted, and bounds that never apply.
    """
    seen: dict[Any, dict[int, Any]] = defaultdict(dict)
    direct = {e.message_id for e in arrived if e.type == "text_delta" and not e.derived}
    text: dict[tuple[Any, Any], str] = {}
    for e in arrived:
        if e.seq is not None:
            seen[e.counter].setdefault(e.seq, e)
        elif e.message_id not in direct:
            key = (e.message_id, e.part_id)
            text[key] = text.get(key, "") + e.delta
    waiting = 0
    for events in seen.values():
        opening = [seq for seq, e in events.items() if e.type == "message_started"]
        at = 0 if 0 in events else min(opening, default=-1)
        while at in events:
            e = events.pop(at)
            key = (e.message_id, getattr(e, "part_id", None))
            if e.type == "text_delta":
                text[key] = text.get(key, "") + e.delta
            elif e.type == "part_completed":
                text[key] = e.text
            at += 1
        waiting += len(events)
    return {key: value for key, value in text.items() if value}, waiting

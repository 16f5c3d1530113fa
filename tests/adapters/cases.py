"""Write the tables of docs/adapters.md that tests prove: ``python -m tests.adapters.cases``.

They are the table of the cases in each adapter's recordings, and that of ``conversation.py``. A test asserts that the
page has the current tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.adapters import conversation
from tests.adapters.support import RECORDINGS, Recording, recording
from vibe_notebook.events import Event

DOC = Path(__file__).parents[2] / "docs" / "adapters.md"
BEGIN, END = "<!-- made by tests/adapters/cases.py -->", "<!-- end -->"
ONE_LINE = "<!-- made by tests/adapters/one_line.py -->"
CONVERSATION = "<!-- made by tests/adapters/conversation.py -->"


def _has(kind: str, **fields: Any) -> Callable[[list[Event]], bool]:
    def check(events: list[Event]) -> bool:
        return any(e.type == kind and all(getattr(e, k) == v for k, v in fields.items()) for e in events)

    return check


def _calls(events: list[Event], *kinds: str) -> list[str]:
    """Return the calls in the order of their first events of these kinds."""
    return list(dict.fromkeys(f"{e.run_id} {e.tool_call_id}" for e in events if e.type in kinds))  # type: ignore[union-attr]


def _at_once(events: list[Event]) -> bool:
    open_calls: set[str] = set()
    for event in events:
        if event.type in ("tool_started", "tool_call_delta"):
            open_calls.add(event.tool_call_id)
            if len(open_calls) > 1:
                return True
        elif event.type == "tool_finished":
            open_calls.discard(event.tool_call_id)
    return False


def _other_order(events: list[Event]) -> bool:
    asked = _calls(events, "tool_started", "tool_call_delta")
    answered = _calls(events, "tool_finished")
    return answered != [call for call in asked if call in answered]


CASES: dict[str, Callable[[list[Event]], bool]] = {
    "text": _has("text_delta"),
    "thinking": _has("thinking_delta"),
    "arguments as they are written": lambda events: any(
        e.type == "tool_call_delta" and e.delta for e in events
    ),
    "results": _has("tool_finished", status="ok"),
    "a failed tool": _has("tool_finished", status="error"),
    "several calls at once": _at_once,
    "results in another order": _other_order,
    "waits for approval": _has("tool_progress", state="awaiting_approval"),
    "subagents in their call": lambda events: any(
        e.type == "run_started" and e.parent_tool_call_id is not None for e in events
    ),
    "twins": lambda events: any(event.derived for event in events),
    "files": _has("artifact"),
    "usage": lambda events: any(
        e.type in ("message_finished", "run_finished") and e.usage is not None for e in events
    ),
    "the user's turn": _has("message_started", role="user"),
    "lines": _has("custom", shown=True),
    "a run that fails": _has("run_finished", outcome="error"),
}


def recorded() -> dict[str, list[Recording]]:
    """Return the recordings of each adapter."""
    found: dict[str, list[Recording]] = {}
    for name in RECORDINGS:
        found.setdefault(recording(name).adapter, []).append(recording(name))
    return dict(sorted(found.items()))


def table() -> str:
    """Return the table as Markdown."""
    lines = [f"| | {' | '.join(CASES)} |", f"| --- |{' :-: |' * len(CASES)}"]
    for name, recordings in recorded().items():
        streams = [one.events() for one in recordings]
        marks = ["✓" if any(check(events) for events in streams) else "" for check in CASES.values()]
        lines.append(f"| `{name}` | {' | '.join(marks)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the tables into the documentation."""
    from tests.adapters import one_line  # noqa: PLC0415 - it uses the cases

    page = DOC.read_text()
    for begin, made in (
        (ONE_LINE, one_line.table()),
        (BEGIN, table()),
        (CONVERSATION, conversation.table()),
    ):
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(END)
        page = f"{before}{begin}\n\n{made}\n\n{END}{after}"
    DOC.write_text(page)


if __name__ == "__main__":
    main()

"""Put hostile values in every field: each event is refused, or is made, sent, saved and shown."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vibe_notebook.display._bundle import bundle
from vibe_notebook.display._terminal import Printer
from vibe_notebook.events import (
    EVENT_CLASSES,
    RunFinished,
    TextDelta,
    ToolStarted,
    Usage,
    parse_event,
    to_json,
)
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.parts import TextPart, ToolPart
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript

ENDS = [1e308, -1e308, float("nan"), float("inf"), float("-inf"), 1e15, -1.0, 0.0, 5e-324]
WHOLE = [2**53, 2**63 - 1, 2**63, -(2**63), 10**4299 * 9, 10**5000, -1, 0]
TEXTS = [
    "",
    "\ud800",
    "\udfff\ud800",
    "\x00\x1b[2J",
    "\u202e",
    "x" * 5_000,
    "9" * 5_000,
    "<script>",
    "`" * 300,
    "1e999",
]


def deep(kind: str, levels: int) -> Any:
    value: Any = "\ud800"
    for _ in range(levels):
        value = [value] if kind == "list" else {"k": value}
    return value


TABLES = [
    {"columns": ["a"] * 3, "rows": [[1, None, "\ud800"]] * 3, "total": total}
    for total in (3, -1, 10**30, True)
] + [{"columns": [], "rows": [[]] * 50, "total": 50}, {"columns": [1], "rows": [[1, 2], []], "total": 2}]
VALUES = [
    *ENDS,
    *WHOLE,
    *TEXTS,
    *TABLES,
    None,
    True,
    deep("list", 90),
    deep("dict", 5_000),
    {1: 2, None: 3, "\ud800": 4, (1, 2): 5},
    {"a", "b"},
    b"\xff",
    object(),
    {
        "input_tokens": 10**4299,
        "output_tokens": 1e308,
        "cost": 1e308,
        "cached_input_tokens": -1,
        "model": "\ud800",
    },
]
hostile = st.sampled_from(VALUES)
CLASSES: list[Any] = sorted(EVENT_CLASSES, key=lambda cls: cls.__name__)
BASE = {
    "agent_id": "a",
    "run_id": "r",
    "tool_call_id": "t",
    "delta": "d",
    "text": "t",
    "artifact_id": "f",
    "name": "n",
}


@st.composite
def attempts(draw: st.DrawFn) -> dict[str, Any]:
    cls: Any = draw(st.sampled_from(CLASSES))
    fields = [name for name in cls.model_fields if name != "type"]
    made = {name: BASE[name] for name in fields if name in BASE}
    made |= draw(st.dictionaries(st.sampled_from([*fields, "newer"]), hostile, max_size=4))
    return {"type": cls.model_fields["type"].default, **made}


def rendered(transcript: Transcript) -> int:
    shown = bundle({"\ud800": transcript, "b": transcript}, title="\ud800")
    forms = [*shown.values(), transcript.to_html(), transcript.to_markdown(), transcript.to_text()]
    for form in forms:
        assert "could not be made" not in form
        form.encode()
    return len(forms)


seen: Counter[str] = Counter()
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(attempts(), min_size=1, max_size=6))
def check(rows: list[dict[str, Any]]) -> None:
    registry = Registry(hold=0, max_wait=0)
    terminal = io.StringIO()
    printer = Printer(terminal)
    for row in rows:
        try:
            event = parse_event(row)
        except ProtocolError as error:
            seen["refused" if error.field else "refused without a field"] += 1
            continue
        seen["made"] += 1
        text = to_json(event)
        text.encode()
        assert to_json(parse_event(text)) == text
        json.dumps(json.loads(text), allow_nan=False)
        registry.dispatch(event.model_copy(update={"seq": None}))
        printer(event)
    printer.end()
    terminal.getvalue().encode()
    assert not CONTROL.search(terminal.getvalue())
    seen["lines"] += terminal.getvalue().count("\n")
    for agent_id in registry.agents():
        transcript = registry.transcript(agent_id)
        seen["forms"] += rendered(transcript)
        dumped = json.dumps(transcript.model_dump(mode="json"), allow_nan=False)
        dumped.encode()
        assert Transcript.model_validate(json.loads(dumped)).model_dump_json() == transcript.model_dump_json()
    registry.close()


def test_every_hostile_event_is_refused_by_its_field_or_shown_in_every_form(
    record_property: Callable[[str, object], None],
) -> None:
    seen.clear()
    check()
    for name, count in seen.items():
        record_property(name, count)
    assert seen["made"] > 100
    assert seen["lines"] > 100
    assert not seen["refused without a field"]


def test_the_terminal_writes_no_control_character_of_any_field() -> None:
    terminal = io.StringIO()
    printer = Printer(terminal)
    texts = ["\x00\x1b[2J", "\x9b31m\r\x08", "a\x07\x7f"]
    count = 0
    for cls in CLASSES:
        for field in cls.model_fields:
            for text in texts:
                row = {name: BASE[name] for name in cls.model_fields if name in BASE}
                try:
                    printer(parse_event({**row, "type": cls.model_fields["type"].default, field: text}))
                except ProtocolError:
                    continue
                count += 1
    printer.end()
    assert count > 200
    assert not CONTROL.search(terminal.getvalue())


@pytest.mark.parametrize("ts", [*ENDS[:5], -1.0, 1e15, 253_402_300_800.0])
def test_a_time_out_of_range_does_not_cost_the_event(ts: float) -> None:
    assert ToolStarted(agent_id="a", run_id="r", tool_call_id="t", ts=ts).ts is None


@pytest.mark.parametrize(
    "count",
    [2**53, 10**4299, -1, 1e308, float("inf")],
    ids=lambda count: f"{count:.0e}"[:9] if isinstance(count, float) else str(count.bit_length()),
)
def test_a_count_that_no_provider_bills_does_not_cost_the_event(count: Any) -> None:
    usage = Usage(input_tokens=count, output_tokens=7, cost=count)
    assert (usage.input_tokens, usage.output_tokens) == (None, 7)
    assert usage.cost is None or abs(usage.cost) <= 2**53


@pytest.mark.parametrize("field", ["seq", "sub", "id"])
@pytest.mark.parametrize("number", [2**63, -(2**63), 10**4299], ids=["2**63", "-2**63", "10**4299"])
def test_a_place_beyond_64_bits_is_refused_by_its_field(field: str, number: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_event({"type": "text_delta", "agent_id": "a", "run_id": "r", "delta": "", field: number})
    assert caught.value.field == field


def test_ids_beyond_the_bound_are_cut_and_different_ids_stay_different() -> None:
    ids = ["x" * 1_000, "x" * 1_001, "x" * 5_000, "x" * 4_999 + "y"]
    made = [TextDelta(agent_id="a", run_id=ident, delta="").run_id for ident in ids]
    assert made[0] == ids[0]
    assert len(set(made)) == 4
    assert max(map(len, made)) == 1_000
    assert TextDelta(agent_id="a", run_id=ids[2], delta="").run_id == made[2]
    assert TextDelta(agent_id="a", run_id=made[2], delta="").run_id == made[2]


def test_counts_that_add_up_beyond_the_bound_leave_the_transcript_readable() -> None:
    registry = Registry()
    registry.dispatch(
        [RunFinished(agent_id="a", run_id=f"r{n}", usage=Usage(input_tokens=2**53 - 1)) for n in (1, 2)]
    )
    assert rendered(registry.transcript("a")) == 6
    registry.close()


def test_a_form_that_cannot_be_made_reports_its_error_and_shows_plain_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise OverflowError("too large")

    for name in ("html", "markdown", "text"):
        monkeypatch.setattr(f"vibe_notebook._forms.{name}.name_of", broken)
    tool = ToolPart(tool_call_id="1", tool_name="shell", args={"cmd": "rm -rf /data"}, output="<b>done</b>")
    transcript = Transcript(agent_id="a", parts=(TextPart(text="I ~~~ begin"), tool))
    forms = transcript._repr_mimebundle_()
    assert list(forms) == ["text/plain", "text/markdown", "text/html"]
    for form in forms.values():
        assert "could not be made (OverflowError)" in form
        assert "rm -rf /data" in form
    assert "&lt;b&gt;done" in forms["text/html"]
    assert "<b>" not in forms["text/html"]
    assert caplog.text.count("could not be made") == 3


def test_a_table_shows_its_bound_of_cells_and_states_the_total() -> None:
    table = {"columns": ["a"] * 100, "rows": [[""] * 100] * 4_000, "total": 4_000}
    transcript = Transcript(parts=(ToolPart(tool_call_id="1", output=table),))
    html = transcript.to_html()
    assert html.count("<td") == 20_000
    assert "showing 200 of 4,000 rows" in html
    assert "showing 200 of 4,000 rows" in transcript.to_text()
    wide = {"columns": ["a"] * 50_000, "rows": [[""] * 50_000], "total": 1}
    html = Transcript(parts=(ToolPart(tool_call_id="1", output=wide),)).to_html()
    assert html.count("<t") < 20_010
    assert "showing 0 of 1 rows, 20,000 of 50,000 columns" in html
    empty = {"columns": [], "rows": [[]] * 50_000, "total": 50_000}
    html = Transcript(parts=(ToolPart(tool_call_id="1", output=empty),)).to_html()
    assert html.count("<tr") == 20_001

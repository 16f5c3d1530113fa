"""Hold the reader of every dialect to the same contract, over its samples and over hostile entries."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vibe_notebook as vibe
from tests.logs.support import SAMPLES, Growing, notes, text_of
from vibe_notebook.adapters.logs import DIALECTS
from vibe_notebook.events import Custom, Event
from vibe_notebook.logs import Log
from vibe_notebook.logs._sessions import glance
from vibe_notebook.parts import ToolPart
from vibe_notebook.transcript import Transcript

THREAD = "019c0000-0000-7000-8000-00000000000a"
PI = "pi/--work-weather--/2026-03-05T10-00-00-000Z_7d1f0c3a-7b52-4e0e-9a54-2f6f4a1c8e10.jsonl"
OPENCODE = "opencode/storage/session/global/ses_46a0000000000001aaaaaaaaaa.json"


class Sample(NamedTuple):
    """Name a sample, and what its transcript must have."""

    path: str
    agent: str
    turns: list[str]
    text: str
    tools: dict[str, str]
    tokens: tuple[int, int]
    nested: dict[str, list[str]] = {}  # noqa: RUF012 - never written
    hidden: list[str] = []  # noqa: RUF012
    title: str = ""
    cost: float | None = None


GEMINI = Sample(
    "gemini_cli.json",
    "Gemini CLI",
    ["Which files are here?", "Remove tests."],
    "I look.`weather.py` and `tests`.",
    {"list_directory": "ok", "write_todos": "ok", "run_shell_command": "cancelled"},
    (15_500, 82),
    title="List the files",
)
EXPORT = Sample(
    "opencode.json",
    "OpenCode",
    ["Tidy the imports."],
    "I tidy them.Nothing to tidy.",
    {"todowrite": "ok", "task": "ok", "edit": "error"},
    (2_015, 78),
    title="Tidy imports",
    cost=0.012,
)
INSPECT = Sample(
    "inspect.json",
    "Inspect",
    ["What is 6 * 7?", "What is 6 * 7?"],
    "I multiply.ANSWER: 42I multiply.ANSWER: 41",
    {"calculator": "error"},
    (170, 26),
    title="arithmetic · openai/gpt-5.2",
)
ALL = [
    Sample(
        f"codex/2026/03/05/rollout-2026-03-05T10-00-00-{THREAD}.jsonl",
        "Codex",
        ["Add a --json flag to the weather command.", "Now run everything."],
        "`weather --json` now prints JSON.",
        {
            "update_plan": "ok",
            "exec_command": "ok",
            "spawn_agent": "ok",
            "apply_patch": "ok",
            "web_search": "ok",
            "shell": "unfinished",
        },
        (10_300, 392),
        {"spawn_agent": ["Find the tests of the command.", "tests/test_command.py"]},
        ["instructions", "instructions", "compaction_summary"],
        "A JSON flag",
    ),
    Sample(
        PI,
        "Pi",
        ["How warm is it in the sample?", "In Fahrenheit, please."],
        "I read the file.21 degrees.70 degrees.",
        {"read": "ok", "bash": "ok"},
        (3_245, 53),
        hidden=["compaction_summary"],
        title="Warmth",
        cost=0.004,
    ),
    GEMINI,
    GEMINI._replace(path="gemini_cli.jsonl"),
    Sample(
        "copilot_cli/3b1d0c3a-7b52-4e0e-9a54-2f6f4a1c8e10/events.jsonl",
        "Copilot CLI",
        ["Explain the forecast module."],
        "The module has one function.",
        {"task": "ok", "bash": "denied"},
        (12_000, 110),
        {"task": ["Reading."]},
        ["compaction_summary"],
    ),
    EXPORT,
    EXPORT._replace(
        path=OPENCODE, tokens=(2_018, 82), nested={"task": ["List the files", "weather.py"]}, cost=0.013
    ),
    INSPECT,
    INSPECT._replace(path="inspect.eval"),
    Sample(
        "swe_agent.traj",
        "SWE-agent",
        ["ISSUE: the unit is wrong."],
        "Let me look.Done.",
        {"find_file": "ok", "submit": "ok"},
        (9_000, 210),
        cost=0.12,
    ),
    Sample(
        "mini_swe_agent.traj.json",
        "SWE-agent",
        ["Fix the unit."],
        "THOUGHT: list.\n\n```bash\nls\n```",
        {"bash": "ok"},
        (300, 20),
        cost=0.05,
    ),
    Sample(
        "atif.json",
        "ATIF",
        ["What does the stock cost?"],
        "I search.It costs 185 dollars.",
        {"search": "ok", "delegate": "ok"},
        (1_170, 129),
        {"delegate": ["The price is right."]},
        cost=0.00075,
    ),
]
each = pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.path.rpartition("/")[2][-24:])


def texts(call: ToolPart) -> list[str]:
    return [part.text for part in call.children if part.kind == "text"]


@each
def test_a_sample_is_read_whole(sample: Sample) -> None:
    path = SAMPLES / sample.path
    made: Transcript = vibe.load(path)
    assert Log(path).found.agent == sample.agent
    assert [turn.input for turn in made.turns if turn.input] == sample.turns
    assert made.text == sample.text
    assert {call.tool_name: call.state for call in made.tools} == sample.tools
    assert {call.tool_name: texts(call) for call in made.tools if call.children} == sample.nested
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens) == sample.tokens
    assert made.usage.cost == (None if sample.cost is None else pytest.approx(sample.cost))


@each
def test_nothing_in_a_sample_is_unknown(sample: Sample) -> None:
    events = list(Log(SAMPLES / sample.path))
    assert [event.name for event in events if isinstance(event, Custom) and not event.shown] == sample.hidden
    assert not [note for note in notes(events) if note[0] == "log"]


@each
def test_a_watch_of_a_sample_gives_the_transcript_that_load_gives(sample: Sample) -> None:
    watch = vibe.watch(SAMPLES / sample.path, display=False)
    list(watch)
    assert watch.transcript == vibe.load(SAMPLES / sample.path)


@each
def test_the_times_are_those_of_the_sample(sample: Sample) -> None:
    events = list(Log(SAMPLES / sample.path))
    times = [event.ts for event in events]
    if sample.path == "swe_agent.traj":
        assert times == [None] * len(times)  # its steps have none
    elif not sample.path.startswith("mini"):
        assert all(time is not None and 1_772_704_800 <= time < 1_772_705_000 for time in times)


@each
def test_a_list_describes_a_sample(sample: Sample) -> None:
    seen = glance(SAMPLES / sample.path)
    assert (seen.agent, seen.title, seen.problem) == (sample.agent, sample.title, "")
    if sample.agent != "Inspect":
        assert seen.first_words == sample.turns[0]
        assert seen.turns == len(sample.turns)
    if "opencode" not in sample.path:  # the subagent's cost is in a file of its own
        assert seen.cost == (None if sample.cost is None else pytest.approx(sample.cost))


@each
def test_a_log_that_stands_still_shows_nothing_twice_when_it_is_followed(sample: Sample) -> None:
    path = SAMPLES / sample.path
    assert list(Growing(path, lambda: None, lambda: None)) == list(Log(path))


def test_plans_are_known_by_their_shape() -> None:
    paths = [ALL[0].path, "gemini_cli.json", "opencode.json"]
    plans = [[part.kind for part in vibe.load(SAMPLES / path).parts].count("plan") for path in paths]
    assert plans == [1, 1, 1]


def test_every_compaction_is_one_line() -> None:
    for path in (ALL[0].path, PI, ALL[4].path):
        found = [name for name, _ in notes(Log(SAMPLES / path)) if name == "compaction"]
        assert found == ["compaction"]


def test_the_outcome_is_that_of_the_last_words() -> None:
    outcomes = [vibe.load(SAMPLES / sample.path).outcome for sample in ALL]
    assert outcomes == ["cancelled", *["success"] * 3, "error", *["success"] * 5, "error", "success"]


# Logs that are one value, a folder, or an archive, and change.


def test_a_gemini_chat_that_is_written_anew_shows_only_the_news(tmp_path: Path) -> None:
    chat = json.loads((SAMPLES / "gemini_cli.json").read_text())
    path = tmp_path / "chat.json"

    def write(count: int, **changes: Any) -> None:
        path.write_text(json.dumps({**chat, "messages": [*chat["messages"][:count]], **changes}))

    def half() -> None:
        path.write_text(path.read_text()[:-20])

    write(1)
    events = list(Growing(path, lambda: write(2), half, lambda: write(6)))
    whole = list(Log(SAMPLES / "gemini_cli.json"))
    assert [event.type for event in events] == [event.type for event in whole]


def test_a_message_of_a_gemini_chat_may_grow(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    lines = [json.loads(line) for line in (SAMPLES / "gemini_cli.jsonl").read_text().splitlines()]
    longer = {**lines[4], "content": "`weather.py`, `tests` and more."}
    path.write_text(text_of([*lines[:5], longer]))
    assert vibe.load(path).text == "I look.`weather.py`, `tests` and more."


def test_a_document_that_ends_within_a_value_shows_its_beginning(tmp_path: Path) -> None:
    for name in ("gemini_cli.json", "atif.json", "swe_agent.traj", "opencode.json", "inspect.json"):
        words = (SAMPLES / name).read_text()
        path = tmp_path / name
        path.write_text(words[: len(words) * 3 // 4])
        assert "ends within a value; its beginning is shown" in vibe.load(path).to_text()


def test_an_archive_with_damage_says_which_sample_is_missing(tmp_path: Path) -> None:
    import zipfile  # noqa: PLC0415

    path = tmp_path / "x.eval"
    with zipfile.ZipFile(SAMPLES / "inspect.eval") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, b"{" if name == "samples/one_epoch_1.json" else data)
    made = vibe.load(path)
    assert "1 damaged line was left out: samples/one_epoch_1.json" in made.to_text()
    assert made.text == "I multiply.ANSWER: 41"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(vibe.VibeNotebookError, match="no whole archive"):
        vibe.load(path)


def test_an_opencode_session_that_grows_shows_its_new_parts(tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    root = tmp_path / "storage"
    shutil.copytree(SAMPLES / "opencode" / "storage", root)
    session = root / "session" / "global" / Path(OPENCODE).name
    last = root / "part" / "msg_3" / "prt_31.json"
    part = json.loads(last.read_text())

    def say(words: str) -> None:
        last.write_text(json.dumps({**part, "text": words}))

    say("Nothing")
    events = list(Growing(session, lambda: say("Nothing to tidy."), lambda: last.write_text("{")))
    words = [getattr(event, "delta", None) or getattr(event, "text", None) for event in events]
    assert [word for word in words if word and word.startswith("Nothing")] == ["Nothing", "Nothing to tidy."]
    assert any("prt_31.json" in str(value) for _, value in notes(events))


def test_the_oldest_rollouts_of_codex_have_items_alone(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "gone"}]}
    head = {"id": "x", "timestamp": "2025-05-01T00:00:00Z", "instructions": None}
    path.write_text(text_of([head, user, {"record_type": "state"}, answer]))
    made = vibe.load(path)
    assert ([turn.input for turn in made.turns], made.text) == (["go"], "gone")


def test_the_same_words_said_twice_in_codex_are_two_turns(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}]}
    event = {"type": "user_message", "message": "go on"}
    pair = [{"type": "response_item", "payload": item}, {"type": "event_msg", "payload": event}]
    path.write_text(text_of([*pair, *pair, pair[1], pair[0]]))
    assert [turn.input for turn in vibe.load(path).turns] == ["go on"] * 3


# No entry is fatal.

JUNK: list[Any] = [None, 7, -1, "", "x", [], {}, [None], {"a": 1}, True, 1e400, "\ud83d", "9" * 400]


def entries_of(sample: Sample) -> list[Any]:
    if sample.path.endswith(".jsonl"):
        return [json.loads(line) for line in (SAMPLES / sample.path).read_text().splitlines()]
    dialect = next(one for one in DIALECTS if one.agent == sample.agent)
    assert dialect.entries is not None
    return list(dialect.entries(json.loads((SAMPLES / sample.path).read_text())))


READABLE = [sample for sample in ALL if sample.path not in (OPENCODE, "inspect.eval")]
ENTRIES = {sample.path: (sample.agent, entries_of(sample)) for sample in READABLE}
ENTRIES["claude_code.jsonl"] = (
    "Claude Code",
    [json.loads(line) for line in (SAMPLES / "claude_code.jsonl").read_text().splitlines()],
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_in(inner, (*path, key))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
@pytest.mark.parametrize("name", ENTRIES)
def test_no_value_of_an_entry_breaks_a_reader(name: str, data: st.DataObject) -> None:
    agent, whole = ENTRIES[name]
    entries = copy.deepcopy(whole)
    for _ in range(3):
        place = data.draw(st.integers(0, len(entries) - 1))
        found = list(paths_in(entries[place]))
        if not found:
            continue
        *above, key = data.draw(st.sampled_from(found))
        holder = entries[place]
        for step in above:
            holder = holder[step]
        holder[key] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    dialect = next(one for one in DIALECTS if one.agent == agent)
    reader = dialect.reader(run_id="r")
    events: list[Event] = []
    for entry in entries:
        if dialect.is_entry is not None:
            dialect.is_entry(entry)
        dialect.project_of(entry)
        events += reader.feed(entry)
    events += reader.finish()
    assert events[-1].type == "run_finished"
    registry = vibe.Registry()
    for event in events:
        registry.dispatch(event)
    made = registry.transcript(events[0].agent_id)
    assert made.outcome is not None
    assert not [call for call in made.tools if call.state in ("preparing", "running")]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_no_junk_breaks_a_dialect(dialect: Any) -> None:
    reader = dialect.reader(run_id="r")
    for junk in JUNK:
        if dialect.is_entry is not None:
            assert not dialect.is_entry(junk)
        if isinstance(junk, dict) and dialect.is_document is not None:
            assert not dialect.is_document(junk)
            list(dialect.entries(junk))
        reader.feed(junk)
    assert reader.finish()[-1].type == "run_finished"


@pytest.mark.parametrize("name", ENTRIES)
def test_each_entry_of_a_sample_is_recognised_by_its_dialect_and_no_other(name: str) -> None:
    agent, entries = ENTRIES[name]
    if name.endswith(".jsonl"):
        for entry in entries:
            fits = [one.agent for one in DIALECTS if one.is_entry is not None and one.is_entry(entry)]
            assert fits == [agent], entry
    else:
        document = json.loads((SAMPLES / name).read_text())
        fits = [one.agent for one in DIALECTS if one.is_document is not None and one.is_document(document)]
        assert fits == [agent]

"""Read the sessions that OpenCode keeps in its database: both generations, alone and together, while it writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.logs.opencode_database import OpenCodeDatabase, call, words
from tests.logs.support import Growing, notes
from vibe_notebook.exceptions import AdapterError, ProtocolError
from vibe_notebook.logs import Log, names_a_log, sessions
from vibe_notebook.parts import ToolPart
from vibe_notebook.transcript import Transcript

ONE, TWO = "ses_46a0000000000001aaaaaaaaaa", "ses_46b0000000000002bbbbbbbbbb"
CHILD, GRANDCHILD = "ses_46c0000000000003cccccccccc", "ses_46d0000000000004dddddddddd"
USER, AGENT = {"role": "user"}, {"role": "assistant", "modelID": "m", "providerID": "p"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "opencode"


@pytest.fixture
def database(home: Path) -> Iterator[OpenCodeDatabase]:
    made = OpenCodeDatabase(home / "opencode.db")
    yield made
    made.close()


def tools(transcript: Transcript) -> dict[str, str]:
    return {call.tool_name: call.state for call in transcript.tools}


def first_generation(database: OpenCodeDatabase, session: str = ONE, answer: str = "Done.") -> None:
    database.session(session, title="Tidy imports")
    database.message(session, f"msg_1{session}", USER, words("Tidy the imports."))
    tokens = {"input": 10, "output": 5, "reasoning": 0, "cache": {"read": 2, "write": 1}}
    said = {**AGENT, "tokens": tokens, "cost": 0.25, "finish": "stop"}
    database.message(session, f"msg_2{session}", said, call("c1", "edit", output="ok"), words(answer))


def second_generation(database: OpenCodeDatabase, session: str = TWO) -> None:
    database.session(session, "session_v2", title="Newer")
    database.row(session, "msg_a", "user", 1, {"text": "Count."})
    tool = {"type": "tool", "id": "t1", "name": "bash", "time": {"created": 1_772_704_801_500}}
    done = {
        "status": "completed",
        "input": {"command": "wc"},
        "content": [words("3 lines"), words("2 words")],
    }
    failed = {"status": "error", "input": {}, "error": {"type": "unknown", "message": "no such file"}}
    content = [
        {"type": "reasoning", "text": "A shell counts."},
        words("I count."),
        {**tool, "state": done},
        {**tool, "id": "t2", "name": "read", "state": failed},
    ]
    model = {"id": "big", "providerID": "p"}
    data = {"agent": "build", "model": model, "content": content, "finish": "stop", "cost": 0.5}
    database.row(session, "msg_b", "assistant", 2, data)


def test_a_session_of_the_first_generation_is_read_whole(database: OpenCodeDatabase) -> None:
    first_generation(database)
    made = vibe.load(database.path)
    assert ([turn.input for turn in made.turns if turn.input], made.text) == (["Tidy the imports."], "Done.")
    assert (tools(made), made.outcome) == ({"edit": "ok"}, "success")
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usage.cost) == (13, 5, 0.25)


def test_a_session_of_the_second_generation_is_read_whole(home: Path) -> None:
    database = OpenCodeDatabase(home / "opencode.db", first=False, second=True)
    second_generation(database)
    made = vibe.load("opencode:latest")
    assert ([turn.input for turn in made.turns if turn.input], made.text) == (["Count."], "I count.")
    calls = made.tools
    assert [(call.tool_name, call.state, call.output) for call in calls] == [
        ("bash", "ok", "3 lines\n2 words"),
        ("read", "error", None),
    ]
    assert calls[1].error == "no such file"
    assert made.thinking == "A shell counts."
    assert made.usage is not None
    assert (made.usage.model, made.usage.cost) == ("big", 0.5)
    database.close()


def test_a_database_with_both_generations_reads_each_session_where_its_words_are(home: Path) -> None:
    database = OpenCodeDatabase(home / "opencode.db", second=True)
    first_generation(database)
    database.row(ONE, "msg_x", "agent-switched", 1, {"agent": "plan"})
    second_generation(database)
    assert [vibe.load(f"opencode:{name}").text for name in (ONE, TWO)] == ["Done.", "I count."]
    assert [one.title for one in sessions("opencode")] == ["Newer", "Tidy imports"]
    database.close()


def test_a_database_that_nobody_writes_is_read_and_gets_no_file_beside_it(database: OpenCodeDatabase) -> None:
    first_generation(database)
    database.close()
    assert vibe.load(database.path).text == "Done."
    assert [path.name for path in database.path.parent.iterdir()] == ["opencode.db"]


def test_sessions_are_found_by_latest_by_project_by_id_and_by_path(database: OpenCodeDatabase) -> None:
    first_generation(database)
    database.session(TWO, directory="/work/other")
    database.message(TWO, "msg_9", USER, words("other"))
    wanted = {"latest": TWO, "other": TWO, "/work/app": ONE, "app": ONE, ONE[:13]: ONE}
    assert {name: Log(f"opencode:{name}").path.name for name in wanted} == wanted
    path = f"{database.path}/{ONE}"
    assert names_a_log(path)
    assert vibe.load(path).text == "Done."
    assert not names_a_log(f"{database.path.parent}/{ONE}")
    with pytest.raises(ProtocolError, match="has no session 'ses_x'"):
        vibe.load(f"{database.path}/ses_x")


def test_the_list_has_a_line_for_each_session_but_not_for_subagents(database: OpenCodeDatabase) -> None:
    first_generation(database)
    database.session(CHILD, parent=ONE)
    found = [(one.title, one.project, one.turns, one.cost, one.first_words) for one in sessions("opencode")]
    assert found == [("Tidy imports", "/work/app", 1, 0.25, "Tidy the imports.")]


def test_a_session_that_stands_in_both_places_is_listed_once(database: OpenCodeDatabase) -> None:
    first_generation(database)
    folder = database.path.parent / "storage" / "session" / "p"
    folder.mkdir(parents=True)
    (folder / f"{ONE}.json").write_text("{}")
    assert [one.path for one in sessions("opencode")] == [database.path / ONE]


def test_subagents_stand_under_their_calls_and_theirs_under_theirs(database: OpenCodeDatabase) -> None:
    database.session(ONE)
    task = call("c1", "task", output="found", metadata={"sessionId": CHILD})
    database.message(ONE, "msg_1", AGENT, task, words("Done."))
    database.session(CHILD, parent=ONE, title="Look")
    inner = call("c2", "task", output="seen", metadata={"sessionId": GRANDCHILD})
    database.message(CHILD, "msg_2", AGENT, inner, words("found"))
    database.session(GRANDCHILD, parent=CHILD, title="See")
    database.message(GRANDCHILD, "msg_3", AGENT, words("seen"))
    (outer,) = vibe.load(database.path / ONE).tools
    assert [getattr(part, "text", "") for part in outer.children] == ["", "found"]
    inner_call = outer.children[0]
    assert isinstance(inner_call, ToolPart)
    assert [getattr(part, "text", "") for part in inner_call.children] == ["seen"]


def test_a_subagent_that_no_call_names_is_shown_too(database: OpenCodeDatabase) -> None:
    database.session(ONE)
    database.message(ONE, "msg_1", AGENT, words("Done."))
    database.session(CHILD, parent=ONE, title="Look")
    database.message(CHILD, "msg_2", AGENT, words("alone"))
    runs = {event.run_id for event in Log(database.path / ONE) if event.type == "text_delta"}
    assert len(runs) == 2
    assert "alone" in vibe.load(database.path / ONE).to_text()


def test_a_session_that_grows_shows_its_new_words_once(database: OpenCodeDatabase) -> None:
    database.session(ONE)
    database.message(ONE, "msg_1", USER, words("go"))
    database.message(ONE, "msg_2", AGENT, words("I"))

    def grow() -> None:
        database.part(ONE, "msg_2", "msg_2_0", words("I go."))
        database.part(ONE, "msg_2", "msg_2_1", call("c1", "bash", "running"))

    def end() -> None:
        database.part(ONE, "msg_2", "msg_2_1", call("c1", "bash", output="gone"))

    events = list(Growing(database.path / ONE, lambda: None, grow, end, lambda: None))
    registry = vibe.Registry()
    for event in events:
        registry.dispatch(event)
    made = registry.transcript(registry.agents()[0])
    assert ([turn.input for turn in made.turns], made.text, tools(made)) == (["go"], "I go.", {"bash": "ok"})
    assert [event.type for event in events].count("tool_started") == 1


def test_a_session_of_the_second_generation_grows_too(home: Path) -> None:
    database = OpenCodeDatabase(home / "opencode.db", first=False, second=True)
    database.session(TWO, "session_v2")

    def say(text: str, **more: Any) -> None:
        database.row(TWO, "msg_b", "assistant", 2, {"content": [words(text)], "time": {"created": 1}, **more})

    say("I")
    events = list(Growing(database.path / TWO, lambda: say("I go."), lambda: say("I go.", finish="stop")))
    assert [event.delta for event in events if event.type == "text_delta"] == ["I"]
    assert [event.text for event in events if event.type == "part_completed"] == ["I go."]
    database.close()


def test_damaged_rows_are_counted_and_the_others_are_shown(database: OpenCodeDatabase) -> None:
    first_generation(database)
    database.connection.execute("UPDATE part SET data = '{' WHERE data LIKE '%edit%'")
    made = vibe.load(database.path)
    assert made.text == "Done."
    assert "1 damaged line was left out" in made.to_text()


def test_a_row_that_is_too_large_is_left_out(
    database: OpenCodeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibe_notebook.logs._database.LOG_LINE_BYTES", 1_000)
    first_generation(database, answer="x" * 2_000)
    made = vibe.load(database.path)
    assert (made.text, tools(made)) == ("", {"edit": "ok"})
    assert "is left out: 1,000 bytes are the most" in made.to_text()


def test_a_database_of_another_program_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE message (id text, data text)")
    connection.close()
    with pytest.raises(AdapterError, match=r"notes\.db is a database of no agent"):
        Log(path)


def test_a_view_in_place_of_a_table_is_never_asked(database: OpenCodeDatabase) -> None:
    first_generation(database)
    database.connection.execute("ALTER TABLE message RENAME TO hidden")
    database.connection.execute("CREATE VIEW message AS SELECT * FROM hidden")
    database.connection.execute("DROP TABLE session_message")
    with pytest.raises(AdapterError, match="no sessions of OpenCode"):
        Log(database.path)


def test_a_damaged_database_is_one_sentence_and_one_line_of_the_list(database: OpenCodeDatabase) -> None:
    first_generation(database)
    database.close()
    database.path.write_bytes(database.path.read_bytes()[:4096] + b"\0" * 4096)
    with pytest.raises(ProtocolError, match=r"opencode\.db cannot be read"):
        vibe.load(database.path)
    assert [bool(one.problem) for one in sessions("opencode")] == [True]


def test_what_is_neither_the_user_s_nor_the_agent_s_is_a_line(home: Path) -> None:
    database = OpenCodeDatabase(home / "opencode.db", first=False, second=True)
    database.session(TWO, "session_v2")
    database.row(TWO, "msg_1", "system", 1, {"text": "Be careful."})
    database.row(TWO, "msg_2", "synthetic", 2, {"text": "not shown"})
    output = {"output": "a.py", "truncated": False}
    database.row(TWO, "msg_3", "shell", 3, {"command": "ls", "status": "exited", "output": output})
    database.row(TWO, "msg_4", "compaction", 4, {"status": "completed", "summary": "s", "recent": ""})
    database.row(TWO, "msg_5", "idle", 5, {"outcome": "interrupted"})
    database.row(TWO, "msg_6", "hologram", 6, {})
    events = list(Log(database.path))
    assert notes(events) == [
        ("shell", "ls\na.py"),
        ("compaction", "the conversation before was summarised"),
        ("interrupted", None),
    ]
    assert [event.name for event in events if event.type == "custom" and not event.shown] == ["hologram"]
    assert vibe.load(database.path).outcome == "cancelled"
    database.close()

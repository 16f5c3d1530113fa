"""Check docs/adapters.md: its tables are current, and its example is an adapter."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.adapters import cases, conversation, one_line
from tests.adapters.support import IDS, SAMPLES, Recording, as_live, run
from tools import live
from vibe_notebook import adapters
from vibe_notebook.events import TextDelta, ToolFinished

DOC = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text()


def test_the_table_names_exactly_the_adapters() -> None:
    rows = [
        line.split("|")
        for line in DOC.split("## What else can")[1].split("## What Stop")[0].splitlines()
        if line.startswith("| ")
    ][1:]
    cells = [re.findall("`([^`]+)`", row[2]) for row in rows if "---" not in row[1]]
    assert sorted(names[0] for names in cells) == adapters.names()
    for name, *aliases in cells:
        assert {adapters.get(alias).name for alias in aliases} <= {name}


def test_the_example_is_an_adapter_of_thirty_lines() -> None:
    code = re.findall("```python\n(.*?)```", DOC, re.DOTALL)[-1]
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 30
    scope: dict[str, Any] = {"__package__": "vibe_notebook.adapters", "__name__": "example"}
    exec(code, scope)  # noqa: S102 - our own documentation
    adapter = scope["ExampleAdapter"](**IDS)
    text = {"kind": "example/text", "message": "m", "delta": "Hi"}
    assert scope["matches"](text)
    assert adapter.feed(text)[-1] == TextDelta(**IDS, message_id="m", delta="Hi")
    result = {"kind": "example/result", "call": "c", "output": {"n": 1}}
    assert adapter.feed(result) == [ToolFinished(**IDS, tool_call_id="c", output={"n": 1})]
    assert [event.type for event in adapter.feed({"kind": "example/new"})] == ["custom"]


def test_the_table_of_lines_is_current_and_has_every_adapter_of_an_sdk() -> None:
    assert one_line.table() in DOC, "python -m tests.adapters.cases writes it anew"
    assert {row.adapter for row in one_line.ROWS} == set(adapters.names()) - {"events", "jido", "vibex"}
    assert {row.extra for row in one_line.ROWS} - {""} == set(live.SCRIPTS)


@pytest.mark.parametrize("row", one_line.ROWS, ids=lambda row: row.sdk)
def test_each_line_is_python_and_makes_the_call_that_make_live_runs(row: one_line.Row) -> None:
    compile(row.line.partition("  #")[0], "<line>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for name in re.findall(r"vibe\.(\w+)", row.line):
        assert hasattr(vibe, name)
    for name in re.findall(r'handler\("(\w+)"\)', row.line):
        vibe.handler(name, registry=vibe.Registry(), display=False).close()
    if row.call:
        scripts = [(SAMPLES / "record" / f"{name}.py").read_text() for name in live.SCRIPTS[row.extra]]
        assert row.call in row.line
        assert any(re.search(rf"\b{re.escape(row.call)}[(=]", script) for script in scripts)


def test_the_table_of_cases_equals_the_recordings() -> None:
    assert cases.table() in DOC, "python -m tests.adapters.cases writes it anew"


def test_the_table_of_the_conversation_equals_its_samples() -> None:
    assert conversation.table() in DOC, "python -m tests.adapters.cases writes it anew"
    assert sorted([*conversation.SAMPLES, "events", "text"]) == adapters.names()


CELLS = [(name, column) for name, samples in conversation.SAMPLES.items() for column in samples]


@pytest.mark.parametrize(("name", "column"), CELLS)
def test_each_cell_of_the_conversation_is_true(name: str, column: str) -> None:
    sample = conversation.SAMPLES[name][column]
    assert any(map(conversation.COLUMNS[column], sample.events(name)))
    natives = sample.natives
    has_objects = name not in ("bedrock", "strands")  # their natives are dicts
    if has_objects and all(isinstance(native, dict) for native in natives):
        assert run(name, map(as_live, natives)) == run(name, natives)


def test_an_empty_cell_of_the_conversation_is_in_no_recording() -> None:
    empty = [
        (name, column)
        for name, samples in conversation.SAMPLES.items()
        for column in conversation.COLUMNS
        if column not in samples
    ]
    assert empty
    assert [one for one in empty if conversation.is_recorded(*one)] == []


def test_each_adapter_of_an_sdk_is_recorded_with_text_and_all_but_plain_text_with_tools() -> None:
    columns = {
        name: [check for one in found for check in checks(one)] for name, found in cases.recorded().items()
    }
    # Lists of messages are no SDK's stream, and the others need a server, a browser or a newer Python: they have tests
    # of constructed natives.
    others = ["browser_use", "github_copilot", "messages", "openai_codex", "openhands", "vllm"]
    assert sorted([*columns, *others]) == adapters.names()
    for name, found in columns.items():
        # instructor gives one structured answer, MCP has calls alone, A2A and DSPy report none, and chatlas
        # runs one after the other.
        assert name in ("instructor", "mcp") or "text" in found, name
        assert (
            name in ("a2a", "chatlas", "dspy", "instructor", "mcp", "text")
            or "several calls at once" in found
        ), name


def checks(one: Recording) -> list[str]:
    events = one.events()
    return [case for case, check in cases.CASES.items() if check(events)]

"""Lay out JSON by white space alone: what its writer has written stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vibe_notebook as vibe
from tests.display.test_view import Stage
from vibe_notebook import adapters
from vibe_notebook._forms.json_text import brief_members, members, reindent
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript

ODD = (
    '{"one": 1.0, "big": 1e400, "whole": 12345678901234567890, "long": 0.1000000000000000055, "E": -2.50E+10,'
    ' "one": 2, "word": "caf\\u00e9 \\/", "none": [], "deep": {"zero": -0, "a": [{}]}}'
)
PIECES = (
    '"one": 1.0,',
    '"big": 1e400,',
    '"whole": 12345678901234567890,',
    '"long": 0.1000000000000000055,',
    '"E": -2.50E+10,',
    '"one": 2,',
    '"word": "caf\\u00e9 \\/",',
    '"none": [],',
    '"zero": -0,',
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(values) | st.dictionaries(st.text(), values), st.booleans())
def test_json_is_laid_out_as_python_does_it(value: Any, is_ascii: bool) -> None:  # noqa: FBT001 - hypothesis
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert reindent(text) == json.dumps(value, indent=2, ensure_ascii=is_ascii)
    if isinstance(value, dict):
        found = [(name, json.dumps(each, ensure_ascii=is_ascii)) for name, each in value.items()]
        assert members(text) == found
        assert brief_members(text, 10**9).count("=") >= len(value)


@pytest.mark.parametrize(
    "text", ["[INFO] started", "{not json", "[1] [2]", "1.0", '"text"', "", "[" * 50_000]
)
def test_other_text_is_no_json(text: str) -> None:
    assert reindent(text) is None


def test_json_nested_deep_stays_linear() -> None:
    text = "[" * 900 + "]" * 900
    assert len(reindent(text) or "") < 300 * len(text)


def everywhere(transcript: Transcript) -> list[str]:
    return [transcript.to_text(), transcript.to_markdown(), transcript.to_html().replace("&quot;", '"')]


def test_a_result_in_json_keeps_what_its_writer_has_written_live_and_in_every_form() -> None:
    stage = Stage()
    with vibe.live("a", display=False, registry=stage.registry) as live, live.tool("f") as tool:
        tool.result(ODD)
        stage.view.flush()
        shown = [stage.browser.shown(stage.browser.tree()[0], "output")]
    for form in [*shown, *everywhere(live.transcript)]:
        for piece in PIECES:
            assert piece in form


def chunk(finish: str | None = None, **call: Any) -> dict[str, Any]:
    delta = {"tool_calls": [{"index": 0, **call}]} if call else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "choices": [choice]}


@pytest.mark.parametrize("is_started", [True, False])
def test_arguments_keep_what_the_model_has_written_live_and_in_every_form(is_started: bool) -> None:  # noqa: FBT001
    stage, adapter = Stage(), adapters.get("openai_chat", agent_id="a")
    natives = [
        chunk(id="c", function={"name": "f", "arguments": ODD[:50]}),
        chunk(function={"arguments": ODD[50:]}),
        chunk("tool_calls"),
        *([{"call_id": "c", "name": "f", "arguments": ODD}] if is_started else []),
    ]
    for native in natives:
        stage.registry.dispatch(adapter.feed(native))
        stage.view.flush()
    stage.registry.dispatch(adapter.finish())
    stage.view.flush()
    tool = stage.browser.tree()[0]
    transcript = stage.registry.transcript("a")
    assert transcript.tools[0].args["whole"] == 12345678901234567890
    forms = [tool["fields"]["args"], transcript.to_html().replace("&quot;", '"')]
    for form in forms:
        for piece in PIECES:
            assert piece in form
    start = "one=1.0, big=1e400, whole=12345678901234567890, long=0.1000000000000000055"
    for form in (tool["props"]["preview"], *everywhere(transcript)):
        assert start in form


def test_arguments_that_an_sdk_has_parsed_keep_the_streamed_text() -> None:
    registry, adapter = Registry(), adapters.get("anthropic", agent_id="a")
    block = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    for native in (
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"n": 1.50, "n": 2e0}'},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ):
        registry.dispatch(adapter.feed(native))
    part = registry.transcript("a").tools[0]
    assert (part.args, part.args_text) == ({"n": 2.0}, '{"n": 1.50, "n": 2e0}')


def test_a_dict_is_written_with_its_own_letters() -> None:
    with vibe.live("x", display=False) as live, live.tool("f", {"q": "café", "n": float("nan")}) as tool:
        tool.result({"a": "é", "n": float("inf")})
    text = live.transcript.to_text()
    assert 'f(café, n="nan")' in text
    assert '"a": "é",\n      "n": "inf"' in text


def test_text_of_several_lines_keeps_its_lines_beside_odd_numbers() -> None:
    with vibe.live("x", display=False) as live:
        live.tool("f", '{"code": "a\\nb", "n": 1.0, "n": 1e400, "s": "c"}')
    html = live.transcript.to_html()
    assert ">a\nb</code>" in html.replace("&#10;", "\n")
    assert "n: 1.0\nn: 1e400\ns: c" in html.replace("&#10;", "\n")

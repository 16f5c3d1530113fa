"""Join characters that a source cut in half, in every text, whatever stands between the halves."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vibe_notebook as vibe
from vibe_notebook import adapters
from vibe_notebook._half_pairs import HalfPairs
from vibe_notebook.events import Event
from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.registry import Registry
from vibe_notebook.transcript import Transcript

WORDS = "a \U0001f600 and \U0001f468\u200d\U0001f469 ü."
UNITS = [chr(int.from_bytes(WORDS.encode("utf-16-le")[i : i + 2], "little")) for i in range(0, 2 * 17, 2)]
"""The UTF-16 code units of the words: each half of a pair is one of them."""
BASE: dict[str, Any] = {"agent_id": "a", "run_id": "r", "message_id": "m"}


def reduced(name: str, natives: list[Any]) -> Transcript:
    adapter = adapters.get(name, agent_id="a")
    events: list[Event] = [event for native in natives for event in adapter.feed(native)]
    with Registry() as registry:
        registry.dispatch(events + adapter.finish())
        transcript = registry.transcript("a")
    for form in (transcript.to_html(), transcript.to_markdown(), transcript.to_text()):
        form.encode()
    assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript
    return transcript


def own(pieces: list[str]) -> list[Any]:
    """Send the pieces as each kind of delta in turn, as dicts and as JSON lines."""
    natives: list[Any] = []
    for piece in pieces:
        natives += [
            {**BASE, "type": "text_delta", "delta": piece},
            json.dumps({**BASE, "type": "thinking_delta", "delta": piece}),
            {**BASE, "type": "tool_call_delta", "tool_call_id": "c", "delta": piece},
            {**BASE, "type": "tool_progress", "tool_call_id": "d", "delta": piece},
            {**BASE, "type": "text_delta", "part_id": "1", "delta": f"{piece}|"},
        ]
    return natives


@given(st.sets(st.integers(1, 16)))
def test_a_text_cut_at_any_code_unit_is_the_text(cuts: set[int]) -> None:
    ends = sorted({0, 17, *cuts})
    pieces = ["".join(UNITS[a:b]) for a, b in itertools.pairwise(ends)]
    transcript = reduced("events", own(pieces))
    calls = {tool.tool_call_id: tool for tool in transcript.tools}
    assert transcript.parts[0].text == transcript.thinking == WORDS  # type: ignore[union-attr]
    assert (calls["c"].args_text, calls["d"].output) == (WORDS, WORDS)


VERCEL: Callable[[str], Any] = lambda delta: {"type": "text-delta", "id": "1", "delta": delta}  # noqa: E731
AGUI: Callable[[str], Any] = lambda delta: {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": delta}  # noqa: E731


@pytest.mark.parametrize(
    ("name", "first", "native"),
    [
        ("text", [], str),
        ("vercel_ai_ui", [{"type": "start"}, {"type": "text-start", "id": "1"}], VERCEL),
        ("agui", [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}], AGUI),
    ],
)
def test_every_adapter_waits_for_the_other_half(
    name: str, first: list[Any], native: Callable[[str], Any]
) -> None:
    transcript = reduced(name, [*first, *(native(unit) for unit in UNITS)])
    assert transcript.text == WORDS


@pytest.mark.parametrize("end", ["message_finished", "run_finished", None])
def test_a_half_that_stays_alone_is_shown_as_one_at_the_end_of_its_message(end: str | None) -> None:
    ends = [] if end is None else [{**BASE, "type": end}]
    transcript = reduced("events", [{**BASE, "type": "text_delta", "delta": "cut \ud83d"}, *ends])
    assert transcript.text == "cut \ufffd"


def test_a_whole_text_ends_the_wait_for_the_other_half() -> None:
    natives = [
        {**BASE, "type": "text_delta", "delta": "cut \ud83d"},
        {**BASE, "type": "part_completed", "text": "whole"},
        {**BASE, "type": "tool_call_delta", "tool_call_id": "c", "delta": "\ud83d"},
        {**BASE, "type": "tool_started", "tool_call_id": "c", "args": {}},
    ]
    transcript = reduced("events", natives)
    assert (transcript.text, transcript.tools[0].args_text) == ("whole", "{}")


def test_halves_pushed_by_hand_are_joined() -> None:
    with vibe.live("x", display=False) as live:
        for unit in UNITS:
            live.thinking(unit)
        with live.tool("f") as tool:
            for unit in UNITS:
                tool.write(unit)
        live.text("cut \ud83d")
    assert (live.transcript.thinking, live.transcript.tools[0].output) == (WORDS, WORDS)
    assert live.transcript.text == "cut \ufffd"


def test_half_a_character_in_arguments_or_results_leaves_every_form_valid() -> None:
    half = '{"q": "\\ud83d"}'
    natives = [
        {**BASE, "type": "tool_call_delta", "tool_call_id": "c", "delta": half},
        {**BASE, "type": "tool_finished", "tool_call_id": "c", "output": half},
    ]
    (tool,) = reduced("events", natives).tools
    assert (tool.args, tool.args_text) == ({"q": "\ufffd"}, half)


@pytest.mark.parametrize(
    ("held", "whole"),
    [
        (
            {"type": "text_delta", "message_id": "m", "delta": "a\ud83d", "derived": True},
            {"type": "part_completed", "message_id": "m", "text": "a😀"},
        ),
        (
            {"type": "tool_call_delta", "message_id": "m", "tool_call_id": "c", "delta": "{\ud83d"},
            {"type": "tool_started", "tool_call_id": "c", "args": {"a": "😀"}},
        ),
        (
            {"type": "tool_progress", "tool_call_id": "c", "delta": "x\ud83d"},
            {"type": "tool_progress", "tool_call_id": "c", "output": "new"},
        ),
        (
            {"type": "tool_progress", "tool_call_id": "c", "delta": "x\ud83d"},
            {"type": "tool_finished", "tool_call_id": "c", "output": "new"},
        ),
    ],
)
def test_a_whole_text_replaces_a_half_that_waits(held: dict[str, Any], whole: dict[str, Any]) -> None:
    pairs = HalfPairs()
    envelope: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
    pairs.join(held["type"], envelope | held)
    pairs.join(whole["type"], envelope | whole)
    assert pairs.join("run_finished", envelope)[0] == []


CUTS: dict[str, list[str]] = {
    "one unit each": UNITS,
    "two units each": ["".join(UNITS[i : i + 2]) for i in range(0, len(UNITS), 2)],
    "three units each": ["".join(UNITS[i : i + 3]) for i in range(0, len(UNITS), 3)],
}


def placed(natives: list[Any], registry: Registry | None = None) -> Transcript:
    """Return the transcript of the natives with no wait for order."""
    adapter = adapters.get("events", agent_id="a")
    with registry or Registry(hold=0, max_held=0) as found:
        for native in natives:
            if registry is None:
                found.dispatch(adapter.feed(native))
            else:
                found.dispatch(native)
        if registry is None:
            found.dispatch(adapter.finish())
        found.finish("a")
        transcript = found.transcript("a")
    transcript.to_html().encode()
    return transcript


def in_counters(pieces: list[str]) -> list[Any]:
    """Number the pieces of a text and of a thought, which take turns, and put each first into a counter."""
    return [
        {**BASE, "type": kind, "seq": 2 * n + (kind != "text_delta"), "delta": piece}
        for n, piece in enumerate(pieces)
        for kind in ("text_delta", "thinking_delta")
    ]


@pytest.mark.parametrize("pieces", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("raw", [False, True])
@given(r=st.randoms(use_true_random=False), doubled=st.booleans())
def test_numbered_halves_are_joined_by_their_numbers_in_any_arrival(
    r: random.Random, pieces: list[str], *, raw: bool, doubled: bool
) -> None:
    natives = in_counters(pieces)
    end = {**BASE, "type": "run_finished", "seq": len(natives)}
    arriving = [*natives, end, *(r.choices(natives, k=5) if doubled else [])]
    r.shuffle(arriving)
    transcript = placed(arriving, Registry(hold=0, max_held=0) if raw else None)
    assert (transcript.text, transcript.thinking) == (WORDS, WORDS)


@given(
    r=st.randoms(use_true_random=False),
    pieces=st.lists(st.text(st.sampled_from("ab\ud83d\ude00\ude01"), max_size=4), max_size=8),
)
def test_lone_halves_end_in_the_same_place_in_any_arrival(r: random.Random, pieces: list[str]) -> None:
    natives = [{**BASE, "type": "text_delta", "seq": n, "delta": piece} for n, piece in enumerate(pieces)]
    shuffled = r.sample(natives, len(natives))
    ends = [{**BASE, "type": "text_delta", "seq": len(natives), "delta": "end"}]
    assert placed(ends + shuffled).text == placed(natives + ends).text


def test_a_numbered_whole_text_replaces_the_halves_before_it_in_any_arrival() -> None:
    natives: list[Any] = [
        {**BASE, "type": "text_delta", "seq": 0, "delta": "lost \ud83d"},
        {**BASE, "type": "part_completed", "seq": 1, "text": "whole "},
        {**BASE, "type": "text_delta", "seq": 2, "delta": "\ud83d"},
        {**BASE, "type": "text_delta", "seq": 3, "delta": "\ude00"},
    ]
    texts = {placed(list(order)).text for order in itertools.permutations(natives)}
    assert texts == {"whole 😀"}


def test_what_is_held_for_numbered_halves_is_bounded() -> None:
    pairs, count = HalfPairs(), 0
    for n in range(3_000):
        event = {"agent_id": "a", "run_id": "r", "seq": 2 * n, "delta": "x\ud83d", "counter": "c"}
        count += len(pairs.join("text_delta", event)[0])
        pairs.join("text_delta", event | {"counter": f"c{n}", "delta": "y"})
    held = len(pairs.release())
    assert (held, held + count) == (256, 3_000)
    assert max(len(pairs._numbers), len(pairs._of_text)) <= 1_000


@pytest.mark.parametrize("field", ["agent_id", "run_id", "message_id", "part_id", "counter", "sub"])
@pytest.mark.parametrize("seq", [None, 1])
def test_ids_of_another_type_are_left_to_the_parser(field: str, seq: int | None) -> None:
    wrong = {**BASE, "type": "text_delta", "delta": "x\ud83d", "seq": seq, field: ["x"]}
    assert adapters.get("events").feed(wrong)[-1].type == "custom"


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("form", [dict, json.dumps])
def test_dispatched_dicts_and_json_are_joined_as_an_adapters_natives(
    form: Callable[[Any], Any], *, numbered: bool
) -> None:
    natives = own(UNITS)
    with Registry(hold=0) as registry:
        for n, native in enumerate(natives):
            fields = native if isinstance(native, dict) else json.loads(native)
            registry.dispatch(form({**fields, "seq": n} if numbered else fields))
        end = {**BASE, "type": "text_delta", "delta": " cut \ud83d"}
        registry.dispatch([form(end), form({**BASE, "type": "run_finished"})])
        transcript = registry.transcript("a")
    assert transcript.text.startswith(WORDS)
    assert transcript.thinking == WORDS
    assert " cut \ufffd" in transcript.text


def test_a_list_with_a_wrong_event_leaves_no_half_behind() -> None:
    with Registry() as registry:
        with pytest.raises(ProtocolError):
            registry.dispatch([{**BASE, "type": "text_delta", "delta": "\ud83d"}, {"type": "text_delta"}])
        registry.dispatch({**BASE, "type": "text_delta", "delta": "\ude00!"})
        assert registry.transcript("a").text == "\ufffd!"


def test_a_numbered_half_at_the_end_of_its_message_is_shown_as_one_at_once() -> None:
    with Registry() as registry:
        for n, event in enumerate(
            [{"type": "text_delta", "delta": "cut \ud83d"}, {"type": "message_finished"}]
        ):
            registry.dispatch({**BASE, **event, "seq": n})
        assert registry.transcript("a").text == "cut \ufffd"


@pytest.mark.parametrize("missing", ["agent_id", "run_id", "tool_call_id"])
def test_an_event_that_is_refused_leaves_no_half_behind(missing: str) -> None:
    native = {**BASE, "type": "tool_call_delta", "tool_call_id": "c", "delta": "x\ud83d"}
    del native[missing]
    adapter = adapters.get("events")
    made = [event.type for event in (*adapter.feed(native), *adapter.finish())]
    assert "custom" in made
    assert "tool_call_delta" not in made

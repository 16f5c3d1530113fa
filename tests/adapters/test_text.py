"""Read plain strings."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.support import IDS, emitted, fold, run
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished, RunStarted, TextDelta


def test_strings_become_one_text() -> None:
    assert run("text", ["Hello ", "", "world"]) == [
        RunStarted(**IDS),
        TextDelta(**IDS, delta="Hello "),
        TextDelta(**IDS, delta="world"),
        RunFinished(**IDS),
    ]


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_any_text_becomes_valid_unicode(strings: list[str]) -> None:
    deltas = [event["delta"] for event in emitted("text", strings, "text_delta")]
    "".join(deltas).encode()
    if all(string.isascii() for string in strings) and not grows(strings):
        assert "".join(deltas) == "".join(strings)


# The text so far


def grows(pieces: list[str]) -> bool:
    """Return whether the second piece begins with the first: only such streams may be the text so far."""
    first, *rest = [piece for piece in pieces if piece] or [""]
    return bool(rest) and rest[0] != first and rest[0].startswith(first)


def text_of(pieces: list[str], *, so_far: bool | None = None) -> str:
    """Return the text that the pieces end in, read by an adapter that gets nothing else."""
    adapter = adapters.get("text", so_far=so_far, **IDS)
    made = [event for piece in pieces for event in adapter.feed(piece)] + adapter.finish()
    return "".join(item["text"] for item in fold(made)["items"] if item["kind"] == "text")


def so_far(chunks: list[str]) -> list[str]:
    return list(itertools.accumulate(chunks))


WORDS = st.lists(st.from_regex(r"[a-z]{4,8} [0-9]{1,3}\. ", fullmatch=True), min_size=4, max_size=12)
DELTAS = st.lists(st.text("ab -\n", max_size=4), max_size=20)
HELLO = ["Hello", "Hello world", "Hello world from", "Hello world from here"]


@given(WORDS)
def test_a_text_so_far_is_shown_once(chunks: list[str]) -> None:
    assert text_of(so_far(chunks)) == "".join(chunks)


@given(WORDS, st.lists(st.text("abc ", min_size=1), min_size=1, max_size=4))
def test_a_revised_text_so_far_replaces_the_text(chunks: list[str], later: list[str]) -> None:
    assert text_of([*so_far(chunks), *later]) == later[-1]


@given(DELTAS.filter(lambda pieces: not grows(pieces)))
def test_deltas_are_appended(pieces: list[str]) -> None:
    assert text_of(pieces) == "".join(pieces)


@given(DELTAS)
def test_short_deltas_that_repeat_the_one_before_are_appended(pieces: list[str]) -> None:
    assert text_of(pieces[:3]) == "".join(pieces[:3])


@given(st.lists(st.text("ab ", max_size=3), max_size=20))
def test_no_piece_is_lost_however_a_stream_begins(pieces: list[str]) -> None:
    read, last = text_of(pieces), next((piece for piece in reversed(pieces) if piece), "")
    assert read in ("".join(pieces), last)


@given(WORDS | DELTAS)
def test_the_caller_may_say_which_kind_the_strings_are(pieces: list[str]) -> None:
    assert text_of(pieces, so_far=False) == "".join(pieces)
    assert text_of(so_far(pieces), so_far=True) == "".join(pieces)


@pytest.mark.parametrize(
    "pieces",
    [
        ["ha", "haha", "hahaha", "hahahaha", "!"],
        ["-", "--", "---", "----", "-----", "x"],
        ["  ", "    ", "      ", "        ", "x"],
        ["a", "an", "and", "andy", " so"],
        ["Hello", "Hello world", "!"],
        ["no", "no", "no", "now"],
    ],
    ids=repr,
)
def test_deltas_that_grow_by_chance_are_appended(pieces: list[str]) -> None:
    assert text_of(pieces) == "".join(pieces)


def test_pieces_that_fit_both_readings_wait_for_the_next_one() -> None:
    adapter = adapters.get("text", **IDS)
    made = [[event.type for event in adapter.feed(piece)] for piece in (*HELLO[:3], "!")]
    assert made == [["run_started", "text_delta"], [], [], ["text_delta"] * 3]
    adapter = adapters.get("text", **IDS)
    made = [[event.type for event in adapter.feed(piece)] for piece in HELLO]
    assert made == [["run_started", "text_delta"], [], [], ["text_delta"]]


def test_a_revision_is_a_replacement_and_no_delta() -> None:
    assert emitted("text", [*HELLO, "Hi world"], "part_completed") == [{"text": "Hi world"}]


def test_a_stream_that_ends_before_its_kind_is_clear_is_appended_and_says_so() -> None:
    assert text_of(HELLO[:2]) == "HelloHello world"
    (line,) = emitted("text", HELLO[:2], "custom")
    assert line["shown"]
    assert "so_far=True" in line["value"]
    assert emitted("text", ["a", "an"], "custom") == []


def test_thinking_in_a_text_so_far_is_thinking() -> None:
    pieces = so_far(["<think>one two three ", "four five ", "six</think>", "The answer ", "is 3."])
    items = fold(run("text", pieces))["items"]
    assert [(item["kind"], item["text"]) for item in items] == [
        ("thinking", "one two three four five six"),
        ("text", "The answer is 3."),
    ]

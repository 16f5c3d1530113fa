"""Texts that grow: whatever comes late is put in its place, and displays are told what changed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook._ordering.counter import Counter
from vibe_notebook._reducer.growing_text import GrowingText

numbers = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 2)), unique=True, max_size=80)


def fill(order: list[tuple[int, int]], *, compact_after: int = -1) -> tuple[GrowingText, Counter]:
    pieces, track = GrowingText(), Counter(None)
    for arrival, (seq, sub) in enumerate(order):
        track.see(seq, sub, arrival)
        pieces.add((track, seq, sub, arrival), f"<{seq}.{sub}>")
        if arrival == compact_after:
            pieces.compact()
    return pieces, track


@given(numbers, st.integers(-1, 80))
def test_pieces_in_any_order_read_in_their_order_also_after_they_were_joined(order: Any, joined: int) -> None:
    pieces, _ = fill(order, compact_after=joined)
    assert pieces.read() == "".join(f"<{seq}.{sub}>" for seq, sub in sorted(order))
    assert pieces.size == len(pieces.read())


@given(numbers)
def test_a_display_that_keeps_what_it_has_and_asks_for_the_tail_has_the_whole(order: Any) -> None:
    pieces, track = GrowingText(), Counter(None)
    has, epoch = "", 0
    for arrival, (seq, sub) in enumerate(order):
        track.see(seq, sub, arrival)
        pieces.add((track, seq, sub, arrival), f"<{seq}.{sub}>", whole=seq % 50 == 7)
        has = has + pieces.tail(len(has)) if pieces.epoch == epoch else pieces.read()
        epoch = pieces.epoch
        assert has == pieces.read()


def test_a_long_stream_is_joined_into_few_blocks_and_none_after_its_end() -> None:
    pieces, _ = fill([(i, 0) for i in range(5000)])
    assert len(pieces.blocks) <= 10
    pieces.compact()
    assert len(pieces.blocks) == 1
    assert len(pieces.blocks[0].runs) == 1


def test_two_texts_that_alternate_on_one_count_are_joined_too() -> None:
    pieces, _ = fill([(i, 0) for i in range(0, 2000, 2)])
    pieces.compact()
    assert len(pieces.blocks) == 1


def test_only_what_replaces_keeps_its_value() -> None:
    pieces, track = GrowingText(), Counter(None)
    pieces.add((track, 0, 0, 0), '{"a":1}', whole=True, value={"a": 1})
    assert pieces.value() == (True, {"a": 1})
    pieces.add((track, 1, 0, 1), "x")
    assert pieces.value()[0] is False

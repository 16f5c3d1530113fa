"""Place late fragments of a growing text, and give displays only the change."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook._ordering.counter import Counter
from vibe_notebook._reducer.growing_text import SEAL, GrowingText

numbers = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 2)), unique=True, max_size=80)


def fill(order: list[tuple[int, int]], *, compact_after: int = -1) -> tuple[GrowingText, Counter]:
    text, counter = GrowingText(), Counter(None)
    for arrival, (seq, sub) in enumerate(order):
        counter.accept(seq, sub, arrival)
        text.add((counter, seq, sub, arrival), f"<{seq}.{sub}>")
        if arrival == compact_after:
            text.compact()
    return text, counter


@given(numbers, st.integers(-1, 80))
def test_fragments_in_any_order_read_in_their_order_even_after_compaction(order: Any, compacted: int) -> None:
    text, _ = fill(order, compact_after=compacted)
    assert text.read() == "".join(f"<{seq}.{sub}>" for seq, sub in sorted(order))
    assert text.size == len(text.read())


@given(numbers)
def test_a_display_that_appends_tails_within_an_epoch_has_the_whole_text(order: Any) -> None:
    text, counter = GrowingText(), Counter(None)
    shown, epoch = "", 0
    for arrival, (seq, sub) in enumerate(order):
        counter.accept(seq, sub, arrival)
        text.add((counter, seq, sub, arrival), f"<{seq}.{sub}>", whole=seq % 50 == 7)
        shown = shown + text.tail(len(shown)) if text.epoch == epoch else text.read()
        epoch = text.epoch
        assert shown == text.read()


def test_a_tail_is_the_rest_after_any_offset_also_within_a_fragment_and_across_blocks() -> None:
    text, counter = fill([(i, 0) for i in range(SEAL + 4)])
    assert [block.count for block in text.blocks] == [SEAL, 4]
    whole = text.read()
    for offset in (0, 1, 500, *range(len(whole) - 40, len(whole) + 3)):
        assert text.tail(offset) == whole[offset:]
    seq = SEAL + 4
    for arrival, fragment in enumerate(["new", "", "er"], start=seq):
        counter.accept(arrival, 0, arrival)
        text.add((counter, arrival, 0, arrival), fragment, whole=arrival == seq)
    assert [text.tail(offset) for offset in range(7)] == ["newer", "ewer", "wer", "er", "r", "", ""]
    assert GrowingText().tail(0) == ""


def test_a_long_stream_has_few_blocks_and_one_after_compaction() -> None:
    text, _ = fill([(i, 0) for i in range(5000)])
    assert len(text.blocks) <= 10
    text.compact()
    assert len(text.blocks) == 1
    assert len(text.blocks[0].stretches) == 1


def test_compaction_joins_a_text_whose_numbers_alternate_with_another_texts() -> None:
    text, _ = fill([(i, 0) for i in range(0, 2000, 2)])
    text.compact()
    assert len(text.blocks) == 1


def test_only_a_replacing_value_without_a_later_fragment_is_returned_as_a_value() -> None:
    text, counter = GrowingText(), Counter(None)
    text.add((counter, 0, 0, 0), '{"a":1}', whole=True, value={"a": 1})
    assert text.value() == (True, {"a": 1})
    text.add((counter, 1, 0, 1), "x")
    assert text.value()[0] is False

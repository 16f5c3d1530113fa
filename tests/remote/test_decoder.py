"""Check the decoder of server-sent events: every rule, at every cut of the bytes."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.remote.reference import decode
from vibe_notebook.remote import RemoteError, ServerSentEvent, SSEDecoder

Wanted = list[tuple[str, str, str]]
VECTORS: dict[str, tuple[bytes, Wanted]] = {
    "an event": (b"data: a\n\n", [("message", "a", "")]),
    "all fields": (b"id: 1\nevent: x\ndata: a\n\n", [("x", "a", "1")]),
    "fields in another order": (b"data: a\nevent: x\nid: 1\n\n", [("x", "a", "1")]),
    "CRLF": (b"id: 1\r\nevent: x\r\ndata: a\r\n\r\n", [("x", "a", "1")]),
    "CR": (b"id: 1\revent: x\rdata: a\r\r", [("x", "a", "1")]),
    "ends of lines mixed": (b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\r", [("message", "a\nb\nc", ""), ("message", "d", "")]),
    "LF then CR is two ends": (b"data: a\n\rdata: b\n\n", [("message", "a", ""), ("message", "b", "")]),
    "no other ends of lines": (
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
        [("message", "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei", "")],
    ),
    "UTF-8": ("data: ä€😀\nevent: é\n\n".encode(), [("é", "ä€😀", "")]),
    "bad UTF-8": (b"data: a\xffb\xe2\x82\n\ndata: \xf0\x9f\n\n", [("message", "a\ufffdb\ufffd", ""), ("message", "\ufffd", "")]),
    "Latin-1 is not honoured": (b"data: \xe4\n\n", [("message", "\ufffd", "")]),
    "a surrogate's bytes": (b"data: \xed\xa0\x80\n\n", [("message", "\ufffd\ufffd\ufffd", "")]),
    "a BOM": (b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")]),
    "a BOM before an id": (b"\xef\xbb\xbfid: 1\ndata: a\n\n", [("message", "a", "1")]),
    "two BOMs": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", "b", "")]),
    "a BOM later": (b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", [("message", "a", ""), ("message", "c", "")]),
    "half a BOM": (b"\xef\xbbdata: a\n\ndata: b\n\n", [("message", "b", "")]),
    "a BOM and CR": (b"\xef\xbb\xbf\rdata: a\r\r", [("message", "a", "")]),
    "comments": (b": x\n:data: y\n:\ndata: a\n: z\n\n:\n\n", [("message", "a", "")]),
    "one leading space goes": (b"data:  a\ndata:\tb\ndata:c \ndata:   \n\n", [("message", " a\n\tb\nc \n  ", "")]),
    "a space alone": (b"data: \n\n", [("message", "", "")]),
    "no colon": (b"data\n\n", [("message", "", "")]),
    "no colon, twice": (b"data\ndata\n\n", [("message", "\n", "")]),
    "empty data": (b"data:\n\n", [("message", "", "")]),
    "empty lines of data": (b"data:\ndata:\ndata\n\n", [("message", "\n\n", "")]),
    "a line feed in the data": (b"data: a\ndata:\ndata: b\n\n", [("message", "a\n\nb", "")]),
    "colons in the value": (b"data: a: b:c\n\n", [("message", "a: b:c", "")]),
    "a colon first in the value": (b"data::a\n\n", [("message", ":a", "")]),
    "names are exact": (
        b"Data: a\nDATA: a\ndata : a\n data: a\ndata\0: a\n\0data: a\ndatax: a\ndat: a\n\n",
        [],
    ),
    "unknown fields": (b"foo: 1\ndata: a\nbar\n\n", [("message", "a", "")]),
    "a field that looks like an id": (b"id2: 1\nidx\ndata: a\n\n", [("message", "a", "")]),
    "no data, no event": (b"event: x\nid: 1\n\ndata: a\n\n", [("message", "a", "1")]),
    "the type lasts for one block": (b"event: x\ndata: a\n\ndata: b\n\n", [("x", "a", ""), ("message", "b", "")]),
    "the type of a block without data": (b"event: x\n\ndata: b\n\n", [("message", "b", "")]),
    "an empty type": (b"event: x\nevent:\ndata: a\n\n", [("message", "a", "")]),
    "a type that is a space": (b"event:  \ndata: a\n\n", [(" ", "a", "")]),
    "the last type wins": (b"event: x\nevent: y\ndata: a\n\n", [("y", "a", "")]),
    "the id lasts": (b"id: 1\ndata: a\n\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "1")]),
    "an empty id resets": (b"id: 1\ndata: a\n\nid:\ndata: b\n\nid: \ndata: c\n\n", [("message", "a", "1"), ("message", "b", ""), ("message", "c", "")]),
    "an id without colon resets": (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "")]),
    "an id with NUL is ignored": (b"id: 1\ndata: a\n\nid: 2\x003\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "1")]),
    "an id with spaces": (b"id:  1 \ndata: a\n\n", [("message", "a", " 1 ")]),
    "the last id wins": (b"id: 1\nid: 2\ndata: a\n\n", [("message", "a", "2")]),
    "an id of a block without data": (b"id: 7\n\ndata: a\n\n", [("message", "a", "7")]),
    "a NUL elsewhere": (b"event: a\0b\ndata: c\0d\n\n", [("a\0b", "c\0d", "")]),
    "the end cuts a block": (b"data: a\n\ndata: b\n", [("message", "a", "")]),
    "the end cuts a line": (b"data: a\n\ndata: b", [("message", "a", "")]),
    "the end drops an unfinished id": (b"id: 1\ndata: a\n\nid: 2\n", [("message", "a", "1")]),
    "the end cuts a character": ("data: a\n\ndata: €".encode()[:-1], [("message", "a", "")]),
    "blank lines": (b"\n\n\n\ndata: a\n\n\n\n", [("message", "a", "")]),
    "blank lines of all kinds": (b"\r\n\r\n\r\r\n\n", []),
    "nothing": (b"", []),
    "data that looks like a block's end": (b"data: a\\n\\nb\n\n", [("message", "a\\n\\nb", "")]),
    "an unusual block between two usual ones": (
        b"id: 1\ndata: a\n\nretry: 5\nid: 2\n\nid: 3\ndata: b\n\n",
        [("message", "a", "1"), ("message", "b", "3")],
    ),
}  # fmt: skip


def fed(pieces: Iterable[bytes], **options: str) -> tuple[list[ServerSentEvent], SSEDecoder]:
    decoder = SSEDecoder(**options)
    return [event for piece in pieces for event in decoder.feed(piece)], decoder


@pytest.mark.parametrize("name", VECTORS)
def test_each_rule_holds(name: str) -> None:
    body, wanted = VECTORS[name]
    assert fed([body])[0] == wanted
    assert decode(body)[0] == wanted  # the reference must agree with the table too


@pytest.mark.parametrize("name", VECTORS)
def test_each_rule_holds_at_every_cut(name: str) -> None:
    body, wanted = VECTORS[name]
    whole = fed([body])[1]
    assert fed(body[i : i + 1] for i in range(len(body)))[0] == wanted
    for i, j in itertools.combinations_with_replacement(range(len(body) + 1), 2):
        events, decoder = fed([body[:i], body[i:j], b"", body[j:]])
        assert events == wanted
        assert (decoder.last_event_id, decoder.retry) == (whole.last_event_id, whole.retry)


LINE = st.one_of(
    st.sampled_from(
        [
            b"data: a",
            b"data",
            b"data:",
            b"id: 1",
            b"id:",
            b"id: 2\0",
            b"event: x",
            b"event",
            b":",
            b"retry: 7",
        ]
    ),
    st.builds(
        lambda name, colon, value: name + colon + value,
        st.sampled_from([b"data", b"id", b"event", b"retry", b"Data", b"x", b"", b"\xef\xbb\xbfdata"]),
        st.sampled_from([b":", b": ", b":  ", b""]),
        st.one_of(st.binary(max_size=6), st.text(max_size=4).map(lambda text: text.encode(errors="replace"))),
    ),
)
BODY = st.builds(
    lambda bom, lines: bom + b"".join(line + end for line, end in lines),
    st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(
        st.tuples(LINE, st.sampled_from([b"\n", b"\n\n", b"\r\n", b"\r\n\r\n", b"\r", b"\r\r", b""])),
        max_size=12,
    ),
)


@given(
    BODY | st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=6), st.sampled_from(["", "seed"])
)
def test_the_decoder_agrees_with_the_reference_for_any_bytes_and_cuts(
    body: bytes, cuts: list[int], seed: str
) -> None:
    at = [0, *sorted(cuts), len(body)]
    events, decoder = fed((body[i:j] for i, j in itertools.pairwise(at)), last_event_id=seed)
    assert (events, decoder.last_event_id, decoder.retry) == decode(body, seed)


def test_a_cr_ends_its_line_at_once() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\r") == [("message", "a", "")]
    assert decoder.feed(b"\ndata: b\r") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"\r") == [("message", "b", "")]


def test_the_id_is_committed_by_a_blank_line_only() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\n\nid: 2\ndata: a\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"\n")
    assert decoder.last_event_id == "2"


def test_new_events_bear_the_last_id_of_the_connection_before() -> None:
    assert fed([b"data: a\n\n"], last_event_id="9")[0] == [("message", "a", "9")]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"3000", 3000), (b"03000", 3000), (b"0", 0), (b"000", 0), (b"9" * 5000, 10**12), (b"0" * 5000 + b"7", 7),
        (b"", None), (b" 5", None), (b"+5", None), (b"-5", None), (b"1_000", None), (b"5 ", None), (b"1e3", None),
        (b"5.0", None), (b"0x10", None), ("٣".encode(), None), ("\uff15".encode(), None), ("²".encode(), None),
    ],
)  # fmt: skip
def test_a_reconnection_time_is_ascii_digits_only(value: bytes, wanted: int | None) -> None:
    assert fed([b"retry: " + value + b"\n"])[1].retry == wanted


def test_a_reconnection_time_holds_at_once_and_until_the_next() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"retry: 5\n")
    assert decoder.retry == 5
    decoder.feed(b"data: a\n\nretry:6\nretry: x\nretry\n")
    assert decoder.retry == 6


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"a" * 30],
        [b"data: " + b"a" * 30 + b"\n\n"],
        [b"data: aaaaaaaaaaaa\n"] * 3,
        [b"data: ", b"a" * 12, b"a" * 12],
        [b":", b"a" * 40],
        [b"data: 1\n\ndata: " + b"a" * 30 + b"\n\n"],
        [b"data: aaaaaaaaaaaa\ndata: aaaaaaaaaaaa\n\n"],
    ],
)
def test_a_line_or_event_that_is_too_long_raises(pieces: list[bytes]) -> None:
    decoder = SSEDecoder(max_event=24)
    with pytest.raises(RemoteError, match="longer than 24 bytes"):
        list(map(decoder.feed, pieces))


def test_many_short_events_do_not_count_as_a_long_one() -> None:
    decoder = SSEDecoder(max_event=24)
    assert len(decoder.feed(b"data: 0123456789\n\n" * 50)) == 50
    assert all(len(decoder.feed(b"data: 0123456789\n\n")) == 1 for _ in range(50))
    assert not any(decoder.feed(b": 0123456789\n") for _ in range(50))


def test_an_event_costs_the_same_per_byte_in_small_pieces() -> None:
    def cost(size: int, piece: int) -> float:
        body = memoryview(b"data: " + b"a" * size + b"\n\n")
        decoder, best = SSEDecoder(), time.process_time()
        for i in range(0, len(body), piece):
            found = decoder.feed(bytes(body[i : i + piece]))
        assert len(found[0].data) == size
        return (time.process_time() - best) / size

    assert min(cost(8_000_000, 1024) for _ in range(3)) < 4 * min(cost(1_000_000, 1024) for _ in range(3))


def test_memory_is_flat_over_many_events() -> None:
    body = b"id: 1\nevent: x\ndata: 0123456789\n\n: ping\nretry: 5\ndata: a\ndata: b\n\n" * 50
    decoder = SSEDecoder()
    decoder.feed(body)
    tracemalloc.start()
    try:
        for _ in range(200):
            decoder.feed(body[:1001])
            decoder.feed(body[1001:])
        assert tracemalloc.get_traced_memory()[0] < 10_000
    finally:
        tracemalloc.stop()

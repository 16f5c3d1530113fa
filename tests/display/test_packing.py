"""Test packed messages: one deflate stream, readable for every browser that has its start."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.display._packing import Packer


class Unpacker:
    """Unpack messages as the browser does."""

    def __init__(self) -> None:
        self._stream: Any = None

    def unpack(self, packed: Any) -> dict[str, Any]:
        if isinstance(packed, dict):
            return packed
        number, data, *mark = packed
        if mark:
            self._stream = zlib.decompressobj(-15)
        text = self._stream.decompress(base64.b64decode(data) + b"\0\0\xff\xff")
        assert text.endswith(b"\n")
        return {"n": number, "ops": json.loads(text)}


texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(st.lists(texts, max_size=3), max_size=20), st.sets(st.integers(0, 20)))
def test_a_browser_unpacks_every_message_from_the_start_of_a_stream_on(
    said: list[list[str]], joins: set[int]
) -> None:
    packer, readers = Packer(), [Unpacker()]
    for number, words in enumerate(said):
        if number in joins:
            packer.begin()
            readers.append(Unpacker())
        message = {"n": number, "ops": [["a", 1, word] for word in words]}
        packed = json.loads(json.dumps(packer.pack(message)))
        assert [reader.unpack(packed) for reader in readers] == [message] * len(readers)


def test_a_whole_state_begins_a_stream_with_a_mark() -> None:
    packer = Packer()
    first, second, whole, after = (
        packer.pack({"n": n, "ops": [[name, 1, "text"]]}) for n, name in enumerate(["a", "a", "full", "a"])
    )
    assert [len(packed) for packed in (first, second, whole, after)] == [3, 2, 3, 2]
    assert (first[2], whole[2]) == (1, 2)  # type: ignore[index]
    assert Unpacker().unpack(whole)["ops"] == [["full", 1, "text"]]


def test_empty_messages_and_messages_for_a_browser_that_cannot_unpack_stay_plain() -> None:
    packer = Packer()
    nothing: dict[str, Any] = {"n": 3, "ops": []}
    assert packer.pack(nothing) is nothing
    packer.is_plain = True
    something: dict[str, Any] = {"n": 4, "ops": [["a", 1, "text"]]}
    assert packer.pack(something) is something

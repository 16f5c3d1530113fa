"""Test that a view sends the recorded messages, and that the Python browser builds the view from them."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from tests.display.browser_half import Browser
from tests.golden_wire import PATH, STREAMS, record

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
each = pytest.mark.parametrize("name", sorted(STREAMS))


def unpacked(packed: list[Any]) -> list[dict[str, Any]]:
    """Inflate messages as a browser does: a mark begins a new stream."""
    inflate = zlib.decompressobj(-15)
    made = []
    for number, data, *mark in packed:
        if mark:
            inflate = zlib.decompressobj(-15)
        text = inflate.decompress(base64.b64decode(data) + b"\0\0\xff\xff").decode("utf-8", "surrogatepass")
        made.append({"n": number, "ops": json.loads(text)})
    return made


def test_every_stream_is_recorded_and_no_other() -> None:
    assert sorted(GOLDEN) == sorted(STREAMS)


@each
def test_a_view_sends_the_recorded_messages(name: str) -> None:
    """Compare; after a change of docs/wire.md, ``python -m tests.golden_wire`` records the messages anew."""
    today = json.loads(json.dumps(record(STREAMS[name])))
    # zlib chooses the packed bytes, so the test compares unpacked messages.
    assert (today["messages"], today["whole"]) == (GOLDEN[name]["messages"], GOLDEN[name]["whole"])
    assert unpacked(today["packed"]) == GOLDEN[name]["messages"]
    assert unpacked(GOLDEN[name]["packed"]) == GOLDEN[name]["messages"]


@each
def test_the_python_browser_builds_the_whole_state_of_the_recorded_messages(name: str) -> None:
    browser, whole = Browser(), Browser(GOLDEN[name]["whole"])
    for message in GOLDEN[name]["messages"]:
        browser.receive(message)
    assert browser.lost == 0
    assert browser.number == whole.number
    assert browser.tree() == whole.tree()

"""Read plain strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.support import IDS, emitted, run
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
    if all(string.isascii() for string in strings):
        assert "".join(deltas) == "".join(strings)

"""Plain strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.support import IDS, run, said
from vibe_notebook.events import RunFinished, RunStarted, TextDelta


def test_strings_are_one_text() -> None:
    assert run("text", ["Hello ", "", "world"]) == [
        RunStarted(**IDS),
        TextDelta(**IDS, delta="Hello "),
        TextDelta(**IDS, delta="world"),
        RunFinished(**IDS),
    ]


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_any_text_comes_out_as_valid_unicode(pieces: list[str]) -> None:
    deltas = [event["delta"] for event in said("text", pieces, "text_delta")]
    "".join(deltas).encode()
    if all(piece.isascii() for piece in pieces):
        assert "".join(deltas) == "".join(pieces)

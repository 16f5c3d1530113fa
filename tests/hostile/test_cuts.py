"""Cut payloads of every kind at every character: no state between is an attack, and the end is that of the whole."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.hostile.counts import CUT_FIELDS
from tests.hostile.cuts import CutRun, deltas
from tests.hostile.oracles import html_attacks, terminal_attacks
from tests.hostile.payloads import CUT, KINDS, of_this_run


def judged(run: CutRun) -> list[str]:
    """Return the attacks that a view and a terminal show now."""
    return [*html_attacks(run.html), *terminal_attacks("".join(run.words)), *terminal_attacks(run.printed)]


def shown(run: CutRun) -> list[Any]:
    """Return what a reader sees at the end.

    A direction mark in a thought is dropped, or is a symbol if the thought is known to have code: by its end at most.
    """
    return [run.html, [re.sub(r"⟨U\+[0-9A-F]+⟩", "", words) for words in run.words]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_that_is_cut_at_any_character_ends_as_the_whole_and_never_gets_through(
    kind: str, record_property: Any
) -> None:
    cuts = 0
    assert len(deltas("")) == len(CUT_FIELDS)
    chosen = of_this_run([payload for payload in CUT if payload.kind == kind])
    for payload in chosen:
        whole = CutRun()
        whole.feed(payload.text)
        wanted, wanted_page = whole.finish(), shown(whole)
        for at in range(1, len(payload.text)):
            run = CutRun()
            for piece in (payload.text[:at], payload.text[at:]):
                run.feed(piece)
                assert judged(run) == [], (payload.text, at)
            assert run.finish() == wanted, (payload.text, at)
            assert shown(run) == wanted_page, (payload.text, at)
            cuts += 1
        assert wanted.to_html() == run_forms(payload.text)
    assert cuts == sum(len(payload.text) - 1 for payload in chosen) > 0
    record_property("cuts", cuts)


def run_forms(text: str) -> str:
    """Return the saved HTML of a text that was cut into single characters."""
    run = CutRun()
    for character in text:
        run.feed(character)
    return run.finish().to_html()

"""Test that the final form of a view stays within its bytes, and keeps the oldest and the newest parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibe_notebook._forms.bounds import bounded_forms
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import transcript_markdown
from vibe_notebook._forms.text import transcript_text
from vibe_notebook._limits import FORM_BYTES
from vibe_notebook.display import _bundle
from vibe_notebook.parts import ArtifactPart, Run, TextPart, ThinkingPart, ToolPart
from vibe_notebook.transcript import Transcript

LIMIT = 60_000


def forms(*documents: Any, limit: int = LIMIT) -> dict[str, str]:
    def render(shown: Sequence[tuple[int, Any]]) -> dict[str, str]:
        return {
            "text/plain": "\n\n".join(transcript_text(each) for _, each in shown),
            "text/markdown": "\n\n".join(transcript_markdown(each) for _, each in shown),
            "text/html": "\n".join(transcript_html(each) for _, each in shown),
        }

    return bounded_forms(documents, render, limit=limit)


def size(made: dict[str, str]) -> int:
    return len(json.dumps(made, ensure_ascii=False).encode())


def texts(count: int, length: int) -> tuple[TextPart, ...]:
    return tuple(TextPart(part_id=str(n), text=f"first {n} {'w ' * length}last {n}") for n in range(count))


def calls(count: int, output: Any) -> tuple[ToolPart, ...]:
    return tuple(
        ToolPart(tool_call_id=f"c{n}", tool_name=f"tool-{n}", state="ok", output=output) for n in range(count)
    )


LONG: dict[str, Sequence[Transcript]] = {
    "a line without an end": [Transcript(parts=(TextPart(text=f"<oldest>{'x' * 500_000}<newest>"),))],
    "a thought": [Transcript(parts=(ThinkingPart(text="oldest " + "so & so " * 60_000 + " newest"),))],
    "many texts": [Transcript(parts=texts(500, 100))],
    "many calls": [Transcript(parts=calls(500, "out " * 100))],
    "large values": [Transcript(parts=calls(300, [{"key": list(range(40))}] * 3))],
    "tables": [Transcript(parts=calls(99, {"columns": ["a"], "rows": [[1]] * 50, "total": 50}))],
    "one call with many inside": [
        Transcript(parts=(ToolPart(tool_call_id="c", tool_name="agent", children=texts(500, 100)),))
    ],
    "subagents": [
        Transcript(
            runs=tuple(Run(run_id=str(n), agent_name=f"s{n}", parts=texts(3, 100)) for n in range(300))
        )
    ],
    "agents": [Transcript(agent_id=str(n), parts=texts(3, 100)) for n in range(300)],
    "an image": [
        Transcript(
            parts=(
                TextPart(text="before"),
                ArtifactPart(artifact_id="i", name="i.png", media_type="image/png", data="A" * 400_000),
                TextPart(text="after", part_id="1"),
            )
        )
    ],
    "formulas": [Transcript(parts=(TextPart(text="$x^2$ " * 9_000),))],
    "code": [Transcript(parts=(TextPart(text="```python\n" + "x = {1: 'a'}\n" * 5_000 + "```\n"),))],
    "other alphabets": [Transcript(parts=(TextPart(text="語" * 90_000),))],
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_transcript_fits_into_its_bytes_and_says_where_the_rest_is(name: str) -> None:
    made = forms(*LONG[name])
    assert size(made) <= LIMIT
    assert size(made) > LIMIT / 8 or name == "an image"  # as much as fits stays, roughly
    for form in made.values():
        assert "Left out of this form" in form
        assert "last().transcript" in form


def test_a_transcript_that_fits_is_shown_whole_and_without_a_note() -> None:
    short = Transcript(parts=(*texts(20, 20), *calls(5, "out")))
    made = forms(short)
    assert made["text/html"] == transcript_html(short)
    assert made["text/markdown"] == transcript_markdown(short)
    assert made["text/plain"] == transcript_text(short)


@pytest.mark.parametrize("name", ["a line without an end", "a thought"])
def test_the_beginning_and_the_end_of_one_long_text_stay(name: str) -> None:
    for form in forms(*LONG[name]).values():
        assert form.index("oldest") < form.index("Left out") < form.index("newest")


@pytest.mark.parametrize("name", ["many texts", "one call with many inside"])
def test_the_oldest_and_the_newest_parts_stay(name: str) -> None:
    for form in forms(*LONG[name]).values():
        places = [form.index(word) for word in ("first 0 ", "first 3 ", "Left out", "first 497 ", "last 499")]
        assert places == sorted(places)
        assert "first 250 " not in form


def test_of_many_agents_the_first_and_the_last_stay_under_their_own_names() -> None:
    transcripts = {f"agent-{n}": Transcript(parts=texts(3, 20_000)) for n in range(200)}
    made = _bundle.bundle(transcripts, title="Eval")
    assert size(made) <= FORM_BYTES
    for form in made.values():
        assert form.index("agent-0") < form.index("agent-199")


def test_the_end_of_a_long_code_block_stays_code() -> None:
    code = "```text\n" + "one < two\n" * 30_000 + "```\n\n**Done.**"
    made = forms(Transcript(parts=(TextPart(text=code),)))
    assert "<strong>Done.</strong>" in made["text/html"]
    assert made["text/html"].count("<pre") == 2
    assert made["text/markdown"].count("```") == 4


def test_a_transcript_as_the_value_of_a_cell_is_bounded_too() -> None:
    made = Transcript(parts=texts(3, 2_000_000))._repr_mimebundle_()
    assert size(made) <= FORM_BYTES
    assert all(form.count("Left out of this form") == 1 for form in made.values())


PARTS = st.lists(
    st.one_of(
        st.builds(
            TextPart, part_id=st.uuids().map(str), text=st.text("a`~$\\<>&[]()!*_#|\n é語", max_size=2000)
        ),
        st.builds(ThinkingPart, part_id=st.uuids().map(str), text=st.text("a<&\n", max_size=2000)),
        st.builds(
            ToolPart,
            tool_call_id=st.uuids().map(str),
            tool_name=st.just("f"),
            output=st.one_of(st.none(), st.text("a\n", max_size=900), st.lists(st.integers(), max_size=99)),
            children=st.lists(
                st.builds(TextPart, part_id=st.uuids().map(str), text=st.text("ab\n", max_size=900)),
                max_size=9,
            ).map(tuple),
        ),
    ),
    max_size=30,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(Transcript, parts=PARTS), min_size=1, max_size=4),
    st.sampled_from([3_000, 12_000, 40_000]),
)
def test_any_transcripts_fit_into_any_number_of_bytes(found: list[Transcript], limit: int) -> None:
    assert size(forms(*found, limit=limit)) <= limit

"""Test how the saved forms show turns, plans, sources, requests and shown lines."""

from __future__ import annotations

import re
from typing import Any

import pytest

from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import is_safe, transcript_markdown
from vibe_notebook._forms.text import transcript_text
from vibe_notebook.events import Option, PlanEntry
from vibe_notebook.parts import (
    Answer,
    CitationValue,
    CustomPart,
    InputPart,
    PlanPart,
    RequestValue,
    Run,
    TextPart,
    ToolPart,
)
from vibe_notebook.transcript import Transcript

FORMS = [transcript_html, transcript_markdown, transcript_text]
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e"


def of(*parts: Any, **fields: Any) -> Transcript:
    return Transcript(parts=parts, **fields)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_shows_the_whole_conversation(form: Any) -> None:
    shown = form(
        of(
            TextPart(role="user", message_id="u", text="What is it?"),
            PlanPart(entries=(PlanEntry(text="Look", status="completed"), PlanEntry(text="Say"))),
            TextPart(
                message_id="m",
                text="It is.",
                citations=(CitationValue(citation_id="c", title="Book", end=5),),
            ),
            InputPart(
                request=RequestValue(
                    request_id="q",
                    message="City?",
                    options=(Option(value=1, label="Lima"),),
                    answer=Answer(action="accept", value=1, reason="warm", by="Ada"),
                    is_open=False,
                )
            ),
            CustomPart(custom_id="1", name="handoff", value={"to": "writer", "list": list(range(40))}),
        )
    )
    for word in (
        "What is it?",
        "Look",
        "Say",
        "1 of 2 done",
        "Book",
        "City?",
        "Lima",
        "warm",
        "Ada",
        "handoff",
        "39",
    ):
        assert word in shown, word
    assert re.search(r"It is<sup[^>]*>\[1\]|It is\\?\[1\\?\]|It is&#91;1&#93;", shown)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_hostile_passes_in_a_plan_a_source_a_request_or_a_line(form: Any) -> None:
    shown = form(
        of(
            TextPart(role="user", text=HOSTILE),
            PlanPart(entries=(PlanEntry(text=HOSTILE, status="in_progress"),)),
            TextPart(
                text="x",
                citations=(
                    CitationValue(citation_id="c", title=HOSTILE, url="javascript:alert(1)", quote=HOSTILE),
                    CitationValue(citation_id="d", source=HOSTILE),
                ),
            ),
            InputPart(
                request=RequestValue(
                    request_id=HOSTILE, message=HOSTILE, options=(Option(value=HOSTILE, label=HOSTILE),)
                )
            ),
            CustomPart(custom_id="1", name=HOSTILE, value=[HOSTILE] * 30),
            runs=(Run(run_id="r", input=HOSTILE),),
        )
    )
    if form is transcript_html:
        assert "<img src=x" not in shown
    if form is transcript_markdown:
        assert is_safe(shown)
    assert 'javascript:alert(1)"' not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_mark_stands_after_its_words_and_never_in_code_a_link_or_an_attribute() -> None:
    text = "A fact. `code` [link](https://a.example 'title') **bold.** end"

    def html(end: int) -> str:
        cited = CitationValue(citation_id="c", title="T", start=0, end=end)
        return transcript_html(of(TextPart(text=text, citations=(cited,))))

    assert 'A fact.<sup class="vibe-cite">[1]</sup>' in html(len("A fact."))
    plain = re.sub(r"<ul.*", "", transcript_html(of(TextPart(text=text))), flags=re.DOTALL)
    for end in range(len(text) + 1):
        shown = re.sub(r'<sup class="vibe-cite">\[1\]</sup>', "", html(end))
        assert "⁅" not in shown
        if "<strong>bold.</strong>" in shown and 'title="title"' in shown:
            assert re.sub(r"<ul.*", "", shown, flags=re.DOTALL).replace("</div>", "") == plain.replace(
                "</div>", ""
            )


def test_many_citations_of_one_word_make_few_marks_and_a_whole_list() -> None:
    many = tuple(
        CitationValue(citation_id=str(n), url=f"https://a.example/{n % 50}", title=f"T{n % 50}", end=4)
        for n in range(100)
    )
    shown = transcript_html(of(TextPart(text="word", citations=many)))
    assert shown.count("vibe-cite") == 5
    assert shown.count("<li") == 50


def test_a_call_that_only_wrote_a_plan_is_shown_as_the_plan() -> None:
    call = ToolPart(tool_call_id="t", tool_name="TodoWrite", state="ok", plan_id="plan")
    plan = PlanPart(entries=(PlanEntry(text="Look"),), tool_call_id="t")
    failed = call.model_copy(update={"state": "error", "error": "no"})
    for form in FORMS:
        assert "TodoWrite" not in form(of(call, plan))
        assert "TodoWrite" in form(of(failed, plan))


def test_a_long_prompt_is_folded_and_whole() -> None:
    text = "\n".join(f"line {n}" for n in range(30))
    shown = transcript_html(of(TextPart(role="user", text=text)))
    assert '<details class="vibe-user"' in shown
    assert "line 29" in shown


def test_a_runs_input_is_shown_only_without_the_users_own_words() -> None:
    run = Run(run_id="r", input="asked")
    bare = of(TextPart(run_id="r", text="answer"), runs=(run,))
    own = of(TextPart(run_id="r", message_id="u", role="user", text="asked, in full"), runs=(run,))
    assert transcript_text(bare).count("asked") == 1
    assert transcript_text(own).count("asked") == 1
    assert "asked, in full" in transcript_text(own)


def test_the_quote_of_a_source_is_in_the_text_too() -> None:
    cited = TextPart(
        text="It rains.", citations=(CitationValue(citation_id="c", title="Log", quote="rain", end=9),)
    )
    assert "[1] Log · “rain”" in transcript_text(Transcript(parts=(cited,)))

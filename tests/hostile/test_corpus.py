"""Run every payload of the corpus through every field and every form that needs no browser and no server.

tests/browser/test_hostile.py shows the same payloads in Chromium, tests/hostile/test_cuts.py cuts them.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.forms.viewers import VIEWERS, attacks
from tests.hostile.cases import Case, live_html
from tests.hostile.counts import FORMS, documented, table
from tests.hostile.oracles import html_attacks, line_attacks, terminal_attacks
from tests.hostile.payloads import CUT, KINDS, PAYLOADS, SAMPLE, counts, of_kind, of_this_run
from tests.hostile.stories import CLASSES, FIELDS, fields_of, story, stranger_fields
from vibe_notebook._foreign_words import clean_logger, on_one_line
from vibe_notebook.events import parse_event
from vibe_notebook.exceptions import ProtocolError

BENIGN = "benign"


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


# The corpus itself


def test_the_corpus_has_at_least_as_many_payloads_as_the_adversary_had() -> None:
    assert len(PAYLOADS) == len({payload.text for payload in PAYLOADS}) == sum(counts().values())
    assert len(PAYLOADS) >= 1_159
    assert len(CUT) >= 150
    for chosen in (PAYLOADS, CUT, SAMPLE):
        assert {payload.kind for payload in chosen} == set(KINDS)
    assert set(CUT) - set(PAYLOADS) == {payload for payload in CUT if payload.kind == "very long"}


def test_a_story_puts_a_payload_into_every_field_of_every_event() -> None:
    """Fail for a new field that no story fills, and for a field of a type that this test does not know."""
    text = "<script>alert(1)</script>"
    found = set().union(*(fields_of(event, text) for event in story(text)))
    assert set(FIELDS) - found == set()
    assert len(FIELDS) >= 45
    for cls in CLASSES:
        fixed = {name for name, field in cls.model_fields.items() if name not in stranger_fields(cls)}
        numbers = {"seq", "sub", "ts", "derived", "progress", "total", "start", "end", "expires_at", "shown"}
        words = {"type", "kind", "outcome", "status", "state", "action"}
        assert fixed <= numbers | words, cls


def test_the_documents_table_of_hostile_text_is_that_of_the_corpus() -> None:
    assert documented() == table(), "python -m tests.hostile.counts"


# The forms


def form_attacks(case: Case) -> dict[str, list[str]]:
    """Return the attacks that each form of a case lets through."""
    return {
        "saved HTML": list(html_attacks(case.html)),
        "live view": list(html_attacks(live_html(case.browser.tree()))),
        "text": terminal_attacks(case.plain),
        "terminal": terminal_attacks(case.terminal),
        "pipe": [*terminal_attacks(case.piped), *(["colour"] if "\x1b" in case.piped else [])],
        **{viewer.__name__: list(attacks(viewer(case.markdown))) for viewer in VIEWERS},
    }


def last_resort_attacks(case: Case) -> dict[str, list[str]]:
    """Return the attacks that the forms in place of broken ones let through."""
    html, markdown, text = (case.last_resort[form] for form in ("html", "markdown", "text"))
    return {
        "html": list(html_attacks(html)),
        "text": terminal_attacks(text),
        **{viewer.__name__: list(attacks(viewer(markdown))) for viewer in VIEWERS},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_no_payload_gets_through_in_any_form(kind: str, record_property: Any) -> None:
    payloads = of_this_run(of_kind(kind))
    found: dict[tuple[str, str], list[str]] = {}
    pairs = 0
    for payload in payloads:
        case = Case(payload)
        made = form_attacks(case)
        pairs += len(FIELDS) * len(made)
        found |= {(payload.text, form): bad for form, bad in made.items() if bad}
        assert "could not be" not in case.html.replace(case.text, "")  # no form of last resort
    assert found == {}
    assert pairs == len(payloads) * len(FIELDS) * len(FORMS)
    record_property("pairs", pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_no_payload_gets_through_in_a_form_of_last_resort(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = [payload for payload in SAMPLE if payload.kind == kind]
    made = {payload.text: last_resort_attacks(Case(payload)) for payload in chosen}
    assert {text: bad for text, bad in made.items() if any(bad.values())} == {}
    assert len(caplog.records) == 3 * len(chosen)


def lines(case: Case) -> dict[str, int]:
    forms = {"markdown": case.markdown, "text": case.plain, "terminal": case.terminal, "pipe": case.piped}
    return {name: len(form.splitlines()) for name, form in forms.items()}


@pytest.mark.parametrize(
    "kind",
    [
        "ANSI in names",
        "JSON and line breakers",
        "terminal sequences",
        "Markdown blocks",
        "control characters",
    ],
)
def test_no_name_makes_a_line_in_a_form_of_lines(kind: str) -> None:
    wanted = lines(Case(of_kind("homoglyphs")[0], prose=BENIGN))
    found = {payload.text: lines(Case(payload, prose=BENIGN)) for payload in of_this_run(of_kind(kind))}
    assert {text: made for text, made in found.items() if made != wanted} == {}


# Recordings, logs and errors


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_of_a_payload_replays_to_the_same_transcript(kind: str, tmp_path: Path) -> None:
    chosen = [payload for payload in SAMPLE if payload.kind == kind]
    for payload in chosen:
        path = tmp_path / "run.jsonl"
        path.unlink(missing_ok=True)
        events = story(payload.text)
        with vibe.Registry() as registry, vibe.record(path, registry=registry):
            for event in events:
                registry.dispatch(event)
            live = registry.transcript(events[0].agent_id)
        written = path.read_bytes()
        assert written.count(b"\n") == len(written.splitlines()) == len(events)
        with vibe.Registry() as registry:
            for event in vibe.replay(path, speed=None):
                registry.dispatch(event)
            again = registry.transcript(events[0].agent_id)
        assert again.to_html() == live.to_html()
        assert again.to_markdown() == live.to_markdown()
        assert again.to_text() == live.to_text()


def test_no_payload_writes_a_line_of_a_log_or_an_error() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s:%(message)s"))
    log = clean_logger("vibe_notebook.test_hostile")
    log.addHandler(handler)
    log.propagate = False
    found: dict[str, list[str]] = {}

    def check(payload: str, text: str) -> None:
        if bad := line_attacks(text):
            found.setdefault(payload, []).extend(bad)

    for _, text in PAYLOADS:
        stream.seek(0)
        stream.truncate()
        log.warning("The server says %s", text)
        log.error("A tool failed: %s", text, exc_info=ValueError(text))
        records = [line for line in stream.getvalue().split("\n") if line and not line.startswith("  ")]
        assert [record.split(":")[0] for record in records] == ["WARNING", "ERROR", "ValueError"], records
        for line in stream.getvalue().split("\n"):
            check(text, line)
        check(text, on_one_line(text))
        for wrong in (
            {"type": text},
            {"type": "text_delta", text: text},
            {"type": "run_finished", "agent_id": "a", "run_id": "r", "outcome": text},
        ):
            with pytest.raises(ProtocolError) as caught:
                parse_event(wrong)
            check(text, str(caught.value))
    assert found == {}

"""Test that a server's error, inside of a stream or in its place, is told with the server's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vibe_notebook.events import RunFinished
from vibe_notebook.remote import ServerSentEvent
from vibe_notebook.remote._dialects import Dialect
from vibe_notebook.remote._server_words import WORDS, words_in, words_of

SAID = {
    "id": "c",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": "Hal"}, "finish_reason": None}],
}
OPENINGS: dict[str, list[Any]] = {
    "openai_chat": [SAID],
    "anthropic": [
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {}}}
    ],
    "openai_responses": [{"type": "response.created", "response": {"id": "r"}, "sequence_number": 0}],
    "vercel_ai_ui": [{"type": "start", "messageId": "m"}],
    "agui": [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}],
    "nothing": [],
}


def end(*events: ServerSentEvent) -> tuple[str, str | None, bool]:
    """Return the outcome and the error of the run, and whether the stream counts as over."""
    dialect = Dialect(agent_id="a")
    made = [one for event in events for one in dialect.read(event)] + dialect.finish()
    (last,) = [one for one in made if isinstance(one, RunFinished)]
    return last.outcome, last.error, dialect.is_over


def message(data: Any, name: str = "message", id: str = "") -> ServerSentEvent:  # noqa: A002 - the field's name
    return ServerSentEvent(name, data if isinstance(data, str) else json.dumps(data), id)


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
@pytest.mark.parametrize(
    "event",
    [
        message("boom", "error"),
        message({"text": "boom"}, "error"),
        message({"error": {"message": "boom", "code": 500}}),
        message({"error": "boom"}),
        message({"error": {"message": "boom"}, "status": 500}, "error"),
        message({"message": "boom"}, "error"),
        message({"detail": "boom"}, "error"),
    ],
    ids=lambda event: f"{event.event} {event.data}",
)
def test_an_error_ends_the_run_as_an_error_in_every_dialect(
    opening: list[Any], event: ServerSentEvent
) -> None:
    assert end(*map(message, opening), event) == ("error", "boom", True)


def test_a_projects_own_event_named_error_is_no_end() -> None:
    dialect = Dialect(agent_id="a")
    dialect.read(message({"hello": 1}, "greeting", "e-1"))
    dialect.read(message({"text": "x"}, "error", "e-2"))
    assert not dialect.is_over


@pytest.mark.parametrize(
    ("data", "words", "code"),
    [
        ({"error": {"message": "m", "code": "c"}}, "m", "c"),
        ({"error": {"message": "m", "type": "t"}}, "m", "t"),
        ({"error": "m"}, "m", None),
        ({"title": "m", "status": 400}, "m", None),
        ({"detail": [{"loc": 1}]}, '{"detail": [{"loc": 1}]}', None),
        ("", "error", None),
        ("a\nb\x1b[31m", "a␊b␛[31m", None),
    ],
)
def test_the_words_are_found_in_whatever_field_they_are(data: Any, words: str, code: str | None) -> None:
    assert words_of(data) == (words, code)


def test_a_servers_words_are_bounded() -> None:
    assert len(words_of({"message": "x" * 100_000})[0]) == WORDS


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b'{"error": {"message": "too long"}}', "application/json", ("too long", False)),
        (b'{"error": "gone.", "permanent": true}', "application/json; charset=utf-8", ("gone", True)),
        (b'{"title": "no"}', "application/problem+json", ("no", False)),
        (b"<html>no</html>", "text/html", ("", False)),
        (b"{", "application/json", ("", False)),
        (b"null", "application/json", ("", False)),
        (b"[" * 100_000, "application/json", ("", False)),
    ],
)
def test_a_refusals_body_is_read_if_it_is_json(body: bytes, kind: str, expected: tuple[str, bool]) -> None:
    assert words_in(body, kind) == expected


@pytest.mark.parametrize("first", ['"hello"', "[1,2]", "0.5", "plain words", '{"a": 1}'])
def test_a_named_event_is_shown_under_its_name_whatever_its_data(first: str) -> None:
    dialect = Dialect(agent_id="a")
    events = [
        ServerSentEvent("note", first, "e-1"),
        ServerSentEvent("progress", "0.5", "e-2"),
        ServerSentEvent("note", '{"b": 2}', "e-3"),
    ]
    made = [one for event in events for one in dialect.read(event)]
    shown = [(one.name, one.value) for one in made if one.type == "custom"]
    value = first if first == "plain words" else json.loads(first)
    assert shown == [("note", value), ("progress", 0.5), ("note", {"b": 2})]
    assert not [one for one in made if one.type == "text_delta"]

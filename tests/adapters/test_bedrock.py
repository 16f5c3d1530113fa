"""Read the cases of Bedrock that its recordings do not have."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.support import emitted, recording, run, shown
from tests.watching.streams import quiet
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished

ADAPTER = "bedrock"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def start(index: int, **body: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": body}}


def delta(index: int, **body: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": body}}


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def answer(*events: dict[str, Any], reason: str = "end_turn") -> list[dict[str, Any]]:
    return [{"messageStart": {"role": "assistant"}}, *events, {"messageStop": {"stopReason": reason}}]


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


class EventStream:
    """Stand for botocore's class, of which only the name is looked at."""

    def __init__(self, natives: list[Any]) -> None:
        self._natives = natives
        self.is_closed = False

    def __iter__(self) -> Iterator[Any]:
        yield from self._natives

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("name", ["stream", "body"])
def test_a_response_is_watched_as_the_stream_in_it(name: str) -> None:
    stream = EventStream(answer(delta(0, text="Hi")))
    watched = quiet({"ResponseMetadata": {"HTTPStatusCode": 200}, name: stream})
    for _ in watched:
        pass
    assert watched.transcript.text == "Hi"
    assert stream.is_closed


def test_a_response_without_a_stream_is_refused_with_the_call_that_makes_one() -> None:
    with pytest.raises(TypeError, match="dict is not a stream"):
        quiet({"ResponseMetadata": {}, "output": {"message": {}}})


def test_bytes_their_base64_and_their_text_are_the_same_chunk() -> None:
    natives = recording("bedrock_invoke").natives
    chunks = [base64.b64decode(one["chunk"]["bytes"]) for one in natives if "chunk" in one]
    results = [one for one in natives if "chunk" not in one]
    forms = (lambda raw: raw, lambda raw: base64.b64encode(raw).decode(), bytes.decode)
    made = [[*({"chunk": {"bytes": form(raw)}} for raw in chunks), *results] for form in forms]
    assert run(ADAPTER, made[0]) == run(ADAPTER, made[1]) == run(ADAPTER, made[2])
    assert all(adapters.detect(one) == ADAPTER for form in made for one in form)


def test_the_chunks_of_a_model_with_events_of_converse_are_read_too() -> None:
    events = [*answer(delta(0, text="Hi")), {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}}}]
    chunks = [{"chunk": {"bytes": json.dumps(event).encode()}} for event in events]
    assert run(ADAPTER, chunks) == run(ADAPTER, events)


@pytest.mark.parametrize("raw", [b"\xff", b"", "no base64!", b"[1]", b'{"outputText": "Hi"}'])
def test_a_chunk_of_another_model_is_no_text_and_is_not_lost(raw: Any) -> None:
    (event,) = emitted(ADAPTER, [{"chunk": {"bytes": raw}}], "custom")
    assert event["name"] in ("chunk", "dict")


@pytest.mark.parametrize("kind", ["throttlingException", "modelStreamErrorException"])
def test_an_error_in_the_stream_ends_the_run_as_an_error(kind: str) -> None:
    native = {kind: {"message": "Slow down."}}
    assert adapters.detect(native) == ADAPTER
    end = end_of(*answer(delta(0, text="Hi")), native)
    assert (end.outcome, end.error, end.code) == ("error", "Slow down.", kind)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", "success"),
        ("tool_use", "success"),
        ("stop_sequence", "success"),
        ("max_tokens", "error"),
        ("content_filtered", "error"),
        ("guardrail_intervened", "error"),
        ("malformed_tool_use", "error"),
    ],
)
def test_the_reason_of_the_stop_is_the_outcome(reason: str, outcome: str) -> None:
    assert end_of(*answer(delta(0, text="Hi"), reason=reason)).outcome == outcome


def test_a_tool_that_the_provider_runs_shows_its_call_and_its_result() -> None:
    call = {"toolUseId": "c", "name": "nova_grounding", "type": "server_tool_use"}
    natives = answer(
        start(0, toolUse=call),
        delta(0, toolUse={"input": '{"q": 1}'}),
        stop(0),
        start(1, toolResult={"toolUseId": "c", "status": "error"}),
        delta(1, toolResult=[{"text": "No "}]),
        delta(1, toolResult=[{"text": "page."}]),
        stop(1),
    )
    (part,) = shown(ADAPTER, natives)
    assert (part["name"], part["args"], part["status"]) == ("nova_grounding", {"q": 1}, "error")
    assert [one["args"] for one in emitted(ADAPTER, natives, "tool_started")] == [{"q": 1}]
    assert part["output"] == "No \npage."


@pytest.mark.parametrize("cut", [0, 1])
def test_an_image_in_pieces_is_one_file_also_without_its_stop(cut: int) -> None:
    raw = base64.b64decode(PNG)
    pieces = [delta(0, image={"source": {"bytes": one}}) for one in (raw[:9], raw[9:])]
    natives = [*answer(start(0, image={"format": "png"}), *pieces, *[stop(0)][cut:])]
    (part,) = shown(ADAPTER, natives)
    assert (part["media_type"], part["data"]) == ("image/png", PNG)


def test_the_sources_of_a_text_cover_its_block() -> None:
    (first, placed) = emitted(ADAPTER, recording("bedrock").natives, "citation")
    assert first["url"] == placed["url"] == "https://weather.example/paris"
    assert (placed["start"], placed["end"]) == (0, 58)


def test_a_whole_response_gives_the_parts_of_its_stream() -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm."}}},
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "c", "name": "f", "input": {"x": 1}}},
        {"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}},
        {"citationsContent": {"content": [{"text": "Open."}], "citations": [{"title": "A"}]}},
    ]
    whole = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 5, "outputTokens": 7, "cacheWriteInputTokens": 1},
    }
    assert adapters.detect(whole) == ADAPTER
    parts = shown(ADAPTER, [whole, {"toolResult": {"toolUseId": "c", "content": [{"text": "18"}]}}])
    assert [part["kind"] for part in parts] == ["thinking", "text", "tool", "artifact", "text"]
    assert (parts[2]["args"], parts[2]["output"]) == ({"x": 1}, "18")
    (finished,) = emitted(ADAPTER, [whole], "message_finished")
    assert (finished["usage"]["input_tokens"], finished["usage"]["output_tokens"]) == (6, 7)


def test_the_users_words_beside_results_are_a_turn() -> None:
    content = [{"toolResult": {"toolUseId": "c", "content": [{"text": "18"}]}}, {"text": "And Rome?"}]
    natives = [{"role": "user", "content": content}]
    assert adapters.detect(*natives) == ADAPTER
    assert [(part["kind"], part.get("role")) for part in shown(ADAPTER, natives)] == [
        ("tool", None),
        ("text", "user"),
    ]


def test_a_newer_kind_of_start_or_delta_is_kept() -> None:
    natives = answer(start(0, hologram={"x": 1}), delta(0, hologram={"y": 2}), stop(0))
    assert [event["name"] for event in emitted(ADAPTER, natives, "custom")] == [
        "contentBlockStart",
        "contentBlockDelta",
    ]


def test_events_that_strands_wraps_stay_strands() -> None:
    for event in answer(delta(0, text="Hi")):
        assert adapters.detect({"event": event}) == "strands"
        assert adapters.detect(event) == ADAPTER


@pytest.mark.parametrize("name", ["accessDeniedException", "throttlingException", "somethingNewException"])
def test_each_exception_in_the_stream_is_the_runs_error(name: str) -> None:
    native = {name: {"message": "No access."}}
    assert adapters.detect(native) == ADAPTER
    end = end_of(*answer(delta(0, text="Hi"))[:2], native)
    assert (end.outcome, end.error, end.code) == ("error", "No access.", name)


def test_a_stream_that_ends_before_its_message_is_interrupted() -> None:
    natives = answer(delta(0, text="Hi"))
    assert end_of(*natives[:2]).outcome == "interrupted"
    assert end_of(*natives).outcome == "success"

"""Read the cases of google-genai that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, fold, recording, run, shown
from tests.adapters.test_google_adk import camel
from vibe_notebook import adapters
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "google_genai"
URL = "https://a.example/x"


def chunk(*parts: dict[str, Any], response_id: str | None = "r1", **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"content": content, **fields}], "response_id": response_id}


def call(name: str, call_id: str | None = None, **args: Any) -> dict[str, Any]:
    return {"function_call": {"id": call_id, "name": name, "args": args}}


def answer(*responses: tuple[str, str | None, Any]) -> dict[str, Any]:
    parts = [
        {"function_response": {"name": name, "id": call_id, "response": response}}
        for name, call_id, response in responses
    ]
    return {"role": "user", "parts": parts}


def end_of(*natives: Any) -> RunFinished:
    event = run(ADAPTER, natives)[-1]
    assert isinstance(event, RunFinished)
    return event


@pytest.mark.parametrize("name", ["google_genai", "google_genai_automatic", "google_genai_error"])
def test_the_apis_json_in_camel_case_gives_the_same_events(name: str) -> None:
    natives = [camel(native) for native in recording(name).natives]
    assert {adapters.detect(native) for native in natives} == {ADAPTER}
    assert run(ADAPTER, natives, recording(name).raised) == recording(name).events()


def test_chunks_with_a_finish_reason_each_are_one_message() -> None:
    natives = [chunk({"text": word}, response_id=None, finish_reason="STOP") for word in ("Hel", "lo")]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hello"]
    assert len(emitted(ADAPTER, natives, "message_started")) == 1


def test_another_response_id_begins_another_message() -> None:
    natives = [chunk({"text": "One"}), chunk({"text": "Two"}, response_id="r2")]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["One", "Two"]


def test_text_after_a_call_is_a_part_of_its_own() -> None:
    natives = [chunk({"text": "Before."}), chunk(call("f", "c1")), chunk({"text": "After."})]
    assert [part["kind"] for part in shown(ADAPTER, natives)] == ["text", "tool", "text"]


def test_calls_without_an_id_are_answered_in_their_order() -> None:
    asked = chunk(call("f", x=1), call("f", x=2))
    natives = [asked, answer(("f", None, {"n": 1}), ("f", None, {"n": 2}))]
    assert [(part["args"], part["output"]) for part in shown(ADAPTER, natives)] == [
        ({"x": 1}, {"n": 1}),
        ({"x": 2}, {"n": 2}),
    ]


def test_a_history_that_comes_again_or_has_older_results_adds_nothing() -> None:
    older = [answer(("f", None, {"n": 0})), answer(("f", "c0", {"n": 0}))]
    history = {
        "automatic_function_calling_history": [*older, answer(("f", None, {"n": 1}), ("g", "c2", {"n": 2}))]
    }
    natives = [
        chunk(call("f"), call("g", "c2")),
        {**chunk({"text": "Do"}, response_id="r2"), **history},
        {**chunk({"text": "ne"}, response_id="r2"), **history},
    ]
    finished = emitted(ADAPTER, natives, "tool_finished")
    assert [(e["tool_call_id"], e["output"]) for e in finished] == [("r1:0", {"n": 1}), ("c2", {"n": 2})]
    assert shown(ADAPTER, natives)[-1]["text"] == "Done"


def test_a_part_alone_and_the_applications_reports_are_results() -> None:
    part = answer(("f", "c1", {"n": 1}))["parts"][0]
    assert adapters.detect(part) == adapters.detect(as_live(part)) == ADAPTER
    natives = [chunk(call("f", "c1"), call("g", "c2")), part, {"call_id": "c2", "error": "gone"}]
    assert [(one["status"], one["output"]) for one in shown(ADAPTER, natives)] == [
        ("ok", {"n": 1}),
        ("error", "gone"),
    ]


def test_arguments_that_come_in_pieces_are_one_call() -> None:
    def piece(path: str, **value: Any) -> dict[str, Any]:
        return {"partial_args": [{"json_path": path, **value}], "will_continue": True}

    pieces = [
        {"id": "c1", "name": "book", "will_continue": True},
        piece("$.city", string_value="Par", will_continue=True),
        piece("$.city", string_value="is"),
        piece("$.seats[0].row", number_value=3.0),
        piece("$.seats[0]['window']", bool_value=True),
        piece("$.note", null_value="NULL_VALUE"),
        piece("$.seats[9000000].row", number_value=1.0),
        {"will_continue": False},
    ]
    natives = [chunk({"function_call": one}) for one in pieces]
    (part,) = shown(ADAPTER, natives)
    args = {"city": "Paris", "seats": [{"row": 3, "window": True}], "note": None}
    assert (part["name"], part["id"], part["args"]) == ("book", "c1", args)
    assert shown(ADAPTER, natives[:3])[0]["args"] == {"city": "Paris"}


def test_the_tools_of_the_provider_show_their_calls_and_results() -> None:
    natives = [
        chunk({"tool_call": {"id": "s1", "tool_type": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}}}),
        chunk({"tool_response": {"id": "s1", "tool_type": "GOOGLE_SEARCH_WEB", "response": {"n": 1}}}),
        chunk({"executable_code": {"code": "1 / 0"}}),
        chunk({"code_execution_result": {"outcome": "OUTCOME_FAILED", "output": "ZeroDivisionError"}}),
    ]
    search, code = shown(ADAPTER, natives)
    assert (search["name"], search["args"], search["output"]) == ("google_search_web", {"q": "x"}, {"n": 1})
    assert (code["args"], code["status"], code["output"]) == ({"code": "1 / 0"}, "error", "ZeroDivisionError")


def test_the_sources_of_a_text_in_parts_count_in_their_part() -> None:
    grounding = {
        "grounding_chunks": [{"web": {"uri": URL, "title": "A"}}],
        "grounding_supports": [
            {"segment": {"start_index": 6, "end_index": 9}, "grounding_chunk_indices": [0]},
        ],
    }
    natives = [
        chunk({"text": "Ändre"}),
        chunk({"executable_code": {"code": "1"}}),
        chunk({"text": "Two."}, grounding_metadata=grounding),
    ]
    (cited,) = emitted(ADAPTER, natives, "citation")
    assert (cited["part_id"], cited["url"], cited.get("start", 0), cited["end"]) == ("2", URL, 0, 3)


def test_repeated_works_and_fetched_pages_are_sources() -> None:
    fields = {
        "citation_metadata": {"citations": [{"start_index": 0, "end_index": 3, "uri": URL}]},
        "url_context_metadata": {"url_metadata": [{"retrieved_url": f"{URL}/2"}]},
    }
    found = emitted(ADAPTER, [chunk({"text": "One."}, **fields)], "citation")
    assert [one["url"] for one in found] == [URL, f"{URL}/2"]


@pytest.mark.parametrize(
    "reason", ["MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL", "IMAGE_PROHIBITED_CONTENT"]
)
def test_a_message_that_ends_early_is_the_runs_error(reason: str) -> None:
    end = end_of(chunk({"text": "Hel"}), {"candidates": [{"finish_reason": reason}], "response_id": "r1"})
    assert (end.outcome, end.code) == ("error", reason)


def test_a_blocked_prompt_is_the_runs_error() -> None:
    blocked = {"prompt_feedback": {"block_reason": "SAFETY"}, "usage_metadata": {"prompt_token_count": 4}}
    assert adapters.detect(blocked) == ADAPTER
    end = end_of(blocked)
    assert (end.outcome, end.error, end.code) == ("error", "The prompt is blocked: SAFETY.", "SAFETY")


def test_an_error_in_the_place_of_a_chunk_is_the_runs_error() -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    end = end_of(chunk({"text": "Hel"}), error)
    assert (end.outcome, end.error, end.code) == ("error", "Overloaded.", "UNAVAILABLE")


def test_usage_counts_thinking_and_cached_tokens() -> None:
    counts = {
        "prompt_token_count": 9,
        "candidates_token_count": 2,
        "thoughts_token_count": 3,
        "cached_content_token_count": 4,
    }
    native = {**chunk({"text": "Hi"}), "usage_metadata": counts, "model_version": "gemini"}
    (finished,) = emitted(ADAPTER, [native], "message_finished")
    expected = {"input_tokens": 9, "output_tokens": 5, "reasoning_tokens": 3, "cached_input_tokens": 4}
    assert finished["usage"] == {**expected, "model": "gemini"}


def test_only_the_first_candidate_is_shown() -> None:
    native = chunk({"text": "One"})
    native["candidates"].append({"index": 1, "content": {"role": "model", "parts": [{"text": "Two"}]}})
    assert [part["text"] for part in shown(ADAPTER, [native])] == ["One"]


def test_a_content_of_the_user_is_a_turn_and_unknown_parts_are_custom_events() -> None:
    natives = [
        {"role": "user", "parts": [{"text": "Weather?"}]},
        chunk({"brand_new": 1}, {"thought_signature": "c2ln"}, {"text": ""}),
    ]
    assert [(part["role"], part["text"]) for part in fold(run(ADAPTER, natives))["items"]] == [
        ("user", "Weather?")
    ]
    assert [e["value"] for e in emitted(ADAPTER, natives, "custom")] == [{"brand_new": 1}]


@pytest.mark.parametrize(
    "native",
    [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"candidates": ["a", "b"]},
        {"candidates": [{"content": "Hi"}]},
        {"content": {"parts": [{"text": "Hi"}]}, "usage_metadata": {"total_token_count": 1}},
        {"usage_metadata": {"input_tokens": 1, "output_tokens": 1}},
    ],
)
def test_natives_that_only_resemble_a_response_are_not_detected(native: Any) -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(native)

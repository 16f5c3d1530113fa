"""Read the cases of AutoGen that its recordings do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import as_live, emitted, recording, run, shown
from vibe_notebook import adapters
from vibe_notebook.exceptions import AdapterError

ADAPTER = "autogen"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def message(kind: str, content: Any = None, source: str = "bot", **fields: Any) -> dict[str, Any]:
    head = {"id": "m", "type": kind, "source": source, "models_usage": None}
    return {**head, "content": content, **fields}


def test_a_summary_that_repeats_the_results_is_not_shown() -> None:
    asked = message("ToolCallRequestEvent", [{"id": "c1", "name": "f", "arguments": "{}"}])
    result = {"call_id": "c1", "name": "f", "content": "1", "is_error": False}
    answered = message("ToolCallExecutionEvent", [result])
    for words, count in (("1", 1), ("It is 1.", 2)):
        natives = [asked, answered, message("ToolCallSummaryMessage", words, tool_calls=[], results=[])]
        assert len(shown(ADAPTER, natives)) == count


def test_code_and_its_execution_are_a_call() -> None:
    block = {"code": "1 / 0", "language": "python"}
    natives = [
        message("CodeGenerationEvent", "```python\n1 / 0\n```", code_blocks=[block], retry_attempt=0),
        message("CodeExecutionEvent", retry_attempt=0, result={"exit_code": 1, "output": "Traceback"}),
    ]
    del natives[1]["content"]
    words, code = shown(ADAPTER, natives)
    assert words["text"].startswith("```python")
    assert (code["args"], code["status"], code["output"]) == (
        {"language": "python", "code": "1 / 0"},
        "error",
        "Traceback",
    )


def test_the_words_of_an_asked_user_answer_the_request() -> None:
    natives = [
        message("UserInputRequestedEvent", "", "human", request_id="q1"),
        message("TextMessage", "Go on.", "human"),
    ]
    assert [e["request_id"] for e in emitted(ADAPTER, natives, "input_requested")] == ["q1"]
    assert emitted(ADAPTER, natives, "input_answered") == [
        {"request_id": "q1", "action": "accept", "value": "Go on."}
    ]
    assert [(part["text"], part["role"]) for part in shown(ADAPTER, natives)] == [("Go on.", "user")]


def test_a_thought_that_was_not_streamed_is_thinking() -> None:
    assert [part["kind"] for part in shown(ADAPTER, [message("ThoughtEvent", "Hm.")])] == ["thinking"]


def test_handoffs_and_speakers_are_lines_with_their_words() -> None:
    natives = [message("HandoffMessage", "To B.", target="b"), message("SelectSpeakerEvent", ["b", "c"])]
    lines = [(e["name"], e["value"], e["shown"]) for e in emitted(ADAPTER, natives, "custom")]
    assert lines == [("HandoffMessage", "To B.", True), ("SelectSpeakerEvent", "b, c", True)]


def test_images_of_a_message_are_shown() -> None:
    natives = [message("MultiModalMessage", ["Look:", {"data": PNG}])]
    words, image = shown(ADAPTER, natives)
    assert (words["text"], image["media_type"], image["data"]) == ("Look:", "image/png", PNG)


def test_a_response_of_an_agent_is_its_message() -> None:
    natives = [{"chat_message": message("TextMessage", "Hi"), "inner_messages": None}]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ["Hi"]


def test_a_structured_message_is_shown_as_json() -> None:
    natives = [message("StructuredMessage[Answer]", {"n": 1})]
    assert [part["text"] for part in shown(ADAPTER, natives)] == ['{"n": 1}']


def test_the_result_of_a_task_repeats_nothing() -> None:
    assert run(ADAPTER, recording(ADAPTER).natives[-1:])[-1].outcome == "success"  # type: ignore[union-attr]
    assert shown(ADAPTER, recording(ADAPTER).natives[-1:]) == []


@pytest.mark.parametrize(
    "native",
    [
        {"type": "TextMessage", "source": "a", "content": "Hi"},
        {"messages": [1], "stop_reason": None},
        {"chat_message": None, "inner_messages": []},
    ],
)
def test_natives_that_only_resemble_a_message_are_not_detected(native: Any) -> None:
    for one in (native, as_live(native)):
        with pytest.raises(AdapterError, match="no adapter knows it"):
            adapters.detect(one)

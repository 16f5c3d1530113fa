"""Read what the user and the system said, in each SDK that tells it."""

from __future__ import annotations

import types
from typing import Any

import pytest

from tests.adapters.support import RECORDINGS, recording, run, shown
from tests.adapters.test_langgraph import ai, message_chunk
from vibe_notebook import adapters
from vibe_notebook.registry import Registry


def said(name: str, *natives: Any) -> list[tuple[str, str]]:
    """Return the role and the words of each text, in order."""
    parts = shown(name, natives)
    return [(item.get("role", "assistant"), item["text"]) for item in parts if item["kind"] == "text"]


HUMAN = {"type": "human", "id": "h1", "content": "Weather?", "additional_kwargs": {}}
OLD = [{"type": "system", "content": "Be brief."}, {**HUMAN, "id": "h0"}, ai("Rain.", "run-0")]


def test_langgraph_shows_the_newest_request_of_a_state_and_no_history() -> None:
    states = [{"messages": [*OLD, HUMAN]}, {"messages": [*OLD, HUMAN, ai("Sun.")]}]
    expected = [("user", "Weather?"), ("assistant", "Sun.")]
    assert said("langgraph", *(("values", state) for state in states)) == expected
    assert said("langgraph", states[-1]) == expected


def test_langgraph_shows_the_system_message_that_heads_a_request() -> None:
    state = {"messages": [*OLD[:1], HUMAN]}
    assert said("langgraph", ("values", state), ("values", state)) == [
        ("system", "Be brief."),
        ("user", "Weather?"),
    ]


@pytest.mark.parametrize(
    "native",
    [
        ("messages", (HUMAN, {"langgraph_node": "a"})),
        ("updates", {"a": {"messages": [HUMAN]}}),
        ("updates", {"a": {"messages": [("user", "Weather?")]}}),
        ("values", {"messages": [HUMAN]}),
        ("tasks", {"id": "t", "name": "a", "input": {"messages": [HUMAN]}}),
        {
            "event": "on_chain_start",
            "run_id": "r",
            "parent_ids": [],
            "data": {"input": {"messages": [HUMAN]}},
        },
    ],
)
def test_langgraph_shows_the_users_words_once_in_each_mode(native: Any) -> None:
    assert said("langgraph", native, native, ("values", {"messages": [HUMAN]})) == [("user", "Weather?")]


def test_langgraph_shows_no_request_behind_its_answer() -> None:
    answer: Any = ("messages", (message_chunk("Sun."), {}))
    late = ("updates", {"a": {"messages": [HUMAN, ai("Sun.")]}})
    assert said("langgraph", answer, late) == [("assistant", "Sun.")]


def test_langgraph_shows_no_request_behind_its_call() -> None:
    call = {"name": "f", "args": {}, "id": "c1", "type": "tool_call"}
    shown_call = ("updates", {"a": {"messages": [ai("", "run-1", call)]}})
    late = ("tasks", {"id": "t", "name": "a", "input": {"messages": [HUMAN, ai("", "other", call)]}})
    assert said("langgraph", shown_call, late) == []


def test_a_turn_holds_the_words_and_the_image_and_none_of_them_is_the_transcripts_text() -> None:
    image = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    human = {**HUMAN, "content": [{"type": "text", "text": "What is it?"}, image]}
    with Registry(hold=0) as registry:
        registry.dispatch(
            run(
                "langgraph",
                [("values", {"messages": [human]}), ("updates", {"a": {"messages": [ai("Sun.")]}})],
            )
        )
        transcript = registry.transcript("a")
    assert [(part.kind, part.role) for part in transcript.parts] == [
        ("text", "user"),
        ("artifact", "user"),
        ("text", "assistant"),
    ]
    assert transcript.text == "Sun."
    assert len(transcript.turns) == 1


def test_langgraphs_protocol_shows_a_message_of_the_user_that_comes_in_blocks() -> None:
    def native(**data: Any) -> dict[str, Any]:
        return {"type": "event", "method": "messages", "params": {"namespace": [], "data": data}}

    natives = [
        native(event="message-start", id="h", role="human"),
        native(event="content-block-start", index=0, content={"type": "text", "text": ""}),
        native(event="content-block-delta", index=0, delta={"type": "text-delta", "text": "Weather?"}),
        native(event="content-block-finish", index=0, content={"type": "text", "text": "Weather?"}),
        native(event="message-finish"),
        native(event="message-start", id="m", role="ai"),
        native(event="content-block-delta", index=0, delta={"type": "text-delta", "text": "Sun."}),
    ]
    assert said("langgraph", *natives) == [("user", "Weather?"), ("assistant", "Sun.")]


def claude(content: Any, **fields: Any) -> dict[str, Any]:
    return {"content": content, "uuid": "u1", "parent_tool_use_id": None, "tool_use_result": None, **fields}


RESULT = {"tool_use_id": "c1", "content": "18", "is_error": None}


def test_claude_shows_the_users_words_but_no_results_as_a_turn() -> None:
    assert said("claude_agent_sdk", claude("Weather?")) == [("user", "Weather?")]
    assert said("claude_agent_sdk", claude([{"text": "Weather?"}])) == [("user", "Weather?")]
    assert said("claude_agent_sdk", claude([RESULT, {"text": "Go on."}])) == []
    line = {"type": "user", "session_id": "s", "message": {"role": "user", "content": "Weather?"}}
    assert said("claude_agent_sdk", line) == [("user", "Weather?")]
    assert said("claude_agent_sdk", {**line, "isSynthetic": True}) == []


def acp(kind: str, words: str) -> dict[str, Any]:
    return {"sessionUpdate": kind, "content": {"type": "text", "text": words}}


def test_acp_joins_the_chunks_of_the_users_message() -> None:
    chunks = [
        acp("user_message_chunk", "Wea"),
        acp("user_message_chunk", "ther?"),
        acp("agent_message_chunk", "Sun."),
    ]
    assert said("acp", *chunks) == [("user", "Weather?"), ("assistant", "Sun.")]
    assert said("acp", *chunks[:2]) == [("user", "Weather?")]
    image = {
        "sessionUpdate": "user_message_chunk",
        "content": {"type": "image", "data": "AAAA", "mimeType": "image/png"},
    }
    assert [part["kind"] for part in shown("acp", [chunks[0], image])] == ["text", "artifact"]


def adk(author: str, *parts: Any) -> dict[str, Any]:
    return {
        "id": author,
        "invocation_id": "i",
        "author": author,
        "content": {"role": author, "parts": list(parts)},
    }


def test_adk_shows_the_users_events() -> None:
    response = {"function_response": {"id": "c1", "name": "f", "response": {"ok": 1}}}
    assert said("google_adk", adk("user", {"text": "Weather?"}), adk("bot", {"text": "Sun."})) == [
        ("user", "Weather?"),
        ("assistant", "Sun."),
    ]
    assert said("google_adk", adk("user", response, {"text": "Go on."})) == []


def test_strands_shows_the_users_messages_but_no_results_as_a_turn() -> None:
    asked = {"message": {"role": "user", "content": [{"text": "Weather?"}]}}
    result = {"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "18"}]}}
    assert said("strands", asked) == [("user", "Weather?")]
    assert said("strands", {"message": {"role": "user", "content": [result, {"text": "x"}]}}) == []


def test_llama_index_shows_the_newest_words_of_the_first_input() -> None:
    def message(role: str, words: str) -> dict[str, Any]:
        return {"role": role, "blocks": [{"block_type": "text", "text": words}]}

    old = [message("user", "Hi"), message("assistant", "Hello"), message("user", "Weather?")]
    first = {"current_agent_name": "a", "input": old}
    second = {"current_agent_name": "a", "input": [*old, message("user", "Observation: 18")]}
    assert said("llama_index", first, second) == [("user", "Weather?")]


def test_agui_shows_the_users_messages_and_the_newest_one_of_the_runs_input() -> None:
    def spoken(role: str) -> list[dict[str, Any]]:
        return [
            {"type": "TEXT_MESSAGE_START", "messageId": role, "role": role},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": role, "delta": f"{role}."},
            {"type": "TEXT_MESSAGE_END", "messageId": role},
        ]

    assert said("agui", *spoken("user"), *spoken("developer"), *spoken("assistant")) == [
        ("user", "user."),
        ("system", "developer."),
        ("assistant", "assistant."),
    ]
    messages: list[Any] = [
        {"id": f"m{i}", "role": role, "content": role} for i, role in enumerate(("user", "assistant"))
    ]
    messages.append({"id": "user", "role": "user", "content": [{"type": "text", "text": "Now?"}]})
    started = {"type": "RUN_STARTED", "input": {"threadId": "t", "messages": messages}}
    assert said("agui", started, *spoken("user")) == [("user", "Now?")]
    assert next(getattr(event, "input", None) for event in run("agui", [started])) == "Now?"
    snapshot = {"type": "MESSAGES_SNAPSHOT", "messages": messages}
    assert said("agui", snapshot, *spoken("assistant")) == [("user", "Now?"), ("assistant", "assistant.")]
    only = {
        "type": "MESSAGES_SNAPSHOT",
        "messages": [messages[-1], {"id": "a", "role": "assistant", "content": "Yes"}],
    }
    assert said("agui", only) == [("user", "Now?"), ("assistant", "Yes")]


def test_vibex_shows_the_users_messages() -> None:
    whole = {
        "event": "message_complete",
        "data": {"message": {"id": "m", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}},
    }
    start = {"event": "message_start", "data": {"message_id": "m", "role": "user"}}
    assert said("vibex", start, whole) == said("vibex", whole) == [("user", "Hi")]


def test_smolagents_shows_the_task() -> None:
    assert said("smolagents", {"task": "Weather?", "task_images": None}) == [("user", "Weather?")]


def test_agno_shows_the_input_that_the_run_tells() -> None:
    started = {
        "event": "RunStarted",
        "run_id": "x",
        "agent_id": "a",
        "run_input": {"input_content": "Weather?"},
    }
    assert said("agno", started) == [("user", "Weather?")]


def test_openai_responses_shows_the_input_that_a_response_repeats() -> None:
    def created(*given: Any) -> dict[str, Any]:
        return {"type": "response.created", "response": {"id": "r1", "input": list(given)}}

    asked = {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]}
    assert said("openai_responses", created(asked)) == [("user", "Weather?")]
    assert said("openai_responses", created(asked, {"type": "function_call_output", "call_id": "c"})) == []


def test_pydantic_ai_shows_what_the_user_enqueues_between_two_answers() -> None:
    answers = [
        {"event_kind": "part_start", "index": 0, "part": {"part_kind": "text", "content": one}}
        for one in ("A", "B")
    ]
    image = {"kind": "binary", "data": "iVBORw0KGgo=", "media_type": "image/png"}
    parts = [
        {"part_kind": "system-prompt", "content": "Be brief."},
        {"part_kind": "user-prompt", "content": ["Now?", image]},
        {"part_kind": "tool-return", "content": "18"},
    ]
    enqueued = {"event_kind": "enqueued_messages", "messages": [{"kind": "request", "parts": parts}]}
    assert said("pydantic_ai", answers[0], enqueued, answers[1]) == [
        ("assistant", "A"),
        ("system", "Be brief."),
        ("user", "Now?"),
        ("assistant", "B"),
    ]
    assert [part["kind"] for part in shown("pydantic_ai", [enqueued])] == ["text", "text", "artifact"]


@pytest.mark.parametrize(
    "given",
    [
        "Weather?",
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Weather?"},
        ],
        [{"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]}],
    ],
)
def test_openais_agents_sdk_shows_the_input_that_its_result_holds(given: Any) -> None:
    adapter = adapters.get("openai_agents", agent_id="a", run_id="r")
    with Registry(hold=0) as registry:
        for native in recording("openai_agents").natives:
            registry.dispatch(adapter.feed(native))
        registry.dispatch(adapter.exhausted(types.SimpleNamespace(input=given, interruptions=[])))
        registry.dispatch(adapter.finish())
        transcript = registry.transcript("a")
    assert [(turn.input, turn.run_ids) for turn in transcript.turns] == [("Weather?", ("r",))]
    assert transcript.outcome == "success"


@pytest.mark.parametrize(
    "name", ["openai_chat", "openai_responses", "anthropic", "pydantic_ai", "vercel_ai_ui"]
)
def test_a_message_of_the_user_that_a_loop_yields_is_a_turn(name: str) -> None:
    assert said(name, {"role": "user", "content": "Hi"}) == [("user", "Hi")]
    assert said(name, {"role": "developer", "content": [{"type": "text", "text": "Hi"}]}) == [
        ("system", "Hi")
    ]


TURN = {"role": "user", "content": "My question."}


@pytest.mark.parametrize("turns", [[TURN], [{"role": "system", "content": "Be brief."}, TURN]])
def test_what_the_user_said_before_a_stream_does_not_choose_its_adapter(turns: list[Any]) -> None:
    for name in RECORDINGS:
        each = recording(name)
        assert adapters.choose("auto", *turns, *list(each.natives)[:6]) == each.adapter, name
    assert adapters.choose("auto", *turns) == "messages"
    assert adapters.choose("auto", *turns, {"role": "assistant", "content": "Yes."}) == "messages"
    assert adapters.choose("auto", *turns, "a piece") == "text"


@pytest.mark.parametrize("so_far", [None, False])
def test_a_turn_between_pieces_of_text_ends_the_text(*, so_far: bool | None) -> None:
    reader = adapters.get("text", so_far=so_far)
    with Registry() as registry:
        for native in ["a ", "b ", TURN, "c ", {**TURN, "content": "More?"}, "d"]:
            for event in reader.feed(native):
                registry.dispatch(event)
        for event in reader.finish():
            registry.dispatch(event)
        parts = registry.transcript(reader.agent_id).parts
    words = [(part.role, part.text) for part in parts if part.kind == "text"]
    assert words == [
        ("assistant", "a b "),
        ("user", "My question."),
        ("assistant", "c "),
        ("user", "More?"),
        ("assistant", "d"),
    ]

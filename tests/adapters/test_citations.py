"""Read the sources of texts, in the shape of each SDK."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.support import emitted, run
from tests.adapters.test_langgraph import ai, message_chunk
from vibe_notebook.registry import Registry

URL = "https://a.example/x"


def cited(name: str, *natives: Any) -> list[Any]:
    """Return the citations of all texts in the transcript: address, title, source, quote, and the marked text."""
    with Registry(hold=0) as registry:
        registry.dispatch(run(name, natives))
        parts = registry.transcript("a").parts
    return [
        (
            one.url,
            one.title,
            one.source,
            one.quote,
            None if one.end is None else part.text[one.start : one.end],
        )
        for part in parts
        if part.kind == "text"
        for one in part.citations
    ]


# OpenAI.

WORDS = "Caf\u00e9 \U0001f600 opens [x]."
WEB = {"type": "url_citation", "url": URL, "title": "A", "start_index": 13, "end_index": 16}
FILE = {"type": "file_citation", "file_id": "f1", "filename": "a.pdf", "index": 6}
PART = {"item_id": "i", "output_index": 0, "content_index": 0}


def response(kind: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": number, **fields}


RESPONSE = [
    response("created", 0, response={"id": "r1"}),
    response("output_text.delta", 1, delta=WORDS, **PART),
    response("output_text.annotation.added", 2, annotation_index=0, annotation=WEB, **PART),
    response("output_text.annotation.added", 3, annotation_index=1, annotation=FILE, **PART),
    response(
        "output_item.done",
        4,
        output_index=0,
        item={
            "id": "i",
            "type": "message",
            "content": [{"type": "output_text", "text": WORDS, "annotations": [WEB, FILE]}],
        },
    ),
]
EXPECTED = [(URL, "A", None, None, "[x]"), (None, None, "a.pdf", None, "")]


def test_openais_annotations_are_citations_once_although_the_final_content_repeats_them() -> None:
    assert cited("openai_responses", *RESPONSE) == EXPECTED
    assert cited("openai_responses", RESPONSE[0], RESPONSE[4]) == EXPECTED
    assert [one["citation_id"] for one in emitted("openai_responses", RESPONSE, "citation")] == [
        "i:0:0",
        "i:0:1",
    ]


def test_openais_agents_sdk_has_the_same_citations() -> None:
    natives = [{"type": "raw_response_event", "data": one} for one in RESPONSE]
    assert cited("openai_agents", *natives) == EXPECTED


def chunk(**delta: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "id": "m", "choices": [{"index": 0, "delta": delta}]}


def test_annotations_of_chat_completions_are_citations() -> None:
    nested = {
        "type": "url_citation",
        "url_citation": {name: WEB[name] for name in ("url", "title", "start_index", "end_index")},
    }
    whole = {
        "object": "chat.completion",
        "id": "m",
        "choices": [{"index": 0, "message": {"content": WORDS, "annotations": [nested]}}],
    }
    assert cited("openai_chat", chunk(content=WORDS), chunk(annotations=[nested])) == EXPECTED[:1]
    assert cited("openai_chat", whole) == EXPECTED[:1]


def test_the_sources_that_a_server_repeats_in_each_chunk_are_listed_once() -> None:
    natives = [{**chunk(content="Hi"), "citations": [URL, "https://b.example"]}] * 2
    assert [one[0] for one in cited("openai_chat", *natives)] == [URL, "https://b.example"]


# Anthropic.

FOUND = {
    "type": "web_search_result_location",
    "url": URL,
    "title": "A",
    "cited_text": "It opens.",
    "encrypted_index": "e",
}
PAGE = {"type": "page_location", "document_title": "Guide", "document_index": 0, "cited_text": "See."}


def block(*natives: Any) -> list[Any]:
    return [
        {"type": "message_start", "message": {"id": "m", "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": one} for one in natives),
    ]


def test_anthropics_citations_cover_their_block() -> None:
    cites = [{"type": "citations_delta", "citation": one} for one in (FOUND, PAGE)]
    natives = block(*cites, {"type": "text_delta", "text": "Open."})
    expected = [(URL, "A", None, "It opens."), (None, "Guide", "Guide", "See.")]
    assert cited("anthropic", *natives) == [(*one, None) for one in expected]
    stop = {"type": "content_block_stop", "index": 0}
    repeated = {**stop, "content_block": {"type": "text", "text": "Open.", "citations": [FOUND, PAGE]}}
    for end in (stop, repeated):
        assert cited("anthropic", *natives, end) == [(*one, "Open.") for one in expected]
    usage = {"input_tokens": 1, "output_tokens": 1}
    whole = {
        "type": "message",
        "role": "assistant",
        "id": "m",
        "usage": usage,
        "content": [repeated["content_block"]],
    }
    assert cited("anthropic", whole) == [(*one, "Open.") for one in expected]


def test_what_a_search_found_and_no_text_cites_is_no_source() -> None:
    result = {"type": "web_search_result", "url": URL, "title": "A", "encrypted_content": "e"}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [result]}
    natives = [*block(), {"type": "content_block_start", "index": 1, "content_block": found}]
    assert emitted("anthropic", natives, "citation") == []


# The other SDKs.


@pytest.mark.parametrize(
    "source",
    [
        {"type": "source-url", "sourceId": "s", "url": URL, "title": "A"},
        {"type": "source", "sourceType": "url", "id": "s", "url": URL, "title": "A"},
    ],
)
def test_vercels_sources_belong_to_the_text_of_their_step(source: dict[str, Any]) -> None:
    words = [{"type": "text-start", "id": "t"}, {"type": "text-delta", "id": "t", "delta": "Open."}]
    for natives in ([source, *words], [*words, source, source]):
        assert cited("vercel_ai_ui", {"type": "start-step"}, *natives) == [(URL, "A", None, None, None)]
    document = {
        "type": "source-document",
        "sourceId": "d",
        "mediaType": "application/pdf",
        "title": "B",
        "filename": "b.pdf",
    }
    assert cited("vercel_ai_ui", document) == [(None, "B", "b.pdf", None, None)]


def test_annotations_of_langchains_blocks_are_citations_of_the_joined_text() -> None:
    standard = {
        "type": "citation",
        "url": URL,
        "title": "A",
        "start_index": 0,
        "end_index": 4,
        "cited_text": "It.",
    }
    blocks = [
        {"type": "text", "text": "Well. "},
        {"type": "text", "text": "Open now.", "annotations": [standard]},
    ]
    expected = [(URL, "A", None, "It.", "Open")]
    update = ("updates", {"a": {"messages": [ai(blocks)]}})
    assert cited("langgraph", update) == expected
    piece = message_chunk([{"type": "text", "text": "Open now.", "index": 0, "annotations": [standard]}])
    assert cited("langgraph", ("messages", (piece, {}))) == expected


def test_anthropics_citations_in_langchains_chunks_get_their_place_from_the_whole() -> None:
    def piece(**fields: Any) -> Any:
        return ("messages", (message_chunk([{"type": "text", "index": 0, **fields}]), {}))

    whole = ai([{"type": "text", "text": "Open.", "index": 0, "citations": [FOUND]}])
    natives = [piece(text="", citations=[FOUND]), piece(text="Open.")]
    assert cited("langgraph", *natives) == [(URL, "A", None, "It opens.", None)]
    assert cited("langgraph", *natives, ("updates", {"a": {"messages": [whole]}})) == [
        (URL, "A", None, "It opens.", "Open.")
    ]


@pytest.mark.parametrize("is_camel", [False, True])
def test_geminis_grounding_counts_bytes(*, is_camel: bool) -> None:
    at = len("Café 😀 ".encode())
    segment = {"start_index": at, "end_index": at + 5, "text": "opens"}
    grounding: dict[str, Any] = {
        "grounding_chunks": [{"web": {"uri": URL, "title": "A"}}, {"web": {"uri": "https://b.example"}}],
        "grounding_supports": [{"segment": segment, "grounding_chunk_indices": [0]}],
    }
    event = {"id": "e", "invocation_id": "i", "author": "bot", "content": {"parts": [{"text": WORDS}]}}
    event["grounding_metadata"] = grounding
    if is_camel:
        segment |= {"startIndex": segment.pop("start_index"), "endIndex": segment.pop("end_index")}
        support = {"segment": segment, "groundingChunkIndices": [0]}
        event["groundingMetadata"] = {
            "groundingChunks": grounding["grounding_chunks"],
            "groundingSupports": [support],
        }
        del event["grounding_metadata"]
    assert cited("google_adk", event) == [
        (URL, "A", None, None, "opens"),
        ("https://b.example", None, None, None, None),
    ]


def test_pydantic_ais_citations_name_each_source() -> None:
    sources = [
        {"kind": "web", "url": URL, "title": "A", "excerpts": ["It."]},
        {"kind": "document", "document_id": "d"},
    ]
    part = {
        "part_kind": "text",
        "content": "Open now.",
        "citations": [{"sources": sources, "anchor": {"start": 0, "end": 4}}],
    }
    start = {"event_kind": "part_start", "index": 0, "part": {"part_kind": "text", "content": "Open now."}}
    end = {"event_kind": "part_end", "index": 0, "part": part}
    assert cited("pydantic_ai", start, end) == [
        (URL, "A", None, "It.", "Open"),
        (None, None, "d", None, "Open"),
    ]


def test_a_source_without_any_name_is_no_citation() -> None:
    empty = {"type": "url_citation", "start_index": 0, "end_index": 1}
    assert (
        emitted("openai_chat", [chunk(content="Hi"), chunk(annotations=[empty, None, 3])], "citation") == []
    )


def test_coheres_citations_beside_langchains_text_name_each_source() -> None:
    sources = [
        {"type": "document", "id": "d1", "document": {"url": URL, "title": "A", "snippet": "It."}},
        {"type": "tool", "id": "t1", "tool_output": {"content": "18"}},
    ]
    newer = {"start": 0, "end": 4, "text": "Open", "sources": sources}
    older = {"start": 5, "end": 8, "text": "now", "document_ids": ["d2"]}
    message = {**ai("Open now."), "additional_kwargs": {"citations": [newer, older]}}
    assert cited("langgraph", ("updates", {"a": {"messages": [message]}})) == [
        (URL, "A", "d1", "It.", "Open"),
        (None, None, "t1", "18", "Open"),
        (None, None, "d2", None, "now"),
    ]


def test_the_sources_that_a_searching_model_stores_beside_langchains_text_are_listed() -> None:
    found = {"citations": [URL], "search_results": [{"url": URL, "title": "A"}]}
    for fields, title in ((found, "A"), ({"citations": [URL]}, None)):
        message = {**ai("Open."), "additional_kwargs": fields}
        natives = [("updates", {"a": {"messages": [message]}})] * 2
        assert cited("langgraph", *natives) == [(URL, title, None, None, None)]


def test_geminis_grounding_in_langchains_metadata_is_read() -> None:
    grounding = {
        "grounding_chunks": [{"web": {"uri": URL, "title": "A"}}],
        "grounding_supports": [{"segment": {"end_index": 4}, "grounding_chunk_indices": [0]}],
    }
    metadata = {"response_metadata": {"grounding_metadata": grounding}}
    message = {**ai("Öpe now."), **metadata}
    whole = ("updates", {"a": {"messages": [message]}})
    assert cited("langgraph", whole) == [(URL, "A", None, None, "Öpe")]
    pieces = [message_chunk("Öpe"), {**message_chunk(" now."), **metadata}]
    natives: list[Any] = [("messages", (piece, {})) for piece in pieces]
    assert cited("langgraph", *natives, whole) == [(URL, "A", None, None, "Öpe")]


BEDROCK = {"title": "A", "location": {"web": {"url": URL}}, "sourceContent": [{"text": "It."}]}


def test_bedrocks_citations_cover_their_block() -> None:
    block = {"citationsContent": {"content": [{"text": "Open."}], "citations": [BEDROCK]}}
    whole = {"message": {"role": "assistant", "content": [block]}}
    delta = [
        {"event": {"contentBlockDelta": {"contentBlockIndex": 0, "delta": one}}}
        for one in ({"citation": BEDROCK}, {"text": "Open."})
    ]
    expected = (URL, "A", None, "It.")
    assert cited("strands", whole) == cited("strands", *delta, whole) == [(*expected, "Open.")]
    assert cited("strands", *delta) == [(*expected, None)]


def test_agnos_citations_name_pages_and_documents() -> None:
    citations = {
        "urls": [{"url": URL, "title": "A"}],
        "documents": [{"document_title": "B", "file_name": "b.pdf", "cited_text": "It."}],
    }
    event = {"event": "RunContent", "run_id": "r", "agent_id": "a", "content": "Open."}
    natives = [event, {**event, "content": None, "citations": citations}]
    assert cited("agno", *natives) == [(URL, "A", None, None, None), (None, "B", "b.pdf", "It.", None)]


def test_a_citation_block_of_llama_index_belongs_to_the_answer() -> None:
    block = {
        "block_type": "citation",
        "title": "A",
        "source": "a.pdf",
        "cited_content": {"block_type": "text", "text": "It."},
    }
    response = {"role": "assistant", "blocks": [{"block_type": "text", "text": "Open."}, block]}
    assert cited("llama_index", {"current_agent_name": "a", "response": response}) == [
        (None, "A", "a.pdf", "It.", None)
    ]


def test_geminis_recitations_have_their_place() -> None:
    event = {"id": "e", "invocation_id": "i", "author": "bot", "content": {"parts": [{"text": "Open now."}]}}
    citations = [{"start_index": 0, "end_index": 4, "uri": URL}]
    assert cited("google_adk", {**event, "citation_metadata": {"citations": citations}}) == [
        (URL, None, None, None, "Open")
    ]

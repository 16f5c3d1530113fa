"""Hold a sample of each thing that an SDK tells beside text and tools; docs/adapters.md has their table.

A cell of the table is a sample's words, and a mark: a recording of the SDK has it, or the sample is made of the SDK's
own classes; without a mark, the sample is constructed after the SDK's reference. ``python -m tests.adapters.cases``
writes the table.
"""

from __future__ import annotations

import base64
import json
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from openai.types.chat import ChatCompletion
from openai.types.responses import (
    ResponseCodeInterpreterToolCall,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
)
from openai.types.responses.response_code_interpreter_tool_call import OutputImage
from openai.types.responses.response_output_text import AnnotationURLCitation
from pydantic_ai import BinaryImage
from pydantic_ai.messages import (
    Citation,
    ContentCitationAnchor,
    EnqueuedMessagesEvent,
    FunctionToolResultEvent,
    ModelRequest,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
    WebCitationSource,
)

from tests.adapters.support import IDS, RECORDINGS, recording, run
from vibe_notebook import adapters
from vibe_notebook.events import Event

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
URL = "https://a.example/x"
MCP_IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}
TODOS = [{"content": "Look", "status": "completed"}, {"content": "Tell", "status": "in_progress"}]
PLAN_CALL = {"call_id": "c1", "name": "update_plan", "arguments": {"plan": TODOS}}
COLUMNS: dict[str, Callable[[Event], bool]] = {
    "the user's turn": lambda event: (
        (event.type == "message_started" and event.role == "user")
        or (event.type == "run_started" and event.input is not None)
    ),
    "plan": lambda event: event.type == "plan",
    "sources": lambda event: event.type == "citation",
    "lines": lambda event: event.type == "custom" and event.shown,
    "rich results": lambda event: event.type == "tool_finished" and event.display is not None,
}
"""The columns of the table, and the event that proves a cell."""


@dataclass(frozen=True)
class Sample:
    """Hold the words of a cell, and natives that give it."""

    words: str
    natives: tuple[Any, ...]
    is_sdks: bool = False
    """The natives are made of the SDK's own classes."""
    source: Any = None
    """The watched object, if only that tells it."""

    def events(self, name: str) -> list[Event]:
        """Return the events of the natives and of the watched object."""
        if self.source is None:
            return run(name, self.natives)
        adapter = adapters.get(name, **IDS)
        fed = [event for native in self.natives for event in adapter.feed(native)]
        return [*fed, *adapter.exhausted(self.source), *adapter.finish()]


def said(words: str, *natives: Any) -> Sample:
    """Return a sample constructed after the SDK's reference."""
    return Sample(words, natives)


def real(words: str, *natives: Any) -> Sample:
    """Return a sample made of the SDK's own classes."""
    return Sample(words, natives, is_sdks=True)


def recorded(words: str, name: str) -> Sample:
    """Return a sample that is a recording of the SDK."""
    return Sample(words, recording(name).natives)


# pydantic-ai

CITED = TextPart(
    "Open now.",
    citations=[Citation([WebCitationSource(url=URL)], anchor=ContentCitationAnchor(start=0, end=4))],
)
PYDANTIC_AI = {
    "the user's turn": real(
        "the prompt, at the end of a watched run; messages that are enqueued while it runs",
        EnqueuedMessagesEvent(enqueue_id="q", messages=(ModelRequest(parts=[UserPromptPart("Shorter.")]),)),
    ),
    "plan": said(
        "a todo tool",
        {
            "event_kind": "function_tool_call",
            "part": {"tool_name": "write_todos", "args": {"todos": TODOS}, "tool_call_id": "c1"},
        },
    ),
    "sources": real(
        "the `citations` of a text",
        PartStartEvent(index=0, part=TextPart("Open now.")),
        PartEndEvent(index=0, part=CITED),
    ),
    "lines": said(
        "`ctx.emit(…)`, except a tool's progress", {"event_kind": "custom", "name": "note", "data": {"a": 1}}
    ),
    "rich results": real(
        "`BinaryContent`, `BinaryImage`; Python objects; the `metadata` of a `ToolReturn`",
        FunctionToolResultEvent(
            ToolReturnPart(
                "plot",
                ["Rain", BinaryImage(base64.b64decode(PNG), media_type="image/png")],
                tool_call_id="c1",
            )
        ),
    ),
}

# OpenAI and Anthropic

MESSAGE = ResponseOutputMessage(
    id="m",
    role="assistant",
    status="completed",
    type="message",
    content=[
        ResponseOutputText(
            type="output_text",
            text="Open [x].",
            annotations=[
                AnnotationURLCitation(type="url_citation", url=URL, title="A", start_index=5, end_index=8)
            ],
        )
    ],
)
CODE = ResponseCodeInterpreterToolCall(
    id="ci",
    type="code_interpreter_call",
    status="completed",
    container_id="k",
    code="plot()",
    outputs=[OutputImage(type="image", url=f"data:image/png;base64,{PNG}")],
)


def done(item: Any) -> ResponseOutputItemDoneEvent:
    """Return the event of a finished item."""
    return ResponseOutputItemDoneEvent(
        item=item, output_index=0, sequence_number=1, type="response.output_item.done"
    )


ASKED = {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]}
OPENAI_RESPONSES = {
    "the user's turn": said(
        "if the response repeats its `input`",
        {"type": "response.created", "response": {"id": "r1", "input": [ASKED]}},
    ),
    "plan": said("a todo tool", PLAN_CALL),
    "sources": real("`url_citation`, `file_citation` and the other annotations", done(MESSAGE)),
    "rich results": real(
        "images and files in a `*_call_output`, of the code interpreter, of MCP", done(CODE)
    ),
}
OPENAI_CHAT = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": real(
        "`annotations`; `citations` and `search_results` of a server",
        ChatCompletion.model_validate(
            {
                "id": "m",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": "Open [x].",
                            "annotations": [
                                {
                                    "type": "url_citation",
                                    "url_citation": {
                                        "url": URL,
                                        "title": "A",
                                        "start_index": 5,
                                        "end_index": 8,
                                    },
                                }
                            ],
                        },
                    }
                ],
            }
        ),
    ),
    "rich results": said(
        "blocks of a `tool` message",
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
        },
    ),
}
TOOL_IMAGE = {
    "type": "run_item_stream_event",
    "name": "tool_output",
    "item": {
        "type": "tool_call_output_item",
        "output": {"type": "image", "image_url": f"data:image/png;base64,{PNG}"},
        "raw_item": {"type": "function_call_output", "call_id": "c1", "output": []},
    },
}
OPENAI_AGENTS = {
    "the user's turn": Sample(
        "the `input` of a watched result, at its end", (), source=types.SimpleNamespace(input="Weather?")
    ),
    "plan": said(
        "a todo tool",
        {
            "type": "run_item_stream_event",
            "name": "tool_called",
            "item": {
                "raw_item": {
                    "type": "function_call",
                    "call_id": "c1",
                    "name": "update_plan",
                    "arguments": json.dumps({"plan": TODOS}),
                }
            },
        },
    ),
    "sources": real(
        "as `openai_responses`", {"type": "raw_response_event", "data": done(MESSAGE).model_dump(mode="json")}
    ),
    "lines": recorded("a handoff", "openai_agents_handoff"),
    "rich results": said("`ToolOutputImage`, `ToolOutputFileContent`; Python objects", TOOL_IMAGE),
}
OPENAI_AGENTS_TRACES = {
    "the user's turn": recorded("the newest message that the first model gets", "openai_agents_traces"),
    "lines": recorded("a handoff", "openai_agents_traces_handoff"),
}
ANSWER: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "usage": {"input_tokens": 1, "output_tokens": 1},
    "content": [
        {
            "type": "text",
            "text": "Open.",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": URL,
                    "title": "A",
                    "cited_text": "It.",
                    "encrypted_index": "e",
                }
            ],
        }
    ],
}
TOOL_RESULT = {
    "type": "tool_result",
    "tool_use_id": "c1",
    "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
}
SESSION_IMAGE = {
    "type": "function_call_output",
    "id": "o",
    "call_id": "c1",
    "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}],
    "status": "completed",
}
SESSION_PLAN = {
    "type": "function_call",
    "id": "f",
    "call_id": "c1",
    "name": "update_plan",
    "arguments": {"plan": TODOS},
}


def session_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return the event of an item of a session of OpenAI's Agents API."""
    return {"type": "agent.session.turn.item.added", "turn_id": "t", "session_id": "s", "item": item}


OPENAI_SESSIONS = {
    "the user's turn": recorded("messages of the user", "openai_sessions"),
    "plan": said("a todo tool", session_item(SESSION_PLAN)),
    "lines": said(
        "messages between agents; an environment that fails",
        session_item(
            {
                "type": "agent_message",
                "id": "m",
                "sender_agent_id": "a",
                "recipient_agent_id": "b",
                "content": [{"type": "output_text", "text": "Look."}],
            }
        ),
    ),
    "rich results": said("images and files in a `function_call_output`", session_item(SESSION_IMAGE)),
}
BEDROCK_RESULT = {
    "toolUseId": "c1",
    "status": "success",
    "content": [{"image": {"format": "png", "source": {"bytes": PNG}}}],
}
BEDROCK = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": recorded("`citation`, `citationsContent`", "bedrock"),
    "rich results": said(
        "`image`, `document` and `video` blocks",
        {"role": "user", "content": [{"toolResult": BEDROCK_RESULT}]},
    ),
}
ANTHROPIC = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": said("`citations_delta`, and the `citations` of a text block", ANSWER),
    "rich results": said("`image`, `document` and MCP blocks in a result", TOOL_RESULT),
}


def claude(content: Any, **fields: Any) -> dict[str, Any]:
    """Return a message of Claude's Agent SDK, as the fields of its class."""
    return {"content": content, "parent_tool_use_id": None, **fields}


def claude_call(name: str, call_id: str, args: dict[str, Any]) -> dict[str, Any]:
    """Return the message with a call of a tool of Claude's."""
    return claude([{"id": call_id, "name": name, "input": args}], model="claude", message_id=call_id)


CLAUDE = {
    "the user's turn": said("user messages with text", claude("Weather?", uuid="u", tool_use_result=None)),
    "plan": said(
        "`TaskCreate` and `TaskUpdate`; `TodoWrite`", claude_call("TaskCreate", "c1", {"subject": "Look"})
    ),
    "sources": said(
        "as `anthropic`",
        claude(
            [{"text": "Open.", "citations": [{"url": URL, "title": "A"}]}], model="claude", message_id="m"
        ),
    ),
    "rich results": said(
        "as `anthropic`",
        claude(
            [{"tool_use_id": "c1", "content": TOOL_RESULT["content"], "is_error": None}],
            uuid="u",
            tool_use_result=None,
        ),
    ),
}

# Google, LangGraph


def adk(author: str, *parts: Any, **fields: Any) -> dict[str, Any]:
    """Return an event of the ADK."""
    content = {"role": author, "parts": list(parts)}
    return {"id": author, "invocation_id": "i", "author": author, "content": content, **fields}


GOOGLE_ADK = {
    "the user's turn": said("events of the author `user`", adk("user", {"text": "Weather?"})),
    "plan": said(
        "a todo tool",
        adk("bot", {"function_call": {"id": "c1", "name": "update_plan", "args": {"plan": TODOS}}}),
    ),
    "sources": said(
        "`grounding_metadata`, `citation_metadata`",
        adk(
            "bot",
            {"text": "Open."},
            grounding_metadata={
                "grounding_chunks": [{"web": {"uri": URL, "title": "A"}}],
                "grounding_supports": [
                    {"segment": {"end_index": 4}, "grounding_chunk_indices": [0]},
                ],
            },
        ),
    ),
    "rich results": said(
        "`inline_data` in a response's `parts`; MCP blocks; Python objects",
        adk(
            "bot",
            {
                "function_response": {
                    "id": "c1",
                    "name": "plot",
                    "response": {"result": "drawn"},
                    "parts": [{"inline_data": {"mime_type": "image/png", "data": PNG}}],
                }
            },
        ),
    ),
}


def genai(*parts: Any, **fields: Any) -> dict[str, Any]:
    """Return a chunk of google-genai."""
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **fields}]}


GOOGLE_GENAI = {
    "the user's turn": said(
        "a `Content` of the role `user`", {"role": "user", "parts": [{"text": "Weather?"}]}
    ),
    "plan": said(
        "a todo tool",
        genai({"function_call": {"id": "c1", "name": "update_plan", "args": {"plan": TODOS}}}),
    ),
    "sources": recorded("`grounding_metadata`, `citation_metadata`, `url_context_metadata`", "google_genai"),
    "rich results": said(
        "`inline_data` in a response's `parts`; MCP blocks",
        {
            "role": "user",
            "parts": [
                {
                    "function_response": {
                        "id": "c1",
                        "name": "plot",
                        "response": {"result": "drawn"},
                        "parts": [{"inline_data": {"mime_type": "image/png", "data": PNG}}],
                    }
                }
            ],
        },
    ),
}
GOOGLE_INTERACTIONS = {
    "the user's turn": said(
        "a `user_input` step",
        {
            "event_type": "step.start",
            "index": 0,
            "step": {"type": "user_input", "content": [{"type": "text", "text": "Weather?"}]},
        },
    ),
    "plan": said("a todo tool", PLAN_CALL),
    "sources": recorded("`text_annotation_delta`", "google_interactions"),
    "rich results": said(
        "`image` contents in a `function_result`; MCP blocks",
        {
            "type": "function_result",
            "call_id": "c1",
            "result": [{"type": "image", "mime_type": "image/png", "data": PNG}],
        },
    ),
}
MISTRAL = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": recorded("references", "mistral"),
    "rich results": OPENAI_CHAT["rich results"],
}
MISTRAL_CONVERSATIONS = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": recorded("`tool_reference`", "mistral_conversations"),
    "lines": recorded("a handoff", "mistral_conversations"),
    "rich results": said(
        "blocks of a `function.result`, also as JSON text",
        {"type": "function.result", "tool_call_id": "c1", "result": json.dumps([MCP_IMAGE])},
    ),
}
ANTHROPIC_MANAGED_AGENTS = {
    "the user's turn": recorded("`user.message`", "anthropic_managed_agents"),
    "plan": said(
        "a todo tool",
        {"type": "agent.tool_use", "id": "c1", "name": "update_plan", "input": {"plan": TODOS}},
    ),
    "lines": recorded(
        "messages between threads, interrupts, outcomes and their evaluation, workflow runs, compaction",
        "anthropic_managed_agents",
    ),
    "rich results": said(
        "`image`, `document` and MCP blocks in a result",
        {"type": "agent.tool_result", "id": "r", "tool_use_id": "c1", "content": TOOL_RESULT["content"]},
    ),
}
XAI = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": recorded("`citations` of a chunk and of its text", "xai"),
    "rich results": OPENAI_CHAT["rich results"],
}
COHERE = {
    "plan": said("a todo tool", PLAN_CALL),
    "sources": recorded("`citation-start`", "cohere"),
    "rich results": OPENAI_CHAT["rich results"],
}
OLLAMA = {
    "plan": said("a todo tool", PLAN_CALL),
    "rich results": said(
        "blocks of a `tool` message, also as JSON text",
        {
            "model": "m",
            "message": {"role": "assistant", "tool_calls": [{"function": {"name": "plot", "arguments": {}}}]},
            "done": True,
        },
        {"role": "tool", "tool_name": "plot", "content": json.dumps([MCP_IMAGE])},
    ),
}
STANDARD = {"type": "citation", "url": URL, "title": "A", "start_index": 0, "end_index": 4}
LANGGRAPH = {
    "the user's turn": real(
        "human and system messages, and the input of `tasks` and of a graph's start",
        ("values", {"messages": [HumanMessage("Weather?", id="h")]}),
    ),
    "plan": real(
        "`write_todos`",
        (
            "updates",
            {
                "a": {
                    "messages": [
                        AIMessage(
                            "",
                            id="m",
                            tool_calls=[{"name": "write_todos", "args": {"todos": TODOS}, "id": "c1"}],
                        )
                    ]
                }
            },
        ),
    ),
    "sources": real(
        "the `annotations` and `citations` of text blocks; those of Cohere, Gemini and Perplexity",
        (
            "updates",
            {
                "a": {
                    "messages": [
                        AIMessage([{"type": "text", "text": "Open.", "annotations": [STANDARD]}], id="m")
                    ]
                }
            },
        ),
    ),
    "lines": said("`custom`, `on_custom_event`", ("custom", {"note": "half"})),
    "rich results": real(
        "content blocks; the `artifact` of a `ToolMessage`; Python objects in events",
        (
            "updates",
            {
                "tools": {
                    "messages": [
                        ToolMessage(
                            [{"type": "image", "base64": PNG, "mime_type": "image/png"}],
                            tool_call_id="c1",
                            id="t",
                        )
                    ]
                }
            },
        ),
    ),
}

# The others


def strands(role: str, *blocks: Any) -> dict[str, Any]:
    """Return a whole message of Strands."""
    return {"message": {"role": role, "content": list(blocks)}}


CITED_BY_BEDROCK = {"title": "A", "location": {"web": {"url": URL}}, "sourceContent": [{"text": "It."}]}
STRANDS = {
    "the user's turn": said("user messages without results", strands("user", {"text": "Weather?"})),
    "plan": said(
        "a todo tool",
        strands("assistant", {"toolUse": {"toolUseId": "c1", "name": "todo", "input": {"todos": TODOS}}}),
    ),
    "sources": said(
        "`citation`, `citationsContent`",
        strands(
            "assistant",
            {"citationsContent": {"content": [{"text": "Open."}], "citations": [CITED_BY_BEDROCK]}},
        ),
    ),
    "rich results": said(
        "`image`, `document` and `video` blocks",
        strands(
            "user",
            {
                "toolResult": {
                    "toolUseId": "c1",
                    "status": "success",
                    "content": [{"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}}],
                }
            },
        ),
    ),
}


def agno(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event of agno."""
    return {"event": kind, "run_id": "x", "agent_id": "a", **fields}


AGNO = {
    "the user's turn": said(
        "the run's input, if its start has it",
        agno("RunStarted", run_input={"input_content": "Weather?"}),
    ),
    "plan": said(
        "a todo tool",
        agno(
            "ToolCallStarted",
            tool={"tool_call_id": "c1", "tool_name": "update_plan", "tool_args": {"plan": TODOS}},
        ),
    ),
    "sources": said(
        "`citations`", agno("RunContent", content="Open.", citations={"urls": [{"url": URL, "title": "A"}]})
    ),
    "lines": said("a `CustomEvent`", agno("CustomEvent", city="Lima")),
    "rich results": said(
        "`images`, `videos`, `audio` and `files` of a tool's end; MCP blocks",
        agno(
            "ToolCallCompleted",
            tool={"tool_call_id": "c1", "tool_name": "plot", "result": "drawn"},
            images=[{"id": "i", "content": PNG, "mime_type": "image/png"}],
        ),
    ),
}


class Figure:
    """Stand for a Python object of a local SDK that shows itself."""

    def _repr_png_(self) -> bytes:
        return base64.b64decode(PNG)

    def _repr_html_(self) -> str:
        return "<b>18</b>"


SMOLAGENTS = {
    "the user's turn": said("a `TaskStep`, with its images", {"task": "Weather?", "task_images": None}),
    "plan": said("a todo tool", {"name": "update_plan", "arguments": {"plan": TODOS}, "id": "c1"}),
    "rich results": said(
        "Python objects: a frame, a figure, an `AgentImage`",
        {"name": "plot", "arguments": {}, "id": "c1"},
        {"id": "c1", "output": Figure(), "is_final_answer": False, "observation": "", "tool_call": None},
    ),
}
LLAMA_INDEX = {
    "the user's turn": said(
        "the newest user message of the first `AgentInput`",
        {
            "current_agent_name": "a",
            "input": [{"role": "user", "blocks": [{"block_type": "text", "text": "Weather?"}]}],
        },
    ),
    "plan": said(
        "a todo tool", {"tool_id": "c1", "tool_name": "update_plan", "tool_kwargs": {"plan": TODOS}}
    ),
    "sources": said(
        "a `CitationBlock`",
        {
            "current_agent_name": "a",
            "response": {
                "role": "assistant",
                "blocks": [
                    {"block_type": "text", "text": "Open."},
                    {
                        "block_type": "citation",
                        "title": "A",
                        "source": "a.pdf",
                        "cited_content": {"block_type": "text", "text": "It."},
                    },
                ],
            },
        },
    ),
    "lines": said("the workflow's own events", {"qualified_name": "shop.Progress", "value": {"msg": "half"}}),
    "rich results": said(
        "the blocks of a `ToolOutput`, and its raw output, a Python object",
        {
            "tool_id": "c1",
            "tool_name": "plot",
            "tool_output": {
                "blocks": [{"block_type": "image", "image": PNG, "image_mimetype": "image/png"}],
                "raw_output": "drawn",
            },
        },
    ),
}


def acp(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an update of ACP."""
    return {"sessionUpdate": kind, **fields}


ACP = {
    "the user's turn": said(
        "`user_message_chunk`", acp("user_message_chunk", content={"type": "text", "text": "Weather?"})
    ),
    "plan": said("`plan` updates; a todo tool's `rawInput`", acp("plan", entries=TODOS)),
    "rich results": said(
        "`image`, `audio` and `resource` blocks in the content; MCP blocks in `rawOutput`",
        acp(
            "tool_call",
            toolCallId="c1",
            title="plot",
            status="completed",
            content=[{"type": "content", "content": MCP_IMAGE}],
        ),
    ),
}


def agui(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event of AG-UI."""
    return {"type": kind, **fields}


AGUI = {
    "the user's turn": said(
        "`TEXT_MESSAGE_*` of the user, the newest message of the run's input or of a snapshot",
        agui("TEXT_MESSAGE_START", messageId="u", role="user"),
        agui("TEXT_MESSAGE_CONTENT", messageId="u", delta="Weather?"),
        agui("TEXT_MESSAGE_END", messageId="u"),
    ),
    "plan": said(
        "a todo tool; steps in the state or in an activity",
        agui("STATE_SNAPSHOT", snapshot={"steps": TODOS}),
    ),
    "lines": said("`CUSTOM`, activities", agui("CUSTOM", name="note", value={"a": 1})),
    "rich results": said(
        "blocks of a result, also as JSON text",
        agui("TOOL_CALL_RESULT", messageId="t", toolCallId="c1", content=json.dumps([MCP_IMAGE])),
    ),
}
VERCEL = {
    "plan": said(
        "a todo tool",
        {
            "type": "tool-input-available",
            "toolCallId": "c1",
            "toolName": "todoWrite",
            "input": {"todos": TODOS},
        },
    ),
    "sources": said(
        "`source-url`, `source-document`",
        {"type": "source-url", "sourceId": "s", "url": URL, "title": "A"},
    ),
    "rich results": said(
        "`media`, `image-data` and `file-data` of an output; MCP blocks",
        {
            "type": "tool-output-available",
            "toolCallId": "c1",
            "output": {
                "type": "content",
                "value": [{"type": "media", "data": PNG, "mediaType": "image/png"}],
            },
        },
    ),
}
VIBEX = {
    "the user's turn": said(
        "messages of the user",
        {
            "event": "message_complete",
            "data": {"message": {"id": "m", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}},
        },
    ),
    "plan": said(
        "a todo tool",
        {
            "event": "tool_call_start",
            "data": {"tool_call_id": "c1", "tool_name": "update_plan", "args": {"plan": TODOS}},
        },
    ),
    "rich results": said(
        "blocks of a result",
        {
            "event": "tool_call_result",
            "data": {"tool_call_id": "c1", "tool_name": "plot", "result": MCP_IMAGE},
        },
    ),
}


def jido(kind: str, **data: Any) -> dict[str, Any]:
    """Return a signal of Jido."""
    return {"type": f"ai.{kind}", "data": data}


JIDO = {
    "the user's turn": said(
        "the request, as the run's input",
        {"type": "ai.request.started", "data": {"query": "Weather?"}},
        {
            "type": "ai.react.worker.event",
            "data": {
                "event": {"kind": "request_started", "run_id": "x", "seq": 1, "data": {"query": "Weather?"}}
            },
        },
    ),
    "plan": said(
        "a todo tool", jido("tool.started", call_id="c1", tool_name="update_plan", arguments={"plan": TODOS})
    ),
    "rich results": said(
        "blocks of a result",
        jido("tool.result", call_id="c1", tool_name="plot", result=["ok", MCP_IMAGE, []]),
    ),
}
CREWAI = {
    "the user's turn": recorded("a task's description; the inputs of a crew", "crewai"),
    "plan": said(
        "a todo tool",
        {
            "type": "tool_usage_started",
            "event_id": "e",
            "emission_sequence": 1,
            "source_fingerprint": None,
            "tool_name": "update_plan",
            "tool_args": {"plan": TODOS},
        },
    ),
    "lines": said(
        "another agent; the methods of a flow, failed tasks",
        {
            "type": "method_execution_started",
            "event_id": "e",
            "emission_sequence": 1,
            "source_fingerprint": None,
            "method_name": "begin",
        },
    ),
    "rich results": said(
        "Python objects; MCP blocks",
        {
            "type": "tool_usage_finished",
            "event_id": "e",
            "emission_sequence": 1,
            "source_fingerprint": None,
            "tool_name": "plot",
            "tool_args": {},
            "output": [MCP_IMAGE],
        },
    ),
}


def framework(*contents: Any) -> dict[str, Any]:
    """Return an update of Microsoft's Agent Framework."""
    return {"type": "agent_response_update", "role": "assistant", "contents": list(contents)}


AGENT_FRAMEWORK = {
    "the user's turn": recorded("the message of a workflow", "agent_framework_workflow"),
    "plan": said(
        "a todo tool",
        framework(
            {"type": "function_call", "call_id": "c1", "name": "update_plan", "arguments": {"plan": TODOS}}
        ),
    ),
    "sources": said(
        "the `annotations` of a text",
        framework({"type": "text", "text": "Open.", "annotations": [{"type": "citation", "url": URL}]}),
    ),
    "lines": recorded(
        "another agent; warnings and errors of a workflow, handoffs", "agent_framework_workflow"
    ),
    "rich results": said(
        "the `items` of a result; MCP blocks",
        framework(
            {
                "type": "function_result",
                "call_id": "c1",
                "result": "drawn",
                "items": [{"type": "data", "uri": f"data:image/png;base64,{PNG}", "media_type": "image/png"}],
            }
        ),
    ),
}


def autogen(kind: str, content: Any, **fields: Any) -> dict[str, Any]:
    """Return a message or an event of AutoGen."""
    return {"type": kind, "source": "bot", "models_usage": None, "content": content, **fields}


AUTOGEN = {
    "the user's turn": recorded("messages of the source `user`", "autogen"),
    "plan": said(
        "a todo tool",
        autogen(
            "ToolCallRequestEvent",
            [{"id": "c1", "name": "update_plan", "arguments": json.dumps({"plan": TODOS})}],
        ),
    ),
    "lines": recorded("another agent, a handoff, a selected speaker, the reason of the end", "autogen_team"),
    "rich results": said(
        "blocks of a result, as JSON text",
        autogen(
            "ToolCallExecutionEvent",
            [{"call_id": "c1", "name": "plot", "content": json.dumps([MCP_IMAGE]), "is_error": False}],
        ),
    ),
}


def kernel(role: str, *items: Any) -> dict[str, Any]:
    """Return a message of Semantic Kernel."""
    return {"content_type": "message", "role": role, "items": list(items)}


SEMANTIC_KERNEL = {
    "the user's turn": said(
        "messages of the user", kernel("user", {"content_type": "text", "text": "Weather?"})
    ),
    "plan": said(
        "a todo tool",
        kernel(
            "assistant",
            {
                "content_type": "function_call",
                "id": "c1",
                "function_name": "update_plan",
                "arguments": {"plan": TODOS},
            },
        ),
        kernel("tool", {"content_type": "function_result", "id": "c1", "result": "ok"}),
    ),
    "sources": said(
        "annotations",
        kernel(
            "assistant",
            {"content_type": "text", "text": "Open."},
            {"content_type": "streaming_annotation", "url": URL, "title": "A"},
        ),
    ),
    "lines": said(
        "another agent",
        *({**kernel("assistant", {"content_type": "text", "text": "Hi"}), "name": n} for n in "ab"),
    ),
    "rich results": said(
        "blocks of a result",
        kernel("tool", {"content_type": "function_result", "id": "c1", "result": [MCP_IMAGE]}),
    ),
}


def haystack(**fields: Any) -> dict[str, Any]:
    """Return a chunk of Haystack."""
    return {"content": "", "meta": {}, "component_info": None, **fields}


HAYSTACK = {
    "plan": said(
        "a todo tool",
        haystack(
            tool_calls=[
                {
                    "index": 0,
                    "id": "c1",
                    "tool_name": "update_plan",
                    "arguments": json.dumps({"plan": TODOS}),
                }
            ]
        ),
        haystack(tool_call_result={"result": "ok", "origin": {"id": "c1"}, "error": False}),
    ),
    "rich results": said(
        "blocks of a result, also as JSON text",
        haystack(tool_call_result={"result": json.dumps([MCP_IMAGE]), "origin": {"id": "c1"}}),
    ),
}
DSPY = {"lines": recorded("status messages", "dspy")}
INSTRUCTOR: dict[str, Sample] = {}
MCP = {
    "plan": said(
        "a todo tool",
        {"method": "tools/call", "id": 1, "params": {"name": "update_plan", "arguments": {"plan": TODOS}}},
    ),
    "lines": said(
        "the server's log", {"method": "notifications/message", "params": {"level": "info", "data": "Hi"}}
    ),
    "rich results": said(
        "`image`, `audio` and `resource` blocks",
        {"method": "tools/call", "id": 1, "params": {"name": "plot"}},
        {"id": 1, "result": {"content": [MCP_IMAGE]}},
    ),
}
A2A = {"the user's turn": recorded("messages of the user, the newest one of a task's history", "a2a")}


def browser(**output: Any) -> dict[str, Any]:
    """Return a step of browser-use."""
    return {"state": {"url": URL}, "model_output": {"next_goal": "", "action": [], **output}}


BROWSER_USE = {
    "plan": said("the plan of its steps", browser(plan_update=["Look", "Tell"], current_plan_item=1)),
}
OPENHANDS = {
    "the user's turn": said(
        "messages of the user",
        {
            "kind": "MessageEvent",
            "id": "e",
            "source": "user",
            "llm_message": {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        },
    ),
    "plan": said(
        "a todo tool",
        {
            "kind": "ActionEvent",
            "id": "e",
            "source": "agent",
            "thought": [],
            "tool_call_id": "c1",
            "tool_name": "task_tracker_plan",
            "tool_call": {"arguments": json.dumps({"plan": TODOS})},
        },
    ),
    "rich results": said(
        "blocks of an observation",
        {
            "kind": "ObservationEvent",
            "id": "e",
            "source": "environment",
            "tool_call_id": "c1",
            "tool_name": "plot",
            "observation": {"content": [MCP_IMAGE]},
        },
    ),
}
CHATLAS = {
    "plan": said(
        "a todo tool",
        {"content_type": "tool_request", "id": "c1", "name": "update_plan", "arguments": {"plan": TODOS}},
    ),
    "rich results": said(
        "blocks of a result; Python objects",
        {
            "content_type": "tool_result",
            "value": [MCP_IMAGE],
            "error": None,
            "request": {"content_type": "tool_request", "id": "c1", "name": "plot"},
        },
    ),
}
VLLM: dict[str, Sample] = {}


def codex(method: str, **params: Any) -> dict[str, Any]:
    """Return a notification of Codex's app server."""
    return {"method": method, "params": {"threadId": "t", **params}}


OPENAI_CODEX = {
    "the user's turn": said(
        "`userMessage` items",
        codex(
            "item/completed",
            item={"type": "userMessage", "id": "i", "content": [{"type": "text", "text": "Weather?"}]},
        ),
    ),
    "plan": said(
        "`turn/plan/updated`", codex("turn/plan/updated", plan=[{"step": "Look", "status": "completed"}])
    ),
    "lines": said("errors that are tried again", codex("error", error={"message": "busy"}, willRetry=True)),
    "rich results": said(
        "blocks of a result of MCP",
        codex(
            "item/completed",
            item={"type": "mcpToolCall", "id": "i", "tool": "plot", "result": {"content": [MCP_IMAGE]}},
        ),
    ),
}


def copilot(kind: str, **data: Any) -> dict[str, Any]:
    """Return an event of GitHub Copilot's SDK."""
    return {"type": kind, "id": "e", "timestamp": "t", "data": data}


GITHUB_COPILOT = {
    "the user's turn": said("`user.message`", copilot("user.message", content="Weather?")),
    "plan": said(
        "a todo tool",
        copilot("tool.execution_start", toolCallId="c1", toolName="update_plan", arguments={"plan": TODOS}),
    ),
    "lines": said("`session.info`, `session.warning`", copilot("session.info", message="Hi")),
    "rich results": said(
        "blocks of a result",
        copilot("tool.execution_complete", toolCallId="c1", success=True, result={"content": [MCP_IMAGE]}),
    ),
}
LETTA = {
    "the user's turn": Sample(
        "`user_message`", ({"message_type": "user_message", "id": "m", "content": "1 + 2?"},)
    ),
}
MESSAGES = {
    "the user's turn": Sample(
        "user, system and developer messages", ({"role": "user", "content": "1 + 2?"},)
    ),
}
OTEL_SPANS = {
    "the user's turn": recorded(
        "the newest message that the agent or its first model gets, or `input.value`", "otel_spans"
    ),
}
SAMPLES: dict[str, dict[str, Sample]] = {
    "pydantic_ai": PYDANTIC_AI,
    "openai_responses": OPENAI_RESPONSES,
    "openai_sessions": OPENAI_SESSIONS,
    "openai_chat": OPENAI_CHAT,
    "openai_agents": OPENAI_AGENTS,
    "openai_agents_traces": OPENAI_AGENTS_TRACES,
    "anthropic": ANTHROPIC,
    "anthropic_managed_agents": ANTHROPIC_MANAGED_AGENTS,
    "bedrock": BEDROCK,
    "claude_agent_sdk": CLAUDE,
    "google_adk": GOOGLE_ADK,
    "google_genai": GOOGLE_GENAI,
    "google_interactions": GOOGLE_INTERACTIONS,
    "cohere": COHERE,
    "mistral": MISTRAL,
    "mistral_conversations": MISTRAL_CONVERSATIONS,
    "ollama": OLLAMA,
    "xai": XAI,
    "langgraph": LANGGRAPH,
    "strands": STRANDS,
    "agno": AGNO,
    "smolagents": SMOLAGENTS,
    "llama_index": LLAMA_INDEX,
    "crewai": CREWAI,
    "agent_framework": AGENT_FRAMEWORK,
    "autogen": AUTOGEN,
    "semantic_kernel": SEMANTIC_KERNEL,
    "haystack": HAYSTACK,
    "dspy": DSPY,
    "instructor": INSTRUCTOR,
    "browser_use": BROWSER_USE,
    "openhands": OPENHANDS,
    "chatlas": CHATLAS,
    "vllm": VLLM,
    "openai_codex": OPENAI_CODEX,
    "github_copilot": GITHUB_COPILOT,
    "acp": ACP,
    "a2a": A2A,
    "mcp": MCP,
    "agui": AGUI,
    "vercel_ai_ui": VERCEL,
    "vibex": VIBEX,
    "jido": JIDO,
    "otel_spans": OTEL_SPANS,
    "letta": LETTA,
    "messages": MESSAGES,
}


def is_recorded(name: str, column: str) -> bool:
    """Return whether a recording of the adapter's SDK has a column's event."""
    own = [recording(one) for one in RECORDINGS]
    return any(COLUMNS[column](event) for one in own if one.adapter == name for event in one.events())


def table() -> str:
    """Return the table as Markdown."""
    lines = [f"| `adapter=` | {' | '.join(COLUMNS)} |", f"| --- |{' --- |' * len(COLUMNS)}"]
    for name, samples in SAMPLES.items():
        cells = [_cell(name, column, samples.get(column)) for column in COLUMNS]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(name: str, column: str, sample: Sample | None) -> str:
    if sample is None:
        return ""
    return f"{sample.words} {'●' if is_recorded(name, column) else '○' if sample.is_sdks else ''}".strip()

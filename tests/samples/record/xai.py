"""Record xAI's client over gRPC with a server of this machine that sends messages of the SDK's own types."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
from xai_sdk import AsyncClient
from xai_sdk.chat import user
from xai_sdk.proto import chat_pb2, chat_pb2_grpc, sample_pb2, usage_pb2

from ._chat import weather
from .recorder import Runs

MODEL = "grok-4"
QUESTION = "Weather in Paris and Atlantis?"
Chunk = chat_pb2.GetChatCompletionChunk


def chunk(number: int, *, finish: str = "REASON_INVALID", role: str = "ROLE_ASSISTANT", **delta: Any) -> Any:
    """Return a chunk."""
    made = chat_pb2.Delta(role=chat_pb2.MessageRole.Value(role), **delta)
    reason = sample_pb2.FinishReason.Value(finish)
    output = chat_pb2.CompletionOutputChunk(delta=made, index=0, finish_reason=reason)
    return Chunk(id=f"response_{number}", model=MODEL, outputs=[output])


def call(call_id: str, city: str) -> Any:
    """Return the call of a function."""
    function = chat_pb2.FunctionCall(name="get_weather", arguments=json.dumps({"city": city, "unit": "C"}))
    kind = chat_pb2.ToolCallType.Value("TOOL_CALL_TYPE_CLIENT_SIDE_TOOL")
    return chat_pb2.ToolCall(id=call_id, type=kind, function=function)


def search(status: str) -> Any:
    """Return the call of a search that xAI runs."""
    kind = chat_pb2.ToolCallType.Value("TOOL_CALL_TYPE_WEB_SEARCH_TOOL")
    function = chat_pb2.FunctionCall(name="web_search", arguments='{"query": "weather"}')
    state = chat_pb2.ToolCallStatus.Value(f"TOOL_CALL_STATUS_{status}")
    return chat_pb2.ToolCall(id="search_1", type=kind, function=function, status=state)


def used(number: int) -> Any:
    """Return a chunk that has the counts."""
    counts = {"prompt_tokens": 120, "completion_tokens": 50, "reasoning_tokens": 10, "total_tokens": 180}
    usage = usage_pb2.SamplingUsage(**counts, cached_prompt_text_tokens=20)
    return Chunk(id=f"response_{number}", model=MODEL, usage=usage)


CITED = chat_pb2.InlineCitation(
    id="1",
    start_index=0,
    end_index=5,
    web_citation=chat_pb2.WebCitation(url="https://weather.example/paris"),
)
FIRST = [
    chunk(1, reasoning_content="The user wants two cities. "),
    chunk(1, reasoning_content="I should call get_weather once per city."),
    chunk(1, content="Let me "),
    chunk(1, content="check both cities."),
    chunk(1, tool_calls=[call("call_paris", "Paris"), call("call_atlantis", "Atlantis")]),
    chunk(1, finish="REASON_TOOL_CALLS"),
    used(1),
]
SECOND = [
    chunk(2, tool_calls=[search("IN_PROGRESS")]),
    chunk(2, tool_calls=[search("COMPLETED")]),
    chunk(2, content="Paris is 18 °C and sunny; "),
    chunk(2, content="**Atlantis** could not be found.", citations=[CITED]),
    chunk(2, finish="REASON_STOP"),
    used(2),
]


class Service(chat_pb2_grpc.ChatServicer):
    """Answer each request with the next turn; after the last, as an overloaded server."""

    def __init__(self, *turns: list[Any]) -> None:
        self._turns = iter(turns)

    async def GetCompletionChunk(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        """Yield the chunks of a turn."""
        del request
        turn = next(self._turns, None)
        if turn is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The model is overloaded.")
        for one in turn:
            yield one


async def streamed(*turns: list[Any]) -> AsyncIterator[Any]:
    """Yield the natives of two requests, and between them the results of the functions."""
    server = grpc.aio.server()
    chat_pb2_grpc.add_ChatServicer_to_server(Service(*turns), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = [("grpc.enable_retries", 0)]
    client = AsyncClient(
        api_key="none",
        api_host=f"127.0.0.1:{port}",
        use_insecure_channel=True,
        channel_options=options,
    )
    try:
        chat = client.chat.create(model=MODEL)
        chat.append(user(QUESTION))
        calls: list[Any] = []
        async for response, one in chat.stream():
            calls += one.tool_calls
            yield response, one
        for asked in reversed(calls):
            try:
                yield {"call_id": asked.id, "output": weather(**json.loads(asked.function.arguments))}
            except LookupError as error:
                yield {"call_id": asked.id, "error": str(error)}
        async for native in chat.stream():
            yield native
    finally:
        await client.close()
        await server.stop(None)


PACKAGES = ("xai-sdk",)
RUNS: Runs = {
    "xai": ("aio chat.stream", lambda: streamed(FIRST, SECOND)),
    "xai_error": ("aio chat.stream, UNAVAILABLE", lambda: streamed([chunk(1, content="Let me ")])),
}

"""Record Bedrock's client of boto3 over messages in the service's documented binary format."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from ._chat import weather
from .recorder import Runs

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
QUESTION = {"role": "user", "content": [{"text": "Weather in Paris and Atlantis?"}]}


def message(kind: str, body: dict[str, Any], of: str = "event") -> bytes:
    """Return a message of the event stream: its lengths, its headers, its JSON and their checksums."""
    names = {f":{of}-type": kind, ":content-type": "application/json", ":message-type": of}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in names.items()
    )
    payload = json.dumps(body, ensure_ascii=False).encode()
    lengths = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    begun = lengths + struct.pack("!I", zlib.crc32(lengths)) + headers + payload
    return begun + struct.pack("!I", zlib.crc32(begun))


class Raw:
    """Stand for the body of a response of urllib3."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._messages = messages

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield the messages."""
        yield from self._messages

    def close(self) -> None:
        """Close nothing."""


def client(*turns: Iterable[bytes]) -> Any:
    """Return a client whose requests are answered with these turns."""
    answers = iter(turns)
    made = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - it signs nothing
    )

    def respond(request: Any, **_: Any) -> AWSResponse:
        headers = {"content-type": "application/vnd.amazon.eventstream"}
        return AWSResponse(request.url, 200, headers, Raw(next(answers)))

    made.meta.events.register("before-send.bedrock-runtime", respond)
    return made


def delta(index: int, **fields: Any) -> bytes:
    """Return a piece of a block."""
    return message("contentBlockDelta", {"contentBlockIndex": index, "delta": fields})


def stop(index: int) -> bytes:
    """Return the end of a block."""
    return message("contentBlockStop", {"contentBlockIndex": index})


def call(index: int, call_id: str, *pieces: str) -> list[bytes]:
    """Return the events of a call."""
    start = {"toolUse": {"toolUseId": call_id, "name": "get_weather"}}
    return [
        message("contentBlockStart", {"contentBlockIndex": index, "start": start}),
        *(delta(index, toolUse={"input": piece}) for piece in pieces),
        stop(index),
    ]


def turn(reason: str, *events: bytes) -> list[bytes]:
    """Return the events of one message."""
    used = {"inputTokens": 100, "outputTokens": 60, "totalTokens": 160, "cacheReadInputTokens": 20}
    return [
        message("messageStart", {"role": "assistant"}),
        *events,
        message("messageStop", {"stopReason": reason}),
        message("metadata", {"usage": used, "metrics": {"latencyMs": 9}}),
    ]


SOURCE = {
    "title": "weather.example",
    "sourceContent": [{"text": "18 °C and sunny"}],
    "location": {"web": {"url": "https://weather.example/paris", "domain": "weather.example"}},
}
FIRST = turn(
    "tool_use",
    delta(0, reasoningContent={"text": "The user wants two cities. "}),
    delta(0, reasoningContent={"text": "I should call get_weather once per city."}),
    delta(0, reasoningContent={"signature": "c2ln"}),
    stop(0),
    delta(1, text="Let me "),
    delta(1, text="check both cities."),
    stop(1),
    *call(2, "call_paris", "", '{"city": "Paris", ', '"unit": "C"}'),
    *call(3, "call_atlantis", '{"city": "Atlantis", "unit": "C"}'),
)
SECOND = turn(
    "end_turn",
    delta(0, text="Paris is 18 °C and sunny; "),
    delta(0, citation=SOURCE),
    delta(0, text="**Atlantis** could not be found."),
    stop(0),
)


def results() -> list[dict[str, Any]]:
    """Return the results of both calls, in the order in which they end."""
    found = []
    for call_id, city in (("call_atlantis", "Atlantis"), ("call_paris", "Paris")):
        try:
            result: dict[str, Any] = {"status": "success", "content": [{"json": weather(city, "C")}]}
        except LookupError as error:
            result = {"status": "error", "content": [{"text": str(error)}]}
        found.append({"toolResult": {"toolUseId": call_id, **result}})
    return found


async def run() -> AsyncIterator[Any]:
    """Yield the events of two requests, and between them the user message with the results."""
    one = client(FIRST, SECOND)
    for event in one.converse_stream(modelId=MODEL, messages=[QUESTION])["stream"]:
        yield event
    yield {"role": "user", "content": results()}
    for event in one.converse_stream(modelId=MODEL, messages=[QUESTION])["stream"]:
        yield event


def chunk(kind: str, **fields: Any) -> bytes:
    """Return a chunk of Claude: an event of Anthropic's API, as base64."""
    made = json.dumps({"type": kind, **fields}, ensure_ascii=False).encode()
    return message("chunk", {"bytes": base64.b64encode(made).decode()})


def claude(number: int, reason: str, *blocks: tuple[dict[str, Any], list[dict[str, Any]]]) -> list[bytes]:
    """Return the chunks of one message of Claude."""
    used = {"input_tokens": 100, "cache_read_input_tokens": 20, "output_tokens": 1}
    start = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude", "content": []}
    inner = [
        one
        for i, (block, deltas) in enumerate(blocks)
        for one in (
            chunk("content_block_start", index=i, content_block=block),
            *(chunk("content_block_delta", index=i, delta=each) for each in deltas),
            chunk("content_block_stop", index=i),
        )
    ]
    counts = {"inputTokenCount": 100, "outputTokenCount": 60, "invocationLatency": 9, "firstByteLatency": 3}
    return [
        chunk("message_start", message={**start, "usage": used}),
        *inner,
        chunk("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 60}),
        chunk("message_stop", **{"amazon-bedrock-invocationMetrics": counts}),
    ]


def written(*pieces: str, kind: str = "text") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block of text or thinking, and its deltas."""
    return {"type": kind, kind: ""}, [{"type": f"{kind}_delta", kind: piece} for piece in pieces]


def asked(call_id: str, *pieces: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the block of a call, and its deltas."""
    block = {"type": "tool_use", "id": call_id, "name": "get_weather", "input": {}}
    return block, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


async def invoked() -> AsyncIterator[Any]:
    """Yield the chunks of two requests of Claude, and between them the results."""
    thoughts = ("The user wants two cities. ", "I should call get_weather once per city.")
    one = client(
        claude(
            1,
            "tool_use",
            written(*thoughts, kind="thinking"),
            written("Let me ", "check both cities."),
            asked("call_paris", '{"city": "Paris", ', '"unit": "C"}'),
            asked("call_atlantis", '{"city": "Atlantis", "unit": "C"}'),
        ),
        claude(2, "end_turn", written("Paris is 18 °C and sunny; ", "**Atlantis** could not be found.")),
    )
    for event in one.invoke_model_with_response_stream(modelId=MODEL, body=b"{}")["body"]:
        yield event
    for result in results():
        yield result
    for event in one.invoke_model_with_response_stream(modelId=MODEL, body=b"{}")["body"]:
        yield event


async def throttled() -> AsyncIterator[Any]:
    """Yield the events of a message that the service breaks off."""
    failure = message("throttlingException", {"message": "Too many requests."}, of="exception")
    one = client([message("messageStart", {"role": "assistant"}), delta(0, text="Let me "), failure])
    for event in one.converse_stream(modelId=MODEL, messages=[QUESTION])["stream"]:
        yield event


PACKAGES = ("boto3",)
RUNS: Runs = {
    "bedrock": ("converse_stream", run),
    "bedrock_invoke": ("invoke_model_with_response_stream of Claude", invoked),
    "bedrock_error": ("converse_stream, throttlingException", throttled),
}

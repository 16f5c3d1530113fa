"""Read OpenTelemetry's spans of agents: of the ``gen_ai`` conventions in all versions, OpenInference and OpenLLMetry.

A native is a span of the SDK, its JSON (``span.to_json()``), a span of OTLP's JSON, or a whole line of an OTLP file
(``resourceSpans``). Source: the semantic conventions for generative AI, OpenInference's for spans, OTLP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from vibe_notebook.events import Usage

from ._fields import camel, get, ident, integer, items, number, parsed, plain, text
from ._span_attributes import attributes_in, numbered
from ._span_messages import Said, messages_of
from ._span_tree import Kind, Span
from ._spans import SpansAdapter

__all__ = ["OtelSpansAdapter", "Span", "matches", "read_head", "read_span", "scope_of"]

_OPERATIONS: Final[dict[str, Kind]] = {
    "chat": "model",
    "create_agent": "group",
    "execute_tool": "tool",
    "generate_content": "model",
    "invoke_agent": "agent",
    "invoke_workflow": "trace",
    "text_completion": "model",
}
_KINDS: Final[dict[str, Kind]] = {
    "AGENT": "agent",
    "CHAIN": "chain",
    "EMBEDDING": "group",
    "EVALUATOR": "group",
    "GUARDRAIL": "group",
    "LLM": "model",
    "PROMPT": "group",
    "RERANKER": "group",
    "RETRIEVER": "tool",
    "TOOL": "tool",
    # OpenLLMetry's
    "AGENT_": "agent",
    "TASK_": "group",
    "TOOL_": "tool",
    "WORKFLOW_": "chain",
}
_ADK: Final = "gcp.vertex.agent.llm_response"
_CANCELLED: Final = frozenset(("CancelledError", "GeneratorExit", "KeyboardInterrupt"))
_MERGED: Final = "execute_tool (merged)"
_NAMED: Final = frozenset(("execute_tool", "generate_content", "invoke_agent", "invoke_workflow"))
_MESSAGES: Final = {
    "gen_ai.assistant.message": "assistant",
    "gen_ai.choice": "assistant",
    "gen_ai.system.message": "system",
    "gen_ai.tool.message": "tool",
    "gen_ai.user.message": "user",
}
_HEX: Final = re.compile("(?:0x)?[0-9a-fA-F]+")
_MANY: Final = 10_000
"""Messages or parts that an attribute's name may number."""
_NANO: Final = 1e9


def matches(native: object) -> bool:
    """Return whether *native* is a span, or a batch of OTLP's JSON."""
    return _is_batch(native) or _is_span(native)


def _is_batch(native: object) -> bool:
    return any(items(camel(native, name)) for name in ("resourceSpans", "scopeSpans"))


def _is_span(native: object) -> bool:
    return (
        _ids(native) is not None
        and isinstance(get(native, "name"), str)
        and get(native, "attributes") is not None
    )


def _ids(native: object) -> tuple[str, str] | None:
    """Return the ids of a trace and a span."""
    context = get(native, "context")
    if context is None or callable(context):
        trace, span = camel(native, "traceId"), camel(native, "spanId")
    else:
        trace, span = _of_context(context, "trace_id"), _of_context(context, "span_id")
    ids = _hex(trace, 32), _hex(span, 16)
    return ids if all(ids) else None


def _of_context(context: object, name: str) -> Any:
    """Return a field of a span's context; the SDK's is a tuple with names."""
    return getattr(context, name, None) if isinstance(context, tuple) else get(context, name)


def _hex(value: object, width: int) -> str:
    """Return an id as OTLP's JSON writes it; "" for every other value."""
    if type(value) is int and 0 < value < 1 << (4 * width):
        return f"{value:0{width}x}"
    if isinstance(value, str) and _HEX.fullmatch(value):
        return value.removeprefix("0x").lower().rjust(width, "0")
    return (
        text(value) if isinstance(value, str) and len(value) < _MANY else ""
    )  # base64, as protobuf's own JSON has it


class OtelSpansAdapter(SpansAdapter):
    """Read the spans of one or many traces."""

    name = "otel_spans"

    def spans_in(self, native: object) -> list[Span]:
        """Return the spans in a native."""
        if not _is_batch(native):
            span = read_span(native)
            return [] if span is None else [span]
        scopes = [
            scope for one in items(camel(native, "resourceSpans")) for scope in _scopes(one)
        ] or _scopes(native)
        found = [read_span(one) for scope in scopes for one in items(get(scope, "spans"))]
        return [span for span in found if span is not None]


def _scopes(native: object) -> list[Any]:
    return items(camel(native, "scopeSpans")) or items(camel(native, "instrumentationLibrarySpans"))


def scope_of(native: object) -> str:
    """Return the name of the instrumentation that made a span of the SDK."""
    return text(get(native, "instrumentation_scope", "name"))


def read_span(native: object) -> Span | None:
    """Return a span with its messages; ``None`` for a native that is none."""
    span = read_head(native)
    if span is None:
        return None
    attributes = attributes_in(get(native, "attributes"))
    _read_status(span, native, attributes)
    if span.kind == "tool":
        _read_tool(span, native, attributes)
    elif span.kind != "group":
        _read_messages(span, native, attributes)
        span.usage = _usage_of(attributes)
        span.finish_reason = _finish_reason(attributes)
    if span.kind == "agent":
        span.waits = _deferred(attributes)
    return span


def read_head(native: object) -> Span | None:
    """Return a span without its messages: its ids, kind, name and times."""
    ids = _ids(native)
    if ids is None or not isinstance(get(native, "name"), str):
        return None
    attributes = attributes_in(get(native, "attributes"))
    kind = _kind_of(attributes, text(get(native, "name")))
    end = _time(native, "end_time", "endTimeUnixNano")
    span = Span(
        *ids,
        _parent_of(native),
        kind,
        start=_time(native, "start_time", "startTimeUnixNano"),
        end=end,
        is_over=end is not None,
    )
    span.name = _name_of(native, kind, attributes)
    return span


def _kind_of(attributes: Mapping[str, Any], name: str) -> Kind:
    kind = text(attributes.get("openinference.span.kind")).upper()
    if kind in _KINDS:
        return _KINDS[kind]
    operation = text(attributes.get("gen_ai.operation.name"))
    if operation in _OPERATIONS:  # Google's ADK tells several results in one more span
        return "group" if attributes.get("gen_ai.tool.name") == "(merged tools)" else _OPERATIONS[operation]
    kind = text(attributes.get("traceloop.span.kind")).upper() + "_"
    if kind in _KINDS:
        return _KINDS[kind]
    if text(attributes.get("llm.request.type")) in ("chat", "completion"):
        return "model"
    if operation:
        return "group"  # embeddings, memory and others
    if attributes.get("gen_ai.tool.name") is not None:
        return "tool"
    if attributes.get("gen_ai.request.model") is not None:
        return "model"
    if attributes.get("agent_name") is not None and "model_name" in attributes:
        return "agent"  # pydantic-ai's, in earlier versions
    # Some instrumentations set the attributes of a span after it has begun; its name is as the conventions say.
    verb = name.partition(" ")[0]
    return _OPERATIONS[verb] if not attributes and verb in _NAMED and name != _MERGED else "group"


def _name_of(native: object, kind: Kind, attributes: Mapping[str, Any]) -> str | None:
    names: tuple[str, ...] = ()
    if kind == "tool":
        names = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name")
    elif kind in ("agent", "trace"):
        names = (
            "gen_ai.agent.name",
            "gen_ai.workflow.name",
            "agent.name",
            "agent_name",
            "traceloop.entity.name",
        )
    elif kind == "model":
        names = ("gen_ai.agent.name", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
    found = next((name for field in names if (name := ident(attributes.get(field)))), None)
    return (
        found or text(get(native, "name")).removeprefix("invoke_agent ").removeprefix("execute_tool ") or None
    )


def _parent_of(native: object) -> str | None:
    parent = get(native, "parent")
    if parent is not None and not isinstance(parent, str):
        is_remote = _of_context(parent, "is_remote") is True
        return None if is_remote else _hex(_of_context(parent, "span_id"), 16) or None
    found = get(native, "parent_id")
    found = _hex(camel(native, "parentSpanId") if found is None else found, 16)
    return found if found.strip("0") else None


def _time(native: object, field: str, otlp: str) -> float | None:
    """Return seconds since the epoch, of nanoseconds or of a date."""
    value = get(native, field)
    value = camel(native, otlp) if value is None else value
    if isinstance(value, str) and not value.isdigit():
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    found = number(value)
    if found is None or found <= 0:
        return None
    try:  # in microseconds, as the SDK's JSON has them: objects and their JSON give the same times
        return datetime.fromtimestamp(found / _NANO, tz=UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


# Messages


def _read_messages(span: Span, native: object, attributes: Mapping[str, Any]) -> None:
    heard, said = _messages_in(attributes)
    for event in items(get(native, "events")):
        inner = attributes_in(get(event, "attributes"))
        name = text(get(event, "name")) or text(inner.get("event.name"))
        if name in _MESSAGES:
            _add_event(name, inner, heard, said)
        elif name == "gen_ai.client.inference.operation.details":
            more = _messages_in(inner)
            heard, said = heard or more[0], said or more[1]
        elif name == "gen_ai.content.prompt":
            heard = heard or [*messages_of(inner.get("gen_ai.prompt"))]
        elif name == "gen_ai.content.completion":
            said = said or [*messages_of(inner.get("gen_ai.completion"))]
    for event in items(
        parsed(attributes.get("events")) if isinstance(attributes.get("events"), str) else None
    ):
        name = text(get(event, "event.name"))
        if name in _MESSAGES and isinstance(event, dict):
            _add_event(name, event, heard, said)
    if span.kind != "model":
        said = said or _final(attributes)
    span.heard, span.said = tuple(heard), tuple(said)


def _messages_in(attributes: Mapping[str, Any]) -> tuple[list[Said], list[Said]]:
    heard = [*messages_of(attributes.get("gen_ai.input.messages"))]
    said = [*messages_of(attributes.get("gen_ai.output.messages"))]
    if not heard and not said and (whole := attributes.get("pydantic_ai.all_messages")) is not None:
        every = messages_of(whole)
        heard = [one for one in every if one.role != "assistant"]
        said = [*every[-1:]] if every and every[-1].role == "assistant" else []
    for prefix in ("llm.input_messages", "gen_ai.prompt", "gen_ai.input.messages", "llm.prompts"):
        heard = heard or [*messages_of(numbered(attributes, prefix))]
    for prefix in ("llm.output_messages", "gen_ai.completion", "gen_ai.output.messages", "llm.choices"):
        said = said or [*messages_of(numbered(attributes, prefix))]
    if not heard:
        heard = [*_whole(attributes, ("input.value", "traceloop.entity.input", "gen_ai.prompt"))]
    if not said:
        said = [*_whole(attributes, ("output.value", "traceloop.entity.output", "gen_ai.completion", _ADK))]
    return heard, said


def _add_event(name: str, body: Mapping[str, Any], heard: list[Said], said: list[Said]) -> None:
    content = parsed(body.get("gen_ai.event.content"))
    if isinstance(content, dict):
        body = {**body, **content}
    message = parsed(body.get("message")) if name == "gen_ai.choice" else None
    fields = {**(message if isinstance(message, dict) else {"content": message} if message else {})}
    for field in ("content", "tool_calls", "id", "tool_call_id", "name", "finish_reason", "parts"):
        value = body.get(field)
        value = parsed(value) if field in ("tool_calls", "parts") else value
        if value is not None:
            fields.setdefault(field, value)
    if isinstance(words := fields.get("content"), str) and words[:2] in ("[{", '["'):
        fields["content"] = parsed(words)
    fields["role"] = _MESSAGES[name]
    if "finish_reason" not in fields and isinstance(body.get("finish_reason"), str):
        fields["finish_reason"] = body["finish_reason"]
    (said if name == "gen_ai.choice" else heard).extend(messages_of([fields]))


def _final(attributes: Mapping[str, Any]) -> list[Said]:
    """Return the result of an agent."""
    if _deferred(attributes):
        return []
    return [*_whole(attributes, ("final_result",))]


def _deferred(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the calls for which a run of pydantic-ai waits: then its result is a ``DeferredToolRequests``."""
    found = parsed(attributes.get("final_result"))
    if not isinstance(found, dict) or not {"calls", "approvals"} <= set(found):
        return ()
    calls = [*items(found["calls"]), *items(found["approvals"])]
    return tuple(call_id for call in calls if (call_id := ident(get(call, "tool_call_id"))) is not None)


def _whole(attributes: Mapping[str, Any], names: Iterable[str]) -> tuple[Said, ...]:
    """Return what a span's whole input or output says: messages, or a text; other JSON as its text."""
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        found = messages_of(value) if isinstance(value, str) else messages_of(plain(value))
        if any(one.pieces for one in found):
            return found
        inner = _inner_text(parsed(value))
        words = inner if inner is not None else text(value) or json.dumps(plain(value), ensure_ascii=False)
        if words:
            return messages_of([{"role": "", "content": words}])
    return ()


def _inner_text(value: Any) -> str | None:
    """Return the one text of a JSON object with one field, such as ``{"question": "…"}``."""
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        return text(only) if isinstance(only, str) else None
    return None


# Tools, usage, status


def _read_tool(span: Span, native: object, attributes: Mapping[str, Any]) -> None:
    names = ("gen_ai.tool.call.id", "tool_call.id", "tool.id", "gen_ai.tool.call_id")
    span.call_id = next((found for name in names if (found := ident(attributes.get(name)))), None)
    given = (
        *("gen_ai.tool.call.arguments", "tool_arguments", "tool_call.function.arguments"),
        *("gcp.vertex.agent.tool_call_args", "input.value", "traceloop.entity.input", "tool.parameters"),
    )
    span.args = next((found for name in given if (found := attributes.get(name)) is not None), None)
    gave = (
        *("gen_ai.tool.call.result", "tool_response", "gcp.vertex.agent.tool_response", "output.value"),
        "traceloop.entity.output",
    )
    span.result = next((found for name in gave if (found := attributes.get(name)) is not None), None)
    held = parsed(span.result) if isinstance(span.result, str) and '"tool' in span.result else None
    if isinstance(held, dict) and (message := get(held, "data") or held) and "content" in message:
        span.result = get(message, "content")  # LangChain's message, as OpenInference writes it
    documents = numbered(attributes, "retrieval.documents")
    if span.result is None and documents:
        span.result = [get(one, "document") or one for one in documents]
    for event in items(get(native, "events")):  # Strands tells both as messages
        inner = attributes_in(get(event, "attributes"))
        if get(event, "name") == "gen_ai.tool.message" and span.args is None:
            span.args = inner.get("content")
        elif get(event, "name") == "gen_ai.choice" and span.result is None:
            span.result = _only_block(parsed(inner.get("message")))
    span.has_result = span.result is not None
    span.is_deferred = attributes.get("pydantic_ai.tool.deferral.name") is not None


def _only_block(value: Any) -> Any:
    """Return the value of a result that is one block of Bedrock's form: ``[{"json": …}]`` or ``[{"text": …}]``."""
    only = items(value)[0] if len(items(value)) == 1 else None
    if isinstance(only, dict) and len(only) == 1 and next(iter(only)) in ("json", "text"):
        return next(iter(only.values()))
    return value


def _usage_of(attributes: Mapping[str, Any]) -> Usage | None:
    def count(*names: str) -> int | None:
        return next((found for name in names if (found := integer(attributes.get(name))) is not None), None)

    fields: dict[str, Any] = {
        "input_tokens": count(
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
            "llm.usage.prompt_tokens",
        ),
        "output_tokens": count(
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
            "llm.usage.completion_tokens",
        ),
        "cached_input_tokens": count(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "llm.token_count.prompt_details.cache_read",
        ),
        "cache_write_tokens": count(
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "llm.token_count.prompt_details.cache_write",
        ),
        "reasoning_tokens": count(
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ),
        "cost": next(
            (
                n
                for name in ("operation.cost", "llm.cost.total")
                if (n := number(attributes.get(name))) is not None
            ),
            None,
        ),
    }
    if all(value is None for value in fields.values()):
        aggregated: dict[str, Any] = {
            name: integer(attributes.get(f"gen_ai.aggregated_usage.{name}"))
            for name in ("input_tokens", "output_tokens")
        }
        if all(value is None for value in aggregated.values()):
            return None
        return Usage(**aggregated)
    fields["model"] = _name_in(attributes, "gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
    fields["provider"] = _name_in(
        attributes, "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"
    )
    return Usage(**fields)


def _name_in(attributes: Mapping[str, Any], *names: str) -> str | None:
    return next((found for name in names if (found := ident(attributes.get(name)))), None)


def _finish_reason(attributes: Mapping[str, Any]) -> str | None:
    found = attributes.get("gen_ai.response.finish_reasons")
    found = parsed(found) if isinstance(found, str) and found[:1] == "[" else found
    return ident((items(found) or [found])[0]) or ident(attributes.get("llm.finish_reason"))


def _read_status(span: Span, native: object, attributes: Mapping[str, Any]) -> None:
    status = get(native, "status")
    code = get(status, "status_code")
    code = get(status, "code") if code is None else code
    code = get(code, "name") or code
    words = text(get(status, "description")) or text(get(status, "message"))
    kind = ident(attributes.get("error.type")) or ident(attributes.get("exception.type"))
    for event in items(get(native, "events")):
        if text(get(event, "name")) == "exception":
            inner = attributes_in(get(event, "attributes"))
            kind = ident(inner.get("exception.type")) or kind
            message = text(inner.get("exception.message"))
            words = words or (f"{kind.rpartition('.')[2]}: {message}" if kind and message else message)
    span.is_failed = code in (2, "2", "ERROR", "STATUS_CODE_ERROR") or (
        attributes.get("error.type") is not None and span.kind != "group"
    )
    if span.is_failed:
        span.error = words or text(attributes.get("error.message")) or kind or "The span has failed."
        span.is_cancelled = (kind or "").rpartition(".")[2] in _CANCELLED

"""Name sources in errors, and the code that makes a stream in their SDK.

Below ``sources``. No SDK is imported: an object's module tells its SDK.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, Final

__all__ = ["hint", "hint_in", "sdk_of", "source_name", "type_name"]

_STREAM_TRUE: Final = "client.chat.completions.create(..., stream=True)"
_SDKS: Final = {
    "a2a": ("a2a-sdk", "client.send_message(message)"),
    "acp": ("agent-client-protocol", "the updates that your Client.session_update gets"),
    "agent_framework": ("agent-framework", "agent.run(prompt, stream=True)"),
    "agents": ("openai-agents", "Runner.run_streamed(agent, prompt)"),
    "agno": ("agno", "agent.arun(prompt, stream=True, stream_events=True)"),
    "anthropic": ("anthropic", "client.messages.create(..., stream=True)"),
    "autogen_agentchat": ("autogen", "agent.run_stream(task=prompt)"),
    "autogen_core": ("autogen", "client.create_stream(messages)"),
    "autogen_ext": ("autogen", "client.create_stream(messages)"),
    "azure.ai.inference": ("azure-ai-inference", "client.complete(..., stream=True)"),
    "botocore": ("boto3", 'client.converse_stream(...)["stream"]'),
    "chatlas": ("chatlas", 'chat.stream(prompt, content="all")'),
    "claude_agent_sdk": ("claude-agent-sdk", "query(prompt=..., options=...) or client.receive_response()"),
    "cohere": ("cohere", "client.chat_stream(model=..., messages=...)"),
    "crewai": ("crewai", "crew.kickoff() of a Crew(..., stream=True)"),
    "dspy": ("dspy", "dspy.streamify(program)(question=...)"),
    "google.adk": ("google-adk", "runner.run_async(...)"),
    "google.genai": ("google-genai", "client.models.generate_content_stream(model=..., contents=...)"),
    "groq": ("groq", _STREAM_TRUE),
    "huggingface_hub": ("huggingface_hub", "client.chat_completion(messages, stream=True)"),
    "instructor": ("instructor", "client.create_partial(response_model=..., messages=...)"),
    "langchain": ("langchain", 'agent.astream(..., stream_mode=["messages", "updates"])'),
    "langchain_core": ("langchain", "model.astream(...)"),
    "langgraph": ("langgraph", 'graph.astream(..., stream_mode=["messages", "updates"])'),
    "langgraph_sdk": ("langgraph-sdk", "client.runs.stream(thread_id, assistant_id, input=...)"),
    "letta_client": ("letta-client", "client.agents.messages.stream(agent_id, messages=...)"),
    "litellm": ("litellm", "litellm.completion(..., stream=True)"),
    "llama_index": ("llama-index", "agent.run(user_msg=...)"),
    "mistralai": ("mistralai", "client.chat.stream(model=..., messages=...)"),
    "ollama": ("ollama", "client.chat(model=..., messages=..., stream=True)"),
    "openai.types.chat": ("openai", _STREAM_TRUE),
    "openai": ("openai", "client.responses.create(..., stream=True)"),
    "pydantic_ai": ("pydantic-ai", "agent.run_stream_events(prompt)"),
    "semantic_kernel": ("semantic-kernel", "agent.invoke_stream(messages=...)"),
    "smolagents": ("smolagents", "agent.run(task, stream=True)"),
    "strands": ("strands", "agent.stream_async(prompt)"),
    "together": ("together", _STREAM_TRUE),
    "vllm": ("vllm", "engine.generate(prompt, params, request_id) of an AsyncLLM"),
    "xai_sdk": ("xai-sdk", "chat.stream()"),
}
"""SDKs by module: the SDK's name, and the code that makes a stream there."""
_FRAMES: Final = ("ag_frame", "gi_frame", "cr_frame")


def type_name(source: Any) -> str:
    """Return the name of the source's class."""
    return type(source).__qualname__


def source_name(source: Any) -> str:
    """Return a source's name for an error: "AsyncStream (openai)", "Agent.stream_async() (strands)"."""
    found = sdk_of(source)
    if found is None:
        return type_name(source)
    name = getattr(source, "__qualname__", None) or type_name(source)
    return f"{name}{'()' if _frame_module(source) else ''} ({found[0]})"


def hint(source: Any) -> str:
    """Return a sentence about the code that makes a stream in the SDK of *source*, or ""."""
    found = sdk_of(source) or _sdk_of_bases(source)
    return f" {found[0]} makes one with {found[1]}." if found else ""


def hint_in(value: Any) -> str:
    """Return the hint for a value of a finished result, for example for the messages of a graph's state."""
    return hint(value[-1] if isinstance(value, list) and value else value)


def sdk_of(source: Any) -> tuple[str, str] | None:
    # A class or function has its own module, any other object that of its class.
    while isinstance(source, partial):
        source = source.func
    own = ""
    if isinstance(source, type) or inspect.isroutine(source):
        own = getattr(source, "__module__", None) or ""
    return _sdk_of_module(str(own or _frame_module(source) or type(source).__module__))


def _sdk_of_bases(source: Any) -> tuple[str, str] | None:
    """Return the SDK whose class the user's own agent, client or bound method extends."""
    while isinstance(source, partial):
        source = source.func
    owner = getattr(source, "__self__", source) if inspect.ismethod(source) else source
    bases = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    return next((found for base in bases if (found := _sdk_of_module(base.__module__))), None)


def _sdk_of_module(module: str) -> tuple[str, str] | None:
    steps = module.split(".")
    return next((_SDKS[name] for n in (3, 2, 1) if (name := ".".join(steps[:n])) in _SDKS), None)


def _frame_module(source: Any) -> str:
    """Return the module of the function that made a generator or coroutine, while it has not ended."""
    if not (inspect.isasyncgen(source) or inspect.isgenerator(source) or inspect.iscoroutine(source)):
        return ""
    frame = next((frame for name in _FRAMES if (frame := getattr(source, name, None)) is not None), None)
    return str(frame.f_globals.get("__name__", "")) if frame is not None else ""

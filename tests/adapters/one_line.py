"""Write the first table of docs/adapters.md: one line to write for each SDK, what it shows, and the versions run.

``python -m tests.adapters.cases`` writes it with the other tables. The lines are here; what is shown comes from the
recordings, and the versions come from docs/adapters-tested.md, which ``make live`` writes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.adapters.cases import CASES, recorded
from tools import live

__all__ = ["ROWS", "Row", "table"]

SHOWN = {
    "text": "text",
    "thinking": "thinking",
    "arguments as they are written": "arguments as they are written",
    "results": "calls with results",
    "subagents in their call": "subagents",
    "waits for approval": "approvals",
    "files": "files",
    "usage": "tokens",
}
"""The cases that a reader looks for, and their words here."""


class Row(NamedTuple):
    """Hold one row: the SDK, its adapter, its extra, and the line to write.

    ``call`` is the call in the line that the extra's script makes. ``shown`` stands for recordings where there are none.
    """

    sdk: str
    adapter: str
    line: str
    extra: str = ""
    call: str = ""
    shown: str = ""
    run: str = "none: constructed"


ROWS = (
    Row("A2A", "a2a", "await vibe.watch(client.send_message(request))", "a2a", "send_message"),
    Row(
        "ACP, the agent client protocol",
        "acp",
        'await vibe.watch(updates, adapter="acp")  # what your Client.session_update gets',
        "acp",
        "session_update",
    ),
    Row("AG-UI", "agui", "await vibe.watch(events)  # or vibe.remote.follow(url)", "ag-ui"),
    Row("agno", "agno", "await vibe.watch(agent.arun(x, stream=True, stream_events=True))", "agno", "arun"),
    Row(
        "Amazon Bedrock",
        "bedrock",
        "await vibe.watch(client.converse_stream(modelId=model, messages=messages))",
        "bedrock",
        "converse_stream",
    ),
    Row(
        "Anthropic",
        "anthropic",
        "await vibe.watch(client.messages.stream(model=model, max_tokens=1024, messages=messages))",
        "anthropic",
        "messages.stream",
    ),
    Row(
        "Anthropic Managed Agents",
        "anthropic_managed_agents",
        'await vibe.watch(client.beta.sessions.events.stream(session_id, event_deltas=["agent.message"]))',
        "anthropic-managed-agents",
        "sessions.events.stream",
    ),
    Row("AutoGen", "autogen", "await vibe.watch(agent.run_stream(task=task))", "autogen", "run_stream"),
    Row(
        "browser-use",
        "browser_use",
        "Agent(register_new_step_callback=hook, register_done_callback=hook)"
        '  # hook = vibe.handler("browser_use")',
        shown="text, thinking, calls with results, files, the plan",
    ),
    Row(
        "chatlas",
        "chatlas",
        'await vibe.watch(chat.stream_async(x, content="all"))',
        "chatlas",
        "stream_async",
    ),
    Row(
        "Claude Agent SDK",
        "claude_agent_sdk",
        "await vibe.watch(query(prompt=x, options=ClaudeAgentOptions(include_partial_messages=True)))",
        "claude-agent-sdk",
        "query",
    ),
    Row(
        "Codex app server",
        "openai_codex",
        'await vibe.watch(notifications, adapter="openai_codex")',
        shown="text, thinking, calls with results, approvals, tokens, the plan",
    ),
    Row(
        "Cohere",
        "cohere",
        "await vibe.watch(client.chat_stream(model=model, messages=messages))",
        "cohere",
        "chat_stream",
    ),
    Row(
        "CrewAI",
        "crewai",
        'with vibe.handler("crewai"): await crew.kickoff_async()',
        "crewai",
        "kickoff_async",
    ),
    Row(
        "deepagents",
        "langgraph",
        'await vibe.watch(agent.astream(x, stream_mode=["messages", "updates"], subgraphs=True))',
        "deepagents",
        "astream",
    ),
    Row(
        "DSPy",
        "dspy",
        "await vibe.watch(dspy.streamify(program, stream_listeners=listeners)(question=x))",
        "dspy",
        "streamify",
    ),
    Row(
        "GitHub Copilot SDK",
        "github_copilot",
        'session.on(vibe.handler("github_copilot"))',
        shown="text, thinking, calls with results, subagents, approvals, tokens",
    ),
    Row(
        "Google ADK",
        "google_adk",
        "await vibe.watch(runner.run_async(user_id=user, session_id=session, new_message=x, run_config=config))",
        "google-adk",
        "run_async",
    ),
    Row(
        "google-genai",
        "google_genai",
        "await vibe.watch(client.aio.models.generate_content_stream(model=model, contents=x))",
        "google-genai",
        "generate_content_stream",
    ),
    Row(
        "google-genai, Interactions",
        "google_interactions",
        "await vibe.watch(client.aio.interactions.create(model=model, input=x, stream=True))",
        "google-genai",
        "interactions.create",
    ),
    Row(
        "Haystack",
        "haystack",
        'Agent(chat_generator=generator, streaming_callback=vibe.handler("haystack"))',
        "haystack",
        "streaming_callback",
    ),
    Row(
        "huggingface_hub, azure-ai-inference and others that speak Chat Completions",
        "openai_chat",
        "await vibe.watch(client.chat_completion(messages, stream=True))",
    ),
    Row(
        "instructor",
        "instructor",
        "await vibe.watch(client.create_partial(response_model=Model, messages=messages))",
        "instructor",
        "create_partial",
        "a table that fills",
    ),
    Row(
        "LangChain, LangGraph",
        "langgraph",
        'await vibe.watch(graph.astream(x, stream_mode=["messages", "updates"]))',
        "langchain",
        "astream",
    ),
    Row(
        "langgraph-sdk",
        "langgraph",
        'await vibe.watch(client.runs.stream(thread, "agent", input=x, stream_mode=["messages-tuple", "updates"]))',
        "langgraph-sdk",
        "runs.stream",
    ),
    Row(
        "Letta",
        "letta",
        "await vibe.watch(client.agents.messages.stream(agent_id, messages=messages, stream_tokens=True))",
        "letta",
        "agents.messages.stream",
    ),
    Row(
        "LiteLLM",
        "openai_chat",
        "await vibe.watch(litellm.acompletion(model=model, messages=messages, stream=True))",
        "litellm",
        "acompletion",
    ),
    Row("LlamaIndex", "llama_index", "await vibe.watch(agent.run(user_msg=x))", "llama-index", "agent.run"),
    Row(
        "MCP",
        "mcp",
        'await vibe.handler("mcp").call_tool(session, name, args)',
        "mcp",
        "call_tool",
    ),
    Row(
        "Microsoft Agent Framework",
        "agent_framework",
        "await vibe.watch(agent.run(x, stream=True))",
        "agent-framework",
        "run",
    ),
    Row(
        "Mistral",
        "mistral",
        "await vibe.watch(client.chat.stream_async(model=model, messages=messages))",
        "mistral",
        "chat.stream_async",
    ),
    Row(
        "Mistral, conversations",
        "mistral_conversations",
        "await vibe.watch(client.beta.conversations.start_stream_async(agent_id=agent, inputs=x))",
        "mistral",
        "conversations.start_stream_async",
    ),
    Row(
        "Ollama",
        "ollama",
        "await vibe.watch(client.chat(model=model, messages=messages, stream=True))  # an AsyncClient",
        "ollama",
        "chat",
    ),
    Row(
        "OpenAI Agents SDK",
        "openai_agents",
        "await vibe.watch(Runner.run_streamed(agent, x))",
        "openai-agents",
        "run_streamed",
    ),
    Row("OpenAI Agents SDK, traces", "openai_agents_traces", "vibe.auto()", "openai-agents"),
    Row(
        "OpenAI Chat Completions",
        "openai_chat",
        "await vibe.watch(client.chat.completions.create(model=model, messages=messages, stream=True))",
        "openai",
        "chat.completions.create",
    ),
    Row(
        "OpenAI Responses",
        "openai_responses",
        "await vibe.watch(client.responses.create(model=model, input=x, stream=True))",
        "openai",
        "responses.create",
    ),
    Row(
        "OpenAI Agents API, sessions",
        "openai_sessions",
        "await vibe.watch(client.beta.agents.sessions.events.stream(session_id))",
        "openai-sessions",
        "sessions.events.stream",
    ),
    Row(
        "OpenHands SDK",
        "openhands",
        'Conversation(agent, callbacks=[vibe.handler("openhands")])',
        shown="text, thinking, calls with results",
    ),
    Row("OpenInference", "otel_spans", "provider.add_span_processor(vibe.spans())", "openinference"),
    Row(
        "OpenTelemetry, gen_ai conventions",
        "otel_spans",
        "provider.add_span_processor(vibe.spans())",
        "opentelemetry",
    ),
    Row(
        "pydantic-ai",
        "pydantic_ai",
        "await vibe.watch(agent.run_stream_events(x))",
        "pydantic-ai",
        "run_stream_events",
    ),
    Row(
        "Semantic Kernel",
        "semantic_kernel",
        "await vibe.watch(agent.invoke_stream(messages=x))",
        "semantic-kernel",
        "invoke_stream",
    ),
    Row("smolagents", "smolagents", "await vibe.watch(agent.run(x, stream=True))", "smolagents", "agent.run"),
    Row("Strands", "strands", "await vibe.watch(agent.stream_async(x))", "strands", "stream_async"),
    Row("Vercel AI SDK", "vercel_ai_ui", "await vibe.watch(vibe.remote.follow(url))"),
    Row(
        "vLLM",
        "vllm",
        "await vibe.watch(engine.generate(prompt, params, request_id))",
        shown="text, tokens",
    ),
    Row("xAI", "xai", "await vibe.watch(chat.stream())", "xai", "chat.stream"),
    Row(
        "lists of messages",
        "messages",
        "await vibe.watch(messages)",
        shown="text, thinking, calls with results",
        run="",
    ),
    Row("strings", "text", "await vibe.watch(strings)", run=""),
)
"""Every SDK, by its name. A line of each: further ones stand in the page's second table."""


def table() -> str:
    """Return the table in Markdown."""
    found = recorded()
    lines = ["| SDK | the line to write | shown | versions run |", "| --- | --- | --- | --- |"]
    for row in sorted(ROWS, key=lambda each: each.sdk.casefold()):
        seen = [
            words
            for case, words in SHOWN.items()
            if any(CASES[case](one.events()) for one in found.get(row.adapter, []))
        ]
        shown = row.shown or ", ".join(seen)
        lines.append(f"| {row.sdk} | `{row.line}` | {shown} | {_versions(row.extra) or row.run} |")
    return "\n".join(lines)


def _versions(extra: str) -> str:
    """Return the lowest and the newest version of an extra's first package that ``make live`` has run."""
    lines = [live.known_lines()[extra, age] for age in live.RESOLUTIONS] if extra else []
    found = [re.search(r"(\S+) (\d[\w.]*)", line.split("|")[3]) for line in lines]
    names = {match[1] for match in found if match}
    versions = sorted(
        {match[2] for match in found if match}, key=lambda v: [int(n) for n in re.findall(r"\d+", v)]
    )
    return f"{' '.join(names)} {' to '.join(versions)}" if versions else ""

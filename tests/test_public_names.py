"""List every public name of the package, so that a change of one shows in a diff of this file.

A name may be added here at any time; one that goes breaks somebody's code.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import Any

import pytest

import vibe_notebook

PARTS = "ArtifactPart CustomPart InputPart Message Part PlanPart Progress Run TextPart ThinkingPart ToolPart ToolState Turn"
MESSAGES = (
    "ArtifactPart ErrorPart FilePart ImagePart Message MessagePart ReasoningPart StepStartPart StreamChunk "
    "TextPart ToolCallPart ToolResultPart"
)

NAMES = {
    "": "Answer Budget Chat Live NoAnswerError Pending Recorder Registry Replay Request Sent Steered Transcript VibeNotebookError Watch "
    "approver auto chat configure get_registry handler last live load load_ipython_extension record renderer replay spans "
    "unload_ipython_extension watch",
    "adapters": "Adapter choose detect get is_open names none_understood recognizes",
    "cli": "main",
    "display": "Output Printer bundle choose configure make_output",
    "events": "EVENT_CLASSES Artifact Citation Custom Envelope Event Id InputAnswered InputRequested Json "
    "MessageFinished MessageStarted Name Number Option Outcome PartCompleted PartKind Plan PlanEntry PlanStatus "
    "RunFinished RunStarted Text TextDelta ThinkingDelta ToolCallDelta ToolFinished ToolProgress ToolStarted "
    "ToolStatus Usage first_edition is_skip not_valid parse_event read_event skip to_json with_id with_time",
    "exceptions": "AdapterError ClosedError ConsumedError LogError MissingExtraError NoAnswerError NotSupportedError ProtocolError RemoteError "
    "VibeNotebookError",
    "logs": "Log PipedLog Session load meant_log names_a_log session_lines sessions",
    "magic": "VibeMagics load unload",
    "parts": f"Answer CitationValue RequestValue Role role_of {PARTS}",
    "projects": "Entry EventLog Gap Listener Project ProjectEventStream Publisher event_stream_manager load_history "
    "open_log parse_id publish send_agent_status send_artifact_update send_complete_message send_message_object "
    "send_message_part send_project_update send_stream_chunk send_streaming_chunk send_task_update send_tool_call "
    f"send_tool_call_delta send_tool_call_result send_tool_call_start {MESSAGES}",
    "projects.history": "Gathering append_message history_file load_history",
    "projects.messages": MESSAGES,
    "recording": "Recorder Replay record replay",
    "registry": "OVERTAKEN Callback Hold Registration Registry Stats Subscription Watcher get_registry",
    "remote": "EventSource Follow Hosted Merged RemoteError SSEDecoder ServerSentEvent Status event_source follow gemini "
    "langgraph openai redact",
    "server": "Auth BackgroundServer Limits create_app serve serve_in_background",
    "server_extension": "prompt",
    "streaming": "dispatch dispatch_runtime_delta dispatch_tool_finished dispatch_tool_preparing "
    "dispatch_tool_started finish_runtime_call register start_link unregister",
    "testing": "FakeClock scripted shuffled",
    "transcript": f"Transcript {PARTS}",
}

ADAPTERS = (
    "a2a acp agent_framework agno agui anthropic anthropic_managed_agents autogen bedrock browser_use "
    "chatlas claude_agent_sdk cohere crewai dspy events github_copilot google_adk google_genai "
    "google_interactions haystack instructor jido langgraph letta llama_index mcp messages mistral "
    "mistral_conversations ollama openai_agents openai_agents_traces openai_chat openai_codex openai_responses "
    "openai_sessions openhands otel_spans pydantic_ai semantic_kernel smolagents strands text vercel_ai_ui vibex vllm xai"
)

PARAMETERS = {
    "watch": "source title agent_id adapter registry display record input budget steer",
    "live": "name title registry display record input",
    "chat": "turn title agent_id record display",
    "Chat.send": "text",
    "Chat.take_back": "sent",
    "Chat.approve": "message default timeout",
    "Chat.ask": "message options answer_schema default timeout",
    "Chat.on_request": "callback",
    "Chat.steer": "text",
    "Chat.stop": "",
    "Chat.close": "",
    "Chat.answer": "request action value reason",
    "Sent.take_back": "",
    "handler": "name title agent_id registry display record",
    "approver": "name run",
    "auto": "on registry display",
    "spans": "registry display",
    "replay": "path speed",
    "load": "path",
    "logs.Log": "path follow agent_id wait",
    "logs.sessions": "schemes limit",
    "record": "path agent_id registry",
    "configure": "renderer display_limit displays_limit answer_wait",
    "renderer": "match",
    "last": "",
    "Registry": "hold max_held max_wait keep_runs ring clock",
    "Registry.dispatch": "event",
    "Registry.finish": "agent_id run_id message_id",
    "Registry.register": "agent_id on_result on_thinking on_tool_preparing on_tool_started on_tool_finished on_event "
    "on_finished",
    "Registry.unregister": "agent_id",
    "Registry.subscribe": "agent_id after",
    "Registry.transcript": "agent_id run_id",
    "Registry.forget": "agent_id run_id",
    "Registry.agents": "",
    "Registry.stats": "agent_id",
    "Registry.close": "",
    "Watch.cancel": "",
    "Watch.done": "",
    "Watch.show": "",
    "Watch.steer": "text",
    "Live.text": "delta",
    "Live.thinking": "delta",
    "Live.tool": "name args tool_call_id",
    "Live.display": "value id",
    "Live.plan": "entries id",
    "Live.note": "text value",
    "Live.cite": "url title quote source",
    "Live.approve": "message default timeout",
    "Live.ask": "message options answer_schema default timeout",
    "Live.answer": "request action value reason",
    "Live.on_request": "callback",
    "Pending.result": "timeout",
    "Transcript.to_html": "title is_open",
    "Transcript.to_markdown": "",
    "Transcript.to_text": "",
    "adapters.get": "name ids",
    "adapters.detect": "natives",
    "remote.event_source": "url headers params token method json content resume last_event_id reconnect_delay idle_timeout "
    "connect_timeout max_event retry_statuses proxy verify sleep jitter",
    "remote.follow": "url agent_id adapter last_event_id options",
    "projects.ProjectEventStream": "log",
    "projects.ProjectEventStream.create_stream": "project_id",
    "projects.ProjectEventStream.get_stream": "project_id",
    "projects.ProjectEventStream.send_event": "project_id event_type data",
    "projects.ProjectEventStream.stream_events": "project_id last_event_id",
    "projects.ProjectEventStream.close_stream": "project_id",
    "projects.publish": "registry project_id url headers token agent_id buffer close_project",
    "server.create_app": "log auth cors hosts limits heartbeat retry",
    "streaming.register": "agent_id callbacks",
    "streaming.dispatch": "agent_id chunk",
    "streaming.dispatch_runtime_delta": "agent_id call_id chunk",
    "streaming.finish_runtime_call": "agent_id call_id",
    "testing.scripted": "text thinking tools agent_id run_id numbered size",
    "testing.shuffled": "events seed displace",
}
"""The parameters of the functions that the contract names, in their order."""


def public_modules() -> dict[str, Any]:
    """Return each module whose path has no underscore, by its name within the package."""
    prefix = vibe_notebook.__name__ + "."
    found = pkgutil.walk_packages(vibe_notebook.__path__, prefix)
    names = [module.name for module in found if "._" not in module.name]
    return {"": vibe_notebook} | {name.removeprefix(prefix): import_module(name) for name in sorted(names)}


def test_the_public_names_are_those_of_this_list() -> None:
    helpers = {
        "adapters.fields",
        "adapters.logs",
    }  # of this package: agents and SDKs change, and they with them
    modules = public_modules()
    adapters = {name for name in modules if name.startswith("adapters.")} - helpers
    assert adapters == {f"adapters.{name}" for name in ADAPTERS.split()}
    ours = {name: set(module.__all__) for name, module in modules.items() if name not in adapters | helpers}
    assert ours == {name: set(names.split()) for name, names in NAMES.items()}


@pytest.mark.parametrize("path", PARAMETERS)
def test_a_public_function_has_the_parameters_of_this_list_in_their_order(path: str) -> None:
    found: Any = vibe_notebook
    for name in path.split("."):
        found = getattr(found, name)
    assert [name for name in inspect.signature(found).parameters if name != "self"] == PARAMETERS[
        path
    ].split()

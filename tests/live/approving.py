"""Run each SDK's own waiting, offline: an agent that asks for one call of ``rm``, in a watch.

Each function takes the list to which a call that runs adds its path, and returns the watch. Every SDK's tool is
called with ``{"path": "x"}`` and the id ``call_0``.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import vibe_notebook as vibe

ARGS = {"path": "x"}
Ran = list[str]


def script(name: str) -> Any:
    return importlib.import_module(f"tests.samples.record.{name}")


def watched(source: Any) -> vibe.Watch:
    return vibe.watch(source, display=False)


def pydantic_ai(ran: Ran) -> vibe.Watch:
    sdk = importlib.import_module("pydantic_ai")
    function = importlib.import_module("pydantic_ai.models.function")

    async def model(messages: Any, info: Any) -> AsyncIterator[Any]:
        if len(messages) > 1:
            yield "over"
        else:
            yield {0: function.DeltaToolCall("rm", json.dumps(ARGS), tool_call_id="call_0")}

    agent = sdk.Agent(
        function.FunctionModel(stream_function=model), capabilities=[vibe.approver("pydantic_ai")]
    )

    @agent.tool_plain(requires_approval=True)  # type: ignore[untyped-decorator]
    def rm(path: str) -> str:
        ran.append(path)
        return "gone"

    return watched(agent.run_stream_events("go"))


def langgraph(ran: Ran) -> vibe.Watch:
    graph = importlib.import_module("langgraph.graph")
    types = importlib.import_module("langgraph.types")
    memory = importlib.import_module("langgraph.checkpoint.memory")

    def node(state: dict[str, Any]) -> dict[str, Any]:
        asked = {"action_requests": [{"name": "rm", "args": state["args"], "description": "?"}]}
        (decision,) = types.interrupt(asked)["decisions"]
        if decision["type"] != "reject":
            ran.append(decision.get("edited_action", asked["action_requests"][0])["args"]["path"])
        return state

    made = graph.StateGraph(dict)
    made.add_node("rm", node)
    made.add_edge(graph.START, "rm")
    compiled = made.compile(checkpointer=memory.InMemorySaver())
    return watched(vibe.approver("langgraph").stream(compiled, {"args": ARGS}))


def openai_agents(ran: Ran) -> vibe.Watch:
    sdk, made = importlib.import_module("agents"), script("openai_agents")

    @sdk.function_tool(needs_approval=True)  # type: ignore[untyped-decorator]
    def rm(path: str) -> str:
        ran.append(path)
        return "gone"

    agent = made.agent("a", [made.call("rm", "call_0", **ARGS)], [made.message("over")], tools=[rm])
    return watched(vibe.approver("openai_agents").stream(agent, "go", run_config=made.QUIET))


def claude_agent_sdk(ran: Ran) -> vibe.Watch:
    sdk, made = importlib.import_module("claude_agent_sdk"), script("claude_agent_sdk")
    given = asyncio.Queue[Any]()

    class Cli(made.Cli):  # type: ignore[misc]
        async def write(self, data: str) -> None:
            line = json.loads(data)
            if line.get("type") == "control_response":
                given.put_nowait(line["response"])
            await super().write(data)

        async def read_messages(self) -> AsyncIterator[Any]:
            async for line in super().read_messages():
                yield line
            asked = {"subtype": "can_use_tool", "tool_name": "rm", "input": ARGS, "tool_use_id": "call_0"}
            yield {"type": "control_request", "request_id": "r", "request": asked}
            response = (await given.get())["response"]
            if is_allowed := response["behavior"] == "allow":
                ran.append(response["updatedInput"]["path"])
            yield made.tool_result(
                "call_0", "gone" if is_allowed else response["message"], is_error=not is_allowed
            )
            yield made.last_line(result="over")

    lines = [made.first_line(), *made.streamed("msg_1", made.call("rm", "call_0", **ARGS))]

    async def prompt() -> AsyncIterator[Any]:
        yield {"type": "user", "message": {"role": "user", "content": "go"}}

    options = sdk.ClaudeAgentOptions(
        can_use_tool=vibe.approver("claude_agent_sdk"), include_partial_messages=True
    )
    return watched(sdk.query(prompt=prompt(), options=options, transport=Cli(lines)))


def acp(ran: Ran) -> vibe.Watch:
    sdk, made = importlib.import_module("acp"), script("acp")

    class Agent(made.Scripted):  # type: ignore[misc]
        async def prompt(self, **_: Any) -> Any:
            await self.conn.session_update("s1", sdk.start_tool_call("call_0", "rm", raw_input=ARGS))
            asked = sdk.schema.ToolCallUpdate(tool_call_id="call_0", title="rm")
            found = await self.conn.request_permission(
                session_id="s1", tool_call=asked, options=made.PERMISSION
            )
            if is_allowed := getattr(found.outcome, "option_id", None) == "yes":
                ran.append("x")
            status = "completed" if is_allowed else "failed"
            await self.conn.session_update("s1", sdk.update_tool_call("call_0", status=status))
            return sdk.schema.PromptResponse(stop_reason="end_turn")

    class Client(made.Watcher):  # type: ignore[misc]
        request_permission = vibe.approver("acp")

    made.Scripted, made.Watcher, before = Agent, Client, (made.Scripted, made.Watcher)

    async def prompted() -> AsyncIterator[Any]:
        try:
            async for native in made.prompted():
                yield native
        finally:
            made.Scripted, made.Watcher = before

    return watched(prompted())


def google_adk(ran: Ran) -> vibe.Watch:
    made = script("google_adk")
    tools = importlib.import_module("google.adk.tools")

    def rm(path: str) -> str:
        ran.append(path)
        return "gone"

    tool = tools.FunctionTool(rm, require_confirmation=True)
    agent = made.agent(
        "a", [made.call("rm", "call_0", **ARGS)], [made.text("over")], [made.text("over")], tools=[tool]
    )
    runner = made.InMemoryRunner(agent=agent, app_name="a")
    runner.auto_create_session = True
    message = made.types.Content(role="user", parts=[made.text("go")])
    return watched(
        vibe.approver("google_adk").stream(runner, user_id="u", session_id="s", new_message=message)
    )


def agno(ran: Ran) -> vibe.Watch:
    made = script("agno")

    def rm(path: str) -> str:
        ran.append(path)
        return "gone"

    agent = made.agent(
        "a",
        [made.call(0, "rm", json.dumps(ARGS), "call_0")],
        [{"content": "over"}],
        tools=[made.tool(requires_confirmation=True)(rm)],
    )
    return watched(vibe.approver("agno").stream(agent, "go"))


def strands(ran: Ran) -> vibe.Watch:
    made = script("strands")
    hooks = importlib.import_module("strands.hooks")

    @made.tool  # type: ignore[untyped-decorator]
    def rm(path: str) -> str:
        """Remove a file."""
        ran.append(path)
        return "gone"

    class Approval(hooks.HookProvider):  # type: ignore[misc]
        def register_hooks(self, registry: Any, **_: Any) -> None:
            registry.add_callback(hooks.BeforeToolCallEvent, self.ask)

        def ask(self, event: Any) -> None:
            if event.interrupt("sure", reason="Remove it?") != "yes":
                event.cancel_tool = "no"

    call = {"toolUse": {"toolUseId": "call_0", "name": "rm", "input": ARGS}}
    agent = made.Agent(
        model=made.Scripted([call], [{"text": "over"}]), tools=[rm], hooks=[Approval()], callback_handler=None
    )
    return watched(vibe.approver("strands").stream(agent, "go"))


SDKS: dict[str, Callable[[Ran], vibe.Watch]] = {
    each.__name__: each
    for each in (
        acp,
        agno,
        claude_agent_sdk,
        google_adk,
        langgraph,
        openai_agents,
        pydantic_ai,
        strands,
    )
}

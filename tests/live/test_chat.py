"""Run ``chat`` and ``steer`` with real SDKs, offline: the history that each turn gets, and a message to a run at work."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import vibe_notebook as vibe

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]  # the SDKs' own warnings


def talk(turn: Callable[[str, vibe.Chat], Any]) -> list[str]:
    """Send two messages, and return the answers."""

    async def main() -> list[str]:
        chat = vibe.chat(turn, display=False)
        answers = [(await chat.send(text)).text for text in ("one", "two")]
        assert [each.input for each in chat.transcript.turns] == ["one", "two"]
        chat.close()
        return answers

    return asyncio.run(main())


def heard_by_pydantic_ai(messages: Any) -> list[str]:
    return [part.content for one in messages for part in one.parts if part.part_kind == "user-prompt"]


def test_pydantic_ai_gets_the_messages_of_the_result_before() -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    models = importlib.import_module("pydantic_ai.models.function")

    async def model(messages: Any, info: Any) -> AsyncIterator[str]:
        del info
        yield f"heard {heard_by_pydantic_ai(messages)}"

    agent = pydantic_ai.Agent(models.FunctionModel(stream_function=model))

    def turn(text: str, chat: vibe.Chat) -> Any:
        history = chat.native_result.all_messages() if chat.native_result else None
        return agent.run_stream_events(text, message_history=history)

    assert talk(turn) == ["heard ['one']", "heard ['one', 'two']"]


def test_pydantic_ai_takes_a_message_that_its_run_has_queued() -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    models = importlib.import_module("pydantic_ai.models.function")

    async def model(messages: Any, info: Any) -> AsyncIterator[Any]:
        del info
        if not any(part.part_kind == "tool-return" for one in messages for part in one.parts):
            yield {0: models.DeltaToolCall(name="look", json_args="{}", tool_call_id="c1")}
        else:
            yield f"heard {heard_by_pydantic_ai(messages)}"

    agent = pydantic_ai.Agent(models.FunctionModel(stream_function=model))
    states: list[str] = []

    @agent.tool_plain
    def look() -> str:
        made.append(run.steer("and be short"))
        states.append(made[0].state)
        return "seen"

    async def steps(started: Any) -> AsyncIterator[Any]:
        async for node in started:
            if agent.is_model_request_node(node) or agent.is_call_tools_node(node):
                async with node.stream(started.ctx) as events:
                    async for event in events:
                        yield event

    made: list[vibe.Steered] = []
    run: Any = None

    async def main() -> None:
        nonlocal run
        async with agent.iter("look") as started:
            run = vibe.watch(steps(started), display=False, steer=started, input="look")
            await run

    asyncio.run(main())
    assert [*states, made[0].state] == ["pending", "taken"]
    assert run.transcript.text == "heard ['look', 'and be short']"
    assert [each.input for each in run.transcript.turns] == ["look", "and be short"]


def test_openai_agents_get_the_items_of_the_result_before() -> None:
    pytest.importorskip("agents")
    scripts = importlib.import_module("tests.samples.record.openai_agents")
    agent = scripts.agent("x", [scripts.message("hello")], [scripts.message("again")])
    asked: list[int] = []

    def turn(text: str, chat: vibe.Chat) -> Any:
        before = chat.native_result.to_input_list() if chat.native_result else []
        items = [*before, {"role": "user", "content": text}]
        asked.append(len(items))
        return scripts.Runner.run_streamed(agent, items, run_config=scripts.QUIET)

    assert talk(turn) == ["hello", "again"]
    assert asked == [1, 3]


def test_openais_responses_name_the_response_before() -> None:
    pytest.importorskip("openai")
    scripts = importlib.import_module("tests.samples.record.openai_responses")
    bodies = []
    for name in ("r1", "r2"):
        response = scripts.response("completed", id=name)
        events = [
            {"type": "response.created", "sequence_number": 0, "response": response},
            {"type": "response.completed", "sequence_number": 1, "response": response},
        ]
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
        bodies.append("".join(lines).encode())
    client = scripts.client(*bodies)
    named: list[Any] = []

    async def turn(text: str, chat: vibe.Chat) -> Any:
        last = {"previous_response_id": chat.native_result.id} if chat.native_result else {}
        named.append(last)
        return await client.responses.create(model="gpt-5.2", input=text, stream=True, **last)

    talk(turn)
    assert named == [{}, {"previous_response_id": "r1"}]


def test_langgraph_has_the_conversation_in_its_thread() -> None:
    graphs = pytest.importorskip("langgraph.graph")
    memory = importlib.import_module("langgraph.checkpoint.memory")
    messages = importlib.import_module("langchain_core.messages")

    async def node(state: Any) -> Any:
        heard = [one.content for one in state["messages"] if one.type == "human"]
        return {"messages": [messages.AIMessage(f"heard {heard}")]}

    built = graphs.StateGraph(graphs.MessagesState)
    built.add_node("node", node)
    built.add_edge(graphs.START, "node")
    graph = built.compile(checkpointer=memory.InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}

    def turn(text: str, chat: vibe.Chat) -> Any:
        del chat
        asked = {"messages": [("user", text)]}
        return graph.astream(asked, config, stream_mode=["messages", "updates"])

    assert talk(turn) == ["heard ['one']", "heard ['one', 'two']"]


def test_claudes_client_is_held_over_the_turns_and_steered() -> None:
    sdk = pytest.importorskip("claude_agent_sdk")
    scripts = importlib.import_module("tests.samples.record.claude_agent_sdk")

    class Cli(scripts.Cli):  # type: ignore[misc, name-defined]
        """Answer each message of the user by one turn, and a steering one within the turn."""

        def __init__(self) -> None:
            super().__init__([])
            self.shown = asyncio.Event()
            self.asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def write(self, data: str) -> None:
            sent = json.loads(data)
            if sent.get("type") == "control_request":
                self.asked.put_nowait(sent)
            else:
                self.asked.put_nowait({"said": sent["message"]["content"]})

        async def read_messages(self) -> AsyncIterator[Any]:
            while True:
                sent = await self.asked.get()
                if "said" not in sent:
                    answer = {"subtype": "success", "request_id": sent["request_id"], "response": {}}
                    yield {"type": "control_response", "response": answer}
                    continue
                yield scripts.first_line()
                words = [sent["said"]]
                if sent["said"] == "two":
                    for line in scripts.streamed("m-0", scripts.text("…")):
                        yield line
                    words.append((await self.asked.get())["said"])
                for line in scripts.streamed(f"m-{sent['said']}", scripts.text(f"heard {words}")):
                    yield line
                yield scripts.line(
                    "result",
                    subtype="success",
                    is_error=False,
                    duration_ms=1,
                    duration_api_ms=1,
                    num_turns=1,
                    result="",
                    total_cost_usd=0.0,
                    usage={},
                )

    async def main() -> None:
        cli = Cli()
        options = sdk.ClaudeAgentOptions(include_partial_messages=True)
        async with sdk.ClaudeSDKClient(options, transport=cli) as client:

            async def turn(text: str, chat: vibe.Chat) -> Any:
                del chat
                await client.query(text)
                return vibe.watch(client.receive_response(), steer=client)

            chat = vibe.chat(turn, display=False)
            vibe.get_registry().register(
                chat.agent_id or "", on_result=lambda event: event.delta == "…" and cli.shown.set()
            )
            assert (await chat.send("one")).text == "heard ['one']"
            sent = chat.send("two")
            await cli.shown.wait()
            assert await chat.steer("shorter")
            assert (await sent).text == "…heard ['two', 'shorter']"
            assert [each.input for each in chat.transcript.turns] == ["one", "two", "shorter"]
            assert type(chat.native_result).__name__ == "ResultMessage"

    asyncio.run(main())

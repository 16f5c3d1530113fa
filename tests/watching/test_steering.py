"""Test that a message to a running agent is pending, then taken or refused, and stands in the transcript once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

import vibe_notebook as vibe
from tests.watching.test_chat import Room
from vibe_notebook.exceptions import ClosedError, NotSupportedError
from vibe_notebook.parts import CustomPart

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Agent:
    """Be an agent that says what it is told, until it is told to stop."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.began = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        yield "working"
        self.began.set()
        while (words := await self.heard.get()) != "stop":
            yield f", {words}"

    def __call__(self, text: str) -> None:
        if text == "bad":
            raise ValueError("not this")
        self.heard.put_nowait(text)

    async def slowly(self, text: str) -> None:
        await asyncio.sleep(0)
        self(text)


def said(run: vibe.Watch) -> list[tuple[str, str]]:
    return [(part.role, part.text) for part in run.transcript.parts if part.kind == "text"]


def not_taken(run: Any) -> list[Any]:
    return [
        part.value
        for part in run.transcript.parts
        if isinstance(part, CustomPart) and part.name == "Not taken"
    ]


@pytest.mark.parametrize("name", ["__call__", "slowly"])
async def test_a_function_steers_and_the_message_is_a_turn_of_the_user(name: str) -> None:
    agent = Agent()
    source = vibe.watch(aiter(agent), display=False, steer=getattr(agent, name), input="Work.")
    async with source as run:
        assert run.can_steer
        steps = aiter(run)
        assert await anext(steps) == "working"
        steered = run.steer("shorter")
        assert await steered
        assert (steered.state, steered.reason) == ("taken", None)
        assert await anext(steps) == ", shorter"
        bad = run.steer("bad")
        assert not await bad
        assert (bad.state, bad.reason) == ("refused", "not this")
        run.steer("stop")
        assert [each async for each in steps] == []
    assert ("user", "shorter") in said(run)
    assert not_taken(run) == ["bad: not this"]
    assert [turn.input for turn in run.transcript.turns if turn.input] == ["Work.", "shorter", "stop"]
    assert "Work." in run.transcript.to_html()
    assert not run.can_steer
    with pytest.raises(ClosedError):
        run.steer("again")


async def test_a_message_before_the_first_event_waits_for_the_run() -> None:
    async def steps() -> AsyncIterator[str]:
        assert await run.steer("early")
        yield "one"
        yield "two"

    run = vibe.watch(steps(), display=False, steer=lambda _: None, input="Go.")
    await run
    assert [turn.input for turn in run.transcript.turns] == ["Go.", "early"]

    silent = vibe.watch(aiter_of_nothing(lambda: silent.steer("early")), display=False, steer=lambda _: None)
    await silent
    assert [turn.input for turn in silent.transcript.turns] == ["early"]


async def aiter_of_nothing(before: Callable[[], object]) -> AsyncIterator[str]:
    before()
    return
    yield "never"


async def test_what_cannot_be_steered_says_what_can() -> None:
    run = vibe.watch(["a"], display=False)
    assert not run.can_steer
    with pytest.raises(NotSupportedError, match="ClaudeSDKClient"):
        run.steer("x")
    await run
    source = iter(["a"])
    with pytest.raises(NotSupportedError, match="function of the text"):
        vibe.watch(source, steer=object())


@pytest.mark.parametrize("text", ["", "  ", 7])
async def test_a_message_without_words_is_refused(text: Any) -> None:
    agent = Agent()
    async with vibe.watch(aiter(agent), display=False, steer=agent) as run:
        with pytest.raises((ValueError, TypeError)):
            run.steer(text)


class Run:
    """Be a run of pydantic-ai, as far as steering goes: its queue names each message."""

    def __init__(self) -> None:
        self.queue: list[tuple[str, str]] = []

    def enqueue(self, *content: str) -> str:
        self.queue.append((f"id-{len(self.queue)}", content[0]))
        return self.queue[-1][0]

    @staticmethod
    def delivered(key: str, words: str) -> dict[str, Any]:
        part = {"part_kind": "user-prompt", "content": words}
        return {
            "event_kind": "enqueued_messages",
            "enqueue_id": key,
            "messages": [{"kind": "request", "parts": [part]}],
        }


PART = {"event_kind": "part_start", "index": 0, "part": {"part_kind": "text", "content": "working"}}


@pytest.mark.parametrize("by", [lambda run: run, lambda run: run.enqueue], ids=["run", "method"])
async def test_a_queued_message_is_pending_until_its_event_and_stands_there_once(
    by: Callable[[Run], Any],
) -> None:
    sdk = Run()
    states: list[str] = []

    async def events() -> AsyncIterator[dict[str, Any]]:
        yield PART
        first, second = run.steer("shorter"), run.steer("too late")
        states.append(first.state)
        yield sdk.delivered("unknown", "of another caller")
        states.append(first.state)
        yield sdk.delivered("id-0", "shorter")
        yield PART
        states.extend([first.state, second.state])
        made.extend([first, second])

    made: list[vibe.Steered] = []
    run = vibe.watch(events(), display=False, steer=by(sdk), input="Go.")
    await run
    assert run.transcript.turns[0].input == "Go."
    assert states == ["pending", "pending", "taken", "pending"]
    assert [one.state for one in made] == ["taken", "refused"]
    assert [words for role, words in said(run) if role == "user"] == ["of another caller", "shorter"]
    assert not_taken(run) == ["too late: The run ended before it took the message."]


class Socket:
    """Be OpenAI's WebSocket connection, as far as steering goes."""

    def __init__(self) -> None:
        self.response = self
        self.sent: list[dict[str, str]] = []

    async def steer(self, *, input: str, previous_response_id: str) -> None:  # noqa: A002 - theirs
        self.sent.append({"input": input, "previous_response_id": previous_response_id})


def created(name: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": name}}


async def test_an_accepted_message_is_taken_by_the_next_response_and_a_failed_one_is_refused() -> None:
    socket = Socket()
    made: list[vibe.Steered] = []
    states: list[list[str]] = []

    async def steer(text: str) -> None:
        made.append(run.steer(text))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def events() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "response.queued", "response": {"id": "r0"}}
        await steer("too early")
        yield created("r1")
        await steer("in °F")
        await steer("shorter")
        yield {"type": "response.steer.accepted", "steer": {"id": "s1", "previous_response_id": "r1"}}
        states.append([one.state for one in made])
        yield {
            "type": "response.steer.failed",
            "steer": {"previous_response_id": "r1", "input": "shorter"},
            "error": {"code": "too_many_pending_steers", "message": "Too many."},
        }
        states.append([one.state for one in made])
        yield created("r2")
        yield {"type": "response.completed", "response": {"id": "r2"}}
        states.append([one.state for one in made])

    run = vibe.watch(events(), display=False, steer=socket)
    await run
    assert states == [
        ["refused", "pending", "pending"],
        ["refused", "pending", "refused"],
        ["refused", "taken", "refused"],
    ]
    assert socket.sent[0] == {"input": "in °F", "previous_response_id": "r1"}
    assert [one.reason for one in made] == ["No response runs yet.", None, "Too many."]


async def test_a_client_is_asked_on_the_streams_own_loop_from_any_thread() -> None:
    threads: list[threading.Thread] = []
    agent = Agent()

    class Client:
        async def query(self, text: str) -> None:
            threads.append(threading.current_thread())
            agent(text)

        def receive_response(self) -> None: ...

    async with vibe.watch(aiter(agent), display=False, steer=Client()) as run:
        steps = aiter(run)
        await anext(steps)
        steered = await asyncio.to_thread(run.steer, "shorter")
        assert await steered
        assert await anext(steps) == ", shorter"
    assert threads == [threading.current_thread()]


@dataclass
class TextBlock:
    text: str


@dataclass
class UserMessage:
    """Be a message of Claude's SDK, as far as its adapter and steering read it."""

    content: str | list[TextBlock]
    uuid: str = "u"
    parent_tool_use_id: str | None = None


@pytest.mark.parametrize("content", ["shorter", [TextBlock("shorter")]])
async def test_a_client_that_repeats_messages_has_taken_one_when_it_repeats_it_and_shows_it_once(
    content: Any,
) -> None:
    class Client:
        options: ClassVar[dict[str, Any]] = {"extra_args": {"replay-user-messages": None}}

        async def query(self, text: str) -> None: ...
        def receive_response(self) -> None: ...

    states: list[str] = []

    async def events() -> AsyncIterator[Any]:
        yield {"type": "system", "subtype": "init", "session_id": "s"}
        made = run.steer("shorter")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        states.append(made.state)
        yield UserMessage(content)
        states.append(made.state)

    run = vibe.watch(events(), display=False, steer=Client(), adapter="claude_agent_sdk")
    await run
    assert states == ["pending", "taken"]
    assert [words for role, words in said(run) if role == "user"] == ["shorter"]


def test_a_stream_in_a_for_loop_is_steered_too() -> None:
    heard: list[str] = []

    def steps() -> Iterator[str]:
        yield "one"
        yield f"heard {heard}"

    async def steer(text: str) -> None:
        heard.append(text)

    with vibe.watch(steps(), display=False, steer=steer) as run:
        for each in run:
            if each == "one":
                assert run.steer("shorter").future.result(timeout=10)
    assert run.transcript.turns[-1].input == "shorter"


async def test_a_turn_of_a_chat_is_steered_by_the_watch_that_it_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Agent()

    def turn(text: str, chat: vibe.Chat) -> Any:
        del text, chat
        return vibe.watch(aiter(agent), steer=agent)

    room = Room(turn, monkeypatch)
    with pytest.raises(NotSupportedError, match="No turn runs"):
        room.chat.steer("early")
    sent = room.chat.send("go")
    await agent.began.wait()
    assert room.click(type="steer", id="x", text="shorter")
    assert room.seen.steered[-1] == {"can": True, "sent": [["x", "shorter", "taken", None]]}
    assert await room.chat.steer("stop")
    assert [turn.input for turn in (await sent).turns] == ["go", "shorter", "stop"]
    assert room.seen.steered[-1]["can"] is False
    assert room.click(type="steer", id="y", text="late")
    assert room.seen.states[-1]["refused"] == ("y", "No turn runs that takes a message now.")
    room.chat.close()

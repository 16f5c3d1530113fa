"""Test that a chat runs its turns one after the other in one view, and that nothing ends it but its close."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook._host import host
from vibe_notebook._limits import CHAT_QUEUE
from vibe_notebook._watching import chat as _chat
from vibe_notebook._watching import pipeline as _pipeline
from vibe_notebook.display._output import NoOutput
from vibe_notebook.events import RunStarted, TextDelta
from vibe_notebook.exceptions import ClosedError
from vibe_notebook.parts import CustomPart, InputPart, TextPart

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # a chat's turns run on asyncio: a kernel's loop, or one of their own


class Seen(NoOutput):
    """Record what a chat shows."""

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []
        self.steered: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.notes: list[str] = []
        self.finished = 0

    def chat(self, state: Any) -> None:
        self.states.append(dict(state))

    def steering(self, state: Any) -> None:
        self.steered.append(dict(state))

    def ask(self, request_id: str, form: dict[str, Any] | None) -> None:
        self.asked.append(request_id if form else f"-{request_id}")

    def report(self, text: str) -> None:
        self.notes.append(text)

    def finish(self, transcripts: Any) -> None:
        del transcripts
        self.finished += 1


class Room:
    """Hold a chat, and the controls and the output of its view."""

    def __init__(
        self, turn: Callable[[str, vibe.Chat], Any], monkeypatch: pytest.MonkeyPatch, **options: Any
    ) -> None:
        self.seen = Seen()
        self.controls: Any = None

        def make(*_: Any, controls: Any, **__: Any) -> Seen:
            self.controls = controls
            return self.seen

        with monkeypatch.context() as patched:
            patched.setattr(_pipeline, "make_output", make)
            self.chat = vibe.chat(turn, **options)

    def click(self, **message: Any) -> bool:
        done: bool = self.controls.use(message)
        return done


class Gates:
    """Hold turns open until a test opens them."""

    def __init__(self) -> None:
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.gates: dict[str, asyncio.Event] = {}

    async def __call__(self, text: str, chat: vibe.Chat) -> AsyncIterator[str]:
        del chat
        yield f"about {text}"
        self.began.put_nowait(text)
        await self.gates.setdefault(text, asyncio.Event()).wait()
        yield ", done"

    def open(self, text: str) -> None:
        self.gates.setdefault(text, asyncio.Event()).set()


def texts(chat: vibe.Chat) -> list[str]:
    return [part.text for part in chat.transcript.parts if isinstance(part, TextPart)]


async def echo(text: str, chat: vibe.Chat) -> AsyncIterator[str]:
    del chat
    yield f"you said {text}"


async def test_each_message_is_a_turn_of_one_agent_in_one_transcript() -> None:
    chat = vibe.chat(echo, display=False)
    first = await chat.send("one")
    second = await chat.send("two")
    assert (first.text, second.text) == ("you said one", "you said two")
    assert [turn.input for turn in chat.transcript.turns] == ["one", "two"]
    assert texts(chat) == [
        "you said one",
        "you said two",
    ]
    assert list(chat.transcripts) == [chat.agent_id]


def returns(value: Any) -> Callable[[str, vibe.Chat], Any]:
    def turn(text: str, chat: vibe.Chat) -> Any:
        del text, chat
        return value() if callable(value) else value

    return turn


async def a_text() -> str:
    return "a text"


async def a_stream() -> AsyncIterator[str]:
    async def pieces() -> AsyncIterator[str]:
        yield "a "
        yield "text"

    return pieces()


@pytest.mark.parametrize(
    "value",
    [
        "a text",
        lambda: ["a ", "text"],
        lambda: iter(["a ", "text"]),
        a_text,
        a_stream,
        lambda: vibe.watch(["a ", "text"]),
    ],
    ids=["text", "list", "iterator", "coroutine", "coroutine-of-a-stream", "watch"],
)
async def test_a_turn_may_return_a_text_a_stream_a_coroutine_or_a_watch(value: Any) -> None:
    chat = vibe.chat(returns(value), display=False)
    transcript = await chat.send("go")
    assert (transcript.text, transcript.outcome) == ("a text", "success")
    assert [turn.input for turn in transcript.turns] == ["go"]


async def test_a_turn_that_returns_nothing_still_shows_the_users_words() -> None:
    chat = vibe.chat(returns(None), display=False)
    transcript = await chat.send("go")
    assert (transcript.text, transcript.outcome) == ("", "success")
    assert [turn.input for turn in chat.transcript.turns] == ["go"]


async def test_the_runs_of_one_turn_go_on_with_that_turn_and_a_reused_run_id_is_another_run() -> None:
    def turn(text: str, chat: vibe.Chat) -> Any:
        agent_id = chat.agent_id or ""
        return [
            RunStarted(agent_id=agent_id, run_id="same"),
            TextDelta(agent_id=agent_id, run_id="same", delta=text),
            RunStarted(agent_id=agent_id, run_id="more"),
            TextDelta(agent_id=agent_id, run_id="more", delta="!"),
        ]

    chat = vibe.chat(turn, display=False)
    await chat.send("one")
    await chat.send("two")
    turns = chat.transcript.turns
    assert [(turn.input, len(turn.run_ids)) for turn in turns] == [("one", 2), ("two", 2)]
    assert texts(chat) == [
        "one",
        "!",
        "two",
        "!",
    ]


async def test_what_is_sent_during_a_turn_waits_and_can_be_taken_back() -> None:
    gates = Gates()
    chat = vibe.chat(gates, display=False)
    first, second, third = chat.send("one"), chat.send("two"), chat.send("three")
    assert await gates.began.get() == "one"
    assert [sent.text for sent in chat.queue] == ["two", "three"]
    assert second.take_back()
    assert not first.take_back()
    assert not second.take_back()
    with pytest.raises(ClosedError, match="taken back"):
        await second
    gates.open("one")
    gates.open("three")
    assert (await third).text == "about three, done"
    assert [turn.input for turn in chat.transcript.turns] == ["one", "three"]


async def test_stop_ends_the_turn_and_the_next_message_has_its_own() -> None:
    gates = Gates()
    chat = vibe.chat(gates, display=False)
    first, second = chat.send("one"), chat.send("two")
    await gates.began.get()
    assert chat.stop()
    assert (await first).outcome == "cancelled"
    gates.open("two")
    assert (await second).outcome == "success"
    assert not chat.stop()
    lines = [part.name for part in chat.transcript.parts if isinstance(part, CustomPart)]
    assert lines == ["Stopped"]


async def test_stop_ends_a_turn_whose_function_has_returned_no_stream_yet() -> None:
    began = asyncio.Event()

    async def turn(text: str, chat: vibe.Chat) -> str:
        del chat
        if text == "one":
            began.set()
            await asyncio.Event().wait()
        return text

    chat = vibe.chat(turn, display=False)
    first = chat.send("one")
    await began.wait()
    assert chat.stop()
    assert (await first).outcome == "cancelled"
    assert (await chat.send("two")).text == "two"


def raising(text: str, chat: vibe.Chat) -> Any:
    del chat
    raise LookupError(text)


async def failing(text: str, chat: vibe.Chat) -> AsyncIterator[str]:
    del chat
    yield "well"
    raise LookupError(text)


@pytest.mark.parametrize("turn", [raising, failing, returns(7), returns(lambda: {"a": 1})])
async def test_a_failed_turn_is_shown_and_raised_and_the_chat_goes_on(turn: Any) -> None:
    failed: list[str] = []

    def once(text: str, chat: vibe.Chat) -> Any:
        return turn(text, chat) if text == "bad" else text

    chat = vibe.chat(once, display=False)
    with pytest.raises((LookupError, TypeError)) as caught:
        await chat.send("bad")
    assert (await chat.send("good")).text == "good"
    failed = [
        str(part.value)
        for part in chat.transcript.parts
        if isinstance(part, CustomPart) and part.name == "Failed"
    ]
    assert len(failed) == 1
    assert str(caught.value) in failed[0]
    assert "Failed" in chat.transcript.to_html()
    assert [turn.input for turn in chat.transcript.turns] == ["bad", "good"]


async def test_the_next_turn_gets_the_watch_of_the_turn_before_and_the_newest_result() -> None:
    seen: list[tuple[str | None, Any]] = []

    async def turn(text: str, chat: vibe.Chat) -> AsyncIterator[str]:
        seen.append((None if chat.last is None else chat.last.transcript.outcome, chat.native_result))
        yield text
        if text == "bad":
            raise ValueError(text)

    chat = vibe.chat(turn, display=False)
    await chat.send("one")
    with pytest.raises(ValueError, match="bad"):
        await chat.send("bad")
    await chat.send("two")
    assert seen == [(None, None), ("success", "one"), ("error", "one")]
    assert chat.last is not None
    assert (chat.last.done(), chat.last.native_result) == (True, "two")


async def test_close_stops_the_turn_drops_what_waits_and_ends_the_wait_for_the_chat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gates = Gates()
    room = Room(gates, monkeypatch)
    first, second = room.chat.send("one"), room.chat.send("two")
    await gates.began.get()
    room.chat.close()
    room.chat.close()
    with pytest.raises(ClosedError, match="closed before"):
        await second
    assert (await first).outcome == "cancelled"
    assert (await room.chat).turns[0].input == "one"
    assert (room.chat.done(), room.seen.finished) == (True, 1)
    with pytest.raises(ClosedError, match="start a new one"):
        room.chat.send("three")


async def test_an_idle_chat_closes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(echo, monkeypatch)
    await room.chat.send("one")
    await room.chat  # nobody is there: the queue is empty
    assert not room.chat.done()
    room.chat.close()
    assert (room.chat.done(), room.seen.finished) == (True, 1)


async def test_where_nobody_is_there_the_wait_ends_with_the_queue() -> None:
    chat = vibe.chat(echo, display=False)
    chat.send("one")
    chat.send("two")
    transcript = await chat
    assert [turn.input for turn in transcript.turns] == ["one", "two"]
    assert (await chat) == transcript


def test_a_chat_works_without_a_running_loop() -> None:
    chat = vibe.chat(echo, display=False)
    assert chat.send("one").future.result(timeout=10).text == "you said one"
    assert asyncio.run(sent_in_a_loop(chat)) == "you said two"
    assert chat.send("three").future.result(timeout=10).text == "you said three"
    chat.close()
    assert [turn.input for turn in chat.transcript.turns] == ["one", "two", "three"]


async def sent_in_a_loop(chat: vibe.Chat) -> str:
    return (await chat.send("two")).text


async def test_a_thread_may_send_and_the_turn_runs_on_the_chats_loop() -> None:
    threads: list[threading.Thread] = []

    def turn(text: str, chat: vibe.Chat) -> str:
        del chat
        threads.append(threading.current_thread())
        return text

    chat = vibe.chat(turn, display=False)
    sent = await asyncio.to_thread(chat.send, "one")
    assert (await sent).text == "one"
    assert threads == [threading.current_thread()]


@pytest.mark.parametrize("text", ["", " \n", 7])
async def test_a_message_without_words_is_refused(text: Any) -> None:
    chat = vibe.chat(echo, display=False)
    with pytest.raises((ValueError, TypeError)):
        chat.send(text)
    assert chat.queue == []


async def test_a_full_queue_refuses_and_the_page_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = Gates()
    room = Room(gates, monkeypatch)
    room.chat.send("first")
    await gates.began.get()
    for n in range(CHAT_QUEUE):
        room.chat.send(f"message {n}")
    with pytest.raises(ValueError, match="wait for their turn"):
        room.chat.send("one more")
    assert room.click(type="send", id="x", text="one more")
    assert room.seen.states[-1]["refused"] == ("x", f"{CHAT_QUEUE} messages wait for their turn already.")
    assert len(room.chat.queue) == CHAT_QUEUE
    room.chat.close()


async def test_a_page_sends_sees_the_queue_and_takes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = Gates()
    room = Room(gates, monkeypatch)
    assert room.seen.states[-1] == {
        "busy": False,
        "queue": [],
        "seen": [],
        "back": None,
        "refused": None,
        "alone": True,
    }
    assert room.click(type="send", id="a", text="one")
    await gates.began.get()
    assert room.click(type="send", id="b", text="two")
    state = room.seen.states[-1]
    assert (state["busy"], state["queue"], state["seen"]) == (True, [["b", "two"]], ["a", "b"])
    assert room.click(type="take_back", id="b")
    assert (room.seen.states[-1]["queue"], room.seen.states[-1]["back"]) == ([], ("b", "two"))
    assert room.click(type="take_back", id="a")  # its turn has begun: nothing happens
    assert room.click(type="stop")
    await room.chat
    assert room.seen.states[-1]["busy"] is False
    assert not room.click(type="send", id="c")
    assert room.click(type="close")
    assert room.seen.finished == 1


async def test_a_turn_asks_in_the_view_of_the_chat_and_its_end_settles_what_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: asyncio.Queue[vibe.Request] = asyncio.Queue()

    async def turn(text: str, chat: vibe.Chat) -> AsyncIterator[str]:
        pending = chat.approve(f"{text}?")
        if text != "forgotten":
            yield "yes" if await pending else "no"

    room = Room(turn, monkeypatch)
    room.chat.on_request(asked.put_nowait)
    sent = room.chat.send("delete")
    request = await asked.get()
    assert room.chat.requests == [request]
    assert room.click(type="answer", request_id=request.request_id, action="accept")
    assert (await sent).text == "yes"
    sent = room.chat.send("forgotten")
    await sent
    forgotten = await asked.get()
    assert room.chat.requests == []
    assert not room.chat.answer(forgotten, "accept")
    assert room.seen.asked == [
        request.request_id,
        f"-{request.request_id}",
        forgotten.request_id,
        f"-{forgotten.request_id}",
    ]
    answers = [part.request.answer for part in room.chat.transcript.parts if isinstance(part, InputPart)]
    assert [answer.action for answer in answers if answer is not None] == ["accept", "cancel"]
    with pytest.raises(ClosedError, match="No turn runs"):
        room.chat.ask("Now?")


async def test_a_recording_has_all_turns(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    chat = vibe.chat(echo, display=False, record=path, agent_id="talker", title="Talk")
    await chat.send("one")
    await chat.send("two")
    chat.close()
    replayed = await vibe.watch(vibe.replay(path, speed=0), display=False)
    assert [turn.input for turn in replayed.turns] == ["one", "two"]
    assert replayed.text == chat.transcript.text
    assert {json.loads(line)["agent_id"] for line in path.read_text().splitlines()} == {"talker"}


async def test_a_terminal_has_a_prompt_until_its_end_and_goes_on_after_a_failed_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter(["one", " ", "bad", "two"])

    class Terminal:
        asks_in_lines = True

        def __getattr__(self, name: str) -> Any:
            return getattr(host(), name)

        def ask_line(self, prompt: str) -> str:
            del prompt
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

    monkeypatch.setattr(_chat, "host", Terminal)

    async def turn(text: str, chat: vibe.Chat) -> AsyncIterator[str]:
        del chat
        yield f"you said {text}"
        if text == "bad":
            raise ValueError(text)

    chat = vibe.chat(turn)
    transcript = await chat
    assert [turn.input for turn in transcript.turns] == ["one", "bad", "two"]
    assert chat.done()
    assert "you said two" in capsys.readouterr().out


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt])
async def test_a_turn_that_cancels_itself_costs_no_later_turn(error: type[BaseException]) -> None:
    def turn(text: str, chat: vibe.Chat) -> str:
        del chat
        if text == "one":
            raise error
        return text

    chat = vibe.chat(turn, display=False)
    first, second = chat.send("one"), chat.send("two")
    assert (await second).text == "two"
    with pytest.raises(error):
        await first


async def test_the_reason_of_a_budgets_end_stands_in_its_turn() -> None:
    def turn(text: str, chat: vibe.Chat) -> Any:
        del chat
        return vibe.watch(iter([text * 20, text]), adapter="text", budget=vibe.Budget(tokens=1))

    chat = vibe.chat(turn, display=False)
    await chat.send("word")
    lines = [part for part in chat.transcript.parts if part.kind == "custom"]
    assert [(line.name, line.value) for line in lines] == [
        ("Stopped", "The budget of 1 tokens is used up (≈20 tokens).")
    ]


async def test_a_text_goes_on_below_what_was_asked_within_it() -> None:
    async def turn(text: str, chat: vibe.Chat) -> AsyncIterator[str]:
        yield text
        chat.on_request(lambda request: chat.answer(request, "accept"))
        await chat.approve("Sure?")
        yield "after"

    chat = vibe.chat(turn, display=False)
    await chat.send("before")
    kinds = [(part.kind, getattr(part, "text", None)) for part in chat.transcript.parts]
    assert kinds == [("text", "before"), ("input", None), ("text", "after")]

"""A run that waits in its SDK is asked all at once, and goes on in the same run of the same view."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import vibe_notebook as vibe
from tests.watching.sdk_doubles import install
from vibe_notebook._watching.unattended import ANSWERS


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ANSWERS, raising=False)
    install(monkeypatch, "langgraph.types", "Command")


class State(NamedTuple):
    """Stand for LangGraph's ``StateSnapshot``."""

    interrupts: tuple[Any, ...]


class Graph:
    """Stand for a compiled graph: one node for each list of questions, which it asks one after the other."""

    def __init__(self, *nodes: list[Any]) -> None:
        self.nodes = nodes
        self.answers: list[list[Any]] = [[] for _ in nodes]
        self.given: list[Any] = []
        self.starts = [0] * len(nodes)

    def open(self) -> list[Any]:
        return [
            SimpleNamespace(id=f"{place}-{len(answers)}", value=questions[len(answers)])
            for place, (questions, answers) in enumerate(zip(self.nodes, self.answers, strict=True))
            if len(answers) < len(questions)
        ]

    async def astream(self, given: Any, config: Any, stream_mode: Any) -> AsyncIterator[Any]:
        del config, stream_mode
        self.given.append(given)
        resumed = getattr(given, "fields", {}).get("resume", {})
        for interrupt in self.open():
            place = int(interrupt.id.partition("-")[0])
            self.starts[place] += 1
            if interrupt.id in resumed:
                self.answers[place].append(resumed[interrupt.id])
        for interrupt in self.open():
            yield "updates", {"__interrupt__": (interrupt,)}
        if not self.open():
            yield "updates", {"end": {"answers": 1}}

    async def aget_state(self, config: Any) -> State:
        del config
        return State(tuple(self.open()))


def resumed(graph: Graph) -> vibe.Watch:
    source = vibe.approver("langgraph").stream(graph, {"x": 1})
    return vibe.watch(source, display=False, registry=vibe.Registry())


def answered_by(
    run: vibe.Watch, answer: Callable[[vibe.Request], tuple[Any, ...] | None]
) -> list[vibe.Request]:
    seen: list[vibe.Request] = []

    def asked(request: vibe.Request) -> None:
        seen.append(request)
        given = answer(request)
        if given is not None:
            asyncio.get_running_loop().call_soon(lambda: run.answer(request, *given))

    run.on_request(asked)
    return seen


@pytest.mark.anyio
async def test_interrupts_that_wait_at_once_are_asked_at_once_and_resumed_by_their_ids() -> None:
    graph = Graph(["City?", "Sure?"], [{"question": "Class?", "options": ["first", "second"]}])
    run = resumed(graph)
    open_at_once: list[int] = []

    def answer(request: vibe.Request) -> tuple[Any, ...]:
        open_at_once.append(len(run.requests))
        return "accept", {"City?": "Lima", "Sure?": "yes", "Class?": "second"}[request.message or ""]

    answered_by(run, answer)
    await run
    assert graph.answers == [["Lima", "yes"], ["second"]]
    assert open_at_once == [1, 2, 1]
    assert graph.given[1].fields == {"resume": {"0-0": "Lima", "1-0": "second"}}
    assert (run.transcript.outcome, len(run.transcript.runs)) == ("success", 1)
    asked = [part.request.message for part in run.transcript.parts if part.kind == "input"]
    assert asked == ["City?", "Class?", "Sure?"]  # each once, although the graph repeats what still waits


@pytest.mark.anyio
async def test_a_declined_question_is_not_resumed_and_not_asked_again() -> None:
    graph = Graph(["City?"], ["Class?"])
    run = resumed(graph)
    seen = answered_by(run, lambda request: ("accept", "x") if request.message == "City?" else ("decline",))
    await run
    assert graph.answers == [["x"], []]
    assert len(seen) == 2
    assert run.transcript.outcome == "interrupted"


@pytest.mark.anyio
async def test_a_run_whose_only_question_is_declined_ends_as_interrupted() -> None:
    run = resumed(Graph(["City?"]))
    answered_by(run, lambda _: ("decline",))
    await run
    assert run.transcript.outcome == "interrupted"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (("accept",), {"type": "approve"}),
        (("accept", {"path": "y"}), {"type": "edit", "edited_action": {"name": "rm", "args": {"path": "y"}}}),
        (("decline", None, "no"), {"type": "reject", "message": "no"}),
        (("cancel",), {"type": "reject", "message": "The call was cancelled by the user."}),
    ],
)
async def test_each_call_of_an_interrupt_gets_its_own_decision(
    answer: tuple[Any, ...], decision: dict[str, Any]
) -> None:
    actions = [{"name": "rm", "args": {"path": path}} for path in "xz"]
    graph = Graph([{"action_requests": actions}])
    run = resumed(graph)
    seen = answered_by(run, lambda _: answer if len(run.requests) == 1 else ("decline", None, "second"))
    await run
    assert graph.answers == [[{"decisions": [decision, {"type": "reject", "message": "second"}]}]]
    assert [request.kind for request in seen] == ["approval", "approval"]


@pytest.mark.anyio
async def test_without_anybody_the_watch_ends_with_the_error_and_nothing_is_resumed() -> None:
    graph = Graph(["City?"], ["Class?"])
    run = resumed(graph)
    with pytest.raises(vibe.NoAnswerError):
        await run
    assert (graph.answers, len(graph.given), run.transcript.outcome) == ([[], []], 1, "error")
    given = [part.request.answer for part in run.transcript.parts if part.kind == "input"]
    assert [answer is not None and answer.action for answer in given] == ["cancel", "cancel"]


@pytest.mark.anyio
async def test_a_watch_that_is_cancelled_while_it_asks_resumes_nothing() -> None:
    graph = Graph(["City?"])
    run = resumed(graph)
    run.on_request(lambda _: asyncio.get_running_loop().call_soon(run.cancel))
    await run
    assert (graph.answers, len(graph.given), run.transcript.outcome) == ([[]], 1, "cancelled")


@pytest.mark.anyio
async def test_gathered_runs_of_one_approver_are_never_mixed_up() -> None:
    graphs = [Graph(["City?"]), Graph(["City?"])]
    source = vibe.approver("langgraph")
    runs = [vibe.watch(source.stream(graph, {}), display=False, registry=vibe.Registry()) for graph in graphs]
    for number, run in enumerate(runs):
        answered_by(run, lambda _, number=number: ("accept", str(number)))  # type: ignore[misc]
    await asyncio.gather(*runs)
    assert [graph.answers for graph in graphs] == [[["0"]], [["1"]]]


# OpenAI's Agents SDK


class Result:
    """Stand for ``RunResultStreaming``."""

    def __init__(self, runner: Runner, given: Any) -> None:
        self.runner = runner
        self.input = "go"
        self.interruptions: list[Any] = []
        self.is_complete = False
        self.verdicts: dict[str, tuple[bool, str | None]] = {} if given == "go" else given.verdicts

    async def stream_events(self) -> AsyncIterator[Any]:
        yield {"type": "agent_updated_stream_event", "new_agent": {"name": "a"}}
        if self.verdicts:
            for call_id, (is_run, why) in self.verdicts.items():
                if is_run:
                    self.runner.ran.append(call_id)
                raw = {"type": "function_call_output", "call_id": call_id, "output": why or "gone"}
                item = {"type": "tool_call_output_item", "raw_item": raw, "output": raw["output"]}
                yield {"type": "run_item_stream_event", "name": "tool_output", "item": item}
        else:
            self.interruptions = [
                SimpleNamespace(
                    type="tool_approval_item",
                    tool_name="rm",
                    raw_item={"type": "function_call", "call_id": name, "name": "rm", "arguments": "{}"},
                )
                for name in ("c1", "c2")
            ]
        self.is_complete = True

    def to_state(self) -> Any:
        verdicts: dict[str, Any] = {}

        def approve(item: Any) -> None:
            verdicts[item.raw_item["call_id"]] = True, None

        def reject(item: Any, *, rejection_message: str | None = None) -> None:
            verdicts[item.raw_item["call_id"]] = False, rejection_message

        return SimpleNamespace(approve=approve, reject=reject, verdicts=verdicts)

    def cancel(self) -> None:
        self.is_complete = True


class Runner:
    """Stand for the SDK's ``Runner``."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.parts = 0

    def run_streamed(self, agent: Any, given: Any) -> Result:
        del agent
        self.parts += 1
        return Result(self, given)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    install(monkeypatch, "agents")
    made = Runner()
    monkeypatch.setattr("agents.Runner", made, raising=False)
    return made


@pytest.mark.anyio
async def test_of_two_calls_one_is_approved_while_the_other_waits_and_the_run_goes_on_with_both(
    runner: Runner,
) -> None:
    run = vibe.watch(
        vibe.approver("openai_agents").stream(None, "go"), display=False, registry=vibe.Registry()
    )
    both = asyncio.Event()
    answered_by(run, lambda _: both.set() if len(run.requests) == 2 else None)

    async def answer() -> None:
        await both.wait()
        first, second = run.requests
        with pytest.raises(ValueError, match="as the agent has written it"):
            run.answer(first, "accept", {"path": "y"})
        assert run.answer(first, "accept")
        await asyncio.sleep(0)
        assert (runner.ran, runner.parts) == ([], 1)
        assert run.answer(second, "decline", reason="keep it")

    await asyncio.gather(run, answer())
    assert (runner.ran, runner.parts) == (["c1"], 2)
    assert [call.request is not None for call in run.transcript.tools] == [True, True]
    assert (run.transcript.outcome, len(run.transcript.runs)) == ("success", 1)
    assert "keep it" in run.transcript.to_text()

"""Nothing costs the square: twice as many events, in whatever order, make at most about twice as many calls.

Counted, not timed. A clock made of the count paces the live view, so a draw "takes" what it calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.counting import Calls, calls
from vibe_notebook._forms.markdown import is_safe
from vibe_notebook._forms.neutral import neutralize
from vibe_notebook._half_pairs import HalfPairs
from vibe_notebook._markdown.renderer import render
from vibe_notebook._ordering.seen_numbers import LIST_LIMIT, Intervals, Keys
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._view import View
from vibe_notebook.events import (
    Artifact,
    Citation,
    Custom,
    Event,
    InputAnswered,
    InputRequested,
    MessageFinished,
    MessageStarted,
    PartCompleted,
    Plan,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    Usage,
)
from vibe_notebook.registry import Registry
from vibe_notebook.remote import SSEDecoder

SIZE = 400
GROWTH = 2.3
"""Most calls for twice the input, in calls for the input: 2, and a logarithm, and what is fixed."""

SEEN_GROWTH = 2.7
"""The same with a live view, where one draw more or less is a part of it."""

Stream = Callable[[int], list[Event]]
A: Any = {"agent_id": "a"}
R: Any = {"agent_id": "a", "run_id": "r"}


def text(number: int | None = None, message: str = "m", **more: Any) -> Event:
    return TextDelta(**{**R, "message_id": message, "delta": "word ", "seq": number, **more})


def start(run: str = "r", **more: Any) -> Event:
    return RunStarted(agent_id="a", run_id=run, **more)


def tool(number: int | None = None, call: str = "t", **more: Any) -> Event:
    return ToolStarted(
        **{**R, "tool_call_id": call, "tool_name": "x", "args": {"a": 1}, "seq": number, **more}
    )


def progress(number: int, **more: Any) -> Event:
    return ToolProgress(
        **R, tool_call_id="t", **more, **({} if "progress" in more else {"message": f"{number}"})
    )


def args(number: int | None = None, **more: Any) -> Event:
    return ToolCallDelta(**{**R, "tool_call_id": "t", "tool_name": "x", "delta": "1,", "seq": number, **more})


def cite(number: int, **more: Any) -> Event:
    fields = {**R, "message_id": "m", "citation_id": f"{number}", "url": "https://a.example/", "end": 4}
    return Citation(**{**fields, **more})


def ask(number: int, **more: Any) -> Event:
    return InputRequested(**R, request_id=f"{number}", message="May I?", **more)


def whole(number: int, **more: Any) -> Event:
    return PartCompleted(**R, message_id="m", kind="text", text=f"text {number}", **more)


def shuffled(numbers: list[int]) -> list[int]:
    random.Random(1).shuffle(numbers)
    return numbers


ORDERS: dict[str, Callable[[int], list[int]]] = {
    "in order": lambda n: list(range(1, n + 1)),
    "reversed": lambda n: list(range(n, 0, -1)),
    "odd, even": lambda n: [*range(1, n + 1, 2), *range(2, n + 1, 2)],
    "odd, even reversed": lambda n: [*range(1, n + 1, 2), *reversed(range(2, n + 1, 2))],
    "shuffled": lambda n: shuffled(list(range(1, n + 1))),
    "second half first": lambda n: [*range(n // 2, n + 1), *range(1, n // 2)],
    "each twice": lambda n: [*range(1, n + 1), *range(1, n + 1)],
    "late, after a gap": lambda n: [*range(n // 2, n + 1), *range(n // 2 - 1, 0, -1)],
}

MADE: dict[str, Callable[[int], Event]] = {
    "text": text,
    "sub-numbers": lambda i: text(1, sub=i),
    "two counts": lambda i: text(i, counter="bc"[i % 2]),
    "numbered and not": lambda i: text(i if i % 2 else None),
    "tools": lambda i: tool(i, f"t{i}"),
    "arguments": args,
    "progress": lambda i: progress(i, progress=i, seq=i),
    "output": lambda i: progress(i, delta="line\n", seq=i),
    "wholes": lambda i: whole(i, seq=i),
    "wholes and deltas": lambda i: whole(i, seq=i) if i % 3 else text(i),
    "run starts": lambda i: start(seq=i, agent_name=f"{i}"),
    "run ends": lambda i: RunFinished(**R, outcome="success", seq=i),
    "run pauses and starts": lambda i: (
        RunStarted(**R, seq=i) if i % 2 else RunFinished(**R, outcome="interrupted", seq=i)
    ),
}


def ordered(make: Callable[[int], Event], order: Callable[[int], list[int]]) -> Stream:
    return lambda n: [start(seq=0), *map(make, order(n))]


def each(*make: Callable[[int], Event]) -> Stream:
    return lambda n: [start(), *(one(i) for i in range(n) for one in make)]


def finished(run: str = "r", **more: Any) -> Event:
    return RunFinished(agent_id="a", run_id=run, outcome="success", **more)


def ended(message: str, **more: Any) -> Event:
    return MessageFinished(**R, message_id=message, **more)


SHAPES: dict[str, Stream] = {
    "open runs": each(lambda i: start(f"r{i}")),
    "ended runs": each(lambda i: start(f"r{i}"), lambda i: text(run_id=f"r{i}"), lambda i: finished(f"r{i}")),
    "subagents side by side": each(
        lambda i: tool(None, f"t{i}"),
        lambda i: start(f"s{i}", parent_run_id="r", parent_tool_call_id=f"t{i}"),
        lambda i: text(run_id=f"s{i}"),
        lambda i: finished(f"s{i}"),
        lambda i: ToolFinished(**R, tool_call_id=f"t{i}", output="x"),
    ),
    "subagents without a call": each(
        lambda i: start(f"s{i}", parent_run_id="r"),
        lambda i: text(run_id=f"s{i}"),
        lambda i: finished(f"s{i}"),
    ),
    "subagents of a call alone": each(
        lambda i: tool(None, f"t{i}"),
        lambda i: start(f"s{i}", parent_tool_call_id=f"t{i}"),
        lambda i: finished(f"s{i}"),
    ),
    "subagents in each other": each(
        lambda i: start(f"s{i}", parent_run_id=f"s{i - 1}" if i else "r", parent_tool_call_id="t"),
        lambda i: tool(None, "t", run_id=f"s{i}"),
        lambda i: finished(f"s{i}"),
    ),
    "one call's id in all runs": each(lambda i: start(f"r{i}"), lambda i: tool(None, run_id=f"r{i}")),
    "one call asks in all runs": each(
        lambda i: start(f"r{i}"),
        lambda i: ToolProgress(agent_id="a", run_id=f"r{i}", tool_call_id="t", state="awaiting_approval"),
    ),
    "messages": each(
        lambda i: MessageStarted(**R, message_id=f"m{i}"),
        lambda i: text(None, f"m{i}"),
        lambda i: ended(f"m{i}", usage=Usage(input_tokens=1)),
    ),
    "counts": each(
        lambda i: MessageStarted(**R, message_id=f"m{i}", counter=f"m{i}", seq=0),
        lambda i: text(1, f"m{i}", counter=f"m{i}"),
        lambda i: ended(f"m{i}", counter=f"m{i}", seq=2),
    ),
    "counts that wait": each(lambda i: text(5, f"m{i}", counter=f"m{i}")),
    "counts of one text": each(lambda i: text(5, counter=f"m{i}")),
    "ends in ends": each(lambda i: ended(f"m{i}", counter=f"m{i + 1}", seq=5)),
    "parts": each(lambda i: text(part_id=f"{i}")),
    "thoughts and words": each(
        lambda i: ThinkingDelta(**R, message_id="m", part_id=f"{i}", delta="x"),
        lambda i: text(part_id=f"{i}"),
    ),
    "progress": each(lambda i: progress(i, progress=i, total=9)),
    "output and progress": each(lambda i: progress(i, delta="x\n"), progress),
    "outputs that replace": each(lambda i: progress(i, output=f"{i}")),
    "names": each(lambda i: tool(tool_name=f"x{i}")),
    "results": each(lambda i: ToolFinished(**R, tool_call_id="t", output=f"{i}")),
    "one file": each(lambda i: Artifact(**R, artifact_id="f", name=f"{i}")),
    "wholes": each(whole),
    "deltas and wholes": each(lambda _: text(), whole),
    "starts of one run": each(lambda i: start(agent_name=f"{i}")),
    "ends of one run": each(lambda i: finished(usage=Usage(input_tokens=i))),
    "parts and ends of one run": each(lambda i: text(part_id=f"{i}"), lambda _: finished()),
    "usages": each(lambda i: ended("m", usage=Usage(input_tokens=i))),
    "twins, then the first hand": lambda n: [
        start(),
        *(text(None, f"m{i}", derived=True) for i in range(n)),
        *(text(None, f"m{i}") for i in range(n)),
    ],
    "twins of one call": each(
        lambda i: args(message_id=f"m{i}", derived=True), lambda i: args(message_id=f"m{i}")
    ),
    "cited parts": each(lambda i: text(part_id=f"{i}"), lambda i: cite(i, part_id=f"{i}")),
    "cited messages": each(lambda i: text(None, f"m{i}"), lambda i: cite(i, message_id=f"m{i}")),
    "citations of one text": each(lambda _: text(), cite),
    "citations without a text": each(lambda i: cite(i, part_id=f"{i}")),
    "a citation's counts": each(lambda i: cite(0, counter=f"{i}", seq=i)),
    "what users say": each(
        lambda i: MessageStarted(**R, message_id=f"u{i}", role="user"), lambda i: text(None, f"u{i}")
    ),
    "a user's long message": lambda n: [
        start(),
        MessageStarted(**R, message_id="m", role="user"),
        *(text() for _ in range(n)),
    ],
    "plans": each(lambda i: Plan(**R, entries=[f"{i}", "b"])),
    "plans of calls": each(
        lambda i: tool(None, f"t{i}"),
        lambda i: Plan(**R, entries=["a"], tool_call_id=f"t{i}"),
        lambda i: ToolFinished(**R, tool_call_id=f"t{i}"),
    ),
    "requests": each(ask),
    "requests of one call": each(lambda _: tool(), lambda i: ask(i, tool_call_id="t")),
    "requests of calls": each(lambda i: tool(None, f"t{i}"), lambda i: ask(i, tool_call_id=f"t{i}")),
    "answers": each(ask, lambda i: InputAnswered(**R, request_id=f"{i}", action="accept", by="ann")),
    "answers to one request": each(
        lambda _: InputAnswered(**R, request_id="0", action="accept"), lambda _: ask(0)
    ),
    "answers from other runs": each(
        ask,
        lambda i: InputAnswered(
            agent_id="a", run_id=f"s{i % 5}", request_id=f"{i}", request_run_id="r", action="accept"
        ),
    ),
    "custom lines": each(lambda i: Custom(**R, name="n", value=i, shown=True)),
    "inputs": each(lambda i: start(f"r{i}", input="x")),
    "agents": lambda n: [TextDelta(agent_id=f"a{i}", run_id="r", delta="x") for i in range(n)],
}

STREAMS: dict[str, Stream] = {
    **{
        f"{name}, {order}": ordered(make, numbers)
        for name, make in MADE.items()
        for order, numbers in ORDERS.items()
    },
    **SHAPES,
}


def taken(events: list[Event], *, views: bool = False, callbacks: bool = False, hold: float = 0.05) -> int:
    """Return the number of calls that dispatch the events and read the transcript."""
    with Calls() as counted:
        registry = Registry(
            hold=hold, max_held=50, clock=counted.seconds
        )  # the bound is reached by either size
        pacer = Pacer(counted.seconds, threads=False)
        view = View(registry, title="", send=len, pacer=pacer) if views else None
        if view is not None:
            view.watch("a")
        if callbacks:
            registry.register("a", on_event=len_of)
        for event in events:
            registry.dispatch(event)
            registry.tick()
            pacer.run_due()
        registry.close()
        registry.transcript("a")
        if view is not None:
            view.finish()
    return counted.count


def len_of(event: Event) -> None:
    """Do what any callback does at least with a text."""
    del event


@pytest.mark.parametrize("name", STREAMS)
def test_twice_as_many_events_make_twice_as_many_calls(name: str) -> None:
    once, twice = (taken(STREAMS[name](size)) for size in (SIZE, 2 * SIZE))
    print(f"{name}: {once:,} calls for {SIZE}, {twice / once:.2f} times as many for twice that")  # noqa: T201
    assert twice <= GROWTH * once


@pytest.mark.parametrize("name", [*SHAPES, "text, reversed", "text, shuffled", "text, late, after a gap"])
def test_so_they_do_with_callbacks_and_where_nothing_is_held(name: str) -> None:
    once, twice = (taken(STREAMS[name](size), callbacks=True, hold=0) for size in (SIZE, 2 * SIZE))
    assert twice <= GROWTH * once


SEEN = (
    *(
        "open runs",
        "ended runs",
        "subagents side by side",
        "subagents without a call",
        "one call's id in all runs",
    ),
    *(
        "counts",
        "counts of one text",
        "parts",
        "starts of one run",
        "results",
        "output and progress",
        "wholes",
    ),
    *("cited parts", "citations of one text", "what users say", "a user's long message", "plans of calls"),
    *("requests of calls", "answers", "answers from other runs", "custom lines", "inputs"),
    *("text, reversed", "tools, shuffled", "progress, odd, even", "twins of one call"),
)


@pytest.mark.parametrize("name", SEEN)
def test_a_live_view_costs_twice_as_much_for_twice_as_many_events(name: str) -> None:
    """Its draws are paced by what they cost, also those that draw nothing."""
    once, twice = (taken(STREAMS[name](size), views=True) for size in (SIZE, 2 * SIZE))
    print(f"{name}: {once:,} calls, {twice / once:.2f} times as many for twice as many")  # noqa: T201
    assert twice <= SEEN_GROWTH * once


@pytest.mark.parametrize("order", ORDERS)
def test_few_elements_of_a_list_move_whatever_number_comes(order: str) -> None:
    numbers = ORDERS[order](20 * LIST_LIMIT)
    seen, keys = Intervals(), Keys()
    for number in numbers:
        seen.add(2 * number)
        keys.add((number, 1))
    longest = max(map(len, [*seen._starts, *keys._lists]))
    assert longest <= LIST_LIMIT + 1
    assert [seen.below(2 * number) for number in range(1, 50)] == list(range(49))


MARKS = (
    *(
        "[",
        "[ ",
        "![",
        "[a](",
        "[a](<",
        '[a](b "',
        "[a](b 'c",
        "[a](b (",
        "[a][",
        "[^",
        "[^a",
        "]",
        "[]",
        "[[a]",
    ),
    *("*", "* ", "*a", "**a ", "*a_", "_a ", "~~a ", "~", "a**b", "***a ", "_*", "*[", "[*", "`[", "[<"),
    *("`", "`a ", "``a` ", "$", "$a ", "a$b", "$$ a ", "\\(", "\\[ ", "\\", "$`"),
    *(
        "<",
        "<a",
        "<a ",
        "<br",
        "<http://a",
        "<a@b",
        "<!--",
        "&",
        "&amp",
        "&#",
        "http://a",
        "http://a)",
        "://",
    ),
)
TAGS = (
    *("<sub>", "</sub>", "<sub> </sub>", "**<kbd>", "<!--", "<!-- -->", "<details>\n", "</details>\n"),
    *(
        "<details>\n\na\n\n",
        "<summary>",
        "<details><summary>a\n",
        "- <details>\n",
        "<!--\n\n",
        "<!-- a -->\n\n",
    ),
    *(
        "\\begin{align}",
        "\\begin{align}\n",
        "\\end{align}\n",
        "$\\begin{a}$ ",
        "(_a",
        "\uff1a**\u8bf7",
        "\u8be6http://a\u3002",
    ),
)
BLOCKS = (
    *("> ", "> a\n", "- ", "- a\n", "1. ", "#", "a\n=\n", "a\n---\n", "a | ", "[a]: b\n", "[^a]: b\n", "\n"),
    *("a\n", "a  \n", "```\n", "~~~\na\n", "\ta\n", "- a\n\n", "---\n", "> [!NOTE]\n", "- [ ] a\n", "$$\n"),
)


@pytest.mark.parametrize("unit", [*MARKS, *TAGS, *BLOCKS])
def test_twice_as_much_markdown_makes_twice_as_many_calls(unit: str) -> None:
    once, twice = (unit * (size // len(unit)) for size in (1_000, 2_000))
    for work in (render, lambda source: is_safe(neutralize(source))):
        few, many = calls(lambda: work(once)), calls(lambda: work(twice))  # noqa: B023 - called at once
        print(f"{unit!r}: {few:,} calls, {many / few:.2f} times as many for twice as much")  # noqa: T201
        assert many <= GROWTH * few + 200


@pytest.mark.parametrize(("unit", "bound"), [("\u00e9&<", 20), ("[*", 60)])
def test_a_mark_asks_few_rules_in_each_form(unit: str, bound: int) -> None:
    for work in (render, lambda source: is_safe(neutralize(source))):
        few, many = calls(lambda: work(unit * 500)), calls(lambda: work(unit * 1_000))  # noqa: B023 - called at once
        per = (many - few) / (500 * len(unit))
        print(f"{unit!r}: {per:.0f} calls a character")  # noqa: T201
        assert per < bound


def test_a_bracket_that_nothing_closes_is_not_read_on_from() -> None:
    per = (calls(lambda: render("[" * 2_000)) - calls(lambda: render("[" * 1_000))) / 1_000
    print(f"{per:.0f} calls a bracket")  # noqa: T201
    assert per < 60


def test_a_stream_of_single_bytes_makes_as_many_calls_a_byte_however_long_its_line_is() -> None:
    def fed(length: int) -> int:
        decoder = SSEDecoder()
        line = b"data: " + b"x" * length + b"\n\n"
        return calls(lambda: [decoder.feed(line[at : at + 1]) for at in range(len(line))])

    assert fed(2_000) <= GROWTH * fed(1_000)


def test_a_half_character_waits_in_few_texts_of_a_counter() -> None:
    """Each numbered event looks for pairs in the texts of its counter that wait."""

    def joined(size: int) -> int:
        pairs = HalfPairs()
        with Calls() as counted:
            for number in range(size):
                pairs.join("text_delta", {**R, "part_id": f"{number}", "seq": 2 * number, "delta": "a\ud83d"})
        return counted.count

    assert joined(2 * SIZE) <= GROWTH * joined(SIZE)

"""Test many streams at once, from threads and tasks: no event is lost, and drawing blocks no dispatch."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import vibe_notebook as vibe
from vibe_notebook.display import _parts as _shown
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._view import View
from vibe_notebook.events import RunFinished, RunStarted, TextDelta
from vibe_notebook.registry import Registry

STREAMS, PIECES = 100, 100


def whole(number: int) -> str:
    return "".join(f"{number}.{i} " for i in range(PIECES))


def sync_words(number: int) -> Iterator[str]:
    for i in range(PIECES):
        yield f"{number}.{i} "


async def async_words(number: int) -> AsyncIterator[str]:
    for i in range(PIECES):
        await asyncio.sleep(0)
        yield f"{number}.{i} "


def test_a_hundred_streams_from_threads_and_tasks_lose_nothing_in_views_and_transcripts() -> None:
    sent: dict[str, list[Any]] = {}
    before = set(threading.enumerate())
    with Registry() as registry:
        pacer = Pacer()
        views = []
        watches = []
        for number in range(STREAMS):
            name = f"a{number}"
            words = sync_words(number) if number % 2 else async_words(number)
            watches.append(vibe.watch(words, agent_id=name, registry=registry, display=False))
            view = View(registry, title=name, send=sent.setdefault(name, []).append, pacer=pacer)
            view.watch(name)
            views.append(view)

        def consume(made: vibe.Watch) -> None:
            for _ in made:
                pass

        async def main() -> None:
            workers = [threading.Thread(target=consume, args=(made,)) for made in watches[1::2]]
            for worker in workers:
                worker.start()
            await asyncio.gather(*watches[0::2])
            for worker in workers:
                await asyncio.to_thread(worker.join)

        asyncio.run(main())
        for view in views:
            view.finish()
        for number in range(STREAMS):
            name = f"a{number}"
            assert registry.transcript(name).text == whole(number)
            stats = registry.stats(name)
            assert (stats.delivered, stats.dropped, stats.held) == (PIECES + 2, 0, 0)
            assert [message["n"] for message in sent[name]] == list(range(1, len(sent[name]) + 1))
            assert f"{number}.{PIECES - 1}" in str(views[number].snapshot())
    left = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("vibe")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def test_while_a_view_renders_others_dispatch_to_the_same_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    renders, dispatched = threading.Event(), threading.Event()
    real = _shown.SentPart.ops

    def slow(self: Any) -> Any:
        renders.set()
        assert dispatched.wait(10), "the registry's lock is held while rendering"
        return real(self)

    for cls in (_shown.SentPart, *_shown.SentPart.__subclasses__()):
        if "ops" in vars(cls):
            monkeypatch.setattr(cls, "ops", slow)
    with Registry() as registry:
        base: dict[str, Any] = {"agent_id": "a", "run_id": "r"}
        view = View(registry, title="a", send=lambda _: None, pacer=Pacer(threads=False))
        view.watch("a")

        def other() -> None:
            assert renders.wait(10)
            for i in range(1, 50):
                registry.dispatch(TextDelta(**base, seq=i + 1, delta=f"{i} "))
            registry.dispatch(RunFinished(**base, seq=51))
            assert registry.transcript("a").text
            dispatched.set()

        thread = threading.Thread(target=other)
        thread.start()
        registry.dispatch(RunStarted(**base, seq=0))
        registry.dispatch(TextDelta(**base, seq=1, delta="0 "))
        view.flush()
        thread.join()
        assert registry.transcript("a").text == "".join(f"{i} " for i in range(50))


@pytest.mark.parametrize(("has_view", "bound"), [(False, 18), (True, 24)])
def test_a_delta_in_order_needs_few_calls_with_a_live_view_and_without(bound: int, *, has_view: bool) -> None:
    # The test counts calls instead of time: with so many calls a dispatch took two to three times as long as making
    # the event.
    counted: Counter[str] = Counter()

    def count(frame: Any, what: str, _: Any) -> None:
        if what == "call":
            counted[frame.f_code.co_qualname] += 1

    with Registry() as registry:
        if has_view:
            pacer = Pacer(lambda: 0.0, threads=False)  # after the first draw, the clock reaches no deadline
            View(registry, title="t", send=lambda _: None, pacer=pacer).watch("a")
        registry.dispatch(RunStarted(agent_id="a", run_id="r", seq=0))
        deltas = [TextDelta(agent_id="a", run_id="r", seq=i, delta="x") for i in range(1, 1002)]
        registry.dispatch(deltas[0])
        sys.setprofile(count)
        try:
            for delta in deltas[1:]:
                registry.dispatch(delta)
        finally:
            sys.setprofile(None)
    assert counted.total() / 1000 <= bound, counted.most_common()

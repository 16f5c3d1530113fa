"""Read subscriptions from threads and event loops, with gaps for a reader that is too slow."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from itertools import islice
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from vibe_notebook.events import Artifact, RunFinished, TextDelta
from vibe_notebook.registry import Registry
from vibe_notebook.registry._ring_buffer import HEAVY, RingBuffer


def text(delta: str, agent_id: str = "a") -> TextDelta:
    return TextDelta(agent_id=agent_id, run_id="r", delta=delta)


async def collect(subscription: Any) -> list[str]:
    return [event.delta async for event in subscription]


def test_a_subscription_yields_the_events_of_one_agent_or_of_all_from_now_on() -> None:
    registry = Registry()
    registry.dispatch(text("before"))
    one, every = registry.subscribe("a"), registry.subscribe()
    registry.dispatch(text("1"))
    registry.dispatch(text("2", "b"))
    registry.close()
    assert [event.delta for event in one] == ["1"]  # type: ignore[union-attr]
    assert [(event.id, event.delta) for event in every] == [(2, "1"), (3, "2")]  # type: ignore[union-attr]


def test_a_subscription_replays_the_events_after_an_id() -> None:
    registry = Registry()
    for i in range(5):
        registry.dispatch(text(str(i)))
    subscription = registry.subscribe("a", after=3)
    registry.close()
    assert [event.id for event in subscription] == [4, 5]


@pytest.mark.parametrize("agent_id", ["a", None])
def test_a_reader_of_very_many_events_gets_each_of_them(agent_id: str | None) -> None:
    registry = Registry()
    subscription = registry.subscribe(agent_id)
    registry.dispatch([text(str(i)) for i in range(1000)])
    registry.close()
    assert [event.id for event in subscription] == list(range(1, 1001))


def test_a_replay_from_before_the_ring_starts_with_a_gap_that_counts_the_missed_events() -> None:
    registry = Registry(ring=3)
    for i in range(10):
        registry.dispatch(text(str(i)))
    subscriptions = [registry.subscribe("a", after=0), registry.subscribe(after=2)]
    registry.close()
    for subscription, missed in zip(subscriptions, (7, 5), strict=True):
        first, *rest = subscription
        assert (first.type, first.id) == ("custom", None)
        assert (first.name, first.run_id) == ("gap", "")  # type: ignore[union-attr]
        assert first.value == {"missed": missed}  # type: ignore[union-attr]
        assert [event.id for event in rest] == [8, 9, 10]
    assert registry.stats("a").dropped == 7


def test_each_gap_of_a_slow_reader_counts_only_the_events_missed_since_the_last_gap() -> None:
    registry = Registry(ring=2)
    one, every = registry.subscribe("a"), registry.subscribe()
    for _ in range(3):
        for i in range(8):
            registry.dispatch(text(str(i)))
        for subscription in (one, every):
            gap, *rest = [next(subscription) for _ in range(3)]
            assert gap.value == {"missed": 6}  # type: ignore[union-attr]
            assert [event.delta for event in rest] == ["6", "7"]  # type: ignore[union-attr]
    assert registry.stats("a").dropped == 18


def test_a_reader_reads_the_ring_in_batches_and_no_further_ahead() -> None:
    registry = Registry(ring=300)
    subscription = registry.subscribe("a")
    for count in (300, 10, 300):
        registry.dispatch([text("x") for _ in range(count)])
        next(subscription)
    assert [event.id for event in islice(subscription, 253)] == list(range(4, 257))
    assert next(subscription).value == {"missed": 54}  # type: ignore[union-attr]
    assert next(subscription).id == 311


def test_a_finished_subscription_yields_the_events_until_then() -> None:
    registry = Registry()
    subscription = registry.subscribe("a")
    registry.dispatch(text("1"))
    subscription.finish()
    registry.dispatch(text("2"))
    assert [event.delta for event in subscription] == ["1"]  # type: ignore[union-attr]


def test_a_registry_keeps_no_closed_subscription() -> None:
    registry = Registry()
    subscription = registry.subscribe("a")
    assert (subscription.closed, subscription.ended) == (False, False)
    closed = weakref.ref(subscription)
    subscription.close()
    del subscription
    gc.collect()
    assert closed() is None


def test_events_after_a_subscriptions_end_neither_push_out_its_rest_nor_count_as_missed() -> None:
    registry = Registry(ring=2)
    subscription = registry.subscribe("a")
    registry.dispatch(text("1"))
    registry.dispatch(text("2"))
    registry.unregister("a")
    for i in range(9):
        registry.dispatch(text(str(i)))
    assert [event.delta for event in subscription] == ["1", "2"]  # type: ignore[union-attr]
    assert registry.stats("a").dropped == 0


def test_events_that_a_reader_missed_of_an_evicted_agent_are_counted() -> None:
    registry = Registry(ring=2, keep_runs=0)
    subscription = registry.subscribe("a")
    registry.dispatch([text(str(i)) for i in range(8)])
    registry.dispatch(RunFinished(agent_id="a", run_id="r"))
    assert registry.agents() == []
    assert next(subscription).value == {"missed": 7}  # type: ignore[union-attr]
    assert registry.stats("a").dropped == 7


def test_an_id_of_an_earlier_process_starts_from_the_ring_with_a_gap_of_unknown_size() -> None:
    registry = Registry()
    registry.dispatch(text("1"))
    subscription = registry.subscribe("a", after=500)
    registry.dispatch(text("2"))
    registry.close()
    first, *rest = subscription
    assert first.value == {"missed": None}  # type: ignore[union-attr]
    assert [event.id for event in rest] == [1, 2]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=60),
    st.integers(1, 8),
    st.integers(0, 70),
)
def test_missed_and_read_events_add_up_to_all_delivered_events(steps: Any, size: int, after: int) -> None:
    ring = RingBuffer(size)
    tallies = {agent: ring.tally(agent) for agent in "ab"}
    for agent, _ in steps[: len(steps) // 2]:
        ring.append(text("", agent), tallies[agent])
    start = min(after, ring.last_id)
    cursor = ring.cursor("a", start)
    total, unknown = 0, False
    for agent, reads in [*steps[len(steps) // 2 :], ("b", 1), ("b", 1)]:
        ring.append(text("", agent), tallies[agent])
        if reads > 6 or agent == "b":
            missed, rows = ring.read(cursor, 100)
            unknown = unknown or missed is None
            total += (missed or 0) + len(rows)
    missed, rows = ring.read(cursor, 1000)
    total += (missed or 0) + len(rows)
    agents = [agent for agent, _ in steps]
    if not unknown and missed is not None:
        assert total == agents[start:].count("a")


def test_a_sync_reader_waits_and_close_ends_it_from_another_thread() -> None:
    registry = Registry()
    subscription = registry.subscribe("a")
    got: list[Any] = []
    arrived = threading.Event()

    def read() -> None:
        for event in subscription:
            got.append(event)
            arrived.set()

    thread = threading.Thread(target=read)
    thread.start()
    registry.dispatch(text("1"))
    assert arrived.wait(5)
    subscription.close()
    subscription.close()
    thread.join(5)
    assert not thread.is_alive()
    assert len(got) == 1


def test_two_event_loops_and_trio_each_get_everything() -> None:
    registry = Registry()
    subscriptions = [registry.subscribe("a") for _ in range(3)]
    got: dict[int, list[str]] = {}
    runs: list[Any] = [
        lambda: got.update({0: asyncio.run(collect(subscriptions[0]))}),
        lambda: got.update({1: asyncio.run(collect(subscriptions[1]))}),
        lambda: got.update({2: trio.run(collect, subscriptions[2])}),
    ]
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    for i in range(200):
        registry.dispatch(text(str(i)))
    registry.close()
    for thread in threads:
        thread.join(10)
    assert got == {reader: [str(i) for i in range(200)] for reader in range(3)}


def test_two_readers_of_one_subscription_both_end_and_share_its_events() -> None:
    registry = Registry()
    subscription = registry.subscribe("a")

    async def main() -> list[str]:
        readers = [asyncio.create_task(collect(subscription)) for _ in range(2)]
        await asyncio.sleep(0)
        for i in range(10):
            registry.dispatch(text(str(i)))
            await asyncio.sleep(0)
        registry.close()
        first, second = await asyncio.wait_for(asyncio.gather(*readers), 5)
        return first + second

    assert sorted(asyncio.run(main())) == [str(i) for i in range(10)]


def test_to_wake_a_reader_whose_loop_is_closed_harms_no_other_reader() -> None:
    registry = Registry()

    async def give_up_in_asyncio() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(anext(registry.subscribe("a")), 0.01)

    async def give_up_in_trio() -> None:
        with trio.move_on_after(0.01):
            await anext(registry.subscribe("a"))

    asyncio.run(give_up_in_asyncio())
    trio.run(give_up_in_trio)
    registry.dispatch(text("1"))
    registry.close()


def test_an_event_dispatched_just_before_the_close_is_never_lost() -> None:
    for _ in range(50):
        registry = Registry()
        subscription = registry.subscribe("a")

        def end(registry: Registry = registry) -> None:
            registry.dispatch(text("last"))
            registry.close()

        async def main(subscription: Any = subscription, end: Any = end) -> list[str]:
            thread = threading.Thread(target=end)
            thread.start()
            got = await collect(subscription)
            thread.join()
            return got

        assert asyncio.run(main()) == ["last"]


def test_subscriptions_that_open_and_close_during_dispatches_do_not_disturb() -> None:
    registry = Registry()
    stop = threading.Event()
    errors: list[BaseException] = []

    def churn() -> None:
        try:
            while not stop.is_set():
                with registry.subscribe("a"):
                    pass
        except BaseException as error:  # noqa: BLE001 - the test asserts on it
            errors.append(error)

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(100):
        registry.dispatch(text(str(i)))
    stop.set()
    for thread in threads:
        thread.join(5)
    assert errors == []
    assert len(registry.transcript("a").text) == 190


@pytest.mark.parametrize("end", ["unregister", "close"])
def test_an_ended_subscription_yields_no_later_event(end: str) -> None:
    registry = Registry()
    subscription = registry.subscribe("a")
    registry.dispatch(text("1"))
    if end == "unregister":
        registry.unregister("a")
        registry.dispatch(text("2"))
        assert [event.delta for event in subscription] == ["1"]  # type: ignore[union-attr]
    else:
        subscription.close()
        assert list(subscription) == []


def test_the_files_of_a_ring_are_bounded_and_a_reader_counts_the_events_that_left_for_it() -> None:
    registry = Registry()
    subscription = registry.subscribe("a", after=0)
    registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="first"))
    for number in range(10):
        registry.dispatch(
            Artifact(agent_id="a", run_id="r", artifact_id="f", name=f"{number}", data="A" * (HEAVY // 8))
        )
    registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="last"))
    gap, *rest = islice(subscription, 7)
    assert gap.name == "gap"  # type: ignore[union-attr]
    names = [event.name for event in rest if isinstance(event, Artifact)]
    assert gap.value == {"missed": 11 - len(names)}  # type: ignore[union-attr]
    assert names == [str(number) for number in range(10 - len(names), 10)]
    assert (
        sum(len(event.data or "") for event in registry._ring._events if isinstance(event, Artifact)) <= HEAVY
    )
    registry.close()

"""Fork beside a log, its listeners and a publisher: the child starts anew, or an error says what to do."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.projects.conftest import Open
from tests.test_forks import in_child
from vibe_notebook.events import TextDelta
from vibe_notebook.exceptions import LogError
from vibe_notebook.projects import Entry, ProjectEventStream, StreamChunk, history, publish
from vibe_notebook.registry import Registry

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def words(stream: ProjectEventStream) -> list[str]:
    """Send an event and return the data of all events of the log."""

    async def use() -> list[str]:
        await stream.send_event("p", "agent_event", os.getpid())
        return [entry.data for entry in await stream.read("p") if isinstance(entry, Entry)]

    return asyncio.run(use())


def refused(use: Callable[[], Any]) -> str:
    try:
        use()
    except LogError as error:
        return f"permanent: {error}" if error.is_permanent else str(error)
    return "not refused"


def test_a_log_that_was_not_used_before_the_fork_works_in_the_child(url: str, opened: Open) -> None:
    stream = opened(url)
    (in_the_child,) = in_child(lambda: words(stream))
    assert words(stream)[-1] == str(os.getpid()) != in_the_child


@pytest.mark.parametrize("kind", ["memory", "redis"], indirect=True)
def test_a_log_in_use_starts_anew_in_the_child(kind: str, url: str, opened: Open) -> None:
    stream = opened(url)
    words(stream)
    child = in_child(lambda: words(stream))
    parent = words(stream)
    assert (len(child), len(parent)) == ((1, 2) if kind == "memory" else (2, 3))


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_sqlite_log_that_was_open_before_the_fork_is_refused_in_the_child(url: str, opened: Open) -> None:
    stream = opened(url)
    words(stream)
    message = in_child(lambda: refused(lambda: words(stream)))
    assert message.startswith("permanent: ")
    assert "was open when this process was forked" in message
    assert "fork before the log's first use" in message
    assert len(words(stream)) == 2


def test_a_listener_of_the_parent_says_in_the_child_to_listen_again(url: str, opened: Open) -> None:
    stream = opened(url)
    words(stream)
    listener = stream.listen("p")
    try:
        assert "listen again" in in_child(lambda: refused(lambda: asyncio.run(listener.batch())))
    finally:
        asyncio.run(listener.aclose())


def test_locks_that_another_thread_holds_during_the_fork_stop_no_call_of_the_child(
    url: str, opened: Open
) -> None:
    stream = opened(url)
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with stream.log._lock, history._PROCESS_LOCK:  # type: ignore[attr-defined]
            held.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    gathering = history.Gathering()
    try:
        assert len(in_child(lambda: words(stream))) == 1
        assert in_child(lambda: history._PROCESS_LOCK.acquire(timeout=1))
        chunk = StreamChunk(step_id="s", agent_name="a", text="x", is_final=True)
        assert in_child(lambda: len(gathering.add("t", chunk))) == 1
    finally:
        leave.set()
        thread.join()


def test_a_publisher_of_the_parent_sends_nothing_in_the_child_and_says_so() -> None:
    sent: list[str] = []
    with Registry() as registry:
        stream = ProjectEventStream("memory:")
        publisher = publish(registry, "p", stream)

        def use() -> list[str]:
            registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="child"))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                publisher.report_unsent()
                publisher.close()
            mine = ProjectEventStream("memory:")
            with publish(registry, "p", mine):
                registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="mine"))
            asyncio.run(read(mine))
            return [*(str(each.message) for each in caught), *sent]

        async def read(stream: ProjectEventStream) -> None:
            sent.extend(entry.data for entry in await stream.read("p") if isinstance(entry, Entry))

        (warning, *in_the_child) = in_child(use)
        assert "call publish() in the child" in warning
        assert [("child" in each, "mine" in each) for each in in_the_child] == [(True, False), (False, True)]
        registry.dispatch(TextDelta(agent_id="a", run_id="r", delta="parent"))
        publisher.close()
        asyncio.run(read(stream))
    assert (publisher.error, len(sent)) == (None, 1)
    assert "parent" in sent[0]

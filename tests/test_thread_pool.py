"""Test the pool that runs jobs at their times: a bounded number of threads, and none without a job."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from vibe_notebook._thread_pool import ThreadPool

NAME = "vibe-test-pool"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def ended() -> bool:
    for thread in threads():
        thread.join(5)
    return not threads()


def test_many_jobs_run_on_a_bounded_number_of_threads_that_end() -> None:
    pool = ThreadPool(NAME, limit=3)
    may_end, began, done = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)
    used: set[threading.Thread] = set()

    def job() -> None:
        used.add(threading.current_thread())
        began.release()
        assert may_end.wait(10)
        done.release()

    for _ in range(200):
        pool.submit(job)
    assert all(began.acquire(timeout=10) for _ in range(3))
    assert len(threads()) == 3
    may_end.set()
    assert all(done.acquire(timeout=10) for _ in range(200))
    assert len(used) == 3
    assert ended()


def test_jobs_run_in_the_order_of_their_times_on_one_waiting_thread() -> None:
    pool, ran, done = ThreadPool(NAME, limit=4), list[int](), threading.Event()
    now = time.monotonic()
    pool.submit(done.set, at=now + 0.08)
    pool.submit(lambda: ran.append(3), at=now + 0.06)
    pool.submit(lambda: ran.append(2), at=now + 0.04)
    pool.submit(lambda: ran.append(1), at=now + 0.02)
    assert len(threads()) == 1
    assert done.wait(5)
    assert ran == [1, 2, 3]
    assert ended()


def test_a_withdrawn_job_never_runs_and_holds_no_thread() -> None:
    pool, ran = ThreadPool(NAME, limit=4), list[int]()
    jobs = [pool.submit(lambda: ran.append(1), at=time.monotonic() + 1e9) for _ in range(100)]
    assert len(threads()) == 1
    for job in jobs:
        pool.withdraw(job)
        pool.withdraw(job)
    assert ended()
    assert ran == []


@pytest.mark.parametrize("fault", [ValueError("broken"), SystemExit(1), MemoryError()], ids=repr)
def test_a_job_that_fails_is_logged_and_the_next_one_runs(
    fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    pool, ran, after = ThreadPool(NAME, limit=1), threading.Event(), list[bool]()

    def fail() -> None:
        raise fault

    pool.submit(fail, after=after.append)
    pool.submit(ran.set)
    assert ran.wait(5)
    assert ended()
    assert len(after) == 1
    assert type(fault).__name__ in caplog.text


def test_a_job_learns_whether_its_thread_ends_with_it() -> None:
    pool, may_end, after = ThreadPool(NAME, limit=1), threading.Event(), list[bool]()

    def job() -> None:
        assert may_end.wait(10)

    pool.submit(job, after=after.append)
    pool.submit(job, after=after.append)
    may_end.set()
    assert ended()
    assert after == [False, True]


def test_without_threads_the_owner_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool, ran = ThreadPool(NAME, limit=1), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", cannot)
        with pytest.raises(RuntimeError):
            pool.submit(ran.set)
    assert not ran.is_set()
    pool.submit(ran.set)
    assert ran.wait(5)
    assert ended()


def in_child(check: Callable[[], bool]) -> int:
    """Run *check* in a forked process and return its exit code."""
    child = os.fork()
    if not child:
        code = 2
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_runs_jobs_on_threads_of_its_own() -> None:
    pool = ThreadPool(NAME, limit=1)
    job = pool.submit(lambda: None, at=time.monotonic() + 1e9)

    def check() -> bool:
        ran = threading.Event()
        pool.submit(ran.set)
        return ran.wait(5)

    assert in_child(check) == 0
    pool.withdraw(job)
    assert ended()

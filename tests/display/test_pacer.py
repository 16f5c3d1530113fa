"""Test the pacer: fair draws, and never more messages than the server accepts."""

from __future__ import annotations

import threading

import pytest

from vibe_notebook.display._pacer import ALL_INTERVAL, LULL, PATIENCE, PAUSE, SHARE, VIEW_INTERVAL, Pacer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Canvas:
    """Count the draws of a view, each at a given cost."""

    def __init__(self, clock: Clock, cost: float = 0.0) -> None:
        self.clock, self.cost = clock, cost
        self.times: list[float] = []

    def flush(self) -> bool:
        self.times.append(self.clock.now)
        self.clock.now += self.cost
        return False


def run(pacer: Pacer, clock: Clock, views: list[Canvas], seconds: float, step: float = 0.001) -> None:
    """Give every view news at every step, and draw past deadlines as the pacer's thread does."""
    end = clock.now + seconds
    while clock.now < end:
        for view in views:
            pacer.wake(view)
        pacer.run_due()
        clock.now += step


def test_the_first_change_is_drawn_at_once_in_the_thread_that_made_it() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, threads=False), Canvas(clock)
    pacer.add(view)
    pacer.wake(view)
    assert view.times == [100.0]


def test_changes_before_the_deadline_are_drawn_once_at_the_deadline() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, threads=False), Canvas(clock)
    pacer.add(view)
    for _ in range(50):
        pacer.wake(view)
    assert len(view.times) == 1
    left = pacer.run_due()
    assert left == pytest.approx(VIEW_INTERVAL)
    assert left is not None
    clock.now += left
    assert pacer.run_due() is None
    assert len(view.times) == 2


def test_one_view_is_drawn_at_most_thirty_times_a_second() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, threads=False), Canvas(clock)
    pacer.add(view)
    run(pacer, clock, [view], 2.0)
    assert 50 <= len(view.times) <= 61


def test_a_hundred_views_share_two_hundred_messages_a_second_fairly() -> None:
    clock = Clock()
    pacer = Pacer(clock, threads=False)
    views = [Canvas(clock) for _ in range(100)]
    for view in views:
        pacer.add(view)
    run(pacer, clock, views, 2.0, step=0.005)
    counts = [len(view.times) for view in views]
    assert sum(counts) <= 2.0 / ALL_INTERVAL + len(views)
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(("count", "most"), [(1, 30), (10, 200), (100, 200)])
@pytest.mark.parametrize("burst", [0.0, 0.07, 0.9])
def test_no_second_has_more_messages_than_the_limit_in_any_rhythm(
    count: int, most: int, burst: float
) -> None:
    clock = Clock()
    pacer = Pacer(clock, threads=False)
    views = [Canvas(clock) for _ in range(count)]
    for view in views:
        pacer.add(view)
    for _ in range(4):
        run(pacer, clock, views, 1.3, step=0.004)
        clock.now += burst
    times = sorted(time for view in views for time in view.times)
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= most


def test_a_view_that_holds_words_back_is_drawn_once_more_after_a_pause() -> None:
    clock = Clock()

    class View(Canvas):
        def flush(self) -> bool:
            super().flush()
            return len(self.times) < 3

    pacer, view = Pacer(clock, threads=False), View(clock)
    pacer.add(view)
    pacer.wake(view)
    clock.now += VIEW_INTERVAL
    pacer.wake(view)
    assert len(view.times) == 2
    assert pacer.run_due() == pytest.approx(PAUSE)
    clock.now += PAUSE
    assert pacer.run_due() is None
    assert len(view.times) == 3


def test_drawing_never_uses_more_than_a_fifth_of_the_time() -> None:
    clock = Clock()
    pacer = Pacer(clock, threads=False)
    views = [Canvas(clock, cost=0.05) for _ in range(3)]
    for view in views:
        pacer.add(view)
    run(pacer, clock, views, 2.0)  # the pacer measures their cost
    for view in views:
        view.times.clear()
    began = clock.now
    run(pacer, clock, views, 30.0)
    spent = 0.05 * sum(len(view.times) for view in views)
    assert spent / (clock.now - began) <= 1 / SHARE


def test_a_removed_view_is_not_drawn_any_more() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, threads=False), Canvas(clock)
    pacer.add(view)
    pacer.wake(view)
    pacer.wake(view)
    pacer.remove(view)
    clock.now += 1
    assert pacer.run_due() is None
    pacer.wake(view)
    assert len(view.times) == 1


def test_the_last_change_is_drawn_without_another_dispatch_and_no_thread_is_left() -> None:
    drawn = threading.Semaphore(0)

    class View:
        def flush(self) -> None:
            drawn.release()

    pacer, view = Pacer(), View()
    pacer.add(view)
    pacer.wake(view)
    pacer.wake(view)  # before its deadline: the pacer's thread draws it
    assert drawn.acquire(timeout=5)
    assert drawn.acquire(timeout=5)
    for thread in threading.enumerate():
        if thread.name == "vibe-pacer":
            thread.join(5)
            assert not thread.is_alive()


def test_a_view_that_is_being_drawn_is_not_drawn_twice_at_once() -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    class View:
        def flush(self) -> None:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    pacer, view = Pacer(), View()
    pacer.add(view)

    def wake_often() -> None:
        for _ in range(2000):
            pacer.wake(view)

    threads = [threading.Thread(target=wake_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_late_draw_does_not_delay_the_next() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, threads=False), Canvas(clock)
    pacer.add(view)
    run(pacer, clock, [view], 10.0, step=0.007)
    assert len(view.times) >= 10 / VIEW_INTERVAL - 1
    for first, later in zip(view.times, view.times[30:], strict=False):
        assert later - first >= 1.0


def test_waiting_for_the_processor_is_not_counted_as_the_cost_of_a_draw() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, cpu=lambda: 0.0, threads=False), Canvas(clock, cost=0.03)
    pacer.add(view)
    run(pacer, clock, [view], 10.0)
    assert len(view.times) > 10 / (0.03 * SHARE)


def test_a_draw_without_news_does_not_delay_the_next() -> None:
    clock = Clock()
    pacer = Pacer(clock, threads=False)
    drawn: list[bool | None] = [None, False, False]

    class Silent:
        def flush(self) -> bool | None:
            return drawn.pop(0)

    view = Silent()
    pacer.add(view)
    pacer.wake(view)
    pacer.wake(view)
    assert drawn == [False]
    pacer.wake(view)
    assert drawn == [False]


def two_views() -> tuple[Clock, Pacer, Canvas, Canvas]:
    """Return a clock, a pacer, a view with heavy work, and another view."""
    clock = Clock()
    pacer = Pacer(clock, threads=False)
    view, other = Canvas(clock), Canvas(clock)
    pacer.add(view)
    pacer.add(other)
    return clock, pacer, view, other


def test_heavy_work_waits_until_the_other_views_have_sent_their_news() -> None:
    clock, pacer, view, other = two_views()
    pacer.wake(other)
    since = clock.now
    assert pacer.lull_in(view, since) == pytest.approx(LULL)
    clock.now += LULL / 2
    pacer.draw_last(other)
    assert pacer.lull_in(view, since) == pytest.approx(LULL)
    clock.now += LULL
    assert pacer.lull_in(view, since) == 0


def test_heavy_work_waits_for_other_views_only_for_a_limited_time() -> None:
    clock, pacer, view, other = two_views()
    since = clock.now
    run(pacer, clock, [other], PATIENCE)
    assert pacer.lull_in(view, since) == 0


def test_heavy_work_of_the_only_view_does_not_wait() -> None:
    clock = Clock()
    pacer, view = Pacer(clock, threads=False), Canvas(clock)
    pacer.add(view)
    pacer.wake(view)
    assert pacer.lull_in(view, clock.now) == 0


@pytest.mark.parametrize("fault", [ValueError("broken"), MemoryError(), SystemExit(1)], ids=repr)
def test_a_view_that_fails_leaves_no_other_view_undrawn(
    fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = threading.Semaphore(0)
    failed = threading.Event()

    class Failing:
        def __init__(self) -> None:
            self.times = 0

        def flush(self) -> bool:
            self.times += 1
            if self.times == 2:
                failed.set()
                raise fault
            return False

    class View:
        def flush(self) -> bool:
            drawn.release()
            return False

    pacer, failing, view = Pacer(), Failing(), View()
    for one in (failing, view):
        pacer.add(one)
        pacer.wake(one)
    pacer.wake(failing)  # before its deadline: the pacer's thread draws it, and the draw fails
    assert failed.wait(5)
    pacer.wake(view)
    pacer.wake(failing)
    for _ in range(2):
        assert drawn.acquire(timeout=5)
    for thread in threading.enumerate():
        if thread.name == "vibe-pacer":
            thread.join(5)
            assert not thread.is_alive()
    assert failing.times == 3
    assert type(fault).__name__ in caplog.text

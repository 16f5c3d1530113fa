"""Test when live views save their form of the moment, by a clock that only the test advances."""

from __future__ import annotations

import logging

import pytest

from vibe_notebook.display._saver import BYTES_A_SECOND, FIRST, LONGEST, SHARE, Saver
from vibe_notebook.testing import FakeClock


class Page:
    """Record when its forms are saved; each has a size, and takes some seconds to make."""

    def __init__(self, clock: FakeClock, size: int | None = 100, cost: float = 0.0) -> None:
        self.clock, self.size, self.cost = clock, size, cost
        self.times: list[float] = []

    def save(self) -> int | None:
        self.times.append(self.clock.now)
        self.clock.advance(self.cost)
        return self.size


def run(saver: Saver, clock: FakeClock, seconds: float, step: float = 0.125) -> None:
    for _ in range(int(seconds / step)):
        saver.run_due()
        clock.advance(step)


def test_a_view_is_saved_after_a_second_and_then_ever_more_seldom_up_to_every_eight() -> None:
    clock = FakeClock()
    saver, page = Saver(clock, threads=False), Page(clock)
    saver.add(page)
    run(saver, clock, 40)
    assert page.times == [1, 3, 7, 15, 23, 31, 39]
    assert (FIRST, LONGEST) == (1, 8)


def test_a_view_without_news_is_asked_again_at_the_same_interval() -> None:
    clock = FakeClock()
    saver, page = Saver(clock, threads=False), Page(clock, size=None)
    saver.add(page)
    run(saver, clock, 4)
    assert page.times == [1, 2, 3]
    page.size = 100
    run(saver, clock, 9)
    assert page.times == [1, 2, 3, 4, 6, 10]


@pytest.mark.parametrize("views", [1, 12])
def test_the_forms_of_all_views_together_are_at_most_a_megabyte_a_minute(views: int) -> None:
    clock = FakeClock()
    saver = Saver(clock, threads=False)
    pages = [Page(clock, size=300_000) for _ in range(views)]
    for page in pages:
        saver.add(page)
    run(saver, clock, 600, step=0.5)
    saved = sum(len(page.times) for page in pages)
    assert saved * 300_000 <= BYTES_A_SECOND * 600 + 300_000
    assert saved * 300_000 > BYTES_A_SECOND * 600 * 0.9
    assert max(len(page.times) for page in pages) - min(len(page.times) for page in pages) <= 1


def test_forms_that_are_slow_to_make_use_less_than_a_tenth_of_the_time() -> None:
    clock = FakeClock()
    saver, page = Saver(clock, threads=False), Page(clock, cost=2.0)
    saver.add(page)
    run(saver, clock, 200)
    gaps = [later - earlier for earlier, later in zip(page.times, page.times[1:], strict=False)]
    assert min(gaps) >= 2.0 * SHARE


def test_a_removed_view_is_not_saved_and_nothing_is_due_without_views() -> None:
    clock = FakeClock()
    saver, page = Saver(clock, threads=False), Page(clock)
    saver.add(page)
    assert saver.run_due() == FIRST
    saver.remove(page)
    assert saver.run_due() is None
    clock.advance(10)
    assert saver.run_due() is None
    assert page.times == []


class Broken(Page):
    def save(self) -> int | None:
        super().save()
        message = "no form"
        raise SystemExit(message)


def test_a_form_that_cannot_be_saved_is_logged_and_leaves_the_other_views_saved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock(100.0)
    saver = Saver(clock, threads=False)
    broken, page = Broken(clock), Page(clock)
    saver.add(broken)
    saver.add(page)
    clock.advance(FIRST)
    with caplog.at_level(logging.ERROR, "vibe_notebook"):
        saver.run_due()
    assert "could not be saved" in caplog.text
    assert len(broken.times) == len(page.times) == 1


def test_the_thread_ends_with_the_last_view() -> None:
    saver = Saver()
    pages = [Page(FakeClock()) for _ in range(3)]
    for page in pages:
        saver.add(page)
    thread = saver._thread  # the thread's life is what is tested
    assert thread is not None
    for page in pages:
        saver.remove(page)
    thread.join(10)
    assert not thread.is_alive()

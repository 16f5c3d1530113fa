"""Share among all tests: hypothesis's profiles, time limits, the markers' meaning, and no quiet skips."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tools import chromium, summary

TESTS = Path(__file__).parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script's background processes ignore interrupts, but the tests send interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two runs at once on two cores: a slow example is no fault of the code, hence no deadline.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=100, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", settings.get_profile("ci"), max_examples=20_000)
# A mutant's survival must not depend on luck.
settings.register_profile("mutants", max_examples=50, deadline=None, derandomize=True, database=None)
PROFILE = os.environ.get("VIBE_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)

EXAMPLES = "examples"
"""Property of a test's report with the number of examples that ran."""

MOST_LOAD = 15
"""Factor by which a time limit may grow: a hanging test must still end within the hour."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-all",
        action="store_true",
        default=bool(os.environ.get("VIBE_REQUIRE_ALL")),
        help="a skipped test is a failure (or VIBE_REQUIRE_ALL=1)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "live" not in config.option.markexpr:  # they need SDKs that few machines have all of: make live
        live = [item for item in items if item.get_closest_marker("live")]
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]
    browser = chromium.find()
    for item in items:
        if item.path.is_relative_to(TESTS / "notebooks"):
            item.add_marker(pytest.mark.notebooks)
        if item.path.is_relative_to(TESTS / "browser"):
            item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("browser") and not browser:
            item.add_marker(
                pytest.mark.skip(reason="no Chromium: install one, or set VIBE_CHROMIUM to its path")
            )
    if browser:
        os.environ["VIBE_CHROMIUM"] = browser


def time_limit(limit: float, load: float, cores: int) -> float:
    """Return a test's time limit in seconds: where k programs share a core, k times the limit."""
    return limit * min(max(1.0, load / cores), MOST_LOAD)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    # Measured as each test begins: the load changes during a run. A limit of a test's own or of the
    # command line stays as it is.
    limit = float(item.config.getini("timeout") or 0)
    if limit and item.config.getoption("timeout") is None and not item.get_closest_marker("timeout"):
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        item.add_marker(pytest.mark.timeout(time_limit(limit, load, os.cpu_count() or 1)))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Count the examples of a property that ran to their end."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return (yield)
    ran = 0
    body: Callable[..., object] = handle.inner_test

    @functools.wraps(body)
    def counted(*args: Any, **kwargs: Any) -> None:
        nonlocal ran
        body(*args, **kwargs)
        ran += 1

    handle.inner_test = counted
    try:
        return (yield)
    finally:
        handle.inner_test = body
        item.user_properties.append((EXAMPLES, ran))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("require_all"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped and collector.config.getoption("require_all"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return reason.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counts = examples_of(terminalreporter.stats) if PROFILE == "fuzz" else {}
    if counts and not hasattr(terminalreporter.config, "workerinput"):
        terminalreporter.section("examples that ran")
        for name, number in counts.items():
            terminalreporter.write_line(f"{number:>9,}  {name}")
        terminalreporter.write_line(f"{sum(counts.values()):>9,}  of {len(counts)} properties")
    section = os.environ.get("VIBE_SECTION")
    # A worker of pytest-xdist has a terminal too: only the process that collects them all writes.
    if section and not hasattr(terminalreporter.config, "workerinput"):
        passed = len(terminalreporter.stats.get("passed", []))
        skipped = [_reason(report) for report in terminalreporter.stats.get("skipped", [])]
        count = f", {len(skipped)} skipped" if skipped else ""
        if counts:
            count += f", {sum(counts.values()):,} examples of {len(counts)} properties"
        summary.note(section, f"{passed} passed{count}", skipped)


def examples_of(stats: dict[str, list[Any]]) -> dict[str, int]:
    """Return the number of examples of each property among a run's reports."""
    reports = [report for outcome in ("passed", "failed") for report in stats.get(outcome, [])]
    return {
        report.nodeid: count
        for report in sorted(reports, key=lambda report: str(report.nodeid))
        if report.when == "call"
        for name, count in report.user_properties
        if name == EXAMPLES
    }

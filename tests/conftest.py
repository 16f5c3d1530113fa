"""What every test run shares: hypothesis's profiles, the markers' meaning, and no quiet skips."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tools import chromium, summary

TESTS = Path(__file__).parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script, whose children ignore interrupts: the tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two runs at once on two cores: a slow example says nothing about the code, hence no deadline.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", settings.get_profile("ci"), max_examples=20_000)
settings.load_profile(os.environ.get("VIBE_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-all",
        action="store_true",
        default=bool(os.environ.get("VIBE_REQUIRE_ALL")),
        help="a skipped test is a failure (or VIBE_REQUIRE_ALL=1)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "live" not in config.option.markexpr:  # they need SDKs that nobody has all of: make live
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
    section = os.environ.get("VIBE_SECTION")
    # A worker of pytest-xdist has a terminal too: the one that collects them all speaks.
    if section and not hasattr(terminalreporter.config, "workerinput"):
        passed = len(terminalreporter.stats.get("passed", []))
        skipped = [_reason(report) for report in terminalreporter.stats.get("skipped", [])]
        count = f", {len(skipped)} skipped" if skipped else ""
        summary.note(section, f"{passed} passed{count}", skipped)

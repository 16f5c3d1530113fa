"""Fixtures of the server's tests: one server for each module, one project for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from vibe_notebook.server import BackgroundServer, serve_in_background


@pytest.fixture(scope="module")
def server() -> Iterator[BackgroundServer]:
    with serve_in_background() as running_server:
        yield running_server


@pytest.fixture(scope="session")
def names() -> Callable[[], str]:
    counter = itertools.count()
    return lambda: f"project-{next(counter)}"


@pytest.fixture
def project(names: Callable[[], str]) -> str:
    """Name a project for this test alone."""
    return names()

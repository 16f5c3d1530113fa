"""A server for the tests of one module."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from vibe_notebook.server import BackgroundServer, serve_in_background


@pytest.fixture(scope="module")
def server() -> Iterator[BackgroundServer]:
    with serve_in_background() as made:
        yield made


@pytest.fixture(scope="session")
def names() -> Callable[[], str]:
    counter = itertools.count()
    return lambda: f"project-{next(counter)}"


@pytest.fixture
def project(names: Callable[[], str]) -> str:
    """A project that nobody else has."""
    return names()

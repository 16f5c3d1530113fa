"""Check that the package sees which event loop runs, also while another thread imports trio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from types import ModuleType

import pytest

import vibe_notebook as vibe
from vibe_notebook._event_loops import in_loop


@pytest.mark.parametrize("names", [(), ("lowlevel",)])
def test_a_half_imported_trio_runs_no_loop(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    trio = ModuleType("trio")
    for name in names:
        setattr(trio, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "trio", trio)
    assert not in_loop()
    with vibe.live("researcher") as live:
        live.text("Hello")
    assert live.transcript.text == "Hello"


def test_a_watch_needs_no_newer_trio_than_the_one_that_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_run() -> None:
        raise RuntimeError("must be called from async context")

    trio, lowlevel = ModuleType("trio"), ModuleType("lowlevel")
    lowlevel.current_trio_token = no_run  # type: ignore[attr-defined]
    trio.lowlevel = lowlevel  # type: ignore[attr-defined]

    async def words() -> AsyncIterator[str]:
        yield "Hello"

    async def watched() -> list[str]:
        return [word async for word in vibe.watch(words(), adapter="text", display=False)]

    monkeypatch.setitem(sys.modules, "trio", trio)
    assert not in_loop()
    assert asyncio.run(watched()) == ["Hello"]

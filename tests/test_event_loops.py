"""Check that the package sees which event loop runs, also while another thread imports trio."""

from __future__ import annotations

import sys
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

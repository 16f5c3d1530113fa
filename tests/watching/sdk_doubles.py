"""Stand for the SDKs' own classes in tests of the approvers: their names and fields are those of the real ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest


@dataclass
class Value:
    """Hold what an SDK's class is given."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None


def maker(kind: str) -> Any:
    def make(*given: Any, **fields: Any) -> Value:
        return Value(kind, {**({"given": given} if given else {}), **fields})

    return make


def install(monkeypatch: pytest.MonkeyPatch, module: str, *names: str) -> None:
    """Put a module with these classes in the real one's place."""
    steps = module.split(".")
    for end in range(1, len(steps) + 1):
        name = ".".join(steps[:end])
        made = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, made)
    for name in names:
        setattr(sys.modules[module], name, maker(name))


@dataclass
class ToolCall:
    """Stand for pydantic-ai's ``ToolCallPart``."""

    tool_name: str
    args: Any
    tool_call_id: str


@dataclass
class Requests:
    """Stand for pydantic-ai's ``DeferredToolRequests``."""

    approvals: list[ToolCall] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def kind(self, tool_call_id: str) -> str:
        return "question" if any(call.tool_call_id == tool_call_id for call in self.calls) else "approval"

    def build_results(self, approvals: dict[str, Any], calls: dict[str, Any]) -> dict[str, Any]:
        return {**approvals, **calls}

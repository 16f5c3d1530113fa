"""Import an SDK's own classes where an answer has to be one of them, and read its arguments. No SDK is imported before."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from ...exceptions import AdapterError

__all__ = ["args_of", "module_of"]


def module_of(name: str, package: str) -> Any:
    """Return an SDK's module. Raises ``AdapterError`` that names the package to install."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a fault within the SDK
        msg = f"vibe.approver answers with classes of {package}: install that package."
        raise AdapterError(msg) from error


def args_of(given: Any) -> Any:
    """Return a call's arguments, which some SDKs hold as JSON text; text that is no JSON stays text."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given

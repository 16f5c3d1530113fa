"""Name the HTTP client that the SDK of an environment depends on: the newer versions of some have httpx2."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

__all__ = ["httpx"]

httpx = import_module("httpx" if find_spec("httpx") else "httpx2")

"""Bounds that hold in more than one place: each with its unit, its value and its reason.

At the bottom of the package: imports nothing of it. A bound that one module alone uses stays in that module.
"""

from __future__ import annotations

from typing import Final

__all__ = ["INT_LIMIT"]

INT_LIMIT: Final = 2**63 - 1
"""The largest whole number of a request, an option or an event: SQLite, Redis and most peers hold 64 bits."""

"""Bounds that hold in more than one place: each with its unit, its value and its reason.

At the bottom of the package: imports nothing of it. A bound that one module alone uses stays in that module.
"""

from __future__ import annotations

__all__: list[str] = []

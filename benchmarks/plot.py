"""Draw bars for the page as SVG, with real text and a transparent background."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from .page import IMAGES

__all__ = ["bars"]

GREY = "#808080"  # readable on white and on black


def bars(values: Mapping[str, float], title: str, name: str) -> None:
    """Draw one bar a way on a logarithmic scale, the first (ours) in colour. A NaN has no bar."""
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": name, "text.color": GREY, "axes.edgecolor": GREY}
    mpl.rcParams |= {"xtick.color": GREY, "ytick.color": GREY}
    figure = Figure(figsize=(7.2, 0.6 + 0.36 * len(values)))
    axes = figure.add_subplot()
    names = list(values)[::-1]
    drawn = [0 if math.isnan(values[name]) else max(values[name], 1.0) for name in names]
    made = axes.barh(
        names, drawn, color=["#1976d2" if index == len(names) - 1 else GREY for index in range(len(names))]
    )
    axes.bar_label(made, [f"{value:,.0f}" if value else "never" for value in drawn], padding=4, color=GREY)
    axes.set_xscale("log")
    axes.set_xlim(1, max([*drawn, 10]) * 6)
    axes.set_title(title, fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, transparent=True, metadata={"Date": None})

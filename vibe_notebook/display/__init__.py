"""Show an agent's work: a live widget, one static display, or a terminal.

Above the registry; below ``_watching``. ``_output.py`` chooses the form, ``_view.py`` follows the registry,
``_widget_output.py`` and ``_terminal.py`` show.
"""

from __future__ import annotations

from ._bundle import bundle
from ._output import Output, choose, configure, make_output
from ._terminal import Printer

__all__ = ["Output", "Printer", "bundle", "choose", "configure", "make_output"]

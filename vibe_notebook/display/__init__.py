"""Show an agent's work: a live widget, one static display, or a terminal.

Above the registry, below ``_watching``. ``_output.py`` chooses the output; ``_widget_output.py`` and ``_terminal.py``
are outputs; ``_view.py`` follows the registry for the widget.
"""

from __future__ import annotations

from ._bundle import bundle
from ._output import Output, choose, configure, make_output
from ._terminal import Printer

__all__ = ["Output", "Printer", "bundle", "choose", "configure", "make_output"]

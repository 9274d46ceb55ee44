"""A figure in place of one that cannot be drawn."""

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE_LENGTH = 90


def nothing_figure(title: str, reason: str) -> "Figure":
    """Says what is not shown, and why.

    Args:
        title: What would be here.
        reason: A sentence.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 2.2))
    figure.text(0.5, 0.66, title, ha="center", va="center", fontsize=13)
    figure.text(0.5, 0.36, textwrap.fill(reason, _LINE_LENGTH), ha="center", va="center", fontsize=9, color="#555555")
    return figure

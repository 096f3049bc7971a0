"""How every panel looks: colours of lines, labels with units, ticks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LINES", "empty", "label", "plain", "round_ticks"]

_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.linewidth": 0.8,
    "xtick.color": "0.25",
    "ytick.color": "0.25",
    "legend.frameon": False,
}

LINES: dict[str, dict[str, Any]] = {
    "raw": {"color": "0.62", "lw": 0.8, "zorder": 2},
    "truth": {"color": "#d95f02", "lw": 1.6, "zorder": 3},
    "smoothed": {"color": "#1b5e9e", "lw": 1.8, "zorder": 4},
}


@contextmanager
def empty(width: float, height: float, dpi: int = 110) -> Iterator[Figure]:
    """An empty figure, inches wide and high; what is drawn within has the style of all."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        fig = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        FigureCanvasAgg(fig)
        yield fig


def label(name: str, unit: str, power: int = 0) -> str:
    """Name with units, exponents raised: ``J m-2`` reads J m⁻²."""
    scale = f"10$^{{{power}}}$ " if power else ""
    unit = "" if unit == "1" else re.sub(r"(?<=[A-Za-z])(?<!\de)(-?\d+)", r"$^{\1}$", unit)
    return f"{name} [{(scale + unit).strip()}]" if scale or unit else name


def plain(ticks: list[float]) -> list[str]:
    """Numbers as text, with a true minus sign."""
    return [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]


def round_ticks(width: float, limit: float) -> list[float]:
    """Zero and powers of ten of either sign, from `width` to `limit`."""
    first, last = np.ceil(np.log10(width)), np.floor(np.log10(limit))
    tens = [10.0**k for k in np.arange(first, last + 1)]
    return [-tick for tick in reversed(tens)] + [0.0, *tens]

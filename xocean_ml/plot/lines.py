"""Panels over time: increments at one depth, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml import units
from xocean_ml.plot.shown import Shown, mark, sizes
from xocean_ml.plot.style import LINES, label, plain, round_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_content", "draw_series"]

DENSITY = 1026.0
"""Reference density of sea water, kg m-3, for heat content."""

HEAT_CAPACITY = 3991.86795711963
"""TEOS-10's cp0, J kg-1 K-1: exact for conservative temperature, the convention for potential."""

_LEVEL = 500.0  # depth of the series shown, m: below the seasons, above the unobserved deep


def draw_series(ax: Axes, shown: Shown) -> None:
    """Increments of the level nearest 500 m, on a scale that shows pulses and what is smooth."""
    level = int(np.abs(shown.depth - _LEVEL).argmin())
    where = f" at {shown.depth[level]:.0f} m" if shown.thickness is not None else ""
    if "spread" in shown.fields:
        spread = shown.fields["spread"][:, level]
        ax.fill_between(shown.dates, -spread, spread, color="0.88", lw=0, label="± spread")
    for key, style in _lines(shown):
        ax.plot(shown.dates, shown.fields[key][:, level], label=key, **style)
    width = float(np.percentile(sizes(shown.fields["smoothed"][:, level]), 90))
    limit = float(np.percentile(sizes(shown.fields["raw"][:, level]), 99.5))
    ax.set_yscale("asinh", linear_width=width)
    ticks = round_ticks(0.5 * width, limit)
    ax.set_yticks(ticks, plain(ticks))
    ax.minorticks_off()
    ax.set_ylim(-1.2 * limit, 1.2 * limit)
    mark(ax, shown)
    ax.set_title(f"increment{where}")
    ax.set_ylabel(label("increment", shown.units))
    ax.legend(ncols=4, loc="lower right", bbox_to_anchor=(1.0, 0.98), borderaxespad=0)


def _lines(shown: Shown) -> list[tuple[str, dict[str, Any]]]:
    return [(key, style) for key, style in LINES.items() if key in shown.fields]


def draw_content(ax: Axes, shown: Shown) -> None:
    """Running total of what the increments add: series that conserve it meet at window edges."""
    factor, unit, name = _content_units(shown)
    totals = {}
    for key, _ in _lines(shown):
        amount = shown.fields[key] * factor[:, None]
        if shown.thickness is not None:
            amount = amount * shown.thickness
        totals[key] = np.nancumsum(np.nansum(amount, axis=1))
    power = _power(totals.values())
    for key, style in _lines(shown):
        ax.plot(shown.dates, totals[key] / 10.0**power, label=key, **style)
    mark(ax, shown)
    ax.axhline(0, color="0.7", lw=0.6, zorder=1)
    ax.set_title(f"{name} added since the start")
    ax.set_ylabel(label(name, unit, power))


def _power(values: Iterable[np.ndarray]) -> int:
    """Power of 1000 that leaves numbers of few digits."""
    largest = max(float(np.max(np.abs(value))) for value in values)
    return 3 * int(np.floor(np.log10(largest) / 3)) if largest > 0 else 0


def _content_units(shown: Shown) -> tuple[np.ndarray, str, str]:
    """Factor of each step, and units, of the vertical integral of the increments."""
    ones = np.ones(shown.dates.size)
    rate = units.is_rate(shown.units, "K")
    if shown.thickness is not None and (rate or units.compatible(shown.units, "K")):
        kelvin = "K s-1" if rate else "K"
        scale = units.conversion(shown.units, kelvin, "difference").factor
        step = shown.seconds if rate else ones
        return DENSITY * HEAT_CAPACITY * scale * step, "J m-2", "heat"
    if shown.thickness is not None:
        return ones, f"{shown.units} m", "amount"
    return ones, shown.units, "amount"

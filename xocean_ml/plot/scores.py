"""Panels of scores: error against noise, and scores by depth band and era."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xocean_ml.plot.style import LINES, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_frontier", "draw_scores"]

_RIVALS = ("#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#66a61e", "#666666")
_ERAS = ("0.2", "#a6bddb", "#3690c0", "#034e7b", "#74c476", "#238b45")
_SCORES = {
    "noise_ratio": "noise ratio",
    "rmse_ratio": "error over the optimum's",
    "correlation_truth": "correlation with truth",
    "correlation_raw": "correlation with raw",
}


def draw_frontier(ax: Axes, frontier: xr.Dataset, score: xr.Dataset | None) -> None:
    """Error against noise: a line for each method, a star for the optimum."""
    where = {"band": _middle_band(frontier), "era": "all"}
    points = frontier.sel(where)
    for name, colour in zip(points["smoother"].values, cycle(_RIVALS), strict=False):
        line = points.sel(smoother=name)
        ax.plot(line["noise_ratio"], line["rmse"], "o-", color=colour, ms=4, lw=1.3, label=name)
    if "optimum_rmse" in points:
        best = (points["optimum_noise_ratio"], points["optimum_rmse"])
        ax.plot(*best, "*", color="#d95f02", ms=16, mec="white", label="optimum", zorder=5)
    if score is not None and "rmse" in score and where["band"] in score["band"].values:
        own = score.sel(where)
        spot = {"color": LINES["smoothed"]["color"], "ms": 10, "mec": "white", "zorder": 6}
        ax.plot(own["noise_ratio"], own["rmse"], "D", label="smoothed", **spot)
    for axis in ("x", "y"):
        _log(ax, axis)
    ax.set_xlabel("noise ratio")
    ax.set_ylabel(label("rms error", frontier["rmse"].attrs.get("units", "")))
    ax.set_title(f"error against noise, {_band_name(where['band'])}")
    ax.grid(color="0.92", zorder=0)
    ax.legend(loc="best")


def _log(ax: Axes, axis: str) -> None:
    """Logarithmic with a few plain numbers, where there is a decade to show."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    line = getattr(ax, f"{axis}axis")
    values = np.concatenate([getattr(each, f"get_{axis}data")() for each in ax.lines])
    values = values[np.isfinite(values) & (values > 0)]
    decades = np.log10(values.max() / values.min()) if values.size else 0.0
    if decades < 0.6:
        line.set_major_locator(MaxNLocator(4))
        return
    getattr(ax, f"set_{axis}scale")("log")
    ax.margins(0.08)
    line.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2 else (1.0,)))
    line.set_major_formatter(StrMethodFormatter("{x:g}"))
    line.set_minor_formatter(NullFormatter())


def _middle_band(ds: xr.Dataset) -> str:
    names = [str(name) for name in ds["band"].values]
    return "300-800" if "300-800" in names else names[len(names) // 2]


def _band_name(band: str) -> str:
    return "all levels" if band == "all" else f"{band} m"


def draw_scores(figure: Any, cell: Any, score: xr.Dataset) -> None:
    """Up to three scores with their intervals, by depth band and era, into a grid's cell."""
    names = [name for name in _SCORES if name in score][:3]
    cells = cell.subgridspec(1, len(names))
    axes: list[Axes] = []
    for k, name in enumerate(names):
        axes.append(figure.add_subplot(cells[k], sharey=axes[0] if axes else None))
        _draw_score(axes[k], score, name)
        axes[k].set_title(_SCORES[name])
        axes[k].tick_params(labelleft=k == 0)
    bands = [str(band) for band in score["band"].values]
    axes[0].set_yticks(range(len(bands)), bands)
    axes[0].set_ylim(len(bands) - 0.5, -0.5)
    axes[0].set_ylabel("depth band [m]")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=len(labels), fontsize=9)


def _draw_score(ax: Axes, score: xr.Dataset, name: str) -> None:
    count = score.sizes["era"]
    for k, (era, colour) in enumerate(zip(score["era"].values, cycle(_ERAS), strict=False)):
        value = score[name].sel(era=era).values
        y = np.arange(score.sizes["band"]) + 0.6 * ((k + 0.5) / count - 0.5)
        if f"{name}_low" in score:
            low, high = (score[f"{name}_{side}"].sel(era=era).values for side in ("low", "high"))
            ax.hlines(y, low, high, color=colour, lw=1.5)
        ax.plot(value, y, "o", color=colour, ms=4.5, label=str(era))
    if name == "noise_ratio":
        _log(ax, "x")
    ax.grid(axis="x", color="0.92")

"""Panels over depth and time: one for each of raw, smoothed and true increments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml.plot.shown import Shown, mark, sizes
from xocean_ml.plot.style import label, plain, round_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_maps"]


def draw_maps(figure: Any, shown: Shown) -> None:
    """All maps on one scale, linear where what is smooth lies and logarithmic beyond."""
    from matplotlib.colors import AsinhNorm

    names = [name for name in ("raw", "smoothed", "truth") if name in shown.fields]
    axes = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    width, limit = _scale(shown)
    edges = _edges(shown.depth)
    for ax, name in zip(axes, names, strict=True):
        image = ax.pcolormesh(
            _date_edges(shown.dates),
            edges,
            shown.fields[name].T,
            cmap=_diverging(),
            norm=AsinhNorm(width, -limit, limit),
            rasterized=True,
        )
        ax.set_title(name)
        ax.set_facecolor("0.85")
        _stretch(ax, edges, "depth [m]" if shown.thickness is not None else "level")
        mark(ax, shown)
    if shown.columns > 1:
        axes[0].set_title(f"mean of {shown.columns} columns", loc="right", color="0.35")
    bar = figure.colorbar(
        image, ax=list(axes), location="bottom", shrink=0.7, aspect=45, pad=0.02, extend="both"
    )
    bar.set_label(label("increment", shown.units))
    ticks = round_ticks(width, limit)
    bar.set_ticks(ticks, labels=plain(ticks))
    bar.minorticks_off()


def _scale(shown: Shown) -> tuple[float, float]:
    """Width of the linear part of the scale, and its limit.

    Pulses are tens of times larger than what is smooth, and the surface than the deep: a linear
    scale shows one of them only. Exact zeros (nothing observed) are not counted.
    """
    slow = sizes(shown.fields["smoothed"])
    limit = float(np.percentile(sizes(shown.fields["raw"]), 98))
    return min(float(np.percentile(slow, 50)), 0.5 * limit), limit


def _diverging() -> Any:
    try:
        from cmocean import cm
    except ImportError:
        return "RdBu_r"
    return cm.balance


def _edges(depth: np.ndarray) -> np.ndarray:
    middle = 0.5 * (depth[1:] + depth[:-1])
    first = max(0.0, 1.5 * depth[0] - 0.5 * depth[1])
    last = 1.5 * depth[-1] - 0.5 * depth[-2]
    return np.concatenate([[first], middle, [last]])


def _date_edges(dates: np.ndarray) -> np.ndarray:
    if dates.size < 2:
        return np.array([dates[0], dates[0] + np.timedelta64(1, "D")])
    half = (dates[1:] - dates[:-1]) // 2
    return np.concatenate([[dates[0] - half[0]], dates[:-1] + half, [dates[-1] + half[-1]]])


def _stretch(ax: Axes, edges: np.ndarray, label: str) -> None:
    """Depth downward, the upper ocean widened."""
    ax.set_yscale("function", functions=(np.sqrt, np.square))
    ax.set_ylim(edges.max(), edges.min())
    shown = [tick for tick in (0, 100, 300, 800, 2000, 4000, 6000) if tick <= edges.max()]
    if len(shown) > 2:
        ax.set_yticks(shown, [str(tick) for tick in shown])
        ax.minorticks_off()
    ax.set_ylabel(label)

"""The figure of a smoothing: which panels, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from xocean_ml.plot.lines import draw_content, draw_series
from xocean_ml.plot.maps import draw_maps
from xocean_ml.plot.scores import draw_frontier, draw_scores
from xocean_ml.plot.shown import Shown
from xocean_ml.plot.style import empty

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["smoothing"]


def smoothing(
    raw: xr.DataArray,
    smoothed: xr.DataArray,
    *,
    truth: xr.DataArray | None = None,
    spread: xr.DataArray | None = None,
    score: xr.Dataset | None = None,
    frontier: xr.Dataset | None = None,
    conserve: Any = None,
    select: Mapping[str, Any] | None = None,
) -> Figure:
    """Show raw and smoothed increments in depth and time, as series, and as scores.

    Parameters
    ----------
    raw, smoothed : DataArray
        Increments with time and usually depth; other dimensions are averaged unless selected.
        Computed if lazy.
    truth : DataArray, optional
        True increments of a twin experiment.
    spread : DataArray, optional
        Ensemble spread of the raw increments, shaded.
    score : Dataset, optional
        From `xocean_ml.metrics.smoothing`.
    frontier : Dataset, optional
        From `xocean_ml.metrics.frontier`.
    conserve : array_like of int, or str, optional
        Conservation windows, as for `xocean_ml.metrics.smoothing`; their edges are drawn.
    select : mapping, optional
        Nearest labels (positions where a dimension has none) to show, e.g.
        ``{"lat": 40, "lon": -30}``.

    Returns
    -------
    matplotlib.figure.Figure
        1600 x 1000 pixels; save it with ``fig.savefig(path)``.

    Examples
    --------
    >>> import numpy as np
    >>> from xocean_ml.metrics import running_mean
    >>> time = xr.date_range("1990-01-01", periods=240, freq="MS")
    >>> raw = xr.DataArray(
    ...     np.random.default_rng(0).standard_normal((240, 3)),
    ...     coords={"time": time, "depth": [5.0, 100.0, 500.0]},
    ...     dims=("time", "depth"),
    ...     attrs={"units": "K"},
    ... )
    >>> fig = smoothing(raw, running_mean(raw, 13))
    >>> [ax.get_title("left") for ax in fig.axes][:2]
    ['raw', 'smoothed']
    """
    given = {"smoothed": smoothed, "raw": raw, "truth": truth, "spread": spread}
    shown = Shown.of({k: v for k, v in given.items() if v is not None}, conserve, select)
    with empty(16, 10, dpi=100) as fig:
        side: Any = fig
        if shown.levels > 1:
            halves: Any = fig.subfigures(1, 2, width_ratios=[1.2, 1], wspace=0.02)
            draw_maps(halves[0], shown)
            side = halves[1]
        cells = side.add_gridspec(2 + (frontier is not None) + (score is not None), 1)
        draw_series(side.add_subplot(cells[0]), shown)
        draw_content(side.add_subplot(cells[1]), shown)
        if frontier is not None:
            draw_frontier(side.add_subplot(cells[2]), frontier, score)
        if score is not None:
            draw_scores(side, cells[-1], score)
    return fig

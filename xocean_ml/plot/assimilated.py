"""The figure of an analysis: truth, analysis and spread as maps, scatter, means over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.errors import FieldNotFound
from xocean_ml.plot.geographic import bar_below, draw_map, draw_spread, name_of, one_map
from xocean_ml.plot.style import LINES, empty, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["assimilation"]

MOST = 20_000
"""Points of a scatter plot, at most."""


def assimilation(
    full: xr.Dataset,
    truth: xr.Dataset,
    *,
    base: xr.Dataset | None = None,
    observed: xr.Dataset | None = None,
    fields: Sequence[str] | None = None,
    time: int = 0,
) -> Figure:
    """Show an analysis beside the truth, a row for each field.

    Parameters
    ----------
    full : Dataset
        What `xocean_ml.assimilate` gives: fields and their ``<name>_spread``.
    truth : Dataset
        The same variables, times and grid.
    base : Dataset, optional
        The climatology (``ds.where(False).assimilate(model)``): differences from it are shown.
    observed : Dataset, optional
        What was given; a cell that was seen has a dot.
    fields : sequence of str, optional
        Variables; by default all that both have, with a spread.
    time : int
        Which time the maps and the scatter are of.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``fig.savefig(path)``.

    Raises
    ------
    FieldNotFound
        Nothing to show.

    Examples
    --------
    >>> lat = ("lat", [-30.0, 0, 30], {"units": "degrees_north"})
    >>> lon = ("lon", [0.0, 90, 180, 270], {"units": "degrees_east"})
    >>> random = np.random.default_rng(0)
    >>> time = xr.date_range("2000-01-16", periods=5, freq="MS")
    >>> sst = xr.DataArray(random.normal(size=(5, 3, 4)), {"time": time, "lat": lat, "lon": lon},
    ...                    attrs={"units": "K", "long_name": "temperature"})
    >>> truth = sst.to_dataset(name="sst")
    >>> fig = assimilation(truth.assign(sst_spread=0 * sst + 0.5), truth)
    >>> [ax.get_title("left") for ax in fig.axes]
    ['truth', 'analysis', 'spread', 'r = 1.000', 'mean over the area']
    """
    names = list(fields) if fields is not None else [str(n) for n in truth.data_vars]
    names = [n for n in names if n in truth and n in full and f"{n}_spread" in full]
    if not names:
        raise FieldNotFound("no variable is in truth and, with its spread, in full")
    with empty(17, 3.1 * len(names)) as fig:
        cells = fig.add_gridspec(len(names), 5, width_ratios=[1, 1, 1, 0.62, 0.9])
        for row, name in enumerate(names):
            axes = [fig.add_subplot(cells[row, column]) for column in range(5)]
            pair = [truth[name], full[name]]
            if base is not None:
                pair = [(each - base[name]).transpose(*each.dims) for each in pair]
            pair = [each.assign_attrs(truth[name].attrs) for each in pair]
            shown = one_map(pair[0], time), one_map(pair[1], time)
            _maps(axes[:3], shown, one_map(full[f"{name}_spread"], time), base is not None)
            if observed is not None and name in observed:
                _dots(axes[1], one_map(observed[name], time))
            _scatter(axes[3], *shown)
            _series(axes[4], *pair)
    return fig


def _maps(
    axes: Sequence[Axes],
    pair: tuple[xr.DataArray, xr.DataArray],
    spread: xr.DataArray,
    centred: bool,
) -> None:
    """Truth and analysis on one scale, the spread on its own."""
    low, high = np.nanpercentile(pair[0].values, [0.5, 99.5])
    colours = "viridis"
    if centred:
        high = max(abs(low), abs(high)) or 1.0
        low, colours = -high, "RdBu_r"
    for ax, each, name in zip(axes, pair, ("truth", "analysis"), strict=False):
        picture = draw_map(ax, each, colours, low, high)
        ax.set_title(name)
    bar_below(axes[0], picture, name_of(pair[0]))
    draw_spread(axes[2], spread, label("standard error", pair[0].attrs.get("units", "")))


def _dots(ax: Axes, seen: xr.DataArray) -> None:
    """Where a part of the cells was seen."""
    there = np.isfinite(seen.values)
    if there.all() or not there.any():
        return
    rows, columns = np.nonzero(there)
    latitude, longitude = (np.asarray(f(seen).values) for f in (grid.latitude, grid.longitude))
    ax.plot(longitude[columns], latitude[rows], ",", color="k", alpha=0.6)


def _scatter(ax: Axes, truth: xr.DataArray, found: xr.DataArray) -> None:
    """Cell by cell."""
    x, y = truth.values.ravel(), found.values.ravel()
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    with np.errstate(invalid="ignore"):  # of what does not vary
        r = float(np.corrcoef(x, y)[0, 1]) if x.size > 1 else np.nan
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())]) if x.size else [0, 1]
    ax.plot(ends, ends, color="0.6", lw=0.8)
    few = slice(None, None, max(1, x.size // MOST))
    ax.plot(x[few], y[few], ".", ms=2, alpha=0.4, color=LINES["smoothed"]["color"])
    ax.locator_params(nbins=4)
    ax.ticklabel_format(scilimits=(-3, 5))
    ax.set_title(f"r = {r:.3f}")
    units = truth.attrs.get("units", "")
    ax.set_xlabel(label("truth", units))
    ax.set_ylabel(label("analysis", units))
    ax.set_box_aspect(1)


def _dates(time: xr.DataArray) -> np.ndarray:
    """As matplotlib draws them; years where the calendar is another."""
    if time.dtype.kind != "O":
        return np.asarray(time.values)
    return np.asarray(time.dt.year + (time.dt.dayofyear - 1) / 365.25)


def _series(ax: Axes, truth: xr.DataArray, found: xr.DataArray) -> None:
    """Means over the area, time by time."""
    where = grid.axes(truth)
    if "T" not in where:
        ax.set_axis_off()
        return
    latitude = grid.latitude(truth)
    weight = latitude.copy(data=np.cos(np.deg2rad(latitude.values)))
    found = found.where(truth.notnull())
    for each, told in ((truth, "truth"), (found, "analysis")):
        mean = each.weighted(weight).mean([where["Y"], where["X"]])
        mean = mean.mean([d for d in mean.dims if d != where["T"]])
        line = LINES["truth" if told == "truth" else "smoothed"]
        ax.plot(_dates(each[where["T"]]), mean.values, label=told, **line)
    ax.set_title("mean over the area")
    ax.set_ylabel(label("", truth.attrs.get("units", "")).strip())
    ax.tick_params(axis="x", rotation=30)
    ax.legend(loc="best", fontsize=8)
